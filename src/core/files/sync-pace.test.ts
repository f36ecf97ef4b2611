import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAST_MS, FIRST_WINDOW, FORGIVEN_AFTER, LAST_WINDOW, SyncPace, TURN_AFTER_MS } from './sync-pace.ts';

const FAST = FAST_MS / 4;
const SLOW = FAST_MS * 2;
/** One of these is enough to end holding. */
const STALL = FAST_MS * 16;

function apart(pace: SyncPace, ...milliseconds: number[]): void {
  for (const took of milliseconds) {
    pace.begin();
    pace.end(took);
  }
}

function times(count: number, milliseconds: number): number[] {
  return Array.from({ length: count }, () => milliseconds);
}

function holding(): SyncPace {
  const pace = new SyncPace();
  apart(pace, ...times(FIRST_WINDOW, FAST));
  return pace;
}

/** @returns how many fast syncs apart it takes until the next is to be waited for at once */
function patience(pace: SyncPace): number {
  for (let count = 1; count <= 2 * LAST_WINDOW; count++) {
    apart(pace, FAST);
    if (pace.atOnce) return count;
  }
  return Number.POSITIVE_INFINITY;
}

test('a new process goes apart until it has seen a window of fast syncs', () => {
  const pace = new SyncPace();
  assert.equal(pace.atOnce, false);
  assert.equal(patience(pace), FIRST_WINDOW);
});

test('half of a window may be slow, as the time apart has in it what else the process does', () => {
  const pace = new SyncPace();
  apart(pace, ...times(FIRST_WINDOW / 2, SLOW), ...times(FIRST_WINDOW / 2, FAST));
  assert.equal(pace.atOnce, true);
});

test('on a slow disk nothing is ever waited for at once', () => {
  const pace = new SyncPace();
  for (let count = 0; count < 10 * LAST_WINDOW; count++) {
    apart(pace, count % 4 === 0 ? FAST : SLOW);
    assert.equal(pace.atOnce, false);
  }
});

test('holding goes on while the disk is fast, also over one that is a little slow', () => {
  const pace = holding();
  for (const took of [...times(100, FAST), SLOW, ...times(100, FAST)]) pace.held(took);
  assert.equal(pace.atOnce, true);
});

test('one stall ends holding, and so do several that are a little slow', () => {
  const stalled = holding();
  stalled.held(STALL);
  assert.equal(stalled.atOnce, false);
  const slowed = holding();
  for (const took of times(10, SLOW)) slowed.held(took);
  assert.equal(slowed.atOnce, false);
});

test('after each failure twice as many syncs are looked at, up to a bound; a long success forgives', () => {
  const pace = holding();
  const needed: number[] = [];
  for (let failure = 0; failure < 6; failure++) {
    pace.held(STALL);
    needed.push(patience(pace));
  }
  assert.deepEqual(needed, [32, 64, 128, 128, 128, 128]);
  assert.equal(needed.at(-1), LAST_WINDOW);
  for (const took of times(FORGIVEN_AFTER, FAST)) pace.held(took);
  pace.held(STALL);
  assert.equal(patience(pace), FIRST_WINDOW);
});

test('while another sync is under way small ones go apart, and are not counted', () => {
  const pace = holding();
  pace.begin();
  assert.equal(pace.atOnce, false);
  apart(pace, ...times(LAST_WINDOW, STALL));
  pace.end();
  assert.equal(pace.atOnce, true);
});

test('syncs of much are not counted', () => {
  const pace = new SyncPace();
  for (let count = 0; count < FIRST_WINDOW; count++) {
    pace.begin();
    pace.end();
  }
  assert.equal(patience(pace), FIRST_WINDOW);
});

test('the event loop gets a turn when the holds add up', () => {
  const pace = holding();
  const turns = times(100, FAST).map((took) => pace.held(took));
  assert.equal(turns.filter(Boolean).length, Math.floor((100 * FAST) / TURN_AFTER_MS));
  assert.equal(turns[0], false);
});
