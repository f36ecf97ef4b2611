import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../core/random/seeded-random.ts';
import type { ByteRange } from '../conditional/range.ts';
import type { HeaderList, HttpResponse } from '../types.ts';
import { formatDate } from '../wire/date.ts';
import { Fields } from '../wire/fields.ts';
import { type Content, ContentBody, type Representation, respondWith } from './representation.ts';

const modified = Date.UTC(2026, 5, 1, 12, 0, 0);
const text = Buffer.from(
  Array.from({ length: 300 }, (_, at) => String.fromCharCode(97 + (at % 26))).join(''),
);

/** Bytes behind a door: read in pieces, and released once. */
class Stored implements Content {
  readonly bytes: Buffer;
  readonly pieceBytes: number;
  released = 0;

  constructor(bytes: Buffer, pieceBytes = 7) {
    this.bytes = bytes;
    this.pieceBytes = pieceBytes;
  }

  async *read({ first, last }: ByteRange): AsyncGenerator<Buffer, void, void> {
    assert.equal(this.released, 0);
    for (let at = first; at <= last; at += this.pieceBytes)
      yield this.bytes.subarray(at, Math.min(at + this.pieceBytes, last + 1));
  }

  release(): void {
    this.released++;
  }
}

const representation: Representation = {
  sizeBytes: text.length,
  type: 'text/plain',
  content: text,
  etag: '"v1"',
  lastModifiedMs: modified,
  nowMs: modified + 60_000,
  headers: [['Cache-Control', 'no-cache']],
  contentHeaders: [['X-Content-Type-Options', 'nosniff']],
};

function respond(method: string, headers: HeaderList, content: Buffer | Content = text): HttpResponse {
  const request = { method, headers: Fields.from(headers) };
  const sizeBytes = content instanceof Stored ? content.bytes.length : (content as Buffer).length;
  return respondWith(request, { ...representation, sizeBytes, content }, new SeededRandom(1));
}

async function bytesOf(response: HttpResponse): Promise<Buffer> {
  const { body } = response;
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body as Buffer);
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

const DESCRIBED: HeaderList = [
  ['Accept-Ranges', 'bytes'],
  ['ETag', '"v1"'],
  ['Last-Modified', 'Mon, 01 Jun 2026 12:00:00 GMT'],
  ['Cache-Control', 'no-cache'],
  ['X-Content-Type-Options', 'nosniff'],
];

suite('a representation is answered', () => {
  test('whole', async () => {
    const response = respond('GET', []);
    assert.equal(response.status, 200);
    assert.deepEqual(response.headers, [
      ['Content-Type', 'text/plain'],
      ...DESCRIBED,
      ['Content-Length', '300'],
    ]);
    assert.deepEqual(await bytesOf(response), text);
  });

  test('to HEAD as to GET, without content, and Range is not for it', () => {
    for (const headers of [[], [['Range', 'bytes=0-9']]] as HeaderList[]) {
      const content = new Stored(text);
      const response = respond('HEAD', headers, content);
      assert.deepEqual(response, { status: 200, headers: respond('GET', []).headers });
      assert.equal(content.released, 1);
    }
  });

  test('in one part', async () => {
    const response = respond('GET', [['Range', 'bytes=10-19']]);
    assert.equal(response.status, 206);
    assert.deepEqual(response.headers, [
      ['Content-Type', 'text/plain'],
      ['Content-Range', 'bytes 10-19/300'],
      ...DESCRIBED,
      ['Content-Length', '10'],
    ]);
    assert.equal(String(await bytesOf(response)), 'klmnopqrst');
  });

  test('in parts, in the order asked for, byte for byte', async () => {
    const boundary = new SeededRandom(1).bytes(16).toString('hex');
    const expected =
      `--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 200-201/300\r\n\r\nst\r\n` +
      `--${boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-2/300\r\n\r\nabc\r\n` +
      `--${boundary}--\r\n`;
    for (const content of [text, new Stored(text, 1), new Stored(text, 1_000)]) {
      const response = respond('GET', [['Range', 'bytes=200-201,0-2']], content);
      assert.equal(response.status, 206);
      assert.deepEqual(response.headers, [
        ['Content-Type', `multipart/byteranges; boundary=${boundary}`],
        ...DESCRIBED,
        ['Content-Length', String(expected.length)],
      ]);
      assert.equal(String(await bytesOf(response)), expected);
      if (content instanceof Stored) assert.equal(content.released, 1);
    }
  });

  test('two ranges that join are one part, and not a multipart of one', async () => {
    const response = respond('GET', [['Range', 'bytes=0-4,3-9']]);
    assert.deepEqual(response.headers?.[1], ['Content-Range', 'bytes 0-9/300']);
    assert.equal(String(await bytesOf(response)), 'abcdefghij');
  });

  test('with 416 and the size when no range lies within', () => {
    const content = new Stored(text);
    const response = respond('GET', [['Range', 'bytes=300-']], content);
    assert.equal(response.status, 416);
    assert.ok(response.headers?.some(([name, value]) => name === 'Content-Range' && value === 'bytes */300'));
    assert.equal(content.released, 1);
  });

  test('whole when Range cannot be understood, or comes too often', async () => {
    const flood = `bytes=${Array.from({ length: 1_000 }, (_, at) => `${at % 300}-`).join(',')}`;
    for (const value of ['items=0-1', 'bytes=9-1', 'bytes=abc', flood]) {
      const response = respond('GET', [['Range', value]]);
      assert.equal(response.status, 200, value);
      assert.deepEqual(await bytesOf(response), text);
    }
  });

  test('never longer than the whole and its heads, however ranges overlap', async () => {
    const response = respond('GET', [['Range', `bytes=${'0-,'.repeat(15)}0-`]]);
    assert.equal((await bytesOf(response)).length, 300);
  });

  test('of nothing', () => {
    const empty = respond('GET', [], Buffer.alloc(0));
    assert.equal(empty.status, 200);
    assert.equal(empty.body, undefined);
    assert.deepEqual(empty.headers?.at(-1), ['Content-Length', '0']);
    assert.equal(respond('GET', [['Range', 'bytes=0-']], Buffer.alloc(0)).status, 416);
    assert.equal(respond('GET', [['Range', 'bytes=-1']], Buffer.alloc(0)).status, 200);
  });

  test('with 304 and what guides a cache, nothing more', () => {
    for (const method of ['GET', 'HEAD']) {
      const content = new Stored(text);
      assert.deepEqual(
        respond(
          method,
          [
            ['If-None-Match', 'W/"v1"'],
            ['Range', 'bytes=0-1'],
          ],
          content,
        ),
        {
          status: 304,
          headers: [
            ['Cache-Control', 'no-cache'],
            ['ETag', '"v1"'],
          ],
        },
      );
      assert.equal(content.released, 1);
    }
    const { etag: _, ...untagged } = representation;
    const request = { method: 'GET', headers: Fields.from([['If-Modified-Since', formatDate(modified)]]) };
    assert.deepEqual(respondWith(request, untagged, new SeededRandom(1)), {
      status: 304,
      headers: [
        ['Cache-Control', 'no-cache'],
        ['Last-Modified', 'Mon, 01 Jun 2026 12:00:00 GMT'],
      ],
    });
  });

  test('with 412, and the content let go', () => {
    const content = new Stored(text);
    assert.equal(respond('GET', [['If-Match', '"v0"']], content).status, 412);
    assert.equal(content.released, 1);
  });

  const ifRange: readonly [value: string, status: number][] = [
    ['"v1"', 206],
    ['"v0"', 200],
    ['W/"v1"', 200],
    ['"v1--gzip"', 200],
    [formatDate(modified), 206],
    [formatDate(modified + 1_000), 200],
    [formatDate(modified - 1_000), 200],
    ['nonsense', 200],
  ];
  for (const [value, status] of ifRange) {
    test(`to If-Range: ${value} with ${status}`, () => {
      assert.equal(
        respond('GET', [
          ['Range', 'bytes=0-1'],
          ['If-Range', value],
        ]).status,
        status,
      );
    });
  }

  test('and lets its content go when it is dropped unread, once', async () => {
    const content = new Stored(text);
    const { body } = respond('GET', [], content);
    assert.ok(body instanceof ContentBody);
    body.discard();
    body.discard();
    assert.equal(content.released, 1);
  });

  test('and when its reader stops early, or the content fails', async () => {
    const content = new Stored(text);
    for await (const _ of respond('GET', [], content).body as ContentBody) break;
    assert.equal(content.released, 1);
    const broken = new Stored(text);
    // biome-ignore lint/correctness/useYield: it fails before
    broken.read = async function* () {
      throw new Error('gone');
    };
    await assert.rejects((respond('GET', [], broken).body as ContentBody).bytes(), /gone/);
    assert.equal(broken.released, 1);
  });

  test('all its parts together are the slices asked for', async () => {
    const range = fc.tuple(fc.nat(299), fc.nat(120)).map(([first, more]) => [first, first + more] as const);
    await fc.assert(
      fc.asyncProperty(
        fc.array(range, { minLength: 1, maxLength: 16 }),
        fc.integer({ min: 1, max: 50 }),
        async (asked, piece) => {
          const field = `bytes=${asked.map(([first, last]) => `${first}-${last}`).join(', ')}`;
          const stored = new Stored(text, piece);
          const response = respond('GET', [['Range', field]], stored);
          const body = await bytesOf(response);
          assert.equal(stored.released, 1);
          assert.equal(
            body.length,
            Number(response.headers?.find(([name]) => name === 'Content-Length')?.[1]),
          );
          const parts = partsOf(response, body);
          for (const [first, last] of asked) {
            const end = Math.min(last, 299);
            const holder = parts.find((part) => part.first <= first && part.last >= end);
            assert.ok(holder !== undefined);
            assert.deepEqual(
              holder.bytes.subarray(first - holder.first, end + 1 - holder.first),
              text.subarray(first, end + 1),
            );
          }
        },
      ),
    );
  });
});

function partsOf(response: HttpResponse, body: Buffer): { first: number; last: number; bytes: Buffer }[] {
  const placed = (place: string, bytes: Buffer) => {
    const [first = 0, last = 0] = place.split('/')[0]!.split('-').map(Number);
    assert.equal(bytes.length, last - first + 1);
    return { first, last, bytes };
  };
  const single = response.headers?.find(([name]) => name === 'Content-Range')?.[1];
  if (single !== undefined) return [placed(single.slice(6), body)];
  const boundary = response.headers![0]![1].split('boundary=')[1]!;
  const pieces = body.toString('latin1').split(`--${boundary}`);
  assert.equal(pieces.at(-1), '--\r\n');
  return pieces.slice(1, -1).map((piece) => {
    const headEnd = piece.indexOf('\r\n\r\n');
    const place = piece.slice(piece.indexOf('bytes ') + 6, headEnd);
    return placed(place, Buffer.from(piece.slice(headEnd + 4, -2), 'latin1'));
  });
}
