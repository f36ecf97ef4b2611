import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { ExchangeDeadlines } from './deadlines.ts';

const made = () =>
  new ExchangeDeadlines({ writeStallTimeoutMs: 30, responseIdleTimeoutMs: 120, discardTimeoutMs: 40 });

suite('what a client waits for', () => {
  test('is nothing before it has begun, then the head, then content', () => {
    const deadlines = made();
    assert.equal(deadlines.next(), undefined);
    deadlines.begin(50, 100);
    assert.deepEqual(deadlines.next(), { waitingFor: 'head', atMs: 150 });
    deadlines.received(140);
    assert.deepEqual(deadlines.next(), { waitingFor: 'head', atMs: 150 }, 'a part of a head buys no time');
    deadlines.sent(140);
    assert.deepEqual(deadlines.next(), { waitingFor: 'head', atMs: 190 });
    deadlines.answered(180);
    assert.deepEqual(deadlines.next(), { waitingFor: 'body', atMs: 300 });
    deadlines.received(200);
    assert.deepEqual(deadlines.next(), { waitingFor: 'body', atMs: 320 });
    deadlines.idleUntil(500);
    assert.deepEqual(deadlines.next(), { waitingFor: 'idle', atMs: 500 });
  });

  test('is that the server takes what was written, while it does not', () => {
    const deadlines = made();
    deadlines.begin(10, 100);
    deadlines.setBlocked(true, 100);
    assert.deepEqual(
      deadlines.next(),
      { waitingFor: 'send', atMs: 130 },
      'a stuck request has no late answer',
    );
    deadlines.setBlocked(false, 120);
    assert.deepEqual(deadlines.next(), { waitingFor: 'head', atMs: 110 });
    deadlines.answered(120);
    deadlines.setBlocked(true, 230);
    assert.deepEqual(deadlines.next(), { waitingFor: 'body', atMs: 240 }, 'whichever comes first');
  });

  test('is no content while nobody reads', () => {
    const deadlines = made();
    deadlines.begin(10, 100);
    deadlines.answered(100);
    deadlines.setReading(false, 110);
    deadlines.setReading(false, 150);
    assert.equal(deadlines.next(), undefined);
    deadlines.setReading(true, 1_110);
    assert.deepEqual(deadlines.next(), { waitingFor: 'body', atMs: 1_220 });
  });

  test('is the end of what nobody reads, and pieces of it buy no time', () => {
    const deadlines = made();
    deadlines.begin(10, 100);
    deadlines.answered(100);
    deadlines.discarded(150);
    assert.deepEqual(deadlines.next(), { waitingFor: 'idle', atMs: 190 });
    deadlines.received(180);
    assert.deepEqual(deadlines.next(), { waitingFor: 'idle', atMs: 190 });
    deadlines.idleUntil(500);
    deadlines.discarded(200);
    assert.deepEqual(deadlines.next(), { waitingFor: 'idle', atMs: 500 }, 'there is nothing to discard');
  });
});
