import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { systemFiles } from '../files/system-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { type StoreUnderTest, storeContract } from '../testing/store-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { openStore, type StoreOptions } from './store.ts';

function storeIn(files: Files, folder: string, overrides: Partial<StoreOptions> = {}): StoreUnderTest {
  const options = { files, folder, clock: new SimulatedClock(), random: new SeededRandom(1), ...overrides };
  return { open: () => openStore(options) };
}

/** Little memory: every page is read from the file again and again, and checkpoints never end. */
const SMALL = { cacheBytes: 0, dirtyBytes: 64 * 1_024 };

storeContract('in memory', () => storeIn(createMemoryFiles(), '/store'));
storeContract('in memory, with little of it', () => storeIn(createMemoryFiles(), '/store', SMALL));

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await systemFiles.removeFolder(folder);
});

storeContract('on the disk of this machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'octet-store-'));
  folders.push(folder);
  return storeIn(systemFiles, folder, SMALL);
}, [4]);
