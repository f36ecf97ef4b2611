/**
 * A whole Octet to be attacked, and for each of its ports a well-behaved client that checks the answers it gets.
 * The clients are those of others wherever there is one.
 */
import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import amqplib from 'amqplib';
import { Redis } from 'ioredis';
import { createTransport } from 'nodemailer';
import pg from 'pg';
import { Agent, request } from 'undici';
import type { Endpoint } from '../../../src/core/net/network.ts';
import { createSystemNetwork } from '../../../src/core/net/system-network.ts';
import { Peer } from '../../../src/core/testing/peer.ts';
import { type Octet, startOctet } from '../../../src/octet.ts';
import { dnsQuestion, framed } from './bytes.ts';
import { SkippingClock } from './skipping-clock.ts';

export type Protocol = 'dns' | 'postgres' | 'resp' | 'amqp' | 'smtp' | 'http';

/** One TCP port of the house. */
export interface Target {
  readonly name: string;
  readonly protocol: Protocol;
  readonly endpoint: Endpoint;
  /** Asks what the port is for, as its usual client, and checks the answer. */
  readonly ask: () => Promise<void>;
  /** HTTP only: a path that answers 200, and fields that it needs. */
  readonly path: string;
  readonly fields: string;
  /** Open connections as the service counts them. */
  readonly connections: () => number;
}

export interface House extends AsyncDisposable {
  readonly octet: Octet;
  readonly clock: SkippingClock;
  readonly targets: readonly Target[];
  target(name: string): Target;
  connect(target: Target): Promise<Peer>;
}

export const ADMIN_TOKEN = 'admin-token';
const DATABASE_PASSWORD = 'octet';
/** What one object, one value of the cache and one page of rows hold. */
export const BIG_BYTES = 256 * 1024;
const BIG = 'x'.repeat(BIG_BYTES);
const bearer = `Authorization: Bearer ${ADMIN_TOKEN}\r\n`;
const basic = `Authorization: Basic ${Buffer.from('octet:octet').toString('base64')}\r\n`;

const ZONE = `$ORIGIN bad.test.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.80
big TXT ${`"${'x'.repeat(250)}" `.repeat(64)}
`;

/** @param options `password`: the database asks for one; otherwise everybody on loopback may enter */
export async function startHouse(options: { readonly password?: boolean } = {}): Promise<House> {
  await using undo = new AsyncDisposableStack();
  const clock = new SkippingClock();
  const octet = undo.use(
    await startOctet({
      world: { clock },
      baseDir: import.meta.dirname,
      adminToken: ADMIN_TOKEN,
      dns: { zones: { 'bad.test': ZONE } },
      database: { init: ['notes.sql'], password: options.password === true ? DATABASE_PASSWORD : '' },
      objects: { buckets: ['files'], publicRead: ['files'] },
      api: { tables: { notes: { cacheSeconds: 0 } } },
    }),
  );
  const clients = await connectClients(octet, undo);
  const targets = targetsOf(octet, clients);
  for (const target of targets) await target.ask();
  const network = createSystemNetwork();
  const resources = undo.move();
  return {
    octet,
    clock,
    targets,
    target: (name) => targets.find((target) => target.name === name)!,
    connect: (target) => Peer.connect(network, target.endpoint),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

interface Clients {
  readonly resolver: Resolver;
  readonly database: pg.Client;
  readonly cache: Redis;
  readonly channel: amqplib.ConfirmChannel;
  readonly mail: ReturnType<typeof createTransport>;
  /** Opens a connection for each request. */
  readonly http: Agent;
}

async function connectClients(octet: Octet, undo: AsyncDisposableStack): Promise<Clients> {
  const { env } = octet;
  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  resolver.setServers([env['DNS_SERVER']!]);
  const database = new pg.Client(env['DATABASE_URL']!);
  await database.connect();
  undo.defer(() => database.end());
  await database.query('INSERT INTO notes (text) VALUES ($1)', [BIG]);
  const cache = new Redis(env['REDIS_URL']!);
  undo.defer(() => cache.disconnect());
  await cache.set('big', BIG);
  const connection = await amqplib.connect(`${env['AMQP_URL']!}?heartbeat=0`);
  undo.defer(() => connection.close());
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('asked', { durable: true });
  const http = new Agent({ pipelining: 0 });
  undo.defer(() => http.close());
  await putBigObject(octet);
  const mail = createTransport({ url: env['SMTP_URL']!, ignoreTLS: true } as object);
  undo.defer(() => mail.close());
  return { resolver, database, cache, channel, mail, http };
}

async function putBigObject(octet: Octet): Promise<void> {
  const { S3Client, PutObjectCommand } = await import('@aws-sdk/client-s3');
  const { env } = octet;
  const client = new S3Client({
    endpoint: env['AWS_ENDPOINT_URL_S3']!,
    region: env['AWS_REGION']!,
    forcePathStyle: true,
    credentials: {
      accessKeyId: env['AWS_ACCESS_KEY_ID']!,
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY']!,
    },
  });
  await client.send(new PutObjectCommand({ Bucket: 'files', Key: 'big', Body: BIG }));
  client.destroy();
}

function targetsOf(octet: Octet, clients: Clients): Target[] {
  const common = { path: '', fields: '' };
  const at = (service: string, role = 'main'): Endpoint => octet.endpoints(service)![role]!;
  const gauge = (name: string, listener?: string) => (): number =>
    octet.observatory
      .samples()
      .filter((sample) => sample.name === name)
      .find((sample) => listener === undefined || sample.labels['listener'] === listener)!.value;
  const http = (service: string, role: string, listener: string, path: string, fields = ''): Target => {
    const endpoint = at(service, role);
    return {
      name: role === 'main' ? service : `${service} ${role}`,
      protocol: 'http',
      endpoint,
      path,
      fields,
      ask: () => askHttp(clients.http, endpoint, path, fields),
      connections: gauge(`octet_${service.replaceAll('-', '_')}_http_connections`, listener),
    };
  };
  const dns = at('dns');
  return [
    {
      ...common,
      name: 'dns',
      protocol: 'dns',
      endpoint: dns,
      ask: () => askDns(clients.resolver),
      connections: gauge('octet_dns_connections'),
    },
    {
      ...common,
      name: 'database',
      protocol: 'postgres',
      endpoint: at('database'),
      ask: () => askDatabase(clients.database),
      connections: gauge('octet_database_sessions'),
    },
    {
      ...common,
      name: 'cache',
      protocol: 'resp',
      endpoint: at('cache'),
      ask: () => askCache(clients.cache),
      connections: gauge('octet_cache_clients'),
    },
    {
      ...common,
      name: 'queue',
      protocol: 'amqp',
      endpoint: at('queue'),
      ask: () => askQueue(clients.channel),
      connections: gauge('octet_queue_connections'),
    },
    http('queue', 'management', 'management', '/api/overview', basic),
    http('objects', 'main', 'objects', '/files/big'),
    {
      ...common,
      name: 'mail',
      protocol: 'smtp',
      endpoint: at('mail'),
      ask: () => askMail(clients.mail),
      connections: gauge('octet_mail_connections'),
    },
    http('mail', 'http', 'inbox', '/api/mailboxes'),
    http('api-1', 'main', 'api-1', '/api/notes'),
    http('balancer', 'main', 'main', '/api/notes'),
    http('balancer', 'management', 'management', '/status'),
    http('console', 'main', 'main', '/'),
    http('admin', 'main', 'admin', '/metrics', bearer),
  ];
}

async function askDns(resolver: Resolver): Promise<void> {
  assert.deepEqual(await resolver.resolve4('www.bad.test'), ['192.0.2.80']);
}

/** The same over TCP, on a connection of its own. */
export async function askDnsOverTcp(house: House): Promise<void> {
  const peer = await house.connect(house.target('dns'));
  peer.send(framed(dnsQuestion('www.bad.test')));
  const answer = await peer.until(
    (received) => received.length > 2 && received.length >= 2 + received.readUInt16BE(0),
  );
  assert.ok(answer.includes(Buffer.from([192, 0, 2, 80])));
  peer.close();
}

async function askDatabase(client: pg.Client): Promise<void> {
  const { rows } = await client.query('SELECT id, length(text) AS size FROM notes WHERE id = $1', [1]);
  assert.deepEqual(rows, [{ id: 1, size: BIG_BYTES }]);
}

async function askCache(redis: Redis): Promise<void> {
  assert.equal(await redis.set('asked', 'yes'), 'OK');
  assert.equal(await redis.get('asked'), 'yes');
}

async function askQueue(channel: amqplib.ConfirmChannel): Promise<void> {
  channel.sendToQueue('asked', Buffer.from('yes'), { persistent: true });
  await channel.waitForConfirms();
  const message = await channel.get('asked');
  assert.ok(message !== false && message.content.toString() === 'yes');
  channel.ack(message);
}

async function askMail(transport: Clients['mail']): Promise<void> {
  const sent = await transport.sendMail({ from: 'a@octet.test', to: 'b@octet.test', text: 'yes' });
  assert.match(sent.response, /^250 2\.6\.0 /);
}

async function askHttp(agent: Agent, endpoint: Endpoint, path: string, fields: string): Promise<void> {
  const [name = '', value = ''] = fields.trim().split(': ');
  const headers = name === '' ? {} : { [name]: value };
  const url = `http://${endpoint.address}:${endpoint.port}${path}`;
  const answer = await request(url, { dispatcher: agent, headers });
  const body = await answer.body.text();
  assert.equal(answer.statusCode, 200, body.slice(0, 200));
  assert.ok(body.length > 0);
}
