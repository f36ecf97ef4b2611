import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { openBlobs } from '../blobs/blobs.ts';
import type { Blobs } from '../blobs/types.ts';
import { codeOf } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { type Fault, SimulatedDisk } from '../files/simulated-files.ts';
import type { Random } from '../random/random.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { openStore } from '../store/store.ts';
import type { Change, Store } from '../store/types.ts';
import { checkAndClose, RANDOM_TREES, randomCommit, StoreModel } from '../testing/store-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { backUp, type Durable } from './backup.ts';
import { createFolderSnapshots } from './folder-snapshots.ts';
import { PART_BYTES_MAX } from './limits.ts';
import { restore } from './restore.ts';
import type { SnapshotManifest, SnapshotStore } from './snapshot-store.ts';

/** A store and blobs that its tree `blobs` names, as a service would keep them. */
interface Service extends Durable {
  readonly blobs: Blobs;
}

const shared = new SeededRandom(1);

async function openService(files: Files, folder: string, seed = 1): Promise<Service> {
  const options = { files, random: new SeededRandom(seed) };
  const store = await openStore({ ...options, folder: `${folder}/store`, clock: new SimulatedClock() });
  return { store, blobs: await openBlobs({ ...options, folder: `${folder}/blobs` }) };
}

async function closeService({ store, blobs }: Service): Promise<void> {
  await blobs.close();
  await checkAndClose(store);
}

async function addBlob({ store, blobs }: Service, content: Buffer): Promise<string> {
  const writer = await blobs.create();
  await writer.write(content);
  const { id } = await writer.finish();
  await store.commit([{ kind: 'put', tree: 'blobs', key: Buffer.from(id), value: Buffer.alloc(0) }]);
  return id;
}

async function removeBlob({ store, blobs }: Service, id: string): Promise<void> {
  await store.commit([{ kind: 'delete', tree: 'blobs', key: Buffer.from(id) }]);
  await blobs.remove(id);
}

async function contentOf(blobs: Blobs, id: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of blobs.read(id)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const namedBlobs = (store: Store): string[] => [...store.range('blobs')].map(({ key }) => String(key));

/** What a restored service must hold. */
interface Expected {
  readonly model: StoreModel;
  readonly blobs: ReadonlyMap<string, Buffer>;
}

async function verify(service: Service, { model, blobs }: Expected): Promise<void> {
  model.verify(service.store, RANDOM_TREES);
  assert.deepEqual(namedBlobs(service.store).sort(), [...blobs.keys()].sort());
  await service.blobs.sweep((id) => blobs.has(id));
  for (const [id, content] of blobs) assert.ok((await contentOf(service.blobs, id)).equals(content), id);
}

async function fill(
  service: Service,
  commits: number,
  blobs: number,
  random: SeededRandom = shared,
): Promise<Expected> {
  let model = new StoreModel();
  for (let count = 0; count < commits; count += 1) {
    const changes = randomCommit(random);
    await service.store.commit(changes);
    model = model.after(changes);
  }
  const contents = new Map<string, Buffer>();
  for (let count = 0; count < blobs; count += 1) {
    const content = random.bytes([0, 100, 65_536, 70_000, 300_000][count % 5]!);
    contents.set(await addBlob(service, content), content);
  }
  return { model, blobs: contents };
}

function targetIn(files: Files, folder: string, seed = 9) {
  const seeded: Random = new SeededRandom(seed);
  return { files, random: seeded, storeFolder: `${folder}/store`, blobsFolder: `${folder}/blobs` };
}

const snapshotsIn = (files: Files): SnapshotStore => createFolderSnapshots({ files, folder: '/backup' });

async function verifyRestored(files: Files, folder: string, expected: Expected): Promise<void> {
  const restored = await openService(files, folder, 5);
  await verify(restored, expected);
  await closeService(restored);
}

function forwarded(snapshots: SnapshotStore): SnapshotStore {
  return {
    list: () => snapshots.list(),
    write: (snapshot, body) => snapshots.write(snapshot, body),
    read: (manifest) => snapshots.read(manifest),
    delete: (manifest) => snapshots.delete(manifest),
  };
}

/** Fails when a part is changed after the next has been asked for, or made before. */
async function* oneAtATime(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  for await (const part of body) {
    const before = Buffer.from(part);
    yield part;
    assert.ok(before.equals(part), 'a part changed while it was being written');
  }
}

suite('backup and restore', () => {
  test('a restored service holds exactly what was there at the call, though all goes on meanwhile', async () => {
    const files = createMemoryFiles();
    const service = await openService(files, '/live');
    const expected = await fill(service, 300, 12);
    const [first = '', ...rest] = expected.blobs.keys();
    let isOver = false;
    const backedUp = backUp(service, snapshotsIn(files)).finally(() => {
      isOver = true;
    });
    // In the turn of the call, and then all the time: blobs are made and removed, entries change.
    const removed = Promise.all([first, ...rest.slice(0, 6)].map((id) => removeBlob(service, id)));
    let rounds = 0;
    for (; !isOver; rounds += 1) {
      void service.store.commit(randomCommit(shared));
      await new Promise((resume) => setImmediate(resume));
      if (rounds % 10 === 0) await addBlob(service, shared.bytes(1_000));
    }
    assert.ok(rounds > 1);
    const manifest = await backedUp;
    await removed;
    await restore(snapshotsIn(files), manifest, targetIn(files, '/restored'));
    await verifyRestored(files, '/restored', expected);
    await closeService(service);
  });

  test('blobs removed during a backup are gone after it', async () => {
    const files = createMemoryFiles();
    const service = await openService(files, '/live');
    const { blobs } = await fill(service, 0, 3);
    const [id = ''] = blobs.keys();
    const backedUp = backUp(service, snapshotsIn(files));
    await removeBlob(service, id);
    await backedUp;
    await service.blobs.close();
    assert.deepEqual((await files.list(`/live/blobs/${id.slice(8, 10)}`)).includes(`${id}.blob`), false);
    await service.store.close();
  });

  test('an empty store has a backup, and so has one without blobs', async () => {
    const files = createMemoryFiles();
    const service = await openService(files, '/live');
    const manifest = await backUp({ store: service.store }, snapshotsIn(files));
    const { blobsFolder: _, ...target } = targetIn(files, '/restored');
    await restore(snapshotsIn(files), manifest, target);
    await verifyRestored(files, '/restored', { model: new StoreModel(), blobs: new Map() });
    await closeService(service);
  });

  test('what has not changed is stored once, and outlives the older backup', async () => {
    const files = createMemoryFiles();
    const service = await openService(files, '/live');
    const value = shared.bytes(400);
    const put = (index: number): Change => {
      const key = Buffer.from(String(index).padStart(6, '0'));
      return { kind: 'put', tree: 'a', key, value };
    };
    for (let start = 0; start < 20_000; start += 500) {
      await service.store.commit(Array.from({ length: 500 }, (_, offset) => put(start + offset)));
    }
    const snapshots = snapshotsIn(files);
    const first = await backUp(service, snapshots);
    await service.store.commit([{ ...put(10_000), value: Buffer.from('changed') } as Change]);
    const second = await backUp(service, snapshots);
    const keys = new Set(first.parts.map(({ key }) => key));
    const common = second.parts.filter(({ key }) => keys.has(key)).length;
    assert.ok(first.parts.length > 5, `${first.parts.length} parts`);
    assert.ok(common >= second.parts.length - 2, `${common} of ${second.parts.length} parts shared`);
    assert.deepEqual(await snapshots.list(), [second, first]);
    await snapshots.delete(first);
    assert.deepEqual(await snapshots.list(), [second]);
    await restore(snapshots, second, targetIn(files, '/restored'));
    const restored = await openService(files, '/restored');
    assert.equal([...restored.store.range('a')].length, 20_000);
    assert.equal(String(restored.store.get('a', Buffer.from('010000'))), 'changed');
    await closeService(restored);
    await closeService(service);
  });

  test('a second backup of the same state is the first', async () => {
    const files = createMemoryFiles();
    const service = await openService(files, '/live');
    await fill(service, 20, 2);
    const snapshots = snapshotsIn(files);
    const first = await backUp(service, snapshots);
    assert.deepEqual(await backUp(service, snapshots), first);
    assert.deepEqual(await snapshots.list(), [first]);
    await closeService(service);
  });

  test('a restore into a folder that is not empty is refused and changes nothing', async () => {
    const files = createMemoryFiles();
    const service = await openService(files, '/live');
    const expected = await fill(service, 20, 2);
    const manifest = await backUp(service, snapshotsIn(files));
    const targets = [
      { ...targetIn(files, '/restored'), storeFolder: '/live/store' },
      { ...targetIn(files, '/restored'), blobsFolder: '/live/blobs' },
    ];
    for (const target of targets) {
      await assert.rejects(restore(snapshotsIn(files), manifest, target), { code: 'not-empty' });
    }
    assert.deepEqual(await files.list('/restored'), []);
    await verify(service, expected);
    await closeService(service);
  });

  test('values larger than a part come back, and memory is one part at a time', async () => {
    const files = createMemoryFiles();
    const service = await openService(files, '/live');
    const values = [1, 5_000_000, 300_000, 9_000_000].map((size) => shared.bytes(size));
    for (const [index, value] of values.entries()) {
      await service.store.commit([{ kind: 'put', tree: 'a', key: Buffer.of(index), value }]);
    }
    const small = Array.from({ length: 20_000 }, (_, index): Change => {
      return { kind: 'put', tree: 'b', key: Buffer.from(`${index}`), value: Buffer.alloc(500) };
    });
    await service.store.commit(small);
    const blob = await addBlob(service, shared.bytes(10_000_000));
    const snapshots = snapshotsIn(files);
    const manifest = await backUp(service, {
      ...forwarded(snapshots),
      write: (snapshot, body) => snapshots.write(snapshot, oneAtATime(body)),
    });
    // One value, which may fill the part that others began.
    const most = Math.max(...manifest.parts.map(({ bytes }) => bytes));
    assert.ok(most < 9_000_000 + PART_BYTES_MAX + 100, `${most} bytes`);
    const usual = manifest.parts.filter(({ bytes }) => bytes > PART_BYTES_MAX + 70_000);
    assert.ok(usual.length <= 2, `${usual.length} parts of unusual size`);
    await restore(snapshots, manifest, targetIn(files, '/restored'));
    const restored = await openService(files, '/restored');
    for (const [index, value] of values.entries()) {
      assert.ok(restored.store.get('a', Buffer.of(index))?.equals(value), `value ${index}`);
    }
    assert.equal([...restored.store.range('b')].length, 20_000);
    assert.equal((await contentOf(restored.blobs, blob)).length, 10_000_000);
    await closeService(restored);
    await closeService(service);
  });

  test('a backup that is given up leaves nothing, and holds nothing', async () => {
    const files = createMemoryFiles();
    const service = await openService(files, '/live');
    const expected = await fill(service, 100, 5);
    const stop = new AbortController();
    const given = backUp(service, snapshotsIn(files), stop.signal);
    await new Promise((resume) => setImmediate(resume));
    stop.abort(new Error('enough'));
    await assert.rejects(given, /enough/);
    assert.deepEqual(await snapshotsIn(files).list(), []);
    for (const folder of await files.list('/backup/parts')) {
      assert.deepEqual(await files.list(`/backup/parts/${folder}`), []);
    }
    await verify(service, expected);
    await closeService(service);
  });
});

suite('a damaged backup', () => {
  async function backedUp(): Promise<{ disk: SimulatedDisk; manifest: SnapshotManifest }> {
    const disk = new SimulatedDisk({ random: new SeededRandom(3) });
    const service = await openService(disk.files, '/live');
    await fill(service, 30, 4, new SeededRandom(1));
    const manifest = await backUp(service, snapshotsIn(disk.files));
    await closeService(service);
    return { disk, manifest };
  }

  async function refused({ disk, manifest }: Awaited<ReturnType<typeof backedUp>>, message: RegExp) {
    const snapshots = snapshotsIn(disk.files);
    const restored = restore(snapshots, manifest, targetIn(disk.files, '/restored'));
    await assert.rejects(restored, { code: 'damaged', message });
    assert.deepEqual(await disk.files.list('/restored'), []);
  }

  const pathOf = (key: string): string => `/backup/parts/${key.slice(0, 2)}/${key}.part`;

  test('is refused with the name of the part that is rotten, missing or short', async () => {
    const parts = (await backedUp()).manifest.parts.length;
    for (let index = 0; index < parts; index += 1) {
      const damages: [(disk: SimulatedDisk, path: string, bytes: number) => Promise<void>, string][] = [
        [async (disk, path, bytes) => disk.rot(path, Math.floor(bytes / 2)), 'wrong SHA-256'],
        [async (disk, path) => disk.files.remove(path), 'is missing'],
        [
          async (disk, path, bytes) => {
            const file = await disk.files.open(path, 'write');
            await file.truncate(bytes - 1);
            await file.close();
          },
          'bytes instead of',
        ],
      ];
      for (const [damage, why] of damages) {
        const backup = await backedUp();
        const { key, bytes } = backup.manifest.parts[index]!;
        await damage(backup.disk, pathOf(key), bytes);
        await refused(backup, new RegExp(`${key}.*${why}`));
      }
    }
  });

  test('is refused when a part is left out, twice there, or in another place', async () => {
    const backup = await backedUp();
    const { parts } = backup.manifest;
    assert.ok(parts.length > 1);
    const orders = [parts.slice(0, -1), [...parts, parts[0]!], parts.toReversed()];
    for (const order of orders) {
      await refused(
        { ...backup, manifest: { ...backup.manifest, parts: order } },
        /end|offset|bytes|entries/,
      );
    }
  });

  test('is healed by the next backup of the same data', async () => {
    const { disk, manifest } = await backedUp();
    const { key } = manifest.parts[0]!;
    disk.rot(pathOf(key), 100);
    const service = await openService(disk.files, '/live');
    const again = await backUp(service, snapshotsIn(disk.files));
    assert.ok(again.parts.some((part) => part.key === key));
    await closeService(service);
    await restore(snapshotsIn(disk.files), manifest, targetIn(disk.files, '/restored'));
  });

  test('of a newer format is refused, naming both', async () => {
    const { disk, manifest } = await backedUp();
    const newer = { ...manifest, format: 9 };
    const restored = restore(snapshotsIn(disk.files), newer, targetIn(disk.files, '/restored'));
    await assert.rejects(restored, { code: 'newer-format', message: /format 9.*knows 1/ });
  });

  test('whose manifest is torn is no backup, and is replaced by the next', async () => {
    const { disk, manifest } = await backedUp();
    const [name] = await disk.files.list('/backup/snapshots');
    const path = `/backup/snapshots/${name}`;
    for (const cut of [(size: number) => size - 2, () => 0, () => 1]) {
      const file = await disk.files.open(path, 'write');
      await file.truncate(cut(file.size()));
      await file.close();
      assert.deepEqual(await snapshotsIn(disk.files).list(), []);
      const { parts: _, ...place } = manifest;
      const nothing = (async function* (): AsyncGenerator<Buffer> {})();
      await snapshotsIn(disk.files).write(place, nothing);
      assert.equal((await snapshotsIn(disk.files).list()).length, 1);
    }
  });
});

const FAULTS: [string, Fault][] = [
  ['EIO', { code: 'EIO' }],
  ['ENOSPC', { code: 'ENOSPC' }],
  ['a kill', 'kill'],
  ['a power cut', 'power-cut'],
];
const ANSWERS = new Set(['EIO', 'ENOSPC', 'no-space', 'read-only', 'write-failed']);

suite('backup and restore: a fault at every call in turn', () => {
  /** A service whose files are on `disk`, closed. */
  async function prepared(seed: number): Promise<{ disk: SimulatedDisk; expected: Expected }> {
    const disk = new SimulatedDisk({ random: new SeededRandom(seed) });
    const service = await openService(disk.files, '/live');
    const expected = await fill(service, 3, 2);
    await closeService(service);
    return { disk, expected };
  }

  /** The next write of whatever removes what was left behind. */
  async function leavesNothingIdle(files: Files, snapshots: SnapshotStore): Promise<void> {
    const place = { incarnation: '00000000-0000-4000-8000-000000000000', position: 0, epoch: 0, chain: '' };
    const nothing = (async function* (): AsyncGenerator<Buffer> {})();
    const empty = await snapshots.write({ ...place, format: 1 }, nothing);
    await snapshots.delete(empty);
    const named = new Set((await snapshots.list()).flatMap(({ parts }) => parts.map(({ key }) => key)));
    for (const folder of await files.list('/backup/parts')) {
      for (const name of await files.list(`/backup/parts/${folder}`)) {
        assert.ok(named.has(name.slice(0, 64)) && name.endsWith('.part'), `${name} was left behind`);
      }
    }
  }

  interface Outcome {
    /** It came to its end. */
    isDone: boolean;
    /** It made so many calls that the fault met it. */
    isHit: boolean;
  }

  /** Runs `work` with `fault` at its call `at`. */
  async function withFault(
    disk: SimulatedDisk,
    fault: Fault,
    at: number,
    work: () => Promise<unknown>,
  ): Promise<Outcome> {
    const outcome = { isDone: false, isHit: false };
    const gone = Promise.withResolvers<void>();
    const first = disk.calls;
    disk.inject = ({ number }) => {
      if (number !== first + at) return undefined;
      outcome.isHit = true;
      if (typeof fault === 'string') gone.resolve();
      return fault;
    };
    const working = work().then(
      () => {
        outcome.isDone = true;
      },
      (error) => assert.ok(ANSWERS.has(codeOf(error) ?? ''), `call ${at}: ${error.stack}`),
    );
    await Promise.race([working, gone.promise]);
    disk.inject = undefined;
    return outcome;
  }

  for (const [name, fault] of FAULTS) {
    test(`${name} in a backup leaves the service as it was, and a whole backup or none`, async () => {
      let at = 1;
      for (let isOver = false; !isOver; at += 1) {
        const { disk, expected } = await prepared(at);
        const service = await openService(disk.files, '/live');
        const work = () => backUp(service, snapshotsIn(disk.files));
        const { isDone, isHit } = await withFault(disk, fault, at, work);
        isOver = !isHit;
        if (typeof fault !== 'string') await verify(service, expected);
        if (at % 2 === 0) disk.powerCut();
        else disk.kill();
        const again = await openService(disk.files, '/live');
        await verify(again, expected);
        await closeService(again);
        const snapshots = snapshotsIn(disk.files);
        const [manifest] = await snapshots.list();
        assert.ok(manifest !== undefined || !isDone, `call ${at}: the backup is gone`);
        await leavesNothingIdle(disk.files, snapshots);
        if (manifest === undefined) continue;
        await restore(snapshots, manifest, targetIn(disk.files, '/restored'));
        await verifyRestored(disk.files, '/restored', expected);
      }
      assert.ok(at > 20, `${at} calls`);
    });

    test(`${name} in a restore leaves a whole service or none, and the next restore succeeds`, async () => {
      let at = 1;
      for (let isOver = false; !isOver; at += 1) {
        const { disk, expected } = await prepared(at);
        const service = await openService(disk.files, '/live');
        const manifest = await backUp(service, snapshotsIn(disk.files));
        await closeService(service);
        const work = () => restore(snapshotsIn(disk.files), manifest, targetIn(disk.files, '/restored'));
        const { isDone, isHit } = await withFault(disk, fault, at, work);
        isOver = !isHit;
        if (at % 2 === 0) disk.powerCut();
        else disk.kill();
        const hasStore = (await disk.files.list('/restored/store')).length > 0;
        assert.ok(hasStore || !isDone, `call ${at}: the restored store is gone`);
        if (hasStore) await verifyRestored(disk.files, '/restored', expected);
        await restore(snapshotsIn(disk.files), manifest, targetIn(disk.files, '/next'));
        await verifyRestored(disk.files, '/next', expected);
      }
      assert.ok(at > 20, `${at} calls`);
    });
  }
});
