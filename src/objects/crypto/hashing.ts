/** The real hash functions behind `wire/hashing.ts`. */
import { createHash, createHmac, hash, timingSafeEqual } from 'node:crypto';
import { crc32 } from '../../core/bytes/crc32.ts';
import type { ChecksumAlgorithm } from '../wire/checksums.ts';
import type { Hashing, RunningHash } from '../wire/hashing.ts';
import { crc32c } from './crc32c.ts';
import { Crc64Nvme } from './crc64-nvme.ts';

export const nodeHashing: Hashing = {
  start: startHash,
  sha256Hex: (data) => hash('sha256', typeof data === 'string' ? Buffer.from(data, 'latin1') : data, 'hex'),
  hmacSha256: (key, data) => createHmac('sha256', key).update(data, 'latin1').digest(),
  equal: (left, right) => {
    const a = Buffer.from(left, 'latin1');
    const b = Buffer.from(right, 'latin1');
    return a.length === b.length && timingSafeEqual(a, b);
  },
};

function startHash(algorithm: ChecksumAlgorithm | 'MD5'): RunningHash {
  switch (algorithm) {
    case 'CRC32':
      return new Crc32(crc32);
    case 'CRC32C':
      return new Crc32(crc32c);
    case 'CRC64NVME':
      return new Crc64Nvme();
    default:
      return new NodeHash(algorithm);
  }
}

class NodeHash implements RunningHash {
  readonly #hash: ReturnType<typeof createHash>;

  constructor(algorithm: string) {
    this.#hash = createHash(algorithm.toLowerCase());
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Buffer {
    return this.#hash.digest();
  }
}

class Crc32 implements RunningHash {
  readonly #step: (bytes: Uint8Array, previous?: number) => number;
  #crc = 0;

  constructor(step: (bytes: Uint8Array, previous?: number) => number) {
    this.#step = step;
  }

  update(bytes: Uint8Array): void {
    this.#crc = this.#step(bytes, this.#crc);
  }

  digest(): Buffer {
    const out = Buffer.allocUnsafe(4);
    out.writeUInt32BE(this.#crc, 0);
    return out;
  }
}
