/**
 * The HTTP server and the balancer with clients that are not ours: undici's fetch, its pipelining client, its
 * WebSocket, and Node's own http module on both sides.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { suite } from 'node:test';
import { Client, fetch, WebSocket } from 'undici';
import { type Balancer, startBalancer } from '../../src/balancer/index.ts';
import { testHost } from '../../src/core/testing/host.ts';
import { type Handler, type HttpServer, json, startHttpServer, text } from '../../src/http/index.ts';

/** Two servers of ours and one of Node's behind a balancer. */
class World implements AsyncDisposable {
  readonly #servers: HttpServer[] = [];
  #balancer: Balancer | undefined;
  #node: http.Server | undefined;

  static async start(handler: Handler, nodeHandler: http.RequestListener): Promise<World> {
    const world = new World();
    for (let at = 0; at < 2; at++) {
      const address = { host: '127.0.0.1', port: 0 };
      world.#servers.push(await startHttpServer({ host: testHost('http'), address, handler }));
    }
    const node = http.createServer(nodeHandler);
    world.#node = node;
    node.listen(0, '127.0.0.1');
    await once(node, 'listening');
    const { port } = node.address() as AddressInfo;
    world.#balancer = await startBalancer(
      {
        port: 0,
        managementPort: 0,
        pools: {
          ours: { servers: world.#servers.map(({ endpoint }) => `127.0.0.1:${endpoint.port}`) },
          node: { servers: [`127.0.0.1:${port}`] },
        },
        routes: [
          { pathPrefix: '/', pool: 'ours' },
          { pathPrefix: '/node', pool: 'node', stripPrefix: true },
        ],
      },
      testHost('balancer'),
    );
    return world;
  }

  get port(): number {
    return this.#balancer!.endpoints['main']!.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#balancer?.close(0);
    for (const server of this.#servers) await server.close(0);
    this.#node?.closeAllConnections();
    this.#node?.close();
  }
}

const echo: Handler = async (request) => {
  if (request.method === 'POST') return { status: 200, body: request.body };
  return json(200, { target: request.target, for: request.headers.get('x-forwarded-for') });
};

const nodeEcho: http.RequestListener = (request, response) => {
  response.setHeader('X-Seen', request.url ?? '');
  request.pipe(response);
};

suite('through the balancer', () => {
  test('undici fetches, with content whole and streamed', async () => {
    await using world = await World.start(echo, nodeEcho);
    const got = await fetch(`${world.url}/a?b=c`);
    assert.deepEqual(await got.json(), { target: '/a?b=c', for: '127.0.0.1' });
    const content = Buffer.alloc(500_000, 'undici');
    for (const path of ['/', '/node/deep']) {
      const whole = await fetch(world.url + path, { method: 'POST', body: content });
      assert.ok(Buffer.from(await whole.arrayBuffer()).equals(content), path);
      const stream = new Blob([content]).stream();
      const streamed = await fetch(world.url + path, { method: 'POST', body: stream, duplex: 'half' });
      assert.ok(Buffer.from(await streamed.arrayBuffer()).equals(content), path);
      if (path !== '/') assert.equal(streamed.headers.get('x-seen'), '/deep');
    }
  });

  test('undici pipelines', async () => {
    await using world = await World.start(echo, nodeEcho);
    const client = new Client(world.url, { pipelining: 10 });
    const targets = Array.from({ length: 50 }, (_, at) => `/${at}`);
    const answers = await Promise.all(
      targets.map(async (path) => {
        const { body } = await client.request({ path, method: 'GET' });
        return ((await body.json()) as { target: string }).target;
      }),
    );
    assert.deepEqual(answers, targets);
    await client.close();
  });

  test('Node’s client keeps its connection, expects 100, and reads trailers', async () => {
    const trailing: Handler = async (request) => {
      await request.body.bytes(100);
      return { status: 200, body: pieces(), trailers: () => [['X-Sum', '6']] };
    };
    await using world = await World.start(trailing, nodeEcho);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let at = 0; at < 3; at++) {
      const options = {
        agent,
        method: 'PUT',
        path: '/',
        port: world.port,
        headers: { Expect: '100-continue' },
      };
      const request = http.request({ host: '127.0.0.1', ...options });
      request.flushHeaders();
      await once(request, 'continue');
      request.end('hello');
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part);
      assert.equal(Buffer.concat(parts).toString(), 'abcdef');
      assert.equal(response.trailers['x-sum'], '6');
      assert.equal(request.reusedSocket, at > 0);
    }
    agent.destroy();
  });

  test('a WebSocket speaks', async () => {
    await using world = await World.start(webSocketEcho, nodeEcho);
    const socket = new WebSocket(`ws://127.0.0.1:${world.port}/socket`);
    const messages: unknown[] = [];
    const done = Promise.withResolvers<void>();
    socket.addEventListener('open', () => {
      socket.send('one');
      socket.send('two');
    });
    socket.addEventListener('message', ({ data }) => {
      messages.push(data);
      if (messages.length === 2) done.resolve();
    });
    socket.addEventListener('error', () => done.reject(new Error('the socket failed')));
    await done.promise;
    assert.deepEqual(messages, ['one', 'two']);
    const closed = once(socket, 'close');
    socket.close();
    await closed;
  });
});

async function* pieces(): AsyncGenerator<Buffer> {
  yield Buffer.from('abc');
  yield Buffer.from('def');
}

/** Just enough of RFC 6455 for short messages: unmask, send back unmasked. */
const webSocketEcho: Handler = (request) => {
  const key = request.headers.get('sec-websocket-key');
  if (request.upgrade !== 'websocket' || key === undefined) return text(426, 'no');
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return {
    status: 101,
    headers: [
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Accept', accept],
    ],
    upgrade: (connection, early) => {
      let pending = early;
      const take = (chunk: Buffer): void => {
        pending = Buffer.concat([pending, chunk]);
        while (pending.length >= 6 && pending.length >= 6 + (pending[1]! & 0x7f)) {
          const length = pending[1]! & 0x7f;
          const payload = Buffer.from(pending.subarray(6, 6 + length));
          for (let at = 0; at < length; at++) payload[at]! ^= pending[2 + (at & 3)]!;
          const reply = Buffer.concat([Buffer.of(pending[0]!, length), payload]);
          // The server is the one to close after the close frames. RFC 6455 section 7.1.1.
          if ((pending[0]! & 0x0f) === 8) connection.end(reply);
          else connection.write(reply);
          pending = pending.subarray(6 + length);
        }
      };
      connection.attach({ data: take, end: () => connection.end() });
      take(Buffer.alloc(0));
    },
  };
};
