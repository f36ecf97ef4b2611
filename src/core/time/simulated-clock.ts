/**
 * A clock that stands still until it is told to move. Timers due at the same instant fire in the order in
 * which they were set, so that a run repeats exactly.
 */
import type { Clock, Timer } from './clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly fire: () => void;
}

export class SimulatedClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  #pending: Pending[] = [];

  /** @param startMs wall-clock time at the start, milliseconds since 1970 */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  /** How many timers wait. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  schedule(delayMs: number, fire: () => void): Timer {
    const entry: Pending = { dueMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, fire };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== entry);
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted) {
      reject(signal.reason);
      return promise;
    }
    const aborted = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = this.schedule(delayMs, () => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    });
    signal?.addEventListener('abort', aborted, { once: true });
    return promise;
  }

  /**
   * Moves time forward, firing every timer on the way in order; each gets a turn of the microtask queue, so
   * that what it resolved may set further timers within the same span.
   */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#elapsedMs + byMs;
    for (let next = this.#earliest(untilMs); next !== undefined; next = this.#earliest(untilMs)) {
      this.#pending = this.#pending.filter((other) => other !== next);
      this.#elapsedMs = next.dueMs;
      next.fire();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#elapsedMs = untilMs;
  }

  /** Moves to the next timer, if there is one. @returns false when none waits */
  async advanceToNext(): Promise<boolean> {
    const next = this.#earliest(Number.POSITIVE_INFINITY);
    if (next === undefined) return false;
    await this.advance(next.dueMs - this.#elapsedMs);
    return true;
  }

  #earliest(untilMs: number): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.dueMs > untilMs) continue;
      if (!best || entry.dueMs < best.dueMs || (entry.dueMs === best.dueMs && entry.order < best.order)) {
        best = entry;
      }
    }
    return best;
  }
}
