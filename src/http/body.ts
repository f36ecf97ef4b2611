/**
 * The content of a message that is being received: what the connection pushes in, the reader pulls out.
 *
 *   connection ── push ──▶ queue ── for await ──▶ reader
 *       ▲                                            │
 *       └───── wanted() when the queue is empty ─────┘
 *
 * The connection stops reading its socket while the queue holds more than the bound, so a slow reader slows
 * the sender down instead of filling memory.
 */
import { HttpError } from './errors.ts';
import type { Body, HeaderFields, HttpResponse } from './types.ts';
import { NO_FIELDS } from './wire/fields.ts';

/** The connection's end of a body. */
export interface BodySource {
  /** The reader waits for more. */
  wanted(): void;
  /** The reader will not read the rest. */
  discarded(): void;
}

type BodyState =
  | { readonly kind: 'open' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'discarded' }
  | { readonly kind: 'failed'; readonly error: Error };

const OPEN: BodyState = { kind: 'open' };
const ENDED: BodyState = { kind: 'ended' };
const DISCARDED: BodyState = { kind: 'discarded' };

export class IncomingBody implements Body {
  sizeBytes: number | undefined;
  readonly #source: BodySource;
  #state: BodyState = OPEN;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #taken = false;
  #wake: (() => void) | undefined;
  #trailers: HeaderFields = NO_FIELDS;

  constructor(source: BodySource, sizeBytes: number | undefined) {
    this.#source = source;
    this.sizeBytes = sizeBytes;
  }

  /** Bytes pushed and not yet read. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Nobody reads, and nobody will. */
  get isDiscarded(): boolean {
    return this.#state.kind === 'discarded';
  }

  push(bytes: Buffer): void {
    if (this.#state.kind !== 'open') return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#signal();
  }

  finish(trailers: HeaderFields): void {
    this.#trailers = trailers;
    if (this.#state.kind === 'open') this.#state = ENDED;
    this.#signal();
  }

  fail(error: Error): void {
    if (this.#state.kind !== 'open') return;
    this.#state = { kind: 'failed', error };
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#signal();
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  discard(): void {
    const wasOpen = this.#state.kind === 'open';
    this.#taken = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#state.kind === 'failed') return;
    this.#state = DISCARDED;
    this.#signal();
    if (wasOpen) this.#source.discarded();
  }

  trailers(): HeaderFields {
    return this.#trailers;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    this.#take();
    let whole = false;
    try {
      for (;;) {
        const bytes = this.#queue.shift();
        if (bytes !== undefined) {
          this.#queuedBytes -= bytes.length;
          yield bytes;
          continue;
        }
        if (this.#state.kind === 'failed') throw this.#state.error;
        if (this.#state.kind !== 'open') break;
        await this.#more();
      }
      whole = true;
    } finally {
      if (!whole) this.discard();
    }
  }

  #take(): void {
    if (this.#taken) throw new HttpError(500, 'the body was already read');
    this.#taken = true;
  }

  #more(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    this.#source.wanted();
    return promise;
  }

  /** All of it if it has arrived already, else undefined and nothing is taken. */
  takeArrived(): Buffer | undefined {
    if (this.#state.kind !== 'ended' || this.#taken) return undefined;
    this.#taken = true;
    const parts = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    return parts.length === 1 ? parts[0] : Buffer.concat(parts);
  }

  async bytes(limitBytes: number): Promise<Buffer> {
    if (this.sizeBytes !== undefined && this.sizeBytes > limitBytes) {
      this.discard();
      throw tooLarge(limitBytes);
    }
    // What is here already needs no turn of the event loop for each of its parts.
    if (this.#state.kind === 'ended' && !this.#taken && this.#queuedBytes <= limitBytes)
      return this.takeArrived()!;
    const parts: Buffer[] = [];
    let total = 0;
    for await (const part of this) {
      total += part.length;
      if (total > limitBytes) throw tooLarge(limitBytes);
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, total);
  }

  async text(limitBytes: number): Promise<string> {
    return textOf(await this.bytes(limitBytes));
  }
}

/** @throws HttpError 400 when the content is not UTF-8 */
export function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new HttpError(400, 'the content is not UTF-8', { cause });
  }
}

/**
 * Lets go of the content of a response that nobody will read. A generator that was never started does not run its
 * `finally` by that: what holds something from the beginning has a `discard` of its own.
 */
export function releaseBody(body: HttpResponse['body']): void {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return;
  if ('discard' in body && typeof body.discard === 'function') {
    body.discard();
    return;
  }
  const released = body[Symbol.asyncIterator]().return?.();
  released?.catch(() => undefined);
}

function tooLarge(limitBytes: number): HttpError {
  return new HttpError(413, `the content is longer than ${limitBytes} bytes`);
}

/** The whole body at once if it has arrived already; undefined otherwise, and then nothing is taken. */
export function takeArrived(body: Body): Buffer | undefined {
  return body instanceof IncomingBody ? body.takeArrived() : undefined;
}

const NO_SOURCE: BodySource = { wanted: () => undefined, discarded: () => undefined };

/** A body without content. */
export function emptyBody(): IncomingBody {
  const body = new IncomingBody(NO_SOURCE, 0);
  body.finish(NO_FIELDS);
  return body;
}
