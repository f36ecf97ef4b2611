/** Hash functions as an argument: pure rooms take them, `hashing.ts` beside the server has the real ones. */
import type { ChecksumAlgorithm } from './checksums.ts';

export interface RunningHash {
  update(bytes: Uint8Array): void;
  /** The digest of all so far. Once. */
  digest(): Buffer;
}

export interface Hashing {
  start(algorithm: ChecksumAlgorithm | 'MD5'): RunningHash;
  /** Lower-case hexadecimal SHA-256; a string counts as latin1 bytes, as header values are. */
  sha256Hex(data: Uint8Array | string): string;
  hmacSha256(key: Uint8Array | string, data: string): Buffer;
  /** Takes the same time wherever two strings of one length differ. */
  equal(left: string, right: string): boolean;
}
