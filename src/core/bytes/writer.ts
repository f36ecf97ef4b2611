/**
 * Builds messages in one growing buffer. Lengths that are known only afterwards are reserved and patched.
 * Numbers are big-endian, as all of our protocols have them.
 */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Makes room for `length` more bytes and returns where they begin. */
  reserve(length: number): number {
    const start = this.#length;
    const needed = start + length;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, start);
      this.#buffer = grown;
    }
    this.#length = needed;
    return start;
  }

  uint8(value: number): this {
    const at = this.reserve(1);
    this.#buffer[at] = value;
    return this;
  }

  uint16(value: number): this {
    const at = this.reserve(2);
    this.#buffer.writeUInt16BE(value, at);
    return this;
  }

  uint32(value: number): this {
    const at = this.reserve(4);
    this.#buffer.writeUInt32BE(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.reserve(2);
    this.#buffer.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.reserve(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  uint64(value: bigint): this {
    const at = this.reserve(8);
    this.#buffer.writeBigUInt64BE(value, at);
    return this;
  }

  int64(value: bigint): this {
    const at = this.reserve(8);
    this.#buffer.writeBigInt64BE(value, at);
    return this;
  }

  float32(value: number): this {
    const at = this.reserve(4);
    this.#buffer.writeFloatBE(value, at);
    return this;
  }

  float64(value: number): this {
    const at = this.reserve(8);
    this.#buffer.writeDoubleBE(value, at);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.reserve(value.length);
    this.#buffer.set(value, at);
    return this;
  }

  latin1(value: string): this {
    const at = this.reserve(value.length);
    this.#buffer.write(value, at, 'latin1');
    return this;
  }

  utf8(value: string): this {
    const at = this.reserve(Buffer.byteLength(value));
    this.#buffer.write(value, at, 'utf8');
    return this;
  }

  /** UTF-8 text and a zero byte. */
  cString(value: string): this {
    return this.utf8(value).uint8(0);
  }

  patchUint8(at: number, value: number): void {
    this.#buffer[at] = value;
  }

  patchUint16(at: number, value: number): void {
    this.#buffer.writeUInt16BE(value, at);
  }

  patchUint32(at: number, value: number): void {
    this.#buffer.writeUInt32BE(value, at);
  }

  patchInt32(at: number, value: number): void {
    this.#buffer.writeInt32BE(value, at);
  }

  /** What is written so far, without copying: valid until the next write. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Hands the bytes over and starts again with an empty buffer of its own. */
  take(): Buffer {
    const taken = this.view();
    this.#buffer = Buffer.allocUnsafe(256);
    this.#length = 0;
    return taken;
  }

  /** Forgets everything after `length`. */
  truncate(length: number): void {
    this.#length = Math.min(length, this.#length);
  }
}
