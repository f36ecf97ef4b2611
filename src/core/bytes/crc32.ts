import { crc32 as nativeCrc32 } from 'node:zlib';

/** CRC-32 (IEEE 802.3, as in zlib and gzip) of `bytes`, continuing from `previous`. Unsigned 32 bits. */
export function crc32(bytes: Uint8Array, previous = 0): number {
  return nativeCrc32(bytes, previous);
}
