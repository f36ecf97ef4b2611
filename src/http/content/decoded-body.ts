/**
 * The content of a request without its content coding. RFC 9110 section 8.4.
 *
 * A short message may decode to one that fills the machine (a kilobyte of gzip to a megabyte, of brotli to far
 * more), so what comes out is bounded twice: as a whole, and as a multiple of what came. Nothing is decoded ahead
 * of its reader.
 */
import { OctetError } from '../../core/errors.ts';
import { textOf } from '../body.ts';
import { HttpError } from '../errors.ts';
import { CONTENT_LIMITS } from '../limits.ts';
import type { Body, HeaderFields, HttpRequest } from '../types.ts';
import { listElements } from '../wire/grammar.ts';
import { CODECS, CODINGS, type ContentCoding, codingOf } from './coding.ts';
import { pump } from './pump.ts';

export interface DecodingLimits {
  /** Decoded bytes at most; more are 413. Default `CONTENT_LIMITS.decodedBytes`. */
  readonly bytes?: number;
  /** Decoded bytes for each one received, once there are more than `CONTENT_LIMITS.decodedFreeBytes`; more are 413.
   * Default `CONTENT_LIMITS.decodedRatio`. */
  readonly ratio?: number;
}

/**
 * The body as it was before it was coded; the request's own when it is not. Read it in place of `request.body`.
 * @throws HttpError 415 with Accept-Encoding for a coding that is not ours, or more than one. The body's readers
 *   throw 413 past a bound and 400 when the content is not what its coding says.
 */
export function decodedBody(
  request: Pick<HttpRequest, 'headers' | 'body'>,
  limits: DecodingLimits = {},
): Body {
  const field = request.headers.get('content-encoding');
  const names = field === undefined ? [] : listElements(field);
  const codings = names.filter((name) => name.toLowerCase() !== 'identity');
  if (codings.length === 0) return request.body;
  const coding = codings.length === 1 ? codingOf(codings[0]!) : undefined;
  if (coding === undefined) throw unknownCoding();
  return new DecodedBody(request.body, coding, {
    bytes: limits.bytes ?? CONTENT_LIMITS.decodedBytes,
    ratio: limits.ratio ?? CONTENT_LIMITS.decodedRatio,
  });
}

/** RFC 9110 section 15.5.16: with the codings that would have been taken. */
function unknownCoding(): HttpError {
  return new HttpError(415, 'the content coding is not known, or there is more than one', {
    headers: [['Accept-Encoding', CODINGS.join(', ')]],
  });
}

class DecodedBody implements Body {
  readonly sizeBytes = undefined;
  readonly #coded: Body;
  readonly #coding: ContentCoding;
  readonly #limits: Required<DecodingLimits>;

  constructor(coded: Body, coding: ContentCoding, limits: Required<DecodingLimits>) {
    this.#coded = coded;
    this.#coding = coding;
    this.#limits = limits;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    const decoder = CODECS[this.#coding].decoder();
    let received = 0;
    let decoded = 0;
    try {
      const feeding = (bytes: number): void => void (received += bytes);
      for await (const piece of pump(this.#coded, decoder, { feeding })) {
        decoded += piece.length;
        this.#check(received, decoded);
        yield piece;
      }
    } catch (thrown) {
      throw isOfZlib(thrown) ? this.#notCoded(thrown) : thrown;
    }
    // What follows the end of the coded data is nobody's: decoders leave it, and it would smuggle something past us.
    if (decoder.bytesWritten < received) throw this.#notCoded();
  }

  #check(received: number, decoded: number): void {
    if (decoded > this.#limits.bytes) throw tooLong(`more than ${this.#limits.bytes} bytes`);
    if (decoded > CONTENT_LIMITS.decodedFreeBytes && decoded > received * this.#limits.ratio)
      throw tooLong(`more than ${this.#limits.ratio} times as long as what was sent`);
  }

  #notCoded(cause?: unknown): HttpError {
    return new HttpError(400, `the content is not whole and valid ${this.#coding}`, { cause });
  }

  async bytes(limitBytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let total = 0;
    for await (const piece of this) {
      total += piece.length;
      if (total > limitBytes) throw tooLong(`more than ${limitBytes} bytes`);
      pieces.push(piece);
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, total);
  }

  async text(limitBytes: number): Promise<string> {
    return textOf(await this.bytes(limitBytes));
  }

  discard(): void {
    this.#coded.discard();
  }

  trailers(): HeaderFields {
    return this.#coded.trailers();
  }
}

function tooLong(what: string): HttpError {
  return new HttpError(413, `the content, decoded, is ${what}`);
}

/** An error of the data rather than of the connection that it came on, which is one of ours. */
function isOfZlib(thrown: unknown): boolean {
  return thrown instanceof Error && !(thrown instanceof OctetError) && 'errno' in thrown;
}
