import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../core/random/seeded-random.ts';
import { DEFAULT_DNS_LIMITS } from '../../limits.ts';
import { ServerMemory } from './servers.ts';

const at = (last: number): { address: string; port: number } => ({ address: `192.0.2.${last}`, port: 53 });
const memory = (): ServerMemory => new ServerMemory(DEFAULT_DNS_LIMITS, new SeededRandom(7));

test('fast servers before slow ones, silent ones last, unknown ones are tried', () => {
  const servers = memory();
  servers.answered(at(1), 300, 0);
  servers.answered(at(2), 50, 0);
  servers.silent(at(3), 0);
  const order = servers.order([at(1), at(3), at(2), at(4)], 0).map(({ address }) => address.slice(-1));
  assert.deepEqual(order, ['4', '2', '1', '3']);
});

test('equals share the load', () => {
  const servers = memory();
  const first = new Set(
    Array.from({ length: 50 }, () => servers.order([at(1), at(2), at(3)], 0)[0]?.address),
  );
  assert.equal(first.size, 3);
});

test('the wait grows with each silence, within bounds, and an answer ends that', () => {
  const servers = memory();
  const { initialTimeoutMs, maxTimeoutMs, minTimeoutMs } = DEFAULT_DNS_LIMITS;
  assert.equal(servers.timeoutMs(at(1), 0), initialTimeoutMs);
  servers.silent(at(1), 0);
  assert.equal(servers.timeoutMs(at(1), 0), initialTimeoutMs * 2);
  for (let count = 0; count < 20; count += 1) servers.silent(at(1), 0);
  assert.equal(servers.timeoutMs(at(1), 0), maxTimeoutMs);
  for (let count = 0; count < 50; count += 1) servers.answered(at(1), 1, 0);
  assert.equal(servers.timeoutMs(at(1), 0), minTimeoutMs);
});

test('what was learnt is forgotten after a quarter of an hour', () => {
  const servers = memory();
  servers.refusedEdns(at(1), 0);
  assert.equal(servers.takesEdns(at(1), 899_999), false);
  assert.equal(servers.takesEdns(at(1), 900_000), true);
});

test('memory is bounded', () => {
  const servers = new ServerMemory({ ...DEFAULT_DNS_LIMITS, maxServersRemembered: 2 }, new SeededRandom(7));
  for (const last of [1, 2, 3]) servers.refusedEdns(at(last), 0);
  assert.deepEqual(
    [1, 2, 3].map((last) => servers.takesEdns(at(last), 0)),
    [true, false, false],
  );
});
