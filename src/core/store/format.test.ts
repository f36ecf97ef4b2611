/** The formats, against bytes that are written out here: a change of format must change this file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { describeStore, renderStoreDescription } from './describe.ts';
import { PAGE_BYTES } from './limits.ts';
import { insertChild, insertLongValue, insertValue } from './node.ts';
import { BRANCH, clearPage, flawOf, LEAF, Page, sealPage } from './page.ts';
import { PageSet } from './page-set.ts';
import { decodeRecord, encodeCommit } from './record.ts';
import { decodeRoot, encodeRoot, type Root } from './root.ts';
import { openStore } from './store.ts';
import type { Change } from './types.ts';

function newPage(kind: typeof LEAF | typeof BRANCH): Page {
  const page = new Page(Buffer.alloc(PAGE_BYTES), 0x0102, 0xaabbccdd, 1, true);
  clearPage(page, kind, kind === LEAF ? 0 : 1);
  return page;
}

const hex = (page: Page, start: number, end?: number) => page.bytes.subarray(start, end).toString('hex');

test('a leaf looks as the file head draws it', () => {
  const page = newPage(LEAF);
  insertValue(page, 0, Buffer.from('k'), Buffer.from('v'));
  insertLongValue(page, 0, Buffer.from('a'), 5_000, { number: 9, stamp: 8 });
  //                           number   stamp    kind level count cells holes slots
  assert.equal(hex(page, 4, 24), '00000102aabbccdd0200' + '0002' + '1fe9' + '0000' + '1fe9' + '1ff8');
  assert.equal(
    hex(page, 0x1fe9),
    `${'0001' + '80001388' + '61' + '00000009' + '00000008'}${'0001' + '00000001' + '6b' + '76'}`,
  );
});

test('a branch looks as the file head draws it', () => {
  const page = newPage(BRANCH);
  insertChild(page, 0, Buffer.alloc(0), { number: 1, stamp: 2 });
  insertChild(page, 1, Buffer.from('m'), { number: 3, stamp: 4 });
  assert.equal(hex(page, 12, 24), '0101' + '0002' + '1feb' + '0000' + '1ff6' + '1feb');
  assert.equal(
    hex(page, 0x1feb),
    `${'00000003' + '00000004' + '0001' + '6d'}${'00000001' + '00000002' + '0000'}`,
  );
});

test('a flaw of any byte is seen, and a sound page in the wrong place or of another time too', () => {
  const page = newPage(LEAF);
  insertValue(page, 0, Buffer.from('k'), Buffer.from('v'));
  sealPage(page.bytes);
  assert.equal(flawOf(page.bytes, page), undefined);
  assert.match(flawOf(page.bytes, { number: 7, stamp: page.stamp })!, /wrong place/);
  assert.match(flawOf(page.bytes, { number: page.number, stamp: 1 })!, /lost/);
  for (let at = 0; at < PAGE_BYTES; at += 1) {
    page.bytes[at]! ^= 1;
    assert.match(flawOf(page.bytes, page)!, /checksum/);
    page.bytes[at]! ^= 1;
  }
});

const root: Root = {
  generation: 5,
  catalog: { number: 3, stamp: 4 },
  used: { number: 6, stamp: 7 },
  usedBytes: 8,
  mark: { position: 9, epoch: 10, chain: Buffer.alloc(16, 0xee) },
  incarnation: '00000000-1111-4222-8333-444444444444',
};

test('a root looks as the file head draws it', () => {
  const bytes = encodeRoot(root);
  const fields = [
    '6f63746574706773' + '00000002' + '00002000' + '0000000000000005',
    '0000000300000004' + '0000000600000007' + '00000008',
    '0000000000000009' + '000000000000000a',
    'ee'.repeat(16),
    Buffer.from(root.incarnation).toString('hex'),
  ];
  assert.equal(bytes.toString('hex', 20, 132), fields.join(''));
  assert.deepEqual(decodeRoot(bytes, 1), { ...root, format: 2 });
});

test('a page that is made keeps nothing of what was in its memory', () => {
  const page = new Page(Buffer.alloc(PAGE_BYTES, 0xee), 1, 2, 1, true);
  clearPage(page, LEAF, 0);
  assert.equal(page.bytes.includes(0xee), false);
});

/** A root with some bytes written over, and a checksum that says they were meant. */
function changedRoot(change: (bytes: Buffer) => void): Buffer {
  const bytes = encodeRoot(root);
  change(bytes);
  sealPage(bytes);
  return bytes;
}

test('a root of the first format is read, and says which it is', () => {
  const bytes = changedRoot((bytes) => bytes.writeUInt32BE(1, 28));
  assert.deepEqual(decodeRoot(bytes, 1), { ...root, format: 1 });
  const empty = decodeRoot(encodeRoot({ ...root, catalog: undefined }), 1);
  assert.equal(typeof empty === 'string' ? empty : empty.catalog, undefined);
});

test('what is no root is refused with a reason', () => {
  const others: ((bytes: Buffer) => void)[] = [
    (bytes) => bytes.write('OCTETPGS', 20),
    (bytes) => bytes.writeUInt32BE(0, 28),
    (bytes) => bytes.writeUInt32BE(4_096, 32),
  ];
  for (const change of others) assert.match(String(decodeRoot(changedRoot(change), 1)), /it is no root/);
  const even = changedRoot((bytes) => bytes.writeBigUInt64BE(6n, 36));
  assert.match(String(decodeRoot(even, 1)), /belongs to the other root page/);
  const reasonOf = (bytes: Buffer, number = 1) => decodeRoot(bytes, number);
  assert.match(String(reasonOf(Buffer.alloc(PAGE_BYTES))), /never written/);
  assert.match(String(reasonOf(encodeRoot(root).subarray(0, 100))), /never written/);
  assert.match(String(reasonOf(encodeRoot(root), 0)), /wrong place/);
  const rotten = encodeRoot(root);
  rotten[60]! ^= 1;
  assert.match(String(reasonOf(rotten)), /checksum/);
  const newer = encodeRoot(root);
  newer.writeUInt32BE(3, 28);
  assert.throws(() => reasonOf(newer), { code: 'newer-format' });
});

const changes: Change[] = [
  { kind: 'put', tree: 'é', key: Buffer.from('k'), value: Buffer.from('vv') },
  { kind: 'delete', tree: 't', key: Buffer.from('k') },
  { kind: 'delete-range', tree: 't', from: Buffer.from('a'), to: Buffer.from('b') },
  { kind: 'delete-range', tree: 't', from: Buffer.from('a') },
];

test('a record looks as the file head draws it, and commits follow one another in it', () => {
  const bytes = encodeCommit(changes);
  const expected = [
    '01' + '00000004',
    '01' + '0002' + 'c3a9' + '0001' + '6b' + '00000002' + '7676',
    '02' + '0001' + '74' + '0001' + '6b',
    '03' + '0001' + '74' + '0001' + '61' + '0001' + '62',
    '04' + '0001' + '74' + '0001' + '61',
  ];
  assert.equal(bytes.toString('hex'), expected.join(''));
  assert.deepEqual([...decodeRecord(Buffer.concat([bytes, bytes]))], [...changes, ...changes]);
});

test('a record that is cut short, or of another kind, is refused', () => {
  const bytes = encodeCommit(changes);
  for (let end = 1; end < bytes.length; end += 1) {
    assert.throws(() => [...decodeRecord(bytes.subarray(0, end))], { code: 'corrupt' });
  }
  assert.throws(() => [...decodeRecord(Buffer.from([2]))], { code: 'newer-format' });
  assert.throws(() => [...decodeRecord(Buffer.from('010000000109000174000161', 'hex'))], { code: 'corrupt' });
});

test('a page set holds what was put in, and survives its encoding', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(20_000)), fc.array(fc.nat(20_000)), (added, removed) => {
      const set = new PageSet();
      for (const number of added) set.add(number);
      for (const number of removed) set.delete(number);
      const expected = added
        .filter((number) => !removed.includes(number))
        .sort((left, right) => left - right);
      assert.deepEqual([...set], expected);
      assert.equal(set.size, expected.length);
      assert.equal(set.highest(), expected.at(-1) ?? -1);
      assert.deepEqual([...PageSet.decode(set.encode(4 * Math.ceil(20_001 / 32)))], expected);
      for (const first of [0, 1, 31, 32, 33, 9_999, 20_000, 30_000]) {
        assert.equal(
          set.sizeFrom(first),
          expected.filter((number) => number >= first).length,
          `from ${first}`,
        );
      }
      assert.deepEqual([...set.clone()], expected);
    }),
  );
});

test('a store describes itself, whether it is open or not', async () => {
  const files = createMemoryFiles();
  const options = { files, folder: '/s', clock: new SimulatedClock(), random: new SeededRandom(1) };
  const store = await openStore(options);
  const put = (key: string, value: Buffer): Change => ({
    kind: 'put',
    tree: 'rows',
    key: Buffer.from(key),
    value,
  });
  await store.commit([put('a', Buffer.alloc(10)), put('b', Buffer.alloc(10_000))]);
  await store.checkpoint();
  const description = await describeStore(files, '/s');
  assert.deepEqual(
    description.trees.map(({ name, levels, keys, longValues, longValueBytes }) => {
      return { name, levels, keys, longValues, longValueBytes };
    }),
    [{ name: 'rows', levels: 1, keys: 2, longValues: 1, longValueBytes: 10_000 }],
  );
  assert.equal(description.roots[0]?.usedPages, 2 + 1 + 2 + 1 + 1);
  assert.match(renderStoreDescription(description), /tree "rows": 2 keys, 1 levels/);
  await store.close();
});
