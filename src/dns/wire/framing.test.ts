import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReceiveBuffer } from '../../core/bytes/receive-buffer.ts';
import { chunkings } from '../../core/testing/chunkings.ts';
import { frame, takeFrame } from './framing.ts';

const MESSAGES = [Buffer.from('first'), Buffer.alloc(0), Buffer.alloc(300, 7), Buffer.from('last')];

function take(stream: ReceiveBuffer): Buffer[] {
  const taken: Buffer[] = [];
  for (let next = takeFrame(stream); next !== undefined; next = takeFrame(stream))
    taken.push(Buffer.from(next));
  return taken;
}

test('frames come out as they went in, however they are cut', () => {
  for (const chunks of chunkings(frame(MESSAGES))) {
    const stream = new ReceiveBuffer();
    const taken: Buffer[] = [];
    for (const chunk of chunks) {
      stream.append(chunk);
      taken.push(...take(stream));
    }
    assert.deepEqual(taken, MESSAGES);
    assert.equal(stream.length, 0);
  }
});

test('a frame that is not whole yet is left alone', () => {
  const stream = new ReceiveBuffer();
  stream.append(Buffer.concat([frame([Buffer.from('whole')]), Buffer.from([0, 9, 1])]));
  assert.deepEqual(take(stream), [Buffer.from('whole')]);
  assert.equal(stream.length, 3);
});
