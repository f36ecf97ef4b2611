/**
 * When a request may be sent a second time. RFC 9110 section 9.2.2. Pure.
 *
 *   not one byte left                                any method
 *   a kept connection closed before any answer       an idempotent method with its content at hand: the server closed
 *                                                    it just as we wrote, and most likely never read the request
 *   anything else                                    never: it may have been done
 *
 * A second answer may also be asked for by the server, with Retry-After; the caller says whether to heed it.
 */
import type { HttpClientError } from '../errors.ts';
import type { ClientRequest, HeaderFields, RetryAfterPolicy } from '../types.ts';
import { parseDate } from '../wire/date.ts';
import { decimal } from '../wire/grammar.ts';
import { isReplayable } from './redirect.ts';

const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
  'TRACE',
  'QUERY',
]);

/** @param reused whether the connection had served before; a fresh one was not closed for its age */
export function mayRepeat(error: HttpClientError, request: ClientRequest, reused: boolean): boolean {
  if (!reused || error.code !== 'connection-lost') return false;
  if (!isReplayable(request.body)) return false;
  if (error.unsent) return true;
  return !error.answerBegun && request.upgrade === undefined && isIdempotent(request);
}

/** RFC 9110 section 9.2.2, and QUERY of RFC 10008. */
function isIdempotent(request: ClientRequest): boolean {
  return IDEMPOTENT.has(request.method ?? 'GET');
}

/** 429 is RFC 6585 section 4. A 3xx with Retry-After is a redirection, not a refusal. */
const ASKS_AGAIN: ReadonlySet<number> = new Set([429, 503]);

/**
 * How long to wait before the request is sent again, milliseconds; undefined when it is not.
 * @param attempt how often it has been sent again already
 * @param nowMs wall-clock time: Retry-After may be a date
 */
export function retryAfterMs(
  request: ClientRequest,
  policy: RetryAfterPolicy,
  attempt: number,
  answer: { readonly status: number; readonly headers: HeaderFields },
  nowMs: number,
): number | undefined {
  if (attempt >= policy.count || !ASKS_AGAIN.has(answer.status)) return undefined;
  if (!isIdempotent(request) || !isReplayable(request.body)) return undefined;
  const [value, ...others] = answer.headers.getAll('retry-after');
  if (value === undefined || others.length > 0) return undefined;
  const waitMs = delayOf(value, nowMs);
  return waitMs === undefined || waitMs > policy.maxWaitMs ? undefined : waitMs;
}

/** HTTP-date / delay-seconds. RFC 9110 section 10.2.3. */
function delayOf(value: string, nowMs: number): number | undefined {
  const seconds = decimal(value);
  if (seconds >= 0) return seconds * 1_000;
  const date = parseDate(value);
  return date === undefined ? undefined : Math.max(0, date - nowMs);
}
