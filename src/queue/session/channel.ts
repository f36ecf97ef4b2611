/**
 * One channel: the methods of a client in order, its consumers, and the deliveries it has not settled.
 *
 *     open ──▶ close received ─────────────────────▶ closed
 *      │
 *      └─ channel error ──▶ closing (all but close-ok is dropped) ──▶ closed
 *
 * A channel is plain, or after `confirm.select` numbers its publishes, or after `tx.select` collects
 * publishes and acknowledgements until commit; the latter two exclude each other.
 */
import type { Broker, PublishRequest } from '../engine/broker.ts';
import type { Consumer, Delivery } from '../engine/consumer.ts';
import type { Queue } from '../engine/queue.ts';
import { allOf, type Ticket } from '../engine/ticket.ts';
import { AmqpError } from '../errors.ts';
import type { QueueLimits } from '../limits.ts';
import { type FieldTable, integerOf, textOf } from '../wire/field-table.ts';
import type { Frame, FrameWriter } from '../wire/frame.ts';
import { decodeMethod, type Method, type MethodArguments, type MethodOf } from '../wire/method.ts';
import { decodeProperties } from '../wire/properties.ts';
import type { MethodName } from '../wire/specification.ts';
import { Confirms } from './confirms.ts';
import { type Content, ContentAssembly, unexpected } from './content.ts';

/** What a channel needs of its connection. */
export interface ChannelHost {
  readonly broker: Broker;
  readonly limits: QueueLimits;
  /** Owner of exclusive queues. */
  readonly owner: object;
  readonly user: string;
  readonly writer: FrameWriter;
  readonly frameMax: number;
  /** False while the peer is behind with reading. */
  readonly canDeliver: boolean;
  /** The client understands `basic.cancel` from us. */
  readonly cancelNotify: boolean;
  /** Handles no more frames until `ticket` settles, then calls `then`. */
  wait(ticket: Ticket, then: () => void): void;
  /** There is output, written outside of a read. */
  wake(): void;
  newName(): string;
  published(request: PublishRequest, outcome: string): void;
  delivered(delivery: Delivery, operation: string): void;
}

interface Unacked {
  readonly delivery: Delivery;
  /** Undefined for `basic.get`. */
  readonly consumer: ChannelConsumer | undefined;
}

type TransactionAction =
  | { readonly kind: 'publish'; readonly request: PublishRequest; readonly mandatory: boolean }
  | {
      readonly kind: 'ack' | 'requeue' | 'reject';
      readonly settled: readonly (readonly [tag: number, unacked: Unacked])[];
    };

type Mode =
  | { readonly kind: 'plain' }
  | { readonly kind: 'confirm'; readonly confirms: Confirms }
  | { readonly kind: 'tx'; actions: TransactionAction[] };

class ChannelConsumer implements Consumer {
  readonly tag: string;
  readonly queue: Queue;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  /** 0: no limit of its own. */
  readonly prefetch: number;
  unacked = 0;
  readonly #channel: ChannelSession;

  constructor(
    channel: ChannelSession,
    queue: Queue,
    asked: MethodOf<'basic.consume'>,
    tag: string,
    prefetch: number,
  ) {
    this.#channel = channel;
    this.queue = queue;
    this.tag = tag;
    this.noAck = asked.noAck;
    this.exclusive = asked.exclusive;
    this.priority = priorityOf(asked.arguments);
    this.prefetch = prefetch;
  }

  hasCredit(): boolean {
    return this.#channel.hasCredit(this);
  }

  deliver(delivery: Delivery): void {
    this.#channel.deliver(this, delivery);
  }

  cancelled(): void {
    this.#channel.consumerCancelled(this);
  }
}

export class ChannelSession {
  readonly number: number;
  readonly #host: ChannelHost;
  #closing = false;
  #mode: Mode = { kind: 'plain' };
  #assembly: ContentAssembly | undefined;
  readonly #consumers = new Map<string, ChannelConsumer>();
  /** By delivery tag, ascending. */
  #unacked = new Map<number, Unacked>();
  #nextTag = 1;
  /** For consumers to come. */
  #consumerPrefetch = 0;
  /** For the whole channel; 0 is none. */
  #channelPrefetch = 0;
  #flowing = true;
  /** What an empty queue name stands for. */
  #lastQueue = '';

  constructor(number: number, host: ChannelHost) {
    this.number = number;
    this.#host = host;
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  get consumerCount(): number {
    return this.#consumers.size;
  }

  get unackedCount(): number {
    return this.#unacked.size;
  }

  /** Octets of a message that has begun to arrive. */
  get unfinishedBytes(): number {
    return this.#assembly?.heldBytes ?? 0;
  }

  /**
   * Handles one frame of an open channel.
   * @throws AmqpError of either scope; `failed` or the connection answers it
   */
  frame(frame: Frame): void {
    switch (frame.type) {
      case 'method':
        if (this.#assembly !== undefined) throw unexpected('a method in the middle of a message');
        return this.#method(decodeMethod(frame.payload));
      case 'header':
        return this.#content(this.#assembling('a content header').header(frame.payload));
      case 'body':
        return this.#content(this.#assembling('a content body').body(frame.payload));
      case 'heartbeat':
        throw new AmqpError('frame-error', `heartbeat on channel ${this.number}`);
    }
  }

  /** Ends the channel by our fault or the peer's; what comes until `channel.close-ok` is dropped. */
  failed(error: AmqpError, ids: { readonly classId: number; readonly methodId: number }): void {
    this.release();
    this.#closing = true;
    this.#send('channel.close', {
      replyCode: error.replyCode,
      replyText: shortened(error.replyText),
      failedClassId: ids.classId,
      failedMethodId: ids.methodId,
    });
  }

  /** Lets go of consumers, and puts unsettled messages back. */
  release(): void {
    this.#assembly = undefined;
    for (const consumer of this.#consumers.values()) consumer.queue.removeConsumer(consumer);
    this.#consumers.clear();
    const inTransaction = this.#mode.kind === 'tx' ? this.#mode.actions : [];
    const taken = inTransaction.flatMap((action) => (action.kind === 'publish' ? [] : action.settled));
    requeue([...taken.map(([, unacked]) => unacked), ...this.#unacked.values()]);
    this.#unacked.clear();
    this.#mode = { kind: 'plain' };
  }

  /** Sends what has become confirmable. */
  confirm(): void {
    if (this.#mode.kind !== 'confirm') return;
    for (const { kind, deliveryTag, multiple } of this.#mode.confirms.answers()) {
      if (kind === 'ack') this.#send('basic.ack', { deliveryTag, multiple });
      else this.#send('basic.nack', { deliveryTag, multiple, requeue: false });
    }
  }

  /** Its queues may have something that there was no credit for. */
  wakeQueues(): void {
    for (const consumer of this.#consumers.values()) this.#host.broker.wake(consumer.queue);
  }

  // For its consumers

  hasCredit(consumer: ChannelConsumer): boolean {
    if (!this.#flowing || !this.#host.canDeliver) return false;
    if (consumer.noAck) return true;
    if (consumer.prefetch > 0 && consumer.unacked >= consumer.prefetch) return false;
    if (this.#channelPrefetch > 0 && this.#unacked.size >= this.#channelPrefetch) return false;
    return this.#unacked.size < this.#host.limits.maxUnackedPerChannel;
  }

  deliver(consumer: ChannelConsumer, delivery: Delivery): void {
    const deliveryTag = this.#nextTag++;
    if (!consumer.noAck) {
      consumer.unacked += 1;
      this.#unacked.set(deliveryTag, { delivery, consumer });
    }
    const { message, redelivered } = delivery;
    const { exchange, routingKey } = message;
    this.#send('basic.deliver', {
      consumerTag: consumer.tag,
      deliveryTag,
      redelivered,
      exchange,
      routingKey,
    });
    this.#host.writer.content(this.number, message.properties, message.body, this.#host.frameMax);
    this.#host.delivered(delivery, 'basic.deliver');
    this.#host.wake();
  }

  consumerCancelled(consumer: ChannelConsumer): void {
    this.#consumers.delete(consumer.tag);
    if (!this.#host.cancelNotify) return;
    this.#send('basic.cancel', { consumerTag: consumer.tag, noWait: true });
    this.#host.wake();
  }

  // Content

  #assembling(what: string): ContentAssembly {
    if (this.#assembly === undefined) throw unexpected(what);
    return this.#assembly;
  }

  #content(content: Content | undefined): void {
    if (content === undefined) return;
    this.#assembly = undefined;
    const { exchange, routingKey, mandatory } = content.method;
    const properties = decodeProperties(content.raw);
    if (properties.userId !== undefined && properties.userId !== this.#host.user) {
      throw new AmqpError(
        'precondition-failed',
        `user_id property set to '${properties.userId}' but authenticated user was '${this.#host.user}'`,
      );
    }
    const { raw, body } = content;
    this.#accept({ exchange, routingKey, properties, raw, body }, mandatory);
  }

  #accept(request: PublishRequest, mandatory: boolean): void {
    if (this.#mode.kind === 'tx') this.#enlist({ kind: 'publish', request, mandatory });
    else this.#publish(request, mandatory);
  }

  #publish(request: PublishRequest, mandatory: boolean): Ticket | undefined {
    const { routed, rejected, ticket } = this.#host.broker.publish(request);
    if (!routed && mandatory) this.#return(request);
    if (this.#mode.kind === 'confirm') this.#mode.confirms.add(ticket, rejected);
    this.#host.published(request, outcomeOf(routed, rejected));
    return ticket;
  }

  #return(request: PublishRequest): void {
    const { exchange, routingKey, raw, body } = request;
    this.#send('basic.return', { replyCode: 312, replyText: 'NO_ROUTE', exchange, routingKey });
    this.#host.writer.content(this.number, raw, body, this.#host.frameMax);
  }

  // Methods

  #method(method: Method): void {
    const { broker, owner } = this.#host;
    switch (method.method) {
      case 'channel.flow':
        this.#flowing = method.active;
        if (method.active) this.wakeQueues();
        return this.#send('channel.flow-ok', { active: method.active });
      case 'channel.flow-ok':
        return;
      case 'access.request':
        return this.#send('access.request-ok', { ticket: 1 });
      case 'exchange.declare':
        return this.#answer(method.noWait, broker.declareExchange(method), 'exchange.declare-ok', {});
      case 'exchange.delete':
        return this.#answer(
          method.noWait,
          broker.deleteExchange(method.exchange, method.ifUnused),
          'exchange.delete-ok',
          {},
        );
      case 'exchange.bind':
        return this.#answer(
          method.noWait,
          broker.bind(owner, { ...method, destinationKind: 'exchange' }),
          'exchange.bind-ok',
          {},
        );
      case 'exchange.unbind':
        return this.#answer(
          method.noWait,
          broker.unbind(owner, { ...method, destinationKind: 'exchange' }),
          'exchange.unbind-ok',
          {},
        );
      case 'queue.declare':
        return this.#declareQueue(method);
      case 'queue.bind':
        return this.#answer(
          method.noWait,
          broker.bind(owner, this.#queueBinding(method)),
          'queue.bind-ok',
          {},
        );
      case 'queue.unbind':
        return this.#answer(false, broker.unbind(owner, this.#queueBinding(method)), 'queue.unbind-ok', {});
      case 'queue.purge': {
        const { messageCount, ticket } = broker.purgeQueue(owner, this.#queueName(method.queue));
        return this.#answer(method.noWait, ticket, 'queue.purge-ok', { messageCount });
      }
      case 'queue.delete': {
        const { messageCount, ticket } = broker.deleteQueue(owner, this.#queueName(method.queue), method);
        return this.#answer(method.noWait, ticket, 'queue.delete-ok', { messageCount });
      }
      case 'basic.qos':
        return this.#qos(method);
      case 'basic.consume':
        return this.#consume(method);
      case 'basic.cancel':
        return this.#cancel(method);
      case 'basic.cancel-ok':
        return;
      case 'basic.publish':
        return this.#beginPublish(method);
      case 'basic.get':
        return this.#get(method);
      case 'basic.ack':
        return this.#settle('ack', method.deliveryTag, method.multiple);
      case 'basic.nack':
        return this.#settle(method.requeue ? 'requeue' : 'reject', method.deliveryTag, method.multiple);
      case 'basic.reject':
        return this.#settle(method.requeue ? 'requeue' : 'reject', method.deliveryTag, false);
      case 'basic.recover':
        this.#recover(method.requeue);
        return this.#send('basic.recover-ok', {});
      case 'basic.recover-async':
        return this.#recover(method.requeue);
      case 'confirm.select':
        this.#confirmSelect();
        return method.noWait ? undefined : this.#send('confirm.select-ok', {});
      case 'tx.select':
        this.#txSelect();
        return this.#send('tx.select-ok', {});
      case 'tx.commit':
        return this.#txCommit();
      case 'tx.rollback':
        return this.#txRollback();
      default:
        throw new AmqpError(
          'command-invalid',
          `${method.method} is not for a server to receive on a channel`,
        );
    }
  }

  /** Replies once `ticket` has settled. */
  #answer<Name extends MethodName>(
    noWait: boolean,
    ticket: Ticket | undefined,
    name: Name,
    values: MethodArguments<Name>,
  ): void {
    if (noWait) return;
    if (ticket === undefined) return this.#send(name, values);
    this.#host.wait(ticket, () => this.#send(name, values));
  }

  #declareQueue(method: MethodOf<'queue.declare'>): void {
    const { broker, owner } = this.#host;
    const name = method.queue === '' && method.passive ? this.#queueName('') : method.queue;
    const { queue, ticket } = broker.declareQueue(owner, { ...method, queue: name });
    this.#lastQueue = queue.name;
    queue.settle();
    this.#answer(method.noWait, ticket, 'queue.declare-ok', {
      queue: queue.name,
      messageCount: queue.readyCount,
      consumerCount: queue.consumers.size,
    });
  }

  #queueBinding(method: MethodOf<'queue.bind'> | MethodOf<'queue.unbind'>) {
    const { exchange: source, routingKey, arguments: given } = method;
    const destination = this.#queueName(method.queue);
    // Both left out means: the last queue, by its own name. Class reference, queue.bind.
    const key = method.queue === '' && routingKey === '' ? destination : routingKey;
    return { source, destinationKind: 'queue', destination, routingKey: key, arguments: given } as const;
  }

  #queueName(name: string): string {
    if (name !== '') return name;
    if (this.#lastQueue === '') throw new AmqpError('not-found', 'no previously declared queue');
    return this.#lastQueue;
  }

  #qos(method: MethodOf<'basic.qos'>): void {
    if (method.prefetchSize !== 0) {
      throw new AmqpError('not-implemented', `prefetch_size!=0 (${method.prefetchSize})`);
    }
    if (method.global) this.#channelPrefetch = method.prefetchCount;
    else this.#consumerPrefetch = method.prefetchCount;
    this.#send('basic.qos-ok', {});
    this.wakeQueues();
  }

  #consume(method: MethodOf<'basic.consume'>): void {
    const { broker, owner, limits } = this.#host;
    if (method.noLocal) throw new AmqpError('not-implemented', 'no-local=true');
    checkConsumeArguments(method.arguments);
    const queue = broker.queue(owner, this.#queueName(method.queue));
    const tag = method.consumerTag === '' ? `amq.ctag-${this.#host.newName()}` : method.consumerTag;
    if (this.#consumers.has(tag)) {
      throw new AmqpError('not-allowed', `attempt to reuse consumer tag '${tag}'`);
    }
    if (this.#consumers.size >= limits.maxConsumersPerChannel) {
      throw new AmqpError('precondition-failed', `more than ${limits.maxConsumersPerChannel} consumers`);
    }
    const consumer = new ChannelConsumer(this, queue, method, tag, this.#consumerPrefetch);
    broker.consume(owner, queue.name, consumer);
    this.#consumers.set(tag, consumer);
    if (!method.noWait) this.#send('basic.consume-ok', { consumerTag: tag });
  }

  #cancel(method: MethodOf<'basic.cancel'>): void {
    const consumer = this.#consumers.get(method.consumerTag);
    if (consumer !== undefined) {
      this.#consumers.delete(consumer.tag);
      consumer.queue.removeConsumer(consumer);
    }
    if (!method.noWait) this.#send('basic.cancel-ok', { consumerTag: method.consumerTag });
  }

  #beginPublish(method: MethodOf<'basic.publish'>): void {
    if (method.immediate) throw new AmqpError('not-implemented', 'immediate=true');
    this.#host.broker.checkPublish(method.exchange);
    this.#assembly = new ContentAssembly(method, this.#host.limits.maxMessageBytes);
  }

  #get(method: MethodOf<'basic.get'>): void {
    const { broker, owner } = this.#host;
    const queueName = this.#queueName(method.queue);
    const taken = broker.get(owner, queueName, method.noAck);
    if (taken.kind === 'wait') return this.#host.wait(taken.ticket, () => this.#get(method));
    if (taken.kind === 'empty') return this.#send('basic.get-empty', {});
    const { delivery } = taken;
    const { message, redelivered, queue } = delivery;
    const deliveryTag = this.#nextTag++;
    if (!method.noAck) this.#unacked.set(deliveryTag, { delivery, consumer: undefined });
    this.#send('basic.get-ok', {
      deliveryTag,
      redelivered,
      exchange: message.exchange,
      routingKey: message.routingKey,
      messageCount: queue.readyCount,
    });
    this.#host.writer.content(this.number, message.properties, message.body, this.#host.frameMax);
    this.#host.delivered(delivery, 'basic.get');
  }

  // Settling

  #settle(kind: 'ack' | 'requeue' | 'reject', deliveryTag: number, multiple: boolean): void {
    const settled = this.#take(deliveryTag, multiple);
    if (this.#mode.kind === 'tx') this.#enlist({ kind, settled });
    else applySettled(kind, settled);
    this.wakeQueues();
  }

  /** Takes deliveries out of the unsettled; tag 0 with `multiple` is all. @throws AmqpError 406 */
  #take(deliveryTag: number, multiple: boolean): [tag: number, unacked: Unacked][] {
    if (deliveryTag === 0 && multiple) return this.#takeWhere(() => true);
    const one = this.#unacked.get(deliveryTag);
    if (one === undefined) throw new AmqpError('precondition-failed', `unknown delivery tag ${deliveryTag}`);
    if (multiple) return this.#takeWhere((tag) => tag <= deliveryTag);
    this.#unacked.delete(deliveryTag);
    settledBy(one);
    return [[deliveryTag, one]];
  }

  #takeWhere(included: (tag: number) => boolean): [tag: number, unacked: Unacked][] {
    const taken: [number, Unacked][] = [];
    for (const [tag, unacked] of this.#unacked) {
      if (!included(tag)) break;
      taken.push([tag, unacked]);
      this.#unacked.delete(tag);
      settledBy(unacked);
    }
    return taken;
  }

  #recover(asked: boolean): void {
    if (!asked) throw new AmqpError('not-implemented', 'recover with requeue=false');
    applySettled(
      'requeue',
      this.#takeWhere(() => true),
    );
    this.wakeQueues();
  }

  // Modes

  #confirmSelect(): void {
    if (this.#mode.kind === 'confirm') return;
    if (this.#mode.kind === 'tx') throw cannotSwitch('tx', 'confirm');
    const onSettled = (): void => {
      this.confirm();
      this.#host.wake();
    };
    this.#mode = { kind: 'confirm', confirms: new Confirms(onSettled) };
  }

  #txSelect(): void {
    if (this.#mode.kind === 'confirm') throw cannotSwitch('confirm', 'tx');
    if (this.#mode.kind === 'plain') this.#mode = { kind: 'tx', actions: [] };
  }

  #enlist(action: TransactionAction): void {
    const { actions } = this.#transaction();
    const { maxTransactionActions: most } = this.#host.limits;
    if (actions.length >= most) {
      throw new AmqpError('precondition-failed', `more than ${most} actions in one transaction`);
    }
    actions.push(action);
  }

  /** All of it becomes durable in one commit of the store, or nothing does. */
  #txCommit(): void {
    const transaction = this.#transaction();
    const { actions } = transaction;
    transaction.actions = [];
    const tickets: (Ticket | undefined)[] = [];
    for (const action of actions) {
      if (action.kind === 'publish') tickets.push(this.#publish(action.request, action.mandatory));
      else applySettled(action.kind, action.settled);
    }
    this.wakeQueues();
    this.#answer(false, allOf([...tickets, this.#host.broker.pending()]), 'tx.commit-ok', {});
  }

  #txRollback(): void {
    const transaction = this.#transaction();
    const settled = transaction.actions.flatMap((action) =>
      action.kind === 'publish' ? [] : action.settled,
    );
    transaction.actions = [];
    for (const [, { consumer }] of settled) if (consumer !== undefined) consumer.unacked += 1;
    this.#unacked = new Map([...settled, ...this.#unacked].toSorted(([left], [right]) => left - right));
    this.#send('tx.rollback-ok', {});
  }

  #transaction(): Extract<Mode, { kind: 'tx' }> {
    if (this.#mode.kind !== 'tx') throw new AmqpError('precondition-failed', 'channel is not transactional');
    return this.#mode;
  }

  #send<Name extends MethodName>(name: Name, values: MethodArguments<Name>): void {
    this.#host.writer.method(this.number, name, values);
  }
}

function settledBy({ consumer }: Unacked): void {
  if (consumer !== undefined) consumer.unacked -= 1;
}

function applySettled(
  kind: 'ack' | 'requeue' | 'reject',
  settled: readonly (readonly [tag: number, unacked: Unacked])[],
): void {
  if (kind === 'requeue') return requeue(settled.map(([, unacked]) => unacked));
  for (const [, { delivery }] of settled) delivery.queue[kind](delivery.entry);
}

function requeue(all: readonly Unacked[]): void {
  const byQueue = Map.groupBy(all, ({ delivery }) => delivery.queue);
  for (const [queue, some] of byQueue) queue.requeue(some.map(({ delivery }) => delivery.entry));
}

function outcomeOf(routed: boolean, rejected: boolean): string {
  if (rejected) return 'rejected';
  return routed ? 'routed' : 'NO_ROUTE';
}

function cannotSwitch(from: string, to: string): AmqpError {
  return new AmqpError('precondition-failed', `cannot switch from ${from} to ${to} mode`);
}

function priorityOf(given: FieldTable): number {
  return integerOf(given.get('x-priority')) ?? 0;
}

function checkConsumeArguments(given: FieldTable): void {
  for (const [name, field] of given) {
    if (name === 'x-priority' && integerOf(field) === undefined) {
      throw new AmqpError('precondition-failed', `invalid arg 'x-priority': a whole number expected`);
    }
    // Queues here have no mirrors, so a failover never happens and never needs to cancel.
    if (name === 'x-priority' || name === 'x-cancel-on-ha-failover' || !name.startsWith('x-')) continue;
    throw new AmqpError('not-implemented', `argument '${name}' of basic.consume is not supported`, {
      scope: 'channel',
    });
  }
}

/** A reply text fits into a short string. */
export function shortened(text: string): string {
  if (Buffer.byteLength(text) <= 255) return text;
  const bytes = Buffer.from(text).subarray(0, 252);
  return `${bytes.toString('utf8').replace(/\ufffd+$/, '')}...`;
}

/** The request id that a message carries in its header `x-request-id`. */
export function requestIdOf(headers: FieldTable | undefined): string | undefined {
  return textOf(headers?.get('x-request-id'));
}
