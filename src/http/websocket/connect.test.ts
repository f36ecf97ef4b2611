import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { suite } from 'node:test';
import type { Connection } from '../../core/net/network.ts';
import { createSimulatedNetwork } from '../../core/net/simulated-network.ts';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { createHttpClient } from '../client/index.ts';
import { type ConnectOptions, connectWebSocket } from './connect.ts';
import { WebSocketError, type WebSocketErrorCode } from './errors.ts';

const limits = {
  maxConnections: 10,
  firstByteTimeoutMs: 0,
  idleTimeoutMs: 0,
  maxBufferedBytes: 1 << 20,
  closeTimeoutMs: 10,
};

/** What a server sees of a handshake, and what it may answer. */
interface Asked {
  readonly head: string;
  readonly connection: Connection;
  readonly accept: string;
}

async function connectTo(answer: (asked: Asked) => void, options: Partial<ConnectOptions> = {}) {
  const clock = new SimulatedClock();
  const network = createSimulatedNetwork({ clock });
  const listener = await network.listen({ host: '127.0.0.1', port: 0, limits }, (connection) => {
    connection.attach({
      data(chunk) {
        const head = chunk.toString('latin1');
        const key = /\r\nSec-WebSocket-Key: (.*)\r\n/.exec(head)?.[1] ?? '';
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        answer({ head, connection, accept });
      },
    });
  });
  await using client = createHttpClient({ network, clock });
  const url = `ws://127.0.0.1:${listener.endpoint.port}/chat?room=1`;
  return await connectWebSocket({ client, clock, random: new SeededRandom(7), url, ...options });
}

const switching = (more: string): string =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${more}\r\n`;
const failure = (code: WebSocketErrorCode, status?: number) => (error: unknown) =>
  error instanceof WebSocketError && error.code === code && error.status === status;

suite('a client’s handshake', () => {
  test('asks as RFC 6455 section 4.1 has it', async () => {
    let head = '';
    const socket = await connectTo(
      (asked) => {
        head = asked.head;
        asked.connection.write(
          switching(`Sec-WebSocket-Accept: ${asked.accept}\r\nSec-WebSocket-Protocol: v1\r\n`),
        );
      },
      { protocols: ['v2', 'v1'], headers: [['Origin', 'https://app.test']], deflate: true },
    );
    assert.equal(socket.protocol, 'v1');
    assert.equal(socket.deflate, undefined);
    const lines = head.split('\r\n');
    assert.equal(lines[0], 'GET /chat?room=1 HTTP/1.1');
    for (const line of [
      'Upgrade: websocket',
      'Connection: upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: v2, v1',
      'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
      'Origin: https://app.test',
    ])
      assert.ok(lines.includes(line), `${line} in ${head}`);
    assert.match(head, /\r\nSec-WebSocket-Key: [A-Za-z0-9+/]{22}==\r\n/);
  });

  const bad: readonly (readonly [string, (asked: Asked) => string])[] = [
    ['without an accept value', () => switching('')],
    [
      'with the accept value of another key',
      () => switching('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n'),
    ],
    ['with two accept values', ({ accept }) => switching(`Sec-WebSocket-Accept: ${accept}\r\n`.repeat(2))],
    [
      'with a protocol not offered',
      ({ accept }) => switching(`Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: v3\r\n`),
    ],
    [
      'with two protocols',
      ({ accept }) =>
        switching(`Sec-WebSocket-Accept: ${accept}\r\n${'Sec-WebSocket-Protocol: v1\r\n'.repeat(2)}`),
    ],
    [
      'with an extension not offered',
      ({ accept }) => switching(`Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: x\r\n`),
    ],
    [
      'with deflate not offered',
      ({ accept }) =>
        switching(`Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n`),
    ],
    [
      'with another protocol beside',
      ({ accept }) =>
        `HTTP/1.1 101 x\r\nUpgrade: websocket, h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    ],
  ];
  for (const [name, answer] of bad) {
    test(`fails ${name}`, async () => {
      const closed = Promise.withResolvers<void>();
      const connecting = connectTo(
        (asked) => {
          asked.connection.attach({ data: () => undefined, close: () => closed.resolve() });
          asked.connection.write(answer(asked));
        },
        { protocols: ['v1'] },
      );
      await assert.rejects(connecting, failure('bad-handshake'));
      await closed.promise;
    });
  }

  test('is made once more when the connection is lost before an answer', async () => {
    let asked = 0;
    const socket = await connectTo(({ connection, accept }) => {
      asked++;
      if (asked === 1) connection.destroy();
      else connection.write(switching(`Sec-WebSocket-Accept: ${accept}\r\n`));
    });
    assert.equal(asked, 2);
    assert.equal(socket.state, 'open');
    const never = connectTo(({ connection }) => connection.destroy());
    await assert.rejects(never, { code: 'connection-lost' });
  });

  test('fails with terms not offered', async () => {
    const connecting = connectTo(
      ({ connection, accept }) =>
        void connection.write(
          switching(
            `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n`,
          ),
        ),
      { deflate: true },
    );
    await assert.rejects(connecting, failure('bad-handshake'));
  });

  for (const status of [200, 401, 426, 503]) {
    test(`is refused by ${status}`, async () => {
      const connecting = connectTo(
        ({ connection }) => void connection.write(`HTTP/1.1 ${status} x\r\nContent-Length: 2\r\n\r\nno`),
      );
      await assert.rejects(connecting, failure('refused', status));
    });
  }

  test('is not begun with what cannot be said', async () => {
    const never = (): void => assert.fail('nothing is sent');
    const wrong: Partial<ConnectOptions>[] = [
      { url: 'ws://127.0.0.1/#fragment' },
      { protocols: ['a b'] },
      { protocols: ['a', 'a'] },
      { headers: [['Sec-WebSocket-Key', 'x']] },
      { headers: [['upgrade', 'x']] },
      { deflate: { client: { windowBits: 7 } } },
    ];
    for (const options of wrong) await assert.rejects(connectTo(never, options), failure('invalid-argument'));
  });
});
