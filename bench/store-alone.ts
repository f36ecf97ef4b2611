/**
 * The kernel's store beside itself, in this process: what committing together gains, what durability costs, and how
 * long a checkpoint holds up the event loop.
 */
import { mkdir } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemFiles } from '../src/core/files/system-files.ts';
import type { StoreOptions } from '../src/core/store/store.ts';
import type { Store } from '../src/core/store/types.ts';
import type { Benchmark, Contest, Finding, Load, Place } from './benchmark.ts';
import { costOfSync, cpuMicros, switchable } from './store/cost-of-sync.ts';
import { diskSync } from './store/disk.ts';
import { AnyEntry, ENTRIES } from './store/entries.ts';
import { contenderOf, openStoreIn } from './store/octet.ts';
import { commits, loadAll, update } from './store/rounds.ts';
import { describeTurns, longestTurn } from './store/turns.ts';

const MIB = 1_024 * 1_024;
const CACHE_BYTES = 256 * MIB;
const COMMITTERS = 64;
const WRITERS = 32;
const DELAY_MS = 3_000;
const DELAY_GOES_MAX = 10;
const DELAY_RESOLUTION_MS = 1;
const NANOSECONDS = 1e6;
/** A store that never begins a checkpoint by itself. */
const NO_CHECKPOINTS = { dirtyBytes: 4_096 * MIB, journalBytes: 4_096 * MIB, checkpointAfterMs: 3_600_000 };
/** So many random updates leave about as many pages of 8 KiB: what begins a checkpoint, and the most there may be. */
const UPDATES_BEFORE_CHECKPOINT = { '16-mib': 2_000, '64-mib': 8_000 };

export const storeAlone: Benchmark = {
  name: 'store-alone',
  compared: `the kernel's store beside itself, ${ENTRIES.toLocaleString('en')} entries: ${COMMITTERS} committers beside one; commits with sync beside commits without; with checkpoints beside without`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const subject = new Subject(`${place.folder}/store`);
  place.stack.defer(() => subject.close());
  await subject.open();
  await loadAll(contenderOf(subject.store));
  return {
    peer: 'itself with one committer',
    cpu: { ours: cpuMicros, peer: cpuMicros },
    workloads: [
      {
        name: `commit-${COMMITTERS}-committers`,
        operation: 'commit',
        load: { ours: subject.committing(COMMITTERS), peer: subject.committing(1) },
        goal: 40,
      },
    ],
    probes: [
      (rounds) =>
        costOfSync(`commit-${COMMITTERS}-committers`, subject.committing(COMMITTERS), subject.syncs, rounds),
      () => eventLoopDelay(subject),
      (rounds) => checkpointTurns(subject, rounds),
      () => diskSync(place.folder),
    ],
  };
}

/** One store with its entries, opened with one set of options after the other. */
class Subject {
  readonly syncs = { areOn: true };
  readonly #folder: string;
  readonly #any = new AnyEntry(1);
  #store: Store | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get store(): Store {
    if (this.#store === undefined) throw new Error('the store is not open');
    return this.#store;
  }

  async open(options: Partial<StoreOptions> = {}): Promise<void> {
    await this.close();
    await mkdir(this.#folder, { recursive: true });
    const files = switchable(systemFiles, this.syncs);
    this.#store = await openStoreIn(this.#folder, { cacheBytes: CACHE_BYTES, ...options, files });
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  committing(writers: number, milliseconds?: number): Load {
    return async () => ({
      operations: await commits(contenderOf(this.store), writers, this.#any, milliseconds),
    });
  }

  /** Changes so many entries at random. */
  async update(entries: number): Promise<void> {
    await update(contenderOf(this.store), this.#any, entries);
  }
}

/** The delay of the event loop while writers change entries at random, with checkpoints and without. */
async function eventLoopDelay(subject: Subject): Promise<Finding[]> {
  await subject.open();
  const withCheckpoints = await delayOf(untilCheckpoint(subject));
  const { checkpoints } = subject.store.stats();
  if (checkpoints === 0) throw new Error('no checkpoint happened');
  await subject.open(NO_CHECKPOINTS);
  const without = await delayOf(subject.committing(WRITERS, DELAY_MS));
  return (['p50', 'p99', 'max'] as const).map((name) => ({
    name: `event-loop-delay.${name}`,
    unit: 'ms',
    values: { [`with ${checkpoints} checkpoints`]: withCheckpoints[name], without: without[name] },
  }));
}

/** On a slow disk or a busy machine one go changes too little for a checkpoint. */
function untilCheckpoint(subject: Subject): Load {
  const load = subject.committing(WRITERS, DELAY_MS);
  return async () => {
    let operations = 0;
    for (let go = 0; go < DELAY_GOES_MAX && subject.store.stats().checkpoints === 0; go++) {
      operations += (await load()).operations;
    }
    return { operations };
  };
}

async function delayOf(load: Load): Promise<{ p50: number; p99: number; max: number }> {
  const histogram = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  histogram.enable();
  await load();
  histogram.disable();
  const at = (percentile: number): number => histogram.percentile(percentile) / NANOSECONDS;
  return { p50: at(50), p99: at(99), max: histogram.max / NANOSECONDS };
}

/** The longest turn of the event loop that a checkpoint takes when nothing else happens. */
async function checkpointTurns(subject: Subject, rounds: number): Promise<Finding[]> {
  await subject.open(NO_CHECKPOINTS);
  const findings: Finding[] = [];
  for (const [size, entries] of Object.entries(UPDATES_BEFORE_CHECKPOINT)) {
    const turns = [];
    for (let n = 0; n <= rounds; n++) {
      await subject.update(entries);
      turns.push(await longestTurn(() => subject.store.checkpoint()));
    }
    findings.push({
      name: `checkpoint-${size}.longest-turn`,
      unit: 'ms',
      values: describeTurns(turns.slice(1)),
      goal: 'CPU at most 4',
    });
  }
  return findings;
}
