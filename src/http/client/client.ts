/**
 * The HTTP client: one request becomes one exchange, or several where the caller allows it.
 *
 *   request ──▶ exchange ──▶ answer                                     pool.ts, connection.ts
 *      ▲           │ a kept connection was closed: once more            retry.ts
 *      ├───────────┤ 429 or 503 with Retry-After: again, later          retry.ts
 *      └───────────┘ a redirection: to there                            redirect.ts
 */
import { HttpClientError } from '../errors.ts';
import { MAX_REDIRECTS } from '../limits.ts';
import type { ClientRequest, ClientResponse, RedirectPolicy, RetryAfterPolicy } from '../types.ts';
import { Cancellation } from './cancellation.ts';
import type { Call } from './connection.ts';
import type { Route } from './dial.ts';
import { type ClientSettings, type HttpClientOptions, settingsOf } from './options.ts';
import { outgoingOf } from './outgoing.ts';
import { Pool } from './pool.ts';
import { isExcepted } from './proxy.ts';
import { redirected } from './redirect.ts';
import { mayRepeat, retryAfterMs } from './retry.ts';
import { parseRequestUrl, type RequestUrl } from './url.ts';

export interface HttpClient extends AsyncDisposable {
  /**
   * Resolves with the head of the response; read, or `discard()`, its body to free the connection.
   * @throws HttpClientError
   */
  request(request: ClientRequest): Promise<ClientResponse>;
  readonly counters: HttpClientCounters;
  /** Ends all connections; requests under way fail with `aborted`. */
  close(): Promise<void>;
}

export interface HttpClientCounters {
  /** Open now, or being opened. */
  readonly connections: number;
  /** Of these without an exchange. */
  readonly free: number;
  /** Requests that wait for a connection now. */
  readonly waiting: number;
  /** Connections opened since the start. */
  readonly opened: number;
  /** Exchanges begun on a connection that had served before. */
  readonly reused: number;
  /** Requests asked for by callers. */
  readonly requests: number;
  /** Exchanges that repeated a request. */
  readonly repeated: number;
  /** Redirections followed. */
  readonly redirected: number;
  /** Requests that ended without an answer. */
  readonly failed: number;
}

/** @throws HttpClientError `invalid-request` for options that contradict each other */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return new Client(settingsOf(options));
}

class Client implements HttpClient {
  readonly #settings: ClientSettings;
  readonly #pool: Pool;
  readonly #closing = new AbortController();
  #requestCount = 0;
  #repeatedCount = 0;
  #redirectedCount = 0;
  #failedCount = 0;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#pool = new Pool(settings);
  }

  get counters(): HttpClientCounters {
    return {
      ...this.#pool.counts,
      requests: this.#requestCount,
      repeated: this.#repeatedCount,
      redirected: this.#redirectedCount,
      failed: this.#failedCount,
    };
  }

  async request(request: ClientRequest): Promise<ClientResponse> {
    this.#requestCount++;
    const { signal, totalTimeoutMs } = request;
    const cancellation = new Cancellation(this.#settings.clock, this.#closing.signal, signal, totalTimeoutMs);
    try {
      cancellation.check();
      return decoded(request, await this.#answerTo(request, cancellation));
    } catch (thrown) {
      this.#failedCount++;
      throw thrown;
    } finally {
      cancellation.last();
    }
  }

  /** The plain case goes straight through: each promise on the way costs as much as parsing a small answer. */
  #answerTo(request: ClientRequest, cancellation: Cancellation): Promise<ClientResponse> {
    const { redirect } = request;
    return redirect === undefined
      ? this.#persist(request, cancellation)
      : this.#follow(request, redirect, cancellation);
  }

  async #follow(
    first: ClientRequest,
    policy: RedirectPolicy,
    cancellation: Cancellation,
  ): Promise<ClientResponse> {
    if (!Number.isInteger(policy.follow) || policy.follow < 0 || policy.follow > MAX_REDIRECTS)
      throw invalid(`redirect.follow is not 0 to ${MAX_REDIRECTS}`);
    let request = first;
    for (let count = 0; ; count++) {
      const response = await this.#persist(request, cancellation);
      if (policy.follow === 0) return response;
      const next = this.#nextOf(request, policy, response);
      if (next === undefined) return response;
      response.body.discard();
      if (count === policy.follow)
        throw new HttpClientError('too-many-redirects', `redirected more than ${policy.follow} times`, {
          answerBegun: true,
        });
      this.#redirectedCount++;
      request = next;
    }
  }

  #nextOf(
    request: ClientRequest,
    policy: RedirectPolicy,
    response: ClientResponse,
  ): ClientRequest | undefined {
    try {
      return redirected(request, policy, response.status, response.headers);
    } catch (thrown) {
      response.body.discard();
      throw thrown;
    }
  }

  /** Sends it again as often as the server asks, and the caller allows. */
  #persist(request: ClientRequest, cancellation: Cancellation): Promise<ClientResponse> {
    const { retryAfter } = request;
    return retryAfter === undefined
      ? this.#send(request, cancellation)
      : this.#sendAgain(request, retryAfter, cancellation);
  }

  async #sendAgain(
    request: ClientRequest,
    policy: RetryAfterPolicy,
    cancellation: Cancellation,
  ): Promise<ClientResponse> {
    const { clock } = this.#settings;
    for (let attempt = 0; ; attempt++) {
      const response = await this.#send(request, cancellation);
      const waitMs = retryAfterMs(request, policy, attempt, response, clock.now());
      if (waitMs === undefined) return response;
      response.body.discard();
      this.#repeatedCount++;
      await clock.sleep(waitMs, cancellation.signal).catch(() => cancellation.check());
    }
  }

  async #send(request: ClientRequest, cancellation: Cancellation): Promise<ClientResponse> {
    const route = this.#routeOf(request, parseRequestUrl(request.url));
    const call: Call = { request, outgoing: outgoingOf(request, route), cancellation };
    // Who wants an answer soon does not wait longer than that for a connection.
    const waitMs = Math.min(this.#settings.bounds.queueTimeoutMs, call.outgoing.timeoutMs);
    const { connection, isReused } =
      this.#pool.takeFree(route) ?? (await this.#pool.acquire(route, cancellation, waitMs));
    try {
      return await connection.exchange(call);
    } catch (thrown) {
      if (!(thrown instanceof HttpClientError) || !mayRepeat(thrown, request, isReused)) throw thrown;
    }
    // The server closed the kept connection just as we wrote: once more, on a fresh one.
    cancellation.check();
    this.#repeatedCount++;
    const second = await this.#pool.acquire(route, cancellation, waitMs);
    return second.connection.exchange(call);
  }

  #routeOf(request: ClientRequest, url: RequestUrl): Route {
    const { proxy } = this.#settings;
    if (proxy === undefined || isExcepted(url, proxy.except))
      return { url, proxy: undefined, isTunnel: false };
    return { url, proxy, isTunnel: url.secure || request.upgrade !== undefined };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function decoded(request: ClientRequest, response: ClientResponse): ClientResponse {
  if (request.decoding === undefined || response.upgraded !== undefined) return response;
  try {
    return { ...response, body: request.decoding.decode(response) };
  } catch (cause) {
    response.body.discard();
    const message = 'the coding of the content is not one to decode';
    throw new HttpClientError('malformed-response', message, { cause, answerBegun: true });
  }
}

function invalid(message: string): HttpClientError {
  return new HttpClientError('invalid-request', message, { fault: 'local', unsent: true });
}
