import { performance } from 'node:perf_hooks';
import type { Clock } from './clock.ts';

/** setTimeout takes a signed 32-bit count of milliseconds; longer delays are taken in steps. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's own clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),

  schedule(delayMs, fire) {
    let handle: NodeJS.Timeout;
    const arm = (remainingMs: number): void => {
      const stepMs = Math.min(remainingMs, MAX_TIMEOUT_MS);
      handle = setTimeout(() => (remainingMs > stepMs ? arm(remainingMs - stepMs) : fire()), stepMs);
      handle.unref();
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  },

  sleep(delayMs, signal) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted) {
      reject(signal.reason);
      return promise;
    }
    // Somebody awaits this promise, so unlike `schedule` it keeps the process alive.
    const handle = setTimeout(done, Math.min(delayMs, MAX_TIMEOUT_MS));
    function done(): void {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }
    function aborted(): void {
      clearTimeout(handle);
      reject(signal?.reason);
    }
    signal?.addEventListener('abort', aborted, { once: true });
    return promise;
  },
};
