/**
 * A cursor over received octets.
 *
 * A read past the end does not throw: it marks the reader as failed and gives zeros from then on. So a decoder
 * is written straight down, without a check after each field, and asks `problem` once at the end (or in a loop
 * whose length the peer chose). Malformed input costs no exception.
 */
import { MAX_LABEL_BYTES, MAX_NAME_BYTES, MAX_POINTERS } from '../limits.ts';
import { type Name, ROOT } from './name.ts';

export class WireReader {
  readonly bytes: Buffer;
  at: number;
  /** One past the last octet that may be read; the end of a record's data while that is being read. */
  end: number;
  /** What is wrong with the input; the first problem found stays. */
  problem: string | undefined;
  /** Names already decoded, by the offset where they begin: a pointer to one costs nothing more. */
  #names: Map<number, Name> | undefined;

  constructor(bytes: Buffer, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  /** Marks the input as malformed and stops further reading. */
  fail(problem: string): void {
    this.problem ??= problem;
    this.at = this.end;
  }

  u8(): number {
    return this.#has(1) ? (this.bytes[this.at++] as number) : 0;
  }

  u16(): number {
    if (!this.#has(2)) return 0;
    const value = this.bytes.readUInt16BE(this.at);
    this.at += 2;
    return value;
  }

  u32(): number {
    if (!this.#has(4)) return 0;
    const value = this.bytes.readUInt32BE(this.at);
    this.at += 4;
    return value;
  }

  /** A view of the next `length` octets, not a copy. */
  take(length: number): Buffer {
    if (!this.#has(length)) return this.bytes.subarray(0, 0);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** The rest up to `end`. */
  rest(): Buffer {
    return this.take(this.remaining);
  }

  /** A character-string, RFC 1035 section 3.3: a length octet and so many octets. */
  characterString(): Buffer {
    return this.take(this.u8());
  }

  /**
   * A name, following compression pointers.
   *
   * A pointer must lead to a strictly lower offset than the labels before it began at. So every name ends,
   * whatever the message says (RFC 9267 section 2 lists the servers that got this wrong).
   */
  name(): Name {
    const name = this.#nameAt(this.at, this.end, 0, true);
    if (name === undefined) return ROOT;
    return name;
  }

  #nameAt(start: number, end: number, pointers: number, moveCursor: boolean): Name | undefined {
    const known = moveCursor ? undefined : this.#names?.get(start);
    if (known !== undefined) return known;
    let at = start;
    for (;;) {
      const length = at < end ? (this.bytes[at] as number) : -1;
      if (length === 0) return this.#finishName(start, at, at + 1, ROOT, moveCursor);
      if (length > 0 && length <= MAX_LABEL_BYTES) {
        at += 1 + length;
        if (at - start >= MAX_NAME_BYTES) return this.#failName('a name is longer than 255 octets');
      } else if (length >= 0xc0 && at + 1 < end) {
        const target = ((length & 0x3f) << 8) | (this.bytes[at + 1] as number);
        if (target >= start) return this.#failName('a compression pointer does not point backwards');
        if (pointers >= MAX_POINTERS) return this.#failName('a name has too many compression pointers');
        const suffix = this.#nameAt(target, start, pointers + 1, false);
        if (suffix === undefined) return undefined;
        return this.#finishName(start, at, at + 2, suffix, moveCursor);
      } else {
        return this.#failName(
          length < 0 || length >= 0xc0 ? 'a name is cut off' : 'a label has an unknown type',
        );
      }
    }
  }

  #finishName(
    start: number,
    labelsEnd: number,
    next: number,
    suffix: Name,
    moveCursor: boolean,
  ): Name | undefined {
    const name = (this.bytes.toString('latin1', start, labelsEnd) + suffix) as Name;
    if (name.length > MAX_NAME_BYTES) return this.#failName('a name is longer than 255 octets');
    this.#names ??= new Map();
    this.#names.set(start, name);
    if (moveCursor) this.at = next;
    return name;
  }

  #failName(problem: string): undefined {
    this.fail(problem);
    return undefined;
  }

  #has(length: number): boolean {
    if (length <= this.end - this.at) return true;
    this.fail('cut off');
    return false;
  }
}
