import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { crc32 } from '../bytes/crc32.ts';
import {
  BATCH_HEADER_BYTES,
  chainOf,
  continuesChain,
  crcSeedOf,
  decodeBatch,
  encodeBatch,
  encodeBatchAt,
  FIRST_CHAIN,
  frameBytesOf,
  linkBatch,
  whyNotNext,
} from './batch.ts';
import { BEFORE_FIRST } from './genesis.ts';
import { MAX_BATCH_BYTES } from './limits.ts';
import type { BatchKind, StoredBatch } from './types.ts';

const SEED = crcSeedOf('00000000-0000-4000-8000-000000000000');

function batchOf(records: Uint8Array[], kind: BatchKind = 'data', position = 7, epoch = 3): StoredBatch {
  return { ...linkBatch(FIRST_CHAIN, { id: Buffer.alloc(16, 0xab), epoch, kind, records }), position };
}

function assertDecodes(bytes: Buffer, offset: number, batch: StoredBatch): void {
  const decoded = decodeBatch(bytes, offset, SEED);
  assert.equal(decoded.kind, 'batch');
  if (decoded.kind !== 'batch') return;
  assert.equal(decoded.frame.length, frameBytesOf(batch.records));
  assert.equal(decoded.batch.position, batch.position);
  assert.equal(decoded.batch.epoch, batch.epoch);
  assert.equal(decoded.batch.kind, batch.kind);
  assert.deepEqual(Buffer.from(decoded.batch.id), Buffer.from(batch.id));
  assert.deepEqual(Buffer.from(decoded.batch.chain), Buffer.from(batch.chain));
  assert.deepEqual(
    decoded.batch.records.map((record) => Buffer.from(record)),
    batch.records.map((record) => Buffer.from(record)),
  );
}

suite('batch', () => {
  test('the bytes are the documented ones', () => {
    const batch: StoredBatch = {
      position: 0x1_0000_0002,
      epoch: 5,
      kind: 'data',
      id: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
      chain: Buffer.from('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', 'hex'),
      records: [Buffer.from('hi'), Buffer.alloc(0)],
    };
    const expected = [
      '4f4a4201', // "OJB", version 1
      'a096addd', // CRC-32
      '00000052', // 82 bytes in all
      '00000000',
      '0000000100000002', // position
      'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', // chain
      '000102030405060708090a0b0c0d0e0f', // id
      '0000000000000005', // epoch
      '03', // data
      '000000',
      '00000002', // records
      '000000026869',
      '00000000',
    ].join('');
    assert.equal(encodeBatch(batch, SEED).toString('hex'), expected);
  });

  test('is the same however often it is encoded, each time in memory of its own', () => {
    const batch = linkBatch(FIRST_CHAIN, {
      id: Buffer.alloc(16, 1),
      epoch: 1,
      kind: 'data',
      records: [Buffer.from('one'), Buffer.alloc(0)],
    });
    const frames = [1, 2, 3].map((position) => encodeBatchAt(batch, position, SEED));
    for (const [index, frame] of frames.entries())
      assert.deepEqual(frame, encodeBatch({ ...batch, position: index + 1 }, SEED));
    const other = { ...batch, id: Buffer.alloc(16, 2) };
    assert.notDeepEqual(encodeBatchAt(other, 1, SEED), frames[0]);
  });

  test('the chain is the documented hash', () => {
    const first = chainOf(FIRST_CHAIN, { id: Buffer.alloc(16), epoch: 0, kind: 'genesis', records: [] });
    assert.equal(first.toString('hex'), '47ebc1df7b8ccc0aaf3506224e6916e8');
  });

  const cases: [string, StoredBatch][] = [
    ['no records', batchOf([])],
    ['one empty record', batchOf([Buffer.alloc(0)])],
    ['several records', batchOf([Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(300, 1)])],
    ['a frame within a record', batchOf([encodeBatch(batchOf([Buffer.from('inner')]), SEED)])],
    ...(['genesis', 'epoch', 'data', 'barrier', 'seal'] as const).map((kind): [string, StoredBatch] => [
      kind,
      batchOf([Buffer.from(kind)], kind),
    ]),
    ['large numbers', batchOf([], 'data', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)],
  ];
  for (const [name, batch] of cases) {
    test(`${name}: whole, with bytes around, and never from less than all of its bytes`, () => {
      const frame = encodeBatch(batch, SEED);
      assertDecodes(frame, 0, batch);
      assertDecodes(Buffer.concat([Buffer.from('before'), frame, Buffer.from('after')]), 6, batch);
      for (let length = 0; length < frame.length; length++) {
        const needed = length < BATCH_HEADER_BYTES ? BATCH_HEADER_BYTES : frame.length;
        assert.deepEqual(decodeBatch(frame.subarray(0, length), 0, SEED), {
          kind: 'need-more',
          bytes: needed,
        });
      }
    });

    test(`${name}: no changed bit goes unnoticed, nor another journal's frame`, () => {
      const frame = encodeBatch(batch, SEED);
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const changed = Buffer.from(frame);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.notEqual(decodeBatch(changed, 0, SEED).kind, 'batch', `bit ${bit}`);
      }
      assert.equal(decodeBatch(frame, 0, crcSeedOf('another')).kind, 'bad');
    });
  }

  test('any batch survives encoding, and any garbage is refused', () => {
    const records = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 });
    const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(records, number, number, (list, position, epoch) => {
        const batch = batchOf(list, 'data', position, epoch);
        assertDecodes(encodeBatch(batch, SEED), 0, batch);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: BATCH_HEADER_BYTES, maxLength: 300 }), (bytes) => {
        assert.equal(decodeBatch(Buffer.from(bytes), 0, SEED).kind, 'bad');
      }),
    );
  });

  test('a successor is dense, of no lower epoch, and chained', () => {
    const one = { ...batchOf([], 'data', 1), position: 1 };
    assert.equal(whyNotNext(BEFORE_FIRST, one), undefined);
    const two = { ...linkBatch(one.chain, { id: one.id, epoch: 3, kind: 'data', records: [] }), position: 2 };
    assert.equal(whyNotNext(one, two), undefined);
    assert.match(whyNotNext(one, { ...two, position: 3 }) ?? '', /position 3 follows position 1/);
    assert.match(whyNotNext({ ...one, epoch: 4 }, two) ?? '', /epoch 3 follows epoch 4/);
    assert.match(whyNotNext({ ...one, chain: FIRST_CHAIN }, two) ?? '', /chain/);
    assert.match(whyNotNext(one, { ...two, kind: 'seal' }) ?? '', /chain/);
  });

  test('a frame is held against the chain before it without being changed, and leaves its own', () => {
    const one = {
      ...linkBatch(FIRST_CHAIN, { id: Buffer.alloc(16, 1), epoch: 1, kind: 'data', records: [] }),
    };
    const two = linkBatch(one.chain, {
      id: Buffer.alloc(16, 2),
      epoch: 1,
      kind: 'data',
      records: [Buffer.from('r')],
    });
    const frame = encodeBatch({ ...two, position: 2 }, SEED);
    const before = Buffer.from(frame);
    const chain = Buffer.from(one.chain);
    assert.equal(continuesChain(chain, frame), true);
    assert.deepEqual(chain, Buffer.from(two.chain));
    assert.deepEqual(frame, before);
    for (let bit = 0; bit < 128; bit++) {
      const other = Buffer.from(one.chain);
      other[bit >> 3]! ^= 1 << (bit & 7);
      assert.equal(continuesChain(other, frame), false, `bit ${bit} of the chain before`);
      const changed: Buffer = Buffer.from(frame);
      changed[24 + (bit >> 3)]! ^= 1 << (bit & 7);
      assert.equal(continuesChain(Buffer.from(one.chain), changed), false, `bit ${bit} of its own`);
    }
    assert.deepEqual(frame, before);
  });

  test('a frame with the right CRC and an impossible content is refused', () => {
    const changed = (change: (frame: Buffer) => void): string => {
      const frame = encodeBatch(batchOf([Buffer.from('one'), Buffer.from('two')]), SEED);
      change(frame);
      frame.writeUInt32BE(crc32(frame.subarray(8), SEED), 4);
      const decoded = decodeBatch(frame, 0, SEED);
      return decoded.kind === 'bad' ? decoded.reason : decoded.kind;
    };
    const cases: [(frame: Buffer) => void, string][] = [
      [() => undefined, 'batch'],
      [(frame) => frame.writeUInt8(0, 64), 'unknown kind of batch'],
      [(frame) => frame.writeUInt8(6, 64), 'unknown kind of batch'],
      [(frame) => frame.writeUInt32BE(1, 68), 'records do not fill the batch'],
      [(frame) => frame.writeUInt32BE(3, 68), 'records do not fill the batch'],
      [(frame) => frame.writeUInt32BE(0xffff_ffff, 72), 'records do not fill the batch'],
      [(frame) => frame.writeUInt32BE(2, 72), 'records do not fill the batch'],
    ];
    for (const [change, outcome] of cases) assert.equal(changed(change), outcome);
  });

  test('a frame of an impossible length is refused before so much is waited for', () => {
    for (const bytes of [0, BATCH_HEADER_BYTES - 1, MAX_BATCH_BYTES + 1, 0xffff_ffff]) {
      const frame = encodeBatch(batchOf([]), SEED);
      frame.writeUInt32BE(bytes, 8);
      assert.deepEqual(decodeBatch(frame, 0, SEED), { kind: 'bad', reason: 'impossible length' });
    }
  });

  test('an id that is not of 16 bytes is a bug of the caller', () => {
    const batch = { ...batchOf([]), id: Buffer.alloc(15) };
    assert.throws(() => encodeBatch(batch, SEED), /a batch id has 16 bytes/);
  });
});
