import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './clock.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { systemClock } from './system-clock.ts';

/** One suite for both clocks; `pass` lets at least so many milliseconds go by. */
const subjects: { name: string; make: () => { clock: Clock; pass: (ms: number) => Promise<void> } }[] = [
  { name: 'system', make: () => ({ clock: systemClock, pass: (ms) => systemClock.sleep(ms) }) },
  {
    name: 'simulated',
    make: () => {
      const clock = new SimulatedClock();
      return { clock, pass: (ms) => clock.advance(ms) };
    },
  },
];

for (const { name, make } of subjects) {
  test(`${name} clock: timers fire in the order of their times, a cancelled one never`, async () => {
    const { clock, pass } = make();
    const fired: string[] = [];
    const all = new Promise<void>((resolve) => {
      clock.schedule(20, () => {
        fired.push('late');
        resolve();
      });
    });
    clock.schedule(1, () => fired.push('early'));
    clock.schedule(5, () => fired.push('cancelled')).cancel();
    await pass(40);
    await all;
    assert.deepEqual(fired, ['early', 'late']);
  });

  test(`${name} clock: monotonic time moves by at least what was waited`, async () => {
    const { clock, pass } = make();
    const before = clock.monotonic();
    await pass(5);
    // The system's timers are truncated to whole milliseconds.
    assert.ok(clock.monotonic() - before >= 4);
  });

  test(`${name} clock: the wall clock counts whole milliseconds`, async () => {
    const { clock, pass } = make();
    await pass(1.5);
    assert.equal(Number.isInteger(clock.now()), true);
  });

  test(`${name} clock: an aborted sleep rejects with the reason`, async () => {
    const { clock } = make();
    const controller = new AbortController();
    const sleeping = clock.sleep(60_000, controller.signal);
    controller.abort(new Error('enough'));
    await assert.rejects(sleeping, /enough/);
    await assert.rejects(clock.sleep(60_000, controller.signal), /enough/);
  });
}

test('simulated clock: a timer set by a timer fires within the same advance', async () => {
  const clock = new SimulatedClock(0);
  const times: number[] = [];
  clock.schedule(10, () => clock.schedule(10, () => times.push(clock.now())));
  await clock.advance(25);
  assert.deepEqual(times, [20]);
  assert.equal(clock.now(), 25);
  assert.equal(await clock.advanceToNext(), false);
});

test('simulated clock: thousands of timers, most of them cancelled, fire in order', async () => {
  const clock = new SimulatedClock(0);
  const fired: number[] = [];
  for (let number = 0; number < 5_000; number += 1) {
    const dueMs = (number * 7_919) % 5_003;
    const timer = clock.schedule(dueMs, () => fired.push(dueMs));
    if (number % 10 !== 0) timer.cancel();
  }
  assert.equal(clock.pendingCount, 500);
  while (clock.fireNext());
  assert.equal(fired.length, 500);
  assert.deepEqual(
    fired,
    [...fired].sort((left, right) => left - right),
  );
});
