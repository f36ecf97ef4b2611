/** The server beside node's own HTTP/2 client, over a socket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import test, { suite } from 'node:test';
import tls from 'node:tls';
import { createDevelopmentIdentity } from '../../core/net/certificates.ts';
import { testHost } from '../../core/testing/host.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { systemClock } from '../../core/time/system-clock.ts';
import { HttpError } from '../errors.ts';
import type { HttpLimits } from '../limits.ts';
import { json, text } from '../reply.ts';
import { type HttpServer, startHttpServer } from '../server.ts';
import type { Handler, HttpRequest } from '../types.ts';

interface Running extends AsyncDisposable {
  readonly server: HttpServer;
  readonly client: http2.ClientHttp2Session;
  readonly clock: SimulatedClock;
}

async function start(handler: Handler, limits: Partial<HttpLimits> = {}): Promise<Running> {
  const clock = new SimulatedClock();
  const server = await startHttpServer({
    host: testHost('http', { clock }),
    address: { host: '127.0.0.1', port: 0 },
    http2: 'cleartext',
    handler,
    limits,
  });
  const client = http2.connect(`http://127.0.0.1:${server.endpoint.port}`);
  client.on('error', () => undefined);
  return {
    server,
    client,
    clock,
    async [Symbol.asyncDispose]() {
      client.destroy();
      await server.close(0);
    },
  };
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: http2.IncomingHttpHeaders;
  readonly text: string;
  readonly trailers: http2.IncomingHttpHeaders;
}

type Asked = http2.OutgoingHttpHeaders;

async function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  let headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
  let trailers: http2.IncomingHttpHeaders = {};
  let text = '';
  stream.on('response', (received) => {
    headers = received;
  });
  stream.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await once(stream, 'close');
  return { status: headers[':status'], headers, text, trailers };
}

function ask({ client }: Running, asked: Asked, content?: string | Buffer): Promise<Answer> {
  const stream = client.request(asked, { endStream: content === undefined });
  stream.on('error', () => undefined);
  if (content !== undefined) stream.end(content);
  return answerOf(stream);
}

async function eventually(met: () => boolean): Promise<void> {
  const patience = AbortSignal.timeout(10_000);
  while (!met()) {
    if (patience.aborted) throw new Error('it never came true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

suite('HTTP/2 behind the handler', () => {
  test('a request as in HTTP/1.1, and its response', async () => {
    let seen: HttpRequest | undefined;
    await using running = await start((request) => {
      seen = request;
      return json(200, { ok: true }, [['X-Extra', 'Yes']]);
    });
    const answer = await ask(running, {
      ':path': '/a%2Fb?c=d',
      cookie: ['a=1', 'b=2'],
      'x-request-id': 'abc',
      'user-agent': 'test',
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.text, '{"ok":true}');
    assert.equal(answer.headers['content-length'], '11');
    assert.equal(answer.headers['x-extra'], 'Yes');
    assert.equal(answer.headers.date, 'Thu, 01 Jan 2026 00:00:00 GMT');
    assert.equal(seen?.method, 'GET');
    assert.equal(seen?.target, '/a%2Fb?c=d');
    assert.equal(seen?.path, '/a%2Fb');
    assert.equal(seen?.query, 'c=d');
    assert.equal(seen?.version, '2');
    assert.equal(seen?.headers.get('Host'), `127.0.0.1:${running.server.endpoint.port}`);
    assert.equal(seen?.headers.get('cookie'), 'a=1; b=2');
    assert.equal(seen?.id, 'abc');
    assert.equal(seen?.upgrade, undefined);
    assert.equal(seen?.body.sizeBytes, 0);
    assert.equal(seen?.remote.address, '127.0.0.1');
  });

  test('many at once, answered as they come to their end', async () => {
    const gate = Promise.withResolvers<void>();
    await using running = await start(async ({ path }) => {
      if (path === '/slow') await gate.promise;
      return text(200, path);
    });
    const slow = ask(running, { ':path': '/slow' });
    const others = await Promise.all(
      Array.from({ length: 50 }, (_, at) => ask(running, { ':path': `/${at}` })),
    );
    assert.deepEqual(
      others.map((answer) => answer.text),
      Array.from({ length: 50 }, (_, at) => `/${at}`),
    );
    gate.resolve();
    assert.equal((await slow).text, '/slow');
  });

  test('content both ways, and trailers both ways', async () => {
    let received: string | undefined;
    await using running = await start((request) => ({
      status: 200,
      body: request.body,
      trailers: () => {
        const trailers = request.body.trailers();
        received = `${trailers.get('x-sum')} ${trailers.get('authorization')}`;
        return [['X-Sum', 'def']];
      },
    }));
    const content = Buffer.alloc(1_000_000, 'abcdefghij');
    const stream = running.client.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'abc', authorization: 'x' }));
    stream.end(content);
    const answer = await answerOf(stream);
    assert.equal(answer.text, content.toString('latin1'));
    assert.equal(answer.trailers['x-sum'], 'def');
    assert.equal(received, 'abc undefined');
  });

  test('a response without content: HEAD, 204, 304, and with a length that is declared', async () => {
    await using running = await start(({ path, method }) => {
      if (path === '/204') return { status: 204 };
      if (path === '/205') return { status: 205, body: 'not to be sent' };
      if (path === '/304') return { status: 304, headers: [['ETag', '"x"']] };
      return text(200, method);
    });
    const head = await ask(running, { ':method': 'HEAD', ':path': '/' });
    assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '4', '']);
    const none = await ask(running, { ':path': '/204' });
    assert.deepEqual([none.status, none.headers['content-length'], none.text], [204, undefined, '']);
    const anew = await ask(running, { ':path': '/205' });
    assert.deepEqual([anew.status, anew.headers['content-length'], anew.text], [205, undefined, '']);
    const same = await ask(running, { ':path': '/304' });
    assert.deepEqual([same.status, same.headers.etag, same.text], [304, '"x"', '']);
  });

  test('100 only when the body is read', async () => {
    await using running = await start(async (request) =>
      request.path === '/read' ? text(200, await request.body.text(100)) : text(403, 'no'),
    );
    const expecting = (path: string) => {
      const fields = { ':method': 'POST', ':path': path, expect: '100-continue' };
      const stream = running.client.request(fields, { endStream: false });
      let continued = false;
      stream.on('continue', () => {
        continued = true;
        stream.end('content');
      });
      return answerOf(stream).then((answer) => ({ answer, continued }));
    };
    const read = await expecting('/read');
    assert.deepEqual([read.answer.text, read.continued], ['content', true]);
    const refused = await expecting('/refuse');
    assert.deepEqual([refused.answer.status, refused.continued], [403, false]);
  });

  test('informational responses go ahead of the final one', async () => {
    await using running = await start((request) => {
      request.inform(103, [['Link', '</style.css>; rel=preload']]);
      assert.throws(() => request.inform(200), { code: 'unsendable' });
      assert.throws(() => request.inform(103, [['a', 'b\r\nc: d']]), { code: 'unsendable' });
      return text(200, 'x');
    });
    const stream = running.client.request({ ':path': '/' });
    const hints: [number | undefined, unknown][] = [];
    stream.on('headers', (fields) => hints.push([fields[':status'], fields['link']]));
    assert.equal((await answerOf(stream)).text, 'x');
    assert.deepEqual(hints, [[103, '</style.css>; rel=preload']]);
  });

  test('errors are problems, and a response that cannot be sent is a 500', async () => {
    await using running = await start(({ path }) => {
      if (path === '/http') throw new HttpError(409, 'taken');
      if (path === '/bug') throw new Error('secret');
      if (path === '/later') return Promise.reject(new HttpError(422, 'no'));
      if (path === '/101') return { status: 101, upgrade: () => undefined };
      return { status: 200, headers: [['a', 'b\r\nc: d']] };
    });
    const of = async (path: string) => {
      const { status, text: body } = await ask(running, { ':path': path });
      return [status, JSON.parse(body).detail];
    };
    assert.deepEqual(await of('/http'), [409, 'taken']);
    assert.deepEqual(await of('/bug'), [500, undefined]);
    assert.deepEqual(await of('/later'), [422, 'no']);
    assert.deepEqual(await of('/101'), [500, undefined]);
    assert.deepEqual(await of('/split'), [500, undefined]);
    const trace = await ask(running, { ':method': 'TRACE', ':path': '/' });
    assert.equal(trace.status, 501);
    const connect = await ask(running, { ':method': 'CONNECT', ':authority': 'a.test:443' });
    assert.equal(connect.status, 501);
  });

  test('a response that does not keep its Content-Length is cut, not mended', async () => {
    await using running = await start(({ path }) => ({
      status: 200,
      headers: [['Content-Length', path === '/more' ? '2' : '4']],
      body: (async function* () {
        yield Buffer.from('abc');
      })(),
    }));
    for (const path of ['/more', '/less']) {
      const stream = running.client.request({ ':path': path });
      const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
      assert.match(error.message, /NGHTTP2_(INTERNAL|PROTOCOL)_ERROR/, path);
    }
  });

  test('content over the bound: by its length, by its bytes, and by what the handler reads', async () => {
    await using running = await start(async ({ body }) => text(200, await body.text(5)), { bodyBytes: 10 });
    const post = { ':method': 'POST', ':path': '/' };
    assert.equal((await ask(running, { ...post, 'content-length': '11' }, 'x'.repeat(11))).status, 413);
    assert.equal((await ask(running, post, 'x'.repeat(6))).status, 413);
    assert.equal((await ask(running, post, 'x'.repeat(5))).text, 'xxxxx');
    await using unread = await start(() => new Promise(() => undefined), { bodyBytes: 10 });
    assert.equal((await ask(unread, post, 'x'.repeat(11))).status, 413);
  });

  test('a client that goes away aborts its request, and one that cancels a stream only that one', async () => {
    const seen: HttpRequest[] = [];
    await using running = await start(async (request) => {
      seen.push(request);
      await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
      return text(200, 'too late');
    });
    const cancelled = running.client.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    cancelled.on('error', () => undefined);
    cancelled.write('begin');
    const other = running.client.request({ ':path': '/' });
    other.on('error', () => undefined);
    await eventually(() => seen.length === 2);
    cancelled.close(http2.constants.NGHTTP2_CANCEL);
    await eventually(() => seen[0]!.signal.aborted);
    assert.equal(seen[1]!.signal.aborted, false);
    running.client.destroy();
    await eventually(() => seen[1]!.signal.aborted);
    await eventually(() => running.server.connectionCount === 0);
  });

  test('a slow reader slows down its own response, and holds little', async () => {
    let produced = 0;
    await using running = await start(({ path }) => {
      if (path !== '/big') return text(200, 'small');
      return {
        status: 200,
        body: (async function* () {
          for (; produced < 200; produced++) yield Buffer.alloc(65_536);
        })(),
      };
    });
    const big = running.client.request({ ':path': '/big' });
    await once(big, 'response');
    assert.equal((await ask(running, { ':path': '/' })).text, 'small');
    assert.ok(produced < 100, `${produced} of 200 pieces were taken from the handler`);
    let bytes = 0;
    big.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await once(big, 'close');
    assert.equal(bytes, 200 * 65_536);
  });

  test('a body that is not read pauses its own stream, and holds little', async () => {
    const gate = Promise.withResolvers<void>();
    let held: HttpRequest | undefined;
    await using running = await start(async (request) => {
      if (request.path !== '/held') return text(200, String((await request.body.bytes(10_000_000)).length));
      held = request;
      await gate.promise;
      return text(200, String((await request.body.bytes(10_000_000)).length));
    });
    const content = Buffer.alloc(3_000_000);
    const first = ask(running, { ':method': 'POST', ':path': '/held' }, content);
    await eventually(() => held !== undefined);
    assert.equal((await ask(running, { ':method': 'POST', ':path': '/' }, content)).text, '3000000');
    gate.resolve();
    assert.equal((await first).text, '3000000');
  });

  test('an answer before the end of the content ends the matter', async () => {
    await using running = await start(() => text(403, 'no'));
    const stream = running.client.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    stream.write('some');
    const answer = await answerOf(stream);
    assert.deepEqual([answer.status, answer.text, stream.rstCode], [403, 'no', 0]);
    assert.equal((await ask(running, { ':path': '/' })).status, 403);
  });
});

suite('HTTP/2 comes to an end', () => {
  test('politely: what is under way is finished, and what was sent meanwhile served', async () => {
    const gate = Promise.withResolvers<void>();
    await using running = await start(async ({ path }) => {
      if (path === '/slow') await gate.promise;
      return text(200, path);
    });
    const slow = ask(running, { ':path': '/slow' });
    await ask(running, { ':path': '/first' });
    const goaways: [code: number, last: number][] = [];
    running.client.on('goaway', (code, last) => goaways.push([code, last]));
    const closing = running.server.close(5_000);
    const racing = ask(running, { ':path': '/racing' });
    assert.equal((await racing).text, '/racing');
    gate.resolve();
    assert.equal((await slow).text, '/slow');
    await closing;
    await eventually(() => running.client.closed);
    assert.deepEqual(goaways[0], [0, 2 ** 31 - 1]);
    assert.equal(running.server.connectionCount, 0);
  });

  test('when nothing has been asked for long enough', async () => {
    await using running = await start(() => text(200, 'x'));
    await ask(running, { ':path': '/' });
    await running.clock.advance(74_000);
    assert.equal((await ask(running, { ':path': '/' })).text, 'x');
    await running.clock.advance(74_000);
    assert.equal(running.client.closed, false);
    await running.clock.advance(2_000);
    await eventually(() => running.server.connectionCount === 0);
  });

  test('when content does not come: 408 for that request alone', async () => {
    await using running = await start(async (request) => text(200, await request.body.text(1_000)));
    const slow = running.client.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    const answer = answerOf(slow);
    slow.write('a');
    const other = running.client.request({ ':method': 'POST', ':path': '/' }, { endStream: false });
    const otherAnswer = answerOf(other);
    other.write('x'.repeat(900));
    await once(running.client, 'localSettings').catch(() => undefined);
    await new Promise((resolve) => running.client.ping(resolve));
    await running.clock.advance(11_500);
    assert.equal((await answer).status, 408);
    other.end();
    assert.equal((await otherAnswer).text.length, 900);
  });
});

test('by ALPN: HTTP/2 for who offers it, HTTP/1.1 for the others, and nobody when it is off', async () => {
  const identity = await createDevelopmentIdentity(systemClock, ['localhost']);
  const listening = { host: testHost('http'), address: { host: '127.0.0.1', port: 0 }, tls: identity };
  const handler: Handler = ({ version, secure }) => text(200, `${version} ${secure}`);
  await using server = await startHttpServer({ ...listening, handler });
  const client = http2.connect(`https://127.0.0.1:${server.endpoint.port}`, {
    ca: identity.ca,
    servername: 'localhost',
  });
  assert.equal((await answerOf(client.request({ ':path': '/' }))).text, '2 true');
  client.destroy();
  const plain = tls.connect({ port: server.endpoint.port, ca: identity.ca, servername: 'localhost' });
  plain.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const [answer] = (await once(plain, 'data')) as [Buffer];
  assert.match(answer.toString(), /\r\n\r\n1\.1 true$/);
  await using off = await startHttpServer({ ...listening, handler, http2: 'off' });
  const refused = tls.connect({
    port: off.endpoint.port,
    ca: identity.ca,
    servername: 'localhost',
    ALPNProtocols: ['h2'],
  });
  await assert.rejects(once(refused, 'secureConnect'));
});
