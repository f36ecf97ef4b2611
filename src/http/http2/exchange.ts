/**
 * One stream of HTTP/2: a request on its way to a response.
 *
 *   stream ── data ──▶ IncomingBody ──▶ handler ──▶ respond ──▶ stream
 *
 * Both directions have a window of their own: a body that is not read pauses its stream and no other, and a response
 * that is not taken waits for its own window.
 */
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { messageOf } from '../../core/errors.ts';
import type { Host } from '../../core/lifecycle.ts';
import type { Connection } from '../../core/net/network.ts';
import { type BodySource, IncomingBody, releaseBody } from '../body.ts';
import { HttpError } from '../errors.ts';
import type { HttpLimits } from '../limits.ts';
import { problem, problemOf } from '../problem.ts';
import { type Informant, ServerRequest } from '../request.ts';
import type { Handler, HeaderList, HttpResponse } from '../types.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { Fields, NO_FIELDS } from '../wire/fields.ts';
import type { Malformed } from '../wire/malformed.ts';
import { isForbiddenTrailer } from '../wire/trailers.ts';
import { checkField, type Http2RequestHead } from './request-head.ts';
import { encodeFieldPairs, encodeResponseHead, mayHaveContent } from './response-head.ts';

/** RFC 9113 section 7. */
export const ERROR = {
  NONE: 0,
  PROTOCOL: 1,
  INTERNAL: 2,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** What an exchange needs of its connection. */
export interface ExchangeOwner {
  readonly connection: Connection;
  readonly limits: HttpLimits;
  readonly host: Pick<Host, 'random' | 'observer'>;
  readonly handler: Handler;
  /** The value of Date. */
  date(): string;
  refused(code: string): void;
  /** A handler has begun (1) or come to its end (-1), whatever has become of its stream. */
  working(change: 1 | -1): void;
  ended(exchange: Exchange): void;
}

/** How a check of the clock came out; `stalled` when the client has not taken what it should have. */
export type Pace = 'fine' | 'stalled';

export class Exchange implements BodySource, Informant {
  readonly id: number;
  readonly #owner: ExchangeOwner;
  readonly #stream: ServerHttp2Stream;
  readonly #head: Http2RequestHead;
  readonly #request: ServerRequest;
  readonly #body: IncomingBody | undefined;
  #response: 'awaited' | 'sending' | 'ended' = 'awaited';
  #continued = false;
  #paused = false;
  #isCancelled = false;
  #hasAll: boolean;
  #trailers = NO_FIELDS;
  /** For the rate of the request's content. */
  #receivedBytes = 0;
  #waitedMs = 0;
  /** For the rate of the response: when it was last known to flow, and what had been sent by then. */
  #sentBytes = 0;
  #blocked: { readonly sinceMs: number; readonly sentBytes: number } | undefined;
  #wake: (() => void) | undefined;

  constructor(owner: ExchangeOwner, stream: ServerHttp2Stream, head: Http2RequestHead) {
    this.id = stream.id ?? 0;
    this.#owner = owner;
    this.#stream = stream;
    this.#head = head;
    this.#hasAll = stream.endAfterHeaders;
    this.#body = stream.endAfterHeaders ? undefined : new IncomingBody(this, head.sizeBytes);
    this.#request = new ServerRequest(head, this.#body, owner.connection, owner.host.random, this);
    stream.on('data', (chunk: Buffer) => this.#received(chunk));
    stream.on('trailers', (_fields, _flags, raw) => this.#receivedTrailers(raw as unknown as string[]));
    stream.on('end', () => this.#receivedAll());
    stream.on('drain', () => this.#wakeUp());
    stream.on('finish', () => this.#finished());
    stream.on('close', () => this.#closed());
  }

  /** Asks the handler. */
  start(): void {
    const { method } = this.#head;
    if (method === 'CONNECT' || method === 'TRACE') {
      this.#respond(problem(501, { detail: `${method} is not supported` }));
      return;
    }
    let result: HttpResponse | Promise<HttpResponse>;
    try {
      result = this.#owner.handler(this.#request);
    } catch (thrown) {
      result = this.#failure(thrown);
    }
    if (result instanceof Promise) void this.#respondLater(result);
    else this.#respond(result);
  }

  async #respondLater(result: Promise<HttpResponse>): Promise<void> {
    this.#owner.working(1);
    try {
      this.#respond(await result);
    } catch (thrown) {
      this.#respond(this.#failure(thrown));
    } finally {
      this.#owner.working(-1);
    }
  }

  // ── The request's content ─────────────────────────────────────────────────────────────────────────────

  #received(chunk: Buffer): void {
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > this.#owner.limits.bodyBytes) {
      this.abandon(413, 'the content is too large', 'content-too-large');
      return;
    }
    const body = this.#body;
    if (body === undefined || body.isDiscarded) return;
    body.push(chunk);
    if (body.queuedBytes > this.#owner.limits.bodyBufferBytes) this.#pause();
  }

  #receivedTrailers(raw: readonly string[]): void {
    let bytes = 0;
    for (let at = 0; at < raw.length; at += 2) {
      bytes += raw[at]!.length + raw[at + 1]!.length + 4;
      if (checkField(raw[at]!, raw[at + 1]!) === undefined && bytes <= this.#owner.limits.trailerBytes)
        continue;
      this.#owner.refused('bad-trailer');
      this.#stream.close(ERROR.PROTOCOL);
      return;
    }
    this.#trailers = new Fields(raw).filter((name) => !isForbiddenTrailer(name));
  }

  /** node:http2 ends the content of a stream that was reset as if it were whole. */
  #receivedAll(): void {
    if (this.#isCancelled || this.#stream.aborted || this.#stream.rstCode !== ERROR.NONE) {
      this.#body?.fail(new HttpError(400, 'the client cancelled the request'));
      return;
    }
    this.#hasAll = true;
    this.#body?.finish(this.#trailers);
  }

  /** RST_STREAM has come, with whatever code. */
  cancelled(): void {
    this.#isCancelled = true;
  }

  wanted(): void {
    if (
      this.#head.expectContinue &&
      !this.#continued &&
      this.#response === 'awaited' &&
      !this.#stream.closed
    ) {
      this.#continued = true;
      this.#stream.additionalHeaders({ ':status': 100 });
    }
    this.#paused = false;
    this.#stream.resume();
  }

  /** What comes now stays in the window of this stream, which is never opened again. */
  discarded(): void {
    this.#pause();
  }

  #pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  // ── Informant ─────────────────────────────────────────────────────────────────────────────────────────

  inform(_request: ServerRequest, status: number, headers: HeaderList): void {
    if (status < 100 || status > 199 || status === 101)
      throw new UnsendableError('the status is not informational');
    const fields = encodeFieldPairs(headers);
    if (this.#response !== 'awaited' || this.#stream.closed) return;
    if (status === 100) this.#continued = true;
    const list: Record<string, number | string[]> = Object.create(null);
    list[':status'] = status;
    for (let at = 0; at < fields.length; at += 2) {
      const before = list[fields[at]!];
      list[fields[at]!] = [...(Array.isArray(before) ? before : []), fields[at + 1]!];
    }
    this.#stream.additionalHeaders(list as OutgoingHttpHeaders);
  }

  // ── The response ──────────────────────────────────────────────────────────────────────────────────────

  #failure(thrown: unknown): HttpResponse {
    if (!(thrown instanceof HttpError)) this.#log('error', 'handler failed', thrown);
    return problemOf(thrown);
  }

  #log(level: 'error' | 'warn', message: string, thrown: unknown): void {
    const { method, path, id } = this.#request;
    this.#owner.host.observer.log[level](message, { method, path, id, error: messageOf(thrown) });
  }

  #respond(response: HttpResponse): void {
    if (this.#response !== 'awaited' || this.#stream.closed || this.#stream.destroyed) {
      releaseBody(response.body);
      return;
    }
    try {
      this.#send(response);
    } catch (thrown) {
      this.#log('error', 'response not sendable', thrown);
      releaseBody(response.body);
      if (this.#stream.headersSent) this.#stream.close(ERROR.INTERNAL);
      else this.#send(problem(500));
    }
  }

  #send(response: HttpResponse): void {
    const { status, body, trailers } = response;
    const whole = typeof body === 'string' ? Buffer.from(body) : body;
    const isHead = this.#head.method === 'HEAD';
    const head = encodeResponseHead(
      status,
      response.headers ?? [],
      sizeOf(whole, isHead),
      this.#owner.date(),
    );
    const hasContent = !isHead && mayHaveContent(status) && whole !== undefined && head.sizeBytes !== 0;
    this.#response = 'sending';
    this.#stream.respond(head.flat, {
      endStream: !hasContent,
      waitForTrailers: hasContent && trailers !== undefined,
    });
    if (!hasContent) {
      if (!(whole instanceof Uint8Array)) releaseBody(whole);
      this.#end();
      return;
    }
    if (trailers !== undefined) this.#stream.on('wantTrailers', () => this.#sendTrailers(trailers));
    if (whole instanceof Uint8Array) this.#end(whole);
    else void this.#sendPieces(whole, head.sizeBytes);
  }

  async #sendPieces(body: AsyncIterable<Uint8Array>, declaredBytes: number | undefined): Promise<void> {
    let bytes = 0;
    try {
      for await (const piece of body) {
        if (this.#stream.closed) return;
        bytes += piece.length;
        if (bytes > (declaredBytes ?? bytes))
          throw new HttpError(500, 'more content than Content-Length says');
        if (piece.length > 0 && !this.#stream.write(piece)) await this.#drained();
      }
      if (bytes < (declaredBytes ?? bytes)) throw new HttpError(500, 'less content than Content-Length says');
      this.#end();
    } catch (thrown) {
      if (this.#stream.closed) return;
      this.#log('warn', 'response cut short', thrown);
      this.#stream.close(ERROR.INTERNAL);
    }
  }

  #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.#stream.closed) this.#wakeUp();
    return promise;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #sendTrailers(trailers: () => HeaderList): void {
    try {
      const flat = encodeFieldPairs(trailers());
      const fields: Record<string, string[]> = Object.create(null);
      for (let at = 0; at < flat.length; at += 2) (fields[flat[at]!] ??= []).push(flat[at + 1]!);
      this.#stream.sendTrailers(fields);
    } catch (thrown) {
      this.#log('error', 'trailers not sendable', thrown);
      this.#stream.close(ERROR.INTERNAL);
    }
  }

  #end(last?: Uint8Array): void {
    this.#response = 'ended';
    this.#request.answered();
    if (last === undefined) this.#stream.end();
    else this.#stream.end(last);
  }

  /** All is out. What is still to come of the request is not wanted. RFC 9113 section 8.1. */
  #finished(): void {
    if (this.#hasAll) this.#stream.resume();
    else this.#stream.close(ERROR.NONE);
  }

  // ── Refusals and time ─────────────────────────────────────────────────────────────────────────────────

  /** Answers what will not be read to its end; cuts when an answer is already on its way. */
  abandon(status: number, detail: string, code: string): void {
    this.#owner.refused(code);
    if (this.#response === 'awaited') this.#respond(problem(status, { detail, extensions: { code } }));
    else this.#stream.close(ERROR.CANCEL);
    this.#pause();
    this.#body?.fail(new HttpError(status, detail));
    this.#request.abort();
  }

  refuse({ status, message, code }: Malformed): void {
    this.abandon(status, message, code);
  }

  /** DATA of this stream has left. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /** @param sinceMs time since the last check */
  check(nowMs: number, sinceMs: number): Pace {
    if (this.#isLate(sinceMs)) this.abandon(408, 'the content did not arrive in time', 'body-timeout');
    return this.#isStalled(nowMs) ? 'stalled' : 'fine';
  }

  #isLate(sinceMs: number): boolean {
    if (this.#paused || this.#hasAll || this.#response === 'ended') return false;
    const { bodyGraceMs, bodyBytesPerSecond } = this.#owner.limits;
    this.#waitedMs += sinceMs;
    return this.#receivedBytes < ((this.#waitedMs - bodyGraceMs) / 1_000) * bodyBytesPerSecond;
  }

  /** A window that stays shut, or is opened by so little that the response flows slower than a body may arrive. */
  #isStalled(nowMs: number): boolean {
    const waits =
      this.#stream.writableLength > 0 || (this.#response === 'ended' && !this.#stream.writableFinished);
    if (!waits || this.#response === 'awaited') {
      this.#blocked = undefined;
      return false;
    }
    this.#blocked ??= { sinceMs: nowMs, sentBytes: this.#sentBytes };
    const { writeStallTimeoutMs, bodyBytesPerSecond } = this.#owner.limits;
    if (nowMs - this.#blocked.sinceMs < writeStallTimeoutMs) return false;
    const sentBytes = this.#sentBytes - this.#blocked.sentBytes;
    this.#blocked = { sinceMs: nowMs, sentBytes: this.#sentBytes };
    return sentBytes < (writeStallTimeoutMs / 1_000) * bodyBytesPerSecond;
  }

  /** Gives up on this stream alone. */
  reset(): void {
    this.#stream.close(ERROR.ENHANCE_YOUR_CALM);
  }

  #closed(): void {
    if (!this.#hasAll) this.#body?.fail(new HttpError(400, 'the client cancelled the request'));
    if (!this.#stream.writableFinished || this.#response !== 'ended') this.#request.abort();
    this.#wakeUp();
    this.#owner.ended(this);
  }
}

function sizeOf(body: HttpResponse['body'], isHead: boolean): number | undefined {
  if (body === undefined) return isHead ? undefined : 0;
  return body instanceof Uint8Array ? body.length : undefined;
}
