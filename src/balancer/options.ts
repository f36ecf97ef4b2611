/** How a balancer is configured: plain values, checked once at the start. */
import { isAllowedHost, isHostName } from '../http/access/index.ts';
import type { RouteOptions } from './engine/routes.ts';
import { BalancerError } from './errors.ts';

export interface HealthOptions {
  /** Asked with GET; 200 to 399 is healthy. */
  readonly path: string;
  /** Between two checks of one server, milliseconds, ± 10 %. Default 2,000. */
  readonly intervalMs?: number;
  /** For the whole check, milliseconds. Default 1,000. */
  readonly timeoutMs?: number;
  /** Successes in a row until a server is up. Default 2. */
  readonly rise?: number;
  /** Failures in a row until a server is down. Default 3. */
  readonly fall?: number;
}

export interface PoolOptions {
  /** `address:port` or `name:port`. */
  readonly servers: readonly string[];
  /** Without it every server counts as up. */
  readonly health?: HealthOptions;
}

export interface BalancerOptions {
  readonly host: string;
  /** 0 lets the operating system choose. */
  readonly port: number;
  readonly managementHost: string;
  readonly managementPort: number;
  readonly pools: Readonly<Record<string, PoolOptions>>;
  readonly routes: readonly RouteOptions[];
  /** Our name in Via and Proxy-Status; a request that bears it already has come in a circle. */
  readonly name: string;
  /**
   * Names that clients call us by, beside the hosts of the routes, addresses, names without a dot and those that nobody
   * can own (`localhost`, `a.test`): `shop.example.com`, `*.shop.example.com`, or `*` for all. Another Host is refused on
   * loopback, where web pages could reach us by names of their own; elsewhere only once this is given.
   */
  readonly allowedHosts?: readonly string[];
  /** Addresses of proxies in front of us, whose X-Forwarded-… and Forwarded fields are believed and extended. */
  readonly trustedProxies: readonly string[];
  /** Time to connect to a server, milliseconds. */
  readonly connectTimeoutMs: number;
  /** Time for the head of a server's response, per try, milliseconds. */
  readonly responseTimeoutMs: number;
  /** A tunnel (WebSocket) without a byte either way for this long is closed, milliseconds. */
  readonly tunnelIdleTimeoutMs: number;
  /** Connections to one server; further requests wait. */
  readonly maxConnectionsPerServer: number;
}

export const DEFAULT_BALANCER_OPTIONS: BalancerOptions = {
  host: '127.0.0.1',
  port: 8080,
  managementHost: '127.0.0.1',
  managementPort: 8081,
  pools: {},
  routes: [],
  name: 'octet',
  trustedProxies: [],
  connectTimeoutMs: 1_000,
  responseTimeoutMs: 30_000,
  tunnelIdleTimeoutMs: 3_600_000,
  maxConnectionsPerServer: 256,
};

/** @throws BalancerError `bad-configuration` naming the place */
export function checkOptions(options: BalancerOptions): void {
  for (const [name, pool] of Object.entries(options.pools)) checkPool(name, pool);
  for (const [at, route] of options.routes.entries()) checkRoute(`routes[${at}]`, route, options);
  const notAHost = options.allowedHosts?.find((name) => !isAllowedHost(name));
  if (notAHost !== undefined)
    throw bad('allowedHosts', `has ${JSON.stringify(notAHost)}, which is no host name`);
  if (!isName(options.name)) throw bad('name', 'is letters, digits, dots and hyphens');
}

function checkPool(name: string, pool: PoolOptions): void {
  if (pool.servers.length === 0) throw bad(`pools.${name}.servers`, 'is empty');
  if (new Set(pool.servers).size < pool.servers.length)
    throw bad(`pools.${name}.servers`, 'names a server twice');
  for (const server of pool.servers) {
    if (portOf(server) === undefined)
      throw bad(`pools.${name}.servers`, `has ${server}, which is not host:port`);
  }
  const { health } = pool;
  if (health === undefined) return;
  if (!health.path.startsWith('/')) throw bad(`pools.${name}.health.path`, 'does not begin with a slash');
  for (const key of ['intervalMs', 'timeoutMs', 'rise', 'fall'] as const) {
    const value = health[key];
    if (value !== undefined && !(Number.isFinite(value) && value >= 1))
      throw bad(`pools.${name}.health.${key}`, 'is below 1');
  }
}

function checkRoute(place: string, route: RouteOptions, options: BalancerOptions): void {
  if (route.host !== undefined && !isHostName(route.host))
    throw bad(`${place}.host`, `is ${JSON.stringify(route.host)}, which is no host name`);
  if (!route.pathPrefix.startsWith('/')) throw bad(`${place}.pathPrefix`, 'does not begin with a slash');
  if (options.pools[route.pool] === undefined)
    throw bad(`${place}.pool`, `names ${route.pool}, which is no pool`);
  const { addPrefix } = route;
  if (addPrefix !== undefined && (!addPrefix.startsWith('/') || addPrefix.endsWith('/'))) {
    throw bad(`${place}.addPrefix`, 'begins with a slash and does not end in one');
  }
}

/** The port of `host:port`, `[v6]:port`; undefined when it is neither. */
function portOf(server: string): number | undefined {
  const colon = server.lastIndexOf(':');
  const host = server.slice(0, colon);
  const port = server.slice(colon + 1);
  const bare = host.startsWith('[') ? host.endsWith(']') : !host.includes(':');
  if (colon < 1 || !bare || port === '' || host.includes('/') || host.includes('@')) return undefined;
  for (const digit of port) if (digit < '0' || digit > '9') return undefined;
  const number = Number(port);
  return number >= 1 && number <= 65_535 ? number : undefined;
}

function isName(text: string): boolean {
  for (const character of text.toLowerCase()) {
    if (!'abcdefghijklmnopqrstuvwxyz0123456789.-'.includes(character)) return false;
  }
  return text.length > 0;
}

function bad(place: string, what: string): BalancerError {
  return new BalancerError('bad-configuration', `${place} ${what}`);
}
