/**
 * `Range: bytes=…`, read as HTTP has it (http/conditional), with what S3 has otherwise:
 *   - several ranges mean the whole object, which RFC 9110 section 14.2 allows;
 *   - no range of an empty object can be satisfied, where RFC 9110 section 14.1.2 has the last bytes of nothing be
 *     all of it.
 */
import { parseRange } from '../../http/conditional/index.ts';

/** A half-open span of bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** @returns `whole` when the field is to be ignored; `unsatisfiable` when it names no byte there is (416) */
export function spanOfRange(field: string | undefined, sizeBytes: number): Span | 'whole' | 'unsatisfiable' {
  if (field === undefined || field.includes(',')) return 'whole';
  const isEmpty = sizeBytes === 0;
  const asked = parseRange(field, isEmpty ? Number.MAX_SAFE_INTEGER : sizeBytes);
  if (asked.kind !== 'ranges') return asked.kind;
  const [range] = asked.ranges;
  return isEmpty || range === undefined ? 'unsatisfiable' : { start: range.first, end: range.last + 1 };
}

/** `bytes=first-last`, both given, as copies of a part have it. @returns undefined when it is anything else */
export function parseCopyRange(text: string): Span | undefined {
  const asked = parseRange(text, Number.MAX_SAFE_INTEGER);
  const [range] = asked.kind === 'ranges' ? asked.ranges : [];
  // The other forms of a range would be read too: this one comes out as it went in.
  if (range === undefined || text !== `bytes=${range.first}-${range.last}`) return undefined;
  return { start: range.first, end: range.last + 1 };
}
