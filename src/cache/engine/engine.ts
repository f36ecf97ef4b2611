/**
 * The engine: databases, clients, and the way of a command.
 *
 *   name -> row of the table -> arity -> authenticated? -> subscriber mode? -> room in memory?
 *        -> queue (inside MULTI) or run -> blocked clients that can go on -> messages that follow the reply
 *
 * It knows no socket and no clock: each call brings the time. What it has to say besides replies it says
 * through `Client.link`.
 */
import type { Random } from '../../core/random/random.ts';
import { CacheError, failure, noAuth, outOfMemory, replyLine, wrongArity } from '../errors.ts';
import { ERROR_ARGUMENT_BYTES, EXPIRY_BATCH, EXPIRY_INTERVAL_MS } from '../limits.ts';
import { ReplyWriter } from '../wire/reply-writer.ts';
import { setClock } from './access.ts';
import { AuthThrottle } from './auth-throttle.ts';
import { Blocking, type Waiter } from './blocking.ts';
import { Client, type ClientLink, type QueuedCommand } from './client.ts';
import type { Call, Command, CommandFlag } from './command.ts';
import { Evictor } from './eviction.ts';
import { Keyspace } from './keyspace.ts';
import { CLIENT_BYTES } from './memory.ts';
import { notifierFor } from './notifications.ts';
import { PubSub } from './pubsub.ts';
import { DEFAULT_SETTINGS, type Parameter, parametersOf, type Settings } from './settings.ts';
import { Slowlog } from './slowlog.ts';

export interface Credentials {
  /** False: everybody is the default user. */
  readonly required: boolean;
  /** Takes the same time for a right and a wrong answer. */
  verify(username: string, password: string): boolean;
}

export interface EngineOptions {
  readonly commands: readonly Command[];
  readonly databases: number;
  readonly settings: Partial<Settings>;
  readonly credentials: Credentials;
  readonly random: Random;
  readonly startMs: number;
  /** Fractional milliseconds from any start, for the durations in SLOWLOG. */
  readonly elapsedMs: () => number;
  /** Resident memory of the process, bytes. */
  readonly residentBytes: () => number;
  /** For INFO and HELLO. */
  readonly version: string;
  readonly port: () => number;
  /** Told about what must not happen. */
  readonly onInternalError: (error: unknown, command: string) => void;
  /** Names of CONFIG parameters that this start decided. */
  readonly facts?: Readonly<Record<string, string>>;
}

export interface EngineStats {
  commands: number;
  connections: number;
  rejectedConnections: number;
  errors: number;
  authFailures: number;
}

/** A row of the table as dispatch needs it. */
interface Row {
  readonly command: Command;
  readonly id: number;
  readonly write: boolean;
  readonly denyOom: boolean;
  readonly noAuth: boolean;
  readonly noMulti: boolean;
  /** Not queued in a transaction. */
  readonly control: boolean;
  readonly whileSubscribed: boolean;
  readonly timed: boolean;
  readonly subcommands: Map<string, Row> | undefined;
}

const CONTROL = new Set(['multi', 'exec', 'discard', 'watch', 'quit', 'reset']);
const WHILE_SUBSCRIBED = new Set([
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'unsubscribe',
  'punsubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
]);

export class Engine {
  readonly keyspace: Keyspace;
  readonly settings: Settings;
  readonly parameters: Map<string, Parameter>;
  readonly pubsub: PubSub;
  readonly blocking: Blocking;
  readonly slowlog = new Slowlog();
  readonly throttle = new AuthThrottle();
  readonly clients = new Map<number, Client>();
  readonly monitors = new Set<Client>();
  readonly options: EngineOptions;
  readonly stats: EngineStats = {
    commands: 0,
    connections: 0,
    rejectedConnections: 0,
    errors: 0,
    authFailures: 0,
  };
  readonly runId: string;
  /** Highest memory seen, bytes. */
  peakBytes = 0;
  /** Calls by row; `commandCalls` reads it. */
  #calls: Float64Array<ArrayBuffer>;
  readonly #rows: Row[] = [];
  readonly #byName = new Map<string, Row>();
  readonly #evictor: Evictor;
  #nextClientId = 1;
  #current: Client | undefined;
  /** Before this no expiry cycle runs. */
  #expiryRestsUntil = 0;

  constructor(options: EngineOptions) {
    this.options = options;
    this.settings = { ...DEFAULT_SETTINGS, ...options.settings };
    const { lfuLogFactor: logFactor, lfuDecayMinutes: decayMinutes } = this.settings;
    const clock = {
      random: options.random,
      startMs: options.startMs,
      current: 0,
      frequency: false,
      logFactor,
      decayMinutes,
    };
    this.keyspace = new Keyspace(options.databases, clock);
    this.keyspace.now = options.startMs;
    this.parameters = parametersOf(this.settings, this.keyspace.encodings, options.facts ?? {});
    this.pubsub = new PubSub((client, bytes) => this.push(client, bytes));
    this.blocking = new Blocking(this.keyspace, (waiter) => this.#retry(waiter));
    this.#evictor = new Evictor(this.keyspace, options.random);
    this.runId = options.random.bytes(20).toString('hex');
    for (const command of options.commands) this.#register(command, this.#byName, command.name);
    this.#calls = new Float64Array(this.#rows.length);
    this.settingsChanged();
  }

  // ---- clients

  connect(link: ClientLink, now: number): Client {
    const reply = new ReplyWriter();
    const client = new Client(this.#nextClientId++, reply, link, this.keyspace.databases[0]!, now);
    if (!this.options.credentials.required) client.user = 'default';
    this.clients.set(client.id, client);
    this.stats.connections++;
    return client;
  }

  /** Forgets a client: its waiting, watching and subscriptions. */
  disconnect(client: Client): void {
    client.closed = true;
    this.blocking.drop(client);
    this.pubsub.drop(client);
    this.unwatch(client);
    this.monitors.delete(client);
    this.clients.delete(client.id);
  }

  unwatch(client: Client): void {
    for (const [database, keys] of client.watched) {
      for (const key of keys) {
        const watchers = database.watchers.get(key);
        watchers?.delete(client);
        if (watchers?.size === 0) database.watchers.delete(key);
      }
    }
    client.watched.clear();
    client.watchedKeyChanged = false;
  }

  /** Sends a client something it did not ask for just now. */
  push(client: Client, bytes: string): void {
    if (client === this.#current) {
      client.deferredPushes.push(bytes);
      return;
    }
    client.reply.raw(bytes);
    client.link.outputWritten();
  }

  // ---- time

  setTime(now: number): void {
    this.keyspace.now = now;
    setClock(this.keyspace.clock, now);
  }

  /** Does what is due: keys that expire, clients that have waited long enough. */
  tick(now: number): void {
    this.setTime(now);
    if (now >= this.#expiryRestsUntil && this.keyspace.expireDue(EXPIRY_BATCH) < EXPIRY_BATCH) {
      this.#expiryRestsUntil = now + EXPIRY_INTERVAL_MS;
    }
    this.blocking.expire(now);
    this.blocking.serveReady();
  }

  /** When `tick` should be called next, or undefined when nothing is due. */
  nextDeadline(): number | undefined {
    const keys = this.keyspace.nextDeadline();
    const waiting = this.blocking.nextDeadline();
    if (keys === undefined) return waiting;
    const expiry = Math.max(keys, this.#expiryRestsUntil);
    return waiting === undefined ? expiry : Math.min(waiting, expiry);
  }

  // ---- memory

  /** Bytes counted for keys, waiting output and connections. */
  usedBytes(): number {
    return this.keyspace.usedBytes + this.clients.size * CLIENT_BYTES;
  }

  #makeRoom(): boolean {
    const { maxmemoryBytes, maxmemoryPolicy, maxmemorySamples } = this.settings;
    const isOver = (): boolean => this.usedBytes() > maxmemoryBytes;
    return !isOver() || this.#evictor.makeRoom(maxmemoryPolicy, maxmemorySamples, isOver);
  }

  /** Brings what is derived from the settings up to date. */
  settingsChanged(): void {
    const { keyspace, settings } = this;
    keyspace.notify = notifierFor(settings.notifyEvents, this.pubsub);
    keyspace.clock.frequency = settings.maxmemoryPolicy.endsWith('lfu');
    keyspace.clock.logFactor = settings.lfuLogFactor;
    keyspace.clock.decayMinutes = settings.lfuDecayMinutes;
    setClock(keyspace.clock, keyspace.now);
    if (settings.maxmemoryBytes > 0) this.#makeRoom();
  }

  // ---- commands

  /** Carries out one request. Its reply, or that of a blocked client later, is in `client.reply`. */
  execute(client: Client, args: string[], now: number): void {
    this.setTime(now);
    client.lastActiveMs = now;
    client.commandCount++;
    const before = client.reply.byteLength;
    const mark = client.replyMode === 'on' ? undefined : client.reply.mark();
    const mode = client.replyMode;
    this.#current = client;
    this.keyspace.noTouch = client.noTouch;
    try {
      this.#dispatch(client, args, now);
    } catch (thrown) {
      if (client.transaction !== undefined && !CONTROL.has(args[0]!.toLowerCase()))
        client.transaction.failed = true;
      this.#replyError(client, thrown, args[0]!, before);
    }
    this.#current = undefined;
    if (mark !== undefined) this.#silence(client, mode, mark);
    if (client.deferredPushes.length > 0) this.#flushDeferred(client);
    if (this.keyspace.ready.length > 0) this.blocking.serveReady();
    const used = this.keyspace.usedBytes;
    if (used > this.peakBytes) this.peakBytes = used;
  }

  #dispatch(client: Client, args: string[], now: number): void {
    const row = this.#rowFor(args);
    const { command } = row;
    if (!arityFits(command, args.length)) throw wrongArity(command.name);
    if (client.user === undefined && !row.noAuth) throw noAuth();
    if (client.subscriberMode && !row.whileSubscribed) throw subscribed(command.name);
    if (this.settings.maxmemoryBytes > 0 && !this.#makeRoom() && row.denyOom) throw outOfMemory();
    if (this.monitors.size > 0) this.#showMonitors(client, args, now);
    if (client.transaction !== undefined && !row.control) {
      if (row.noMulti) throw failure(`Command not allowed inside a transaction`);
      client.transaction.queue.push({ command, args });
      client.reply.simple('QUEUED');
      return;
    }
    this.#run(row, client, args, now, true);
  }

  #run(row: Row, client: Client, args: readonly string[], now: number, mayBlock: boolean): void {
    const { command } = row;
    client.lastCommand = command.name;
    this.stats.commands++;
    this.#calls[row.id]!++;
    const call: Call = {
      engine: this,
      client,
      command,
      args,
      db: client.database,
      reply: client.reply,
      now,
      mayBlock,
      retry: false,
    };
    if (!row.timed || this.settings.slowlogThresholdUs < 0) {
      command.run(call);
      return;
    }
    const start = this.options.elapsedMs();
    try {
      command.run(call);
    } finally {
      this.#noteDuration(client, args, now, (this.options.elapsedMs() - start) * 1_000);
    }
  }

  /** Carries out what was queued; each command's error is its own reply. */
  runQueued(client: Client, queue: readonly QueuedCommand[], now: number): void {
    client.reply.array(queue.length);
    for (const { command, args } of queue) {
      const before = client.reply.byteLength;
      try {
        this.#run(this.#byName.get(command.name) ?? this.#rowFor(args), client, args, now, false);
      } catch (thrown) {
        this.#replyError(client, thrown, command.name, before);
      }
    }
  }

  #retry(waiter: Waiter): boolean {
    const { client, command, args, database } = waiter;
    const before = client.reply.byteLength;
    const { now } = this.keyspace;
    const call: Call = {
      engine: this,
      client,
      command,
      args,
      db: database,
      reply: client.reply,
      now,
      mayBlock: true,
      retry: true,
    };
    try {
      command.run(call);
    } catch (thrown) {
      this.#replyError(client, thrown, command.name, before);
    }
    return client.reply.byteLength > before;
  }

  #replyError(client: Client, thrown: unknown, name: string, before: number): void {
    this.stats.errors++;
    const written = client.reply.byteLength !== before;
    if (thrown instanceof CacheError && !written) {
      client.reply.error(replyLine(thrown));
      return;
    }
    this.options.onInternalError(thrown, name);
    if (written) client.link.close(false, 'a reply could not be completed');
    else client.reply.error(`ERR internal error in '${name}'`);
  }

  #silence(client: Client, mode: Client['replyMode'], mark: ReturnType<ReplyWriter['mark']>): void {
    if (client.replyMode === 'on') return;
    client.reply.rollback(mark);
    if (mode === 'skip') client.replyMode = 'on';
  }

  #flushDeferred(client: Client): void {
    for (const bytes of client.deferredPushes) client.reply.raw(bytes);
    client.deferredPushes.length = 0;
  }

  #noteDuration(client: Client, args: readonly string[], now: number, durationUs: number): void {
    const { slowlogThresholdUs, slowlogLength } = this.settings;
    if (durationUs < slowlogThresholdUs) return;
    const peer = client.link.remote;
    const at = Math.floor(now / 1_000);
    const entry = { at, durationUs: Math.floor(durationUs), args, peer, clientName: client.name };
    this.slowlog.add(entry, slowlogLength);
  }

  #showMonitors(client: Client, args: readonly string[], now: number): void {
    if (args[0]!.toLowerCase() === 'auth' || args[0]!.toLowerCase() === 'hello') return;
    const words = args.map((arg) => quoted(arg)).join(' ');
    const line = `+${(now / 1_000).toFixed(6)} [${client.database.index} ${client.link.remote}] ${words}\r\n`;
    for (const monitor of this.monitors) if (monitor !== client) this.push(monitor, line);
  }

  // ---- the table

  /** Commands with their calls so far, containers' subcommands included. */
  *commandCalls(): Generator<{ readonly command: Command; readonly calls: number }> {
    for (const row of this.#rows) yield { command: row.command, calls: this.#calls[row.id]! };
  }

  resetCalls(): void {
    this.#calls = new Float64Array(this.#rows.length);
  }

  /** A command by its name, `client|setname` for a subcommand. */
  findCommand(name: string): Command | undefined {
    const [first, second] = name.toLowerCase().split('|') as [string, string | undefined];
    const row = this.#byName.get(first);
    return second === undefined ? row?.command : row?.subcommands?.get(second)?.command;
  }

  /** The command that a request names. @throws ERR unknown command or subcommand */
  commandFor(args: readonly string[]): Command {
    return this.#rowFor(args).command;
  }

  #rowFor(args: readonly string[]): Row {
    const row = this.#byName.get(args[0]!) ?? this.#byName.get(args[0]!.toLowerCase());
    if (row === undefined) throw unknownCommand(args);
    if (row.subcommands === undefined || args.length < 2) return row;
    const subcommand = row.subcommands.get(args[1]!.toLowerCase());
    if (subcommand === undefined) throw unknownSubcommand(row.command.name, args[1]!);
    return subcommand;
  }

  #register(command: Command, names: Map<string, Row>, name: string): void {
    const has = (flag: CommandFlag): boolean => command.flags.includes(flag);
    const subcommands = command.subcommands === undefined ? undefined : new Map<string, Row>();
    const row: Row = {
      command,
      id: this.#rows.length,
      write: has('write'),
      denyOom: has('denyoom'),
      noAuth: has('no_auth'),
      noMulti: has('no_multi'),
      control: CONTROL.has(command.name),
      whileSubscribed: WHILE_SUBSCRIBED.has(command.name),
      timed: !has('fast') && !UNTIMED.has(command.name) && !has('blocking'),
      subcommands,
    };
    this.#rows.push(row);
    names.set(name, row);
    for (const subcommand of command.subcommands ?? []) {
      this.#register(subcommand, subcommands!, subcommand.name.slice(command.name.length + 1));
    }
  }
}

/** Constant-time commands whose flags do not say so; reading the clock twice would cost more than they do. */
const UNTIMED = new Set(['set', 'setex', 'psetex', 'auth', 'hello']);

export function arityFits(command: Command, length: number): boolean {
  return command.arity >= 0 ? length === command.arity : length >= -command.arity;
}

function unknownCommand(args: readonly string[]): CacheError {
  let shown = '';
  for (let i = 1; i < args.length && shown.length < ERROR_ARGUMENT_BYTES; i++) {
    shown += `'${args[i]!.slice(0, ERROR_ARGUMENT_BYTES - shown.length)}' `;
  }
  return failure(
    `unknown command '${args[0]!.slice(0, ERROR_ARGUMENT_BYTES)}', with args beginning with: ${shown}`,
  );
}

function unknownSubcommand(container: string, name: string): CacheError {
  const shown = name.slice(0, ERROR_ARGUMENT_BYTES);
  return failure(`unknown subcommand '${shown}'. Try ${container.toUpperCase()} HELP.`);
}

function subscribed(name: string): CacheError {
  return failure(
    `Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
  );
}

/** An argument as MONITOR shows it. */
function quoted(arg: string): string {
  let text = '"';
  for (const char of arg) {
    const code = char.charCodeAt(0);
    if (char === '"' || char === '\\') text += `\\${char}`;
    else if (char === '\n') text += '\\n';
    else if (char === '\r') text += '\\r';
    else if (code < 32 || code > 126) text += `\\x${code.toString(16).padStart(2, '0')}`;
    else text += char;
  }
  return `${text}"`;
}
