/**
 * One instance of the API: routes, health, and the life of what stands behind.
 */
import { messageOf } from '../core/errors.ts';
import type { Health, Host, RunningService } from '../core/lifecycle.ts';
import {
  createRouter,
  type Handler,
  type HttpRequest,
  type HttpResponse,
  json,
  startHttpServer,
  text,
} from '../http/index.ts';
import type { Database } from './database.ts';
import { ApiError, responseOf } from './errors.ts';
import { type FileStore, FilesApi } from './files.ts';
import { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';
import { createApiMetrics } from './metrics.ts';
import type { ApiOptions } from './options.ts';
import { Outbox, type Publisher } from './outbox.ts';
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
  const router = createRouter();
  addHealth(router, options, troubles);
  for (const [name, table] of Object.entries(options.tables)) {
    addTable(router, name, new TableApi(name, table, { database, cache: rows, outbox, limits, ...host }));
  }
  if (behind.files !== undefined) addFiles(router, new FilesApi(behind.files, limits));
  const handler = observed(router.handle, options, host);
  const server = await startHttpServer({ host, address: options, handler, name: options.name });
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

type ApiRouter = ReturnType<typeof createRouter>;

function addHealth(router: ApiRouter, options: ApiOptions, troubles: Api['troubles']): void {
  router.add('GET', '/healthz', () => text(200, 'ok\n'));
  const { metricsText } = options;
  if (metricsText !== undefined) {
    router.add('GET', '/metrics', async () => ({
      status: 200,
      headers: [['Content-Type', 'text/plain; version=0.0.4; charset=utf-8']],
      body: await metricsText(),
    }));
  }
  router.add('GET', '/readyz', async () => {
    const found = await troubles();
    const ready = Object.keys(found).length === 0;
    return json(ready ? 200 : 503, { instance: options.name, ready, troubles: found });
  });
}

function addTable(router: ApiRouter, name: string, table: TableApi): void {
  const path = `/api/${encodeURIComponent(name)}`;
  router.add('GET', path, (request) => table.list(request));
  router.add('POST', path, (request) => table.insert(request));
  router.add('GET', `${path}/:key`, (request) => table.read(request));
  router.add('PATCH', `${path}/:key`, (request) => table.update(request));
  router.add('DELETE', `${path}/:key`, (request) => table.remove(request));
}

function addFiles(router: ApiRouter, files: FilesApi): void {
  router.add('GET', '/files/*name', (request) => files.read(request));
  router.add('PUT', '/files/*name', (request) => files.write(request));
  router.add('DELETE', '/files/*name', (request) => files.remove(request));
}

/** Errors become problems, every answer carries who gave it and its request's id, and a span is left. */
function observed(handler: Handler, options: ApiOptions, host: Host): Handler {
  return async (request) => {
    const startMs = host.clock.now();
    const startedAtMs = host.clock.monotonic();
    const response = await answer(handler, request, host);
    host.observer.span({
      operation: `${request.method} ${request.path}`,
      outcome: String(response.status),
      requestId: request.id,
      startMs,
      durationMs: host.clock.monotonic() - startedAtMs,
      detail: options.name,
    });
    const trace = [
      ['X-Request-Id', request.id],
      ['X-Served-By', options.name],
    ] as const;
    return { ...response, headers: [...(response.headers ?? []), ...trace] };
  };
}

async function answer(handler: Handler, request: HttpRequest, host: Host): Promise<HttpResponse> {
  try {
    return await handler(request);
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
