/** How long single turns of the event loop take, while nothing else runs. */
import type { Finding } from '../benchmark.ts';

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

function threadCpuMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** The longest of each, of several. */
export function longestOf(turns: readonly LongestTurn[]): Finding['values'] {
  return {
    'CPU time': Math.max(...turns.map(({ cpuMilliseconds }) => cpuMilliseconds)),
    time: Math.max(...turns.map(({ milliseconds }) => milliseconds)),
  };
}
