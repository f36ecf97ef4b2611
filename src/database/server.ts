/** Sockets ⇄ sessions: reads, steps, writes once per read, and waits for what a step asks for. */
import type { Host, RunningService, ServiceState } from '../core/lifecycle.ts';
import { isLoopback } from '../core/net/loopback.ts';
import type { Connection, Endpoint, Listener, TlsIdentity } from '../core/net/network.ts';
import type { Timer } from '../core/time/clock.ts';
import { Database } from './engine/database.ts';
import { BackendPort } from './engine/port.ts';
import { fromPosixMillis } from './engine/types/datetime.ts';
import { DatabaseError } from './errors.ts';
import { type DatabaseLimits, DEFAULT_DATABASE_LIMITS } from './limits.ts';
import { type DatabaseMetrics, databaseMetrics } from './metrics.ts';
import { nodeHashing } from './scram/hashing.ts';
import { ITERATIONS, makeVerifier, type ScramVerifier } from './scram/scram.ts';
import { Session, type SessionEvents } from './session.ts';
import { type OpenRowStore, openRowStore } from './store.ts';
import { BackendWriter } from './wire/backend.ts';

export interface DatabaseOptions {
  /** Address to listen on. Another than loopback needs a password. */
  readonly host: string;
  /** 0 lets the operating system choose. */
  readonly port: number;
  readonly user: string;
  /** Empty: everybody on loopback may enter. */
  readonly password: string;
  /** Name of the one database. */
  readonly database: string;
  /** Offered to clients that ask for it. */
  readonly tls?: TlsIdentity;
  readonly limits?: Partial<DatabaseLimits>;
}

export const DEFAULT_DATABASE_OPTIONS: DatabaseOptions = {
  host: '127.0.0.1',
  port: 5432,
  user: 'octet',
  password: 'octet',
  database: 'octet',
};

const STORE_FOLDER = 'store';

export interface RunningDatabase extends RunningService {
  readonly sessionCount: number;
}

/**
 * Opens the store in the host's folder and listens.
 * @throws NetError `address-in-use`; FilesError `locked`; StoreError; DatabaseError 28000 for an open address without a password
 */
export async function startDatabase(options: DatabaseOptions, host: Host): Promise<RunningDatabase> {
  if (options.password === '' && !isLoopback(options.host))
    throw new DatabaseError('28000', `a database on ${options.host} needs a password`, {
      fault: 'local',
      hint: 'Set `password`, or listen on 127.0.0.1.',
    });
  const store = await openRowStore(host, `${host.folder}/${STORE_FOLDER}`);
  try {
    const verifier =
      options.password === ''
        ? undefined
        : await makeVerifier(nodeHashing, options.password, host.random.bytes(16));
    const server = new DatabaseServer(options, host, store, verifier);
    await server.listen();
    return server;
  } catch (thrown) {
    await store.close();
    throw thrown;
  }
}

class DatabaseServer implements RunningDatabase {
  readonly name = 'database';
  readonly #options: DatabaseOptions;
  readonly #host: Host;
  readonly #limits: DatabaseLimits;
  readonly #store: OpenRowStore;
  readonly #database: Database;
  readonly #verifier: ScramVerifier | undefined;
  readonly #mockSecret: Buffer;
  readonly #metrics: DatabaseMetrics;
  readonly #links = new Set<Link>();
  #listener: Listener | undefined;
  #nextProcessId = 1;
  #closing: Promise<void> | undefined;

  constructor(
    options: DatabaseOptions,
    host: Host,
    store: OpenRowStore,
    verifier: ScramVerifier | undefined,
  ) {
    this.#options = options;
    this.#host = host;
    this.#limits = { ...DEFAULT_DATABASE_LIMITS, ...options.limits };
    this.#store = store;
    this.#verifier = verifier;
    this.#mockSecret = host.random.bytes(32);
    this.#database = new Database(store, {
      now: () => host.clock.now(),
      monotonic: () => host.clock.monotonic(),
      below: (bound) => host.random.below(bound),
      uuid: () => host.random.uuid(),
      name: options.database,
      user: options.user,
      limits: this.#limits,
    });
    this.#metrics = databaseMetrics(host.observer.metrics, {
      sessions: () => this.#links.size,
      lockWaits: () => this.#database.locks.waitingCount,
      snapshots: () => store.snapshotCount,
    });
  }

  get endpoints(): Readonly<Record<string, Endpoint>> {
    return { main: this.#listener!.endpoint };
  }

  get state(): ServiceState {
    return { store: this.#store.store, storeFolder: STORE_FOLDER };
  }

  get sessionCount(): number {
    return this.#links.size;
  }

  health(): ReturnType<RunningService['health']> {
    const health = this.#store.store.health();
    return health.state === 'ok' ? health : { state: 'degraded', reason: health.reason };
  }

  async listen(): Promise<void> {
    const { maxConnections, authenticationTimeoutMs, maxBufferedBytes } = this.#limits;
    this.#listener = await this.#host.network.listen(
      {
        host: this.#options.host,
        port: this.#options.port,
        limits: {
          maxConnections,
          firstByteTimeoutMs: authenticationTimeoutMs,
          idleTimeoutMs: 0,
          maxBufferedBytes,
          closeTimeoutMs: 1_000,
        },
        refuse: tooManyConnections,
      },
      (connection) => this.#accept(connection),
    );
  }

  #accept(connection: Connection): void {
    this.#metrics.connections.add();
    const processId = this.#nextProcessId++;
    const link = new Link(connection, {
      host: this.#host,
      limits: this.#limits,
      store: this.#store,
      metrics: this.#metrics,
      tls: this.#options.tls,
      closed: (gone) => this.#links.delete(gone),
      makeSession: (self) => this.#makeSession(self, connection, processId),
    });
    this.#links.add(link);
  }

  #makeSession(link: Link, connection: Connection, processId: number): Session {
    const { user, database, tls } = this.#options;
    const options = {
      user,
      database,
      verifier: this.#verifier,
      mockVerifier: (name: string) => this.#mockVerifier(name),
      hashing: nodeHashing,
      serverNonce: this.#host.random.bytes(18).toString('base64'),
      tls: tls !== undefined,
      secure: connection.secure,
      limits: this.#limits,
      processId,
      secret: this.#host.random.bytes(4),
    };
    const events: SessionEvents = {
      authenticated: (parameters, client) => {
        const port = new BackendPort(this.#database, processId, client);
        port.start('session_authorization', user);
        this.#register(port, link, connection, parameters);
        return port as unknown as ReturnType<SessionEvents['authenticated']>;
      },
      cancelRequested: (target, secret) => this.#cancel(target, secret),
      statement: (sql) => link.statement(sql),
      refused: (name, reason) => {
        this.#metrics.authenticationFailures.add();
        this.#host.observer.log.warn('authentication refused', {
          user: name,
          reason,
          remote: connection.remote.address,
        });
      },
    };
    link.secret = options.secret;
    return new Session(options, events);
  }

  #register(
    port: BackendPort,
    link: Link,
    connection: Connection,
    parameters: ReadonlyMap<string, string>,
  ): void {
    const { backend } = port;
    const startedAt = fromPosixMillis(this.#host.clock.now());
    link.applicationName = () =>
      backend.settings.get('application_name') ?? parameters.get('application_name') ?? '';
    this.#database.activities.set(backend.processId, {
      processId: backend.processId,
      user: this.#options.user,
      get applicationName() {
        return link.applicationName();
      },
      clientAddress: connection.remote.address,
      get state() {
        return link.isBusy ? 'active' : backend.status === 'idle' ? 'idle' : 'idle in transaction';
      },
      get query() {
        return link.lastSql;
      },
      startedAt,
      cancel: () => link.session.cancel(),
    });
  }

  /** The same salt for the same name each time, so that a stranger cannot tell which users exist. */
  #mockVerifier(name: string): ScramVerifier {
    const salt = nodeHashing.hmac(this.#mockSecret, name).subarray(0, 16);
    return {
      salt,
      iterations: ITERATIONS,
      storedKey: nodeHashing.hmac(this.#mockSecret, `stored ${name}`),
      serverKey: nodeHashing.hmac(this.#mockSecret, `server ${name}`),
    };
  }

  #cancel(processId: number, secret: Buffer): void {
    for (const link of this.#links)
      if (link.session.processId === processId && nodeHashing.equal(link.secret, secret))
        link.session.cancel();
  }

  close(drainTimeoutMs = 5_000): Promise<void> {
    this.#closing ??= this.#shutDown(drainTimeoutMs);
    return this.#closing;
  }

  async #shutDown(drainTimeoutMs: number): Promise<void> {
    this.#listener?.stop();
    const deadline = this.#host.clock.monotonic() + drainTimeoutMs;
    for (const link of this.#links) link.drain();
    await this.#listener?.close(Math.max(deadline - this.#host.clock.monotonic(), 0));
    await this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function tooManyConnections(): Uint8Array {
  const writer = new BackendWriter();
  writer.error(new DatabaseError('53300', 'sorry, too many clients already', { severity: 'FATAL' }));
  return writer.take();
}

interface LinkOptions {
  readonly host: Host;
  readonly limits: DatabaseLimits;
  readonly store: OpenRowStore;
  readonly metrics: DatabaseMetrics;
  readonly tls: TlsIdentity | undefined;
  closed(link: Link): void;
  makeSession(link: Link): Session;
}

/** Unread input above which a connection is not read from while its session is at work. */
const INPUT_PAUSE_BYTES = 1024 * 1024;

/** One connection and its session. */
class Link {
  readonly session: Session;
  secret: Buffer = Buffer.alloc(0);
  applicationName: () => string = () => '';
  lastSql = '';
  isBusy = false;
  readonly #connection: Connection;
  readonly #options: LinkOptions;
  #waiting = 0;
  #drained: (() => void) | undefined;
  #timer: Timer | undefined;
  #gone = false;
  #draining = false;
  #halfClosed = false;

  constructor(connection: Connection, options: LinkOptions) {
    this.#connection = connection;
    this.#options = options;
    this.session = options.makeSession(this);
    this.#timer = options.host.clock.schedule(options.limits.authenticationTimeoutMs, () =>
      this.#authenticationTimedOut(),
    );
    connection.attach({
      data: (chunk) => this.#received(chunk),
      end: () => this.#ended(),
      drain: () => this.#drained?.(),
      close: () => this.#closed(),
    });
  }

  #received(chunk: Buffer): void {
    this.#options.metrics.bytesReceived.add(chunk.length);
    this.session.receive(chunk);
    this.#waiting += chunk.length;
    if (this.isBusy) {
      if (this.#waiting > INPUT_PAUSE_BYTES) this.#connection.pause();
      return;
    }
    void this.#work();
  }

  /** The peer will send no more: what it asked for is still answered. */
  #ended(): void {
    if (!this.isBusy) this.#connection.end();
    else this.#halfClosed = true;
  }

  #closed(): void {
    this.#gone = true;
    this.#timer?.cancel();
    this.session.cancel();
    this.session.disconnected();
    this.#drained?.();
    this.#options.closed(this);
  }

  drain(): void {
    if (this.isBusy) this.#draining = true;
    else this.#sayGoodbye();
  }

  #sayGoodbye(): void {
    this.session.terminate(
      new DatabaseError('57P01', 'terminating connection due to administrator command', {
        severity: 'FATAL',
      }),
    );
    this.#connection.end(this.session.takeOutput());
  }

  async #work(): Promise<void> {
    this.isBusy = true;
    // The time for authentication runs from the accept, however busily the peer sends.
    if (this.session.authenticated) this.#timer?.cancel();
    try {
      while (!this.#gone && (await this.#advance()));
    } catch (thrown) {
      this.#options.host.observer.log.error('session failed', { error: String(thrown) });
      this.#connection.destroy();
    }
    this.isBusy = false;
    if (this.#gone) return;
    if (this.#halfClosed) this.#connection.end();
    else if (this.#draining) this.#sayGoodbye();
    else this.#armTimer();
  }

  /** @returns false when the session needs input, or is over */
  async #advance(): Promise<boolean> {
    const step = this.session.step();
    switch (step.kind) {
      case 'later':
        await this.#options.host.clock.sleep(0);
        return true;
      case 'flush':
        await this.#flush();
        return true;
      case 'wait':
        await this.#wait(step);
        return true;
      case 'start-tls':
        await this.#flush();
        await this.#connection.startTlsServer(this.#options.tls!);
        this.session.secured();
        return true;
      case 'close':
        await this.#flush();
        this.#connection.end();
        return false;
      default:
        await this.#flush();
        this.#waiting = 0;
        this.#connection.resume();
        return false;
    }
  }

  /** Nothing leaves before everything it may speak of is durable; one write for all of it. */
  async #flush(): Promise<void> {
    if (this.session.pendingBytes === 0) return;
    await this.#settled();
    if (this.#gone) return;
    const output = this.session.takeOutput();
    this.#options.metrics.bytesSent.add(output.length);
    if (this.#connection.write(output) || this.#gone) return;
    await this.#untilRead();
  }

  /** The replies may tell of others' commits that were undone, and may acknowledge commits of their own that
   * were not: they are dropped, and the connection with them. */
  async #settled(): Promise<void> {
    try {
      await this.#options.store.settled();
    } catch (thrown) {
      this.session.takeOutput();
      this.session.terminate(
        new DatabaseError('08007', 'terminating connection because what was read could not be made durable', {
          severity: 'FATAL',
          fault: 'local',
          cause: thrown,
        }),
      );
    }
  }

  /** Waits until the peer has read what was written, or has not for too long: then the session is over. */
  async #untilRead(): Promise<void> {
    const { host, limits } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    const stalled =
      limits.writeStallTimeoutMs === 0
        ? undefined
        : host.clock.schedule(limits.writeStallTimeoutMs, () => this.#stalled());
    await promise;
    stalled?.cancel();
    this.#drained = undefined;
  }

  /** Nobody reads any last words: the connection is cut, and with it go its snapshot and locks. */
  #stalled(): void {
    this.#options.host.observer.log.warn('session ended: its client does not read', {
      remote: this.#connection.remote.address,
      bufferedBytes: this.#connection.bufferedBytes,
    });
    this.#connection.destroy();
  }

  async #wait(step: Extract<ReturnType<Session['step']>, { kind: 'wait' }>): Promise<void> {
    // What was answered before, a notice or earlier results, need not wait for a lock.
    let timer: Timer | undefined;
    const timeout = new Promise<void>((resolve) => {
      if (step.timeoutMs === undefined) return;
      timer = this.#options.host.clock.schedule(step.timeoutMs, () => {
        step.timedOut();
        resolve();
      });
    });
    await Promise.race([step.until, timeout]);
    timer?.cancel();
  }

  #authenticationTimedOut(): void {
    if (!this.session.authenticated) this.#connection.destroy();
  }

  #armTimer(): void {
    const { limits, host } = this.#options;
    if (!this.session.authenticated) return;
    this.#timer?.cancel();
    const idle = this.session.transactionStatus === 'idle';
    const timeoutMs = idle ? limits.idleSessionTimeoutMs : limits.idleInTransactionTimeoutMs;
    if (timeoutMs === 0) return;
    this.#timer = host.clock.schedule(timeoutMs, () => this.#idleTimedOut(idle));
  }

  #idleTimedOut(idle: boolean): void {
    const error = idle
      ? new DatabaseError('57P05', 'terminating connection due to idle-session timeout', {
          severity: 'FATAL',
        })
      : new DatabaseError('25P03', 'terminating connection due to idle-in-transaction timeout', {
          severity: 'FATAL',
        });
    this.session.terminate(error);
    this.#connection.end(this.session.takeOutput());
  }

  /** Counts and times one statement. */
  statement(sql: string): (outcome: string) => void {
    const { host, metrics } = this.#options;
    const startMs = host.clock.now();
    const started = host.clock.monotonic();
    this.lastSql = sql.length > 1_024 ? sql.slice(0, 1_024) : sql;
    return (outcome) => {
      const durationMs = host.clock.monotonic() - started;
      metrics.statements.add();
      metrics.seconds.observe(durationMs / 1000);
      const failed = /^[0-9A-Z]{5}$/.test(outcome) && outcome !== '00000';
      if (failed) metrics.errors.add();
      const requestId = requestIdOf(sql) ?? requestIdFromName(this.applicationName());
      host.observer.span({
        operation: operationOf(sql),
        outcome: outcome === '00000' ? 'OK' : outcome,
        startMs,
        durationMs,
        detail: sql.slice(0, 200),
        ...(requestId !== undefined && { requestId }),
      });
    };
  }
}

/** `/* request-id: abc *\/` at the start of a statement. */
function requestIdOf(sql: string): string | undefined {
  return /^\s*\/\*\s*request-id:\s*([\w.:-]{1,128})\s*\*\//.exec(sql)?.[1];
}

/** An application name of the form `request-id=abc`. */
function requestIdFromName(name: string): string | undefined {
  return /(?:^|\s)request-id=([\w.:-]{1,128})/.exec(name)?.[1];
}

function operationOf(sql: string): string {
  const word = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*([a-zA-Z]+)/.exec(sql.slice(0, 1_024))?.[1];
  return word?.toUpperCase() ?? 'EMPTY';
}
