/**
 * A cursor over bytes that refuses to run past the end. For messages whose whole length is known: what is
 * still arriving waits in a `ReceiveBuffer`.
 */

/** Thrown by `ByteReader` when a message claims more than it holds; each codec turns it into `malformed`. */
export class ShortRead extends Error {
  override readonly name = 'ShortRead';
}

export class ByteReader {
  readonly bytes: Buffer;
  position: number;
  readonly end: number;

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  /** Moves past `length` bytes and returns where they began. @throws ShortRead when fewer remain */
  skip(length: number): number {
    const start = this.position;
    if (length < 0 || length > this.end - start) throw new ShortRead(`${length} bytes wanted at ${start}`);
    this.position = start + length;
    return start;
  }

  uint8(): number {
    return this.bytes[this.skip(1)] as number;
  }

  uint16(): number {
    return this.bytes.readUInt16BE(this.skip(2));
  }

  uint32(): number {
    return this.bytes.readUInt32BE(this.skip(4));
  }

  int16(): number {
    return this.bytes.readInt16BE(this.skip(2));
  }

  int32(): number {
    return this.bytes.readInt32BE(this.skip(4));
  }

  uint64(): bigint {
    return this.bytes.readBigUInt64BE(this.skip(8));
  }

  int64(): bigint {
    return this.bytes.readBigInt64BE(this.skip(8));
  }

  float32(): number {
    return this.bytes.readFloatBE(this.skip(4));
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.skip(8));
  }

  /** A view, not a copy. */
  take(length: number): Buffer {
    const start = this.skip(length);
    return this.bytes.subarray(start, start + length);
  }

  latin1(length: number): string {
    const start = this.skip(length);
    return this.bytes.toString('latin1', start, start + length);
  }

  utf8(length: number): string {
    const start = this.skip(length);
    return this.bytes.toString('utf8', start, start + length);
  }

  /** Text up to a zero byte, which is skipped too. @throws ShortRead when there is none */
  cString(): string {
    const at = this.bytes.indexOf(0, this.position);
    if (at < 0 || at >= this.end) throw new ShortRead(`no zero byte after ${this.position}`);
    const text = this.bytes.toString('utf8', this.position, at);
    this.position = at + 1;
    return text;
  }
}
