/**
 * npm run fuzz -- [--inputs N] [--seed S] [--only name]
 *
 * Runs every `*.fuzz.ts` under src, each with its share of the inputs. Such a file exports
 *
 *   fuzz: { name: string, run(seed: number, inputs: number): void }
 *
 * and `run` throws, naming what repeats the fault, when an input breaks what the file promises at its head. A run
 * is cut into slices; between them the heap is looked at, for what an input leaves behind is a fault, too.
 */
import { globSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import vm from 'node:vm';
import { turn } from '../../src/core/time/turn.ts';

interface Fuzz {
  readonly name: string;
  run(seed: number, inputs: number): void;
}

const ROOT = path.join(import.meta.dirname, '../..');
/** What a run leaves to the event loop, zlib's closed handles among it, is done with after each slice. */
const SLICE_INPUTS = 10_000;
/** The heap of a slice is compared with that after so many, when all code is compiled. */
const WARM_SLICES = 1;
/** What compiled code and inline caches may still grow by after the first slice. */
const MAX_HEAP_GROWTH_BYTES = 16 * 1024 * 1024;

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
  },
});
v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;
process.exitCode = await main(Number(values.inputs), Number(values.seed), values.only);

async function main(inputs: number, seed: number, only: string | undefined): Promise<number> {
  if (!Number.isSafeInteger(inputs) || inputs < 1 || !Number.isSafeInteger(seed)) return usage('no number');
  const found = await targets();
  const chosen = found.filter(({ name }) => only === undefined || name === only);
  if (chosen.length === 0) return usage(`no target "${only}"; there are ${found.map(({ name }) => name)}`);
  console.log(`fuzz: seed ${seed}, ${inputs} inputs`);
  let failed = 0;
  for (const target of chosen) {
    if (!(await fuzz(target, seed, Math.ceil(inputs / chosen.length)))) failed++;
  }
  return failed === 0 ? 0 : 1;
}

async function targets(): Promise<Fuzz[]> {
  const found: Fuzz[] = [];
  for (const file of globSync('src/**/*.fuzz.ts', { cwd: ROOT }).sort()) {
    const { fuzz } = (await import(path.join(ROOT, file))) as { fuzz?: Fuzz };
    if (fuzz === undefined) throw new Error(`${file} exports no fuzz`);
    found.push(fuzz);
  }
  return found;
}

/** @returns false when it failed, which is told */
async function fuzz({ name, run }: Fuzz, seed: number, inputs: number): Promise<boolean> {
  const startedAt = performance.now();
  const slices = Math.max(WARM_SLICES + 1, Math.ceil(inputs / SLICE_INPUTS));
  const slice = Math.ceil(inputs / slices);
  let warmHeapBytes = 0;
  let growthBytes = 0;
  for (let at = 0; at < slices; at++) {
    try {
      run(seed * slices + at, slice);
    } catch (error) {
      console.error(`${name}: failed\n${error instanceof Error ? error.stack : error}`);
      return false;
    }
    await turn();
    collectGarbage();
    const heapBytes = process.memoryUsage().heapUsed;
    if (at < WARM_SLICES) warmHeapBytes = heapBytes;
    growthBytes = heapBytes - warmHeapBytes;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const rate = Math.round((slice * slices) / seconds);
  console.log(`${name}: ${slice * slices} inputs, ${rate} a second, heap ${growthBytes >> 10} KiB more`);
  if (growthBytes <= MAX_HEAP_GROWTH_BYTES) return true;
  console.error(`${name}: the heap grew by ${growthBytes} bytes`);
  return false;
}

function usage(complaint: string): number {
  console.error(`fuzz: ${complaint}`);
  return 2;
}
