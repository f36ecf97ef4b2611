import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ABSENT, Ledger } from './ledger.ts';

test('what was acknowledged and is there is no violation', () => {
  const ledger = new Ledger('row');
  ledger.ask('a', '1')();
  assert.deepEqual(ledger.settle(new Map([['a', '1']])), []);
  assert.equal(ledger.acknowledged, 1);
});

test('what was acknowledged and is gone is lost', () => {
  const ledger = new Ledger('row');
  ledger.ask('a', '1')();
  assert.match(ledger.settle(new Map())[0] ?? '', /^LOST: row a /);
});

test('what was asked for and never acknowledged may be there or not', () => {
  for (const found of [new Map<string, string>(), new Map([['a', '1']])]) {
    const ledger = new Ledger('row');
    ledger.ask('a', '1');
    assert.deepEqual(ledger.settle(found), []);
    assert.deepEqual(ledger.settle(found), [], 'and is certain from then on');
    assert.equal(ledger.settle(found.size === 0 ? new Map([['a', '1']]) : new Map()).length, 1);
  }
});

test('an older state than the acknowledged one is a violation, as is a state nobody wrote', () => {
  for (const state of ['1', 'torn']) {
    const ledger = new Ledger('row');
    ledger.ask('a', '1')();
    ledger.ask('a', '2')();
    assert.equal(ledger.settle(new Map([['a', state]])).length, 1);
  }
});

test('what was deleted does not come back', () => {
  const ledger = new Ledger('row');
  ledger.ask('a', '1')();
  ledger.ask('a', ABSENT)();
  assert.equal(ledger.settle(new Map([['a', '1']])).length, 1);
});

test('what was never written is a violation', () => {
  assert.equal(new Ledger('row').settle(new Map([['a', '1']])).length, 1);
});

test('an acknowledgement settles what was asked before it', () => {
  const ledger = new Ledger('row');
  ledger.ask('a', '1');
  ledger.ask('a', '2')();
  ledger.ask('a', '3');
  assert.deepEqual([ledger.sureCount, ledger.possibleCount], [1, 1]);
  assert.deepEqual(ledger.settle(new Map([['a', '3']])), []);
  assert.deepEqual(ledger.sureKeys(), ['a']);
});

test('what is acknowledged between a freeze and a thaw does not count, nor later what was asked before', () => {
  const ledger = new Ledger('row');
  const before = ledger.ask('a', '1');
  ledger.freeze();
  before();
  ledger.ask('b', '1')();
  ledger.thaw();
  before();
  assert.equal(ledger.acknowledged, 0);
  assert.deepEqual(ledger.settle(new Map()), []);
  ledger.ask('c', '1')();
  assert.equal(ledger.settle(new Map()).length, 1);
});

test('what was asked for between a freeze and a thaw does not count when its answer comes after the thaw', () => {
  const ledger = new Ledger('mail');
  ledger.freeze();
  const late = ledger.ask('a', '1');
  ledger.thaw();
  late();
  assert.equal(ledger.acknowledged, 0);
  assert.deepEqual(ledger.settle(new Map()), []);
});
