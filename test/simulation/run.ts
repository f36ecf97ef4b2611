/**
 * npm run simulate -- --seeds N [--seed S] [--only journal|blobs|store|services]
 *
 * Runs the durable rooms of the kernel on a disk that tears, loses and refuses writes, N worlds of each, one
 * per seed from S (default 1) on. A seed that breaks a promise is printed with the command that repeats it.
 */
import { parseArgs } from 'node:util';
import { simulateBlobs } from './blobs.ts';
import { simulateJournal } from './journal.ts';
import { simulateServices } from './services/services.ts';
import type { Simulation } from './simulation.ts';
import { simulateStore } from './store.ts';

const SIMULATIONS: Readonly<Record<string, Simulation>> = {
  journal: simulateJournal,
  blobs: simulateBlobs,
  store: simulateStore,
  services: simulateServices,
};

/** One broken promise tends to break others: so many are printed of one seed. */
const MAX_PRINTED = 5;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
process.exitCode = await main(wholeNumber('seeds'), wholeNumber('seed'), chosen());

async function main(seeds: number, first: number, names: readonly string[]): Promise<number> {
  let failed = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    for (const name of names) {
      const violations = await (SIMULATIONS[name] as Simulation)(seed);
      if (violations.length === 0) continue;
      failed += 1;
      for (const violation of violations.slice(0, MAX_PRINTED))
        console.log(`${name}, seed ${seed}: ${violation}`);
      console.log(`  repeat: npm run simulate -- --seeds 1 --seed ${seed} --only ${name}`);
    }
  }
  console.log(`simulate: ${seeds} seeds, ${failed} violations`);
  return failed === 0 ? 0 : 1;
}

function chosen(): string[] {
  const all = Object.keys(SIMULATIONS);
  if (values.only === undefined) return all;
  if (!all.includes(values.only)) stop(`--only takes one of ${all.join(', ')}`);
  return [values.only];
}

function wholeNumber(option: 'seeds' | 'seed'): number {
  const text = values[option];
  if (!/^\d{1,9}$/.test(text)) stop(`--${option} takes a whole number, not "${text}"`);
  return Number(text);
}

function stop(message: string): never {
  console.error(`simulate: ${message}`);
  process.exit(2);
}
