/**
 * Conditional requests: entity tags, dates, and the order in which they decide. RFC 9110 section 13.
 *
 *   1  If-Match             no tag equal (strong)          412
 *   2  If-Unmodified-Since  only without 1; changed since  412
 *   3  If-None-Match        a tag equal (weak)             304 for GET and HEAD, else 412
 *   4  If-Modified-Since    only without 3, GET and HEAD; not changed since  304
 *   5  Range with If-Range  see `ifRangeHolds`
 *
 * Evaluated after everything else that could refuse the request and before it is acted on: a condition on what
 * would have been a 404 or a 403 is not looked at (section 13.2.1). Dates count whole seconds, as the field does.
 */
import type { HeaderFields } from '../types.ts';
import { parseDate } from '../wire/date.ts';
import { strongEqual, tagsOf, weakEqual } from './entity-tag.ts';

/** The selected representation as it is now. */
export interface Validators {
  /** With its quotes, and `W/` when weak. */
  readonly etag?: string;
  readonly lastModifiedMs?: number;
  /** False when there is no representation yet. Default true. */
  readonly exists?: boolean;
  /** The time, milliseconds since 1970. With it a date of less than a second ago is no strong validator, for the
   * representation may have changed twice in it. RFC 9110 section 8.8.2.2. */
  readonly nowMs?: number;
}

/** Fields by their names in lower case. */
export type FieldLookup = Pick<HeaderFields, 'get'>;

export interface ConditionalRequest {
  readonly method: string;
  readonly headers: FieldLookup;
}

/** Methods that neither select nor change a representation. RFC 9110 section 13.2.1. */
const UNCONDITIONAL: ReadonlySet<string> = new Set(['OPTIONS', 'TRACE', 'CONNECT']);

/** Whether to go on, or the status that answers the request. RFC 9110 section 13.2.2. */
export function evaluateConditions(request: ConditionalRequest, now: Validators): 'proceed' | 304 | 412 {
  const { headers, method } = request;
  if (UNCONDITIONAL.has(method)) return 'proceed';
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
export function ifRangeHolds(headers: FieldLookup, now: Validators): boolean {
  const value = headers.get('if-range');
  if (value === undefined) return true;
  if (value.startsWith('"') || value.startsWith('W/'))
    return now.etag !== undefined && strongEqual(value, now.etag);
  const date = parseDate(value);
  return date !== undefined && date === strongDate(now);
}

const SECOND_MS = 1_000;

/** Last-Modified in whole seconds, when nothing can have changed since with the same date. */
function strongDate({ lastModifiedMs, nowMs }: Validators): number | undefined {
  if (lastModifiedMs === undefined) return undefined;
  const date = wholeSeconds(lastModifiedMs);
  return nowMs !== undefined && nowMs - date < SECOND_MS ? undefined : date;
}

function tagsMatch(list: string, now: Validators, equal: (a: string, b: string) => boolean): boolean {
  if (now.exists === false) return false;
  if (list === '*') return true;
  const { etag } = now;
  return etag !== undefined && tagsOf(list).some((tag) => equal(tag, etag));
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
  return Math.floor(ms / SECOND_MS) * SECOND_MS;
}
