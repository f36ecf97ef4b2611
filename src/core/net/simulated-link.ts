/**
 * What lies between two hosts of a simulated network: delay, loss, and the place where a cable can be pulled.
 *
 * A segment of a stream is never lost for good: TCP sends it again, so loss is delay, and a cut link only holds
 * the streams up until it is whole again. A datagram that is lost is gone.
 */
import type { SeededRandom } from '../random/seeded-random.ts';

export interface LinkConditions {
  /** One way, in milliseconds, drawn for each segment and datagram. 0 is the next turn of the event loop. */
  readonly latencyMs: readonly [least: number, most: number];
  /** Bytes that pass in one millisecond. */
  readonly bytesPerMs: number;
  /** Share of the segments and datagrams that are lost, 0 to 1. */
  readonly lossRate: number;
  /** Share of the datagrams that arrive twice, 0 to 1. */
  readonly duplicateRate: number;
  /** Streams are cut at random places into pieces of at most so many bytes. Infinity leaves writes whole. */
  readonly maxSegmentBytes: number;
  /** What the two operating systems hold of one direction of a connection: sent, and not yet read. */
  readonly windowBytes: number;
}

/** No delay, no loss, nothing is cut. */
export const PERFECT_LINK: LinkConditions = {
  latencyMs: [0, 0],
  bytesPerMs: Number.POSITIVE_INFINITY,
  lossRate: 0,
  duplicateRate: 0,
  maxSegmentBytes: Number.POSITIVE_INFINITY,
  windowBytes: 64 * 1024,
};

/** Linux sends a lost segment again after this long at the least. */
const RETRANSMIT_MS = 200;

/** Both directions between two hosts, or a host and itself. */
export class SimulatedLink {
  conditions: LinkConditions;
  readonly #random: SeededRandom | undefined;
  readonly #cuts = new Set<string>();
  #waiting: (() => void)[] = [];

  constructor(conditions: LinkConditions, random: SeededRandom | undefined) {
    this.conditions = conditions;
    this.#random = random;
  }

  get isCut(): boolean {
    return this.#cuts.size > 0;
  }

  /** @param why several reasons may hold at once: a partition, a machine without power */
  cut(why: string): void {
    this.#cuts.add(why);
  }

  heal(why: string): void {
    this.#cuts.delete(why);
    if (this.isCut) return;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Calls `go` when no reason is left. */
  whenHealed(go: () => void): void {
    this.#waiting.push(go);
  }

  segmentDelayMs(bytes: number): number {
    const againMs = this.#happens(this.conditions.lossRate) ? RETRANSMIT_MS : 0;
    return this.#latencyMs() + againMs + bytes / this.conditions.bytesPerMs;
  }

  /** The delays after which a datagram arrives: none when it is lost, two when it arrives twice. */
  datagramDelaysMs(bytes: number): number[] {
    if (this.isCut || this.#happens(this.conditions.lossRate)) return [];
    const count = this.#happens(this.conditions.duplicateRate) ? 2 : 1;
    return Array.from({ length: count }, () => this.#latencyMs() + bytes / this.conditions.bytesPerMs);
  }

  /** How much of `bytes` travels in the next segment. */
  segmentBytes(bytes: number): number {
    const { maxSegmentBytes } = this.conditions;
    if (maxSegmentBytes === Number.POSITIVE_INFINITY || this.#random === undefined) return bytes;
    // Half of the pieces are as large as they may be: only small ones would take for ever.
    if (this.#random.chance(0.5)) return Math.min(bytes, maxSegmentBytes);
    return Math.min(bytes, 1 + this.#random.below(maxSegmentBytes));
  }

  /** Whether what has arrived in pieces is read as one. */
  joins(): boolean {
    return this.#random?.chance(0.5) ?? false;
  }

  #latencyMs(): number {
    const [least, most] = this.conditions.latencyMs;
    if (this.#random === undefined || most <= least) return least;
    // Microseconds, so that few things happen at the very same instant.
    return least + this.#random.below(Math.ceil((most - least) * 1_000)) / 1_000;
  }

  #happens(rate: number): boolean {
    return rate > 0 && this.#random?.chance(rate) === true;
  }
}
