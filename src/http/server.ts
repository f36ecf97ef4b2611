/**
 * Sockets ⇄ sessions, the server's end.
 *
 * One connection answers its requests one after the other. All replies that one read caused leave in one
 * write. Reading stops while a body is not being read, while more than a bound of pipelined bytes waits, and
 * while the peer does not take what was written.
 */
import { Buffer } from 'node:buffer';
import { messageOf } from '../core/errors.ts';
import type { Host } from '../core/lifecycle.ts';
import type {
  Connection,
  ConnectionHandler,
  Endpoint,
  Listener,
  TlsServerOptions,
} from '../core/net/network.ts';
import type { Timer } from '../core/time/clock.ts';
import { type BodySource, IncomingBody, releaseBody } from './body.ts';
import { completeLimits } from './complete-limits.ts';
import { HttpError } from './errors.ts';
import { connectionLimits, DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts';
import { HttpMetrics } from './metrics.ts';
import { problem, problemOf } from './problem.ts';
import { type Informant, ServerRequest } from './request.ts';
import { HttpSession, type SessionEvent } from './session.ts';
import type { Handler, HeaderList, HttpRequest, HttpResponse } from './types.ts';
import { formatDate } from './wire/date.ts';
import { encodeFields, encodeStatusLine } from './wire/encode-head.ts';
import type { Malformed } from './wire/malformed.ts';
import type { RequestHead } from './wire/request-head.ts';

export interface HttpServerOptions {
  readonly host: Pick<Host, 'network' | 'clock' | 'random' | 'observer'>;
  /** Port 0 lets the operating system choose. */
  readonly address: { readonly host: string; readonly port: number };
  readonly tls?: TlsServerOptions;
  /** Who may speak HTTP/2: clients that agree on it in the TLS handshake (default), also those without TLS that know
   * beforehand (`cleartext`), or nobody. */
  readonly http2?: 'tls' | 'cleartext' | 'off';
  readonly handler: Handler;
  readonly limits?: Partial<HttpLimits>;
  /** Tells several listeners of one service apart in metrics. Default `main`. */
  readonly name?: string;
}

export interface HttpServer extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly connectionCount: number;
  /** Other certificates for connections accepted from now on. @throws NetError `bad-identity` */
  replaceTls(tls: TlsServerOptions): void;
  /** Accepts no more; busy connections close after their present answer, idle ones after `drainGraceMs`. */
  stop(): void;
  /** `stop`, then waits up to `drainMs` (default 5,000) for what is in flight, then destroys the rest. */
  close(drainMs?: number): Promise<void>;
}

/** @throws NetError `address-in-use`, `listen-failed`, `bad-identity`; LimitError for a bound that is none */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = new Server(options);
  await server.listen(options);
  return server;
}

/** Loaded by the first listener that may need it. */
type Http2 = typeof import('./http2/index.ts');

/** A connection of whatever version, as its server sees it. */
interface Served {
  /** @param graceMs how long an idle one waits for what may be under way */
  retire(graceMs: number): void;
  destroy(): void;
}

class Server implements HttpServer {
  readonly host: HttpServerOptions['host'];
  readonly handler: Handler;
  readonly limits: HttpLimits;
  readonly metrics: HttpMetrics;
  readonly connections = new Set<Served>();
  readonly #perAddress = new Map<string, number>();
  #listener: Listener | undefined;
  #http2: Http2 | undefined;
  #stamp = '';
  #stampUntilMs = Number.NEGATIVE_INFINITY;
  #graceMs: number | undefined;

  constructor(options: HttpServerOptions) {
    this.host = options.host;
    this.handler = options.handler;
    this.limits = completeLimits(DEFAULT_HTTP_LIMITS, options.limits);
    this.metrics = new HttpMetrics(
      options.host.observer,
      options.name ?? 'main',
      () => this.connections.size,
    );
  }

  async listen({ address, tls, http2 = 'tls' }: HttpServerOptions): Promise<void> {
    const speaksHttp2 = tls === undefined ? http2 === 'cleartext' : http2 !== 'off';
    if (speaksHttp2) this.#http2 = await import('./http2/index.ts');
    const options = {
      ...address,
      limits: connectionLimits(this.limits),
      refuse: lastWords,
      ...(tls === undefined ? {} : { tls, alpn: speaksHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'] }),
    };
    this.#listener = await this.host.network.listen(options, (connection) => this.#accept(connection));
  }

  #accept(connection: Connection): void {
    const { address } = connection.remote;
    const count = this.#perAddress.get(address) ?? 0;
    if (count >= this.limits.maxConnectionsPerAddress) {
      this.metrics.refused('address-connections');
      connection.attach({ data: () => undefined });
      connection.end(lastWords());
      return;
    }
    this.#perAddress.set(address, count + 1);
    if (this.#http2 === undefined) this.#serve(new ServerConnection(this, connection));
    else this.#serveEither(connection, this.#http2);
  }

  #serve(accepted: Served): void {
    this.connections.add(accepted);
    // Its handshake was under way when the server stopped.
    if (this.#graceMs !== undefined) accepted.retire(this.#graceMs);
  }

  #serveEither(connection: Connection, { Http2Connection, chooseProtocol }: Http2): void {
    if (connection.secure) {
      this.#serve(
        connection.alpn === 'h2'
          ? new Http2Connection(this, connection)
          : new ServerConnection(this, connection),
      );
      return;
    }
    const undecided: Served = { retire: () => connection.destroy(), destroy: () => connection.destroy() };
    this.connections.add(undecided);
    const patience = { clock: this.host.clock, timeoutMs: this.limits.firstByteTimeoutMs };
    chooseProtocol(connection, patience, {
      http1: (early) => {
        this.connections.delete(undecided);
        const served = new ServerConnection(this, connection);
        this.#serve(served);
        served.data(early);
      },
      http2: (early) => {
        this.connections.delete(undecided);
        this.#serve(new Http2Connection(this, connection, early));
      },
      closed: () => this.forget(undecided, connection.remote.address),
    });
  }

  /** A connection is closed, or another protocol's. */
  forget(connection: Served, address: string): void {
    if (!this.connections.delete(connection)) return;
    const left = this.#perAddress.get(address)! - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }

  get endpoint(): Endpoint {
    return this.#listener!.endpoint;
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** The Date field, made once a second. @param now monotonic milliseconds */
  stamp(now: number): string {
    if (now >= this.#stampUntilMs) {
      const wallMs = this.host.clock.now();
      this.#stampUntilMs = now + 1_000 - (wallMs % 1_000);
      this.#stamp = `Date: ${formatDate(wallMs)}\r\n`;
    }
    return this.#stamp;
  }

  replaceTls(tls: TlsServerOptions): void {
    this.#listener!.replaceTls(tls);
  }

  stop(): void {
    this.#drain(this.limits.drainGraceMs);
  }

  #drain(graceMs: number): void {
    if (this.#graceMs !== undefined) return;
    this.#graceMs = graceMs;
    this.#listener!.stop();
    for (const connection of this.connections) connection.retire(graceMs);
  }

  async close(drainMs = 5_000): Promise<void> {
    this.#drain(Math.min(this.limits.drainGraceMs, drainMs));
    await this.#listener!.close(drainMs);
    for (const connection of this.connections) connection.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The last words for a connection over the limit. */
function lastWords(): string {
  const { headers, body } = problem(503, { detail: 'too many connections' });
  const fields = [...(headers ?? []), ['Retry-After', '1'], ['Connection', 'close']] as const;
  const text = String(body);
  return `${encodeStatusLine(503)}${encodeFields(fields)}Content-Length: ${text.length}\r\n\r\n${text}`;
}

const NO_HEADERS: HeaderList = [];

class ServerConnection implements ConnectionHandler, BodySource, Informant {
  readonly #server: Server;
  readonly #connection: Connection;
  readonly #session: HttpSession;
  /** The request that is being answered. */
  #request: ServerRequest | undefined;
  #pumping = false;
  #reading = true;
  #blocked = false;
  #lastBuffered = 0;
  #closing = false;
  /** Content skipped since its reader gave up. */
  #skippedBytes = 0;
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;
  #drainWaiters: (() => void)[] = [];
  /** When the present turn began, monotonic: looked up once, for a turn may hold many requests. */
  #now: number;

  constructor(server: Server, connection: Connection) {
    this.#server = server;
    this.#connection = connection;
    this.#now = server.host.clock.monotonic();
    this.#session = new HttpSession('server', server.limits, this.#now);
    connection.attach(this);
    this.#arm();
  }

  /** A turn begins: something came from the socket, the handler or the clock. */
  #wake(): number {
    this.#now = this.#server.host.clock.monotonic();
    return this.#now;
  }

  // ── From the socket ───────────────────────────────────────────────────────────────────────────────────

  data(chunk: Buffer): void {
    if (this.#closing) return;
    this.#session.receive(chunk, this.#wake());
    this.#pump();
  }

  lent(shared: Buffer, length: number): void {
    if (this.#closing) return;
    this.#session.lend(shared, length, this.#wake());
    try {
      this.#pump();
    } finally {
      this.#session.keep();
    }
  }

  end(): void {
    if (this.#closing) return;
    this.#session.receiveEnd(this.#wake());
    this.#pump();
  }

  drain(): void {
    this.#blocked = false;
    this.#session.setBlocked(false, this.#wake());
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const resolve of waiters) resolve();
    this.#pump();
  }

  close(): void {
    this.#closing = true;
    this.#timer?.timer.cancel();
    this.#server.forget(this, this.#connection.remote.address);
    const request = this.#request;
    this.#request = undefined;
    request?.incoming?.fail(new HttpError(400, 'the client closed the connection'));
    request?.abort();
    for (const resolve of this.#drainWaiters) resolve();
    this.#drainWaiters = [];
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /** The server stops: the present answer is the last, or one to a request that comes within the grace. */
  retire(graceMs: number): void {
    if (this.#closing) return;
    this.#session.closeAfter(this.#wake(), graceMs);
    this.#finishTurn();
  }

  // ── Events ────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes events until there are none or somebody has to catch up first. */
  #pump(): void {
    if (this.#pumping || this.#closing) return;
    this.#pumping = true;
    while (!this.#closing && !this.#mustWait() && this.#take(this.#session.next(this.#now)));
    this.#pumping = false;
    this.#finishTurn();
  }

  #mustWait(): boolean {
    if (this.#blocked && this.#request === undefined) return true;
    if (this.#skippedBytes > this.#server.limits.drainBytes) return true;
    const body = this.#request?.incoming;
    return body !== undefined && body.queuedBytes > this.#server.limits.bodyBufferBytes;
  }

  /** @returns false when there is nothing more to take for now */
  #take(event: SessionEvent): boolean {
    switch (event.kind) {
      case 'request':
        this.#begin(event);
        if (this.#session.outputBytes > this.#server.limits.gatherBytes) this.#flush();
        return true;
      case 'data':
        return this.#content(event.bytes);
      case 'end':
        this.#request?.incoming?.finish(event.trailers);
        return true;
      case 'malformed':
        this.#refuse(event);
        return false;
      case 'closed':
        this.#endConnection();
        return false;
      default:
        return false;
    }
  }

  #content(bytes: Buffer): boolean {
    const body = this.#request?.incoming;
    if (body !== undefined && !body.isDiscarded) {
      body.push(bytes);
      return true;
    }
    this.#skippedBytes += bytes.length;
    if (this.#skippedBytes <= this.#server.limits.drainBytes) return true;
    this.#session.closeAfter(this.#now);
    return false;
  }

  /** Writes what the turn produced, then decides whether to read on, wait or close. */
  #finishTurn(): void {
    if (this.#closing) return;
    this.#flush();
    if (this.#session.finished || this.#answeredTooEarly()) this.#endConnection();
    else
      this.#setReading(!this.#mustWait() && this.#session.pendingBytes <= this.#server.limits.pipelineBytes);
    this.#arm();
  }

  /** The answer is out, the rest of the request is not in, and it is not worth waiting for. */
  #answeredTooEarly(): boolean {
    return this.#session.responseState === 'done' && !this.#session.keepAlive;
  }

  #flush(): void {
    const parts = this.#session.takeOutput();
    if (parts.length > 0) this.#session.wrote(this.#now);
    for (const part of parts) {
      if (!this.#connection.write(part)) this.#blocked = true;
    }
    if (!this.#blocked) return;
    this.#lastBuffered = this.#connection.bufferedBytes;
    this.#session.setBlocked(true, this.#now);
  }

  #setReading(reading: boolean): void {
    if (reading === this.#reading) return;
    this.#reading = reading;
    this.#session.setReading(reading, this.#now);
    if (reading) this.#connection.resume();
    else this.#connection.pause();
  }

  #endConnection(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#request?.abort();
    this.#connection.end();
  }

  // ── BodySource ────────────────────────────────────────────────────────────────────────────────────────

  wanted(): void {
    if (this.#closing) return;
    this.#wake();
    if (this.#session.awaitingContinue && this.#session.responseState === 'awaiting') {
      this.#session.sendInformational(100);
    }
    this.#pump();
  }

  discarded(): void {
    this.#wake();
    this.#pump();
  }

  // ── Informant ─────────────────────────────────────────────────────────────────────────────────────────

  inform(request: ServerRequest, status: number, headers: HeaderList): void {
    if (this.#request !== request || this.#closing || this.#session.responseState !== 'awaiting') return;
    this.#session.sendInformational(status, headers);
    if (!this.#pumping) this.#flush();
  }

  // ── Requests and responses ────────────────────────────────────────────────────────────────────────────

  #begin(head: RequestHead): void {
    const request = new ServerRequest(
      head,
      this.#bodyOf(head),
      this.#connection,
      this.#server.host.random,
      this,
    );
    this.#request = request;
    this.#skippedBytes = 0;
    this.#server.metrics.requests.value++;
    // The end of a request without content is known already; taking it now lets the handler switch protocols.
    if (request.incoming === undefined) this.#session.next(this.#now);
    if (head.method === 'CONNECT' || head.method === 'TRACE') {
      this.#respond(request, problem(501, { detail: `${head.method} is not supported` }));
      return;
    }
    let result: HttpResponse | Promise<HttpResponse>;
    try {
      result = this.#server.handler(request);
    } catch (thrown) {
      this.#respond(request, this.#failure(request, thrown));
      return;
    }
    if (!(result instanceof Promise)) {
      this.#respond(request, result);
      return;
    }
    result.then(
      (response) => this.#respondLater(request, response),
      (thrown) => this.#respondLater(request, this.#failure(request, thrown)),
    );
  }

  #bodyOf({ framing }: RequestHead): IncomingBody | undefined {
    if (framing.kind === 'none') return undefined;
    return new IncomingBody(this, framing.kind === 'length' ? framing.sizeBytes : undefined);
  }

  #respondLater(request: ServerRequest, response: HttpResponse): void {
    this.#wake();
    this.#respond(request, response);
    this.#pump();
  }

  #failure(request: HttpRequest, thrown: unknown): HttpResponse {
    if (!(thrown instanceof HttpError)) this.#report('error', 'handler failed', request, thrown);
    return problemOf(thrown);
  }

  #report(level: 'error' | 'warn', event: string, { method, path, id }: HttpRequest, thrown: unknown): void {
    this.#server.host.observer.log[level](event, { method, path, id, error: messageOf(thrown) });
  }

  #respond(request: ServerRequest, response: HttpResponse): void {
    if (this.#request !== request || this.#closing) {
      releaseBody(response.body);
      return;
    }
    try {
      this.#send(request, response);
    } catch (thrown) {
      this.#unsendable(request, response, thrown);
    }
  }

  /** The handler's response is no HTTP: 500 when nothing was sent, otherwise a visible cut. */
  #unsendable(request: ServerRequest, response: HttpResponse, thrown: unknown): void {
    this.#report('error', 'response not sendable', request, thrown);
    releaseBody(response.body);
    if (this.#session.responseState === 'awaiting') this.#send(request, problem(500));
    else this.#connection.destroy();
  }

  #send(request: ServerRequest, response: HttpResponse): void {
    const session = this.#session;
    const body = typeof response.body === 'string' ? asBytes(response.body) : response.body;
    const outgoing = {
      status: response.status,
      headers: response.headers ?? NO_HEADERS,
      size: sizeOf(request, response, body),
      stamp: this.#server.stamp(this.#now),
    };
    if (response.status === 101) {
      this.#switch(request, response, outgoing);
      return;
    }
    const hasContent = session.sendResponse(outgoing);
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) {
      if (body !== undefined && hasContent) session.sendData(body);
      this.#complete(request, response);
    } else if (hasContent) {
      void this.#stream(request, response, body);
    } else {
      releaseBody(response.body);
      this.#complete(request, response);
    }
  }

  async #stream(
    request: ServerRequest,
    response: HttpResponse,
    body: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    try {
      this.#flush();
      for await (const chunk of body) {
        if (this.#request !== request || this.#closing) return;
        this.#wake();
        this.#session.sendData(chunk);
        this.#flush();
        this.#arm();
        if (this.#blocked) await this.#drained();
      }
      if (this.#request !== request || this.#closing) return;
      this.#wake();
      this.#complete(request, response);
    } catch (thrown) {
      if (this.#request !== request) return;
      this.#report('warn', 'response cut short', request, thrown);
      this.#connection.destroy();
    }
    this.#pump();
  }

  #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drainWaiters.push(resolve);
    return promise;
  }

  #complete(request: ServerRequest, response: HttpResponse): void {
    this.#session.sendEnd(this.#now, response.trailers?.());
    request.answered();
    this.#request = undefined;
    if (this.#session.requestState === 'body') request.incoming?.discard();
  }

  #switch(
    request: ServerRequest,
    response: HttpResponse,
    outgoing: Parameters<HttpSession['sendResponse']>[0],
  ): void {
    const upgrade = response.upgrade;
    if (upgrade === undefined) throw new HttpError(500, 'a 101 needs an upgrade function');
    this.#session.sendResponse(outgoing);
    this.#flush();
    this.#closing = true;
    this.#timer?.timer.cancel();
    this.#server.forget(this, this.#connection.remote.address);
    this.#request = undefined;
    request.answered();
    const connection = this.#connection;
    connection.resume();
    upgrade(connection, this.#session.takeRest());
  }

  // ── Refusals and time ─────────────────────────────────────────────────────────────────────────────────

  #refuse({ status, code, message }: Malformed): void {
    this.#server.metrics.refused(code);
    this.#abandon(status, message, code);
  }

  /** Answers what cannot be read to its end, and closes; cuts when an answer is on its way. */
  #abandon(status: number, detail: string, code: string): void {
    const request = this.#request;
    this.#request = undefined;
    switch (this.#session.responseState) {
      case 'idle':
      case 'awaiting':
        this.#sendRefusal(status, detail, code);
        this.#endConnection();
        break;
      case 'done':
        // The answer is whole; only the rest of its request is in doubt.
        this.#endConnection();
        break;
      default:
        this.#connection.destroy();
    }
    request?.incoming?.fail(new HttpError(status, detail));
    request?.abort();
  }

  #sendRefusal(status: number, detail: string, code: string): void {
    const refusal = problem(status, { detail, extensions: { code } });
    const body = refusal.body as string;
    const stamp = this.#server.stamp(this.#now);
    this.#session.sendResponse({ status, headers: refusal.headers ?? NO_HEADERS, size: body.length, stamp });
    this.#session.sendData(body);
    this.#session.sendEnd(this.#now);
    this.#flush();
  }

  /** One timer per connection; it is moved only when something is due earlier. */
  #arm(): void {
    if (this.#closing) return;
    const armed = this.#timer;
    // The usual end of a turn, where only the time that a connection is kept has begun anew.
    const { keepAliveTimeoutMs } = this.#server.limits;
    if (armed !== undefined && this.#session.isResting && armed.atMs <= this.#now + keepAliveTimeoutMs)
      return;
    const deadline = this.#session.deadline();
    if (deadline === undefined || (armed !== undefined && armed.atMs <= deadline.atMs)) return;
    armed?.timer.cancel();
    const delayMs = Math.max(0, deadline.atMs - this.#now);
    const timer = this.#server.host.clock.schedule(delayMs, () => this.#tick());
    this.#timer = { atMs: deadline.atMs, timer };
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#closing) return;
    this.#expire(this.#session.expired(this.#wake()));
    this.#arm();
  }

  #expire(phase: ReturnType<HttpSession['expired']>): void {
    switch (phase) {
      case 'head':
      case 'body':
        this.#giveUp(408, `the ${phase} of the request did not arrive in time`, `${phase}-timeout`);
        return;
      case 'handler':
        this.#giveUp(503, 'the answer was not ready in time', 'handler-timeout');
        return;
      case 'write':
        this.#checkStall();
        return;
      case 'half-closed':
        this.#connection.destroy();
        return;
      case undefined:
        return;
      default:
        this.#endConnection();
    }
  }

  #giveUp(status: number, detail: string, code: string): void {
    this.#server.metrics.refused(code);
    this.#session.abandon();
    this.#abandon(status, detail, code);
  }

  /** A peer that takes bytes slowly has time; one that takes none has not. */
  #checkStall(): void {
    const buffered = this.#connection.bufferedBytes;
    if (buffered >= this.#lastBuffered) {
      this.#server.metrics.refused('write-timeout');
      this.#connection.destroy();
      return;
    }
    this.#lastBuffered = buffered;
    this.#session.setBlocked(false, this.#now);
    this.#session.setBlocked(true, this.#now);
  }
}

/** The content's size; undefined when it is not known, or goes out in chunks to carry trailers. */
function sizeOf(
  { method, version }: HttpRequest,
  { status, trailers }: HttpResponse,
  body: HttpResponse['body'],
): number | undefined {
  if (trailers !== undefined && version === '1.1') return undefined;
  if (body === undefined) return method === 'HEAD' || status === 304 ? undefined : 0;
  return typeof body === 'string' || body instanceof Uint8Array ? body.length : undefined;
}

/** Text as UTF-8; pure ASCII stays a string, for the socket writes it faster. */
function asBytes(body: string): string | Buffer {
  return Buffer.byteLength(body) === body.length ? body : Buffer.from(body);
}
