import type { Random } from '../random/random.ts';
import { FIRST_CHAIN, ID_BYTES, linkBatch } from './batch.ts';
import type { Mark, StoredBatch } from './types.ts';

/** What stands before the first batch of a journal. */
export const BEFORE_FIRST: Mark = { position: 0, epoch: 0, chain: FIRST_CHAIN };

/** Another journal, up to a mark, whose state a new journal goes on from. */
export interface Origin {
  readonly incarnation: string;
  readonly mark: Mark;
}

/**
 * The first batch of a new journal. Its first record is the incarnation in its 36-character form; that of a
 * journal which goes on from another one has a second record, the other's incarnation, and follows its mark.
 */
export function genesisBatch(incarnation: string, random: Random, origin?: Origin): StoredBatch {
  const { position, epoch, chain } = origin?.mark ?? BEFORE_FIRST;
  const names = origin === undefined ? [incarnation] : [incarnation, origin.incarnation];
  const records = names.map((name) => Buffer.from(name, 'latin1'));
  const batch = linkBatch(chain, { id: random.bytes(ID_BYTES), epoch, kind: 'genesis', records });
  return { ...batch, position: position + 1 };
}
