/**
 * A queue: ready messages by priority, consumers in turn, and the rules that remove messages unread.
 *
 *     enqueue ─▶ ready ─▶ deliver ─▶ unacked ─▶ ack
 *                 ▲ │                  │  └────▶ reject ─▶ dead letter
 *                 │ └ expired, maxlen ─┼───────────────────▶ dead letter
 *                 └──── requeue ───────┘
 *
 * Nothing is delivered inside `enqueue`: a queue that has something to do is woken, and `pump` does it once
 * the whole read has been digested, so that a burst of publishes is one burst of deliveries.
 */
import { AmqpError } from '../errors.ts';
import type { QueueLimits } from '../limits.ts';
import type { Binding, Destination } from './binding.ts';
import { type Consumer, Consumers, type Delivery } from './consumer.ts';
import type { DeathReason } from './dead-letter.ts';
import { Entry, type Memory, type Message } from './message.ts';
import type { QueueSettings } from './queue-arguments.ts';
import { ReadyList } from './ready-list.ts';
import type { QueueDefinition, QueueLog } from './storage.ts';
import { Ticket } from './ticket.ts';

/** What a queue needs of the broker around it. */
export interface Surroundings {
  readonly limits: QueueLimits;
  readonly memory: Memory;
  /** Milliseconds since 1970, never going back. */
  now(): number;
  /** Asks for a `pump` soon. */
  wake(queue: Queue): void;
  /** The queue has a deadline at that time, earlier than it said before. */
  scheduled(queue: Queue, atMs: number): void;
  deadLetter(queue: Queue, message: Message, reason: DeathReason): void;
  /** The last consumer of an auto-delete queue went, or nobody used it for `x-expires`. */
  unwanted(queue: Queue): void;
}

/** What becomes of a publish: `ticket` when it is to be durable. */
export type Enqueued = { readonly rejected: true } | { readonly rejected: false; readonly ticket?: Ticket };

export type Taken =
  | { readonly kind: 'delivery'; readonly delivery: Delivery }
  | { readonly kind: 'empty' }
  /** The body is being read; ask again when this settles. */
  | { readonly kind: 'wait'; readonly ticket: Ticket };

export interface QueueCounters {
  published: number;
  delivered: number;
  redelivered: number;
  acknowledged: number;
  got: number;
}

export class Queue implements Destination {
  readonly kind = 'queue';
  readonly definition: QueueDefinition;
  readonly settings: QueueSettings;
  /** The connection that alone may use the queue; undefined for all others. */
  readonly owner: object | undefined;
  readonly consumers = new Consumers();
  /** Bindings that end here. */
  readonly incoming = new Set<Binding>();
  readonly counters: QueueCounters = {
    published: 0,
    delivered: 0,
    redelivered: 0,
    acknowledged: 0,
    got: 0,
  };
  deleted = false;
  /** Woken and not yet pumped. */
  awake = false;
  unackedCount = 0;
  readonly #log: QueueLog;
  readonly #around: Surroundings;
  readonly #levels: readonly ReadyList[];
  #nextPosition: number;
  #lastUsedMs: number;
  #hadConsumer = false;
  /** Set while the body of the first message is on its way from its blob. */
  #loading: Ticket | undefined;
  #scheduledMs = Number.POSITIVE_INFINITY;
  /** False while no message here can expire, which saves looking. */
  #mayExpire: boolean;

  constructor(
    definition: QueueDefinition,
    settings: QueueSettings,
    log: QueueLog,
    around: Surroundings,
    owner: object | undefined,
  ) {
    this.definition = definition;
    this.settings = settings;
    this.owner = owner;
    this.#log = log;
    this.#around = around;
    this.#lastUsedMs = around.now();
    const found = log.state();
    this.#nextPosition = found?.nextPosition ?? 0;
    this.#mayExpire = found !== undefined || settings.messageTtlMs !== undefined;
    this.#levels = Array.from(
      { length: settings.maxPriority + 1 },
      (_, level) =>
        new ReadyList(
          level,
          log,
          around.limits,
          around.memory,
          (message) => this.#expiryOf(message),
          found?.levels[level],
        ),
    );
    this.#schedule();
  }

  get name(): string {
    return this.definition.name;
  }

  get readyCount(): number {
    let count = 0;
    for (const level of this.#levels) count += level.count;
    return count;
  }

  get readyBytes(): number {
    let bytes = 0;
    for (const level of this.#levels) bytes += level.bytes;
    return bytes;
  }

  // Publishing

  /** Takes a message in, or rejects it when the queue is full and asks publishers to be told. */
  enqueue(message: Message): Enqueued {
    if (this.settings.overflow !== 'drop-head' && this.#isFullFor(message)) return this.#reject(message);
    const level = Math.min(message.priority, this.settings.maxPriority);
    const position = this.#nextPosition++;
    const mustBeDurable = this.definition.durable && message.persistent;
    // A body that lies only in a blob lives as long as a record names it.
    const stored = mustBeDurable || message.body === undefined;
    const entry = new Entry(position, level, message, this.#expiryOf(message), stored);
    const ticket = stored ? this.#log.append(level, position, message) : undefined;
    if (message.expirationMs !== undefined) this.#mayExpire = true;
    this.#level(level).push(entry);
    this.counters.published += 1;
    this.#around.wake(this);
    return mustBeDurable && ticket !== undefined ? { rejected: false, ticket } : { rejected: false };
  }

  #reject(message: Message): Enqueued {
    if (this.settings.overflow === 'reject-publish-dlx') this.#around.deadLetter(this, message, 'maxlen');
    return { rejected: true };
  }

  #isFullFor(message: Message): boolean {
    const { maxLength, maxLengthBytes } = this.settings;
    if (maxLength === undefined && maxLengthBytes === undefined) return false;
    this.settle();
    return (
      this.readyCount >= (maxLength ?? Number.POSITIVE_INFINITY) ||
      this.readyBytes + message.bodySize > (maxLengthBytes ?? Number.POSITIVE_INFINITY)
    );
  }

  // Consuming

  addConsumer(consumer: Consumer): void {
    // What came before the consumer is judged without it: it may have been too much, or too late.
    this.settle();
    this.consumers.add(consumer);
    this.#hadConsumer = true;
    this.touch();
    this.#around.wake(this);
  }

  removeConsumer(consumer: Consumer): void {
    if (!this.consumers.remove(consumer)) return;
    this.touch();
    if (this.consumers.size > 0) this.#around.wake(this);
    else if (this.definition.autoDelete && this.#hadConsumer) this.#around.unwanted(this);
  }

  /** Delivers what can be delivered, a bounded number. @returns true when there may be more to do */
  pump(): boolean {
    this.awake = false;
    const { deliveriesPerTurn } = this.#around.limits;
    for (let count = 0; count < deliveriesPerTurn; count++) {
      if (!this.#deliverOne()) return this.#trim(deliveriesPerTurn);
    }
    return true;
  }

  /** Does all that is due now, before somebody asks how many messages there are. */
  settle(): void {
    while (!this.deleted && this.pump());
  }

  /** Takes one message for `basic.get`. */
  take(noAck: boolean): Taken {
    this.touch();
    this.settle();
    const entry = this.#first();
    if (entry === undefined) return { kind: 'empty' };
    const message = this.#materialise(entry);
    if (message === undefined) return { kind: 'wait', ticket: this.#loading as Ticket };
    this.counters.got += 1;
    return { kind: 'delivery', delivery: this.#handOut(entry, message, noAck) };
  }

  #deliverOne(): boolean {
    this.#dropExpired((entry, now) => entry.expiresAtMs < now);
    if (this.#loading !== undefined || this.consumers.size === 0) return false;
    const entry = this.#first();
    if (entry === undefined) return false;
    const consumer = this.settings.singleActiveConsumer ? this.consumers.active() : this.consumers.next();
    if (consumer === undefined) return false;
    const message = this.#materialise(entry);
    if (message === undefined) return false;
    const delivery = this.#handOut(entry, message, consumer.noAck);
    this.counters.delivered += 1;
    if (delivery.redelivered) this.counters.redelivered += 1;
    consumer.deliver(delivery);
    return true;
  }

  #handOut(entry: Entry, message: Message & { body: Buffer }, noAck: boolean): Delivery {
    const level = this.#level(entry.level);
    level.take();
    level.markDelivered(entry);
    if (noAck) this.#removed(entry);
    else {
      this.unackedCount += 1;
      if (entry.stored) this.#around.memory.release(entry);
    }
    return { queue: this, entry, message, redelivered: entry.redelivered };
  }

  /** The message of the window's first entry with its body; undefined while the body is being read. */
  #materialise(entry: Entry): (Message & { body: Buffer }) | undefined {
    if (entry.message === undefined) {
      entry.message = this.#log.read(entry.level, entry.position);
      if (entry.message === undefined)
        throw new AmqpError('internal-error', `message ${entry.position} is missing`);
      this.#level(entry.level).recharge(entry);
    }
    const { message } = entry;
    if (message.body !== undefined) return message as Message & { body: Buffer };
    this.#loading ??= this.#load(entry, message);
    return undefined;
  }

  #load(entry: Entry, message: Message): Ticket {
    const ticket = new Ticket();
    const done = (): void => {
      this.#loading = undefined;
      this.#around.wake(this);
      ticket.settle();
    };
    this.#log.loadBody(message).then(
      (body) => {
        message.body = body;
        if (entry.message === message && entry.heldBytes > 0) this.#level(entry.level).recharge(entry);
        done();
      },
      (cause: unknown) => {
        this.#loading = undefined;
        ticket.fail(String(cause));
      },
    );
    return ticket;
  }

  // Settling

  ack(entry: Entry): void {
    if (this.deleted) return this.#around.memory.release(entry);
    this.unackedCount -= 1;
    this.counters.acknowledged += 1;
    this.#removed(entry);
  }

  /** Puts messages back into their places. */
  requeue(entries: readonly Entry[]): void {
    // From the last to the first, each goes in front of those put back before.
    for (const entry of entries.toSorted((left, right) => right.position - left.position)) {
      if (this.deleted) this.#around.memory.release(entry);
      else this.#requeueOne(entry);
    }
    if (!this.deleted) this.#around.wake(this);
  }

  #requeueOne(entry: Entry): void {
    this.unackedCount -= 1;
    entry.redelivered = true;
    this.#level(entry.level).requeue(entry);
  }

  /** Refused without requeue: to the dead-letter exchange, if there is one. */
  reject(entry: Entry): void {
    if (this.deleted) return this.#around.memory.release(entry);
    this.unackedCount -= 1;
    this.counters.acknowledged += 1;
    this.#discard(entry, 'rejected');
  }

  /** Removes all ready messages. @returns how many */
  purge(): number {
    this.touch();
    this.settle();
    let count = 0;
    for (const level of this.#levels) count += level.purge();
    return count;
  }

  /** The queue ends: forgets its messages and tells its consumers. */
  close(): void {
    this.deleted = true;
    for (const level of this.#levels) level.forget();
    this.#log.drop();
    for (const consumer of this.consumers.clear()) consumer.cancelled();
  }

  // Deadlines

  /** Somebody used the queue: `x-expires` counts from here. */
  touch(): void {
    this.#lastUsedMs = this.#around.now();
    this.#schedule();
  }

  /** The time said in `scheduled` has come. */
  due(): void {
    this.#scheduledMs = Number.POSITIVE_INFINITY;
    if (this.#unusedUntilMs() <= this.#around.now()) return this.#around.unwanted(this);
    // The next deadline is set by `pump`, after it has removed what was due.
    this.#around.wake(this);
  }

  /** Gives memory back: at most `bytes` of each level's window stay. */
  shrink(bytes: number): void {
    for (const level of this.#levels) level.shrink(bytes);
  }

  #unusedUntilMs(): number {
    const { expiresMs } = this.settings;
    if (expiresMs === undefined || this.consumers.size > 0) return Number.POSITIVE_INFINITY;
    return this.#lastUsedMs + expiresMs;
  }

  #schedule(): void {
    let atMs = this.#unusedUntilMs();
    for (const level of this.#levels) atMs = Math.min(atMs, level.firstResident?.expiresAtMs ?? atMs);
    if (atMs >= this.#scheduledMs) return;
    this.#scheduledMs = atMs;
    this.#around.scheduled(this, atMs);
  }

  #expiryOf(message: Message): number {
    const { messageTtlMs = Number.POSITIVE_INFINITY } = this.settings;
    return message.publishedAtMs + Math.min(messageTtlMs, message.expirationMs ?? Number.POSITIVE_INFINITY);
  }

  // Removing unread

  /** After deliveries: drops what has expired or is too much. @returns true when there is more of it */
  #trim(most: number): boolean {
    let left = this.#dropExpired((entry, now) => entry.expiresAtMs <= now, most);
    while (left > 0 && this.#isOverLength() && this.#dropFirst('maxlen')) left -= 1;
    this.#schedule();
    return left === 0;
  }

  /** @returns how many more might have been dropped */
  #dropExpired(isExpired: (entry: Entry, nowMs: number) => boolean, most = 256): number {
    if (!this.#mayExpire) return most;
    const now = this.#around.now();
    let left = most;
    for (const level of this.#levels) {
      for (let { first } = level; left > 0 && first !== undefined; { first } = level) {
        if (!isExpired(first, now)) break;
        level.take();
        this.#discard(first, 'expired');
        left -= 1;
      }
    }
    return left;
  }

  #isOverLength(): boolean {
    const { maxLength, maxLengthBytes } = this.settings;
    return (
      (maxLength !== undefined && this.readyCount > maxLength) ||
      (maxLengthBytes !== undefined && this.readyBytes > maxLengthBytes)
    );
  }

  /** Drops the oldest message of the lowest priority. */
  #dropFirst(reason: DeathReason): boolean {
    for (const level of this.#levels) {
      const { first } = level;
      if (first === undefined) continue;
      level.take();
      this.#discard(first, reason);
      return true;
    }
    return false;
  }

  #discard(entry: Entry, reason: DeathReason): void {
    if (this.settings.deadLetterExchange !== undefined) {
      const message = entry.message ?? this.#log.read(entry.level, entry.position);
      if (message !== undefined) this.#around.deadLetter(this, message, reason);
    }
    this.#removed(entry);
  }

  #removed(entry: Entry): void {
    if (entry.stored) this.#log.remove(entry);
    this.#around.memory.release(entry);
  }

  /** The first message of the highest priority that has one. */
  #first(): Entry | undefined {
    for (let index = this.#levels.length - 1; index >= 0; index--) {
      const first = this.#level(index).first;
      if (first !== undefined) return first;
    }
    return undefined;
  }

  #level(index: number): ReadyList {
    return this.#levels[index] as ReadyList;
  }
}
