/**
 * Ours against another's outcome. What we take both others have to take, as the same message; what we refuse they
 * may take. `DIFFERENCES` are the exceptions, each with its reason.
 */
import { LLHTTP_METHODS } from './llhttp.ts';
import type { Message, Outcome } from './outcome.ts';

export type Oracle = 'h11' | 'llhttp';

interface Difference {
  readonly oracle: Oracle;
  readonly reason: string;
  /** Whether it explains that the other did not take `ours`, or took it as `theirs`. */
  explains(ours: Message, theirs: Message | undefined): boolean;
}

export const DIFFERENCES: readonly Difference[] = [
  {
    oracle: 'llhttp',
    reason: 'RFC 9110 section 9.1: the set of methods is open; llhttp knows a closed list',
    explains: (ours) => !LLHTTP_METHODS.has(ours.method),
  },
  {
    oracle: 'h11',
    reason: 'RFC 9112 section 2.2: an empty line before a request should be ignored; h11 refuses it',
    explains: (ours, theirs) => theirs === undefined && ours.behindEmptyLine === true,
  },
];

/** @returns what is wrong, or undefined */
export function compare(oracle: Oracle, ours: Outcome, theirs: Outcome): string | undefined {
  for (const [at, message] of ours.messages.entries()) {
    const other = theirs.messages[at];
    const problem = compareMessages(message, other);
    if (problem === undefined) continue;
    const known = DIFFERENCES.some((each) => each.oracle === oracle && each.explains(message, other));
    // What follows a difference is compared with nothing.
    if (known || (other === undefined && theirs.halt !== undefined)) return undefined;
    return `${oracle}, message ${at + 1}: ${problem}`;
  }
  return undefined;
}

function compareMessages(ours: Message, theirs: Message | undefined): string | undefined {
  if (theirs === undefined) return `only we take ${ours.method} ${ours.target}`;
  if (theirs.method !== ours.method) return `method ${ours.method}, theirs ${theirs.method}`;
  if (!sameTarget(ours.target, theirs.target)) return `target ${ours.target}, theirs ${theirs.target}`;
  if (theirs.content !== ours.content)
    return `content ${JSON.stringify(ours.content)}, theirs ${JSON.stringify(theirs.content)}`;
  const [mine, others] = [comparable(ours), comparable(theirs)];
  return mine === others ? undefined : `fields ${mine}, theirs ${others}`;
}

/** Of an absolute target we keep path and query, once its authority is known to be Host's. */
function sameTarget(ours: string, theirs: string): boolean {
  if (ours === theirs) return true;
  const rest = /^https?:\/\/[^/?]*(.*)$/i.exec(theirs)?.[1];
  return rest !== undefined && (ours === rest || ours === `/${rest}` || (ours === '*' && rest === ''));
}

/** h11 writes the coding in lower case. */
function comparable({ fields }: Message): string {
  return JSON.stringify(
    fields.map(([name, value]) => [name, name === 'transfer-encoding' ? value.toLowerCase() : value]),
  );
}
