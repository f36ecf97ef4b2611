import type { Random } from '../random/random.ts';
import { FIRST_CHAIN, ID_BYTES, linkBatch } from './batch.ts';
import type { Mark, StoredBatch } from './types.ts';

/** What stands before the first batch of a journal. */
export const BEFORE_FIRST: Mark = { position: 0, epoch: 0, chain: FIRST_CHAIN };

/** The first batch of a new journal: one record, the incarnation in its 36-character form. */
export function genesisBatch(incarnation: string, random: Random): StoredBatch {
  const records = [Buffer.from(incarnation, 'latin1')];
  const batch = linkBatch(FIRST_CHAIN, { id: random.bytes(ID_BYTES), epoch: 0, kind: 'genesis', records });
  return { ...batch, position: 1 };
}
