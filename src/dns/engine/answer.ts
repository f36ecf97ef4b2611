import type { ExtendedError } from '../wire/edns.ts';
import type { ResourceRecord } from '../wire/record.ts';

/** What is to be said to a question, whoever found it out: a zone, the cache, or other servers. */
export interface Answer {
  readonly rcode: number;
  /** AA: said by the zone's own server. */
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** How many of the first additional records a referral cannot do without. */
  readonly requiredAdditionals?: number;
  readonly extendedErrors?: readonly ExtendedError[];
}

/** An answer without records. */
export function bareAnswer(rcode: number, ...extendedErrors: ExtendedError[]): Answer {
  return { rcode, authoritative: false, answers: [], authorities: [], additionals: [], extendedErrors };
}
