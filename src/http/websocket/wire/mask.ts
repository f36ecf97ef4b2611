/**
 * Masking: payload byte n is XORed with byte n mod 4 of the key, which undoes itself. RFC 6455 section 5.3.
 *
 *   payload   byte byte byte byte byte byte …
 *   key       k0   k1   k2   k3   k0   k1
 *
 * It costs more than everything else that is done to a long frame, so whole words are masked at once. A word
 * must lie on a multiple of four in memory, which payloads seldom do: the bytes before go one by one, and the
 * key turns accordingly.
 */

/** Below this a view of words costs more than the bytes. */
const WORDWISE_FROM_BYTES = 64;
const HIGH_BITS = 0x8080_8080;
const IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/**
 * Masks or unmasks `bytes` where they are.
 * @param key as a little-endian number, its first byte lowest
 * @param phase how many bytes of the payload came before
 * @returns true when what came out is ASCII, which is known here for nothing
 */
export function applyMask(bytes: Uint8Array, key: number, phase = 0): boolean {
  const turned = turn(key, phase & 3);
  return bytes.length < WORDWISE_FROM_BYTES
    ? maskBytes(bytes, 0, bytes.length, turned) < 0x80
    : maskWords(bytes, turned);
}

/** The key that begins with byte `phase` of `key`. */
function turn(key: number, phase: number): number {
  return phase === 0 ? key : (key >>> (8 * phase)) | (key << (32 - 8 * phase));
}

/** @returns the bits set in any byte of the result */
function maskBytes(bytes: Uint8Array, from: number, to: number, key: number): number {
  let turning = key;
  let seen = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]! ^ (turning & 0xff);
    bytes[at] = byte;
    seen |= byte;
    turning = (turning >>> 8) | (turning << 24);
  }
  return seen;
}

function maskWords(bytes: Uint8Array, key: number): boolean {
  const before = -bytes.byteOffset & 3;
  const count = (bytes.length - before) >>> 2;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + before, count);
  const turned = turn(key, before);
  const wordKey = IS_LITTLE_ENDIAN ? turned : swapped(turned);
  let seen = 0;
  for (let at = 0; at < count; at++) {
    const word = words[at]! ^ wordKey;
    words[at] = word;
    seen |= word;
  }
  const edges = maskBytes(bytes, 0, before, key) | maskBytes(bytes, before + 4 * count, bytes.length, turned);
  return (seen & HIGH_BITS) === 0 && edges < 0x80;
}

function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
