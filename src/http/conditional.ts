/**
 * Conditional requests: entity tags, dates, and the order in which they decide. RFC 9110 section 13.
 *
 *   1  If-Match             no tag equal (strong)          412
 *   2  If-Unmodified-Since  only without 1; changed since  412
 *   3  If-None-Match        a tag equal (weak)             304 for GET and HEAD, else 412
 *   4  If-Modified-Since    only without 3, GET and HEAD; not changed since  304
 *   5  Range with If-Range  see `ifRangeHolds`
 */
import type { HeaderFields } from './types.ts';
import { parseDate } from './wire/date.ts';
import { isBlank } from './wire/grammar.ts';

/** The selected representation as it is now. */
export interface Validators {
  /** With its quotes, and `W/` when weak. */
  readonly etag?: string;
  readonly lastModifiedMs?: number;
  /** False when there is no representation yet. Default true. */
  readonly exists?: boolean;
}

export interface ConditionalRequest {
  readonly method: string;
  readonly headers: HeaderFields;
}

/** Whether to go on, or the status that answers the request. RFC 9110 section 13.2.2. */
export function evaluateConditions(request: ConditionalRequest, now: Validators): 'proceed' | 304 | 412 {
  const { headers, method } = request;
  const ifMatch = headers.get('if-match');
  if (ifMatch !== undefined) {
    if (!tagsMatch(ifMatch, now, strongEqual)) return 412;
  } else if (changedSince(headers.get('if-unmodified-since'), now)) {
    return 412;
  }
  const reads = method === 'GET' || method === 'HEAD';
  const ifNoneMatch = headers.get('if-none-match');
  if (ifNoneMatch !== undefined) {
    if (!tagsMatch(ifNoneMatch, now, weakEqual)) return 'proceed';
    return reads ? 304 : 412;
  }
  return reads && unchangedSince(headers.get('if-modified-since'), now) ? 304 : 'proceed';
}

/** Whether Range counts: If-Range is absent or names exactly this representation. RFC 9110 section 13.1.5. */
export function ifRangeHolds(headers: HeaderFields, now: Validators): boolean {
  const value = headers.get('if-range');
  if (value === undefined) return true;
  if (value.startsWith('"') || value.startsWith('W/'))
    return now.etag !== undefined && strongEqual(value, now.etag);
  const date = parseDate(value);
  return date !== undefined && now.lastModifiedMs !== undefined && wholeSeconds(now.lastModifiedMs) === date;
}

function tagsMatch(list: string, now: Validators, equal: (a: string, b: string) => boolean): boolean {
  if (now.exists === false) return false;
  if (list === '*') return true;
  const { etag } = now;
  return etag !== undefined && parseTags(list).some((tag) => equal(tag, etag));
}

function strongEqual(left: string, right: string): boolean {
  return left === right && !left.startsWith('W/');
}

function weakEqual(left: string, right: string): boolean {
  return opaque(left) === opaque(right);
}

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}

/** The tags of a list; reading stops at the first thing that is none. Commas may stand inside the quotes. */
export function parseTags(list: string): string[] {
  const tags: string[] = [];
  let at = 0;
  while (at < list.length) {
    const code = list.charCodeAt(at);
    if (code === 0x2c || isBlank(code)) {
      at++;
      continue;
    }
    const open = list.startsWith('W/', at) ? at + 2 : at;
    const close = list.indexOf('"', open + 1);
    if (list[open] !== '"' || close < 0) break;
    tags.push(list.slice(at, close + 1));
    at = close + 1;
  }
  return tags;
}

function changedSince(field: string | undefined, now: Validators): boolean {
  const date = field === undefined ? undefined : parseDate(field);
  return date !== undefined && now.lastModifiedMs !== undefined && wholeSeconds(now.lastModifiedMs) > date;
}

function unchangedSince(field: string | undefined, now: Validators): boolean {
  const date = field === undefined ? undefined : parseDate(field);
  return date !== undefined && now.lastModifiedMs !== undefined && wholeSeconds(now.lastModifiedMs) <= date;
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}
