import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { emptyBody } from '../body.ts';
import { HttpError } from '../errors.ts';
import { empty, text } from '../reply.ts';
import { createRouter } from '../router/index.ts';
import { startHttpServer } from '../server.ts';
import { bareRequest } from '../testing/bare-request.ts';
import type { Handler, HeaderList, HttpRequest, HttpResponse } from '../types.ts';
import { type AccessRecord, accessLog, formatCombined, recordsTo } from './index.ts';

const request = (overrides: Partial<HttpRequest> = {}, headers: HeaderList = []): HttpRequest =>
  bareRequest('GET', headers, {
    target: '/a?token=secret',
    path: '/a',
    query: 'token=secret',
    remote: { address: '192.0.2.1', port: 4_000 },
    id: 'id-1',
    ...overrides,
  });

interface Logged {
  readonly handle: Handler;
  readonly records: AccessRecord[];
  readonly clock: SimulatedClock;
}

function logged(handler: Handler, withQuery = false): Logged {
  const clock = new SimulatedClock(Date.UTC(2026, 9, 10, 13, 55, 36));
  const records: AccessRecord[] = [];
  return {
    handle: accessLog(handler, { clock, record: (record) => records.push(record), withQuery }),
    records,
    clock,
  };
}

const RECORD: AccessRecord = {
  startMs: Date.UTC(2026, 9, 10, 13, 55, 36),
  durationMs: 0,
  remote: '192.0.2.1',
  method: 'GET',
  target: '/a',
  version: '1.1',
  status: 200,
  sentBytes: 3,
  outcome: 'whole',
  requestId: 'id-1',
};

async function* pieces(...all: string[]): AsyncGenerator<Buffer, void, void> {
  for (const piece of all) yield Buffer.from(piece);
}

suite('a request is recorded', () => {
  test('with its answer, and the answer stays what it is', async () => {
    const response = text(200, 'é!');
    const { handle, records } = logged(() => response);
    assert.equal(handle(request()), response);
    assert.deepEqual(records, [RECORD]);
  });

  test('when a later answer is there', async () => {
    const { handle, records, clock } = logged(async () => {
      clock.spend(250);
      return text(201, 'abc');
    });
    await handle(request());
    assert.deepEqual(records, [{ ...RECORD, status: 201, durationMs: 250 }]);
  });

  test('with who asked, and in which trace', () => {
    const { handle, records } = logged(() => empty(204), true);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    handle(
      request({}, [
        ['Referer', 'http://a/'],
        ['User-Agent', 'x'],
        ['traceparent', traceparent],
      ]),
    );
    assert.deepEqual(records, [
      {
        ...RECORD,
        target: '/a?token=secret',
        status: 204,
        sentBytes: 0,
        traceId: '0af7651916cd43dd8448eb211c80319c',
        referer: 'http://a/',
        userAgent: 'x',
      },
    ]);
  });

  test('with the route that took it, by its name or its pattern', () => {
    const router = createRouter()
      .add('GET', '/a', () => text(200, 'abc'), { name: 'letters.first' })
      .add('GET', '/:other', () => text(200, 'abc'));
    const { handle, records } = logged(router.handle);
    handle(request());
    handle(request({ path: '/b' }));
    handle(request({ path: '/b/c' }));
    assert.deepEqual(
      records.map(({ route, status }) => [route, status]),
      [
        ['letters.first', 200],
        ['/:other', 200],
        [undefined, 404],
      ],
    );
  });

  test('when its handler throws', async () => {
    const refusing = logged(() => {
      throw new HttpError(404, 'not here');
    });
    assert.throws(() => refusing.handle(request()), { status: 404 });
    const failing = logged(async () => {
      throw new Error('a bug');
    });
    await assert.rejects(async () => failing.handle(request()), /a bug/);
    assert.deepEqual([refusing.records[0]?.status, failing.records[0]?.status], [404, 500]);
  });

  test('once its stream has been sent, was cut, or failed', async () => {
    const stream = async (body: AsyncIterable<Uint8Array>, take: number): Promise<AccessRecord[]> => {
      const { handle, records } = logged(() => ({ status: 200, body }));
      const response = await handle(request());
      assert.deepEqual(records, []);
      const iterator = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      for (let taken = 0; taken < take; taken++) await iterator.next();
      await iterator.return?.();
      return records;
    };
    assert.deepEqual(await stream(pieces('ab', 'c'), 3), [RECORD]);
    assert.deepEqual(await stream(pieces('ab', 'c'), 1), [{ ...RECORD, sentBytes: 2, outcome: 'cut' }]);
    assert.deepEqual(await stream(pieces('ab'), 0), [{ ...RECORD, sentBytes: 0, outcome: 'cut' }]);
    const { handle, records } = logged(() => ({
      status: 200,
      body: (async function* () {
        yield Buffer.from('a');
        throw new Error('the disk broke');
      })(),
    }));
    await assert.rejects(async () => {
      for await (const _ of (await handle(request())).body as AsyncIterable<Uint8Array>);
    }, /the disk broke/);
    assert.deepEqual(records, [{ ...RECORD, sentBytes: 1, outcome: 'cut' }]);
  });

  test('without the content that HEAD, 204 and 304 do not have', () => {
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      const response: HttpResponse = { status, body: pieces('abc') };
      const { handle, records } = logged(() => response);
      assert.equal(handle(request({ method })), response);
      assert.deepEqual([records.length, records[0]?.sentBytes], [1, 0]);
    }
  });

  test('and a body received is let go by its own word', async () => {
    const body = emptyBody();
    let discarded = 0;
    body.discard = () => void discarded++;
    const { handle } = logged(() => ({ status: 200, body }));
    await ((await handle(request())).body as AsyncIterable<Buffer>)[Symbol.asyncIterator]().return?.();
    assert.equal(discarded, 1);
  });
});

suite('nothing from a request leaves its place in a log', () => {
  const evil = 'x" 200 0 "-"\r\n192.0.2.9 - - [now] "GET /admin HTTP/1.1" 200\x1b[2J\x9b1m\\\x7f\0é\u2028';
  const attack: AccessRecord = {
    ...RECORD,
    remote: '::1 evil',
    method: evil,
    target: evil,
    referer: evil,
    userAgent: evil,
  };

  test('in the combined format', () => {
    const line = formatCombined(attack);
    const safe =
      'x\\" 200 0 \\"-\\"\\x0d\\x0a192.0.2.9 - - [now] \\"GET /admin HTTP/1.1\\" 200\\x1b[2J\\x9b1m\\\\\\x7f\\x00\\xe9\\u2028';
    assert.equal(
      line,
      `::1\\x20evil - - [10/Oct/2026:13:55:36 +0000] "${safe} ${safe} HTTP/1.1" 200 3 "${safe}" "${safe}"`,
    );
    assert.match(line, /^[ -~]+$/);
  });

  test('in JSON, whose text stays whole but for controls', () => {
    const lines: [string, unknown][] = [];
    const nothing = (): void => undefined;
    const log = {
      debug: nothing,
      warn: nothing,
      error: nothing,
      info: (message: string, fields: unknown) => void lines.push([message, fields]),
    };
    recordsTo({ log })(attack);
    const [[message, fields] = []] = lines;
    assert.equal(message, 'request');
    const written = JSON.stringify(fields);
    assert.doesNotMatch(written, /[\0-\x1f\x7f-\x9f\u2028\u2029]/);
    const { userAgent, status } = JSON.parse(written);
    assert.equal(status, 200);
    assert.ok(
      userAgent.startsWith('x" 200 0 "-"\\x0d\\x0a192.0.2.9') &&
        userAgent.endsWith('\\x9b1m\\\\x7f\\x00é\\u2028'),
    );
  });

  test('and long values are cut', () => {
    const line = formatCombined({ ...RECORD, target: `/${'a'.repeat(8_000)}`, userAgent: '"'.repeat(8_000) });
    assert.ok(line.length < 1_024 + 2 * 1_024 + 200);
    assert.ok(line.includes(`${'a'.repeat(1_023)}... HTTP/1.1"`));
  });

  test('a plain record', () => {
    assert.equal(
      formatCombined({ ...RECORD, sentBytes: 0, referer: 'http://a/', userAgent: 'curl/8' }),
      '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 - "http://a/" "curl/8"',
    );
  });
});

test('over a connection, an attack through a field is one line', async () => {
  const lines: string[] = [];
  const clock = new SimulatedClock();
  const handler = accessLog(() => text(200, 'ok'), {
    clock,
    record: (record) => lines.push(formatCombined(record)),
  });
  const host = testHost('http', { clock });
  const server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler });
  const peer = await Peer.connect(host.network, server.endpoint);
  peer.send('GET /a"?b HTTP/1.1\r\nHost: a\r\nUser-Agent: x" 200 \\\x9b2J\r\n\r\n');
  await peer.untilText('ok');
  peer.close();
  await server.close(0);
  assert.deepEqual(lines, [
    '127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /a\\" HTTP/1.1" 200 2 "-" "x\\" 200 \\\\\\x9b2J"',
  ]);
});
