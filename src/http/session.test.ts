import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { chunkings } from '../core/testing/chunkings.ts';
import { DEFAULT_HTTP_LIMITS } from './limits.ts';
import { HttpSession, type SessionEvent } from './session.ts';
import { BAD_REQUESTS, BAD_RESPONSES } from './testing/attacks.ts';
import { UnsendableError } from './wire/encode-head.ts';

const limits = DEFAULT_HTTP_LIMITS;

/** What a session made of its input, in a form that compares. */
type Seen =
  | { request: string; fields: [string, string][]; upgrade?: string }
  | { response: number; fields: [string, string][] }
  | { informational: number }
  | { content: string; trailers: [string, string][] }
  | { refused: number; code: string }
  | { other: string };

/** Answers every request at once, as a server with a trivial handler. */
function serve(chunks: Iterable<Buffer>, ended = false): { seen: Seen[]; session: HttpSession } {
  const session = new HttpSession('server', limits, 0);
  const seen: Seen[] = [];
  let content = '';
  const pump = (): void => {
    for (;;) {
      const event = session.next(0);
      if (!note(event)) return;
    }
  };
  const note = (event: SessionEvent): boolean => {
    switch (event.kind) {
      case 'request':
        seen.push({
          request: `${event.method} ${event.target} ${event.version}`,
          fields: pairs(event.fields),
        });
        return true;
      case 'data':
        content += event.bytes.toString('latin1');
        return true;
      case 'end':
        seen.push({ content, trailers: pairs(event.trailers) });
        content = '';
        session.sendResponse({ status: 204, headers: [], size: undefined });
        session.sendEnd(0);
        return true;
      case 'malformed':
        seen.push({ refused: event.status, code: event.code });
        return false;
      default:
        return false;
    }
  };
  for (const chunk of chunks) {
    session.receive(chunk, 0);
    pump();
  }
  if (ended) {
    session.receiveEnd(0);
    pump();
  }
  return { seen, session };
}

/** Reads responses to one request of `method`. */
function ask(chunks: Iterable<Buffer>, method = 'GET', ended = false): Seen[] {
  const session = new HttpSession('client', limits, 0);
  session.sendRequest({ method, target: '/', headers: [['Host', 'a']], size: 'none', timeoutMs: 1 }, 0);
  session.sendEnd(0);
  const seen: Seen[] = [];
  let content = '';
  const pump = (): void => {
    for (;;) {
      const event = session.next(0);
      if (event.kind === 'response') seen.push({ response: event.status, fields: pairs(event.fields) });
      else if (event.kind === 'informational') seen.push({ informational: event.head.status });
      else if (event.kind === 'data') content += event.bytes.toString('latin1');
      else if (event.kind === 'end') seen.push({ content, trailers: pairs(event.trailers) });
      else if (event.kind === 'malformed') {
        seen.push({ refused: event.status, code: event.code });
        return;
      } else return;
    }
  };
  for (const chunk of chunks) {
    session.receive(chunk, 0);
    pump();
  }
  if (ended) {
    session.receiveEnd(0);
    pump();
  }
  return seen;
}

const pairs = (fields: Iterable<readonly [string, string]>): [string, string][] =>
  [...fields].map(([name, value]) => [name, value]);
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Whole, byte by byte, and split at every offset; what is long is split at a few. */
function* cuts(text: string): Generator<Buffer[]> {
  const bytes = latin1(text);
  if (bytes.length <= 300) {
    yield* chunkings(bytes);
    return;
  }
  yield Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  for (let at = 1; at < bytes.length; at += 997) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

suite('a server session refuses', () => {
  for (const attack of BAD_REQUESTS) {
    test(attack.name, () => {
      const whole = serve([latin1(attack.bytes)]).seen;
      const last = whole.at(-1);
      assert.ok(last !== undefined && 'refused' in last, JSON.stringify(whole));
      assert.equal(last.refused, attack.status);
      // A refused request is never followed by another, and never by its own content's end.
      assert.ok(whole.filter((item) => 'request' in item).length <= 1);
      for (const chunks of cuts(attack.bytes)) assert.deepEqual(serve(chunks).seen, whole);
    });
  }

  test('nothing behind a refusal is read', () => {
    const { seen, session } = serve([
      latin1('GET / HTTP/1.1\r\nHost: a b\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n'),
    ]);
    assert.equal(seen.length, 1);
    session.receive(latin1('GET /admin HTTP/1.1\r\nHost: a\r\n\r\n'), 0);
    assert.equal(session.next(0).kind, 'need-data');
    assert.equal(session.pendingBytes, 0);
  });

  test('a request behind Connection: close', () => {
    const { seen } = serve([
      latin1('GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n'),
    ]);
    assert.deepEqual(
      seen.map((item) => ('request' in item ? item.request : '')),
      ['GET /1 1.1', ''],
    );
  });

  test('content that ends too early', () => {
    const cut = serve([latin1('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc')], true).seen;
    assert.deepEqual(cut.at(-1), { refused: 400, code: 'truncated' });
    const head = serve([latin1('POST / HTTP/1.1\r\nHost: a\r\n')], true).seen;
    assert.deepEqual(head.at(-1), { refused: 400, code: 'truncated' });
  });
});

suite('a client session refuses', () => {
  for (const attack of BAD_RESPONSES) {
    test(attack.name, () => {
      const whole = ask([latin1(attack.bytes)]);
      const last = whole.at(-1);
      assert.ok(last !== undefined && 'refused' in last, JSON.stringify(whole));
      for (const chunks of cuts(attack.bytes)) assert.deepEqual(ask(chunks).at(-1), last);
    });
  }

  test('a cut response, but not one that ends with the connection', () => {
    assert.deepEqual(ask([latin1('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab')], 'GET', true).at(-1), {
      refused: 400,
      code: 'truncated',
    });
    assert.deepEqual(
      ask([latin1('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n')], 'GET', true).at(-1),
      { refused: 400, code: 'truncated' },
    );
    assert.deepEqual(ask([latin1('HTTP/1.0 200 OK\r\n\r\nab')], 'GET', true).at(-1), {
      content: 'ab',
      trailers: [],
    });
  });
});

suite('a server session reads', () => {
  const cases: readonly { name: string; bytes: string; seen: Seen[] }[] = [
    {
      name: 'a request without content',
      bytes: 'GET /a?b=%20 HTTP/1.1\r\nHost: a:80\r\nX-Y:  z \t\r\n\r\n',
      seen: [
        {
          request: 'GET /a?b=%20 1.1',
          fields: [
            ['Host', 'a:80'],
            ['X-Y', 'z'],
          ],
        },
        { content: '', trailers: [] },
      ],
    },
    {
      name: 'an empty line first',
      bytes: '\r\nOPTIONS * HTTP/1.0\r\n\r\n',
      seen: [
        { request: 'OPTIONS * 1.0', fields: [] },
        { content: '', trailers: [] },
      ],
    },
    {
      name: 'content of a length, with obs-text and an empty value',
      bytes: 'PUT / HTTP/1.1\r\nHost: [::1]\r\nX: \xe9\r\nY:\r\nContent-Length: 5\r\n\r\nab\r\nc',
      seen: [
        {
          request: 'PUT / 1.1',
          fields: [
            ['Host', '[::1]'],
            ['X', '\xe9'],
            ['Y', ''],
            ['Content-Length', '5'],
          ],
        },
        { content: 'ab\r\nc', trailers: [] },
      ],
    },
    {
      name: 'chunks with extensions and trailers, of which forbidden ones are dropped',
      bytes:
        'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n' +
        '3;a;b=c;d="e\\" ;"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nHost: b\r\n\r\n',
      seen: [
        {
          request: 'POST / 1.1',
          fields: [
            ['Host', 'a'],
            ['Transfer-Encoding', 'Chunked'],
          ],
        },
        { content: 'abc0123456789', trailers: [['X-Sum', '1']] },
      ],
    },
    {
      name: 'addresses in brackets',
      bytes: ['::', '::1', '1::', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1', '1:2::7:8', 'v1.a:b']
        .map((address) => `GET / HTTP/1.1\r\nHost: [${address}]:80\r\n\r\n`)
        .join(''),
      seen: ['::', '::1', '1::', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1', '1:2::7:8', 'v1.a:b'].flatMap(
        (address): Seen[] => [
          { request: 'GET / 1.1', fields: [['Host', `[${address}]:80`]] },
          { content: '', trailers: [] },
        ],
      ),
    },
    {
      name: 'OPTIONS of an authority as a whole, in both forms',
      bytes: 'OPTIONS http://a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a:80\r\n\r\n',
      seen: [
        { request: 'OPTIONS * 1.1', fields: [['Host', 'a:80']] },
        { content: '', trailers: [] },
        { request: 'OPTIONS * 1.1', fields: [['Host', 'a:80']] },
        { content: '', trailers: [] },
      ],
    },
    {
      name: 'an absolute target that agrees with Host',
      bytes: 'GET HTTP://A.example/x?y HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n',
      seen: [
        { request: 'GET /x?y 1.1', fields: [['Host', 'a.EXAMPLE']] },
        { content: '', trailers: [] },
      ],
    },
    {
      name: 'pipelined requests in order',
      bytes:
        'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGET' +
        'GET /2 HTTP/1.1\r\nHost: a\r\n\r\nDELETE /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx',
      seen: [
        {
          request: 'POST /1 1.1',
          fields: [
            ['Host', 'a'],
            ['Content-Length', '3'],
          ],
        },
        { content: 'GET', trailers: [] },
        { request: 'GET /2 1.1', fields: [['Host', 'a']] },
        { content: '', trailers: [] },
        {
          request: 'DELETE /3 1.1',
          fields: [
            ['Host', 'a'],
            ['Content-Length', '1'],
          ],
        },
        { content: 'x', trailers: [] },
      ],
    },
  ];
  for (const { name, bytes, seen } of cases) {
    test(name, () => {
      for (const chunks of chunkings(latin1(bytes))) assert.deepEqual(serve(chunks).seen, seen);
    });
  }

  test('what it sent itself: any request, in any pieces', () => {
    const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
    const value = fc.stringMatching(/^([!-~\x80-\xff]([ -~\t\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
    const reserved = new Set([
      'host',
      'connection',
      'content-length',
      'transfer-encoding',
      'expect',
      'upgrade',
    ]);
    fc.assert(
      fc.property(
        fc.record({
          method: token.filter((method) => method !== 'CONNECT'),
          target: fc.stringMatching(/^\/[!"$-~]{0,30}$/),
          fields: fc.array(
            fc.tuple(
              token.filter((name) => !reserved.has(name.toLowerCase())),
              value,
            ),
            { maxLength: 8 },
          ),
          content: fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }),
          chunked: fc.boolean(),
          cut: fc.nat(),
        }),
        ({ method, target, fields, content, chunked, cut }) => {
          const client = new HttpSession('client', limits, 0);
          const size = chunked ? undefined : content.reduce((sum, part) => sum + part.length, 0);
          client.sendRequest({ method, target, headers: [['Host', 'a'], ...fields], size, timeoutMs: 1 }, 0);
          for (const part of content) client.sendData(part);
          client.sendEnd(0);
          const bytes = Buffer.concat(
            client.takeOutput().map((part) => (typeof part === 'string' ? latin1(part) : part)),
          );
          const at = cut % bytes.length;
          const { seen } = serve(
            [bytes.subarray(0, at), bytes.subarray(at)].filter((part) => part.length > 0),
          );
          const [first, second] = seen;
          assert.ok(first !== undefined && 'request' in first, JSON.stringify(seen));
          assert.equal(first.request, `${method} ${target} 1.1`);
          assert.deepEqual(first.fields.slice(1, 1 + fields.length), fields);
          assert.deepEqual(second, { content: Buffer.concat(content).toString('latin1'), trailers: [] });
        },
      ),
      { numRuns: 300 },
    );
  });
});

suite('any bytes', () => {
  const seeds = [
    ...BAD_REQUESTS.map((attack) => attack.bytes),
    'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x="y"\r\nabc\r\n0\r\nT: u\r\n\r\n',
    'PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  ].filter((bytes) => bytes.length < 300);
  const mutated = fc
    .record({
      seed: fc.constantFrom(...seeds),
      edits: fc.array(fc.record({ at: fc.nat(), byte: fc.constantFrom(0, 9, 10, 13, 32, 58, 59, 48, 255) }), {
        maxLength: 4,
      }),
      cut: fc.nat(),
    })
    .map(({ seed, edits, cut }) => {
      const bytes = latin1(seed);
      for (const { at, byte } of edits) bytes[at % bytes.length] = byte;
      return { bytes, cut: cut % (bytes.length + 1) };
    });

  test('make events or a refusal, never an exception, and the same in any pieces', () => {
    fc.assert(
      fc.property(mutated, ({ bytes, cut }) => {
        const whole = serve([bytes], true).seen;
        const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)].filter((part) => part.length > 0);
        assert.deepEqual(serve(pieces, true).seen, whole);
        ask([bytes], 'GET', true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('also as noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (noise) => {
        serve([Buffer.from(noise)], true);
        ask([Buffer.from(noise)], 'GET', true);
        ask(
          [latin1('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'), Buffer.from(noise)],
          'GET',
          true,
        );
      }),
      { numRuns: 1_000 },
    );
  });
});

suite('a client session reads', () => {
  const cases: readonly { name: string; method?: string; bytes: string; ended?: boolean; seen: Seen[] }[] = [
    {
      name: 'informational responses, then the final one',
      bytes:
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      seen: [
        { informational: 100 },
        { informational: 103 },
        { response: 200, fields: [['Content-Length', '2']] },
        { content: 'ok', trailers: [] },
      ],
    },
    {
      name: 'HEAD without content',
      method: 'HEAD',
      bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n',
      seen: [
        { response: 200, fields: [['Content-Length', '9']] },
        { content: '', trailers: [] },
      ],
    },
    {
      name: '304 without content',
      bytes: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n',
      seen: [
        { response: 304, fields: [['Content-Length', '9']] },
        { content: '', trailers: [] },
      ],
    },
    {
      name: 'a status line without a reason',
      bytes: 'HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
      seen: [
        { response: 200, fields: [['Transfer-Encoding', 'chunked']] },
        { content: 'a', trailers: [] },
      ],
    },
  ];
  for (const { name, method, bytes, seen } of cases) {
    test(name, () => {
      for (const chunks of chunkings(latin1(bytes))) assert.deepEqual(ask(chunks, method), seen);
    });
  }
});

suite('a server session writes', () => {
  function afterRequest(head: string): HttpSession {
    const session = new HttpSession('server', limits, 0);
    session.receive(latin1(head), 0);
    assert.equal(session.next(0).kind, 'request');
    assert.equal(session.next(0).kind, 'end');
    return session;
  }
  const output = (session: HttpSession): string =>
    session
      .takeOutput()
      .map((part) => (typeof part === 'string' ? part : Buffer.from(part).toString('latin1')))
      .join('');
  const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

  test('a length, chunks, or neither', () => {
    const sized = afterRequest(get);
    assert.equal(sized.sendResponse({ status: 200, headers: [['X', 'y']], size: 2 }), true);
    sized.sendData('ok');
    sized.sendEnd(0);
    assert.equal(output(sized), 'HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok');
    assert.equal(sized.idle, true);

    const chunked = afterRequest(get);
    chunked.sendResponse({ status: 200, headers: [], size: undefined });
    chunked.sendData(Buffer.from('0123456789'));
    chunked.sendData('');
    chunked.sendEnd(0, [['X-Sum', '1']]);
    assert.equal(
      output(chunked),
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n',
    );

    const old = afterRequest('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    old.sendResponse({ status: 200, headers: [], size: undefined });
    old.sendData('ok');
    old.sendEnd(0);
    assert.equal(output(old), 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok');
    assert.equal(old.finished, true);

    const oldSized = afterRequest('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    oldSized.sendResponse({ status: 200, headers: [], size: 0 });
    oldSized.sendEnd(0);
    assert.equal(
      output(oldSized),
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n',
    );
    assert.equal(oldSized.idle, true);
  });

  test('no content for HEAD, 204 and 304, whatever is sent', () => {
    const head = afterRequest('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(
      head.sendResponse({ status: 200, headers: [['Content-Length', '7']], size: undefined }),
      false,
    );
    head.sendData('ignored');
    head.sendEnd(0);
    assert.equal(output(head), 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n');
    const none = afterRequest(get);
    none.sendResponse({ status: 204, headers: [], size: 0 });
    none.sendEnd(0);
    assert.equal(output(none), 'HTTP/1.1 204 No Content\r\n\r\n');
    const same = afterRequest(get);
    same.sendResponse({ status: 304, headers: [['ETag', '"a"']], size: undefined });
    same.sendEnd(0);
    assert.equal(output(same), 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n');
  });

  test('nothing that splits or misframes a response', () => {
    const headers: [string, string][][] = [
      [['X', 'a\r\nSet-Cookie: b']],
      [['X', 'a\nb']],
      [['X', 'a\rb']],
      [['X', 'a\0b']],
      [['X', 'snow ☃']],
      [['X\r\nY', 'a']],
      [['X:', 'a']],
      [['', 'a']],
      [['Transfer-Encoding', 'chunked']],
      [['Content-Length', '1x']],
      [['Content-Length', '3']],
      [
        ['Content-Length', '2'],
        ['Content-Length', '2'],
      ],
    ];
    for (const list of headers) {
      const session = afterRequest(get);
      assert.throws(() => session.sendResponse({ status: 200, headers: list, size: 2 }), UnsendableError);
      assert.deepEqual(session.takeOutput(), []);
      assert.equal(session.responseState, 'awaiting');
    }
    const empty = afterRequest(get);
    const lie = { status: 200, headers: [['Content-Length', '5']] as const, size: 0 };
    assert.throws(() => empty.sendResponse(lie), UnsendableError);
    assert.deepEqual(empty.takeOutput(), []);
    const session = afterRequest(get);
    session.sendResponse({ status: 200, headers: [], size: 2 });
    assert.throws(() => session.sendData('abc'), UnsendableError);
    session.sendData('a');
    assert.throws(() => session.sendEnd(0), UnsendableError);
  });

  test('an upgrade that is offered, with the connection’s part of it', () => {
    const session = afterRequest(get);
    session.sendResponse({ status: 426, headers: [['Upgrade', 'websocket']], size: 0 });
    session.sendEnd(0);
    assert.equal(
      output(session),
      'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: upgrade\r\n\r\n',
    );
  });

  test('for how long a connection is kept, to who asked to keep it', () => {
    const session = afterRequest('GET / HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n');
    session.sendResponse({ status: 204, headers: [], size: 0 });
    session.sendEnd(0);
    assert.equal(
      output(session),
      'HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\n',
    );
  });

  test('no content with 205, and says so', () => {
    const session = afterRequest(get);
    assert.equal(session.sendResponse({ status: 205, headers: [], size: 3 }), false);
    session.sendData('abc');
    session.sendEnd(0);
    assert.equal(output(session), 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n');
  });

  test('informational responses, but none to HTTP/1.0', () => {
    const session = afterRequest(get);
    session.sendInformational(103, [['Link', '</a.css>; rel=preload']]);
    assert.equal(output(session), 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n');
    const old = afterRequest('GET / HTTP/1.0\r\n\r\n');
    old.sendInformational(103);
    assert.equal(output(old), '');
    for (const status of [99, 101, 200, 150.5]) {
      assert.throws(() => session.sendInformational(status), UnsendableError, String(status));
    }
    for (const name of ['Content-Length', 'Transfer-Encoding', 'Connection', 'X\r\nY', '']) {
      assert.throws(() => session.sendInformational(103, [[name, '1']]), UnsendableError, name);
    }
    assert.throws(() => session.sendInformational(103, [['X', 'a\r\n\r\nHTTP/1.1 200 OK']]), UnsendableError);
    assert.deepEqual(session.takeOutput(), []);
  });

  test('no status that is none, and no switch that was not asked for', () => {
    for (const status of [0, 99, 100, 103, 600, 200.5, Number.NaN]) {
      const session = afterRequest(get);
      assert.throws(() => session.sendResponse({ status, headers: [], size: 0 }), UnsendableError);
      assert.deepEqual(session.takeOutput(), [], String(status));
    }
    const unasked = afterRequest(get);
    const upgrade = { status: 101, headers: [['Upgrade', 'x']] as const, size: 0 };
    assert.throws(() => unasked.sendResponse(upgrade), UnsendableError);
    const asked = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n';
    assert.throws(
      () => afterRequest(`${asked}\r\n`).sendResponse({ ...upgrade, headers: [] }),
      UnsendableError,
    );
    const early = new HttpSession('server', limits, 0);
    early.receive(latin1(`${asked}Content-Length: 1\r\n\r\n`), 0);
    early.next(0);
    assert.throws(() => early.sendResponse(upgrade), UnsendableError);
  });

  test('no trailer that frames, routes or authenticates, or that splits', () => {
    for (const [name, value] of [
      ['Content-Length', '1'],
      ['Transfer-Encoding', 'chunked'],
      ['Host', 'a'],
      ['Set-Cookie', 'a=b'],
      ['Authorization', 'x'],
      ['Content-Type', 'text/html'],
      ['X', 'a\r\nY: b'],
      ['X Y', 'a'],
    ] as const) {
      const session = afterRequest(get);
      session.sendResponse({ status: 200, headers: [], size: undefined });
      session.takeOutput();
      assert.throws(() => session.sendEnd(0, [[name, value]]), UnsendableError, name);
      assert.deepEqual(session.takeOutput(), []);
    }
    const sized = afterRequest(get);
    sized.sendResponse({ status: 200, headers: [], size: 0 });
    assert.throws(() => sized.sendEnd(0, [['X-Sum', '1']]), UnsendableError);
  });

  test('the bytes behind a request to switch only once it has switched', () => {
    const head = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
    for (const chunks of cuts(`${head}GET /not-http HTTP/1.1\r\nHost: a\r\n\r\n`)) {
      const session = new HttpSession('server', limits, 0);
      const kinds = new Set<string>();
      for (const chunk of chunks) {
        session.receive(chunk, 0);
        for (;;) {
          const event = session.next(0);
          kinds.add(event.kind);
          if (event.kind === 'need-data' || event.kind === 'paused') break;
        }
      }
      assert.deepEqual(
        [...kinds].filter((kind) => kind === 'malformed' || kind === 'data'),
        [],
      );
      session.sendResponse({ status: 101, headers: [['Upgrade', 'x']], size: 0 });
      assert.equal(session.takeRest().toString('latin1'), 'GET /not-http HTTP/1.1\r\nHost: a\r\n\r\n');
    }
  });

  test('100 once the content is wanted, and closes when it never was', () => {
    const session = new HttpSession('server', limits, 0);
    session.receive(
      latin1('PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n'),
      0,
    );
    session.next(0);
    assert.equal(session.awaitingContinue, true);
    session.sendInformational(100);
    assert.equal(output(session), 'HTTP/1.1 100 Continue\r\n\r\n');
    assert.equal(session.awaitingContinue, false);

    const refused = new HttpSession('server', limits, 0);
    refused.receive(
      latin1('PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n'),
      0,
    );
    refused.next(0);
    refused.sendResponse({ status: 403, headers: [], size: 0 });
    refused.sendEnd(0);
    assert.equal(output(refused), 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
});

suite('a session waits', () => {
  test('for the first byte, a head, content at a rate, and the next request', () => {
    const session = new HttpSession('server', limits, 1_000);
    assert.deepEqual(session.deadline(), { phase: 'first-byte', atMs: 1_000 + limits.firstByteTimeoutMs });
    session.receive(latin1('POST / HTTP/1.1\r\n'), 2_000);
    assert.equal(session.next(2_000).kind, 'need-data');
    session.receive(latin1('Host: a\r\n'), 9_000);
    assert.equal(session.next(9_000).kind, 'need-data');
    // Trickling does not move the deadline of a head.
    assert.deepEqual(session.deadline(), { phase: 'head', atMs: 2_000 + limits.headTimeoutMs });
    session.receive(latin1('Content-Length: 1024\r\n\r\n'), 10_000);
    assert.equal(session.next(10_000).kind, 'request');
    assert.deepEqual(session.deadline(), { phase: 'body', atMs: 10_000 + limits.bodyGraceMs });
    session.receive(Buffer.alloc(512), 11_000);
    session.next(11_000);
    assert.deepEqual(session.deadline(), { phase: 'body', atMs: 11_000 + limits.bodyGraceMs });
    // Time in which we do not read is not the peer's fault.
    session.setReading(false, 12_000);
    assert.equal(session.deadline(), undefined);
    session.setReading(true, 62_000);
    assert.deepEqual(session.deadline(), { phase: 'body', atMs: 61_000 + limits.bodyGraceMs });
    assert.equal(session.expired(61_000 + limits.bodyGraceMs), 'body');
    session.receive(Buffer.alloc(512), 63_000);
    session.next(63_000);
    session.next(63_000);
    assert.equal(session.deadline(), undefined, 'nothing is asked of the client while it waits for us');
    session.sendResponse({ status: 204, headers: [], size: 0 });
    session.sendEnd(64_000);
    assert.deepEqual(session.deadline(), { phase: 'idle', atMs: 64_000 + limits.keepAliveTimeoutMs });
    session.setBlocked(true, 65_000);
    assert.deepEqual(session.deadline(), { phase: 'write', atMs: 65_000 + limits.writeStallTimeoutMs });
  });

  test('for the handler, but not while its client sends', () => {
    const session = new HttpSession('server', { ...limits, handlerTimeoutMs: 5_000 }, 0);
    session.receive(latin1('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n'), 1_000);
    session.next(1_000);
    assert.deepEqual(session.deadline(), { phase: 'body', atMs: 1_000 + limits.bodyGraceMs });
    // Content waits, and it is the handler's turn to read it.
    session.setReading(false, 2_000);
    assert.deepEqual(session.deadline(), { phase: 'handler', atMs: 7_000 });
    session.setReading(true, 3_000);
    session.receive(latin1('abcd'), 4_000);
    session.next(4_000);
    session.next(4_000);
    assert.deepEqual(session.deadline(), { phase: 'handler', atMs: 9_000 });
    session.sendResponse({ status: 204, headers: [], size: 0 });
    session.sendEnd(5_000);
    assert.equal(session.deadline()?.phase, 'idle');
  });

  test('a grace for a request that crosses its close', () => {
    const session = new HttpSession('server', limits, 0);
    session.closeAfter(1_000, 250);
    assert.equal(session.finished, false);
    assert.deepEqual(session.deadline(), { phase: 'idle', atMs: 1_250 });
    session.receive(latin1('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 1_100);
    assert.equal(session.next(1_100).kind, 'request');
    assert.equal(session.next(1_100).kind, 'end');
    session.sendResponse({ status: 204, headers: [], size: 0 });
    session.sendEnd(1_200);
    const [out] = session.takeOutput();
    assert.equal(out, 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
    assert.equal(session.finished, true);
  });

  test('for a response and its content', () => {
    const session = new HttpSession('client', limits, 0);
    session.sendRequest({ method: 'GET', target: '/', headers: [], size: 'none', timeoutMs: 500 }, 100);
    session.sendEnd(100);
    assert.deepEqual(session.deadline(), { phase: 'response', atMs: 600 });
    session.receive(latin1('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'), 300);
    session.next(300);
    assert.deepEqual(session.deadline(), {
      phase: 'response-body',
      atMs: 300 + limits.responseIdleTimeoutMs,
    });
  });
});
