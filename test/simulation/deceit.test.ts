import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Files } from '../../src/core/files/files.ts';
import { type PlantedInDeceit, runDeceit } from './deceit.ts';
import { ignorePageChecksums } from './planted.ts';

const CLEAN_SEEDS = 150;
const MAX_SEEDS = 500;
const CHUNK_BYTES = 65_536;

/** The content as it lies there, without looking at a checksum. */
async function* readUnverified(files: Files, id: string): AsyncGenerator<Buffer, void> {
  const file = await files.open(`/blobs/${id.slice(8, 10)}/${id}.blob`, 'read');
  const stored = Buffer.alloc(Math.max(0, file.size() - 32));
  await file.read(0, stored);
  await file.close();
  for (let at = 0; at < stored.length; at += CHUNK_BYTES + 4)
    yield stored.subarray(at, Math.min(at + CHUNK_BYTES, stored.length - 4));
}

suite('simulation of a disk that deceives', () => {
  test('a few seeds hold, and every room meets every deceit and names the place', async () => {
    const met = new Set<string>();
    for (let seed = 1; seed <= CLEAN_SEEDS; seed++) {
      const { violations, noticed } = await runDeceit(seed, {});
      assert.deepEqual(violations, [], `seed ${seed}`);
      for (const what of noticed) met.add(what.slice(0, what.indexOf(':')));
    }
    for (const room of ['journal', 'store', 'blobs'])
      for (const deceit of ['lie', 'misdirect', 'flip', 'rot'])
        assert.ok(met.has(`${room}, ${deceit}`), `${room}: no seed shows ${deceit}`);
  });

  const plants: Record<string, PlantedInDeceit> = {
    'nobody remembers how far the journal was': { forgetsMark: true },
    'the checksums of pages are not looked at': { files: ignorePageChecksums },
    'the checksums of blobs are not looked at': { readBlob: readUnverified },
  };
  for (const [name, planted] of Object.entries(plants)) {
    test(`finds the planted bug: ${name}`, async () => {
      for (let seed = 1; seed <= MAX_SEEDS; seed++) {
        if ((await runDeceit(seed, planted)).violations.length > 0) return;
      }
      assert.fail('no seed shows it');
    });
  }
});
