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
import { createHash, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import { messageOf } from '../core/errors.ts';
import type { Host, RunningService } from '../core/lifecycle.ts';
import { isLoopback } from '../core/net/loopback.ts';
import {
  createHttpClient,
  createRouter,
  type Handler,
  type HttpClient,
  HttpError,
  type HttpRequest,
  type HttpResponse,
  json,
  problem,
  startHttpServer,
} from '../http/index.ts';
import { contentTypeOf } from './content-type.ts';
import { MAX_ANSWER_BYTES, MAX_ASSET_BYTES, SOURCE_TIMEOUT_MS } from './limits.ts';
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

export async function startConsole(options: ConsoleOptions, host: Host): Promise<RunningService> {
  const client = createHttpClient(host);
  const handler = createHandler(options, host, client);
  const server = await startHttpServer({ host, address: options, handler });
  let closing: Promise<void> | undefined;
  const close = (drainTimeoutMs?: number): Promise<void> => {
    closing ??= server.close(drainTimeoutMs).then(() => client.close());
    return closing;
  };
  return {
    name: 'console',
    endpoints: { main: server.endpoint },
    health: () => ({ state: 'ok' }),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}

function createHandler(options: ConsoleOptions, host: Host, client: HttpClient): Handler {
  const sources = new Map(Object.entries(options.sources));
  const router = createRouter();
  router.add('GET', '/', () => asset(options, host, 'index.html'));
  router.add('GET', '/assets/:name', (request) => asset(options, host, request.params['name'] ?? ''));
  router.add('GET', '/data/overview', async () =>
    json(200, {
      sources: await Promise.all([...sources].map((source) => overviewOf(client, source, options.token))),
    }),
  );
  router.add('GET', '/data/events/:source', (request) => {
    const url = sources.get(request.params['source'] ?? '');
    if (url === undefined) throw new HttpError(404, 'no such source');
    return passEvents(client, url, options.token, request);
  });
  return async (request) => {
    const refused = refusal(options, request) ?? (await router.handle(request));
    return { ...refused, headers: [...(refused.headers ?? []), ...SECURITY_HEADERS] };
  };
}

function refusal(options: ConsoleOptions, request: HttpRequest): HttpResponse | undefined {
  const name = hostName(request.headers.get('host') ?? '');
  const isLocal = name.endsWith('.localhost') || isLoopback(name);
  if (isLoopback(request.remote.address) && isLocal) {
    const origin = request.headers.get('origin');
    const own = `http://${request.headers.get('host') ?? ''}`;
    return origin === undefined || origin === own
      ? undefined
      : problem(403, { detail: 'requests of other origins are refused' });
  }
  if (options.token !== '' && hasToken(options.token, request)) return undefined;
  if (options.token === '') return problem(403, { detail: `host ${name} is not this machine` });
  const refused = problem(401, { detail: 'the admin token as password, please' });
  return {
    ...refused,
    headers: [...(refused.headers ?? []), ['WWW-Authenticate', 'Basic realm="octet console"']],
  };
}

function hasToken(token: string, request: HttpRequest): boolean {
  const [scheme, value] = (request.headers.get('authorization') ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic') return false;
  const password = Buffer.from(value ?? '', 'base64')
    .toString('utf8')
    .split(':')
    .slice(1)
    .join(':');
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(password), digest(token));
}

function hostName(host: string): string {
  if (host.startsWith('[')) return host.slice(0, host.indexOf(']') + 1);
  const colon = host.lastIndexOf(':');
  return (colon < 0 ? host : host.slice(0, colon)).toLowerCase();
}

/** The names are those of our own files: letters, digits, dots and hyphens, so no path leads out. */
async function asset(options: ConsoleOptions, host: Host, name: string): Promise<HttpResponse> {
  const type = contentTypeOf(name);
  if (type === undefined || name.startsWith('.') || name.includes('/') || name.includes('\\')) {
    return problem(404, { detail: 'no such file' });
  }
  const file = path.join(options.assets, name);
  const info = await host.files.stat(file);
  if (info === undefined || info.isFolder || info.sizeBytes > MAX_ASSET_BYTES)
    return problem(404, { detail: 'no such file' });
  const open = await host.files.open(file, 'read');
  try {
    const bytes = Buffer.alloc(info.sizeBytes);
    await open.read(0, bytes);
    return { status: 200, headers: [['Content-Type', type]], body: bytes };
  } finally {
    await open.close();
  }
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

async function passEvents(
  client: HttpClient,
  url: string,
  token: string,
  request: HttpRequest,
): Promise<HttpResponse> {
  const response = await client.request({
    url: `${url}/events`,
    headers: bearer(token),
    signal: request.signal,
  });
  return { status: response.status, headers: [['Content-Type', 'text/event-stream']], body: response.body };
}

function bearer(token: string): readonly (readonly [string, string])[] {
  return token === '' ? [] : [['Authorization', `Bearer ${token}`]];
}
