import { whyNotNext } from './batch.ts';
import { JournalError } from './errors.ts';
import { BEFORE_FIRST } from './genesis.ts';
import type { Journal, Mark, Position, ReadOptions, StoredBatch } from './types.ts';

/**
 * Brings a state machine that remembers `after` (undefined: an empty one) to the end of the journal: calls
 * `apply` for every record of every data batch after the mark, in order.
 * @returns the mark of the last batch
 * @throws as `batchesAfter` does; what `apply` throws
 */
export async function replay(
  journal: Journal,
  after: Mark | undefined,
  apply: (record: Uint8Array, position: Position) => void,
): Promise<Mark> {
  let last = after ?? BEFORE_FIRST;
  for await (const batch of batchesAfter(journal, after)) {
    if (batch.kind === 'data') for (const record of batch.records) apply(record, batch.position);
    last = batch;
  }
  return { position: last.position, epoch: last.epoch, chain: Uint8Array.from(last.chain) };
}

/**
 * The batches after the mark (undefined: all), in order, in the groups of `Journal.read`. While one group is
 * used, the next is read; with `reuse` a group is the caller's until he asks for the next.
 *
 * Holds the journal against the mark: one that ends before it (its tail was lost), or that is not its
 * continuation (another history, an old copy put back), is refused before anything is yielded. Where reads may
 * be stale an end before the mark proves nothing, and nothing is yielded: the append of the next writer finds out.
 * That each later batch continues the one before it is the journal's promise, and costs a hash of all of it: it is not
 * checked a second time here.
 *
 * @throws JournalError `corrupt`, `trimmed`
 */
export async function* groupsAfter(
  journal: Journal,
  after: Mark | undefined,
  options: ReadOptions = {},
): AsyncGenerator<readonly StoredBatch[], void> {
  const mark = after ?? BEFORE_FIRST;
  const { last } = await journal.head();
  if (last.position >= mark.position || journal.report().reads === 'latest') checkEnd(last, mark);
  let next = mark.position + 1;
  for await (const group of ahead(journal.read(next, options))) {
    for (const batch of group) {
      if (batch.position === mark.position + 1) checkContinues(mark, batch);
      if (batch.position !== next)
        throw new JournalError('corrupt', `position ${batch.position} instead of ${next}`);
      next += 1;
    }
    yield group;
  }
}

/** The batches of `groupsAfter`, one by one. @throws as that does */
export async function* batchesAfter(
  journal: Journal,
  after: Mark | undefined,
): AsyncGenerator<StoredBatch, void> {
  for await (const group of groupsAfter(journal, after)) yield* group;
}

/** The same items; each is asked for when the one before it is given out. */
async function* ahead<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item, void> {
  const iterator = items[Symbol.asyncIterator]();
  let coming = iterator.next();
  try {
    for (let step = await coming; step.done !== true; step = await coming) {
      coming = iterator.next();
      // Heard when it is its turn, or of no interest any more.
      coming.catch(() => undefined);
      yield step.value;
    }
  } finally {
    await coming.catch(() => undefined);
    await iterator.return?.();
  }
}

function checkEnd(end: Mark, mark: Mark): void {
  if (end.position < mark.position) {
    const message = `the journal ends at position ${end.position}, but ${mark.position} was durable: its end was lost`;
    throw new JournalError('corrupt', message);
  }
  if (end.position === mark.position && Buffer.compare(end.chain, mark.chain) !== 0) {
    const message = `the journal has another history than the one remembered at position ${mark.position}`;
    throw new JournalError('corrupt', message);
  }
}

function checkContinues(mark: Mark, batch: StoredBatch): void {
  const reason = whyNotNext(mark, batch);
  if (reason !== undefined) throw new JournalError('corrupt', `position ${batch.position}: ${reason}`);
}
