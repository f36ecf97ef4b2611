/**
 * Where a message ends. RFC 9112 section 6.
 *
 *   Transfer-Encoding: chunked            chunks, then trailers
 *   Content-Length: n                     n bytes
 *   neither, request                      no content
 *   neither, response                     until the connection closes
 *   1xx, 204, 304, response to HEAD       no content, whatever the fields say
 *
 * Deviations, all to the strict side, because each leniency here has been a request smuggling hole: both
 * fields together are refused (section 6.1 lets a server repair them), so are repeated or comma-joined equal
 * lengths (section 6.3 rule 5 allows them), and any Transfer-Encoding but one plain `chunked`.
 */
import type { Fields } from './fields.ts';
import { decimal, equalsIgnoreCase, isHostAndPort, isToken, listElements } from './grammar.ts';
import { type Malformed, malformed } from './malformed.ts';

export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly sizeBytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

export const NO_CONTENT: Framing = { kind: 'none' };
export const CHUNKED: Framing = { kind: 'chunked' };
export const UNTIL_CLOSE: Framing = { kind: 'until-close' };

/**
 * What the fields say about the message and the connection, gathered in one pass. A connection's requests mostly say the
 * same, so what can be told from the fields alone is told here, where it is remembered.
 */
export interface MessageControl {
  /** Undefined when neither field is present. */
  readonly framing: Framing | undefined;
  /** The sender is ready for another message behind this one. RFC 9112 section 9.3. */
  readonly keepAlive: boolean;
  /** It says so, as it must in HTTP/1.0. */
  readonly keepAliveAsked: boolean;
  readonly host: string | undefined;
  /** Host is a name or address with an optional port. */
  readonly isHostWhole: boolean;
  readonly expect: 'nothing' | '100-continue' | 'something-else';
  /** Protocols of Upgrade, when `Connection: upgrade` lists it and the version has it. */
  readonly upgrade: string | undefined;
}

const NO_OPTIONS: readonly string[] = [];

export function readControl(fields: Fields, version: '1.0' | '1.1'): MessageControl | Malformed {
  let length: string | undefined;
  let coding: string | undefined;
  let connection = NO_OPTIONS;
  let host: string | undefined;
  let expect: string | undefined;
  let upgrade: string | undefined;
  for (let at = 0; at < fields.count; at++) {
    const name = fields.nameAt(at);
    // The names that matter differ in length but for Host and Expect: a cheap first sieve.
    switch (name.length) {
      case 4:
        if (!equalsIgnoreCase(name, 'host')) break;
        if (host !== undefined) return malformed('bad-host', 'several Host fields');
        host = fields.valueAt(at);
        break;
      case 6:
        if (equalsIgnoreCase(name, 'expect')) expect = joined(expect, fields.valueAt(at));
        break;
      case 7:
        if (equalsIgnoreCase(name, 'upgrade')) upgrade = joined(upgrade, fields.valueAt(at));
        break;
      case 10:
        if (!equalsIgnoreCase(name, 'connection')) break;
        connection = [
          ...connection,
          ...listElements(fields.valueAt(at)).map((option) => option.toLowerCase()),
        ];
        break;
      case 14:
        if (!equalsIgnoreCase(name, 'content-length')) break;
        if (length !== undefined) return malformed('bad-content-length', 'several Content-Length fields');
        length = fields.valueAt(at);
        break;
      case 17:
        if (!equalsIgnoreCase(name, 'transfer-encoding')) break;
        if (coding !== undefined)
          return malformed('bad-transfer-encoding', 'several Transfer-Encoding fields');
        coding = fields.valueAt(at);
        break;
      default:
    }
  }
  if (!connection.every(isToken))
    return malformed('bad-connection', 'Connection has an option that is no token');
  const framing = framingOf(length, coding, version);
  if (framing !== undefined && framing.kind === 'malformed') return framing;
  return {
    framing,
    keepAlive: isPersistent(connection, version),
    keepAliveAsked: connection.includes('keep-alive'),
    host,
    isHostWhole: host !== undefined && isHostAndPort(host),
    expect: expectationOf(expect),
    upgrade: version === '1.1' && connection.includes('upgrade') ? upgrade : undefined,
  };
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}

function framingOf(
  length: string | undefined,
  coding: string | undefined,
  version: '1.0' | '1.1',
): Framing | Malformed | undefined {
  if (coding !== undefined) {
    if (length !== undefined) {
      return malformed('conflicting-framing', 'Transfer-Encoding and Content-Length together');
    }
    return codingOf(coding, version);
  }
  if (length === undefined) return undefined;
  const sizeBytes = decimal(length);
  if (sizeBytes < 0) return malformed('bad-content-length', 'Content-Length is not a plain decimal number');
  return { kind: 'length', sizeBytes };
}

function codingOf(coding: string, version: '1.0' | '1.1'): Framing | Malformed {
  if (version === '1.0') return malformed('bad-transfer-encoding', 'Transfer-Encoding in HTTP/1.0');
  if (equalsIgnoreCase(coding, 'chunked')) return CHUNKED;
  if (isToken(coding)) return malformed('unknown-transfer-coding', 'an unknown transfer coding', 501);
  return malformed('bad-transfer-encoding', 'Transfer-Encoding is not exactly `chunked`');
}

/** RFC 9110 section 10.1.1: there is one expectation. */
function expectationOf(expect: string | undefined): MessageControl['expect'] {
  if (expect === undefined) return 'nothing';
  return equalsIgnoreCase(expect, '100-continue') ? '100-continue' : 'something-else';
}

/** @param connection options in lower case */
function isPersistent(connection: readonly string[], version: '1.0' | '1.1'): boolean {
  if (connection.includes('close')) return false;
  return version === '1.1' || connection.includes('keep-alive');
}
