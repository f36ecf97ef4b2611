import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { storedBytesOf } from './blob-format.ts';
import { openBlobs } from './blobs.ts';
import { SYNC_EVERY_BYTES } from './limits.ts';
import type { Blobs } from './types.ts';

const CHUNK = 65_536;

function open(files: Files, seed = 1): Promise<Blobs> {
  return openBlobs({ files, folder: '/blobs', random: new SeededRandom(seed) });
}

async function put(blobs: Blobs, content: Uint8Array, pieceBytes = content.length): Promise<string> {
  const writer = await blobs.create();
  for (let at = 0; at < content.length; at += pieceBytes)
    await writer.write(content.subarray(at, at + pieceBytes));
  assert.equal(writer.sizeBytes, content.length);
  const info = await writer.finish();
  assert.equal(info.sizeBytes, content.length);
  return info.id;
}

async function get(blobs: Blobs, id: string, range?: { start?: number; end?: number }): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of blobs.read(id, range)) {
    assert.ok(part.length > 0 && part.length <= CHUNK);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function pathOf(files: Files, id: string): Promise<string> {
  for (const folder of await files.list('/blobs')) {
    for (const name of await files.list(`/blobs/${folder}`).catch(() => [])) {
      if (name.startsWith(id)) return `/blobs/${folder}/${name}`;
    }
  }
  throw new assert.AssertionError({ message: `no file of ${id}` });
}

async function filesIn(files: Files): Promise<string[]> {
  const names: string[] = [];
  for (const folder of await files.list('/blobs')) names.push(...(await files.list(`/blobs/${folder}`)));
  return names;
}

suite('blobs', () => {
  for (const sizeBytes of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7]) {
    test(`${sizeBytes} bytes come back, whole and in ranges, after reopening`, async () => {
      const files = createMemoryFiles();
      const content = new SeededRandom(sizeBytes + 1).bytes(sizeBytes);
      const writing = await open(files);
      const ids = [
        await put(writing, content),
        await put(writing, content, 1000),
        await put(writing, content, 100_000),
      ];
      await writing.close();
      await using blobs = await open(files, 2);
      for (const id of ids) {
        assert.match(id, /^[0-9a-f]{32}$/);
        assert.ok((await get(blobs, id)).equals(content));
        assert.equal((await files.stat(await pathOf(files, id)))?.sizeBytes, storedBytesOf(sizeBytes));
      }
      const places = [
        0,
        1,
        5,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        2 * CHUNK,
        sizeBytes - 1,
        sizeBytes,
        sizeBytes + 9,
      ];
      for (const start of places) {
        for (const end of places) {
          if (start < 0 || end < 0) continue;
          const expected = end > start ? content.subarray(start, end) : Buffer.alloc(0);
          assert.ok(
            (await get(blobs, ids[1] as string, { start, end })).equals(expected),
            `${start} to ${end}`,
          );
        }
      }
    });
  }

  test('every changed byte of a file is noticed, and a bad chunk never handed out', async () => {
    const files = createMemoryFiles();
    await using blobs = await open(files);
    const content = new SeededRandom(3).bytes(CHUNK + 100);
    const id = await put(blobs, content);
    const file = await files.open(await pathOf(files, id), 'write');
    for (let at = 0; at < file.size(); at += at > CHUNK - 10 ? 1 : 997) {
      const byte = Buffer.alloc(1);
      await file.read(at, byte);
      await file.write(at, Buffer.from([(byte[0] ?? 0) ^ 0x10]));
      let handedOut = 0;
      await assert.rejects(
        async () => {
          for await (const part of blobs.read(id)) {
            assert.ok(part.equals(content.subarray(handedOut, handedOut + part.length)));
            handedOut += part.length;
          }
        },
        { code: 'corrupt' },
        `offset ${at}`,
      );
      await file.write(at, byte);
    }
    assert.ok((await get(blobs, id)).equals(content));
    for (const sizeBytes of [file.size() - 1, CHUNK + 4, 10, 0]) {
      await file.truncate(sizeBytes);
      await assert.rejects(get(blobs, id), { code: 'corrupt' });
    }
    await file.close();
  });

  test('a sound file under the wrong name is corrupt', async () => {
    const files = createMemoryFiles();
    await using blobs = await open(files);
    const one = await put(blobs, Buffer.from('one'));
    const two = await put(blobs, Buffer.from('two'));
    await files.rename(await pathOf(files, one), await pathOf(files, two));
    await assert.rejects(get(blobs, two), { code: 'corrupt' });
  });

  test("sound chunks in each other's place are corrupt, as a misdirected write leaves them", async () => {
    const files = createMemoryFiles();
    await using blobs = await open(files);
    const id = await put(blobs, new SeededRandom(3).bytes(2 * CHUNK));
    const file = await files.open(await pathOf(files, id), 'write');
    const chunks = [0, 1].map(() => Buffer.alloc(CHUNK + 4));
    for (const [index, chunk] of chunks.entries()) await file.read(index * chunk.length, chunk);
    for (const [index, chunk] of chunks.entries()) await file.write((1 - index) * chunk.length, chunk);
    await assert.rejects(get(blobs, id), { code: 'corrupt', message: /chunk 0 at offset 0/ });
    await assert.rejects(get(blobs, id, { start: CHUNK }), {
      code: 'corrupt',
      message: /chunk 1 at offset 65540/,
    });
    await file.close();
  });

  test('what is missing, removed or no id at all is missing', async () => {
    const files = createMemoryFiles();
    await using blobs = await open(files);
    const id = await put(blobs, Buffer.from('x'));
    await blobs.remove(id);
    await blobs.remove(id);
    await blobs.remove('../../etc/passwd');
    for (const name of [id, 'f'.repeat(32), '', '../../../etc/passwd', `../${id}`, id.toUpperCase()]) {
      await assert.rejects(get(blobs, name), { code: 'missing' });
    }
  });

  test('abort and a failed write leave nothing behind', async () => {
    const files = createMemoryFiles();
    await using blobs = await open(files);
    const writer = await blobs.create();
    await writer.write(Buffer.alloc(100_000));
    await writer.abort();
    await writer.abort();
    await assert.rejects(writer.write(Buffer.from('x')), { code: 'write-failed' });
    await assert.rejects(writer.finish(), { code: 'write-failed' });
    assert.deepEqual(await filesIn(files), []);
  });

  test('closing gives up what is being written and releases the folder', async () => {
    const files = createMemoryFiles();
    const blobs = await open(files);
    await assert.rejects(open(files), { code: 'locked' });
    const writer = await blobs.create();
    await writer.write(Buffer.alloc(100_000));
    await blobs.close();
    await assert.rejects(writer.finish(), { code: 'write-failed' });
    assert.deepEqual(await filesIn(files), []);
    await (await open(files)).close();
  });

  test('sweep removes old orphans and drafts, and spares what is named or new', async () => {
    const files = createMemoryFiles();
    const before = await open(files);
    const named = await put(before, Buffer.from('named'));
    const orphan = await put(before, Buffer.from('orphan'));
    const folder = (await pathOf(files, named)).slice(0, -`/${named}.blob`.length);
    const leftover = await files.open(`${folder}/${'0'.repeat(32)}.draft`, 'create');
    await leftover.close();
    await before.close();

    await using blobs = await open(files, 2);
    const fresh = await put(blobs, Buffer.from('fresh, not committed yet'));
    const unfinished = await blobs.create();
    await unfinished.write(Buffer.from('still coming'));
    assert.equal(await blobs.sweep((id) => id === named), 2);
    assert.equal((await get(blobs, named)).toString(), 'named');
    assert.equal((await get(blobs, fresh)).toString(), 'fresh, not committed yet');
    await assert.rejects(get(blobs, orphan), { code: 'missing' });
    const { id } = await unfinished.finish();
    assert.equal((await get(blobs, id)).toString(), 'still coming');
    assert.equal(await blobs.sweep(() => true), 0);
  });

  test('a large blob is made durable on the way, not all at its end', async () => {
    const files = createMemoryFiles();
    let unsyncedBytes = 0;
    let mostUnsyncedBytes = 0;
    const open: Files['open'] = async (path, mode) => {
      const file = await files.open(path, mode);
      return Object.assign(Object.create(file), {
        size: () => file.size(),
        write: async (position: number, bytes: Uint8Array) => {
          await file.write(position, bytes);
          unsyncedBytes += bytes.length;
          mostUnsyncedBytes = Math.max(mostUnsyncedBytes, unsyncedBytes);
        },
        sync: async () => {
          await file.sync();
          unsyncedBytes = 0;
        },
        close: () => file.close(),
      });
    };
    const watched = new Proxy(files, {
      get(target, name) {
        const member: unknown = name === 'open' ? open : Reflect.get(target, name);
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    await using blobs = await openBlobs({ files: watched, folder: '/blobs', random: new SeededRandom(1) });
    const writer = await blobs.create();
    const part = Buffer.alloc(SYNC_EVERY_BYTES / 4);
    for (let count = 0; count < 9; count++) await writer.write(part);
    await writer.finish();
    assert.equal(unsyncedBytes, 0);
    assert.ok(mostUnsyncedBytes >= SYNC_EVERY_BYTES && mostUnsyncedBytes < SYNC_EVERY_BYTES + 2 * CHUNK);
  });

  test('closed blobs take and give nothing, and close twice', async () => {
    const files = createMemoryFiles();
    const blobs = await open(files);
    const id = await put(blobs, Buffer.from('x'));
    await blobs.close();
    await blobs.close();
    const closed = { code: 'write-failed', message: 'the blobs are closed' };
    await assert.rejects(blobs.create(), closed);
    await assert.rejects(get(blobs, id), closed);
    await assert.rejects(blobs.remove(id), closed);
    await assert.rejects(
      blobs.sweep(() => true),
      closed,
    );
  });

  test('a sweep leaves alone what is not of the blobs', async () => {
    const files = createMemoryFiles();
    await files.makeFolder('/blobs/ab');
    await files.makeFolder('/blobs/notes');
    for (const path of ['/blobs/ab/readme', '/blobs/notes/other.blob', '/blobs/loose'])
      await (await files.open(path, 'create')).close();
    await using blobs = await open(files);
    assert.equal(await blobs.sweep(() => false), 0);
    for (const path of ['/blobs/ab/readme', '/blobs/notes/other.blob', '/blobs/loose'])
      assert.notEqual(await files.stat(path), undefined);
  });
});

suite('blobs: for a backup', () => {
  test('ids are those of whole blobs, of this opening and earlier ones', async () => {
    const files = createMemoryFiles();
    const first = await open(files);
    const old = await put(first, Buffer.from('old'));
    await first.close();
    await using blobs = await open(files, 2);
    const ids = [old, await put(blobs, Buffer.from('new'))];
    const draft = await blobs.create();
    await draft.write(Buffer.from('unfinished'));
    const found: string[] = [];
    for await (const id of blobs.ids()) found.push(id);
    assert.deepEqual(found.sort(), ids.sort());
  });

  test('a held removal takes effect when the last hold is released', async () => {
    const files = createMemoryFiles();
    await using blobs = await open(files);
    const id = await put(blobs, Buffer.from('content'));
    const holds = [blobs.holdRemovals(), blobs.holdRemovals()];
    await blobs.remove(id);
    assert.equal(String(await get(blobs, id)), 'content');
    holds[0]![Symbol.dispose]();
    holds[0]![Symbol.dispose]();
    assert.equal(String(await get(blobs, id)), 'content');
    holds[1]![Symbol.dispose]();
    await new Promise((resume) => setImmediate(resume));
    await assert.rejects(get(blobs, id), { code: 'missing' });
    const next = await put(blobs, Buffer.from('next'));
    await blobs.remove(next);
    await assert.rejects(get(blobs, next), { code: 'missing' });
  });

  test('a sweep waits for holds', async () => {
    const files = createMemoryFiles();
    const first = await open(files);
    await put(first, Buffer.from('orphan'));
    await first.close();
    await using blobs = await open(files, 2);
    const hold = blobs.holdRemovals();
    let isSwept = false;
    const sweeping = blobs
      .sweep(() => false)
      .then((count) => {
        isSwept = true;
        return count;
      });
    await new Promise((resume) => setImmediate(resume));
    assert.equal(isSwept, false);
    hold[Symbol.dispose]();
    assert.equal(await sweeping, 1);
  });

  test('a close does not wait for holds; what they held is an orphan of the next opening', async () => {
    const files = createMemoryFiles();
    const blobs = await open(files);
    const id = await put(blobs, Buffer.from('content'));
    const hold = blobs.holdRemovals();
    await blobs.remove(id);
    await blobs.close();
    hold[Symbol.dispose]();
    await using again = await open(files, 2);
    assert.equal(await again.sweep(() => false), 1);
  });

  test('a blob is made again under its id, once', async () => {
    const files = createMemoryFiles();
    await using blobs = await open(files);
    const id = await put(blobs, Buffer.from('content'));
    await assert.rejects(blobs.recreate(id), { code: 'write-failed', message: /is there already/ });
    await assert.rejects(blobs.recreate('../../etc/passwd'), { code: 'missing' });
    await blobs.remove(id);
    const writer = await blobs.recreate(id);
    await writer.write(Buffer.from('restored'));
    assert.deepEqual(await writer.finish(), { id, sizeBytes: 8 });
    assert.equal(String(await get(blobs, id)), 'restored');
  });
});
