/**
 * A client for any server that speaks RESP: pipelining without ceremony (commands sent in one turn of the loop
 * leave in one write), subscriptions, and connecting again.
 *
 *   await using cache = await connectCache({ network, clock, url: 'redis://127.0.0.1:6379' });
 *   await cache.command('SET', 'greeting', 'hello', 'EX', 60);
 *
 * A connection that breaks fails every command that was sent and not answered (`closed`): whether it was
 * carried out cannot be known. Later commands wait for the next connection, up to their own timeout;
 * subscriptions are made again.
 */
import { messageOf } from '../core/errors.ts';
import type { Connection, Network, TlsClientOptions } from '../core/net/network.ts';
import type { Clock, Timer } from '../core/time/clock.ts';
import { CacheError } from './errors.ts';
import {
  CLIENT_COMMAND_TIMEOUT_MS,
  CLIENT_CONNECT_TIMEOUT_MS,
  CLIENT_MAX_PENDING,
  CLIENT_RECONNECT_MAX_MS,
  CLIENT_RECONNECT_MIN_MS,
  REPLY_LIMITS,
} from './limits.ts';
import { type Reply, ReplyError, ReplyParser } from './wire/reply-parser.ts';
import { type Argument, encodeRequest } from './wire/request-writer.ts';

export interface CacheClientOptions {
  readonly network: Network;
  readonly clock: Clock;
  /** `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly url: string;
  /** Shown in CLIENT LIST. */
  readonly name?: string;
  readonly connectTimeoutMs?: number;
  /** For each command, from the call to its reply; 0: none (for commands that wait). */
  readonly commandTimeoutMs?: number;
  /** False: a broken connection stays broken. Default true. */
  readonly reconnect?: boolean;
  /** How strings become bytes and back. `latin1` keeps any bytes, one per character. Default `utf8`. */
  readonly encoding?: 'utf8' | 'latin1';
  readonly tls?: Omit<TlsClientOptions, 'serverName'>;
}

export type Listener = (message: string, channel: string) => void;

export interface CacheClient extends AsyncDisposable {
  /** True while commands can be sent at once. */
  readonly connected: boolean;
  /**
   * Sends one command.
   * @throws CacheError `error-reply` (its `prefix` is the server's code), `timeout`, `closed`, `overloaded`
   */
  command(...args: readonly [string, ...Argument[]]): Promise<Reply>;
  /** The same with a timeout of its own. */
  commandWithin(timeoutMs: number, ...args: readonly [string, ...Argument[]]): Promise<Reply>;
  /** Several commands at once; an error reply is a CacheError in its place. */
  pipeline(commands: readonly (readonly [string, ...Argument[]])[]): Promise<(Reply | CacheError)[]>;
  /** Listens to a channel; again after every reconnection. Resolves when the server has confirmed. */
  subscribe(channel: string, listener: Listener): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** Sends nothing more, fails what is not answered, closes. */
  close(): Promise<void>;
}

/** @throws CacheError `bad-url`; NetError when the first connection fails; `error-reply` when the login does */
export async function connectCache(options: CacheClientOptions): Promise<CacheClient> {
  const client = new RespClient(options, parseUrl(options.url));
  await client.start();
  return client;
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
}

function parseUrl(text: string): Target {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) {
    throw new CacheError('bad-url', `not a redis:// or rediss:// URL: ${text.replace(/\/\/.*@/, '//***@')}`);
  }
  const database = Number(url.pathname.slice(1) || '0');
  if (!Number.isInteger(database) || database < 0)
    throw new CacheError('bad-url', 'the database is not a number');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    secure: url.protocol === 'rediss:',
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    database,
  };
}

/** A command that waits for its reply. */
interface Pending {
  readonly bytes: Buffer;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: CacheError) => void;
  timer: Timer | undefined;
  settled: boolean;
}

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open'; readonly connection: Connection }
  | { readonly kind: 'closed' };

class RespClient implements CacheClient {
  readonly #options: CacheClientOptions;
  readonly #target: Target;
  readonly #listeners = new Map<string, Listener>();
  #state: State = { kind: 'waiting' };
  #parser: ReplyParser;
  /** Sent, oldest first. */
  #sent: Pending[] = [];
  /** To be sent, in this turn or after the next connection. */
  #queue: Pending[] = [];
  #flushPlanned = false;
  #retryMs = CLIENT_RECONNECT_MIN_MS;
  #retryTimer: Timer | undefined;

  constructor(options: CacheClientOptions, target: Target) {
    this.#options = options;
    this.#target = target;
    this.#parser = this.#newParser();
  }

  get connected(): boolean {
    return this.#state.kind === 'open';
  }

  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  command(...args: readonly [string, ...Argument[]]): Promise<Reply> {
    return this.commandWithin(this.#options.commandTimeoutMs ?? CLIENT_COMMAND_TIMEOUT_MS, ...args);
  }

  commandWithin(timeoutMs: number, ...args: readonly [string, ...Argument[]]): Promise<Reply> {
    if (this.#state.kind === 'closed')
      return Promise.reject(new CacheError('closed', 'the client is closed'));
    if (this.#sent.length + this.#queue.length >= CLIENT_MAX_PENDING) {
      return Promise.reject(
        new CacheError('overloaded', 'too many commands wait for replies', { retryable: true }),
      );
    }
    return new Promise((resolve, reject) => {
      const pending = this.#pending(args, resolve, reject);
      if (timeoutMs > 0)
        pending.timer = this.#options.clock.schedule(timeoutMs, () => this.#timeOut(pending, args[0]));
      this.#queue.push(pending);
      this.#planFlush();
    });
  }

  pipeline(commands: readonly (readonly [string, ...Argument[]])[]): Promise<(Reply | CacheError)[]> {
    return Promise.all(
      commands.map((args) =>
        this.command(...args).catch((error: unknown) => {
          if (error instanceof CacheError && error.code === 'error-reply') return error;
          throw error;
        }),
      ),
    );
  }

  async subscribe(channel: string, listener: Listener): Promise<void> {
    this.#listeners.set(channel, listener);
    await this.command('SUBSCRIBE', channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#listeners.delete(channel);
    await this.command('UNSUBSCRIBE', channel);
  }

  close(): Promise<void> {
    const { connection } = this.#state.kind === 'open' ? this.#state : { connection: undefined };
    this.#state = { kind: 'closed' };
    this.#retryTimer?.cancel();
    this.#failAll(new CacheError('closed', 'the client was closed'), [...this.#sent, ...this.#queue]);
    this.#sent = [];
    this.#queue = [];
    connection?.end();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- one connection

  #newParser(): ReplyParser {
    return new ReplyParser(REPLY_LIMITS, this.#options.encoding ?? 'utf8');
  }

  async #connect(): Promise<void> {
    this.#state = { kind: 'connecting' };
    const { network, connectTimeoutMs, tls } = this.#options;
    const { host, port, secure } = this.#target;
    const connection = await network.connect({
      host,
      port,
      timeoutMs: connectTimeoutMs ?? CLIENT_CONNECT_TIMEOUT_MS,
      ...(secure ? { tls: { serverName: host, ...tls } } : {}),
    });
    if (this.#isClosed()) {
      connection.destroy();
      return;
    }
    this.#parser = this.#newParser();
    connection.attach({
      data: (chunk) => this.#receive(connection, chunk),
      close: (cause) => this.#lost(cause),
    });
    await this.#greet(connection);
    this.#state = { kind: 'open', connection };
    this.#retryMs = CLIENT_RECONNECT_MIN_MS;
    this.#planFlush();
  }

  #isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  /** RESP3, login, name, database and subscriptions, in one write before anything else. */
  async #greet(connection: Connection): Promise<void> {
    const { username, password, database } = this.#target;
    const hello: [string, ...Argument[]] = ['HELLO', 3];
    if (password !== undefined) hello.push('AUTH', username ?? 'default', password);
    if (this.#options.name !== undefined) hello.push('SETNAME', this.#options.name);
    const commands: [string, ...Argument[]][] = [hello];
    if (database !== 0) commands.push(['SELECT', database]);
    for (const channel of this.#listeners.keys()) commands.push(['SUBSCRIBE', channel]);
    const replies = commands.map(
      (args) =>
        new Promise<Reply>((resolve, reject) => {
          this.#sent.push(this.#pending(args, resolve, reject));
        }),
    );
    connection.write(Buffer.concat(this.#sent.map(({ bytes }) => bytes)));
    const { clock, connectTimeoutMs } = this.#options;
    const timer = clock.schedule(connectTimeoutMs ?? CLIENT_CONNECT_TIMEOUT_MS, () => {
      connection.destroy(new CacheError('timeout', 'the server did not greet in time', { fault: 'remote' }));
    });
    try {
      await Promise.all(replies);
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      timer.cancel();
    }
  }

  #receive(connection: Connection, chunk: Buffer): void {
    this.#parser.feed(chunk);
    for (;;) {
      const step = this.#parser.next();
      if (step === undefined) return;
      if ('malformed' in step) {
        connection.destroy(new CacheError('protocol-violation', step.malformed, { fault: 'remote' }));
        return;
      }
      if (step.isPush) this.#pushed(step.reply as readonly Reply[]);
      else this.#answered(step.reply);
    }
  }

  /** Confirmations of subscriptions are pushes too, and answer the command that waits for them. */
  #pushed(items: readonly Reply[]): void {
    const [kind, channel, message] = items;
    if (kind === 'message') this.#listeners.get(String(channel))?.(String(message), String(channel));
    else if (kind === 'subscribe' || kind === 'unsubscribe') this.#answered(items);
  }

  #answered(reply: Reply): void {
    const pending = this.#sent.shift();
    if (pending === undefined) return;
    if (reply instanceof ReplyError)
      this.#fail(pending, new CacheError('error-reply', reply.line, { fault: 'remote' }));
    else if (this.#settle(pending)) pending.resolve(reply);
  }

  #lost(cause: Error | undefined): void {
    const sent = this.#sent;
    this.#sent = [];
    const detail = cause === undefined ? '' : `: ${messageOf(cause)}`;
    const options = { fault: 'remote', retryable: true, cause } as const;
    this.#failAll(new CacheError('closed', `the connection was lost${detail}`, options), sent);
    // While connecting the one who connects sees the failure himself.
    if (this.#state.kind !== 'open') return;
    this.#state = { kind: 'waiting' };
    this.#retryOrGiveUp();
  }

  #retryOrGiveUp(): void {
    if (this.#options.reconnect === false) {
      void this.close();
      return;
    }
    const delay = this.#retryMs;
    this.#retryMs = Math.min(CLIENT_RECONNECT_MAX_MS, delay * 2);
    this.#retryTimer = this.#options.clock.schedule(delay, () => {
      this.#connect().catch(() => {
        if (this.#isClosed()) return;
        this.#state = { kind: 'waiting' };
        this.#retryOrGiveUp();
      });
    });
  }

  // ---- commands

  #pending(
    args: readonly Argument[],
    resolve: (reply: Reply) => void,
    reject: (error: CacheError) => void,
  ): Pending {
    const bytes = encodeRequest(args, this.#options.encoding ?? 'utf8');
    return { bytes, resolve, reject, timer: undefined, settled: false };
  }

  /** Everything asked for in this turn of the loop leaves in one write. */
  #planFlush(): void {
    if (this.#flushPlanned || this.#state.kind !== 'open') return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state.kind !== 'open' || this.#queue.length === 0) return;
    const leaving = this.#queue.filter(({ settled }) => !settled);
    this.#queue = [];
    if (leaving.length === 0) return;
    this.#sent.push(...leaving);
    this.#state.connection.write(Buffer.concat(leaving.map(({ bytes }) => bytes)));
  }

  #timeOut(pending: Pending, name: string): void {
    // Its reply may still come; the place in the row of replies is kept for it.
    this.#fail(
      pending,
      new CacheError('timeout', `no reply to ${name} in time`, { fault: 'remote', retryable: true }),
    );
    this.#queue = this.#queue.filter((other) => other !== pending);
  }

  #settle(pending: Pending): boolean {
    if (pending.settled) return false;
    pending.settled = true;
    pending.timer?.cancel();
    return true;
  }

  #fail(pending: Pending, error: CacheError): void {
    if (this.#settle(pending)) pending.reject(error);
  }

  #failAll(error: CacheError, all: readonly Pending[]): void {
    for (const pending of all) this.#fail(pending, error);
  }
}
