/**
 * Byte ranges: what a Range field asks for. RFC 9110 section 14.
 *
 *   bytes=0-499      the first 500        bytes=9500-      from 9500 to the end
 *   bytes=-500       the last 500         bytes=0-0,-1     the first and the last
 *
 * Against floods of ranges (CVE-2011-3192: a thousand overlapping ones for one small request) there are three
 * rules: a field has at most so many ranges; those that overlap, touch or lie closer together than the head of a
 * part is long become one (section 15.3.7.2); so what is sent is never longer than the whole, but for the heads.
 * A field that breaks the grammar or a rule is no error: the whole is sent, as if there were none.
 */
import { CONTENT_LIMITS } from '../limits.ts';
import { decimal, trimWhitespace } from '../wire/grammar.ts';

/** Both ends included, as on the wire. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export type RangeRequest =
  /** No range that can be understood: the whole is sent, as the standard says. */
  | { readonly kind: 'whole' }
  /** In the order asked for, disjoint and apart. */
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] }
  /** 416, with a Content-Range that tells the size. */
  | { readonly kind: 'unsatisfiable' };

const WHOLE: RangeRequest = { kind: 'whole' };
const UNIT = 'bytes=';

/** @param field the value of Range, or undefined; `sizeBytes` of the representation */
export function parseRange(field: string | undefined, sizeBytes: number): RangeRequest {
  if (field === undefined || field.slice(0, UNIT.length).toLowerCase() !== UNIT) return WHOLE;
  const elements = field.slice(UNIT.length).split(',', CONTENT_LIMITS.ranges + 1);
  if (elements.length > CONTENT_LIMITS.ranges) return WHOLE;
  const ranges: ByteRange[] = [];
  let asked = 0;
  for (const element of elements.map(trimWhitespace)) {
    if (element === '') continue;
    asked++;
    const range = parseOne(element, sizeBytes);
    if (range === 'whole') return WHOLE;
    if (range !== 'outside') ranges.push(range);
  }
  if (asked === 0) return WHOLE;
  return ranges.length === 0 ? { kind: 'unsatisfiable' } : { kind: 'ranges', ranges: coalesce(ranges) };
}

/** `whole` when it is none, or asks for the end of nothing. */
function parseOne(text: string, sizeBytes: number): ByteRange | 'whole' | 'outside' {
  const dash = text.indexOf('-');
  if (dash < 0) return 'whole';
  const first = text.slice(0, dash);
  const last = text.slice(dash + 1);
  if (first === '') return suffix(decimal(last), sizeBytes);
  const from = decimal(first);
  const to = last === '' ? Number.MAX_SAFE_INTEGER : decimal(last);
  if (from < 0 || to < 0 || to < from) return 'whole';
  return from >= sizeBytes ? 'outside' : { first: from, last: Math.min(to, sizeBytes - 1) };
}

/** RFC 9110 section 14.1.2: satisfiable unless of length 0, and then the whole where that is shorter. */
function suffix(length: number, sizeBytes: number): ByteRange | 'whole' | 'outside' {
  if (length === 0) return 'outside';
  if (length < 0 || sizeBytes === 0) return 'whole';
  return { first: Math.max(0, sizeBytes - length), last: sizeBytes - 1 };
}

/** Joins what overlaps or is close; a joined range stands where the first of its parts stood. */
function coalesce(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const range of ranges) {
    let whole = range;
    let place = joined.length;
    // A range may join several of those before; each that it takes in makes it longer, but never less apart.
    for (let at = 0; at < joined.length; at++) {
      const other = joined[at]!;
      if (!areClose(whole, other)) continue;
      whole = { first: Math.min(whole.first, other.first), last: Math.max(whole.last, other.last) };
      joined.splice(at, 1);
      place = Math.min(place, at);
      at = -1;
    }
    joined.splice(place, 0, whole);
  }
  return joined;
}

function areClose(left: ByteRange, right: ByteRange): boolean {
  const gap = Math.max(left.first, right.first) - Math.min(left.last, right.last) - 1;
  return gap <= CONTENT_LIMITS.rangeGapBytes;
}

/** The value of Content-Range for a 206. */
export function contentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.first}-${range.last}/${sizeBytes}`;
}

/** The value of Content-Range for a 416. */
export function unsatisfiedRange(sizeBytes: number): string {
  return `bytes */${sizeBytes}`;
}
