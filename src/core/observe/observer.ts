/**
 * Collects what the services of one Octet tell: logs through pino, numbers for Prometheus, spans for the
 * console. One `Observatory` per Octet, one `Observer` per service.
 */
import type { Counter, Gauge, Histogram, Labels, Log, Metrics, Observer, Span } from './types.ts';

/** How many spans are kept for the console and for a request's waterfall: about 1 MiB. */
const SPANS_KEPT = 4_096;

/** Upper bounds in seconds; from Prometheus' defaults, with finer steps where a local service lives. */
const BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Where log lines go: one JSON object per line, newline included. */
export type LogSink = (line: string) => void;

type Kind = 'counter' | 'gauge' | 'histogram';

interface Family {
  readonly kind: Kind;
  readonly name: string;
  readonly help: string;
  readonly series: Map<string, Series>;
}

type Series = { readonly labels: Labels } & (
  | { readonly kind: 'number'; readonly cell: { value: number }; readonly read?: () => number }
  | { readonly kind: 'histogram'; readonly counts: number[]; sum: number; count: number }
);

/** A number as the console shows it. */
export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

export class Observatory {
  readonly #write: LogWriter;
  readonly #families = new Map<string, Family>();
  readonly #spans: Span[] = [];
  #spanCount = 0;
  readonly #watchers = new Set<(span: Span) => void>();

  constructor(write: LogWriter) {
    this.#write = write;
  }

  observer(service: string): Observer {
    const log = (level: Exclude<LogLevel, 'silent'>) => {
      return (message: string, fields?: Readonly<Record<string, unknown>>): void =>
        this.#write(level, service, message, fields);
    };
    return {
      service,
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') } satisfies Log,
      metrics: this.#metrics(),
      span: (span) => this.#keep({ service, ...span }),
    };
  }

  /** Calls `tell` for every span from now on. @returns a function that ends it */
  watch(tell: (span: Span) => void): () => void {
    this.#watchers.add(tell);
    return () => void this.#watchers.delete(tell);
  }

  /** The newest spans, oldest first. */
  spans(limit: number = SPANS_KEPT): Span[] {
    const held = Math.min(this.#spanCount, SPANS_KEPT, limit);
    const result: Span[] = [];
    for (let index = this.#spanCount - held; index < this.#spanCount; index++) {
      result.push(this.#spans[index % SPANS_KEPT] as Span);
    }
    return result;
  }

  /** Every counter and gauge as it stands. */
  samples(): Sample[] {
    const samples: Sample[] = [];
    for (const family of this.#families.values()) {
      for (const series of family.series.values()) {
        const value = series.kind === 'histogram' ? series.count : (series.read?.() ?? series.cell.value);
        samples.push({ name: family.name, labels: series.labels, value });
      }
    }
    return samples;
  }

  /**
   * All metrics in Prometheus' text exposition format 0.0.4. prom-client does the formatting and is loaded at
   * the first scrape (52 ms of CPU that a start need not spend).
   */
  async prometheusText(): Promise<string> {
    const client = await loadPromClient();
    const registry = new client.Registry();
    for (const family of this.#families.values()) {
      registry.registerMetric(prometheusMetric(client, family));
    }
    return registry.metrics();
  }

  #keep(span: Span): void {
    this.#spans[this.#spanCount % SPANS_KEPT] = span;
    this.#spanCount++;
    for (const tell of this.#watchers) tell(span);
  }

  #metrics(): Metrics {
    return {
      counter: (name, help, labels = {}) => this.#number('counter', name, help, labels),
      gauge: (name, help, labels = {}, read) => this.#number('gauge', name, help, labels, read),
      histogram: (name, help, labels = {}) => this.#histogram(name, help, labels),
    };
  }

  #number(kind: Kind, name: string, help: string, labels: Labels, read?: () => number): Counter & Gauge {
    const cell = {
      value: 0,
      add(by = 1) {
        this.value += by;
      },
      set(to: number) {
        this.value = to;
      },
    };
    const fresh: Series = { kind: 'number', labels, cell, ...(read === undefined ? {} : { read }) };
    const series = this.#series(kind, name, help, labels, fresh);
    return (series.kind === 'number' ? series.cell : cell) as Counter & Gauge;
  }

  #histogram(name: string, help: string, labels: Labels): Histogram {
    const fresh: Series = { kind: 'histogram', labels, counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
    const series = this.#series('histogram', name, help, labels, fresh);
    return {
      observe(seconds) {
        if (series.kind !== 'histogram') return;
        series.sum += seconds;
        series.count++;
        const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
        if (bucket >= 0) series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
      },
    };
  }

  #series(kind: Kind, name: string, help: string, labels: Labels, fresh: Series): Series {
    const family = this.#families.get(name) ?? { kind, name, help, series: new Map<string, Series>() };
    this.#families.set(name, family);
    const key = JSON.stringify(labels);
    const known = family.series.get(key);
    if (known !== undefined) return known;
    family.series.set(key, fresh);
    return fresh;
  }
}

type PromClient = typeof import('prom-client');

/** The whole of a CommonJS module is the default export of its import; in a bundle there is nothing beside it. */
async function loadPromClient(): Promise<PromClient> {
  const loaded = (await import('prom-client')) as PromClient & { default?: PromClient };
  return loaded.default ?? loaded;
}

/** Writes one log line. */
export type LogWriter = (
  level: Exclude<LogLevel, 'silent'>,
  service: string,
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

export const silentLog: LogWriter = () => undefined;

/** Log lines as pino writes them, to `sink`, from `level` up. Loads pino (20 ms of CPU). */
export async function pinoLog(level: LogLevel, sink: LogSink): Promise<LogWriter> {
  if (level === 'silent') return silentLog;
  const { default: pino } = await import('pino');
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write: sink });
  return (at, service, message, fields) => logger[at]({ service, ...fields }, message);
}

function prometheusMetric(client: PromClient, family: Family): import('prom-client').Metric {
  const { name, help } = family;
  const all = [...family.series.values()];
  const labelNames = [...new Set(all.flatMap((series) => Object.keys(series.labels)))];
  if (family.kind === 'histogram') return prometheusHistogram(client, family, labelNames);
  const settings = { name, help, labelNames, registers: [] };
  if (family.kind === 'counter') {
    const counter = new client.Counter(settings);
    for (const series of all) {
      if (series.kind === 'number') counter.inc({ ...series.labels }, series.cell.value);
    }
    return counter;
  }
  const gauge = new client.Gauge(settings);
  for (const series of all) {
    if (series.kind === 'number') gauge.set({ ...series.labels }, series.read?.() ?? series.cell.value);
  }
  return gauge;
}

/** prom-client cannot be given finished bucket counts, so the metric's `get` answers with ours. */
function prometheusHistogram(
  client: PromClient,
  family: Family,
  labelNames: string[],
): import('prom-client').Metric {
  const histogram = new client.Histogram({ name: family.name, help: family.help, labelNames, registers: [] });
  const values: { metricName: string; labels: Record<string, string | number>; value: number }[] = [];
  for (const series of family.series.values()) {
    if (series.kind !== 'histogram') continue;
    let cumulative = 0;
    for (const [index, bound] of BUCKETS.entries()) {
      cumulative += series.counts[index] ?? 0;
      values.push({
        metricName: `${family.name}_bucket`,
        labels: { le: bound, ...series.labels },
        value: cumulative,
      });
    }
    values.push({
      metricName: `${family.name}_bucket`,
      labels: { le: '+Inf', ...series.labels },
      value: series.count,
    });
    values.push({ metricName: `${family.name}_sum`, labels: { ...series.labels }, value: series.sum });
    values.push({ metricName: `${family.name}_count`, labels: { ...series.labels }, value: series.count });
  }
  const get = async () => ({
    name: family.name,
    help: family.help,
    type: 'histogram',
    values,
    aggregator: 'sum',
  });
  return Object.assign(histogram, { get, getForPromString: get }) as unknown as import('prom-client').Metric;
}
