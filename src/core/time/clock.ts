/**
 * Time as an argument. Nothing outside this folder reads the machine's clock or sets a timer: services take
 * a `Clock`, pure code takes plain numbers. So a test moves time instead of waiting for it.
 */

export interface Timer {
  /** Stops the timer; a second call, or one after it fired, does nothing. */
  cancel(): void;
}

export interface Clock {
  /** Wall-clock time, whole milliseconds since 1970-01-01T00:00:00Z. May jump when the machine's clock is set. */
  now(): number;
  /** Milliseconds since an arbitrary start, fractional; never goes back. For deadlines and durations. */
  monotonic(): number;
  /** Calls `fire` once, `delayMs` from now. The timer does not keep the process alive. */
  schedule(delayMs: number, fire: () => void): Timer;
  /**
   * Resolves after `delayMs`.
   * @throws the signal's reason when `signal` aborts first
   */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}
