/**
 * A set of page numbers: one bit each, so that all pages of a 20 GB file take 320 KiB. Written by a checkpoint
 * as the list of pages that its root reaches; what no root reaches is free.
 */
const WORD_BITS = 32;
const WORDS_MIN = 256;

export class PageSet {
  #words: Uint32Array;

  constructor(words: Uint32Array = new Uint32Array(WORDS_MIN)) {
    this.#words = words;
  }

  has(number: number): boolean {
    return (this.word(number >>> 5) & (1 << (number & 31))) !== 0;
  }

  add(number: number): void {
    const index = number >>> 5;
    if (index >= this.#words.length) this.#grow(index + 1);
    this.#words[index]! |= 1 << (number & 31);
  }

  delete(number: number): void {
    const index = number >>> 5;
    if (index < this.#words.length) this.#words[index]! &= ~(1 << (number & 31));
  }

  /** The bits of the pages from 32 × `index` on; no bits past the end. */
  word(index: number): number {
    return index < this.#words.length ? this.#words[index]! : 0;
  }

  /** Words that may hold bits. */
  get words(): number {
    return this.#words.length;
  }

  clone(): PageSet {
    return new PageSet(this.#words.slice());
  }

  /** The highest page number in the set, or -1. */
  highest(): number {
    let index = this.#words.length - 1;
    while (index >= 0 && this.#words[index] === 0) index -= 1;
    return index < 0 ? -1 : index * WORD_BITS + 31 - Math.clz32(this.#words[index]!);
  }

  get size(): number {
    return this.sizeFrom(0);
  }

  /** How many of the pages have the number `first` or a higher one. */
  sizeFrom(first: number): number {
    const start = first >>> 5;
    let size = bitsIn(this.word(start) & (-1 << (first & 31)));
    for (let index = start + 1; index < this.#words.length; index += 1) size += bitsIn(this.#words[index]!);
    return size;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (const [index, word] of this.#words.entries()) {
      for (let rest = word; rest !== 0; rest &= rest - 1) {
        yield index * WORD_BITS + 31 - Math.clz32(rest & -rest);
      }
    }
  }

  /** The words up to the highest page, 4 bytes each, big-endian, followed by zeros up to `sizeBytes`. */
  encode(sizeBytes: number): Buffer {
    const bytes = Buffer.alloc(sizeBytes);
    const count = Math.ceil((this.highest() + 1) / WORD_BITS);
    for (let index = 0; index < count; index += 1) bytes.writeUInt32BE(this.#words[index]!, index * 4);
    return bytes;
  }

  static decode(bytes: Buffer): PageSet {
    const words = new Uint32Array(Math.max(WORDS_MIN, Math.floor(bytes.length / 4)));
    for (let index = 0; index * 4 + 4 <= bytes.length; index += 1)
      words[index] = bytes.readUInt32BE(index * 4);
    return new PageSet(words);
  }

  #grow(neededWords: number): void {
    const larger = new Uint32Array(Math.max(neededWords, this.#words.length * 2));
    larger.set(this.#words);
    this.#words = larger;
  }
}

/** Sums of two, four and eight neighbouring bits, side by side in one word; the product adds up the bytes. */
function bitsIn(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
