/**
 * A clock that stands still until it is told to move. Timers due at the same instant fire in the order in
 * which they were set, so that a run repeats exactly.
 *
 * The timers lie in a binary heap: of entry n, entries 2n + 1 and 2n + 2 fire no earlier. A cancelled one stays
 * until it is met or until such are the majority, because services cancel nearly every timer they set.
 */
import type { Clock, Timer } from './clock.ts';
import { sleepOn } from './sleep.ts';
import { turn } from './turn.ts';

interface Entry {
  readonly dueMs: number;
  readonly order: number;
  /** Undefined when cancelled. */
  fire: (() => void) | undefined;
}

/** Fewer entries than these are not worth cleaning up. */
const CLEAN_ABOVE = 64;

export class SimulatedClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  #heap: Entry[] = [];
  #cancelled = 0;

  /** @param startMs wall-clock time at the start, milliseconds since 1970 */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + Math.floor(this.#elapsedMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  /** How many timers wait. */
  get pendingCount(): number {
    return this.#heap.length - this.#cancelled;
  }

  schedule(delayMs: number, fire: () => void): Timer {
    const entry: Entry = { dueMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, fire };
    this.#heap.push(entry);
    rise(this.#heap, this.#heap.length - 1);
    return { cancel: () => this.#cancel(entry) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  /** Time that passes while somebody computes: what falls due meanwhile fires late. */
  spend(ms: number): void {
    this.#elapsedMs += ms;
  }

  /**
   * Moves to the next timer and fires it, in this turn of the event loop.
   * @returns false when none waits, or none until `untilMs` of the monotonic time
   */
  fireNext(untilMs = Number.POSITIVE_INFINITY): boolean {
    const next = this.#first();
    if (next === undefined || next.dueMs > untilMs) return false;
    takeFirst(this.#heap);
    this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
    const { fire } = next;
    next.fire = undefined;
    fire?.();
    return true;
  }

  /**
   * Moves time forward, firing every timer on the way in order; each gets a turn of the event loop, so
   * that what it resolved may set further timers within the same span.
   */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#elapsedMs + byMs;
    while (this.fireNext(untilMs)) await turn();
    this.#elapsedMs = Math.max(this.#elapsedMs, untilMs);
  }

  /** Moves to the next timer, if there is one. @returns false when none waits */
  async advanceToNext(): Promise<boolean> {
    const next = this.#first();
    if (next === undefined) return false;
    await this.advance(next.dueMs - this.#elapsedMs);
    return true;
  }

  #first(): Entry | undefined {
    while (this.#heap[0] !== undefined && this.#heap[0].fire === undefined) {
      takeFirst(this.#heap);
      this.#cancelled -= 1;
    }
    return this.#heap[0];
  }

  #cancel(entry: Entry): void {
    if (entry.fire === undefined) return;
    entry.fire = undefined;
    this.#cancelled += 1;
    if (this.#heap.length < CLEAN_ABOVE || this.#cancelled * 2 < this.#heap.length) return;
    // An array in ascending order is a heap.
    this.#heap = this.#heap.filter(({ fire }) => fire !== undefined).sort(compare);
    this.#cancelled = 0;
  }
}

function compare(left: Entry, right: Entry): number {
  return left.dueMs - right.dueMs || left.order - right.order;
}

function rise(heap: Entry[], from: number): void {
  const entry = heap[from] as Entry;
  let index = from;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (compare(heap[parent] as Entry, entry) <= 0) break;
    heap[index] = heap[parent] as Entry;
    index = parent;
  }
  heap[index] = entry;
}

function takeFirst(heap: Entry[]): void {
  const entry = heap.pop();
  if (entry === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && compare(heap[child + 1] as Entry, heap[child] as Entry) < 0) child += 1;
    if (compare(entry, heap[child] as Entry) <= 0) break;
    heap[index] = heap[child] as Entry;
    index = child;
  }
  heap[index] = entry;
}
