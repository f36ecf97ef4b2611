/**
 * The head of a request.
 *
 *   method SP request-target SP HTTP-version CRLF          RFC 9112 section 3
 *
 * One space each; the form of the target must fit the method:
 *
 *   origin-form      /path?query          any method but CONNECT
 *   absolute-form    http://host/path     any method but CONNECT; its authority must equal Host
 *   authority-form   host:port            CONNECT only
 *   asterisk-form    *                    OPTIONS only
 */
import type { HttpLimits } from '../limits.ts';
import { badLineEnding, type Fields } from './fields.ts';
import type { FieldsMemo } from './fields-memo.ts';
import { type Framing, type MessageControl, NO_CONTENT } from './framing.ts';
import { decimal, equalsIgnoreCase, isHostAndPort, isToken, TARGET, TOKEN } from './grammar.ts';
import { type Malformed, malformed } from './malformed.ts';

const SPACE = 0x20;

/** What comes most needs no walk through the token table, and no string of its own. */
const USUAL_METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS'];
const USUAL_REST = ' HTTP/1.1\r\n';

export interface RequestHead {
  readonly kind: 'request';
  readonly method: string;
  /** Path and query as received (of an absolute target too), `*`, or CONNECT's `host:port`. */
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly fields: Fields;
  readonly framing: Framing;
  readonly keepAlive: boolean;
  /** The client says `keep-alive`, as it must in 1.0: it understands the hint of Keep-Alive. */
  readonly keepAliveAsked: boolean;
  /** The client waits for 100 before it sends the content. */
  readonly expectContinue: boolean;
  /** Protocols the client would switch to; undefined when it did not ask. */
  readonly upgrade: string | undefined;
}

interface RequestLine {
  readonly kind: 'request-line';
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  /** Where the line behind it begins. */
  readonly fieldsAt: number;
}

export type RequestHeadLimits = Pick<
  HttpLimits,
  'requestLineBytes' | 'methodBytes' | 'fieldCount' | 'fieldBytes' | 'bodyBytes'
>;

/**
 * @param text latin1; from `from` up to `to` it holds the head, each line with its CRLF, without the empty line
 * @param memo the connection's
 */
export function parseRequestHead(
  text: string,
  from: number,
  to: number,
  limits: RequestHeadLimits,
  memo: FieldsMemo,
): RequestHead | Malformed {
  const line = parseRequestLine(text, from, limits);
  if (line.kind === 'malformed') return line;
  const parsed = memo.parse(text, line.fieldsAt, to, line.version, limits);
  if (parsed.kind === 'malformed') return parsed;
  const { fields, control } = parsed;

  const target = checkTarget(line, control);
  if (typeof target !== 'string') return target;
  if (control.expect === 'something-else') {
    return malformed('bad-expect', 'the only expectation known is 100-continue', 417);
  }
  // What follows CONNECT is a tunnel's, never content or a next request: who declares content meant something else.
  // RFC 9110 section 9.3.6.
  const tunnel = line.method === 'CONNECT';
  if (tunnel && control.framing !== undefined)
    return malformed('unexpected-content', 'a CONNECT request has no content');
  const framing = control.framing ?? NO_CONTENT;
  if (framing.kind === 'length' && framing.sizeBytes > limits.bodyBytes) {
    return malformed('content-too-large', 'the content is too large', 413);
  }
  return {
    kind: 'request',
    method: line.method,
    target,
    version: line.version,
    fields,
    framing,
    keepAlive: !tunnel && control.keepAlive,
    keepAliveAsked: control.keepAliveAsked,
    // RFC 9110 section 10.1.1: ignored from a 1.0 client and without content.
    expectContinue: control.expect === '100-continue' && line.version === '1.1' && hasContent(framing),
    upgrade: control.upgrade,
  };
}

function hasContent(framing: Framing): boolean {
  return framing.kind === 'chunked' || (framing.kind === 'length' && framing.sizeBytes > 0);
}

function parseRequestLine(text: string, from: number, limits: RequestHeadLimits): RequestLine | Malformed {
  const usual = usualMethod(text, from);
  let methodEnd = from + (usual?.length ?? 0);
  while (TOKEN[text.charCodeAt(methodEnd)] === 1) methodEnd++;
  let targetEnd = methodEnd + 1;
  while (TARGET[text.charCodeAt(targetEnd)] === 1) targetEnd++;
  const isUsual = usual !== undefined && targetEnd > methodEnd + 1 && text.startsWith(USUAL_REST, targetEnd);
  const lineEnd = isUsual ? targetEnd + USUAL_REST.length - 2 : text.indexOf('\r\n', from);
  if (lineEnd - from > limits.requestLineBytes) {
    return malformed('target-too-long', 'the request line is too long', 414);
  }
  if (!isUsual) {
    const refusal = checkSpaces(text, { from, methodEnd, targetEnd, lineEnd });
    if (refusal !== undefined) return refusal;
  }
  if (methodEnd - from > limits.methodBytes)
    return malformed('method-too-long', 'the method is not known', 501);
  const version = isUsual ? '1.1' : versionOf(text, targetEnd + 1, lineEnd);
  if (typeof version !== 'string')
    return text.slice(from, lineEnd).includes('\r') ? badLineEnding() : version;
  const method = usual ?? text.slice(from, methodEnd);
  const target = text.slice(methodEnd + 1, targetEnd);
  return { kind: 'request-line', method, target, version, fieldsAt: lineEnd + 2 };
}

/** The method at `from` when it is a usual one with a space behind it. */
function usualMethod(text: string, from: number): string | undefined {
  for (const method of USUAL_METHODS) {
    if (text.startsWith(method, from) && text.charCodeAt(from + method.length) === SPACE) return method;
  }
  return undefined;
}

function checkSpaces(
  text: string,
  { from, methodEnd, targetEnd, lineEnd }: Record<'from' | 'methodEnd' | 'targetEnd' | 'lineEnd', number>,
): Malformed | undefined {
  const spaced = text.charCodeAt(methodEnd) === SPACE && text.charCodeAt(targetEnd) === SPACE;
  if (spaced && methodEnd > from && targetEnd > methodEnd + 1 && targetEnd < lineEnd) return undefined;
  return badRequestLine(text.slice(from, lineEnd));
}

/** What is wrong with a line that is not `token SP target SP …`. */
function badRequestLine(line: string): Malformed {
  if (line.includes('\n') || line.includes('\r')) return badLineEnding();
  const methodEnd = line.indexOf(' ');
  const targetEnd = line.indexOf(' ', methodEnd + 1);
  if (methodEnd < 0 || targetEnd < 0) {
    return malformed(
      'bad-request-line',
      'a request line is method, target and version with one space between',
    );
  }
  if (!isToken(line.slice(0, methodEnd))) return malformed('bad-method', 'the method is not a token');
  return malformed('bad-target', 'the request target has a character it must not have');
}

/**
 * Only 1.0 and 1.1 exist. A higher minor version is refused like another major one: RFC 9110 section 2.5
 * would take `HTTP/1.2` as 1.1, but nothing sends it, and two parsers that differ here differ about framing.
 */
export function versionOf(text: string, from: number, to: number): '1.0' | '1.1' | Malformed {
  if (to - from === 8 && text.startsWith('HTTP/1.1', from)) return '1.1';
  if (to - from !== 8 || !text.startsWith('HTTP/', from) || text.charCodeAt(from + 6) !== 0x2e)
    return malformed('bad-version', 'the version is malformed');
  const [major, minor] = [text.charCodeAt(from + 5) - 0x30, text.charCodeAt(from + 7) - 0x30];
  if (major === 1 && minor === 0) return '1.0';
  if (!isDigit(major) || !isDigit(minor)) return malformed('bad-version', 'the version is malformed');
  return malformed('bad-version', 'the version is not HTTP/1.0 or HTTP/1.1', 505);
}

function isDigit(value: number): boolean {
  return value >= 0 && value <= 9;
}

function checkTarget(line: RequestLine, { host, isHostWhole }: MessageControl): string | Malformed {
  if (host === undefined) {
    if (line.version === '1.1') return malformed('bad-host', 'HTTP/1.1 needs a Host field');
  } else if (!isHostWhole) {
    return malformed('bad-host', 'Host is not a name or address with an optional port');
  }
  if (line.method === 'CONNECT') return authorityForm(line.target);
  if (line.target.charCodeAt(0) === 0x2f) return line.target;
  if (line.target === '*') {
    return line.method === 'OPTIONS' ? '*' : malformed('bad-target', 'the target * belongs to OPTIONS only');
  }
  return absoluteForm(line, host);
}

function authorityForm(target: string): string | Malformed {
  const portAt = target.lastIndexOf(':') + 1;
  const port = decimal(target.slice(portAt));
  if (isHostAndPort(target) && port >= 0) return target;
  return malformed('bad-target', 'CONNECT needs host:port');
}

/** Keeps only path and query, once the authority is known to say the same as Host. */
function absoluteForm({ method, target }: RequestLine, host: string | undefined): string | Malformed {
  const schemeEnd = target.indexOf('://');
  const scheme = target.slice(0, Math.max(schemeEnd, 0)).toLowerCase();
  if (scheme !== 'http' && scheme !== 'https') {
    return malformed('bad-target', 'the request target is neither a path nor an absolute http URI');
  }
  const authorityAt = schemeEnd + 3;
  const pathAt = endOfAuthority(target, authorityAt);
  const authority = target.slice(authorityAt, pathAt);
  if (!isHostAndPort(authority))
    return malformed('bad-target', 'the authority of the request target is malformed');
  if (host !== undefined && !equalsIgnoreCase(host, authority)) {
    return malformed('bad-host', 'Host and the authority of the request target differ');
  }
  const rest = target.slice(pathAt);
  // OPTIONS of an authority as a whole is what `*` says in the other form. RFC 9112 section 3.2.4.
  if (rest === '' && method === 'OPTIONS') return '*';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function endOfAuthority(target: string, from: number): number {
  let at = from;
  while (at < target.length && target[at] !== '/' && target[at] !== '?') at++;
  return at;
}
