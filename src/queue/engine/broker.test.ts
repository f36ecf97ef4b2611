/** The engine with time as a number and a storage that keeps everything in maps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AmqpError } from '../errors.ts';
import { DEFAULT_LIMITS, type QueueLimits } from '../limits.ts';
import { fieldTable, type PlainValue, plainTable } from '../wire/field-table.ts';
import { decodeProperties, encodeProperties, type Properties } from '../wire/properties.ts';
import { Broker } from './broker.ts';
import type { Consumer, Delivery } from './consumer.ts';
import type { Entry, Message } from './message.ts';
import type { QueueLog, Storage, StoredMessage } from './storage.ts';
import { Ticket } from './ticket.ts';

/** A log of one queue, in a sorted array. */
class ArrayLog implements QueueLog {
  readonly rows: { level: number; position: number; message: Message }[] = [];
  reads = 0;

  state(): undefined {}
  append(level: number, position: number, message: Message): Ticket {
    this.rows.push({ level, position, message });
    const ticket = new Ticket();
    ticket.settle();
    return ticket;
  }
  remove(entry: Entry): void {
    const at = this.rows.findIndex((row) => row.level === entry.level && row.position === entry.position);
    assert.ok(at >= 0, `position ${entry.position} removed twice, or never there`);
    this.rows.splice(at, 1);
  }
  removeAfter(level: number, position: number, count: number): void {
    const gone = this.rows.filter((row) => row.level === level && row.position > position);
    assert.equal(gone.length, count);
    for (const row of gone) this.rows.splice(this.rows.indexOf(row), 1);
  }
  load(level: number, position: number, messages: number): StoredMessage[] {
    this.reads += 1;
    return this.rows.filter((row) => row.level === level && row.position > position).slice(0, messages);
  }
  read(level: number, position: number): Message | undefined {
    return this.rows.find((row) => row.level === level && row.position === position)?.message;
  }
  loadBody(): Promise<Buffer> {
    throw new Error('no blobs here');
  }
  delivered(): void {}
  drop(): void {
    this.rows.length = 0;
  }
}

class MapStorage implements Storage {
  readonly logs = new Map<number, ArrayLog>();
  readonly uncommittedBytes = 0;
  recover() {
    return { exchanges: [], queues: [], bindings: [] };
  }
  putExchange(): void {}
  removeExchange(): void {}
  putQueue(): void {}
  removeQueue(): void {}
  putBinding(): void {}
  removeBinding(): void {}
  newQueueId(): number {
    return this.logs.size + 1;
  }
  log(queueId: number): ArrayLog {
    const log = new ArrayLog();
    this.logs.set(queueId, log);
    return log;
  }
  pending(): undefined {}
  flush(): void {}
}

class Taker implements Consumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive = false;
  readonly priority: number;
  credit: number;
  readonly taken: Delivery[] = [];
  isCancelled = false;

  constructor(tag: string, credit = 1000, { noAck = false, priority = 0 } = {}) {
    this.tag = tag;
    this.credit = credit;
    this.noAck = noAck;
    this.priority = priority;
  }
  hasCredit(): boolean {
    return this.credit > 0;
  }
  deliver(delivery: Delivery): void {
    this.credit -= 1;
    this.taken.push(delivery);
  }
  cancelled(): void {
    this.isCancelled = true;
  }
  get texts(): string[] {
    return this.taken.map(({ message }) => message.body.toString());
  }
}

class World {
  nowMs = 1000;
  readonly owner = {};
  readonly storage = new MapStorage();
  readonly broker: Broker;

  constructor(limits: Partial<QueueLimits> = {}) {
    let names = 0;
    this.broker = new Broker({
      storage: this.storage,
      limits: { ...DEFAULT_LIMITS, ...limits },
      now: () => this.nowMs,
      newName: () => String(++names),
      onWake: () => undefined,
    });
  }

  queue(
    name: string,
    args: Record<string, PlainValue> = {},
    flags: { autoDelete?: boolean; durable?: boolean } = {},
  ) {
    const declaration = {
      queue: name,
      passive: false,
      durable: flags.durable ?? true,
      exclusive: false,
      autoDelete: flags.autoDelete ?? false,
      arguments: fieldTable(args),
    };
    return this.broker.declareQueue(this.owner, declaration).queue;
  }

  exchange(name: string, type: string, args: Record<string, PlainValue> = {}, autoDelete = false): void {
    const flags = { passive: false, durable: true, autoDelete, internal: false };
    this.broker.declareExchange({ exchange: name, type, ...flags, arguments: fieldTable(args) });
  }

  bind(destination: string, source: string, routingKey: string, args: Record<string, PlainValue> = {}): void {
    const destinationKind = this.broker.queues.has(destination) ? 'queue' : 'exchange';
    const request = {
      source,
      destination,
      destinationKind,
      routingKey,
      arguments: fieldTable(args),
    } as const;
    this.broker.bind(this.owner, request);
  }

  publish(exchange: string, routingKey: string, text: string, properties: Properties = { deliveryMode: 2 }) {
    const raw = encodeProperties(properties);
    return this.broker.publish({ exchange, routingKey, properties, raw, body: Buffer.from(text) });
  }

  consume(queue: string, consumer: Taker): Taker {
    this.broker.consume(this.owner, queue, consumer);
    this.run();
    return consumer;
  }

  /** Runs until nothing is left to do now. */
  run(): void {
    do this.broker.run();
    while (this.broker.hasWork);
  }

  at(nowMs: number): void {
    this.nowMs = nowMs;
    this.run();
  }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));

for (const windowMessages of [1, 2, 3, 7, 1000]) {
  test(`order and counts hold with a window of ${windowMessages}, whatever is requeued`, () => {
    const world = new World({ windowMessages });
    const queue = world.queue('q');
    for (const text of numbers(0, 20)) {
      world.publish('', 'q', text, { deliveryMode: Number(text) % 2 === 0 ? 2 : 1 });
    }
    const first = world.consume('q', new Taker('first', 8));
    assert.deepEqual(first.texts, numbers(0, 8));
    queue.removeConsumer(first);
    const [a, b, c, ...others] = first.taken;
    queue.requeue([c, a].map((delivery) => (delivery as Delivery).entry));
    queue.ack((b as Delivery).entry);
    queue.requeue(others.map(({ entry }) => entry));
    assert.equal(queue.unackedCount, 0);
    assert.equal(queue.readyCount, 19);
    const second = world.consume('q', new Taker('second'));
    assert.deepEqual(second.texts, ['0', ...numbers(2, 20)]);
    assert.deepEqual(
      second.taken.map(({ redelivered }) => redelivered),
      [...new Array(7).fill(true), ...new Array(12).fill(false)],
    );
    for (const { entry } of second.taken) queue.ack(entry);
    assert.equal(world.broker.memory.bytes, 0);
    assert.equal(world.storage.logs.get(1)?.rows.length, 0);
  });
}

test('a long queue keeps no more in memory than its window', () => {
  const world = new World({ windowMessages: 10 });
  const queue = world.queue('q', {}, { durable: false });
  for (let n = 0; n < 1000; n++) world.publish('', 'q', 'x'.repeat(100), { deliveryMode: 1 });
  world.run();
  assert.ok(world.broker.memory.bytes < 10 * 400);
  assert.equal(queue.readyCount, 1000);
  assert.equal(queue.purge(), 1000);
  assert.equal(world.broker.memory.bytes, 0);
  assert.equal(world.storage.logs.get(1)?.rows.length, 0);
});

test('purge leaves what is unacknowledged', () => {
  const world = new World({ windowMessages: 4 });
  const queue = world.queue('q');
  for (const text of numbers(0, 10)) world.publish('', 'q', text);
  const taker = world.consume('q', new Taker('c', 3));
  assert.equal(queue.purge(), 7);
  queue.requeue(taker.taken.map(({ entry }) => entry));
  assert.equal(queue.readyCount, 3);
});

test('consumers take turns, the higher priority first while it has credit', () => {
  const world = new World();
  world.queue('q');
  const takers = [new Taker('a', 100), new Taker('b', 100), new Taker('high', 2, { priority: 5 })];
  for (const taker of takers) world.consume('q', taker);
  for (const text of numbers(0, 6)) world.publish('', 'q', text);
  world.run();
  assert.deepEqual(
    takers.map(({ texts }) => texts),
    [
      ['2', '4'],
      ['3', '5'],
      ['0', '1'],
    ],
  );
});

test('single active consumer: the next one takes over when it goes', () => {
  const world = new World();
  const queue = world.queue('q', { 'x-single-active-consumer': true });
  const first = world.consume('q', new Taker('first'));
  const second = world.consume('q', new Taker('second'));
  world.publish('', 'q', '1');
  world.publish('', 'q', '2');
  world.run();
  queue.removeConsumer(first);
  world.publish('', 'q', '3');
  world.run();
  assert.deepEqual([first.texts, second.texts], [['1', '2'], ['3']]);
});

test('a queue TTL and a message TTL: the smaller counts, at the head, to the millisecond', () => {
  const world = new World();
  const queue = world.queue('q', { 'x-message-ttl': 100 });
  world.publish('', 'q', 'queue ttl');
  world.publish('', 'q', 'own ttl', { expiration: '50' });
  world.run();
  world.at(1099);
  assert.equal(queue.readyCount, 2);
  assert.equal(world.broker.nextDeadlineMs, 1100);
  world.at(1100);
  assert.equal(queue.readyCount, 0);
});

test('a TTL of 0 means now or never', () => {
  const world = new World();
  const queue = world.queue('q');
  world.publish('', 'q', 'nobody', { expiration: '0' });
  world.run();
  assert.equal(queue.readyCount, 0);
  const taker = world.consume('q', new Taker('c'));
  world.publish('', 'q', 'somebody', { expiration: '0' });
  world.run();
  assert.deepEqual(taker.texts, ['somebody']);
});

test('x-expires counts from the last use, and not while somebody consumes', () => {
  const world = new World();
  const queue = world.queue('q', { 'x-expires': 100 });
  world.at(1050);
  const taker = world.consume('q', new Taker('c'));
  world.at(5000);
  assert.ok(world.broker.queues.has('q'));
  queue.removeConsumer(taker);
  world.at(5099);
  assert.ok(world.broker.queues.has('q'));
  world.at(5100);
  assert.ok(!world.broker.queues.has('q'));
});

test('x-death: newest first, the same queue and reason counted, the keys as they were', () => {
  const world = new World();
  world.queue('work', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'retry' });
  world.queue('retry', {
    'x-message-ttl': 10,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'work',
  });
  world.publish('', 'work', 'x', { deliveryMode: 2 });
  const taker = world.consume('work', new Taker('c'));
  for (let round = 0; round < 3; round++) {
    const { queue, entry } = taker.taken.at(-1) as Delivery;
    queue.reject(entry);
    world.run();
    world.at(world.nowMs + 10);
  }
  assert.equal(taker.taken.length, 4);
  const { headers } = decodeProperties((taker.taken[3] as Delivery).message.properties);
  const deaths = plainTable(headers ?? new Map())['x-death'] as Record<string, PlainValue>[];
  assert.deepEqual(
    deaths.map(({ queue, reason, count, 'routing-keys': keys }) => [queue, reason, count, keys]),
    [
      ['retry', 'expired', 3, ['retry']],
      ['work', 'rejected', 3, ['work']],
    ],
  );
});

test('a message that only expires in a circle is dropped', () => {
  const world = new World();
  const queue = world.queue('q', {
    'x-message-ttl': 10,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': 'q',
  });
  world.publish('', 'q', 'x');
  world.run();
  world.at(1010);
  assert.equal(queue.readyCount, 0);
});

test('max-length drops the oldest; reject-publish refuses the newest and may dead-letter it', () => {
  const world = new World();
  world.queue('dead');
  const toDead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
  world.queue('drop', { 'x-max-length': 2 });
  world.queue('bytes', { 'x-max-length-bytes': 5 });
  world.queue('refuse', { 'x-max-length': 1, 'x-overflow': 'reject-publish-dlx', ...toDead });
  for (const text of ['one', 'two', 'three']) world.publish('', 'drop', text);
  for (const text of ['1234', '56']) world.publish('', 'bytes', text);
  assert.equal(world.publish('', 'refuse', 'in').rejected, false);
  assert.equal(world.publish('', 'refuse', 'out').rejected, true);
  world.run();
  assert.deepEqual(world.consume('drop', new Taker('a')).texts, ['two', 'three']);
  assert.deepEqual(world.consume('bytes', new Taker('b')).texts, ['56']);
  assert.deepEqual(world.consume('refuse', new Taker('c')).texts, ['in']);
  assert.deepEqual(world.consume('dead', new Taker('d')).texts, ['out']);
});

test('a message goes once to each queue, however many bindings match', () => {
  const world = new World();
  world.exchange('t', 'topic');
  world.exchange('f', 'fanout');
  const queue = world.queue('q');
  world.bind('q', 't', 'a.#');
  world.bind('q', 't', '#');
  world.bind('f', 't', '#');
  world.bind('q', 'f', '');
  world.bind('t', 'f', '');
  world.publish('t', 'a.b', 'x');
  world.run();
  assert.equal(queue.readyCount, 1);
});

test('CC and BCC are further keys; nobody sees the blind ones', () => {
  const world = new World();
  for (const name of ['to', 'cc', 'bcc']) world.queue(name);
  const headers = fieldTable({ CC: ['cc'], BCC: ['bcc'] });
  world.publish('', 'to', 'x', { headers });
  for (const name of ['to', 'cc', 'bcc']) {
    const [delivery] = world.consume(name, new Taker('c')).taken;
    const seen = decodeProperties((delivery as Delivery).message.properties).headers;
    assert.deepEqual([...(seen?.keys() ?? [])], ['CC']);
  }
});

test('headers exchanges: all, any, presence, and names with x-', () => {
  const world = new World();
  world.exchange('h', 'headers');
  const cases: [string, Record<string, PlainValue>, Record<string, PlainValue>, boolean][] = [
    ['all', { a: 1, b: 'x' }, { a: 1, b: 'x', c: 1 }, true],
    ['all-missing', { a: 1, b: 'x' }, { a: 1 }, false],
    ['any', { 'x-match': 'any', a: 1, b: 'x' }, { b: 'x' }, true],
    ['any-none', { 'x-match': 'any', a: 1 }, { b: 1 }, false],
    ['presence', { a: null }, { a: 'whatever' }, true],
    ['x-ignored', { 'x-a': 1 }, {}, true],
    ['x-counted', { 'x-match': 'all-with-x', 'x-a': 1 }, {}, false],
    ['nothing-any', { 'x-match': 'any' }, { a: 1 }, false],
  ];
  for (const [name, wanted, headers, expected] of cases) {
    const queue = world.queue(name);
    world.bind(name, 'h', '', wanted);
    const before = queue.readyCount;
    world.publish('h', '', 'x', { headers: fieldTable(headers) });
    assert.equal(queue.readyCount - before, expected ? 1 : 0, name);
    queue.purge();
  }
  assert.throws(() => world.bind('all', 'h', '', { 'x-match': 'some' }), AmqpError);
});

test('auto-delete exchanges go with their last binding, and take theirs along', () => {
  const world = new World();
  world.exchange('source', 'fanout');
  world.exchange('middle', 'fanout', {}, true);
  world.queue('q');
  world.bind('middle', 'source', '');
  world.bind('q', 'middle', '');
  world.broker.deleteQueue(world.owner, 'q', { ifUnused: false, ifEmpty: false });
  assert.ok(!world.broker.exchanges.has('middle'));
  assert.equal(world.broker.exchanges.get('source')?.bindings.size, 0);
  assert.equal(world.broker.bindingCount, 0);
});

test('deleting a queue cancels its consumers; late acknowledgements do nothing', () => {
  const world = new World();
  const queue = world.queue('q');
  world.publish('', 'q', 'x');
  const taker = world.consume('q', new Taker('c'));
  world.broker.deleteQueue(world.owner, 'q', { ifUnused: false, ifEmpty: false });
  assert.ok(taker.isCancelled);
  const [delivery] = taker.taken;
  queue.ack((delivery as Delivery).entry);
  assert.equal(world.broker.memory.bytes, 0);
});
