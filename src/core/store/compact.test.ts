import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Files, OpenFile } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { type Fault, SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { checkAndClose, RANDOM_TREES, randomCommit, StoreModel } from '../testing/store-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { COMPACTION_PAGES_PER_TURN, PAGE_BYTES } from './limits.ts';
import { openStore, type StoreOptions } from './store.ts';
import type { Change, Store } from './types.ts';

const FOLDER = '/store';

function open(overrides: Partial<StoreOptions> = {}): Promise<Store> {
  const options = { clock: new SimulatedClock(), random: new SeededRandom(1), folder: FOLDER };
  return openStore({ files: createMemoryFiles(), ...options, ...overrides });
}

const put = (key: string, value = '', tree = 'a'): Change => ({
  kind: 'put',
  tree,
  key: Buffer.from(key),
  value: Buffer.from(value),
});
const remove = (key: string, tree = 'a'): Change => ({ kind: 'delete', tree, key: Buffer.from(key) });
const keyOf = (index: number): string => `key ${String(index).padStart(6, '0')}`;

/** Fills the store, then deletes most of it so that what is left lies all over the file. */
async function scatter(store: Store, keys: number, value: (index: number) => string): Promise<void> {
  for (let start = 0; start < keys; start += 100) {
    const batch = Array.from({ length: 100 }, (_, offset) => start + offset);
    await store.commit(batch.map((index) => put(keyOf(index), value(index))));
  }
  await store.checkpoint();
  for (let start = 0; start < keys; start += 100) {
    // Whole leaves go, others stay: each in its place.
    if (start % 500 === 0) continue;
    const batch = Array.from({ length: 100 }, (_, offset) => start + offset);
    await store.commit(batch.map((index) => remove(keyOf(index))));
  }
  await store.checkpoint();
}

const small = (): string => 'x'.repeat(200);
/** From nothing to several pages of its own. */
const mixed = (index: number): string => 'y'.repeat(index % 7 === 0 ? 30_000 : index % 300);

const entriesOf = (store: Store, tree = 'a'): string[] =>
  [...store.range(tree)].map(({ key, value }) => `${key} ${value.length}`);

/** What the pages of the trees alone take, written in order to a store of its own. */
async function bytesWhenFresh(store: Store): Promise<number> {
  const fresh = await open();
  for (const { key, value } of store.range('a')) await fresh.commit([{ kind: 'put', tree: 'a', key, value }]);
  await fresh.checkpoint();
  const bytes = fresh.stats().fileBytes;
  await fresh.close();
  return bytes;
}

/** Counts the pages that are read at once. */
class CountingFiles {
  reads = 0;
  readonly files: Files;

  constructor(inner: Files) {
    const open: Files['open'] = async (path, mode) => {
      const file = await inner.open(path, mode);
      const readSync: OpenFile['readSync'] = (position, into) => {
        this.reads += 1;
        return file.readSync(position, into);
      };
      return withMember(file, 'readSync', readSync);
    };
    this.files = withMember(inner, 'open', open);
  }
}

/** `subject` with another member of this name. */
function withMember<Subject extends object>(subject: Subject, name: keyof Subject, member: unknown): Subject {
  return new Proxy(subject, {
    get(target, asked) {
      const found: unknown = asked === name ? member : Reflect.get(target, asked);
      return typeof found === 'function' ? found.bind(target) : found;
    },
  });
}

suite('compaction', () => {
  const contents: [string, (index: number) => string][] = [
    ['small values', small],
    ['long values', mixed],
  ];
  for (const [name, value] of contents) {
    test(`makes a scattered file about as short as its data: ${name}`, async () => {
      const store = await open();
      await scatter(store, 5_000, value);
      const expected = entriesOf(store);
      const before = store.stats().fileBytes;
      const freed = await store.compact();
      const after = store.stats().fileBytes;
      assert.equal(freed, before - after);
      const fresh = await bytesWhenFresh(store);
      assert.ok(after < fresh * 1.1 + 8 * PAGE_BYTES, `${before} → ${after}, a fresh one has ${fresh}`);
      assert.ok(after < before / 2, `${before} → ${after}`);
      assert.deepEqual(entriesOf(store), expected);
      await checkAndClose(store);
    });
  }

  test('of a file that is as short as its data frees nothing, and a store without trees is one', async () => {
    const store = await open();
    assert.equal(await store.compact(), 0);
    await store.commit(Array.from({ length: 2_000 }, (_, index) => put(keyOf(index), small())));
    await store.compact();
    const { fileBytes } = store.stats();
    await store.compact();
    assert.ok(store.stats().fileBytes <= fileBytes);
    await checkAndClose(store);
  });

  test('what it has made is there after a close and an open', async () => {
    const files = createMemoryFiles();
    const store = await open({ files });
    await scatter(store, 3_000, mixed);
    await store.compact();
    const expected = entriesOf(store);
    await checkAndClose(store);
    const again = await open({ files });
    assert.deepEqual(entriesOf(again), expected);
    await checkAndClose(again);
  });

  test('leaves a snapshot as it is, and gives its places back after its release', async () => {
    const store = await open();
    await scatter(store, 3_000, mixed);
    const expected = entriesOf(store);
    const snapshot = store.snapshot();
    await store.commit([{ kind: 'delete-range', tree: 'a', from: Buffer.from(keyOf(10)) }]);
    await store.compact();
    const held = store.stats().fileBytes;
    assert.deepEqual(
      [...snapshot.range('a')].map(({ key, value }) => `${key} ${value.length}`),
      expected,
    );
    assert.deepEqual(await store.check(), []);
    snapshot.release();
    assert.ok((await store.compact()) > held / 2);
    assert.equal(entriesOf(store).length, 10);
    await checkAndClose(store);
  });

  test('commits, scans and checkpoints that go on meanwhile agree with the model', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = new SeededRandom(seed);
      const store = await open({ cacheBytes: 0, dirtyBytes: 64 * 1_024 });
      let model = new StoreModel();
      const commit = async (): Promise<void> => {
        const changes = randomCommit(random);
        const durable = store.commit(changes);
        model = model.after(changes);
        if (random.chance(0.3)) await durable;
        else await new Promise((resume) => setImmediate(resume));
      };
      for (let count = 0; count < 200; count += 1) await commit();
      let isOver = false;
      const compacted = store.compact().finally(() => {
        isOver = true;
      });
      while (!isOver) {
        for (let count = 0; count < 5; count += 1) await commit();
        using snapshot = store.snapshot();
        const then = model;
        await commit();
        then.verify(snapshot, RANDOM_TREES);
        if (random.chance(0.1)) assert.deepEqual(await store.check(), []);
      }
      await compacted;
      model.verify(store, RANDOM_TREES);
      await checkAndClose(store);
    }
  });

  test('keeps the memory of changed pages within its bound', async () => {
    const dirtyBytes = 256 * 1_024;
    const store = await open({ cacheBytes: 128 * 1_024, dirtyBytes });
    await scatter(store, 5_000, mixed);
    let isOver = false;
    const compacted = store.compact().finally(() => {
      isOver = true;
    });
    let most = 0;
    while (!isOver) {
      await new Promise((resume) => setImmediate(resume));
      most = Math.max(most, store.stats().cachedBytes);
    }
    assert.ok((await compacted) > 1_000_000);
    assert.ok(most < 4 * dirtyBytes, `${most} bytes in memory`);
    await checkAndClose(store);
  });

  test('reads and moves only so many pages in one turn of the event loop', async () => {
    const counting = new CountingFiles(createMemoryFiles());
    const store = await open({ files: counting.files, cacheBytes: 0 });
    await scatter(store, 5_000, mixed);
    await store.commit([put('large', 'z'.repeat(3_000_000), 'b')]);
    await store.commit([{ kind: 'delete-range', tree: 'a', from: Buffer.from(keyOf(4_000)) }]);
    await store.checkpoint();
    let isOver = false;
    const compacted = store.compact().finally(() => {
      isOver = true;
    });
    let most = 0;
    while (!isOver) {
      counting.reads = 0;
      await new Promise((resume) => setImmediate(resume));
      most = Math.max(most, counting.reads);
    }
    assert.ok((await compacted) > 1_000_000);
    // Those of a turn, the way down to a leaf, and what a checkpoint reads of the catalog.
    assert.ok(most <= COMPACTION_PAGES_PER_TURN + 16, `${most} pages in one turn`);
    assert.ok(most > 0);
    await checkAndClose(store);
  });

  test('ends early when told to, and the next one goes on from there', async () => {
    const store = await open({ dirtyBytes: 64 * 1_024 });
    await scatter(store, 5_000, mixed);
    const expected = entriesOf(store);
    const stop = new AbortController();
    const stopped = store.compact(stop.signal);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resume) => setImmediate(resume));
    stop.abort();
    await stopped;
    assert.deepEqual(await store.check(), []);
    await store.compact();
    assert.deepEqual(entriesOf(store), expected);
    await checkAndClose(store);
  });

  test('a close ends it, and leaves nothing behind', async () => {
    const files = createMemoryFiles();
    const store = await open({ files });
    await scatter(store, 3_000, mixed);
    const expected = entriesOf(store);
    const compacted = store.compact();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resume) => setImmediate(resume));
    await store.close();
    await compacted.catch((error) => assert.equal(error.code, 'closed'));
    await assert.rejects(store.compact(), { code: 'closed' });
    const again = await open({ files });
    assert.deepEqual(entriesOf(again), expected);
    await checkAndClose(again);
  });

  test('a page that cannot be read fails it, and harms nothing', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    const store = await open({ files: disk.files, cacheBytes: 0 });
    await scatter(store, 2_000, mixed);
    const expected = entriesOf(store);
    let reads = 0;
    disk.inject = ({ call, path }) =>
      call === 'read' && path.endsWith('/pages') && ++reads % 50 === 0 ? { code: 'EIO' } : undefined;
    await assert.rejects(store.compact(), { code: 'EIO' });
    disk.inject = undefined;
    assert.equal(store.health().state, 'ok');
    assert.deepEqual(await store.check(), []);
    assert.ok((await store.compact()) > 0);
    assert.deepEqual(entriesOf(store), expected);
    await checkAndClose(store);
  });
});

/** What the store below holds, and its compaction, which is run with a fault at every call in turn. */
const KEYS = 160;

async function filledDisk(seed: number): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ random: new SeededRandom(seed) });
  const store = await open({ files: disk.files });
  await store.commit(Array.from({ length: KEYS }, (_, index) => put(keyOf(index), 'z'.repeat(1_500))));
  await store.commit([put('long', 'z'.repeat(30_000), 'b'), put('last', 'z', 'c')]);
  await store.checkpoint();
  await store.commit([
    { kind: 'delete-range', tree: 'a', from: Buffer.alloc(0), to: Buffer.from(keyOf(120)) },
  ]);
  await store.close();
  return disk;
}

suite('compaction: a fault at every call in turn', () => {
  const faults: [string, Fault][] = [
    ['EIO', { code: 'EIO' }],
    ['ENOSPC', { code: 'ENOSPC' }],
    ['a kill', 'kill'],
    ['a power cut', 'power-cut'],
  ];
  for (const [name, fault] of faults) {
    test(`${name} leaves everything as it was`, async () => {
      const sound = await filledDisk(1);
      const intact = await open({ files: sound.files });
      const expected = ['a', 'b', 'c'].map((tree) => entriesOf(intact, tree));
      const first = sound.calls;
      assert.ok((await intact.compact()) > 10 * PAGE_BYTES);
      const calls = sound.calls - first;
      await intact.close();
      assert.ok(calls > 20, `${calls} calls`);
      for (let at = 1; at <= calls; at += 1) await compactWithFault(fault, at, expected);
    });
  }

  async function compactWithFault(fault: Fault, at: number, expected: string[][]): Promise<void> {
    const disk = await filledDisk(at);
    const gone = Promise.withResolvers<void>();
    const store = await open({ files: disk.files });
    const first = disk.calls;
    disk.inject = ({ number }) => {
      if (number !== first + at) return undefined;
      if (typeof fault === 'string') gone.resolve();
      return fault;
    };
    await Promise.race([store.compact().catch(() => undefined), gone.promise]);
    disk.inject = undefined;
    if (at % 2 === 0) disk.powerCut();
    else disk.kill();
    const again = await open({ files: disk.files });
    assert.deepEqual(
      ['a', 'b', 'c'].map((tree) => entriesOf(again, tree)),
      expected,
      `call ${at}`,
    );
    await checkAndClose(again);
  }
});
