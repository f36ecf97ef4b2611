import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareBytes } from './compare.ts';
import { ByteReader, ShortRead } from './reader.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { ByteWriter } from './writer.ts';

test('reader gets back what writer wrote', () => {
  const writer = new ByteWriter(1);
  writer
    .uint8(1)
    .uint16(0xfffe)
    .uint32(0xfffffffd)
    .int16(-2)
    .int32(-3)
    .uint64(2n ** 63n)
    .int64(-5n);
  writer.float32(0.5).float64(Math.PI).cString('né').latin1('é').utf8('é').bytes(Buffer.of(9, 8));
  const reader = new ByteReader(writer.view());
  assert.equal(reader.uint8(), 1);
  assert.equal(reader.uint16(), 0xfffe);
  assert.equal(reader.uint32(), 0xfffffffd);
  assert.equal(reader.int16(), -2);
  assert.equal(reader.int32(), -3);
  assert.equal(reader.uint64(), 2n ** 63n);
  assert.equal(reader.int64(), -5n);
  assert.equal(reader.float32(), 0.5);
  assert.equal(reader.float64(), Math.PI);
  assert.equal(reader.cString(), 'né');
  assert.equal(reader.latin1(1), 'é');
  assert.equal(reader.utf8(2), 'é');
  assert.deepEqual(reader.take(2), Buffer.of(9, 8));
  assert.equal(reader.remaining, 0);
  assert.throws(() => reader.uint8(), ShortRead);
});

test('reader refuses every length past its end, and negative ones', () => {
  const reader = new ByteReader(Buffer.from('abc'), 0, 2);
  assert.throws(() => reader.take(3), ShortRead);
  assert.throws(() => reader.take(-1), ShortRead);
  assert.throws(() => new ByteReader(Buffer.from('ab\0'), 0, 2).cString(), ShortRead);
  assert.equal(reader.position, 0);
});

test('writer patches, truncates and hands over', () => {
  const writer = new ByteWriter(2);
  const at = writer.reserve(4);
  writer.latin1('hello');
  writer.patchUint32(at, writer.length);
  writer.truncate(6);
  const taken = writer.take();
  writer.latin1('xxxxxxxx');
  assert.deepEqual(taken, Buffer.from([0, 0, 0, 9, 0x68, 0x65]));
});

test('receive buffer keeps every byte in order, however it is cut', () => {
  const chunks = fc.array(fc.record({ bytes: fc.uint8Array({ maxLength: 40 }), consume: fc.nat(60) }));
  fc.assert(
    fc.property(chunks, (steps) => {
      const buffer = new ReceiveBuffer();
      let expected = Buffer.alloc(0);
      for (const step of steps) {
        buffer.append(Buffer.from(step.bytes));
        expected = Buffer.concat([expected, step.bytes]);
        assert.deepEqual(Buffer.from(buffer.view()), expected);
        const consumed = Math.min(step.consume, buffer.length);
        buffer.consume(consumed);
        expected = expected.subarray(consumed);
        assert.equal(buffer.length, expected.length);
      }
    }),
  );
});

test('receive buffer: what was given out is never written over', () => {
  const steps = fc.array(fc.record({ size: fc.nat(40), consume: fc.nat(60) }));
  fc.assert(
    fc.property(steps, (all) => {
      const buffer = new ReceiveBuffer();
      const kept: { view: Buffer; copy: Buffer }[] = [];
      let next = 0;
      for (const { size, consume } of all) {
        buffer.append(Buffer.from(Array.from({ length: size }, () => next++ % 256)));
        kept.push({ view: buffer.view(), copy: Buffer.from(buffer.view()) });
        buffer.consume(Math.min(consume, buffer.length));
      }
      for (const { view, copy } of kept) assert.deepEqual(view, copy);
    }),
  );
});

test('receive buffer: consuming more than there is throws', () => {
  const buffer = new ReceiveBuffer();
  buffer.append(Buffer.from('ab'));
  assert.throws(() => buffer.consume(3), RangeError);
  buffer.clear();
  assert.equal(buffer.length, 0);
});

test('compareBytes orders like Buffer.compare', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, bytes, (left, right) => {
      assert.equal(compareBytes(left, right), Buffer.compare(left, right));
    }),
  );
});
