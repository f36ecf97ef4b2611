import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import zlib from 'node:zlib';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { turn } from '../../core/time/turn.ts';
import { evaluateConditions } from '../conditional/conditional.ts';
import { json, text } from '../reply.ts';
import { startHttpServer } from '../server.ts';
import type { Handler, HeaderList, HttpRequest, HttpResponse } from '../types.ts';
import { Fields } from '../wire/fields.ts';
import { CODECS, CODINGS, type ContentCoding } from './coding.ts';
import { compressed } from './compressed.ts';
import { respondWith } from './representation.ts';

const long = 'a line of text that is like the next one\n'.repeat(100);
const TEXT: HeaderList = [['Content-Type', 'text/plain; charset=utf-8']];

const decode: Readonly<Record<ContentCoding, (bytes: Uint8Array) => Buffer>> = {
  gzip: (bytes) => zlib.gunzipSync(bytes),
  br: (bytes) => zlib.brotliDecompressSync(bytes),
  zstd: (bytes) => zlib.zstdDecompressSync(bytes),
};

function requestOf(headers: HeaderList, method = 'GET'): HttpRequest {
  return { method, path: '/', headers: Fields.from(headers) } as unknown as HttpRequest;
}

const gzip: HeaderList = [['Accept-Encoding', 'gzip']];

async function ask(handler: Handler, headers: HeaderList = gzip, method = 'GET'): Promise<HttpResponse> {
  return compressed(handler)(requestOf(headers, method));
}

function field(response: HttpResponse, name: string): string | undefined {
  return Fields.from(response.headers ?? []).get(name);
}

async function bytesOf({ body }: HttpResponse): Promise<Buffer> {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body);
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* streamOf(...pieces: string[]): AsyncGenerator<Buffer, void, void> {
  for (const piece of pieces) yield Buffer.from(piece);
}

suite('a compressed response', () => {
  for (const coding of CODINGS) {
    for (const size of [2_000, 30_000, 400_000]) {
      test(`${coding} of ${size} bytes, whole and streamed`, async () => {
        const content = long.repeat(Math.ceil(size / long.length)).slice(0, size);
        for (const body of [
          content,
          Buffer.from(content),
          streamOf(content.slice(0, 1_000), content.slice(1_000)),
        ]) {
          const response = await ask(
            () => ({ status: 200, headers: TEXT, body }),
            [['Accept-Encoding', coding]],
          );
          assert.equal(field(response, 'Content-Encoding'), coding);
          assert.equal(field(response, 'Vary'), 'Accept-Encoding');
          const coded = await bytesOf(response);
          assert.ok(coded.length < size / 4);
          assert.equal(String(decode[coding](coded)), content);
        }
      });
    }
  }

  const types: readonly [type: string, isCoded: boolean][] = [
    ['text/html', true],
    ['TEXT/HTML;charset=utf-8', true],
    ['application/json', true],
    ['application/problem+json', true],
    ['image/svg+xml', true],
    ['application/wasm', true],
    ['text/event-stream', true],
    ['image/png', false],
    ['application/zip', false],
    ['application/octet-stream', false],
    ['video/mp4', false],
    ['multipart/byteranges; boundary=x', false],
  ];
  for (const [type, isCoded] of types) {
    test(`${type}: ${isCoded ? 'coded' : 'left alone'}, and Vary says so`, async () => {
      const response = await ask(() => ({ status: 200, headers: [['Content-Type', type]], body: long }));
      assert.equal(field(response, 'Content-Encoding'), isCoded ? 'gzip' : undefined);
      assert.equal(field(response, 'Vary'), isCoded ? 'Accept-Encoding' : undefined);
    });
  }

  test('a type of one’s own choice, and none at all', async () => {
    const options = { isCompressible: (essence: string) => essence === 'application/x-own' };
    const handler = compressed(
      () => ({ status: 200, headers: [['Content-Type', 'Application/X-Own; a=b']], body: long }),
      options,
    );
    assert.equal(field(await handler(requestOf(gzip)), 'Content-Encoding'), 'gzip');
    assert.equal(field(await ask(() => ({ status: 200, body: long })), 'Content-Encoding'), undefined);
  });

  const untouched: readonly [why: string, status: number, headers: HeaderList][] = [
    ['a part', 206, [['Content-Range', 'bytes 0-4099/5000']]],
    ['a Content-Range of any unit', 200, [['Content-Range', 'items 0-9/100']]],
    ['coded already', 200, [['Content-Encoding', 'br']]],
    ['named uncoded by the handler', 200, [['Content-Encoding', 'identity']]],
    ['no-transform', 200, [['Cache-Control', 'public, No-Transform, max-age=1']]],
    ['a digest', 200, [['Repr-Digest', 'sha-256=:x:']]],
    ['a digest of the content', 200, [['Content-Digest', 'sha-256=:x:']]],
    ['an MD5', 200, [['Content-MD5', 'x']]],
    ['no content', 204, []],
    ['reset content', 205, []],
  ];
  for (const [why, status, headers] of untouched) {
    test(`not when it is ${why}: nothing is changed`, async () => {
      const response: HttpResponse = { status, headers: [...TEXT, ...headers, ['ETag', '"a"']], body: long };
      assert.deepEqual(await ask(() => response), response);
    });
  }

  test('errors are coded like answers', async () => {
    const response = await ask(() => json(404, { detail: long }));
    assert.equal(field(response, 'Content-Encoding'), 'gzip');
  });

  test('short content is left alone, but varies; so does what nobody asked to be coded', async () => {
    for (const [body, headers] of [
      ['short', gzip],
      [long, []],
      [long, [['Accept-Encoding', 'deflate']]],
    ] as const) {
      const response = await ask(() => text(200, body), headers);
      assert.equal(response.body, body);
      assert.equal(field(response, 'Content-Encoding'), undefined);
      assert.equal(field(response, 'Vary'), 'Accept-Encoding');
    }
    const declared = await ask(() => ({
      status: 200,
      headers: [...TEXT, ['Content-Length', '5']],
      body: streamOf('short'),
    }));
    assert.equal(field(declared, 'Content-Encoding'), undefined);
  });

  test('what only grows is sent as it is', async () => {
    const noise = new SeededRandom(1).bytes(5_000);
    for (const body of [noise, new SeededRandom(1).bytes(100_000)]) {
      const response = await ask(() => ({ status: 200, headers: TEXT, body }));
      assert.equal(response.body, body);
      assert.equal(field(response, 'Content-Encoding'), undefined);
      assert.equal(field(response, 'Vary'), 'Accept-Encoding');
    }
  });

  const varies: readonly [before: string | undefined, after: string][] = [
    [undefined, 'Accept-Encoding'],
    ['Origin', 'Origin, Accept-Encoding'],
    ['Origin, accept-encoding', 'Origin, accept-encoding'],
    ['*', '*'],
  ];
  for (const [before, after] of varies) {
    test(`Vary: ${before} becomes ${after}`, async () => {
      const response = await ask(() => text(200, long, before === undefined ? [] : [['Vary', before]]));
      assert.equal(field(response, 'Vary'), after);
    });
  }

  test('406 before anything is done, when not even uncoded is acceptable', async () => {
    let calls = 0;
    const response = await ask(() => {
      calls++;
      return text(200, long);
    }, [['Accept-Encoding', 'identity;q=0, *;q=0']]);
    assert.equal(response.status, 406);
    assert.equal(field(response, 'Vary'), 'Accept-Encoding');
    assert.equal(calls, 0);
  });

  test('the length is that of what is sent, and ranges are no more offered', async () => {
    const headers: HeaderList = [
      ...TEXT,
      ['content-length', String(long.length)],
      ['Accept-Ranges', 'bytes'],
    ];
    const response = await ask(() => ({ status: 200, headers, body: long }));
    assert.equal(field(response, 'Content-Length'), undefined);
    assert.equal(field(response, 'Accept-Ranges'), undefined);
  });

  test('to HEAD as to GET, without content and its length', async () => {
    const get = await ask(() => text(200, long, [['ETag', '"a"']]));
    const whole = await ask(() => text(200, long, [['ETag', '"a"']]), gzip, 'HEAD');
    assert.deepEqual(whole, { status: 200, headers: get.headers });
    const length = String(long.length);
    const bodiless = await ask(
      () => ({ status: 200, headers: [...TEXT, ['ETag', '"a"'], ['Content-Length', length]] }),
      gzip,
      'HEAD',
    );
    assert.deepEqual(bodiless, whole);
    const short = await ask(() => text(200, 'short'), gzip, 'HEAD');
    assert.equal(short.body, 'short');
  });

  test('the handler’s failure is its own', async () => {
    await assert.rejects(
      ask(async () => Promise.reject(new Error('mine'))),
      /mine/,
    );
  });
});

suite('entity tags of compressed responses', () => {
  /** A resource that is read and written on conditions, as the handler knows it: without any coding. */
  const resource: Handler = (request) => {
    const verdict = evaluateConditions(request, { etag: '"v1"' });
    if (verdict === 'proceed')
      return request.method === 'GET' ? text(200, long, [['ETag', '"v1"']]) : text(200, 'written');
    return { status: verdict, headers: [['ETag', '"v1"']] };
  };

  test('have the suffix of the coding; weak ones stay', async () => {
    assert.equal(field(await ask(resource), 'ETag'), '"v1--gzip"');
    assert.equal(field(await ask(resource, []), 'ETag'), '"v1"');
    assert.equal(field(await ask(() => text(200, long, [['ETag', 'W/"v1"']])), 'ETag'), 'W/"v1"');
  });

  test('come back in If-None-Match: 304, with the tag of the form that the client has', async () => {
    const cases: readonly [list: string, etag: string | undefined][] = [
      ['"v1--gzip"', '"v1--gzip"'],
      ['"v1--br"', '"v1--br"'],
      ['"v0--gzip", "v1--gzip"', '"v1--gzip"'],
      ['W/"v1--gzip"', 'W/"v1--gzip"'],
      ['"v1"', '"v1"'],
      ['"v0--gzip"', undefined],
      ['"v1--deflate"', undefined],
    ];
    for (const [list, etag] of cases) {
      const response = await ask(resource, [...gzip, ['If-None-Match', list]]);
      assert.equal(response.status, etag === undefined ? 200 : 304, list);
      assert.equal(field(response, 'ETag'), etag ?? '"v1--gzip"', list);
      assert.equal(field(response, 'Vary'), 'Accept-Encoding');
    }
  });

  test('come back in If-Match: who reads coded can write on a condition', async () => {
    const put = async (list: string) => (await ask(resource, [...gzip, ['If-Match', list]], 'PUT')).status;
    assert.equal(await put('"v1--gzip"'), 200);
    assert.equal(await put('"v1"'), 200);
    assert.equal(await put('"v0--gzip"'), 412);
    assert.equal(await put('W/"v1--gzip"'), 412);
  });

  test('are no reason to send a part of another form', async () => {
    const content = Buffer.from(long);
    const ranged: Handler = (request) =>
      respondWith(
        request,
        { sizeBytes: content.length, type: 'text/plain', content, etag: '"v1"' },
        new SeededRandom(1),
      );
    const whole = await ask(ranged, [...gzip, ['Range', 'bytes=0-9'], ['If-Range', '"v1--gzip"']]);
    assert.equal(whole.status, 200);
    assert.equal(field(whole, 'ETag'), '"v1--gzip"');
    const part = await ask(ranged, [...gzip, ['Range', 'bytes=0-2000'], ['If-Range', '"v1"']]);
    assert.equal(part.status, 206);
    assert.equal(field(part, 'Content-Encoding'), undefined);
    assert.equal(field(part, 'ETag'), '"v1"');
    assert.deepEqual(await bytesOf(part), content.subarray(0, 2_001));
  });
});

suite('streams through an encoder', () => {
  test('never more at a time than the bound, and their places come back, read or not', async () => {
    const handler = compressed(() => ({ status: 200, headers: TEXT, body: streamOf(long) }), {
      maxEncoders: 2,
    });
    const codingOf = async (): Promise<[string | undefined, HttpResponse]> => {
      const response = await handler(requestOf(gzip));
      return [field(response, 'Content-Encoding'), response];
    };
    const [[first, one], [second, two], [third, three]] = [
      await codingOf(),
      await codingOf(),
      await codingOf(),
    ];
    assert.deepEqual([first, second, third], ['gzip', 'gzip', undefined]);
    assert.equal(field(three, 'Vary'), 'Accept-Encoding');
    assert.equal(String(await bytesOf(three)), long);
    await bytesOf(one);
    assert.equal((await codingOf())[0], 'gzip');
    assert.equal((await codingOf())[0], undefined);
    (two.body as unknown as { discard(): void }).discard();
    (two.body as unknown as { discard(): void }).discard();
    assert.equal((await codingOf())[0], 'gzip');
    assert.equal((await codingOf())[0], undefined);
  });

  test('long bodies count, too: beyond the bound they are sent as they are', async () => {
    const body = long.repeat(50);
    const handler = compressed(() => text(200, body), { maxEncoders: 2 });
    const responses = await Promise.all(Array.from({ length: 5 }, () => handler(requestOf(gzip))));
    assert.deepEqual(
      responses.map((response) => field(response, 'Content-Encoding')),
      ['gzip', 'gzip', undefined, undefined, undefined],
    );
    assert.equal(field(await handler(requestOf(gzip)), 'Content-Encoding'), 'gzip');
  });

  test('the source is asked for no more than its reader takes', async () => {
    let made = 0;
    async function* endless(): AsyncGenerator<Buffer, void, void> {
      for (;;) {
        made++;
        yield new SeededRandom(made).bytes(65_536);
      }
    }
    const response = await ask(() => ({ status: 200, headers: TEXT, body: endless() }));
    const reader = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    await reader.next();
    // Time enough for anybody who would run ahead.
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(made <= 4, `${made} pieces were made`);
    await reader.return?.();
  });

  test('a reader that stops ends the source', async () => {
    const ended = Promise.withResolvers<void>();
    async function* endless(): AsyncGenerator<Buffer, void, void> {
      try {
        for (;;) yield Buffer.from(long);
      } finally {
        ended.resolve();
      }
    }
    const response = await ask(() => ({ status: 200, headers: TEXT, body: endless() }));
    for await (const _ of response.body as AsyncIterable<Uint8Array>) break;
    await ended.promise;
  });

  test('one that is never sent lets its source go, also a source that fails at that', async () => {
    const left: string[] = [];
    const failing = {
      next: async () => ({ done: true as const, value: undefined }),
      return: async () => {
        left.push('failing');
        throw new Error('the source is out of order');
      },
    };
    const response = await ask(() => ({
      status: 200,
      headers: TEXT,
      body: { [Symbol.asyncIterator]: () => failing } as AsyncIterable<Uint8Array>,
    }));
    (response.body as unknown as { discard(): void }).discard();
    await turn();
    assert.deepEqual(left, ['failing']);
  });

  test('a source that fails fails the reader, with its own error', async () => {
    async function* broken(): AsyncGenerator<Buffer, void, void> {
      yield Buffer.from(long);
      throw new Error('the source is gone');
    }
    const response = await ask(() => ({ status: 200, headers: TEXT, body: broken() }));
    await assert.rejects(bytesOf(response), /the source is gone/);
  });

  for (const coding of CODINGS) {
    test(`${coding}: what a stream has given comes out before what it makes its reader wait for`, async () => {
      const gates = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
      async function* events(): AsyncGenerator<Buffer, void, void> {
        for (const [at, gate] of gates.entries()) {
          await gate.promise;
          yield Buffer.from(`data: ${at}\n\n`);
        }
      }
      const response = await ask(
        () => ({ status: 200, headers: TEXT, body: events() }),
        [['Accept-Encoding', coding]],
      );
      assert.equal(field(response, 'Content-Encoding'), coding);
      const decoder = CODECS[coding].decoder();
      const reading = (async () => {
        for await (const piece of response.body as AsyncIterable<Uint8Array>) decoder.write(piece);
        decoder.end();
      })();
      const out = decoder[Symbol.asyncIterator]();
      for (const [at, gate] of gates.entries()) {
        gate.resolve();
        // Nothing else is on its way: without a flush this would wait for ever.
        assert.equal(String((await out.next()).value), `data: ${at}\n\n`);
      }
      await reading;
    });
  }
});

suite('compressed responses on a socket', () => {
  async function exchange(handler: Handler, ...requests: string[]): Promise<Buffer> {
    const host = testHost('http');
    await using server = await startHttpServer({
      host,
      address: { host: '127.0.0.1', port: 0 },
      handler: compressed(handler),
    });
    const peer = await Peer.connect(host.network, server.endpoint);
    for (const request of requests) peer.send(request);
    const received = await peer.untilClosed();
    peer.close();
    return received;
  }

  const get = (method = 'GET'): string =>
    `${[`${method} / HTTP/1.1`, 'Host: a', 'Accept-Encoding: gzip', 'Connection: close'].join('\r\n')}\r\n\r\n`;

  test('whole, with the length of the coded content', async () => {
    const received = await exchange(() => text(200, long), get());
    const headEnd = received.indexOf('\r\n\r\n') + 4;
    const head = received.toString('latin1', 0, headEnd);
    const body = received.subarray(headEnd);
    assert.ok(head.includes(`Content-Encoding: gzip\r\nContent-Length: ${body.length}\r\n`), head);
    assert.equal(String(zlib.gunzipSync(body)), long);
  });

  test('a tag that comes back is known by the handler, and named again as it came', async () => {
    const seen: (string | undefined)[] = [];
    const handler: Handler = (request) => {
      seen.push(request.headers.get('if-none-match'));
      const verdict = evaluateConditions(request, { etag: '"v1"' });
      return { status: verdict === 'proceed' ? 200 : verdict, headers: [['ETag', '"v1"']] };
    };
    const conditional = get().replace('\r\n\r\n', '\r\nIf-None-Match: "v0", "v1--gzip"\r\n\r\n');
    const received = (await exchange(handler, conditional)).toString('latin1');
    assert.match(received, /^HTTP\/1\.1 304 .*\r\nETag: "v1--gzip"\r\nVary: Accept-Encoding\r\n/s);
    assert.deepEqual(seen, ['"v0", "v1--gzip", "v1"']);
  });

  test('HEAD has neither content nor a wrong length', async () => {
    for (const body of [long, streamOf(long)]) {
      const received = (await exchange(() => ({ status: 200, headers: TEXT, body }), get('HEAD'))).toString(
        'latin1',
      );
      assert.ok(received.includes('Content-Encoding: gzip\r\n'));
      assert.ok(!received.toLowerCase().includes('content-length'));
      assert.ok(received.endsWith('\r\n\r\n'));
    }
  });

  test('streamed, chunked', async () => {
    const received = (
      await exchange(() => ({ status: 200, headers: TEXT, body: streamOf(long, long) }), get())
    ).toString('latin1');
    assert.ok(received.includes('Transfer-Encoding: chunked\r\n'));
    let rest = received.slice(received.indexOf('\r\n\r\n') + 4);
    let coded = '';
    for (let size = -1; size !== 0; ) {
      const lineEnd = rest.indexOf('\r\n');
      size = Number.parseInt(rest.slice(0, lineEnd), 16);
      coded += rest.slice(lineEnd + 2, lineEnd + 2 + size);
      rest = rest.slice(lineEnd + 4 + size);
    }
    assert.equal(String(zlib.gunzipSync(Buffer.from(coded, 'latin1'))), long + long);
  });
});
