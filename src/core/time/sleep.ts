import type { Clock } from './clock.ts';

/** `Clock.sleep` for a clock whose timers are its own affair. */
export function sleepOn(
  clock: Pick<Clock, 'schedule'>,
  delayMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal?.aborted) {
    reject(signal.reason);
    return promise;
  }
  const aborted = (): void => {
    timer.cancel();
    reject(signal?.reason);
  };
  const timer = clock.schedule(delayMs, () => {
    signal?.removeEventListener('abort', aborted);
    resolve();
  });
  signal?.addEventListener('abort', aborted, { once: true });
  return promise;
}
