/**
 * The HTTP client: a pool of persistent connections per origin, the freshest used first so that idle ones age
 * out; no pipelining; one silent second try where a pooled connection turned out to be closed.
 */
import { messageOf } from '../core/errors.ts';
import { NetError } from '../core/net/errors.ts';
import type { Connection, Network } from '../core/net/network.ts';
import type { Clock } from '../core/time/clock.ts';
import { asBytes, ClientConnection, type ConnectionPool, type RequestBody } from './client-connection.ts';
import { HttpClientError } from './errors.ts';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts';
import type { OutgoingRequest } from './session.ts';
import type { ClientRequest, ClientResponse, HeaderList } from './types.ts';
import { parseRequestUrl, type RequestUrl } from './url.ts';
import { decimal, equalsIgnoreCase } from './wire/grammar.ts';

export interface HttpClientOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly limits?: Partial<HttpLimits>;
  /** Time to connect, TLS handshake included, milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** How long an unused connection is kept, milliseconds. Default 4,000: less than the 5 s of Node's servers. */
  readonly idleTimeoutMs?: number;
  /** Connections to one origin; further requests wait. Default 128. */
  readonly maxConnectionsPerOrigin?: number;
  readonly tls?: { readonly ca?: string; readonly verify?: boolean };
  /** Addresses of a host name, tried in order; the machine's resolver when absent. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

export interface HttpClient extends AsyncDisposable {
  /**
   * Resolves with the head of the response; read, or `discard()`, its body to free the connection.
   * @throws HttpClientError
   */
  request(request: ClientRequest): Promise<ClientResponse>;
  /** Ends all connections; requests under way fail with `aborted`. */
  close(): Promise<void>;
}

export function createHttpClient(options: HttpClientOptions): HttpClient {
  return new Client(options);
}

const DEFAULT_TIMEOUT_MS = 30_000;

class Client implements HttpClient {
  readonly options: HttpClientOptions;
  readonly limits: HttpLimits;
  readonly #origins = new Map<string, Origin>();
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.options = options;
    const keepAliveTimeoutMs = options.idleTimeoutMs ?? 4_000;
    this.limits = { ...DEFAULT_HTTP_LIMITS, keepAliveTimeoutMs, ...options.limits };
  }

  async request(request: ClientRequest): Promise<ClientResponse> {
    if (this.#closed) throw new HttpClientError('aborted', 'the client is closed', { unsent: true });
    if (request.signal?.aborted)
      throw new HttpClientError('aborted', 'the request was aborted', { unsent: true });
    const url = parseRequestUrl(request.url);
    const outgoing = outgoingOf(request, url);
    const origin = this.#originOf(url);
    const { connection, reused } = await origin.acquire(request.signal, outgoing.timeoutMs, false);
    try {
      return await connection.exchange(outgoing, request.body, request.signal);
    } catch (thrown) {
      if (!reused || !mayRepeat(thrown, outgoing, request.body)) throw thrown;
    }
    // The server closed the pooled connection just as we wrote: once more, on a fresh one.
    const second = await origin.acquire(request.signal, outgoing.timeoutMs, true);
    return second.connection.exchange(outgoing, request.body, request.signal);
  }

  #originOf(url: RequestUrl): Origin {
    const key = `${url.secure ? 'https' : 'http'}://${url.host.toLowerCase()}:${url.port}`;
    let origin = this.#origins.get(key);
    if (origin === undefined) {
      origin = new Origin(this, url, () => this.#origins.delete(key));
      this.#origins.set(key, origin);
    }
    return origin;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const origin of [...this.#origins.values()]) origin.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface Acquired {
  readonly connection: ClientConnection;
  /** It served an exchange before, and may have been closed meanwhile. */
  readonly reused: boolean;
}

interface Waiter {
  readonly resolve: (acquired: Acquired) => void;
  readonly reject: (error: Error) => void;
  /** Ends its timer and its listening; it has left the queue. */
  readonly served: () => void;
  readonly signal: AbortSignal | undefined;
}

/** The connections to one scheme, host and port. */
class Origin implements ConnectionPool {
  readonly #client: Client;
  readonly #url: RequestUrl;
  readonly #unused: () => void;
  readonly #connections = new Set<ClientConnection>();
  readonly #free: ClientConnection[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #closing = new AbortController();
  #connecting = 0;

  /** @param unused told when there is nothing left to keep */
  constructor(client: Client, url: RequestUrl, unused: () => void) {
    this.#client = client;
    this.#url = url;
    this.#unused = unused;
  }

  get #full(): boolean {
    const limit = this.#client.options.maxConnectionsPerOrigin ?? 128;
    return this.#connections.size + this.#connecting >= limit;
  }

  async acquire(signal: AbortSignal | undefined, timeoutMs: number, fresh: boolean): Promise<Acquired> {
    while (!fresh) {
      const connection = this.#free.pop();
      if (connection === undefined) break;
      if (connection.usable) return { connection, reused: true };
    }
    if (this.#full) return this.#wait(signal, timeoutMs);
    return { connection: await this.#connect(signal), reused: false };
  }

  #wait(signal: AbortSignal | undefined, timeoutMs: number): Promise<Acquired> {
    const { promise, resolve, reject } = Promise.withResolvers<Acquired>();
    const leave = (error: HttpClientError): void => {
      const at = this.#waiters.indexOf(waiter);
      // Served already: whoever begins the exchange looks at the signal itself.
      if (at < 0) return;
      this.#waiters.splice(at, 1);
      waiter.served();
      reject(error);
    };
    const onAbort = (): void => leave(aborted());
    const timer = this.#client.options.clock.schedule(timeoutMs, () =>
      leave(
        new HttpClientError('pool-timeout', 'no free connection in time', { unsent: true, retryable: true }),
      ),
    );
    const served = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
    const waiter: Waiter = { resolve, reject, served, signal };
    this.#waiters.push(waiter);
    signal?.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  async #connect(signal: AbortSignal | undefined): Promise<ClientConnection> {
    this.#connecting++;
    try {
      const socket = await this.#connectToAny(signal);
      const { clock } = this.#client.options;
      const connection = new ClientConnection(socket, clock, this.#client.limits, this);
      this.#connections.add(connection);
      return connection;
    } catch (thrown) {
      // The place is free again; whoever waits for one must not wait for a connection that never was.
      queueMicrotask(() => this.#serveNext());
      throw thrown;
    } finally {
      this.#connecting--;
    }
  }

  async #connectToAny(signal: AbortSignal | undefined): Promise<Connection> {
    const { resolve } = this.#client.options;
    let addresses: readonly string[] = [this.#url.host];
    let failure: unknown = new HttpClientError('connect-failed', 'the host has no address', { unsent: true });
    try {
      if (resolve !== undefined) addresses = await resolve(this.#url.host);
    } catch (thrown) {
      failure = thrown;
      addresses = [];
    }
    for (const address of addresses) {
      try {
        return await this.#connectTo(address, signal);
      } catch (thrown) {
        failure = thrown;
      }
      if (signal?.aborted || this.#closing.signal.aborted) break;
    }
    throw this.#connectError(failure, signal);
  }

  #connectTo(host: string, signal: AbortSignal | undefined): Promise<Connection> {
    const { options, limits } = this.#client;
    const closing = this.#closing.signal;
    return options.network.connect({
      host,
      port: this.#url.port,
      timeoutMs: options.connectTimeoutMs ?? 5_000,
      maxBufferedBytes: limits.maxBufferedBytes,
      signal: signal === undefined ? closing : AbortSignal.any([signal, closing]),
      ...(this.#url.secure
        ? { tls: { serverName: this.#url.host, alpn: ['http/1.1'], ...options.tls } }
        : {}),
    });
  }

  #connectError(thrown: unknown, signal: AbortSignal | undefined): HttpClientError {
    if (thrown instanceof HttpClientError) return thrown;
    if (signal?.aborted || this.#closing.signal.aborted) return aborted();
    const code = thrown instanceof NetError ? thrown.code : undefined;
    const known = code === 'connect-timeout' || code === 'tls-failed' ? code : 'connect-failed';
    const message = `cannot connect to ${this.#url.authority}: ${messageOf(thrown)}`;
    return new HttpClientError(known, message, { cause: thrown, unsent: true, retryable: true });
  }

  release(connection: ClientConnection): void {
    if (this.#closing.signal.aborted) {
      connection.destroy();
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#free.push(connection);
    } else {
      waiter.served();
      waiter.resolve({ connection, reused: true });
    }
  }

  gone(connection: ClientConnection): void {
    this.#connections.delete(connection);
    const at = this.#free.indexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    this.#serveNext();
  }

  #serveNext(): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) void this.#connectFor(waiter);
    else if (this.#connections.size === 0 && this.#connecting === 0) this.#unused();
  }

  async #connectFor(waiter: Waiter): Promise<void> {
    waiter.served();
    try {
      waiter.resolve({ connection: await this.#connect(waiter.signal), reused: false });
    } catch (thrown) {
      waiter.reject(thrown as Error);
    }
  }

  close(): void {
    this.#closing.abort();
    for (const waiter of this.#waiters.splice(0)) {
      waiter.served();
      waiter.reject(aborted());
    }
    for (const connection of [...this.#connections]) connection.destroy();
  }
}

function aborted(): HttpClientError {
  return new HttpClientError('aborted', 'the request was aborted', { fault: 'local', unsent: true });
}

const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** RFC 9110 section 9.2.2: only an idempotent request with a body at hand, and only if no answer began. */
function mayRepeat(thrown: unknown, request: OutgoingRequest, body: RequestBody | undefined): boolean {
  if (!(thrown instanceof HttpClientError) || thrown.code !== 'connection-lost') return false;
  const atHand = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  return atHand && IDEMPOTENT.has(request.method) && request.upgrade === undefined;
}

/** Methods whose requests say that they have no content. RFC 9110 section 8.6. */
const WITH_CONTENT: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

function outgoingOf(request: ClientRequest, url: RequestUrl): OutgoingRequest {
  const method = request.method ?? 'GET';
  const headers: (readonly [string, string])[] = [];
  let declared: number | undefined;
  let close = false;
  for (const field of request.headers ?? []) {
    const [name, value] = field;
    if (equalsIgnoreCase(name, 'content-length')) declared = decimal(value);
    else if (equalsIgnoreCase(name, 'connection')) close ||= equalsIgnoreCase(value, 'close');
    else headers.push(field);
  }
  if (declared !== undefined && declared < 0) throw invalid('Content-Length is not a decimal number');
  if (!hasField(headers, 'host')) headers.unshift(['Host', url.authority]);
  return {
    method,
    target: url.target,
    headers,
    size: sizeOf(request.body, declared, method),
    upgrade: request.upgrade,
    expectContinue: request.expectContinue,
    close,
    timeoutMs: request.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  };
}

function sizeOf(
  body: RequestBody | undefined,
  declared: number | undefined,
  method: string,
): OutgoingRequest['size'] {
  if (body === undefined) {
    if (declared !== undefined && declared > 0) throw invalid('Content-Length without content');
    return declared === 0 || WITH_CONTENT.has(method) ? 0 : 'none';
  }
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return declared;
  const size = asBytes(body).length;
  if (declared !== undefined && declared !== size) throw invalid('Content-Length differs from the content');
  return size;
}

function hasField(headers: HeaderList, name: string): boolean {
  return headers.some(([given]) => equalsIgnoreCase(given, name));
}

function invalid(message: string): HttpClientError {
  return new HttpClientError('invalid-request', message, { fault: 'local', unsent: true });
}
