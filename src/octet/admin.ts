/**
 * What one process tells about itself over HTTP: state, metrics, recent operations. The console, `octet
 * status`, container health checks and Prometheus read it; nothing of a service can be changed through it.
 *
 *   GET /healthz              200 while the process lives
 *   GET /readyz               200 when every service is up and sound, else 503 with the reasons
 *   GET /metrics              Prometheus text
 *   GET /status               services with addresses and health
 *   GET /samples              every counter and gauge as JSON
 *   GET /spans?requestId=&limit=   recent operations, oldest first
 *   GET /events               the same, live, as server-sent events; resumed by Last-Event-ID
 *   POST /backup?to=          copies the state of every service to a folder of this machine; lines of JSON, the
 *                             last with what was copied. Asked for with the key from the run record, which only
 *                             who may read the data folder has
 */
import path from 'node:path';
import { codeOf, messageOf } from '../core/errors.ts';
import type { RunningService, World } from '../core/lifecycle.ts';
import { isLoopback } from '../core/net/loopback.ts';
import type { Observatory } from '../core/observe/observer.ts';
import type { Span } from '../core/observe/types.ts';
import type { Clock } from '../core/time/clock.ts';
import { hostNameOf, secretsEqual } from '../http/access/index.ts';
import {
  createRouter,
  type HttpLimits,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  json,
  problem,
  startHttpServer,
  text,
} from '../http/index.ts';
import type { ServiceBackup } from './backup.ts';
import { LiveSpans } from './live-spans.ts';

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly observatory: Observatory;
  /** Asked anew each time: services come and go. */
  readonly services: () => readonly RunningService[];
  readonly world: World;
  readonly startedAtMs: number;
  /** What `/backup` does. @throws an error whose message tells why there is no backup */
  readonly copyStates: (to: string, signal: AbortSignal) => Promise<readonly ServiceBackup[]>;
  /** Asked for by `/backup` in `X-Octet-Key`. */
  readonly controlKey: string;
  readonly httpLimits: Partial<HttpLimits>;
  /** Asked for as a bearer token by everything but /healthz and /readyz; '' asks for none. */
  readonly token: string;
}

/** Spans in one answer of /spans. */
const MAX_SPANS = 1_000;
/** An answer without a byte for longer is taken for dead by what lies between. */
const KEEP_ALIVE_MS = 10_000;

export async function startAdmin(options: AdminOptions): Promise<HttpServer> {
  const { observatory, services, world } = options;
  const live = new LiveSpans({ observatory, ...world });
  const router = createRouter();
  router.add('GET', '/healthz', () => text(200, 'ok\n'));
  router.add('GET', '/readyz', () => readiness(services()));
  router.add('GET', '/metrics', async () => ({
    status: 200,
    headers: [['Content-Type', 'text/plain; version=0.0.4; charset=utf-8']],
    body: await observatory.prometheusText(),
  }));
  router.add('GET', '/status', () =>
    json(200, {
      startedAtMs: options.startedAtMs,
      nowMs: world.clock.now(),
      memory: process.memoryUsage().rss,
      services: services().map((service) => ({
        name: service.name,
        endpoints: service.endpoints,
        health: service.health(),
      })),
    }),
  );
  router.add('GET', '/samples', () =>
    json(200, { nowMs: world.clock.now(), samples: observatory.samples() }),
  );
  router.add('GET', '/spans', (request) => json(200, { spans: selectSpans(observatory, request) }));
  router.add('GET', '/events', (request) => live.stream(request));
  router.add('POST', '/backup', (request) => backup(options, request));
  return startHttpServer({
    host: { ...world, observer: observatory.observer('admin') },
    address: { host: options.host, port: options.port },
    handler: (request) => refusal(options.token, request) ?? router.handle(request),
    name: 'admin',
    limits: options.httpLimits,
  });
}

/** A web page of another origin, or one that reached us by another name (DNS rebinding), learns nothing. */
function refusal(token: string, request: HttpRequest): HttpResponse | undefined {
  if (request.path === '/healthz' || request.path === '/readyz') return undefined;
  if (token !== '') {
    if (secretsEqual(request.headers.get('authorization') ?? '', `Bearer ${token}`)) return undefined;
    const challenge = ['WWW-Authenticate', 'Bearer realm="octet admin"'] as const;
    return problem(401, { detail: 'the admin token, please', headers: [challenge] });
  }
  const isLocal = isLoopback(hostNameOf(request.headers));
  if (isLocal && request.headers.get('origin') === undefined) return undefined;
  return problem(403, { detail: 'asked for from another origin or by another name' });
}

/** Its data leave their folder: nobody starts that but who may read them anyway. */
function backup(options: AdminOptions, request: HttpRequest): HttpResponse {
  const key = request.headers.get('x-octet-key') ?? '';
  if (!secretsEqual(key, options.controlKey))
    return problem(401, { detail: 'the key of the run record, please' });
  const to = new URLSearchParams(request.query).get('to') ?? '';
  if (!path.isAbsolute(to)) return problem(400, { detail: 'to: an absolute path, please' });
  const copied = options.copyStates(to, request.signal);
  return {
    status: 200,
    headers: [['Content-Type', 'application/x-ndjson']],
    body: backupLines(copied, options.world.clock),
  };
}

/** An empty line now and then while it takes its time, then the outcome. */
async function* backupLines(copied: Promise<readonly ServiceBackup[]>, clock: Clock): AsyncGenerator<Buffer> {
  const outcome = copied.then(
    (services) => JSON.stringify({ services }),
    (error: unknown) => JSON.stringify({ error: { code: codeOf(error), message: messageOf(error) } }),
  );
  for (;;) {
    const waited = Promise.withResolvers<undefined>();
    const timer = clock.schedule(KEEP_ALIVE_MS, () => waited.resolve(undefined));
    const line = await Promise.race([outcome, waited.promise]);
    timer.cancel();
    yield Buffer.from(`${line ?? ''}\n`);
    if (line !== undefined) return;
  }
}

function readiness(services: readonly RunningService[]): HttpResponse {
  const troubles = services.flatMap((service) => {
    const health = service.health();
    return health.state === 'ok' ? [] : [{ service: service.name, ...health }];
  });
  return json(troubles.length === 0 ? 200 : 503, { ready: troubles.length === 0, troubles });
}

function selectSpans(observatory: Observatory, request: HttpRequest): Span[] {
  const query = new URLSearchParams(request.query);
  const requestId = query.get('requestId');
  const limit = Math.min(MAX_SPANS, Number(query.get('limit') ?? 100) || 100);
  const all = observatory.spans();
  const wanted = requestId === null ? all : all.filter((span) => span.requestId === requestId);
  return wanted.slice(-limit);
}
