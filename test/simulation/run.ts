/**
 * npm run simulate -- --seeds N [--seed S] [--only NAME] [--threads T] [--digest]
 *
 * Runs the durable rooms of the kernel on a disk that tears, loses, refuses and deceives, and over a replicated
 * log in bad weather, or with `--only services` whole services in a simulated world: N worlds of each, one per seed from S (default 1) on. A seed that breaks a promise is
 * printed with the command that repeats it. A world depends on nothing but its seed: not on the thread it runs
 * in, nor on what ran before; `--digest` prints a hash over all that happened, to compare two runs.
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Digest } from './simulation.ts';
import {
  type Finding,
  KERNEL,
  type Portion,
  type PortionResult,
  runPortion,
  SIMULATIONS,
} from './simulations.ts';

/** One broken promise tends to break others: so many are printed of one seed. */
const MAX_PRINTED = 5;

/** Seeds handed to a thread at once: few enough that none idles at the end. */
const PORTION_SEEDS = 20;

/** Where there is no terminal, one line of progress for every so many parts of the whole. */
const PROGRESS_LINES = 10;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: `${availableParallelism()}` },
    only: { type: 'string' },
    digest: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const seeds = wholeNumber('seeds');
  const portions = portionsOf(wholeNumber('seed'), seeds);
  const threads = Math.min(wholeNumber('threads'), portions.length);
  const results = threads > 1 ? await runInThreads(portions, threads, seeds) : await runHere(portions, seeds);
  const findings = results.flatMap((result) => result.findings);
  const digest = new Digest();
  for (const result of results) digest.add(result.digest);
  console.log(`simulate: ${seeds} seeds, ${findings.length} violations`);
  if (values.digest) console.log(`digest ${digest}`);
  return findings.length === 0 ? 0 : 1;
}

function portionsOf(first: number, seeds: number): Portion[] {
  const names = chosen();
  return Array.from({ length: Math.ceil(seeds / PORTION_SEEDS) }, (_, index) => ({
    names,
    first: first + index * PORTION_SEEDS,
    count: Math.min(PORTION_SEEDS, seeds - index * PORTION_SEEDS),
    digests: values.digest,
  }));
}

async function runHere(portions: readonly Portion[], seeds: number): Promise<PortionResult[]> {
  const progress = new Progress(seeds);
  const results: PortionResult[] = [];
  for (const portion of portions) {
    results.push(await runPortion(portion));
    progress.add(portion.count, results.at(-1)!);
  }
  return results;
}

/** Each thread takes the next portion when it is done with one. @returns the results in the order of the seeds */
async function runInThreads(
  portions: readonly Portion[],
  threads: number,
  seeds: number,
): Promise<PortionResult[]> {
  const progress = new Progress(seeds);
  const results: PortionResult[] = [];
  const waiting = [...portions];
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url));
    try {
      for (let portion = waiting.shift(); portion !== undefined; portion = waiting.shift()) {
        const result = await ask(worker, portion);
        results.push(result);
        progress.add(portion.count, result);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return results.toSorted((one, other) => one.first - other.first);
}

/** @throws what ends the thread */
async function ask(worker: Worker, portion: Portion): Promise<PortionResult> {
  const done = new AbortController();
  const ended = once(worker, 'exit', { signal: done.signal }).then(() => {
    const seeds = `${portion.first} to ${portion.first + portion.count - 1}`;
    throw new Error(`simulate: a world of seeds ${seeds} stands still`);
  });
  worker.postMessage(portion);
  try {
    const [result] = await Promise.race([once(worker, 'message', { signal: done.signal }), ended]);
    return result;
  } finally {
    ended.catch(() => undefined);
    done.abort();
  }
}

/** How far it is: one line that is written over on a terminal, a few lines elsewhere. */
class Progress {
  readonly #seeds: number;
  #done = 0;
  #failed = 0;

  constructor(seeds: number) {
    this.#seeds = seeds;
  }

  /** Findings are printed as they come: a long run may be cut short. */
  add(seeds: number, { findings }: PortionResult): void {
    for (const finding of findings) print(finding);
    const before = Math.floor((this.#done / this.#seeds) * PROGRESS_LINES);
    this.#done += seeds;
    this.#failed += findings.length;
    const line = `${this.#done} of ${this.#seeds} seeds, ${this.#failed} violations`;
    const after = Math.floor((this.#done / this.#seeds) * PROGRESS_LINES);
    if (process.stderr.isTTY) process.stderr.write(`\r${line}${this.#done === this.#seeds ? '\n' : ''}`);
    else if (after > before && this.#seeds > PORTION_SEEDS) console.error(line);
  }
}

function print({ name, seed, violations }: Finding): void {
  for (const violation of violations.slice(0, MAX_PRINTED))
    console.log(`${name}, seed ${seed}: ${violation}`);
  console.log(`  repeat: npm run simulate -- --seeds 1 --seed ${seed} --only ${name}`);
}

function chosen(): string[] {
  const all = Object.keys(SIMULATIONS);
  if (values.only === undefined) return [...KERNEL];
  if (!all.includes(values.only)) stop(`--only takes one of ${all.join(', ')}`);
  return [values.only];
}

function wholeNumber(option: 'seeds' | 'seed' | 'threads'): number {
  const text = values[option];
  if (!/^\d{1,9}$/.test(text)) stop(`--${option} takes a whole number, not "${text}"`);
  return Number(text);
}

function stop(message: string): never {
  console.error(`simulate: ${message}`);
  process.exit(2);
}

process.exitCode = await main();
