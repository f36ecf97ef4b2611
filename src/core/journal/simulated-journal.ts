/**
 * A replicated log as a client sees it on a bad day, from one seed and on a simulated clock.
 *
 *   journal ──── request ────▶  ┌───────────────────────────────┐
 *   journal ──── request ────▶  │ one log: compare-and-append   │     what is stored never goes away
 *   journal ◀─── reply ───────  └───────────────────────────────┘
 *            each way: a delay of its own, so requests overtake each other; a copy more; or nothing at all
 *
 * The log itself is sound: it stores a batch or does not, at once, and at most one at a position. All that goes
 * wrong is between it and its clients (`Weather`): requests and replies are late, lost or doubled, the log says
 * that it does not know whether it has stored what it has, and reads come from a replica that is behind. A
 * client that has waited for `timeoutMs` takes the outcome for unknown; its request may still arrive.
 *
 * What the clients believe can be held against `batches`, which is the truth.
 */
import type { SeededRandom } from '../random/seeded-random.ts';
import type { SimulatedClock } from '../time/simulated-clock.ts';
import { frameBytesOf, whyNotNext } from './batch.ts';
import { JournalError } from './errors.ts';
import { genesisBatch } from './genesis.ts';
import { createLocalLease } from './lease.ts';
import { MAX_BATCH_BYTES, READ_WINDOW_BYTES } from './limits.ts';
import type {
  AppendResult,
  Batch,
  EngineReport,
  Head,
  Journal,
  LeaseCell,
  LeaseHolder,
  Mark,
  Position,
  ReadOptions,
  StoredBatch,
} from './types.ts';

/** What may happen to each request: chances from 0 to 1. */
export interface Weather {
  /** Either way takes up to so long … */
  readonly delayMs: number;
  /** … but with this chance ten times as long, which may be longer than the client waits. */
  readonly late: number;
  readonly loseRequest: number;
  readonly loseReply: number;
  /** The request arrives twice, each time after a delay of its own. */
  readonly double: number;
  /** The log answers an append with `unknown`, having stored it. */
  readonly hideStored: number;
  /** The log answers an append with `unknown`, having stored nothing. */
  readonly hideRefused: number;
  /** A read or a head comes from a replica that is behind. */
  readonly stale: number;
}

export const CALM: Weather = {
  delayMs: 5,
  late: 0,
  loseRequest: 0,
  loseReply: 0,
  double: 0,
  hideStored: 0,
  hideRefused: 0,
  stale: 0,
};

export const STORM: Weather = {
  delayMs: 20,
  late: 0.1,
  loseRequest: 0.1,
  loseReply: 0.1,
  double: 0.15,
  hideStored: 0.05,
  hideRefused: 0.05,
  stale: 0.3,
};

const LATE_FACTOR = 10;

/** A replica is behind by up to so many batches. */
const BEHIND_MAX = 5;

export interface SimulatedLogOptions {
  readonly clock: SimulatedClock;
  readonly random: SeededRandom;
  /** Default calm. */
  readonly weather?: Weather;
  /** How long a client waits for a reply. Default 100. */
  readonly timeoutMs?: number;
}

/** A batch, and when it was stored. */
export interface LoggedBatch extends StoredBatch {
  readonly storedAtMs: number;
}

/** The log; `connect` gives each of its clients a journal. */
export class SimulatedLog {
  readonly incarnation: string;
  /** All there ever was, from position 1 on, also what has been let go of. */
  readonly batches: LoggedBatch[];
  weather: Weather;
  readonly clock: SimulatedClock;
  readonly timeoutMs: number;
  readonly lease = createLocalLease();
  readonly #random: SeededRandom;
  #first: Position = 1;

  constructor({ clock, random, weather = CALM, timeoutMs = 100 }: SimulatedLogOptions) {
    this.clock = clock;
    this.weather = weather;
    this.timeoutMs = timeoutMs;
    this.#random = random;
    this.incarnation = random.uuid();
    this.batches = [{ ...genesisBatch(this.incarnation, random), storedAtMs: clock.monotonic() }];
  }

  connect(): SimulatedJournal {
    return new SimulatedJournal(this);
  }

  get first(): Position {
    return this.#first;
  }

  get last(): LoggedBatch {
    return this.batches.at(-1) as LoggedBatch;
  }

  append(batch: Batch, expected: Position): AppendResult {
    const { weather } = this;
    if (this.#random.chance(weather.hideRefused)) return unknown('the log did not answer');
    const last = this.last.position;
    if (expected !== last) return { outcome: 'conflict', last };
    const records = batch.records.map((record) => Buffer.from(record));
    this.batches.push({ ...batch, records, position: last + 1, storedAtMs: this.clock.monotonic() });
    if (this.#random.chance(weather.hideStored)) return unknown('the log stored it and did not say so');
    return { outcome: 'appended', position: last + 1 };
  }

  /** Where the log ends, as some replica knows. */
  head(): Head {
    const last = this.batches[this.#visible() - 1] as Mark;
    return { first: Math.min(this.#first, last.position + 1), last };
  }

  /** From `from` on, about so many bytes, as some replica has them. */
  page(from: Position, maxBytes: number): StoredBatch[] {
    if (from < this.#first)
      throw new JournalError('trimmed', `position ${from} is gone; the first is ${this.#first}`);
    const page: StoredBatch[] = [];
    let bytes = 0;
    for (const batch of this.batches.slice(from - 1, this.#visible())) {
      bytes += frameBytesOf(batch.records);
      if (page.length > 0 && bytes > maxBytes) break;
      page.push(batch);
    }
    return page;
  }

  truncateBefore(position: Position): void {
    this.#first = Math.max(this.#first, Math.min(position, this.last.position + 1));
  }

  /** How many batches a replica has. */
  #visible(): number {
    const { length } = this.batches;
    if (!this.#random.chance(this.weather.stale)) return length;
    return Math.max(1, length - this.#random.below(BEHIND_MAX + 1));
  }

  /**
   * Sends `run` to the log, as the weather permits.
   * @throws what `run` throws; JournalError `unavailable` when no reply arrives in time
   */
  request<Answer>(
    run: () => Answer | Promise<Answer>,
    isCutOff: () => boolean,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const giveUp = (): void =>
      reject(new JournalError('unavailable', 'no reply from the log', { retryable: true }));
    const timer = this.clock.schedule(this.timeoutMs, giveUp);
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted) giveUp();
    for (let copies = this.#random.chance(this.weather.double) ? 2 : 1; copies > 0; copies--) {
      this.#send(isCutOff() ? 1 : this.weather.loseRequest, () => {
        const answer = settled(run);
        this.#send(isCutOff() ? 1 : this.weather.loseReply, () => resolve(answer));
      });
    }
    return promise.finally(() => {
      timer.cancel();
      signal?.removeEventListener('abort', giveUp);
    });
  }

  #send(loss: number, arrive: () => void): void {
    if (this.#random.chance(loss)) return;
    const factor = this.#random.chance(this.weather.late) ? LATE_FACTOR : 1;
    this.clock.schedule(this.#random.below(this.weather.delayMs * factor + 1), arrive);
  }
}

/** Runs now; what it throws is part of the answer. */
function settled<Answer>(run: () => Answer | Promise<Answer>): Promise<Answer> {
  const answer = (async () => run())();
  // The reply may be lost.
  answer.catch(() => undefined);
  return answer;
}

function unknown(cause: string): AppendResult {
  return { outcome: 'unknown', cause: new JournalError('unavailable', cause, { retryable: true }) };
}

/** What one client holds. */
export class SimulatedJournal implements Journal {
  /** Nothing that this client sends or is sent gets through, but for requests that are on their way. */
  cutOff = false;
  readonly incarnation: string;
  readonly lease: LeaseCell;
  readonly #log: SimulatedLog;
  #closed = false;

  constructor(log: SimulatedLog) {
    this.#log = log;
    this.incarnation = log.incarnation;
    this.lease = leaseOver((run) => this.#request(run), log.lease);
  }

  report(): EngineReport {
    let storedBytes = 0;
    for (const batch of this.#log.batches.slice(this.#log.first - 1))
      storedBytes += frameBytesOf(batch.records);
    return {
      engine: 'simulated',
      durability: 'fsync-quorum',
      maxBatchBytes: MAX_BATCH_BYTES,
      storedBytes,
      unknownAppend: 'retry',
      reads: 'stale',
    };
  }

  async append(batch: Batch, expected: Position, signal?: AbortSignal): Promise<AppendResult> {
    this.#check();
    const bytes = frameBytesOf(batch.records);
    if (bytes > MAX_BATCH_BYTES) throw new JournalError('too-large', `a batch of ${bytes} bytes`);
    try {
      return await this.#request(() => this.#log.append(batch, expected), signal);
    } catch (cause) {
      return { outcome: 'unknown', cause };
    }
  }

  async *read(from: Position, options: ReadOptions = {}): AsyncIterable<StoredBatch[]> {
    const maxBytes = options.maxBytes ?? READ_WINDOW_BYTES;
    let last: StoredBatch | undefined;
    for (let next = from; ; ) {
      this.#check();
      const page = await this.#request(() => this.#log.page(next, maxBytes));
      if (page.length === 0) return;
      for (const batch of page) {
        const reason = last === undefined ? undefined : whyNotNext(last, batch);
        if (reason !== undefined) throw new JournalError('corrupt', `position ${batch.position}: ${reason}`);
        last = batch;
      }
      next += page.length;
      yield page;
    }
  }

  async head(): Promise<Head> {
    this.#check();
    return this.#request(() => this.#log.head());
  }

  async truncateBefore(position: Position): Promise<void> {
    this.#check();
    await this.#request(() => this.#log.truncateBefore(position));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #request<Answer>(run: () => Answer | Promise<Answer>, signal?: AbortSignal): Promise<Answer> {
    return this.#log.request(run, () => this.cutOff, signal);
  }

  #check(): void {
    if (this.#closed) throw new JournalError('closed', 'the journal is closed');
  }
}

type Ask = <Answer>(run: () => Promise<Answer>) => Promise<Answer>;

function leaseOver(ask: Ask, cell: LeaseCell): LeaseCell {
  return {
    get: () => ask(() => cell.get()),
    async compareAndSet(revision: number | undefined, value: LeaseHolder) {
      try {
        return await ask(() => cell.compareAndSet(revision, value));
      } catch {
        return 'unknown';
      }
    },
  };
}
