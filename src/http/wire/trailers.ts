/**
 * Trailer fields: those behind chunked content. RFC 9110 section 6.5.
 *
 *   last-chunk  0 CRLF
 *   trailers    X-Checksum: 1a2b CRLF
 *               CRLF
 *
 * A recipient that merges them into the head lets what comes last overrule what was decided on first, so they
 * stay apart, and the fields that frame, route, authenticate, condition or describe content are ignored when
 * they come here and never sent. RFC 9110 section 6.5.1.
 */
import type { HeaderList } from '../types.ts';
import { encodeFields, UnsendableError } from './encode-head.ts';
import type { Fields } from './fields.ts';

const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'trailer',
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'te',
  'expect',
  'max-forwards',
  'cache-control',
  'pragma',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
  'authorization',
  'proxy-authorization',
  'proxy-authenticate',
  'www-authenticate',
  'authentication-info',
  'cookie',
  'set-cookie',
  'age',
  'date',
  'expires',
  'location',
  'retry-after',
  'vary',
  'warning',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
]);

/** True for a field that is ignored when it comes in a trailer section, and not sent in one. */
export function isForbiddenTrailer(name: string): boolean {
  return FORBIDDEN_TRAILERS.has(name.toLowerCase());
}

export function withoutForbidden(trailers: Fields): Fields {
  return trailers.filter((name) => !isForbiddenTrailer(name));
}

/** @returns the trailer lines, each with its CRLF. @throws UnsendableError also for a field that is none */
export function encodeTrailers(trailers: HeaderList): string {
  for (const [name] of trailers) {
    if (isForbiddenTrailer(name)) throw new UnsendableError(`${name} is not sent as a trailer`);
  }
  return encodeFields(trailers);
}
