/**
 * Copies of bytes that belong to somebody else, such as a buffer that all reads share.
 *
 * A small copy with memory of its own costs more than the copying, so small ones are cut from a slab, one behind the
 * other. Who keeps one keeps its slab; so slabs are small, or ten thousand connections that never finish a message would
 * keep much more than they sent (Node's own pool has 64 KiB).
 */
import { Buffer } from 'node:buffer';

/** Longer copies have memory of their own. */
const CUT_BYTES_MAX = 1_024;
const SLAB_BYTES = 8_192;

export class Slab {
  #buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #usedBytes = 0;

  /** A copy of `source` from `from` up to `to`. */
  copy(source: Buffer, from: number, to: number): Buffer {
    const length = to - from;
    if (length > CUT_BYTES_MAX) {
      const own = Buffer.allocUnsafeSlow(length);
      source.copy(own, 0, from, to);
      return own;
    }
    if (this.#usedBytes + length > SLAB_BYTES) {
      this.#buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#usedBytes = 0;
    }
    const at = this.#usedBytes;
    this.#usedBytes += length;
    source.copy(this.#buffer, at, from, to);
    return this.#buffer.subarray(at, this.#usedBytes);
  }
}
