/**
 * The answer to GET and HEAD of one representation: whole, in parts, or not at all. RFC 9110 sections 13 to 15.
 *
 *   conditions ──▶ 304, 412
 *       │ proceed
 *       ▼
 *   GET with Range, If-Range holds ──▶ 416 │ 206 of one part │ 206 multipart/byteranges
 *       │ otherwise
 *       ▼
 *   200
 *
 *   --boundary␍␊                               one part of multipart/byteranges; RFC 9110 section 14.6
 *   Content-Type: text/plain␍␊
 *   Content-Range: bytes 0-499/8000␍␊
 *   ␍␊
 *   …500 bytes…
 *   ␍␊--boundary--␍␊                           after the last
 */
import { assert } from '../../core/assert.ts';
import type { Random } from '../../core/random/random.ts';
import {
  type ConditionalRequest,
  evaluateConditions,
  ifRangeHolds,
  type Validators,
} from '../conditional/conditional.ts';
import { type ByteRange, contentRange, parseRange, unsatisfiedRange } from '../conditional/range.ts';
import { problem } from '../problem.ts';
import type { HeaderList, HttpResponse } from '../types.ts';
import { formatDate } from '../wire/date.ts';
import { isFieldValue } from '../wire/grammar.ts';

/** Bytes that are read when they are sent. Whoever gets one must release it, or give it to somebody who does. */
export interface Content {
  /** The bytes of this range, in pieces; called for one range after the other. */
  read(range: ByteRange): AsyncIterable<Uint8Array>;
  /** Nothing more will be read. */
  release(): void;
}

export interface Representation extends Validators {
  readonly sizeBytes: number;
  /** The Content-Type. */
  readonly type: string;
  readonly content: Uint8Array | Content;
  /** What every answer tells, also a 304: Cache-Control, Vary, Content-Location, Expires. */
  readonly headers?: HeaderList;
  /** What comes with content only: Content-Encoding, Content-Language, X-Content-Type-Options. */
  readonly contentHeaders?: HeaderList;
}

/**
 * Answers GET or HEAD with this representation, as far as its conditions and ranges have it.
 * @param random for the boundary between parts
 */
export function respondWith(
  request: ConditionalRequest,
  representation: Representation,
  random: Random,
): HttpResponse {
  const verdict = evaluateConditions(request, representation);
  if (verdict !== 'proceed') {
    release(representation);
    return verdict === 304
      ? notModified(representation)
      : problem(412, { detail: 'a condition does not hold' });
  }
  const asked = rangesOf(request, representation);
  switch (asked.kind) {
    case 'whole':
      return whole(request, representation);
    case 'unsatisfiable':
      return unsatisfiable(representation);
    case 'ranges':
      return asked.ranges.length === 1
        ? onePart(representation, asked.ranges[0]!)
        : manyParts(representation, asked.ranges, random);
  }
}

/** RFC 9110 section 14.2: of no other method than GET. */
function rangesOf({ method, headers }: ConditionalRequest, representation: Representation) {
  const field = method === 'GET' ? headers.get('range') : undefined;
  return parseRange(
    field !== undefined && ifRangeHolds(headers, representation) ? field : undefined,
    representation.sizeBytes,
  );
}

function release({ content }: Representation): void {
  if (!(content instanceof Uint8Array)) content.release();
}

/** RFC 9110 section 15.4.5: what guides a cache, and nothing that describes content. */
function notModified(representation: Representation): HttpResponse {
  const { headers = [], etag } = representation;
  return {
    status: 304,
    headers: [
      ...headers,
      ...(etag === undefined ? lastModified(representation) : [['ETag', etag]]),
    ] as HeaderList,
  };
}

function unsatisfiable(representation: Representation): HttpResponse {
  release(representation);
  return problem(416, {
    detail: 'no range lies within the content',
    headers: [['Content-Range', unsatisfiedRange(representation.sizeBytes)], ACCEPT_RANGES],
  });
}

const ACCEPT_RANGES = ['Accept-Ranges', 'bytes'] as const;

function whole(request: ConditionalRequest, representation: Representation): HttpResponse {
  const { sizeBytes, type } = representation;
  const headers = [['Content-Type', type] as const, ...described(representation), lengthOf(sizeBytes)];
  if (request.method === 'HEAD' || sizeBytes === 0) {
    release(representation);
    return { status: 200, headers };
  }
  return {
    status: 200,
    headers,
    body: bodyOf(representation, [{ first: 0, last: sizeBytes - 1 }], sizeBytes),
  };
}

function onePart(representation: Representation, range: ByteRange): HttpResponse {
  const { sizeBytes, type } = representation;
  const length = range.last - range.first + 1;
  return {
    status: 206,
    headers: [
      ['Content-Type', type],
      ['Content-Range', contentRange(range, sizeBytes)],
      ...described(representation),
      lengthOf(length),
    ],
    body: bodyOf(representation, [range], length),
  };
}

function manyParts(
  representation: Representation,
  ranges: readonly ByteRange[],
  random: Random,
): HttpResponse {
  const { sizeBytes, type } = representation;
  assert(isFieldValue(type), 'a Content-Type is a field value, also inside a part');
  // 128 random bits: nobody can have put the boundary into the content.
  const boundary = random.bytes(16).toString('hex');
  const parts: (Buffer | ByteRange)[] = [];
  let length = 0;
  const add = (text: string): void => {
    parts.push(Buffer.from(text, 'latin1'));
    length += text.length;
  };
  for (const [at, range] of ranges.entries()) {
    const position = contentRange(range, sizeBytes);
    add(
      `${at === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: ${position}\r\n\r\n`,
    );
    parts.push(range);
    length += range.last - range.first + 1;
  }
  add(`\r\n--${boundary}--\r\n`);
  return {
    status: 206,
    headers: [
      ['Content-Type', `multipart/byteranges; boundary=${boundary}`],
      ...described(representation),
      lengthOf(length),
    ],
    body: bodyOf(representation, parts, length),
  };
}

function lengthOf(sizeBytes: number): readonly [string, string] {
  return ['Content-Length', String(sizeBytes)];
}

function described(representation: Representation): HeaderList {
  const { headers = [], contentHeaders = [], etag } = representation;
  const tag = etag === undefined ? [] : [['ETag', etag] as const];
  return [ACCEPT_RANGES, ...tag, ...lastModified(representation), ...headers, ...contentHeaders];
}

function lastModified({ lastModifiedMs }: Representation): HeaderList {
  return lastModifiedMs === undefined ? [] : [['Last-Modified', formatDate(lastModifiedMs)]];
}

type Part = Uint8Array | ByteRange;

function bodyOf(
  representation: Representation,
  parts: readonly Part[],
  sizeBytes: number,
): Uint8Array | ContentBody {
  const { content } = representation;
  if (!(content instanceof Uint8Array)) return new ContentBody(content, parts, sizeBytes);
  const pieces = parts.map((part) =>
    part instanceof Uint8Array ? part : content.subarray(part.first, part.last + 1),
  );
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, sizeBytes);
}

/** Ranges of a content, with what stands between them; releases the content when it was sent, or never will be. */
export class ContentBody implements AsyncIterable<Uint8Array> {
  readonly sizeBytes: number;
  readonly #content: Content;
  readonly #parts: readonly Part[];
  #released = false;

  constructor(content: Content, parts: readonly Part[], sizeBytes: number) {
    this.#content = content;
    this.#parts = parts;
    this.sizeBytes = sizeBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (const part of this.#parts) {
        if (part instanceof Uint8Array) yield part;
        else yield* this.#content.read(part);
      }
    } finally {
      this.discard();
    }
  }

  /** All of it at once. */
  async bytes(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this) pieces.push(piece);
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, this.sizeBytes);
  }

  discard(): void {
    if (this.#released) return;
    this.#released = true;
    this.#content.release();
  }
}
