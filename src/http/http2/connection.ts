/**
 * Connections that speak HTTP/2, behind the same handler. Framing and HPACK are node:http2's; what it lets through,
 * and how much of it, is decided here.
 *
 *   Connection ──▶ FloodGuard ──▶ ConnectionDuplex ──▶ node:http2 ──▶ Exchange, one for each stream
 *        ◀──────── FloodGuard ◀── ConnectionDuplex ◀──    "      ◀──      "
 *
 * The guard sees every frame before node:http2 does. RFC 9113.
 */
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Host } from '../../core/lifecycle.ts';
import type { Connection, ConnectionHandler } from '../../core/net/network.ts';
import type { Timer } from '../../core/time/clock.ts';
import type { HttpLimits } from '../limits.ts';
import type { HttpMetrics } from '../metrics.ts';
import type { Handler } from '../types.ts';
import { formatDate } from '../wire/date.ts';
import { NO_FIELDS } from '../wire/fields.ts';
import { ConnectionDuplex } from './connection-duplex.ts';
import { ERROR, Exchange, type ExchangeOwner } from './exchange.ts';
import { FloodGuard } from './flood-guard.ts';
import { encodeGoaway } from './frame-reader.ts';
import { type Http2RequestHead, readRequestHead } from './request-head.ts';

/** How often a connection with streams looks at the clock, and what a polite farewell waits for its answer. */
const CHECK_MS = 1_000;
/** No stream has this number: a first GOAWAY with it tells a client to open no more. RFC 9113 section 6.8. */
const LAST_STREAM = 2 ** 31 - 1;
/** What HPACK counts for a field besides its bytes. RFC 7541 section 4.1. */
const FIELD_OVERHEAD_BYTES = 32;
/** Pseudo-fields of a request, and room to find out that there are too many. */
const MORE_FIELDS = 8;

/** What a connection needs of the server that accepted it. */
export interface Http2Server {
  readonly host: Pick<Host, 'clock' | 'random' | 'observer'>;
  readonly handler: Handler;
  readonly limits: HttpLimits;
  readonly metrics: HttpMetrics;
  forget(connection: Http2Connection, address: string): void;
}

export class Http2Connection implements ConnectionHandler, ExchangeOwner {
  readonly connection: Connection;
  readonly #server: Http2Server;
  readonly #guard: FloodGuard;
  readonly #duplex: ConnectionDuplex;
  readonly #session: ServerHttp2Session;
  readonly #exchanges = new Map<number, Exchange>();
  #workingHandlers = 0;
  #idleSinceMs: number;
  #checkedMs: number;
  #retiringSinceMs: number | undefined;
  #isOver = false;
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;

  /** @param early what has already arrived */
  constructor(server: Http2Server, connection: Connection, early?: Buffer) {
    const nowMs = server.host.clock.monotonic();
    this.#server = server;
    this.connection = connection;
    this.#idleSinceMs = nowMs;
    this.#checkedMs = nowMs;
    this.#guard = new FloodGuard(server.limits, nowMs, {
      dataSent: (streamId, bytes) => this.#exchanges.get(streamId)?.sent(bytes),
      resetReceived: (streamId) => this.#exchanges.get(streamId)?.cancelled(),
    });
    this.#duplex = new ConnectionDuplex(connection, (bytes) => this.#guard.send(bytes));
    this.#duplex.on('error', () => undefined);
    this.#session = http2.performServerHandshake(this.#duplex, sessionOptions(server.limits));
    this.#session.on('stream', (stream, _headers, _flags, raw) => {
      this.#begin(stream, raw as unknown as readonly string[]);
    });
    this.#session.on('error', () => server.metrics.refused('http2-protocol'));
    this.#session.on('close', () => connection.end());
    connection.attach(this);
    if (early !== undefined) this.data(early);
    this.#arm();
  }

  get limits(): HttpLimits {
    return this.#server.limits;
  }

  get host(): Http2Server['host'] {
    return this.#server.host;
  }

  get handler(): Handler {
    return this.#server.handler;
  }

  #now(): number {
    return this.#server.host.clock.monotonic();
  }

  // ── From the socket ───────────────────────────────────────────────────────────────────────────────────

  data(chunk: Buffer): void {
    if (this.#isOver) return;
    const flood = this.#guard.receive(chunk, this.#now());
    if (flood !== undefined) {
      this.#calm(flood);
      return;
    }
    this.#duplex.received(chunk);
    if (this.#guard.blockSinceMs !== undefined) this.#arm();
  }

  end(): void {
    if (!this.#isOver) this.#duplex.receivedEnd();
  }

  drain(): void {
    this.#duplex.drained();
  }

  close(): void {
    this.#isOver = true;
    this.#timer?.timer.cancel();
    this.#server.forget(this, this.connection.remote.address);
    this.#session.destroy();
    this.#duplex.destroy();
  }

  destroy(): void {
    this.connection.destroy();
  }

  // ── Streams ───────────────────────────────────────────────────────────────────────────────────────────

  #begin(stream: ServerHttp2Stream, raw: readonly string[]): void {
    // What went wrong with a stream shows when it closes.
    stream.on('error', () => undefined);
    const { metrics, limits } = this.#server;
    metrics.requests.value++;
    // Cancelled before anybody has looked at it.
    if (stream.closed || stream.destroyed) return;
    // Cancelled streams are not counted as open, but their handlers may still be at work.
    if (this.#workingHandlers >= limits.http2Streams) {
      this.refused('http2-handlers');
      stream.close(ERROR.REFUSED_STREAM);
      return;
    }
    const head = readRequestHead(raw, limits);
    if (head.kind === 'request') this.#exchange(stream, head).start();
    else this.#exchange(stream, unreadHead(raw)).refuse(head);
    this.#arm();
  }

  #exchange(stream: ServerHttp2Stream, head: Http2RequestHead): Exchange {
    // The time without streams is nobody's delay.
    if (this.#exchanges.size === 0) this.#checkedMs = this.#now();
    const exchange = new Exchange(this, stream, head);
    this.#exchanges.set(exchange.id, exchange);
    return exchange;
  }

  ended(exchange: Exchange): void {
    this.#exchanges.delete(exchange.id);
    this.#idleSinceMs = this.#now();
  }

  working(change: 1 | -1): void {
    this.#workingHandlers += change;
  }

  date(): string {
    return formatDate(this.#server.host.clock.now());
  }

  refused(code: string): void {
    this.#server.metrics.refused(code);
  }

  // ── Farewells and time ────────────────────────────────────────────────────────────────────────────────

  /** The server stops: no more streams, the open ones come to their end. RFC 9113 section 6.8. */
  retire(): void {
    if (this.#isOver || this.#retiringSinceMs !== undefined) return;
    this.#retiringSinceMs = this.#now();
    if (this.#session.destroyed) return;
    this.#session.goaway(ERROR.NONE, LAST_STREAM);
    // A stream that was opened before the client has heard of it is still served: it has heard when it answers.
    if (!this.#session.ping(() => this.#session.close())) this.#session.close();
    this.#arm();
  }

  /** GOAWAY with ENHANCE_YOUR_CALM, past node:http2, which is not to see what has arrived. */
  #calm(reason: string): void {
    this.#isOver = true;
    this.refused(reason);
    if (this.#guard.sentWholeFrames && this.connection.bufferedBytes === 0) {
      this.connection.end(encodeGoaway(this.#guard.lastStreamId, ERROR.ENHANCE_YOUR_CALM));
    } else this.connection.destroy();
    this.#session.destroy();
  }

  /** One timer, moved only when something is due earlier. */
  #arm(): void {
    if (this.#isOver) return;
    const nowMs = this.#now();
    const isWatched =
      this.#exchanges.size > 0 ||
      this.#guard.blockSinceMs !== undefined ||
      this.#retiringSinceMs !== undefined;
    const delayMs = isWatched ? CHECK_MS : Math.max(this.#idleSinceMs + this.#patienceMs - nowMs, 1);
    if (this.#timer !== undefined && this.#timer.atMs <= nowMs + delayMs) return;
    this.#timer?.timer.cancel();
    const timer = this.host.clock.schedule(delayMs, () => {
      this.#timer = undefined;
      this.#check();
      this.#arm();
    });
    this.#timer = { atMs: nowMs + delayMs, timer };
  }

  get #patienceMs(): number {
    return this.#guard.lastStreamId === 0 ? this.limits.firstByteTimeoutMs : this.limits.keepAliveTimeoutMs;
  }

  #check(): void {
    const nowMs = this.#now();
    const { blockSinceMs } = this.#guard;
    if (blockSinceMs !== undefined && nowMs - blockSinceMs >= this.limits.headTimeoutMs) {
      this.#calm('head-timeout');
      return;
    }
    this.#checkPace(nowMs, nowMs - this.#checkedMs);
    this.#checkedMs = nowMs;
    if (this.#isOver) return;
    if (this.#retiringSinceMs !== undefined) {
      if (nowMs - this.#retiringSinceMs >= CHECK_MS) this.#session.close();
    } else if (this.#exchanges.size === 0 && nowMs - this.#idleSinceMs >= this.#patienceMs) this.retire();
  }

  /** A client that takes of nothing what it asked for is let go; one that forgot a stream loses that stream. */
  #checkPace(nowMs: number, sinceMs: number): void {
    const stalled = [...this.#exchanges.values()].filter(
      (exchange) => exchange.check(nowMs, sinceMs) === 'stalled',
    );
    if (stalled.length === 0) return;
    if (stalled.length === this.#exchanges.size) {
      this.#calm('write-timeout');
      return;
    }
    for (const exchange of stalled) {
      this.refused('write-timeout');
      exchange.reset();
    }
  }
}

function sessionOptions(limits: HttpLimits): http2.ServerSessionOptions {
  return {
    settings: {
      enablePush: false,
      maxConcurrentStreams: limits.http2Streams,
      maxHeaderListSize: limits.headBytes + (limits.fieldCount + MORE_FIELDS) * FIELD_OVERHEAD_BYTES,
    },
    maxHeaderListPairs: limits.fieldCount + MORE_FIELDS,
    maxDeflateDynamicTableSize: limits.http2HeaderTableBytes,
    maxSessionInvalidFrames: limits.http2UselessFrames,
    maxSessionRejectedStreams: limits.http2UselessFrames,
    maxOutstandingPings: 1,
  };
}

/** For the answer to a request whose head is refused: the method decides whether it has content. */
function unreadHead(raw: readonly string[]): Http2RequestHead {
  const method = raw[raw.indexOf(':method') + 1] ?? '';
  const nothing = { sizeBytes: undefined, expectContinue: false, upgrade: undefined };
  return { kind: 'request', method, target: '', version: '2', fields: NO_FIELDS, ...nothing };
}
