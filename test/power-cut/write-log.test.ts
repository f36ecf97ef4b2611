import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';
import {
  decodeLog,
  type Entry,
  encodeFlush,
  encodeWrite,
  placeOfCut,
  remainsOf,
  SECTOR_BYTES,
} from './write-log.ts';

const write = (offset: number, fill: number, sectors = 1): Entry => ({
  kind: 'write',
  offset,
  data: Buffer.alloc(sectors * SECTOR_BYTES, fill),
});
const FLUSH: Entry = { kind: 'flush' };

test('a log is read back as it was written, without an entry that is cut short', () => {
  const data = Buffer.from('0123456789');
  const log = Buffer.concat([encodeWrite(4_096, data), encodeFlush(), encodeWrite(2 ** 40, data)]);
  const expected: Entry[] = [
    { kind: 'write', offset: 4_096, data },
    { kind: 'flush' },
    { kind: 'write', offset: 2 ** 40, data },
  ];
  assert.deepEqual(decodeLog(log), expected);
  for (let cut = 1; cut < 26; cut += 1) {
    assert.deepEqual(decodeLog(log.subarray(0, log.length - cut)), expected.slice(0, 2));
  }
});

/** The image of `size` sectors after the remains are written over one of zeros. */
function imageOf(entries: readonly Entry[], seed: number, size: number): number[] {
  const image = Buffer.alloc(size * SECTOR_BYTES);
  for (const { offset, data } of remainsOf(entries, new SeededRandom(seed)).writes) image.set(data, offset);
  return Array.from({ length: size }, (_, sector) => image[sector * SECTOR_BYTES]!);
}

test('what a flush has covered is there, whatever happens', () => {
  for (let seed = 0; seed < 50; seed += 1) {
    assert.deepEqual(imageOf([write(0, 1, 2), write(512, 2), FLUSH], seed, 2), [1, 2]);
    assert.equal(remainsOf([write(0, 1), FLUSH], new SeededRandom(seed)).unflushed, 0);
  }
});

test('of what came later any sector may be there, in any of its states', () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 500; seed += 1) {
    seen.add(imageOf([write(0, 9), FLUSH, write(0, 1, 2), write(512, 2)], seed, 2).join());
  }
  assert.deepEqual([...seen].sort(), ['1,0', '1,1', '1,2', '9,0', '9,1', '9,2']);
});

test('a cut comes after a write that is not before its least place, if there is one', () => {
  const entries = [write(0, 1), FLUSH, write(0, 2), FLUSH, write(0, 3), FLUSH];
  const places = (least: number): number[] => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 50; seed += 1) seen.add(placeOfCut(entries, least, new SeededRandom(seed)));
    return [...seen].sort();
  };
  assert.deepEqual(places(0), [1, 3, 5]);
  assert.deepEqual(places(3), [3, 5]);
  assert.deepEqual(places(6), [6]);
  assert.equal(placeOfCut([], 0, new SeededRandom(1)), 0);
});

test('it is counted what was lost', () => {
  for (let seed = 0; seed < 50; seed += 1) {
    const { writes, unflushed, lost } = remainsOf([write(0, 1, 8)], new SeededRandom(seed));
    assert.equal(unflushed, 8);
    assert.equal(writes.length, 8 - lost);
  }
});
