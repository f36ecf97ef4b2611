import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReadyAnswer, ReadyAnswers } from './ready-answers.ts';

const answer = (text: string): ReadyAnswer => ({
  bytes: Buffer.from(`id${text}`),
  operation: 'A x',
  rcode: 'NOERROR',
  truncated: false,
});

test('the same question but for its id gets the same answer but for its id', () => {
  const ready = new ReadyAnswers(10_000);
  ready.keep(Buffer.from('..question'), 'udp', answer('answer'));
  assert.equal(ready.find(Buffer.from('42question'), 'udp')?.bytes.toString(), '42answer');
  assert.equal(ready.find(Buffer.from('43question'), 'udp')?.bytes.toString(), '43answer');
  assert.equal(ready.find(Buffer.from('42Question'), 'udp'), undefined);
  assert.equal(ready.find(Buffer.from('42question'), 'tcp'), undefined);
  ready.clear();
  assert.equal(ready.find(Buffer.from('42question'), 'udp'), undefined);
});

test('bounded: what is asked stays, what is not goes', () => {
  const ready = new ReadyAnswers(20_000);
  ready.keep(Buffer.from('..often'), '', answer('often'));
  ready.keep(Buffer.from('..once'), '', answer('once'));
  for (let at = 0; at < 500; at += 1) {
    ready.keep(Buffer.from(`..${at}`), '', answer('x'));
    assert.notEqual(ready.find(Buffer.from('..often'), ''), undefined);
  }
  assert.equal(ready.find(Buffer.from('..once'), ''), undefined);
});
