import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunkings } from '../../core/testing/chunkings.ts';
import { frame } from '../wire/framing.ts';
import { StreamSession } from './stream.ts';

const LIMITS = { maxPipelined: 3, messageTimeoutMs: 100, maxGatheredBytes: 1_000 };
const QUESTIONS = [Buffer.from('one'), Buffer.from('two'), Buffer.from('three')];

test('questions come out whole and answers leave as one piece', () => {
  for (const chunks of chunkings(frame(QUESTIONS))) {
    const session = new StreamSession({ ...LIMITS, maxPipelined: 9 });
    const asked: string[] = [];
    for (const chunk of chunks) {
      session.received(chunk);
      for (let next = session.next(); next !== undefined; next = session.next()) {
        asked.push(next.toString());
        session.answered(Buffer.from(next));
      }
    }
    assert.deepEqual(asked, ['one', 'two', 'three']);
    assert.deepEqual(session.takeOutput(), frame(QUESTIONS));
    assert.equal(session.takeOutput(), undefined);
    assert.equal(session.unanswered, 0);
  }
});

test('answers leave in the order they are given; a question without one leaves nothing', () => {
  const session = new StreamSession(LIMITS);
  session.received(frame(QUESTIONS));
  for (let at = 0; at < 3; at += 1) session.next();
  session.answered(Buffer.from('3'));
  session.answered(undefined);
  session.answered(Buffer.from('1'));
  assert.deepEqual(session.takeOutput(), frame([Buffer.from('3'), Buffer.from('1')]));
});

test('no more questions are taken than may be answered at once', () => {
  const session = new StreamSession({ ...LIMITS, maxPipelined: 2 });
  session.received(frame(QUESTIONS));
  assert.equal(session.next()?.toString(), 'one');
  assert.equal(session.next()?.toString(), 'two');
  assert.equal(session.saturated, true);
  assert.equal(session.next(), undefined);
  assert.equal(session.deadlineMs(0), undefined, 'it is we who are slow');
  session.answered(undefined);
  assert.equal(session.next()?.toString(), 'three');
});

test('an unfinished message has a deadline that further octets do not move', () => {
  const session = new StreamSession(LIMITS);
  assert.equal(session.deadlineMs(10), undefined);
  session.received(Buffer.from([0]));
  assert.equal(session.deadlineMs(20), 120);
  session.received(Buffer.from([5]));
  assert.equal(session.deadlineMs(60), 120);
  session.received(Buffer.from('whole'));
  assert.equal(session.next()?.toString(), 'whole');
  assert.equal(session.deadlineMs(130), undefined);
});

test('enough answers are written before more questions are taken', () => {
  const session = new StreamSession({ ...LIMITS, maxGatheredBytes: 10 });
  session.received(frame(QUESTIONS));
  session.next();
  session.answered(Buffer.alloc(10));
  assert.equal(session.next(), undefined);
  assert.equal(session.takeOutput()?.length, 12);
  assert.equal(session.next()?.toString(), 'two');
});
