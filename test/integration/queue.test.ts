/** The queue with amqplib, unmodified. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import amqplib, { type Channel, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { testHost } from '../../src/core/testing/host.ts';
import { type QueueOptions, type QueueService, startQueue } from '../../src/queue/index.ts';

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
  let tag = '';
  const got = (message: ConsumeMessage | null): void => {
    if (message === null) return reject(new Error('cancelled'));
    taken.push(message);
    if (taken.length === count) resolve(taken);
  };
  channel.consume(queue, got, { noAck }).then((reply) => {
    tag = reply.consumerTag;
  }, reject);
  return promise.finally(() => channel.cancel(tag));
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
