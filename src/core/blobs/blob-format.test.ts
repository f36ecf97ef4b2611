import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { chunkCrc, decodeTrailer, encodeTrailer, storedBytesOf } from './blob-format.ts';

const ID = '000102030405060708090a0b0c0d0e0f';

suite('blob format', () => {
  test('the trailer is the documented one', () => {
    const trailer = encodeTrailer(ID, 0x1_0000_0005);
    assert.equal(trailer.toString('hex'), `0000000100000005${ID}eac00cef4f420001`);
  });

  test('the checksum of a chunk is the documented one', () => {
    assert.equal(chunkCrc(ID, 7, Buffer.from('chunk')).toString(16), '390b97c');
  });

  test('sizes', () => {
    const cases: [number, number][] = [
      [0, 32],
      [1, 37],
      [65_536, 65_572],
      [65_537, 65_577],
      [131_072, 131_112],
    ];
    for (const [content, stored] of cases) assert.equal(storedBytesOf(content), stored);
  });

  test('a newer format is named', () => {
    const trailer = encodeTrailer(ID, 5);
    trailer[31] = 2;
    assert.throws(() => decodeTrailer(trailer, ID, storedBytesOf(5), '/b'), {
      code: 'corrupt',
      message: '/b, trailer: format 2, this release reads 1',
    });
  });
});
