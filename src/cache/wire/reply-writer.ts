/**
 * Replies as bytes, in RESP2 or RESP3.
 *
 *              RESP2                    RESP3
 *   simple     +OK                      the same
 *   error      -ERR sentence            the same
 *   integer    :42                      the same
 *   bulk       $5 CRLF hello            the same
 *   array      *2 CRLF ...              the same
 *   nil        $-1 or *-1               _
 *   map        *2n, keys and values     %n
 *   set        *n                       ~n
 *   double     bulk                     ,3.14
 *   boolean    :1 or :0                 #t or #f
 *   big number bulk                     (123...
 *   verbatim   bulk                     =7 CRLF txt:abc
 *   push       *n                       >n
 *
 * Output is gathered as latin1 text, one character per byte, and written once per read. Adding to a string
 * copies nothing until it is sent. Past `REPLY_PIECE_BYTES` a new piece begins.
 */
import { REPLY_PIECE_BYTES } from '../limits.ts';
import { formatDouble } from './double.ts';

export type ProtocolVersion = 2 | 3;

/** A place in the output to which it can be taken back. */
export interface ReplyMark {
  readonly text: string;
  readonly pieces: number;
  readonly pieceBytes: number;
}

export class ReplyWriter {
  protocol: ProtocolVersion = 2;
  #text = '';
  #pieces: string[] = [];
  #pieceBytes = 0;

  /** Bytes gathered and not yet taken. */
  get byteLength(): number {
    return this.#pieceBytes + this.#text.length;
  }

  /** The gathered bytes as latin1 pieces, in order; the writer is empty afterwards. */
  take(): string[] {
    const pieces = this.#pieces;
    if (this.#text.length > 0) pieces.push(this.#text);
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#text = '';
    return pieces;
  }

  mark(): ReplyMark {
    return { text: this.#text, pieces: this.#pieces.length, pieceBytes: this.#pieceBytes };
  }

  /** Forgets what was written after `mark` (and not taken since). */
  rollback(mark: ReplyMark): void {
    this.#text = mark.text;
    this.#pieces.length = mark.pieces;
    this.#pieceBytes = mark.pieceBytes;
  }

  /** Already encoded bytes. */
  raw(bytes: string): void {
    this.#text += bytes;
    if (this.#text.length > REPLY_PIECE_BYTES) this.#cut();
  }

  #cut(): void {
    this.#pieces.push(this.#text);
    this.#pieceBytes += this.#text.length;
    this.#text = '';
  }

  ok(): void {
    this.#text += '+OK\r\n';
  }

  simple(text: string): void {
    this.raw(`+${text}\r\n`);
  }

  /** `line` begins with the code; line breaks in it would end the reply and are replaced. */
  error(line: string): void {
    this.raw(`-${/[\r\n]/.test(line) ? line.replaceAll(/[\r\n]/g, ' ') : line}\r\n`);
  }

  integer(value: number | bigint): void {
    this.#text += `:${value}\r\n`;
    if (this.#text.length > REPLY_PIECE_BYTES) this.#cut();
  }

  bulk(bytes: string): void {
    this.#text += `$${bytes.length}\r\n${bytes}\r\n`;
    if (this.#text.length > REPLY_PIECE_BYTES) this.#cut();
  }

  bulkOrNil(bytes: string | undefined): void {
    if (bytes === undefined) this.nil();
    else this.bulk(bytes);
  }

  nil(): void {
    this.raw(this.protocol === 2 ? '$-1\r\n' : '_\r\n');
  }

  nilArray(): void {
    this.raw(this.protocol === 2 ? '*-1\r\n' : '_\r\n');
  }

  array(length: number): void {
    this.raw(`*${length}\r\n`);
  }

  /** `pairs` keys and values follow. */
  map(pairs: number): void {
    this.raw(this.protocol === 2 ? `*${pairs * 2}\r\n` : `%${pairs}\r\n`);
  }

  set(length: number): void {
    this.raw(this.protocol === 2 ? `*${length}\r\n` : `~${length}\r\n`);
  }

  push(length: number): void {
    this.raw(this.protocol === 2 ? `*${length}\r\n` : `>${length}\r\n`);
  }

  double(value: number): void {
    const text = formatDouble(value);
    this.raw(this.protocol === 2 ? `$${text.length}\r\n${text}\r\n` : `,${text}\r\n`);
  }

  boolean(value: boolean): void {
    if (this.protocol === 2) this.integer(value ? 1 : 0);
    else this.raw(value ? '#t\r\n' : '#f\r\n');
  }

  bigNumber(digits: string): void {
    if (this.protocol === 2) this.bulk(digits);
    else this.raw(`(${digits}\r\n`);
  }

  /** Text for people, with its three-letter format: `txt` or `mkd`. */
  verbatim(format: string, text: string): void {
    if (this.protocol === 2) this.bulk(text);
    else this.raw(`=${text.length + 4}\r\n${format}:${text}\r\n`);
  }

  bulks(items: readonly string[]): void {
    this.array(items.length);
    for (const item of items) this.bulk(item);
  }

  bulkSet(items: readonly string[]): void {
    this.set(items.length);
    for (const item of items) this.bulk(item);
  }
}
