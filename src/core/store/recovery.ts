/**
 * How a store comes back: the newest good root, then every commit of the journal after it.
 *
 * A root is good when its page, its catalog and its set of used pages can be read. When the newest is not, the
 * older one serves as well, for the journal still reaches back to it. Without any root the journal must begin
 * at its beginning. Everything else is damage, and is refused rather than served.
 */
import type { OpenFile } from '../files/files.ts';
import { frameBytesOf } from '../journal/batch.ts';
import { BEFORE_FIRST } from '../journal/genesis.ts';
import { groupsAfter } from '../journal/replay.ts';
import type { Journal, Mark, StoredBatch } from '../journal/types.ts';
import type { Random } from '../random/random.ts';
import type { Clock } from '../time/clock.ts';
import { turn } from '../time/turn.ts';
import {
  type CheckpointContext,
  drawStamp,
  type RootState,
  writeCheckpoint,
  writePages,
} from './checkpoint.ts';
import { StoreError } from './errors.ts';
import { Forest } from './forest.ts';
import { DIRTY_OVERRUN, REPLAY_GROUP_BYTES, REPLAYS_PER_ROOT } from './limits.ts';
import { chain, readLongValue } from './long-value.ts';
import { PageSet } from './page-set.ts';
import { Pages } from './pages.ts';
import { PendingChanges } from './pending-changes.ts';
import { type RecoveryProgress, ReplayProgress } from './replay-progress.ts';
import { type Root, readRoots, writeRoot } from './root.ts';

/** Records are copied out of their group before the next is asked for. */
const READING = { reuse: true, maxBytes: REPLAY_GROUP_BYTES } as const;

export interface RecoveryOptions {
  readonly random: Random;
  readonly cacheBytes: number;
  readonly dirtyBytes: number;
  /** So much of the journal is brought into the order of the keys at once. */
  readonly replayBytes: number;
  readonly clock: Clock;
  readonly onRecovery?: ((progress: RecoveryProgress) => void) | undefined;
}

export interface Recovered {
  readonly forest: Forest;
  /** The usable roots, newest first. */
  readonly roots: RootState[];
}

/**
 * Brings back the state that `file` and `journal` hold.
 * @throws StoreError `corrupt`, `newer-format`; JournalError; a system error of the disk
 */
export async function recover(
  file: OpenFile,
  journal: Journal,
  options: RecoveryOptions,
): Promise<Recovered> {
  const { roots: found, flaws } = await readRoots(file);
  for (const root of found) checkOrigin(root, journal, file.path);
  const loaded = loadNewest(file, found, options, flaws);
  await checkBeginning(journal, loaded.roots[0]?.root, flaws);
  // The newest root may be in the operating system's cache only, read back after a sync that failed.
  if (loaded.roots[0] !== undefined) await writeRoot(file, loaded.roots[0].root);
  const context = { file, journal, forest: loaded.forest, random: options.random };
  const progress = await startProgress(journal, loaded.roots[0]?.root.mark, options);
  const roots = await new Replay(context, loaded.roots, options, progress).run();
  return { forest: loaded.forest, roots };
}

/** The trees of the newest good root, and all good roots. What is wrong with others goes to `flaws`. */
function loadNewest(
  file: OpenFile,
  found: readonly Root[],
  options: RecoveryOptions,
  flaws: string[],
): { forest: Forest; roots: RootState[] } {
  const roots: RootState[] = [];
  let newest: Forest | undefined;
  for (const root of found) {
    const forest = newForest(file, options);
    try {
      const reached = readReached(forest.pages, root);
      if (newest === undefined) forest.load(root.catalog, withoutList(forest.pages, root, reached));
      newest ??= forest;
      roots.push({ root, reached });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      flaws.push(error.message);
    }
  }
  const forest = newest ?? newForest(file, options);
  forest.pages.setRooted(roots.map(({ reached }) => reached));
  return { forest, roots };
}

function newForest(file: OpenFile, { cacheBytes, random }: RecoveryOptions): Forest {
  return new Forest(new Pages(file, cacheBytes, drawStamp(random)));
}

function checkOrigin(root: Root, journal: Journal, path: string): void {
  if (root.incarnation === journal.incarnation) return;
  throw new StoreError(
    'corrupt',
    `${path} belongs to journal ${root.incarnation}, not to ${journal.incarnation}`,
  );
}

function readReached(pages: Pages, root: Root): PageSet {
  return PageSet.decode(readLongValue(pages, root.used, root.usedBytes));
}

/** The pages of the trees: all that the root reaches but the list of them. */
function withoutList(pages: Pages, root: Root, reached: PageSet): PageSet {
  const live = reached.clone();
  for (const { number } of chain(pages, root.used)) live.delete(number);
  return live;
}

async function checkBeginning(journal: Journal, root: Root | undefined, flaws: string[]): Promise<void> {
  const { first } = await journal.head();
  if (first <= (root?.mark.position ?? 0) + 1) return;
  const from = root === undefined ? 'no usable root' : `a root of position ${root.mark.position}`;
  const why = flaws.length === 0 ? '' : `: ${flaws.join('; ')}`;
  throw new StoreError('corrupt', `there is ${from}, and the journal begins at position ${first}${why}`);
}

async function startProgress(
  journal: Journal,
  mark: Mark | undefined,
  { clock, onRecovery }: RecoveryOptions,
): Promise<ReplayProgress> {
  const { first, last } = await journal.head();
  const { storedBytes } = journal.report();
  return new ReplayProgress(
    { first, last: last.position, storedBytes },
    mark?.position ?? 0,
    clock,
    onRecovery,
  );
}

/** A copy, for the memory that a batch lies in is used again. */
function markOf({ position, epoch, chain }: Mark): Mark {
  return { position, epoch, chain: Uint8Array.from(chain) };
}

/**
 * The journal's way into the trees.
 *
 *   journal ─▶ pending changes, up to `replayBytes` ──▶ in the order of their keys ─▶ trees
 *                     ▲                                                                │
 *                     └── gathers the next ones while a checkpoint writes ◀────────────┘
 *
 * Memory stays bounded in two ways. Between gatherings a checkpoint writes what has changed, so that a start
 * which is itself interrupted goes on from there. In the midst of one, when the state is none that ever was, changed
 * pages are written ahead: no root reaches their places, and none will before the next checkpoint.
 */
class Replay {
  readonly #context: CheckpointContext;
  readonly #options: RecoveryOptions;
  readonly #pending: PendingChanges;
  readonly #progress: ReplayProgress;
  #roots: RootState[];
  /** The last batch that has been gathered. */
  #last: Mark;
  #bytesSinceRoot = 0;
  /** There are pages in the file that no root reaches yet. */
  #hasWrittenAhead = false;
  /** What is being written to the file: a checkpoint, or pages ahead of one. One at a time. */
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;

  constructor(
    context: CheckpointContext,
    roots: RootState[],
    options: RecoveryOptions,
    progress: ReplayProgress,
  ) {
    this.#context = context;
    this.#options = options;
    this.#roots = roots;
    this.#last = roots[0]?.root.mark ?? BEFORE_FIRST;
    this.#pending = new PendingChanges(Math.min(options.replayBytes, context.journal.report().storedBytes));
    this.#progress = progress;
  }

  /** @returns the roots from now on, newest first */
  async run(): Promise<RootState[]> {
    const { journal } = this.#context;
    try {
      for await (const group of groupsAfter(journal, this.#roots[0]?.root.mark, READING)) {
        await this.#gatherAll(group);
        await turn();
      }
      await this.#apply();
      // Else closing might find nothing changed, take no checkpoint, and the next start replay all this again.
      if (this.#hasWrittenAhead) await this.#takeCheckpoint();
    } finally {
      // Nobody may close the file under it.
      await this.#writing.catch(() => undefined);
      this.#context.forest.pages.endRecycling();
    }
    await this.#writing;
    return this.#roots;
  }

  async #gatherAll(group: readonly StoredBatch[]): Promise<void> {
    for (const batch of group) {
      if (batch.kind === 'data') {
        const bytes = frameBytesOf(batch.records);
        // Asked first, for a promise for each of millions of small batches costs more than they do.
        if (!this.#pending.takes(bytes)) await this.#applyAndCheckpoint();
        for (const record of batch.records) this.#pending.add(record);
        this.#bytesSinceRoot += bytes;
      }
      this.#last = batch;
    }
    this.#last = markOf(this.#last);
  }

  async #applyAndCheckpoint(): Promise<void> {
    await this.#apply();
    if (this.#bytesSinceRoot >= this.#options.replayBytes * REPLAYS_PER_ROOT) await this.#takeCheckpoint();
  }

  /** Begins a checkpoint of the state as it is now, which is that after the last batch gathered. */
  #takeCheckpoint(): Promise<void> {
    this.#bytesSinceRoot = 0;
    this.#hasWrittenAhead = false;
    const mark = markOf(this.#last);
    return this.#write(async () => {
      this.#roots = await writeCheckpoint(this.#context, this.#roots, async () => mark);
    });
  }

  /** Brings the trees to the last batch gathered. */
  async #apply(): Promise<void> {
    const { forest } = this.#context;
    const { position } = this.#last;
    this.#progress.begin(position, this.#pending.count);
    for (const done of this.#pending.drain((tree, change) => forest.applyInOrder(tree, change))) {
      this.#progress.add(done);
      forest.pages.recycle();
      if (this.#isFull()) await this.#write(() => this.#writeAhead());
      await turn();
    }
    this.#progress.end(position);
  }

  /** Half of what a running store may have changed begins a write, and as much again may change meanwhile. */
  #isFull(): boolean {
    const { dirtyBytes } = this.#context.forest.pages;
    const most = this.#options.dirtyBytes * DIRTY_OVERRUN;
    return dirtyBytes > (this.#isWriting ? most : most / 2);
  }

  /** Begins to write when what was being written is. */
  async #write(begin: () => Promise<void>): Promise<void> {
    await this.#writing;
    this.#isWriting = true;
    this.#writing = begin().finally(() => {
      this.#isWriting = false;
    });
    // Heard by whoever writes next, or at the end.
    this.#writing.catch(() => undefined);
  }

  /**
   * Writes the changed pages as they are now; changes go on in copies. Pages have another stamp from then on, so
   * that one which takes the place of one of these is told from it.
   */
  async #writeAhead(): Promise<void> {
    const { forest, random } = this.#context;
    this.#hasWrittenAhead = true;
    const version = forest.pages.versions.take();
    const pages = [...forest.pages.dirty].sort((left, right) => left.number - right.number);
    forest.pages.stamp = drawStamp(random);
    try {
      await writePages(this.#context, pages);
    } finally {
      forest.pages.versions.release(version);
    }
  }
}
