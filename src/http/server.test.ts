import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test, { suite } from 'node:test';
import { SeededRandom } from '../core/random/seeded-random.ts';
import { testHost } from '../core/testing/host.ts';
import { Peer } from '../core/testing/peer.ts';
import { SimulatedClock } from '../core/time/simulated-clock.ts';
import { HttpError } from './errors.ts';
import type { HttpLimits } from './limits.ts';
import { json, text } from './reply.ts';
import { createRouter } from './router/index.ts';
import { type HttpServer, startHttpServer } from './server.ts';
import { BAD_REQUESTS } from './testing/attacks.ts';
import { cutAtRandom } from './testing/mutate.ts';
import type { Handler, HttpRequest } from './types.ts';

interface Running extends AsyncDisposable {
  readonly server: HttpServer;
  readonly clock: SimulatedClock;
  peer(): Promise<Peer>;
}

/** A server on a real socket, with a clock that only the test moves. */
async function start(handler: Handler, limits: Partial<HttpLimits> = {}): Promise<Running> {
  const clock = new SimulatedClock();
  const host = testHost('http', { clock });
  const server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler, limits });
  const peers: Peer[] = [];
  return {
    server,
    clock,
    async peer() {
      const peer = await Peer.connect(host.network, server.endpoint);
      peers.push(peer);
      return peer;
    },
    async [Symbol.asyncDispose]() {
      for (const peer of peers) peer.close();
      await server.close(0);
    },
  };
}

const hello: Handler = (request) => text(200, `${request.method} ${request.target}`);
const get = (target: string, ...lines: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;

/** One response with a length, parsed by hand. */
async function response(peer: Peer): Promise<{ head: string; body: string }> {
  const head = await peer.untilText('\r\n\r\n');
  const at = head.toLowerCase().indexOf('content-length: ');
  const length = at < 0 ? 0 : Number.parseInt(head.slice(at + 16), 10);
  return { head, body: (await peer.bytes(length)).toString('latin1') };
}

/** Waits until `met` holds, looking after each turn of the event loop. */
async function eventually(met: () => boolean): Promise<void> {
  const patience = AbortSignal.timeout(10_000);
  while (!met()) {
    if (patience.aborted) throw new Error('it never came true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function* twoPieces(second: Promise<void>): AsyncGenerator<Uint8Array> {
  yield Buffer.from('one');
  await second;
  yield Buffer.from('two');
  await new Promise(() => undefined);
}

function withLength(content: Buffer): Buffer {
  const head = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${content.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), content]);
}

function inChunks(random: SeededRandom, content: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')];
  for (let at = 0; at < content.length; ) {
    const chunk = content.subarray(at, at + 1 + random.below(20_000));
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
    at += chunk.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

suite('an HTTP server answers', () => {
  test('whole, byte by byte, and pipelined in one write', async () => {
    await using running = await start(hello);
    const peer = await running.peer();
    peer.send(get('/a'));
    const { head, body } = await response(peer);
    assert.equal(
      head,
      'HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n\r\n',
    );
    assert.equal(body, 'GET /a');
    await peer.dribble(get('/b'));
    assert.equal((await response(peer)).body, 'GET /b');
    peer.send(Array.from({ length: 50 }, (_, at) => get(`/${at}`)).join(''));
    for (let at = 0; at < 50; at++) assert.equal((await response(peer)).body, `GET /${at}`);
  });

  test('pipelined requests in order although the first takes longest', async () => {
    const gate = Promise.withResolvers<void>();
    await using running = await start(async (request) => {
      if (request.path === '/slow') await gate.promise;
      return text(200, request.path);
    });
    const peer = await running.peer();
    peer.send(get('/slow') + get('/fast'));
    const other = await running.peer();
    other.send(get('/other'));
    assert.equal((await response(other)).body, '/other');
    assert.equal(peer.received.length, 0);
    gate.resolve();
    assert.equal((await response(peer)).body, '/slow');
    assert.equal((await response(peer)).body, '/fast');
  });

  test('a body, whole and streamed, echoed with back-pressure', async () => {
    await using running = await start((request) => ({ status: 200, body: request.body }));
    const peer = await running.peer();
    const content = Buffer.alloc(1_000_000, 'abcdefghij');
    peer.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${content.length}\r\nConnection: close\r\n\r\n`);
    peer.send(content);
    const all = (await peer.untilClosed()).toString('latin1');
    const headEnd = all.indexOf('\r\n\r\n') + 4;
    assert.ok(all.slice(0, headEnd).includes('Transfer-Encoding: chunked\r\nConnection: close\r\n'));
    assert.equal(dechunk(all.slice(headEnd)), content.toString('latin1'));
  });

  test('bodies as they came, on connections whose reads share memory, in whatever pieces', async () => {
    await using running = await start(async (request) => {
      const parts: Buffer[] = [];
      for await (const part of request.body) {
        parts.push(part);
        // Others are read meanwhile.
        await new Promise((resolve) => setImmediate(resolve));
      }
      return text(200, createHash('md5').update(Buffer.concat(parts)).digest('hex'));
    });
    const random = new SeededRandom(7);
    const sendAndCompare = async (): Promise<void> => {
      const peer = await running.peer();
      for (let round = 0; round < 8; round++) {
        const contents = Array.from({ length: 1 + random.below(4) }, () =>
          random.bytes(random.chance(0.7) ? random.below(1_500) : random.below(150_000)),
        );
        const wire = Buffer.concat(
          contents.map((content) => (random.chance(0.5) ? withLength(content) : inChunks(random, content))),
        );
        for (const piece of cutAtRandom(random, wire)) {
          peer.send(piece);
          if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
        }
        for (const content of contents)
          assert.equal((await response(peer)).body, createHash('md5').update(content).digest('hex'));
      }
    };
    await Promise.all(Array.from({ length: 12 }, sendAndCompare));
  });

  test('UTF-8 text with its length in bytes', async () => {
    await using running = await start(() => json(200, 'é☃'));
    const peer = await running.peer();
    peer.send(get('/'));
    const { body } = await response(peer);
    assert.equal(Buffer.from(body, 'latin1').toString(), '"é☃"');
  });

  test('HEAD as GET without content, OPTIONS and 405 from the routes', async () => {
    const router = createRouter().add('GET', '/a', hello).add('DELETE', '/a', hello);
    await using running = await start(router.handle);
    const peer = await running.peer();
    peer.send('HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match(await peer.untilText('\r\n\r\n'), /200 OK.*Content-Length: 7/s);
    peer.send('OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match((await response(peer)).head, /204 No Content.*Allow: DELETE, GET, HEAD, OPTIONS/s);
    peer.send('PUT /a HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.match((await response(peer)).head, /405 Method Not Allowed.*Allow: DELETE, GET, HEAD, OPTIONS/s);
    peer.send(get('/b'));
    assert.equal(JSON.parse((await response(peer)).body).status, 404);
  });

  test('HTTP/1.0: closes unless asked to stay, and never sends chunks', async () => {
    await using running = await start((request) => ({
      status: 200,
      body: request.path === '/s' ? pieces() : 'x',
    }));
    const closing = await running.peer();
    closing.send('GET / HTTP/1.0\r\n\r\n');
    assert.match((await closing.untilClosed()).toString(), /Connection: close\r\n\r\nx$/);
    const staying = await running.peer();
    staying.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    assert.match((await response(staying)).head, /Connection: keep-alive/);
    staying.send('GET /s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    assert.match((await staying.untilClosed()).toString(), /200 OK.*Connection: close\r\n\r\nabc$/s);
  });

  test('a client that closes its half after the request', async () => {
    await using running = await start(hello);
    const peer = await running.peer();
    peer.send(get('/1') + get('/2'));
    peer.connection.end();
    assert.match((await peer.untilClosed()).toString(), /GET \/1.*GET \/2$/s);
  });

  test('a client that has closed its half is given up when nothing has been sent to it for a while', async () => {
    const pieces = Promise.withResolvers<void>();
    const aborted: string[] = [];
    await using running = await start((request) => {
      request.signal.addEventListener('abort', () => aborted.push(request.path));
      return { status: 200, body: twoPieces(pieces.promise) };
    });
    const { clock, server } = running;
    const peer = await running.peer();
    peer.send(get('/events'));
    await peer.untilText('one');
    peer.connection.end();
    const fence = await running.peer();
    fence.send(get('/fence'));
    await fence.untilText('one');
    fence.close();
    await clock.advance(9_000);
    // What is sent shows that somebody takes it.
    pieces.resolve();
    await peer.untilText('two');
    await clock.advance(9_000);
    assert.deepEqual(
      aborted.filter((path) => path === '/events'),
      [],
    );
    await clock.advance(1_010);
    await eventually(() => server.connectionCount === 0);
    assert.ok(aborted.includes('/events'));
  });

  test('100 when the handler reads, and not when it refuses', async () => {
    await using running = await start(async (request) => {
      if (request.path === '/no') throw new HttpError(403, 'no');
      return text(200, await request.body.text(100));
    });
    const head = 'HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n';
    const peer = await running.peer();
    peer.send(`PUT /yes ${head}`);
    assert.equal(await peer.untilText('\r\n\r\n'), 'HTTP/1.1 100 Continue\r\n\r\n');
    peer.send('ok');
    assert.equal((await response(peer)).body, 'ok');
    peer.send(`PUT /no ${head}`);
    assert.match((await peer.untilClosed()).toString(), /^HTTP\/1.1 403/);
  });

  test('informational responses before the answer, and the client’s 100 by choice', async () => {
    await using running = await start(async (request) => {
      request.inform(103, [['Link', '</a.css>; rel=preload']]);
      if (request.expectContinue) request.inform(100);
      const content = await request.body.text(100);
      return text(200, content);
    });
    const peer = await running.peer();
    peer.send('PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n');
    assert.equal(
      await peer.untilText('100 Continue\r\n\r\n'),
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n',
    );
    peer.send('ok');
    assert.equal((await response(peer)).body, 'ok');
    const old = await running.peer();
    old.send('GET / HTTP/1.0\r\n\r\n');
    assert.match((await old.untilClosed()).toString(), /^HTTP\/1.1 200 OK/);
  });

  test('trailers behind the content, both ways', async () => {
    await using running = await start(async (request) => {
      const content = await request.body.text(100);
      return {
        status: 200,
        headers: [['Trailer', 'X-Sum']],
        body: content,
        trailers: () => [['X-Sum', request.body.trailers().get('x-sum') ?? 'none']],
      };
    });
    const peer = await running.peer();
    peer.send(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n',
    );
    const all = await peer.untilText('X-Sum: 7\r\n\r\n');
    assert.match(
      all,
      /Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n$/,
    );
    const old = await running.peer();
    old.send('POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok');
    assert.match((await old.untilClosed()).toString(), /Content-Length: 2\r\nConnection: close\r\n\r\nok$/);
  });

  test('an early final answer to who waits for 100, and reads no request behind it', async () => {
    await using running = await start(() => text(200, 'early'));
    const peer = await running.peer();
    peer.send(
      `PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n${get('/smuggled')}`,
    );
    const all = (await peer.untilClosed()).toString();
    assert.match(all, /^HTTP\/1.1 200 OK.*Connection: close\r\n\r\nearly$/s);
  });

  test('OPTIONS * of the server as a whole', async () => {
    await using running = await start((request) => text(200, `${request.method} ${request.path}`));
    const peer = await running.peer();
    peer.send('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await response(peer)).body, 'OPTIONS *');
  });

  test('CONNECT and TRACE: 501, and what lies behind CONNECT is no request', async () => {
    await using running = await start(hello);
    const peer = await running.peer();
    peer.send('TRACE / HTTP/1.1\r\nHost: a\r\nX-Secret: 42\r\n\r\n');
    const traced = await response(peer);
    assert.match(traced.head, /^HTTP\/1.1 501 /);
    assert.ok(!traced.body.includes('42'));
    peer.send(`CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n${get('/tunnelled')}`);
    const all = (await peer.untilClosed()).toString();
    assert.match(all, /^HTTP\/1.1 501 .*Connection: close/s);
    assert.ok(!all.includes('tunnelled'));
  });

  test('an upgrade: the connection and the bytes behind the request go to the handler', async () => {
    await using running = await start((request) => ({
      status: 101,
      headers: [['Upgrade', request.upgrade ?? '']],
      upgrade: (connection, early) => {
        connection.attach({ data: (chunk) => connection.write(chunk) });
        connection.write(early);
      },
    }));
    const peer = await running.peer();
    peer.send(`${get('/', 'Connection: Upgrade', 'Upgrade: echo')}first`);
    assert.match(
      await peer.untilText('\r\n\r\n'),
      /^HTTP\/1.1 101 .*Connection: upgrade\r\nUpgrade: echo\r\n/s,
    );
    assert.equal(await peer.untilText('first'), 'first');
    peer.send('second');
    await peer.untilText('second');
  });

  test('Content-Length of the handler is kept, and a lie is cut', async () => {
    await using running = await start((request) => ({
      status: 200,
      headers: [['Content-Length', request.path === '/3' ? '3' : '4']],
      body: pieces(),
    }));
    const peer = await running.peer();
    peer.send(get('/3'));
    assert.equal((await response(peer)).body, 'abc');
    peer.send(get('/4'));
    assert.match((await peer.untilClosed()).toString(), /abc$/);
    assert.equal(peer.closed, true);
  });

  test('what a handler throws is a problem; what is no HTTP is a 500', async () => {
    await using running = await start((request) => {
      if (request.path === '/bug') throw new TypeError('secret');
      if (request.path === '/split') return text(200, '', [['X', 'a\r\nSet-Cookie: b=c']]);
      throw new HttpError(429, 'slow down', { headers: [['Retry-After', '1']] });
    });
    const peer = await running.peer();
    peer.send(get('/429') + get('/bug') + get('/split'));
    const slow = await response(peer);
    assert.match(slow.head, /429 Too Many Requests.*application\/problem\+json.*Retry-After: 1/s);
    assert.equal(JSON.parse(slow.body).detail, 'slow down');
    const bug = await response(peer);
    assert.match(bug.head, /500 Internal/);
    assert.ok(!bug.body.includes('secret'));
    const split = await response(peer);
    assert.match(split.head, /500 Internal/);
    assert.ok(!split.head.includes('Set-Cookie'));
  });
});

async function* pieces(): AsyncGenerator<Buffer> {
  yield Buffer.from('a');
  yield Buffer.from('bc');
}

function dechunk(text: string): string {
  let out = '';
  for (let at = 0; ; ) {
    const line = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, line), 16);
    if (size === 0) return out;
    out += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}

suite('an HTTP server survives', () => {
  test('every malformed request: its status, then a closed connection', async () => {
    const seen: string[] = [];
    await using running = await start(async (request) => {
      seen.push(request.target);
      await request.body.bytes(100_000);
      return text(200, '');
    });
    for (const attack of BAD_REQUESTS) {
      const peer = await running.peer();
      peer.send(attack.bytes + get('/smuggled'));
      const all = (await peer.untilClosed()).toString('latin1');
      assert.ok(all.startsWith(`HTTP/1.1 ${attack.status} `), `${attack.name}: ${all}`);
      assert.match(all, /application\/problem\+json/);
      assert.match(all, /nosniff/);
      assert.match(all, /Connection: close/);
    }
    assert.ok(!seen.includes('/smuggled'));
    const peer = await running.peer();
    peer.send(get('/'));
    assert.match((await response(peer)).head, /200 OK/);
  });

  test('nothing that a refusal says comes from what was sent', async () => {
    await using running = await start(hello);
    for (const bytes of [
      'GET /<script> HTTP/1.1\r\nHost: <script>\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\n<script>: x\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nX: <script>\0\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: <script>\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nExpect: <script>\r\n\r\n',
      '<script> / HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET / <script>\r\nHost: a\r\n\r\n',
    ]) {
      const peer = await running.peer();
      peer.send(bytes);
      const all = (await peer.untilClosed()).toString();
      assert.match(all, /^HTTP\/1.1 4|^HTTP\/1.1 5/);
      assert.ok(!all.includes('script'), all);
      assert.match(all, /X-Content-Type-Options: nosniff/);
    }
  });

  test('a handler that takes too long: 503, and its signal', async () => {
    const told = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await using running = await start(
      (request) => {
        request.signal.addEventListener('abort', () => told.resolve());
        asked.resolve();
        return new Promise(() => undefined);
      },
      { handlerTimeoutMs: 3_000 },
    );
    const peer = await running.peer();
    peer.send(get('/'));
    await asked.promise;
    await running.clock.advance(3_001);
    const all = (await peer.untilClosed()).toString();
    assert.match(all, /^HTTP\/1.1 503 Service Unavailable.*Connection: close.*"code":"handler-timeout"/s);
    await told.promise;
  });

  test('half a head, half a body, silence, and an idle connection: each has its deadline', async () => {
    await using running = await start(async (request) => text(200, await request.body.text(100)));
    const { clock, server } = running;
    const head = await running.peer();
    head.send('GET / HTTP/1.1\r\nHo');
    const silent = await running.peer();
    const idle = await running.peer();
    idle.send(get('/'));
    await response(idle);
    const body = await running.peer();
    body.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc');
    await eventually(() => server.connectionCount === 4);
    // The socket has delivered what was sent once a later exchange on another connection is complete.
    const fence = await running.peer();
    fence.send(get('/'));
    await response(fence);
    fence.close();
    await clock.advance(10_010);
    assert.match((await head.untilClosed()).toString(), /^HTTP\/1.1 408/);
    assert.match((await body.untilClosed()).toString(), /^HTTP\/1.1 408/);
    assert.equal(silent.closed, false);
    await clock.advance(20_000);
    assert.equal((await silent.untilClosed()).length, 0);
    assert.equal(idle.closed, false);
    await clock.advance(45_000);
    assert.equal((await idle.untilClosed()).length, 0);
  });

  test('a body that trickles is refused, one at a fair rate is not', async () => {
    await using running = await start(async (request) =>
      text(200, String((await request.body.bytes(100_000)).length)),
    );
    const peer = await running.peer();
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n');
    peer.send(Buffer.alloc(20_000));
    const slow = await running.peer();
    slow.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n');
    slow.send(Buffer.alloc(100));
    const fence = await running.peer();
    fence.send(get('/'));
    await response(fence);
    await running.clock.advance(15_000);
    assert.match((await slow.untilClosed()).toString(), /408/);
    peer.send(Buffer.alloc(10_000));
    assert.equal((await response(peer)).body, '30000');
  });

  test('a client that never reads: production stops, and the connection goes', async () => {
    let produced = 0;
    const gone = Promise.withResolvers<void>();
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (;;) {
          produced += 65_536;
          yield Buffer.alloc(65_536);
        }
      } finally {
        gone.resolve();
      }
    }
    await using running = await start(() => ({ status: 200, body: endless() }));
    const peer = await running.peer();
    peer.connection.pause();
    peer.send(get('/'));
    let last = -1;
    await eventually(() => {
      const still = produced > 0 && produced === last;
      last = produced;
      return still;
    });
    assert.ok(produced < 64 * 1024 * 1024, `${produced} bytes were made for nobody`);
    const other = await running.peer();
    other.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    await other.untilText('\r\n\r\n');
    await running.clock.advance(30_001);
    await running.clock.advance(30_001);
    await gone.promise;
    await eventually(() => running.server.connectionCount === 1);
  });

  test('a flood of pipelined requests to a client that never reads', async () => {
    let answered = 0;
    await using running = await start(() => {
      answered++;
      return text(200, 'x'.repeat(10_000));
    });
    const peer = await running.peer();
    peer.connection.pause();
    const flood = get('/').repeat(20_000);
    peer.send(flood);
    let last = -1;
    let same = 0;
    await eventually(() => {
      same = answered > 0 && answered === last ? same + 1 : 0;
      last = answered;
      return same > 20;
    });
    // What the kernel takes on both sides, and little more.
    assert.ok(answered < 1_600, `${answered} answers of 10,000 bytes were made for nobody`);
  });

  test('a handler that does not read: little is skipped, much closes', async () => {
    await using running = await start(hello);
    const peer = await running.peer();
    peer.send(`POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1_000)}${get('/2')}`);
    assert.equal((await response(peer)).body, 'POST /1');
    assert.equal((await response(peer)).body, 'GET /2');
    peer.send(`POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n`);
    assert.equal((await response(peer)).body, 'POST /3');
    peer.send(Buffer.alloc(200_000));
    await peer.untilClosed();
  });

  test('a handler slower than the upload: the client is made to wait', async () => {
    const gate = Promise.withResolvers<HttpRequest>();
    const go = Promise.withResolvers<void>();
    await using running = await start(async (request) => {
      gate.resolve(request);
      await go.promise;
      let total = 0;
      for await (const part of request.body) total += part.length;
      return text(200, String(total));
    });
    const peer = await running.peer();
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 15000000\r\n\r\n');
    const block = Buffer.alloc(1_000_000);
    for (let at = 0; at < 15; at++) peer.send(block);
    await gate.promise;
    // Much of it has to be stuck on the client's side: neither the queue nor the kernel takes it all.
    let last = -1;
    let same = 0;
    await eventually(() => {
      same = peer.connection.bufferedBytes === last ? same + 1 : 0;
      last = peer.connection.bufferedBytes;
      return same > 20;
    });
    assert.ok(last > 4_000_000, `only ${last} bytes are held back`);
    // Time in which the handler does not read is not the client's fault.
    await running.clock.advance(60_000);
    go.resolve();
    assert.equal((await response(peer)).body, '15000000');
  });

  test('a body that its handler gave up: little more of it is read', async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    await using running = await start(async (request) => {
      await assert.rejects(request.body.bytes(10), HttpError);
      begun.resolve();
      await go.promise;
      return text(413, 'no');
    });
    const peer = await running.peer();
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 15000000\r\n\r\n');
    for (let at = 0; at < 15; at++) peer.send(Buffer.alloc(1_000_000));
    await begun.promise;
    let last = -1;
    let same = 0;
    await eventually(() => {
      same = peer.connection.bufferedBytes === last ? same + 1 : 0;
      last = peer.connection.bufferedBytes;
      return same > 20;
    });
    assert.ok(last > 4_000_000, `only ${last} bytes are held back`);
    go.resolve();
    assert.equal((await response(peer)).body, 'no');
  });

  test('more connections than allowed get 503', async () => {
    await using running = await start(hello, { maxConnections: 2 });
    const one = await running.peer();
    const two = await running.peer();
    one.send(get('/'));
    await response(one);
    two.send(get('/'));
    await response(two);
    const three = await running.peer();
    const all = (await three.untilClosed()).toString();
    assert.match(all, /^HTTP\/1.1 503 .*Retry-After: 1/s);
    assert.equal(JSON.parse(all.slice(all.indexOf('\r\n\r\n'))).status, 503);
    one.send(get('/again'));
    assert.equal((await response(one)).body, 'GET /again');
  });

  test('more connections from one address than allowed get 503', async () => {
    await using running = await start(hello, { maxConnectionsPerAddress: 1 });
    const one = await running.peer();
    one.send(get('/'));
    await response(one);
    const two = await running.peer();
    assert.match((await two.untilClosed()).toString(), /^HTTP\/1.1 503 /);
    one.close();
    await eventually(() => running.server.connectionCount === 0);
    const three = await running.peer();
    three.send(get('/'));
    assert.match((await response(three)).head, /200 OK/);
  });

  test('a client that goes: the signal tells the handler', async () => {
    const aborted = Promise.withResolvers<void>();
    async function* ticks(request: HttpRequest): AsyncGenerator<Buffer> {
      request.signal.addEventListener('abort', () => aborted.resolve());
      while (!request.signal.aborted) {
        yield Buffer.from('tick');
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await using running = await start((request) => ({ status: 200, body: ticks(request) }));
    const peer = await running.peer();
    peer.send(get('/'));
    await peer.untilText('tick');
    peer.close();
    await aborted.promise;
    await eventually(() => running.server.connectionCount === 0);
  });

  test('2,000 idle connections', async () => {
    await using running = await start(hello);
    const peers: Peer[] = [];
    for (let at = 0; at < 20; at++) {
      peers.push(...(await Promise.all(Array.from({ length: 100 }, () => running.peer()))));
    }
    await eventually(() => running.server.connectionCount === 2_000);
    peers[1_234]!.send(get('/'));
    assert.equal((await response(peers[1_234]!)).body, 'GET /');
  });
});

suite('an HTTP server stops', () => {
  test('idle connections after a grace, busy ones after their answer', async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    await using running = await start(async () => {
      begun.resolve();
      await gate.promise;
      return text(200, 'done');
    });
    const idle = await running.peer();
    const busy = await running.peer();
    busy.send(get('/'));
    await begun.promise;
    const closed = running.server.close(10_000);
    await running.clock.advance(250);
    assert.equal((await idle.untilClosed()).length, 0);
    gate.resolve();
    assert.match((await busy.untilClosed()).toString(), /Connection: close\r\n\r\ndone$/);
    await closed;
    assert.equal(running.server.connectionCount, 0);
  });

  test('and answers a request that crossed its close', async () => {
    await using running = await start(hello);
    const peer = await running.peer();
    peer.send(get('/first'));
    await response(peer);
    running.server.stop();
    peer.send(get('/crossing'));
    assert.match((await peer.untilClosed()).toString(), /Connection: close\r\n\r\nGET \/crossing$/);
  });

  test('under load and loses no request', async () => {
    for (let round = 0; round < 50; round++) {
      await using running = await start(async (request) => {
        // A turn of the event loop, so that some answers are under way when the server stops.
        await new Promise((resolve) => setImmediate(resolve));
        return text(200, request.path);
      });
      const peers = await Promise.all(Array.from({ length: 20 }, () => running.peer()));
      let answered = 0;
      const finished = peers.map(async (peer, at) => {
        for (let count = 0; ; count++) {
          peer.send(get(`/${at}/${count}`));
          const { head, body } = await response(peer);
          assert.equal(body, `/${at}/${count}`);
          answered++;
          if (head.includes('Connection: close')) return;
        }
      });
      await eventually(() => answered > 100 + round * 37);
      const closed = running.server.close(10_000);
      await Promise.all(finished);
      await closed;
    }
  });
});
