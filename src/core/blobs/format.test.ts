/**
 * Blobs that earlier releases wrote, in `fixtures/<format>`: read for ever. The files are never written again; a
 * new format gets a folder of its own beside the old ones.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { openBlobs } from './blobs.ts';
import type { Blobs } from './types.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);
const FOLDER = '/blobs';
const PRESENT_FORMAT = 1;

/** What each fixture holds, in the order of making: nothing, one chunk, and a little more than one. */
const CONTENTS: readonly Buffer[] = [
  Buffer.alloc(0),
  Buffer.from('a small blob'),
  Buffer.alloc(65_536 + 100, 'two chunks, the second one short. '),
];

/** The ids that were made of the seed. */
function open(files: Files, seed = 1): Promise<Blobs> {
  return openBlobs({ files, folder: FOLDER, random: new SeededRandom(seed) });
}

async function get(blobs: Blobs, id: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of blobs.read(id)) parts.push(part);
  return Buffer.concat(parts);
}

/** How the fixture of the present format was made. */
async function writtenNow(): Promise<{ files: Files; ids: string[] }> {
  const files = createMemoryFiles();
  await using blobs = await open(files);
  const ids: string[] = [];
  for (const content of CONTENTS) {
    const writer = await blobs.create();
    await writer.write(content);
    ids.push((await writer.finish()).id);
  }
  return { files, ids };
}

/** The blobs that were committed, each in its folder. */
async function fixture(format: number): Promise<Files> {
  const files = createMemoryFiles();
  for (const name of readdirSync(new URL(`${format}/`, FIXTURES))) {
    const folder = `${FOLDER}/${name.slice(8, 10)}`;
    await files.makeFolder(folder);
    const file = await files.open(`${folder}/${name}`, 'create');
    await file.write(0, readFileSync(new URL(`${format}/${name}`, FIXTURES)));
    await file.close();
  }
  return files;
}

const formats = readdirSync(FIXTURES).map(Number);

suite('blob format, as released', () => {
  test('the present release writes the bytes of its fixture', async () => {
    const { files, ids } = await writtenNow();
    const names = readdirSync(new URL(`${PRESENT_FORMAT}/`, FIXTURES));
    assert.deepEqual(names.toSorted(), ids.map((id) => `${id}.blob`).toSorted());
    for (const name of names) {
      const file = await files.open(`${FOLDER}/${name.slice(8, 10)}/${name}`, 'read');
      const bytes = Buffer.alloc(file.size());
      await file.read(0, bytes);
      assert.ok(bytes.equals(readFileSync(new URL(`${PRESENT_FORMAT}/${name}`, FIXTURES))), name);
      await file.close();
    }
  });

  for (const format of formats) {
    test(`format ${format}: blobs are read, kept by a sweep, and others made beside them`, async () => {
      const { ids } = await writtenNow();
      const files = await fixture(format);
      const blobs = await open(files, 2);
      const writer = await blobs.create();
      await writer.write(Buffer.from('of the present'));
      const { id: present } = await writer.finish();
      assert.equal(await blobs.sweep((id) => ids.includes(id)), 0);
      await blobs.close();
      await using again = await open(files, 3);
      for (const [index, id] of ids.entries())
        assert.ok((await get(again, id)).equals(CONTENTS[index] as Buffer), `blob ${index}`);
      assert.equal((await get(again, present)).toString(), 'of the present');
    });
  }
});
