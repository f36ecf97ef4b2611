/**
 * A string value that is changed in place: by SETBIT, SETRANGE, BITFIELD and APPEND. It has room to grow, so
 * that many small appends cost their own bytes and not the whole value each.
 */

export class ByteString {
  #block: Buffer;
  #length: number;

  constructor(text: string) {
    this.#block = Buffer.from(text, 'latin1');
    this.#length = text.length;
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes reserved, used or not. */
  get capacity(): number {
    return this.#block.length;
  }

  text(start = 0, end = this.#length): string {
    return this.#block.toString('latin1', start, Math.min(end, this.#length));
  }

  /** The byte at a place; 0 beyond the end, as a string of bits reads. */
  byteAt(place: number): number {
    return place < this.#length ? this.#block[place]! : 0;
  }

  setByte(place: number, byte: number): void {
    this.extend(place + 1);
    this.#block[place] = byte;
  }

  /** Makes it at least `length` long, with zero bytes at the end. */
  extend(length: number): void {
    if (length <= this.#length) return;
    if (length > this.#block.length) this.#grow(length);
    this.#block.fill(0, this.#length, length);
    this.#length = length;
  }

  write(place: number, text: string): void {
    this.extend(place + text.length);
    this.#block.write(text, place, 'latin1');
  }

  /** A view of the bytes, valid until the next change. */
  bytes(): Buffer {
    return this.#block.subarray(0, this.#length);
  }

  #grow(length: number): void {
    const spare = Math.min(length, 1_048_576);
    const grown = Buffer.allocUnsafeSlow(length + spare);
    grown.set(this.#block.subarray(0, this.#length));
    this.#block = grown;
  }
}
