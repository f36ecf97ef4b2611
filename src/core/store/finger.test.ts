/** Changes made by a finger come to what they come to one by one, whatever their order, and leave a sound tree. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { OpenFile } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { RANDOM_TREES, randomCommit, StoreModel } from '../testing/store-contract.ts';
import { turn } from '../time/turn.ts';
import { checkStore } from './check.ts';
import { writePages } from './checkpoint.ts';
import { Forest } from './forest.ts';
import { PAGE_BYTES } from './limits.ts';
import { Pages } from './pages.ts';
import { ChangeScanner, encodeCommit } from './record.ts';
import type { Change, Reader } from './types.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');
const put = (key: string, value = ''): Change => ({
  kind: 'put',
  tree: 't',
  key: bytes(key),
  value: bytes(value),
});
const remove = (key: string): Change => ({ kind: 'delete', tree: 't', key: bytes(key) });

async function newForest(cacheBytes = 1_000_000) {
  const file = await createMemoryFiles().open('/pages', 'open');
  return { file, forest: new Forest(new Pages(file, cacheBytes, 7)) };
}

/** Makes `changes`, in their order, by the finger of `forest`. */
function makeInOrder(forest: Forest, changes: readonly Change[]): void {
  const scanner = new ChangeScanner();
  for (const change of changes) {
    scanner.open(encodeCommit([change]));
    scanner.next();
    forest.applyInOrder(change.tree, scanner);
  }
}

const readerOf = (forest: Forest): Reader => ({
  get: (tree, key) => forest.get(tree, key),
  has: (tree, key) => forest.has(tree, key),
  range: (tree, options = {}) => forest.range(tree, options),
  cursor: (tree, options = {}) => forest.cursor(tree, options),
});

const content = (forest: Forest): string[] =>
  [...forest.range('t', {})].map(({ key, value }) => `${key.toString('latin1')}=${value}`);

const entryOf = (change: Change): string =>
  `${keyOf(change)}=${change.kind === 'put' ? Buffer.from(change.value) : ''}`;

/** Keys `from` to `to`, as many to a leaf as there is room for. */
const rows = (from: number, to: number, value: string): Change[] =>
  Array.from({ length: to - from }, (_, index) => put(`row ${String(from + index).padStart(5, '0')}`, value));

suite('finger', () => {
  const cases: readonly [string, readonly Change[], readonly Change[]][] = [
    ['into nothing', [], [put('a', '1'), put('b', '2')]],
    ['a delete from nothing', [], [remove('a')]],
    ['over a value of the same length', [put('a', '1'), put('b', '2')], [put('a', 'x'), put('b', 'y')]],
    [
      'over a longer and a shorter value',
      [put('a', '12345'), put('b', '2')],
      [put('a', 'x'), put('b', 'yyy')],
    ],
    ['over a value with none, and again', [put('a', '12345')], [put('a'), put('a', 'x'), put('a', '123456')]],
    ['before, between and behind', [put('b', '1'), put('d', '2')], [put('a'), put('c'), put('e'), put('f')]],
    ['backwards', [put('b', '1'), put('d', '2')], [put('e'), put('d', 'x'), put('c'), put('b'), put('a')]],
    [
      'the same key again and again',
      [put('b', '1')],
      [put('b', '2'), remove('b'), put('b', '3'), put('b', '4')],
    ],
    [
      'deletes, also of what is not there',
      rows(0, 30, 'v'),
      [remove('row 00003'), remove('row 000035'), remove('row 00004')],
    ],
    [
      'a delete, and its neighbour changed',
      rows(0, 9, 'v'),
      [remove('row 00003'), put('row 00004', 'w'), put('row 00003', 'x')],
    ],
    ['the last key of a tree', [put('a', '1')], [remove('a'), put('a', '2')]],
    [
      'a long value, and over one',
      [put('a', 'x'.repeat(20_000)), put('b', '1')],
      [put('a', 'short'), put('b', 'y'.repeat(20_000)), put('c', '1')],
    ],
    ['a delete of a long value', [put('a', 'x'.repeat(20_000)), put('b', '1')], [remove('a'), put('b', '2')]],
    [
      'the empty key, and one that begins another',
      [put('a', '1')],
      [put('', '0'), put('a', '2'), put('aa', '3')],
    ],
  ];
  for (const [name, before, changes] of cases) {
    test(name, async () => {
      const { forest } = await newForest();
      for (const change of before) forest.apply(change);
      makeInOrder(forest, changes);
      const expected = new StoreModel().after([...before, ...changes]);
      expected.verify(readerOf(forest), ['t']);
      assert.deepEqual(await checkStore(forest, []), []);
    });
  }

  test('goes from leaf to leaf, over each key or over few of them', async () => {
    for (const step of [1, 2, 7, 300]) {
      const { forest } = await newForest();
      makeInOrder(forest, rows(0, 3_000, 'v'.repeat(30)));
      const changes = rows(0, 3_000, 'w'.repeat(30)).filter((_, index) => index % step === 0);
      makeInOrder(forest, changes);
      const changed = content(forest).filter((entry) => entry.endsWith('w'));
      assert.equal(changed.length, changes.length);
      assert.deepEqual(await checkStore(forest, []), []);
    }
  });

  test('ascending keys leave full leaves, as otherwise', async () => {
    const [byFinger, otherwise] = [await newForest(), await newForest()];
    const changes = rows(0, 5_000, 'v'.repeat(30));
    makeInOrder(byFinger.forest, changes);
    for (const change of changes) otherwise.forest.apply(change);
    assert.equal(byFinger.forest.pages.live.size, otherwise.forest.pages.live.size);
  });

  test('leaves that lose most of their keys are joined, and an emptied tree is gone', async () => {
    const { forest } = await newForest();
    const all = rows(0, 5_000, 'v'.repeat(30));
    makeInOrder(forest, all);
    const before = forest.pages.live.size;
    const lost = all.filter((_, index) => index % 10 > 0);
    makeInOrder(
      forest,
      lost.map((change) => remove(keyOf(change).toString())),
    );
    assert.ok(forest.pages.live.size < before / 4, `${before} pages, then ${forest.pages.live.size}`);
    assert.equal(content(forest).length, 500);
    makeInOrder(
      forest,
      all.map((change) => remove(keyOf(change).toString())),
    );
    assert.deepEqual([...forest.pages.live], [0, 1]);
  });

  test('a version keeps what it saw, and the leaf is copied once', async () => {
    const { forest } = await newForest();
    makeInOrder(forest, rows(0, 100, 'old'));
    const version = forest.pages.versions.take();
    makeInOrder(forest, rows(0, 50, 'new'));
    const copied = forest.pages.needed;
    makeInOrder(forest, rows(50, 100, 'new'));
    assert.equal(forest.pages.needed, copied);
    assert.equal(String(forest.get('t', bytes('row 00010'), version)), 'old');
    assert.equal(String(forest.get('t', bytes('row 00010'))), 'new');
    forest.pages.versions.release(version);
    assert.deepEqual(await checkStore(forest, []), []);
  });

  test('a change of somebody else is noticed', async () => {
    const { forest } = await newForest();
    makeInOrder(forest, rows(0, 100, 'v'));
    // Divides the leaf that the finger lies on: the keys that come next are in another.
    for (const change of rows(200, 1_000, 'x'.repeat(60))) forest.apply(change);
    makeInOrder(forest, rows(100, 200, 'v'));
    forest.apply({ kind: 'delete-range', tree: 't', from: bytes('row 00150') });
    makeInOrder(forest, [put('row 00500', 'again')]);
    assert.deepEqual(content(forest), [
      ...Array.from({ length: 150 }, (_, index) => `row ${String(index).padStart(5, '0')}=v`),
      'row 00500=again',
    ]);
    assert.deepEqual(await checkStore(forest, []), []);
  });

  test('a damaged leaf is named, and nothing has changed', async () => {
    const { file, forest } = await newForest(16 * PAGE_BYTES);
    makeInOrder(forest, rows(0, 5_000, 'v'.repeat(30)));
    await writePages({ file, forest }, [...forest.pages.dirty]);
    for (const number of forest.pages.live) {
      if (forest.pages.peek(number) === undefined)
        await file.write(number * PAGE_BYTES, Buffer.from([1, 2, 3]));
    }
    assert.throws(() => makeInOrder(forest, rows(0, 5_000, 'w'.repeat(30))), { code: 'corrupt' });
  });

  test('a leaf that has left the memory, and its buffer with it, is found again', async () => {
    const { file, forest } = await newForest(16 * PAGE_BYTES);
    const { pages } = forest;
    for (let index = 0; index < 3_000; index += 1) {
      forest.apply({ kind: 'put', tree: 'u', key: bytes(`other ${index}`), value: bytes('u'.repeat(60)) });
    }
    await writePages({ file, forest }, [...pages.dirty]);
    pages.recycle();
    makeInOrder(forest, rows(0, 50, 'old'));
    await writePages({ file, forest }, [...pages.dirty]);
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 3_000; index += 1) assert.ok(forest.has('u', bytes(`other ${index}`)));
      pages.recycle();
    }
    makeInOrder(forest, rows(50, 100, 'new'));
    pages.endRecycling();
    assert.deepEqual(content(forest), [...rows(0, 50, 'old'), ...rows(50, 100, 'new')].map(entryOf));
    assert.deepEqual(await checkStore(forest, []), []);
  });

  test('random changes in any order, with versions and writes in between, and buffers used again', async () => {
    for (let seed = 1; seed <= 12; seed += 1) await randomRun(seed);
  });
});

async function randomRun(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const { file, forest } = await newForest(16 * PAGE_BYTES);
  const { pages } = forest;
  let model = new StoreModel();
  let writing = Promise.resolve();
  for (let round = 0; round < 40; round += 1) {
    const changes = randomCommit(random, 300).filter(
      ({ kind }) => kind !== 'delete-range' || random.chance(0.1),
    );
    if (random.chance(0.7)) changes.sort(byKey);
    const version = random.chance(0.3) ? pages.versions.take() : undefined;
    for (let at = 0; at < changes.length; at += 40) {
      makeInOrder(forest, changes.slice(at, at + 40));
      if (random.chance(0.5)) pages.recycle();
      await turn();
    }
    model = model.after(changes);
    if (version !== undefined) pages.versions.release(version);
    if (random.chance(0.3)) {
      await writing;
      writing = writeAhead(forest, file, random.below(2 ** 32));
    }
    if (random.chance(0.9)) continue;
    const change: Change = { kind: 'put', tree: 'a', key: bytes('else'), value: bytes('where') };
    forest.apply(change);
    model = model.after([change]);
  }
  await writing;
  pages.endRecycling();
  model.verify(readerOf(forest), RANDOM_TREES);
  assert.deepEqual(await checkStore(forest, []), [], `seed ${seed}`);
}

/** As a replay does while the changes go on. */
async function writeAhead(forest: Forest, file: OpenFile, stamp: number): Promise<void> {
  const { pages } = forest;
  const version = pages.versions.take();
  const changed = [...pages.dirty];
  pages.stamp = stamp;
  await writePages({ file, forest }, changed);
  pages.versions.release(version);
}

/** By tree, then by key. */
function byKey(left: Change, right: Change): number {
  if (left.tree !== right.tree) return left.tree < right.tree ? -1 : 1;
  return Buffer.compare(keyOf(left), keyOf(right));
}

const keyOf = (change: Change): Buffer =>
  Buffer.from(change.kind === 'delete-range' ? change.from : change.key);
