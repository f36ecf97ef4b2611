import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { PAGE_BYTES } from '../../src/core/store/limits.ts';
import { Pages } from '../../src/core/store/pages.ts';
import { Versions } from '../../src/core/store/versions.ts';
import {
  acknowledgeEarly,
  forgetFolderSync,
  forgetSync,
  skipFolderSyncs,
  skipSyncs,
  takeUnknownForAppended,
} from './planted.ts';
import { type PlantedInStore, runStore, simulateStore } from './store.ts';

const CLEAN_SEEDS = 40;
const MAX_SEEDS = 500;

async function firstViolation(planted: PlantedInStore): Promise<string | undefined> {
  for (let seed = 1; seed <= MAX_SEEDS; seed += 1) {
    const [violation] = await runStore(seed, planted);
    if (violation !== undefined) return violation;
  }
  return undefined;
}

/** Runs with one method of a class replaced: a bug that no seam could bring in. */
async function firstViolationWith<Subject extends object, Name extends keyof Subject>(
  prototype: Subject,
  name: Name,
  replacement: Subject[Name],
): Promise<string | undefined> {
  const sound = prototype[name];
  prototype[name] = replacement;
  try {
    return await firstViolation({});
  } finally {
    prototype[name] = sound;
  }
}

const isPages = (path: string): boolean => path.endsWith('/pages');
const isRoot = (position: number): boolean => position < 2 * PAGE_BYTES;

suite('simulation of the store', () => {
  test('a few seeds hold', async () => {
    for (let seed = 1; seed <= CLEAN_SEEDS; seed += 1) {
      assert.deepEqual(await simulateStore(seed), [], `seed ${seed}`);
    }
  });

  const plants: Record<string, PlantedInStore> = {
    'every second sync is skipped': { files: (files) => skipSyncs(files, 2) },
    'every fifth sync is skipped': { files: (files) => skipSyncs(files, 5) },
    'folders are never synced': { files: skipFolderSyncs },
    'a segment is not synced': { files: (files) => forgetSync(files, (path) => path.endsWith('.segment')) },
    'a root is written before its pages are durable': {
      files: (files) => forgetSync(files, (path, position) => isPages(path) && !isRoot(position)),
    },
    'a root is not synced': {
      files: (files) => forgetSync(files, (path, position) => isPages(path) && isRoot(position)),
    },
    "the journal's folder is not synced": {
      files: (files) => forgetFolderSync(files, (folder) => folder.endsWith('/journal')),
    },
    "the store's folder is not synced": {
      files: (files) => forgetFolderSync(files, (folder) => folder.endsWith('/store')),
    },
    'acknowledged before the sync': { journal: acknowledgeEarly },
    'a failed sync is taken for a success': { journal: takeUnknownForAppended },
  };
  for (const [name, planted] of Object.entries(plants)) {
    test(`finds the planted bug: ${name}`, async () => {
      assert.notEqual(await firstViolation(planted), undefined, 'no seed shows it');
    });
  }

  test('finds the planted bug: pages are used again while a root needs them', async () => {
    const { setRooted } = Pages.prototype;
    const violation = await firstViolationWith(Pages.prototype, 'setRooted', function (this: Pages) {
      setRooted.call(this, []);
    });
    assert.notEqual(violation, undefined, 'no seed shows it');
  });

  test('finds the planted bug: the file is cut off before the older root has let go of its end', async () => {
    const violation = await firstViolationWith(Pages.prototype, 'highestBusy', function (this: Pages) {
      return this.live.highest();
    });
    assert.notEqual(violation, undefined, 'no seed shows it');
  });

  test('finds the planted bug: pages are changed while a snapshot needs them', async () => {
    const violation = await firstViolationWith(Versions.prototype, 'sees', () => false);
    assert.notEqual(violation, undefined, 'no seed shows it');
  });

  test('finds the planted bug: a refused commit stays visible', async () => {
    const violation = await firstViolationWith(Pages.prototype, 'restore', () => undefined);
    assert.notEqual(violation, undefined, 'no seed shows it');
  });
});
