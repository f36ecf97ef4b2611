/**
 * The machine's clock, with a way to skip ahead: deadlines of minutes come at once, and everything else goes on
 * as it does in production. Real sockets need a clock that runs; tests do not want to wait for it.
 */
import type { Clock, Timer } from '../../../src/core/time/clock.ts';
import { systemClock } from '../../../src/core/time/system-clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly run: () => void;
}

export class SkippingClock implements Clock {
  #skippedMs = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return systemClock.now() + this.#skippedMs;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#skippedMs;
  }

  schedule(delayMs: number, fire: () => void): Timer {
    const stop = (): void => {
      this.#pending.delete(entry);
      timer.cancel();
    };
    const run = (): void => {
      stop();
      fire();
    };
    const entry: Pending = { dueMs: this.monotonic() + delayMs, run };
    const timer = systemClock.schedule(delayMs, run);
    this.#pending.add(entry);
    return { cancel: stop };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const aborted = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = this.schedule(delayMs, () => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    });
    if (signal?.aborted) aborted();
    else signal?.addEventListener('abort', aborted, { once: true });
    return promise;
  }

  /** Moves time ahead at once and fires what has become due, in the order in which it was due. */
  skip(byMs: number): void {
    this.#skippedMs += byMs;
    const nowMs = this.monotonic();
    const due = [...this.#pending].filter((entry) => entry.dueMs <= nowMs);
    for (const entry of due.sort((a, b) => a.dueMs - b.dueMs)) {
      // An earlier one may have cancelled it.
      if (this.#pending.has(entry)) entry.run();
    }
  }
}
