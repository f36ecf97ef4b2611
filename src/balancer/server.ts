/** Listeners, pools and checks put together. */
import type { Health, Host, RunningService } from '../core/lifecycle.ts';
import type { Endpoint, TlsIdentity } from '../core/net/network.ts';
import { createHostRule } from '../http/access/index.ts';
import {
  createHttpClient,
  DEFAULT_HTTP_LIMITS,
  type HttpClient,
  type HttpLimits,
  type HttpServer,
  startHttpServer,
} from '../http/index.ts';
import { HealthChecker } from './checker.ts';
import { Pool, type PoolPlan, type Server, type Transition } from './engine/pool.ts';
import type { RouteOptions } from './engine/routes.ts';
import { BalancerError } from './errors.ts';
import { MAX_TRANSITIONS } from './limits.ts';
import { managementHandler } from './management.ts';
import { BalancerMetrics } from './metrics.ts';
import { type BalancerOptions, checkOptions, DEFAULT_BALANCER_OPTIONS, type PoolOptions } from './options.ts';
import { ReverseProxy } from './proxy.ts';

export interface ServerStatus {
  readonly address: string;
  readonly health: 'unknown' | 'up' | 'down';
  readonly draining: boolean;
  /** Why the last check or connect failed. */
  readonly failure?: string;
  /** Requests and tunnels under way. */
  readonly active: number;
  readonly requests: number;
  readonly failures: number;
}

export interface BalancerStatus {
  readonly pools: readonly { readonly name: string; readonly servers: readonly ServerStatus[] }[];
  readonly routes: readonly RouteOptions[];
  readonly connections: number;
  readonly tunnels: number;
  /** Changes of health, the newest last. */
  readonly transitions: readonly Transition[];
}

export interface Balancer extends RunningService {
  status(): BalancerStatus;
  /** The server gets nothing new; what is under way finishes. @throws BalancerError `no-such-server` */
  drain(pool: string, server: string): void;
  /** Takes a drain back. @throws BalancerError `no-such-server` */
  undrain(pool: string, server: string): void;
}

/** What cannot be written in a configuration file. */
export interface BalancerExtras {
  readonly tls?: TlsIdentity;
  /** Addresses of a server's name; the machine's resolver when absent. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly httpLimits?: Partial<HttpLimits>;
}

/**
 * @throws BalancerError `bad-configuration`
 * @throws NetError `address-in-use`, `listen-failed`
 */
export async function startBalancer(
  options: Partial<BalancerOptions> & BalancerExtras,
  host: Host,
): Promise<Balancer> {
  const { tls, resolve, httpLimits, ...given } = options;
  const settings = { ...DEFAULT_BALANCER_OPTIONS, ...given };
  checkOptions(settings);
  const service = new BalancerService(settings, host, { resolve, httpLimits });
  await service.start(tls, httpLimits);
  return service;
}

class BalancerService implements Balancer {
  readonly name = 'balancer';
  readonly #options: BalancerOptions;
  readonly #host: Host;
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #client: HttpClient;
  readonly #checkClient: HttpClient;
  readonly #checkers: readonly HealthChecker[];
  readonly #proxy: ReverseProxy;
  readonly #transitions: Transition[] = [];
  #front: HttpServer | undefined;
  #management: HttpServer | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    options: BalancerOptions,
    host: Host,
    extras: { resolve: BalancerExtras['resolve'] | undefined; httpLimits: Partial<HttpLimits> | undefined },
  ) {
    this.#options = options;
    this.#host = host;
    const changed = (transition: Omit<Transition, 'atMs'>): void => this.#changed(transition);
    this.#pools = new Map(
      Object.entries(options.pools).map(([name, pool]) => [name, new Pool(name, planOf(pool), changed)]),
    );
    const common = {
      network: host.network,
      clock: host.clock,
      connectTimeoutMs: options.connectTimeoutMs,
      maxConnectionsPerOrigin: options.maxConnectionsPerServer,
      ...(extras.resolve === undefined ? {} : { resolve: extras.resolve }),
    };
    this.#client = createHttpClient({
      ...common,
      ...(extras.httpLimits === undefined ? {} : { limits: towardsServers(extras.httpLimits) }),
    });
    this.#checkClient = createHttpClient(common);
    this.#checkers = [...this.#pools.values()].flatMap((pool) => {
      const health = options.pools[pool.name]?.health;
      return health === undefined ? [] : [new HealthChecker(pool, health, host, this.#checkClient)];
    });
    const metrics = new BalancerMetrics(host.observer);
    const answersTo = createHostRule({
      allowedHosts: options.allowedHosts,
      served: options.routes.flatMap((route) => route.host ?? []),
      address: () => this.#front!.endpoint.address,
    });
    this.#proxy = new ReverseProxy({
      options,
      answersTo,
      host,
      pools: this.#pools,
      client: this.#client,
      metrics,
    });
    for (const pool of this.#pools.values()) {
      const help = 'Servers that get requests';
      host.observer.metrics.gauge(
        'octet_balancer_ready_servers',
        help,
        { pool: pool.name },
        () => pool.readyCount,
      );
    }
  }

  async start(tls: TlsIdentity | undefined, limits: Partial<HttpLimits> | undefined): Promise<void> {
    const { host, port, managementHost, managementPort } = this.#options;
    this.#front = await startHttpServer({
      host: this.#host,
      address: { host, port },
      handler: this.#proxy.handle,
      ...(tls === undefined ? {} : { tls }),
      ...(limits === undefined ? {} : { limits }),
    });
    try {
      this.#management = await startHttpServer({
        host: this.#host,
        address: { host: managementHost, port: managementPort },
        handler: managementHandler(this),
        name: 'management',
        ...(limits === undefined ? {} : { limits }),
      });
    } catch (thrown) {
      await this.#front.close(0);
      throw thrown;
    }
    for (const checker of this.#checkers) checker.start();
  }

  get endpoints(): Readonly<Record<string, Endpoint>> {
    return { main: this.#front!.endpoint, management: this.#management!.endpoint };
  }

  health(): Health {
    const empty = [...this.#pools.values()]
      .filter((pool) => pool.pick() === undefined)
      .map((pool) => pool.name);
    if (empty.length === 0) return { state: 'ok' };
    return { state: 'degraded', reason: `no server is ready in ${empty.join(', ')}` };
  }

  status(): BalancerStatus {
    return {
      pools: [...this.#pools.values()].map((pool) => ({
        name: pool.name,
        servers: pool.servers.map(statusOf),
      })),
      routes: this.#options.routes,
      connections: this.#front?.connectionCount ?? 0,
      tunnels: this.#proxy.tunnelCount,
      transitions: this.#transitions,
    };
  }

  drain(pool: string, server: string): void {
    this.#server(pool, server).draining = true;
  }

  undrain(pool: string, server: string): void {
    this.#server(pool, server).draining = false;
  }

  #server(poolName: string, address: string): Server {
    const server = this.#pools.get(poolName)?.servers.find((one) => one.address === address);
    if (server === undefined) throw new BalancerError('no-such-server', 'no such pool or server');
    return server;
  }

  #changed(transition: Omit<Transition, 'atMs'>): void {
    this.#transitions.push({ atMs: this.#host.clock.now(), ...transition });
    if (this.#transitions.length > MAX_TRANSITIONS) this.#transitions.shift();
    const { log } = this.#host.observer;
    if (transition.to === 'down') log.warn('server is down', { ...transition });
    else log.info('server is up', { ...transition });
  }

  close(drainTimeoutMs = 5_000): Promise<void> {
    this.#closing ??= this.#close(drainTimeoutMs);
    return this.#closing;
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    for (const checker of this.#checkers) checker.stop();
    await this.#front!.close(drainTimeoutMs);
    this.#proxy.closeTunnels();
    await Promise.all([this.#management!.close(0), this.#client.close(), this.#checkClient.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function statusOf(server: Server): ServerStatus {
  const { address, health, draining, failure, active, requests, failures } = server;
  return {
    address,
    health,
    draining,
    active,
    requests,
    failures,
    ...(failure === undefined ? {} : { failure }),
  };
}

function planOf({ servers, health }: PoolOptions): PoolPlan {
  if (health === undefined) return { servers };
  return { servers, checks: { rise: health.rise ?? 2, fall: health.fall ?? 3 } };
}

/** What a message holds, by which a listener bounds requests. */
const OF_MESSAGES = [
  'headBytes',
  'fieldCount',
  'fieldBytes',
  'bodyBytes',
  'chunkExtensionBytes',
  'trailerBytes',
] as const satisfies readonly (keyof HttpLimits)[];

/**
 * Of the listeners' bounds, what holds for the servers' answers too. Strangers may be held to less than our own servers:
 * a file is longer than the form that asks for it. The bound for idle connections is the client's own.
 */
function towardsServers({ keepAliveTimeoutMs: _, ...limits }: Partial<HttpLimits>): Partial<HttpLimits> {
  const ofAnswers = OF_MESSAGES.map((name) => {
    const standard = DEFAULT_HTTP_LIMITS[name];
    return [name, Math.max(limits[name] ?? standard, standard)] as const;
  });
  return { ...limits, ...Object.fromEntries(ofAnswers) };
}
