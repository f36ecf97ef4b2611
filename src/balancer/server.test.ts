import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import type { Connection, Listener } from '../core/net/network.ts';
import { createSystemNetwork } from '../core/net/system-network.ts';
import type { Span } from '../core/observe/types.ts';
import { testHost } from '../core/testing/host.ts';
import { Peer } from '../core/testing/peer.ts';
import { SimulatedClock } from '../core/time/simulated-clock.ts';
import {
  createHttpClient,
  type Handler,
  type HttpServer,
  json,
  startHttpServer,
  text,
} from '../http/index.ts';
import { BAD_REQUESTS, BAD_RESPONSES } from '../http/testing/attacks.ts';
import { BalancerError } from './errors.ts';
import type { BalancerOptions } from './options.ts';
import { type Balancer, startBalancer } from './server.ts';

const network = createSystemNetwork();
const limits = {
  maxConnections: 1_000,
  firstByteTimeoutMs: 0,
  idleTimeoutMs: 0,
  maxBufferedBytes: 1 << 30,
  closeTimeoutMs: 100,
};

/** Everything a test starts, ended in reverse. */
class World implements AsyncDisposable {
  readonly clock = new SimulatedClock();
  readonly spans: Omit<Span, 'service'>[] = [];
  readonly host = testHost('balancer', { clock: this.clock });
  readonly client = createHttpClient({ network, clock: testHost('test').clock });
  readonly #ends: (() => Promise<void> | void)[] = [];

  /** An HTTP server behind the balancer; returns its address. */
  async backend(handler: Handler): Promise<string> {
    const server: HttpServer = await startHttpServer({
      host: testHost('backend'),
      address: { host: '127.0.0.1', port: 0 },
      handler,
    });
    this.#ends.push(() => server.close(0));
    return `127.0.0.1:${server.endpoint.port}`;
  }

  /** A server that says what the test tells it to. */
  async raw(serve: (connection: Connection, chunk: Buffer) => void): Promise<string> {
    const open = new Set<Connection>();
    const listener: Listener = await network.listen({ host: '127.0.0.1', port: 0, limits }, (connection) => {
      open.add(connection);
      connection.attach({ data: (chunk) => serve(connection, chunk), close: () => open.delete(connection) });
    });
    this.#ends.push(async () => {
      for (const connection of open) connection.destroy();
      await listener.close(0);
    });
    return `127.0.0.1:${listener.endpoint.port}`;
  }

  async balancer(
    options: Parameters<typeof startBalancer>[0],
  ): Promise<{ balancer: Balancer; url: string; management: string }> {
    const observer = {
      ...this.host.observer,
      span: (span: Omit<Span, 'service'>) => void this.spans.push(span),
    };
    const balancer = await startBalancer(
      { port: 0, managementPort: 0, ...options },
      { ...this.host, observer },
    );
    this.#ends.push(() => balancer.close(0));
    return {
      balancer,
      url: `http://127.0.0.1:${balancer.endpoints['main']!.port}`,
      management: `http://127.0.0.1:${balancer.endpoints['management']!.port}`,
    };
  }

  async peer(balancer: Balancer): Promise<Peer> {
    const peer = await Peer.connect(network, balancer.endpoints['main']!);
    this.#ends.push(() => peer.close());
    return peer;
  }

  async get(url: string): Promise<{ status: number; text: string; reason: string | undefined }> {
    const response = await this.client.request({ url });
    const body = await response.body.text(1_000_000);
    return { status: response.status, text: body, reason: response.headers.get('proxy-status') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    for (const end of this.#ends.reverse()) await end();
  }
}

/** A pool of the name `p` for all paths. */
function all(servers: readonly string[], health?: object): Pick<BalancerOptions, 'pools' | 'routes'> {
  return {
    pools: { p: { servers, ...(health === undefined ? {} : { health: { path: '/healthz', ...health } }) } },
    routes: [{ pathPrefix: '/', pool: 'p' }],
  };
}

async function eventually(met: () => boolean): Promise<void> {
  const patience = AbortSignal.timeout(10_000);
  while (!met()) {
    if (patience.aborted) throw new Error('it never came true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A port on which nothing listens. */
async function nobody(): Promise<string> {
  const listener = await network.listen({ host: '127.0.0.1', port: 0, limits }, () => undefined);
  const address = `127.0.0.1:${listener.endpoint.port}`;
  await listener.close(0);
  return address;
}

suite('a balancer passes on', () => {
  test('requests by path, in turn, with who asked', async () => {
    await using world = new World();
    const echo = (name: string): Handler => {
      return (request) =>
        json(200, { name, target: request.target, headers: Object.fromEntries(request.headers) });
    };
    const servers = [await world.backend(echo('one')), await world.backend(echo('two'))];
    const files = await world.backend(echo('files'));
    const { url } = await world.balancer({
      pools: { api: { servers }, objects: { servers: [files] } },
      routes: [
        { pathPrefix: '/api', pool: 'api' },
        { pathPrefix: '/files', pool: 'objects', stripPrefix: true, addPrefix: '/bucket' },
      ],
    });
    const names: string[] = [];
    for (let at = 0; at < 4; at++) {
      const answer = JSON.parse((await world.get(`${url}/api/spells?a=%2F`)).text);
      names.push(answer.name);
      assert.equal(answer.target, '/api/spells?a=%2F');
      assert.equal(answer.headers['X-Forwarded-For'], '127.0.0.1');
      assert.equal(answer.headers['Host'], url.slice('http://'.length));
      assert.equal(answer.headers['Via'], '1.1 octet');
    }
    assert.deepEqual(names, ['one', 'two', 'one', 'two']);
    assert.equal(JSON.parse((await world.get(`${url}/files/a//b?c`)).text).target, '/bucket/a//b?c');
    const lost = await world.get(`${url}/other`);
    assert.equal(lost.status, 404);
    assert.equal(lost.reason, 'octet; error=destination_not_found');
    assert.deepEqual(
      world.spans.map((span) => `${span.operation} ${span.outcome}`),
      [...Array(4).fill('GET /api/spells 200'), 'GET /files/a//b 200', 'GET /other 404'],
    );
    assert.ok(world.spans.every((span) => span.requestId !== undefined));
  });

  test('bodies both ways, streamed, with lengths and trailers kept', async () => {
    await using world = new World();
    const server = await world.backend((request) => ({
      status: 200,
      headers: [
        ['X-Length', request.headers.get('content-length') ?? 'none'],
        ['X-Coding', request.headers.get('transfer-encoding') ?? 'none'],
      ],
      body: request.body,
      trailers: () => [['X-Sum', '42']],
    }));
    const { url } = await world.balancer(all([server]));
    const content = Buffer.alloc(3_000_000, 'abcdefg');
    const whole = await world.client.request({ url, method: 'POST', body: content });
    assert.equal(whole.headers.get('x-length'), '3000000');
    assert.ok((await whole.body.bytes(4_000_000)).equals(content));
    assert.equal(whole.body.trailers().get('x-sum'), '42');
    async function* pieces(): AsyncGenerator<Buffer> {
      for (let at = 0; at < 30; at++) yield content.subarray(at * 100_000, (at + 1) * 100_000);
    }
    const streamed = await world.client.request({ url, method: 'POST', body: pieces() });
    assert.equal(streamed.headers.get('x-coding'), 'chunked');
    assert.ok((await streamed.body.bytes(4_000_000)).equals(content));
  });

  test('HEAD, 204 and 304 without content and with the length the server gave', async () => {
    await using world = new World();
    const server = await world.backend((request) => {
      if (request.path === '/204') return { status: 204 };
      if (request.path === '/304')
        return {
          status: 304,
          headers: [
            ['ETag', '"a"'],
            ['Content-Length', '5'],
          ],
        };
      return text(200, 'hello');
    });
    const { balancer } = await world.balancer(all([server]));
    const peer = await world.peer(balancer);
    peer.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await peer.untilText('\r\n\r\n'), /^HTTP\/1.1 200 OK\r\n.*Content-Length: 5\r\n/s);
    peer.send('GET /204 HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.doesNotMatch(await peer.untilText('\r\n\r\n'), /Content-Length/);
    peer.send('GET /304 HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await peer.untilText('\r\n\r\n'), /^HTTP\/1.1 304 .*Content-Length: 5\r\n/s);
    peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const last = await peer.untilText('hello');
    assert.equal(last.match(/^Date: /gm)?.length, 1);
  });

  test('100-continue from the server, and 417 as it is', async () => {
    await using world = new World();
    const server = await world.backend(async (request) => {
      if (request.path === '/no') return text(417, 'no');
      return text(200, await request.body.text(100));
    });
    const { balancer } = await world.balancer(all([server]));
    const head = 'HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n';
    const yes = await world.peer(balancer);
    yes.send(`PUT / ${head}`);
    assert.equal(await yes.untilText('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    yes.send('ok');
    assert.match(await yes.untilText('ok'), /200 OK/);
    const no = await world.peer(balancer);
    no.send(`PUT /no ${head}`);
    assert.match((await no.untilClosed()).toString(), /^HTTP\/1.1 417 /);
  });

  test('a WebSocket, with bytes that came early, in both directions', async () => {
    await using world = new World();
    const server = await world.backend((request) => ({
      status: 101,
      headers: [
        ['Upgrade', 'websocket'],
        ['Sec-WebSocket-Accept', request.headers.get('sec-websocket-key') ?? ''],
      ],
      upgrade: (connection, early) => {
        connection.attach({ data: (chunk) => connection.write(chunk), end: () => connection.end() });
        connection.write(early);
      },
    }));
    const { balancer } = await world.balancer(all([server]));
    const peer = await world.peer(balancer);
    peer.send(
      'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\nearly',
    );
    const head = await peer.untilText('\r\n\r\n');
    assert.match(head, /^HTTP\/1.1 101 /);
    assert.match(head, /Connection: upgrade\r\n/);
    assert.equal(head.match(/^Upgrade: websocket\r$/gm)?.length, 1);
    assert.match(head, /Sec-WebSocket-Accept: k/);
    await peer.untilText('early');
    const big = Buffer.alloc(2_000_000, 'x');
    peer.send(big);
    assert.ok((await peer.bytes(big.length)).equals(big));
    assert.equal(balancer.status().tunnels, 1);
    assert.equal(balancer.status().pools[0]!.servers[0]!.active, 1);
    peer.connection.end();
    await peer.untilClosed();
    await eventually(() => balancer.status().tunnels === 0);
    assert.equal(balancer.status().pools[0]!.servers[0]!.active, 0);
  });

  test('a refused upgrade as the plain answer it is', async () => {
    await using world = new World();
    const server = await world.backend(() => text(426, 'no'));
    const { balancer } = await world.balancer(all([server]));
    const peer = await world.peer(balancer);
    peer.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
    assert.match(await peer.untilText('no'), /^HTTP\/1.1 426 /);
  });
});

suite('a balancer refuses', () => {
  test('every malformed request, and nothing of it reaches a server', async () => {
    await using world = new World();
    const seen: string[] = [];
    const server = await world.backend(async (request) => {
      seen.push(request.target);
      await request.body.bytes(100_000);
      return text(200, '');
    });
    const { balancer, url } = await world.balancer(all([server]));
    for (const attack of BAD_REQUESTS) {
      const peer = await world.peer(balancer);
      peer.send(`${attack.bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
      const reply = (await peer.untilClosed()).toString('latin1');
      assert.ok(reply.startsWith(`HTTP/1.1 ${attack.status} `), `${attack.name}: ${reply}`);
    }
    assert.ok(!seen.includes('/smuggled'));
    assert.equal((await world.get(url)).status, 200);
  });

  test('disguised fields, dot segments and loops', async () => {
    await using world = new World();
    const server = await world.backend(() => text(200, 'reached'));
    const { url } = await world.balancer(all([server]));
    const status = async (path: string, field?: readonly [string, string]): Promise<number> => {
      const response = await world.client.request({
        url: url + path,
        headers: field === undefined ? [] : [field],
      });
      response.body.discard();
      return response.status;
    };
    assert.equal(await status('/', ['X_Forwarded_For', '1']), 400);
    assert.equal(await status('/a/../b'), 400);
    assert.equal(await status('/a/%2e%2e/b'), 400);
    assert.equal(await status('/', ['Via', '1.1 octet']), 508);
    assert.equal(await status('/'), 200);
  });

  for (const attack of BAD_RESPONSES) {
    test(`a server’s answer with ${attack.name}: 502, and the connection is not used again`, async () => {
      await using world = new World();
      let connections = 0;
      const fresh = new WeakSet<Connection>();
      const server = await world.raw((connection) => {
        if (!fresh.has(connection)) connections++;
        fresh.add(connection);
        connection.write(Buffer.from(attack.bytes, 'latin1'));
      });
      const { url } = await world.balancer(all([server]));
      const answer = await world.get(url);
      assert.equal(answer.status, 502, answer.text);
      assert.equal(answer.reason, 'octet; error=http_protocol_error');
      assert.equal(JSON.parse(answer.text).reason, 'malformed-response');
      assert.equal((await world.get(url)).status, 502);
      assert.equal(connections, 2);
    });
  }
});

suite('a balancer lives with servers that', () => {
  test('are not there: another is asked, and at last 502', async () => {
    await using world = new World();
    const server = await world.backend(async (request) => text(200, await request.body.text(100)));
    const gone = await nobody();
    const { url } = await world.balancer(all([gone, server]));
    for (let at = 0; at < 4; at++) assert.equal((await world.get(url)).status, 200);
    const post = await world.client.request({ url, method: 'POST', body: 'content' });
    assert.equal(await post.body.text(100), 'content', 'nothing was sent, so a POST may go elsewhere');
    const none = await world.balancer(all([await nobody()]));
    const refused = await world.get(none.url);
    assert.equal(refused.status, 502);
    assert.equal(refused.reason, 'octet; error=connection_refused');
    assert.ok(!refused.text.includes('127.0.0.1'), 'addresses behind us are not told');
  });

  test('close without an answer: idempotent requests go elsewhere, others fail', async () => {
    await using world = new World();
    let cut = 0;
    const rude = await world.raw((connection) => {
      cut++;
      connection.destroy();
    });
    const server = await world.backend(() => text(200, 'ok'));
    const { url } = await world.balancer(all([rude, server]));
    assert.equal((await world.get(url)).status, 200);
    assert.equal(cut, 1);
    const second = await world.client.request({ url, method: 'POST', body: 'x' });
    // Round robin: the server was last, so the rude one is next.
    assert.equal(second.status, 502);
    assert.equal(JSON.parse(await second.body.text(1_000)).reason, 'server-closed');
    assert.equal(cut, 2);
  });

  test('do not answer: 504', async () => {
    await using world = new World();
    const asked = Promise.withResolvers<void>();
    const silent = await world.raw(() => asked.resolve());
    const { url } = await world.balancer({ ...all([silent]), responseTimeoutMs: 5_000 });
    const answer = world.get(url);
    await asked.promise;
    await world.clock.advance(5_001);
    assert.equal((await answer).status, 504);
    assert.equal((await answer).reason, 'octet; error=http_response_timeout');
  });

  test('stop in the middle: the client sees the cut', async () => {
    await using world = new World();
    const half = await world.raw((connection) => {
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
      connection.end();
    });
    const { url } = await world.balancer(all([half]));
    const response = await world.client.request({ url });
    assert.equal(response.status, 200);
    await assert.rejects(response.body.text(100));
  });

  test('speak HTTP/1.0 and end with the connection', async () => {
    await using world = new World();
    const old = await world.raw((connection) => connection.end('HTTP/1.0 200 OK\r\n\r\nold'));
    const { url } = await world.balancer(all([old]));
    for (let at = 0; at < 3; at++) assert.equal((await world.get(url)).text, 'old');
  });

  test('answer before the request is complete', async () => {
    await using world = new World();
    const early = await world.raw((connection) => {
      if (!connection.destroyed)
        connection.end('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno');
    });
    const { url } = await world.balancer(all([early]));
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(65_536);
    }
    const response = await world.client.request({ url, method: 'POST', body: endless() });
    assert.equal(response.status, 413);
    response.body.discard();
  });

  test('fail their checks: they get nothing until they pass again', async () => {
    await using world = new World();
    let healthy = true;
    let checks = 0;
    const sick = await world.backend((request) => {
      if (request.path !== '/healthz') return text(200, 'sick');
      checks++;
      return text(healthy ? 200 : 500, '');
    });
    const well = await world.backend((request) => text(200, request.path === '/healthz' ? '' : 'well'));
    const { balancer, url, management } = await world.balancer(
      all([sick, well], { intervalMs: 1_000, rise: 2, fall: 2 }),
    );
    const states = (): string =>
      balancer
        .status()
        .pools[0]!.servers.map((server) => server.health)
        .join();
    /** Lets one more check of each happen. */
    const check = async (): Promise<void> => {
      const before = checks;
      await eventually(() => world.clock.pendingCount > 0);
      while (checks === before) {
        await world.clock.advance(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await eventually(() => states() === 'up,up');
    healthy = false;
    await check();
    assert.equal(states(), 'up,up', 'one failure is none');
    await check();
    await eventually(() => states() === 'down,up');
    for (let at = 0; at < 4; at++) assert.equal((await world.get(url)).text, 'well');
    const status = JSON.parse((await world.get(`${management}/status`)).text);
    assert.equal(status.pools[0].servers[0].failure, 'health check: status 500');
    healthy = true;
    await check();
    await check();
    await eventually(() => states() === 'up,up');
    const names = [(await world.get(url)).text, (await world.get(url)).text].sort();
    assert.deepEqual(names, ['sick', 'well']);
    assert.deepEqual(
      balancer.status().transitions.map(({ from, to }) => `${from} ${to}`),
      ['unknown up', 'unknown up', 'up down', 'down up'],
    );
  });

  test('are all down: 503 with Retry-After, and health says so', async () => {
    await using world = new World();
    const gone = await nobody();
    const { balancer, url, management } = await world.balancer(all([gone], { fall: 1 }));
    await eventually(() => balancer.health().state === 'degraded');
    const response = await world.client.request({ url });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    assert.equal(response.headers.get('proxy-status'), 'octet; error=destination_unavailable');
    response.body.discard();
    assert.equal((await world.get(`${management}/healthz`)).status, 503);
  });
});

suite('a balancer’s bounds', () => {
  test('a client that never reads holds the server back', async () => {
    await using world = new World();
    let sent = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        sent += 65_536;
        yield Buffer.alloc(65_536);
      }
    }
    const server = await world.backend(() => ({ status: 200, body: endless() }));
    const { balancer } = await world.balancer(all([server]));
    const peer = await world.peer(balancer);
    peer.connection.pause();
    peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    let last = -1;
    let same = 0;
    await eventually(() => {
      same = sent > 0 && sent === last ? same + 1 : 0;
      last = sent;
      return same > 50;
    });
    assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were sent to nobody`);
  });

  test('of what clients send do not hold for what servers answer', async () => {
    await using world = new World();
    const fields = Array.from({ length: 30 }, (_, at) => [`X-${at}`, 'y'] as const);
    const server = await world.backend(() => text(200, 'a'.repeat(5_000), fields));
    const httpLimits = { bodyBytes: 1_000, fieldCount: 10, headBytes: 500 };
    const { url } = await world.balancer({ ...all([server]), httpLimits });
    const { status, text: body } = await world.get(url);
    assert.equal(status, 200);
    assert.equal(body.length, 5_000);
    const long = await world.client.request({ url, method: 'POST', body: 'a'.repeat(1_001) });
    assert.equal(long.status, 413);
    long.body.discard();
  });

  test('a client that goes takes its request along', async () => {
    await using world = new World();
    const gone = Promise.withResolvers<void>();
    const server = await world.raw((connection, chunk) => {
      if (!chunk.includes('GET')) return;
      connection.attach({ data: () => undefined, close: () => gone.resolve() });
      connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
      const tick = (): void => {
        if (connection.destroyed) return;
        connection.write('1\r\na\r\n');
        setImmediate(tick);
      };
      tick();
    });
    const { balancer } = await world.balancer(all([server]));
    const peer = await world.peer(balancer);
    peer.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await peer.untilText('\r\n\r\n');
    peer.close();
    await gone.promise;
    await eventually(() => balancer.status().pools[0]!.servers[0]!.active === 0);
  });

  test('a client that resets while its server thinks frees the server', async () => {
    await using world = new World();
    const asked = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const server = await world.raw((connection) => {
      connection.attach({ data: () => undefined, close: () => gone.resolve() });
      asked.resolve();
    });
    const other = await world.backend(() => text(200, 'x'.repeat(300_000)));
    const { balancer } = await world.balancer({
      pools: { p: { servers: [server] }, other: { servers: [other] } },
      routes: [
        { pathPrefix: '/', pool: 'p' },
        { pathPrefix: '/other', pool: 'other' },
      ],
    });
    const peer = await world.peer(balancer);
    // The answer that it does not read makes its close a reset; a mere end of its half would leave it the other.
    peer.connection.pause();
    peer.send('GET /other HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await asked.promise;
    peer.close();
    await gone.promise;
    await eventually(() => balancer.status().pools[0]!.servers[0]!.active === 0);
  });

  test('a tunnel whose client never reads holds its server back, and silence ends it', async () => {
    await using world = new World();
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    const server = await world.backend(() => ({
      status: 101,
      headers: [['Upgrade', 'x']],
      upgrade: (connection) => {
        const fill = (): void => {
          while (!connection.destroyed) {
            sent += 65_536;
            if (!connection.write(Buffer.alloc(65_536))) return;
          }
        };
        connection.attach({ data: () => undefined, drain: fill, close: () => closed.resolve() });
        fill();
      },
    }));
    const { balancer } = await world.balancer({ ...all([server]), tunnelIdleTimeoutMs: 60_000 });
    const peer = await world.peer(balancer);
    peer.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
    await peer.untilText('\r\n\r\n');
    peer.connection.pause();
    let last = -1;
    let same = 0;
    await eventually(() => {
      same = sent > 0 && sent === last ? same + 1 : 0;
      last = sent;
      return same > 50;
    });
    assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were sent to nobody`);
    await world.clock.advance(60_001);
    await closed.promise;
    await eventually(() => balancer.status().tunnels === 0);
  });

  test('a balancer that is closed leaves nothing behind', async () => {
    await using world = new World();
    const server = await world.backend(() => text(200, 'ok'));
    const { balancer, url } = await world.balancer(all([server], {}));
    await eventually(() => balancer.status().pools[0]!.servers[0]!.health === 'up');
    assert.equal((await world.get(url)).text, 'ok');
    await world.client.close();
    await balancer.close();
    await eventually(() => world.clock.pendingCount === 0);
    await balancer.close();
  });

  test('OPTIONS that may go no further is answered here', async () => {
    await using world = new World();
    const server = await world.backend((request) => text(200, request.headers.get('max-forwards') ?? ''));
    const { url } = await world.balancer(all([server]));
    const options = async (hops: string): Promise<string> => {
      const response = await world.client.request({
        url,
        method: 'OPTIONS',
        headers: [['Max-Forwards', hops]],
      });
      const body = await response.body.text(1_000);
      return response.status === 200 ? body : String(response.status);
    };
    assert.equal(await options('0'), '204');
    assert.equal(await options('3'), '2');
    assert.equal(await options('x'), '400');
  });

  test('a server that is drained finishes what it has and gets nothing new', async () => {
    await using world = new World();
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const one = await world.backend(async () => {
      begun.resolve();
      await gate.promise;
      return text(200, 'one');
    });
    const two = await world.backend(() => text(200, 'two'));
    const { url, management, balancer } = await world.balancer(all([one, two]));
    const held = world.get(url);
    await begun.promise;
    const post = (path: string, headers: readonly (readonly [string, string])[] = []) =>
      world.client.request({ url: management + path, method: 'POST', headers });
    assert.equal((await post(`/pools/p/servers/${one}/drain`)).status, 204);
    for (let at = 0; at < 3; at++) assert.equal((await world.get(url)).text, 'two');
    gate.resolve();
    assert.equal((await held).text, 'one');
    assert.equal((await post(`/pools/p/servers/${one}/undrain`)).status, 204);
    assert.equal(balancer.status().pools[0]!.servers[0]!.draining, false);
    assert.equal((await post('/pools/p/servers/x:1/drain')).status, 404);
    assert.equal((await post(`/pools/p/servers/${one}/drain`, [['Origin', 'http://evil.test']])).status, 403);
    assert.equal((await post(`/pools/p/servers/${one}/drain`, [['Host', 'evil.test']])).status, 421);
  });

  test('a configuration that cannot work is refused before anything starts', async () => {
    const bad: Partial<BalancerOptions>[] = [
      { pools: { p: { servers: [] } } },
      { pools: { p: { servers: ['a'] } } },
      { pools: { p: { servers: ['a:0'] } } },
      { pools: { p: { servers: ['a:1', 'a:1'] } } },
      { pools: { p: { servers: ['http://a:1'] } } },
      { pools: { p: { servers: ['a:1'], health: { path: 'x' } } } },
      { pools: { p: { servers: ['a:1'], health: { path: '/', fall: 0 } } } },
      { routes: [{ pathPrefix: '/', pool: 'nowhere' }] },
      { pools: { p: { servers: ['a:1'] } }, routes: [{ pathPrefix: 'x', pool: 'p' }] },
      { name: 'a b' },
    ];
    const host = testHost('balancer');
    for (const options of bad) {
      await assert.rejects(
        startBalancer({ port: 0, managementPort: 0, ...options }, host),
        (thrown) => thrown instanceof BalancerError && thrown.code === 'bad-configuration',
        JSON.stringify(options),
      );
    }
  });
});
