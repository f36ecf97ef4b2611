/** CPU time of a process and all it started, from proc(5). Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of /proc are USER_HZ, 100 per second on every architecture that Node runs on. */
const TICK_MICROS = 10_000;

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

/**
 * User and system time of `root` and its descendants, in µs. A descendant that has ended is counted in its
 * parent (cutime, cstime), so that a server of many short processes is not flattered.
 * @throws Error when there is no such process
 */
export function processCpuMicros(root: number): number {
  const stats = new Map<number, Stat>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    const stat = Number.isInteger(pid) ? readStat(pid) : undefined;
    if (stat !== undefined) stats.set(pid, stat);
  }
  if (!stats.has(root)) throw new Error(`process ${root} is gone`);
  let ticks = 0;
  for (const [pid, stat] of stats) if (descends(stats, pid, root)) ticks += stat.ticks;
  return ticks * TICK_MICROS;
}

function descends(stats: ReadonlyMap<number, Stat>, pid: number, root: number): boolean {
  let at: number | undefined = pid;
  while (at !== undefined && at !== 0 && at !== root) at = stats.get(at)?.parent;
  return at === root;
}

function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // It ended between the listing and now.
  }
  // The second field is the program's name in parentheses and may hold anything; what follows is numbers.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15);
  return { parent: fields[1] ?? 0, ticks: utime + stime + cutime + cstime };
}
