/**
 * The AMQP client: one connection that comes back by itself, with what was declared and consumed through it.
 *
 * Publishes go over one channel in confirm mode, declarations over another, and each consumer has its own,
 * so that a refusal of one does not end the others. When the connection breaks, publishes that wait for
 * their confirm fail with `connection-lost` (whether they arrived is unknown, so only the caller can decide
 * to repeat them); new calls wait for the next connection for up to `timeoutMs`. Before those are served,
 * everything declared here is declared again and every consumer subscribes again.
 */
import { codeOf, messageOf } from '../../core/errors.ts';
import type { Connection, Network } from '../../core/net/network.ts';
import type { Random } from '../../core/random/random.ts';
import type { Clock, Timer } from '../../core/time/clock.ts';
import { AmqpError } from '../errors.ts';
import { EMPTY_TABLE, fieldTable, type PlainValue, plainTable } from '../wire/field-table.ts';
import type { Properties } from '../wire/properties.ts';
import { type ClientChannel, contentOf, type Delivered, requestIdIn } from './channel.ts';
import { ClientSession } from './session.ts';
import { parseQueueUrl, type QueueAddress } from './url.ts';

export interface QueueClientOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  /** `amqp://user:password@host:port/vhost`, or `amqps`. */
  readonly url: string;
  /** Shown in the server's list of connections. Default `octet`. */
  readonly name?: string;
  /** For connecting, for one call, and for waiting until a lost connection is back. Default 10,000. */
  readonly timeoutMs?: number;
  /** Seconds; 0 is none. Default 30, or what the URL says. */
  readonly heartbeat?: number;
  /** First pause before connecting again; doubles up to `reconnectMaxMs`, with jitter. Default 100 and 5,000. */
  readonly reconnectMinMs?: number;
  readonly reconnectMaxMs?: number;
  /** False: a lost connection stays lost. Default true. */
  readonly reconnect?: boolean;
  /** Told about losses and returns. */
  readonly onStateChange?: (state: QueueClientState, error?: AmqpError) => void;
}

export type QueueClientState = 'connected' | 'reconnecting' | 'closed';

export type PlainTable = Readonly<Record<string, PlainValue>>;

export interface DeclareExchangeOptions {
  /** Default `direct`. */
  readonly type?: string;
  /** Default true. */
  readonly durable?: boolean;
  readonly autoDelete?: boolean;
  readonly internal?: boolean;
  readonly arguments?: PlainTable;
}

export interface DeclareQueueOptions {
  /** Default true. */
  readonly durable?: boolean;
  readonly exclusive?: boolean;
  readonly autoDelete?: boolean;
  /** Fails with `not-found` instead of creating. */
  readonly passive?: boolean;
  readonly arguments?: PlainTable;
}

export interface QueueInfo {
  readonly name: string;
  readonly messageCount: number;
  readonly consumerCount: number;
}

export interface PublishOptions {
  /** Default true. */
  readonly persistent?: boolean;
  /** Fail with `returned` when no queue matches. Default false. */
  readonly mandatory?: boolean;
  readonly headers?: PlainTable;
  readonly contentType?: string;
  readonly correlationId?: string;
  readonly replyTo?: string;
  readonly messageId?: string;
  readonly type?: string;
  readonly appId?: string;
  readonly priority?: number;
  readonly expirationMs?: number;
  /** Travels as the header `x-request-id`. */
  readonly requestId?: string;
}

export interface QueueMessage {
  readonly body: Buffer;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly headers: PlainTable;
  readonly properties: Properties;
  readonly requestId: string | undefined;
}

export interface ConsumeOptions {
  /** Messages being handled at the same time. Default 32; 0 is no limit. */
  readonly prefetch?: number;
  /** The server forgets a message as soon as it is sent. Default false. */
  readonly noAck?: boolean;
  readonly exclusive?: boolean;
  readonly arguments?: PlainTable;
  /** What becomes of a message whose handler failed. Default `reject` when it was delivered before, else
   * `requeue`: one more try, then the dead-letter exchange. */
  readonly onFailure?: (message: QueueMessage, thrown: unknown) => 'requeue' | 'reject';
  /** The server ended the subscription: the queue was deleted. */
  readonly onCancelled?: () => void;
}

export interface Subscription {
  /** No more messages; resolves when those being handled are done. */
  cancel(): Promise<void>;
}

/** Takes one message; it is acknowledged when this returns, or its promise resolves. */
export type MessageHandler = (message: QueueMessage) => void | Promise<void>;

export interface QueueClient extends AsyncDisposable {
  readonly state: QueueClientState;
  declareExchange(name: string, options?: DeclareExchangeOptions): Promise<void>;
  /** An empty name asks for one made by the server. @throws AmqpError `precondition-failed` and others */
  declareQueue(name: string, options?: DeclareQueueOptions): Promise<QueueInfo>;
  bindQueue(queue: string, exchange: string, routingKey: string, args?: PlainTable): Promise<void>;
  unbindQueue(queue: string, exchange: string, routingKey: string, args?: PlainTable): Promise<void>;
  /** @returns how many messages went with it */
  deleteQueue(name: string): Promise<number>;
  purgeQueue(name: string): Promise<number>;
  /**
   * Resolves when the server has confirmed the message.
   * @throws AmqpError `nacked`, `returned`, `connection-lost`, `timed-out`, `not-found` (no such exchange)
   */
  publish(
    exchange: string,
    routingKey: string,
    body: Uint8Array | string,
    options?: PublishOptions,
  ): Promise<void>;
  consume(queue: string, handler: MessageHandler, options?: ConsumeOptions): Promise<Subscription>;
  /** Takes one message, acknowledged at once; undefined when there is none. */
  get(queue: string): Promise<QueueMessage | undefined>;
  /** Lets handlers finish, then says goodbye. */
  close(): Promise<void>;
}

/**
 * Connects and resolves when the server has let us in.
 * @throws AmqpError `connect-failed`, `access-refused`, `not-allowed`, `timed-out`
 */
export async function connectQueue(options: QueueClientOptions): Promise<QueueClient> {
  const client = new Client(options);
  await client.connect();
  return client;
}

/** One life of the connection. */
interface Life {
  readonly session: ClientSession;
  readonly connection: Connection;
  readonly publishing: ClientChannel;
  declaring: ClientChannel;
}

type Declaration = (channel: ClientChannel) => Promise<unknown>;

class Client implements QueueClient {
  readonly #options: QueueClientOptions;
  readonly #address: QueueAddress;
  readonly #timeoutMs: number;
  #life: Life | undefined;
  #state: QueueClientState = 'reconnecting';
  /** What is declared again on a new connection, in order. */
  readonly #declarations = new Map<string, Declaration>();
  readonly #consumers = new Set<Consumption>();
  #waiting: { resolve(life: Life): void; reject(error: AmqpError): void }[] = [];
  /** Serialises declarations: each may end the channel that the next one needs. */
  #declaring: Promise<unknown> = Promise.resolve();
  readonly #stop = new AbortController();
  #renewing: Promise<Life> | undefined;
  #onEnd: (() => void) | undefined;

  constructor(options: QueueClientOptions) {
    this.#options = options;
    this.#address = parseQueueUrl(options.url);
    this.#timeoutMs = options.timeoutMs ?? 10_000;
  }

  get state(): QueueClientState {
    return this.#state;
  }

  async connect(): Promise<void> {
    try {
      await this.#begin();
    } catch (thrown) {
      this.#state = 'closed';
      throw asAmqpError(thrown);
    }
  }

  declareExchange(name: string, options: DeclareExchangeOptions = {}): Promise<void> {
    const method = {
      exchange: name,
      type: options.type ?? 'direct',
      passive: false,
      durable: options.durable ?? true,
      autoDelete: options.autoDelete ?? false,
      internal: options.internal ?? false,
      noWait: false,
      arguments: tableFrom(options.arguments),
    };
    return this.#declare(`exchange ${name}`, async (channel) => {
      await channel.call('exchange.declare', method, 'exchange.declare-ok');
    });
  }

  async declareQueue(name: string, options: DeclareQueueOptions = {}): Promise<QueueInfo> {
    const method = {
      queue: name,
      passive: options.passive ?? false,
      durable: options.durable ?? true,
      exclusive: options.exclusive ?? false,
      autoDelete: options.autoDelete ?? false,
      noWait: false,
      arguments: tableFrom(options.arguments),
    };
    const declare = (channel: ClientChannel) => channel.call('queue.declare', method, 'queue.declare-ok');
    // A name made by the server is another one next time, so there is nothing to declare again.
    const isLasting = name !== '' && !method.passive;
    const reply = await (isLasting ? this.#declare(`queue ${name}`, declare) : this.#call(declare));
    const { queue, messageCount, consumerCount } = reply;
    return { name: queue, messageCount, consumerCount };
  }

  bindQueue(queue: string, exchange: string, routingKey: string, args?: PlainTable): Promise<void> {
    const method = { queue, exchange, routingKey, noWait: false, arguments: tableFrom(args) };
    return this.#declare(`binding ${JSON.stringify([queue, exchange, routingKey])}`, async (channel) => {
      await channel.call('queue.bind', method, 'queue.bind-ok');
    });
  }

  async unbindQueue(queue: string, exchange: string, routingKey: string, args?: PlainTable): Promise<void> {
    this.#declarations.delete(`binding ${JSON.stringify([queue, exchange, routingKey])}`);
    const method = { queue, exchange, routingKey, arguments: tableFrom(args) };
    await this.#call((channel) => channel.call('queue.unbind', method, 'queue.unbind-ok'));
  }

  async deleteQueue(name: string): Promise<number> {
    this.#declarations.delete(`queue ${name}`);
    const method = { queue: name, ifUnused: false, ifEmpty: false, noWait: false };
    const reply = await this.#call((channel) => channel.call('queue.delete', method, 'queue.delete-ok'));
    return reply.messageCount;
  }

  async purgeQueue(name: string): Promise<number> {
    const method = { queue: name, noWait: false };
    const reply = await this.#call((channel) => channel.call('queue.purge', method, 'queue.purge-ok'));
    return reply.messageCount;
  }

  async publish(
    exchange: string,
    routingKey: string,
    body: Uint8Array | string,
    options: PublishOptions = {},
  ): Promise<void> {
    const life = await this.#alive();
    const mandatory = options.mandatory ?? false;
    const properties = propertiesOf(options, mandatory ? this.#options.random.uuid() : undefined);
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    await this.#inTime(life.publishing.publish({ exchange, routingKey, mandatory, properties, body: bytes }));
  }

  async consume(queue: string, handler: MessageHandler, options: ConsumeOptions = {}): Promise<Subscription> {
    const { session } = await this.#alive();
    const consumption = new Consumption(queue, handler, options, (gone) => this.#consumers.delete(gone));
    await this.#inTime(consumption.subscribe(session));
    this.#consumers.add(consumption);
    return consumption;
  }

  async get(queue: string): Promise<QueueMessage | undefined> {
    const method = { queue, noAck: true };
    const reply = await this.#call((channel) =>
      channel.call('basic.get', method, 'basic.get-ok', 'basic.get-empty'),
    );
    if (reply.method === 'basic.get-empty') return undefined;
    return messageFrom({ ...reply, ...contentOf(reply), consumerTag: '' });
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    await Promise.allSettled([...this.#consumers].map((consumption) => consumption.cancel()));
    this.#setState('closed');
    this.#stop.abort();
    this.#refuseWaiting(closedHere());
    const life = this.#life;
    this.#life = undefined;
    if (life === undefined) return;
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      this.#onEnd = () => resolve();
      life.session.close(clock.monotonic());
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // Calls

  /** Runs `declaration` now, and again on each new connection. */
  async #declare<T>(key: string, declaration: (channel: ClientChannel) => Promise<T>): Promise<T> {
    const result = await this.#call(declaration);
    this.#declarations.set(key, declaration);
    return result;
  }

  /** Runs `call` alone on the channel for declarations, opening another when the last was refused. */
  #call<T>(call: (channel: ClientChannel) => Promise<T>): Promise<T> {
    const turn = this.#declaring.then(async () => {
      const life = await this.#alive();
      if (!life.declaring.isOpen) life.declaring = await life.session.openChannel();
      return this.#inTime(call(life.declaring));
    });
    this.#declaring = turn.catch(() => undefined);
    return turn;
  }

  /** The present connection, or the next one if it comes in time. */
  async #alive(): Promise<Life> {
    if (this.#state === 'closed') throw closedHere();
    const life = this.#life;
    if (life === undefined) {
      return this.#inTime(new Promise<Life>((resolve, reject) => this.#waiting.push({ resolve, reject })));
    }
    if (life.publishing.isOpen) return life;
    // A publish to an exchange that does not exist ends the channel for publishing: a new one takes over.
    this.#renewing ??= this.#renew(life).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(life: Life): Promise<Life> {
    const publishing = await this.#inTime(confirming(life.session));
    const renewed = { ...life, publishing };
    if (this.#life === life) this.#life = renewed;
    return renewed;
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    const { clock } = this.#options;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      const message = `no answer within ${this.#timeoutMs} ms`;
      timer = clock.schedule(this.#timeoutMs, () =>
        reject(new AmqpError('timed-out', message, { retryable: true })),
      );
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      timer?.cancel();
    }
  }

  // Lives

  async #begin(): Promise<void> {
    const { session, connection } = await this.#open();
    try {
      const [declaring, publishing] = await Promise.all([session.openChannel(), confirming(session)]);
      for (const declaration of this.#declarations.values()) await declaration(declaring);
      for (const consumption of this.#consumers) await consumption.subscribe(session);
      this.#life = { session, connection, publishing, declaring };
    } catch (thrown) {
      connection.destroy();
      throw thrown;
    }
    this.#setState('connected');
    for (const { resolve } of this.#waiting.splice(0)) resolve(this.#life);
  }

  async #open(): Promise<{ session: ClientSession; connection: Connection }> {
    const { network, clock } = this.#options;
    const { host, port, secure } = this.#address;
    const tls = secure ? { tls: { serverName: host } } : {};
    const connection = await network.connect({
      host,
      port,
      timeoutMs: this.#timeoutMs,
      signal: this.#stop.signal,
      ...tls,
    });
    const opened = Promise.withResolvers<void>();
    const session = new ClientSession(
      this.#settings(),
      {
        send: () => flushSoon(),
        opened: () => opened.resolve(),
        ended: (error) => {
          flush();
          connection.end();
          opened.reject(error);
          this.#ended(session, error);
        },
      },
      clock.monotonic(),
    );
    const { flush, flushSoon, disarm } = drive(session, connection, clock);
    connection.attach({
      data: (chunk) => {
        session.receive(chunk, clock.monotonic());
        flush();
      },
      close: (cause) => {
        disarm();
        session.end(
          new AmqpError('connection-lost', cause?.message ?? 'the server closed the connection', lost),
        );
      },
    });
    flush();
    await opened.promise;
    return { session, connection };
  }

  #settings() {
    const { user, password, virtualHost, heartbeat } = this.#address;
    return {
      user,
      password,
      virtualHost,
      heartbeat: this.#options.heartbeat ?? heartbeat ?? 30,
      frameMax: 131_072,
      channelMax: 2047,
      timeoutMs: this.#timeoutMs,
      name: this.#options.name ?? 'octet',
    };
  }

  #ended(session: ClientSession, error: AmqpError): void {
    this.#onEnd?.();
    if (this.#life?.session !== session) return;
    this.#life = undefined;
    if (this.#options.reconnect === false) {
      this.#setState('closed', error);
      this.#refuseWaiting(error);
      return;
    }
    this.#setState('reconnecting', error);
    this.#comeBack().catch(() => undefined);
  }

  async #comeBack(): Promise<void> {
    const { clock, random, reconnectMinMs = 100, reconnectMaxMs = 5000 } = this.#options;
    for (let pauseMs = reconnectMinMs; this.#state === 'reconnecting'; ) {
      await clock.sleep(pauseMs / 2 + random.below(Math.max(1, Math.ceil(pauseMs / 2))), this.#stop.signal);
      try {
        return await this.#begin();
      } catch (thrown) {
        this.#options.onStateChange?.('reconnecting', asAmqpError(thrown));
      }
      pauseMs = Math.min(reconnectMaxMs, pauseMs * 2);
    }
  }

  #setState(state: QueueClientState, error?: AmqpError): void {
    this.#state = state;
    this.#options.onStateChange?.(state, error);
  }

  #refuseWaiting(error: AmqpError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** One subscription, over all the connections it lives through. */
class Consumption implements Subscription {
  readonly #queue: string;
  readonly #handler: MessageHandler;
  readonly #options: ConsumeOptions;
  readonly #onGone: (gone: Consumption) => void;
  #channel: ClientChannel | undefined;
  #tag = '';
  readonly #handling = new Set<Promise<void>>();

  constructor(
    queue: string,
    handler: MessageHandler,
    options: ConsumeOptions,
    onGone: (gone: Consumption) => void,
  ) {
    this.#queue = queue;
    this.#handler = handler;
    this.#options = options;
    this.#onGone = onGone;
  }

  async subscribe(session: ClientSession): Promise<void> {
    const { prefetch = 32, noAck = false, exclusive = false } = this.#options;
    const channel = await session.openChannel();
    this.#channel = channel;
    const qos = { prefetchSize: 0, prefetchCount: prefetch, global: false };
    await channel.call('basic.qos', qos, 'basic.qos-ok');
    // The tag is ours, so that the first delivery, which may come with the reply, finds its consumer.
    this.#tag = 'octet';
    channel.attach(this.#tag, {
      delivered: (message) => this.#take(channel, message),
      cancelled: () => {
        this.#onGone(this);
        this.#options.onCancelled?.();
        channel.close().catch(() => undefined);
      },
    });
    const method = {
      queue: this.#queue,
      consumerTag: this.#tag,
      noLocal: false,
      noAck,
      exclusive,
      noWait: false,
      arguments: tableFrom(this.#options.arguments),
    };
    await channel.call('basic.consume', method, 'basic.consume-ok');
  }

  async cancel(): Promise<void> {
    this.#onGone(this);
    const channel = this.#channel;
    if (channel === undefined || !channel.isOpen) return;
    await channel.call('basic.cancel', { consumerTag: this.#tag, noWait: false }, 'basic.cancel-ok');
    await Promise.allSettled(this.#handling);
    await channel.close();
  }

  #take(channel: ClientChannel, delivered: Delivered): void {
    const done = this.#handle(channel, delivered).finally(() => this.#handling.delete(done));
    this.#handling.add(done);
  }

  async #handle(channel: ClientChannel, delivered: Delivered): Promise<void> {
    const message = messageFrom(delivered);
    const { deliveryTag } = delivered;
    const { noAck = false, onFailure = secondTry } = this.#options;
    try {
      await this.#handler(message);
      if (!noAck) channel.tell('basic.ack', { deliveryTag, multiple: false });
    } catch (thrown) {
      const requeue = onFailure(message, thrown) === 'requeue';
      if (!noAck) channel.tell('basic.nack', { deliveryTag, multiple: false, requeue });
    }
  }
}

function secondTry(message: QueueMessage): 'requeue' | 'reject' {
  return message.redelivered ? 'reject' : 'requeue';
}

/** Keeps a session's output flowing and its deadline watched. */
function drive(session: ClientSession, connection: Connection, clock: Clock) {
  let timer: { readonly timer: Timer; readonly atMs: number } | undefined;
  let planned = false;
  const flush = (): void => {
    planned = false;
    const output = session.takeOutput(clock.monotonic());
    if (output !== undefined && !connection.destroyed) connection.write(output);
    arm();
  };
  const arm = (): void => {
    const atMs = session.deadlineMs;
    if (atMs === undefined || (timer !== undefined && timer.atMs <= atMs)) return;
    timer?.timer.cancel();
    const delayMs = Math.max(0, atMs - clock.monotonic());
    timer = { timer: clock.schedule(delayMs, tick), atMs };
  };
  const tick = (): void => {
    timer = undefined;
    session.tick(clock.monotonic());
    flush();
  };
  return {
    flush,
    /** Joins everything said in this turn of the event loop into one write. */
    flushSoon: (): void => {
      if (planned) return;
      planned = true;
      queueMicrotask(flush);
    },
    disarm: (): void => timer?.timer.cancel(),
  };
}

async function confirming(session: ClientSession): Promise<ClientChannel> {
  const channel = await session.openChannel();
  await channel.call('confirm.select', { noWait: false }, 'confirm.select-ok');
  return channel;
}

function tableFrom(plain: PlainTable | undefined) {
  return plain === undefined ? EMPTY_TABLE : fieldTable(plain);
}

function propertiesOf(options: PublishOptions, messageId: string | undefined): Properties {
  const { requestId, expirationMs } = options;
  const headers = { ...options.headers, ...(requestId === undefined ? {} : { 'x-request-id': requestId }) };
  const properties: Record<string, unknown> = {
    contentType: options.contentType,
    headers: Object.keys(headers).length === 0 ? undefined : fieldTable(headers),
    deliveryMode: (options.persistent ?? true) ? 2 : 1,
    priority: options.priority,
    correlationId: options.correlationId,
    replyTo: options.replyTo,
    expiration: expirationMs === undefined ? undefined : String(Math.ceil(expirationMs)),
    messageId: options.messageId ?? messageId,
    type: options.type,
    appId: options.appId,
  };
  return properties as Properties;
}

function messageFrom(delivered: Delivered): QueueMessage {
  const { body, exchange, routingKey, redelivered, properties } = delivered;
  return {
    body,
    exchange,
    routingKey,
    redelivered,
    headers: plainTable(properties.headers ?? EMPTY_TABLE),
    properties,
    requestId: requestIdIn(properties),
  };
}

const lost = { retryable: true } as const;

function closedHere(): AmqpError {
  return new AmqpError('closed', 'the client is closed', { fault: 'local' });
}

function asAmqpError(thrown: unknown): AmqpError {
  if (thrown instanceof AmqpError) return thrown;
  const code = codeOf(thrown);
  return new AmqpError('connect-failed', `${messageOf(thrown)}${code === undefined ? '' : ` (${code})`}`, {
    cause: thrown,
    retryable: true,
  });
}
