/**
 * One direction of a simulated connection, as the two operating systems see it.
 *
 *   write ──▶ unsent ──▶ under way ──▶ arrived ──▶ handler.data
 *            (process)  └── window: taken from the sender, not read by the receiver ──┘
 *
 * What is under way arrives in order, however the delays fall, and is held while the link is cut. It arrives even
 * when the sender has ended meanwhile: the kernel sends it. What is unsent dies with its process.
 */
import type { Clock, Timer } from '../time/clock.ts';
import type { SimulatedLink } from './simulated-link.ts';

/** `open` tells the client that the server has accepted; `end` is the FIN. */
export type Segment = { readonly kind: 'open' | 'end' } | { readonly kind: 'data'; readonly bytes: Buffer };

export interface StreamEvents {
  arrived(segment: Segment): void;
  /** Everything written has been taken by the operating system. */
  flushed(): void;
  /** The link was cut for so long that TCP gave up sending. */
  gaveUp(): void;
}

/** Linux gives up after 15 retries, which its manual puts at 924.6 seconds (tcp(7), tcp_retries2). */
export const GIVE_UP_MS = 924_600;

export class SimulatedStream {
  readonly #link: SimulatedLink;
  readonly #clock: Clock;
  readonly #events: StreamEvents;
  #unsent: Buffer[] = [];
  #unsentBytes = 0;
  #underWay: { readonly segment: Segment; readonly dueMs: number }[] = [];
  /** Under way, or arrived and not read. */
  #windowBytes = 0;
  #lastDueMs = 0;
  #ending = false;
  #endSent = false;
  #isLost = false;
  /** Nothing passes any more, and nobody is told. */
  #isDead = false;
  #arrival: Timer | undefined;
  #giveUp: Timer | undefined;

  constructor(link: SimulatedLink, clock: Clock, events: StreamEvents) {
    this.#link = link;
    this.#clock = clock;
    this.#events = events;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  open(): void {
    this.#send({ kind: 'open' });
  }

  write(bytes: Buffer): void {
    if (this.#ending || this.#isDead || bytes.length === 0) return;
    this.#unsent.push(bytes);
    this.#unsentBytes += bytes.length;
    this.#pump();
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#pump();
    if (this.#unsentBytes === 0) this.#sendEnd();
  }

  /** The process is gone, or does not wait: what it had not sent is lost, what it had arrives, then the end. */
  abandon(): void {
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#ending = true;
    this.#sendEnd();
  }

  /** Whatever is sent from now on is lost on the way, and nobody is told. */
  lose(): void {
    this.#isLost = true;
  }

  /** Nothing arrives any more. */
  die(): void {
    this.#isDead = true;
    this.#unsent = [];
    this.#unsentBytes = 0;
    this.#underWay = [];
    this.#arrival?.cancel();
    this.#giveUp?.cancel();
  }

  /** The receiver has read so many bytes. */
  read(length: number): void {
    this.#windowBytes -= length;
    this.#pump();
  }

  /** Gives to the operating system what it takes. */
  #pump(): void {
    const hadUnsent = this.#unsentBytes > 0;
    while (this.#unsentBytes > 0 && !this.#isDead) {
      const room = this.#link.conditions.windowBytes - this.#windowBytes;
      if (room <= 0) return;
      const first = this.#unsent[0] as Buffer;
      const length = this.#link.segmentBytes(Math.min(first.length, room));
      this.#take(first, length);
      this.#send({ kind: 'data', bytes: first.subarray(0, length) });
    }
    if (!hadUnsent || this.#isDead) return;
    if (this.#ending) this.#sendEnd();
    this.#events.flushed();
  }

  #sendEnd(): void {
    if (this.#endSent) return;
    this.#endSent = true;
    this.#send({ kind: 'end' });
  }

  #take(first: Buffer, length: number): void {
    if (length === first.length) this.#unsent.shift();
    else this.#unsent[0] = first.subarray(length);
    this.#unsentBytes -= length;
    this.#windowBytes += length;
  }

  #send(segment: Segment): void {
    if (this.#isDead) return;
    const delayMs = this.#link.segmentDelayMs(segment.kind === 'data' ? segment.bytes.length : 0);
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#clock.monotonic() + delayMs);
    this.#underWay.push({ segment, dueMs: this.#lastDueMs });
    if (this.#underWay.length === 1) this.#awaitArrival();
  }

  #awaitArrival(): void {
    const next = this.#underWay[0];
    if (next === undefined) return;
    this.#arrival = afterDelay(this.#clock, next.dueMs - this.#clock.monotonic(), () => this.#arrive());
  }

  #arrive(): void {
    if (this.#isDead) return;
    if (this.#isLost || this.#link.isCut) return this.#hold();
    const next = this.#underWay.shift();
    this.#awaitArrival();
    if (next !== undefined) this.#events.arrived(next.segment);
  }

  #hold(): void {
    this.#giveUp ??= this.#clock.schedule(GIVE_UP_MS, () => {
      if (!this.#isDead) this.#events.gaveUp();
    });
    if (this.#isLost) return;
    this.#link.whenHealed(() => {
      if (this.#isDead) return;
      this.#giveUp?.cancel();
      this.#giveUp = undefined;
      const delayMs = this.#link.segmentDelayMs(0);
      this.#arrival = afterDelay(this.#clock, delayMs, () => this.#arrive());
    });
  }
}

/** A delay of 0 is the next turn of the event loop, even while the clock stands still. */
export function afterDelay(clock: Clock, delayMs: number, run: () => void): Timer {
  if (delayMs > 0) return clock.schedule(delayMs, run);
  const immediate = setImmediate(run);
  return { cancel: () => clearImmediate(immediate) };
}
