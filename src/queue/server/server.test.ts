/** The server over real sockets, with a peer that says what clients should not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimulatedNetwork } from '../../core/net/simulated-network.ts';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { fieldTable } from '../wire/field-table.ts';
import { decodeFrame, FrameWriter } from '../wire/frame.ts';
import { decodeMethod, type Method, type MethodOf } from '../wire/method.ts';
import { encodeProperties } from '../wire/properties.ts';
import { METHODS, type MethodName, PROTOCOL_HEADER } from '../wire/specification.ts';
import type { QueueOptions } from './options.ts';
import { type QueueServer, type QueueService, startQueue } from './server.ts';

const OPTIONS = { port: 0, managementPort: undefined } as const;
const FRAME_MAX = 4096;

/** A client that says exactly what a test tells it to. */
class RawClient {
  readonly peer: Peer;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  send(build: (writer: FrameWriter) => void): void {
    const writer = new FrameWriter();
    build(writer);
    this.peer.send(writer.take());
  }

  /** The next method named `name`; other frames are skipped. */
  async next<Name extends MethodName>(name: Name): Promise<MethodOf<Name>> {
    for (;;) {
      await this.peer.until((received) => decodeFrame(received, 0, 200_000).kind === 'frame');
      const frame = decodeFrame(this.peer.received, 0, 200_000);
      assert.ok(frame.kind === 'frame');
      this.peer.take(frame.end);
      const method: Method | undefined = frame.type === 'method' ? decodeMethod(frame.payload) : undefined;
      if (method?.method === name) return method as MethodOf<Name>;
    }
  }

  async login(password = 'guest', capabilities = true): Promise<void> {
    this.peer.send(PROTOCOL_HEADER);
    await this.next('connection.start');
    this.send((writer) =>
      writer.method(0, 'connection.start-ok', {
        clientProperties: fieldTable({ capabilities: { authentication_failure_close: capabilities } }),
        mechanism: 'PLAIN',
        response: Buffer.from(`\0guest\0${password}`),
        locale: 'en_US',
      }),
    );
  }

  async open(heartbeat = 0): Promise<void> {
    await this.login();
    await this.next('connection.tune');
    this.send((writer) =>
      writer
        .method(0, 'connection.tune-ok', { channelMax: 10, frameMax: FRAME_MAX, heartbeat })
        .method(0, 'connection.open', { virtualHost: '/' })
        .method(1, 'channel.open', {}),
    );
    await this.next('channel.open-ok');
  }
}

async function withServer(
  run: (client: RawClient, service: QueueService) => Promise<void>,
  options: Partial<QueueOptions> = {},
): Promise<void> {
  const host = testHost('queue');
  await using service = await startQueue({ ...OPTIONS, ...options }, host);
  const peer = await Peer.connect(host.network, service.endpoints['main'] as never);
  try {
    await run(new RawClient(peer), service);
  } finally {
    peer.close();
  }
}

test('another protocol gets our header and the end of the connection', () =>
  withServer(async ({ peer }) => {
    peer.send('GET / HTTP/1.1\r\n\r\n');
    assert.deepEqual(await peer.untilClosed(), Buffer.from(PROTOCOL_HEADER));
  }));

test('silence after the header ends with the handshake time', () =>
  withServer(
    async ({ peer }) => {
      peer.send(PROTOCOL_HEADER);
      await peer.untilClosed();
    },
    { limits: { handshakeTimeoutMs: 30 } },
  ));

test('a wrong password is answered with 403 to those who asked for it', () =>
  withServer(async (client) => {
    await client.login('wrong');
    assert.equal((await client.next('connection.close')).replyCode, 403);
    client.send((writer) => writer.method(0, 'connection.close-ok', {}));
    await client.peer.untilClosed();
  }));

test('a wrong password ends the socket of those who did not', () =>
  withServer(async (client) => {
    await client.login('wrong', false);
    assert.deepEqual(await client.peer.untilClosed(), Buffer.alloc(0));
  }));

test('a whole conversation, one byte at a time', () =>
  withServer(async (client) => {
    await client.open();
    const writer = new FrameWriter();
    writer.method(1, 'queue.declare', {
      queue: 'q',
      passive: false,
      durable: true,
      exclusive: false,
      autoDelete: false,
      noWait: false,
      arguments: fieldTable({ 'x-max-length': 5 }),
    });
    writer.method(1, 'confirm.select', { noWait: false });
    writer.method(1, 'basic.publish', { exchange: '', routingKey: 'q', mandatory: false, immediate: false });
    writer.content(1, encodeProperties({ deliveryMode: 2 }), Buffer.from('hello'), FRAME_MAX);
    writer.method(1, 'basic.get', { queue: 'q', noAck: true });
    await client.peer.dribble(writer.take());
    assert.equal((await client.next('queue.declare-ok')).queue, 'q');
    assert.equal((await client.next('basic.get-ok')).exchange, '');
  }));

test('a heartbeat is sent, and a client without one is given up', () =>
  withServer(async (client) => {
    await client.open(1);
    const last = await client.peer.untilClosed();
    assert.ok(last.includes(Buffer.from('08000000000000ce', 'hex')));
  }));

test('a client that takes nothing of what is written to it is given up like a silent one', async () => {
  const clock = new SimulatedClock();
  const host = testHost('queue', { clock, network: createSimulatedNetwork({ clock }) });
  await using service = await startQueue({ ...OPTIONS }, host);
  const client = new RawClient(await Peer.connect(host.network, service.endpoints['main'] as never));
  await client.open(1);
  client.send((writer) => {
    writer.method(1, 'queue.declare', {
      queue: 'q',
      passive: false,
      durable: false,
      exclusive: false,
      autoDelete: false,
      noWait: false,
      arguments: fieldTable({}),
    });
    writer.method(1, 'basic.consume', {
      queue: 'q',
      consumerTag: 'c',
      noLocal: false,
      noAck: true,
      exclusive: false,
      noWait: false,
      arguments: fieldTable({}),
    });
  });
  await client.next('basic.consume-ok');
  client.peer.connection.pause();
  client.send((writer) => {
    for (let count = 0; count < 8; count += 1)
      publish(writer).content(1, encodeProperties({}), Buffer.alloc(64 * 1024), FRAME_MAX);
  });
  const { links } = service as QueueServer;
  await clock.advance(1_500);
  assert.equal(links.size, 1);
  await clock.advance(10_000);
  assert.equal(links.size, 0);
  client.peer.close();
});

interface Offence {
  readonly what: string;
  readonly code: number;
  readonly on: 'connection' | 'channel';
  send(writer: FrameWriter): unknown;
}

const publish = (writer: FrameWriter): FrameWriter =>
  writer.method(1, 'basic.publish', { exchange: '', routingKey: 'q', mandatory: false, immediate: false });

const header = (bodySize: bigint): Buffer => {
  const frame = Buffer.from('02000100000000003c000000000000000000000000ce', 'hex');
  frame.writeUInt32BE(14, 3);
  frame.writeBigUInt64BE(bodySize, 11);
  return frame;
};

const OFFENCES: readonly Offence[] = [
  { what: 'an unknown frame type', code: 501, on: 'connection', send: (w) => w.raw(Buffer.from([9])) },
  {
    what: 'a frame over the agreed size',
    code: 501,
    on: 'connection',
    send: (w) => w.raw(Buffer.from('03000100001000', 'hex')),
  },
  {
    what: 'a missing frame end',
    code: 501,
    on: 'connection',
    send: (w) => w.raw(Buffer.from('080000000000000a', 'hex')),
  },
  {
    what: 'a heartbeat on a channel',
    code: 501,
    on: 'connection',
    send: (w) => w.raw(Buffer.from('08000100000000ce', 'hex')),
  },
  {
    what: 'arguments that are cut off',
    code: 502,
    on: 'connection',
    send: (w) => w.raw(Buffer.from('010001000000050032000a00ce', 'hex')),
  },
  {
    what: 'an unknown method',
    code: 503,
    on: 'connection',
    send: (w) => w.raw(Buffer.from('01000100000004003c00ffce', 'hex')),
  },
  {
    what: 'a channel method on channel 0',
    code: 503,
    on: 'connection',
    send: (w) => w.method(0, 'channel.open', {}),
  },
  {
    what: 'a connection method on a channel',
    code: 503,
    on: 'connection',
    send: (w) => w.method(1, 'connection.open', { virtualHost: '/' }),
  },
  {
    what: 'a channel that is not open',
    code: 504,
    on: 'connection',
    send: (w) => w.method(2, 'basic.recover', { requeue: true }),
  },
  {
    what: 'a channel opened twice',
    code: 504,
    on: 'connection',
    send: (w) => w.method(1, 'channel.open', {}),
  },
  {
    what: 'a channel over channel-max',
    code: 530,
    on: 'connection',
    send: (w) => w.method(11, 'channel.open', {}),
  },
  { what: 'a header without a publish', code: 505, on: 'connection', send: (w) => w.raw(header(0n)) },
  {
    what: 'a body without a header',
    code: 505,
    on: 'connection',
    send: (w) => publish(w).raw(Buffer.from('0300010000000161ce', 'hex')),
  },
  {
    what: 'a method in the middle of a message',
    code: 505,
    on: 'connection',
    send: (w) => publish(w).method(1, 'basic.recover', { requeue: true }),
  },
  {
    what: 'more body than announced',
    code: 501,
    on: 'connection',
    send: (w) => publish(w).raw(header(1n)).raw(Buffer.from('030001000000026161ce', 'hex')),
  },
  {
    what: 'a body of 2^64 - 1 octets',
    code: 406,
    on: 'channel',
    send: (w) => publish(w).raw(header(0xffff_ffff_ffff_ffffn)),
  },
  {
    what: 'immediate',
    code: 540,
    on: 'connection',
    send: (w) =>
      w.method(1, 'basic.publish', { exchange: '', routingKey: 'q', mandatory: false, immediate: true }),
  },
  {
    what: 'an unknown delivery tag',
    code: 406,
    on: 'channel',
    send: (w) => w.method(1, 'basic.ack', { deliveryTag: 7, multiple: false }),
  },
  {
    what: 'an exchange that is not there',
    code: 404,
    on: 'channel',
    send: (w) =>
      w.method(1, 'basic.publish', { exchange: 'none', routingKey: '', mandatory: false, immediate: false }),
  },
  {
    what: 'another user in user-id',
    code: 406,
    on: 'channel',
    send: (w) => publish(w).content(1, encodeProperties({ userId: 'root' }), Buffer.from('x'), FRAME_MAX),
  },
  {
    what: 'an expiration that is no number',
    code: 406,
    on: 'channel',
    send: (w) => publish(w).content(1, encodeProperties({ expiration: '-1' }), Buffer.from('x'), FRAME_MAX),
  },
  {
    what: 'a prefetch size',
    code: 540,
    on: 'connection',
    send: (w) => w.method(1, 'basic.qos', { prefetchSize: 1, prefetchCount: 0, global: false }),
  },
  {
    what: 'tx after confirm',
    code: 406,
    on: 'channel',
    send: (w) => w.method(1, 'confirm.select', { noWait: true }).method(1, 'tx.select', {}),
  },
  {
    what: 'requeue=false in recover',
    code: 540,
    on: 'connection',
    send: (w) => w.method(1, 'basic.recover', { requeue: false }),
  },
];

for (const { what, code, on, send } of OFFENCES) {
  test(`${what} ends the ${on} with ${code}, and others are served`, () =>
    withServer(async (client, service) => {
      await client.open();
      client.send((writer) => void send(writer));
      const close = await client.next(on === 'connection' ? 'connection.close' : 'channel.close');
      assert.equal(close.replyCode, code);
      const host = testHost('queue');
      const other = new RawClient(await Peer.connect(host.network, service.endpoints['main'] as never));
      await other.open();
      other.peer.close();
    }));
}

test('tx: a commit publishes, a rollback forgets', () =>
  withServer(async (client) => {
    await client.open();
    const declaration = {
      queue: 'q',
      passive: false,
      durable: true,
      exclusive: false,
      autoDelete: false,
      noWait: false,
      arguments: fieldTable({}),
    };
    const put = (writer: FrameWriter): void => {
      publish(writer).content(1, encodeProperties({ deliveryMode: 2 }), Buffer.from('x'), FRAME_MAX);
    };
    client.send((writer) => {
      writer.method(1, 'queue.declare', declaration).method(1, 'tx.select', {});
      put(writer);
      writer.method(1, 'queue.declare', declaration);
    });
    await client.next('queue.declare-ok');
    assert.equal((await client.next('queue.declare-ok')).messageCount, 0);
    client.send((writer) => {
      writer.method(1, 'tx.rollback', {});
      put(writer);
      put(writer);
      writer.method(1, 'tx.commit', {}).method(1, 'queue.declare', declaration);
    });
    await client.next('tx.commit-ok');
    assert.equal((await client.next('queue.declare-ok')).messageCount, 2);
  }));

test('a consumer that never reads costs bounded memory, and others are served', () =>
  withServer(async (client, service) => {
    await client.open();
    client.send((writer) =>
      writer
        .method(1, 'queue.declare', {
          queue: 'q',
          passive: false,
          durable: false,
          exclusive: false,
          autoDelete: false,
          noWait: true,
          arguments: fieldTable({}),
        })
        .method(1, 'basic.consume', {
          queue: 'q',
          consumerTag: 'c',
          noLocal: false,
          noAck: true,
          exclusive: false,
          noWait: false,
          arguments: fieldTable({}),
        }),
    );
    await client.next('basic.consume-ok');
    client.peer.connection.pause();
    const host = testHost('queue');
    const other = new RawClient(await Peer.connect(host.network, service.endpoints['main'] as never));
    await other.open();
    const body = Buffer.alloc(100_000);
    other.send((writer) => {
      writer.method(1, 'confirm.select', { noWait: true });
      for (let n = 0; n < 200; n++) {
        publish(writer).content(1, encodeProperties({}), body, FRAME_MAX);
      }
    });
    for (let confirmed = 0; confirmed < 200; ) confirmed = (await other.next('basic.ack')).deliveryTag;
    other.send((writer) => writer.method(1, 'basic.get', { queue: 'q', noAck: true }));
    // What the socket does not take stays in the queue, where it can still be got by others.
    await other.next('basic.get-ok');
    other.peer.close();
  }));

test('every method that a client must not send is refused', () =>
  withServer(async (client) => {
    await client.open();
    client.send((writer) => writer.method(1, 'basic.consume-ok', { consumerTag: 'x' }));
    const { failedClassId, failedMethodId, replyCode } = await client.next('connection.close');
    const { classId, methodId } = METHODS['basic.consume-ok'];
    assert.deepEqual([replyCode, failedClassId, failedMethodId], [503, classId, methodId]);
  }));
