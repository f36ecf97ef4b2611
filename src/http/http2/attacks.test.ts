/** What a hostile client may send, frame by frame, and what it gets: GOAWAY with ENHANCE_YOUR_CALM, or its own stream reset. */
import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import type { Endpoint, Network } from '../../core/net/network.ts';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import type { HttpLimits } from '../limits.ts';
import { text } from '../reply.ts';
import { type HttpServer, startHttpServer } from '../server.ts';
import {
  block,
  continuation,
  data,
  frame,
  GET,
  headers,
  keptField,
  PREFACE,
  ping,
  priority,
  reset,
  settings,
  windowUpdate,
} from '../testing/http2-frames.ts';
import type { Handler, HttpRequest } from '../types.ts';

interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** A client that sends what it is told, and waits for frames. */
class RawClient {
  readonly peer: Peer;

  private constructor(peer: Peer) {
    this.peer = peer;
  }

  /** Connected, with preface and SETTINGS sent. */
  static async connect(network: Network, to: Endpoint, ...first: Buffer[]): Promise<RawClient> {
    const client = new RawClient(await Peer.connect(network, to));
    client.send(PREFACE, ...(first.length > 0 ? first : [settings()]));
    return client;
  }

  send(...frames: Buffer[]): void {
    this.peer.send(Buffer.concat(frames));
  }

  /** Whole frames received so far. */
  get frames(): ReceivedFrame[] {
    const bytes = this.peer.received;
    const frames: ReceivedFrame[] = [];
    for (let at = 0; at + 9 <= bytes.length; ) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      const streamId = bytes.readUInt32BE(at + 5);
      frames.push({
        type: bytes[at + 3]!,
        flags: bytes[at + 4]!,
        streamId,
        payload: bytes.subarray(at + 9, end),
      });
      at = end;
    }
    return frames;
  }

  /** Waits for a frame. @throws when the connection closes without it */
  async until(wanted: (frame: ReceivedFrame) => boolean): Promise<ReceivedFrame> {
    await this.peer.until(() => this.frames.some(wanted));
    return this.frames.find(wanted)!;
  }

  /** The error code of the server's last GOAWAY, once it has closed the connection. */
  async farewell(): Promise<number | undefined> {
    await this.peer.until(() => this.peer.closed || this.frames.some(isErrorGoaway)).catch(() => undefined);
    const last = this.frames.findLast(({ type }) => type === 7);
    return last?.payload.readUInt32BE(4);
  }
}

function isErrorGoaway({ type, payload }: ReceivedFrame): boolean {
  return type === 7 && payload.readUInt32BE(4) !== 0;
}

const CALM = 11;
const PROTOCOL_ERROR = 1;

interface Running extends AsyncDisposable {
  readonly server: HttpServer;
  readonly clock: SimulatedClock;
  raw(...first: Buffer[]): Promise<RawClient>;
}

async function start(
  handler: Handler = () => text(200, 'x'),
  limits: Partial<HttpLimits> = {},
): Promise<Running> {
  const clock = new SimulatedClock();
  const host = testHost('http', { clock });
  const address = { host: '127.0.0.1', port: 0 };
  const server = await startHttpServer({ host, address, http2: 'cleartext', handler, limits });
  const clients: RawClient[] = [];
  return {
    server,
    clock,
    async raw(...first) {
      const client = await RawClient.connect(host.network, server.endpoint, ...first);
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.peer.close();
      await server.close(0);
    },
  };
}

async function eventually(met: () => boolean): Promise<void> {
  const patience = AbortSignal.timeout(10_000);
  while (!met()) {
    if (patience.aborted) throw new Error('it never came true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Sends batches until the server has closed, at most so many. @returns the code of its GOAWAY */
async function flood(
  client: RawClient,
  batch: (at: number) => Buffer[],
  batches = 400,
): Promise<number | undefined> {
  for (let at = 0; at < batches && !client.peer.closed; at++) {
    client.send(...batch(at));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return client.farewell();
}

const times = (count: number, make: (at: number) => Buffer): Buffer[] =>
  Array.from({ length: count }, (_, at) => make(at));
const get = block(GET);

suite('a flood is ended with ENHANCE_YOUR_CALM:', () => {
  const floods: [what: string, batch: (at: number) => Buffer[]][] = [
    ['SETTINGS (CVE-2019-9515)', () => times(20, () => settings([3, 100]))],
    ['PING (CVE-2019-9512)', () => times(20, ping)],
    ['PRIORITY (CVE-2019-9513)', () => times(20, (at) => priority(2 * at + 3))],
    ['unknown frames', () => times(20, () => frame(0xbb, 0, 0, 'x'))],
    ['WINDOW_UPDATE', () => times(20, () => windowUpdate(0, 2_000))],
    ['WINDOW_UPDATE by one', () => times(20, () => windowUpdate(0, 1))],
    [
      'rapid reset (CVE-2023-44487)',
      (batch) =>
        times(10, (at) => {
          const stream = 2 * (10 * batch + at) + 1;
          return Buffer.concat([headers(stream, get), reset(stream)]);
        }),
    ],
    [
      'made-you-reset (CVE-2025-8671), by content shorter than it says',
      (batch) =>
        times(10, (at) => {
          const stream = 2 * (10 * batch + at) + 1;
          const post = block([[':method', 'POST'], ...GET.slice(1), ['content-length', '2']]);
          return Buffer.concat([headers(stream, post, 4), data(stream, 'x', 1)]);
        }),
    ],
  ];
  for (const [what, batch] of floods) {
    test(what, async () => {
      let handled = 0;
      await using running = await start(async (request) => {
        handled++;
        await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
        return text(200, 'x');
      });
      assert.equal(await flood(await running.raw(), batch), CALM);
      assert.ok(handled <= 600, `${handled} handlers were started`);
      await eventually(() => running.server.connectionCount === 0);
    });
  }

  test('made-you-reset by what concerns the whole connection ends it at once', async () => {
    await using running = await start(() => new Promise(() => undefined));
    const causes: [cause: Buffer, code: number][] = [
      [windowUpdate(1, 2 ** 31 - 1), 3],
      [windowUpdate(1, 0), 1],
      [data(1, 'x', 1), 5],
      [frame(2, 0, 1, 'abc'), 6],
      [frame(3, 0, 1, 'abc'), 6],
    ];
    for (const [cause, code] of causes) {
      const client = await running.raw();
      client.send(headers(1, get), cause);
      assert.equal(await client.farewell(), code);
    }
  });

  test('empty DATA (CVE-2019-9518)', async () => {
    await using running = await start(async ({ body }) => text(200, await body.text(100)));
    const client = await running.raw();
    client.send(headers(1, block([[':method', 'POST'], ...GET.slice(1)]), 4));
    assert.equal(await flood(client, () => times(20, () => data(1, ''))), CALM);
  });

  test('CONTINUATION without end (CVE-2024-27316), in small pieces and in large ones', async () => {
    await using running = await start();
    for (const [first, piece, count] of [
      [get, block([['x', 'y']]), 9],
      [block([['x', 'y'.repeat(16_000)]]), block([['x', 'y'.repeat(16_000)]]), 3],
      [get, Buffer.alloc(0), 9],
    ] as const) {
      const client = await running.raw();
      client.send(headers(1, first, 0), ...times(count, () => continuation(1, piece)));
      assert.equal(await client.farewell(), CALM);
    }
  });

  test('HPACK bombs: each stream is refused, and many of them end the connection', async () => {
    let handled = 0;
    await using running = await start(() => {
      handled++;
      return text(200, 'x');
    });
    const client = await running.raw();
    const huge = keptField('x', 'y'.repeat(4_000));
    client.send(headers(1, Buffer.concat([get, huge])));
    await client.until(({ type, streamId }) => type === 1 && streamId === 1);
    // One byte each stands for 4 kB: 16 kB of block for 64 MB of fields.
    const bomb = (stream: number): Buffer =>
      headers(stream, Buffer.concat([get, Buffer.alloc(16_000, 0x80 | 62)]));
    client.send(bomb(3));
    const refusal = await client.until(({ type, streamId }) => type === 3 && streamId === 3);
    assert.equal(refusal.payload.readUInt32BE(), CALM);
    assert.equal(handled, 1);
    assert.equal(await flood(client, (at) => [bomb(2 * at + 5)], 520), CALM);
  });
});

suite('a window that stays shut', () => {
  const big: Handler = () => ({ status: 200, body: Buffer.alloc(1_000_000) });

  test('ends the connection when nothing else moves', async () => {
    await using running = await start(big);
    const client = await running.raw(settings([4, 0]));
    client.send(headers(1, get));
    await client.until(({ type }) => type === 1);
    await running.clock.advance(29_000);
    assert.equal(client.peer.closed, false);
    await running.clock.advance(4_000);
    assert.equal(await client.farewell(), CALM);
  });

  test('is not opened by a byte now and then', async () => {
    await using running = await start(big);
    const client = await running.raw(settings([4, 0]));
    client.send(headers(1, get));
    await client.until(({ type }) => type === 1);
    let sent = 0;
    for (; sent < 60 && !client.peer.closed; sent++) {
      client.send(windowUpdate(1, 1));
      if (client.peer.closed) break;
      await client
        .until(() => client.frames.filter(({ type }) => type === 0).length > sent)
        .catch(() => undefined);
      await running.clock.advance(1_000);
    }
    assert.equal(await client.farewell(), CALM);
    assert.ok(sent < 40, `${sent} seconds`);
  });

  test('ends only its stream when others flow', async () => {
    await using running = await start(({ path }) =>
      path === '/' ? big({} as HttpRequest) : new Promise(() => undefined),
    );
    const client = await running.raw(settings([4, 0]));
    client.send(headers(1, get), headers(3, block([...GET.slice(0, 2), [':path', '/other'], GET[3]!])));
    await client.until(({ type }) => type === 1);
    await running.clock.advance(33_000);
    const frame = await client.until(({ type, streamId }) => type === 3 && streamId === 1);
    assert.equal(frame.payload.readUInt32BE(), CALM);
    assert.equal(client.peer.closed, false);
  });
});

suite('slowly', () => {
  test('a connection on which nothing is asked', async () => {
    await using running = await start();
    const silent = await running.raw();
    await silent.until(({ type }) => type === 4);
    await running.clock.advance(31_000);
    await running.clock.advance(2_000);
    await eventually(() => running.server.connectionCount === 0);
    assert.equal(await silent.farewell(), 0);
  });

  test('a preface that does not come to its end', async () => {
    await using running = await start();
    const client = await running.raw(Buffer.alloc(0));
    client.peer.close();
    await eventually(() => running.server.connectionCount === 0);
    const host = testHost('http');
    const half = await host.network.connect({
      host: '127.0.0.1',
      port: running.server.endpoint.port,
      timeoutMs: 1_000,
    });
    half.attach({ data: () => undefined });
    half.write('PRI * HTTP');
    await eventually(() => running.server.connectionCount === 1);
    await running.clock.advance(31_000);
    await eventually(() => running.server.connectionCount === 0);
  });

  test('a header block that does not come to its end', async () => {
    await using running = await start();
    const client = await running.raw();
    await client.until(({ type, flags }) => type === 4 && flags === 1);
    client.send(headers(1, get, 1));
    let seconds = 0;
    for (; seconds < 60 && !client.peer.closed; seconds++) {
      await running.clock.advance(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await client.farewell(), CALM);
    assert.ok(seconds < 20, `${seconds} seconds`);
  });
});

suite('a request that is not allowed', () => {
  const streams: [what: string, fields: readonly (readonly [string, string])[]][] = [
    ['a name in upper case', [...GET, ['X-Upper', 'y']]],
    ['a field of the connection', [...GET, ['connection', 'close']]],
    ['Transfer-Encoding', [...GET, ['transfer-encoding', 'chunked']]],
    ['TE other than trailers', [...GET, ['te', 'gzip']]],
    ['a pseudo-field after a field', [...GET.slice(0, 3), ['x', 'y'], GET[3]!]],
    ['a pseudo-field twice', [...GET, [':path', '/other']]],
    ['an unknown pseudo-field', [...GET, [':status', '200']]],
    ['no method', GET.slice(1)],
    ['no path', [...GET.slice(0, 2), GET[3]!]],
    ['an empty path', [...GET.slice(0, 2), [':path', ''], GET[3]!]],
    ['two lengths', [...GET, ['content-length', '0'], ['content-length', '0']]],
    ['a length that is no number', [...GET, ['content-length', '+1']]],
    ['another Host', [...GET, ['host', 'b.test']]],
    ['no host at all', GET.slice(0, 3)],
    ['userinfo', [...GET.slice(0, 3), [':authority', 'a@b.test']]],
    ['a blank in the path', [...GET.slice(0, 2), [':path', '/a b'], GET[3]!]],
  ];
  for (const [what, fields] of streams) {
    test(`${what}: 400 or reset, and the connection lives`, async () => {
      const seen: string[] = [];
      await using running = await start(({ path }) => {
        seen.push(path);
        return text(200, 'x');
      });
      const client = await running.raw();
      client.send(headers(1, block(fields)));
      const answer = await client.until(({ type, streamId }) => streamId === 1 && (type === 1 || type === 3));
      if (answer.type === 3) assert.equal(answer.payload.readUInt32BE(), PROTOCOL_ERROR);
      // `:status 400` is 8c in the static table.
      else assert.equal(answer.payload[0], 0x8c);
      client.send(headers(3, block([...GET.slice(0, 2), [':path', '/next'], GET[3]!])));
      await client.until(({ type, streamId }) => streamId === 3 && type === 1);
      assert.deepEqual(seen, ['/next']);
    });
  }

  test('a field that no HTTP/1.1 could carry is never seen: nghttp2 leaves it out, and answers the rest', async () => {
    let seen: string[] = [];
    await using running = await start(({ headers: fields }) => {
      seen = [...fields].map(([name]) => name);
      return text(200, 'x');
    });
    const client = await running.raw();
    const bad = [
      ['x-a', 'a\r\nb: c'],
      ['x-b', 'a\0b'],
      ['x c', 'c'],
      ['', 'd'],
      ['x-e', 'e'],
    ] as const;
    client.send(headers(1, block([...GET, ...bad])));
    await client.until(({ type, streamId }) => streamId === 1 && (type === 1 || type === 3));
    assert.ok(
      seen.every((name) => ['host', 'x-e'].includes(name)),
      seen.join(),
    );
  });

  const lengths: [what: string, content: string][] = [
    ['more', 'abcdef'],
    ['less', 'ab'],
  ];
  for (const [what, content] of lengths) {
    test(`${what} content than Content-Length is never taken for whole`, async () => {
      const outcomes: string[] = [];
      let begun = false;
      await using running = await start(async ({ body }) => {
        begun = true;
        await body.text(100).then(
          (whole) => outcomes.push(whole),
          () => outcomes.push('failed'),
        );
        return text(200, 'x');
      });
      const client = await running.raw();
      const post = block([[':method', 'POST'], ...GET.slice(1), ['content-length', '4']]);
      client.send(headers(1, post, 4));
      await eventually(() => begun);
      client.send(data(1, content, 1));
      await eventually(() => outcomes.length === 1);
      assert.deepEqual(outcomes, ['failed']);
    });
  }

  for (const code of [0, 8]) {
    test(`content that is reset with code ${code} is never taken for whole`, async () => {
      const outcomes: string[] = [];
      let begun = false;
      await using running = await start(async ({ body }) => {
        begun = true;
        await body.text(100).then(
          (whole) => outcomes.push(whole),
          () => outcomes.push('failed'),
        );
        return text(200, 'x');
      });
      const client = await running.raw();
      client.send(headers(1, block([[':method', 'POST'], ...GET.slice(1)]), 4), data(1, 'abc'));
      await eventually(() => begun);
      client.send(reset(1, code));
      await eventually(() => outcomes.length === 1);
      assert.deepEqual(outcomes, ['failed']);
    });
  }

  test('more streams than allowed are refused, also when cancelled ones are still at work', async () => {
    let working = 0;
    await using running = await start(
      () => {
        working++;
        return new Promise(() => undefined);
      },
      { http2Streams: 5 },
    );
    const client = await running.raw();
    client.send(...times(6, (at) => headers(2 * at + 1, get)));
    const refusal = await client.until(({ type }) => type === 3);
    assert.deepEqual([refusal.streamId, refusal.payload.readUInt32BE()], [11, 7]);
    client.send(...times(5, (at) => reset(2 * at + 1)), headers(21, get));
    const again = await client.until(({ type, streamId }) => type === 3 && streamId === 21);
    assert.equal(again.payload.readUInt32BE(), 7);
    assert.equal(working, 5);
  });

  test('a preface that is none, a first frame that is no SETTINGS, a frame too long: the connection ends', async () => {
    await using running = await start();
    const openings: Buffer[][] = [
      [ping()],
      [frame(4, 0, 0, Buffer.alloc(16_390))],
      [data(0, 'x')],
      [headers(2, get)],
    ];
    for (const frames of openings) {
      const client = await running.raw(...frames);
      assert.notEqual(await client.farewell(), 0);
      await client.peer.untilClosed();
    }
    await eventually(() => running.server.connectionCount === 0);
  });

  test('HTTP/1.1 on the same port goes on as ever, whole and byte by byte', async () => {
    await using running = await start(({ version }) => text(200, version));
    const request = 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
    for (const pieces of [[request], [...request]]) {
      const client = await running.raw(Buffer.from(''));
      client.peer.close();
      const connection = await testHost('http').network.connect({
        host: '127.0.0.1',
        port: running.server.endpoint.port,
        timeoutMs: 1_000,
      });
      let answer = '';
      const closed = Promise.withResolvers<void>();
      connection.attach({
        data: (chunk) => {
          answer += chunk.toString();
        },
        close: () => closed.resolve(),
      });
      for (const piece of pieces) {
        connection.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await closed.promise;
      assert.match(answer, /^HTTP\/1\.1 200 .*\r\n\r\n1\.1$/s);
    }
  });
});

test('the whole of a request in one write, and in single bytes', async () => {
  await using running = await start(async ({ body, path }) => text(200, path + (await body.text(100))));
  const post = block([[':method', 'POST'], ...GET.slice(1)]);
  const bytes = Buffer.concat([settings([1, 4_096], [4, 65_535]), headers(1, post, 4), data(1, 'abc', 1)]);
  const whole = await running.raw(bytes);
  const expected = (client: RawClient) =>
    client.until(
      ({ type, streamId, payload }) => type === 0 && streamId === 1 && payload.toString() === '/abc',
    );
  await expected(whole);
  const slow = await running.raw(Buffer.alloc(0));
  await slow.peer.dribble(bytes);
  await expected(slow);
});

test('whatever frames come, others are served, and nothing is left behind', async () => {
  await using running = await start(async ({ body, path }) => text(200, path + (await body.text(1_000))));
  const streamId = fc.constantFrom(0, 1, 3, 5, 2, 2 ** 31 - 1);
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 11 }),
      fc.integer({ min: 0, max: 255 }),
      streamId,
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload));
  const likely = fc.oneof(
    fc
      .constantFrom(get, block([[':method', 'POST'], ...GET.slice(1)]))
      .chain((head) =>
        fc
          .tuple(fc.constantFrom(1, 3, 5, 7), fc.constantFrom(0, 1, 4, 5))
          .map(([id, flags]) => headers(id, head, flags)),
      ),
    fc
      .tuple(fc.constantFrom(1, 3, 5), fc.constantFrom(0, 1))
      .map(([id, flags]) => data(id, 'content', flags)),
    fc.constantFrom(1, 3, 5).map((id) => reset(id)),
    fc.constantFrom(1, 3).map((id) => continuation(id, get, 4)),
    fc.constantFrom(
      settings([4, 0]),
      settings([1, 0], [5, 16_384]),
      ping(),
      windowUpdate(0, 5),
      windowUpdate(1, 9),
    ),
  );
  const conversation = fc.array(fc.oneof({ weight: 4, arbitrary: likely }, anyFrame), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(conversation, fc.nat(), async (frames, at) => {
      const hostile = await running.raw();
      const bytes = Buffer.concat(frames);
      const cut = bytes.length === 0 ? 0 : at % bytes.length;
      hostile.send(bytes.subarray(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      hostile.send(bytes.subarray(cut));
      const other = await running.raw();
      other.send(headers(1, get));
      await other.until(
        ({ type, streamId: id, payload }) => type === 0 && id === 1 && payload.toString() === '/',
      );
      hostile.peer.close();
      other.peer.close();
    }),
    { numRuns: 150 },
  );
  await eventually(() => running.server.connectionCount === 0);
});
