/**
 * Puts a message together from its frames: method, header, bodies. Nothing is reserved for what a header
 * announces; only what has arrived is held.
 */
import { AmqpError } from '../errors.ts';
import type { MethodOf } from '../wire/method.ts';
import { type ContentHeader, decodeContentHeader } from '../wire/properties.ts';

export interface Content {
  readonly method: MethodOf<'basic.publish'>;
  /** Flags and properties, as bytes of its own. */
  readonly raw: Buffer;
  readonly body: Buffer;
}

export class ContentAssembly {
  readonly #method: MethodOf<'basic.publish'>;
  readonly #maxBytes: number;
  #header: ContentHeader | undefined;
  readonly #parts: Buffer[] = [];
  #received = 0;

  constructor(method: MethodOf<'basic.publish'>, maxBytes: number) {
    this.#method = method;
    this.#maxBytes = maxBytes;
  }

  /** Body octets held so far. */
  get heldBytes(): number {
    return this.#received;
  }

  /** @returns the message when it has no body. @throws AmqpError 406 when it is to be too large, 501, 505 */
  header(payload: Buffer): Content | undefined {
    if (this.#header !== undefined) throw unexpected('a second content header');
    const header = decodeContentHeader(Buffer.from(payload));
    if (header.bodySize > this.#maxBytes) {
      throw new AmqpError(
        'precondition-failed',
        `message size ${header.bodySize} is larger than configured max size ${this.#maxBytes}`,
      );
    }
    this.#header = header;
    return this.#whenWhole(header);
  }

  /** @returns the message when this was the last part. @throws AmqpError 501, 505 */
  body(payload: Buffer): Content | undefined {
    if (this.#header === undefined) throw unexpected('a content body before its header');
    this.#received += payload.length;
    if (this.#received > this.#header.bodySize) {
      throw new AmqpError('frame-error', `more content than the ${this.#header.bodySize} octets announced`);
    }
    this.#parts.push(Buffer.from(payload));
    return this.#whenWhole(this.#header);
  }

  #whenWhole(header: ContentHeader): Content | undefined {
    if (this.#received < header.bodySize) return undefined;
    const [first] = this.#parts;
    const body = this.#parts.length === 1 && first !== undefined ? first : Buffer.concat(this.#parts);
    return { method: this.#method, raw: header.raw, body };
  }
}

export function unexpected(what: string): AmqpError {
  return new AmqpError('unexpected-frame', `${what} was not expected here`);
}
