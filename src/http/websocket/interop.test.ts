/** Over real sockets: with Node's own WebSocket, which is undici's, and over TLS. */
import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { createDevelopmentIdentity } from '../../core/net/certificates.ts';
import { testHost } from '../../core/testing/host.ts';
import { createHttpClient } from '../client/index.ts';
import { type HttpServer, startHttpServer } from '../server.ts';
import { type AcceptOptions, acceptWebSocket } from './accept.ts';
import { connectWebSocket } from './connect.ts';
import { WebSocketSet } from './set.ts';

interface Served extends AsyncDisposable {
  readonly url: string;
  readonly set: WebSocketSet;
}

async function serveEcho(options: Partial<AcceptOptions> = {}): Promise<Served> {
  const host = testHost('websocket');
  const set = new WebSocketSet();
  const server: HttpServer = await startHttpServer({
    host,
    address: { host: '127.0.0.1', port: 0 },
    handler: (request) =>
      acceptWebSocket(request, {
        clock: host.clock,
        origins: [],
        set,
        open: (socket) => socket.attach({ message: (message) => void socket.send(message) }),
        ...options,
      }),
  });
  return {
    url: `ws://127.0.0.1:${server.endpoint.port}/echo`,
    set,
    async [Symbol.asyncDispose]() {
      await set.close();
      await server.close(1_000);
    },
  };
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('the WebSocket did not open')));
  });
}

function nextMessage(socket: WebSocket): Promise<string | ArrayBuffer> {
  return new Promise((resolve) => {
    socket.addEventListener('message', ({ data }) => resolve(data as string | ArrayBuffer), { once: true });
  });
}

function closed(socket: WebSocket): Promise<CloseEvent> {
  return new Promise((resolve) => {
    socket.addEventListener('close', resolve, { once: true });
  });
}

suite('the WebSocket of Node', () => {
  for (const deflate of [false, true]) {
    test(`gets its messages back${deflate ? ', compressed' : ''}`, async () => {
      await using served = await serveEcho({ deflate, protocols: ['v1'] });
      const socket = new WebSocket(served.url, ['v0', 'v1']);
      socket.binaryType = 'arraybuffer';
      await opened(socket);
      assert.equal(socket.protocol, 'v1');
      assert.equal(socket.extensions.includes('permessage-deflate'), deflate);
      for (const size of [0, 1, 125, 126, 5_000, 65_535, 65_536, 200_000]) {
        const text = Array.from({ length: size }, (_, n) =>
          String.fromCodePoint(0x21 + ((n * n) % 800)),
        ).join('');
        socket.send(text);
        assert.equal(await nextMessage(socket), text);
        const bytes = Uint8Array.from({ length: size }, (_, n) => (n * n) >> 3);
        socket.send(bytes);
        assert.deepEqual(Buffer.from((await nextMessage(socket)) as ArrayBuffer), Buffer.from(bytes));
      }
      const end = closed(socket);
      socket.close(4_000, 'done');
      const { code, wasClean } = await end;
      assert.deepEqual({ code, wasClean }, { code: 4_000, wasClean: true });
    });
  }

  test('hears 1001 when the server stops', async () => {
    await using served = await serveEcho();
    const socket = new WebSocket(served.url);
    await opened(socket);
    const end = closed(socket);
    await served.set.close('restart');
    const { code, reason, wasClean } = await end;
    assert.deepEqual({ code, reason, wasClean }, { code: 1001, reason: 'restart', wasClean: true });
  });

  test('hears 1009 for a message beyond the bound', async () => {
    await using served = await serveEcho({ limits: { messageBytes: 1_000 } });
    const socket = new WebSocket(served.url);
    await opened(socket);
    const end = closed(socket);
    socket.send('x'.repeat(1_001));
    assert.equal((await end).code, 1009);
  });
});

test('our own two ends over TLS', async () => {
  const host = testHost('websocket');
  const tls = await createDevelopmentIdentity(host.clock, ['localhost']);
  await using server = await startHttpServer({
    host,
    tls,
    address: { host: '127.0.0.1', port: 0 },
    handler: (request) =>
      acceptWebSocket(request, {
        clock: host.clock,
        origins: [],
        open: (socket) => socket.attach({ message: (message) => void socket.send(message) }),
      }),
  });
  await using client = createHttpClient({ ...host, tls: { ca: tls.ca } });
  const socket = await connectWebSocket({
    client,
    clock: host.clock,
    random: host.random,
    url: `wss://localhost:${server.endpoint.port}/`,
  });
  const messages = socket[Symbol.asyncIterator]();
  for (const text of ['x', 'y'.repeat(100_000)]) {
    socket.send(text);
    assert.equal((await messages.next()).value, text);
  }
  assert.equal((await socket.close()).clean, true);
});
