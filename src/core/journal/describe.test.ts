import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { describeJournal } from './describe.ts';
import { openFileJournal } from './file-journal.ts';
import { startWriter } from './writer.ts';

async function linesOf(files: Files): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of describeJournal(files, '/journal')) lines.push(line);
  return lines;
}

async function journalOf(segmentBytes: number, records: number): Promise<Files> {
  const files = createMemoryFiles();
  const random = new SeededRandom(1);
  const journal = await openFileJournal({ files, folder: '/journal', random, segmentBytes });
  const writer = await startWriter(journal, { random });
  for (let index = 0; index < records; index++) await writer.propose(Buffer.from(`record ${index}`));
  await journal.close();
  return files;
}

suite('describeJournal', () => {
  test('a folder without a journal', async () => {
    assert.deepEqual(await linesOf(createMemoryFiles()), ['/journal holds no journal']);
  });

  test('segments, batches and the end, in use or not', async () => {
    const files = await journalOf(400, 4);
    const lines = await linesOf(files);
    const random = new SeededRandom(1);
    const journal = await openFileJournal({ files, folder: '/journal', random });
    const { last } = await journal.head();
    assert.deepEqual(await linesOf(files), lines);
    await journal.close();
    const chain = Buffer.from(last.chain).toString('hex').slice(0, 16);
    const shown = lines.map((line) => line.replaceAll(/[0-9a-f]{16}$/g, '<chain>'));
    const incarnation = `incarnation ${journal.incarnation}`;
    assert.deepEqual(shown, [
      `0000000000000001.segment  332 bytes  ${incarnation}`,
      '  position  epoch  kind     records      bytes     offset  chain',
      '         1      0  genesis        1        112         64  <chain>',
      '         2      1  epoch          0         72        176  <chain>',
      '         3      1  data           1         84        248  <chain>',
      `0000000000000004.segment  316 bytes  ${incarnation}`,
      '  position  epoch  kind     records      bytes     offset  chain',
      '         4      1  data           1         84         64  <chain>',
      '         5      1  data           1         84        148  <chain>',
      '         6      1  data           1         84        232  <chain>',
      'end: position 6, epoch 1, chain <chain>',
    ]);
    assert.ok(lines.at(-1)?.endsWith(chain));
  });

  test('damage is a line, not an error', async () => {
    const files = await journalOf(400, 4);
    const file = await files.open('/journal/0000000000000001.segment', 'write');
    await file.write(270, Buffer.from('!'));
    const lines = await linesOf(files);
    assert.deepEqual(
      lines.filter((line) => line.startsWith('!')),
      ['! offset 248: wrong CRC', '! does not continue the segment before'],
    );
    await file.write(0, Buffer.from('!'));
    assert.deepEqual(
      (await linesOf(files)).filter((line) => line.startsWith('!')),
      ['! /journal/0000000000000001.segment does not begin with a segment header'],
    );
    await file.close();
  });

  test('a journal whose first segments are gone says what it continues', async () => {
    const files = await journalOf(400, 4);
    await files.remove('/journal/0000000000000001.segment');
    const lines = await linesOf(files);
    assert.match(lines[1] ?? '', /^ {2}continues position 3, epoch 1, chain [0-9a-f]{16}$/);
  });

  test('a segment that goes away meanwhile is passed over; a disk that fails is an error', async () => {
    const files = await journalOf(400, 4);
    const gone: Files = { ...forwarded(files), open: (path, mode) => files.open(`${path}.gone`, mode) };
    assert.deepEqual(await linesOf(gone), []);
    const open: Files['open'] = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
    await assert.rejects(linesOf({ ...forwarded(files), open }), { code: 'EIO' });
  });
});

function forwarded(files: Files): Files {
  return {
    open: (path, mode) => files.open(path, mode),
    stat: (path) => files.stat(path),
    realPath: (path) => files.realPath(path),
    list: (folder) => files.list(folder),
    makeFolder: (path) => files.makeFolder(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    removeFolder: (path) => files.removeFolder(path),
    syncFolder: (folder) => files.syncFolder(folder),
    lock: (folder) => files.lock(folder),
  };
}
