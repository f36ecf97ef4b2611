/**
 * What every implementation of `Store` must do, and the model that it is held against: sorted maps, copied
 * for every snapshot.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Random } from '../random/random.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import type { Change, EntryCursor, RangeOptions, Reader, Snapshot, Store } from '../store/types.ts';

export interface StoreUnderTest {
  /** Opens the store; after a close, the same one again. */
  open(): Promise<Store>;
}

type Make = () => StoreUnderTest;

/** Keys as latin1 strings, whose order is the order of their bytes. */
type ModelTree = ReadonlyMap<string, Buffer>;

/** What a store must hold. Never changed: `after` gives a new one. */
export class StoreModel {
  readonly #trees: ReadonlyMap<string, ModelTree>;

  constructor(trees: ReadonlyMap<string, ModelTree> = new Map()) {
    this.#trees = trees;
  }

  after(changes: readonly Change[]): StoreModel {
    const trees = new Map<string, Map<string, Buffer>>();
    for (const [name, tree] of this.#trees) trees.set(name, new Map(tree));
    for (const change of changes) {
      const tree = trees.get(change.tree) ?? new Map<string, Buffer>();
      trees.set(change.tree, tree);
      applyToModel(tree, change);
    }
    return new StoreModel(trees);
  }

  get treeNames(): string[] {
    return [...this.#trees.keys()];
  }

  keys(tree: string): string[] {
    return [...(this.#trees.get(tree) ?? new Map<string, Buffer>()).keys()].sort(byCodeUnit);
  }

  get(tree: string, key: string): Buffer | undefined {
    return this.#trees.get(tree)?.get(key);
  }

  /** The keys that a range must give, in its order. */
  range(tree: string, options: RangeOptions): string[] {
    const from = options.from === undefined ? undefined : latin1(options.from);
    const to = options.to === undefined ? undefined : latin1(options.to);
    const inside = this.keys(tree).filter(
      (key) => (from === undefined || key >= from) && (to === undefined || key < to),
    );
    if (options.reverse) inside.reverse();
    return inside.slice(0, options.limit ?? inside.length);
  }

  /** @throws AssertionError when `reader` holds anything else */
  verify(reader: Reader, trees: readonly string[] = this.treeNames): void {
    for (const tree of trees) this.#verifyTree(reader, tree);
  }

  #verifyTree(reader: Reader, tree: string): void {
    const expected = this.keys(tree);
    let index = 0;
    for (const { key, value } of reader.range(tree)) {
      const want = expected[index++];
      assert.equal(latin1(key), want, `tree ${tree}, key ${index - 1}`);
      assert.ok(value.equals(this.get(tree, want!)!), `tree ${tree}, the value of ${want}`);
    }
    assert.equal(index, expected.length, `tree ${tree}: number of keys`);
  }

  /** True when `reader` holds exactly this. */
  matches(reader: Reader, trees: readonly string[]): boolean {
    try {
      this.verify(reader, trees);
      return true;
    } catch (error) {
      if (error instanceof assert.AssertionError) return false;
      throw error;
    }
  }
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function applyToModel(tree: Map<string, Buffer>, change: Change): void {
  if (change.kind === 'put') tree.set(latin1(change.key), Buffer.from(change.value));
  else if (change.kind === 'delete') tree.delete(latin1(change.key));
  else {
    const from = latin1(change.from);
    const to = change.to === undefined ? undefined : latin1(change.to);
    for (const key of tree.keys()) if (key >= from && (to === undefined || key < to)) tree.delete(key);
  }
}

/** The trees that `randomCommit` changes. */
export const RANDOM_TREES = ['a', 'b', 'ünï'];

/** Keys that share prefixes, repeat, are empty, and are as long as they may be. */
export function randomKey(random: Random): Buffer {
  switch (random.below(8)) {
    case 0:
      return Buffer.from(`long/${String(random.below(40)).padStart(1_019, 'x')}`);
    case 1:
      return random.bytes(random.below(4));
    case 2:
      return Buffer.from(`shared/${'p'.repeat(100 + random.below(3))}/${random.below(100)}`);
    default:
      return Buffer.from(`k${random.below(2_000)}`);
  }
}

/** Values from nothing to several pages. */
export function randomValue(random: Random): Buffer {
  const size = [0, 1, 20, 100, 400, 2_000, 2_100, 9_000, 40_000];
  const kind = random.below(40);
  const length = kind < 30 ? random.below(120) : size[random.below(size.length)]!;
  return Buffer.alloc(length, random.below(256));
}

export function randomChange(random: Random): Change {
  const tree = RANDOM_TREES[random.below(RANDOM_TREES.length)]!;
  const kind = random.below(100);
  if (kind < 65) return { kind: 'put', tree, key: randomKey(random), value: randomValue(random) };
  if (kind < 97) return { kind: 'delete', tree, key: randomKey(random) };
  const bounds = [randomKey(random), randomKey(random)].sort(Buffer.compare);
  if (kind === 97 && random.below(4) === 0) return { kind: 'delete-range', tree, from: bounds[1]! };
  return { kind: 'delete-range', tree, from: bounds[0]!, to: bounds[1]! };
}

export function randomCommit(random: Random, changesMax = 20): Change[] {
  return Array.from({ length: 1 + random.below(changesMax) }, () => randomChange(random));
}

function randomRange(random: Random): RangeOptions {
  return {
    reverse: random.below(2) === 0,
    ...(random.below(3) > 0 ? { from: randomKey(random) } : {}),
    ...(random.below(3) > 0 ? { to: randomKey(random) } : {}),
    ...(random.below(3) === 0 ? { limit: random.below(20) } : {}),
  };
}

/** Compares ranges of `reader` with `model`. */
export function verifyRanges(random: Random, reader: Reader, model: StoreModel, ranges: number): void {
  for (let count = 0; count < ranges; count += 1) {
    const tree = RANDOM_TREES[random.below(RANDOM_TREES.length)]!;
    const options = randomRange(random);
    const keys = [...reader.range(tree, options)].map(({ key }) => latin1(key));
    assert.deepEqual(keys, model.range(tree, options));
    verifyCursor(random, reader, model, tree, options);
    const key = randomKey(random);
    const expected = model.get(tree, latin1(key));
    assert.equal(reader.has(tree, key), expected !== undefined);
    assert.deepEqual(reader.get(tree, key), expected);
  }
}

/** Sends a cursor to random keys and compares what it finds from there. */
function verifyCursor(
  random: Random,
  reader: Reader,
  model: StoreModel,
  tree: string,
  { limit: _, ...options }: RangeOptions,
): void {
  using cursor = reader.cursor(tree, options);
  const keys = model.range(tree, options);
  for (let seeks = 0; seeks < 3; seeks += 1) {
    const target = latin1(randomKey(random));
    const rest = keys.filter((key) => (options.reverse ? key <= target : key >= target));
    let found = cursor.seek(Buffer.from(target, 'latin1'));
    for (const key of rest.slice(0, 20)) {
      assert.ok(found && latin1(cursor.key) === key, `tree ${tree}, from ${target} to ${key}`);
      assert.ok(cursor.value.equals(model.get(tree, key)!), `tree ${tree}, the value of ${key}`);
      found = cursor.next();
    }
    assert.equal(found, rest.length > 20);
  }
}

/** Checks the store, then closes it: every test ends like this. */
export async function checkAndClose(store: Store): Promise<void> {
  const findings = await store.check();
  await store.close();
  assert.deepEqual(findings, []);
}

async function withStore(make: Make, work: (store: Store, subject: StoreUnderTest) => Promise<void>) {
  const subject = make();
  const store = await subject.open();
  try {
    await work(store, subject);
  } finally {
    await checkAndClose(store);
  }
}

const put = (key: string, value: string, tree = 'a'): Change => ({
  kind: 'put',
  tree,
  key: Buffer.from(key),
  value: Buffer.from(value),
});

const texts = (reader: Reader, options?: RangeOptions, tree = 'a'): string[] =>
  [...reader.range(tree, options)].map(({ key, value }) => `${key}=${value}`);

/** @param seeds of the random operations; each takes a few hundred syncs */
export function storeContract(name: string, make: Make, seeds: readonly number[] = [1, 2, 3]): void {
  suite(`store contract: ${name}`, () => {
    commits(make);
    ranges(make);
    cursors(make);
    snapshots(make);
    refusals(make);
    maintenance(make);
    randomOperations(make, seeds);
  });
}

function commits(make: Make): void {
  test('a commit is visible at once, and settled when it is durable', async () => {
    await withStore(make, async (store) => {
      const durable = store.commit([put('k', 'v')]);
      assert.equal(String(store.get('a', Buffer.from('k'))), 'v');
      assert.notEqual(store.settled(), undefined);
      await durable;
      assert.equal(store.settled(), undefined);
    });
  });

  test('the changes of one commit apply in their order', async () => {
    await withStore(make, async (store) => {
      await store.commit([
        put('k', '1'),
        { kind: 'delete', tree: 'a', key: Buffer.from('k') },
        put('k', '2'),
      ]);
      assert.deepEqual(texts(store), ['k=2']);
    });
  });

  test('an empty commit, and deleting what is not there, change nothing', async () => {
    await withStore(make, async (store) => {
      await store.commit([]);
      await store.commit([{ kind: 'delete', tree: 'nowhere', key: Buffer.from('k') }]);
      await store.commit([{ kind: 'delete-range', tree: 'nowhere', from: Buffer.alloc(0) }]);
      assert.equal(store.stats().trees, 0);
    });
  });

  test('the store keeps no hold of the bytes it was given, nor the caller of those it got', async () => {
    await withStore(make, async (store) => {
      const value = Buffer.from('before');
      const durable = store.commit([{ kind: 'put', tree: 'a', key: Buffer.from('k'), value }]);
      value.fill('x');
      await durable;
      const got = store.get('a', Buffer.from('k'))!;
      await store.commit([put('k', 'after!')]);
      assert.equal(String(got), 'before');
    });
  });

  test('what was committed is there after a close and an open', async () => {
    const subject = make();
    const first = await subject.open();
    await first.commit([put('k', 'v'), put('long', 'x'.repeat(100_000), 'b')]);
    await checkAndClose(first);
    const second = await subject.open();
    assert.deepEqual(texts(second), ['k=v']);
    assert.equal(second.get('b', Buffer.from('long'))?.length, 100_000);
    await checkAndClose(second);
  });
}

function ranges(make: Make): void {
  const keys = ['', 'a', 'a\0', 'ab', 'b', 'ÿ'];
  const cases: [RangeOptions, string[]][] = [
    [{}, ['', 'a', 'a\0', 'ab', 'b', 'ÿ']],
    [{ reverse: true }, ['ÿ', 'b', 'ab', 'a\0', 'a', '']],
    [{ from: Buffer.from('a') }, ['a', 'a\0', 'ab', 'b', 'ÿ']],
    [{ to: Buffer.from('ab') }, ['', 'a', 'a\0']],
    [{ from: Buffer.from('a'), to: Buffer.from('b'), reverse: true }, ['ab', 'a\0', 'a']],
    [{ from: Buffer.from('a'), limit: 2 }, ['a', 'a\0']],
    [{ reverse: true, limit: 1 }, ['ÿ']],
    [{ limit: 0 }, []],
    [{ from: Buffer.from('b'), to: Buffer.from('a') }, []],
    [{ from: Buffer.from('b'), to: Buffer.from('b') }, []],
    [{ to: Buffer.alloc(0) }, []],
  ];
  test('ranges give the keys between their bounds, either way', async () => {
    await withStore(make, async (store) => {
      await store.commit(keys.map((key) => put(key, '')));
      for (const [options, expected] of cases) {
        assert.deepEqual(
          texts(store, options).map((text) => text.slice(0, -1)),
          expected,
          JSON.stringify(options),
        );
      }
      assert.deepEqual([...store.range('nowhere')], []);
    });
  });

  test('a range read on after a commit is refused; one of a snapshot goes on', async () => {
    await withStore(make, async (store) => {
      await store.commit([put('1', ''), put('2', '')]);
      using snapshot = store.snapshot();
      const overtaken = store.range('a');
      const steady = snapshot.range('a');
      overtaken.next();
      steady.next();
      await store.commit([put('3', '')]);
      assert.throws(() => overtaken.next(), /snapshot/);
      assert.deepEqual(
        [...steady].map(({ key }) => String(key)),
        ['2'],
      );
    });
  });
}

/** What is left of a cursor's range, read through its views. */
function textsOf(cursor: EntryCursor): string[] {
  const found: string[] = [];
  while (cursor.next()) found.push(`${cursor.key}=${cursor.value}`);
  return found;
}

const LONG = 'x'.repeat(5_000);
const rowKey = (n: number) => `users/by-name/${String(n).padStart(5, '0')}`;
const bound = (n: number) => Buffer.from(rowKey(n));

/** The even numbers up to 1,798: enough for several leaves, with prefixes, and values of every kind. */
const ROWS = Array.from({ length: 900 }, (_, n) => {
  return put(rowKey(n * 2), n % 100 === 0 ? LONG : `${n}`.repeat(n % 9));
});

/** Where a cursor between 100 and 1,500 that is sent to `key` finds itself, and the entry after that. */
function found(store: Store, key: number, reverse: boolean): string {
  using cursor = store.cursor('a', { from: bound(100), to: bound(1_500), reverse });
  cursor.next();
  const first = cursor.seek(bound(key)) ? String(cursor.key) : 'nothing';
  const next = cursor.next() ? String(cursor.key) : 'end';
  return `${first} ${next}`.replaceAll('users/by-name/', '');
}

function cursors(make: Make): void {
  test('a cursor gives what a range gives, either way and within bounds', async () => {
    await withStore(make, async (store) => {
      await store.commit(ROWS);
      using snapshot = store.snapshot();
      const bounds = [{}, { from: bound(301) }, { to: bound(1_202) }, { from: bound(3), to: bound(1_700) }];
      const both = bounds.flatMap((options) => [options, { ...options, reverse: true }]);
      for (const options of both.flatMap((option) => [
        option,
        ...[0, 1, 700].map((limit) => ({ ...option, limit })),
      ])) {
        for (const reader of [store, snapshot]) {
          using cursor = reader.cursor('a', options);
          assert.deepEqual(textsOf(cursor), texts(store, options), JSON.stringify(options));
          assert.equal(cursor.next(), false);
        }
      }
      assert.equal(store.cursor('nowhere').next(), false);
    });
  });

  test('a cursor gives views, a new one only for a new length, and the length of a value unread', async () => {
    await withStore(make, async (store) => {
      await store.commit([
        put('k1', 'one'),
        put('k2', 'two'),
        put('k3', LONG),
        put('k44', 'four'),
        put('k5', '555'),
      ]);
      using cursor = store.cursor('a');
      cursor.next();
      const { key, value } = cursor;
      assert.equal(`${key}=${value}`, 'k1=one');
      cursor.next();
      assert.equal(cursor.key, key);
      assert.equal(cursor.value, value);
      assert.equal(`${key}=${value}`, 'k2=two');
      cursor.next();
      assert.equal(cursor.valueBytes, LONG.length);
      assert.equal(String(cursor.value), LONG);
      cursor.next();
      assert.equal(`${cursor.key}=${cursor.value}`, 'k44=four');
      assert.equal(cursor.valueBytes, 4);
      cursor.next();
      assert.equal(cursor.key, key);
      assert.equal(`${key}=${cursor.value}`, 'k5=555');
    });
  });

  test('a cursor goes to any key of its range, forth and back, and on from there', async () => {
    await withStore(make, async (store) => {
      await store.commit(ROWS);
      const forwards = [50, 100, 101, 801, 802, 1_498, 1_499, 1_600].map((key) => found(store, key, false));
      const onwards = [
        '00100 00102',
        '00100 00102',
        '00102 00104',
        '00802 00804',
        '00802 00804',
        '01498 end',
      ];
      assert.deepEqual(forwards, [...onwards, 'nothing end', 'nothing end']);
      const backwards = [1_600, 1_500, 1_498, 801, 800, 101, 100, 99].map((key) => found(store, key, true));
      const last = Array.from({ length: 3 }, () => '01498 01496');
      const middle = ['00800 00798', '00800 00798', '00100 end', '00100 end'];
      assert.deepEqual(backwards, [...last, ...middle, 'nothing end']);
    });
  });

  test('a cursor may be sent back after its end, and counts every entry towards its limit', async () => {
    await withStore(make, async (store) => {
      await store.commit([put('1', ''), put('2', ''), put('3', '')]);
      using cursor = store.cursor('a', { limit: 5 });
      assert.deepEqual(textsOf(cursor), ['1=', '2=', '3=']);
      assert.equal(cursor.seek(Buffer.from('2')), true);
      assert.deepEqual(textsOf(cursor), ['3=']);
      assert.equal(cursor.seek(Buffer.from('1')), false);
    });
  });

  test('a cursor is on no entry before its first and after its last, nor after its release', async () => {
    await withStore(make, async (store) => {
      await store.commit([put('k', 'v')]);
      const cursor = store.cursor('a');
      assert.throws(() => cursor.key, /on no entry/);
      cursor.next();
      assert.equal(cursor.next(), false);
      assert.throws(() => cursor.value, /on no entry/);
      cursor.seek(Buffer.from('k'));
      cursor.release();
      cursor.release();
      assert.throws(() => cursor.key, /on no entry/);
      assert.equal(cursor.next(), false);
      assert.equal(cursor.seek(Buffer.from('k')), false);
    });
  });

  test('a cursor used after a commit is refused; one of a snapshot goes on until its release', async () => {
    await withStore(make, async (store) => {
      await store.commit([put('1', 'one'), put('2', 'two')]);
      const snapshot = store.snapshot();
      const overtaken = store.cursor('a');
      const steady = snapshot.cursor('a');
      overtaken.next();
      steady.next();
      await store.commit([put('1', 'ONE')]);
      const key = Buffer.from('1');
      const uses = [
        () => overtaken.key,
        () => overtaken.value,
        () => overtaken.next(),
        () => overtaken.seek(key),
      ];
      for (const use of uses) assert.throws(use, /snapshot/);
      assert.equal(`${steady.key}=${steady.value}`, '1=one');
      assert.deepEqual(textsOf(steady), ['2=two']);
      steady.seek(key);
      snapshot.release();
      assert.throws(() => steady.value, /release/);
      assert.throws(() => snapshot.cursor('a'), { code: 'closed' });
    });
  });
}

function snapshots(make: Make): void {
  test('a snapshot stays as it was, through commits, checkpoints and the end of the tree', async () => {
    await withStore(make, async (store) => {
      await store.commit([put('k', '1')]);
      using first = store.snapshot();
      await store.commit([put('k', '2'), put('l', '2')]);
      await store.checkpoint();
      using second = store.snapshot();
      await store.commit([{ kind: 'delete-range', tree: 'a', from: Buffer.alloc(0) }]);
      await store.checkpoint();
      assert.deepEqual(texts(first), ['k=1']);
      assert.deepEqual(texts(second), ['k=2', 'l=2']);
      assert.deepEqual(texts(store), []);
    });
  });

  test('a released snapshot is refused', async () => {
    await withStore(make, async (store) => {
      const snapshot = store.snapshot();
      snapshot.release();
      snapshot.release();
      assert.throws(() => snapshot.get('a', Buffer.from('k')), { code: 'closed' });
    });
  });
}

function refusals(make: Make): void {
  test('a key, a tree name or a commit over its limit is refused and changes nothing', async () => {
    await withStore(make, async (store) => {
      const key = Buffer.alloc(1_025);
      const value = Buffer.alloc(33 * 1_024 * 1_024);
      const refused: Change[][] = [
        [put('k', 'v'), { kind: 'put', tree: 'a', key, value: Buffer.alloc(0) }],
        [{ kind: 'delete-range', tree: 'a', from: Buffer.alloc(0), to: key }],
        [put('k', 'v', 'n'.repeat(1_025))],
        [put('k', 'v', '')],
        [
          put('k', 'v'),
          ...[1, 2].map((n): Change => ({ kind: 'put', tree: 'a', key: Buffer.from([n]), value })),
        ],
      ];
      for (const changes of refused) await assert.rejects(store.commit(changes), { code: 'too-large' });
      assert.equal(store.stats().trees, 0);
      await store.commit([{ kind: 'put', tree: 'a', key: key.subarray(1), value: Buffer.alloc(0) }]);
    });
  });

  test('a closed store refuses everything', async () => {
    const store = await make().open();
    await store.commit([put('k', 'v')]);
    await store.close();
    await store.close();
    await assert.rejects(store.commit([put('k', 'v')]), { code: 'closed' });
    assert.throws(() => store.get('a', Buffer.from('k')), { code: 'closed' });
    assert.throws(() => store.snapshot(), { code: 'closed' });
    await assert.rejects(store.checkpoint(), { code: 'closed' });
  });
}

function maintenance(make: Make): void {
  test('a snapshot names its trees in order, without those that are empty', async () => {
    await withStore(make, async (store) => {
      await store.commit(['b', 'ü', 'a', 'B', 'gone'].map((tree) => put('k', 'v', tree)));
      await store.commit([{ kind: 'delete', tree: 'gone', key: Buffer.from('k') }]);
      using snapshot = store.snapshot();
      await store.commit([put('k', 'v', 'later')]);
      await store.checkpoint();
      assert.deepEqual(snapshot.trees(), ['B', 'a', 'b', 'ü']);
    });
  });

  test('a capture is of the call, and there when that is durable', async () => {
    await withStore(make, async (store) => {
      void store.commit([put('k', '1')]);
      const capturing = store.capture();
      const later = store.commit([put('k', '2')]);
      const { snapshot, mark } = await capturing;
      assert.deepEqual(texts(snapshot), ['k=1']);
      await later;
      const second = await store.capture();
      assert.deepEqual(texts(second.snapshot), ['k=2']);
      assert.ok(second.mark.position > mark.position);
      for (const one of [snapshot, second.snapshot]) one.release();
    });
  });

  test('a compaction frees what deleted values have left, and changes nothing else', async () => {
    const subject = make();
    const store = await subject.open();
    const keys = Array.from({ length: 1_000 }, (_, index) => String(index).padStart(4, '0'));
    await store.commit(keys.map((key) => put(key, 'x'.repeat(1_000))));
    await store.checkpoint();
    await store.commit([{ kind: 'delete-range', tree: 'a', from: Buffer.alloc(0), to: Buffer.from('0900') }]);
    using snapshot = store.snapshot();
    const expected = texts(store);
    await store.commit([put('0000', 'later')]);
    const first = await store.compact();
    assert.deepEqual(texts(snapshot), expected);
    // The snapshot has kept the end of the file in its place.
    snapshot.release();
    assert.ok(first + (await store.compact()) > 500_000);
    assert.deepEqual(texts(store), ['0000=later', ...expected]);
    await checkAndClose(store);
    const again = await subject.open();
    assert.deepEqual(texts(again), ['0000=later', ...expected]);
    await checkAndClose(again);
  });
}

interface HeldSnapshot {
  readonly snapshot: Snapshot;
  readonly model: StoreModel;
}

function randomOperations(make: Make, seeds: readonly number[]): void {
  for (const seed of seeds) {
    test(`random commits, snapshots, checkpoints and restarts agree with the model, seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const subject = make();
      let model = new StoreModel();
      for (let life = 0; life < 3; life += 1) {
        const store = await subject.open();
        model.verify(store, RANDOM_TREES);
        model = await liveOnce(random, store, model);
        await checkAndClose(store);
      }
    });
  }
}

async function liveOnce(random: SeededRandom, store: Store, start: StoreModel): Promise<StoreModel> {
  let model = start;
  const held: HeldSnapshot[] = [];
  for (let step = 0; step < 150; step += 1) {
    const changes = randomCommit(random);
    const durable = store.commit(changes);
    model = model.after(changes);
    if (random.chance(0.3)) await durable;
    if (random.chance(0.1)) held.push({ snapshot: store.snapshot(), model });
    if (random.chance(0.1)) releaseOne(random, held);
    if (random.chance(0.05)) await store.checkpoint();
    if (random.chance(0.1)) verifyRanges(random, store, model, 5);
  }
  model.verify(store, RANDOM_TREES);
  while (held.length > 0) releaseOne(random, held);
  await store.settled();
  return model;
}

function releaseOne(random: SeededRandom, held: HeldSnapshot[]): void {
  const [one] = held.splice(random.below(Math.max(held.length, 1)), 1);
  if (one === undefined) return;
  one.model.verify(one.snapshot, RANDOM_TREES);
  verifyRanges(random, one.snapshot, one.model, 3);
  one.snapshot.release();
}
