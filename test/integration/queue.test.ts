/** The queue with amqplib, unmodified. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import amqplib, { type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { testHost } from '../../src/core/testing/host.ts';
import { connectQueue, type QueueOptions, type QueueService, startQueue } from '../../src/queue/index.ts';

const PORTS = { port: 0, managementPort: 0 };

function urlOf(service: QueueService): string {
  return `amqp://guest:guest@127.0.0.1:${service.endpoints['main']?.port}`;
}

async function withBroker(
  run: (connection: ChannelModel, service: QueueService) => Promise<void>,
  options: Partial<QueueOptions> = {},
): Promise<void> {
  await using service = await startQueue({ ...PORTS, ...options }, testHost('queue'));
  const connection = await amqplib.connect(urlOf(service));
  try {
    await run(connection, service);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

/** The next `count` messages of a queue; they stay unacknowledged unless `noAck`. */
function take(channel: Channel, queue: string, count: number, noAck = true): Promise<ConsumeMessage[]> {
  const { promise, resolve, reject } = Promise.withResolvers<ConsumeMessage[]>();
  const taken: ConsumeMessage[] = [];
  const consumerTag = `take-${queue}`;
  const got = (message: ConsumeMessage | null): void => {
    if (message === null) return reject(new Error('cancelled'));
    taken.push(message);
    if (taken.length === count) resolve(taken);
  };
  channel.consume(queue, got, { noAck, consumerTag }).catch(reject);
  return promise.finally(() => channel.cancel(consumerTag));
}

test('a confirmed message is consumed and acknowledged', () =>
  withBroker(async (connection) => {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('work', { durable: true });
    for (let n = 0; n < 100; n++) channel.sendToQueue('work', Buffer.from(`task ${n}`), { persistent: true });
    await channel.waitForConfirms();
    assert.equal((await channel.checkQueue('work')).messageCount, 100);
    const messages = await take(channel, 'work', 100, false);
    assert.deepEqual(
      messages.map((message) => message.content.toString()),
      Array.from({ length: 100 }, (_, n) => `task ${n}`),
    );
    for (const message of messages) channel.ack(message);
    assert.equal((await channel.checkQueue('work')).messageCount, 0);
  }));

test('prefetch holds deliveries back until they are acknowledged', () =>
  withBroker(async (connection) => {
    const channel = await connection.createChannel();
    await channel.assertQueue('q');
    for (let n = 0; n < 5; n++) channel.sendToQueue('q', Buffer.from(String(n)));
    await channel.prefetch(2);
    const got: ConsumeMessage[] = [];
    let wake = (): void => undefined;
    await channel.consume('q', (message) => {
      if (message !== null) got.push(message);
      wake();
    });
    const upTo = async (count: number): Promise<void> => {
      while (got.length < count) await new Promise<void>((resolve) => (wake = resolve));
    };
    await upTo(2);
    // A reply on the same channel comes after all deliveries sent before it.
    assert.equal((await channel.checkQueue('q')).messageCount, 3);
    assert.equal(got.length, 2);
    channel.ackAll();
    await upTo(4);
    assert.equal((await channel.checkQueue('q')).messageCount, 1);
    channel.ack(got[3] as ConsumeMessage, true);
    await upTo(5);
    assert.deepEqual(
      got.map((message) => message.content.toString()),
      ['0', '1', '2', '3', '4'],
    );
  }));

test('requeued messages come back in their places, marked redelivered', () =>
  withBroker(async (connection) => {
    const channel = await connection.createChannel();
    await channel.assertQueue('q');
    for (let n = 0; n < 6; n++) channel.sendToQueue('q', Buffer.from(String(n)));
    await channel.prefetch(4);
    const first = await take(channel, 'q', 4, false);
    channel.nack(first[2] as ConsumeMessage, false, true);
    channel.nack(first[0] as ConsumeMessage, false, true);
    channel.reject(first[1] as ConsumeMessage, false);
    const again = await take(channel, 'q', 4);
    assert.deepEqual(
      again.map(({ content, fields }) => [content.toString(), fields.redelivered]),
      [
        ['0', true],
        ['2', true],
        ['4', false],
        ['5', false],
      ],
    );
  }));

test('rejected, expired and surplus messages go to the dead-letter exchange with their history', () =>
  withBroker(async (connection) => {
    const channel = await connection.createChannel();
    await channel.assertExchange('dead', 'fanout');
    await channel.assertQueue('graves');
    await channel.bindQueue('graves', 'dead', '');
    await channel.assertQueue('q', { deadLetterExchange: 'dead', maxLength: 1 });
    channel.sendToQueue('q', Buffer.from('surplus'));
    channel.sendToQueue('q', Buffer.from('rejected'), { headers: { keep: 'me' } });
    const [rejected] = await take(channel, 'q', 1, false);
    channel.reject(rejected as ConsumeMessage, false);
    channel.sendToQueue('q', Buffer.from('expired'), { expiration: 5 });
    const graves = await take(channel, 'graves', 3);
    assert.deepEqual(
      graves.map(({ content, properties }) => {
        const [death] = properties.headers?.['x-death'] ?? [];
        return [content.toString(), death?.queue, death?.reason, death?.count, death?.['routing-keys']];
      }),
      [
        ['surplus', 'q', 'maxlen', 1, ['q']],
        ['rejected', 'q', 'rejected', 1, ['q']],
        ['expired', 'q', 'expired', 1, ['q']],
      ],
    );
    const [, second, third] = graves;
    assert.equal(second?.properties.headers?.['keep'], 'me');
    assert.equal(third?.properties.expiration, undefined);
    assert.equal(third?.properties.headers?.['x-death']?.[0]?.['original-expiration'], '5');
    assert.equal(third?.properties.headers?.['x-first-death-reason'], 'expired');
  }));

test('a mandatory message without a queue is returned before its confirm', () =>
  withBroker(async (connection) => {
    const channel = await connection.createConfirmChannel();
    const events: string[] = [];
    channel.on('return', (message) => {
      const { replyCode, replyText } = message.fields as unknown as Record<string, unknown>;
      events.push(`return ${replyCode} ${replyText} ${message.content}`);
    });
    channel.publish('', 'nowhere', Buffer.from('lost'), { mandatory: true }, (error) => {
      events.push(error === null ? 'ack' : 'nack');
    });
    channel.publish('', 'nowhere', Buffer.from('dropped'), {}, (error) => {
      events.push(error === null ? 'ack' : 'nack');
    });
    await channel.waitForConfirms();
    assert.deepEqual(events, ['return 312 NO_ROUTE lost', 'ack', 'ack']);
  }));

test('topic, headers and exchange-to-exchange routing, and an alternate exchange', () =>
  withBroker(async (connection) => {
    const channel = await connection.createConfirmChannel();
    await channel.assertExchange('rest', 'fanout');
    await channel.assertExchange('logs', 'topic', { alternateExchange: 'rest' });
    await channel.assertExchange('copies', 'headers');
    await channel.bindExchange('copies', 'logs', 'audit.#');
    for (const queue of ['errors', 'all', 'paid', 'unmatched']) await channel.assertQueue(queue);
    await channel.bindQueue('errors', 'logs', '*.error');
    await channel.bindQueue('all', 'logs', 'app.#');
    await channel.bindQueue('paid', 'copies', '', { 'x-match': 'all', paid: true });
    await channel.bindQueue('unmatched', 'rest', '');
    channel.publish('logs', 'app.error', Buffer.from('1'));
    channel.publish('logs', 'app', Buffer.from('2'));
    channel.publish('logs', 'audit.x.y', Buffer.from('3'), { headers: { paid: true } });
    channel.publish('logs', 'audit', Buffer.from('4'), { headers: { paid: false } });
    channel.publish('logs', 'other.thing', Buffer.from('5'));
    await channel.waitForConfirms();
    const counts = await Promise.all(
      ['errors', 'all', 'paid', 'unmatched'].map(
        async (queue) => (await channel.checkQueue(queue)).messageCount,
      ),
    );
    assert.deepEqual(counts, [1, 2, 1, 1]);
  }));

test('priorities, per-queue TTL, and a queue that rejects publishes when it is full', () =>
  withBroker(async (connection) => {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('ranked', { maxPriority: 5 });
    for (const priority of [0, 9, 3, 5, 1]) {
      channel.sendToQueue('ranked', Buffer.from(String(priority)), { priority });
    }
    const ranked = await take(channel, 'ranked', 5);
    assert.deepEqual(
      ranked.map(({ content }) => content.toString()),
      ['9', '5', '3', '1', '0'],
    );
    await channel.assertQueue('small', { maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } });
    const outcomes: string[] = [];
    for (const text of ['a', 'b']) {
      channel.sendToQueue('small', Buffer.from(text), {}, (error) => outcomes.push(error ? 'nack' : 'ack'));
    }
    await channel.waitForConfirms().catch(() => undefined);
    assert.deepEqual(outcomes, ['ack', 'nack']);
    await channel.assertQueue('brief', {
      messageTtl: 1,
      deadLetterExchange: '',
      deadLetterRoutingKey: 'ranked',
    });
    channel.sendToQueue('brief', Buffer.from('gone'));
    const [dead] = await take(channel, 'ranked', 1);
    assert.equal(dead?.content.toString(), 'gone');
  }));

interface Refusal {
  readonly what: string;
  readonly code: number;
  run(channel: Channel): Promise<unknown>;
}

const REFUSALS: readonly Refusal[] = [
  { what: 'a queue that is not there', code: 404, run: (channel) => channel.checkQueue('none') },
  { what: 'an exchange that is not there', code: 404, run: (channel) => channel.checkExchange('none') },
  {
    what: 'another declaration of a queue',
    code: 406,
    run: async (channel) => {
      await channel.assertQueue('q', { durable: true });
      await channel.assertQueue('q', { durable: false });
    },
  },
  {
    what: 'another TTL of a queue',
    code: 406,
    run: async (channel) => {
      await channel.assertQueue('q', { messageTtl: 1000 });
      await channel.assertQueue('q', { messageTtl: 2000 });
    },
  },
  { what: 'an unknown exchange type', code: 406, run: (channel) => channel.assertExchange('e', 'strange') },
  {
    what: 'a reserved exchange name',
    code: 403,
    run: (channel) => channel.assertExchange('amq.x', 'direct'),
  },
  { what: 'a reserved queue name', code: 403, run: (channel) => channel.assertQueue('amq.x') },
  { what: 'deleting the default exchange', code: 403, run: (channel) => channel.deleteExchange('') },
  {
    what: 'an argument that is not supported',
    code: 540,
    run: (channel) => channel.assertQueue('q', { arguments: { 'x-delivery-limit': 3 } }),
  },
  {
    what: 'a queue type that is not supported',
    code: 406,
    run: (channel) => channel.assertQueue('q', { arguments: { 'x-queue-type': 'quorum' } }),
  },
  {
    what: 'deleting a queue that is not empty',
    code: 406,
    run: async (channel) => {
      await channel.assertQueue('q');
      channel.sendToQueue('q', Buffer.from('x'));
      await channel.deleteQueue('q', { ifEmpty: true });
    },
  },
];

for (const { what, code, run } of REFUSALS) {
  test(`${what} closes the channel with ${code}, not the connection`, () =>
    withBroker(async (connection) => {
      const channel = await connection.createChannel();
      const failed = new Promise<{ code?: number }>((resolve) => channel.once('error', resolve));
      await assert.rejects(run(channel), (error: { code?: number }) => error.code === code);
      assert.equal((await failed).code, code);
      const other = await connection.createChannel();
      await other.assertQueue('still-served');
    }));
}

test('exclusive queues are locked for others and end with their connection', () =>
  withBroker(async (connection, service) => {
    const other = await amqplib.connect(urlOf(service));
    const mine = await other.createChannel();
    const { queue } = await mine.assertQueue('', { exclusive: true });
    assert.match(queue, /^amq\.gen-/);
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    await assert.rejects(channel.checkQueue(queue), (error: { code?: number }) => error.code === 405);
    await other.close();
    const next = await connection.createChannel();
    next.on('error', () => undefined);
    await assert.rejects(next.checkQueue(queue), (error: { code?: number }) => error.code === 404);
  }));

test('deleting a queue cancels its consumers, and auto-delete queues go with their last one', () =>
  withBroker(async (connection) => {
    const channel = await connection.createChannel();
    await channel.assertQueue('q');
    const cancelled = new Promise<void>((resolve) => {
      channel.consume('q', (message) => message === null && resolve()).catch(() => undefined);
    });
    await channel.checkQueue('q');
    await channel.deleteQueue('q');
    await cancelled;
    await channel.assertQueue('auto', { autoDelete: true });
    const { consumerTag } = await channel.consume('auto', () => undefined);
    await channel.cancel(consumerTag);
    channel.on('error', () => undefined);
    await assert.rejects(channel.checkQueue('auto'), (error: { code?: number }) => error.code === 404);
  }));

test('consumers take turns', () =>
  withBroker(async (connection) => {
    const channel = await connection.createChannel();
    await channel.assertQueue('q');
    const counts = [0, 0, 0];
    const all = Promise.withResolvers<void>();
    let left = 30;
    for (const index of counts.keys()) {
      await channel.consume('q', (message) => {
        if (message === null) return;
        counts[index] = (counts[index] ?? 0) + 1;
        channel.ack(message);
        if (--left === 0) all.resolve();
      });
    }
    for (let n = 0; n < 30; n++) channel.sendToQueue('q', Buffer.from('x'));
    await all.promise;
    assert.deepEqual(counts, [10, 10, 10]);
  }));

test('messages of many frames, and bodies that live in blobs', () =>
  withBroker(async (connection) => {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('q', { durable: true });
    const sizes = [0, 1, 131_064, 131_065, 500_000, 3];
    for (const [n, size] of sizes.entries()) {
      channel.sendToQueue('q', Buffer.alloc(size, n + 1), { persistent: true });
    }
    await channel.waitForConfirms();
    const messages = await take(channel, 'q', sizes.length);
    for (const [n, message] of messages.entries()) {
      assert.deepEqual(message.content, Buffer.alloc(sizes[n] as number, n + 1));
    }
  }));

test('a queue longer than its window keeps its order, and get finds every message', () =>
  withBroker(
    async (connection) => {
      const channel = await connection.createConfirmChannel();
      await channel.assertQueue('q', { durable: true });
      for (let n = 0; n < 500; n++) {
        channel.sendToQueue('q', Buffer.from(String(n)), { persistent: n % 3 !== 0 });
      }
      await channel.waitForConfirms();
      for (let n = 0; n < 10; n++) {
        const message = await channel.get('q', { noAck: true });
        assert.equal(message ? message.content.toString() : 'nothing', String(n));
      }
      const rest = await take(channel, 'q', 490);
      assert.deepEqual(
        rest.map(({ content }) => Number(content.toString())),
        Array.from({ length: 490 }, (_, n) => n + 10),
      );
    },
    { limits: { windowMessages: 16 } },
  ));

test('definitions, persistent messages and what was unacknowledged survive a restart', async () => {
  const host = testHost('queue');
  {
    await using service = await startQueue(PORTS, host);
    const connection = await amqplib.connect(urlOf(service));
    const channel = await connection.createConfirmChannel();
    await channel.assertExchange('events', 'topic', { durable: true });
    await channel.assertQueue('kept', { durable: true, arguments: { 'x-max-priority': 2 } });
    await channel.assertQueue('gone', { durable: false });
    await channel.bindQueue('kept', 'events', 'a.*');
    for (let n = 0; n < 40; n++) {
      channel.publish('events', 'a.b', Buffer.from(String(n)), { persistent: true, priority: n % 2 });
    }
    channel.publish('events', 'a.b', Buffer.from('transient'), { persistent: false });
    channel.publish('events', 'a.b', Buffer.alloc(200_000, 7), { persistent: true, priority: 2 });
    await channel.waitForConfirms();
    await channel.prefetch(2);
    const [large, one] = await take(channel, 'kept', 2, false);
    assert.equal(large?.content.length, 200_000);
    assert.equal(one?.content.toString(), '1');
    channel.ack(large as ConsumeMessage);
    await channel.checkQueue('kept');
  }
  await using service = await startQueue({ ...PORTS, limits: { windowMessages: 4 } }, host);
  const connection = await amqplib.connect(urlOf(service));
  const channel = await connection.createChannel();
  assert.equal((await channel.checkQueue('kept')).messageCount, 40);
  const messages = await take(channel, 'kept', 40);
  const odd = Array.from({ length: 20 }, (_, n) => String(2 * n + 1));
  const even = Array.from({ length: 20 }, (_, n) => String(2 * n));
  assert.deepEqual(
    messages.map(({ content }) => content.toString()),
    [...odd, ...even],
  );
  assert.equal(messages[0]?.fields.redelivered, true);
  assert.equal(messages[5]?.fields.redelivered, false);
  channel.publish('events', 'a.c', Buffer.from('bound'));
  const [bound] = await take(channel, 'kept', 1);
  assert.equal(bound?.content.toString(), 'bound');
  channel.on('error', () => undefined);
  await assert.rejects(channel.checkQueue('gone'), (error: { code?: number }) => error.code === 404);
  await connection.close();
});

test('a wrong password is refused with 403', async () => {
  await using service = await startQueue(PORTS, testHost('queue'));
  const url = urlOf(service).replace('guest:guest', 'guest:wrong');
  await assert.rejects(amqplib.connect(url), /403|ACCESS_REFUSED|ACCESS-REFUSED/);
});

test('an unknown virtual host is refused with 530', async () => {
  await using service = await startQueue(PORTS, testHost('queue'));
  await assert.rejects(amqplib.connect(`${urlOf(service)}/other`), /ConnectionClose/);
});

test('a publisher is told to wait while memory is full, and goes on after', () =>
  withBroker(
    async (connection, service) => {
      const blocked = new Promise<string>((resolve) => connection.on('blocked', resolve));
      const unblocked = new Promise<void>((resolve) => connection.on('unblocked', () => resolve()));
      const publisher = await connection.createConfirmChannel();
      await publisher.assertQueue('q', { durable: false });
      // Unacknowledged transient messages are the ones that can only be in memory.
      const other = await amqplib.connect(urlOf(service));
      const consumer = await other.createChannel();
      const held: ConsumeMessage[] = [];
      let settles = false;
      await consumer.consume('q', (message) => {
        if (message === null) return;
        if (settles) consumer.ack(message);
        else held.push(message);
      });
      for (let n = 0; n < 40; n++) publisher.sendToQueue('q', Buffer.alloc(4096));
      assert.match(await blocked, /memory/);
      settles = true;
      for (const message of held) consumer.ack(message);
      await unblocked;
      await publisher.waitForConfirms();
      await other.close();
    },
    { limits: { memoryHighWaterBytes: 64 * 1024 } },
  ));

test('the management API lists queues to who may log in', () =>
  withBroker(async (connection, service) => {
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('q', { durable: true, messageTtl: 60_000 });
    channel.sendToQueue('q', Buffer.from('x'));
    await channel.waitForConfirms();
    const at = `http://127.0.0.1:${service.endpoints['management']?.port}/api`;
    const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
    const reply = await fetch(`${at}/queues`, { headers: { authorization } });
    const [row] = (await reply.json()) as { [name: string]: unknown }[];
    assert.equal(row?.['name'], 'q');
    assert.equal(row?.['messages_ready'], 1);
    assert.deepEqual(row?.['arguments'], { 'x-message-ttl': 60_000 });
    const one = await fetch(`${at}/queues/%2F/q`, { headers: { authorization } });
    assert.equal(((await one.json()) as { durable: boolean }).durable, true);
    assert.equal((await fetch(`${at}/queues`)).status, 401);
    const foreign = await fetch(`${at}/overview`, { headers: { authorization, origin: 'http://evil.test' } });
    assert.equal(foreign.status, 403);
  }));

test('our client: declare, publish with confirm, consume, retry, and what is refused', () =>
  withBroker(async (_connection, service) => {
    const host = testHost('client');
    const { network, clock, random } = host;
    await using client = await connectQueue({ network, clock, random, url: urlOf(service) });
    await client.declareExchange('events', { type: 'topic' });
    await client.declareQueue('work');
    await client.bindQueue('work', 'events', 'spell.*');
    await client.publish('events', 'spell.cast', 'first', { requestId: 'req-1', headers: { n: 1 } });
    assert.equal((await client.declareQueue('work', { passive: true })).messageCount, 1);
    const seen: string[] = [];
    const done = Promise.withResolvers<void>();
    const subscription = await client.consume('work', (message) => {
      seen.push(`${message.body} ${message.requestId} ${message.headers['n']} ${message.redelivered}`);
      if (!message.redelivered) throw new Error('try again');
      done.resolve();
    });
    await done.promise;
    await subscription.cancel();
    assert.deepEqual(seen, ['first req-1 1 false', 'first req-1 1 true']);
    assert.equal((await client.declareQueue('work')).messageCount, 0);
    const code = (expected: string) => (error: { code?: string }) => error.code === expected;
    await assert.rejects(client.publish('events', 'other', 'x', { mandatory: true }), code('returned'));
    await assert.rejects(client.publish('none', 'x', 'x'), code('not-found'));
    await assert.rejects(client.declareQueue('work', { durable: false }), code('precondition-failed'));
    await client.publish('', 'work', 'still works');
    assert.equal((await client.get('work'))?.body.toString(), 'still works');
    assert.equal(await client.get('work'), undefined);
  }));

test('our client comes back after the broker did, with its queues and consumers', async () => {
  const host = testHost('queue');
  const { network, clock, random } = host;
  const first = await startQueue(PORTS, host);
  const port = first.endpoints['main']?.port as number;
  const states: string[] = [];
  const back = Promise.withResolvers<void>();
  await using client = await connectQueue({
    network,
    clock,
    random,
    url: urlOf(first),
    reconnectMinMs: 5,
    onStateChange: (state) => {
      states.push(state);
      if (state === 'connected' && states.length > 1) back.resolve();
    },
  });
  await client.declareQueue('passing', { durable: false });
  const got = Promise.withResolvers<string>();
  await client.consume('passing', (message) => got.resolve(message.body.toString()));
  await first.close(0);
  await using second = await startQueue({ ...PORTS, port }, host);
  await back.promise;
  await client.publish('', 'passing', 'after the restart');
  assert.equal(await got.promise, 'after the restart');
  assert.equal(second.health().state, 'ok');
});

test('our client is told why it was refused', async () => {
  await using service = await startQueue(PORTS, testHost('queue'));
  const { network, clock, random } = testHost('client');
  const url = urlOf(service).replace('guest:guest', 'guest:wrong');
  await assert.rejects(
    connectQueue({ network, clock, random, url }),
    (error: { code?: string }) => error.code === 'access-refused',
  );
});
