import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { codeOf } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { type CallInfo, type Fault, SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { openBlobs } from './blobs.ts';
import type { Blobs } from './types.ts';

const FOLDER = '/blobs';

/** Three chunks, so that the middle of a blob fails, too. */
const CONTENT = new SeededRandom(4).bytes(150_000);

function open(disk: SimulatedDisk, seed = 1): Promise<Blobs> {
  return openBlobs({ files: disk.files, folder: FOLDER, random: new SeededRandom(seed) });
}

async function put(blobs: Blobs, content: Buffer = CONTENT): Promise<string> {
  const writer = await blobs.create();
  await writer.write(content);
  return (await writer.finish()).id;
}

async function get(blobs: Blobs, id: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of blobs.read(id)) parts.push(part);
  return Buffer.concat(parts);
}

async function namesIn(files: Files): Promise<string[]> {
  const names: string[] = [];
  for (const folder of await files.list(FOLDER)) names.push(...(await files.list(`${FOLDER}/${folder}`)));
  return names;
}

function failing(call: CallInfo['call'], code: string): (info: CallInfo) => Fault | undefined {
  return (info) => (info.call === call ? { code } : undefined);
}

suite('blobs: a disk that fails', () => {
  test('a full disk refuses the blob, leaves nothing of it, and works again with space', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const disk = new SimulatedDisk({ random: new SeededRandom(seed), capacityBytes: 100_000 });
      await using blobs = await open(disk);
      await assert.rejects(put(blobs), { code: 'no-space', retryable: true });
      assert.deepEqual(await namesIn(disk.files), []);
      const small = await put(blobs, CONTENT.subarray(0, 50_000));
      disk.capacityBytes = 1_000_000;
      const large = await put(blobs);
      assert.ok((await get(blobs, large)).equals(CONTENT));
      assert.ok((await get(blobs, small)).equals(CONTENT.subarray(0, 50_000)));
    }
  });

  for (const call of ['create', 'write', 'sync', 'rename', 'syncFolder'] as const) {
    test(`a ${call} that fails gives up the blob and no other`, async () => {
      const disk = new SimulatedDisk({ random: new SeededRandom(1) });
      await using blobs = await open(disk);
      const id = await put(blobs);
      disk.inject = failing(call, 'EIO');
      await assert.rejects(put(blobs), { code: 'write-failed' });
      disk.inject = undefined;
      assert.deepEqual(await namesIn(disk.files), [`${id}.blob`]);
      const next = await put(blobs);
      for (const one of [id, next]) assert.ok((await get(blobs, one)).equals(CONTENT));
    });
  }

  test('a writer that failed says why at every later call', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1), capacityBytes: 1000 });
    await using blobs = await open(disk);
    const writer = await blobs.create();
    await assert.rejects(writer.write(CONTENT), { code: 'no-space' });
    await assert.rejects(writer.write(CONTENT), { code: 'no-space' });
    await assert.rejects(writer.finish(), { code: 'no-space' });
    await writer.abort();
  });

  test('a disk that cannot be read is not taken for a missing or a corrupt blob', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    await using blobs = await open(disk);
    const id = await put(blobs);
    for (const call of ['open', 'read'] as const) {
      disk.inject = failing(call, 'EIO');
      await assert.rejects(get(blobs, id), { code: 'EIO' });
    }
    disk.inject = undefined;
    assert.ok((await get(blobs, id)).equals(CONTENT));
  });

  test('rot on the disk is found when read', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    const blobs = await open(disk);
    const id = await put(blobs);
    const folder = id.slice(8, 10);
    disk.rot(`${FOLDER}/${folder}/${id}.blob`, 70_000);
    await assert.rejects(get(blobs, id), {
      code: 'corrupt',
      message: `${FOLDER}/${folder}/${id}.blob, chunk 1 at offset 65540: wrong CRC`,
    });
    await blobs.close();
  });
});

suite('blobs: every call fails once', () => {
  for (const fault of ['EIO', 'ENOSPC', 'kill', 'power-cut'] as const) {
    test(`${fault}: a finished blob is there, any other is not or can be swept`, async () => {
      const sound = new SimulatedDisk({ random: new SeededRandom(1) });
      await run(sound, new Set());
      assert.ok(sound.calls > 20);
      for (let number = 1; number <= sound.calls; number++) await failAt(number, fault);
    });
  }

  async function failAt(number: number, fault: 'EIO' | 'ENOSPC' | 'kill' | 'power-cut'): Promise<void> {
    const disk = new SimulatedDisk({ random: new SeededRandom(number) });
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    disk.inject = (info) => {
      if (info.number !== number) return undefined;
      if (fault === 'EIO' || fault === 'ENOSPC') return { code: fault };
      resolve();
      return fault;
    };
    const finished = new Set<string>();
    await Promise.race([run(disk, finished), ended]);
    disk.inject = undefined;
    disk.powerCut();
    const blobs = await open(disk, 2);
    await blobs.sweep((id) => finished.has(id));
    const left = (await namesIn(disk.files)).toSorted();
    const expected = [...finished].map((id) => `${id}.blob`).toSorted();
    assert.deepEqual(left, expected, `call ${number}`);
    for (const id of finished) assert.ok((await get(blobs, id)).equals(CONTENT), `call ${number}`);
    await blobs.close();
  }

  async function run(disk: SimulatedDisk, finished: Set<string>): Promise<void> {
    try {
      await using blobs = await open(disk);
      for (let count = 0; count < 3; count++) finished.add(await put(blobs));
    } catch (error) {
      assert.ok(['EIO', 'ENOSPC', 'no-space', 'write-failed'].includes(codeOf(error) ?? ''), `${error}`);
    }
  }
});

test('closing while a blob is being begun leaves nothing of it', async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const disk = new SimulatedDisk({ random: new SeededRandom(seed) });
    const blobs = await open(disk);
    const begun = blobs.create();
    await blobs.close();
    await begun;
    assert.deepEqual(await namesIn(disk.files), []);
  }
});
