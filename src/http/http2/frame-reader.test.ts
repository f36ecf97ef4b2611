import assert from 'node:assert/strict';
import { test } from 'node:test';
import { data, frame, headers, reset, settings, windowUpdate } from '../testing/http2-frames.ts';
import { encodeGoaway, type Frame, FrameReader, PREFACE } from './frame-reader.ts';

const bytes = Buffer.concat([
  Buffer.from(PREFACE),
  settings([3, 100]),
  headers(1, Buffer.of(0x82)),
  data(1, 'hello'),
  data(1, '\x03a\0\0\0', 8),
  data(3, '', 1),
  reset(1, 0x01020304),
  windowUpdate(0, 70_000),
  frame(0xbb, 0xff, 0x7fff_ffff, 'unknown'),
]);

const expected: Frame[] = [
  { type: 4, flags: 0, streamId: 0, length: 6, value: 0 },
  { type: 1, flags: 5, streamId: 1, length: 1, value: 0 },
  { type: 0, flags: 0, streamId: 1, length: 5, value: 0 },
  { type: 0, flags: 8, streamId: 1, length: 5, value: 3 },
  { type: 0, flags: 1, streamId: 3, length: 0, value: 0 },
  { type: 3, flags: 0, streamId: 1, length: 4, value: 0x01020304 },
  { type: 8, flags: 0, streamId: 0, length: 4, value: 70_000 },
  { type: 0xbb, flags: 0xff, streamId: 0x7fff_ffff, length: 7, value: 0 },
];

function read(...parts: Uint8Array[]): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader((each) => frames.push(each), PREFACE.length);
  for (const part of parts) reader.read(part);
  assert.equal(reader.betweenFrames, true);
  return frames;
}

test('frames are told of, whole, byte by byte and split at every offset', () => {
  assert.deepEqual(read(bytes), expected);
  assert.deepEqual(read(...[...bytes].map((byte) => Buffer.of(byte))), expected);
  for (let at = 0; at <= bytes.length; at++) {
    assert.deepEqual(read(bytes.subarray(0, at), bytes.subarray(at)), expected);
  }
});

test('between frames is nowhere else', () => {
  const reader = new FrameReader(() => undefined);
  const one = data(1, 'abc');
  for (let at = 0; at < one.length; at++) {
    assert.equal(reader.betweenFrames, at === 0);
    reader.read(one.subarray(at, at + 1));
  }
  assert.equal(reader.betweenFrames, true);
});

test('a frame shorter than its kind is let pass, for node:http2 to refuse', () => {
  assert.deepEqual(read(Buffer.from(PREFACE), frame(3, 0, 1, 'xy')), [
    { type: 3, flags: 0, streamId: 1, length: 2, value: 0x7879 },
  ]);
});

test('GOAWAY', () => {
  assert.deepEqual([...encodeGoaway(5, 11)], [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 11]);
});
