import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { runBlobs, simulateBlobs } from './blobs.ts';
import { type Planted, runJournal, simulateJournal } from './journal.ts';
import {
  acknowledgeEarly,
  skipFolderSyncs,
  skipSameWrites,
  skipSyncs,
  skipTruncations,
  takeUnknownForAppended,
} from './planted.ts';

/** `npm run simulate` runs many more. */
const CLEAN_SEEDS = 25;

/** Enough that each of the planted bugs shows. */
const MAX_SEEDS = 400;

async function firstViolation(run: (seed: number) => Promise<string[]>): Promise<string | undefined> {
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const [violation] = await run(seed);
    if (violation !== undefined) return violation;
  }
  return undefined;
}

suite('simulation of the journal', () => {
  test('a few seeds hold', async () => {
    for (let seed = 1; seed <= CLEAN_SEEDS; seed++)
      assert.deepEqual(await simulateJournal(seed), [], `seed ${seed}`);
  });

  const plants: Record<string, Planted> = {
    'every third sync is skipped': { files: (files) => skipSyncs(files, 3) },
    'folders are never synced': { files: skipFolderSyncs },
    'the last batch is not written again when opening': { files: skipSameWrites },
    'a torn tail is not cut off': { files: skipTruncations },
    'acknowledged before the sync': { journal: acknowledgeEarly },
    'a failed sync is taken for a success': { journal: takeUnknownForAppended },
  };
  for (const [name, planted] of Object.entries(plants)) {
    test(`finds the planted bug: ${name}`, async () => {
      const violation = await firstViolation((seed) => runJournal(seed, planted));
      assert.notEqual(violation, undefined, 'no seed shows it');
    });
  }
});

suite('simulation of the blobs', () => {
  test('a few seeds hold', async () => {
    for (let seed = 1; seed <= CLEAN_SEEDS; seed++)
      assert.deepEqual(await simulateBlobs(seed), [], `seed ${seed}`);
  });

  test('finds the planted bug: every third sync is skipped', async () => {
    const violation = await firstViolation((seed) => runBlobs(seed, (files) => skipSyncs(files, 3)));
    assert.notEqual(violation, undefined, 'no seed shows it');
  });

  test('finds the planted bug: folders are never synced', async () => {
    const violation = await firstViolation((seed) => runBlobs(seed, skipFolderSyncs));
    assert.notEqual(violation, undefined, 'no seed shows it');
  });
});
