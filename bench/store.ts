/**
 * The kernel's store beside three others, each in a process of its own: the same entries, orders, loops and cache
 * sizes for all. `store-alone.ts` has what has no peer.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import {
  type Benchmark,
  both,
  type Contest,
  type Finding,
  type Load,
  type Pair,
  type Place,
  type Workload,
} from './benchmark.ts';
import type { Order } from './store/contender.ts';
import { type ContenderProcess, startContender } from './store/contender-process.ts';
import { diskSync } from './store/disk.ts';
import { ENTRIES, LIVE_BYTES, VALUE_BYTES } from './store/entries.ts';
import { bundled, nodeForSqlite } from './store/node-for.ts';

const MIB = 1_024 * 1_024;
/** Room for everything: about 130 MB of pages. */
const AMPLE_CACHE_BYTES = 256 * MIB;
/** The data is ten times as much. */
const SCARCE_CACHE_BYTES = 12 * MIB;
const WRITERS = 32;
const UPDATES = 100_000;

interface Rival {
  readonly name: string;
  readonly described: string;
  readonly start: (place: Place) => Promise<ContenderProcess>;
  /** The ratios of rates to be reached; what is not here is reported. */
  readonly goals: Readonly<Record<string, number>>;
}

const SQLITE_GOALS = { 'commit-1-writer': 1, [`commit-${WRITERS}-writers`]: 8, 'bulk-load': 0.8 };

const RIVALS: readonly Rival[] = [
  {
    name: 'store-node-sqlite',
    described: 'SQLite by node:sqlite (WAL, synchronous=FULL)',
    start: async (place) => startContender(place, process.execPath, scriptOf('node-sqlite')),
    goals: { ...SQLITE_GOALS, 'random-read': 2, 'ordered-scan': 1.5 },
  },
  {
    name: 'store-better-sqlite3',
    described: 'SQLite by better-sqlite3 (WAL, synchronous=FULL)',
    start: startBetterSqlite,
    goals: SQLITE_GOALS,
  },
  {
    name: 'store-lmdb',
    described: 'LMDB by lmdb-js (overlappingSync off)',
    start: async (place) =>
      startContender(place, process.execPath, scriptOf('lmdb'), [place.programs.findNpmPackage('lmdb')]),
    goals: {},
  },
];

export const storeBenchmarks: readonly Benchmark[] = RIVALS.map((rival) => ({
  name: rival.name,
  compared: `the kernel's store beside ${rival.described}, ${ENTRIES.toLocaleString('en')} entries of ${VALUE_BYTES} bytes, each in a process of its own`,
  prepare: (place) => prepare(place, rival),
}));

async function startBetterSqlite(place: Place): Promise<ContenderProcess> {
  const location = place.programs.findNpmPackage('better-sqlite3');
  const node = nodeForSqlite(location);
  const script = await bundled(scriptOf('better-sqlite3'), place.folder);
  return startContender(place, node, script, [location]);
}

function scriptOf(contender: string): string {
  return `${import.meta.dirname}/servers/store-${contender}.ts`;
}

/** A contender's process, and the folder of the entries that most workloads use. */
class Side {
  readonly #process: ContenderProcess;
  readonly #folder: string;
  #fresh = 0;

  constructor(process: ContenderProcess, folder: string) {
    this.#process = process;
    this.#folder = folder;
  }

  get cpuMicros(): () => number {
    return this.#process.cpuMicros;
  }

  /** Open with all its entries, and with this cache. */
  readonly openWith = (cacheBytes: number): Promise<void> =>
    this.#process.open(this.#entriesFolder, cacheBytes);

  readonly openEmpty = (): Promise<void> =>
    this.#process.openFresh(`${this.#folder}/fresh-${++this.#fresh}`, AMPLE_CACHE_BYTES);

  readonly order =
    (order: Order): Load =>
    () =>
      this.#process.order(order);

  /** What its files take on the disk, by what they were asked to keep. */
  async fileBytesPerLiveByte(): Promise<number> {
    return (await occupiedBytes(this.#entriesFolder)) / LIVE_BYTES;
  }

  get #entriesFolder(): string {
    return `${this.#folder}/entries`;
  }
}

async function prepare(place: Place, rival: Rival): Promise<Contest> {
  // The peer first: it may be missing.
  const peer = new Side(await rival.start(place), `${place.folder}/peer`);
  const process = startContender(place, globalThis.process.execPath, scriptOf('octet'));
  const sides = { ours: new Side(process, `${place.folder}/ours`), peer };
  for (const side of [sides.ours, sides.peer]) {
    await side.openWith(AMPLE_CACHE_BYTES);
    await side.order({ what: 'load' })();
  }
  const afterLoad = await fileBytes(sides);
  return {
    peer: rival.described,
    cpu: { ours: sides.ours.cpuMicros, peer: sides.peer.cpuMicros },
    workloads: workloads(sides).map((workload) => ({
      ...workload,
      goal: rival.goals[workload.name] ?? 'reported',
    })),
    probes: [() => fileSizes(sides, afterLoad), () => diskSync(place.folder)],
  };
}

function workloads(sides: Pair<Side>): Workload[] {
  const ample = beforeEach(sides, (side) => side.openWith(AMPLE_CACHE_BYTES));
  const scarce = beforeEach(sides, (side) => side.openWith(SCARCE_CACHE_BYTES));
  const empty = beforeEach(sides, (side) => side.openEmpty());
  const work = (name: string, operation: string, order: Order): Workload =>
    both(name, operation, sides, (side) => side.order(order));
  return [
    { ...work('ordered-scan', 'key', { what: 'scan' }), before: ample },
    { ...work('random-read', 'read', { what: 'read' }), before: ample },
    { ...work('commit-1-writer', 'commit', { what: 'commit', writers: 1 }), before: ample },
    { ...work(`commit-${WRITERS}-writers`, 'commit', { what: 'commit', writers: WRITERS }), before: ample },
    { ...work('random-read-10x-cache', 'read', { what: 'read' }), before: scarce },
    { ...work('bulk-load', 'key', { what: 'load' }), before: empty, isWarm: true },
  ];
}

function beforeEach(sides: Pair<Side>, act: (side: Side) => Promise<void>): Pair<() => Promise<void>> {
  return { ours: () => act(sides.ours), peer: () => act(sides.peer) };
}

async function fileSizes(sides: Pair<Side>, afterLoad: Pair<number>): Promise<Finding[]> {
  for (const side of [sides.ours, sides.peer]) {
    await side.openWith(AMPLE_CACHE_BYTES);
    await side.order({ what: 'update', entries: UPDATES })();
  }
  const unit = 'file bytes per live byte';
  return [
    { name: 'file-size-after-load', unit, values: { ...afterLoad } },
    { name: 'file-size-after-updates', unit, values: { ...(await fileBytes(sides)) } },
  ];
}

async function fileBytes({ ours, peer }: Pair<Side>): Promise<Pair<number>> {
  return { ours: await ours.fileBytesPerLiveByte(), peer: await peer.fileBytesPerLiveByte() };
}

const BLOCK_BYTES = 512;

/** Room made ahead counts, holes do not. */
async function occupiedBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true });
  const stats = await Promise.all(entries.map((entry) => stat(path.join(folder, entry))));
  return stats.reduce((sum, { blocks }) => sum + blocks * BLOCK_BYTES, 0);
}
