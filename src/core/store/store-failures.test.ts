import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { type Fault, SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { ProcessFiles } from '../testing/simulated-world/process-files.ts';
import { checkAndClose, StoreModel } from '../testing/store-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { StoreError } from './errors.ts';
import { PAGE_BYTES } from './limits.ts';
import { sealPage } from './page.ts';
import { openStore, type StoreOptions } from './store.ts';
import type { Change, Store } from './types.ts';

const FOLDER = '/store';
const PAGES = '/store/pages';

function newDisk(seed = 1): SimulatedDisk {
  return new SimulatedDisk({ random: new SeededRandom(seed) });
}

function openOn(disk: SimulatedDisk, overrides: Partial<StoreOptions> = {}): Promise<Store> {
  const random = new SeededRandom(disk.calls);
  return openStore({ files: disk.files, folder: FOLDER, clock: new SimulatedClock(), random, ...overrides });
}

const put = (key: string, value = '', tree = 'a'): Change => ({
  kind: 'put',
  tree,
  key: Buffer.from(key),
  value: Buffer.from(value),
});

const keysOf = (store: Store, tree = 'a'): string[] => [...store.range(tree)].map(({ key }) => String(key));

/** The commits of the scenario that is run with a fault at every call in turn. */
const COMMITS: readonly Change[][] = [
  [put('1'), put('2', 'x'.repeat(20_000))],
  [put('3'), { kind: 'delete', tree: 'a', key: Buffer.from('1') }],
  [put('2', 'short'), put('other', 'tree', 'b')],
  [{ kind: 'delete-range', tree: 'a', from: Buffer.from('2') }, put('4', 'y'.repeat(9_000))],
];

interface Outcome {
  acknowledged: number;
  proposed: number;
}

/** Commits one after the other, with a checkpoint after every second one, then closes. */
async function runScenario(disk: SimulatedDisk, outcome: Outcome): Promise<void> {
  const store = await openOn(disk);
  for (const [index, changes] of COMMITS.entries()) {
    outcome.proposed = index + 1;
    await store.commit(changes);
    outcome.acknowledged = index + 1;
    if (index % 2 === 1) await store.checkpoint();
  }
  await store.close();
}

async function callsOfScenario(): Promise<number> {
  const disk = newDisk();
  await runScenario(disk, { acknowledged: 0, proposed: 0 });
  return disk.calls;
}

/** Runs the scenario with `fault` at call `at`, then a power cut or a kill, and looks at what is left. */
async function scenarioWithFault(fault: Fault, at: number, thenPowerCut: boolean): Promise<void> {
  const disk = newDisk(at);
  const outcome: Outcome = { acknowledged: 0, proposed: 0 };
  const gone = Promise.withResolvers<void>();
  disk.inject = ({ number }) => {
    if (number !== at) return undefined;
    if (typeof fault === 'string') gone.resolve();
    return fault;
  };
  await Promise.race([runScenario(disk, outcome).catch(() => undefined), gone.promise]);
  disk.inject = undefined;
  if (thenPowerCut) disk.powerCut();
  else disk.kill();
  const store = await openOn(disk);
  const states = COMMITS.map((_, index) => COMMITS.slice(0, index + 1).flat());
  const models = [[], ...states].map((changes) => new StoreModel().after(changes));
  const found = models.findLastIndex((model) => model.matches(store, ['a', 'b']));
  const { acknowledged, proposed } = outcome;
  assert.ok(
    found >= acknowledged && found <= proposed,
    `call ${at}: found ${found} of ${acknowledged} to ${proposed}`,
  );
  await checkAndClose(store);
}

const faults: [string, Fault][] = [
  ['EIO', { code: 'EIO' }],
  ['ENOSPC', { code: 'ENOSPC' }],
  ['a kill', 'kill'],
  ['a power cut', 'power-cut'],
];
for (const [name, fault] of faults) {
  for (const thenPowerCut of [false, true]) {
    const ending = thenPowerCut ? ' and then a power cut' : '';
    test(`${name} at every call in turn${ending} leaves the old or the new state`, async () => {
      const calls = await callsOfScenario();
      assert.ok(calls > 30);
      for (let at = 1; at <= calls; at += 1) await scenarioWithFault(fault, at, thenPowerCut);
    });
  }
}

test('a failed sync of the journal makes the store read-only, with what is durable to be read', async () => {
  const disk = newDisk();
  const store = await openOn(disk);
  await store.commit([put('kept')]);
  disk.inject = ({ call }) => (call === 'sync' ? { code: 'EIO' } : undefined);
  const lost = store.commit([put('lost')]);
  const after = store.commit([put('after')]);
  await assert.rejects(lost, { code: 'outcome-unknown' });
  await assert.rejects(after, StoreError);
  assert.equal(store.health().state, 'read-only');
  assert.match(JSON.stringify(store.health()), /EIO/);
  assert.deepEqual(keysOf(store), ['kept']);
  assert.equal(store.settled(), undefined);
  disk.inject = undefined;
  await assert.rejects(store.commit([put('later')]), { code: 'read-only' });
  await assert.rejects(store.checkpoint(), { code: 'read-only' });
  await store.close();
});

test('a failed sync of a checkpoint makes the store read-only, and loses nothing', async () => {
  const disk = newDisk();
  const store = await openOn(disk);
  await store.commit([put('kept')]);
  disk.inject = ({ call, path }) => (call === 'sync' && path === PAGES ? { code: 'EIO' } : undefined);
  await assert.rejects(store.checkpoint(), { code: 'read-only' });
  assert.equal(store.health().state, 'read-only');
  disk.inject = undefined;
  await store.close();
  disk.powerCut();
  const again = await openOn(disk);
  assert.deepEqual(keysOf(again), ['kept']);
  await checkAndClose(again);
});

test('a full disk refuses commits and changes nothing, until there is space again', async () => {
  const disk = newDisk();
  const store = await openOn(disk);
  await store.commit([put('before')]);
  using snapshot = store.snapshot();
  disk.capacityBytes = 0;
  const first = store.commit([put('refused', 'x'.repeat(300_000))]);
  const second = store.commit([{ kind: 'delete', tree: 'a', key: Buffer.from('before') }]);
  await assert.rejects(first, { code: 'no-space', retryable: true });
  await assert.rejects(second, { code: 'no-space', retryable: true });
  assert.deepEqual(keysOf(store), ['before']);
  assert.equal(store.health().state, 'ok');
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  await store.commit([put('later')]);
  await store.checkpoint();
  assert.deepEqual(keysOf(store), ['before', 'later']);
  assert.ok(snapshot.has('a', Buffer.from('before')));
  snapshot.release();
  await checkAndClose(store);
});

test('a checkpoint without space fails alone, and the next one succeeds', async () => {
  const disk = newDisk();
  const store = await openOn(disk);
  await store.commit([put('k', 'x'.repeat(50_000))]);
  disk.inject = ({ call, path }) => (call === 'write' && path === PAGES ? { code: 'ENOSPC' } : undefined);
  await assert.rejects(store.checkpoint(), { code: 'no-space' });
  await store.commit([put('l')]);
  disk.inject = undefined;
  await store.checkpoint();
  assert.deepEqual(keysOf(store), ['k', 'l']);
  await checkAndClose(store);
});

test('commits are refused while the disk has no space for a checkpoint that memory needs', async () => {
  const disk = newDisk();
  const store = await openOn(disk, { dirtyBytes: 64 * 1_024 });
  disk.inject = ({ call, path }) => (call === 'write' && path === PAGES ? { code: 'ENOSPC' } : undefined);
  let code: string | undefined;
  for (let count = 0; count < 100 && code === undefined; count += 1) {
    await store.commit([put(`k${count}`, 'x'.repeat(20_000))]).catch((error) => {
      code = error.code;
    });
  }
  assert.equal(code, 'no-space');
  assert.ok(store.stats().cachedBytes < 1_000_000);
  disk.inject = undefined;
  // The refused commit has started another checkpoint; this one waits for it.
  await store.checkpoint();
  await store.commit([put('after')]);
  await checkAndClose(store);
});

test('a page that cannot be read fails the commit that needs it, and nothing else', async () => {
  const disk = newDisk();
  const first = await openOn(disk);
  await first.commit([put('k', '1', 'a'), put('k', '1', 'b')]);
  await first.close();
  const store = await openOn(disk);
  store.get('a', Buffer.from('k'));
  disk.inject = ({ call, path }) => (call === 'read' && path === PAGES ? { code: 'EIO' } : undefined);
  await assert.rejects(store.commit([put('k', '2', 'a'), put('k', '2', 'b')]), { code: 'EIO' });
  assert.equal(String(store.get('a', Buffer.from('k'))), '1');
  disk.inject = undefined;
  await store.commit([put('k', '3', 'a'), put('k', '3', 'b')]);
  await checkAndClose(store);
});

test('a catalog that cannot be read fails the checkpoint alone, and the next one succeeds', async () => {
  let failures = 0;
  for (let at = 1; at <= 3; at += 1) failures += await checkpointWithoutCatalog(at);
  assert.ok(failures > 1, `${failures} checkpoints failed`);
});

/** Lets the read number `at` of a checkpoint fail. @returns how many checkpoints did */
async function checkpointWithoutCatalog(at: number): Promise<number> {
  const disk = newDisk();
  const first = await openOn(disk);
  const name = (index: number) => `${String(index).padStart(3, '0')} ${'x'.repeat(50)}`;
  await first.commit(Array.from({ length: 500 }, (_, index) => put('k', '1', name(index))));
  await first.close();
  const store = await openOn(disk, { cacheBytes: 0 });
  for (const index of [0, 250, 499]) await store.commit([put('k', '2', name(index))]);
  // The pages of the catalog leave the small cache while these are read.
  for (let index = 100; index < 200; index += 1) store.get(name(index), Buffer.from('k'));
  let reads = 0;
  disk.inject = ({ call, path }) =>
    call === 'read' && path === PAGES && ++reads === at ? { code: 'EIO' } : undefined;
  const failed = await store.checkpoint().then(
    () => 0,
    (error) => Number(error.code === 'EIO'),
  );
  disk.inject = undefined;
  assert.equal(store.health().state, 'ok');
  assert.deepEqual(await store.check(), []);
  await store.commit([put('k', '3', name(7))]);
  await store.checkpoint();
  await store.close();
  const again = await openOn(disk);
  const values = [0, 7, 8, 250].map((index) => String(again.get(name(index), Buffer.from('k'))));
  assert.deepEqual(values, ['2', '3', '1', '2']);
  await checkAndClose(again);
  return failed;
}

test('commits are refused, not gathered without end, while no checkpoint can begin', async () => {
  const disk = newDisk();
  const first = await openOn(disk);
  await first.commit(Array.from({ length: 300 }, (_, index) => put('k', '1', `tree ${index}`)));
  await first.close();
  const store = await openOn(disk, { cacheBytes: 0, dirtyBytes: 64 * 1_024 });
  for (let index = 0; index < 100; index += 1) store.get(`tree ${index}`, Buffer.from('k'));
  disk.inject = ({ call, path }) => (call === 'read' && path === PAGES ? { code: 'EIO' } : undefined);
  let code: string | undefined;
  for (let count = 0; count < 100 && code === undefined; count += 1) {
    await store.commit([put(`k${count}`, 'x'.repeat(20_000), 'new')]).catch((error) => {
      code = error.code;
    });
  }
  assert.equal(code, 'overloaded');
  assert.equal(store.health().state, 'ok');
  disk.inject = undefined;
  await store.checkpoint();
  await store.commit([put('after')]);
  await checkAndClose(store);
});

async function filledDisk(): Promise<SimulatedDisk> {
  const disk = newDisk();
  const store = await openOn(disk);
  for (let round = 0; round < 2; round += 1) {
    const changes = Array.from({ length: 500 }, (_, index) => put(`${round} ${index}`, 'x'.repeat(100)));
    await store.commit([...changes, put(`long ${round}`, 'y'.repeat(30_000))]);
    await store.checkpoint();
  }
  await store.close();
  return disk;
}

test('a rotten page is never served: reading names its place, and so does the check', async () => {
  const size = (await (await filledDisk()).files.stat(PAGES))!.sizeBytes;
  for (let page = 2; page < size / PAGE_BYTES; page += 1) {
    const disk = await filledDisk();
    disk.rot(PAGES, page * PAGE_BYTES + 1_000);
    const place = new RegExp(`page ${page} of /store/pages \\(offset ${page * PAGE_BYTES}\\)`);
    const store = await openOn(disk);
    try {
      keysOf(store);
    } catch (error) {
      assert.ok(error instanceof StoreError && error.code === 'corrupt', String(error));
      assert.match(error.message, place);
      assert.match((await store.check()).join('\n'), place);
    }
    await store.close();
  }
});

test('a rotten root loses nothing: the older one and the journal have it all', async () => {
  const intact = await openOn(await filledDisk());
  const expected = keysOf(intact);
  await intact.close();
  for (const page of [0, 1]) {
    const disk = await filledDisk();
    disk.rot(PAGES, page * PAGE_BYTES + 50);
    const store = await openOn(disk);
    assert.deepEqual(keysOf(store), expected);
    await store.commit([put('after')]);
    await store.checkpoint();
    await store.checkpoint();
    await checkAndClose(store);
  }
});

test('without a root a journal that does not begin at its beginning is refused', async () => {
  const disk = newDisk();
  const { openFileJournal } = await import('../journal/file-journal.ts');
  const random = new SeededRandom(1);
  const openJournal = () =>
    openFileJournal({ files: disk.files, folder: `${FOLDER}/journal`, random, segmentBytes: 1_000 });
  const store = await openOn(disk, { openJournal });
  for (let round = 0; round < 4; round += 1) {
    await store.commit([put(`${round}`, 'x'.repeat(2_000))]);
    await store.checkpoint();
  }
  await store.close();
  for (const page of [0, 1]) disk.rot(PAGES, page * PAGE_BYTES + 50);
  await assert.rejects(openOn(disk, { openJournal }), {
    code: 'corrupt',
    message: /no usable root.*root page 0/,
  });
});

test('a file of a newer format is refused, naming both', async () => {
  const disk = await filledDisk();
  const file = await disk.files.open(PAGES, 'write');
  const root = Buffer.alloc(PAGE_BYTES);
  await file.read(0, root);
  root.writeUInt32BE(9, 28);
  sealPage(root);
  await file.write(0, root);
  await file.close();
  await assert.rejects(openOn(disk), { code: 'newer-format', message: /format 9.*knows 2/ });
});

test('pages and a journal that do not belong together are refused', async () => {
  const disk = await filledDisk();
  await disk.files.removeFolder(`${FOLDER}/journal`);
  await assert.rejects(openOn(disk), { code: 'corrupt', message: /belongs to journal/ });
});

test('a second store on the same folder is refused, and does no harm', async () => {
  const disk = newDisk();
  const store = await openOn(disk);
  await assert.rejects(openOn(disk), { code: 'locked' });
  await store.commit([put('k')]);
  await checkAndClose(store);
  await checkAndClose(await openOn(disk));
});

test('a long journal is replayed with bounded memory', async () => {
  const disk = newDisk();
  const store = await openOn(disk, { dirtyBytes: 100_000_000, journalBytes: 100_000_000 });
  for (let count = 0; count < 3_000; count += 1) {
    const durable = store.commit([put(`${(count * 7_919) % 3_000}`, 'x'.repeat(300))]);
    // So that there are many records, not one of all commits.
    if (count % 10 === 0) await durable;
  }
  await store.settled();
  assert.equal(store.stats().checkpoints, 0);
  disk.kill();
  const again = await openOn(disk, { cacheBytes: 128 * 1_024, dirtyBytes: 128 * 1_024 });
  assert.ok(again.stats().cachedBytes < 500_000, `${again.stats().cachedBytes} bytes in memory`);
  assert.equal(keysOf(again).length, 3_000);
  await checkAndClose(again);
});

test('data much larger than the memory can be written, read and deleted', async () => {
  const files = createMemoryFiles();
  const options = { files, folder: FOLDER, clock: new SimulatedClock(), random: new SeededRandom(1) };
  const store = await openStore({ ...options, cacheBytes: 128 * 1_024, dirtyBytes: 128 * 1_024 });
  const key = (index: number) => `key ${String((index * 7_919) % 20_000).padStart(6, '0')}`;
  for (let index = 0; index < 20_000; index += 20) {
    const batch = Array.from({ length: 20 }, (_, offset) => put(key(index + offset), 'x'.repeat(200)));
    await store.commit([...batch, put(`long ${index}`, 'y'.repeat(10_000), 'b')]);
    assert.ok(store.stats().cachedBytes < 2_000_000, `${store.stats().cachedBytes} bytes in memory`);
  }
  assert.equal(keysOf(store).length, 20_000);
  assert.equal([...store.range('b')].length, 1_000);
  await store.commit([{ kind: 'delete-range', tree: 'a', from: Buffer.from('key 000001') }]);
  assert.deepEqual(keysOf(store), ['key 000000']);
  await checkAndClose(store);
});

test('a snapshot held for long costs space in the file, not in memory', async () => {
  const store = await openOn(newDisk(), { cacheBytes: 128 * 1_024, dirtyBytes: 128 * 1_024 });
  const all = (value: string) =>
    Array.from({ length: 2_000 }, (_, index) => put(`${index}`, value.repeat(200)));
  await store.commit(all('0'));
  using snapshot = store.snapshot();
  for (let round = 1; round < 6; round += 1) {
    for (const change of all(String(round))) void store.commit([change]);
    await store.settled();
    await store.checkpoint();
    assert.ok(store.stats().cachedBytes < 2_500_000, `${store.stats().cachedBytes} bytes in memory`);
  }
  for (const { value } of snapshot.range('a')) assert.equal(value[0], '0'.charCodeAt(0));
  snapshot.release();
  await checkAndClose(store);
});

test('the file does not grow when the same data are written again and again', async () => {
  const store = await openOn(newDisk());
  const sizes: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    await store.commit([
      { kind: 'delete-range', tree: 'a', from: Buffer.alloc(0) },
      ...Array.from({ length: 500 }, (_, index) =>
        put(`${index}`, String.fromCharCode(97 + round).repeat(200)),
      ),
    ]);
    await store.checkpoint();
    sizes.push(store.stats().fileBytes);
  }
  assert.equal(sizes[11], sizes[4]);
  await checkAndClose(store);
});

test('the file gives back a free end', async () => {
  const store = await openOn(newDisk());
  await store.commit(Array.from({ length: 400 }, (_, index) => put(`${index}`, 'x'.repeat(10_000))));
  await store.checkpoint();
  const full = store.stats().fileBytes;
  await store.commit([{ kind: 'delete-range', tree: 'a', from: Buffer.from('0') }, put('left')]);
  for (let count = 0; count < 4; count += 1) {
    // A page moves towards the beginning when it changes, and only then.
    await store.commit([put('left', `${count}`)]);
    await store.checkpoint();
  }
  assert.ok(store.stats().fileBytes < full / 10, `${store.stats().fileBytes} of ${full} bytes`);
  assert.deepEqual(keysOf(store), ['left']);
  await checkAndClose(store);
});

test('a commit does not stay in the journal only for longer than the checkpoint age', async () => {
  const clock = new SimulatedClock();
  const store = await openOn(newDisk(), { clock, checkpointAfterMs: 1_000 });
  await store.commit([put('k')]);
  await clock.advance(999);
  assert.equal(store.stats().checkpoints, 0);
  await clock.advance(1);
  // A check waits for its turn behind the checkpoint that has just begun.
  assert.deepEqual(await store.check(), []);
  assert.equal(store.stats().checkpoints, 1);
  await store.close();
});

test('a store that cannot write its last checkpoint closes all the same, and loses nothing', async () => {
  const disk = newDisk();
  {
    await using store = await openOn(disk);
    await store.commit([put('k')]);
    disk.inject = ({ call, path }) => (call === 'write' && path === PAGES ? { code: 'ENOSPC' } : undefined);
  }
  disk.inject = undefined;
  const again = await openOn(disk);
  assert.deepEqual(keysOf(again), ['k']);
  await checkAndClose(again);
});

test('snapshots and scans of a closed store are refused', async () => {
  const store = await openOn(newDisk());
  await store.commit([put('1'), put('2')]);
  const snapshot = store.snapshot();
  const scans = [store.range('a'), snapshot.range('a')];
  for (const scan of scans) scan.next();
  await store.close();
  for (const scan of scans) assert.throws(() => scan.next(), /close/);
  assert.throws(() => snapshot.get('a', Buffer.from('1')), { code: 'closed' });
  snapshot.release();
});

/** The bytes of the page file, as they are now. */
async function pagesOf(disk: SimulatedDisk): Promise<Buffer> {
  const file = await disk.files.open(PAGES, 'read');
  const bytes = Buffer.alloc(file.size());
  await file.read(0, bytes);
  await file.close();
  return bytes;
}

/** Opens the store after page `to` has been given other bytes, reads all of it. @returns the flaw it names */
async function flawAfterWriting(bytes: Buffer, to: number): Promise<string | undefined> {
  const disk = await filledDisk();
  const file = await disk.files.open(PAGES, 'write');
  await file.write(to * PAGE_BYTES, bytes);
  await file.close();
  const store = await openOn(disk);
  try {
    keysOf(store);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof StoreError && error.code === 'corrupt', String(error));
    return error.message;
  } finally {
    await store.close();
  }
}

test('a write that went to the wrong place is seen, though its checksum is right', async () => {
  const bytes = await pagesOf(await filledDisk());
  const pages = bytes.length / PAGE_BYTES;
  const page = bytes.subarray(2 * PAGE_BYTES, 3 * PAGE_BYTES);
  const flaws: string[] = [];
  for (let to = 3; to < pages; to += 1) flaws.push((await flawAfterWriting(page, to)) ?? '');
  const seen = flaws.filter((flaw) => /it is page 2, written to the wrong place/.test(flaw));
  assert.ok(seen.length > 5, flaws.join('\n'));
});

test('a write that was lost is seen, though the old page is sound', async () => {
  const disk = newDisk();
  const store = await openOn(disk);
  const images: Buffer[] = [];
  for (let round = 0; round < 6; round += 1) {
    await store.commit(Array.from({ length: 300 }, (_, index) => put(`${index}`, `${round}`.repeat(100))));
    await store.checkpoint();
    images.push(await pagesOf(disk));
  }
  await store.close();
  const last = images.at(-1)!;
  const before = images[2]!;
  let seen = 0;
  for (let at = 2 * PAGE_BYTES; at < before.length; at += PAGE_BYTES) {
    const old = before.subarray(at, at + PAGE_BYTES);
    if (old.equals(last.subarray(at, at + PAGE_BYTES))) continue;
    const file = await disk.files.open(PAGES, 'write');
    await file.write(at, old);
    const damaged = await openOn(disk);
    const findings = (await damaged.check()).join('\n');
    if (/an older page: a later write was lost/.test(findings)) seen += 1;
    await damaged.close();
    await file.write(at, last.subarray(at, at + PAGE_BYTES));
    await file.close();
  }
  assert.ok(seen > 5, `${seen} lost writes seen`);
});

test('a start that fails at any call leaves no file open and no lock held', async () => {
  for (let at = 1; ; at += 1) {
    const disk = newDisk(at);
    disk.inject = ({ number }) => (number === at ? { code: 'EIO' } : undefined);
    const files = new ProcessFiles(disk.files, async () => undefined);
    const store = await openOn(disk, { files }).catch(() => undefined);
    if (disk.calls < at) break;
    await store?.close().catch(() => undefined);
    assert.deepEqual(files.held, [], `call ${at}`);
  }
});
