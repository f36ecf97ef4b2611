import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { systemFiles } from '../files/system-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { type JournalUnderTest, journalContract } from '../testing/journal-contract.ts';
import { openFileJournal } from './file-journal.ts';

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
