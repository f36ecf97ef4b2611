/** What one exchange can do: streams, trailers, informational responses, redirections, codings, repetitions. */
import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { createSystemNetwork } from '../../core/net/system-network.ts';
import { testHost } from '../../core/testing/host.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { HttpClientError, HttpError } from '../errors.ts';
import { text } from '../reply.ts';
import { startHttpServer } from '../server.ts';
import { type Script, ScriptedServer } from '../testing/scripted-server.ts';
import { turns } from '../testing/virtual-time.ts';
import type { Body, Handler } from '../types.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from './index.ts';

const network = createSystemNetwork();
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const failure = (code: string) => (thrown: unknown) =>
  thrown instanceof HttpClientError && thrown.code === code;

function client(options: Partial<HttpClientOptions> = {}): HttpClient {
  return createHttpClient({ network, clock: testHost('http').clock, ...options });
}

const script = (run: Script): Promise<ScriptedServer> => ScriptedServer.start(network, run);

async function serve(handler: Handler): Promise<{ url: string } & AsyncDisposable> {
  const address = { host: '127.0.0.1', port: 0 };
  const server = await startHttpServer({ host: testHost('http'), address, handler });
  return {
    url: `http://127.0.0.1:${server.endpoint.port}`,
    [Symbol.asyncDispose]: () => server.close(0),
  };
}

suite('the request', () => {
  test('sends trailers behind chunked content, also of content at hand', async () => {
    await using server = await script((connection, _, all) => {
      if (all.endsWith('\r\n\r\n') && all.includes('\r\n0\r\n')) connection.write(OK);
    });
    await using http = client();
    const headers = [['Trailer', 'X-Sum']] as const;
    const trailers = () => [['X-Sum', '7']] as const;
    const request = { url: server.url, method: 'PUT', headers, body: 'abc', trailers };
    assert.equal((await http.request(request)).status, 200);
    assert.match(server.received[0]!, /Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n$/);
    const declared = { ...request, headers: [['Content-Length', '3']] as const };
    await assert.rejects(http.request(declared), failure('invalid-request'));
    const unsendable = { ...request, trailers: () => [['X', 'a\r\nb']] as const };
    await assert.rejects(http.request(unsendable), failure('request-body-failed'));
  });

  test('reads a stream no faster than the server does', async () => {
    let produced = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        produced += 65_536;
        yield Buffer.alloc(65_536);
      }
    }
    await using server = await ScriptedServer.start(network, () => undefined, {
      accepted: (connection) => connection.pause(),
    });
    await using http = client();
    const leave = new AbortController();
    const request = http.request({ url: server.url, method: 'PUT', body: endless(), signal: leave.signal });
    const rejected = assert.rejects(request, failure('aborted'));
    let last = -1;
    for (let same = 0; same < 50; same = produced === last ? same + 1 : 0) {
      last = produced;
      await turns(1);
    }
    assert.ok(produced > 0 && produced < 64 * 1024 * 1024, `${produced} bytes were read for nobody`);
    leave.abort();
    await rejected;
  });

  test('leaves a stream that has stalled when an early refusal comes, and tells it', async () => {
    const left = Promise.withResolvers<void>();
    const stalled: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: async () => {
          left.resolve();
          return { done: true, value: undefined };
        },
      }),
    };
    await using server = await script((connection) =>
      connection.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n'),
    );
    await using http = client();
    const response = await http.request({ url: server.url, method: 'PUT', body: stalled });
    assert.equal(response.status, 413);
    await left.promise;
    while (http.counters.connections > 0) await turns(1);
  });

  test('goes on sending when the answer is a good one: both ways at once', async () => {
    await using server = await serve((request) => ({ status: 200, body: request.body }));
    await using http = client();
    const more = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
      await more[0]!.promise;
      yield Buffer.from('b');
      await more[1]!.promise;
    }
    const response = await http.request({ url: server.url, method: 'POST', body: pieces() });
    const seen: string[] = [];
    for await (const chunk of response.body) {
      seen.push(chunk.toString());
      more[seen.length - 1]?.resolve();
    }
    assert.equal(seen.join(''), 'ab');
    assert.equal(http.counters.free, 1);
  });

  test('sends a large body whole', async () => {
    const body = Buffer.alloc(3_000_000, 'abc');
    await using server = await serve(async (request) => {
      const got = await request.body.bytes(4_000_000);
      return text(200, String(got.equals(body)));
    });
    await using http = client();
    const response = await http.request({ url: server.url, method: 'PUT', body });
    assert.equal(await response.body.text(10), 'true');
  });

  test('fails with its stream, and says so', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
      throw new Error('the disk is gone');
    }
    await using server = await script(() => undefined);
    await using http = client();
    const request = { url: server.url, method: 'PUT', body: broken() };
    await assert.rejects(http.request(request), /the disk is gone/);
    const short = { ...request, body: broken(), headers: [['Content-Length', '0']] as const };
    await assert.rejects(http.request(short), failure('request-body-failed'));
  });

  test('waits for 100 only so long', async () => {
    const clock = new SimulatedClock();
    const asked = Promise.withResolvers<void>();
    await using server = await script((connection, _, all) => {
      if (all.endsWith('secret')) connection.write(OK);
      else asked.resolve();
    });
    await using http = client({ clock, continueTimeoutMs: 400 });
    const request = { url: server.url, method: 'PUT', body: 'secret', expectContinue: true };
    const response = http.request(request);
    await asked.promise;
    await clock.advance(399);
    assert.ok(!server.received[0]!.includes('secret'));
    await clock.advance(1);
    assert.equal((await response).status, 200);
  });
});

suite('the answer', () => {
  test('is preceded by informational ones, which are told of', async () => {
    await using server = await script((connection) =>
      connection.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}`),
    );
    await using http = client();
    const told: (readonly [number, string | undefined])[] = [];
    const response = await http.request({
      url: server.url,
      onInformational: (status, headers) => told.push([status, headers.get('link')]),
    });
    assert.equal(await response.body.text(10), 'ok');
    assert.deepEqual(told, [
      [103, '</a>'],
      [102, undefined],
    ]);
    const faulty = () => {
      throw new Error('mine');
    };
    await assert.rejects(http.request({ url: server.url, onInformational: faulty }), /mine/);
  });

  test('that ends too early is a lost connection, in the head and in the content', async () => {
    await using server = await script((connection, index) =>
      connection.end(index === 0 ? 'HTTP/1.1 200 O' : 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab'),
    );
    await using http = client();
    const begun = (thrown: unknown) =>
      failure('connection-lost')(thrown) && (thrown as HttpClientError).answerBegun;
    await assert.rejects(http.request({ url: server.url }), begun);
    const read = async () => (await http.request({ url: server.url })).body.text(10);
    await assert.rejects(read(), begun);
  });

  test('is decoded by whoever knows how, when it was asked for', async () => {
    await using server = await script((connection) => connection.write(OK));
    await using http = client();
    const upper = (body: Body): Body => ({
      ...body,
      discard: () => body.discard(),
      text: async (limit: number) => (await body.text(limit)).toUpperCase(),
    });
    const decoding = { acceptEncoding: 'gzip', decode: ({ body }: { body: Body }) => upper(body) };
    const response = await http.request({ url: server.url, decoding });
    assert.equal(await response.body.text(10), 'OK');
    assert.match(server.received[0]!, /\r\nAccept-Encoding: gzip\r\n/);
    const own = [['accept-encoding', 'br']] as const;
    (await http.request({ url: server.url, decoding, headers: own })).body.discard();
    assert.equal(server.received[0]!.match(/accept-encoding/gi)!.length, 2);
    const unknown = {
      acceptEncoding: 'gzip',
      decode: () => {
        throw new HttpError(415, 'unknown');
      },
    };
    await assert.rejects(http.request({ url: server.url, decoding: unknown }), failure('malformed-response'));
  });
});

suite('redirections', () => {
  const to = (location: string, status = 302): string =>
    `HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 2\r\n\r\nno`;

  test('are answers unless they are to be followed', async () => {
    await using server = await script((connection) => connection.write(to('/b')));
    await using http = client();
    const response = await http.request({ url: server.url });
    assert.equal(response.status, 302);
    assert.equal(await response.body.text(10), 'no');
    const none = await http.request({ url: server.url, redirect: { follow: 0 } });
    assert.equal(none.status, 302);
    none.body.discard();
    for (const follow of [-1, 51, 0.5, Number.NaN])
      await assert.rejects(
        http.request({ url: server.url, redirect: { follow } }),
        failure('invalid-request'),
      );
  });

  test('are followed on the same connection, and the answer says from where it is', async () => {
    await using server = await script((connection, _, all) =>
      connection.write(all.includes('GET /c ') ? OK : to(all.includes('GET /b ') ? 'c' : '/b', 308)),
    );
    await using http = client();
    const response = await http.request({ url: `${server.url}/a#f`, redirect: { follow: 2 } });
    assert.equal(response.url, `${server.url}/c#f`);
    assert.equal(await response.body.text(10), 'ok');
    assert.equal(http.counters.redirected, 2);
    assert.equal(server.connections.length, 1);
  });

  test('that go round end', async () => {
    await using server = await script((connection) => connection.write(to('/again')));
    await using http = client();
    const request = { url: server.url, redirect: { follow: 3 } };
    await assert.rejects(http.request(request), failure('too-many-redirects'));
    assert.equal(server.received.join('').match(/GET/g)!.length, 4);
  });

  test('keep credentials from other origins', async () => {
    await using other = await script((connection) => connection.write(OK));
    await using server = await script((connection) => connection.write(to(`${other.url}/x`)));
    await using http = client();
    const headers = [
      ['Authorization', 'Bearer x'],
      ['Cookie', 'a=b'],
    ] as const;
    const response = await http.request({ url: server.url, headers, redirect: { follow: 1 } });
    assert.equal(await response.body.text(10), 'ok');
    assert.equal(other.received[0], `GET /x HTTP/1.1\r\nHost: 127.0.0.1:${other.endpoint.port}\r\n\r\n`);
  });

  test('that must not be followed leave no connection behind', async () => {
    await using server = await script((connection) => connection.write(to('ftp://a/')));
    await using http = client();
    const request = { url: server.url, redirect: { follow: 3 } };
    await assert.rejects(http.request(request), failure('redirect-refused'));
    await turns();
    assert.equal(http.counters.free, http.counters.connections);
  });
});

suite('Retry-After', () => {
  test('is waited for, as often as allowed', async () => {
    const clock = new SimulatedClock();
    let count = 0;
    const asked = [0, 1, 2].map(() => Promise.withResolvers<void>());
    await using server = await script((connection) => {
      asked[count++]!.resolve();
      connection.write('HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n');
    });
    await using http = client({ clock });
    const response = http.request({ url: server.url, retryAfter: { count: 2, maxWaitMs: 5_000 } });
    for (const { promise } of asked) {
      await promise;
      while (clock.pendingCount === 0) await turns(1);
      await turns(20);
      await clock.advance(2_000);
    }
    assert.equal((await response).status, 503);
    assert.equal(count, 3);
  });

  test('is not waited for once the request is cancelled', async () => {
    const asked = Promise.withResolvers<void>();
    await using server = await script((connection) => {
      connection.write('HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n');
      asked.resolve();
    });
    await using http = client();
    const leave = new AbortController();
    const retryAfter = { count: 2, maxWaitMs: 100_000 };
    const request = http.request({ url: server.url, retryAfter, signal: leave.signal });
    const rejected = assert.rejects(request, failure('aborted'));
    await asked.promise;
    await turns();
    leave.abort();
    await rejected;
  });
});
