/**
 * The part of a response's head that its sender gives.
 *
 *   HTTP/1.1 200 OK                        ┐
 *   Date: …          the server's clock    │ `text` here
 *   Content-Type: …  the sender's fields   ┘
 *   Content-Length: …                      ┐ the session's, which knows the connection
 *   Connection: …                          ┘
 *
 * Fields of the sender that are the session's to write are taken out and told apart. Responses on one connection often
 * have the same fields within the same second, so what was last written is compared, string by string, before it is
 * checked and written again; a connection whose responses differ each time is not asked after a few.
 */
import { MEMO_LIMITS } from '../limits.ts';
import type { HeaderList } from '../types.ts';
import { encodeField, encodeStatusLine, framingField, UnsendableError } from './encode-head.ts';
import { decimal, equalsIgnoreCase, listElements } from './grammar.ts';

export interface ResponseFields {
  /** Status line, Date and fields, each with its CRLF. */
  readonly text: string;
  /** What Content-Length says. */
  readonly declaredBytes: number | undefined;
  /** The sender asks for the end of the connection. */
  readonly closes: boolean;
  readonly offersUpgrade: boolean;
}

/** @throws UnsendableError when a part is no HTTP */
export function encodeResponseFields(status: number, stamp: string, headers: HeaderList): ResponseFields {
  let fields = '';
  let date = stamp;
  let declaredBytes: number | undefined;
  let closes = false;
  let offersUpgrade = false;
  for (const [name, value] of headers) {
    switch (framingField(name)) {
      case 'connection':
        closes ||= listElements(value).some((option) => equalsIgnoreCase(option, 'close'));
        break;
      case 'transfer-encoding':
        throw new UnsendableError('Transfer-Encoding is not the sender’s to set');
      case 'content-length':
        declaredBytes = declaredLength(declaredBytes, value);
        break;
      default:
        fields += encodeField(name, value);
        // A Date from a server behind us is the one that counts. RFC 9110 section 6.6.1.
        if (name.length === 4 && equalsIgnoreCase(name, 'date')) date = '';
        else if (name.length === 7 && equalsIgnoreCase(name, 'upgrade')) offersUpgrade = true;
    }
  }
  return { text: encodeStatusLine(status) + date + fields, declaredBytes, closes, offersUpgrade };
}

function declaredLength(before: number | undefined, value: string): number {
  const length = decimal(value);
  if (length < 0 || before !== undefined)
    throw new UnsendableError('Content-Length is not one decimal number');
  return length;
}

interface Kept {
  readonly status: number;
  readonly stamp: string;
  /** Names and values in turn: the sender's list is not ours to keep. */
  readonly flat: readonly string[];
  readonly encoded: ResponseFields;
}

export class ResponseFieldsMemo {
  #kept: Kept | undefined;
  #misses = 0;

  /** As `encodeResponseFields`. @throws UnsendableError */
  encode(status: number, stamp: string, headers: HeaderList): ResponseFields {
    if (this.#misses > MEMO_LIMITS.misses) return encodeResponseFields(status, stamp, headers);
    const kept = this.#kept;
    if (kept !== undefined && kept.status === status && kept.stamp === stamp && same(kept.flat, headers)) {
      this.#misses = 0;
      return kept.encoded;
    }
    this.#misses++;
    const encoded = encodeResponseFields(status, stamp, headers);
    if (encoded.text.length > MEMO_LIMITS.keptBytes) return encoded;
    // Put together from pieces until now: one string is written faster, over and over.
    const text = Buffer.from(encoded.text, 'latin1').toString('latin1');
    this.#kept = { status, stamp, flat: headers.flat(), encoded: { ...encoded, text } };
    return encoded;
  }
}

function same(flat: readonly string[], headers: HeaderList): boolean {
  if (flat.length !== headers.length * 2) return false;
  for (let at = 0; at < headers.length; at++) {
    const field = headers[at]!;
    if (flat[at * 2] !== field[0] || flat[at * 2 + 1] !== field[1]) return false;
  }
  return true;
}
