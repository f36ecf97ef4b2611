/**
 * The four conditions of RFC 9110 section 13 and their order of precedence (section 13.2.2):
 *
 *   If-Match ──absent──▶ If-Unmodified-Since ──▶ If-None-Match ──absent──▶ If-Modified-Since
 *      false: 412               false: 412          false: 304               false: 304
 *
 * CopyObject has the same four about its source, as `x-amz-copy-source-if-…`, and fails with 412 always.
 */
import { parseHttpDate } from './dates.ts';
import type { Fields } from './fields.ts';

export interface Conditions {
  /** ETags without quotes, or `*`. */
  readonly ifMatch?: readonly string[];
  readonly ifNoneMatch?: readonly string[];
  readonly ifModifiedSinceMs?: number;
  readonly ifUnmodifiedSinceMs?: number;
}

export type Verdict = 'proceed' | 'not-modified' | 'failed';

/** What a condition is about. */
export interface Validator {
  readonly etag: string;
  readonly modifiedMs: number;
}

/** @param prefix '' or `x-amz-copy-source-` */
export function readConditions(fields: Fields, prefix = ''): Conditions {
  const ifMatch = fields.get(`${prefix}if-match`);
  const ifNoneMatch = fields.get(`${prefix}if-none-match`);
  const modified = readDate(fields.get(`${prefix}if-modified-since`));
  const unmodified = readDate(fields.get(`${prefix}if-unmodified-since`));
  return {
    ...(ifMatch === undefined ? {} : { ifMatch: parseEtags(ifMatch) }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch: parseEtags(ifNoneMatch) }),
    ...(modified === undefined ? {} : { ifModifiedSinceMs: modified }),
    ...(unmodified === undefined ? {} : { ifUnmodifiedSinceMs: unmodified }),
  };
}

function readDate(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseHttpDate(text);
}

/** `"a", W/"b"` or bare tags; S3 compares without the quotes and without the weakness. */
function parseEtags(text: string): string[] {
  return text
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
    .map((tag) => unquoteEtag(tag.startsWith('W/') ? tag.slice(2) : tag));
}

export function unquoteEtag(tag: string): string {
  return tag.length >= 2 && tag.startsWith('"') && tag.endsWith('"') ? tag.slice(1, -1) : tag;
}

/** Of a read. HTTP dates have whole seconds, so the object's time is cut to them. */
export function evaluateConditions(conditions: Conditions, current: Validator): Verdict {
  const seconds = Math.floor(current.modifiedMs / 1000) * 1000;
  if (conditions.ifMatch !== undefined) {
    if (!matches(conditions.ifMatch, current.etag)) return 'failed';
  } else if (conditions.ifUnmodifiedSinceMs !== undefined && seconds > conditions.ifUnmodifiedSinceMs) {
    return 'failed';
  }
  if (conditions.ifNoneMatch !== undefined) {
    return matches(conditions.ifNoneMatch, current.etag) ? 'not-modified' : 'proceed';
  }
  const unchanged = conditions.ifModifiedSinceMs !== undefined && seconds <= conditions.ifModifiedSinceMs;
  return unchanged ? 'not-modified' : 'proceed';
}

export function matches(tags: readonly string[], etag: string): boolean {
  return tags.some((tag) => tag === '*' || tag === etag);
}
