import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSealed } from '../core/backup/sealed-file.ts';
import type { Files } from '../core/files/files.ts';
import { createMemoryFiles } from '../core/files/memory-files.ts';
import { SeededRandom } from '../core/random/seeded-random.ts';
import { openStore } from '../core/store/store.ts';
import type { Store } from '../core/store/types.ts';
import { SimulatedClock } from '../core/time/simulated-clock.ts';
import {
  type Backup,
  copyStates,
  listBackups,
  openStates,
  pruneBackups,
  restoreBackup,
  type StoredBackup,
  sealBackup,
} from './backup.ts';

const SERVICES = ['database', 'queue'];
const TO = '/backups';

function newWorld(files: Files = createMemoryFiles()) {
  return { files, clock: new SimulatedClock(), random: new SeededRandom(1) };
}

type World = ReturnType<typeof newWorld>;

async function withStore(world: World, folder: string, work: (store: Store) => Promise<void>): Promise<void> {
  await using store = await openStore({ ...world, folder: `${folder}/store` });
  await work(store);
}

const textIn = (store: Store): string => String(store.get('a', Buffer.from('k')));

/** Gives the store of each service the value `value`. */
async function write(world: World, dataDir: string, value: string): Promise<void> {
  for (const service of SERVICES) {
    await withStore(world, `${dataDir}/${service}`, async (store) => {
      await store.commit([{ kind: 'put', tree: 'a', key: Buffer.from('k'), value: Buffer.from(value) }]);
    });
  }
}

async function backUp(world: World, dataDir: string): Promise<StoredBackup> {
  await using opened = new AsyncDisposableStack();
  const states = await openStates(world, dataDir, [...SERVICES, 'mail'], opened);
  await world.clock.advance(1_000);
  return sealBackup(world, TO, await copyStates(states, world.files, TO));
}

test('each backup restores what was there then, newest first in the list', async () => {
  const world = newWorld();
  for (const value of ['one', 'two', 'three']) {
    await write(world, '/data', value);
    await backUp(world, '/data');
  }
  const backups = await listBackups(world.files, TO);
  const values = ['three', 'two', 'one'];
  assert.equal(backups.length, 3);
  for (const [index, stored] of backups.entries()) {
    await restoreBackup(world, TO, stored, `/restored/${index}`);
    for (const service of SERVICES) {
      await withStore(world, `/restored/${index}/${service}`, async (store) => {
        assert.equal(textIn(store), values[index]);
      });
    }
  }
});

test('what is pruned is gone, and what is kept still restores', async () => {
  const world = newWorld();
  for (const value of ['one', 'two', 'three']) {
    await write(world, '/data', value);
    await backUp(world, '/data');
  }
  const [newest, ...older] = await listBackups(world.files, TO);
  const removed = await pruneBackups(world.files, TO, 1);
  assert.deepEqual(removed, older);
  assert.deepEqual(await listBackups(world.files, TO), [newest]);
  assert.equal((await world.files.list(`${TO}/snapshots`)).length, SERVICES.length);
  assert.deepEqual(await pruneBackups(world.files, TO, 1), []);
  await restoreBackup(world, TO, newest!, '/restored');
  for (const stored of older) {
    await assert.rejects(restoreBackup(world, TO, stored, '/older'), {
      code: 'damaged',
      message: /no snapshot/,
    });
  }
  assert.deepEqual(await world.files.list('/older'), []);
});

test('a backup of a running service through the back door is refused: its folder is in use', async () => {
  const world = newWorld();
  await write(world, '/data', 'one');
  await withStore(world, '/data/queue', async () => {
    await assert.rejects(backUp(world, '/data'), { code: 'locked' });
  });
  assert.deepEqual(await listBackups(world.files, TO), []);
});

test('a restore into a folder that holds something is refused and changes nothing', async () => {
  const world = newWorld();
  await write(world, '/data', 'one');
  const stored = await backUp(world, '/data');
  await assert.rejects(restoreBackup(world, TO, stored, '/data'), { code: 'not-empty' });
  assert.deepEqual((await world.files.list('/')).sort(), ['backups', 'data']);
});

test('a backup that names folders elsewhere, or has a newer format, is refused', async () => {
  const world = newWorld();
  await write(world, '/data', 'one');
  const { name, backup } = await backUp(world, '/data');
  const [service] = backup.services;
  const bad: [Partial<Backup>, string][] = [
    [{ services: [{ ...service!, service: '../elsewhere' }] }, 'damaged'],
    [{ services: [{ ...service!, storeFolder: '/etc' }] }, 'damaged'],
    [{ services: [{ ...service!, blobsFolder: '..' }] }, 'damaged'],
    [{ format: 9 }, 'newer-format'],
  ];
  for (const [change, code] of bad) {
    const changed = { name, backup: { ...backup, ...change } };
    await assert.rejects(restoreBackup(world, TO, changed, '/restored'), { code });
  }
  assert.deepEqual((await world.files.list('/')).sort(), ['backups', 'data']);
});

test('a file that is torn, or is no backup, is not listed', async () => {
  const world = newWorld();
  await write(world, '/data', 'one');
  const stored = await backUp(world, '/data');
  const folder = `${TO}/backups`;
  await createSealed(world.files, folder, '20260101T000000000Z-00000000.json', ['no backup']);
  await createSealed(world.files, folder, 'notes.json', stored.backup);
  const torn = await world.files.open(`${folder}/20260102T000000000Z-00000000.json`, 'create');
  await torn.write(0, Buffer.from('{"services":[]}\nabc'));
  await torn.close();
  assert.deepEqual(await listBackups(world.files, TO), [stored]);
});
