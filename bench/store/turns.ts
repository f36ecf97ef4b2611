/** How long single turns of the event loop take, while nothing else runs. */
import type { Finding } from '../benchmark.ts';
import { median } from '../measure.ts';

export interface LongestTurn {
  readonly milliseconds: number;
  /** CPU time of this thread: what the turn itself needs, however busy the machine is. */
  readonly cpuMilliseconds: number;
}

/** Runs `work` and watches every turn of the event loop until it is done. */
export async function longestTurn(work: () => Promise<void>): Promise<LongestTurn> {
  let milliseconds = 0;
  let cpuMilliseconds = 0;
  let isDone = false;
  const watching = new Promise<void>((resolve) => {
    let at = performance.now();
    let cpuAt = threadCpuMilliseconds();
    const turn = (): void => {
      milliseconds = Math.max(milliseconds, -at + (at = performance.now()));
      cpuMilliseconds = Math.max(cpuMilliseconds, -cpuAt + (cpuAt = threadCpuMilliseconds()));
      if (isDone) resolve();
      else setImmediate(turn);
    };
    setImmediate(turn);
  });
  try {
    await work();
  } finally {
    isDone = true;
    await watching;
  }
  return { milliseconds, cpuMilliseconds };
}

/** Linux counts a running thread's time up to its last tick, unless somebody asks for that of the whole process. */
function threadCpuMilliseconds(): number {
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Of several: now and then the garbage collector takes its turn in one. */
export function describeTurns(turns: readonly LongestTurn[]): Finding['values'] {
  const cpu = turns.map(({ cpuMilliseconds }) => cpuMilliseconds);
  return {
    'CPU median': median(cpu),
    'CPU highest': Math.max(...cpu),
    'time highest': Math.max(...turns.map(({ milliseconds }) => milliseconds)),
  };
}
