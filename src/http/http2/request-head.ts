/**
 * The head of a request in HTTP/2, as that of HTTP/1.1. RFC 9113 section 8.
 *
 *   :method GET   :scheme https   :authority a.test   :path /x?y        → GET /x?y, Host: a.test
 *   cookie a=1    cookie b=2                                            → cookie: a=1; b=2
 *
 * nghttp2 has seen to it that the pseudo-fields are complete, come first and once, and that names are in lower case.
 * The rest is held to the same grammar as in HTTP/1.1, so that what is behind may be sent on by either.
 */
import type { HttpLimits } from '../limits.ts';
import { Fields } from '../wire/fields.ts';
import {
  decimal,
  equalsIgnoreCase,
  isFieldValue,
  isHostAndPort,
  isTarget,
  isToken,
  trimWhitespace,
} from '../wire/grammar.ts';
import { type Malformed, malformed } from '../wire/malformed.ts';

export interface Http2RequestHead {
  readonly kind: 'request';
  readonly method: string;
  readonly target: string;
  readonly version: '2';
  readonly fields: Fields;
  /** From Content-Length. */
  readonly sizeBytes: number | undefined;
  readonly expectContinue: boolean;
  readonly upgrade: undefined;
}

export type Http2HeadLimits = Pick<
  HttpLimits,
  'requestLineBytes' | 'methodBytes' | 'headBytes' | 'fieldCount' | 'fieldBytes' | 'bodyBytes'
>;

/** Fields of one connection, which HTTP/2 has other means for. RFC 9113 section 8.2.2. */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

export function isConnectionField(name: string): boolean {
  return CONNECTION_FIELDS.has(name);
}

/** @param raw names and values in turn, in the order received, latin1 */
export function readRequestHead(
  raw: readonly string[],
  limits: Http2HeadLimits,
): Http2RequestHead | Malformed {
  const pseudo = new Map<string, string>();
  const refusal = checkFields(raw, limits, pseudo);
  if (refusal !== undefined) return refusal;
  const method = pseudo.get(':method') ?? '';
  if (!isToken(method)) return malformed('bad-method', 'the method is not a token');
  if (method.length > limits.methodBytes) return malformed('method-too-long', 'the method is not known', 501);
  const authority = authorityOf(raw, pseudo);
  if (typeof authority !== 'string') return authority;
  const target = method === 'CONNECT' ? authority : targetOf(pseudo.get(':path') ?? '', method, limits);
  if (typeof target !== 'string') return target;
  const fields = fieldsOf(raw, authority);
  const sizeBytes = sizeOf(fields, limits);
  if (typeof sizeBytes === 'object') return sizeBytes;
  const expect = fields.get('expect');
  if (expect !== undefined && !equalsIgnoreCase(expect, '100-continue')) {
    return malformed('bad-expect', 'the only expectation known is 100-continue', 417);
  }
  const expectContinue = expect !== undefined && sizeBytes !== 0;
  return {
    kind: 'request',
    method,
    target,
    version: '2',
    fields,
    sizeBytes,
    expectContinue,
    upgrade: undefined,
  };
}

/** Checks bounds and grammar, and collects the pseudo-fields. */
function checkFields(
  raw: readonly string[],
  limits: Http2HeadLimits,
  pseudo: Map<string, string>,
): Malformed | undefined {
  let totalBytes = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!;
    const value = raw[at + 1]!;
    // As the lines of HTTP/1.1 would be long, so that one bound holds for both.
    totalBytes += name.length + value.length + 4;
    if (totalBytes > limits.headBytes) return malformed('head-too-large', 'the head is too large', 431);
    if (name.startsWith(':')) {
      pseudo.set(name, value);
      continue;
    }
    if (name.length + value.length + 2 > limits.fieldBytes) {
      return malformed('field-too-large', 'a field is too long', 431);
    }
    const refusal = checkField(name, value);
    if (refusal !== undefined) return refusal;
  }
  const count = raw.length / 2 - pseudo.size;
  return count > limits.fieldCount ? malformed('too-many-fields', 'too many fields', 431) : undefined;
}

/** Also for trailers. */
export function checkField(name: string, value: string): Malformed | undefined {
  if (!isToken(name) || name !== name.toLowerCase()) {
    return malformed('bad-field-name', 'a field name is no token in lower case');
  }
  if (!isFieldValue(value) || trimWhitespace(value) !== value) {
    return malformed('bad-field-value', 'a field value has a control character, or white space around it');
  }
  if (isConnectionField(name))
    return malformed('bad-connection', 'a field of one HTTP/1.1 connection in HTTP/2');
  if (name === 'te' && !equalsIgnoreCase(value, 'trailers')) {
    return malformed('bad-connection', 'TE in HTTP/2 is `trailers` or nothing');
  }
  return undefined;
}

/** What `:authority` and Host say, who must not differ. RFC 9113 section 8.3.1. */
function authorityOf(raw: readonly string[], pseudo: ReadonlyMap<string, string>): string | Malformed {
  let authority = pseudo.get(':authority');
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at] !== 'host') continue;
    const host = raw[at + 1]!;
    if (authority !== undefined && !equalsIgnoreCase(authority, host)) {
      return malformed('bad-host', 'Host and :authority differ, or there are several');
    }
    authority = host;
  }
  if (authority === undefined) return malformed('bad-host', 'there is neither :authority nor Host');
  if (isHostAndPort(authority)) return authority;
  return malformed('bad-host', ':authority is not a name or address with an optional port');
}

function targetOf(path: string, method: string, limits: Http2HeadLimits): string | Malformed {
  if (method.length + path.length > limits.requestLineBytes) {
    return malformed('target-too-long', 'the path is too long', 414);
  }
  if (path === '*' && method === 'OPTIONS') return path;
  if (path.startsWith('/') && isTarget(path)) return path;
  return malformed('bad-target', ':path is no path, or has a character it must not have');
}

/** Host first, cookies in one field (RFC 9113 section 8.2.3), no pseudo-fields. */
function fieldsOf(raw: readonly string[], authority: string): Fields {
  const flat = ['host', authority];
  let cookieAt = -1;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!;
    if (name.startsWith(':') || name === 'host') continue;
    if (name === 'cookie' && cookieAt > 0) {
      flat[cookieAt] += `; ${raw[at + 1]}`;
      continue;
    }
    flat.push(name, raw[at + 1]!);
    if (name === 'cookie') cookieAt = flat.length - 1;
  }
  return new Fields(flat);
}

function sizeOf(fields: Fields, limits: Http2HeadLimits): number | undefined | Malformed {
  const lengths = fields.getAll('content-length');
  if (lengths.length === 0) return undefined;
  const sizeBytes = lengths.length === 1 ? decimal(lengths[0]!) : -1;
  if (sizeBytes < 0) return malformed('bad-content-length', 'Content-Length is not one plain decimal number');
  if (sizeBytes > limits.bodyBytes) return malformed('content-too-large', 'the content is too large', 413);
  return sizeBytes;
}
