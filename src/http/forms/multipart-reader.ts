/**
 * The parts of a form, one after the other, from a request's body.
 *
 *   body ── bytes, when wanted ──▶ parser ── events ──▶ for await (const part of parts)
 *                                                         for await (const bytes of part)
 *
 * Nothing is read ahead: the body is asked for more only when the part, or the next part, is; so the client is slowed
 * down to the handler's speed, and a file of any size costs one chunk of memory. What of a part was not read when
 * the next one is asked for is skipped.
 */
import { HttpError } from '../errors.ts';
import { DEFAULT_FORM_LIMITS } from '../limits.ts';
import { mediaTypeOf } from '../media-type.ts';
import type { HeaderFields, HttpRequest } from '../types.ts';
import { isBoundary } from './boundary.ts';
import { type MultipartEvent, type MultipartLimits, MultipartParser } from './multipart-parser.ts';
import type { PartHead } from './part-head.ts';
import { formError, refuseForm } from './refusal.ts';

/** One part; its content may be read once, while it is the present one. */
export interface FormPart extends AsyncIterable<Buffer> {
  readonly name: string;
  /** Given for files, '' when none was chosen. A label: it may hold separators and line ends. */
  readonly filename: string | undefined;
  /** As the client says; undefined means text/plain. */
  readonly contentType: string | undefined;
  readonly headers: HeaderFields;
  /** All of the content. @throws HttpError 413 when longer than `limitBytes` */
  bytes(limitBytes?: number): Promise<Buffer>;
  /** All of the content as UTF-8. @throws HttpError 413; 400 when it is not UTF-8 */
  text(limitBytes?: number): Promise<string>;
}

/**
 * The parts of the request's form. Stopping early lets go of the rest of the body.
 * @throws HttpError 415 when the request carries another type, 400 when its boundary is none; while reading 400 when
 * the form is malformed, 413 when it is over a bound, and what the body throws
 */
export function readMultipart(
  request: Pick<HttpRequest, 'headers' | 'body'>,
  limits: Partial<MultipartLimits> = {},
): AsyncGenerator<FormPart, void, void> {
  const type = mediaTypeOf(request.headers);
  if (type?.essence !== 'multipart/form-data')
    throw new HttpError(415, 'the content must be multipart/form-data');
  const boundary = type.parameters.get('boundary') ?? '';
  if (!isBoundary(boundary)) throw formError(refuseForm('bad-boundary', 'the form has no valid boundary'));
  return new PartReader(request.body, new MultipartParser(boundary, limits), limits).parts();
}

class PartReader {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #parser: MultipartParser;
  readonly #collectBytes: number;
  #present: PartHead | undefined;
  #busy = false;

  constructor(body: AsyncIterable<Buffer>, parser: MultipartParser, limits: Partial<MultipartLimits>) {
    this.#chunks = body[Symbol.asyncIterator]();
    this.#parser = parser;
    this.#collectBytes = limits.fieldBytes ?? DEFAULT_FORM_LIMITS.fieldBytes;
  }

  async *parts(): AsyncGenerator<FormPart, void, void> {
    try {
      for (;;) {
        this.#present = undefined;
        const event = await this.#next();
        if (event.kind === 'end') return;
        if (event.kind !== 'part') continue;
        this.#present = event.head;
        yield this.#part(event.head);
      }
    } finally {
      this.#present = undefined;
      await this.#chunks.return?.();
    }
  }

  #part(head: PartHead): FormPart {
    const content = this.#content(head);
    const bytes = (limitBytes = this.#collectBytes) => collect(content, limitBytes);
    return {
      ...head,
      bytes,
      text: async (limitBytes) => textOf(await bytes(limitBytes)),
      [Symbol.asyncIterator]: () => content,
    };
  }

  async *#content(head: PartHead): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      if (this.#present !== head) throw new HttpError(500, 'a part is read while it is the present one');
      const event = await this.#next();
      if (event.kind !== 'data') return;
      yield event.bytes;
    }
  }

  /** The next event but `need-data`. @throws HttpError for a refusal, and when two ask at once */
  async #next(): Promise<MultipartEvent> {
    if (this.#busy) throw new HttpError(500, 'the parts of a form are read one after the other');
    this.#busy = true;
    try {
      for (;;) {
        const event = this.#parser.next();
        if (event.kind === 'malformed') throw formError(event);
        if (event.kind !== 'need-data') return event;
        const { done, value } = await this.#chunks.next();
        if (done === true) this.#parser.finish();
        else this.#parser.receive(value);
      }
    } finally {
      this.#busy = false;
    }
  }
}

async function collect(content: AsyncIterable<Buffer>, limitBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let total = 0;
  for await (const piece of content) {
    total += piece.length;
    if (total > limitBytes) throw new HttpError(413, `a part of the form is longer than ${limitBytes} bytes`);
    pieces.push(piece);
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, total);
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new HttpError(400, 'a part of the form is not UTF-8', { cause });
  }
}
