/**
 * Sockets ⇄ sessions, the client's end: one connection, one exchange at a time.
 *
 * The connection goes back to its pool only when both messages are complete and nothing lies behind the
 * response; on any doubt it is destroyed.
 */
import { messageOf } from '../../core/errors.ts';
import type { Connection, ConnectionHandler } from '../../core/net/network.ts';
import type { Clock, Timer } from '../../core/time/clock.ts';
import { type BodySource, emptyBody, IncomingBody } from '../body.ts';
import { HttpClientError, type HttpClientErrorCode } from '../errors.ts';
import type { HttpClientLimits, HttpLimits } from '../limits.ts';
import { HttpSession, type OutgoingRequest, type SessionEvent } from '../session.ts';
import type { ClientRequest, ClientResponse, HeaderFields } from '../types.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import type { ResponseHead } from '../wire/response-head.ts';
import type { Cancellation } from './cancellation.ts';
import { type ExchangeDeadline, ExchangeDeadlines, type WaitingFor } from './deadlines.ts';
import { idleTimeMs, type KeepAliveHint, parseKeepAlive } from './keep-alive.ts';
import type { ClientSettings } from './options.ts';

export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array>;

/** The pool's end of a connection. */
export interface ConnectionPool {
  /** The connection is free for the next exchange. */
  release(connection: ClientConnection): void;
  /** The connection is no more, or no longer the pool's. */
  gone(connection: ClientConnection): void;
}

/** One request as it goes out, and who ends it. */
export interface Call {
  readonly request: ClientRequest;
  readonly outgoing: OutgoingRequest;
  readonly cancellation: Cancellation;
}

interface Exchange {
  readonly call: Call;
  readonly resolve: (response: ClientResponse) => void;
  readonly reject: (error: Error) => void;
  readonly body: IncomingBody;
  readonly onAbort: () => void;
  /** Held until the end of the read that brought it: what lies behind may still disqualify it. */
  head: ClientResponse | undefined;
  /** The final response, or a part of it, is here. */
  answered: boolean;
  answerBegun: boolean;
  receivedBytes: number;
  /** Leaves the caller's iterable; undefined when there is none, or it has come to its end. */
  stopSending: (() => void) | undefined;
}

/** A large body goes out in pieces of so many bytes, so that its progress shows. */
const PIECE_BYTES = 262_144;

/** From here on an answer says that the content is not wanted. RFC 9110 section 9.3, RFC 9112 section 9.5. */
const UNWANTED_FROM_STATUS = 300;

export class ClientConnection implements ConnectionHandler, BodySource {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #limits: HttpLimits;
  readonly #bounds: HttpClientLimits;
  readonly #pool: ConnectionPool;
  readonly #session: HttpSession;
  readonly #deadlines: ExchangeDeadlines;
  readonly #openedMs: number;
  #exchange: Exchange | undefined;
  #exchangeCount = 0;
  #keepAlive: KeepAliveHint | undefined;
  #idleUntilMs: number;
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

  constructor(connection: Connection, settings: ClientSettings, pool: ConnectionPool) {
    const { clock, limits, bounds } = settings;
    this.#connection = connection;
    this.#clock = clock;
    this.#limits = limits;
    this.#bounds = bounds;
    this.#pool = pool;
    this.#session = new HttpSession('client', limits, clock.monotonic());
    this.#deadlines = new ExchangeDeadlines({
      writeStallTimeoutMs: limits.writeStallTimeoutMs,
      responseIdleTimeoutMs: limits.responseIdleTimeoutMs,
      discardTimeoutMs: bounds.discardTimeoutMs,
    });
    this.#openedMs = clock.monotonic();
    this.#idleUntilMs = this.#openedMs + bounds.idleTimeoutMs;
    connection.attach(this);
    // A tunnel was paused when it opened.
    connection.resume();
  }

  /** True when an exchange may begin; a timer may be late, as after the machine slept. */
  get isUsable(): boolean {
    return (
      !this.#closed && !this.#connection.destroyed && this.#session.idle && this.#now() < this.#idleUntilMs
    );
  }

  /** True when it has served enough, or its server is about to close it. */
  get isSpent(): boolean {
    const now = this.#now();
    return (
      !this.isUsable ||
      this.#exchangeCount >= this.#bounds.maxRequestsPerConnection ||
      now - this.#openedMs >= this.#bounds.maxConnectionAgeMs
    );
  }

  /** @throws HttpClientError */
  exchange(call: Call): Promise<ClientResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientResponse>();
    try {
      call.cancellation.check();
      if (!this.isUsable)
        throw new HttpClientError('connection-lost', 'the connection is closed', {
          unsent: true,
          retryable: true,
        });
      this.#session.sendRequest(call.outgoing, this.#now());
    } catch (thrown) {
      // Nothing was sent: the connection is as good as before.
      this.#deadlines.idleUntil(this.#idleUntilMs);
      this.#arm();
      this.#pool.release(this);
      return Promise.reject(notSendable(thrown));
    }
    this.#exchangeCount++;
    this.#skippedBytes = 0;
    const onAbort = (): void => this.#failWith(call.cancellation.error(false));
    const exchange: Exchange = {
      call,
      resolve,
      reject,
      // The size is known only with the head.
      body: new IncomingBody(this, undefined),
      onAbort,
      head: undefined,
      answered: false,
      answerBegun: false,
      receivedBytes: 0,
      stopSending: undefined,
    };
    this.#exchange = exchange;
    call.cancellation.exchangeBegins();
    call.cancellation.own?.addEventListener('abort', onAbort, { once: true });
    this.#deadlines.begin(call.outgoing.timeoutMs, this.#now());
    this.#sendBody(exchange);
    this.#arm();
    return promise;
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /** Ends it for the caller’s sake, with whatever is under way. */
  abort(): void {
    this.#fail('aborted', 'the client is closed');
  }

  #now(): number {
    return this.#clock.monotonic();
  }

  // ── The request's content ─────────────────────────────────────────────────────────────────────────────

  #sendBody(exchange: Exchange): void {
    const { body, expectContinue, trailers } = exchange.call.request;
    if (body !== undefined && (expectContinue === true || !isShort(body))) {
      this.#flush();
      void this.#stream(exchange, body, expectContinue === true);
      return;
    }
    try {
      if (body !== undefined) this.#session.sendData(asBytes(body as string | Uint8Array));
      this.#session.sendEnd(this.#now(), trailers?.() ?? []);
    } catch (thrown) {
      this.#fail('request-body-failed', `the trailers cannot be sent: ${messageOf(thrown)}`, thrown);
      return;
    }
    this.#flush();
  }

  async #stream(exchange: Exchange, body: RequestBody, expectContinue: boolean): Promise<void> {
    const source = isWhole(body) ? [asBytes(body)][Symbol.iterator]() : body[Symbol.asyncIterator]();
    const leave = (): void => void (async () => source.return?.())().catch(() => undefined);
    exchange.stopSending = () => {
      exchange.stopSending = undefined;
      // The content is not complete, so nothing can follow it.
      this.#session.closeAfter(this.#now());
      leave();
    };
    try {
      if (expectContinue) await this.#continued();
      // The final answer came instead of 100: the content stays here.
      if (expectContinue && exchange.answered) exchange.stopSending?.();
      for (;;) {
        if (!this.#isSending(exchange)) return;
        const step = await source.next();
        if (!this.#isSending(exchange)) return;
        if (step.done === true) break;
        await this.#sendPieces(exchange, step.value);
      }
      exchange.stopSending = undefined;
      this.#session.sendEnd(this.#now(), exchange.call.request.trailers?.() ?? []);
      this.#deadlines.sent(this.#now());
      this.#flush();
      this.#pump();
    } catch (thrown) {
      exchange.stopSending = undefined;
      leave();
      if (this.#exchange !== exchange) return;
      this.#fail('request-body-failed', `the body of the request failed: ${messageOf(thrown)}`, thrown);
    }
  }

  #isSending(exchange: Exchange): boolean {
    return exchange.stopSending !== undefined && this.#exchange === exchange && !this.#closed;
  }

  async #sendPieces(exchange: Exchange, chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      if (!this.#isSending(exchange)) return;
      this.#session.sendData(chunk.subarray(at, at + PIECE_BYTES));
      this.#deadlines.sent(this.#now());
      this.#flush();
      if (this.#blocked) await this.#drained();
    }
  }

  #continued(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.schedule(this.#bounds.continueTimeoutMs, resolve);
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
    this.#deadlines.setBlocked(true, this.#now());
    this.#arm();
  }

  // ── From the socket ───────────────────────────────────────────────────────────────────────────────────

  data(chunk: Buffer): void {
    if (this.#closed) return;
    const now = this.#now();
    if (this.#exchange !== undefined) this.#exchange.answerBegun = true;
    this.#deadlines.received(now);
    this.#session.receive(chunk, now);
    this.#pump();
  }

  end(): void {
    if (this.#closed) return;
    this.#session.receiveEnd(this.#now());
    this.#pump();
    this.#connection.end();
  }

  drain(): void {
    this.#blocked = false;
    this.#deadlines.setBlocked(false, this.#now());
    this.#deadlines.sent(this.#now());
    release(this.#drainWaiters.splice(0));
  }

  close(cause?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#pool.gone(this);
    const reason = cause === undefined ? '' : `: ${messageOf(cause)}`;
    this.#settleFailure(this.#errorOf('connection-lost', `the server closed the connection${reason}`, cause));
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
        return this.#informed(event.head);
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
        if (event.code === 'truncated') this.#fail('connection-lost', event.message);
        else this.#fail('malformed-response', `the response is malformed: ${event.message} (${event.code})`);
        return false;
      case 'closed':
        this.#fail('connection-lost', 'the server closed the connection before it answered');
        return false;
      default:
        return false;
    }
  }

  /** @returns false when the caller's function failed, and the exchange with it */
  #informed(head: ResponseHead): boolean {
    if (head.status === 100) release(this.#continueWaiters.splice(0));
    try {
      this.#exchange?.call.request.onInformational?.(head.status, head.fields);
      return true;
    } catch (thrown) {
      this.#fail('aborted', `onInformational failed: ${messageOf(thrown)}`, thrown);
      return false;
    }
  }

  #answered(head: ResponseHead): void {
    const exchange = this.#exchange!;
    exchange.answered = true;
    const { status, framing } = head;
    if (framing.kind === 'length') exchange.body.sizeBytes = framing.sizeBytes;
    if (framing.kind === 'none') exchange.body.sizeBytes = 0;
    exchange.head = responseOf(exchange, head, exchange.body);
    const hint = head.fields.get('keep-alive');
    if (hint !== undefined) this.#keepAlive = parseKeepAlive(hint);
    this.#deadlines.answered(this.#now());
    release(this.#continueWaiters.splice(0));
    if (status >= UNWANTED_FROM_STATUS) this.#stopSending(exchange);
  }

  #stopSending(exchange: Exchange): void {
    exchange.stopSending?.();
    release(this.#drainWaiters.splice(0));
  }

  #content(bytes: Buffer): boolean {
    const body = this.#exchange?.body;
    if (this.#exchange === undefined || body === undefined) return true;
    this.#exchange.receivedBytes += bytes.length;
    body.push(bytes);
    if (!body.isDiscarded) return true;
    this.#skippedBytes += bytes.length;
    if (this.#skippedBytes <= this.#limits.drainBytes) return true;
    this.#connection.destroy();
    return false;
  }

  #switched(head: ResponseHead): void {
    const exchange = this.#exchange!;
    this.#detached = true;
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#pool.gone(this);
    this.#forget(exchange);
    const early = this.#session.takeRest();
    // Nothing may be lost between this read and the new owner's attach.
    this.#connection.pause();
    const upgraded = { connection: this.#connection, early };
    exchange.resolve({ ...responseOf(exchange, head, emptyBody()), upgraded });
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
    this.#forget(exchange);
    if (!this.#session.idle) {
      this.#connection.destroy();
      return;
    }
    const { idleTimeoutMs, keepAliveMarginMs } = this.#bounds;
    this.#idleUntilMs = this.#now() + idleTimeMs(this.#keepAlive, idleTimeoutMs, keepAliveMarginMs);
    this.#deadlines.idleUntil(this.#idleUntilMs);
    this.#pool.release(this);
  }

  #forget(exchange: Exchange): void {
    exchange.call.cancellation.own?.removeEventListener('abort', exchange.onAbort);
    exchange.call.cancellation.exchangeEnds();
    this.#exchange = undefined;
    this.#stopSending(exchange);
  }

  #setReading(reading: boolean): void {
    if (reading === this.#reading) return;
    this.#reading = reading;
    this.#deadlines.setReading(reading, this.#now());
    if (reading) this.#connection.resume();
    else this.#connection.pause();
  }

  #fail(code: HttpClientErrorCode, message: string, cause?: unknown): void {
    this.#failWith(this.#errorOf(code, message, cause));
  }

  #failWith(error: HttpClientError): void {
    this.#settleFailure(error);
    this.#connection.destroy();
  }

  #errorOf(code: HttpClientErrorCode, message: string, cause?: unknown): HttpClientError {
    const answerBegun = this.#exchange?.answerBegun ?? false;
    const fault = code === 'aborted' || code === 'request-body-failed' ? 'local' : 'remote';
    return new HttpClientError(code, message, { cause, fault, answerBegun, retryable: RETRYABLE.has(code) });
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
    const exchange = this.#exchange;
    const sizeBytes = exchange?.body.sizeBytes ?? 0;
    if (exchange !== undefined && sizeBytes - exchange.receivedBytes > this.#limits.drainBytes) {
      // What is left is known to be more than it is worth.
      this.#connection.destroy();
      return;
    }
    if (exchange !== undefined) this.#deadlines.discarded(this.#now());
    this.#pump();
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────

  #arm(): void {
    if (this.#closed) return;
    const deadline = this.#deadlines.next();
    if (deadline === undefined || (this.#timer !== undefined && this.#timer.atMs <= deadline.atMs)) return;
    this.#timer?.timer.cancel();
    const delayMs = Math.max(0, deadline.atMs - this.#now());
    const timer = this.#clock.schedule(delayMs, () => this.#tick());
    this.#timer = { atMs: deadline.atMs, timer };
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#closed) return;
    const deadline = this.#deadlines.next();
    if (deadline !== undefined && deadline.atMs <= this.#now()) this.#late(deadline);
    this.#arm();
  }

  #late({ waitingFor }: ExchangeDeadline): void {
    if (waitingFor === 'idle') this.#connection.destroy();
    else if (waitingFor !== 'send' || this.#connection.bufferedBytes >= this.#lastBuffered) {
      const { code, message } = LATE[waitingFor];
      this.#fail(code, message);
    } else {
      // Some of what was written has been taken.
      this.#lastBuffered = this.#connection.bufferedBytes;
      this.#deadlines.setBlocked(true, this.#now());
    }
  }
}

const LATE = {
  send: { code: 'send-timeout', message: 'the server does not take the request' },
  head: { code: 'response-timeout', message: 'no response in time' },
  body: { code: 'body-timeout', message: 'the content of the response does not go on' },
} as const satisfies Readonly<
  Record<Exclude<WaitingFor, 'idle'>, { code: HttpClientErrorCode; message: string }>
>;

const RETRYABLE: ReadonlySet<HttpClientErrorCode> = new Set([
  'connection-lost',
  'send-timeout',
  'response-timeout',
  'body-timeout',
]);

function responseOf(exchange: Exchange, head: ResponseHead, body: IncomingBody): ClientResponse {
  const { status, reason, fields } = head;
  const headers: HeaderFields = fields;
  return { status, reason, headers, body, url: exchange.call.request.url };
}

function isWhole(body: RequestBody): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array;
}

function isShort(body: RequestBody): boolean {
  return isWhole(body) && body.length <= PIECE_BYTES;
}

/** The bytes of a body that is at hand; text as UTF-8. */
export function asBytes(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body;
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
