import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { chunkings } from '../../../core/testing/chunkings.ts';
import { hex } from '../testing/frames.ts';
import { decodeClose, encodeClose } from './close.ts';
import { agreeToDeflate, encodeOffer, termsOfAnswer } from './deflate-terms.ts';
import { MAX_EXTENSIONS, MAX_PARAMETERS, parseExtensions } from './extensions.ts';
import { applyMask } from './mask.ts';
import { Utf8Checker } from './utf8.ts';

suite('masking', () => {
  test('is byte by byte XOR, wherever the payload lies in memory and in the frame', () => {
    const memory = new ArrayBuffer(512);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7 }),
        fc.uint8Array({ maxLength: 300 }),
        fc.integer(),
        fc.nat(9),
        (offset, payload, key, phase) => {
          const bytes = Buffer.from(memory, offset, payload.length);
          bytes.set(payload);
          const isAscii = applyMask(bytes, key, phase);
          const expected = payload.map((byte, at) => byte ^ ((key >>> (8 * ((at + phase) % 4))) & 0xff));
          assert.deepEqual(Buffer.from(bytes), Buffer.from(expected));
          assert.equal(
            isAscii,
            expected.every((byte) => byte < 0x80),
          );
          applyMask(bytes, key, phase);
          assert.deepEqual(Buffer.from(bytes), Buffer.from(payload));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('touches nothing beside the payload', () => {
    const memory = Buffer.alloc(256);
    applyMask(memory.subarray(13, 213), -1);
    assert.ok(memory.every((byte, at) => byte === (at >= 13 && at < 213 ? 0xff : 0)));
  });
});

suite('UTF-8 in pieces', () => {
  test('is what a decoder takes, however it is cut', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const accepts = (bytes: Uint8Array): boolean => {
      try {
        decoder.decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    // Bytes from the edges of the table, so that many are nearly right.
    const edge = fc.constantFrom(
      0x41,
      0x7f,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xe1,
      0xed,
      0xef,
      0xf0,
      0xf3,
      0xf4,
      0xf5,
    );
    const bytes = fc.oneof(
      fc.array(edge, { maxLength: 12 }).map((list) => Buffer.from(list)),
      fc.string({ unit: 'binary', maxLength: 12 }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(bytes, (text) => {
        for (const chunks of chunkings(text)) {
          const checker = new Utf8Checker();
          const isGood = chunks.every((chunk) => checker.push(chunk)) && checker.isComplete;
          assert.equal(isGood, accepts(text), text.toString('hex'));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

suite('close payloads', () => {
  test('round trip', () => {
    assert.equal(encodeClose(1000, 'née').toString('hex'), '03e86ec3a965');
    assert.deepEqual(decodeClose(hex('03 e8 6e c3 a9 65')), { kind: 'close', code: 1000, reason: 'née' });
    assert.equal(encodeClose(1005, '').length, 0);
    assert.deepEqual(decodeClose(Buffer.alloc(0)), { kind: 'close', code: 1005, reason: '' });
  });
});

suite('Sec-WebSocket-Extensions', () => {
  const good: readonly (readonly [string, ReturnType<typeof parseExtensions>])[] = [
    ['a', [{ name: 'a', parameters: [] }]],
    [' A ;\tB ', [{ name: 'a', parameters: [['b', undefined]] }]],
    [
      'a; b=1; c="2"',
      [
        {
          name: 'a',
          parameters: [
            ['b', '1'],
            ['c', '2'],
          ],
        },
      ],
    ],
    ['a;b="\\1\\2"', [{ name: 'a', parameters: [['b', '12']] }]],
    [
      'a, b;c,d',
      [
        { name: 'a', parameters: [] },
        { name: 'b', parameters: [['c', undefined]] },
        { name: 'd', parameters: [] },
      ],
    ],
  ];
  for (const [value, extensions] of good) {
    test(`is read: ${value}`, () => assert.deepEqual(parseExtensions(value), extensions));
  }

  const bad = [
    '',
    ' ',
    ',',
    'a,',
    ',a',
    'a;',
    'a;;b',
    'a b',
    'a=1',
    'a;b=',
    'a;b=""',
    'a;b="',
    'a;b="1',
    'a;b="\\',
    'a;b="1 2"',
    'a;b=1 2',
    'a;=1',
    'a/b',
    'a;b="\u00001"',
  ];
  for (const value of bad) {
    test(`is refused: ${JSON.stringify(value)}`, () => assert.equal(parseExtensions(value), undefined));
  }

  test('has bounds', () => {
    assert.equal(parseExtensions(Array(MAX_EXTENSIONS).fill('a').join(','))?.length, MAX_EXTENSIONS);
    assert.equal(
      parseExtensions(
        Array(MAX_EXTENSIONS + 1)
          .fill('a')
          .join(','),
      ),
      undefined,
    );
    assert.equal(parseExtensions(`a${';b'.repeat(MAX_PARAMETERS + 1)}`), undefined);
  });
});

suite('permessage-deflate, a server’s answer', () => {
  const wide = { contextTakeover: true, windowBits: 15 };
  const answerTo = (offer: string, wish = { client: wide, server: wide }): string | undefined =>
    agreeToDeflate(parseExtensions(offer)!, wish)?.answer;

  const answers: readonly (readonly [offer: string, answer: string | undefined])[] = [
    ['permessage-deflate', 'permessage-deflate'],
    ['permessage-deflate; client_max_window_bits', 'permessage-deflate'],
    ['permessage-deflate; client_max_window_bits=10', 'permessage-deflate; client_max_window_bits=10'],
    ['permessage-deflate; server_max_window_bits=10', 'permessage-deflate; server_max_window_bits=10'],
    ['permessage-deflate; server_max_window_bits=8', 'permessage-deflate; server_max_window_bits=8'],
    ['permessage-deflate; server_max_window_bits=15', 'permessage-deflate; server_max_window_bits=15'],
    ['permessage-deflate; server_no_context_takeover', 'permessage-deflate; server_no_context_takeover'],
    ['permessage-deflate; client_no_context_takeover', 'permessage-deflate; client_no_context_takeover'],
    ['x-webkit-deflate-frame', undefined],
    ['foo, permessage-deflate', 'permessage-deflate'],
    ['permessage-deflate; server_max_window_bits=7', undefined],
    ['permessage-deflate; server_max_window_bits=16', undefined],
    ['permessage-deflate; server_max_window_bits=010', undefined],
    ['permessage-deflate; server_max_window_bits=+9', undefined],
    ['permessage-deflate; server_max_window_bits', undefined],
    ['permessage-deflate; client_max_window_bits=0', undefined],
    ['permessage-deflate; server_no_context_takeover=1', undefined],
    ['permessage-deflate; client_no_context_takeover; client_no_context_takeover', undefined],
    ['permessage-deflate; unknown', undefined],
    ['permessage-deflate; unknown, permessage-deflate', 'permessage-deflate'],
    [
      'permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits="9"',
      'permessage-deflate; server_max_window_bits=9',
    ],
  ];
  for (const [offer, answer] of answers) {
    test(`to ${offer}`, () => assert.equal(answerTo(offer), answer));
  }

  test('is no wider than its own wish', () => {
    const narrow = { contextTakeover: false, windowBits: 9 };
    assert.equal(
      answerTo('permessage-deflate; client_max_window_bits=12; server_max_window_bits=12', {
        client: narrow,
        server: narrow,
      }),
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9',
    );
    // A client that does not name its window cannot be told.
    assert.equal(
      answerTo('permessage-deflate', { client: narrow, server: wide }),
      'permessage-deflate; client_no_context_takeover',
    );
  });
});

suite('permessage-deflate, a client’s reading of an answer', () => {
  const wide = { contextTakeover: true, windowBits: 15 };
  const narrow = { contextTakeover: false, windowBits: 10 };
  const read = (answer: string, offered = { client: wide, server: wide }) =>
    termsOfAnswer(parseExtensions(answer)!, offered);

  test('offers are written', () => {
    assert.equal(encodeOffer({ client: wide, server: wide }), 'permessage-deflate; client_max_window_bits');
    assert.equal(
      encodeOffer({ client: narrow, server: narrow }),
      'permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=10',
    );
  });

  test('answers within the offer are taken', () => {
    assert.deepEqual(read('permessage-deflate'), { client: wide, server: wide });
    assert.deepEqual(read('permessage-deflate; server_no_context_takeover; client_max_window_bits=9'), {
      client: { contextTakeover: true, windowBits: 9 },
      server: { contextTakeover: false, windowBits: 15 },
    });
    assert.deepEqual(
      read('permessage-deflate; server_no_context_takeover; server_max_window_bits=9', {
        client: narrow,
        server: narrow,
      }),
      { client: narrow, server: { contextTakeover: false, windowBits: 9 } },
    );
  });

  test('others fail the handshake', () => {
    for (const answer of [
      'foo',
      'permessage-deflate, permessage-deflate',
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; unknown',
      'permessage-deflate; server_max_window_bits=7',
      'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    ])
      assert.equal(read(answer), undefined, answer);
    const offered = { client: narrow, server: narrow };
    for (const answer of [
      'permessage-deflate',
      'permessage-deflate; server_no_context_takeover',
      'permessage-deflate; server_max_window_bits=10',
      'permessage-deflate; server_no_context_takeover; server_max_window_bits=11',
      'permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11',
    ])
      assert.equal(read(answer, offered), undefined, answer);
  });
});
