/**
 * Clients that ask for much and read nothing. What is asked for comes to many times what the kernel takes on
 * loopback, so a service that went on answering would have to keep it: it has to stop reading, or to close.
 */
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import amqplib from 'amqplib';
import { openedChannel } from './attacks.ts';
import {
  amqpMethod,
  dnsQuestion,
  framed,
  httpRequest,
  postgresMessage,
  postgresStartup,
  respCommand,
  shortString,
} from './bytes.ts';
import { BIG_BYTES, type House, type Protocol, startHouse, type Target } from './house.ts';
import { heldBytes, MiB, turn } from './memory.ts';

/** What one silent reader may cost, both ends of the connection and their share of unread requests. */
const MAX_HELD_BYTES = 12 * MiB;
/** Requests are sent until this much has been asked for, or nothing more is taken. */
const ASKED_BYTES = 96 * MiB;
/** What it takes when it reads at last: more than the kernel holds. */
const READ_BYTES = 12 * MiB;
/** Right answers given to others without a byte being taken from us: the service has stopped reading. */
const PATIENCE_ANSWERS = 20;

interface Flood {
  readonly login?: string | Buffer;
  readonly request: string | Buffer;
  /** A lower bound on what it is answered with. */
  readonly answerBytes: number;
}

const FLOODS: Readonly<Record<Protocol, (target: Target) => Flood>> = {
  dns: () => ({ request: framed(dnsQuestion('big.bad.test', { type: 16 })), answerBytes: 16_000 }),
  postgres: () => ({
    login: postgresStartup(),
    request: postgresMessage('Q', 'SELECT a.text FROM notes a JOIN notes b ON true\0'),
    answerBytes: BIG_BYTES,
  }),
  resp: () => ({
    login: respCommand('AUTH', 'octet'),
    request: respCommand('GET', 'big'),
    answerBytes: BIG_BYTES,
  }),
  // Deliveries have a test of their own.
  amqp: () => ({ request: '', answerBytes: 0 }),
  smtp: () => ({ request: 'EHLO a.test\r\n', answerBytes: 180 }),
  http: ({ name, path, fields }) => ({
    request: httpRequest(path, fields),
    answerBytes: ['objects', 'api-1', 'balancer'].includes(name) ? BIG_BYTES : 150,
  }),
};

/** A socket that never reads; its receive buffer fills and stays full. */
async function mute({ address, port }: Target['endpoint']): Promise<net.Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = net.connect({ host: address, port }, resolve);
  socket.on('error', reject);
  socket.pause();
  await promise;
  return socket;
}

interface Outcome {
  /** How the service defended itself. */
  readonly defence: string;
  /** A lower bound on what it would have to send. */
  readonly askedBytes: number;
}

/** Asks on and on while others are served. */
async function flood(target: Target, socket: net.Socket, { request, answerBytes }: Flood): Promise<Outcome> {
  const batch = Buffer.alloc(
    Math.max(1, Math.floor(16_384 / request.length)) * request.length,
    request,
    'latin1',
  );
  const answersPerBatch = batch.length / request.length;
  let askedBytes = 0;
  while (askedBytes < ASKED_BYTES && !socket.destroyed) {
    socket.write(batch);
    askedBytes += answersPerBatch * answerBytes;
    let idle = 0;
    for (; socket.writableLength > 0 && idle < PATIENCE_ANSWERS && !socket.destroyed; ) {
      const before = socket.writableLength;
      await target.ask();
      idle = socket.writableLength < before ? 0 : idle + 1;
    }
    if (idle >= PATIENCE_ANSWERS) return { defence: 'stops reading', askedBytes };
    await turn();
  }
  return { defence: socket.destroyed ? 'closes' : 'answers no further', askedBytes };
}

/** Reads at last: what was asked for comes, or enough of it to show that it was not lost. */
async function readAtLast(socket: net.Socket, bytes: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received = 0;
  socket.on('close', () => reject(new Error(`closed after ${received} bytes of ${bytes}`)));
  socket.on('data', (chunk) => {
    received += chunk.length;
    if (received >= bytes) resolve();
  });
  socket.resume();
  await promise;
}

describe('a client that never reads', () => {
  let house: House;
  before(async () => {
    house = await startHouse();
  });
  after(() => house[Symbol.asyncDispose]());

  test('every port', async (context) => {
    for (const target of house.targets) {
      if (target.protocol === 'amqp') continue;
      await context.test(target.name, { timeout: 60_000 }, async (one) => {
        const what = FLOODS[target.protocol](target);
        const before = await heldBytes();
        const socket = await mute(target.endpoint);
        try {
          if (what.login !== undefined) socket.write(what.login);
          const { defence, askedBytes } = await flood(target, socket, what);
          const held = (await heldBytes()) - before;
          one.diagnostic(`${target.name}: ${defence}, ${(held / MiB).toFixed(1)} MiB held`);
          assert.ok(held < MAX_HELD_BYTES, `${held} bytes held`);
          await readAtLast(socket, Math.min(askedBytes, READ_BYTES));
        } finally {
          socket.destroy();
        }
        await target.ask();
      });
    }
  });

  test('queue: deliveries wait for a consumer that does not read', { timeout: 60_000 }, async (one) => {
    const body = Buffer.alloc(64 * 1024, 'x');
    const target = house.target('queue');
    const connection = await amqplib.connect(`${house.octet.env['AMQP_URL']!}?heartbeat=0`);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('flood', { durable: true });
    for (let count = 0; count < 512; count++) channel.sendToQueue('flood', body);
    await channel.waitForConfirms();
    const before = await heldBytes();
    const peer = await house.connect(target);
    await openedChannel(peer);
    peer.connection.pause();
    // basic.consume without acknowledgements and without an answer.
    const consume = Buffer.concat([
      Buffer.from([0, 0]),
      shortString('flood'),
      shortString('x'),
      Buffer.from([0x0a, 0, 0, 0, 0]),
    ]);
    peer.send(amqpMethod(1, 60, 20, consume));
    let waiting = 512;
    for (let same = 0; same < PATIENCE_ANSWERS; ) {
      await target.ask();
      const { messageCount } = await channel.checkQueue('flood');
      same = messageCount === waiting ? same + 1 : 0;
      waiting = messageCount;
    }
    const held = (await heldBytes()) - before;
    one.diagnostic(`queue: ${waiting} of 512 messages wait, ${(held / MiB).toFixed(1)} MiB more held`);
    assert.ok(waiting > 100 && waiting < 512, `${waiting} messages wait`);
    assert.ok(held < MAX_HELD_BYTES, `${held} bytes held`);
    let received = 0;
    peer.connection.attach({
      data: (chunk) => {
        received += chunk.length;
      },
    });
    peer.connection.resume();
    while (received < 512 * body.length) {
      one.signal.throwIfAborted();
      await turn();
    }
    peer.close();
    await channel.deleteQueue('flood');
    await connection.close();
  });

  test('dns over UDP: datagrams of every kind and size', async () => {
    const target = house.target('dns');
    const { address, port } = target.endpoint;
    const socket = dgram.createSocket('udp4');
    const before = await heldBytes();
    const question = dnsQuestion('big.bad.test', { type: 16 });
    for (let size = 0; size < 2_000; size++) {
      socket.send(size % 2 === 0 ? question : Buffer.alloc(size, size), port, address);
      if (size % 50 === 0) await target.ask();
    }
    socket.send(Buffer.alloc(65_507, 0xff), port, address);
    await target.ask();
    socket.close();
    assert.ok((await heldBytes()) - before < MAX_HELD_BYTES);
  });
});
