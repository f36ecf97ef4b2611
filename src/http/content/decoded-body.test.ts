import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import zlib from 'node:zlib';
import { chunkings } from '../../core/testing/chunkings.ts';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { type BodySource, emptyBody, IncomingBody } from '../body.ts';
import { HttpError } from '../errors.ts';
import { CONTENT_LIMITS } from '../limits.ts';
import { text } from '../reply.ts';
import { startHttpServer } from '../server.ts';
import type { Body } from '../types.ts';
import { Fields } from '../wire/fields.ts';
import type { ContentCoding } from './coding.ts';
import { type DecodingLimits, decodedBody } from './decoded-body.ts';

const MEGABYTE = 1_000_000;
const plain = 'naïve façade '.repeat(40);

const encode: Readonly<Record<ContentCoding, (bytes: Uint8Array) => Buffer>> = {
  gzip: (bytes) => zlib.gzipSync(bytes),
  br: (bytes) => zlib.brotliCompressSync(bytes),
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
};
const codings = Object.keys(encode) as ContentCoding[];

const QUIET: BodySource = { wanted: () => undefined, discarded: () => undefined };

function bodyOf(pieces: readonly Buffer[], source: BodySource = QUIET): IncomingBody {
  const body = new IncomingBody(source, undefined);
  for (const piece of pieces) body.push(piece);
  body.finish(Fields.from([['X-Sum', '1']]));
  return body;
}

function decoded(coding: string, pieces: readonly Buffer[], limits?: DecodingLimits): Body {
  return decodedBody({ headers: Fields.from([['Content-Encoding', coding]]), body: bodyOf(pieces) }, limits);
}

function refusedWith(status: number): (error: unknown) => boolean {
  return (error) => error instanceof HttpError && error.status === status;
}

suite('a coded body', () => {
  for (const coding of codings) {
    test(`${coding}: the same however it is cut`, async () => {
      const coded = encode[coding](Buffer.from(plain));
      for (const pieces of chunkings(coded)) assert.equal(await decoded(coding, pieces).text(10_000), plain);
    });

    test(`${coding}: neither cut off, nor followed by anything, nor something else`, async () => {
      const coded = encode[coding](Buffer.from(plain));
      const bad: readonly (readonly Buffer[])[] = [
        [],
        [coded.subarray(0, -1)],
        [coded.subarray(0, 5)],
        [Buffer.from('not coded at all')],
        [coded, Buffer.from('x')],
        [coded, Buffer.from('a second request, perhaps'), Buffer.from('and a third')],
        [Buffer.concat([coded, Buffer.from('GET / HTTP/1.1\r\n\r\n')])],
      ];
      for (const pieces of bad) {
        await assert.rejects(decoded(coding, pieces).bytes(MEGABYTE), refusedWith(400), String(pieces));
      }
    });

    test(`${coding}: a bomb is stopped by its ratio, early`, async () => {
      const bomb = encode[coding](Buffer.alloc(50 * MEGABYTE));
      let seen = 0;
      await assert.rejects(async () => {
        for await (const piece of decoded(coding, [bomb])) seen += piece.length;
      }, refusedWith(413));
      assert.ok(seen <= Math.max(CONTENT_LIMITS.decodedFreeBytes, bomb.length * CONTENT_LIMITS.decodedRatio));
    });

    test(`${coding}: and by its length, whatever its ratio`, async () => {
      const long = encode[coding](Buffer.alloc(200_000, 'ab'));
      const limits = { bytes: 100_000, ratio: 1_000_000 };
      await assert.rejects(decoded(coding, [long], limits).bytes(MEGABYTE), refusedWith(413));
      await assert.rejects(decoded(coding, [long], { ratio: 1_000_000 }).bytes(100_000), refusedWith(413));
      assert.equal((await decoded(coding, [long], { ratio: 1_000_000 }).bytes(200_000)).length, 200_000);
    });
  }

  test('short blanks are no bomb', async () => {
    const coded = encode.gzip(Buffer.alloc(CONTENT_LIMITS.decodedFreeBytes, ' '));
    assert.equal((await decoded('gzip', [coded]).bytes(MEGABYTE)).length, CONTENT_LIMITS.decodedFreeBytes);
  });

  test('zstd that asks for a window of more than 8 MiB is refused before it is decoded', async () => {
    // Magic, a frame header with a window descriptor of 128 MiB, one raw block of one byte.
    const frame = Buffer.from('28b52ffd0088090000' + '78', 'hex');
    await assert.rejects(decoded('zstd', [frame]).bytes(MEGABYTE), refusedWith(400));
    const small = Buffer.from('28b52ffd0050090000' + '78', 'hex');
    assert.equal(await decoded('zstd', [small]).text(MEGABYTE), 'x');
  });

  test('gzip of several members is all of them', async () => {
    const coded = Buffer.concat([encode.gzip(Buffer.from('one ')), encode.gzip(Buffer.from('two'))]);
    assert.equal(await decoded('gzip', [coded]).text(100), 'one two');
  });

  test('names in any case, the older one, and identity beside', async () => {
    const coded = encode.gzip(Buffer.from('x'));
    for (const name of ['GZIP', 'x-gzip', 'gzip, identity', 'identity,gzip,'])
      assert.equal(await decoded(name, [coded]).text(10), 'x', name);
  });

  test('without a coding is the body itself', () => {
    for (const field of [undefined, '', 'identity', 'Identity, identity']) {
      const body = emptyBody();
      const headers = Fields.from(field === undefined ? [] : [['Content-Encoding', field]]);
      assert.equal(decodedBody({ headers, body }), body);
    }
  });

  test('of an unknown coding, or of two, is 415 with those that are known', () => {
    for (const name of ['deflate', 'compress', 'gzip, br', 'gzip, gzip', 'bzip2', '*', 'gzip;q=1']) {
      assert.throws(
        () => decoded(name, []),
        (error: unknown) => {
          assert.ok(refusedWith(415)(error), name);
          assert.deepEqual((error as HttpError).headers, [['Accept-Encoding', 'br, zstd, gzip']]);
          return true;
        },
      );
    }
  });

  test('text that is not UTF-8 is 400', async () => {
    await assert.rejects(decoded('gzip', [encode.gzip(Buffer.of(0xff))]).text(10), refusedWith(400));
  });

  test('what breaks on its way keeps its own error', async () => {
    const body = new IncomingBody(QUIET, undefined);
    const coded = encode.gzip(Buffer.from(plain));
    body.push(coded.subarray(0, 20));
    const reading = decodedBody({ headers: Fields.from([['Content-Encoding', 'gzip']]), body }).bytes(
      MEGABYTE,
    );
    body.fail(new HttpError(408, 'too slow'));
    await assert.rejects(reading, refusedWith(408));
  });

  test('a reader that stops lets the rest go', async () => {
    const gone = Promise.withResolvers<void>();
    const body = new IncomingBody({ wanted: () => undefined, discarded: () => gone.resolve() }, undefined);
    // More than the decoder takes at once, so that the feeder waits for room.
    for (let at = 0; at < 64; at++) body.push(encode.gzip(Buffer.alloc(100_000, String(at))));
    for await (const _ of decodedBody({ headers: Fields.from([['Content-Encoding', 'gzip']]), body })) break;
    body.push(Buffer.from('x'));
    await gone.promise;
  });

  test('trailers come through, and discarding discards', async () => {
    const body = decoded('gzip', [encode.gzip(Buffer.from('x'))]);
    await body.bytes(10);
    assert.equal(body.trailers().get('x-sum'), '1');
    let discarded = 0;
    const open = new IncomingBody({ wanted: () => undefined, discarded: () => void discarded++ }, undefined);
    decodedBody({ headers: Fields.from([['Content-Encoding', 'br']]), body: open }).discard();
    assert.equal(discarded, 1);
  });
});

suite('coded requests on a socket', () => {
  async function answer(...parts: (string | Buffer)[]): Promise<string> {
    const host = testHost('http');
    const handler = async (request: Parameters<typeof decodedBody>[0]) =>
      text(200, `${(await decodedBody(request).bytes(MEGABYTE)).length} bytes`);
    await using server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler });
    const peer = await Peer.connect(host.network, server.endpoint);
    for (const part of parts) peer.send(part);
    const received = (await peer.untilClosed()).toString('latin1');
    peer.close();
    return received;
  }

  const post = (coding: string, length: number, ...more: string[]): string =>
    `${['POST / HTTP/1.1', 'Host: a', 'Connection: close', `Content-Encoding: ${coding}`, `Content-Length: ${length}`, ...more].join('\r\n')}\r\n\r\n`;

  test('are read decoded', async () => {
    const coded = encode.br(Buffer.from(plain));
    assert.match(await answer(post('br', coded.length), coded), /^HTTP\/1\.1 200 .*\r\n\r\n600 bytes$/s);
  });

  for (const coding of codings) {
    test(`${coding} bomb: 413, and the server goes on`, async () => {
      const bomb = encode[coding](Buffer.alloc(20 * MEGABYTE));
      assert.match(await answer(post(coding, bomb.length), bomb), /^HTTP\/1\.1 413 /);
    });
  }

  test('an unknown coding is refused before its content is asked for', async () => {
    const received = await answer(post('deflate', 10, 'Expect: 100-continue'));
    assert.match(received, /^HTTP\/1\.1 415 .*\r\nAccept-Encoding: br, zstd, gzip\r\n/s);
    assert.ok(!received.includes('100 Continue'));
  });

  test('garbage is 400', async () => {
    assert.match(await answer(post('gzip', 7), 'garbage'), /^HTTP\/1\.1 400 /);
  });
});
