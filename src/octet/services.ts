/**
 * How each service is started from the configuration. Modules are loaded when their service is wanted, so
 * that one service alone starts without the other seven.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ApiOptions } from '../api/index.ts';
import type { PoolOptions, RouteOptions } from '../balancer/index.ts';
import { ConfigError } from '../core/config/config.ts';
import { messageOf } from '../core/errors.ts';
import { systemFiles } from '../core/files/system-files.ts';
import type { Host, RunningService } from '../core/lifecycle.ts';
import type { OctetConfig, ServiceName } from './config.ts';
import { apiHosts } from './hosts.ts';
import { portOf } from './ports.ts';
import { type Endpoints, hostPort, serviceEnv } from './urls.ts';

export interface StartContext {
  readonly config: OctetConfig;
  /** Files named in the configuration lie beside it. */
  readonly baseDir: string;
  /** What runs already in this process. */
  readonly endpoints: Endpoints;
  host(service: string): Host;
  /** The numbers of this process, in Prometheus' text format. */
  metricsText(): Promise<string>;
  /** Takes a started service over, so that it is closed whatever happens after. */
  keep(service: RunningService): void;
}

/** Starts one service, the API all its instances. What the configuration declares is there when it resolves. */
export type Starter = (context: StartContext) => Promise<void>;

export const starters: Readonly<Record<ServiceName, Starter>> = {
  async dns(context) {
    const { startDns, DEFAULT_DNS_OPTIONS } = await import('../dns/index.ts');
    const { config } = context;
    const zones = await Promise.all(
      Object.entries(config.dns.zones).map(async ([origin, source]) => ({
        origin,
        text: await zoneText(context, source),
      })),
    );
    const options = {
      ...DEFAULT_DNS_OPTIONS,
      host: config.host,
      port: portOf(config, config.dns.port),
      zones,
      recursion: config.dns.recursion,
      allowRecursion: config.dns.allowRecursion,
      forward: config.dns.forward,
      ...(config.dns.rootHints === undefined ? {} : { rootHints: config.dns.rootHints }),
    };
    context.keep(await startDns(options, context.host('dns')));
  },

  async mail(context) {
    const { startMail, DEFAULT_MAIL_OPTIONS } = await import('../mail/index.ts');
    const { config } = context;
    const { startTls, port, httpPort, ...rest } = config.mail;
    const host = context.host('mail');
    const tls = async () => {
      const { createDevelopmentIdentity } = await import('../core/net/certificates.ts');
      return createDevelopmentIdentity(host.clock, [config.mail.hostname, 'localhost', '127.0.0.1']);
    };
    const options = {
      ...DEFAULT_MAIL_OPTIONS,
      ...rest,
      host: config.host,
      port: portOf(config, port),
      httpPort: portOf(config, httpPort),
      httpLimits: config.http,
      ...(startTls ? { tls } : {}),
    };
    context.keep(await startMail(options, host));
  },

  async cache(context) {
    const { startCache, DEFAULT_CACHE_OPTIONS } = await import('../cache/index.ts');
    const { config } = context;
    const { port, password, ...rest } = config.cache;
    const options = {
      ...DEFAULT_CACHE_OPTIONS,
      ...rest,
      host: config.host,
      port: portOf(config, port),
      ...(password === '' ? {} : { password }),
    };
    context.keep(await startCache(options, context.host('cache')));
  },

  async queue(context) {
    const { startQueue, DEFAULT_QUEUE_OPTIONS } = await import('../queue/index.ts');
    const { config } = context;
    const { port, managementPort, user, password } = config.queue;
    const options = {
      ...DEFAULT_QUEUE_OPTIONS,
      host: config.host,
      port: portOf(config, port),
      managementPort: portOf(config, managementPort),
      user,
      password,
      // Beyond loopback a password of one's own has been required already.
      plainLogin: 'anywhere' as const,
      httpLimits: config.http,
    };
    const host = context.host('queue');
    context.keep(await startQueue(options, host));
    await declareQueues(context, host);
  },

  async objects(context) {
    const { startObjects, DEFAULT_OBJECTS_OPTIONS } = await import('../objects/index.ts');
    const { config } = context;
    const options = {
      ...DEFAULT_OBJECTS_OPTIONS,
      ...config.objects,
      host: config.host,
      port: portOf(config, config.objects.port),
      httpLimits: config.http,
    };
    context.keep(await startObjects(options, context.host('objects')));
  },

  async database(context) {
    const { startDatabase, DEFAULT_DATABASE_OPTIONS } = await import('../database/index.ts');
    const { config } = context;
    const { port, user, password, database } = config.database;
    const options = {
      ...DEFAULT_DATABASE_OPTIONS,
      host: config.host,
      port: portOf(config, port),
      user,
      password,
      database,
    };
    const host = context.host('database');
    context.keep(await startDatabase(options, host));
    await runInit(context, host);
  },

  async api(context) {
    const { startApi, DEFAULT_API_OPTIONS } = await import('../api/index.ts');
    const { config } = context;
    const { port, instances, tables, filesBucket, allowedHosts: _, ...urls } = config.api;
    const allowedHosts = apiHosts(config);
    for (let index = 0; index < instances; index++) {
      const name = `api-${index + 1}`;
      const options = {
        ...DEFAULT_API_OPTIONS,
        ...urlsBehind(context, urls),
        host: config.host,
        port: port === 0 ? 0 : portOf(config, port + index),
        name,
        tables,
        filesBucket,
        ...(allowedHosts === undefined ? {} : { allowedHosts }),
        objectsRegion: config.objects.region,
        metricsText: context.metricsText,
        httpLimits: config.http,
      };
      context.keep(await startApi(options, context.host(name)));
    }
  },

  async balancer(context) {
    const { startBalancer, DEFAULT_BALANCER_OPTIONS } = await import('../balancer/index.ts');
    const { config } = context;
    const { allowedHosts } = config.balancer;
    const pools: Record<string, PoolOptions> = {};
    for (const [name, pool] of Object.entries(config.balancer.pools)) {
      const servers = pool.servers.length > 0 ? pool.servers : serversOf(context, name);
      pools[name] = { servers, ...(pool.healthPath === '' ? {} : { health: { path: pool.healthPath } }) };
    }
    const options = {
      ...DEFAULT_BALANCER_OPTIONS,
      host: config.host,
      managementHost: config.host,
      port: portOf(config, config.balancer.port),
      managementPort: portOf(config, config.balancer.managementPort),
      pools,
      routes: config.balancer.routes as RouteOptions[],
      ...(allowedHosts === undefined ? {} : { allowedHosts }),
      httpLimits: config.http,
    };
    context.keep(await startBalancer(options, context.host('balancer')));
  },

  async console(context) {
    const { startConsole } = await import('../console/index.ts');
    const { config } = context;
    const admin = context.endpoints.get('admin')?.['main'];
    const own: Record<string, string> = admin === undefined ? {} : { octet: `http://${hostPort(admin)}` };
    const sources = Object.keys(config.console.sources).length > 0 ? config.console.sources : own;
    const options = {
      host: config.host,
      port: portOf(config, config.console.port),
      sources,
      token: config.adminToken,
      assets: webFolder(),
      httpLimits: config.http,
    };
    context.keep(await startConsole(options, { ...context.host('console'), files: systemFiles }));
  },
};

/** `web/` of the package, from the sources as from the bundle in `dist/`. */
function webFolder(): string {
  return path.join(import.meta.dirname, import.meta.dirname.endsWith('octet') ? '../../web' : '../web');
}

/** The servers of a pool that names a service of this process. @throws ConfigError when it does not run here */
function serversOf(context: StartContext, pool: string): string[] {
  const servers: string[] = [];
  for (const [name, endpoints] of context.endpoints) {
    const isInstance = name === pool || name.startsWith(`${pool}-`);
    if (isInstance && endpoints['main'] !== undefined) servers.push(hostPort(endpoints['main']));
  }
  if (servers.length === 0) {
    throw new ConfigError(
      `balancer.pools.${pool}.servers is empty, and no service ${pool} runs in this process`,
    );
  }
  return servers;
}

/** Where the API finds the others: as told, else in this process. @throws ConfigError when there is no database */
function urlsBehind(
  context: StartContext,
  told: Pick<OctetConfig['api'], 'databaseUrl' | 'cacheUrl' | 'queueUrl' | 'objectsUrl'>,
): Pick<ApiOptions, 'databaseUrl' | 'cacheUrl' | 'queueUrl' | 'objectsUrl'> {
  const { config, endpoints } = context;
  const own = (service: ServiceName, variable: string): string | undefined =>
    serviceEnv(service, config, endpoints)[variable];
  const databaseUrl = told.databaseUrl ?? own('database', 'DATABASE_URL');
  const cacheUrl = told.cacheUrl ?? own('cache', 'REDIS_URL');
  const queueUrl = told.queueUrl ?? own('queue', 'AMQP_URL');
  const objectsUrl = told.objectsUrl ?? ownObjectsUrl(context);
  if (databaseUrl === undefined) {
    throw new ConfigError('api.databaseUrl is not set, and no database runs in this process');
  }
  return {
    databaseUrl,
    ...(cacheUrl === undefined ? {} : { cacheUrl }),
    ...(queueUrl === undefined ? {} : { queueUrl }),
    ...(objectsUrl === undefined ? {} : { objectsUrl }),
  };
}

function ownObjectsUrl({ config, endpoints }: StartContext): string | undefined {
  const at = endpoints.get('objects')?.['main'];
  if (at === undefined) return undefined;
  const { accessKeyId, secretAccessKey } = config.objects;
  return `http://${encodeURIComponent(accessKeyId)}:${encodeURIComponent(secretAccessKey)}@${hostPort(at)}`;
}

/** Runs the SQL files of `database.init`, as any client would. @throws ConfigError naming the file */
async function runInit(context: StartContext, host: Host): Promise<void> {
  const { config, baseDir, endpoints } = context;
  if (config.database.init.length === 0) return;
  const { connectDatabase } = await import('../database/index.ts');
  const url = serviceEnv('database', config, endpoints)['DATABASE_URL'] ?? '';
  await using client = await connectDatabase({ ...host, url, applicationName: 'octet init' });
  for (const file of config.database.init) {
    const sql = await readFile(path.resolve(baseDir, file), 'utf8');
    await client.script(sql).catch((cause: unknown) => {
      throw new ConfigError(`database.init: ${file}: ${messageOf(cause)}`, cause);
    });
  }
}

async function declareQueues(context: StartContext, host: Host): Promise<void> {
  const { exchanges, queues, bindings } = context.config.queue;
  if (exchanges.length + queues.length + bindings.length === 0) return;
  const { connectQueue } = await import('../queue/index.ts');
  const url = serviceEnv('queue', context.config, context.endpoints)['AMQP_URL'] ?? '';
  await using client = await connectQueue({ ...host, url, name: 'octet setup' });
  for (const { name, type } of exchanges) await client.declareExchange(name, { type, durable: true });
  for (const name of queues) await client.declareQueue(name, { durable: true });
  for (const { queue, exchange, routingKey } of bindings) await client.bindQueue(queue, exchange, routingKey);
}

/** A zone's text has line breaks; a path has none. */
async function zoneText(context: StartContext, source: string): Promise<string> {
  return source.includes('\n') ? source : readFile(path.resolve(context.baseDir, source), 'utf8');
}
