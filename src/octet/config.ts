/**
 * Every setting of an Octet, with its default: what `octet.config.ts`, `OCTET_*` variables and flags may say.
 * Types, checks and defaults all come from this one schema.
 */
import * as v from 'valibot';
import { isAllowedHost, isHostName } from '../http/access/index.ts';
import type { HttpLimits } from '../http/index.ts';

export const SERVICE_NAMES = [
  'dns',
  'database',
  'cache',
  'queue',
  'objects',
  'mail',
  'api',
  'balancer',
  'console',
] as const;

export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Those of a phase start together; each finds what it needs in the phases before. They stop in reverse. */
export const START_PHASES: readonly (readonly ServiceName[])[] = [
  ['database', 'queue', 'objects', 'mail', 'cache', 'dns'],
  ['api'],
  ['balancer', 'console'],
];

const port = (standard: number) =>
  v.optional(
    v.pipe(
      v.number(),
      v.integer('must be a whole number'),
      v.minValue(0, 'must be 0 to 65535'),
      v.maxValue(65_535, 'must be 0 to 65535'),
    ),
    standard,
  );
const text = (standard: string) => v.optional(v.string(), standard);
const list = () => v.optional(v.array(v.string()), []);
const count = (standard: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(0, 'must not be negative')), standard);
const flag = (standard: boolean) => v.optional(v.boolean(), standard);

const hostName = (isOne: (text: string) => boolean) =>
  v.pipe(
    v.string(),
    v.check(isOne, ({ input }) => `${JSON.stringify(input)} is no host name`),
  );
/** Names that clients call a listener by: `shop.example.com`, `*.shop.example.com`, or `*` for all. */
const allowedHosts = v.optional(v.array(hostName(isAllowedHost)));

/** Bounds of each durable service's store: the more, the fewer checkpoints, and the longer a start after a crash. */
const storage = v.strictObject({
  /** Pages kept in memory as they are on the disk. */
  cacheBytes: count(16 * 1024 * 1024),
  /** Changed pages in memory that start a checkpoint; half of the cache, at least 16 MiB, when absent. */
  dirtyBytes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0, 'must not be negative'))),
  /** Journal since the last checkpoint that starts the next. */
  journalBytes: count(64 * 1024 * 1024),
  /** Age of the oldest change since the last checkpoint that starts the next. */
  checkpointAfterMs: count(300_000),
  /** Journal in memory at once while a start replays it. */
  replayBytes: count(128 * 1024 * 1024),
});

const atLeast = (least: number) =>
  v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(least, `must be at least ${least}`)));

/**
 * Bounds of every HTTP listener: API, balancer, object storage, inbox, queue management, console and admin address.
 * What each means, with its default and what peers use, is in src/http/limits.ts. Those of HTTP/2 are not among them,
 * as nothing here listens with TLS; the services take them as `httpLimits` where they are started with certificates.
 */
const http = v.strictObject({
  requestLineBytes: atLeast(1),
  headBytes: atLeast(1),
  fieldCount: atLeast(1),
  fieldBytes: atLeast(1),
  bodyBytes: atLeast(0),
  chunkExtensionBytes: atLeast(0),
  trailerBytes: atLeast(0),
  pipelineBytes: atLeast(1),
  drainBytes: atLeast(0),
  firstByteTimeoutMs: atLeast(1),
  headTimeoutMs: atLeast(1),
  bodyGraceMs: atLeast(0),
  bodyBytesPerSecond: atLeast(1),
  handlerTimeoutMs: atLeast(0),
  drainGraceMs: atLeast(0),
  halfClosedTimeoutMs: atLeast(1),
  writeStallTimeoutMs: atLeast(1),
  keepAliveTimeoutMs: atLeast(1),
  closeTimeoutMs: atLeast(1),
  maxConnections: atLeast(1),
  maxConnectionsPerAddress: atLeast(1),
} satisfies Partial<Record<keyof HttpLimits, unknown>>);

const dns = v.strictObject({
  port: port(5300),
  /** Origin → zone file (a path beside the configuration), or the zone's text itself. */
  zones: v.optional(v.record(v.string(), v.string()), {}),
  /** Domain → servers to ask about it, `.` for all else. */
  forward: v.optional(v.record(v.string(), v.array(v.string())), {}),
  recursion: flag(true),
  /** Clients for whom other servers are asked. */
  allowRecursion: v.optional(v.array(v.string()), ['127.0.0.0/8', '::1']),
  /** Root servers to start from; the world's, when absent. */
  rootHints: v.optional(v.array(v.string())),
});

const database = v.strictObject({
  port: port(5432),
  user: text('octet'),
  password: text('octet'),
  database: text('octet'),
  /** SQL files run at each start, so `CREATE TABLE IF NOT EXISTS`. */
  init: list(),
});

const cache = v.strictObject({
  port: port(6379),
  password: text('octet'),
  databases: count(16),
  maxmemoryBytes: count(256 * 1024 * 1024),
  maxmemoryPolicy: v.optional(
    v.picklist([
      'noeviction',
      'allkeys-lru',
      'volatile-lru',
      'allkeys-random',
      'volatile-random',
      'volatile-ttl',
    ]),
    'allkeys-lru',
  ),
});

const exchange = v.strictObject({ name: v.string(), type: v.picklist(['direct', 'fanout', 'topic']) });
const binding = v.strictObject({ exchange: v.string(), queue: v.string(), routingKey: text('') });

const queue = v.strictObject({
  port: port(5672),
  managementPort: port(15672),
  user: text('octet'),
  password: text('octet'),
  /** Declared, durable, at each start. */
  exchanges: v.optional(v.array(exchange), []),
  queues: list(),
  bindings: v.optional(v.array(binding), []),
});

const objects = v.strictObject({
  port: port(9000),
  accessKeyId: text('octet'),
  secretAccessKey: text('octet-development'),
  region: text('us-east-1'),
  /** Created at each start when missing. */
  buckets: list(),
  /** Buckets that anybody may read without a signature. */
  publicRead: list(),
});

const mail = v.strictObject({
  port: port(2525),
  httpPort: port(8025),
  hostname: text('mail.octet.test'),
  domains: v.optional(v.array(v.string()), ['octet.test']),
  mailboxes: v.optional(v.union([v.literal('any'), v.array(v.string())]), 'any'),
  user: text('octet'),
  password: text('octet'),
  requireAuth: flag(false),
  bareLineEndings: v.optional(v.picklist(['reject', 'keep']), 'reject'),
  /** Offer STARTTLS with a development certificate, made when a client first asks. Clients that take TLS when
   * it is offered, and then check who signed it, cannot deliver: so not by default. */
  startTls: flag(false),
});

const table = v.strictObject({
  /** The column that names a row in a URL. */
  key: text('id'),
  /** How long a row may be served from the cache; 0 does without. */
  cacheSeconds: count(60),
  /** Where each insert, update and delete is told, `<table>.<inserted|updated|deleted>`; '' tells nobody. */
  exchange: text(''),
});

const api = v.strictObject({
  /** Of the first instance; the others follow. */
  port: port(8081),
  instances: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1, 'must be at least 1'),
      v.maxValue(16, 'must be at most 16'),
    ),
    2,
  ),
  tables: v.optional(v.record(v.string(), table), {}),
  /** The bucket behind /files; '' for none. */
  filesBucket: text(''),
  /** As the balancer's, whose names are the API's too. */
  allowedHosts,
  /** Where the other services are; those of the same process when absent. */
  databaseUrl: v.optional(v.string()),
  cacheUrl: v.optional(v.string()),
  queueUrl: v.optional(v.string()),
  objectsUrl: v.optional(v.string()),
});

const pool = v.strictObject({
  /** `host:port`; empty takes the service of the pool's name in this process (`api`, `objects`). */
  servers: list(),
  /** Asked every two seconds; '' counts the servers as up. */
  healthPath: text('/healthz'),
});

const route = v.strictObject({
  host: v.optional(hostName(isHostName)),
  pathPrefix: v.string(),
  pool: v.string(),
  /** Takes the prefix off the path sent on. */
  stripPrefix: v.optional(v.boolean()),
  /** Put before the path sent on. */
  addPrefix: v.optional(v.string()),
});

const balancer = v.strictObject({
  port: port(8080),
  managementPort: port(8079),
  pools: v.optional(v.record(v.string(), pool), { api: {} }),
  routes: v.optional(v.array(route), [{ pathPrefix: '/', pool: 'api' }]),
  /**
   * Names that it is called by beside those of its routes. On loopback all others are refused that somebody could own;
   * beyond, all are served until names are listed.
   */
  allowedHosts,
});

const consoleService = v.strictObject({
  port: port(8900),
  /** Name → admin address (`http://host:port`) of each process to show; this process's own when empty. */
  sources: v.optional(v.record(v.string(), v.string()), {}),
});

export const octetSchema = v.strictObject({
  /** Where everything durable lies; relative to the configuration. */
  dataDir: v.optional(v.pipe(v.string(), v.nonEmpty('must name a folder')), '.octet'),
  /** The address all services listen on. A name could mean several. */
  host: v.optional(
    v.pipe(
      v.string(),
      v.transform((host) => (host === 'localhost' ? '127.0.0.1' : host)),
      v.ip('must be an IP address'),
    ),
    '127.0.0.1',
  ),
  /** Added to every port. */
  portOffset: v.optional(v.pipe(v.number(), v.integer('must be a whole number')), 0),
  services: v.optional(v.array(v.picklist(SERVICE_NAMES)), [...SERVICE_NAMES]),
  logLevel: v.optional(v.picklist(['debug', 'info', 'warn', 'error', 'silent']), 'warn'),
  /** State, metrics and events of this process. */
  adminPort: port(8901),
  /** Asked for by the admin address and the console; needed to listen beyond loopback. */
  adminToken: text(''),
  storage: v.optional(storage, {}),
  http: v.optional(http, {}),
  dns: v.optional(dns, {}),
  database: v.optional(database, {}),
  cache: v.optional(cache, {}),
  queue: v.optional(queue, {}),
  objects: v.optional(objects, {}),
  mail: v.optional(mail, {}),
  api: v.optional(api, {}),
  balancer: v.optional(balancer, {}),
  console: v.optional(consoleService, {}),
});

/** Complete: every setting has its value. */
export type OctetConfig = v.InferOutput<typeof octetSchema>;

/** What a person writes: everything is optional. */
export type OctetInput = v.InferInput<typeof octetSchema>;

/** For `octet.config.ts`: gives completion and type checks, changes nothing. */
export function defineConfig(config: OctetInput): OctetInput {
  return config;
}
