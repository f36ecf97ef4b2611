import type { Clock } from '../time/clock.ts';
import { JournalError } from './errors.ts';
import { BEFORE_FIRST } from './genesis.ts';
import { FOLLOW_POLL_MS } from './limits.ts';
import { batchesAfter } from './replay.ts';
import type { Journal, Mark, StoredBatch } from './types.ts';

export interface FollowOptions {
  readonly clock: Clock;
  /** Ends the following. */
  readonly signal: AbortSignal;
  /** Default `FOLLOW_POLL_MS`. */
  readonly pollMs?: number;
}

/**
 * The batches after the mark (undefined: all), in order, and then those to come, each as soon as the engine
 * shows it: every position once, each batch the continuation of the one before, also from one read to the next.
 * An engine that does not answer is asked again. Ends when the signal aborts.
 *
 * @throws JournalError `trimmed` when the journal has let go of what comes next: whoever follows so slowly
 *   begins again from a checkpoint; `corrupt` when the journal is not the continuation of the mark
 */
export async function* follow(
  journal: Journal,
  after: Mark | undefined,
  { clock, signal, pollMs = FOLLOW_POLL_MS }: FollowOptions,
): AsyncGenerator<StoredBatch, void> {
  let last = after ?? BEFORE_FIRST;
  while (!signal.aborted) {
    try {
      for await (const batch of batchesAfter(journal, last)) {
        last = { position: batch.position, epoch: batch.epoch, chain: Uint8Array.from(batch.chain) };
        yield batch;
        if (signal.aborted) return;
      }
    } catch (error) {
      if (!(error instanceof JournalError && error.code === 'unavailable')) throw error;
    }
    await clock.sleep(pollMs, signal).catch(() => undefined);
  }
}
