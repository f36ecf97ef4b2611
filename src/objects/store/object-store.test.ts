import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Files } from '../../core/files/files.ts';
import { createMemoryFiles } from '../../core/files/memory-files.ts';
import { SimulatedDisk } from '../../core/files/simulated-files.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { systemClock } from '../../core/time/system-clock.ts';
import { nodeHashing } from '../crypto/hashing.ts';
import type { Engine, IncomingBody } from '../engine/engine.ts';
import { completeMultipartUpload } from '../engine/operations/complete-multipart-upload.ts';
import { copyObject } from '../engine/operations/copy-object.ts';
import { createBucket } from '../engine/operations/create-bucket.ts';
import { createMultipartUpload } from '../engine/operations/create-multipart-upload.ts';
import { deleteObject } from '../engine/operations/delete-object.ts';
import { putObject } from '../engine/operations/put-object.ts';
import { uploadPart } from '../engine/operations/upload-part.ts';
import { DEFAULT_OBJECTS_LIMITS } from '../limits.ts';
import { type ObjectStore, openObjectStore } from './object-store.ts';

const FOLDER = '/objects';
const FIELDS = { system: {}, metadata: {} };

function open(files: Files, random: SeededRandom): Promise<ObjectStore> {
  return openObjectStore({
    files,
    folder: FOLDER,
    clock: systemClock,
    random,
    inlineBytes: 100,
    removalFailed: () => undefined,
  });
}

function engineOn(storage: ObjectStore, random: SeededRandom): Engine {
  return {
    storage,
    hashing: nodeHashing,
    limits: { ...DEFAULT_OBJECTS_LIMITS, minPartBytes: 1 },
    region: 'us-east-1',
    owner: { id: 'o', displayName: 'o' },
    now: () => 0,
    newId: () => random.bytes(16).toString('hex'),
  };
}

function bodyOf(bytes: Buffer): IncomingBody {
  const md5 = nodeHashing.start('MD5');
  md5.update(bytes);
  const crc = nodeHashing.start('CRC64NVME');
  crc.update(bytes);
  const value = crc.digest().toString('base64');
  const checksum = { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value } as const;
  const proof = { sizeBytes: bytes.length, md5: md5.digest(), checksum, asked: value };
  return {
    declaredBytes: bytes.length,
    claimedAlgorithm: undefined,
    async *read() {
      for (let at = 0; at < bytes.length; at += 64) yield bytes.subarray(at, at + 64);
    },
    proof: () => proof,
  };
}

async function put(engine: Engine, key: string, bytes: Buffer): Promise<void> {
  await putObject(engine, { bucket: 'bucket', key, fields: FIELDS, conditions: new Map() }, bodyOf(bytes));
}

async function copy(engine: Engine, from: string, key: string): Promise<void> {
  const source = { bucket: 'bucket', key: from, versionId: undefined };
  const input = {
    bucket: 'bucket',
    key,
    source,
    sourceConditions: new Map(),
    conditions: new Map(),
    algorithm: undefined,
  };
  await copyObject(engine, { ...input, fields: FIELDS });
}

async function upload(engine: Engine, key: string, pieces: readonly Buffer[]): Promise<void> {
  const target = { bucket: 'bucket', key };
  const choice = { algorithm: 'CRC64NVME', checksumType: 'FULL_OBJECT', algorithmChosen: false } as const;
  const { uploadId } = await createMultipartUpload(engine, { ...target, fields: FIELDS, ...choice });
  const parts = [];
  for (const [index, piece] of pieces.entries()) {
    const number = index + 1;
    const { etag } = await uploadPart(engine, { ...target, uploadId, partNumber: number }, bodyOf(piece));
    parts.push({ number, etag, checksums: [] });
  }
  const rest = { conditions: new Map(), claimed: undefined, sizeBytes: undefined };
  await completeMultipartUpload(engine, { ...target, uploadId, parts, ...rest });
}

async function read(storage: ObjectStore, key: string): Promise<Buffer | undefined> {
  const object = storage.object('bucket', key);
  if (object === undefined) return undefined;
  const pieces: Buffer[] = [];
  for await (const piece of storage.openBody(object.content)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function countBlobs(files: Files): Promise<number> {
  let count = 0;
  for (const sub of await files.list(`${FOLDER}/blobs`)) {
    const names = await files.list(`${FOLDER}/blobs/${sub}`);
    count += names.filter((name) => name.endsWith('.blob') || name.endsWith('.draft')).length;
  }
  return count;
}

/** Blobs that objects and parts name. */
function namedBlobs(storage: ObjectStore): number {
  const ids = new Set<string>();
  for (const { key } of storage.objects('bucket', Buffer.alloc(0))) {
    const content = storage.object('bucket', key.toString())?.content ?? [];
    for (const { bodyId, sizeBytes } of content) if (sizeBytes > 100) ids.add(bodyId);
  }
  for (const { id } of storage.uploads('bucket')) {
    for (const { content } of storage.parts(id, 0, 10_000)) {
      for (const { bodyId, sizeBytes } of content) if (sizeBytes > 100) ids.add(bodyId);
    }
  }
  return ids.size;
}

/** Lets removals that nobody waits for happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('object store', () => {
  test('bodies live as long as anything names them', async () => {
    const files = createMemoryFiles();
    const random = new SeededRandom(1);
    const storage = await open(files, random);
    const engine = engineOn(storage, random);
    await createBucket(engine, { bucket: 'bucket', location: undefined });
    const large = random.bytes(1000);
    await put(engine, 'a', large);
    await copy(engine, 'a', 'b');
    await copy(engine, 'b', 'c');
    assert.equal(await countBlobs(files), 1);
    await deleteObject(engine, { bucket: 'bucket', key: 'a', conditions: new Map() });
    await put(engine, 'b', Buffer.from('short'));
    await settle();
    assert.deepEqual(await read(storage, 'c'), large);
    await deleteObject(engine, { bucket: 'bucket', key: 'c', conditions: new Map() });
    await settle();
    assert.equal(await countBlobs(files), 0);
    await copy(engine, 'b', 'd');
    await deleteObject(engine, { bucket: 'bucket', key: 'b', conditions: new Map() });
    assert.equal((await read(storage, 'd'))?.toString(), 'short');
    await storage.close();
  });

  test('an upload becomes an object without a byte moved, and leaves no part behind', async () => {
    const files = createMemoryFiles();
    const random = new SeededRandom(2);
    const storage = await open(files, random);
    const engine = engineOn(storage, random);
    await createBucket(engine, { bucket: 'bucket', location: undefined });
    const pieces = [random.bytes(500), random.bytes(50), random.bytes(700)];
    await upload(engine, 'k', pieces);
    assert.deepEqual(await read(storage, 'k'), Buffer.concat(pieces));
    assert.equal(await countBlobs(files), 2);
    assert.deepEqual(storage.uploads('bucket'), []);
    await deleteObject(engine, { bucket: 'bucket', key: 'k', conditions: new Map() });
    await settle();
    assert.equal(await countBlobs(files), 0);
    assert.deepEqual(await storage.check(), []);
    await storage.close();
  });

  test('a commit of unknown outcome keeps the bytes that it may have named', async () => {
    for (const fault of ['sync', 'write'] as const) {
      const random = new SeededRandom(3);
      const disk = new SimulatedDisk({ random });
      const storage = await open(disk.files, random);
      const engine = engineOn(storage, random);
      await createBucket(engine, { bucket: 'bucket', location: undefined });
      disk.inject = ({ call, path }) =>
        call === fault && path.includes('journal') ? { code: 'EIO' } : undefined;
      const large = random.bytes(1000);
      await assert.rejects(put(engine, 'k', large));
      await settle();
      assert.equal(await countBlobs(disk.files), 1);
      disk.inject = undefined;
      disk.kill();
      const again = await open(disk.files, random);
      const found = await read(again, 'k');
      assert.ok(found === undefined || found.equals(large));
      assert.equal(await countBlobs(disk.files), found === undefined ? 0 : 1);
      await again.close();
    }
  });

  test('a commit that is refused leaves nothing behind', async () => {
    const random = new SeededRandom(4);
    const disk = new SimulatedDisk({ random });
    const storage = await open(disk.files, random);
    const engine = engineOn(storage, random);
    await createBucket(engine, { bucket: 'bucket', location: undefined });
    disk.inject = ({ call, path }) =>
      call === 'write' && path.includes('blobs') ? { code: 'ENOSPC' } : undefined;
    await assert.rejects(put(engine, 'k', random.bytes(1000)), { code: 'no-space' });
    disk.inject = undefined;
    await settle();
    assert.equal(await countBlobs(disk.files), 0);
    await put(engine, 'k', random.bytes(1000));
    await storage.close();
  });

  test('power cuts lose nothing acknowledged, show nothing partial and leave no orphan', async () => {
    for (let seed = 1; seed <= 25; seed++) await surviveCuts(seed);
  });
});

/** What may be found under a key: one state, or several while an operation is under way. */
type Expected = Map<string, (Buffer | undefined)[]>;

const KEYS = ['a', 'b', 'c', 'd/e'];

async function surviveCuts(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const disk = new SimulatedDisk({ random });
  const expected: Expected = new Map(KEYS.map((key) => [key, [undefined]]));
  for (let life = 0; life < 4; life++) {
    const cut = Promise.withResolvers<void>();
    const cutAt = disk.calls + 20 + random.below(150);
    disk.inject = ({ number }) => {
      if (number !== cutAt) return undefined;
      cut.resolve();
      return 'power-cut';
    };
    await Promise.race([live(disk.files, random, expected), cut.promise]);
    await settle();
  }
  disk.inject = undefined;
  const storage = await open(disk.files, random);
  await verify(storage, expected, seed);
  assert.equal(await countBlobs(disk.files), namedBlobs(storage), `seed ${seed}: blobs`);
  assert.deepEqual(await storage.check(), [], `seed ${seed}`);
  await storage.close();
}

async function live(files: Files, random: SeededRandom, expected: Expected): Promise<void> {
  const storage = await open(files, random);
  const engine = engineOn(storage, random);
  await verify(storage, expected, -1);
  if (storage.bucket('bucket') === undefined)
    await createBucket(engine, { bucket: 'bucket', location: undefined });
  const client = async (key: string): Promise<void> => {
    for (;;) await change(engine, random, expected, key);
  };
  await Promise.all(KEYS.map(client));
}

/** One operation on `key`; until it is acknowledged both the old and the new state may be found. */
async function change(engine: Engine, random: SeededRandom, expected: Expected, key: string): Promise<void> {
  const states = expected.get(key)!;
  const bytes = random.bytes(random.below(400));
  if (random.chance(0.2)) {
    states.push(undefined);
    await deleteObject(engine, { bucket: 'bucket', key, conditions: new Map() });
    expected.set(key, [undefined]);
  } else if (random.chance(0.3)) {
    const pieces = [bytes, random.bytes(1 + random.below(300))];
    states.push(Buffer.concat(pieces));
    await upload(engine, key, pieces);
    expected.set(key, [Buffer.concat(pieces)]);
  } else {
    states.push(bytes);
    await put(engine, key, bytes);
    expected.set(key, [bytes]);
  }
}

async function verify(storage: ObjectStore, expected: Expected, seed: number): Promise<void> {
  for (const [key, states] of expected) {
    const found = await read(storage, key);
    const known = states.some((state) => (state === undefined ? found === undefined : found?.equals(state)));
    assert.ok(known, `seed ${seed}: ${key} is none of ${states.length} states`);
    expected.set(key, [found]);
  }
}
