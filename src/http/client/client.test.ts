import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import type { Connection, Endpoint, Listener } from '../../core/net/network.ts';
import { createSystemNetwork } from '../../core/net/system-network.ts';
import { testHost } from '../../core/testing/host.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { HttpClientError } from '../errors.ts';
import { text } from '../reply.ts';
import { startHttpServer } from '../server.ts';
import { BAD_RESPONSES } from '../testing/attacks.ts';
import type { Handler } from '../types.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from './index.ts';

const network = createSystemNetwork();

/** A server that says what the test tells it to, whatever it is asked. */
class ScriptedServer implements AsyncDisposable {
  readonly connections: Connection[] = [];
  readonly received: string[] = [];
  #listener: Listener | undefined;
  #onData: (connection: Connection, index: number, all: string) => void;

  private constructor(onData: (connection: Connection, index: number, all: string) => void) {
    this.#onData = onData;
  }

  static async start(
    onData: (connection: Connection, index: number, all: string) => void,
  ): Promise<ScriptedServer> {
    const server = new ScriptedServer(onData);
    const limits = {
      maxConnections: 100,
      firstByteTimeoutMs: 0,
      idleTimeoutMs: 0,
      maxBufferedBytes: 1 << 30,
      closeTimeoutMs: 100,
    };
    server.#listener = await network.listen({ host: '127.0.0.1', port: 0, limits }, (connection) => {
      const index = server.connections.push(connection) - 1;
      server.received.push('');
      connection.attach({
        data: (chunk) => {
          server.received[index] += chunk.toString('latin1');
          server.#onData(connection, index, server.received[index]!);
        },
        end: () => undefined,
      });
    });
    return server;
  }

  get endpoint(): Endpoint {
    return this.#listener!.endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${this.endpoint.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    await this.#listener!.close(0);
  }
}

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  return createHttpClient({ network, clock: testHost('http').clock, ...options });
}

async function serve(handler: Handler): Promise<{ url: string } & AsyncDisposable> {
  const server = await startHttpServer({
    host: testHost('http'),
    address: { host: '127.0.0.1', port: 0 },
    handler,
  });
  return {
    url: `http://127.0.0.1:${server.endpoint.port}`,
    [Symbol.asyncDispose]: () => server.close(0),
  };
}

const failure = (code: string) => (thrown: unknown) =>
  thrown instanceof HttpClientError && thrown.code === code;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

suite('an HTTP client', () => {
  test('sends the target as given, one Host, and keeps the connection', async () => {
    await using server = await ScriptedServer.start((connection) => connection.write(OK));
    await using http = client();
    for (const target of ['/a/../b/./c%2F?d=%20#fragment', '/2']) {
      const response = await http.request({ url: server.url + target });
      assert.equal(await response.body.text(10), 'ok');
    }
    assert.equal(server.connections.length, 1);
    const host = `Host: 127.0.0.1:${server.endpoint.port}`;
    assert.equal(
      server.received[0],
      `GET /a/../b/./c%2F?d=%20 HTTP/1.1\r\n${host}\r\n\r\nGET /2 HTTP/1.1\r\n${host}\r\n\r\n`,
    );
  });

  test('frames content: none, known, unknown', async () => {
    await using server = await ScriptedServer.start((connection, _, all) => {
      if (all.endsWith('END') || all.endsWith('0\r\n\r\n') || all.includes('Length: 0')) connection.end(OK);
    });
    await using http = client();
    async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.from('abc');
      yield Buffer.from('def');
    }
    const headers = [['Connection', 'close']] as const;
    for (const body of [undefined, 'éEND', pieces()]) {
      const request = { url: server.url, method: 'POST', headers, ...(body === undefined ? {} : { body }) };
      assert.equal(await (await http.request(request)).body.text(10), 'ok');
    }
    assert.match(server.received[0]!, /Content-Length: 0\r\nConnection: close\r\n\r\n$/);
    assert.match(server.received[1]!, /Content-Length: 5\r\nConnection: close\r\n\r\n\xc3\xa9END$/);
    assert.match(
      server.received[2]!,
      /Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n$/,
    );
  });

  test('refuses to send what is no HTTP', async () => {
    await using server = await ScriptedServer.start((connection) => connection.write(OK));
    await using http = client();
    const { url } = server;
    const bad = [
      { url: '/relative' },
      { url: 'ftp://a/' },
      { url: 'http://u:p@127.0.0.1/' },
      { url: `${url}/a b` },
      { url: `${url}/é` },
      { url: `${url}/a\r\nX: y` },
      { url, method: 'GE T' },
      { url, method: 'CONNECT' },
      { url, headers: [['X', 'a\r\nY: b']] as const },
      { url, headers: [['X Y', 'a']] as const },
      { url, headers: [['Transfer-Encoding', 'chunked']] as const },
      { url, headers: [['Content-Length', '5']] as const, body: 'abc' },
    ];
    for (const request of bad) await assert.rejects(http.request(request), failure('invalid-request'));
    assert.deepEqual(server.received.join(''), '');
    const response = await http.request({ url });
    assert.equal(response.status, 200);
    response.body.discard();
  });

  for (const attack of BAD_RESPONSES) {
    test(`refuses a response with ${attack.name}, whole and by bytes, and drops the connection`, async () => {
      await using server = await ScriptedServer.start((connection, index) => {
        if (index === 0) connection.write(Buffer.from(attack.bytes, 'latin1'));
        else
          for (const byte of Buffer.from(attack.bytes.slice(0, 300), 'latin1'))
            connection.write(Buffer.of(byte));
      });
      await using http = client();
      await assert.rejects(http.request({ url: server.url }), failure('malformed-response'));
      if (attack.bytes.length > 300) return;
      // By bytes the head may have been answered already: then the content or the next use tells.
      try {
        const response = await http.request({ url: server.url });
        await response.body.bytes(1_000);
      } catch (thrown) {
        assert.ok(failure('malformed-response')(thrown), String(thrown));
      }
      assert.equal(server.connections.length, 2);
    });
  }

  test('tries once more when a kept connection turns out closed, but never a POST', async () => {
    await using server = await ScriptedServer.start((connection, index, all) => {
      const requests = all.split('\r\n\r\n').length - 1;
      if (index % 2 === 0 && requests === 2) connection.destroy();
      else connection.write(OK);
    });
    await using http = client();
    await (await http.request({ url: server.url })).body.text(10);
    const second = await http.request({ url: server.url });
    assert.equal(await second.body.text(10), 'ok');
    assert.equal(server.connections.length, 2);
    // Connection 1 serves one more, then its server cuts the POST.
    await using third = await ScriptedServer.start((connection, _, all) => {
      if (all.includes('POST')) connection.destroy();
      else connection.write(OK);
    });
    await (await http.request({ url: third.url })).body.text(10);
    await assert.rejects(
      http.request({ url: third.url, method: 'POST', body: 'x' }),
      (thrown) => failure('connection-lost')(thrown) && !(thrown as HttpClientError).unsent,
    );
    assert.equal(third.connections.length, 1);
  });

  test('says why it could not connect, and that nothing was sent', async () => {
    const gone = await ScriptedServer.start(() => undefined);
    const { url } = gone;
    await gone[Symbol.asyncDispose]();
    await using http = client();
    await assert.rejects(
      http.request({ url }),
      (thrown) => failure('connect-failed')(thrown) && (thrown as HttpClientError).unsent,
    );
  });

  test('uses the resolver it was given, address by address', async () => {
    await using server = await ScriptedServer.start((connection) => connection.write(OK));
    const asked: string[] = [];
    await using http = client({
      resolve: async (host) => {
        asked.push(host);
        return ['127.0.0.9', '127.0.0.1'];
      },
    });
    const response = await http.request({ url: `http://Spells.test:${server.endpoint.port}/` });
    assert.equal(await response.body.text(10), 'ok');
    assert.deepEqual(asked, ['Spells.test']);
    assert.match(server.received[0]!, /Host: Spells.test:/);
  });

  test('gives up on a silent server, and on one that stops in the middle', async () => {
    const clock = new SimulatedClock();
    const written = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    await using server = await ScriptedServer.start((connection, index) => {
      if (index === 0) asked.resolve();
      else {
        connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
        written.resolve();
      }
    });
    await using http = client({ clock });
    const silent = http.request({ url: server.url, timeoutMs: 500 });
    await asked.promise;
    await Promise.all([clock.advance(501), assert.rejects(silent, failure('response-timeout'))]);
    const response = await http.request({ url: server.url });
    await written.promise;
    const body = response.body.text(100);
    await Promise.all([clock.advance(120_001), assert.rejects(body, failure('body-timeout'))]);
  });

  test('is cancelled by a signal, and by close', async () => {
    const asked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using server = await ScriptedServer.start((_, index) => asked[index]!.resolve());
    const http = client();
    const controller = new AbortController();
    const first = http.request({ url: server.url, signal: controller.signal });
    await asked[0]!.promise;
    controller.abort();
    await assert.rejects(first, failure('aborted'));
    const second = http.request({ url: server.url });
    await asked[1]!.promise;
    const rejected = assert.rejects(second);
    await http.close();
    await rejected;
    await assert.rejects(http.request({ url: server.url }), failure('aborted'));
  });

  test('waits for 100, sends nothing after a refusal', async () => {
    await using server = await ScriptedServer.start((connection, index, all) => {
      if (index === 1) connection.write('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n');
      else if (all.endsWith('secret')) connection.write(OK);
      else connection.write('HTTP/1.1 100 Continue\r\n\r\n');
    });
    await using http = client();
    const request = {
      url: server.url,
      method: 'PUT',
      body: 'secret',
      expectContinue: true,
      headers: [['X', 'y']],
    } as const;
    assert.equal((await http.request({ ...request, headers: [['Connection', 'close']] })).status, 200);
    assert.match(server.received[0]!, /Expect: 100-continue\r\n\r\nsecret$/);
    const refused = await http.request(request);
    assert.equal(refused.status, 417);
    assert.ok(!server.received[1]!.includes('secret'));
    const after = await http.request(request);
    assert.equal(after.status, 200);
    assert.equal(server.connections.length, 3);
    after.body.discard();
  });

  test('takes an early answer; the connection is not used again', async () => {
    let stopped = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.alloc(65_536);
      } finally {
        stopped = true;
      }
    }
    await using server = await ScriptedServer.start((connection, index, all) => {
      if (index === 0 && all.length < 70_000)
        connection.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno');
      else if (index > 0) connection.write(OK);
    });
    await using http = client();
    const early = await http.request({ url: server.url, method: 'POST', body: endless() });
    assert.equal(early.status, 413);
    assert.equal(await early.body.text(10), 'no');
    assert.equal(await (await http.request({ url: server.url })).body.text(10), 'ok');
    assert.equal(server.connections.length, 2);
    while (!stopped) await new Promise((resolve) => setImmediate(resolve));
  });

  test('holds back a server whose content nobody reads', async () => {
    let sent = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        sent += 65_536;
        yield Buffer.alloc(65_536);
      }
    }
    await using server = await serve(() => ({ status: 200, body: endless() }));
    await using http = client();
    const response = await http.request({ url: server.url });
    let last = -1;
    for (let same = 0; same < 20; same = sent === last ? same + 1 : 0) {
      last = sent;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were sent to nobody`);
    response.body.discard();
  });

  test('bounds its connections to one origin; the next waits', async () => {
    const gate = Promise.withResolvers<void>();
    await using server = await serve(async (request) => {
      if (request.path === '/held') await gate.promise;
      return text(200, request.path);
    });
    await using http = client({ maxConnectionsPerOrigin: 1 });
    const held = http.request({ url: `${server.url}/held` });
    const next = http.request({ url: `${server.url}/next` });
    const late = http.request({ url: `${server.url}/late`, timeoutMs: 1 });
    await assert.rejects(late, failure('pool-timeout'));
    gate.resolve();
    assert.equal(await (await held).body.text(10), '/held');
    assert.equal(await (await next).body.text(10), '/next');
  });

  test('a failed connect does not strand those who wait for its place', async () => {
    const gone = await ScriptedServer.start(() => undefined);
    const { url } = gone;
    await gone[Symbol.asyncDispose]();
    await using http = client({ maxConnectionsPerOrigin: 1 });
    const requests = Array.from({ length: 5 }, () => http.request({ url, timeoutMs: 60_000 }));
    const outcomes = await Promise.allSettled(requests);
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && failure('connect-failed')(outcome.reason));
    }
  });

  test('one who leaves the queue takes no place', async () => {
    const gate = Promise.withResolvers<void>();
    await using server = await serve(async (request) => {
      if (request.path === '/held') await gate.promise;
      return text(200, request.path);
    });
    await using http = client({ maxConnectionsPerOrigin: 1 });
    const held = http.request({ url: `${server.url}/held` });
    const controller = new AbortController();
    const leaving = http.request({ url: `${server.url}/leaving`, signal: controller.signal });
    const staying = http.request({ url: `${server.url}/staying` });
    controller.abort();
    await assert.rejects(leaving, failure('aborted'));
    gate.resolve();
    assert.equal(await (await held).body.text(10), '/held');
    assert.equal(await (await staying).body.text(10), '/staying');
  });

  test('hands over an upgraded connection with the bytes behind the 101', async () => {
    await using server = await ScriptedServer.start((connection, _, all) => {
      if (all.endsWith('ping')) connection.write('pong');
      else
        connection.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nearly',
        );
    });
    await using http = client();
    const response = await http.request({ url: server.url, upgrade: 'x' });
    assert.equal(response.status, 101);
    const { connection, early } = response.upgraded!;
    assert.equal(early.toString(), 'early');
    const pong = Promise.withResolvers<string>();
    connection.attach({ data: (chunk) => pong.resolve(chunk.toString()) });
    connection.resume();
    connection.write('ping');
    assert.equal(await pong.promise, 'pong');
    connection.destroy();
  });
});
