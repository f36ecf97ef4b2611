/**
 * Requests, as bytes of any cut become commands.
 *
 *   *3 CRLF  $3 CRLF SET CRLF  $3 CRLF key CRLF  $5 CRLF value CRLF       an array of bulk strings
 *   SET key value CRLF                                                    or an inline command
 *
 * Arguments are latin1 strings: one character per byte, so any bytes survive the round trip. An argument
 * that has arrived is taken out of the buffer at once; what is kept is at most one unfinished length line or
 * one unfinished argument, in a block that grows with what has arrived and never by what was announced.
 */
import type { RequestLimits } from '../limits.ts';
import { splitInline } from './inline.ts';

/** Why a connection cannot go on. `cross-protocol` gets no reply: the peer is a browser, not a client. */
export interface MalformedRequest {
  readonly malformed: 'protocol-error' | 'cross-protocol';
  readonly message: string;
}

/** A command (its name first), `undefined` for need more, or why the stream is lost. */
export type RequestStep = string[] | undefined | MalformedRequest;

const NOTHING = Buffer.alloc(0);
const LF = 10;
const CR = 13;
const DOLLAR = 36;
const STAR = 42;

/** V8 copies substrings shorter than this, and for longer ones keeps the whole parent alive. */
const COPIED_SUBSTRING_CHARS = 13;
/** Chunks up to this are decoded once, and their short arguments cut out of that string: 14 against 66 ns. */
const DECODE_ONCE_BYTES = 65_536;

export class RequestParser {
  #limits: RequestLimits;
  /** The bytes at hand and how far they are consumed. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  /** `#chunk` as one string, when it is small. */
  #text: string | undefined;

  /** Arguments of the command being read and how many are still to come; -1 between commands. */
  #args: string[] = [];
  #missing = -1;
  #requestBytes = 0;
  /** Length of the argument being read; -1 before its `$` line. */
  #bulkLength = -1;
  /** The part of it (and its CRLF) that earlier chunks brought. */
  #block: Buffer = NOTHING;
  #blockBytes = 0;
  #broken: MalformedRequest | undefined;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** Other limits from the next length on: a client that has authenticated may send more. */
  set limits(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** True while a command has begun and is not whole. */
  get midRequest(): boolean {
    return this.#missing >= 0 || this.#at < this.#chunk.length;
  }

  /** Bytes received and not yet returned as a command. */
  get bufferedBytes(): number {
    return this.#chunk.length - this.#at + this.#requestBytes + this.#blockBytes;
  }

  /** Adds what arrived. Call `next` until it returns undefined before feeding more. */
  feed(chunk: Buffer): void {
    const rest = this.#chunk.length - this.#at;
    this.#chunk = rest === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
    this.#text = undefined;
  }

  next(): RequestStep {
    if (this.#broken !== undefined) return this.#broken;
    const step = this.#step();
    if (step === undefined) this.#compact();
    else if ('malformed' in step) this.#broken = step;
    return step;
  }

  /** An idle connection holds no chunk, one that waits for more holds little beside what it has sent. */
  #compact(): void {
    const rest = this.#chunk.length - this.#at;
    if (rest > this.#chunk.length / 2) return;
    this.#chunk = rest === 0 ? NOTHING : Buffer.from(this.#chunk.subarray(this.#at));
    this.#at = 0;
    this.#text = undefined;
  }

  #step(): RequestStep {
    while (this.#missing < 0) {
      if (this.#at >= this.#chunk.length) return undefined;
      if (this.#chunk[this.#at] !== STAR) return this.#inline();
      const count = this.#readLength('mbulk count', 'multibulk');
      if (typeof count !== 'number') return count;
      if (count > this.#limits.maxArguments) return this.#tooMany();
      if (count <= 0) continue;
      this.#missing = count;
      this.#args = [];
      this.#requestBytes = 0;
    }
    return this.#arguments();
  }

  #arguments(): RequestStep {
    while (this.#missing > 0) {
      if (this.#bulkLength < 0) {
        const fault = this.#bulkHeader();
        if (fault !== null) return fault;
      }
      const text = this.#bulk();
      if (typeof text !== 'string') return text;
      this.#args.push(text);
      this.#bulkLength = -1;
      this.#missing--;
    }
    const args = this.#args;
    this.#missing = -1;
    this.#args = [];
    this.#requestBytes = 0;
    return args;
  }

  /** Reads `$<length>`; null when done. */
  #bulkHeader(): undefined | MalformedRequest | null {
    if (this.#at >= this.#chunk.length) return undefined;
    const first = this.#chunk[this.#at]!;
    if (first !== DOLLAR) return violation(`expected '$', got '${printable(first)}'`);
    const length = this.#readLength('bulk count', 'bulk');
    if (typeof length !== 'number') return length;
    if (length < 0 || length > MAX_LENGTH) return violation('invalid bulk length');
    if (length > this.#limits.maxBulkBytes) return this.#tooLong();
    this.#requestBytes += length;
    if (this.#requestBytes > this.#limits.maxRequestBytes) return violation('too big request');
    this.#bulkLength = length;
    return null;
  }

  /** The argument of `#bulkLength` bytes, if it is whole. */
  #bulk(): string | undefined | MalformedRequest {
    const length = this.#bulkLength;
    if (this.#blockBytes > 0) return this.#continueBlock(length);
    const end = this.#at + length;
    if (end + 2 > this.#chunk.length) return this.#keepBlock(length);
    if (this.#chunk[end] !== CR || this.#chunk[end + 1] !== LF) return violation('expected CRLF after bulk');
    const start = this.#at;
    this.#at = end + 2;
    return this.#slice(start, end);
  }

  #slice(start: number, end: number): string {
    if (end - start >= COPIED_SUBSTRING_CHARS || this.#chunk.length > DECODE_ONCE_BYTES) {
      return this.#chunk.toString('latin1', start, end);
    }
    this.#text ??= this.#chunk.toString('latin1', 0, this.#chunk.length);
    return this.#text.substring(start, end);
  }

  #keepBlock(length: number): undefined {
    const arrived = this.#chunk.length - this.#at;
    if (arrived === 0) return;
    this.#append(this.#chunk.subarray(this.#at), length + 2);
    this.#at = this.#chunk.length;
  }

  #continueBlock(length: number): string | undefined | MalformedRequest {
    const wanted = length + 2 - this.#blockBytes;
    const taken = Math.min(wanted, this.#chunk.length - this.#at);
    this.#append(this.#chunk.subarray(this.#at, this.#at + taken), length + 2);
    this.#at += taken;
    if (taken < wanted) return undefined;
    const block = this.#block;
    this.#block = NOTHING;
    this.#blockBytes = 0;
    if (block[length] !== CR || block[length + 1] !== LF) return violation('expected CRLF after bulk');
    return block.toString('latin1', 0, length);
  }

  /** Doubles the block as bytes arrive, so that an announced length costs its sender, not us. */
  #append(bytes: Buffer, wholeBytes: number): void {
    const needed = this.#blockBytes + bytes.length;
    if (needed > this.#block.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.min(wholeBytes, Math.max(needed, this.#block.length * 2, 256)),
      );
      grown.set(this.#block.subarray(0, this.#blockBytes));
      this.#block = grown;
    }
    this.#block.set(bytes, this.#blockBytes);
    this.#blockBytes = needed;
  }

  /** Reads the number of a `*` or `$` line. */
  #readLength(lineName: string, name: string): number | undefined | MalformedRequest {
    const chunk = this.#chunk;
    let at = this.#at + 1;
    let value = 0;
    // The common case: one to nine digits and CRLF, all here.
    const first = at;
    while (at < chunk.length && at - first < 10) {
      const digit = chunk[at]! - 48;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at++;
    }
    const plain = at > first && (chunk[first] !== 48 || at === first + 1);
    if (plain && chunk[at] === CR && chunk[at + 1] === LF) {
      this.#at = at + 2;
      return value;
    }
    return this.#readOddLength(lineName, name);
  }

  #readOddLength(lineName: string, name: string): number | undefined | MalformedRequest {
    const end = this.#chunk.indexOf(LF, this.#at);
    const lineBytes = (end < 0 ? this.#chunk.length : end) - this.#at;
    if (lineBytes > this.#limits.maxInlineBytes) return violation(`too big ${lineName} string`);
    if (end < 0) return undefined;
    const text = this.#chunk.toString('latin1', this.#at + 1, end);
    this.#at = end + 1;
    // A negative count announces nothing and is passed over; everything else that is not plain digits is an error.
    if (name === 'multibulk' && isNegativeCount(text)) return -1;
    return violation(`invalid ${name} length`);
  }

  #inline(): RequestStep {
    const end = this.#chunk.indexOf(LF, this.#at);
    const lineBytes = (end < 0 ? this.#chunk.length : end) - this.#at;
    if (lineBytes > this.#limits.maxInlineBytes) return violation('too big inline request');
    if (end < 0) return undefined;
    const stop = end > this.#at && this.#chunk[end - 1] === CR ? end - 1 : end;
    const words = splitInline(this.#chunk.toString('latin1', this.#at, stop));
    this.#at = end + 1;
    if (words === undefined) return violation('unbalanced quotes in request');
    if (words.length === 0) return this.#step();
    return isHttp(words) ? { malformed: 'cross-protocol', message: words[0]! } : words;
  }

  #tooMany(): MalformedRequest {
    return violation(
      this.#limits.maxArguments <= 10 ? 'unauthenticated multibulk length' : 'invalid multibulk length',
    );
  }

  #tooLong(): MalformedRequest {
    return violation(this.#limits.maxArguments <= 10 ? 'unauthenticated bulk length' : 'invalid bulk length');
  }
}

const MAX_LENGTH = 2 ** 31 - 1;

/**
 * A web page can make a browser send a request to any port of this machine, and every line of its body
 * would be an inline command. So whatever looks like HTTP ends the connection.
 */
function isHttp(words: readonly string[]): boolean {
  const first = words[0]!.toLowerCase();
  return first === 'post' || first === 'host:' || words.at(-1)!.startsWith('HTTP/1');
}

/** `-` and one to ten digits without a leading zero, then CR. */
function isNegativeCount(text: string): boolean {
  const digits = text.slice(1, -1);
  if (text[0] !== '-' || text.at(-1) !== '\r' || digits.length > 10) return false;
  return digits === String(Number(digits)) && Number(digits) > 0;
}

function violation(message: string): MalformedRequest {
  return { malformed: 'protocol-error', message: `Protocol error: ${message}` };
}

function printable(byte: number): string {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}
