import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { BATCH_HEADER_BYTES, frameBytesOf } from './batch.ts';
import { openFileJournal } from './file-journal.ts';
import { replay } from './replay.ts';
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment.ts';
import type { Journal, Mark } from './types.ts';
import { startWriter } from './writer.ts';

const FOLDER = '/journal';
const GENESIS_BYTES = BATCH_HEADER_BYTES + 4 + 36;

function open(files: Files, segmentBytes = 1_000_000, seed = 1): Promise<Journal> {
  return openFileJournal({ files, folder: FOLDER, random: new SeededRandom(seed), segmentBytes });
}

interface Written {
  readonly files: Files;
  readonly end: Mark;
  /** The path of each segment, in order. */
  readonly segments: string[];
}

/** A journal of `count` data batches of one record each, closed. */
async function written(count: number, segmentBytes?: number, recordBytes = 100): Promise<Written> {
  const files = createMemoryFiles();
  const journal = await open(files, segmentBytes);
  const writer = await startWriter(journal, { random: new SeededRandom(2) });
  for (let index = 0; index < count; index++) await writer.propose(recordOf(index, recordBytes));
  const end = await writer.cut();
  await writer.close();
  await journal.close();
  const names = (await files.list(FOLDER)).filter((name) => name.endsWith('.segment'));
  return { files, end, segments: names.map((name) => `${FOLDER}/${name}`) };
}

function recordOf(index: number, recordBytes: number): Buffer {
  return Buffer.alloc(recordBytes, `record ${index} `);
}

async function bytesOf(files: Files, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read');
  const bytes = Buffer.alloc(file.size());
  await file.read(0, bytes);
  await file.close();
  return bytes;
}

async function replace(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const file = await files.open(path, 'open');
  await file.truncate(0);
  await file.write(0, bytes);
  await file.close();
}

async function copyOf(files: Files): Promise<Files> {
  const copy = createMemoryFiles();
  await copy.makeFolder(FOLDER);
  for (const name of await files.list(FOLDER)) {
    await replace(copy, `${FOLDER}/${name}`, await bytesOf(files, `${FOLDER}/${name}`));
  }
  return copy;
}

async function recordsOf(journal: Journal): Promise<string[]> {
  const records: string[] = [];
  await replay(journal, undefined, (record) => records.push(Buffer.from(record).toString()));
  return records;
}

function expectedRecords(count: number, recordBytes = 100): string[] {
  return Array.from({ length: count }, (_, index) => recordOf(index, recordBytes).toString());
}

suite('file journal: a torn tail', () => {
  test('wherever the last batch is torn off, the ones before are there and the journal goes on', async () => {
    const { files, segments } = await written(3);
    const path = segments[0] as string;
    const whole = await bytesOf(files, path);
    const frameBytes = frameBytesOf([recordOf(0, 100)]);
    for (let cut = 1; cut <= frameBytes; cut++) {
      const torn = await copyOf(files);
      await replace(torn, path, whole.subarray(0, whole.length - cut));
      const journal = await open(torn);
      assert.deepEqual(await recordsOf(journal), expectedRecords(2));
      const writer = await startWriter(journal, { random: new SeededRandom(3) });
      await writer.propose(Buffer.from('after'));
      await journal.close();
      const again = await open(torn);
      assert.deepEqual(await recordsOf(again), [...expectedRecords(2), 'after']);
      await again.close();
    }
  });

  test('zeros and garbage after the last sound batch are cut off', async () => {
    const { files, segments } = await written(2);
    const path = segments[0] as string;
    const whole = await bytesOf(files, path);
    const tails = [Buffer.alloc(5), Buffer.alloc(100_000), new SeededRandom(9).bytes(5000)];
    for (const tail of tails) {
      const torn = await copyOf(files);
      await replace(torn, path, Buffer.concat([whole, tail]));
      const journal = await open(torn);
      assert.deepEqual(await recordsOf(journal), expectedRecords(2));
      await journal.close();
      assert.equal((await torn.stat(path))?.sizeBytes, whole.length);
    }
  });

  test('a torn batch that carries frames of this very journal in a record is still a torn tail', async () => {
    const { files, segments } = await written(2);
    const path = segments[0] as string;
    const journal = await open(files);
    const writer = await startWriter(journal, { random: new SeededRandom(3) });
    await writer.propose(await bytesOf(files, path));
    await journal.close();
    const whole = await bytesOf(files, path);
    await replace(files, path, whole.subarray(0, whole.length - 1));
    const again = await open(files);
    assert.deepEqual(await recordsOf(again), expectedRecords(2));
    await again.close();
  });

  test('a draft that a crash left is removed', async () => {
    const { files } = await written(1);
    await replace(files, `${FOLDER}/0000000000000099.segment.tmp`, Buffer.from('half a head'));
    const journal = await open(files);
    assert.deepEqual(await recordsOf(journal), expectedRecords(1));
    await journal.close();
    assert.deepEqual(
      (await files.list(FOLDER)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });
});

suite('file journal: damage', () => {
  test('a changed byte before the last batch of the last segment stops the opening, naming the place', async () => {
    const { files, segments } = await written(3);
    const path = segments[0] as string;
    const whole = await bytesOf(files, path);
    const lastFrame = whole.length - frameBytesOf([recordOf(0, 100)]);
    for (let at = 0; at < lastFrame; at++) {
      const damaged = await copyOf(files);
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x40;
      await replace(damaged, path, bytes);
      await assert.rejects(open(damaged), (error: { code?: string; message: string }) => {
        assert.match(error.code ?? '', /^(corrupt|newer-format)$/, `offset ${at}: ${error.message}`);
        assert.ok(error.message.includes(path), error.message);
        return true;
      });
      // A refused opening leaves the folder unlocked and untouched.
      assert.ok((await bytesOf(damaged, path)).equals(bytes));
      await (await damaged.lock(FOLDER)).release();
    }
  });

  test('the message tells the offset of the bad batch and what is sound behind it', async () => {
    const { files, segments } = await written(3);
    const path = segments[0] as string;
    const bytes = await bytesOf(files, path);
    const offset = SEGMENT_HEADER_BYTES + GENESIS_BYTES;
    bytes[offset + 60] = 0xff;
    await replace(files, path, bytes);
    const behind = offset + BATCH_HEADER_BYTES;
    await assert.rejects(open(files), {
      code: 'corrupt',
      message: `${path}, offset ${offset}: wrong CRC; what comes after it is not a torn tail: position 3 is sound at offset ${behind}`,
    });
  });

  test('a rotten last batch looks torn, but not to whoever remembers a mark', async () => {
    const { files, segments, end } = await written(3);
    const path = segments[0] as string;
    const bytes = await bytesOf(files, path);
    bytes[bytes.length - 1] = 0;
    await replace(files, path, bytes);
    const journal = await open(files);
    assert.deepEqual(await recordsOf(journal), expectedRecords(2));
    await assert.rejects(
      replay(journal, end, () => {}),
      { code: 'corrupt', message: /its end was lost/ },
    );
    await journal.close();
  });

  test('damage in an earlier segment is found by reading it, and nothing bad is handed out', async () => {
    const { files, segments } = await written(12, 500);
    assert.ok(segments.length > 3);
    const path = segments[1] as string;
    const whole = await bytesOf(files, path);
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 0x01;
      await replace(files, path, bytes);
      const journal = await open(files, 500);
      const seen: string[] = [];
      await assert.rejects(
        replay(journal, undefined, (record) => seen.push(Buffer.from(record).toString())),
        (error: { code?: string; message: string }) => {
          assert.match(error.code ?? '', /^(corrupt|newer-format)$/, error.message);
          return error.message.includes(path);
        },
        `offset ${at}`,
      );
      assert.deepEqual(seen, expectedRecords(seen.length));
      await journal.close();
    }
  });

  test('an earlier segment that is cut short, missing or replaced by an older copy is noticed', async () => {
    const { files, segments } = await written(12, 500);
    const path = segments[1] as string;
    const whole = await bytesOf(files, path);
    const frame = frameBytesOf([recordOf(0, 100)]);
    for (const length of [whole.length - 1, whole.length - frame, SEGMENT_HEADER_BYTES, 10, 0]) {
      await replace(files, path, whole.subarray(0, length));
      const journal = await open(files, 500);
      await assert.rejects(recordsOf(journal), { code: 'corrupt' }, `cut to ${length}`);
      await journal.close();
    }
    await files.remove(path);
    const journal = await open(files, 500);
    await assert.rejects(recordsOf(journal), { code: 'corrupt' });
    await journal.close();
  });

  test('segments of two journals do not mix', async () => {
    const one = await written(12, 500);
    const other = createMemoryFiles();
    const journal = await open(other, 500, 77);
    const writer = await startWriter(journal, { random: new SeededRandom(78) });
    for (let index = 0; index < 12; index++) await writer.propose(recordOf(index, 100));
    await journal.close();
    const path = one.segments[1] as string;
    await replace(one.files, path, await bytesOf(other, path));
    const mixed = await open(one.files, 500);
    await assert.rejects(recordsOf(mixed), { code: 'corrupt', message: /0000000000000004/ });
    await mixed.close();
  });

  test('sound batches in the wrong place are damage, as a misdirected write leaves them', async () => {
    const { files, segments } = await written(5);
    const path = segments[0] as string;
    const whole = await bytesOf(files, path);
    const frameBytes = frameBytesOf([recordOf(0, 100)]);
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [4, 1],
      [1, 4],
    ] as const) {
      const bytes = Buffer.from(whole);
      const placeOf = (index: number) => whole.length - (6 - index) * frameBytes;
      whole.copy(bytes, placeOf(to), placeOf(from), placeOf(from) + frameBytes);
      await replace(files, path, bytes);
      await assert.rejects(open(files), {
        code: 'corrupt',
        message: new RegExp(`position ${from + 2} follows`),
      });
    }
  });

  test('a batch of another history of the same journal breaks the chain', async () => {
    const files = createMemoryFiles();
    await (await open(files)).close();
    const other = await copyOf(files);
    const path = `${FOLDER}/0000000000000001.segment`;
    for (const [index, copy] of [files, other].entries()) {
      const journal = await open(copy);
      const writer = await startWriter(journal, { random: new SeededRandom(index) });
      for (const text of ['a', 'b', 'c']) await writer.propose(Buffer.from(`${text}${index}`));
      await journal.close();
    }
    const bytes = await bytesOf(files, path);
    const frameBytes = frameBytesOf([Buffer.from('b0')]);
    const place = bytes.length - 2 * frameBytes;
    (await bytesOf(other, path)).copy(bytes, place, place, place + frameBytes);
    await replace(files, path, bytes);
    const journal = await open(files);
    await assert.rejects(recordsOf(journal), {
      code: 'corrupt',
      message: `${path}, offset ${place}: the hash chain is broken`,
    });
    await journal.close();
  });

  test('a newer format is refused by name', async () => {
    const { files, segments } = await written(1);
    const path = segments[0] as string;
    const bytes = await bytesOf(files, path);
    bytes.writeUInt32BE(2, 8);
    await replace(files, path, bytes);
    await assert.rejects(open(files), {
      code: 'newer-format',
      message: `${path} has journal format 2; this release reads up to 1`,
    });
  });

  test('an old copy put back is noticed by the mark', async () => {
    const files = createMemoryFiles();
    let journal = await open(files);
    await (await startWriter(journal, { random: new SeededRandom(2) })).propose(Buffer.from('a'));
    await journal.close();
    const old = await copyOf(files);
    journal = await open(files);
    const writer = await startWriter(journal, { random: new SeededRandom(3) });
    await writer.propose(Buffer.from('b'));
    const mark = await writer.cut();
    await journal.close();
    const restored = await open(old);
    await assert.rejects(
      replay(restored, mark, () => {}),
      { code: 'corrupt' },
    );
    const other = await startWriter(restored, { random: new SeededRandom(4) });
    await other.propose(Buffer.from('c'));
    await assert.rejects(
      replay(restored, mark, () => assert.fail('another history')),
      { code: 'corrupt' },
    );
    await restored.close();
  });

  test('a segment under the name of another is noticed', async () => {
    const { files, segments } = await written(12, 500);
    const last = segments.at(-1) as string;
    const name = `${FOLDER}/0000000000000099.segment`;
    await files.rename(last, name);
    const first = Number(/(\d+)\.segment$/.exec(last)?.[1]);
    await assert.rejects(open(files, 500), {
      code: 'corrupt',
      message: `${name} says that its first position is ${first}`,
    });
  });

  test('the header of another segment of this journal is noticed, also in the one before', async () => {
    const { files, segments } = await written(12, 500);
    const path = segments.at(-2) as string;
    const bytes = await bytesOf(files, path);
    (await bytesOf(files, segments.at(-1) as string)).copy(bytes, 0, 0, SEGMENT_HEADER_BYTES);
    await replace(files, path, bytes);
    const journal = await open(files, 500);
    const first = Number(/(\d+)\.segment$/.exec(path)?.[1]);
    const reading = async (from: number): Promise<void> => {
      for await (const _ of journal.read(from));
    };
    await assert.rejects(reading(1), { code: 'corrupt', message: new RegExp(`^${path} does not continue`) });
    const message = new RegExp(`^${path} says that its first position is \\d+$`);
    await assert.rejects(reading(first), { code: 'corrupt', message });
    await journal.close();
  });

  test('a segment of another journal in between is named before anything of it is read', async () => {
    const { files, segments } = await written(12, 500);
    const path = segments[1] as string;
    const bytes = await bytesOf(files, path);
    const { before } = decodeSegmentHeader(bytes, path);
    const incarnation = '00000000-0000-4000-8000-000000000000';
    encodeSegmentHeader({ incarnation, before }).copy(bytes);
    await replace(files, path, bytes);
    const journal = await open(files, 500);
    await assert.rejects(recordsOf(journal), {
      code: 'corrupt',
      message: `${path} belongs to another journal, ${incarnation}`,
    });
    await journal.close();
  });
});
