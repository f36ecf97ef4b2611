/**
 * Responses with a content coding, applied on the fly. RFC 9110 sections 8.4 and 12.5.3.
 *
 * A response is coded when its media type is worth it, it is long enough, and nothing speaks against it:
 *   - it has no content (1xx, 204, 304) or part of one (206, Content-Range): a range counts the bytes of the
 *     representation, and there is none yet whose bytes they would be;
 *   - it is coded already (Content-Encoding);
 *   - `Cache-Control: no-transform` forbids it (RFC 9111 section 5.2.2.6);
 *   - it carries a digest of its bytes (RFC 9530, Content-MD5), which would be wrong then.
 *
 * What depends on Accept-Encoding says so in `Vary`, whether it was coded or not, and so does the 304. A strong
 * entity tag gets a suffix (why: entity-tag.ts), which is taken off again where a client sends it back: in If-Match
 * and If-None-Match the tags of coded forms stand for the one that the handler knows. In If-Range they do not: the
 * ranges a handler sends are of the uncoded form.
 *
 * Not for secrets beside what a stranger chose: the length of the coded content tells of both (BREACH). Such a
 * response says `no-transform`.
 */

import { releaseBody } from '../body.ts';
import { codedTag, tagsOf, uncodedTag, weakEqual } from '../conditional/entity-tag.ts';
import { CONTENT_LIMITS } from '../limits.ts';
import { essenceOf } from '../media-type.ts';
import { problem } from '../problem.ts';
import type { Handler, HeaderFields, HeaderList, HttpRequest, HttpResponse } from '../types.ts';
import { Fields } from '../wire/fields.ts';
import { equalsIgnoreCase, listElements } from '../wire/grammar.ts';
import { CODECS, CODINGS, type ContentCoding } from './coding.ts';
import { isCompressible } from './file-types.ts';
import { chooseCoding } from './negotiate.ts';
import { pump } from './pump.ts';

export interface CompressionOptions {
  /** Best first. Default br, zstd, gzip. */
  readonly codings?: readonly ContentCoding[];
  /** Which media types; gets one in lower case without parameters. Default: text, JSON, XML and the like. */
  readonly isCompressible?: (essence: string) => boolean;
  /** Shorter content is left alone, bytes. Default `CONTENT_LIMITS.codedFromBytes`. */
  readonly fromBytes?: number;
  /** Bodies being coded at a time; more go out as they are. Default `CONTENT_LIMITS.encoders`. */
  readonly maxEncoders?: number;
}

/** The same handler, whose responses are coded where the client takes it and it is worth while. */
export function compressed(handler: Handler, options: CompressionOptions = {}): Handler {
  const compressor = new Compressor(options);
  return (request) => {
    const coding = chooseCoding(request.headers.get('accept-encoding'), compressor.codings);
    // Told before anything is done rather than after.
    if (coding === undefined)
      return problem(406, { detail: 'no acceptable content coding', headers: [VARY] });
    const tags = takeSuffixesOff(request, compressor.codings);
    const response = handler(request);
    return response instanceof Promise
      ? response.then((late) => compressor.code(request, late, coding, tags))
      : compressor.code(request, response, coding, tags);
  };
}

const VARY = ['Vary', 'Accept-Encoding'] as const;
const NO_CONTENT: ReadonlySet<number> = new Set([204, 205, 206, 304]);
/** Fields that are about the bytes as the handler gave them. */
const BOUND_TO_BYTES: readonly string[] = [
  'Content-Encoding',
  'Content-Range',
  'Content-Digest',
  'Repr-Digest',
  'Digest',
  'Content-MD5',
];

class Compressor {
  readonly codings: readonly ContentCoding[];
  readonly #isCompressible: (essence: string) => boolean;
  readonly #fromBytes: number;
  readonly #maxEncoders: number;
  /** At work or waiting for a thread: either way they hold their memory. */
  #encoders = 0;

  constructor(options: CompressionOptions) {
    this.codings = options.codings ?? CODINGS;
    this.#isCompressible = options.isCompressible ?? isCompressible;
    this.#fromBytes = options.fromBytes ?? CONTENT_LIMITS.codedFromBytes;
    this.#maxEncoders = options.maxEncoders ?? CONTENT_LIMITS.encoders;
  }

  code(
    request: HttpRequest,
    response: HttpResponse,
    coding: ContentCoding | 'identity',
    tags: readonly string[],
  ): HttpResponse | Promise<HttpResponse> {
    const headers = response.headers ?? [];
    if (response.status === 304) return { ...response, headers: varied(taggedAsHeld(headers, tags)) };
    if (!this.#mayCode(response.status, headers)) return response;
    const plain = { ...response, headers: varied(headers) };
    if (coding === 'identity' || this.#isShort(response)) return plain;
    if (request.method === 'HEAD') return this.#headOnly(plain, coding);
    const { body } = response;
    if (body === undefined) return plain;
    if (typeof body === 'string') return this.#whole(plain, Buffer.from(body), coding);
    if (body instanceof Uint8Array) return this.#whole(plain, body, coding);
    return this.#streamed(plain, body, coding);
  }

  #mayCode(status: number, headers: HeaderList): boolean {
    if (status < 200 || NO_CONTENT.has(status)) return false;
    const type = fieldOf(headers, 'Content-Type');
    if (type === undefined || !this.#isCompressible(essenceOf(type))) return false;
    if (BOUND_TO_BYTES.some((name) => fieldOf(headers, name) !== undefined)) return false;
    return !hasElement(headers, 'Cache-Control', 'no-transform');
  }

  #isShort({ body, headers = [] }: HttpResponse): boolean {
    const length = lengthOf(body) ?? Number(fieldOf(headers, 'Content-Length') ?? Number.POSITIVE_INFINITY);
    return length < this.#fromBytes;
  }

  /** As GET would have it, but for a length that nobody knows without coding it all. RFC 9110 section 9.3.2. */
  #headOnly(response: HttpResponse, coding: ContentCoding): HttpResponse {
    const { body, ...rest } = response;
    // What is streamed goes along, so that it is let go of.
    const unread = lengthOf(body) === undefined && body !== undefined ? { body } : {};
    return { ...rest, headers: codedHeaders(response.headers ?? [], coding), ...unread };
  }

  #whole(
    response: HttpResponse,
    bytes: Uint8Array,
    coding: ContentCoding,
  ): HttpResponse | Promise<HttpResponse> {
    const choose = (coded: Uint8Array): HttpResponse =>
      coded.length >= bytes.length
        ? response
        : { ...response, headers: codedHeaders(response.headers ?? [], coding), body: coded };
    if (bytes.length <= CONTENT_LIMITS.codedAtOnceBytes) return choose(CODECS[coding].encodeNow(bytes));
    if (this.#encoders >= this.#maxEncoders) return response;
    this.#encoders++;
    return new Promise((resolve, reject) => {
      CODECS[coding].encode(bytes, (error, coded) => {
        this.#encoders--;
        if (error === null) resolve(choose(coded));
        else reject(error);
      });
    });
  }

  #streamed(response: HttpResponse, body: AsyncIterable<Uint8Array>, coding: ContentCoding): HttpResponse {
    if (this.#encoders >= this.#maxEncoders) return response;
    this.#encoders++;
    const headers = codedHeaders(response.headers ?? [], coding);
    return { ...response, headers, body: new CodedBody(body, coding, () => this.#encoders--) };
  }
}

/** A stream on its way through an encoder; counts as one until it was sent, or never will be. */
class CodedBody implements AsyncIterable<Uint8Array> {
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #coding: ContentCoding;
  #done: (() => void) | undefined;

  constructor(body: AsyncIterable<Uint8Array>, coding: ContentCoding, done: () => void) {
    this.#body = body;
    this.#coding = coding;
    this.#done = done;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    const { encoder, flush } = CODECS[this.#coding];
    try {
      yield* pump(this.#body, encoder(), { flush });
    } finally {
      this.#end();
    }
  }

  discard(): void {
    this.#end();
    releaseBody(this.#body);
  }

  #end(): void {
    this.#done?.();
    this.#done = undefined;
  }
}

/** Bytes of a body that is here as a whole. */
function lengthOf(body: HttpResponse['body']): number | undefined {
  if (typeof body === 'string') return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.length : undefined;
}

// ── Fields ──────────────────────────────────────────────────────────────────────────────────────────────────

function codedHeaders(headers: HeaderList, coding: ContentCoding): HeaderList {
  const kept: (readonly [string, string])[] = [];
  for (const [name, value] of headers) {
    // The length is another one, and ranges of the coded form are not to be had.
    if (equalsIgnoreCase(name, 'Content-Length') || equalsIgnoreCase(name, 'Accept-Ranges')) continue;
    kept.push(equalsIgnoreCase(name, 'ETag') ? [name, codedTag(value, coding)] : [name, value]);
  }
  kept.push(['Content-Encoding', coding]);
  return kept;
}

function varied(headers: HeaderList): HeaderList {
  const isSaid = hasElement(headers, 'Vary', 'Accept-Encoding') || hasElement(headers, 'Vary', '*');
  return isSaid ? headers : [...headers, VARY];
}

function fieldOf(headers: HeaderList, name: string): string | undefined {
  return headers.find(([other]) => equalsIgnoreCase(other, name))?.[1];
}

function hasElement(headers: HeaderList, name: string, element: string): boolean {
  return headers.some(
    ([other, value]) =>
      equalsIgnoreCase(other, name) && listElements(value).some((one) => equalsIgnoreCase(one, element)),
  );
}

// ── Entity tags that come back ──────────────────────────────────────────────────────────────────────────────

const WITH_TAGS = ['If-Match', 'If-None-Match'] as const;

/**
 * Adds to each list of tags those without suffix, for the handler to compare. The request object is ours to complete
 * before the handler sees it, as it is the router's.
 * @returns the tags with a suffix that came
 */
function takeSuffixesOff(request: HttpRequest, codings: readonly ContentCoding[]): string[] {
  const found: string[] = [];
  const more: [string, string][] = [];
  for (const name of WITH_TAGS) {
    const list = request.headers.get(name);
    if (list === undefined || !list.includes('--')) continue;
    for (const tag of tagsOf(list)) {
      const plain = uncodedTag(tag, codings);
      if (plain === undefined) continue;
      found.push(tag);
      more.push([name, plain]);
    }
  }
  if (more.length > 0)
    (request as { headers: HeaderFields }).headers = Fields.from([...request.headers, ...more]);
  return found;
}

/** A 304 names the form that the client has, not the one that the handler knows. RFC 9110 section 15.4.5. */
function taggedAsHeld(headers: HeaderList, tags: readonly string[]): HeaderList {
  if (tags.length === 0) return headers;
  return headers.map(([name, value]) => {
    if (!equalsIgnoreCase(name, 'ETag')) return [name, value];
    // A cache on the way may have weakened it: then that is what it knows it by.
    return [name, tags.find((tag) => weakEqual(uncodedTag(tag, CODINGS) ?? tag, value)) ?? value];
  });
}
