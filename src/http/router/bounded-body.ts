/** A body of unknown length under the bound of its route. */
import { HttpError } from '../errors.ts';
import type { Body, HeaderFields } from '../types.ts';

export class BoundedBody implements Body {
  readonly #body: Body;
  readonly #limitBytes: number;

  constructor(body: Body, limitBytes: number) {
    this.#body = body;
    this.#limitBytes = limitBytes;
  }

  get sizeBytes(): number | undefined {
    return this.#body.sizeBytes;
  }

  bytes(limitBytes: number): Promise<Buffer> {
    return this.#body.bytes(Math.min(limitBytes, this.#limitBytes));
  }

  text(limitBytes: number): Promise<string> {
    return this.#body.text(Math.min(limitBytes, this.#limitBytes));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    let totalBytes = 0;
    for await (const part of this.#body) {
      totalBytes += part.length;
      if (totalBytes > this.#limitBytes) throw tooLarge(this.#limitBytes);
      yield part;
    }
  }

  discard(): void {
    this.#body.discard();
  }

  trailers(): HeaderFields {
    return this.#body.trailers();
  }
}

export function tooLarge(limitBytes: number): HttpError {
  return new HttpError(413, `the content is longer than ${limitBytes} bytes`);
}
