import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { combineCrcs } from '../engine/crc-combination.ts';
import type { ChecksumAlgorithm } from '../wire/checksums.ts';
import { nodeHashing } from './hashing.ts';

function digest(algorithm: ChecksumAlgorithm | 'MD5', ...pieces: readonly Uint8Array[]): Buffer {
  const hash = nodeHashing.start(algorithm);
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}

/** "123456789": the check value by which a CRC is known, and digests of the same text. */
const VECTORS: readonly (readonly [ChecksumAlgorithm | 'MD5', string])[] = [
  ['CRC32', 'cbf43926'],
  ['CRC32C', 'e3069283'],
  ['CRC64NVME', 'ae8b14860a799888'],
  ['SHA1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
  ['SHA256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
  ['MD5', '25f9e794323b453885f5181f1b624d0b'],
];

describe('checksums', () => {
  for (const [algorithm, expected] of VECTORS) {
    test(algorithm, () => {
      assert.equal(digest(algorithm, Buffer.from('123456789')).toString('hex'), expected);
    });
  }

  test('32 zero bytes and 32 ones, from RFC 3720 appendix B.4', () => {
    assert.equal(digest('CRC32C', Buffer.alloc(32)).toString('hex'), '8a9136aa');
    assert.equal(digest('CRC32C', Buffer.alloc(32, 0xff)).toString('hex'), '62a8ab43');
  });

  for (const [algorithm] of VECTORS) {
    test(`${algorithm} does not depend on how the bytes came`, () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
          const whole = Buffer.concat(pieces);
          assert.deepEqual(digest(algorithm, ...pieces), digest(algorithm, whole));
        }),
      );
    });
  }

  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    test(`${algorithm} of a whole follows from those of its parts`, () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1 }), (pieces) => {
          const parts = pieces.map((piece) => ({ crc: digest(algorithm, piece), sizeBytes: piece.length }));
          assert.deepEqual(combineCrcs(algorithm, parts), digest(algorithm, ...pieces));
        }),
      );
    });
  }

  test('secrets are compared over all their length', () => {
    assert.equal(nodeHashing.equal('abc', 'abc'), true);
    assert.equal(nodeHashing.equal('abc', 'abd'), false);
    assert.equal(nodeHashing.equal('abc', 'abcd'), false);
  });
});
