/**
 * Opens a store (`types.ts` says what it promises), and holds its parts together:
 *
 *   commit ─▶ forest (trees on pages in memory) ─▶ groups ─▶ journal ─▶ durable
 *                │ now and then                                 ▲
 *                └─▶ checkpoint: pages and a root in the file ──┘ lets go of the journal before it
 *
 * In `folder`: the page file `pages`, the folder `journal`, and a lock.
 */

import { codeOf, messageOf } from '../errors.ts';
import type { Files, FolderLock, OpenFile } from '../files/files.ts';
import { openFileJournal } from '../journal/file-journal.ts';
import type { Journal, JournalWriter, Mark } from '../journal/types.ts';
import { startWriter } from '../journal/writer.ts';
import type { Random } from '../random/random.ts';
import type { Clock, Timer } from '../time/clock.ts';
import { gathering } from '../time/gathering.ts';
import { checkStore } from './check.ts';
import { cutFreeEnd, drawStamp, type RootState, writeFrozen } from './checkpoint.ts';
import { compactStore } from './compact.ts';
import { type StoreCode, StoreError } from './errors.ts';
import type { Forest, Frozen } from './forest.ts';
import { Group } from './groups.ts';
import {
  CACHE_BYTES_DEFAULT,
  CHECKPOINT_AFTER_MS_DEFAULT,
  DIRTY_BYTES_MIN,
  DIRTY_OVERRUN,
  JOURNAL_BYTES_DEFAULT,
  REPLAY_BYTES_DEFAULT,
  UNDO_CHANGES_MAX,
  WAITING_BYTES_MAX,
} from './limits.ts';
import { encodeCommit } from './record.ts';
import { recover } from './recovery.ts';
import type { RecoveryProgress } from './replay-progress.ts';
import { TreeSnapshot } from './snapshot.ts';
import type {
  Capture,
  Change,
  Entry,
  EntryCursor,
  RangeOptions,
  Snapshot,
  Store,
  StoreHealth,
  StoreStats,
} from './types.ts';
import { NeedsVersion } from './undo.ts';

/** What a store may take of memory and disk before it writes a checkpoint. */
export interface StoreBounds {
  /** Clean pages kept in memory. Default 16 MiB. */
  readonly cacheBytes?: number;
  /** So many bytes of changed pages in memory start a checkpoint. Default half of `cacheBytes`, at least 16 MiB. */
  readonly dirtyBytes?: number | undefined;
  /** So many bytes of journal since the last checkpoint start the next. Default 64 MiB. */
  readonly journalBytes?: number;
  /** So long after a commit the next checkpoint starts, if none did before. Default 300,000. */
  readonly checkpointAfterMs?: number;
  /** So many bytes of journal are in memory at once while a start replays it. Default 128 MiB. */
  readonly replayBytes?: number;
}

export interface StoreOptions extends StoreBounds {
  readonly files: Files;
  /** The store's own folder, made if missing; nobody else may keep files in it. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Told how far the replay of the journal has come, at most ten times a second; not at all without one. */
  readonly onRecovery?: (progress: RecoveryProgress) => void;
  /** Another journal than the one in `folder`; the store closes it. */
  readonly openJournal?: () => Promise<Journal>;
}

/**
 * Opens the store in `folder`, making it if there is none. Every commit that was ever acknowledged is there.
 * @throws FilesError `locked`; StoreError `corrupt`, `newer-format`; JournalError; a system error of the disk
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { files, folder } = options;
  await files.makeFolder(folder);
  const opened = new AsyncDisposableStack();
  try {
    const lock = opened.adopt(await files.lock(folder), (held) => held.release());
    const file = opened.adopt(await openPageFile(files, folder), (open) => open.close());
    const journal = opened.use(await openJournal(options));
    const store = await openOn(options, { lock, file, journal });
    opened.move();
    return store;
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function openPageFile(files: Files, folder: string): Promise<OpenFile> {
  const file = await files.open(`${folder}/pages`, 'open');
  try {
    // Always: an earlier start may have made the file and ended before its name was durable.
    await files.syncFolder(folder);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function openJournal({ files, folder, random, openJournal }: StoreOptions): Promise<Journal> {
  return openJournal?.() ?? openFileJournal({ files, folder: `${folder}/journal`, random });
}

interface Opened {
  readonly lock: FolderLock;
  readonly file: OpenFile;
  readonly journal: Journal;
}

async function openOn(options: StoreOptions, resources: Opened): Promise<Store> {
  const { cacheBytes = CACHE_BYTES_DEFAULT } = options;
  const limits = {
    cacheBytes,
    dirtyBytes: options.dirtyBytes ?? Math.max(DIRTY_BYTES_MIN, cacheBytes / 2),
    journalBytes: options.journalBytes ?? JOURNAL_BYTES_DEFAULT,
    checkpointAfterMs: options.checkpointAfterMs ?? CHECKPOINT_AFTER_MS_DEFAULT,
  };
  const { forest, roots } = await recover(resources.file, resources.journal, {
    random: options.random,
    clock: options.clock,
    onRecovery: options.onRecovery,
    replayBytes: options.replayBytes ?? REPLAY_BYTES_DEFAULT,
    ...limits,
  });
  const writer = await startWriter(resources.journal, { random: options.random, clock: options.clock });
  return new TreeStore({ ...resources, writer, ...options }, forest, roots, limits);
}

interface StoreLimits {
  readonly dirtyBytes: number;
  readonly journalBytes: number;
  readonly checkpointAfterMs: number;
}

interface Resources extends Opened {
  readonly writer: JournalWriter;
  readonly clock: Clock;
  readonly random: Random;
}

class TreeStore implements Store {
  readonly #resources: Resources;
  readonly #forest: Forest;
  readonly #limits: StoreLimits;
  /** Oldest first; the first may be under way. */
  #groups: Group[] = [];
  #roots: RootState[];
  #broken: StoreError | undefined;
  #closing: Promise<void> | undefined;
  #flushing: Promise<void> | undefined;
  /** The newest group held more than one commit: there are several who write. */
  #shared = false;
  /** The checkpoint or check under way: they take turns. */
  #turn: Promise<unknown> = Promise.resolve();
  #background: Promise<void> | undefined;
  /** The last compaction asked for: one follows the other. */
  #compacting: Promise<unknown> = Promise.resolve();
  /** A checkpoint failed, and the next may succeed: what commits that need one are told. */
  #stall: { readonly dirtyBytes: number; readonly error: StoreError } | undefined;
  #journalBytesSinceRoot: number;
  #waitingBytes = 0;
  #commits = 0;
  #checkpoints = 0;
  /** Set while there are commits since the last checkpoint. */
  #timer: Timer | undefined;

  constructor(resources: Resources, forest: Forest, roots: RootState[], limits: StoreLimits) {
    this.#resources = resources;
    this.#forest = forest;
    this.#roots = roots;
    this.#limits = limits;
    this.#journalBytesSinceRoot = resources.journal.report().storedBytes;
  }

  get(tree: string, key: Uint8Array): Buffer | undefined {
    return this.#forest.get(tree, key);
  }

  has(tree: string, key: Uint8Array): boolean {
    return this.#forest.has(tree, key);
  }

  range(tree: string, options: RangeOptions = {}): IterableIterator<Entry> {
    return this.#forest.range(tree, options);
  }

  cursor(tree: string, options: RangeOptions = {}): EntryCursor {
    return this.#forest.cursor(tree, options);
  }

  snapshot(): Snapshot {
    this.#checkOpen();
    return new TreeSnapshot(this.#forest);
  }

  async capture(): Promise<Capture> {
    const snapshot = this.snapshot();
    try {
      const mark = await this.#agree();
      return { snapshot, incarnation: this.#resources.journal.incarnation, mark };
    } catch (error) {
      snapshot.release();
      throw refusalOf(error)[0];
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('closed', 'the store is closed');
  }

  commit(changes: readonly Change[]): Promise<void> {
    try {
      this.#checkAdmitted();
      const commit = encodeCommit(changes);
      return changes.length === 0 ? (this.settled() ?? Promise.resolve()) : this.#apply(changes, commit);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #checkAdmitted(): void {
    this.#checkOpen();
    if (this.#broken !== undefined) throw readOnly(this.#broken);
    if (this.#stall !== undefined && this.#isOverrun()) {
      this.#checkpointInBackground();
      throw this.#stall.error;
    }
    if (this.#waitingBytes > WAITING_BYTES_MAX) {
      throw new StoreError('overloaded', 'too many commits wait for the disk', { retryable: true });
    }
  }

  #isOverrun(): boolean {
    return this.#forest.pages.dirtyBytes > this.#limits.dirtyBytes * DIRTY_OVERRUN;
  }

  #apply(changes: readonly Change[], commit: Buffer): Promise<void> {
    const group = this.#applied(changes, commit.length);
    group.add(commit);
    this.#commits += 1;
    this.#journalBytesSinceRoot += commit.length;
    this.#waitingBytes += commit.length;
    this.#flushing ??= this.#flush();
    this.#startCheckpoint();
    return this.#isOverrun() ? this.#afterCheckpoint(group) : group.durable;
  }

  /** Writers that are faster than the checkpoint wait for it: that bounds the memory. */
  #afterCheckpoint(group: Group): Promise<void> {
    const acknowledged = group.durable.then(() => this.#background);
    // Who commits may wait for `settled()` instead: a refusal that nobody listens to here is no crash.
    acknowledged.catch(() => undefined);
    return acknowledged;
  }

  /** Applies `changes` to the trees. @returns the group that they belong to */
  #applied(changes: readonly Change[], bytes: number): Group {
    if (changes.length > UNDO_CHANGES_MAX) return this.#appliedUnderVersion(changes, bytes);
    const group = this.#gathering(bytes, true);
    const { undo } = group;
    if (undo === undefined) return this.#appliedUnderVersion(changes, bytes);
    const count = undo.length;
    try {
      for (const change of changes) this.#forest.apply(change, undo);
      return group;
    } catch (error) {
      this.#forest.takeBack(undo, count);
      if (group.bytes === 0) this.#groups.pop();
      if (!(error instanceof NeedsVersion)) throw error;
      return this.#appliedUnderVersion(changes, bytes);
    }
  }

  #appliedUnderVersion(changes: readonly Change[], bytes: number): Group {
    const group = this.#gathering(bytes, false);
    try {
      for (const change of changes) this.#forest.apply(change);
      return group;
    } catch (error) {
      this.#abandon(group, error);
      throw error;
    }
  }

  /** @param byLog whether the commit can be taken back by a log */
  #gathering(bytes: number, byLog: boolean): Group {
    const last = this.#groups.at(-1);
    if (last?.takes(bytes, byLog)) return last;
    const group = new Group(byLog ? [] : this.#forest.pages.versions.take());
    this.#groups.push(group);
    return group;
  }

  /** A damaged page was met half-way: what the group has changed is undone. Nothing of it has been proposed. */
  #abandon(group: Group, error: unknown): void {
    this.#groups.pop();
    this.#undo([group], () => error);
  }

  /** Takes back the changes of `groups`, the last ones, and rejects their commits. */
  #undo(groups: readonly Group[], errorFor: (group: Group) => unknown): void {
    try {
      for (const group of groups.toReversed()) this.#goBack(group);
    } catch (error) {
      // Against all that undo.ts says. Nothing is served rather than something wrong.
      this.#forest.close();
      this.#break(new StoreError('corrupt', `a refused commit cannot be taken back: ${messageOf(error)}`));
    }
    for (const group of groups) {
      this.#settle(group);
      group.reject(errorFor(group));
    }
  }

  #goBack({ before }: Group): void {
    if (Array.isArray(before)) this.#forest.takeBack(before, 0);
    else this.#forest.restore(before);
  }

  /** The group waits no more, and needs no way back. */
  #settle(group: Group): void {
    this.#waitingBytes -= group.bytes;
    if (!Array.isArray(group.before)) this.#forest.pages.versions.release(group.before);
  }

  async #flush(): Promise<void> {
    for (;;) {
      await gathering(this.#shared);
      const group = this.#groups[0];
      if (group === undefined) break;
      this.#shared = group.isShared;
      try {
        await group.propose(this.#resources.writer);
        this.#groups.shift();
        this.#settle(group);
        group.resolve();
      } catch (error) {
        this.#refuse(error);
      }
    }
    this.#flushing = undefined;
  }

  /** The journal did not take the first group: neither can it have those that build upon it. */
  #refuse(cause: unknown): void {
    const refused = this.#groups;
    this.#groups = [];
    const [error, later] = refusalOf(cause);
    if (error.code !== 'no-space') this.#break(error);
    this.#undo(refused, (group) => (group === refused[0] ? error : later));
  }

  #break(error: StoreError): void {
    this.#broken ??= error;
  }

  settled(): Promise<void> | undefined {
    return this.#groups.at(-1)?.durable;
  }

  health(): StoreHealth {
    if (this.#broken === undefined) return { state: 'ok' };
    return { state: 'read-only', reason: this.#broken.message };
  }

  stats(): StoreStats {
    const { file, journal } = this.#resources;
    return {
      trees: this.#forest.trees,
      journalBytes: journal.report().storedBytes,
      fileBytes: file.size(),
      cachedBytes: this.#forest.pages.cachedBytes,
      commits: this.#commits,
      checkpoints: this.#checkpoints,
    };
  }

  #startCheckpoint(): void {
    const { clock } = this.#resources;
    this.#timer ??= clock.schedule(this.#limits.checkpointAfterMs, () => {
      this.#timer = undefined;
      this.#checkpointInBackground();
    });
    if (this.#wantsCheckpoint()) this.#checkpointInBackground();
  }

  #checkpointInBackground(): void {
    this.#background ??= this.#inTurn(() => this.#checkpointNow())
      .catch(() => undefined)
      .then(() => {
        this.#background = undefined;
      });
  }

  #wantsCheckpoint(): boolean {
    const { dirtyBytes } = this.#forest.pages;
    const retryAt = (this.#stall?.dirtyBytes ?? 0) + this.#limits.dirtyBytes / 4;
    if (this.#stall !== undefined && dirtyBytes < retryAt) return false;
    return dirtyBytes > this.#limits.dirtyBytes || this.#journalBytesSinceRoot > this.#limits.journalBytes;
  }

  async checkpoint(): Promise<void> {
    this.#checkOpen();
    await this.#inTurn(() => this.#checkpointNow());
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #checkpointNow(): Promise<void> {
    if (this.#broken !== undefined) throw readOnly(this.#broken);
    this.#stopTimer();
    const context = { ...this.#resources, forest: this.#forest };
    const journalBytes = this.#journalBytesSinceRoot;
    const frozen = this.#freeze();
    try {
      this.#roots = await writeFrozen(context, this.#roots, frozen, () => this.#agree());
    } catch (error) {
      throw this.#checkpointFailure(error);
    }
    this.#stall = undefined;
    this.#journalBytesSinceRoot -= journalBytes;
    this.#checkpoints += 1;
    await this.#trimJournal();
  }

  /** A catalog that cannot be read now fails the checkpoint alone: nothing has been written yet. */
  #freeze(): Frozen {
    try {
      return this.#forest.freeze(drawStamp(this.#resources.random));
    } catch (error) {
      this.#stallWith('overloaded', `no checkpoint can begin: ${messageOf(error)}`, error);
      throw error;
    }
  }

  #stallWith(code: StoreCode, why: string, cause: unknown): void {
    const message = `${why}, and memory holds all it may`;
    const { dirtyBytes } = this.#forest.pages;
    this.#stall = { dirtyBytes, error: new StoreError(code, message, { cause, retryable: true }) };
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The mark of the state as it is in this turn, when that is durable. */
  #agree(): Promise<Mark> {
    const last = this.#groups.at(-1);
    if (last === undefined || last.proposed) return this.#resources.writer.cut();
    last.sealed = true;
    return last.mark();
  }

  #checkpointFailure(error: unknown): unknown {
    if (codeOf(error) === 'no-space') {
      this.#stallWith('no-space', 'the disk is full', error);
      return refusalOf(error)[0];
    }
    const failure = new StoreError('read-only', `a checkpoint failed: ${messageOf(error)}`, { cause: error });
    this.#break(failure);
    return failure;
  }

  /** Lets go of the journal that neither root needs. A failure costs space only, until the next time. */
  async #trimJournal(): Promise<void> {
    const older = this.#roots[1];
    if (older === undefined) return;
    await this.#resources.journal.truncateBefore(older.root.mark.position + 1).catch(() => undefined);
  }

  compact(signal?: AbortSignal): Promise<number> {
    const compacted = this.#compacting.then(() => this.#compact(signal));
    this.#compacting = compacted.catch(() => undefined);
    return compacted;
  }

  async #compact(signal: AbortSignal | undefined): Promise<number> {
    this.#checkOpen();
    const { file } = this.#resources;
    return compactStore({
      forest: this.#forest,
      file,
      dirtyBytes: this.#limits.dirtyBytes,
      isOver: () => signal?.aborted === true || this.#closing !== undefined,
      checkpoint: () => this.#inTurn(() => this.#checkpointNow()),
      cut: () => this.#inTurn(() => cutFreeEnd(file, this.#forest)),
    });
  }

  check(): Promise<string[]> {
    this.#checkOpen();
    return this.#inTurn(() => checkStore(this.#forest, this.#roots));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopTimer();
    await this.#flushing;
    await this.#compacting;
    await this.#turn;
    this.#forest.close();
    try {
      if (this.#broken === undefined && this.#hasChanges()) await this.#checkpointNow();
    } catch {
      // The journal has everything; the next start takes longer, and finds out what ails the disk.
    }
    await using resources = new AsyncDisposableStack();
    resources.defer(() => this.#resources.lock.release());
    resources.defer(() => this.#resources.file.close());
    resources.use(this.#resources.journal);
    await this.#resources.writer.close();
  }

  /** True when the newest root is behind the current state. */
  #hasChanges(): boolean {
    return this.#forest.pages.dirtyBytes > 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function readOnly(cause: StoreError): StoreError {
  return new StoreError('read-only', `the store takes no more commits: ${cause.message}`, { cause });
}

/** @returns the error for the group that was refused, and the one for the groups after it */
function refusalOf(cause: unknown): [StoreError, StoreError] {
  const message = messageOf(cause);
  const code = codeOf(cause);
  if (code === 'no-space') {
    const error = new StoreError('no-space', message, { cause, retryable: true });
    return [error, error];
  }
  const definite = code === 'read-only' || code === 'fenced' || code === 'closed';
  const error = new StoreError(definite ? 'read-only' : 'outcome-unknown', message, { cause });
  return [error, readOnly(error)];
}
