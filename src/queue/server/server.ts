/**
 * The queue service: sockets ⇄ sessions ⇄ broker ⇄ store.
 *
 * Everything happens in turns. A read, a deadline, a settled commit or a loaded body starts one:
 *
 *     sessions handle input ─▶ broker.run (deliver, expire, dead-letter) ─▶ store.flush ─▶ one write per session
 *
 * so a burst of publishes in one read is one commit, one burst of deliveries, and one write per consumer.
 */
import { openBlobs } from '../../core/blobs/blobs.ts';
import type { Blobs } from '../../core/blobs/types.ts';
import type { Health, Host, RunningService, ServiceState } from '../../core/lifecycle.ts';
import { isLoopback } from '../../core/net/loopback.ts';
import type { Connection, ConnectionLimits, Endpoint, Listener } from '../../core/net/network.ts';
import { openServiceStore } from '../../core/store/service-store.ts';
import type { Store } from '../../core/store/types.ts';
import type { Timer } from '../../core/time/clock.ts';
import type { HttpServer } from '../../http/index.ts';
import { Broker, type PublishRequest } from '../engine/broker.ts';
import type { Delivery } from '../engine/consumer.ts';
import type { AmqpError } from '../errors.ts';
import type { QueueLimits } from '../limits.ts';
import { type QueueMetrics, queueMetrics } from '../metrics.ts';
import { requestIdOf } from '../session/channel.ts';
import { ConnectionSession, type SessionEvents } from '../session/connection.ts';
import { QueueStore } from '../store/queue-store.ts';
import { decodeProperties } from '../wire/properties.ts';
import { isLogin } from './credentials.ts';
import { Link } from './link.ts';
import { startManagement } from './management.ts';
import { completeOptions, type QueueOptions } from './options.ts';

/** Told to clients; some compare it with RabbitMQ's to see what a broker can do. */
const VERSION = '3.13.0';

const STORE_FOLDER = 'store';
const BLOBS_FOLDER = 'blobs';

export interface QueueService extends RunningService {
  readonly name: 'queue';
  /** `main` (AMQP) and, unless switched off, `management` (HTTP). */
  readonly endpoints: Readonly<Record<string, Endpoint>>;
}

type Options = QueueOptions & { readonly limits: QueueLimits };

/**
 * Starts the broker with what `host.folder` holds of an earlier run.
 * @throws QueueOptionsError; NetError `address-in-use`, `listen-failed`; StoreError; FilesError `locked`
 */
export async function startQueue(given: Partial<QueueOptions>, host: Host): Promise<QueueService> {
  const options = completeOptions(given);
  const { files, random, folder } = host;
  const opened = new AsyncDisposableStack();
  try {
    await files.makeFolder(folder);
    const store = opened.use(await openServiceStore(host, `${folder}/${STORE_FOLDER}`));
    const blobs = opened.use(await openBlobs({ files, folder: `${folder}/${BLOBS_FOLDER}`, random }));
    const server = new QueueServer(options, host, store, blobs);
    await server.recover();
    opened.defer(() => server.close(0));
    await server.listen();
    opened.move();
    return server;
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

export class QueueServer implements QueueService {
  readonly name = 'queue';
  readonly options: Options;
  readonly host: Host;
  readonly broker: Broker;
  readonly links = new Set<Link>();
  readonly startedAtMs: number;
  readonly metrics: QueueMetrics;
  readonly #store: Store;
  readonly #blobs: Blobs;
  readonly #queueStore: QueueStore;
  #listener: Listener | undefined;
  #management: HttpServer | undefined;
  /** Sessions with output or input to look at in the next turn. */
  readonly #stirred = new Set<Link>();
  #turnIsPlanned = false;
  #deadline: { readonly timer: Timer; readonly atMs: number } | undefined;
  #blockedReason: string | undefined;
  #closing: Promise<void> | undefined;
  readonly #epochMs: number;

  constructor(options: Options, host: Host, store: Store, blobs: Blobs) {
    this.options = options;
    this.host = host;
    this.#store = store;
    this.#blobs = blobs;
    this.startedAtMs = host.clock.now();
    // Wall-clock time that does not jump: what is stored is comparable after a restart.
    this.#epochMs = host.clock.now() - host.clock.monotonic();
    this.#queueStore = new QueueStore(store, blobs, options.limits, (reason) => this.#diskFailed(reason));
    this.broker = new Broker({
      storage: this.#queueStore,
      limits: options.limits,
      now: () => Math.floor(this.#epochMs + host.clock.monotonic()),
      newName: () => this.newName(),
      onWake: () => this.#planTurn(),
    });
    this.metrics = queueMetrics(host.observer.metrics, {
      connections: () => this.links.size,
      queues: () => this.broker.queues.size,
      readyMessages: () => this.#sum((queue) => queue.readyCount),
      unackedMessages: () => this.#sum((queue) => queue.unackedCount),
      memoryBytes: () => this.broker.memory.bytes,
      alarm: () => (this.#blockedReason === undefined ? 0 : 1),
      uncommittedBytes: () => this.#queueStore.uncommittedBytes,
    });
  }

  get endpoints(): Readonly<Record<string, Endpoint>> {
    const main = this.#listener?.endpoint;
    const management = this.#management?.endpoint;
    return {
      ...(main === undefined ? {} : { main }),
      ...(management === undefined ? {} : { management }),
    };
  }

  newName(): string {
    return this.host.random.bytes(16).toString('base64url');
  }

  get state(): ServiceState {
    const folders = { storeFolder: STORE_FOLDER, blobsFolder: BLOBS_FOLDER };
    return { store: this.#store, blobs: this.#blobs, ...folders };
  }

  health(): Health {
    if (this.#queueStore.failure !== undefined) return { state: 'failed', reason: this.#queueStore.failure };
    if (this.#blockedReason !== undefined) return { state: 'degraded', reason: this.#blockedReason };
    return { state: 'ok' };
  }

  /** Removes what a crash left half done. */
  async recover(): Promise<void> {
    await this.#queueStore.sweep();
    this.#turn();
  }

  async listen(): Promise<void> {
    const { host, port, tls } = this.options;
    const listening = { host, port, limits: connectionLimits(this.options), ...(tls ? { tls } : {}) };
    this.#listener = await this.host.network.listen(listening, (connection) => this.#accept(connection));
    if (this.options.managementPort !== undefined) this.#management = await startManagement(this);
  }

  close(drainTimeoutMs = 5000): Promise<void> {
    this.#closing ??= this.#close(drainTimeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    this.#listener?.stop();
    for (const link of this.links) {
      link.session.shutDown('broker is shutting down', this.host.clock.monotonic());
      this.#stirred.add(link);
    }
    this.#turn();
    await this.#management?.close(drainTimeoutMs);
    await this.#listener?.close(drainTimeoutMs);
    this.#deadline?.timer.cancel();
    await this.#queueStore.close();
    await this.#blobs.close();
    await this.#store.close();
  }

  // Connections

  #accept(connection: Connection): void {
    const { options, broker } = this;
    this.metrics.connectionsOpened.add();
    const session = new ConnectionSession(
      {
        broker,
        limits: options.limits,
        frameMax: options.frameMax,
        channelMax: options.channelMax,
        heartbeat: options.heartbeat,
        version: VERSION,
        mayLogIn: this.#mayLogIn(connection),
        authenticate: (login) => isLogin(login, options),
        newName: () => this.newName(),
      },
      this.#sessionEvents(connection, () => link),
      this.host.clock.monotonic(),
    );
    const link: Link = new Link(connection, session, this.host.clock, {
      turn: (stirred) => {
        this.#stirred.add(stirred);
        this.#turn();
      },
      gone: (gone) => {
        this.links.delete(gone);
        this.#stirred.delete(gone);
        this.#planTurn();
      },
      received: (bytes) => this.metrics.bytesReceived.add(bytes),
      sent: (bytes) => this.metrics.bytesSent.add(bytes),
    });
    this.links.add(link);
    link.start();
  }

  #mayLogIn(connection: Connection): boolean {
    return (
      connection.secure || this.options.plainLogin === 'anywhere' || isLoopback(connection.remote.address)
    );
  }

  #sessionEvents(connection: Connection, link: () => Link): SessionEvents {
    const { log } = this.host.observer;
    const from = `${connection.remote.address}:${connection.remote.port}`;
    return {
      wake: () => {
        this.#stirred.add(link());
        this.#planTurn();
      },
      loggedIn: (user) => log.debug('client logged in', { user, from }),
      refusedLogin: (user) => {
        this.metrics.loginsRefused.add();
        log.warn('login refused', { user, from });
      },
      published: (request, outcome) => this.#published(request, outcome),
      delivered: (delivery, operation) => this.#delivered(delivery, operation),
      failed: (error) => this.#sessionFailed(error, from),
    };
  }

  #published({ exchange, routingKey, properties }: PublishRequest, outcome: string): void {
    this.metrics.published.add();
    if (outcome === 'NO_ROUTE') this.metrics.unroutable.add();
    if (outcome === 'rejected') this.metrics.rejected.add();
    this.#span(`basic.publish ${exchange}/${routingKey}`, outcome, requestIdOf(properties.headers));
  }

  #delivered({ message, queue, redelivered }: Delivery, operation: string): void {
    this.metrics.delivered.add();
    if (redelivered) this.metrics.redelivered.add();
    const requestId = hasHeaders(message.properties)
      ? requestIdOf(decodeProperties(message.properties).headers)
      : undefined;
    this.#span(`${operation} ${queue.name}`, redelivered ? 'redelivered' : 'delivered', requestId);
  }

  #span(operation: string, outcome: string, requestId: string | undefined): void {
    this.host.observer.span({
      operation,
      outcome,
      startMs: this.broker.now(),
      durationMs: 0,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }

  #sessionFailed(error: AmqpError, from: string): void {
    this.metrics.errors.add();
    this.host.observer.log.info('closed with an error', {
      from,
      scope: error.scope,
      reply: error.replyText,
    });
  }

  // Turns

  /** Joins wishes for a turn that arise outside of one. */
  #planTurn(): void {
    if (this.#turnIsPlanned) return;
    this.#turnIsPlanned = true;
    queueMicrotask(() => {
      if (this.#turnIsPlanned) this.#turn();
    });
  }

  #turn(): void {
    this.#turnIsPlanned = true;
    for (const link of this.#stirred) link.resume();
    this.broker.run();
    this.#tellPublishers();
    this.#queueStore.flush();
    for (const link of this.#stirred) {
      this.#stirred.delete(link);
      link.flush();
    }
    this.#turnIsPlanned = false;
    // What is left of a long turn comes after the sockets had theirs.
    if (this.broker.hasWork || this.#stirred.size > 0) this.#later(this.broker.now());
    else this.#later(this.broker.nextDeadlineMs);
    this.#watchCommit();
  }

  /** Stops publishers, or lets those go on that were held back. */
  #tellPublishers(): void {
    const reason = this.broker.alarm ? 'low on memory' : undefined;
    if (reason !== this.#blockedReason) {
      this.#blockedReason = reason;
      this.host.observer.log.warn(reason === undefined ? 'publishers go on' : 'publishers are stopped', {
        memoryBytes: this.broker.memory.bytes,
      });
      for (const link of this.links) {
        link.session.setBlocked(reason);
        this.#stirred.add(link);
      }
    }
    if (reason !== undefined || this.broker.isCongested) return;
    for (const link of this.links) {
      if (!link.session.isHeldBack) continue;
      link.resume();
      this.#stirred.add(link);
    }
  }

  /** Publishers held back by a slow disk go on when it has caught up. */
  #watchCommit(): void {
    if (this.broker.isCongested) this.broker.pending()?.whenSettled(() => this.#planTurn());
  }

  /** Takes a turn at `atMs`, milliseconds of the broker's time; never later than one planned before. */
  #later(atMs: number | undefined): void {
    if (atMs === undefined || (this.#deadline !== undefined && this.#deadline.atMs <= atMs)) return;
    this.#deadline?.timer.cancel();
    const delayMs = Math.min(Math.max(0, atMs - this.broker.now()), 0x7fff_ffff);
    const timer = this.host.clock.schedule(delayMs, () => {
      this.#deadline = undefined;
      this.#turn();
    });
    this.#deadline = { timer, atMs };
  }

  /** Nothing can be promised any more: every client is told, and nobody is served again. */
  #diskFailed(reason: string): void {
    this.host.observer.log.error('the disk failed: the queue stops', { reason });
    this.#listener?.stop();
    for (const link of this.links) {
      link.session.shutDown(`the broker's disk failed: ${reason}`, this.host.clock.monotonic());
      this.#stirred.add(link);
    }
    this.#planTurn();
  }

  #sum(count: (queue: { readonly readyCount: number; readonly unackedCount: number }) => number): number {
    let sum = 0;
    for (const queue of this.broker.queues.values()) sum += count(queue);
    return sum;
  }
}

/** Flag bit 13 of the properties: only then is there a header to look for. */
function hasHeaders(raw: Buffer): boolean {
  return ((raw[0] as number) & 0x20) !== 0;
}

function connectionLimits({ limits }: Options): ConnectionLimits {
  return {
    maxConnections: limits.maxConnections,
    firstByteTimeoutMs: limits.handshakeTimeoutMs,
    // Heartbeats find dead peers; a client that wants none may be silent.
    idleTimeoutMs: 0,
    maxBufferedBytes: limits.maxBufferedBytes,
    closeTimeoutMs: limits.closeTimeoutMs,
  };
}
