/**
 * The connections of one client, by origin.
 *
 *   acquire ──▶ a free connection, the freshest first, so that the others age out
 *           ──▶ room for another: dial                    per origin, and in all
 *           ──▶ wait, first come first served             bounded, with a time
 *
 * Whoever has waited longest gets what becomes free. When all connections that there may be are taken, a request for
 * an origin without one takes the place of another origin's idle connection; and when none is idle but somebody
 * releases one, it is closed for the sake of whoever has waited longer than those who could use it. So a busy
 * origin starves no other.
 */
import type { Timer } from '../../core/time/clock.ts';
import { HttpClientError } from '../errors.ts';
import type { Cancellation } from './cancellation.ts';
import { ClientConnection, type ConnectionPool } from './connection.ts';
import { Dialler, type Route, routeKey } from './dial.ts';
import type { ClientSettings } from './options.ts';

export interface Lease {
  readonly connection: ClientConnection;
  /** It served an exchange before, and may have been closed meanwhile. */
  readonly isReused: boolean;
}

interface Waiter {
  readonly origin: Origin;
  /** Counts up: a lower one has waited longer. */
  readonly turn: number;
  readonly cancellation: Cancellation;
  readonly resolve: (lease: Lease | Promise<Lease>) => void;
  /** Leaves the queue with this error. */
  readonly leave: (error: HttpClientError) => void;
  /** Ends its timer and its listening; it has left the queue. */
  readonly served: () => void;
}

export class Pool {
  readonly #settings: ClientSettings;
  readonly #dialler: Dialler;
  readonly #origins = new Map<string, Origin>();
  /** Connections that there are and that are being made. */
  #placesTaken = 0;
  #waitingCount = 0;
  #turns = 0;
  #openedCount = 0;
  #reusedCount = 0;
  #isClosed = false;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#dialler = new Dialler(settings);
  }

  get counts(): { connections: number; free: number; waiting: number; opened: number; reused: number } {
    let free = 0;
    for (const origin of this.#origins.values()) free += origin.free.length;
    return {
      connections: this.#placesTaken,
      free,
      waiting: this.#waitingCount,
      opened: this.#openedCount,
      reused: this.#reusedCount,
    };
  }

  /** A connection that is free now. */
  takeFree(route: Route): Lease | undefined {
    const connection = this.#origins.get(routeKey(route))?.takeFree();
    return connection === undefined ? undefined : this.#reused(connection);
  }

  /**
   * Another connection; a free one only where there may be no other.
   * @param waitMs how long it may wait for a connection, milliseconds
   * @throws HttpClientError, always `unsent`
   */
  async acquire(route: Route, cancellation: Cancellation, waitMs: number): Promise<Lease> {
    const origin = this.#originOf(route);
    if (!origin.isFull && this.#makeRoom()) return this.#dial(origin, cancellation);
    const connection = origin.takeFree();
    return connection === undefined ? this.#wait(origin, cancellation, waitMs) : this.#reused(connection);
  }

  #originOf(route: Route): Origin {
    const key = routeKey(route);
    let origin = this.#origins.get(key);
    if (origin === undefined) {
      origin = new Origin(this, key, route, this.#settings.bounds.maxConnectionsPerOrigin);
      this.#origins.set(key, origin);
    }
    return origin;
  }

  #reused(connection: ClientConnection): Lease {
    this.#reusedCount++;
    return { connection, isReused: true };
  }

  get #hasRoom(): boolean {
    return this.#placesTaken < this.#settings.bounds.maxConnections;
  }

  /** @returns false when every connection that there may be is in use */
  #makeRoom(): boolean {
    if (this.#hasRoom) return true;
    for (const origin of this.#origins.values()) {
      const [oldest] = origin.free;
      if (oldest === undefined) continue;
      this.#drop(origin, oldest);
      return true;
    }
    return false;
  }

  /** Its place is free at once; that it is gone will be told once more, and ignored. */
  #drop(origin: Origin, connection: ClientConnection): void {
    if (origin.remove(connection)) this.#placesTaken--;
    connection.destroy();
    this.#forgetUnused(origin);
  }

  async #dial(origin: Origin, cancellation: Cancellation): Promise<Lease> {
    // It may have been forgotten while room was made.
    this.#origins.set(origin.key, origin);
    this.#placesTaken++;
    origin.connectingCount++;
    try {
      const socket = await this.#dialler.dial(origin.route, cancellation);
      const connection = new ClientConnection(socket, this.#settings, origin);
      origin.connections.add(connection);
      this.#openedCount++;
      return { connection, isReused: false };
    } catch (thrown) {
      this.#placesTaken--;
      // The place is free again; whoever waits for one must not wait for a connection that never was.
      queueMicrotask(() => this.#placeFreed(origin));
      throw thrown;
    } finally {
      origin.connectingCount--;
    }
  }

  // ── Waiting ───────────────────────────────────────────────────────────────────────────────────────────

  #wait(origin: Origin, cancellation: Cancellation, waitMs: number): Promise<Lease> {
    const { clock, bounds } = this.#settings;
    if (this.#waitingCount >= bounds.maxWaiting)
      throw busy('queue-full', 'too many requests wait for a connection');
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const leave = (error: HttpClientError): void => {
      this.#take(waiter);
      reject(error);
    };
    const onAbort = (): void => leave(cancellation.error(true));
    const timer: Timer = clock.schedule(waitMs, () =>
      leave(busy('pool-timeout', 'no free connection in time')),
    );
    const served = (): void => {
      timer.cancel();
      cancellation.own?.removeEventListener('abort', onAbort);
    };
    const waiter: Waiter = { origin, turn: ++this.#turns, cancellation, resolve, leave, served };
    origin.waiting.add(waiter);
    this.#waitingCount++;
    cancellation.own?.addEventListener('abort', onAbort, { once: true });
    return promise;
  }

  /** Takes a waiter out of its queue. */
  #take(waiter: Waiter): void {
    if (!waiter.origin.waiting.delete(waiter)) return;
    this.#waitingCount--;
    waiter.served();
    this.#forgetUnused(waiter.origin);
  }

  /** The one who has waited longest of those whose origin may have another connection. */
  #longestWaiting(): Waiter | undefined {
    let longest: Waiter | undefined;
    for (const origin of this.#origins.values()) {
      if (origin.isFull) continue;
      const first = origin.firstWaiting;
      if (first !== undefined && (longest === undefined || first.turn < longest.turn)) longest = first;
    }
    return longest;
  }

  #dialFor(waiter: Waiter): void {
    const lease = this.#dial(waiter.origin, waiter.cancellation);
    this.#take(waiter);
    waiter.resolve(lease);
  }

  #placeFreed(origin: Origin): void {
    while (this.#waitingCount > 0 && this.#hasRoom) {
      const waiter = this.#longestWaiting();
      if (waiter === undefined) break;
      this.#dialFor(waiter);
    }
    this.#forgetUnused(origin);
  }

  #forgetUnused(origin: Origin): void {
    if (origin.isUnused && this.#origins.get(origin.key) === origin) this.#origins.delete(origin.key);
  }

  // ── What connections tell ─────────────────────────────────────────────────────────────────────────────

  released(origin: Origin, connection: ClientConnection): void {
    if (this.#isClosed || connection.isSpent) {
      this.#drop(origin, connection);
      this.#placeFreed(origin);
      return;
    }
    const own = origin.firstWaiting;
    const other = this.#waitingCount > 0 && !this.#hasRoom ? this.#longestWaiting() : undefined;
    if (other !== undefined && other !== own && (own === undefined || other.turn < own.turn)) {
      this.#drop(origin, connection);
      this.#dialFor(other);
    } else if (own !== undefined) {
      this.#take(own);
      own.resolve(this.#reused(connection));
    } else {
      origin.free.push(connection);
    }
  }

  gone(origin: Origin, connection: ClientConnection): void {
    if (!origin.remove(connection)) return;
    this.#placesTaken--;
    this.#placeFreed(origin);
  }

  /** Ends all connections and waits; what is being connected is ended by the signal that closes the client. */
  close(): void {
    this.#isClosed = true;
    for (const origin of [...this.#origins.values()]) {
      for (const waiter of [...origin.waiting]) waiter.leave(waiter.cancellation.error(true));
      for (const connection of [...origin.connections]) connection.abort();
    }
  }
}

/** The connections to one scheme, host and port, by one way. */
class Origin implements ConnectionPool {
  readonly key: string;
  readonly route: Route;
  readonly connections = new Set<ClientConnection>();
  /** Without an exchange, the freshest last. */
  readonly free: ClientConnection[] = [];
  readonly waiting = new Set<Waiter>();
  connectingCount = 0;
  readonly #pool: Pool;
  readonly #max: number;

  constructor(pool: Pool, key: string, route: Route, max: number) {
    this.#pool = pool;
    this.key = key;
    this.route = route;
    this.#max = max;
  }

  get isFull(): boolean {
    return this.connections.size + this.connectingCount >= this.#max;
  }

  get isUnused(): boolean {
    return this.connections.size === 0 && this.connectingCount === 0 && this.waiting.size === 0;
  }

  get firstWaiting(): Waiter | undefined {
    for (const waiter of this.waiting) return waiter;
    return undefined;
  }

  takeFree(): ClientConnection | undefined {
    for (;;) {
      const connection = this.free.pop();
      if (connection === undefined || connection.isUsable) return connection;
      connection.destroy();
    }
  }

  /** @returns false when it had been removed before */
  remove(connection: ClientConnection): boolean {
    const at = this.free.indexOf(connection);
    if (at >= 0) this.free.splice(at, 1);
    return this.connections.delete(connection);
  }

  release(connection: ClientConnection): void {
    this.#pool.released(this, connection);
  }

  gone(connection: ClientConnection): void {
    this.#pool.gone(this, connection);
  }
}

function busy(code: 'queue-full' | 'pool-timeout', message: string): HttpClientError {
  return new HttpClientError(code, message, { fault: 'local', unsent: true, retryable: true });
}
