import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { systemFiles } from '../files/system-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { type JournalUnderTest, journalContract } from '../testing/journal-contract.ts';
import { openFileJournal } from './file-journal.ts';
import { batchesAfter } from './replay.ts';
import { startWriter } from './writer.ts';

async function subjectOn(
  files: Files,
  folder: string,
  segmentBytes: number,
  dispose: () => Promise<void>,
): Promise<JournalUnderTest> {
  const open = () => openFileJournal({ files, folder, random: new SeededRandom(1), segmentBytes });
  let journal = await open();
  const reopen = async () => {
    await journal.close();
    journal = await open();
    return journal;
  };
  const close = async () => {
    await journal.close();
    await dispose();
  };
  return { journal, reopen, [Symbol.asyncDispose]: close };
}

journalContract('file, in memory, tiny segments', () =>
  subjectOn(createMemoryFiles(), '/journal', 500, async () => {}),
);

journalContract("file, on the machine's disk", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'octet-journal-'));
  return subjectOn(systemFiles, `${folder}/journal`, 100_000, () => rm(folder, { recursive: true }));
});

test('a journal that goes on from another begins behind its mark, with an incarnation of its own', async () => {
  const files = createMemoryFiles();
  const random = new SeededRandom(1);
  const original = await openFileJournal({ files, folder: '/original', random });
  const writer = await startWriter(original, { random });
  await writer.propose(Buffer.from('one'));
  const mark = await writer.cut();
  const origin = { incarnation: original.incarnation, mark };
  const begun = await openFileJournal({ files, folder: '/copy', random, origin });
  assert.notEqual(begun.incarnation, original.incarnation);
  const head = await begun.head();
  assert.equal(head.first, mark.position + 1);
  assert.equal(head.last.position, mark.position + 1);
  await begun.close();
  const copy = await openFileJournal({ files, folder: '/copy', random });
  const next = await startWriter(copy, { random });
  assert.equal(await next.propose(Buffer.from('two')), mark.position + 3);
  const batches: string[] = [];
  for await (const batch of batchesAfter(copy, mark))
    batches.push(`${batch.kind} ${batch.records.join(' ')}`);
  const genesis = `genesis ${copy.incarnation} ${original.incarnation}`;
  assert.deepEqual(batches, [genesis, 'epoch ', 'data two']);
  await assert.rejects(batchesAfter(copy, undefined).next(), { code: 'trimmed' });
  for (const one of [writer, next, original, copy]) await one.close();
});
