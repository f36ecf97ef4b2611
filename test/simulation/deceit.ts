/**
 * Journal, store and blobs on a disk that deceives once: a sync that lies, a write that lands elsewhere or with a
 * bit changed, or a bit that rots, and then a power cut. No software can keep what such a disk has lost. So the
 * promise is another one:
 *
 *   - nothing wrong is ever served: whatever is read is what was written;
 *   - what cannot be read is refused with `corrupt` (a blob also with `missing`), naming the place;
 *   - what was acknowledged and is gone is noticed by whoever remembers the journal's mark: a follower that has
 *     seen it here, a store's root if it is newer (store/recovery.ts). What a torn tail would look like, too, is
 *     noticed by nobody else;
 *   - the tools look at the damage and do not fall: `describeJournal`, `check()`.
 */
import { openBlobs } from '../../src/core/blobs/blobs.ts';
import type { Blobs } from '../../src/core/blobs/types.ts';
import { codeOf, messageOf } from '../../src/core/errors.ts';
import type { Files } from '../../src/core/files/files.ts';
import { type Fault, SimulatedDisk } from '../../src/core/files/simulated-files.ts';
import { describeJournal } from '../../src/core/journal/describe.ts';
import { openFileJournal } from '../../src/core/journal/file-journal.ts';
import { replay } from '../../src/core/journal/replay.ts';
import type { Journal, Mark, StoredBatch } from '../../src/core/journal/types.ts';
import { startWriter } from '../../src/core/journal/writer.ts';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';
import { openStore } from '../../src/core/store/store.ts';
import type { Store } from '../../src/core/store/types.ts';
import { RANDOM_TREES, randomCommit, StoreModel } from '../../src/core/testing/store-contract.ts';
import { SimulatedClock } from '../../src/core/time/simulated-clock.ts';
import { remembering } from './planted.ts';
import { type Digest, type Simulation, Violations } from './simulation.ts';

const DECEITS = ['lie', 'lie', 'misdirect', 'misdirect', 'flip', 'rot'] as const;

/** The calls that each deceit befalls. */
const BEFALLEN: Readonly<Record<string, readonly string[]>> = {
  lie: ['sync', 'syncFolder'],
  misdirect: ['write'],
  flip: ['write'],
};

/** A bug to plant, to show that the simulation finds it. */
export interface PlantedInDeceit {
  /** Nobody remembers how far the journal was. */
  readonly forgetsMark?: boolean;
  readonly files?: (files: Files) => Files;
  /** Reads a blob in another way. */
  readonly readBlob?: (files: Files, id: string) => AsyncIterable<Buffer>;
}

export const simulateDeceit: Simulation = async (seed, digest) => {
  const { violations } = await runDeceit(seed, {}, digest);
  return violations;
};

export interface DeceitOutcome {
  readonly violations: string[];
  /** What was refused or missed, by whom. */
  readonly noticed: string[];
}

/** All three rooms, each on a disk of its own. */
export async function runDeceit(
  seed: number,
  planted: PlantedInDeceit,
  digest?: Digest,
): Promise<DeceitOutcome> {
  const violations: string[] = [];
  const noticed: string[] = [];
  for (const World of [JournalWorld, StoreWorld, BlobsWorld]) {
    const world = new World(seed, planted, digest);
    await world.run();
    violations.push(...world.violations.list.map((what) => `${world.deceit}: ${what}`));
    noticed.push(...world.noticed.map((what) => `${world.name}, ${world.deceit}: ${what}`));
  }
  return { violations, noticed };
}

abstract class DeceivedWorld {
  abstract readonly name: string;
  readonly violations = new Violations();
  readonly noticed: string[] = [];
  readonly deceit: (typeof DECEITS)[number];
  readonly random: SeededRandom;
  readonly disk: SimulatedDisk;
  readonly planted: PlantedInDeceit;

  constructor(seed: number, planted: PlantedInDeceit, digest: Digest | undefined) {
    this.random = new SeededRandom(seed);
    this.disk = new SimulatedDisk({ random: this.random, ...(digest && { observe: digest.add }) });
    this.deceit = this.random.pick(DECEITS);
    this.planted = planted;
  }

  /** An honest life, one with the deceit in it, a power cut, and what is left. */
  async run(): Promise<void> {
    try {
      await this.live();
      await Promise.race([this.live(), this.#arm()]);
      this.disk.inject = undefined;
      this.disk.powerCut();
      if (this.deceit === 'rot') this.disk.rotSomewhere();
      await this.look();
    } catch (error) {
      this.violations.add(`unexpected: ${codeOf(error)} ${messageOf(error)}`);
    }
  }

  /** @returns a promise of a power cut soon after the deceit, if there is one: it makes a lie matter */
  #arm(): Promise<void> {
    const { deceit, random } = this;
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = this.disk.calls + random.below(120);
    let cutAt = random.chance(0.7) ? 1 + random.below(12) : Number.POSITIVE_INFINITY;
    let isDone = deceit === 'rot';
    this.disk.inject = ({ number, call }): Fault | undefined => {
      if (isDone && deceit !== 'rot' && --cutAt === 0) {
        resolve();
        return 'power-cut';
      }
      if (isDone || deceit === 'rot' || number < first || !BEFALLEN[deceit]?.includes(call)) return undefined;
      isDone = true;
      return deceit;
    };
    return promise;
  }

  protected abstract live(): Promise<void>;

  protected abstract look(): Promise<void>;

  /** @returns undefined when `work` was refused as it should be: with the place */
  protected async orNoticed<Result>(
    work: () => Promise<Result>,
    ...codes: string[]
  ): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      this.notice(error, ...codes);
      return undefined;
    }
  }

  protected notice(error: unknown, ...codes: string[]): void {
    const namesPlace = /\/(journal|store|blobs)\b|position \d+|offset \d+|blob [0-9a-f]{32}/.test(
      messageOf(error),
    );
    const isRight = ['corrupt', 'newer-format', ...codes].includes(codeOf(error) ?? '') && namesPlace;
    if (isRight) this.noticed.push(messageOf(error));
    else this.violations.add(`not a refusal that names the place: ${codeOf(error)} ${messageOf(error)}`);
  }
}

class JournalWorld extends DeceivedWorld {
  readonly name = 'journal';
  readonly #segmentBytes = 300 + this.random.below(3_000);
  /** What was acknowledged, by position. */
  readonly #stored = new Map<number, StoredBatch>();
  #mark: Mark | undefined;
  #trimmedTo = 1;

  #open(): Promise<Journal> {
    const { random } = this;
    const { files } = this.disk;
    return openFileJournal({ files, folder: '/journal', random, segmentBytes: this.#segmentBytes });
  }

  protected async live(): Promise<void> {
    const journal = await this.#open();
    const keep = (batch: StoredBatch): void => {
      this.#stored.set(batch.position, batch);
      this.#mark = batch;
    };
    for await (const group of journal.read(this.#trimmedTo)) for (const batch of group) keep(batch);
    const writer = await startWriter(remembering(journal, keep), { random: this.random });
    for (let turn = 1 + this.random.below(12); turn > 0; turn--) {
      const burst = Array.from({ length: 1 + this.random.below(3) }, () =>
        writer.propose(this.random.bytes(this.random.below(1_500))),
      );
      await Promise.all(burst);
      if (this.random.chance(0.1)) await this.#truncate(journal, writer.durable);
    }
    await writer.close();
    await journal.close();
  }

  async #truncate(journal: Journal, durable: number): Promise<void> {
    const before = 1 + this.random.below(durable);
    this.#trimmedTo = Math.max(this.#trimmedTo, before);
    await journal.truncateBefore(before);
  }

  protected async look(): Promise<void> {
    let lines = 0;
    for await (const _ of describeJournal(this.disk.files, '/journal')) lines += 1;
    this.violations.check(lines > 0, () => 'nothing is said of the journal');
    const journal = await this.orNoticed(() => this.#open());
    if (journal === undefined) return;
    const mark = this.planted.forgetsMark === true ? undefined : this.#mark;
    const follower = await this.orNoticed(() => replay(journal, mark, () => undefined), 'trimmed');
    const isWhole = (await this.orNoticed(() => this.#readAll(journal))) === true;
    this.violations.check(isWhole || this.noticed.length > 0, () => 'acknowledged, gone, and nobody noticed');
    const { last } = await journal.head();
    const endsEarly = last.position < (this.#mark?.position ?? 0);
    this.violations.check(!endsEarly || follower === undefined, () => 'the follower did not miss the end');
    await journal.close();
  }

  /** @returns whether all that was acknowledged and not let go of is there */
  async #readAll(journal: Journal): Promise<boolean> {
    const { first, last } = await journal.head();
    let next = first;
    for await (const group of journal.read(first)) {
      for (const batch of group) {
        this.violations.check(batch.position === next, () => `${batch.position} instead of ${next}`);
        this.#compare(batch);
        next += 1;
      }
    }
    this.violations.check(next === last.position + 1, () => 'reading ends before the head');
    return first <= this.#trimmedTo && last.position >= (this.#mark?.position ?? 0);
  }

  #compare(batch: StoredBatch): void {
    const stored = this.#stored.get(batch.position);
    const same =
      stored === undefined ||
      (Buffer.compare(stored.id, batch.id) === 0 &&
        Buffer.concat(stored.records).equals(Buffer.concat(batch.records)));
    this.violations.check(same, () => `position ${batch.position} is not what was stored`);
  }
}

/** What could be read of a tree, up to where it was refused. */
interface Seen {
  readonly tree: string;
  readonly entries: { key: string; value: Buffer }[];
  isWhole: boolean;
}

class StoreWorld extends DeceivedWorld {
  readonly name = 'store';
  /** After each commit. */
  readonly #states = [new StoreModel()];
  /** How many of the commits were acknowledged; of the others there is one at most. */
  #acknowledged = 0;
  #mark: Mark | undefined;

  #openJournal(): Promise<Journal> {
    const { files } = this.disk;
    const { random } = this;
    return openFileJournal({ files, folder: '/store/journal', random, segmentBytes: 20_000 });
  }

  #open(): Promise<Store> {
    const keep = (batch: StoredBatch): void => {
      this.#mark = batch;
    };
    return openStore({
      files: this.planted.files?.(this.disk.files) ?? this.disk.files,
      folder: '/store',
      clock: new SimulatedClock(),
      random: this.random,
      cacheBytes: 0,
      dirtyBytes: 150_000,
      journalBytes: 100_000,
      openJournal: async () => remembering(await this.#openJournal(), keep),
    });
  }

  protected async live(): Promise<void> {
    const store = await this.#open();
    for (let turn = 1 + this.random.below(15); turn > 0; turn--) {
      const changes = randomCommit(this.random, 12);
      this.#states.push(this.#states.at(-1)!.after(changes));
      await store.commit(changes);
      this.#acknowledged = this.#states.length - 1;
      if (this.random.chance(0.15)) await store.checkpoint();
    }
    await store.close();
  }

  protected async look(): Promise<void> {
    const follower = await this.#follow();
    const store = await this.orNoticed(() => this.#open());
    if (store === undefined) return;
    const seen = RANDOM_TREES.map((tree) => this.#read(store, tree));
    const index = this.#states.findLastIndex((state) => seen.every((part) => isOf(part, state)));
    this.violations.check(index >= 0, () => 'what is read is of no state that there ever was');
    const isThere = index >= this.#acknowledged;
    this.violations.check(
      isThere || follower === undefined,
      () => 'a commit is gone, and the follower did not notice',
    );
    const isWhole = seen.every((part) => part.isWhole);
    const findings = await store.check();
    this.violations.check(isWhole || findings.length > 0, () => 'check() did not find what a reader met');
    for (const finding of findings) this.noticed.push(`check: ${finding}`);
    await store.close();
  }

  /** @returns undefined when the journal is not, to its end, what was acknowledged */
  async #follow(): Promise<Mark | undefined> {
    if (this.planted.forgetsMark === true) return this.#mark;
    return this.orNoticed(async () => {
      await using journal = await this.#openJournal();
      return await replay(journal, this.#mark, () => undefined);
    }, 'trimmed');
  }

  #read(store: Store, tree: string): Seen {
    const seen: Seen = { tree, entries: [], isWhole: false };
    try {
      for (const { key, value } of store.range(tree)) {
        seen.entries.push({ key: key.toString('latin1'), value: Buffer.from(value) });
      }
      seen.isWhole = true;
    } catch (error) {
      this.notice(error);
    }
    return seen;
  }
}

function isOf({ tree, entries, isWhole }: Seen, state: StoreModel): boolean {
  const keys = state.keys(tree);
  if (isWhole && keys.length !== entries.length) return false;
  return entries.every(
    ({ key, value }, index) => key === keys[index] && state.get(tree, key)?.equals(value) === true,
  );
}

class BlobsWorld extends DeceivedWorld {
  readonly name = 'blobs';
  readonly #contents = new Map<string, Buffer>();

  #open(): Promise<Blobs> {
    return openBlobs({ files: this.disk.files, folder: '/blobs', random: this.random });
  }

  protected async live(): Promise<void> {
    const blobs = await this.#open();
    for (let turn = 1 + this.random.below(8); turn > 0; turn--) {
      const content = this.random.bytes(this.random.below(this.random.chance(0.2) ? 150_000 : 3_000));
      const writer = await blobs.create();
      await writer.write(content);
      const { id } = await writer.finish();
      this.#contents.set(id, content);
    }
    await blobs.close();
  }

  protected async look(): Promise<void> {
    const blobs = await this.#open();
    for (const [id, content] of this.#contents) {
      const read = await this.orNoticed(() => this.#read(blobs, id), 'missing');
      const isRight = read === undefined || read.equals(content);
      this.violations.check(isRight, () => `blob ${id} is not what was written`);
    }
    await blobs.close();
  }

  async #read(blobs: Blobs, id: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.planted.readBlob?.(this.disk.files, id) ?? blobs.read(id)) parts.push(part);
    return Buffer.concat(parts);
  }
}
