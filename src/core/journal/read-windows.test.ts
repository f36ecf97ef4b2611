import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { openFileJournal } from './file-journal.ts';
import { READ_WINDOW_BYTES } from './limits.ts';
import { ReadWindows } from './read-windows.ts';
import { groupsAfter } from './replay.ts';
import { startWriter } from './writer.ts';

suite('read windows', () => {
  /** Asks for so many groups, each read into one window. */
  function read(windows: ReadWindows, groups: number, sizeBytes = 100): ArrayBufferLike[] {
    return Array.from({ length: groups }, () => {
      const { buffer } = windows.take(sizeBytes);
      windows.nextGroup();
      return buffer;
    });
  }

  test('a window is used again two groups after the last that looks into it', () => {
    // A group may begin in the window where the one before ends: so each window is at hand for two groups.
    const buffers = read(new ReadWindows(), 9);
    assert.equal(new Set(buffers.slice(0, 3)).size, 3);
    for (const [index, buffer] of buffers.entries())
      assert.ok(buffer === buffers[index % 3], `group ${index}`);
  });

  test('those that are too small are given up for larger ones', () => {
    const windows = new ReadWindows();
    const small = new Set(read(windows, 5));
    const large = new Set(read(windows, 9, READ_WINDOW_BYTES + 1).slice(3));
    assert.equal(large.size, 3);
    for (const buffer of read(windows, 9)) assert.ok(large.has(buffer) && !small.has(buffer));
  });

  test('one that is too large is not kept', () => {
    const windows = new ReadWindows();
    assert.equal(windows.take(9 * READ_WINDOW_BYTES).length, 9 * READ_WINDOW_BYTES);
    assert.equal(new Set(read(windows, 5, 9 * READ_WINDOW_BYTES)).size, 5);
    assert.equal(new Set(read(windows, 9)).size, 3);
  });

  test('a journal read with them has the same batches, each while its group is at hand', async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const random = new SeededRandom(seed);
      const files = createMemoryFiles();
      const journal = await openFileJournal({ files, folder: '/journal', random, segmentBytes: 4_000_000 });
      const writer = await startWriter(journal, { random });
      const records: string[] = [];
      for (let index = 0; index < 60; index += 1) {
        const length = random.pick([0, 10, 1_000, 200_000, index === 30 ? 3 * READ_WINDOW_BYTES : 5]);
        const record = random.bytes(length);
        records.push(record.toString('base64'));
        await writer.propose(record);
      }
      const found: string[] = [];
      const buffers = new Set<ArrayBufferLike>();
      const maxBytes = random.pick([1, 10_000, 300_000, READ_WINDOW_BYTES]);
      for await (const group of groupsAfter(journal, undefined, { reuse: true, maxBytes })) {
        // What is read ahead meanwhile must not touch it.
        for (let turns = 0; turns < 3; turns += 1) await new Promise((resume) => setImmediate(resume));
        for (const { kind, records: some } of group) {
          if (kind !== 'data') continue;
          found.push(...some.map((record) => Buffer.from(record).toString('base64')));
          for (const record of some) buffers.add(record.buffer);
        }
      }
      assert.deepEqual(found, records, `seed ${seed}`);
      assert.ok(buffers.size < 12, `${buffers.size} windows`);
      await writer.close();
      await journal.close();
    }
  });
});
