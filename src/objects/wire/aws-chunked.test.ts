import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chunkings } from '../../core/testing/chunkings.ts';
import { ChunkDecoder } from './aws-chunked.ts';

const SIGNATURE = 'f'.repeat(64);

interface Decoded {
  readonly data: string;
  readonly chunks: readonly (readonly [sizeBytes: number, signature: string | undefined])[];
  readonly trailers: readonly (readonly [string, string])[] | undefined;
  readonly malformed: string | undefined;
}

function decode(pieces: readonly Buffer[]): Decoded {
  const decoder = new ChunkDecoder();
  let data = '';
  let trailers: Decoded['trailers'];
  const chunks: [number, string | undefined][] = [];
  for (const piece of pieces) {
    const result = decoder.push(piece);
    if (result.kind === 'malformed') return { data, chunks, trailers, malformed: result.reason };
    for (const event of result.events) {
      if (event.kind === 'data') data += event.bytes.toString('latin1');
      if (event.kind === 'chunk') chunks.push([event.sizeBytes, event.signature]);
      if (event.kind === 'end') trailers = event.trailers;
    }
  }
  assert.equal(decoder.done, trailers !== undefined);
  return { data, chunks, trailers, malformed: undefined };
}

const WHOLE = [
  {
    name: 'unsigned, without trailer',
    text: '5\r\nhello\r\n0\r\n\r\n',
    data: 'hello',
    chunks: [
      [5, undefined],
      [0, undefined],
    ],
    trailers: [],
  },
  {
    name: 'unsigned, with a trailer',
    text: 'a\r\nhello worl\r\n1\r\nd\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n',
    data: 'hello world',
    chunks: [
      [10, undefined],
      [1, undefined],
      [0, undefined],
    ],
    trailers: [['x-amz-checksum-crc32', 'DUoRhQ==']],
  },
  {
    name: 'signed',
    text: `5;chunk-signature=${SIGNATURE}\r\nhello\r\n0;chunk-signature=${SIGNATURE}\r\n\r\n`,
    data: 'hello',
    chunks: [
      [5, SIGNATURE],
      [0, SIGNATURE],
    ],
    trailers: [],
  },
  {
    name: 'signed, with a signed trailer whose line ends with a bare LF',
    text:
      `3;chunk-signature=${SIGNATURE}\r\n\r\n0\r\n0;chunk-signature=${SIGNATURE}\r\n` +
      `X-Amz-Checksum-Crc32c: abc=\nx-amz-trailer-signature:${SIGNATURE}\r\n\r\n`,
    data: '\r\n0',
    chunks: [
      [3, SIGNATURE],
      [0, SIGNATURE],
    ],
    trailers: [
      ['x-amz-checksum-crc32c', 'abc='],
      ['x-amz-trailer-signature', SIGNATURE],
    ],
  },
  {
    name: 'nothing',
    text: '0\r\n\r\n',
    data: '',
    chunks: [[0, undefined]],
    trailers: [],
  },
];

describe('aws-chunked', () => {
  for (const { name, text, ...expected } of WHOLE) {
    test(name, () => {
      for (const pieces of chunkings(Buffer.from(text, 'latin1'))) {
        assert.deepEqual(decode(pieces), { ...expected, malformed: undefined });
      }
    });

    test(`${name}, and more behind it`, () => {
      for (const pieces of chunkings(Buffer.from(`${text}x`, 'latin1'))) {
        assert.equal(decode(pieces).malformed, 'bytes after the end of the chunked body');
      }
    });

    test(`${name}, cut anywhere`, () => {
      for (let length = 0; length < text.length; length++) {
        const decoded = decode([Buffer.from(text.slice(0, length), 'latin1')]);
        assert.equal(decoded.trailers, undefined);
        assert.equal(decoded.malformed, undefined);
      }
    });
  }

  const malformed = [
    ['hello\r\n', 'malformed chunk head'],
    ['\r\n', 'malformed chunk head'],
    ['-5\r\n', 'malformed chunk head'],
    ['0x5\r\n', 'malformed chunk head'],
    ['5 \r\n', 'malformed chunk head'],
    ['5;signature=x\r\n', 'malformed chunk head'],
    ['fffffffffffffff\r\n', 'malformed chunk head'],
    ['5\nhello', 'chunk head without CR LF'],
    [`5;chunk-signature=${'f'.repeat(300)}`, 'chunk head too long'],
    ['5\r\nhelloo\r\n', 'chunk data without CR LF after it'],
    ['5\r\nhello\n\n', 'chunk data without CR LF after it'],
    ['0\r\nno colon\r\n\r\n', 'malformed trailer'],
    ['0\r\n:empty name\r\n\r\n', 'malformed trailer'],
    [`0\r\nx-amz-checksum-crc32:${'x'.repeat(5000)}`, 'trailers too long'],
  ] as const;
  for (const [text, reason] of malformed) {
    test(`refused: ${JSON.stringify(text.slice(0, 30))}`, () => {
      const whole = Buffer.from(text, 'latin1');
      assert.equal(decode([whole]).malformed, reason);
      assert.equal(decode(Array.from(whole, (byte) => Buffer.of(byte))).malformed, reason);
    });
  }
});
