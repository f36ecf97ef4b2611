/**
 * UTF-8 that arrives in pieces, refused at the first byte that cannot be right. RFC 3629 section 4, RFC 6455
 * section 8.1.
 *
 *   first     second   third    fourth        what the narrower second bytes exclude
 *   00..7F
 *   C2..DF    80..BF
 *   E0        A0..BF   80..BF                 overlong forms
 *   ED        80..9F   80..BF                 surrogates
 *   E1..EF    80..BF   80..BF
 *   F0        90..BF   80..BF   80..BF        overlong forms
 *   F1..F3    80..BF   80..BF   80..BF
 *   F4        80..8F   80..BF   80..BF        beyond U+10FFFF
 *
 * The middle of a piece is checked natively; only a character that pieces cut in two goes byte by byte.
 */
import { isUtf8 } from 'node:buffer';

const LONGEST_TAIL_BYTES = 3;

export class Utf8Checker {
  /** Bytes that the present character still needs. */
  #needed = 0;
  /** The next of them lies between these. */
  #lower = 0x80;
  #upper = 0xbf;

  /** True when no character is under way. */
  get isComplete(): boolean {
    return this.#needed === 0;
  }

  /** @returns false when the text so far is not the beginning of any UTF-8; nothing may follow then */
  push(piece: Buffer): boolean {
    let from = 0;
    while (this.#needed > 0 && from < piece.length) {
      if (!this.#step(piece[from++]!)) return false;
    }
    const tailAt = startOfTail(piece, from);
    if (tailAt > from && !isUtf8(piece.subarray(from, tailAt))) return false;
    for (let at = tailAt; at < piece.length; at++) {
      if (!this.#step(piece[at]!)) return false;
    }
    return true;
  }

  #step(byte: number): boolean {
    if (this.#needed === 0) return this.#begin(byte);
    if (byte < this.#lower || byte > this.#upper) return false;
    this.#lower = 0x80;
    this.#upper = 0xbf;
    this.#needed--;
    return true;
  }

  #begin(byte: number): boolean {
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    this.#lower = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.#upper = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    return true;
  }
}

/** Where the last character begins, if it may be incomplete; else the end. */
function startOfTail(piece: Buffer, from: number): number {
  const earliest = Math.max(from, piece.length - LONGEST_TAIL_BYTES);
  for (let at = piece.length - 1; at >= earliest; at--) {
    const byte = piece[at]!;
    if (byte < 0x80) return piece.length;
    if (byte >= 0xc0) return at;
  }
  return piece.length;
}
