/**
 * The store on a disk that fails: random commits, checkpoints, snapshots and scans in several lives of a
 * process, and in most lives a power cut, a kill, a failed call or a full disk. After each life the store is
 * opened again and held against what was promised:
 *
 *   - every acknowledged commit is there;
 *   - of the others a prefix is there, in their order, each commit whole or not at all;
 *   - a commit that was refused is not there;
 *   - a snapshot shows what was there when it was taken;
 *   - a clone holds what was there when it was asked for, or there is none;
 *   - check() finds nothing.
 */
import { AssertionError } from 'node:assert/strict';
import { codeOf, messageOf } from '../../src/core/errors.ts';
import type { Files } from '../../src/core/files/files.ts';
import { SimulatedDisk } from '../../src/core/files/simulated-files.ts';
import { openFileJournal } from '../../src/core/journal/file-journal.ts';
import type { Journal } from '../../src/core/journal/types.ts';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { cloneStore } from '../../src/core/store/clone.ts';
import { openStore } from '../../src/core/store/store.ts';
import type { Change, Snapshot, Store } from '../../src/core/store/types.ts';
import {
  RANDOM_TREES,
  randomCommit,
  StoreModel,
  verifyRanges,
} from '../../src/core/testing/store-contract.ts';
import { SimulatedClock } from '../../src/core/time/simulated-clock.ts';
import { armDisk, disarmDisk } from './faults.ts';
import { type Digest, type Simulation, Violations } from './simulation.ts';

const FOLDER = '/store';
const LIVES = 4;
const STEPS_MAX = 60;
const CALLS_PER_LIFE = 250;
const SEGMENT_BYTES = 20_000;

/** A bug to plant below the store, to show that the simulation finds it. */
export interface PlantedInStore {
  readonly files?: (files: Files) => Files;
  readonly journal?: (journal: Journal) => Journal;
}

export const simulateStore: Simulation = (seed, digest) => runStore(seed, {}, digest);

export async function runStore(seed: number, planted: PlantedInStore, digest?: Digest): Promise<string[]> {
  const random = new SeededRandom(seed);
  const run = new StoreRun(
    random,
    new SimulatedDisk({ random, ...(digest && { observe: digest.add }) }),
    planted,
  );
  for (let life = 0; life < LIVES; life += 1) await run.life();
  await run.lastLife();
  return run.violations.list;
}

/** What was promised so far, over all lives. */
class History {
  /** Everything acknowledged. */
  durable = new StoreModel();
  /** Commits whose outcome is not known, in their order. */
  pending: (readonly Change[])[] = [];

  /** Everything acknowledged, and as many of the pending commits as `store` has. */
  found(store: Store): StoreModel | undefined {
    const candidates = [this.durable];
    for (const changes of this.pending) candidates.push(candidates.at(-1)!.after(changes));
    return candidates.findLast((model) => model.matches(store, RANDOM_TREES));
  }

  /** What a reader must see. A store that has become read-only went back to what it knows to be durable. */
  visible(store: Store): StoreModel {
    if (store.health().state !== 'ok') return this.found(store) ?? this.durable;
    return this.pending.reduce((model, changes) => model.after(changes), this.durable);
  }
}

class StoreRun {
  readonly violations = new Violations();
  readonly #random: SeededRandom;
  readonly #disk: SimulatedDisk;
  readonly #planted: PlantedInStore;
  readonly #sizes: { cacheBytes: number; dirtyBytes: number; journalBytes: number };
  readonly #history = new History();
  #clones = 0;

  constructor(random: SeededRandom, disk: SimulatedDisk, planted: PlantedInStore) {
    this.#random = random;
    this.#disk = disk;
    this.#planted = planted;
    this.#sizes = {
      cacheBytes: random.pick([0, 1_000_000]),
      dirtyBytes: random.pick([50_000, 150_000, 1_000_000]),
      journalBytes: random.pick([20_000, 200_000]),
    };
  }

  /** One life of the process, which ends by itself, by a failure, a kill or a power cut. */
  async life(): Promise<void> {
    const ended = armDisk(this.#disk, this.#random, CALLS_PER_LIFE);
    const life = new Life(this.#random, this.#history, this.violations, this.#places());
    await Promise.race([life.live(this.#random.below(STEPS_MAX)), ended]);
    life.isOver = true;
    disarmDisk(this.#disk, this.#random);
  }

  /** On a disk that behaves everything must be well, also after a restart. */
  async lastLife(): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      const life = new Life(this.#random, this.#history, this.violations, this.#places());
      try {
        await life.liveOnSoundDisk();
      } catch (error) {
        this.violations.add(`the store fails on a sound disk: ${codeOf(error)} ${messageOf(error)}`);
      }
    }
  }

  /** Of the process that begins now. */
  #places(): Places {
    return { open: () => this.#open(FOLDER), forClone: () => this.#placeForClone() };
  }

  #placeForClone(): ClonePlace {
    const { files } = this.#disk;
    const random = this.#random;
    this.#clones += 1;
    const folder = `/clones/${this.#clones}`;
    return {
      clone: (store) => cloneStore(store, { files, folder, random, dirtyBytes: 50_000 }),
      open: async () => ((await files.list(folder)).length === 0 ? undefined : await this.#open(folder)),
      remove: () => files.removeFolder(folder),
    };
  }

  #open(folder: string): Promise<Store> {
    const files = this.#planted.files?.(this.#disk.files) ?? this.#disk.files;
    const random = this.#random;
    return openStore({
      files,
      folder,
      clock: new SimulatedClock(),
      random,
      openJournal: async () => {
        const options = { files, folder: `${folder}/journal`, random, segmentBytes: SEGMENT_BYTES };
        const journal = await openFileJournal(options);
        return this.#planted.journal?.(journal) ?? journal;
      },
      ...this.#sizes,
    });
  }
}

/** Where the store of a life is, and where its clones may be. */
interface Places {
  open(): Promise<Store>;
  forClone(): ClonePlace;
}

interface ClonePlace {
  clone(store: Store): Promise<void>;
  /** Undefined when there is none. */
  open(): Promise<Store | undefined>;
  remove(): Promise<void>;
}

/** One process. Its code goes on after its end until it waits for the disk; what it then finds does not count. */
class Life {
  isOver = false;
  #held: { snapshot: Snapshot; model: StoreModel } | undefined;
  readonly #random: SeededRandom;
  readonly #history: History;
  readonly #violations: Violations;
  readonly #places: Places;

  constructor(random: SeededRandom, history: History, violations: Violations, places: Places) {
    this.#random = random;
    this.#history = history;
    this.#violations = violations;
    this.#places = places;
  }

  async live(steps: number): Promise<void> {
    await this.#despiteFaults(async () => {
      const store = await this.#places.open();
      this.#compareWithHistory(store);
      for (let step = 0; step < steps && !this.isOver; step += 1) await this.#step(store);
      if (this.#random.chance(0.3)) await this.#end(store);
    });
  }

  async liveOnSoundDisk(): Promise<void> {
    const store = await this.#places.open();
    this.#compareWithHistory(store);
    await this.#check(store);
    for (let count = 0; count < 10; count += 1) await this.#commit(store);
    await store.settled();
    await store.checkpoint();
    await this.#compact(store);
    await this.#compare(store);
    await this.#check(store);
    await this.#cloneAndCheck(store);
    await store.close();
  }

  /** The store has just been opened: finds out how many of the pending commits it has. */
  #compareWithHistory(store: Store): void {
    const history = this.#history;
    const found = history.found(store);
    if (this.isOver) return;
    const { length } = history.pending;
    const message = `the store holds neither what was acknowledged nor that and some of ${length} commits more`;
    this.#violations.check(found !== undefined, () => message);
    history.durable = found ?? history.durable;
    history.pending = [];
  }

  async #step(store: Store): Promise<void> {
    const kind = this.#random.below(22);
    if (kind < 14) await this.#commit(store);
    else if (kind === 14) await this.#despiteFaults(() => store.checkpoint());
    else if (kind === 15) await this.#readSnapshot(store);
    else if (kind === 16) await this.#readRanges(store);
    else if (kind === 17) await this.#compare(store);
    else if (kind === 18) await this.#holdSnapshot(store);
    else if (kind === 19) await this.#compact(store);
    else if (kind === 20) await this.#clone(store);
  }

  /** With commits on the way, and sometimes not to its end. */
  async #compact(store: Store): Promise<void> {
    const stop = new AbortController();
    const compacted = this.#despiteFaults(async () => void (await store.compact(stop.signal)));
    for (let count = this.#random.below(4); count > 0; count -= 1) await this.#commit(store);
    if (this.#random.chance(0.2)) stop.abort();
    await compacted;
  }

  /** A clone holds what was visible at the call, or there is none. */
  async #clone(store: Store): Promise<void> {
    const model = this.#history.visible(store);
    const place = this.#places.forClone();
    const cloned = this.#despiteFaults(() => place.clone(store));
    if (this.#random.chance(0.5)) await this.#commit(store);
    await cloned;
    if (this.isOver) return;
    await this.#despiteFaults(async () => {
      const clone = await place.open();
      if (clone === undefined) return;
      model.verify(clone, RANDOM_TREES);
      await clone.close();
      await place.remove();
    });
  }

  async #cloneAndCheck(store: Store): Promise<void> {
    const place = this.#places.forClone();
    await place.clone(store);
    const clone = await place.open();
    if (clone === undefined) return this.#violations.add('there is no clone');
    this.#history.visible(store).verify(clone, RANDOM_TREES);
    await this.#check(clone);
    await clone.close();
  }

  async #commit(store: Store): Promise<void> {
    if (this.isOver) return;
    const changes = randomCommit(this.#random, 12);
    this.#history.pending.push(changes);
    const done = store.commit(changes).then(
      () => this.#acknowledged(changes),
      (error) => this.#refused(changes, error),
    );
    if (this.#random.chance(0.4)) await done;
  }

  /** What is durable is a prefix: with one commit, all before it. */
  #acknowledged(changes: readonly Change[]): void {
    if (this.isOver) return;
    const history = this.#history;
    const count = history.pending.indexOf(changes) + 1;
    for (const earlier of history.pending.splice(0, count)) history.durable = history.durable.after(earlier);
  }

  #refused(changes: readonly Change[], error: unknown): void {
    if (this.#isAfterEnd(error)) return;
    this.#violations.unlessDisk(error);
    const index = this.#history.pending.indexOf(changes);
    this.#violations.check(index >= 0, () => 'a commit was refused after a later one was acknowledged');
    if (codeOf(error) !== 'outcome-unknown') this.#history.pending.splice(index, 1);
  }

  #isAfterEnd(error: unknown): boolean {
    if (messageOf(error) === 'this process is gone') this.isOver = true;
    return this.isOver;
  }

  /** Waits until nothing is under way, then compares all of the store. */
  async #compare(store: Store): Promise<void> {
    await this.#settle(store);
    await this.#despiteFaults(async () => this.#history.visible(store).verify(store, RANDOM_TREES));
  }

  async #settle(store: Store): Promise<void> {
    await store.settled()?.catch(() => undefined);
    // The handlers of the commits themselves come after that of the whole.
    await new Promise((resume) => setImmediate(resume));
  }

  async #readRanges(store: Store): Promise<void> {
    await this.#despiteFaults(async () => {
      verifyRanges(this.#random, store, this.#history.visible(store), 3);
    });
  }

  /** Takes a snapshot that lives for several steps, or compares and releases the one that does. */
  async #holdSnapshot(store: Store): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) {
      this.#held = { snapshot: store.snapshot(), model: this.#history.visible(store) };
      return;
    }
    await this.#despiteFaults(async () => held.model.verify(held.snapshot, RANDOM_TREES));
    held.snapshot.release();
  }

  async #readSnapshot(store: Store): Promise<void> {
    // Without it the snapshot also shows what may yet be refused.
    if (this.#random.chance(0.5)) await this.#settle(store);
    const model = this.#history.visible(store);
    using snapshot = store.snapshot();
    for (let count = this.#random.below(8); count > 0; count -= 1) await this.#commit(store);
    if (this.#random.chance(0.5)) await this.#despiteFaults(() => store.checkpoint());
    await this.#despiteFaults(async () => model.verify(snapshot, RANDOM_TREES));
  }

  /** Work may fail with the disk, but never give something wrong. */
  async #despiteFaults(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#isAfterEnd(error)) return;
      if (error instanceof AssertionError) this.#violations.add(error.message.slice(0, 500));
      else this.#violations.unlessDisk(error);
    }
  }

  async #check(store: Store): Promise<void> {
    for (const finding of await store.check()) this.#violations.add(`check: ${finding}`);
  }

  async #end(store: Store): Promise<void> {
    await this.#compare(store);
    await this.#despiteFaults(() => store.close());
  }
}
