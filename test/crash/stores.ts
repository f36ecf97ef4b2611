/**
 * The stores of an Octet that was killed, looked at from outside: a copy of each is opened, as the next start will
 * open the original, and all of it is read and verified.
 */
import { cp, rm, watch } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { systemFiles } from '../../src/core/files/system-files.ts';
import { systemRandom } from '../../src/core/random/system-random.ts';
import { readRoots } from '../../src/core/store/root.ts';
import { openStore } from '../../src/core/store/store.ts';
import { systemClock } from '../../src/core/time/system-clock.ts';
import type { ServiceName } from '../../src/octet/config.ts';

/** Where each durable service has its store, in the data folder. */
const PLACES: Partial<Record<ServiceName, string>> = {
  database: 'database/store',
  queue: 'queue/store',
  objects: 'objects/metadata',
  mail: 'mail/store',
};

/** A start that has not come to its stores by then is not waited for. */
const OPENING_TIMEOUT_MS = 5_000;

export class Stores {
  readonly #dataDir: string;
  readonly #places: readonly string[];

  constructor(dataDir: string, services: readonly ServiceName[]) {
    this.#dataDir = dataDir;
    this.#places = services.flatMap((service) => PLACES[service] ?? []);
  }

  /** Checkpoints that the stores have written since they were made. */
  async checkpoints(): Promise<number> {
    const counts = await Promise.all(
      this.#places.map((place) => newestGeneration(path.join(this.#dataDir, place))),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Copies the stores to `folder`; nobody may have them open. */
  async copyTo(folder: string): Promise<void> {
    for (const place of this.#places) {
      // The lock is its holder's, who is gone.
      const filter = (source: string): boolean => !path.basename(source).startsWith('lock');
      await cp(path.join(this.#dataDir, place), path.join(folder, place), { recursive: true, filter });
    }
  }

  /** Recovers and checks the copies in `folder`, and removes them. @returns what is wrong; never throws */
  async check(folder: string): Promise<string[]> {
    const looks = this.#places.map(async (place) => {
      const found = await checkStore(path.join(folder, place)).catch((error: unknown) => [String(error)]);
      return found.map((flaw) => `${place}: ${flaw}`);
    });
    const flaws = (await Promise.all(looks)).flat();
    if (flaws.length === 0) await rm(folder, { recursive: true, force: true });
    return flaws;
  }

  /** Resolves when a start has begun to open one of the stores, and `afterMs` later. */
  async opening(afterMs: number): Promise<void> {
    const late = AbortSignal.timeout(OPENING_TIMEOUT_MS);
    const opened = new AbortController();
    const signal = AbortSignal.any([late, opened.signal]);
    await Promise.race(this.#places.map((place) => firstChange(path.join(this.#dataDir, place), signal)));
    opened.abort();
    await setTimeout(afterMs);
  }
}

/** The first thing that an opening store changes is its lock. */
async function firstChange(folder: string, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of watch(folder, { signal })) return;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function newestGeneration(folder: string): Promise<number> {
  const file = await systemFiles.open(path.join(folder, 'pages'), 'open');
  try {
    return (await readRoots(file)).roots[0]?.generation ?? 0;
  } finally {
    await file.close();
  }
}

async function checkStore(folder: string): Promise<string[]> {
  const store = await openStore({ files: systemFiles, folder, clock: systemClock, random: systemRandom });
  try {
    return await store.check();
  } finally {
    await store.close();
  }
}
