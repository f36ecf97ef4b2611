/**
 * The broker: exchanges, queues and bindings of the virtual host `/`, and the way of a message through them.
 *
 *     publish ─▶ exchange ─▶ bindings ─▶ queues ─▶ consumers
 *                   └▶ exchange (bound, alternate)      │
 *                   ▲                                   │
 *                   └────────── dead letters ◀──────────┘
 *
 * All verbs are synchronous. What must be durable before it is answered comes back as a ticket. Deliveries
 * and removals happen in `run`, which the driver calls after each read and at each deadline.
 */
import { AmqpError } from '../errors.ts';
import { NAME_MAX_BYTES, type QueueLimits } from '../limits.ts';
import { EMPTY_TABLE, equalFields, type FieldTable, plainValue, textOf } from '../wire/field-table.ts';
import { decodeProperties, type Properties, replaceProperties } from '../wire/properties.ts';
import type { Binding, Destination } from './binding.ts';
import type { Consumer } from './consumer.ts';
import { type DeathReason, deadLettered, isCycle } from './dead-letter.ts';
import { Deadlines } from './deadlines.ts';
import { checkExchangeType, Exchange, PREDECLARED } from './exchange/exchange.ts';
import { Memory, type Message } from './message.ts';
import { Queue, type Surroundings, type Taken } from './queue.ts';
import { queueSettings } from './queue-arguments.ts';
import type { BindingDefinition, Storage } from './storage.ts';
import { allOf, type Ticket } from './ticket.ts';

export interface BrokerOptions {
  readonly storage: Storage;
  readonly limits: QueueLimits;
  /** Milliseconds since 1970, never going back. */
  readonly now: () => number;
  /** The random part of a server-named queue. */
  readonly newName: () => string;
  /** There is something to `run`, outside of a call. */
  readonly onWake: () => void;
}

export interface ExchangeDeclaration {
  readonly exchange: string;
  readonly type: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: FieldTable;
}

export interface QueueDeclaration {
  readonly queue: string;
  readonly passive: boolean;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: FieldTable;
}

export interface BindingRequest {
  readonly source: string;
  readonly destinationKind: 'queue' | 'exchange';
  readonly destination: string;
  readonly routingKey: string;
  readonly arguments: FieldTable;
}

export interface PublishRequest {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: Properties;
  /** The same as bytes. */
  readonly raw: Buffer;
  readonly body: Buffer;
}

export interface Published {
  /** False when no queue matched. */
  readonly routed: boolean;
  /** A queue that rejects publishes was full. */
  readonly rejected: boolean;
  /** Settles when every queue that must keep the message has it durably. */
  readonly ticket: Ticket | undefined;
}

export class Broker implements Surroundings {
  readonly limits: QueueLimits;
  readonly memory = new Memory();
  readonly exchanges = new Map<string, Exchange>();
  readonly queues = new Map<string, Queue>();
  /** Messages that matched no queue. */
  unroutable = 0;
  published = 0;
  readonly #storage: Storage;
  readonly #options: BrokerOptions;
  readonly #awake = new Set<Queue>();
  readonly #deadlines = new Deadlines<Queue>();
  readonly #deadLetters: {
    readonly queue: Queue;
    readonly message: Message;
    readonly reason: DeathReason;
  }[] = [];
  #bindingCount = 0;
  #alarm = false;
  /** Memory in use when the windows were last cut; 0 when there is room. */
  #relievedAtBytes = 0;
  #running = false;

  /** Takes up what the storage kept of an earlier run. */
  constructor(options: BrokerOptions) {
    this.limits = options.limits;
    this.#storage = options.storage;
    this.#options = options;
    for (const [name, type] of PREDECLARED) this.#predeclare(name, type);
    this.#recover();
  }

  now(): number {
    return this.#options.now();
  }

  // Exchanges

  /** @throws AmqpError 403, 404, 406 */
  declareExchange(declaration: ExchangeDeclaration): Ticket | undefined {
    const { exchange: name } = declaration;
    if (declaration.passive) return void this.#exchange(name);
    if (name === '') throw refusedDefaultExchange();
    const present = this.exchanges.get(name);
    if (present !== undefined) return checkSameExchange(present, declaration);
    checkName('exchange', name);
    checkExchangeType(declaration.type);
    checkExchangeArguments(name, declaration.arguments);
    if (this.exchanges.size >= this.limits.maxExchanges) throw tooMany('exchanges', this.limits.maxExchanges);
    const definition = { ...declaration, name };
    this.exchanges.set(name, new Exchange(definition));
    if (!declaration.durable) return undefined;
    this.#storage.putExchange(definition);
    return this.#storage.pending();
  }

  /** Missing is fine. @throws AmqpError 403; 406 when `ifUnused` and something is bound to it */
  deleteExchange(name: string, ifUnused: boolean): Ticket | undefined {
    if (name === '') throw refusedDefaultExchange();
    if (isReserved(name)) {
      throw new AmqpError('access-refused', `deletion of system exchange '${name}' in vhost '/' not allowed`);
    }
    const exchange = this.exchanges.get(name);
    if (exchange === undefined) return undefined;
    if (ifUnused && exchange.bindings.size > 0) {
      throw new AmqpError('precondition-failed', `exchange '${name}' in vhost '/' in use`);
    }
    this.#removeExchange(exchange);
    return this.#storage.pending();
  }

  // Queues

  /**
   * Declares for the connection `owner`; an empty name asks for one made here.
   * @throws AmqpError 403, 404, 405, 406, 540
   */
  declareQueue(owner: object, declaration: QueueDeclaration): { queue: Queue; ticket: Ticket | undefined } {
    const { queue: name } = declaration;
    const present = this.queues.get(name);
    if (declaration.passive) return { queue: this.queue(owner, name), ticket: undefined };
    if (present !== undefined) {
      this.#checkOwner(present, owner);
      if (declaration.exclusive !== (present.owner !== undefined)) throw locked(name);
      checkSameQueue(present, declaration);
      present.touch();
      return { queue: present, ticket: undefined };
    }
    if (name !== '') checkName('queue', name);
    return this.#createQueue(owner, name === '' ? this.#freshName() : name, declaration);
  }

  /** @throws AmqpError 404; 405 when it is another connection's */
  queue(owner: object, name: string): Queue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new AmqpError('not-found', `no queue '${name}' in vhost '/'`);
    this.#checkOwner(queue, owner);
    return queue;
  }

  /** Missing is fine. @returns how many ready messages went with it. @throws AmqpError 405, 406 */
  deleteQueue(
    owner: object,
    name: string,
    conditions: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
  ): { messageCount: number; ticket: Ticket | undefined } {
    const queue = this.queues.get(name);
    if (queue === undefined) return { messageCount: 0, ticket: undefined };
    this.#checkOwner(queue, owner);
    queue.settle();
    if (conditions.ifUnused && queue.consumers.size > 0) {
      throw new AmqpError('precondition-failed', `queue '${name}' in vhost '/' in use`);
    }
    if (conditions.ifEmpty && queue.readyCount > 0) {
      throw new AmqpError('precondition-failed', `queue '${name}' in vhost '/' is not empty`);
    }
    const messageCount = queue.readyCount;
    this.#removeQueue(queue);
    return { messageCount, ticket: this.#storage.pending() };
  }

  /** @throws AmqpError 404, 405 */
  purgeQueue(owner: object, name: string): { messageCount: number; ticket: Ticket | undefined } {
    const messageCount = this.queue(owner, name).purge();
    return { messageCount, ticket: this.#storage.pending() };
  }

  // Bindings

  /** @throws AmqpError 403, 404, 405, 406 */
  bind(owner: object, request: BindingRequest): Ticket | undefined {
    const { source, binding } = this.#resolve(owner, request);
    if (this.#bindingCount >= this.limits.maxBindings) throw tooMany('bindings', this.limits.maxBindings);
    if (!source.bind(binding)) return undefined;
    this.#bindingCount += 1;
    incomingOf(binding).add(binding);
    if (!source.definition.durable || !isDurable(binding.destination)) return undefined;
    this.#storage.putBinding(request);
    return this.#storage.pending();
  }

  /** A missing binding is fine. @throws AmqpError 403, 404, 405 */
  unbind(owner: object, request: BindingRequest): Ticket | undefined {
    const { source, binding } = this.#resolve(owner, request);
    const removed = source.unbind(binding);
    if (removed === undefined) return undefined;
    this.#unbound(source, removed);
    return this.#storage.pending();
  }

  // Messages

  /** What a publish would fail with, before its content has come. @throws AmqpError 403, 404 */
  checkPublish(exchange: string): void {
    if (this.#exchange(exchange).definition.internal) {
      throw new AmqpError('access-refused', `cannot publish to internal exchange '${exchange}' in vhost '/'`);
    }
  }

  /** @throws AmqpError 403, 404; 406 for an expiration that is not a number of milliseconds */
  publish(request: PublishRequest): Published {
    this.checkPublish(request.exchange);
    const { properties } = request;
    const message: Message = {
      exchange: request.exchange,
      routingKey: request.routingKey,
      properties: withoutBlindCopies(request),
      bodySize: request.body.length,
      body: request.body,
      persistent: properties.deliveryMode === 2,
      priority: properties.priority ?? 0,
      publishedAtMs: this.now(),
      expirationMs: expirationOf(properties.expiration),
    };
    this.published += 1;
    const headers = properties.headers ?? EMPTY_TABLE;
    return this.#enqueue(message, this.#route(this.#exchange(request.exchange), message, headers));
  }

  /** @throws AmqpError 403 when somebody consumes exclusively; 404, 405 */
  consume(owner: object, name: string, consumer: Consumer): void {
    const queue = this.queue(owner, name);
    if (queue.consumers.hasExclusive || (consumer.exclusive && queue.consumers.size > 0)) {
      throw new AmqpError('access-refused', `queue '${name}' in vhost '/' in exclusive use`);
    }
    queue.addConsumer(consumer);
  }

  /** @throws AmqpError 404, 405 */
  get(owner: object, name: string, noAck: boolean): Taken {
    return this.queue(owner, name).take(noAck);
  }

  /** The connection is gone, and its exclusive queues with it. */
  disconnected(owner: object): void {
    for (const queue of [...this.queues.values()]) if (queue.owner === owner) this.#removeQueue(queue);
  }

  // Running

  /** Delivers, expires and dead-letters what is due, a bounded amount. */
  run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      // First what was rejected, so that it leaves one queue and enters the other in the same commit.
      this.#publishDeadLetters();
      this.#takeDeadlines();
      const turn = [...this.#awake];
      this.#awake.clear();
      for (const queue of turn) if (!queue.deleted && queue.pump()) this.wake(queue);
      this.#publishDeadLetters();
      this.#relieve();
    } finally {
      this.#running = false;
    }
  }

  /** True when `run` should come again at once. */
  get hasWork(): boolean {
    return this.#awake.size > 0 || this.#deadLetters.length > 0;
  }

  /** When `run` has something to do though nobody calls. Milliseconds since 1970. */
  get nextDeadlineMs(): number | undefined {
    return this.#deadlines.nextMs;
  }

  /** Message bytes in memory are over their bound: publishers wait. Ends at 4/5 of it. */
  get alarm(): boolean {
    const { memoryHighWaterBytes } = this.limits;
    this.#alarm = this.memory.bytes > (this.#alarm ? 0.8 : 1) * memoryHighWaterBytes;
    return this.#alarm;
  }

  /** The disk is behind: publishers wait a moment. */
  get isCongested(): boolean {
    return this.#storage.uncommittedBytes > this.limits.maxUncommittedBytes;
  }

  /** Settles when everything changed so far is durable; undefined when nothing is on its way. */
  pending(): Ticket | undefined {
    return this.#storage.pending();
  }

  get bindingCount(): number {
    return this.#bindingCount;
  }

  // Surroundings of the queues

  wake(queue: Queue): void {
    if (queue.awake) return;
    queue.awake = true;
    if (this.#awake.size === 0) this.#options.onWake();
    this.#awake.add(queue);
  }

  scheduled(queue: Queue, atMs: number): void {
    this.#deadlines.add(atMs, queue);
    if (this.#deadlines.nextMs === atMs) this.#options.onWake();
  }

  deadLetter(queue: Queue, message: Message, reason: DeathReason): void {
    this.#deadLetters.push({ queue, message, reason });
  }

  unwanted(queue: Queue): void {
    if (!queue.deleted) this.#removeQueue(queue);
  }

  // Inside

  #takeDeadlines(): void {
    const now = this.now();
    for (let queue = this.#deadlines.takeDue(now); queue; queue = this.#deadlines.takeDue(now)) {
      if (!queue.deleted) queue.due();
    }
  }

  #publishDeadLetters(): void {
    for (let next = this.#deadLetters.shift(); next !== undefined; next = this.#deadLetters.shift()) {
      const { queue, message, reason } = next;
      const { deadLetterExchange, deadLetterRoutingKey } = queue.settings;
      const exchange = this.exchanges.get(deadLetterExchange ?? '');
      if (deadLetterExchange === undefined || exchange === undefined) continue;
      const dead = deadLettered(message, {
        queue: queue.name,
        reason,
        atMs: this.now(),
        exchange: exchange.name,
        routingKey: deadLetterRoutingKey,
      });
      const headers = decodeProperties(dead.properties).headers ?? EMPTY_TABLE;
      const queues = this.#route(exchange, dead, headers);
      for (const target of queues) if (isCycle(headers, target.name)) queues.delete(target);
      this.#enqueue(dead, queues);
    }
  }

  /** Over half of the memory: all windows are cut, the largest part of which is read back when needed. */
  #relieve(): void {
    const { memoryHighWaterBytes, windowBytes } = this.limits;
    const { bytes } = this.memory;
    if (bytes <= memoryHighWaterBytes / 2) this.#relievedAtBytes = 0;
    else if (bytes > this.#relievedAtBytes + windowBytes) {
      for (const queue of this.queues.values()) queue.shrink(windowBytes / 16);
      this.#relievedAtBytes = this.memory.bytes;
    }
  }

  #enqueue(message: Message, queues: ReadonlySet<Queue>): Published {
    if (queues.size === 0) this.unroutable += 1;
    const tickets: (Ticket | undefined)[] = [];
    let rejected = false;
    for (const queue of queues) {
      const result = queue.enqueue(message);
      if (result.rejected) rejected = true;
      else tickets.push(result.ticket);
    }
    const ticket = tickets.length === 1 ? tickets[0] : allOf(tickets);
    return { routed: queues.size > 0, rejected, ticket };
  }

  #route(start: Exchange, message: Message, headers: FieldTable): Set<Queue> {
    const queues = new Set<Queue>();
    const visited = new Set<Exchange>();
    const keys = [message.routingKey, ...copiesIn(headers, 'CC'), ...copiesIn(headers, 'BCC')];
    const visit = (exchange: Exchange): void => {
      if (visited.has(exchange)) return;
      visited.add(exchange);
      let matched = false;
      const found = (destination: Destination): void => {
        matched = true;
        if (destination instanceof Queue) queues.add(destination);
        else if (destination instanceof Exchange) visit(destination);
      };
      for (const routingKey of keys) this.#routeOne(exchange, { routingKey, headers }, found);
      const alternate = matched ? undefined : this.exchanges.get(exchange.alternate ?? '');
      if (alternate !== undefined && exchange.alternate !== undefined) visit(alternate);
    };
    visit(start);
    return queues;
  }

  #routeOne(
    exchange: Exchange,
    message: { readonly routingKey: string; readonly headers: FieldTable },
    found: (destination: Destination) => void,
  ): void {
    exchange.published += 1;
    if (exchange.name !== '') return exchange.route(message, found);
    const queue = this.queues.get(message.routingKey);
    if (queue !== undefined) found(queue);
  }

  #exchange(name: string): Exchange {
    const exchange = this.exchanges.get(name);
    if (exchange === undefined) throw new AmqpError('not-found', `no exchange '${name}' in vhost '/'`);
    return exchange;
  }

  #resolve(owner: object, request: BindingRequest): { source: Exchange; binding: Binding } {
    const { routingKey } = request;
    if (request.source === '' || (request.destinationKind === 'exchange' && request.destination === '')) {
      throw refusedDefaultExchange();
    }
    const destination =
      request.destinationKind === 'queue'
        ? this.queue(owner, request.destination)
        : this.#exchange(request.destination);
    const source = this.#exchange(request.source);
    return {
      source,
      binding: { source: source.name, destination, routingKey, arguments: request.arguments },
    };
  }

  #createQueue(
    owner: object,
    name: string,
    declaration: QueueDeclaration,
  ): { queue: Queue; ticket: Ticket | undefined } {
    const settings = queueSettings(name, declaration.arguments);
    if (this.queues.size >= this.limits.maxQueues) throw tooMany('queues', this.limits.maxQueues);
    // An exclusive queue ends with its connection, so nothing of it needs to outlive the process.
    const kept = declaration.durable && !declaration.exclusive;
    const definition = {
      id: this.#storage.newQueueId(),
      name,
      durable: declaration.durable,
      autoDelete: declaration.autoDelete,
      arguments: declaration.arguments,
    };
    const log = this.#storage.log(definition.id, kept);
    const queue = new Queue(definition, settings, log, this, declaration.exclusive ? owner : undefined);
    this.queues.set(name, queue);
    if (!kept) return { queue, ticket: undefined };
    this.#storage.putQueue(definition);
    return { queue, ticket: this.#storage.pending() };
  }

  #removeQueue(queue: Queue): void {
    this.queues.delete(queue.name);
    this.#removeIncoming(queue.incoming);
    if (queue.definition.durable && queue.owner === undefined) this.#storage.removeQueue(queue.name);
    queue.close();
  }

  #removeExchange(exchange: Exchange): void {
    this.exchanges.delete(exchange.name);
    for (const binding of exchange.bindings) {
      this.#bindingCount -= 1;
      incomingOf(binding).delete(binding);
      this.#forgetBinding(exchange, binding);
    }
    this.#removeIncoming(exchange.incoming);
    if (exchange.definition.durable) this.#storage.removeExchange(exchange.name);
  }

  #removeIncoming(incoming: ReadonlySet<Binding>): void {
    for (const binding of [...incoming]) {
      const source = this.exchanges.get(binding.source);
      if (source?.unbind(binding) !== undefined) this.#unbound(source, binding);
    }
  }

  /** A binding was taken off: an auto-delete exchange goes with its last one. */
  #unbound(source: Exchange, binding: Binding): void {
    this.#bindingCount -= 1;
    incomingOf(binding).delete(binding);
    this.#forgetBinding(source, binding);
    const isOver = source.definition.autoDelete && source.bindings.size === 0;
    if (isOver && this.exchanges.get(source.name) === source) this.#removeExchange(source);
  }

  #forgetBinding(source: Exchange, binding: Binding): void {
    if (!source.definition.durable || !isDurable(binding.destination)) return;
    this.#storage.removeBinding(definitionOf(binding));
  }

  #checkOwner(queue: Queue, owner: object): void {
    if (queue.owner !== undefined && queue.owner !== owner) throw locked(queue.name);
  }

  #freshName(): string {
    return `amq.gen-${this.#options.newName()}`;
  }

  #predeclare(name: string, type: string): void {
    const fixed = { durable: true, autoDelete: false, internal: false, arguments: EMPTY_TABLE };
    this.exchanges.set(name, new Exchange({ name, type, ...fixed }));
  }

  #recover(): void {
    const found = this.#storage.recover();
    for (const definition of found.exchanges) this.exchanges.set(definition.name, new Exchange(definition));
    for (const definition of found.queues) {
      const settings = queueSettings(definition.name, definition.arguments);
      const log = this.#storage.log(definition.id, true);
      this.queues.set(definition.name, new Queue(definition, settings, log, this, undefined));
    }
    for (const definition of found.bindings) this.#recoverBinding(definition);
  }

  #recoverBinding(definition: BindingDefinition): void {
    const { destinationKind: kind, destination: name } = definition;
    const destination = kind === 'queue' ? this.queues.get(name) : this.exchanges.get(name);
    const source = this.exchanges.get(definition.source);
    if (source === undefined || destination === undefined) return this.#storage.removeBinding(definition);
    const binding = { ...definition, destination };
    if (!source.bind(binding)) return;
    this.#bindingCount += 1;
    destination.incoming.add(binding);
  }
}

function incomingOf(binding: Binding): Set<Binding> {
  return (binding.destination as Queue | Exchange).incoming;
}

function isDurable(destination: Destination): boolean {
  if (destination instanceof Queue) return destination.definition.durable && destination.owner === undefined;
  return destination instanceof Exchange && destination.definition.durable;
}

function definitionOf(binding: Binding): BindingDefinition {
  return {
    source: binding.source,
    destinationKind: binding.destination.kind,
    destination: binding.destination.name,
    routingKey: binding.routingKey,
    arguments: binding.arguments,
  };
}

function isReserved(name: string): boolean {
  return name.startsWith('amq.');
}

function checkName(kind: 'exchange' | 'queue', name: string): void {
  if (isReserved(name)) {
    throw new AmqpError('access-refused', `${kind} name '${name}' contains reserved prefix 'amq.*'`);
  }
  if (Buffer.byteLength(name) > NAME_MAX_BYTES) {
    throw new AmqpError('precondition-failed', `${kind} name is longer than ${NAME_MAX_BYTES} bytes`);
  }
}

function checkExchangeArguments(exchange: string, given: FieldTable): void {
  for (const [name, field] of given) {
    if (name === 'alternate-exchange') {
      if (textOf(field) !== undefined) continue;
      throw new AmqpError(
        'precondition-failed',
        `invalid arg '${name}' for exchange '${exchange}' in vhost '/': a string expected`,
      );
    }
    if (!name.startsWith('x-')) continue;
    const message = `argument '${name}' of exchange '${exchange}' is not supported`;
    throw new AmqpError('not-implemented', message, { scope: 'channel' });
  }
}

function checkSameExchange(present: Exchange, asked: ExchangeDeclaration): undefined {
  const { definition } = present;
  for (const property of ['type', 'durable', 'autoDelete', 'internal'] as const) {
    if (definition[property] === asked[property]) continue;
    throw inequivalent('exchange', present.name, property, asked[property], definition[property]);
  }
  checkSameArguments('exchange', present.name, definition.arguments, asked.arguments);
}

function checkSameQueue(present: Queue, asked: QueueDeclaration): void {
  const { definition } = present;
  for (const property of ['durable', 'autoDelete'] as const) {
    if (definition[property] === asked[property]) continue;
    throw inequivalent('queue', present.name, property, asked[property], definition[property]);
  }
  checkSameArguments('queue', present.name, definition.arguments, asked.arguments);
}

/** Compares the arguments that have a meaning here; others are the declarer's own notes. */
function checkSameArguments(
  kind: 'exchange' | 'queue',
  of: string,
  present: FieldTable,
  asked: FieldTable,
): void {
  for (const name of new Set([...present.keys(), ...asked.keys()])) {
    if (!name.startsWith('x-') && name !== 'alternate-exchange') continue;
    if (isDefault(name, present) && isDefault(name, asked)) continue;
    if (equalFields(present.get(name), asked.get(name))) continue;
    throw inequivalent(kind, of, name, shown(asked, name), shown(present, name));
  }
}

/** `x-queue-type: classic` says what is true without it. */
function isDefault(name: string, given: FieldTable): boolean {
  const field = given.get(name);
  return name === 'x-queue-type' && (field === undefined || textOf(field) === 'classic');
}

function shown(given: FieldTable, name: string): string {
  const field = given.get(name);
  return field === undefined ? 'none' : String(plainValue(field));
}

function inequivalent(
  kind: string,
  of: string,
  property: string,
  received: unknown,
  current: unknown,
): AmqpError {
  const name = property === 'autoDelete' ? 'auto_delete' : property;
  return new AmqpError(
    'precondition-failed',
    `inequivalent arg '${name}' for ${kind} '${of}' in vhost '/': received '${received}' but current is '${current}'`,
  );
}

function locked(name: string): AmqpError {
  return new AmqpError(
    'resource-locked',
    `cannot obtain exclusive access to locked queue '${name}' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.`,
  );
}

function tooMany(what: string, limit: number): AmqpError {
  return new AmqpError('precondition-failed', `cannot have more than ${limit} ${what} in vhost '/'`);
}

function refusedDefaultExchange(): AmqpError {
  return new AmqpError('access-refused', 'operation not permitted on the default exchange');
}

/** The routing keys in the header `CC` or `BCC`, an array of strings. */
function copiesIn(headers: FieldTable, name: 'CC' | 'BCC'): string[] {
  const field = headers.get(name);
  if (field === undefined) return [];
  if (field.type !== 'A') {
    throw new AmqpError('precondition-failed', `header '${name}' is not an array of routing keys`);
  }
  return field.value.flatMap((value) => textOf(value) ?? []);
}

/** Nobody is told who else got a blind copy. */
function withoutBlindCopies({ properties, raw }: PublishRequest): Buffer {
  if (properties.headers?.has('BCC') !== true) return raw;
  const headers = new Map(properties.headers);
  headers.delete('BCC');
  return replaceProperties(raw, { headers });
}

function expirationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,15}$/.test(text)) {
    throw new AmqpError('precondition-failed', `invalid expiration '${text.slice(0, 40)}'`);
  }
  return Number(text);
}
