/**
 * One request on its way through: route, pick, send, and the answer back. Bodies stream both ways; what the
 * server sends is held to the same grammar as what clients send.
 */
import { messageOf } from '../core/errors.ts';
import type { Host } from '../core/lifecycle.ts';
import type { Connection } from '../core/net/network.ts';
import type { HostRule } from '../http/access/index.ts';
import {
  type Body,
  type ClientRequest,
  type ClientResponse,
  type Handler,
  type HeaderList,
  type HttpClient,
  HttpClientError,
  type HttpRequest,
  type HttpResponse,
  problem,
  takeArrived,
} from '../http/index.ts';
import { disguisedField, isLoop, plainAddress, requestFields, responseFields } from './engine/forwarding.ts';
import type { Pool, Server } from './engine/pool.ts';
import { mayRetry, RetryBudget } from './engine/retry.ts';
import { hasDotSegment, type Route, RouteTable, rewrite } from './engine/routes.ts';
import { REFUSALS, type Reason } from './errors.ts';
import { MAX_TRIES } from './limits.ts';
import type { BalancerMetrics } from './metrics.ts';
import type { BalancerOptions } from './options.ts';
import { joinConnections } from './tunnel.ts';

export interface ProxyParts {
  readonly options: BalancerOptions;
  readonly answersTo: HostRule;
  readonly host: Pick<Host, 'clock' | 'observer'>;
  readonly pools: ReadonlyMap<string, Pool>;
  readonly client: HttpClient;
  readonly metrics: BalancerMetrics;
}

/** What became of a request, for its span. */
interface Journey {
  readonly request: HttpRequest;
  readonly startMs: number;
  readonly startMonotonicMs: number;
  readonly tried: Set<Server>;
  /** Holds a place in the retry budget. */
  retried: boolean;
  ended: boolean;
}

export class ReverseProxy {
  readonly #parts: ProxyParts;
  readonly #routes: RouteTable;
  readonly #budget = new RetryBudget();
  readonly #trusted: ReadonlySet<string>;
  readonly #tunnels = new Set<() => void>();

  constructor(parts: ProxyParts) {
    this.#parts = parts;
    this.#routes = new RouteTable(parts.options.routes);
    this.#trusted = new Set(parts.options.trustedProxies);
  }

  get tunnelCount(): number {
    return this.#tunnels.size;
  }

  /** Cuts the tunnels that are left. */
  closeTunnels(): void {
    for (const cut of [...this.#tunnels]) cut();
  }

  readonly handle: Handler = (request) => {
    const { clock } = this.#parts.host;
    const journey: Journey = {
      request,
      startMs: clock.now(),
      startMonotonicMs: clock.monotonic(),
      tried: new Set(),
      retried: false,
      ended: false,
    };
    this.#budget.begin();
    return this.#route(journey);
  };

  #route(journey: Journey): HttpResponse | Promise<HttpResponse> {
    const { request } = journey;
    const { answersTo, options } = this.#parts;
    if (!answersTo(request.headers)) {
      return this.#refuse(
        journey,
        'foreign-host',
        'Host is no name of this server; allowedHosts lists those that are',
      );
    }
    if (disguisedField(request.headers) !== undefined) {
      return this.#refuse(
        journey,
        'malformed-request',
        'a field name with an underscore stands for another field',
      );
    }
    if (hasDotSegment(request.path))
      return this.#refuse(journey, 'malformed-request', 'the path has a dot segment');
    if (isLoop(request.headers, options.name))
      return this.#refuse(journey, 'loop', 'the request has been here before');
    const hops = hopsLeft(request);
    if (hops === 'malformed') return this.#refuse(journey, 'malformed-request', 'Max-Forwards is no number');
    if (request.target === '*' || hops === 0) return this.#ownOptions(journey);
    const route = this.#routes.find(request.headers.get('host') ?? '', request.path);
    if (route === undefined) return this.#refuse(journey, 'no-route', 'no route leads from this path');
    return this.#forward(journey, route, this.#parts.pools.get(route.pool)!);
  }

  /** OPTIONS for us rather than for a server. RFC 9110 sections 7.6.2 and 9.3.7. */
  #ownOptions(journey: Journey): HttpResponse {
    this.#end(journey, 204, 'own');
    return { status: 204, headers: [['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']] };
  }

  // ── Towards the server ────────────────────────────────────────────────────────────────────────────────

  async #forward(journey: Journey, route: Route, pool: Pool): Promise<HttpResponse> {
    const outgoing = this.#outgoing(journey.request, route);
    for (;;) {
      const server = pool.pick(journey.tried);
      if (server === undefined) return this.#noServer(journey, pool);
      journey.tried.add(server);
      server.active++;
      server.requests++;
      try {
        const response = await this.#parts.client.request({
          ...outgoing,
          url: `http://${server.address}${outgoing.url}`,
        });
        return this.#answer(journey, pool, server, response);
      } catch (thrown) {
        server.active--;
        if (this.#giveUp(journey, pool, server, thrown)) {
          return this.#refuse(journey, reasonOf(thrown), describe(thrown), pool, server);
        }
        this.#parts.metrics.retries.value++;
      }
    }
  }

  /** Accounts for a failed try. @returns true when there will be no other */
  #giveUp(journey: Journey, pool: Pool, server: Server, thrown: unknown): boolean {
    const reason = reasonOf(thrown);
    if (reason === 'client-closed') return true;
    server.failures++;
    if (reason === 'connect-failed' || reason === 'connect-timeout') pool.failed(server, describe(thrown));
    const { request } = journey;
    const failed = {
      method: request.method,
      hasContent: request.body.sizeBytes !== 0,
      unsent: thrown instanceof HttpClientError && thrown.unsent,
      lost: reason === 'server-closed',
    };
    if (!mayRetry(failed) || journey.tried.size >= MAX_TRIES || pool.pick(journey.tried) === undefined)
      return true;
    if (journey.retried) return false;
    journey.retried = this.#budget.take();
    return !journey.retried;
  }

  #noServer(journey: Journey, pool: Pool): HttpResponse {
    return this.#refuse(journey, 'no-server', `no server of pool ${pool.name} is ready`, pool);
  }

  /** `url` holds only the target here; the server's address comes in front. */
  #outgoing(request: HttpRequest, route: Route): ClientRequest {
    const { options } = this.#parts;
    const remote = plainAddress(request.remote.address);
    const fields = requestFields(request.headers, {
      clientAddress: remote,
      secure: request.secure,
      requestId: request.id,
      via: options.name,
      version: request.version,
      trusted: this.#trusted.has(remote),
    });
    const hops = hopsLeft(request);
    const passed = typeof hops === 'number' ? withHops(fields, hops - 1) : fields;
    const { sizeBytes } = request.body;
    const hasContent = sizeBytes !== 0;
    const upgrade = hasContent ? undefined : request.upgrade;
    return {
      method: request.method,
      url: rewrite(route, request.target),
      headers:
        sizeBytes === undefined || !this.#declaresLength(request) ? passed : withLength(passed, sizeBytes),
      signal: request.signal,
      timeoutMs: options.responseTimeoutMs,
      ...(hasContent ? { body: request.body, expectContinue: request.expectContinue } : {}),
      ...(upgrade === undefined ? {} : { upgrade }),
    };
  }

  #declaresLength(request: HttpRequest): boolean {
    return request.body.sizeBytes !== 0 || request.headers.has('content-length');
  }

  // ── Back to the client ────────────────────────────────────────────────────────────────────────────────

  #answer(journey: Journey, pool: Pool, server: Server, response: ClientResponse): HttpResponse {
    const fields = responseFields(response.headers, journey.request.id);
    this.#parts.metrics.answered(pool.name, response.status);
    if (response.upgraded !== undefined) return this.#tunnel(journey, pool, server, response, fields);
    const done = (outcome: string): void => {
      server.active--;
      if (outcome !== '') server.failures++;
      this.#end(journey, response.status, `${pool.name} ${server.address}${outcome}`);
    };
    const declared = response.headers.get('content-length');
    const headers =
      declared === undefined || response.status === 204 ? fields : withLength(fields, Number(declared));
    if (response.body.sizeBytes === 0) {
      done('');
      return { status: response.status, headers };
    }
    // A short answer has come whole: it goes out in one write. One with trailers keeps its chunks.
    const hasTrailers = !response.body.trailers()[Symbol.iterator]().next().done;
    const whole = hasTrailers ? undefined : takeArrived(response.body);
    if (whole !== undefined) {
      done('');
      return { status: response.status, headers, body: whole };
    }
    return {
      status: response.status,
      headers,
      body: new PassingBody(response.body, done),
      trailers: () => [...response.body.trailers()],
    };
  }

  #tunnel(
    journey: Journey,
    pool: Pool,
    server: Server,
    response: ClientResponse,
    fields: HeaderList,
  ): HttpResponse {
    const { connection: upstream, early } = response.upgraded!;
    const protocol = response.headers.get('upgrade') ?? '';
    return {
      status: 101,
      headers: [...fields, ['Upgrade', protocol]],
      upgrade: (client, clientEarly) => {
        this.#parts.metrics.tunnels.value++;
        this.#join(client, upstream, { client: clientEarly, server: early }, () => {
          server.active--;
          this.#end(journey, 101, `${pool.name} ${server.address} ${protocol}`);
        });
      },
    };
  }

  #join(
    client: Connection,
    server: Connection,
    early: { client: Buffer; server: Buffer },
    ended: () => void,
  ): void {
    const cut = (): void => {
      client.destroy();
      server.destroy();
    };
    this.#tunnels.add(cut);
    joinConnections(client, server, early, {
      clock: this.#parts.host.clock,
      idleTimeoutMs: this.#parts.options.tunnelIdleTimeoutMs,
      closed: () => {
        this.#tunnels.delete(cut);
        ended();
      },
    });
  }

  #refuse(journey: Journey, reason: Reason, detail: string, pool?: Pool, server?: Server): HttpResponse {
    const { status, proxyStatus } = REFUSALS[reason];
    const { request } = journey;
    this.#parts.metrics.refused(reason);
    if (reason === 'internal')
      this.#parts.host.observer.log.error('proxy failed', { id: request.id, detail });
    this.#end(
      journey,
      status,
      [pool?.name, server?.address, reason].filter((part) => part !== undefined).join(' '),
    );
    const headers: [string, string][] = [
      ['Proxy-Status', `${this.#parts.options.name}; error=${proxyStatus}`],
      ['X-Request-Id', request.id],
    ];
    if (status === 503) headers.push(['Retry-After', '1']);
    // Only what we worded ourselves is told: messages of the client library may name addresses behind us.
    const told = server === undefined ? detail : SENTENCES[reason];
    return problem(status, { detail: told ?? detail, extensions: { reason }, headers });
  }

  #end(journey: Journey, status: number, detail: string): void {
    if (journey.ended) return;
    journey.ended = true;
    this.#budget.end(journey.retried);
    const { clock, observer } = this.#parts.host;
    const { request } = journey;
    const durationMs = clock.monotonic() - journey.startMonotonicMs;
    this.#parts.metrics.seconds.observe(durationMs / 1_000);
    observer.span({
      operation: `${request.method} ${request.path}`,
      outcome: String(status),
      requestId: request.id,
      startMs: journey.startMs,
      durationMs,
      detail,
    });
  }
}

/** How often an OPTIONS may still be forwarded; for other methods Max-Forwards means nothing. */
function hopsLeft(request: HttpRequest): number | undefined | 'malformed' {
  const value = request.method === 'OPTIONS' ? request.headers.get('max-forwards') : undefined;
  if (value === undefined) return undefined;
  const isNumber =
    value.length > 0 && value.length < 10 && [...value].every((digit) => digit >= '0' && digit <= '9');
  return isNumber ? Number(value) : 'malformed';
}

const SENTENCES: Readonly<Partial<Record<Reason, string>>> = {
  'connect-failed': 'the server could not be reached',
  'connect-timeout': 'the server could not be reached in time',
  'tls-failed': 'the server could not be reached by TLS',
  'server-busy': 'all connections to the server are busy',
  'server-timeout': 'the server did not answer in time',
  'server-closed': 'the server closed the connection before it answered',
  'malformed-response': 'the server’s answer was not valid HTTP',
  'client-closed': 'the client closed the connection',
  internal: 'the balancer failed',
};

/** The reason behind whatever the HTTP client threw. */
function reasonOf(thrown: unknown): Reason {
  if (!(thrown instanceof HttpClientError)) return 'internal';
  switch (thrown.code) {
    case 'connect-failed':
    case 'connect-timeout':
    case 'tls-failed':
    case 'malformed-response':
      return thrown.code;
    case 'resolve-failed':
    case 'resolve-timeout':
    case 'address-refused':
    case 'proxy-failed':
      return 'connect-failed';
    case 'proxy-timeout':
      return 'connect-timeout';
    case 'tls-timeout':
    case 'certificate-refused':
      return 'tls-failed';
    case 'pool-timeout':
    case 'queue-full':
      return 'server-busy';
    case 'response-timeout':
    case 'send-timeout':
    case 'body-timeout':
    case 'total-timeout':
      return 'server-timeout';
    case 'connection-lost':
      return 'server-closed';
    case 'aborted':
    case 'request-body-failed':
      return 'client-closed';
    case 'invalid-request':
    case 'redirect-refused':
    case 'too-many-redirects':
      return 'internal';
  }
}

function describe(thrown: unknown): string {
  return messageOf(thrown);
}

function withHops(fields: HeaderList, hops: number): HeaderList {
  return fields.map(([name, value]) => [name, name.toLowerCase() === 'max-forwards' ? String(hops) : value]);
}

function withLength(fields: HeaderList, sizeBytes: number): HeaderList {
  return [...fields, ['Content-Length', String(sizeBytes)]];
}

/** A response's content on its way back, that tells once how it ended. */
class PassingBody implements AsyncIterable<Buffer> {
  readonly #body: Body;
  #done: ((outcome: string) => void) | undefined;

  /** @param done told '' or what went wrong */
  constructor(body: Body, done: (outcome: string) => void) {
    this.#body = body;
    this.#done = done;
  }

  /** The client wants no content, or is gone. */
  discard(): void {
    this.#body.discard();
    this.#finish('');
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    try {
      yield* this.#body;
      this.#finish('');
    } catch (thrown) {
      this.#finish(` cut: ${messageOf(thrown)}`);
      throw thrown;
    } finally {
      this.#finish(' client closed');
    }
  }

  #finish(outcome: string): void {
    this.#done?.(outcome);
    this.#done = undefined;
  }
}
