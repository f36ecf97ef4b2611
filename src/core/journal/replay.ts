import { whyNotNext } from './batch.ts';
import { JournalError } from './errors.ts';
import { BEFORE_FIRST } from './genesis.ts';
import type { Journal, Mark, Position } from './types.ts';

/**
 * Brings a state machine that remembers `after` (undefined: an empty one) to the end of the journal: calls
 * `apply` for every record of every data batch after the mark, in order.
 *
 * Holds the journal against the mark: one that ends before it (its tail was lost), or that is not its
 * continuation (another history, an old copy put back), is refused before anything is applied.
 *
 * @returns the mark of the last batch
 * @throws JournalError `corrupt`, `trimmed`; what `apply` throws
 */
export async function replay(
  journal: Journal,
  after: Mark | undefined,
  apply: (record: Uint8Array, position: Position) => void,
): Promise<Mark> {
  const head = await journal.head();
  let last = after ?? BEFORE_FIRST;
  checkEnd(head.last, last);
  for await (const group of journal.read(last.position + 1)) {
    for (const batch of group) {
      const reason = whyNotNext(last, batch);
      if (reason !== undefined) throw new JournalError('corrupt', `position ${batch.position}: ${reason}`);
      if (batch.kind === 'data') for (const record of batch.records) apply(record, batch.position);
      last = { position: batch.position, epoch: batch.epoch, chain: batch.chain };
    }
  }
  return { ...last, chain: Uint8Array.from(last.chain) };
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
