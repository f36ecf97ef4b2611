import type { Files } from '../../../src/core/files/files.ts';
import { SeededRandom } from '../../../src/core/random/seeded-random.ts';
import { openStore } from '../../../src/core/store/store.ts';
import { SimulatedClock } from '../../../src/core/time/simulated-clock.ts';

/**
 * Opens every store below `folder`, wherever the service keeps it, and has it verify everything.
 * @returns what is wrong with them, and nothing when all are sound
 */
export async function checkStores(files: Files, folder: string): Promise<string[]> {
  const findings: string[] = [];
  for (const store of await storesBelow(files, folder)) {
    const open = await openStore({
      files,
      folder: store,
      clock: new SimulatedClock(),
      random: new SeededRandom(1),
    });
    for (const finding of await open.check()) findings.push(`${store}: ${finding}`);
    await open.close();
  }
  return findings;
}

/** A store is a folder that holds a file `pages`. */
async function storesBelow(files: Files, folder: string): Promise<string[]> {
  const names = await files.list(folder);
  if (names.includes('pages')) return [folder];
  const found: string[] = [];
  for (const name of names) {
    const path = `${folder}/${name}`;
    if ((await files.stat(path))?.isFolder === true) found.push(...(await storesBelow(files, path)));
  }
  return found;
}

/** Paths of all files below `folder`. */
export async function allFiles(files: Files, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await files.list(folder)) {
    const path = `${folder}/${name}`;
    if ((await files.stat(path))?.isFolder === true) found.push(...(await allFiles(files, path)));
    else found.push(path);
  }
  return found;
}
