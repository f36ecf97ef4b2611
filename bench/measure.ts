/**
 * Alternating rounds: ours, peer, peer, ours, …, so that whatever else the machine does meets both alike. A
 * ratio is taken within each round, between neighbours in time, and the median of the rounds is reported.
 */
import type { Contest, CpuMeter, Finding, Load, Pair, Workload } from './benchmark.ts';

/** Of one round, or the medians of all. */
export interface Figure {
  /** Operations per second of wall time. */
  readonly rate: number;
  /** CPU time of the server process per operation, in µs. */
  readonly cpuMicros: number;
}

/** Above 1: ours is better. */
export interface Ratio {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export interface Measurement {
  readonly name: string;
  readonly operation: string;
  readonly ours: Figure;
  readonly peer: Figure;
  /** Ours by the peer's. */
  readonly rate: Ratio;
  /** The peer's by ours. */
  readonly cpu: Ratio;
  readonly rounds: readonly Pair<Figure>[];
  readonly goal?: number | 'reported';
  readonly goalOf: 'rate' | 'cpu';
}

/** Measures all workloads, the rounds of each in a row, after one round of each side that is not counted. */
export async function measure(contest: Contest, rounds: number): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const workload of contest.workloads) {
    measurements.push(await measureWorkload(workload, workload.cpu ?? contest.cpu, rounds));
  }
  return measurements;
}

/** What the probes find, one after the other. */
export async function probe(contest: Contest, rounds: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const take of contest.probes ?? []) findings.push(...(await take(rounds)));
  return findings;
}

async function measureWorkload(workload: Workload, cpu: Pair<CpuMeter>, count: number): Promise<Measurement> {
  const round = async (side: keyof Pair<unknown>): Promise<Figure> => {
    await workload.before?.[side]();
    return measureRound(workload.load[side], cpu[side]);
  };
  if (workload.isWarm !== true) {
    await round('ours');
    await round('peer');
  }
  const rounds: Pair<Figure>[] = [];
  for (let n = 0; n < count; n++) {
    const first = n % 2 === 0 ? await round('ours') : undefined;
    const peer = await round('peer');
    rounds.push({ ours: first ?? (await round('ours')), peer });
  }
  return {
    name: workload.name,
    operation: workload.operation,
    ours: middle(rounds.map(({ ours }) => ours)),
    peer: middle(rounds.map(({ peer }) => peer)),
    rate: ratioOf(rounds.map(({ ours, peer }) => ours.rate / peer.rate)),
    cpu: ratioOf(rounds.map(({ ours, peer }) => peer.cpuMicros / ours.cpuMicros)),
    rounds,
    ...(workload.goal === undefined ? {} : { goal: workload.goal }),
    goalOf: workload.goalOf ?? 'rate',
  };
}

async function measureRound(load: Load, cpu: CpuMeter): Promise<Figure> {
  const cpuBefore = await cpu();
  const startedAt = performance.now();
  const { operations, seconds = (performance.now() - startedAt) / 1_000 } = await load();
  const used = (await cpu()) - cpuBefore;
  if (operations <= 0) throw new Error('a round did no operation at all');
  return { rate: operations / seconds, cpuMicros: used / operations };
}

function middle(figures: readonly Figure[]): Figure {
  return {
    rate: median(figures.map(({ rate }) => rate)),
    cpuMicros: median(figures.map(({ cpuMicros }) => cpuMicros)),
  };
}

function ratioOf(ratios: readonly number[]): Ratio {
  return { median: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

/** The mean of the middle two when there are two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? Number.NaN)) / 2;
}
