/**
 * Journals that earlier releases wrote, in `fixtures/<format>`: opened for ever. The files are never written
 * again; a new format gets a folder of its own beside the old ones.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { ID_BYTES, linkBatch } from './batch.ts';
import { describeJournal } from './describe.ts';
import { openFileJournal } from './file-journal.ts';
import { replay } from './replay.ts';
import { SEGMENT_FORMAT } from './segment.ts';
import type { BatchKind, Journal, StoredBatch } from './types.ts';
import { startWriter } from './writer.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);
const FOLDER = '/journal';
const INCARNATION = 'd4e5b37a-8e5f-4ead-b36a-5998c050ab9a';

/** What each fixture holds after its genesis, the same in every format. */
const BATCHES: readonly { kind: BatchKind; epoch: number; records: readonly string[] }[] = [
  { kind: 'epoch', epoch: 1, records: [] },
  { kind: 'data', epoch: 1, records: ['one record'] },
  { kind: 'data', epoch: 1, records: [] },
  { kind: 'data', epoch: 1, records: ['several', '', 'records: ünï'] },
  { kind: 'barrier', epoch: 1, records: [] },
  { kind: 'epoch', epoch: 7, records: [] },
  { kind: 'data', epoch: 7, records: ['large '.repeat(200)] },
  { kind: 'data', epoch: 7, records: ['after'] },
  { kind: 'seal', epoch: 7, records: ['elsewhere'] },
];

const RECORDS = BATCHES.flatMap(({ kind, records }) => (kind === 'data' ? records : []));

function open(files: Files): Promise<Journal> {
  return openFileJournal({ files, folder: FOLDER, random: new SeededRandom(1), segmentBytes: 500 });
}

/** The journal that was committed. */
async function fixture(format: number): Promise<Files> {
  const files = createMemoryFiles();
  await files.makeFolder(FOLDER);
  for (const name of readdirSync(new URL(`${format}/`, FIXTURES))) {
    const file = await files.open(`${FOLDER}/${name}`, 'create');
    await file.write(0, readFileSync(new URL(`${format}/${name}`, FIXTURES)));
    await file.close();
  }
  return files;
}

async function batchesOf(journal: Journal): Promise<StoredBatch[]> {
  const batches: StoredBatch[] = [];
  const { first } = await journal.head();
  for await (const group of journal.read(first)) batches.push(...group);
  return batches;
}

async function recordsOf(journal: Journal): Promise<string[]> {
  const records: string[] = [];
  await replay(journal, undefined, (record) => records.push(Buffer.from(record).toString()));
  return records;
}

/** How the fixture of the present format was made. */
async function writtenNow(): Promise<Files> {
  const files = createMemoryFiles();
  await using journal = await open(files);
  for (const [index, batch] of BATCHES.entries()) {
    const { last } = await journal.head();
    const id = Buffer.alloc(ID_BYTES, index + 1);
    const records = batch.records.map((record) => Buffer.from(record));
    const result = await journal.append(linkBatch(last.chain, { ...batch, id, records }), last.position);
    assert.equal(result.outcome, 'appended');
  }
  return files;
}

const formats = readdirSync(FIXTURES).map(Number);

suite('journal format', () => {
  test('there is a fixture of every format, up to the present one', () => {
    assert.deepEqual(
      formats,
      Array.from({ length: SEGMENT_FORMAT }, (_, index) => index + 1),
    );
  });

  test('the present release writes the bytes of its fixture', async () => {
    const files = await writtenNow();
    const names = readdirSync(new URL(`${SEGMENT_FORMAT}/`, FIXTURES));
    const written = await files.list(FOLDER);
    assert.deepEqual(written, names);
    for (const name of names) {
      const file = await files.open(`${FOLDER}/${name}`, 'read');
      const bytes = Buffer.alloc(file.size());
      await file.read(0, bytes);
      assert.ok(bytes.equals(readFileSync(new URL(`${SEGMENT_FORMAT}/${name}`, FIXTURES))), name);
      await file.close();
    }
  });

  for (const format of formats) {
    test(`format ${format}: opens, holds what was written, takes more, and opens again`, async () => {
      const files = await fixture(format);
      const journal = await open(files);
      assert.equal(journal.incarnation, INCARNATION);
      const batches = await batchesOf(journal);
      const found = batches.slice(1).map(({ kind, epoch, records }) => {
        return { kind, epoch, records: records.map((record) => Buffer.from(record).toString()) };
      });
      assert.deepEqual(found, BATCHES);
      assert.deepEqual(
        batches.map(({ position }) => position),
        batches.map((_, index) => index + 1),
      );
      const writer = await startWriter(journal, { random: new SeededRandom(2) });
      assert.equal(writer.epoch, 8);
      await writer.propose(Buffer.from('of the present'));
      await journal.close();
      const again = await open(files);
      assert.deepEqual(await recordsOf(again), [...RECORDS, 'of the present']);
      await again.close();
    });

    test(`format ${format}: also without its first segment, and with a torn end and room ahead`, async () => {
      const files = await fixture(format);
      const names = await files.list(FOLDER);
      assert.ok(names.length > 2);
      const newest = await files.open(`${FOLDER}/${names.at(-1)}`, 'write');
      await newest.truncate(newest.size() - 1);
      await newest.write(newest.size(), Buffer.alloc(1_000));
      await newest.close();
      await files.remove(`${FOLDER}/${names[0]}`);
      const journal = await open(files);
      const batches = await batchesOf(journal);
      assert.equal(batches.at(-1)?.position, BATCHES.length);
      assert.ok((batches[0]?.position ?? 0) > 1);
      await journal.close();
    });

    test(`format ${format}: can be looked at`, async () => {
      const lines: string[] = [];
      for await (const line of describeJournal(await fixture(format), FOLDER)) lines.push(line);
      assert.match(lines.at(-1) ?? '', /^end: position 10, epoch 7, chain [0-9a-f]{16}$/);
      assert.ok(!lines.some((line) => line.startsWith('!')), lines.join('\n'));
    });
  }
});
