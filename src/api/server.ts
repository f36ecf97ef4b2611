/**
 * One instance of the API: routes, health, and the life of what stands behind.
 */
import { messageOf } from '../core/errors.ts';
import type { Health, Host, RunningService } from '../core/lifecycle.ts';
import { createHostRule, type HostRule, isAllowedHost } from '../http/access/index.ts';
import {
  createRouter,
  type Handler,
  HttpError,
  type HttpRequest,
  type HttpResponse,
  type Router,
  startHttpServer,
} from '../http/index.ts';
import type { Database } from './database.ts';
import { ApiError, responseOf } from './errors.ts';
import { type FileStore, FilesApi } from './files.ts';
import { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';
import { type ApiMetrics, createApiMetrics } from './metrics.ts';
import type { ApiOptions } from './options.ts';
import { Outbox, type Publisher } from './outbox.ts';
import { addDescription, addFiles, addHealth, addTable, NEVER_CODED } from './routes.ts';
import { type Cache, RowCache } from './row-cache.ts';
import { openCache, openDatabase, openFiles, openPublisher } from './services.ts';
import { TableApi } from './table.ts';

export interface Api extends RunningService {
  /** Asks every service behind. @returns what does not answer, by name */
  troubles(): Promise<Readonly<Record<string, string>>>;
}

/** What an instance works with. */
interface Behind {
  readonly database: Database;
  readonly cache: Cache | undefined;
  readonly publisher: Publisher | undefined;
  readonly files: FileStore | undefined;
}

/** @throws ApiError `bad-option`; NetError for a port that is taken; the clients' errors when a service is away */
export async function startApi(options: ApiOptions, host: Host): Promise<Api> {
  checkOptions(options);
  const limits = { ...DEFAULT_API_LIMITS, ...options.limits };
  await using undo = new AsyncDisposableStack();
  const behind = await connect(options, host, undo);
  const metrics = createApiMetrics(host.observer, options.name);
  const { database, publisher } = behind;
  const rows =
    behind.cache === undefined
      ? undefined
      : new RowCache(behind.cache, host.random, metrics, limits.maxCachedRowBytes);
  const outbox =
    publisher === undefined
      ? undefined
      : new Outbox(database, publisher, host.clock, limits, metrics, host.observer.log);
  if (outbox !== undefined) {
    await outbox.start();
    undo.defer(() => outbox.close());
  }
  const troubles = () => findTroubles(behind, limits, host);
  const tables = new Map(
    Object.entries(options.tables).map(([name, table]) => [
      name,
      new TableApi(name, table, { database, cache: rows, outbox, limits, ...host }),
    ]),
  );
  const router = createRouter();
  addHealth(router, options, troubles);
  addDescription(router, tables);
  for (const [name, table] of tables) addTable(router, name, table, limits);
  if (behind.files !== undefined) addFiles(router, new FilesApi(behind.files, limits), limits);
  const { name, allowedHosts, httpLimits = {} } = options;
  const answersTo = createHostRule({ allowedHosts, address: () => server.endpoint.address });
  const handler = observed(router, answersTo, metrics, options, host);
  const server = await startHttpServer({ host, address: options, handler, name, limits: httpLimits });
  undo.defer(() => server.close(0));
  const resources = undo.move();
  let closing: Promise<void> | undefined;
  const close = (drainTimeoutMs = 5_000): Promise<void> => {
    closing ??= server.close(drainTimeoutMs).then(() => resources.disposeAsync());
    return closing;
  };
  return {
    name: options.name,
    endpoints: { main: server.endpoint },
    health: (): Health => ({ state: 'ok' }),
    troubles,
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

/** @throws ApiError for a table or bucket whose service has no URL */
function checkOptions(options: ApiOptions): void {
  for (const [name, table] of Object.entries(options.tables)) {
    if (table.cacheSeconds > 0 && options.cacheUrl === undefined) {
      throw new ApiError('bad-option', `table ${name} is to be cached, but there is no cacheUrl`);
    }
    if (table.exchange !== '' && options.queueUrl === undefined) {
      throw new ApiError(
        'bad-option',
        `table ${name} tells exchange ${table.exchange}, but there is no queueUrl`,
      );
    }
  }
  if (options.filesBucket !== '' && options.objectsUrl === undefined) {
    throw new ApiError('bad-option', 'there is a bucket for files, but no objectsUrl');
  }
  const notAHost = options.allowedHosts?.find((name) => !isAllowedHost(name));
  if (notAHost !== undefined) {
    throw new ApiError('bad-option', `allowedHosts has ${JSON.stringify(notAHost)}, which is no host name`);
  }
}

async function connect(options: ApiOptions, host: Host, undo: AsyncDisposableStack): Promise<Behind> {
  const tables = Object.values(options.tables);
  const kept = <Part extends { close(): Promise<void> }>(part: Part): Part => {
    undo.defer(() => part.close());
    return part;
  };
  const wantsCache = tables.some((table) => table.cacheSeconds > 0);
  const wantsQueue = tables.some((table) => table.exchange !== '');
  return {
    database: kept(await openDatabase(options.databaseUrl, host, options.name)),
    cache: wantsCache ? kept(await openCache(options.cacheUrl ?? '', host, options.name)) : undefined,
    publisher: wantsQueue ? kept(await openPublisher(options.queueUrl ?? '', host, options.name)) : undefined,
    files: options.filesBucket === '' ? undefined : kept(openFiles(options, host)),
  };
}

/**
 * JSON and text are compressed; what compresses is loaded by the first request for them. The route decides and not the
 * path, which has many spellings.
 */
function coded(router: Router): (request: HttpRequest, route: string) => ReturnType<Handler> {
  let compressing: Promise<Handler> | undefined;
  return async (request, route) => {
    if (NEVER_CODED.has(route)) return router.handle(request);
    compressing ??= import('../http/content/index.ts').then(({ compressed }) => compressed(router.handle));
    return (await compressing)(request);
  };
}

/** Errors become problems, every answer carries who gave it and its request's id, and is counted and left as a span. */
function observed(
  router: Router,
  answersTo: HostRule,
  metrics: ApiMetrics,
  options: ApiOptions,
  host: Host,
): Handler {
  const handler = coded(router);
  return async (request) => {
    const startMs = host.clock.now();
    const startedAtMs = host.clock.monotonic();
    const isOurs = answersTo(request.headers);
    const route = isOurs ? routeName(router, request) : 'foreign-host';
    const give = isOurs ? () => handler(request, route) : refuseHost;
    const response = await answer(give, request, host);
    const durationMs = host.clock.monotonic() - startedAtMs;
    metrics.answered(route, response.status, durationMs / 1_000);
    host.observer.span({
      operation: `${request.method} ${request.path}`,
      outcome: String(response.status),
      requestId: request.id,
      startMs,
      durationMs,
      detail: options.name,
    });
    const trace = [
      ['X-Request-Id', request.id],
      ['X-Served-By', options.name],
    ] as const;
    return { ...response, headers: [...(response.headers ?? []), ...trace] };
  };
}

/** Another name than ours leads here: one of a web page, perhaps. RFC 9110 section 15.5.20. */
function refuseHost(): never {
  throw new HttpError(421, 'Host is no name of this server; allowedHosts lists those that are');
}

/** Known before the router knows, as what codes must see a request first: a microsecond, beside a query. */
function routeName(router: Router, { method, path }: HttpRequest): string {
  const match = router.find(method, path);
  return match.kind === 'found' ? (match.route.name ?? match.route.pattern) : 'none';
}

async function answer(
  give: () => ReturnType<Handler>,
  request: HttpRequest,
  host: Host,
): Promise<HttpResponse> {
  try {
    return await give();
  } catch (error) {
    const response = responseOf(error);
    if (response.status >= 500) {
      host.observer.log.error('request failed', {
        request: request.id,
        path: request.path,
        error: messageOf(error),
      });
    }
    return response;
  }
}

async function findTroubles(behind: Behind, limits: ApiLimits, host: Host): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const check = async (name: string, ask: (() => Promise<unknown>) | undefined): Promise<void> => {
    if (ask === undefined) return;
    const stop = new AbortController();
    const late = host.clock.sleep(limits.readinessTimeoutMs, stop.signal).then(() => {
      throw new Error('no answer in time');
    });
    try {
      await Promise.race([ask(), late]);
    } catch (error) {
      found[name] = messageOf(error);
    } finally {
      stop.abort();
      late.catch(() => undefined);
    }
  };
  const { cache } = behind;
  await check('database', () => behind.database.query('SELECT 1'));
  await check('cache', cache === undefined ? undefined : () => cache.ping());
  return found;
}
