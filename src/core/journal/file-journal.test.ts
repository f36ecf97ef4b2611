import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SimulatedDisk } from '../files/simulated-files.ts';
import { systemFiles } from '../files/system-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { type JournalUnderTest, journalContract } from '../testing/journal-contract.ts';
import { turn } from '../time/turn.ts';
import { linkBatch } from './batch.ts';
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

test('small batches go through at once where the disk is quick, and never where it is not', async () => {
  for (const isQuick of [true, false]) {
    const files = createMemoryFiles();
    const open = files.open.bind(files);
    let through = 0;
    files.open = async (path, mode) => {
      const file = await open(path, mode);
      const writeThrough = file.writeThrough.bind(file);
      file.writeThrough = (position, bytes) => {
        through++;
        return writeThrough(position, bytes);
      };
      return Object.defineProperty(file, 'isQuick', { value: isQuick });
    };
    const random = new SeededRandom(1);
    const journal = await openFileJournal({ files, folder: '/journal', random });
    const writer = await startWriter(journal, { random });
    for (let count = 0; count < 10; count++) await writer.propose(Buffer.from('small'));
    assert.equal(through, isQuick ? 10 : 0);
    await writer.propose(Buffer.alloc(50_000));
    assert.equal(through, isQuick ? 10 : 0);
    await journal.close();
  }
});

test('of appends at the same position one wins, whether the disk is quick for one, both or neither', async () => {
  for (let seed = 0; seed < 40; seed++) {
    const { files } = new SimulatedDisk({ random: new SeededRandom(seed) });
    const random = new SeededRandom(seed);
    const journal = await openFileJournal({ files, folder: '/journal', random });
    const stored: string[] = [];
    for (let round = 0; round < 10; round++) {
      const { last } = await journal.head();
      const texts = [0, 1, 2].map((which) => `${round} ${'x'.repeat(which * 10)}`);
      const append = async (text: string) => {
        // While another is on its way to the disk, or has yet to begin.
        for (let turns = random.below(4); turns > 0; turns--) await turn();
        return journal.append(
          linkBatch(last.chain, {
            id: random.bytes(16),
            epoch: 1,
            kind: 'data',
            records: [Buffer.from(text)],
          }),
          last.position,
        );
      };
      const results = await Promise.all(texts.map(append));
      stored.push(...texts.filter((_, which) => results[which]!.outcome === 'appended'));
      assert.equal(stored.length, round + 1);
    }
    await journal.close();
    const again = await openFileJournal({ files, folder: '/journal', random });
    const found: string[] = [];
    for await (const group of again.read(2)) found.push(...group.map(({ records }) => String(records[0])));
    assert.deepEqual(found, stored);
    await again.close();
  }
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
