/**
 * Group commit: many proposals, one append at a time.
 *
 *   propose ─▶ ┌ gathering ┐ ─▶ ┌ waiting ┐ ─▶ ┌ under way ┐ ─▶ appended: resolve every promise of the batch
 *   propose ─▶ │  batch n+1│    │ full ones│   │  batch n   │
 *   propose ─▶ └───────────┘    └─────────┘    └───────────┘
 *
 * While a batch is under way (one write, one sync) the next gathers what arrives, so the busier the writer the
 * larger its batches: the cost of a sync is shared by all who waited for it. Between two batches is a moment for who
 * has just been answered to come again: short for a lone writer, a turn of the event loop when there were several.
 *
 * When an append is not simply `appended` the batch stays under way, and nothing is acknowledged and nothing
 * else appended, until it is known what became of it (append-outcome.ts): stored after all, or `fenced`, or
 * `outcome-unknown`. The last two end the writer.
 *
 * Leading. The first batch of a writer is of kind `epoch`, appended right after the last batch that the state
 * machine has seen (`after`). If the append succeeds, the state machine has seen everything there is and every
 * earlier writer is fenced, both by the same compare-and-append; a lease or a clock has no part in it. If it
 * does not, somebody wrote meanwhile: replay further and try again.
 */
import { messageOf } from '../errors.ts';
import type { Random } from '../random/random.ts';
import type { Clock } from '../time/clock.ts';
import { gathering } from '../time/gathering.ts';
import { settleAppend } from './append-outcome.ts';
import { BATCH_HEADER_BYTES, ID_BYTES, linkBatch, RECORD_HEADER_BYTES } from './batch.ts';
import { JournalError } from './errors.ts';
import { BATCH_TARGET_BYTES, MAX_RECORD_BYTES, MAX_WAITING_BYTES, OUTCOME_DEADLINE_MS } from './limits.ts';
import type {
  AppendResult,
  Batch,
  BatchKind,
  Epoch,
  Journal,
  JournalWriter,
  Mark,
  Position,
  WriterHealth,
} from './types.ts';

export interface WriterOptions {
  readonly random: Random;
  /**
   * Called before the promises of refused records reject, in the same turn: the state machine returns to what
   * is durable before anybody can propose on top of what is not.
   */
  readonly onRefused?: (error: JournalError) => void;
  /** Default `MAX_WAITING_BYTES`. */
  readonly maxWaitingBytes?: number;
  /** Where the state machine stands: what `replay` returned. Default the journal's head, if it is exact. */
  readonly after?: Mark;
  /** Times the retries of appends of unknown outcome. Without it, such an outcome is final in every engine. */
  readonly clock?: Clock;
  /** How long to ask what became of an append. Default `OUTCOME_DEADLINE_MS`. */
  readonly outcomeDeadlineMs?: number;
}

/**
 * Becomes the writer of `journal`: appends an `epoch` batch, which fences whoever wrote before.
 * @throws JournalError `fenced` when another writer was faster (replay what it wrote, and try again), `corrupt`
 *   when the journal has lost what is before `after`, `no-space`, `read-only`, `outcome-unknown`
 */
export async function startWriter(journal: Journal, options: WriterOptions): Promise<JournalWriter> {
  const last = options.after ?? (await journal.head()).last;
  const writer = new GroupWriter(journal, last, options);
  await writer.lead();
  return writer;
}

interface Waiter<Value> {
  resolve(value: Value): void;
  reject(error: unknown): void;
}

/** Records that will share a batch, and who waits for it. */
interface Group {
  readonly records: Uint8Array[];
  readonly proposals: Waiter<Position>[];
  readonly cuts: Waiter<Mark>[];
  bytes: number;
  /** Takes no more records. */
  sealed: boolean;
}

class GroupWriter implements JournalWriter {
  readonly epoch: Epoch;
  readonly #journal: Journal;
  readonly #onRefused: ((error: JournalError) => void) | undefined;
  readonly #maxWaitingBytes: number;
  readonly #clock: Clock | undefined;
  readonly #outcomeDeadlineMs: number;
  readonly #idPrefix: Buffer;
  #batches = 0;
  #last: Mark;
  #waiting: Group[] = [];
  #underWay: Group | undefined;
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  /** The newest batch had more than one record: there are several who write. */
  #shared = false;
  #broken: JournalError | undefined;
  #closed = false;

  constructor(journal: Journal, last: Mark, options: WriterOptions) {
    this.#journal = journal;
    this.#last = last;
    this.epoch = last.epoch + 1;
    this.#onRefused = options.onRefused;
    this.#maxWaitingBytes = options.maxWaitingBytes ?? MAX_WAITING_BYTES;
    this.#clock = options.clock;
    this.#outcomeDeadlineMs = options.outcomeDeadlineMs ?? OUTCOME_DEADLINE_MS;
    this.#idPrefix = options.random.bytes(ID_BYTES - 8);
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get durable(): Position {
    return this.#last.position;
  }

  /** As `#drain` for its one batch; a function for both would be one more promise between a sync and its answer. */
  async lead(): Promise<void> {
    const batch = this.#makeBatch('epoch', []);
    const result = await this.#journal.append(batch, this.#last.position);
    if (result.outcome !== 'appended') await this.#settle(batch, result);
    this.#moveOn(batch);
  }

  propose(record: Uint8Array): Promise<Position> {
    this.#checkAdmitted(record.length);
    const group = this.#gathering(record.length);
    const { promise, resolve, reject } = Promise.withResolvers<Position>();
    group.records.push(record);
    group.proposals.push({ resolve, reject });
    group.bytes += record.length + RECORD_HEADER_BYTES;
    this.#waitingBytes += record.length;
    this.#run();
    return promise;
  }

  cut(): Promise<Mark> {
    const last = this.#waiting.at(-1) ?? this.#underWay;
    if (last === undefined) {
      return this.#broken === undefined ? Promise.resolve(this.#last) : Promise.reject(this.#broken);
    }
    last.sealed = true;
    const { promise, resolve, reject } = Promise.withResolvers<Mark>();
    last.cuts.push({ resolve, reject });
    return promise;
  }

  health(): WriterHealth {
    if (this.#broken === undefined) return { state: 'ok' };
    return { state: 'read-only', reason: this.#broken.message };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkAdmitted(bytes: number): void {
    if (this.#closed) throw new JournalError('closed', 'the journal writer is closed');
    if (this.#broken !== undefined) throw readOnly(this.#broken);
    if (bytes > MAX_RECORD_BYTES) {
      throw new JournalError('too-large', `a record of ${bytes} bytes; at most ${MAX_RECORD_BYTES} fit`);
    }
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > this.#maxWaitingBytes) {
      const message = `${this.#waitingBytes} bytes wait for the disk already`;
      throw new JournalError('overloaded', message, { retryable: true });
    }
  }

  #gathering(bytes: number): Group {
    const last = this.#waiting.at(-1);
    const fits = last !== undefined && last.bytes + bytes + RECORD_HEADER_BYTES <= BATCH_TARGET_BYTES;
    if (fits && !last.sealed) return last;
    const group = { records: [], proposals: [], cuts: [], bytes: BATCH_HEADER_BYTES, sealed: false };
    this.#waiting.push(group);
    return group;
  }

  #run(): void {
    this.#running ??= this.#drain();
  }

  async #drain(): Promise<void> {
    for (;;) {
      await gathering(this.#shared);
      const group = this.#waiting.shift();
      if (group === undefined) break;
      this.#underWay = group;
      this.#shared = group.records.length > 1;
      try {
        const batch = this.#makeBatch('data', group.records);
        const result = await this.#journal.append(batch, this.#last.position);
        if (result.outcome !== 'appended') await this.#settle(batch, result);
        this.#moveOn(batch);
        this.#acknowledge(group);
      } catch (error) {
        this.#refuse(group, asJournalError(error));
      }
      this.#underWay = undefined;
    }
    this.#running = undefined;
  }

  /** Resolves when it is certain that `batch` is durable. Rejects having made sure that nothing false can follow. */
  #settle(batch: Batch, result: AppendResult): Promise<void> {
    const patience = { clock: this.#clock, deadlineMs: this.#outcomeDeadlineMs };
    return settleAppend(this.#journal, batch, this.#last.position, result, patience);
  }

  #moveOn({ epoch, chain }: Batch): void {
    this.#last = { position: this.#last.position + 1, epoch, chain };
  }

  #makeBatch(kind: BatchKind, records: readonly Uint8Array[]): Batch {
    const id = Buffer.allocUnsafe(ID_BYTES);
    id.set(this.#idPrefix);
    id.writeUInt32BE(Math.floor(this.#batches / 2 ** 32), ID_BYTES - 8);
    id.writeUInt32BE(this.#batches % 2 ** 32, ID_BYTES - 4);
    this.#batches += 1;
    return linkBatch(this.#last.chain, { id, epoch: this.epoch, kind, records });
  }

  #acknowledge(group: Group): void {
    this.#release(group);
    for (const waiter of group.proposals) waiter.resolve(this.#last.position);
    for (const waiter of group.cuts) waiter.resolve(this.#last);
  }

  /** The group under way was not stored, or that is not known: whatever was proposed after it cannot be either. */
  #refuse(group: Group, error: JournalError): void {
    const later = this.#waiting;
    this.#waiting = [];
    if (error.code !== 'no-space') this.#broken = error;
    const laterError = error.code === 'no-space' ? error : readOnly(error);
    for (const refused of [group, ...later]) this.#release(refused);
    this.#onRefused?.(error);
    reject(group, error);
    for (const refused of later) reject(refused, laterError);
  }

  #release(group: Group): void {
    for (const record of group.records) this.#waitingBytes -= record.length;
  }
}

function reject(group: Group, error: JournalError): void {
  for (const waiter of group.proposals) waiter.reject(error);
  for (const waiter of group.cuts) waiter.reject(error);
}

function asJournalError(error: unknown): JournalError {
  if (error instanceof JournalError) return error;
  return new JournalError('outcome-unknown', messageOf(error), { cause: error });
}

function readOnly(cause: JournalError): JournalError {
  return new JournalError('read-only', `the journal takes no more records: ${cause.message}`, { cause });
}
