import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { checkAndClose, RANDOM_TREES, randomCommit, StoreModel } from '../testing/store-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { UNDO_CHANGES_MAX } from './limits.ts';
import { openStore, type StoreOptions } from './store.ts';
import type { Change, Store } from './types.ts';

function newDisk(seed = 1): SimulatedDisk {
  return new SimulatedDisk({ random: new SeededRandom(seed) });
}

function openOn(disk: SimulatedDisk, overrides: Partial<StoreOptions> = {}): Promise<Store> {
  const random = new SeededRandom(1);
  return openStore({
    files: disk.files,
    folder: '/store',
    clock: new SimulatedClock(),
    random,
    ...overrides,
  });
}

const put = (key: string, value = ''): Change => ({
  kind: 'put',
  tree: 'a',
  key: Buffer.from(key),
  value: Buffer.from(value),
});

const remove = (key: string): Change => ({ kind: 'delete', tree: 'a', key: Buffer.from(key) });

const LONG = 'x'.repeat(20_000);

const many = (from: number): Change[] =>
  Array.from({ length: UNDO_CHANGES_MAX + 1 }, (_, index) => put(`many ${from + index}`, 'y'));

/** Commits of both ways back, one after the other, on top of `before`. */
const MIXED: readonly (readonly Change[])[] = [
  [put('old', 'changed'), put('new', 'value')],
  [remove('gone'), remove('never there')],
  many(0),
  [put('after the many')],
  [put('long', 'short now'), put('late', LONG)],
  [remove('late'), put('old', 'again')],
  [{ kind: 'delete-range', tree: 'a', from: Buffer.from('m'), to: Buffer.from('n') }],
  [put('old', 'at last')],
];

const BEFORE: readonly Change[] = [put('old', 'value'), put('gone', 'soon'), put('long', LONG)];

suite('taking back refused commits', () => {
  test('commits of every kind that wait together leave no trace when the first is refused', async () => {
    const disk = newDisk();
    const store = await openOn(disk);
    await store.commit(BEFORE);
    const model = new StoreModel().after(BEFORE);
    disk.inject = ({ call }) => (call === 'write' ? { code: 'ENOSPC' } : undefined);
    const outcomes = await Promise.allSettled(MIXED.map((changes) => store.commit(changes)));
    assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(['rejected']));
    model.verify(store, ['a']);
    disk.inject = undefined;
    for (const changes of MIXED) await store.commit(changes);
    MIXED.reduce((before, changes) => before.after(changes), model).verify(store, ['a']);
    await checkAndClose(store);
  });

  test('a random mixture, refused again and again, is as if it had never been', async () => {
    const random = new SeededRandom(7);
    const disk = newDisk();
    const store = await openOn(disk, { dirtyBytes: 100_000 });
    let model = new StoreModel();
    for (let round = 0; round < 40; round += 1) {
      const kept = randomCommit(random, 30);
      await store.commit(kept);
      model = model.after(kept);
      disk.inject = ({ call, path }) =>
        call === 'write' && path.endsWith('.segment') ? { code: 'ENOSPC' } : undefined;
      const refused = Array.from({ length: 6 }, () => store.commit(randomCommit(random, 30)));
      for (const { status } of await Promise.allSettled(refused)) assert.equal(status, 'rejected');
      disk.inject = undefined;
      model.verify(store, RANDOM_TREES);
      assert.deepEqual(await store.check(), []);
    }
    await checkAndClose(store);
  });

  test('a snapshot taken between refused commits shows what it showed', async () => {
    const disk = newDisk();
    const store = await openOn(disk);
    await store.commit(BEFORE);
    disk.inject = ({ call }) => (call === 'write' ? { code: 'ENOSPC' } : undefined);
    const first = store.commit([put('old', 'changed')]);
    using snapshot = store.snapshot();
    const second = store.commit([put('old', 'changed again'), remove('gone')]);
    await assert.rejects(first, { code: 'no-space' });
    await assert.rejects(second, { code: 'no-space' });
    new StoreModel()
      .after(BEFORE)
      .after([put('old', 'changed')])
      .verify(snapshot, ['a']);
    new StoreModel().after(BEFORE).verify(store, ['a']);
    snapshot.release();
    disk.inject = undefined;
    await checkAndClose(store);
  });

  test('a commit that meets a page it cannot read fails alone, not with those it waits with', async () => {
    const disk = newDisk();
    const writing = await openOn(disk);
    const values = Array.from({ length: 2_000 }, (_, index) =>
      put(`key ${String(index).padStart(5)}`, 'value'),
    );
    await writing.commit(values);
    await writing.close();
    const store = await openOn(disk, { cacheBytes: 0 });
    const before = store.commit([put('key     0', 'before')]);
    disk.inject = ({ call, path }) =>
      call === 'read' && path.endsWith('pages') ? { code: 'EIO' } : undefined;
    await assert.rejects(store.commit([put('key     0', 'half'), put('key  1000', 'unread')]), {
      code: 'EIO',
    });
    disk.inject = undefined;
    const after = store.commit([put('key     1', 'after')]);
    await Promise.all([before, after]);
    const model = new StoreModel()
      .after(values)
      .after([put('key     0', 'before'), put('key     1', 'after')]);
    model.verify(store, ['a']);
    await checkAndClose(store);
  });

  test('a neighbour that cannot be read is no reason to keep a key', async () => {
    const disk = newDisk();
    const writing = await openOn(disk);
    const value = 'v'.repeat(1_000);
    const keys = Array.from({ length: 60 }, (_, index) => `key ${String(index).padStart(3)}`);
    await writing.commit(keys.map((key) => put(key, value)));
    await writing.close();
    const store = await openOn(disk, { cacheBytes: 0 });
    assert.ok(store.has('a', Buffer.from(keys[0]!)));
    disk.inject = ({ call, path }) =>
      call === 'read' && path.endsWith('pages') ? { code: 'EIO' } : undefined;
    const removed = keys.slice(0, 6);
    for (const key of removed) await store.commit([remove(key)]);
    disk.inject = undefined;
    assert.deepEqual(
      [...store.range('a')].map(({ key }) => String(key)),
      keys.slice(removed.length),
    );
    await checkAndClose(store);
  });
});
