import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LockOwner, LockTable } from './locks.ts';

function owner(id: number): LockOwner {
  return { id, processId: id, session: { id } };
}

test('leaving the line after the lock was granted and released takes it from nobody', () => {
  const locks = new LockTable();
  const [first, second, third, fourth] = [owner(1), owner(2), owner(3), owner(4)];
  locks.acquire(first, 'row', 'update');
  let isGranted = false;
  const leave = locks.wait(second, 'row', 'update', () => {
    isGranted = true;
  });
  locks.releaseAll(first);
  assert.equal(isGranted, true);
  locks.releaseAll(second);
  locks.acquire(third, 'row', 'update');
  // A session that ends leaves the line it stood in last, however long ago that was.
  leave();
  assert.equal(locks.isHeld(third, 'row', 'update'), true);
  assert.equal(locks.tryAcquire(fourth, 'row', 'update'), false);
});

test('who leaves the line lets those behind pass', () => {
  const locks = new LockTable();
  const [first, second, third] = [owner(1), owner(2), owner(3)];
  locks.acquire(first, 'row', 'row share lock');
  const leave = locks.wait(second, 'row', 'update', () => assert.fail('left before it was granted'));
  let isGranted = false;
  locks.wait(third, 'row', 'row share lock', () => {
    isGranted = true;
  });
  assert.equal(isGranted, false);
  leave();
  assert.equal(isGranted, true);
});
