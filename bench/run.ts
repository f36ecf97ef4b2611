/**
 * npm run bench -- <service>… | all  [--rounds n] [--json file] [--peers folder] [--npm-peers folder] [--folder folder]
 *
 * One benchmark per service beside a real peer; the store has several, and its name means all of them. README.md
 * says what each compares.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { api } from './api.ts';
import { balancer } from './balancer.ts';
import type { Benchmark } from './benchmark.ts';
import { cache } from './cache.ts';
import { database } from './database.ts';
import { dns } from './dns.ts';
import { httpBenchmarks } from './http.ts';
import { httpLatency } from './http-latency.ts';
import { httpStatic } from './http-static.ts';
import { mail } from './mail.ts';
import { measure, probe } from './measure.ts';
import { objects } from './objects.ts';
import { MissingPackage, Programs } from './programs.ts';
import { queue } from './queue.ts';
import { describeFigures, describeRatios, HEADER, type Result } from './report.ts';
import { storeBenchmarks } from './store.ts';
import { storeAlone } from './store-alone.ts';
import { storeJournal } from './store-journal.ts';
import { websocket } from './websocket.ts';

const BENCHMARKS: readonly Benchmark[] = [
  dns,
  ...httpBenchmarks,
  httpStatic,
  httpLatency,
  websocket,
  api,
  balancer,
  ...storeBenchmarks,
  storeAlone,
  storeJournal,
  database,
  cache,
  queue,
  objects,
  mail,
];
const ROUNDS = 5;
const EXIT_USAGE = 2;
const MAX_MESSAGE_LENGTH = 2_000;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: String(ROUNDS) },
      json: { type: 'string' },
      peers: { type: 'string', default: path.join(os.homedir(), '.cache/octet-bench') },
      'npm-peers': { type: 'string', default: path.join(import.meta.dirname, 'peers') },
      folder: { type: 'string', default: os.tmpdir() },
    },
  });
  const rounds = Number(values.rounds);
  const chosen = choose(positionals);
  if (typeof chosen === 'string' || !Number.isInteger(rounds) || rounds < ROUNDS) {
    console.error(`bench: ${typeof chosen === 'string' ? chosen : `--rounds is at least ${ROUNDS}`}`);
    return EXIT_USAGE;
  }
  const programs = new Programs(values.peers, values['npm-peers']);
  console.log(HEADER);
  console.log(machine());
  const results: Result[] = [];
  const failures: string[] = [];
  const stopping = stopSignal();
  for (const benchmark of chosen) {
    if (stopping.aborted) break;
    console.log(`\n${benchmark.name}: ${benchmark.compared}`);
    const run = { programs, parent: values.folder, rounds, stopping };
    const result = await runBenchmark(benchmark, run);
    if (typeof result === 'string') failures.push(`failed ${benchmark.name}: ${result}\n`);
    else results.push(result);
  }
  if (values.json !== undefined) await writeJson(values.json, rounds, results);
  process.stdout.write(`\n${failures.join('')}${results.map(describeRatios).join('')}`);
  return failures.length === 0 ? 0 : 1;
}

/** @returns the benchmarks, or what is wrong with the names */
function choose(names: readonly string[]): readonly Benchmark[] | string {
  const known = BENCHMARKS.map(({ name }) => name).join(', ');
  if (names.length === 0) return `which one? ${known}, or all`;
  if (names.includes('all')) return BENCHMARKS;
  const unknown = names.find((name) => !BENCHMARKS.some((benchmark) => isMeant(benchmark, name)));
  if (unknown !== undefined) return `no benchmark "${unknown}"; there are ${known}, or all`;
  return BENCHMARKS.filter((benchmark) => names.some((name) => isMeant(benchmark, name)));
}

/** `store` means `store-lmdb`, too. */
function isMeant(benchmark: Benchmark, name: string): boolean {
  return benchmark.name === name || benchmark.name.startsWith(`${name}-`);
}

interface Run {
  readonly programs: Programs;
  /** Where temporary folders are made: the disk that is measured. */
  readonly parent: string;
  readonly rounds: number;
  readonly stopping: AbortSignal;
}

/** @returns the result, or what went wrong */
async function runBenchmark(benchmark: Benchmark, run: Run): Promise<Result | string> {
  const { programs, parent, rounds, stopping } = run;
  const { name: service, compared } = benchmark;
  const folder = await mkdtemp(path.join(parent, `octet-bench-${service}-`));
  const stack = new AsyncDisposableStack();
  try {
    // Not interrupted: what it has started by then would be known to nobody.
    const contest = await benchmark.prepare({ folder, stack, programs });
    console.log(`  peer: ${contest.peer}`);
    const measurements = await unlessStopped(stopping, measure(contest, rounds));
    const findings = await unlessStopped(stopping, probe(contest, rounds));
    const result: Result = { service, compared, peer: contest.peer, measurements, findings };
    process.stdout.write(describeFigures(result));
    return result;
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE_LENGTH);
    console.log(`  ${error instanceof MissingPackage ? 'skipped' : 'failed'}: ${message}`);
    if (error instanceof MissingPackage) return { service, compared, measurements: [], skipped: message };
    return message;
  } finally {
    await stack.disposeAsync();
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws Error when told to stop */
async function unlessStopped<T>(stopping: AbortSignal, work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const stopped = once(stopping, 'abort', { signal: done.signal });
  stopped.catch(() => undefined); // The work was done first.
  try {
    stopping.throwIfAborted();
    return await Promise.race([work, stopped.then(() => stopping.throwIfAborted() as never)]);
  } finally {
    done.abort();
    work.catch(() => undefined); // Whatever it says now follows from its servers being stopped.
  }
}

/** Aborted when the run is told to stop, so that no peer outlives it. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => controller.abort(new Error(`stopped by ${signal}`)));
  return controller.signal;
}

function machine(): string {
  const cores = os.cpus();
  return `${cores.length} × ${cores[0]?.model ?? 'unknown CPU'}, ${os.type()} ${os.release()}, Node ${process.versions.node}`;
}

async function writeJson(file: string, rounds: number, results: readonly Result[]): Promise<void> {
  await writeFile(file, `${JSON.stringify({ machine: machine(), rounds, results }, null, 2)}\n`);
}
