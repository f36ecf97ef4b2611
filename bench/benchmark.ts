/** What a benchmark is: one service of ours and one real peer, and the same loads for both. */
import type { Programs } from './programs.ts';

export interface Place {
  /** An empty folder of the benchmark's own; gone afterwards. */
  readonly folder: string;
  /** Everything started goes here and is stopped with it, in reverse order. */
  readonly stack: AsyncDisposableStack;
  readonly programs: Programs;
}

export interface Benchmark {
  readonly name: string;
  /** What is compared with what, and where the comparison limps: printed above the figures. */
  readonly compared: string;
  prepare(place: Place): Promise<Contest>;
}

export interface Contest {
  /** With its version. */
  readonly peer: string;
  readonly cpu: Pair<CpuMeter>;
  readonly workloads: readonly Workload[];
  /** What is measured after the workloads and is no ratio of rates; each on its own. */
  readonly probes?: readonly Probe[];
}

/** @throws Error when it cannot be measured */
export type Probe = (rounds: number) => Promise<readonly Finding[]>;

/** Bytes per byte, a pause, a difference: figures that stand for themselves. */
export interface Finding {
  /** As the lines of the result name it, after the benchmark's name and a dot. */
  readonly name: string;
  readonly unit: string;
  /** By who or what they belong to: `ours`, `peer`, `with checkpoints`. */
  readonly values: Readonly<Record<string, number>>;
  /** In words: `at most 5`. Without one the figure is only reported. */
  readonly goal?: string;
}

export interface Pair<T> {
  readonly ours: T;
  readonly peer: T;
}

/** CPU time that one contender's server has used since it started, in µs. */
export type CpuMeter = () => number | Promise<number>;

export interface Workload {
  /** As the ratio lines name it, after the benchmark's name and a dot. */
  readonly name: string;
  /** What one operation is: `answer`, `commit`. */
  readonly operation: string;
  /** One round against each; about a second. */
  readonly load: Pair<Load>;
  /** Run before each round, not measured. */
  readonly before?: Pair<() => Promise<void>>;
  /** When other processes serve this load than the contest's. */
  readonly cpu?: Pair<CpuMeter>;
  /** The ratio to be reached; `reported` when there will be none. */
  readonly goal?: number | 'reported';
  /** Of what: of operations per second (the default), or per second of the server's CPU time. */
  readonly goalOf?: 'rate' | 'cpu';
  /** Preparing the benchmark did the same: no round that is not counted. */
  readonly isWarm?: boolean;
}

/** @throws Error when an operation failed: a server that refuses quickly must not win */
export type Load = () => Promise<Done>;

export interface Done {
  readonly operations: number;
  /** As the load's own tool measured it; else the whole round is taken. */
  readonly seconds?: number;
}

/** The same load at two addresses. */
export function both<T>(name: string, operation: string, at: Pair<T>, load: (at: T) => Load): Workload {
  return { name, operation, load: { ours: load(at.ours), peer: load(at.peer) } };
}
