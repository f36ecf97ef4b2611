/** Moves a simulated clock for as long as a promise needs. */
import type { SimulatedClock } from '../../core/time/simulated-clock.ts';

/** Turns of the event loop in which something may happen without the clock. */
const TURNS = 12;

/**
 * What `promise` comes to, with time moved from timer to timer until then.
 * @throws what the promise throws; RangeError when it has not settled after `withinMs`, or can never settle
 */
export async function settle<Value>(
  clock: SimulatedClock,
  promise: Promise<Value>,
  withinMs = 3_600_000,
): Promise<Value> {
  const untilMs = clock.monotonic() + withinMs;
  let isSettled = false;
  const settled = promise.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  for (;;) {
    await turns();
    if (isSettled) break;
    if (!clock.fireNext(untilMs)) throw new RangeError(`nothing happened in ${withinMs} ms`);
  }
  await settled;
  return promise;
}

/** Lets everything happen that needs no time. */
export async function turns(count = TURNS): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets `byMs` pass, and between two timers everything that needs no time. */
export async function runOut(clock: SimulatedClock, byMs: number): Promise<void> {
  const untilMs = clock.monotonic() + byMs;
  do await turns();
  while (clock.fireNext(untilMs));
  await clock.advance(untilMs - clock.monotonic());
}
