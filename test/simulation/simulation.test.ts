import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Files } from '../../src/core/files/files.ts';
import { runBlobs, simulateBlobs } from './blobs.ts';
import { type Planted, runJournal, simulateJournal } from './journal.ts';
import {
  acknowledgeEarly,
  forgetFolderSync,
  forgetOpeningSync,
  forgetSync,
  skipFolderSyncs,
  skipSameWrites,
  skipSyncs,
  skipTruncations,
  takeUnknownForAppended,
} from './planted.ts';

/** `npm run simulate` runs many more. */
const CLEAN_SEEDS = 25;

/** Enough that each of the planted bugs shows. */
const MAX_SEEDS = 500;

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
    'a segment is not synced': { files: (files) => forgetSync(files, (path) => path.endsWith('.segment')) },
    'a new segment is not synced before it has its name': {
      files: (files) => forgetSync(files, (path) => path.endsWith('.segment.tmp')),
    },
    'folders are never synced': { files: skipFolderSyncs },
    'the last batch is not written again when opening': { files: skipSameWrites },
    'the last batch is not synced when opening': {
      files: (files) => forgetOpeningSync(files, (path) => path.endsWith('.segment')),
    },
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

  const plants: Record<string, (files: Files) => Files> = {
    'every third sync is skipped': (files) => skipSyncs(files, 3),
    'a blob is not synced': (files) => forgetSync(files, (path) => path.endsWith('.draft')),
    'the folder of a blob is not synced': (files) => forgetFolderSync(files, (folder) => folder !== '/blobs'),
  };
  for (const [name, plant] of Object.entries(plants)) {
    test(`finds the planted bug: ${name}`, async () => {
      const violation = await firstViolation((seed) => runBlobs(seed, plant));
      assert.notEqual(violation, undefined, 'no seed shows it');
    });
  }
});
