/**
 * Tells when nothing has happened on a connection for too long. A read or a write only notes the time; the one
 * timer finds out how much of its span is left when it fires, because setting a timer for each would cost more
 * than the read.
 */
import type { Clock, Timer } from '../time/clock.ts';

export class IdleWatch {
  readonly #clock: Clock;
  readonly #limitMs: number;
  readonly #expire: () => void;
  #lastMs: number;
  #timer: Timer | undefined;

  /** @param limitMs 0 watches nothing */
  constructor(clock: Clock, limitMs: number, expire: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#expire = expire;
    this.#lastMs = clock.monotonic();
    if (limitMs > 0) this.#arm(limitMs);
  }

  touch(): void {
    if (this.#limitMs > 0) this.#lastMs = this.#clock.monotonic();
  }

  /** From `expire`: waits for another span. */
  again(): void {
    this.touch();
    this.#arm(this.#limitMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.schedule(delayMs, () => {
      const leftMs = this.#lastMs + this.#limitMs - this.#clock.monotonic();
      // A remainder that is lost in rounding must not be waited for again and again.
      if (leftMs > 0) this.#arm(Math.max(leftMs, 1));
      else this.#expire();
    });
  }
}
