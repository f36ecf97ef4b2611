import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { codeOf } from '../errors.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { type Fault, SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { checkAndClose, RANDOM_TREES, randomCommit, StoreModel } from '../testing/store-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { cloneStore } from './clone.ts';
import { describeStore } from './describe.ts';
import { PAGE_BYTES } from './limits.ts';
import { openStore, type StoreOptions } from './store.ts';
import type { Change, Store } from './types.ts';

const SOURCE = '/source';
const TARGET = '/copies/target';

function open(overrides: Partial<StoreOptions> = {}): Promise<Store> {
  const options = { clock: new SimulatedClock(), random: new SeededRandom(1), folder: SOURCE };
  return openStore({ files: createMemoryFiles(), ...options, ...overrides });
}

const put = (key: string, value = '', tree = 'a'): Change => ({
  kind: 'put',
  tree,
  key: Buffer.from(key),
  value: Buffer.from(value),
});

/** A store with random content, and what it holds. */
async function fill(store: Store, random: SeededRandom, commits: number): Promise<StoreModel> {
  let model = new StoreModel();
  for (let count = 0; count < commits; count += 1) {
    const changes = randomCommit(random);
    await store.commit(changes);
    model = model.after(changes);
  }
  return model;
}

suite('clone', () => {
  test('holds what the source held at the call, while commits to the source go on', async () => {
    for (const seed of [1, 2, 3]) {
      const random = new SeededRandom(seed);
      const files = createMemoryFiles();
      const source = await open({ files });
      const model = await fill(source, random, 150);
      let isOver = false;
      const cloned = cloneStore(source, { files, folder: TARGET, random }).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        void source.commit(randomCommit(random));
        await new Promise((resume) => setImmediate(resume));
      }
      await cloned;
      const clone = await open({ files, folder: TARGET });
      model.verify(clone, RANDOM_TREES);
      assert.equal(clone.stats().trees, model.treeNames.filter((tree) => model.keys(tree).length > 0).length);
      await checkAndClose(clone);
      await checkAndClose(source);
    }
  });

  test('and the source go their own ways', async () => {
    const files = createMemoryFiles();
    const random = new SeededRandom(1);
    const source = await open({ files });
    await source.commit([put('both', '1')]);
    await cloneStore(source, { files, folder: TARGET, random });
    const clone = await open({ files, folder: TARGET });
    await source.commit([put('source')]);
    await clone.commit([put('clone'), put('both', '2')]);
    await checkAndClose(source);
    await checkAndClose(clone);
    const [one, other] = await Promise.all([open({ files }), open({ files, folder: TARGET })]);
    const keys = (store: Store) => [...store.range('a')].map(({ key, value }) => `${key}=${value}`);
    assert.deepEqual(keys(one), ['both=1', 'source=']);
    assert.deepEqual(keys(other), ['both=2', 'clone=']);
    const journals = await Promise.all(
      [SOURCE, TARGET].map(async (folder) => (await describeStore(files, folder)).journal),
    );
    assert.notEqual(journals[0], journals[1]);
    await checkAndClose(one);
    await checkAndClose(other);
  });

  test('of an empty store is an empty store', async () => {
    const files = createMemoryFiles();
    const source = await open({ files });
    await cloneStore(source, { files, folder: TARGET, random: new SeededRandom(1) });
    const clone = await open({ files, folder: TARGET });
    assert.equal(clone.stats().trees, 0);
    await checkAndClose(clone);
    await checkAndClose(source);
  });

  test('into a folder that is not empty, or is the source itself, is refused and changes nothing', async () => {
    const files = createMemoryFiles();
    const random = new SeededRandom(1);
    const source = await open({ files });
    await source.commit([put('k')]);
    await files.makeFolder(TARGET);
    await cloneStore(source, { files, folder: TARGET, random });
    const message = /holds journal already/;
    for (const folder of [TARGET, SOURCE]) {
      await assert.rejects(cloneStore(source, { files, folder, random }), { code: 'not-empty', message });
    }
    assert.deepEqual(await files.list('/copies'), ['target']);
    await checkAndClose(source);
  });

  test('survives one damaged root, and with both it is refused rather than empty', async () => {
    const cut = async (roots: readonly number[]): Promise<SimulatedDisk> => {
      const disk = new SimulatedDisk({ random: new SeededRandom(1) });
      const source = await open({ files: disk.files });
      await source.commit([put('k', 'v')]);
      await cloneStore(source, { files: disk.files, folder: TARGET, random: new SeededRandom(1) });
      await source.close();
      for (const root of roots) disk.rot(`${TARGET}/pages`, root * PAGE_BYTES + 50);
      return disk;
    };
    for (const root of [0, 1]) {
      const clone = await open({ files: (await cut([root])).files, folder: TARGET });
      assert.equal(String(clone.get('a', Buffer.from('k'))), 'v');
      await checkAndClose(clone);
    }
    const { files } = await cut([0, 1]);
    await assert.rejects(open({ files, folder: TARGET }), { code: 'corrupt', message: /no usable root/ });
  });

  test('a capture of a commit that is refused is refused with it', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    const source = await open({ files: disk.files });
    await source.commit([put('kept')]);
    disk.capacityBytes = 0;
    const refused = source.commit([put('refused', 'x'.repeat(3_000_000))]);
    await assert.rejects(source.capture(), { code: 'no-space' });
    await assert.rejects(refused, { code: 'no-space' });
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    const { snapshot } = await source.capture();
    assert.deepEqual(
      [...snapshot.range('a')].map(({ key }) => String(key)),
      ['kept'],
    );
    snapshot.release();
    await checkAndClose(source);
  });
});

suite('clone: a fault at every call in turn', () => {
  const faults: [string, Fault][] = [
    ['EIO', { code: 'EIO' }],
    ['ENOSPC', { code: 'ENOSPC' }],
    ['a kill', 'kill'],
    ['a power cut', 'power-cut'],
  ];
  for (const [name, fault] of faults) {
    test(`${name} leaves the source as it was, and a whole clone or none`, async () => {
      const sound = await sourceDisk(1);
      const store = await open({ files: sound.files });
      const first = sound.calls;
      await clone(store, sound);
      const calls = sound.calls - first;
      await store.close();
      assert.ok(calls > 20, `${calls} calls`);
      for (let at = 1; at <= calls; at += 1) await cloneWithFault(fault, at);
    });
  }

  const random = new SeededRandom(8);
  const changes = Array.from({ length: 8 }, () => randomCommit(random)).flat();
  const model = new StoreModel().after(changes);

  function clone(store: Store, disk: SimulatedDisk): Promise<void> {
    // Little memory: there are checkpoints on the way.
    const options = { files: disk.files, folder: TARGET, random: new SeededRandom(2) };
    return cloneStore(store, { ...options, dirtyBytes: 3 * PAGE_BYTES });
  }

  async function sourceDisk(seed: number): Promise<SimulatedDisk> {
    const disk = new SimulatedDisk({ random: new SeededRandom(seed) });
    const store = await open({ files: disk.files });
    await store.commit(changes);
    await store.close();
    return disk;
  }

  async function cloneWithFault(fault: Fault, at: number): Promise<void> {
    const disk = await sourceDisk(at);
    const gone = Promise.withResolvers<void>();
    const store = await open({ files: disk.files });
    const first = disk.calls;
    disk.inject = ({ number }) => {
      if (number !== first + at) return undefined;
      if (typeof fault === 'string') gone.resolve();
      return fault;
    };
    let isDone = false;
    const cloning = clone(store, disk).then(() => {
      isDone = true;
    });
    await Promise.race([cloning.catch((error) => refusedByDisk(error, at)), gone.promise]);
    disk.inject = undefined;
    if (typeof fault !== 'string') await readOn(store);
    if (at % 2 === 0) disk.powerCut();
    else disk.kill();
    const source = await open({ files: disk.files });
    model.verify(source, RANDOM_TREES);
    await checkAndClose(source);
    const names = await disk.files.list(TARGET);
    if (names.length === 0) return assert.ok(!isDone, `call ${at}: the clone is gone`);
    const copy = await open({ files: disk.files, folder: TARGET });
    model.verify(copy, RANDOM_TREES);
    await checkAndClose(copy);
  }

  function refusedByDisk(error: unknown, at: number): void {
    assert.ok(
      ['EIO', 'ENOSPC', 'no-space', 'read-only'].includes(codeOf(error) ?? ''),
      `call ${at}: ${error}`,
    );
  }

  /** A clone that fails is no concern of the source. */
  async function readOn(store: Store): Promise<void> {
    model.verify(store, RANDOM_TREES);
    assert.equal(store.health().state, 'ok');
    await store.commit([]);
    await store.close();
  }
});
