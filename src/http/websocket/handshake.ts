/**
 * What both ends of the opening handshake compute and check. RFC 6455 section 4.
 *
 *   client                                          server
 *   GET /chat HTTP/1.1                              HTTP/1.1 101 Switching Protocols
 *   Upgrade: websocket                              Upgrade: websocket
 *   Connection: upgrade                             Connection: upgrade
 *   Sec-WebSocket-Version: 13
 *   Sec-WebSocket-Key: 16 random bytes       ──▶    Sec-WebSocket-Accept: SHA-1 of the key and a fixed text
 *   Sec-WebSocket-Protocol: soap, wamp       ──▶    Sec-WebSocket-Protocol: wamp
 *   Sec-WebSocket-Extensions: offers         ──▶    Sec-WebSocket-Extensions: terms
 *   Origin: https://example.com
 *
 * The accept value proves that the server read a WebSocket handshake and not some other request that a page
 * made a browser send; it is no secret and no signature.
 */
import { createHash } from 'node:crypto';
import { isToken, listElements } from '../wire/grammar.ts';
import { WebSocketError } from './errors.ts';
import { type DeflateTerms, type DirectionTerms, MAX_WINDOW_BITS } from './wire/deflate-terms.ts';

export const VERSION = '13';
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY_BYTES = 16;
/** 16 bytes in base64. */
const KEY_LENGTH = 24;

export function isKey(key: string): boolean {
  if (key.length !== KEY_LENGTH) return false;
  const bytes = Buffer.from(key, 'base64');
  // Decoding forgives much; encoding again does not.
  return bytes.length === KEY_BYTES && bytes.toString('base64') === key;
}

export function acceptValue(key: string): string {
  return createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`, 'latin1').digest('base64');
}

/** The subprotocols of a field's value: distinct tokens. @returns undefined when they are not */
export function parseProtocols(value: string): string[] | undefined {
  const protocols = listElements(value);
  const isRight = protocols.length > 0 && protocols.every(isToken);
  return isRight && new Set(protocols).size === protocols.length ? protocols : undefined;
}

/** How messages may be compressed; what is left out is as wide as the standard allows. */
export interface DeflateWish {
  readonly client?: Partial<DirectionTerms>;
  readonly server?: Partial<DirectionTerms>;
}

/** @throws WebSocketError `invalid-argument` */
export function deflateTermsOf(wish: boolean | DeflateWish | undefined): DeflateTerms | undefined {
  if (wish === undefined || wish === false) return undefined;
  const { client, server } = wish === true ? {} : wish;
  return { client: directionOf(client), server: directionOf(server) };
}

function directionOf(wish: Partial<DirectionTerms> = {}): DirectionTerms {
  const { contextTakeover = true, windowBits = MAX_WINDOW_BITS } = wish;
  if (!Number.isInteger(windowBits) || windowBits < 8 || windowBits > MAX_WINDOW_BITS)
    throw new WebSocketError('invalid-argument', 'windowBits is not a whole number from 8 to 15');
  return { contextTakeover, windowBits };
}
