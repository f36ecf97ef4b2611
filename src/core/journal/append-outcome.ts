/**
 * What became of an append that was not simply `appended`.
 *
 *        ┌───────────────────────────── pause ◀──────────────────────────────┐
 *        ▼                                                                   │
 *   append the same batch ─┬─▶ appended ───────────────────────▶ stored      │
 *   (same id, same         ├─▶ unknown, or refused for now ──────────────────┤
 *    `expected`)           └─▶ conflict ─▶ read `expected + 1`               │
 *                                            ├─▶ the same id ──▶ stored      │
 *                                            ├─▶ another id ───▶ fenced      │
 *                                            ├─▶ trimmed ──────▶ unknown     │
 *                                            └─▶ nothing, or no answer ──────┘
 *   after the deadline ────────────────────────────────────────▶ unknown
 *
 * At most one batch ever owns a position, so the same batch sent again cannot be stored twice, wherever earlier
 * copies of it still are. Only an append decides: a read that does not find the batch proves nothing, for a
 * copy may arrive later, or the reader be behind. A refusal (`no-space`) of one copy says nothing about the
 * others, so it decides nothing either.
 *
 * A conflict does not yet mean that somebody else was faster: when a network delivers a request twice, the
 * second copy conflicts with the first, and its answer may be the one that arrives.
 */
import { messageOf } from '../errors.ts';
import type { Clock } from '../time/clock.ts';
import { JournalError } from './errors.ts';
import { RETRY_FIRST_MS, RETRY_MAX_MS } from './limits.ts';
import type { AppendResult, Batch, Journal, Position, StoredBatch } from './types.ts';

export interface Patience {
  /** Undefined: do not retry. */
  readonly clock: Clock | undefined;
  readonly deadlineMs: number;
}

/**
 * Resolves when `batch` is stored at `expected + 1`.
 * @param result what the first append answered
 * @throws JournalError `fenced` (it is not stored, and never will be), `outcome-unknown`, `corrupt` when the
 *   journal ends before `expected`
 */
export async function settleAppend(
  journal: Journal,
  batch: Batch,
  expected: Position,
  result: AppendResult,
  { clock, deadlineMs }: Patience,
): Promise<void> {
  if (result.outcome === 'appended') return;
  if (clock === undefined || journal.report().unknownAppend === 'final') throw finalError(expected, result);
  const deadline = new AbortController();
  const timer = clock.schedule(deadlineMs, () => deadline.abort(notInTime(deadlineMs)));
  try {
    await new Settlement(journal, batch, expected, clock, deadline.signal).until(result);
  } finally {
    timer.cancel();
  }
}

class Settlement {
  readonly #journal: Journal;
  readonly #batch: Batch;
  readonly #expected: Position;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #pauseMs = RETRY_FIRST_MS;

  constructor(journal: Journal, batch: Batch, expected: Position, clock: Clock, signal: AbortSignal) {
    this.#journal = journal;
    this.#batch = batch;
    this.#expected = expected;
    this.#clock = clock;
    this.#signal = signal;
  }

  async until(first: AppendResult): Promise<void> {
    for (let result = first; result.outcome !== 'appended'; result = await this.#again()) {
      if (result.outcome === 'conflict' && (await this.#isOurs(result.last))) return;
      await this.#pause(result.outcome === 'unknown' ? result.cause : undefined);
    }
  }

  async #again(): Promise<AppendResult> {
    try {
      return await this.#journal.append(this.#batch, this.#expected, this.#signal);
    } catch (error) {
      if (isForNow(error)) return { outcome: 'unknown', cause: error };
      throw outcomeUnknown(error);
    }
  }

  /** @returns false when it cannot be told yet @throws JournalError `fenced`, `corrupt` */
  async #isOurs(last: Position): Promise<boolean> {
    checkEnd(last, this.#expected);
    const owner = await this.#owner();
    if (owner === undefined) return false;
    if (Buffer.compare(owner.id, this.#batch.id) === 0) return true;
    throw fenced(this.#expected);
  }

  /** The batch at `expected + 1`, if a reader sees it yet. */
  async #owner(): Promise<StoredBatch | undefined> {
    try {
      for await (const [batch] of this.#journal.read(this.#expected + 1, { maxBytes: 1 })) return batch;
      return undefined;
    } catch (error) {
      if (isForNow(error)) return undefined;
      throw outcomeUnknown(error);
    }
  }

  async #pause(cause: unknown): Promise<void> {
    try {
      await this.#clock.sleep(this.#pauseMs, this.#signal);
    } catch (error) {
      throw outcomeUnknown(cause ?? error);
    }
    this.#pauseMs = Math.min(2 * this.#pauseMs, RETRY_MAX_MS);
  }
}

/** Whoever appends at a position has seen the one before it durable. @throws JournalError `corrupt` */
function checkEnd(last: Position, expected: Position): void {
  if (last >= expected) return;
  const message = `the journal ends at position ${last}, but ${expected} was durable: its end was lost`;
  throw new JournalError('corrupt', message);
}

function finalError(
  expected: Position,
  result: Exclude<AppendResult, { outcome: 'appended' }>,
): JournalError {
  if (result.outcome === 'unknown') return outcomeUnknown(result.cause);
  checkEnd(result.last, expected);
  return fenced(expected);
}

/** Answers that the engine may not give again. */
function isForNow(error: unknown): boolean {
  return error instanceof JournalError && (error.code === 'unavailable' || error.retryable);
}

function fenced(expected: Position): JournalError {
  return new JournalError('fenced', `position ${expected + 1} belongs to another writer`);
}

function outcomeUnknown(cause: unknown): JournalError {
  const message = `it is not known whether the last records are stored: ${messageOf(cause)}`;
  return new JournalError('outcome-unknown', message, { cause });
}

function notInTime(deadlineMs: number): JournalError {
  return new JournalError('unavailable', `no answer in ${deadlineMs} ms`, { retryable: true });
}
