/**
 * What the next request is when an answer redirects. RFC 9110 section 15.4. Pure.
 *
 *   status     method                       content
 *   301 302    POST becomes GET, as every   none with that GET, else sent again
 *              browser has always done
 *   303        GET; HEAD stays              none
 *   307 308    the same                     sent again
 *
 * Content is sent again only when it is at hand; an iterable has been used up. Credentials (Authorization, Cookie)
 * and the Host of the caller stay with the origin that they were given for. From https to http only if allowed.
 */
import { HttpClientError } from '../errors.ts';
import type { ClientRequest, HeaderFields, HeaderList, RedirectPolicy } from '../types.ts';
import { resolveReference } from './reference.ts';
import { originOf, parseRequestUrl } from './url.ts';

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** For one origin only. RFC 9110 section 15.4, list entry 2. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'host']);

/** What describes content that is no longer sent. RFC 9110 sections 8 and 15.4. */
const OF_CONTENT: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-type',
  'content-range',
  'content-disposition',
  'content-digest',
  'repr-digest',
  'digest',
  'last-modified',
  'trailer',
  'expect',
]);

/**
 * The request that `status` and its Location ask for; undefined when they ask for none.
 * @throws HttpClientError `redirect-refused` when it must not be made
 */
export function redirected(
  request: ClientRequest,
  policy: RedirectPolicy,
  status: number,
  headers: HeaderFields,
): ClientRequest | undefined {
  if (!REDIRECTS.has(status)) return undefined;
  const [location, ...others] = headers.getAll('location');
  if (location === undefined) return undefined;
  if (others.length > 0) throw refused('the answer has several Location fields');
  const url = withFragment(resolveReference(request.url, location), request.url);
  const from = parseRequestUrl(request.url);
  const to = parseLocation(url);
  if (from.secure && !to.secure && policy.allowDowngrade !== true)
    throw refused('the answer redirects from https to http');
  const moved = withMethod(request, status);
  if (moved.body !== undefined && !isReplayable(moved.body))
    throw refused(`status ${status} asks for the content again, and it is not at hand`);
  const headersGiven = moved.headers ?? [];
  const kept = originOf(from) === originOf(to) ? headersGiven : without(headersGiven, CREDENTIALS);
  return { ...moved, url, headers: kept };
}

function parseLocation(url: string): ReturnType<typeof parseRequestUrl> {
  try {
    return parseRequestUrl(url);
  } catch (cause) {
    throw refused('Location is no http or https URL', cause);
  }
}

/** RFC 9110 section 10.2.2: a fragment is inherited, unless Location has its own. */
function withFragment(url: string, before: string): string {
  const fragmentAt = before.indexOf('#');
  return fragmentAt < 0 || url.includes('#') ? url : url + before.slice(fragmentAt);
}

function withMethod(request: ClientRequest, status: number): ClientRequest {
  const method = request.method ?? 'GET';
  const becomesGet = status === 303 ? method !== 'HEAD' : status < 303 && method === 'POST';
  if (!becomesGet) return request;
  const { body: _, trailers: __, expectContinue: ___, ...rest } = request;
  return { ...rest, method: 'GET', headers: without(request.headers ?? [], OF_CONTENT) };
}

function without(headers: HeaderList, names: ReadonlySet<string>): HeaderList {
  return headers.filter(([name]) => !names.has(name.toLowerCase()));
}

/** At hand, so that it can be sent a second time. */
export function isReplayable(body: ClientRequest['body']): boolean {
  return body === undefined || typeof body === 'string' || body instanceof Uint8Array;
}

function refused(message: string, cause?: unknown): HttpClientError {
  return new HttpClientError('redirect-refused', message, { cause, answerBegun: true });
}
