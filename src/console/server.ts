/**
 * The console: a page of our own, and beside it the state of every process as JSON, fetched from their admin
 * addresses. It reads; nothing can be changed through it.
 *
 *   GET /                 the page; its files under /assets/
 *   GET /data/overview    every source's services and numbers
 *   GET /data/events/:source   live operations of one source, as server-sent events
 *
 * A foreign web page must not read it: the Host must be this machine's (DNS rebinding) and the Origin ours.
 * Where it is reachable beyond loopback it asks for the token as password (HTTP Basic).
 */
import { messageOf } from '../core/errors.ts';
import type { Host, RunningService } from '../core/lifecycle.ts';
import { isLoopback } from '../core/net/loopback.ts';
import {
  basicChallenge,
  basicCredentials,
  hostNameOf,
  isOwnOrigin,
  secretsEqual,
} from '../http/access/index.ts';
import {
  type ClientRequest,
  type ClientResponse,
  createHttpClient,
  createRouter,
  type Handler,
  type HttpClient,
  HttpError,
  type HttpRequest,
  type HttpResponse,
  json,
  problem,
  problemOf,
  type Router,
  startHttpServer,
} from '../http/index.ts';
import { MAX_ANSWER_BYTES, SOURCE_TIMEOUT_MS } from './limits.ts';
import type { ConsoleOptions } from './options.ts';

/** Scripts and styles only from ourselves, nothing in line, no framing. */
const SECURITY_HEADERS = [
  [
    'Content-Security-Policy',
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  ],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cache-Control', 'no-cache'],
] as const;

/** A stream that is coded on its way is held back on its way. */
const STREAM_FIELDS = [
  ['Content-Type', 'text/event-stream'],
  ['Cache-Control', 'no-store, no-transform'],
] as const;

export async function startConsole(options: ConsoleOptions, host: Host): Promise<RunningService> {
  const client = createHttpClient(host);
  const stopping = new AbortController();
  let site: Promise<Site> | undefined;
  const handler: Handler = async (request) => {
    site ??= openSite(options, host, client, stopping.signal);
    return (await site).handle(request);
  };
  const { httpLimits: limits = {} } = options;
  const server = await startHttpServer({
    host,
    address: options,
    handler: guarded(handler, options),
    limits,
  });
  let closing: Promise<void> | undefined;
  const close = async (drainTimeoutMs?: number): Promise<void> => {
    // A stream of operations has no end of its own to wait for.
    stopping.abort();
    await server.close(drainTimeoutMs);
    (await site)?.close();
    await client.close();
  };
  return {
    name: 'console',
    endpoints: { main: server.endpoint },
    health: () => ({ state: 'ok' }),
    close: (drainTimeoutMs) => (closing ??= close(drainTimeoutMs)),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

interface Site {
  readonly handle: Handler;
  close(): void;
}

/** The page and its data. Loaded and opened by the first request, for most processes run without anybody looking. */
async function openSite(
  options: ConsoleOptions,
  host: Host,
  client: HttpClient,
  stopping: AbortSignal,
): Promise<Site> {
  const { compressed, createStaticFiles } = await import('../http/content/index.ts');
  const shared = { ...host, root: options.assets };
  const page = createStaticFiles(shared);
  const assets = createStaticFiles({ ...shared, prefix: '/assets/', index: '' });
  const router = createRouter();
  router.add('GET', '/', page.handle);
  router.add('GET', '/assets/*name', assets.handle);
  addData(router, options, client, stopping);
  const close = (): void => {
    page.close();
    assets.close();
  };
  return { handle: compressed(router.handle), close };
}

function addData(router: Router, options: ConsoleOptions, client: HttpClient, stopping: AbortSignal): void {
  const sources = new Map(Object.entries(options.sources));
  router.add('GET', '/data/overview', async () =>
    json(200, {
      sources: await Promise.all([...sources].map((source) => overviewOf(client, source, options.token))),
    }),
  );
  router.add('GET', '/data/events/:source', (request) => {
    const url = sources.get(request.params['source'] ?? '');
    if (url === undefined) throw new HttpError(404, 'no such source');
    // A stream that nobody reads has no end either, and a source has so many and no more.
    if (request.method === 'HEAD') return { status: 200, headers: STREAM_FIELDS };
    const { headers, signal } = request;
    return passEvents(client, url, options.token, { headers, signal: AbortSignal.any([signal, stopping]) });
  });
}

/** Whoever may not see the page is refused first; every answer, a refusal too, carries the page's policy. */
function guarded(handler: Handler, options: ConsoleOptions): Handler {
  return async (request) => {
    const refused = refusal(options, request);
    if (refused !== undefined) return secured(refused);
    try {
      return secured(await handler(request));
    } catch (thrown) {
      if (thrown instanceof HttpError) return secured(problemOf(thrown));
      throw thrown;
    }
  };
}

/** What the answer says already stays as it is. */
function secured(response: HttpResponse): HttpResponse {
  const { headers = [] } = response;
  const said = new Set(headers.map(([name]) => name.toLowerCase()));
  return {
    ...response,
    headers: [...headers, ...SECURITY_HEADERS.filter(([name]) => !said.has(name.toLowerCase()))],
  };
}

function refusal({ token }: ConsoleOptions, request: HttpRequest): HttpResponse | undefined {
  const name = hostNameOf(request.headers);
  const isLocal = name.endsWith('.localhost') || isLoopback(name);
  if (isLoopback(request.remote.address) && isLocal) {
    return isOwnOrigin(request)
      ? undefined
      : problem(403, { detail: 'requests of other origins are refused' });
  }
  if (token === '') return problem(403, { detail: `host ${name} is not this machine` });
  if (secretsEqual(basicCredentials(request.headers)?.password ?? '', token)) return undefined;
  return problem(401, {
    detail: 'the admin token as password, please',
    headers: [['WWW-Authenticate', basicChallenge('octet console')]],
  });
}

interface Overview {
  readonly source: string;
  readonly url: string;
  readonly error?: string;
  readonly status?: unknown;
  readonly samples?: unknown;
}

async function overviewOf(
  client: HttpClient,
  [source, url]: [string, string],
  token: string,
): Promise<Overview> {
  try {
    const [status, samples] = await Promise.all([
      fetchJson(client, `${url}/status`, token),
      fetchJson(client, `${url}/samples`, token),
    ]);
    return { source, url, status, samples };
  } catch (error) {
    return { source, url, error: messageOf(error) };
  }
}

async function fetchJson(client: HttpClient, url: string, token: string): Promise<unknown> {
  const response = await client.request({ url, headers: bearer(token), timeoutMs: SOURCE_TIMEOUT_MS });
  const text = await response.body.text(MAX_ANSWER_BYTES);
  if (response.status !== 200) throw new HttpError(502, `${url} answered ${response.status}`);
  return JSON.parse(text) as unknown;
}

/** The stream as its source sends it. A page that comes back says what it has heard, and goes on behind it. */
async function passEvents(
  client: HttpClient,
  url: string,
  token: string,
  request: Pick<HttpRequest, 'headers' | 'signal'>,
): Promise<HttpResponse> {
  const resume = request.headers.get('last-event-id');
  const response = await openEvents(client, {
    url: `${url}/events`,
    headers: [...bearer(token), ...(resume === undefined ? [] : [['Last-Event-ID', resume] as const])],
    signal: request.signal,
  });
  if (response.status === 200) return { status: 200, headers: STREAM_FIELDS, body: response.body };
  response.body.discard();
  throw new HttpError(502, `the source answered ${response.status}`);
}

async function openEvents(client: HttpClient, request: ClientRequest): Promise<ClientResponse> {
  try {
    return await client.request(request);
  } catch (cause) {
    throw new HttpError(502, 'the source cannot be reached', { cause });
  }
}

function bearer(token: string): readonly (readonly [string, string])[] {
  return token === '' ? [] : [['Authorization', `Bearer ${token}`]];
}
