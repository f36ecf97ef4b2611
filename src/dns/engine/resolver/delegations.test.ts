import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Name, nameFromText, ROOT } from '../../wire/name.ts';
import { type Delegation, Delegations } from './delegations.ts';

const zone = (text: string, address = '192.0.2.1'): Delegation => ({
  zone: nameFromText(text) as Name,
  nameServers: [],
  servers: [{ address, port: 53 }],
  recursionDesired: false,
});

test('the deepest zone counts, until its end', () => {
  const delegations = new Delegations(10);
  delegations.put(zone('.'), 100, 0);
  delegations.put(zone('test.'), 10, 0);
  const closest = (nowMs: number): Name | undefined =>
    delegations.closest(nameFromText('a.TEST.'), nowMs)?.zone;
  assert.equal(closest(9_999), nameFromText('test.'));
  assert.equal(closest(10_000), ROOT);
  assert.equal(closest(100_000), undefined);
  assert.equal(delegations.closest(nameFromText('contest.'), 0)?.zone, ROOT);
});

test('hearing it again does not make it last longer, and may make it shorter', () => {
  const delegations = new Delegations(10);
  delegations.put(zone('test.', '192.0.2.1'), 10, 0);
  delegations.put(zone('test.', '192.0.2.2'), 100, 5_000);
  assert.equal(delegations.closest(nameFromText('test.'), 9_999)?.servers[0]?.address, '192.0.2.2');
  assert.equal(delegations.closest(nameFromText('test.'), 10_000), undefined);
  delegations.put(zone('test.'), 100, 20_000);
  delegations.put(zone('test.'), 1, 20_000);
  assert.equal(delegations.closest(nameFromText('test.'), 21_000), undefined);
});

test('the least recently used goes first', () => {
  const delegations = new Delegations(2);
  delegations.put(zone('a.'), 10, 0);
  delegations.put(zone('b.'), 10, 0);
  delegations.closest(nameFromText('a.'), 1);
  delegations.put(zone('c.'), 10, 0);
  assert.notEqual(delegations.closest(nameFromText('a.'), 1), undefined);
  assert.equal(delegations.closest(nameFromText('b.'), 1), undefined);
});
