import assert from 'node:assert/strict';
import test from 'node:test';
import { idleTimeMs, parseKeepAlive } from './keep-alive.ts';

test('Keep-Alive tells a time and a count; what is no number tells nothing', () => {
  assert.deepEqual(parseKeepAlive('timeout=5, max=100'), { timeoutMs: 5_000, max: 100 });
  assert.deepEqual(parseKeepAlive('Timeout=5'), { timeoutMs: 5_000, max: undefined });
  for (const value of ['', 'timeout', 'timeout=', 'timeout=-1', 'timeout="5"', 'x=5', '5', 'timeout = 5'])
    assert.deepEqual(parseKeepAlive(value), { timeoutMs: undefined, max: undefined }, value);
});

test('an idle connection is given up before its server does', () => {
  assert.equal(idleTimeMs(undefined, 4_000, 1_000), 4_000);
  assert.equal(idleTimeMs(parseKeepAlive('timeout=75'), 4_000, 1_000), 4_000);
  assert.equal(idleTimeMs(parseKeepAlive('timeout=3'), 4_000, 1_000), 2_000);
  assert.equal(idleTimeMs(parseKeepAlive('timeout=1'), 4_000, 1_000), 500);
  assert.equal(idleTimeMs(parseKeepAlive('timeout=0'), 4_000, 1_000), 0);
  assert.equal(idleTimeMs(parseKeepAlive('max=0'), 4_000, 1_000), 0);
});
