import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { randomKey, randomValue } from '../testing/store-contract.ts';
import { checkStore } from './check.ts';
import { writePages } from './checkpoint.ts';
import { Cursor } from './cursor.ts';
import { Forest } from './forest.ts';
import { freeBytes, keyBytes, NODE_BYTES, prefixArea, usedBytes } from './node.ts';
import { BRANCH, LEAF, type Page, type PageRef } from './page.ts';
import { Pages } from './pages.ts';
import { findLeaf, TreeWriter } from './tree.ts';

async function newPages(): Promise<Pages> {
  const file = await createMemoryFiles().open('/pages', 'open');
  return new Pages(file, 1_000_000, 7);
}

const bytes = (text: string) => Buffer.from(text, 'latin1');
const padded = (index: number) => bytes(String(index).padStart(8, '0'));

function keysOf(pages: Pages, root: PageRef | undefined): string[] {
  return [...new Cursor(pages, root, {}, () => true)].map(({ key }) => key.toString('latin1'));
}

/** All nodes below `root`. */
function nodesOf(pages: Pages, root: PageRef): Page[] {
  const page = pages.read(root.number, root.stamp);
  if (page.level === 0) return [page];
  const nodes = [page];
  for (let slot = 0; slot < page.count; slot += 1) {
    const at = page.view.getUint16(20 + slot * 2);
    nodes.push(...nodesOf(pages, { number: page.view.getUint32(at), stamp: page.view.getUint32(at + 4) }));
  }
  return nodes;
}

test('ascending insertion leaves full leaves, wherever in the tree it goes on', async () => {
  const pages = await newPages();
  const writer = new TreeWriter(pages);
  let root: PageRef | undefined;
  root = writer.put(root, bytes('zzz'), bytes('after everything'));
  for (let index = 0; index < 20_000; index += 1) root = writer.put(root, padded(index), bytes('value'));
  const leaves = nodesOf(pages, root!).filter((page) => page.kind === LEAF);
  const used = leaves.reduce((sum, page) => sum + usedBytes(page), 0);
  assert.ok(used / (leaves.length * NODE_BYTES) > 0.95, `${used / (leaves.length * NODE_BYTES)} full`);
  assert.equal(keysOf(pages, root).length, 20_001);
});

test('random insertion leaves leaves at least a third full, and deletion joins them', async () => {
  const pages = await newPages();
  const writer = new TreeWriter(pages);
  const random = new SeededRandom(1);
  const order = Array.from({ length: 20_000 }, (_, index) => index).sort(() => random.below(3) - 1);
  let root: PageRef | undefined;
  for (const index of order) root = writer.put(root, padded(index), bytes('value'));
  const before = nodesOf(pages, root!).length;
  for (const index of order) if (index % 10 !== 0) root = writer.delete(root, padded(index));
  const after = nodesOf(pages, root!).length;
  assert.ok(after < before / 3, `${before} pages before, ${after} after`);
  assert.equal(keysOf(pages, root).length, 2_000);
  for (const index of order) root = writer.delete(root, padded(index));
  assert.equal(root, undefined);
  assert.deepEqual([...pages.live], [0, 1]);
});

test('branches hold separators cut as short as they can be', async () => {
  const pages = await newPages();
  const writer = new TreeWriter(pages);
  let root: PageRef | undefined;
  for (let index = 0; index < 500; index += 1) {
    root = writer.put(root, bytes(`${String(index).padStart(4, '0')}${'x'.repeat(500)}`), bytes(''));
  }
  const branches = nodesOf(pages, root!).filter((page) => page.kind === BRANCH);
  for (const branch of branches) {
    for (let slot = 0; slot < branch.count; slot += 1) assert.ok(keyBytes(branch, slot) <= 4);
  }
  assert.equal(findLeaf(pages, root!, bytes('0250')).kind, LEAF);
});

test('a range that is deleted gives back every page that lay in it', async () => {
  const pages = await newPages();
  const forest = new Forest(pages);
  for (let index = 0; index < 5_000; index += 1) {
    forest.apply({
      kind: 'put',
      tree: 't',
      key: padded(index),
      value: Buffer.alloc(index % 100 === 0 ? 9_000 : 30),
    });
  }
  const before = pages.live.size;
  const range = { from: padded(10), to: padded(4_990) };
  forest.apply({ kind: 'delete-range', tree: 't', ...range });
  const left = [...forest.range('t', {})].map(({ key }) => Number(key.toString()));
  const expected = Array.from({ length: 20 }, (_, index) => (index < 10 ? index : 4_980 + index));
  assert.deepEqual(left, expected);
  assert.ok(before > 100 && pages.live.size < 10, `${before} pages before, ${pages.live.size} after`);
  forest.apply({ kind: 'delete-range', tree: 't', from: Buffer.alloc(0) });
  assert.deepEqual([...pages.live], [0, 1]);
});

test('every node keeps its bytes in account through random changes', async () => {
  const pages = await newPages();
  const writer = new TreeWriter(pages);
  const random = new SeededRandom(3);
  let root: PageRef | undefined;
  for (let step = 0; step < 8_000; step += 1) {
    const key = randomKey(random);
    root = random.chance(0.6) ? writer.put(root, key, randomValue(random)) : writer.delete(root, key);
    if (step % 500 === 0 && root !== undefined) for (const node of nodesOf(pages, root)) assertAccount(node);
  }
});

/** Free and used bytes must be what the cells say, one by one. */
function assertAccount(page: Page): void {
  let cells = 0;
  for (let slot = 0; slot < page.count; slot += 1) {
    const at = page.view.getUint16(20 + slot * 2);
    if (page.kind === BRANCH) {
      cells += 10 + page.view.getUint16(at + 8);
      continue;
    }
    const value = page.view.getUint32(at + 2);
    cells += 6 + page.view.getUint16(at) + (value >= 0x8000_0000 ? 8 : value);
  }
  assert.equal(
    freeBytes(page),
    NODE_BYTES - 2 * page.count - cells - prefixArea(page.prefixBytes),
    `page ${page.number}`,
  );
}

test('a page is changed in place until a version needs it, and copied once then', async () => {
  const pages = await newPages();
  const forest = new Forest(pages);
  const put = (value: string) =>
    forest.apply({ kind: 'put', tree: 't', key: bytes('k'), value: bytes(value) });
  put('1');
  const first = forest.root('t')!.number;
  put('2');
  assert.equal(forest.root('t')!.number, first);
  const version = pages.versions.take();
  put('3');
  const second = forest.root('t')!.number;
  assert.notEqual(second, first);
  put('4');
  assert.equal(forest.root('t')!.number, second);
  assert.equal(String(forest.get('t', bytes('k'), version)), '2');
  pages.versions.release(version);
  assert.equal(pages.allocate(), first, 'the old page is free again');
});

test('a tree without long values is dropped unread; one with a single long value gives back that as well', async () => {
  for (const longAt of [undefined, 2_500]) {
    const pages = await newPages();
    const forest = new Forest(pages);
    for (let index = 0; index < 5_000; index += 1) {
      const value = Buffer.alloc(index === longAt ? 50_000 : 30);
      forest.apply({ kind: 'put', tree: 't', key: padded((index * 7_919) % 5_000), value });
    }
    const leaf = findLeaf(pages, forest.root('t')!, padded(2_000));
    if (longAt === undefined) leaf.bytes.fill(0xff, 20);
    forest.apply({ kind: 'delete-range', tree: 't', from: Buffer.alloc(0) });
    assert.deepEqual([...pages.live], [0, 1]);
  }
});

/**
 * Keys that differ from their neighbours only behind hundreds of equal bytes, and soon from others: few cells
 * fill a branch, so that few keys make a deep tree.
 */
const deepKey = (index: number) =>
  bytes(`${String(index).padStart(6, '0').slice(0, 5)}${'x'.repeat(900)}${index % 10}`);

test('deep trees divide and join their branches', async () => {
  const pages = await newPages();
  const forest = new Forest(pages);
  const random = new SeededRandom(5);
  const present = new Set<number>();
  for (let step = 0; step < 12_000; step += 1) {
    const index = random.below(4_000);
    const filling = step < 6_000;
    if (random.chance(filling ? 0.9 : 0.1)) {
      forest.apply({ kind: 'put', tree: 't', key: deepKey(index), value: bytes('v') });
      present.add(index);
    } else {
      forest.apply({ kind: 'delete', tree: 't', key: deepKey(index) });
      present.delete(index);
    }
    if (step % 1_000 === 999) {
      assert.deepEqual(await checkStore(forest, []), [], `step ${step}`);
      assert.equal(keysOf(pages, forest.root('t')).length, present.size);
    }
    if (step === 6_000) assert.ok(pages.read(forest.root('t')!.number, pages.stamp).level >= 3);
  }
});

test('branches are divided where keys ascend before others, and there is room in both', async () => {
  const pages = await newPages();
  const forest = new Forest(pages);
  const put = (key: Buffer) => forest.apply({ kind: 'put', tree: 't', key, value: bytes('v') });
  for (let index = 5_000; index < 5_100; index += 1) put(deepKey(index));
  for (let index = 0; index < 3_000; index += 1) put(deepKey(index));
  assert.deepEqual(await checkStore(forest, []), []);
  assert.equal(keysOf(pages, forest.root('t')).length, 3_100);
});

test('ranges deleted from a deep tree leave a sound tree, whatever their bounds', async () => {
  const random = new SeededRandom(6);
  for (let round = 0; round < 25; round += 1) {
    const pages = await newPages();
    const forest = new Forest(pages);
    for (let index = 0; index < 600; index += 1) {
      forest.apply({ kind: 'put', tree: 't', key: deepKey(index), value: bytes('v') });
    }
    const [from, to] = [random.below(600), random.below(600)].sort((left, right) => left - right) as [
      number,
      number,
    ];
    forest.apply({ kind: 'delete-range', tree: 't', from: deepKey(from), to: deepKey(to) });
    assert.deepEqual(await checkStore(forest, []), [], `${from} to ${to}`);
    assert.equal(keysOf(pages, forest.root('t')).length, 600 - (to - from));
    forest.apply({ kind: 'put', tree: 't', key: deepKey(from), value: bytes('again') });
    assert.deepEqual(await checkStore(forest, []), [], `${from} to ${to}, and one more`);
  }
});

test('the buffer of a page that has left the memory is used again, but not before that is allowed', async () => {
  const file = await createMemoryFiles().open('/pages', 'open');
  const pages = new Pages(file, 0, 7);
  const made = Array.from({ length: 40 }, () => pages.create(LEAF, 0));
  await writePages({ file, forest: new Forest(pages) }, made);
  const readAll = (): Page[] => made.map(({ number, stamp }) => pages.read(number, stamp));
  const numbersIn = (some: readonly Page[]): number[] => some.map((page) => page.view.getUint32(4));
  const numbers = made.map(({ number }) => number);
  pages.recycle();
  const held = [...readAll(), ...readAll()];
  assert.deepEqual(numbersIn(held), [...numbers, ...numbers], 'each is what it was');
  pages.recycle();
  const before = new Set(held.map(({ bytes }) => bytes));
  const again = readAll();
  assert.deepEqual(numbersIn(again), numbers);
  assert.ok(
    again.every(({ bytes }) => before.has(bytes)),
    'no new memory is needed',
  );
  assert.notDeepEqual(numbersIn(held), [...numbers, ...numbers]);
  pages.endRecycling();
  for (let round = 0; round < 30; round += 1) readAll();
  const later = [...readAll(), ...readAll()];
  pages.recycle();
  assert.deepEqual(numbersIn(later), [...numbers, ...numbers], 'whoever reads a page may hold on to it');
});
