/** Prints measurements for people, and shapes them for `--json`. */
import type { Finding } from './benchmark.ts';
import type { Figure, Measurement, Ratio } from './measure.ts';

export interface Result {
  readonly service: string;
  readonly compared: string;
  /** Absent when the benchmark did not run. */
  readonly peer?: string;
  readonly measurements: readonly Measurement[];
  readonly findings?: readonly Finding[];
  /** Why it did not run. */
  readonly skipped?: string;
}

export const HEADER = `Each service of ours beside one real peer: the same load on both, in alternating rounds.
A ratio above 1 means that ours is better: "rate" is our operations per second by the peer's, "cpu" the peer's
CPU time of the server process per operation by ours. Each is the median of the rounds' ratios; the lowest and
highest round stand beside it. Absolute figures say nothing: the machine is shared, and the load takes its part.
`;

/** The figures of one service; the ratios follow later, all together. */
export function describeFigures({ service, measurements }: Result): string {
  return measurements.map((measurement) => describeMeasurement(service, measurement)).join('');
}

function describeMeasurement(service: string, measurement: Measurement): string {
  const { name, operation, ours, peer, rate, cpu } = measurement;
  return [
    `  ${service}.${name}`,
    `    ours ${figure(ours, operation)}`,
    `    peer ${figure(peer, operation)}`,
    `    rounds: rate ${span(rate)}, cpu ${span(cpu)}`,
    '',
  ].join('\n');
}

function figure({ rate, cpuMicros }: Figure, operation: string): string {
  const perSecond = rate.toLocaleString('en', { maximumFractionDigits: rate < 100 ? 1 : 0 });
  return `${perSecond.padStart(12)} ${operation}s/s  ${cpuMicros.toFixed(2).padStart(10)} µs CPU per ${operation}`;
}

function span({ lowest, highest }: Ratio): string {
  return `${lowest.toFixed(2)} to ${highest.toFixed(2)}`;
}

/** The last lines of a run. */
export function describeRatios({ service, measurements, findings = [], skipped }: Result): string {
  if (skipped !== undefined) return `skipped ${service}: ${skipped}\n`;
  const ratios = measurements.flatMap(({ name, rate, cpu, goal, goalOf }) => {
    const other = goal === undefined ? undefined : 'reported';
    return [
      ratioLine(`${service}.${name}.rate`, rate, goalOf === 'rate' ? goal : other),
      ratioLine(`${service}.${name}.cpu`, cpu, goalOf === 'cpu' ? goal : other),
    ];
  });
  return [...ratios, ...findings.map((finding) => findingLine(service, finding))].join('');
}

function ratioLine(metric: string, ratio: Ratio, goal: Measurement['goal']): string {
  const reached = goal === 'reported' ? goal : `goal: ${goal ?? 'none yet'}`;
  return `ratio ${metric}: ${ratio.median.toFixed(2)} (${reached})\n`;
}

function findingLine(service: string, { name, unit, values, goal }: Finding): string {
  const figures = Object.entries(values).map(([whose, value]) => `${whose} ${value.toFixed(2)}`);
  const reached = goal === undefined ? 'reported' : `goal: ${goal}`;
  return `figure ${service}.${name}: ${figures.join(', ')} ${unit} (${reached})\n`;
}
