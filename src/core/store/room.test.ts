/** Nodes with prefixes: what they look like, when they get one, and that no order of insertions breaks them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { StoreModel } from '../testing/store-contract.ts';
import { checkStore } from './check.ts';
import { Forest } from './forest.ts';
import { KEY_BYTES_MAX, PAGE_BYTES } from './limits.ts';
import {
  cellBytes,
  freeBytes,
  hasRoomForValue,
  insertChild,
  insertLongValue,
  insertValue,
  keyBytes,
  keyCopy,
  keyView,
  leafCellBytes,
  lowerBound,
  overwriteValue,
  overwriteValueFrom,
  prefixArea,
  rebuild,
  removeCells,
  suffixBytes,
  usedBytes,
  valueAt,
} from './node.ts';
import { BRANCH, clearPage, LEAF, Page } from './page.ts';
import { Pages } from './pages.ts';
import { commonBytes, divide, joinCells, joinedBytes, makeRoom, moveCells } from './room.ts';
import type { Change, Reader } from './types.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

function newPage(kind: typeof LEAF | typeof BRANCH): Page {
  const page = new Page(Buffer.alloc(PAGE_BYTES), 2, 3, 1, true);
  clearPage(page, kind, kind === LEAF ? 0 : 1);
  return page;
}

/** Adds `key` where it belongs. @returns false when the page is full */
function add(page: Page, key: Buffer, value = bytes('')): boolean {
  if (!makeRoom(page, key, leafCellBytes(key.length, value.length, false))) return false;
  insertValue(page, lowerBound(page, key), key, value);
  return true;
}

/** Fills a leaf with ascending keys behind `prefix`. @returns how many */
function fill(page: Page, prefix: string): number {
  let count = 0;
  while (add(page, bytes(`${prefix}${String(count).padStart(4, '0')}`))) count += 1;
  return count;
}

const keysOf = (page: Page) =>
  Array.from({ length: page.count }, (_, slot) => keyView(page, slot).toString());

test('a leaf with a prefix looks as the file head draws it', () => {
  const page = newPage(LEAF);
  for (const key of ['users/17', 'users/18', 'users/203']) add(page, bytes(key), bytes('v'));
  rebuild(page, bytes('users/'));
  //                                        kind level count cells holes slots
  assert.equal(
    page.bytes.toString('hex', 12, 26),
    '8200' + '0003' + '1fdc' + '0000' + '1fef' + '1fe6' + '1fdc',
  );
  assert.equal(page.bytes.toString('hex', 0x1fe6, 0x1fef), '0002' + '00000001' + '3138' + '76');
  assert.equal(page.bytes.toString('latin1', PAGE_BYTES - 8, PAGE_BYTES - 2), 'users/');
  assert.equal(page.bytes.readUInt16BE(PAGE_BYTES - 2), 6);
  assert.deepEqual(keysOf(page), ['users/17', 'users/18', 'users/203']);
});

test('a value written over a longer one leaves a hole behind it', () => {
  const page = newPage(LEAF);
  add(page, bytes('k'), bytes('12345'));
  assert.equal(hasRoomForValue(page, 0, 6), false);
  assert.equal(hasRoomForValue(page, 0, 5), true);
  const before = freeBytes(page);
  overwriteValue(page, 0, bytes('abc'));
  //                                        kind level count cells holes slot
  assert.equal(page.bytes.toString('hex', 12, 22), '0200' + '0001' + '1ff4' + '0002' + '1ff4');
  assert.equal(page.bytes.toString('hex', 0x1ff4), '0001' + '00000003' + '6b' + '616263' + '3435');
  assert.equal(freeBytes(page), before + 2);
  overwriteValueFrom(page, 0, bytes('..z..'), 2, 3);
  assert.equal(page.bytes.toString('hex', 18, 20), '0004');
  assert.equal(hasRoomForValue(page, 0, 3), false);
  overwriteValue(page, 0, bytes('y'));
  assert.equal(page.bytes.toString('latin1', valueAt(page, 0), valueAt(page, 0) + 1), 'y');
  insertLongValue(page, 1, bytes('l'), 9_000, { number: 7, stamp: 8 });
  assert.equal(hasRoomForValue(page, 1, 3), false, 'it lies elsewhere');
});

test('a branch with a prefix has none in its first cell', () => {
  const page = newPage(BRANCH);
  const child = { number: 7, stamp: 8 };
  insertChild(page, 0, bytes('left out'), child);
  for (const [index, key] of ['aab', 'aac'].entries()) insertChild(page, index + 1, bytes(key), child);
  rebuild(page, bytes('aa'));
  assert.deepEqual(keysOf(page), ['', 'aab', 'aac']);
  assert.deepEqual(
    [0, 1, 2].map((slot) => keyBytes(page, slot)),
    [0, 3, 3],
  );
  assert.deepEqual(
    [0, 1, 2].map((slot) => suffixBytes(page, slot)),
    [0, 1, 1],
  );
});

test('a full page takes the longest prefix, and so holds more', () => {
  const prefix = 'p'.repeat(60);
  const page = newPage(LEAF);
  const count = fill(page, prefix);
  assert.ok(page.prefixBytes >= 60, `${page.prefixBytes} bytes of prefix`);
  assert.ok(count > 4 * Math.floor(PAGE_BYTES / (60 + 4 + 8)), `${count} cells`);
  assert.deepEqual(
    keysOf(page),
    Array.from({ length: count }, (_, n) => prefix + String(n).padStart(4, '0')),
  );
});

test('a key that does not share the prefix cuts it down where there is room, and else the page is full', () => {
  const page = newPage(LEAF);
  const count = fill(page, 'abcdef');
  removeCells(page, 100, count);
  assert.ok(page.prefixBytes > 6);
  assert.ok(add(page, bytes('abd')));
  assert.equal(page.prefixBytes, 2);
  assert.ok(add(page, bytes('')));
  assert.equal(page.prefixBytes, 0);
  assert.equal(page.count, 102);
  const full = newPage(LEAF);
  fill(full, 'p'.repeat(60));
  assert.equal(add(full, bytes('q')), false);
  assert.ok(full.prefixBytes >= 60, 'a refused key leaves the prefix');
});

test('few keys that share little have no prefix, for it would take more than it saves', () => {
  for (const [shared, expected] of Object.entries({ a: 0, ab: 0, abc: 3 })) {
    const left = newPage(LEAF);
    const right = newPage(LEAF);
    for (const end of ['1', '2', '3', '4']) insertValue(left, left.count, bytes(shared + end), bytes('v'));
    moveCells(left, 2, right);
    assert.deepEqual([left.prefixBytes, right.prefixBytes], [expected, expected], shared);
    assert.deepEqual(
      [...keysOf(left), ...keysOf(right)],
      ['1', '2', '3', '4'].map((end) => shared + end),
    );
  }
});

test('a prefix that lies where its length will be written is taken whole', () => {
  for (const length of [5, 6, 7]) {
    const [left, right] = [newPage(LEAF), newPage(LEAF)];
    const shared = 'abcdefgh'.slice(0, length);
    const keys = ['', 'i', 'j', 'k'].map((end) => shared + end);
    for (const key of keys) insertValue(left, left.count, bytes(key), bytes(''));
    moveCells(left, 2, right);
    assert.equal(left.prefixBytes, length);
    assert.deepEqual([...keysOf(left), ...keysOf(right)], keys);
  }
});

test('a page that loses its last cell loses its prefix', () => {
  const page = newPage(LEAF);
  fill(page, 'abc');
  removeCells(page, 0, page.count);
  assert.equal(page.prefixBytes, 0);
  assert.equal(freeBytes(page), PAGE_BYTES - 20);
});

test('a search finds its place in a page with a prefix, whatever it looks for', () => {
  const page = newPage(LEAF);
  for (const key of ['mmb', 'mmd', 'mmf']) add(page, bytes(key));
  rebuild(page, bytes('mm'));
  const places = Object.entries({
    '': 0,
    a: 0,
    m: 0,
    mm: 0,
    mma: 0,
    mmb: 0,
    mmc: 1,
    mmf: 2,
    mmfa: 3,
    mn: 3,
    n: 3,
  });
  for (const [key, slot] of places) assert.equal(lowerBound(page, bytes(key)), slot, key);
});

test('a full page is divided so that the side of a key without the prefix has room for longer cells', () => {
  for (const key of ['a', 'z']) {
    const page = newPage(LEAF);
    const count = fill(page, 'p'.repeat(200));
    page.lastInserted = -1;
    const size = leafCellBytes(1, 0, false);
    const { from, newGoesRight } = divide(page, key === 'a' ? 0 : count, bytes(key), size);
    assert.equal(newGoesRight, key === 'z');
    const taken = newGoesRight ? count - from : from;
    assert.ok(taken > 10 && taken < 25, `${taken} of ${count} cells go with ${key}`);
  }
});

test('a page that says it has room has it to the last byte, with any prefix', () => {
  const random = new SeededRandom(1);
  for (let round = 0; round < 3_000; round += 1) {
    const page = newPage(LEAF);
    const shared = 'p'.repeat(random.pick([0, 1, 2, 5, 40, 400, 900]));
    const sizes = random.pick([1, 20, 300, 1_000]);
    const next = () =>
      bytes(shared.slice(random.chance(0.01) ? random.below(shared.length) : 0) + random.uuid().slice(0, 8));
    while (add(page, next(), Buffer.alloc(random.below(sizes)))) assert.ok(freeBytes(page) >= 0);
    assert.equal(accountOf(page), usedBytes(page));
  }
});

/** What slots, cells and prefix take, counted one by one. */
function accountOf(page: Page): number {
  let sum = prefixArea(page.prefixBytes);
  for (let slot = 0; slot < page.count; slot += 1) sum += cellBytes(page, slot) + 2;
  return sum;
}

test('two pages take as one what was reckoned, leaves and branches', () => {
  const random = new SeededRandom(2);
  for (let round = 0; round < 500; round += 1) {
    const kind = random.pick([LEAF, BRANCH] as const);
    const keys = new Set(Array.from({ length: 2 + random.below(20) }, () => nearKey(random).slice(0, 60)));
    if (keys.size < 2) continue;
    const sorted = [...keys].sort().map(bytes);
    const middle = 1 + random.below(sorted.length - 1);
    const halves = [sorted.slice(0, middle), sorted.slice(middle)].map((half) => pageOf(kind, half, random));
    const [left, right] = halves as [Page, Page];
    const reckoned = joinedBytes(left, sorted[middle]!, right);
    joinCells(left, sorted[middle]!, right);
    assert.equal(usedBytes(left), reckoned);
    assert.equal(accountOf(left), reckoned);
    const expected = kind === LEAF ? sorted : [bytes(''), ...sorted.slice(1)];
    assert.deepEqual(
      Array.from({ length: left.count }, (_, slot) => keyCopy(left, slot)),
      expected,
    );
  }
});

/** A page of `keys`, with as long a prefix as they have or a shorter one. */
function pageOf(kind: typeof LEAF | typeof BRANCH, keys: Buffer[], random: SeededRandom): Page {
  const page = newPage(kind);
  for (const key of keys) {
    if (kind === LEAF) insertValue(page, page.count, key, bytes('v'));
    else insertChild(page, page.count, key, { number: 7, stamp: 8 });
  }
  const keyed = kind === LEAF ? keys : keys.slice(1);
  if (keyed.length > 0)
    rebuild(page, keyed[0]!.subarray(0, random.below(commonBytes(keyed[0]!, keyed.at(-1)!) + 1)));
  return page;
}

/** A forest of one tree and the model of it. */
class Grove {
  readonly forest: Forest;
  #model = new Map<string, Buffer>();

  private constructor(forest: Forest) {
    this.forest = forest;
  }

  static async plant(): Promise<Grove> {
    const file = await createMemoryFiles().open('/pages', 'open');
    return new Grove(new Forest(new Pages(file, 1_000_000, 7)));
  }

  put(key: string, value = bytes('v')): void {
    this.forest.apply({ kind: 'put', tree: 't', key: bytes(key), value });
    this.#model.set(key, value);
  }

  delete(key: string): void {
    this.forest.apply({ kind: 'delete', tree: 't', key: bytes(key) });
    this.#model.delete(key);
  }

  deleteRange(from: string, to: string): void {
    this.forest.apply({ kind: 'delete-range', tree: 't', from: bytes(from), to: bytes(to) });
    for (const key of this.#model.keys()) if (key >= from && key < to) this.#model.delete(key);
  }

  async verify(label: string): Promise<void> {
    assert.deepEqual(await checkStore(this.forest, []), [], label);
    const changes = Array.from(this.#model, ([key, value]): Change => {
      return { kind: 'put', tree: 't', key: bytes(key), value };
    });
    const { forest } = this;
    const reader: Pick<Reader, 'range'> = { range: (tree, options = {}) => forest.range(tree, options) };
    new StoreModel().after(changes).verify(reader as Reader, ['t']);
    for (const [key, value] of this.#model) assert.deepEqual(forest.get('t', bytes(key)), value, label);
  }
}

const ORDERS: Readonly<Record<string, (n: number) => number>> = {
  ascending: (n) => n,
  descending: (n) => 1_000 - n,
  'inside out': (n) => (n % 2 === 0 ? 500 + n / 2 : 500 - (n + 1) / 2),
  'outside in': (n) => (n % 2 === 0 ? n / 2 : 1_000 - (n - 1) / 2),
};

for (const [name, order] of Object.entries(ORDERS)) {
  test(`keys that shorten the prefix again and again, ${name}`, async () => {
    for (const tail of ['', '\0', 'b']) {
      const grove = await Grove.plant();
      for (let n = 0; n <= 1_000; n += 1) {
        grove.put('a'.repeat(order(n)) + tail);
        if (n % 200 === 0) await grove.verify(`${name}, ${n} keys`);
      }
      await grove.verify(name);
      for (let n = 0; n <= 1_000; n += 1) if (n % 7 > 0) grove.delete('a'.repeat(order(n)) + tail);
      await grove.verify(`${name}, then deleted`);
    }
  });

  test(`a full page of a long prefix meets keys that leave it ever earlier, ${name}`, async () => {
    const grove = await Grove.plant();
    for (let n = 0; n < 2_000; n += 1) grove.put(`${'m'.repeat(1_000)}${String(n).padStart(5, '0')}`);
    for (let n = 0; n <= 1_000; n += 1) {
      grove.put(`${'m'.repeat(order(n))}z`);
      grove.put(`${'m'.repeat(order(n))}a`);
      if (n % 250 === 0) await grove.verify(`${name}, ${n} keys`);
    }
    await grove.verify(name);
  });
}

/** Keys of few letters behind prefixes of every length: many share much, some begin others. */
function nearKey(random: SeededRandom): string {
  const shared = random.pick([0, 0, 1, 30, 40, 41, 255, 700, 1_015]);
  const letters = random.below(Math.min(10, KEY_BYTES_MAX - shared + 1));
  const tail = Array.from({ length: letters }, () => random.pick(['a', 'b', '\0', 'ÿ']));
  return 'a'.repeat(shared) + tail.join('');
}

for (let seed = 1; seed <= 12; seed += 1) {
  test(`random changes of keys with long common prefixes agree with the model, seed ${seed}`, async () => {
    const random = new SeededRandom(seed);
    const grove = await Grove.plant();
    const grows = random.pick([0.6, 0.75, 0.9]);
    for (let step = 0; step < 3_000; step += 1) {
      const key = nearKey(random);
      const size = random.chance(0.02) ? random.below(9_000) : random.below(50);
      if (random.chance(0.003)) grove.deleteRange(...([key, nearKey(random)].sort() as [string, string]));
      else if (random.chance(grows)) grove.put(key, Buffer.alloc(size, step));
      else grove.delete(key);
      if (step % 500 === 499) await grove.verify(`seed ${seed}, step ${step}`);
    }
  });
}
