/**
 * Sockets ⇄ sessions, the client's end: one connection, one exchange at a time.
 *
 * The connection goes back to its pool only when both messages are complete and nothing lies behind the
 * response; on any doubt it is destroyed.
 */
import { messageOf } from '../core/errors.ts';
import type { Connection, ConnectionHandler } from '../core/net/network.ts';
import type { Clock, Timer } from '../core/time/clock.ts';
import { type BodySource, emptyBody, IncomingBody } from './body.ts';
import { HttpClientError, type HttpClientErrorCode } from './errors.ts';
import type { HttpLimits } from './limits.ts';
import { HttpSession, type OutgoingRequest, type SessionEvent } from './session.ts';
import type { ClientResponse } from './types.ts';
import { UnsendableError } from './wire/encode-head.ts';
import type { ResponseHead } from './wire/response-head.ts';

export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array>;

/** The pool's end of a connection. */
export interface ConnectionPool {
  /** The connection is free for the next exchange. */
  release(connection: ClientConnection): void;
  /** The connection is no more. */
  gone(connection: ClientConnection): void;
}

interface Exchange {
  readonly resolve: (response: ClientResponse) => void;
  readonly reject: (error: Error) => void;
  readonly body: IncomingBody;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
  /** Held until the end of the read that brought it: what lies behind may still disqualify it. */
  head: ClientResponse | undefined;
  answered: boolean;
}

/** Ends the wait for a 100 after this time and sends the content anyway. RFC 9110 section 10.1.1. */
const CONTINUE_WAIT_MS = 1_000;

export class ClientConnection implements ConnectionHandler, BodySource {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #limits: HttpLimits;
  readonly #pool: ConnectionPool;
  readonly #session: HttpSession;
  #exchange: Exchange | undefined;
  #reading = true;
  #blocked = false;
  #pumping = false;
  #closed = false;
  #detached = false;
  #skippedBytes = 0;
  #lastBuffered = 0;
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;
  #drainWaiters: (() => void)[] = [];
  #continueWaiters: (() => void)[] = [];

  constructor(connection: Connection, clock: Clock, limits: HttpLimits, pool: ConnectionPool) {
    this.#connection = connection;
    this.#clock = clock;
    this.#limits = limits;
    this.#pool = pool;
    this.#session = new HttpSession('client', limits, clock.monotonic());
    connection.attach(this);
  }

  /** True when an exchange may begin. */
  get usable(): boolean {
    return !this.#closed && !this.#connection.destroyed && this.#session.idle;
  }

  /** @throws HttpClientError */
  exchange(
    request: OutgoingRequest,
    body: RequestBody | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ClientResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientResponse>();
    try {
      if (signal?.aborted) throw new HttpClientError('aborted', 'the request was aborted', { unsent: true });
      this.#session.sendRequest(request, this.#now());
    } catch (thrown) {
      // Nothing was sent: the connection is as good as before.
      this.#pool.release(this);
      return Promise.reject(notSendable(thrown));
    }
    this.#skippedBytes = 0;
    const onAbort = (): void => this.#fail('aborted', 'the request was aborted');
    const exchange: Exchange = {
      resolve,
      reject,
      // The size is known only with the head; the body handed out is made then.
      body: new IncomingBody(this, undefined),
      signal,
      onAbort,
      head: undefined,
      answered: false,
    };
    this.#exchange = exchange;
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#sendBody(exchange, body, request.expectContinue === true);
    this.#arm();
    return promise;
  }

  destroy(cause?: Error): void {
    this.#connection.destroy(cause);
  }

  /** Ends an unused connection, or lets the exchange under way be the last. */
  retire(): void {
    this.#session.closeAfter(this.#now());
    if (this.#exchange === undefined) this.#connection.destroy();
  }

  #now(): number {
    return this.#clock.monotonic();
  }

  // ── The request's content ─────────────────────────────────────────────────────────────────────────────

  #sendBody(exchange: Exchange, body: RequestBody | undefined, expectContinue: boolean): void {
    if (body !== undefined && (expectContinue || !isWhole(body))) {
      this.#flush();
      void this.#stream(exchange, isWhole(body) ? [asBytes(body)] : body, expectContinue);
      return;
    }
    if (body !== undefined) this.#session.sendData(asBytes(body as string | Uint8Array));
    this.#session.sendEnd(this.#now());
    this.#flush();
  }

  async #stream(
    exchange: Exchange,
    body: AsyncIterable<Uint8Array> | readonly Uint8Array[],
    expectContinue: boolean,
  ): Promise<void> {
    if (expectContinue) await this.#continued();
    try {
      if (expectContinue && exchange.answered) {
        // The final answer came instead of 100: the content stays here, and the connection cannot go on.
        discard(body);
        this.#session.closeAfter(this.#now());
        return;
      }
      for await (const chunk of body) {
        if (this.#exchange !== exchange || this.#closed) return;
        this.#session.sendData(chunk);
        this.#session.setSending(this.#now());
        this.#flush();
        if (this.#blocked) await this.#drained();
      }
      if (this.#exchange !== exchange || this.#closed) return;
      this.#session.sendEnd(this.#now());
      this.#flush();
      this.#pump();
    } catch (thrown) {
      if (this.#exchange !== exchange) return;
      this.#fail('request-body-failed', `the body of the request failed: ${messageOf(thrown)}`, thrown);
    }
  }

  #continued(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.schedule(CONTINUE_WAIT_MS, resolve);
    this.#continueWaiters.push(() => {
      timer.cancel();
      resolve();
    });
    return promise;
  }

  #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drainWaiters.push(resolve);
    return promise;
  }

  #flush(): void {
    for (const part of this.#session.takeOutput()) {
      if (!this.#connection.write(part)) this.#blocked = true;
    }
    if (!this.#blocked) return;
    this.#lastBuffered = this.#connection.bufferedBytes;
    this.#session.setBlocked(true, this.#now());
    this.#arm();
  }

  // ── From the socket ───────────────────────────────────────────────────────────────────────────────────

  data(chunk: Buffer): void {
    if (this.#closed) return;
    this.#session.receive(chunk, this.#now());
    this.#pump();
  }

  end(): void {
    if (this.#closed) return;
    this.#session.receiveEnd();
    this.#pump();
    this.#connection.end();
  }

  drain(): void {
    this.#blocked = false;
    this.#session.setBlocked(false, this.#now());
    release(this.#drainWaiters.splice(0));
  }

  close(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#pool.gone(this);
    const reason = cause === undefined ? '' : `: ${messageOf(cause)}`;
    this.#settleFailure(
      new HttpClientError('connection-lost', `the server closed the connection${reason}`, {
        cause,
        retryable: true,
      }),
    );
    release(this.#drainWaiters.splice(0));
    release(this.#continueWaiters.splice(0));
  }

  // ── Events ────────────────────────────────────────────────────────────────────────────────────────────

  #pump(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    while (!this.#closed && !this.#mustWait() && this.#take(this.#session.next(this.#now())));
    this.#pumping = false;
    if (this.#closed || this.#detached) return;
    this.#finishTurn();
  }

  #mustWait(): boolean {
    const body = this.#exchange?.body;
    return body !== undefined && body.queuedBytes > this.#limits.bodyBufferBytes;
  }

  #take(event: SessionEvent): boolean {
    switch (event.kind) {
      case 'informational':
        if (event.head.status === 100) release(this.#continueWaiters.splice(0));
        return true;
      case 'response':
        this.#answered(event);
        return true;
      case 'data':
        return this.#content(event.bytes);
      case 'end':
        this.#exchange?.body.finish(event.trailers);
        return true;
      case 'switched':
        this.#switched(event.head);
        return false;
      case 'malformed':
        this.#fail('malformed-response', `the response is malformed: ${event.message} (${event.code})`);
        return false;
      case 'closed':
        this.#fail('connection-lost', 'the server closed the connection before it answered');
        return false;
      default:
        return false;
    }
  }

  #answered(head: ResponseHead): void {
    const exchange = this.#exchange!;
    exchange.answered = true;
    const { status, reason, fields: headers, framing } = head;
    if (framing.kind === 'length') exchange.body.sizeBytes = framing.sizeBytes;
    if (framing.kind === 'none') exchange.body.sizeBytes = 0;
    exchange.head = { status, reason, headers, body: exchange.body };
    release(this.#continueWaiters.splice(0));
  }

  #content(bytes: Buffer): boolean {
    const body = this.#exchange?.body;
    if (body === undefined) return true;
    body.push(bytes);
    if (!body.isDiscarded) return true;
    this.#skippedBytes += bytes.length;
    if (this.#skippedBytes <= this.#limits.drainBytes) return true;
    this.#connection.destroy();
    return false;
  }

  #switched(head: ResponseHead): void {
    const exchange = this.#exchange!;
    const { status, reason, fields: headers } = head;
    this.#detached = true;
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#pool.gone(this);
    this.#forget(exchange);
    const early = this.#session.takeRest();
    // Nothing may be lost between this read and the new owner's attach.
    this.#connection.pause();
    exchange.resolve({
      status,
      reason,
      headers,
      body: emptyBody(),
      upgraded: { connection: this.#connection, early },
    });
  }

  #finishTurn(): void {
    const exchange = this.#exchange;
    if (exchange?.head !== undefined) {
      exchange.resolve(exchange.head);
      exchange.head = undefined;
    }
    if (this.#session.responseState !== 'awaiting' && this.#session.responseState !== 'body')
      this.#exchangeOver();
    this.#setReading(!this.#mustWait());
    this.#arm();
  }

  /** The response is complete. The connection lives on only if the request is, too. */
  #exchangeOver(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (this.#session.idle) {
      this.#forget(exchange);
      this.#pool.release(this);
    } else {
      this.#forget(exchange);
      this.#connection.destroy();
    }
  }

  #forget(exchange: Exchange): void {
    exchange.signal?.removeEventListener('abort', exchange.onAbort);
    this.#exchange = undefined;
  }

  #setReading(reading: boolean): void {
    if (reading === this.#reading) return;
    this.#reading = reading;
    this.#session.setReading(reading, this.#now());
    if (reading) this.#connection.resume();
    else this.#connection.pause();
  }

  #fail(code: HttpClientErrorCode, message: string, cause?: unknown): void {
    this.#settleFailure(new HttpClientError(code, message, { cause, retryable: code === 'connection-lost' }));
    this.#connection.destroy();
  }

  #settleFailure(error: HttpClientError): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.#forget(exchange);
    exchange.reject(error);
    exchange.body.fail(error);
  }

  // ── BodySource ────────────────────────────────────────────────────────────────────────────────────────

  wanted(): void {
    this.#pump();
  }

  discarded(): void {
    this.#pump();
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────

  #arm(): void {
    if (this.#closed) return;
    const deadline = this.#session.deadline();
    if (deadline === undefined || (this.#timer !== undefined && this.#timer.atMs <= deadline.atMs)) return;
    this.#timer?.timer.cancel();
    const delayMs = Math.max(0, deadline.atMs - this.#now());
    const timer = this.#clock.schedule(delayMs, () => this.#tick());
    this.#timer = { atMs: deadline.atMs, timer };
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#closed) return;
    const phase = this.#session.expired(this.#now());
    if (phase === 'idle') this.#connection.destroy();
    else if (phase === 'write') this.#checkStall();
    else if (phase !== undefined) this.#fail('response-timeout', `no ${phase} in time`);
    this.#arm();
  }

  #checkStall(): void {
    const buffered = this.#connection.bufferedBytes;
    if (buffered >= this.#lastBuffered) {
      this.#fail('response-timeout', 'the server does not read the request');
      return;
    }
    this.#lastBuffered = buffered;
    this.#session.setBlocked(false, this.#now());
    this.#session.setBlocked(true, this.#now());
  }
}

function isWhole(body: RequestBody): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array;
}

/** The bytes of a body that is at hand; text as UTF-8. */
export function asBytes(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body;
}

/** Lets go of a body that will not be sent. */
function discard(body: AsyncIterable<Uint8Array> | readonly Uint8Array[]): void {
  if (Symbol.asyncIterator in body) {
    const returned = body[Symbol.asyncIterator]().return?.();
    returned?.catch(() => undefined);
  }
}

function release(waiters: readonly (() => void)[]): void {
  for (const resolve of waiters) resolve();
}

function notSendable(thrown: unknown): Error {
  if (!(thrown instanceof UnsendableError)) return thrown as Error;
  return new HttpClientError('invalid-request', thrown.message, {
    cause: thrown,
    fault: 'local',
    unsent: true,
  });
}
