/**
 * Byte ranges. RFC 9110 section 14.
 *
 *   bytes=0-499      the first 500        bytes=9500-      from 9500 to the end
 *   bytes=-500       the last 500         bytes=0-0,-1     the first and the last
 */
import { decimal, trimWhitespace } from './wire/grammar.ts';

/** Both ends included, as on the wire. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export type RangeRequest =
  /** No range that can be understood: the whole is sent, as the standard says. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] }
  /** 416, with a Content-Range that tells the size. */
  | { readonly kind: 'unsatisfiable' };

const WHOLE: RangeRequest = { kind: 'whole' };
/** More ranges in one request are an attack on the sender (CVE-2011-3192) and are answered with the whole. */
const MAX_RANGES = 16;

/** @param field the value of Range, or undefined; `sizeBytes` of the representation */
export function parseRange(field: string | undefined, sizeBytes: number): RangeRequest {
  if (field === undefined || !field.toLowerCase().startsWith('bytes=')) return WHOLE;
  const parts = field.slice('bytes='.length).split(',');
  if (parts.length > MAX_RANGES) return WHOLE;
  const ranges: ByteRange[] = [];
  for (const part of parts) {
    const range = parseOne(trimWhitespace(part), sizeBytes);
    if (range === 'malformed') return WHOLE;
    if (range !== 'outside') ranges.push(range);
  }
  if (ranges.length === 0) return { kind: 'unsatisfiable' };
  return overlap(ranges) ? WHOLE : { kind: 'ranges', ranges };
}

function parseOne(text: string, sizeBytes: number): ByteRange | 'malformed' | 'outside' {
  const dash = text.indexOf('-');
  if (dash < 0) return 'malformed';
  const first = text.slice(0, dash);
  const last = text.slice(dash + 1);
  if (first === '') return suffix(decimal(last), sizeBytes);
  const from = decimal(first);
  const to = last === '' ? Number.MAX_SAFE_INTEGER : decimal(last);
  if (from < 0 || to < 0 || to < from) return 'malformed';
  return from >= sizeBytes ? 'outside' : { first: from, last: Math.min(to, sizeBytes - 1) };
}

function suffix(length: number, sizeBytes: number): ByteRange | 'malformed' | 'outside' {
  if (length < 0) return 'malformed';
  if (length === 0 || sizeBytes === 0) return 'outside';
  return { first: Math.max(0, sizeBytes - length), last: sizeBytes - 1 };
}

/** Overlapping ranges ask for bytes twice; RFC 9110 section 14.2 lets us ignore them. */
function overlap(ranges: readonly ByteRange[]): boolean {
  const sorted = [...ranges].sort((a, b) => a.first - b.first);
  return sorted.some((range, at) => at > 0 && range.first <= sorted[at - 1]!.last);
}

/** The value of Content-Range for a 206. */
export function contentRange(range: ByteRange, sizeBytes: number): string {
  return `bytes ${range.first}-${range.last}/${sizeBytes}`;
}

/** The value of Content-Range for a 416. */
export function unsatisfiedRange(sizeBytes: number): string {
  return `bytes */${sizeBytes}`;
}
