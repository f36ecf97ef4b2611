import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type CallInfo, type Fault, SimulatedDisk } from '../files/simulated-files.ts';
import { openFileJournal } from '../journal/file-journal.ts';
import type { Journal, Position, ReadOptions, StoredBatch } from '../journal/types.ts';
import { startWriter } from '../journal/writer.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { checkAndClose, StoreModel } from '../testing/store-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { checkStoreFolder } from './check-folder.ts';
import { PAGE_BYTES } from './limits.ts';
import type { RecoveryProgress } from './replay-progress.ts';
import { openStore, type StoreOptions } from './store.ts';
import type { Change, Store } from './types.ts';

const FOLDER = '/store';
const PAGES = '/store/pages';
const TREES = ['a', 'b'];
/** Small, so that a short journal meets everything that a long one does. */
const SMALL = { cacheBytes: 64 * 1_024, dirtyBytes: PAGE_BYTES, replayBytes: 3_000 } as const;
const WIDE = { dirtyBytes: 1e9, journalBytes: 1e9 } as const;

function openOn(disk: SimulatedDisk, overrides: Partial<StoreOptions> = {}): Promise<Store> {
  const random = new SeededRandom(disk.calls);
  return openStore({ files: disk.files, folder: FOLDER, clock: new SimulatedClock(), random, ...overrides });
}

/** Commits of all kinds, of which the last is the largest. */
function commits(): Change[][] {
  const random = new SeededRandom(3);
  const put = (tree: string, index: number, bytes: number): Change => ({
    kind: 'put',
    tree,
    key: Buffer.from(`key ${String(index).padStart(4, '0')}`),
    value: random.bytes(bytes),
  });
  const all: Change[][] = [];
  for (let index = 0; index < 60; index += 1) {
    const changes = Array.from({ length: 6 }, () =>
      put(random.pick(TREES), random.below(150), 20 + random.below(150)),
    );
    if (index % 9 === 0) changes.push(put('a', random.below(150), 12_000));
    if (index % 7 === 0) changes.push({ kind: 'delete', tree: 'a', key: Buffer.from(`key 00${10 + index}`) });
    if (index % 20 === 5)
      changes.push({
        kind: 'delete-range',
        tree: 'b',
        from: Buffer.from('key 0020'),
        to: Buffer.from('key 0030'),
      });
    all.push(changes);
  }
  return all;
}

/** A disk as a kill leaves it: two roots, and a journal of many records after them. */
async function killedDisk(seed: number): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ random: new SeededRandom(seed) });
  const store = await openOn(disk, WIDE);
  for (const [index, changes] of commits().entries()) {
    await store.commit(changes);
    if (index === 2 || index === 5) await store.checkpoint();
  }
  disk.kill();
  return disk;
}

const expected = new StoreModel().after(commits().flat());

/** Nothing of what was acknowledged may be missing, whatever happened to the starts before. */
async function judge(disk: SimulatedDisk, what: string): Promise<void> {
  const store = await openOn(disk);
  assert.ok(expected.matches(store, TREES), what);
  await checkAndClose(store);
}

/**
 * One recovery with `fault` at its call `at`, then a power cut or a kill, then another look.
 * @returns whether there was such a call: how many there are depends on what is written at the same time
 */
async function recoverWithFault(fault: Fault, at: number, thenPowerCut: boolean): Promise<boolean> {
  const disk = await killedDisk(at);
  const first = disk.calls;
  const gone = Promise.withResolvers<undefined>();
  let isMet = false;
  disk.inject = ({ number }) => {
    if (number !== first + at) return undefined;
    isMet = true;
    if (typeof fault === 'string') gone.resolve(undefined);
    return fault;
  };
  const opening = openOn(disk, { ...SMALL, random: new SeededRandom(1) });
  const store = await Promise.race([opening.catch(() => undefined), gone.promise]);
  disk.inject = undefined;
  // A fault that only costs space does not keep a store from opening; it then has everything.
  if (store !== undefined)
    assert.ok(expected.matches(store, TREES), `opened in spite of a fault at call ${at}`);
  if (thenPowerCut) disk.powerCut();
  else disk.kill();
  await judge(disk, `call ${at}`);
  return isMet;
}

/** The calls of a recovery in which nothing fails. */
async function callsOfRecovery(): Promise<CallInfo[]> {
  const disk = await killedDisk(1);
  const calls: CallInfo[] = [];
  disk.inject = (call) => {
    calls.push(call);
    return undefined;
  };
  await openOn(disk, { ...SMALL, random: new SeededRandom(1) });
  return calls;
}

suite('recovery', () => {
  const faults: readonly [string, Fault][] = [
    ['EIO', { code: 'EIO' }],
    ['ENOSPC', { code: 'ENOSPC' }],
    ['a kill', 'kill'],
    ['a power cut', 'power-cut'],
  ];
  for (const [name, fault] of faults) {
    test(`${name} at every call of a recovery in turn loses nothing`, async () => {
      const calls = (await callsOfRecovery()).length;
      let met = 0;
      for (let at = 1; at <= calls; at += 1) met += Number(await recoverWithFault(fault, at, at % 2 === 0));
      assert.ok(met >= calls - 10, `${met} of ${calls} calls met`);
    });
  }

  test('the recovery of these tests writes pages ahead, takes checkpoints, and reads pages back', async () => {
    const calls = await callsOfRecovery();
    const count = (call: CallInfo['call']): number =>
      calls.filter((one) => one.call === call && one.path === PAGES).length;
    assert.ok(count('write') > 20, `${count('write')} writes`);
    assert.ok(count('sync') >= 5, `${count('sync')} syncs`);
    assert.ok(count('read') > 5, `${count('read')} reads`);
  });

  test('a start that is interrupted goes on from its last checkpoint', async () => {
    const disk = await killedDisk(1);
    const totals: number[] = [];
    const opening = (): Promise<Store> =>
      openOn(disk, { ...SMALL, onRecovery: ({ totalBytes }) => totals.push(totalBytes) });
    const calls = (await callsOfRecovery()).length;
    for (const share of [0.9, 0.9]) {
      const last = disk.calls + Math.floor(calls * share);
      const gone = Promise.withResolvers<undefined>();
      disk.inject = ({ number }) => {
        if (number < last) return undefined;
        gone.resolve(undefined);
        return 'kill';
      };
      await Promise.race([opening().catch(() => undefined), gone.promise]);
      disk.inject = undefined;
      disk.kill();
    }
    assert.ok(totals.at(-1)! < totals[0]!, totals.join(', '));
    await judge(disk, 'after two interrupted starts');
  });

  test('what the journal lends is used before it is used again', async () => {
    const disk = await killedDisk(1);
    const random = new SeededRandom(9);
    const openJournal = async () =>
      lending(await openFileJournal({ files: disk.files, folder: `${FOLDER}/journal`, random }));
    const store = await openOn(disk, { ...SMALL, openJournal });
    assert.ok(expected.matches(store, TREES));
    disk.kill();
    const damages: unknown[] = [];
    await checkStoreFolder({ files: disk.files, folder: FOLDER, report: (damage) => damages.push(damage) });
    assert.deepEqual(damages, [], 'the marks of both checkpoints are those of the journal');
    await judge(disk, 'after a recovery from lent memory');
  });

  test('progress rises from nothing to everything, at most ten times a second', async () => {
    const disk = await killedDisk(1);
    const told: (RecoveryProgress & { at: number })[] = [];
    const clock = new TickingClock();
    const store = await openOn(disk, {
      ...SMALL,
      clock,
      onRecovery: (progress) => told.push({ ...progress, at: clock.ms }),
    });
    assert.equal(told[0]?.doneBytes, 0);
    assert.equal(told.at(-1)?.doneBytes, told[0]?.totalBytes);
    assert.ok(told.length > 5);
    for (const [index, { doneBytes, at }] of told.entries()) {
      const before = told[index - 1];
      if (before === undefined) continue;
      assert.ok(doneBytes >= before.doneBytes);
      assert.ok(index === told.length - 1 || at - before.at >= 100);
    }
    await store.commit([{ kind: 'put', tree: 'a', key: Buffer.from('k'), value: Buffer.from('v') }]);
    await store.close();
    const quiet = await openOn(disk, { onRecovery: () => assert.fail('there is nothing to replay') });
    await checkAndClose(quiet);
  });

  test('a start that only replayed leaves a checkpoint, and the next has nothing of it to replay', async () => {
    const disk = await killedDisk(1);
    const totals: number[] = [];
    const onRecovery = ({ totalBytes }: RecoveryProgress): void => void totals.push(totalBytes);
    await checkAndClose(await openOn(disk, { ...SMALL, onRecovery }));
    const first = totals.at(-1)!;
    await checkAndClose(await openOn(disk, { ...SMALL, onRecovery }));
    assert.ok(totals.at(-1)! < first / 10, totals.join(', '));
  });

  test('others get their turn of the event loop while a long journal is replayed', async () => {
    const disk = await killedDisk(1);
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const store = await openOn(disk, SMALL);
    isOver = true;
    assert.ok(turns > 100, `${turns} turns`);
    await checkAndClose(store);
  });

  test('a record that no store has written stops the start, and names what is wrong', async () => {
    const disk = await killedDisk(1);
    const random = new SeededRandom(9);
    const journal = await openFileJournal({ files: disk.files, folder: `${FOLDER}/journal`, random });
    const writer = await startWriter(journal, { random });
    await writer.propose(Buffer.from([7]));
    await writer.close();
    await journal.close();
    await assert.rejects(openOn(disk, SMALL), { code: 'newer-format', message: /format 7/ });
    await assert.rejects(openOn(disk), { code: 'newer-format' });
  });
});

/** Writes over each batch as soon as a reader who lets its memory be used again is through with it. */
function lending(journal: Journal): Journal {
  const read = async function* (from: Position, options: ReadOptions = {}): AsyncGenerator<StoredBatch[]> {
    assert.equal(options.reuse, true);
    const lent: Buffer[][] = [];
    for await (const group of journal.read(from, options)) {
      for (const batch of group) {
        const chain = Buffer.from(batch.chain);
        const records = batch.records.map((record) => Buffer.from(record));
        yield [{ ...batch, chain, records }];
        lent.push([chain, ...records]);
        if (lent.length > 1) for (const bytes of lent.shift()!) bytes.fill(0xff);
      }
    }
  };
  return new Proxy(journal, {
    get: (target, name) => {
      if (name === 'read') return read;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Ten milliseconds pass whenever somebody looks. */
class TickingClock extends SimulatedClock {
  ms = 0;

  override monotonic(): number {
    this.ms += 10;
    return this.ms;
  }
}
