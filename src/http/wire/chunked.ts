/**
 * The chunked transfer coding. RFC 9112 section 7.1.
 *
 *   chunked-body   = *chunk last-chunk trailer-section CRLF
 *   chunk          = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
 *   chunk-size     = 1*HEXDIG                              at most 8 digits here
 *   chunk-ext      = *( ";" token [ "=" ( token / quoted-string ) ] )
 *
 * Extensions are checked by their grammar, counted against a bound for the whole message, and dropped. The
 * white space that the standard calls bad and tolerates around `;` and `=` is refused: parsers disagree on it.
 */
import { assert } from '../../core/assert.ts';
import type { HttpLimits } from '../limits.ts';
import { badLineEnding, type Fields, NO_FIELDS, parseFields } from './fields.ts';
import { hexDigit, QUOTED_TEXT, TOKEN } from './grammar.ts';
import { HeadEnd } from './head-end.ts';
import type { Input } from './input.ts';
import { type Malformed, malformed } from './malformed.ts';
import { withoutForbidden } from './trailers.ts';

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

type LineState =
  | 'size-start'
  | 'size'
  | 'name-start'
  | 'name'
  | 'value-start'
  | 'value'
  | 'quoted'
  | 'escaped'
  | 'quoted-end'
  | 'line-feed';

export type BodyPart =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'end'; readonly trailers: Fields }
  | { readonly kind: 'need-data' }
  | Malformed;

export const NEED_DATA = { kind: 'need-data' } as const;
const TRAILERS_TOO_LARGE = malformed('trailer-too-large', 'the trailers are too large', 431);
const END: BodyPart = { kind: 'end', trailers: NO_FIELDS };

export type ChunkedLimits = Pick<
  HttpLimits,
  'chunkSizeDigits' | 'chunkExtensionBytes' | 'trailerBytes' | 'fieldCount' | 'fieldBytes' | 'bodyBytes'
>;

/** What decodes one message's content: chunked, by length, or until the connection closes. */
export interface BodyDecoder {
  next(input: Input): BodyPart;
}

export class ChunkedDecoder implements BodyDecoder {
  readonly #limits: ChunkedLimits;
  readonly #trailerEnd = new HeadEnd();
  #phase: 'line' | 'data' | 'data-cr' | 'data-lf' | 'trailers' = 'line';
  #line: LineState = 'size-start';
  #digits = 0;
  #size = 0;
  #remaining = 0;
  #extensionBytes = 0;
  #total = 0;

  constructor(limits: ChunkedLimits) {
    this.#limits = limits;
  }

  next(input: Input): BodyPart {
    for (;;) {
      if (this.#phase === 'trailers') return this.#trailers(input);
      if (input.length === 0) return NEED_DATA;
      if (this.#phase === 'data') return this.#data(input);
      const refusal = this.#phase === 'line' ? this.#sizeLine(input) : this.#dataEnd(input);
      if (refusal !== undefined) return refusal;
    }
  }

  #data(input: Input): BodyPart {
    const bytes = input.take(this.#remaining);
    this.#remaining -= bytes.length;
    if (this.#remaining === 0) this.#phase = 'data-cr';
    return { kind: 'data', bytes };
  }

  #dataEnd(input: Input): Malformed | undefined {
    const wanted = this.#phase === 'data-cr' ? CR : LF;
    if (input.byte(0) !== wanted)
      return malformed('bad-chunk', 'the data of a chunk does not end where its size says');
    input.skip(1);
    this.#phase = wanted === CR ? 'data-lf' : 'line';
    return undefined;
  }

  #sizeLine(input: Input): Malformed | undefined {
    let at = 0;
    while (at < input.length && this.#phase === 'line') {
      const refusal = this.#sizeByte(input.byte(at));
      if (refusal !== undefined) return refusal;
      at++;
    }
    input.skip(at);
    return undefined;
  }

  /** One byte of `size [ext] CRLF`; enters the next phase at its LF. */
  #sizeByte(code: number): Malformed | undefined {
    if (this.#line !== 'size-start' && this.#line !== 'size' && this.#line !== 'line-feed') {
      if (++this.#extensionBytes > this.#limits.chunkExtensionBytes) {
        return malformed('extension-too-large', 'the chunk extensions are too large', 413);
      }
    }
    switch (this.#line) {
      case 'size-start':
      case 'size':
        return this.#sizeDigit(code);
      case 'name-start':
        return TOKEN[code] === 1 ? this.#goto('name') : badExtension(code);
      case 'name':
        if (code === EQUALS) return this.#goto('value-start');
        return this.#tokenOrEnd(code);
      case 'value-start':
        if (code === QUOTE) return this.#goto('quoted');
        return TOKEN[code] === 1 ? this.#goto('value') : badExtension(code);
      case 'value':
        return this.#tokenOrEnd(code);
      case 'quoted':
        if (code === QUOTE) return this.#goto('quoted-end');
        if (code === BACKSLASH) return this.#goto('escaped');
        return QUOTED_TEXT[code] === 1 ? undefined : badExtension(code);
      case 'escaped':
        if (code === QUOTE || code === BACKSLASH || QUOTED_TEXT[code] === 1) return this.#goto('quoted');
        return badExtension(code);
      case 'quoted-end':
        return this.#separator(code) ? undefined : badExtension(code);
      case 'line-feed':
        return code === LF ? this.#lineDone() : badLineEnding();
    }
  }

  #sizeDigit(code: number): Malformed | undefined {
    const digit = hexDigit(code);
    if (digit >= 0) {
      if (++this.#digits > this.#limits.chunkSizeDigits)
        return malformed('bad-chunk', 'a chunk size has too many digits');
      this.#size = this.#size * 16 + digit;
      return this.#goto('size');
    }
    if (this.#digits > 0 && this.#separator(code)) return undefined;
    if (code === LF) return badLineEnding();
    return malformed('bad-chunk', 'a chunk size is not a plain hexadecimal number');
  }

  #tokenOrEnd(code: number): Malformed | undefined {
    return TOKEN[code] === 1 || this.#separator(code) ? undefined : badExtension(code);
  }

  #separator(code: number): boolean {
    if (code === SEMICOLON) this.#line = 'name-start';
    else if (code === CR) this.#line = 'line-feed';
    else return false;
    return true;
  }

  #goto(state: LineState): undefined {
    this.#line = state;
    return undefined;
  }

  #lineDone(): Malformed | undefined {
    this.#total += this.#size;
    if (this.#total > this.#limits.bodyBytes)
      return malformed('content-too-large', 'the content is too large', 413);
    this.#remaining = this.#size;
    this.#phase = this.#size === 0 ? 'trailers' : 'data';
    this.#size = 0;
    this.#digits = 0;
    this.#line = 'size-start';
    return undefined;
  }

  #trailers(input: Input): BodyPart {
    const { trailerBytes } = this.#limits;
    const length = this.#trailerEnd.find(input, trailerBytes + 2);
    if (length === undefined) return NEED_DATA;
    if (typeof length === 'string') return length === 'too-large' ? TRAILERS_TOO_LARGE : badLineEnding();
    const text = input.takeText(length - 2);
    input.skip(2);
    if (text === '') return END;
    const trailers = parseFields(text, 0, text.length, this.#limits);
    return 'kind' in trailers ? trailers : { kind: 'end', trailers: withoutForbidden(trailers) };
  }
}

function badExtension(code: number): Malformed {
  if (code === LF || code === CR) return badLineEnding();
  return malformed('bad-chunk', 'a chunk extension is malformed');
}

/** Content of a known length. */
export class LengthDecoder implements BodyDecoder {
  #remaining: number;

  constructor(sizeBytes: number) {
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, 'a length is a natural number');
    this.#remaining = sizeBytes;
  }

  next(input: Input): BodyPart {
    if (this.#remaining === 0) return END;
    if (input.length === 0) return NEED_DATA;
    const bytes = input.take(this.#remaining);
    this.#remaining -= bytes.length;
    return { kind: 'data', bytes };
  }
}

/** Content that ends with the connection; the session says when that is. */
export class UntilCloseDecoder implements BodyDecoder {
  #total = 0;
  readonly #bodyBytes: number;

  constructor(bodyBytes: number) {
    this.#bodyBytes = bodyBytes;
  }

  next(input: Input): BodyPart {
    if (input.length === 0) return NEED_DATA;
    this.#total += input.length;
    if (this.#total > this.#bodyBytes) return malformed('content-too-large', 'the content is too large', 413);
    return { kind: 'data', bytes: input.take(input.length) };
  }
}
