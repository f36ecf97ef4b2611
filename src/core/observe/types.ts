/**
 * What a service tells about itself. One `Observer` per service per process: no globals, so that eight
 * services, or two whole Octets, live side by side.
 *
 * Counters and gauges are plain numbers in memory; the Prometheus text is made when somebody scrapes.
 */

export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Counter {
  /** The total so far; a hot path may add to it directly. */
  value: number;
  add(by?: number): void;
}

export interface Gauge {
  value: number;
  set(to: number): void;
}

export interface Histogram {
  /** Seconds, as Prometheus has it. */
  observe(seconds: number): void;
}

export type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  /** Names follow Prometheus: `octet_<service>_<what>_total`. The same name and labels give the same object. */
  counter(name: string, help: string, labels?: Labels): Counter;
  /** With `read`, the value is taken when somebody scrapes. */
  gauge(name: string, help: string, labels?: Labels, read?: () => number): Gauge;
  histogram(name: string, help: string, labels?: Labels): Histogram;
}

/** One operation of one service, for the console's event stream and a request's waterfall. */
export interface Span {
  readonly service: string;
  /** In the protocol's own words: `GET /api/spells`, `SELECT`, `basic.publish`, `A spells.test`. */
  readonly operation: string;
  /** Result in the protocol's words: `200`, `NOERROR`, `OK`, a SQLSTATE. */
  readonly outcome: string;
  /** Carried from service to service where the protocol has a place for it. */
  readonly requestId?: string;
  /** Wall-clock start, milliseconds since 1970. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly detail?: string;
}

export interface Observer {
  readonly service: string;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Keeps the span in a bounded ring (the newest win) and tells whoever watches. Cheap when nobody does. */
  span(span: Omit<Span, 'service'>): void;
}
