import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { crc32 } from '../bytes/crc32.ts';
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

  test('whatever is wrong with a trailer is said, with the place', () => {
    const trailer = encodeTrailer(ID, 5);
    const stored = storedBytesOf(5);
    const flawed = (change: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(trailer);
      change(bytes);
      return bytes;
    };
    const resealed = flawed((bytes) => {
      bytes.writeBigUInt64BE(6n, 0);
      bytes.writeUInt32BE(crc32(bytes.subarray(0, 24)), 24);
    });
    const cases: [Buffer, string, number, RegExp][] = [
      [trailer.subarray(1), ID, stored, /no trailer at the end/],
      [flawed((bytes) => bytes.fill(0, 28)), ID, stored, /no trailer at the end/],
      [flawed((bytes) => bytes.fill(0, 0, 8)), ID, stored, /wrong CRC/],
      [trailer, ID.replace('0', 'f'), stored, new RegExp(`this is the file of ${ID}`)],
      [trailer, ID, stored + 1, /5 bytes of content do not fit a file of 42/],
      [resealed, ID, stored, /6 bytes of content do not fit a file of 41/],
    ];
    for (const [bytes, id, fileBytes, message] of cases) {
      assert.throws(() => decodeTrailer(bytes, id, fileBytes, '/b'), { code: 'corrupt', message });
      assert.throws(() => decodeTrailer(bytes, id, fileBytes, '/b'), { message: /^\/b, trailer: / });
    }
    assert.equal(decodeTrailer(trailer, ID, stored, '/b'), 5);
  });
});
