/**
 * The management API over HTTP, with the field names of RabbitMQ's where both have them:
 *
 *     GET /api/overview                 totals and the memory alarm
 *     GET /api/queues[/%2F[/name]]      counts per queue
 *     GET /api/exchanges, /api/bindings, /api/connections
 *
 * Basic authentication with the broker's user. A browser page of another origin cannot use it: requests with
 * an `Origin` that is not this server's are refused, and so is a `Host` that is a foreign name on loopback.
 */

import { isLoopback } from '../../core/net/loopback.ts';
import { basicChallenge, basicCredentials, hostNameOf, isOwnOrigin } from '../../http/access/index.ts';
import {
  createRouter,
  type Handler,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  json,
  startHttpServer,
} from '../../http/index.ts';
import type { Exchange } from '../engine/exchange/exchange.ts';
import type { Queue } from '../engine/queue.ts';
import { plainTable } from '../wire/field-table.ts';
import { isLogin } from './credentials.ts';
import type { QueueServer } from './server.ts';

/** @throws NetError `address-in-use`, `listen-failed` */
export function startManagement(server: QueueServer): Promise<HttpServer> {
  const router = createRouter()
    .add('GET', '/api/overview', () => json(200, overview(server)))
    .add('GET', '/api/queues', () => json(200, queues(server)))
    .add(
      'GET',
      '/api/queues/:vhost',
      inVhost(() => json(200, queues(server))),
    )
    .add(
      'GET',
      '/api/queues/:vhost/:name',
      inVhost((request) => oneQueue(server, request)),
    )
    .add('GET', '/api/exchanges', () => json(200, [...server.broker.exchanges.values()].map(exchangeRow)))
    .add('GET', '/api/bindings', () => json(200, bindings(server)))
    .add('GET', '/api/connections', () => json(200, connections(server)));
  const { host, managementPort = 0, httpLimits = {} } = server.options;
  return startHttpServer({
    host: server.host,
    address: { host, port: managementPort },
    name: 'management',
    handler: guarded(server, router.handle),
    limits: httpLimits,
    ...(server.options.tls === undefined ? {} : { tls: server.options.tls }),
  });
}

function guarded(server: QueueServer, handle: Handler): Handler {
  return (request) => {
    if (isForeign(request)) return json(403, { error: 'forbidden', reason: 'request of another origin' });
    if (!isAuthorized(request, server)) {
      const challenge = ['WWW-Authenticate', basicChallenge('Octet queue')] as const;
      return json(401, { error: 'not_authorized', reason: 'Login failed' }, [challenge]);
    }
    return handle(request);
  };
}

/** A page elsewhere sends its own Origin; a name rebound to loopback shows in Host. */
function isForeign(request: HttpRequest): boolean {
  if (!isOwnOrigin(request)) return true;
  return isLoopback(request.remote.address) && !isLoopback(hostNameOf(request.headers));
}

function isAuthorized(request: HttpRequest, server: QueueServer): boolean {
  const given = basicCredentials(request.headers);
  return given !== undefined && isLogin(given, server.options);
}

/** There is one virtual host. */
function inVhost(handle: (request: HttpRequest) => HttpResponse): Handler {
  return (request) => (request.params['vhost'] === '/' ? handle(request) : notFound());
}

function notFound(): HttpResponse {
  return json(404, { error: 'Object Not Found', reason: 'Not Found' });
}

function overview(server: QueueServer): Record<string, unknown> {
  const { broker } = server;
  let ready = 0;
  let unacked = 0;
  let consumers = 0;
  for (const queue of broker.queues.values()) {
    ready += queue.readyCount;
    unacked += queue.unackedCount;
    consumers += queue.consumers.size;
  }
  let channels = 0;
  for (const link of server.links) channels += link.session.channels.size;
  return {
    product_name: 'Octet',
    node: 'octet@localhost',
    uptime: server.host.clock.now() - server.startedAtMs,
    object_totals: {
      channels,
      connections: server.links.size,
      consumers,
      exchanges: broker.exchanges.size,
      queues: broker.queues.size,
    },
    queue_totals: { messages: ready + unacked, messages_ready: ready, messages_unacknowledged: unacked },
    message_stats: {
      publish: server.metrics.published.value,
      deliver_get: server.metrics.delivered.value,
      redeliver: server.metrics.redelivered.value,
      return_unroutable: server.metrics.unroutable.value,
    },
    memory_bytes: broker.memory.bytes,
    mem_alarm: broker.alarm,
  };
}

function queues(server: QueueServer): unknown[] {
  return [...server.broker.queues.values()].map(queueRow);
}

function oneQueue(server: QueueServer, request: HttpRequest): HttpResponse {
  const queue = server.broker.queues.get(request.params['name'] ?? '');
  return queue === undefined ? notFound() : json(200, queueRow(queue));
}

function queueRow(queue: Queue): Record<string, unknown> {
  const { counters, definition } = queue;
  return {
    name: queue.name,
    vhost: '/',
    type: 'classic',
    state: 'running',
    durable: definition.durable,
    auto_delete: definition.autoDelete,
    exclusive: queue.owner !== undefined,
    arguments: shownTable(definition.arguments),
    messages: queue.readyCount + queue.unackedCount,
    messages_ready: queue.readyCount,
    messages_unacknowledged: queue.unackedCount,
    message_bytes_ready: queue.readyBytes,
    consumers: queue.consumers.size,
    message_stats: {
      publish: counters.published,
      deliver: counters.delivered,
      get: counters.got,
      ack: counters.acknowledged,
      redeliver: counters.redelivered,
      deliver_get: counters.delivered + counters.got,
    },
  };
}

function exchangeRow({ definition, published }: Exchange): Record<string, unknown> {
  return {
    name: definition.name,
    vhost: '/',
    type: definition.type,
    durable: definition.durable,
    auto_delete: definition.autoDelete,
    internal: definition.internal,
    arguments: shownTable(definition.arguments),
    message_stats: { publish_in: published },
  };
}

function bindings(server: QueueServer): unknown[] {
  const rows: unknown[] = [];
  for (const exchange of server.broker.exchanges.values()) {
    for (const binding of exchange.bindings) {
      rows.push({
        source: binding.source,
        vhost: '/',
        destination: binding.destination.name,
        destination_type: binding.destination.kind,
        routing_key: binding.routingKey,
        arguments: shownTable(binding.arguments),
      });
    }
  }
  return rows;
}

function connections(server: QueueServer): unknown[] {
  return [...server.links].map(({ connection, session, connectedAtMs }) => ({
    name: `${connection.remote.address}:${connection.remote.port} -> ${connection.local.address}:${connection.local.port}`,
    peer_host: connection.remote.address,
    peer_port: connection.remote.port,
    user: session.user,
    vhost: '/',
    state: session.isRunning ? (session.isHeldBack ? 'blocked' : 'running') : 'starting',
    channels: session.channels.size,
    frame_max: session.frameMax,
    connected_at: connectedAtMs,
    client_properties: shownTable(session.clientProperties),
  }));
}

/** A table as JSON has it: 64-bit integers as text, bytes as base64. */
function shownTable(table: Parameters<typeof plainTable>[0]): unknown {
  return JSON.parse(JSON.stringify(plainTable(table), shownValue));
}

function shownValue(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (isBufferJson(value)) return Buffer.from(value.data).toString('base64');
  return value;
}

function isBufferJson(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
}
