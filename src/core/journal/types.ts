/**
 * The journal: an append-only sequence of batches, the truth from which every durable state is rebuilt.
 *
 *   position      1          2        3        4        5
 *             ┌─────────┬────────┬────────┬────────┬────────┐
 *             │ genesis │ epoch  │  data  │  data  │  data  │ ◀── append(batch, expected = 5) makes 6
 *             └─────────┴────────┴────────┴────────┴────────┘
 *              names the   a new   0..n records each: one record is one commit of the store
 *              incarnation writer
 *
 * Two layers. `Journal` is what a storage engine provides: compare-and-append by position, read, trim, and a
 * cell for a lease. It assumes nothing local, so that an engine may also be a replicated log elsewhere.
 * `JournalWriter` stands on any `Journal` and is what a store uses: it gathers what waits into one batch, has
 * one append under way at a time, and acknowledges nothing whose outcome it does not know.
 *
 * What holds for every engine:
 *   - positions number batches without a gap; a gap is damage, never skipped;
 *   - at most one batch ever owns a position; who appends with a stale `expected` gets `conflict`;
 *   - an epoch never goes down from one batch to the next;
 *   - each batch carries a chain: a hash over its content and the chain of its predecessor. So a lost tail, a
 *     split history or a restored old copy is seen by whoever remembers one (position, chain) pair;
 *   - `appended` means durable.
 */

/** The number of a batch: dense, the first is 1; 0 stands before the first. A safe integer. */
export type Position = number;

/** The number of a writer's term: each writer appends under a higher one than its predecessor. */
export type Epoch = number;

export type BatchKind =
  /** The first batch of a journal; its record names the incarnation. */
  | 'genesis'
  /** The first batch of a writer: fences every earlier one. */
  | 'epoch'
  | 'data'
  /** Empty; appended to learn that one still leads. */
  | 'barrier'
  /** The last batch of a journal that continues elsewhere. */
  | 'seal';

export interface Batch {
  /** 16 bytes, unique: tells a retry of this batch from another writer's. */
  readonly id: Uint8Array;
  readonly epoch: Epoch;
  readonly kind: BatchKind;
  /** 16 bytes: `chainOf` (batch.ts) over the previous batch's chain and this batch's content. */
  readonly chain: Uint8Array;
  readonly records: readonly Uint8Array[];
}

export interface StoredBatch extends Batch {
  readonly position: Position;
}

/** A place in a journal's history, to be remembered outside of it: by a checkpoint, a follower, a backup. */
export interface Mark {
  readonly position: Position;
  readonly epoch: Epoch;
  /** The chain of the batch at `position`. */
  readonly chain: Uint8Array;
}

export type AppendResult =
  /** Durable at `position`. */
  | { readonly outcome: 'appended'; readonly position: Position }
  /** Definite: nothing was stored, because somebody owns `expected + 1`. */
  | { readonly outcome: 'conflict'; readonly last: Position }
  /**
   * It may be stored or not, now or later: a request may still be on its way. A read that does not find it
   * proves nothing. What to do about it, `EngineReport.unknownAppend` says.
   */
  | { readonly outcome: 'unknown'; readonly cause: unknown };

export interface Head {
  /** The lowest position that can still be read; `last + 1` when there is none. */
  readonly first: Position;
  readonly last: Mark;
}

export interface EngineReport {
  /** `file`, `memory`, … */
  readonly engine: string;
  readonly durability: 'fsync-local' | 'fsync-quorum' | 'memory';
  readonly maxBatchBytes: number;
  /** What it occupies where it is stored. */
  readonly storedBytes: number;
  /**
   * What an `unknown` append leaves to do. `final`: nothing, the engine itself takes no more appends (a disk
   * that failed a sync). `retry`: the same batch may be sent again, with the same `expected`, until it is
   * appended or conflicts; at a conflict the id of the batch at `expected + 1` tells whose it is.
   */
  readonly unknownAppend: 'final' | 'retry';
  /**
   * `latest`: `head` and `read` know of every append that was acknowledged before the call. `stale`: they may
   * answer from before it (a replica that is behind); what they show is stored, but more may be. Only an
   * append then tells where the journal ends.
   */
  readonly reads: 'latest' | 'stale';
}

export interface LeaseHolder {
  readonly holder: string;
  /** Where the holder can be reached. */
  readonly address: string;
}

/** One small value with compare-and-set. It only decides who tries to write: safety comes from `append`. */
export interface LeaseCell {
  /** @throws JournalError `unavailable` */
  get(): Promise<(LeaseHolder & { readonly revision: number }) | undefined>;
  /**
   * `revision` undefined: the cell must be empty.
   * @returns the new revision; `unknown`: it may be set or not; `conflict`: somebody has set it, which may be
   *   this very request, delivered twice. In either case `get` shows who holds it
   */
  compareAndSet(revision: number | undefined, value: LeaseHolder): Promise<number | 'conflict' | 'unknown'>;
}

export interface ReadOptions {
  readonly maxBytes?: number;
  readonly reuse?: boolean;
}

export interface Journal extends AsyncDisposable {
  /** A version 4 UUID, made with the journal: two journals never share it, copies do. */
  readonly incarnation: string;
  report(): EngineReport;
  /**
   * Stores `batch` at `expected + 1` if that is the next position. Answers in bounded time: an engine that
   * waits for others gives up by itself and says `unknown`.
   * @param signal stops the waiting, not the append: an engine may then answer `unknown` at once
   * @throws JournalError `no-space`, `too-large`, `read-only`, `closed`: definite, nothing was stored
   */
  append(batch: Batch, expected: Position, signal?: AbortSignal): Promise<AppendResult>;
  /**
   * The batches from position `from` to the last there is when reading gets there, in groups of about
   * `maxBytes` (default 1 MiB), at least one batch each. Their bytes are the reader's to keep. Each batch has
   * been held against the one before it; only the first must be, by a reader who remembers a mark.
   * With `reuse` the bytes of a group are the reader's until he asks for the next but one: the engine may use their
   * memory again.
   * @throws JournalError `trimmed` when `from` has been let go of; `corrupt` naming the place; `unavailable`
   *   when the engine does not answer, and the same may be asked again
   */
  read(from: Position, options?: ReadOptions): AsyncIterable<StoredBatch[]>;
  /** @throws JournalError `unavailable` */
  head(): Promise<Head>;
  /**
   * Lets go of batches before `position`: all, some or none of them, never one at or after it. Idempotent.
   * @throws JournalError `unavailable`
   */
  truncateBefore(position: Position): Promise<void>;
  readonly lease: LeaseCell;
  close(): Promise<void>;
}

export type WriterHealth =
  | { readonly state: 'ok' }
  | { readonly state: 'read-only'; readonly reason: string };

/**
 * The one writer of a journal in this process. `startWriter(journal, { random })` (writer.ts) makes it, after
 * `replay(journal, mark, apply)` (replay.ts) has brought the state machine to the journal's end.
 */
export interface JournalWriter extends AsyncDisposable {
  readonly epoch: Epoch;
  /**
   * Queues one record; resolves with its batch's position when it is durable. Records become durable in the
   * order of the calls, and what is durable is always a prefix of them: when one is refused, so is every
   * record proposed until then (so a state machine that went ahead returns to the last durable record).
   *
   * The bytes belong to the writer from here on: the caller must not change them.
   *
   * @throws JournalError at once, before anything is queued: `too-large`, `overloaded`, `read-only`, `closed`
   * @returns a promise that rejects with JournalError `no-space` (nothing stored, the writer goes on),
   *   `fenced` or `read-only` (nothing stored, and nothing will be), or `outcome-unknown` (then nothing will be)
   */
  propose(record: Uint8Array): Promise<Position>;
  /**
   * Draws a line: every record proposed before the call lies at or before the resulting position, every later
   * one after it. Resolves when the former are durable. A checkpoint that takes its snapshot in the same turn
   * of the event loop describes exactly this mark. Rejects as `propose` does.
   */
  cut(): Promise<Mark>;
  health(): WriterHealth;
  /** Bytes proposed and not yet durable. */
  readonly waitingBytes: number;
  /** The highest position known to be durable. */
  readonly durable: Position;
  /** Waits for what is queued, then takes no more. Does not close the journal. */
  close(): Promise<void>;
}
