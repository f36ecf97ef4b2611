/**
 * A journal in memory: the shortest implementation of the interface, the model that the others are held
 * against. Not durable, and not bounded but by truncateBefore.
 */
import type { Random } from '../random/random.ts';
import { frameBytesOf } from './batch.ts';
import { JournalError } from './errors.ts';
import { genesisBatch } from './genesis.ts';
import { createLocalLease } from './lease.ts';
import { MAX_BATCH_BYTES } from './limits.ts';
import type { AppendResult, Batch, EngineReport, Head, Journal, Position, StoredBatch } from './types.ts';

export function createMemoryJournal(options: { readonly random: Random }): Journal {
  return new MemoryJournal(options.random);
}

class MemoryJournal implements Journal {
  readonly incarnation: string;
  readonly lease = createLocalLease();
  readonly #batches: StoredBatch[];
  #last: StoredBatch;
  #closed = false;

  constructor(random: Random) {
    this.incarnation = random.uuid();
    this.#last = genesisBatch(this.incarnation, random);
    this.#batches = [this.#last];
  }

  report(): EngineReport {
    let storedBytes = 0;
    for (const batch of this.#batches) storedBytes += frameBytesOf(batch.records);
    return {
      engine: 'memory',
      durability: 'memory',
      maxBatchBytes: MAX_BATCH_BYTES,
      storedBytes,
      unknownAppend: 'retry',
      reads: 'latest',
    };
  }

  async append(batch: Batch, expected: Position): Promise<AppendResult> {
    this.#check();
    const bytes = frameBytesOf(batch.records);
    if (bytes > MAX_BATCH_BYTES) throw new JournalError('too-large', `a batch of ${bytes} bytes`);
    const last = this.#last.position;
    if (expected !== last) return { outcome: 'conflict', last };
    this.#last = {
      ...batch,
      records: batch.records.map((record) => Buffer.from(record)),
      position: last + 1,
    };
    this.#batches.push(this.#last);
    return { outcome: 'appended', position: last + 1 };
  }

  async *read(from: Position): AsyncIterable<StoredBatch[]> {
    this.#check();
    for (let position = from; position <= this.#last.position; position++) {
      const first = this.#batches[0]?.position ?? this.#last.position + 1;
      if (position < first)
        throw new JournalError('trimmed', `position ${position} is gone; first is ${first}`);
      yield [this.#batches[position - first] as StoredBatch];
    }
  }

  async head(): Promise<Head> {
    this.#check();
    return { first: this.#batches[0]?.position ?? this.#last.position + 1, last: this.#last };
  }

  async truncateBefore(position: Position): Promise<void> {
    this.#check();
    while ((this.#batches[0]?.position ?? position) < position) this.#batches.shift();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(): void {
    if (this.#closed) throw new JournalError('closed', 'the journal is closed');
  }
}
