import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { HeaderList } from '../types.ts';
import { encodeResponseFields, ResponseFieldsMemo } from './response-fields.ts';

const STAMP = 'Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n';

suite('the fields of a response', () => {
  test('are the status, the date, then what the sender gives', () => {
    const fields = encodeResponseFields(200, STAMP, [
      ['Content-Type', 'text/plain'],
      ['ETag', '"1"'],
    ]);
    assert.deepEqual(fields, {
      text: `HTTP/1.1 200 OK\r\n${STAMP}Content-Type: text/plain\r\nETag: "1"\r\n`,
      declaredBytes: undefined,
      closes: false,
      offersUpgrade: false,
    });
  });

  test('lack what is the session’s, which is told apart', () => {
    const fields = encodeResponseFields(426, STAMP, [
      ['content-LENGTH', '12'],
      ['Connection', 'x, Close'],
      ['Upgrade', 'websocket'],
    ]);
    assert.deepEqual(fields, {
      text: `HTTP/1.1 426 Upgrade Required\r\n${STAMP}Upgrade: websocket\r\n`,
      declaredBytes: 12,
      closes: true,
      offersUpgrade: true,
    });
  });

  test('have one date, the sender’s before the clock’s', () => {
    const date = 'Fri, 02 Jan 2026 00:00:00 GMT';
    assert.equal(
      encodeResponseFields(204, STAMP, [['date', date]]).text,
      `HTTP/1.1 204 No Content\r\ndate: ${date}\r\n`,
    );
  });

  const unsendable: readonly [string, HeaderList][] = [
    ['a value that ends its line', [['X', 'a\r\nSet-Cookie: b']]],
    ['a bare line feed', [['X', 'a\nb']]],
    ['a name that ends its line', [['X: a\r\nY', 'b']]],
    ['an empty name', [['', 'b']]],
    ['a character outside latin1', [['X', 'ſ']]],
    ['Transfer-Encoding', [['Transfer-Encoding', 'chunked']]],
    [
      'two lengths',
      [
        ['Content-Length', '1'],
        ['Content-Length', '1'],
      ],
    ],
    ['a length that is none', [['Content-Length', '+1']]],
  ];
  for (const [what, headers] of unsendable) {
    test(`are refused with ${what}, also behind a response that was sent`, () => {
      assert.throws(() => encodeResponseFields(200, STAMP, headers), { code: 'unsendable' });
      const memo = new ResponseFieldsMemo();
      memo.encode(200, STAMP, [['X', 'a']]);
      assert.throws(() => memo.encode(200, STAMP, headers), { code: 'unsendable' });
    });
  }

  test('are remembered by what they are, not by which list they came in', () => {
    const memo = new ResponseFieldsMemo();
    const headers: [string, string][] = [['X', 'a']];
    const first = memo.encode(200, STAMP, headers);
    assert.deepEqual(memo.encode(200, STAMP, [['X', 'a']]), first);
    headers[0]![1] = 'b';
    assert.match(memo.encode(200, STAMP, headers).text, /X: b\r\n/);
    headers.push(['Y', 'c']);
    assert.match(memo.encode(200, STAMP, headers).text, /X: b\r\nY: c\r\n/);
  });

  test('come out of the memo as without it, whatever came before', () => {
    const value = fc.constantFrom('a', 'b', 'close', '1', 'x'.repeat(3_000));
    const name = fc.constantFrom('X', 'Date', 'Connection', 'Content-Length', 'Upgrade');
    const response = fc.record({
      status: fc.constantFrom(200, 404),
      stamp: fc.constantFrom(STAMP, ''),
      headers: fc.array(fc.tuple(name, value), { maxLength: 2 }),
    });
    const outcome = (
      encode: typeof encodeResponseFields,
      { status, stamp, headers }: typeof response extends fc.Arbitrary<infer R> ? R : never,
    ) => {
      try {
        return encode(status, stamp, headers);
      } catch (thrown) {
        return String(thrown);
      }
    };
    fc.assert(
      fc.property(fc.array(response, { maxLength: 12 }), (responses) => {
        const memo = new ResponseFieldsMemo();
        for (const each of responses) {
          assert.deepEqual(
            outcome((...given) => memo.encode(...given), each),
            outcome(encodeResponseFields, each),
          );
        }
      }),
    );
  });
});
