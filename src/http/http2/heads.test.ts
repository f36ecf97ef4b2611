/** Heads of HTTP/2, both ways. */
import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { DEFAULT_HTTP_LIMITS } from '../limits.ts';
import { readRequestHead } from './request-head.ts';
import { encodeResponseHead } from './response-head.ts';

type Pairs = readonly (readonly [string, string])[];

const GET: Pairs = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'a.test'],
  [':path', '/x?y'],
];

const with_ = (...more: Pairs): Pairs => [...GET, ...more];
const but = (name: string, value?: string): Pairs =>
  GET.flatMap((pair) => (pair[0] !== name ? [pair] : value === undefined ? [] : [[name, value] as const]));

function read(pairs: Pairs): string {
  const head = readRequestHead(pairs.flat(), DEFAULT_HTTP_LIMITS);
  if (head.kind === 'malformed') return `${head.status} ${head.code}`;
  const fields = [...head.fields].map(([name, value]) => `${name}: ${value}`);
  return `${head.method} ${head.target} | ${fields.join(' | ')}`;
}

const accepted: [Pairs, string][] = [
  [GET, 'GET /x?y | host: a.test'],
  [with_(['accept', '*/*'], ['host', 'A.test']), 'GET /x?y | host: A.test | accept: */*'],
  [[...but(':authority'), ['host', 'b.test:8080']], 'GET /x?y | host: b.test:8080'],
  [
    with_(['cookie', 'a=1'], ['x', '1'], ['cookie', 'b=2'], ['cookie', 'c=3']),
    'GET /x?y | host: a.test | cookie: a=1; b=2; c=3 | x: 1',
  ],
  [with_(['te', 'trailers'], ['x', '']), 'GET /x?y | host: a.test | te: trailers | x: '],
  [with_(['x', 'caf\xe9']), 'GET /x?y | host: a.test | x: caf\xe9'],
  [
    [...but(':method', 'OPTIONS').filter(([name]) => name !== ':path'), [':path', '*']],
    'OPTIONS * | host: a.test',
  ],
  [
    [
      [':method', 'CONNECT'],
      [':authority', 'a.test:443'],
    ],
    'CONNECT a.test:443 | host: a.test:443',
  ],
  [with_(['content-length', '0']), 'GET /x?y | host: a.test | content-length: 0'],
];

const refused: [Pairs, string][] = [
  [but(':method', 'G ET'), '400 bad-method'],
  [but(':method', 'X'.repeat(33)), '501 method-too-long'],
  [but(':path', 'x'), '400 bad-target'],
  [but(':path', ''), '400 bad-target'],
  [but(':path', '*'), '400 bad-target'],
  [but(':path', '/a b'), '400 bad-target'],
  [but(':path', '/a#b'), '400 bad-target'],
  [but(':path', '/\xe9'), '400 bad-target'],
  [but(':path', `/${'x'.repeat(8_192)}`), '414 target-too-long'],
  [but(':authority'), '400 bad-host'],
  [but(':authority', ''), '400 bad-host'],
  [but(':authority', 'user@a.test'), '400 bad-host'],
  [but(':authority', 'a.test/x'), '400 bad-host'],
  [but(':authority', 'a.test,b.test'), '400 bad-host'],
  [with_(['host', 'b.test']), '400 bad-host'],
  [with_(['host', 'a.test'], ['host', 'b.test']), '400 bad-host'],
  [with_(['Upper', 'x']), '400 bad-field-name'],
  [with_(['a b', 'x']), '400 bad-field-name'],
  [with_(['', 'x']), '400 bad-field-name'],
  [with_(['x', 'a\r\nb: c']), '400 bad-field-value'],
  [with_(['x', 'a\0']), '400 bad-field-value'],
  [with_(['x', ' a']), '400 bad-field-value'],
  [with_(['x', 'a\t']), '400 bad-field-value'],
  [with_(['connection', 'close']), '400 bad-connection'],
  [with_(['keep-alive', 'timeout=5']), '400 bad-connection'],
  [with_(['proxy-connection', 'x']), '400 bad-connection'],
  [with_(['transfer-encoding', 'chunked']), '400 bad-connection'],
  [with_(['upgrade', 'websocket']), '400 bad-connection'],
  [with_(['te', 'gzip']), '400 bad-connection'],
  [with_(['content-length', '5'], ['content-length', '5']), '400 bad-content-length'],
  [with_(['content-length', '+5']), '400 bad-content-length'],
  [with_(['content-length', '5, 5']), '400 bad-content-length'],
  [with_(['expect', 'tea']), '417 bad-expect'],
  [with_(['x', 'y'.repeat(8_190)]), '431 field-too-large'],
  [with_(...Array.from({ length: 101 }, () => ['x', 'y'] as const)), '431 too-many-fields'],
  [with_(...Array.from({ length: 9 }, () => ['x', 'y'.repeat(4_000)] as const)), '431 head-too-large'],
];

suite('a request head', () => {
  for (const [pairs, line] of accepted) test(line, () => assert.equal(read(pairs), line));
  for (const [pairs, refusal] of refused) {
    test(`${refusal}: ${JSON.stringify(pairs.at(-1)).slice(0, 40)}`, () =>
      assert.equal(read(pairs), refusal));
  }

  test('content over the bound', () => {
    const limits = { ...DEFAULT_HTTP_LIMITS, bodyBytes: 10 };
    const head = readRequestHead(with_(['content-length', '11']).flat(), limits);
    assert.ok(head.kind === 'malformed' && head.status === 413);
  });
});

suite('a response head', () => {
  const date = 'Thu, 01 Jan 2026 00:00:00 GMT';
  const encode = (status: number, headers: Pairs, size?: number): string[] =>
    encodeResponseHead(status, headers, size, date).flat;

  test('has lower case, Date, Content-Length, and nothing of a connection', () => {
    assert.deepEqual(
      encode(
        200,
        [
          ['X-A', ' b '],
          ['Set-Cookie', 'a'],
          ['Set-Cookie', 'b'],
          ['Connection', 'close, x'],
          ['Keep-Alive', 'x'],
        ],
        3,
      ),
      [
        ':status',
        '200',
        'date',
        date,
        'x-a',
        'b',
        'set-cookie',
        'a',
        'set-cookie',
        'b',
        'content-length',
        '3',
      ],
    );
    assert.deepEqual(encode(204, [], 0), [':status', '204', 'date', date]);
    assert.deepEqual(encode(304, [['Date', 'x']], 0), [':status', '304', 'date', 'x']);
    assert.deepEqual(
      encode(200, [
        ['Via', 'date'],
        ['Content-Length', '7'],
      ]),
      [':status', '200', 'date', date, 'via', 'date', 'content-length', '7'],
    );
  });

  const unsendable: [number, Pairs, number?][] = [
    [101, []],
    [99, []],
    [600, []],
    [200, [['a b', 'c']]],
    [200, [['a', 'b\r\nc: d']]],
    [200, [['a', 'b\0']]],
    [200, [['a', '☃']]],
    [200, [['Transfer-Encoding', 'chunked']]],
    [200, [['Content-Length', '5']], 4],
    [
      200,
      [
        ['Content-Length', '5'],
        ['Content-Length', '5'],
      ],
    ],
    [200, [['Content-Length', 'x']]],
  ];
  for (const [status, fields, size] of unsendable) {
    test(`does not leave: ${status} ${JSON.stringify(fields)}`, () => {
      assert.throws(() => encode(status, fields, size), { code: 'unsendable' });
    });
  }
});
