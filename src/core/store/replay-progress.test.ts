import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { type RecoveryProgress, ReplayProgress } from './replay-progress.ts';

test('progress counts what is applied, in bytes of the part that is replayed', async () => {
  const clock = new SimulatedClock();
  const told: RecoveryProgress[] = [];
  // Positions 1 to 100 take 1,000 bytes; those after 60 are replayed.
  const progress = new ReplayProgress({ first: 1, last: 100, storedBytes: 1_000 }, 60, clock, (it) =>
    told.push(it),
  );
  progress.begin(80, 10);
  progress.add(5);
  await clock.advance(100);
  progress.add(1);
  progress.add(1);
  progress.end(80);
  await clock.advance(100);
  progress.begin(100, 0);
  progress.add(0);
  progress.end(100);
  assert.deepEqual(
    told.map(({ doneBytes }) => doneBytes),
    [0, 120, 200, 400],
  );
  for (const { totalBytes } of told) assert.equal(totalBytes, 400);
});

test('nobody is told of a replay of nothing', () => {
  const stored = { first: 1, last: 7, storedBytes: 100 };
  new ReplayProgress(stored, 7, new SimulatedClock(), () => assert.fail('told')).end(7);
});

test('a journal that begins after the root is told of as a whole', () => {
  const told: RecoveryProgress[] = [];
  new ReplayProgress({ first: 5, last: 7, storedBytes: 100 }, 2, new SimulatedClock(), (it) => told.push(it));
  assert.deepEqual(told, [{ doneBytes: 0, totalBytes: 100 }]);
});
