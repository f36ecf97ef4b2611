/**
 * The newest events of one topic, shared by all streams that tell of it.
 *
 *          first                             next
 *            │                                │
 *   ┄ gone ┄ ▼ [ 41 ][ 42 ][ 43 ][ 44 ][ 45 ] ▼
 *                      ▲           ▲          ▲
 *                slow stream   stream     two streams that wait
 *
 * A stream is a position and holds no event itself, so a thousand of them cost no more memory than one. One that
 * resumes starts further left; one that reads too slowly finds that its next event has been pushed out, and ends:
 * the client comes back with Last-Event-ID, or learns that it missed something.
 *
 * Ids are `<epoch>.<number>`: a number alone would mean another event after the process was started anew.
 */
import { assert } from '../../core/assert.ts';
import { DEFAULT_EVENT_LIMITS, type EventLimits } from '../limits.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { decimal, isToken } from '../wire/grammar.ts';
import { formatEvent, type ServerEvent } from './event-format.ts';

export interface EventHubOptions {
  /** A token, another one each time that the events begin anew: a UUID, or the journal's incarnation. */
  readonly epoch: string;
  readonly limits?: Partial<EventLimits>;
}

/** An event as held: what it is, for a stream to choose by, and its bytes, made once for all streams. */
export interface HeldEvent {
  readonly event: ServerEvent;
  readonly bytes: Buffer;
}

/** What stands at a position: an event, nothing yet, or what is gone because the reader was too slow. */
export type AtPosition =
  | { readonly kind: 'held'; readonly held: HeldEvent }
  | { readonly kind: 'wait' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'closed' };

const WAIT = { kind: 'wait' } as const;
const GONE = { kind: 'gone' } as const;
const CLOSED = { kind: 'closed' } as const;

export class EventHub {
  readonly limits: EventLimits;
  readonly #epoch: string;
  /** The event numbered n stands at n modulo the length. */
  readonly #ring: (HeldEvent | undefined)[];
  #first = 1;
  #next = 1;
  #bytes = 0;
  #closed = false;
  #waiting = new Set<() => void>();
  #streams = 0;
  #dropped = 0;

  /** @throws AssertionFailed when the epoch is no token, or has a dot */
  constructor(options: EventHubOptions) {
    assert(
      isToken(options.epoch) && !options.epoch.includes('.'),
      'the epoch of a hub is a token without dots',
    );
    this.limits = { ...DEFAULT_EVENT_LIMITS, ...options.limits };
    assert(this.limits.eventBytes <= this.limits.replayBytes, 'a hub holds at least one event of any size');
    this.#epoch = options.epoch;
    this.#ring = new Array(this.limits.replayEvents).fill(undefined);
  }

  /** Bytes of the events held. */
  get heldBytes(): number {
    return this.#bytes;
  }

  get heldEvents(): number {
    return this.#next - this.#first;
  }

  /** Streams open now. */
  get streams(): number {
    return this.#streams;
  }

  /** Streams that have sent all there is and wait for the next event. */
  get waitingStreams(): number {
    return this.#waiting.size;
  }

  /** Streams that were ended because they read too slowly. */
  get droppedStreams(): number {
    return this.#dropped;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** The position behind the newest event. */
  get end(): number {
    return this.#next;
  }

  /** The position of the first of the `count` newest events, or of as many as are held. */
  beginningOfNewest(count: number): number {
    return Math.max(this.#first, this.#next - count);
  }

  /**
   * Tells every stream, and keeps the event for those that come back.
   * @returns its id
   * @throws UnsendableError when it cannot be written as an event, or is longer than `eventBytes`
   */
  publish(event: Omit<ServerEvent, 'id'>): string {
    assert(!this.#closed, 'a closed hub publishes nothing');
    const id = `${this.#epoch}.${this.#next}`;
    const named = { ...event, id };
    const bytes = Buffer.from(formatEvent(named), 'utf8');
    if (bytes.length > this.limits.eventBytes)
      throw new UnsendableError(`an event is longer than ${this.limits.eventBytes} bytes`);
    this.#makeRoom(bytes.length);
    this.#ring[this.#next % this.#ring.length] = { event: named, bytes };
    this.#bytes += bytes.length;
    this.#next++;
    this.#wakeAll();
    return id;
  }

  #makeRoom(bytes: number): void {
    while (this.heldEvents === this.#ring.length || this.#bytes + bytes > this.limits.replayBytes) {
      const slot = this.#first % this.#ring.length;
      this.#bytes -= this.#ring[slot]?.bytes.length ?? 0;
      this.#ring[slot] = undefined;
      this.#first++;
    }
  }

  /** Ends every stream once it has sent what is held. Nothing is published afterwards. */
  close(): void {
    this.#closed = true;
    this.#wakeAll();
  }

  /** The position behind the event with this id; undefined when it is not of this epoch or no longer held. */
  positionAfter(id: string): number | undefined {
    const dot = id.lastIndexOf('.');
    if (dot < 0 || id.slice(0, dot) !== this.#epoch) return undefined;
    const position = decimal(id.slice(dot + 1)) + 1;
    // The event itself may be gone, as long as the one behind it is there.
    return position >= this.#first && position <= this.#next && position > 1 ? position : undefined;
  }

  at(position: number): AtPosition {
    if (position < this.#first) return GONE;
    const held = position < this.#next ? this.#ring[position % this.#ring.length] : undefined;
    if (held !== undefined) return { kind: 'held', held };
    return this.#closed ? CLOSED : WAIT;
  }

  /** Calls `wake` once, at the next event or when the hub closes. @returns a function that withdraws it */
  whenNext(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => void this.#waiting.delete(wake);
  }

  /** @returns false when there are as many streams as there may be */
  enter(): boolean {
    if (this.#streams >= this.limits.streams) return false;
    this.#streams++;
    return true;
  }

  leave(reason: 'done' | 'too-slow'): void {
    this.#streams--;
    if (reason === 'too-slow') this.#dropped++;
  }

  #wakeAll(): void {
    const waiting = this.#waiting;
    if (waiting.size === 0) return;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }
}
