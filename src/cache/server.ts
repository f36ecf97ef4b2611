/** Sockets to sessions: accepts, reads, writes once per read, and keeps the engine's time. */
import type { Host, RunningService } from '../core/lifecycle.ts';
import { isLoopback } from '../core/net/loopback.ts';
import type { Connection, Endpoint, Listener } from '../core/net/network.ts';
import type { Timer } from '../core/time/clock.ts';
import { passwordCredentials } from './credentials.ts';
import type { Client, ClientLink } from './engine/client.ts';
import { COMMANDS } from './engine/commands/table.ts';
import { Engine } from './engine/engine.ts';
import type { EvictionPolicy } from './engine/eviction.ts';
import { CacheError } from './errors.ts';
import {
  CLOSE_TIMEOUT_MS,
  FIRST_BYTE_TIMEOUT_MS,
  MAX_CLIENTS,
  NORMAL_OUTPUT_HARD_BYTES,
  OUTPUT_PAUSE_BYTES,
  REQUEST_LIMITS,
  REQUEST_TIMEOUT_MS,
  SPANS_PER_SECOND,
  UNAUTHENTICATED_REQUEST_LIMITS,
} from './limits.ts';
import { exposeMetrics, type TrafficCounters } from './metrics.ts';
import { Session } from './session.ts';

export interface CacheOptions {
  /** Address to listen on. Anything but loopback needs a password. */
  readonly host: string;
  /** 0 lets the operating system choose. */
  readonly port: number;
  /** Without it everybody who reaches the port is in. */
  readonly password?: string;
  /** The user the password belongs to; `AUTH <password>` means this one too. Default `default`. */
  readonly username?: string;
  /** Numbered databases. */
  readonly databases: number;
  /** Memory for keys and connections, as counted; 0 is no limit. */
  readonly maxmemoryBytes: number;
  readonly maxmemoryPolicy: EvictionPolicy;
  readonly maxClients: number;
  /** Idle connections are closed after this; 0: never. Subscribers and blocked clients are not idle. */
  readonly idleTimeoutMs: number;
  /** A connection that has sent nothing at all is closed after this; 0: never. */
  readonly firstByteTimeoutMs: number;
  /** A request that has begun must be whole after this; 0: never. */
  readonly requestTimeoutMs: number;
  /** Classes of keyspace events, in the letters of `notify-keyspace-events`. */
  readonly notifyKeyspaceEvents: string;
}

export const DEFAULT_CACHE_OPTIONS: CacheOptions = {
  host: '127.0.0.1',
  port: 6379,
  databases: 16,
  maxmemoryBytes: 0,
  maxmemoryPolicy: 'noeviction',
  maxClients: MAX_CLIENTS,
  idleTimeoutMs: 0,
  firstByteTimeoutMs: FIRST_BYTE_TIMEOUT_MS,
  requestTimeoutMs: REQUEST_TIMEOUT_MS,
  notifyKeyspaceEvents: '',
};

export interface Cache extends RunningService {
  /** Deletes all keys of all databases. */
  flush(): void;
  /** Keys in all databases. */
  readonly keyCount: number;
}

/** The version whose behaviour clients may expect. */
const PROTOCOL_VERSION = '7.2.4';

/**
 * Starts the cache.
 * @throws CacheError `insecure-bind` for an address beyond loopback without a password; NetError when the
 * port is taken
 */
export async function startCache(options: Partial<CacheOptions>, host: Host): Promise<Cache> {
  const settings = { ...DEFAULT_CACHE_OPTIONS, ...options };
  if (settings.password === undefined && !isLoopback(settings.host)) {
    throw new CacheError(
      'insecure-bind',
      `the cache would listen on ${settings.host} without a password: set a password, or listen on 127.0.0.1`,
    );
  }
  const server = new CacheServer(settings, host);
  await server.listen();
  return server;
}

class CacheServer implements Cache {
  readonly name = 'cache';
  readonly #options: CacheOptions;
  readonly #host: Host;
  readonly #engine: Engine;
  readonly #links = new Set<Link>();
  /** Connections with replies that were not written yet. */
  readonly #dirty = new Set<Link>();
  readonly #traffic: TrafficCounters = { inputBytes: 0, outputBytes: 0 };
  #listener: Listener | undefined;
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #housekeeping: Timer | undefined;
  #closed: Promise<void> | undefined;
  #inEvent = false;
  #spanSecond = 0;
  #spansLeft = 0;

  constructor(options: CacheOptions, host: Host) {
    this.#options = options;
    this.#host = host;
    this.#engine = new Engine({
      commands: COMMANDS,
      databases: options.databases,
      settings: {
        maxmemoryBytes: options.maxmemoryBytes,
        maxmemoryPolicy: options.maxmemoryPolicy,
        maxClients: options.maxClients,
        idleTimeoutSeconds: Math.ceil(options.idleTimeoutMs / 1_000),
      },
      credentials: passwordCredentials(options.username ?? 'default', options.password),
      random: host.random,
      startMs: host.clock.now(),
      elapsedMs: () => host.clock.monotonic(),
      residentBytes: () => process.memoryUsage.rss(),
      version: PROTOCOL_VERSION,
      port: () => this.#listener?.endpoint.port ?? 0,
      onInternalError: (error, command) => {
        host.observer.log.error('a command failed from within', { command, error: String(error) });
      },
      facts: { bind: options.host, databases: String(options.databases), port: String(options.port) },
    });
    this.#engine.parameters.get('notify-keyspace-events')!.write!(options.notifyKeyspaceEvents);
    this.#engine.settingsChanged();
    exposeMetrics(host.observer.metrics, this.#engine, this.#traffic);
  }

  get endpoints(): Readonly<Record<string, Endpoint>> {
    return this.#listener === undefined ? {} : { main: this.#listener.endpoint };
  }

  get keyCount(): number {
    return this.#engine.keyspace.databases.reduce((sum, { size }) => sum + size, 0);
  }

  health(): ReturnType<RunningService['health']> {
    return this.#closed === undefined ? { state: 'ok' } : { state: 'failed', reason: 'closed' };
  }

  flush(): void {
    for (const database of this.#engine.keyspace.databases) database.clear();
  }

  async listen(): Promise<void> {
    const { host, port, firstByteTimeoutMs } = this.#options;
    const limits = {
      // The engine counts clients itself, because CONFIG SET may change how many there may be.
      maxConnections: 1_000_000,
      firstByteTimeoutMs,
      idleTimeoutMs: 0,
      maxBufferedBytes: NORMAL_OUTPUT_HARD_BYTES,
      closeTimeoutMs: CLOSE_TIMEOUT_MS,
    };
    this.#listener = await this.#host.network.listen({ host, port, limits }, (connection) =>
      this.#accept(connection),
    );
    this.#scheduleHousekeeping();
  }

  close(drainTimeoutMs = 5_000): Promise<void> {
    this.#closed ??= this.#close(drainTimeoutMs);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    this.#listener?.stop();
    this.#timer?.cancel();
    this.#housekeeping?.cancel();
    for (const link of [...this.#links]) link.shut();
    await this.#listener?.close(drainTimeoutMs);
  }

  #accept(connection: Connection): void {
    if (this.#closed !== undefined || this.#links.size >= this.#engine.settings.maxClients) {
      this.#engine.stats.rejectedConnections++;
      connection.end('-ERR max number of clients reached\r\n');
      return;
    }
    const link = new Link(connection, this.#engine, this.#driver);
    this.#links.add(link);
  }

  readonly #driver: Driver = {
    now: () => this.#host.clock.now(),
    during: (work) => this.#during(work),
    dirty: (link) => {
      this.#dirty.add(link);
      // Output caused outside of any event of ours, by a direct call for instance, is written at once.
      if (!this.#inEvent) this.#flushAll();
    },
    gone: (link) => {
      this.#links.delete(link);
      this.#dirty.delete(link);
    },
    warn: (message, fields) => this.#host.observer.log.warn(message, fields),
    traffic: this.#traffic,
    observe: (client, args, now) => this.#observe(client, args, now),
  };

  /** A span for each command would cost more than the command: only the first of each second have one. */
  #observe(client: Client, args: string[], now: number): void {
    const second = Math.floor(now / 1_000);
    if (second !== this.#spanSecond) {
      this.#spanSecond = second;
      this.#spansLeft = SPANS_PER_SECOND;
    }
    if (this.#spansLeft <= 0) {
      this.#engine.execute(client, args, now);
      return;
    }
    this.#spansLeft--;
    const { stats } = this.#engine;
    const errors = stats.errors;
    const start = this.#host.clock.monotonic();
    const operation = args[0]!.slice(0, 32).toUpperCase();
    this.#engine.execute(client, args, now);
    const outcome = stats.errors > errors ? 'error' : client.blocked === undefined ? 'OK' : 'waiting';
    const durationMs = this.#host.clock.monotonic() - start;
    this.#host.observer.span({ operation, outcome, startMs: now, durationMs });
  }

  /** Carries out one event, then writes what it caused, to everybody, once. */
  #during(work: () => void): void {
    if (this.#inEvent) {
      work();
      return;
    }
    this.#inEvent = true;
    try {
      work();
    } finally {
      this.#flushAll();
      this.#inEvent = false;
    }
    this.#arm();
  }

  #flushAll(): void {
    // Writing may let a blocked session go on, which may make others dirty: the set grows while it is walked.
    for (const link of this.#dirty) {
      this.#dirty.delete(link);
      link.flush();
    }
  }

  /** Sets the timer for the earliest thing that is due. */
  #arm(): void {
    const deadline = this.#engine.nextDeadline();
    if (deadline === undefined || deadline >= this.#timerAt || this.#closed !== undefined) return;
    this.#timer?.cancel();
    this.#timerAt = deadline;
    const delay = Math.min(Math.max(0, deadline - this.#host.clock.now()), MAX_DELAY_MS);
    this.#timer = this.#host.clock.schedule(delay, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#during(() => this.#engine.tick(this.#host.clock.now()));
    });
  }

  #scheduleHousekeeping(): void {
    this.#housekeeping = this.#host.clock.schedule(HOUSEKEEPING_MS, () => {
      this.#during(() => this.#inspectClients());
      if (this.#closed === undefined) this.#scheduleHousekeeping();
    });
  }

  #inspectClients(): void {
    const now = this.#host.clock.now();
    const idleMs = this.#engine.settings.idleTimeoutSeconds * 1_000;
    for (const link of this.#links) link.inspect(now, { idleMs, requestMs: this.#options.requestTimeoutMs });
  }
}

/** The longest delay a timer takes; deadlines further away are looked at again then. */
const MAX_DELAY_MS = 86_400_000;
/** How often connections are looked at for idleness and slowness. */
const HOUSEKEEPING_MS = 250;

/** What a connection asks of the server. */
interface Driver {
  readonly now: () => number;
  readonly during: (work: () => void) => void;
  readonly dirty: (link: Link) => void;
  readonly gone: (link: Link) => void;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly traffic: TrafficCounters;
  /** Carries out a command, and shows some of them to whoever watches. */
  readonly observe: (client: Client, args: string[], now: number) => void;
}

/** One socket, its session, and the engine's view of both. */
class Link implements ClientLink {
  readonly remote: string;
  readonly local: string;
  readonly address: string;
  readonly #connection: Connection;
  readonly #engine: Engine;
  readonly #driver: Driver;
  readonly #client: Client;
  readonly #session: Session;
  #paused = false;
  /** Since when a subscriber's unread output is above the soft limit. */
  #aboveSoftSince: number | undefined;

  constructor(connection: Connection, engine: Engine, driver: Driver) {
    const { remote, local } = connection;
    this.remote = `${remote.address}:${remote.port}`;
    this.local = `${local.address}:${local.port}`;
    this.address = remote.address;
    this.#connection = connection;
    this.#engine = engine;
    this.#driver = driver;
    this.#client = engine.connect(this, driver.now());
    const client = this.#client;
    const limits = client.user === undefined ? UNAUTHENTICATED_REQUEST_LIMITS : REQUEST_LIMITS;
    this.#session = new Session(
      {
        reply: client.reply,
        isBlocked: () => client.blocked !== undefined,
        execute: (args, now) => driver.observe(client, args, now),
      },
      limits,
    );
    connection.attach({
      data: (chunk) => this.#receive(chunk),
      drain: () => this.#resume(),
      close: () => driver.during(() => this.#gone()),
    });
  }

  #receive(chunk: Buffer): void {
    this.#driver.traffic.inputBytes += chunk.length;
    this.#driver.during(() => {
      this.#session.receive(chunk, this.#driver.now());
      this.#driver.dirty(this);
    });
  }

  /** Goes on with input that waited. */
  #resume(): void {
    this.#driver.during(() => {
      this.#session.run(this.#driver.now());
      this.#driver.dirty(this);
    });
  }

  /** Writes the replies at hand, then sees to closing and to whether to read on. */
  flush(): void {
    if (this.#connection.destroyed) return;
    const { closing } = this.#session;
    if (closing?.how === 'at-once') {
      this.#driver.warn('a cache client was cut', { client: this.remote, reason: closing.reason });
      this.#connection.destroy();
      return;
    }
    const pieces = this.#client.reply.take();
    for (const piece of pieces) {
      this.#driver.traffic.outputBytes += piece.length;
      this.#connection.write(piece);
    }
    if (closing !== undefined) {
      this.#connection.end();
      this.#gone();
      return;
    }
    this.#enforceOutputLimits();
    this.#regulate();
  }

  /** Reads while the session can use it and the peer reads what it is sent. */
  #regulate(): void {
    const behind = this.#connection.bufferedBytes > OUTPUT_PAUSE_BYTES;
    const pause = behind || this.#session.wantsPause;
    if (pause === this.#paused) {
      if (!pause && this.#session.bufferedBytes > 0) this.#runLater();
      return;
    }
    this.#paused = pause;
    if (pause) this.#connection.pause();
    else {
      this.#connection.resume();
      this.#runLater();
    }
  }

  /** Commands that were held back by a full output go on now that it was taken. */
  #runLater(): void {
    const before = this.#session.bufferedBytes;
    if (before === 0) return;
    this.#session.run(this.#driver.now());
    if (this.#session.bufferedBytes !== before || this.#client.reply.byteLength > 0) this.#driver.dirty(this);
  }

  #enforceOutputLimits(): void {
    const client = this.#client;
    if (client.subscriptionCount + client.shardChannels.size === 0 && !client.monitoring) return;
    const { pubsubHardBytes, pubsubSoftBytes, pubsubSoftMs } = this.#engine.settings;
    const unread = this.#connection.bufferedBytes;
    const now = this.#driver.now();
    this.#aboveSoftSince =
      pubsubSoftBytes > 0 && unread > pubsubSoftBytes ? (this.#aboveSoftSince ?? now) : undefined;
    const tooLong = this.#aboveSoftSince !== undefined && now - this.#aboveSoftSince >= pubsubSoftMs;
    if (tooLong || (pubsubHardBytes > 0 && unread > pubsubHardBytes)) {
      this.#driver.warn('a cache subscriber that does not read was cut', { client: this.remote, unread });
      this.#connection.destroy();
    }
  }

  /** Looks for a client that has been silent, or in the middle of a request, for too long. */
  inspect(now: number, { idleMs, requestMs }: { readonly idleMs: number; readonly requestMs: number }): void {
    const client = this.#client;
    this.#enforceOutputLimits();
    const listening = client.subscriptionCount + client.shardChannels.size > 0 || client.monitoring;
    const waiting = client.blocked !== undefined || listening;
    if (idleMs > 0 && !waiting && now - client.lastActiveMs > idleMs) this.#connection.destroy();
    const since = this.#session.requestSince;
    if (requestMs > 0 && since !== undefined && now - since > requestMs) this.#connection.destroy();
  }

  /** The server is closing: what was replied is still sent. */
  shut(): void {
    this.#session.close('after-replies', 'the server is closing');
    this.flush();
  }

  #gone(): void {
    this.#engine.disconnect(this.#client);
    this.#driver.gone(this);
  }

  outputWritten(): void {
    this.#driver.dirty(this);
  }

  unblocked(): void {
    this.#driver.dirty(this);
  }

  close(afterReplies: boolean, reason: string): void {
    this.#session.close(afterReplies ? 'after-replies' : 'at-once', reason);
    this.#driver.dirty(this);
  }

  pendingOutputBytes(): number {
    return this.#connection.bufferedBytes + this.#client.reply.byteLength;
  }

  pendingInputBytes(): number {
    return this.#session.bufferedBytes;
  }

  authenticated(): void {
    this.#session.admit();
  }
}
