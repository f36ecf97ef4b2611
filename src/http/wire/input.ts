/**
 * Bytes received and not yet decoded, of one connection.
 *
 * A chunk that arrives while nothing is pending is taken over without copying, so that whole messages and
 * long bodies are never copied; only a remainder is, into a buffer that doubles. Slices handed out stay
 * valid: bytes once visible are never overwritten.
 *
 * Memory may also be lent, until `keep`. Then what is taken is copied out of it, and what is left of it at last.
 *
 * Heads are read from a text of what has arrived, one character per byte. It is made once per arrival, however
 * many pipelined heads it holds: turning bytes into text costs a call out of JavaScript each time.
 */
import { Buffer } from 'node:buffer';
import { Slab } from '../../core/bytes/slab.ts';

const FIRST_CAPACITY_BYTES = 1_024;
const EMPTY = Buffer.alloc(0);
const slab = new Slab();

export class Input {
  #buffer: Buffer = EMPTY;
  #start = 0;
  #end = 0;
  /** False for a chunk taken over, whose memory behind `end` is not ours to write. */
  #owned = false;
  /** The memory is somebody else's, and only until `keep`. */
  #lent = false;
  /** The bytes from `textStart` on as text; empty when it was not made. */
  #text = '';
  #textStart = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  append(chunk: Buffer): void {
    if (this.#start === this.#end) this.#takeOver(chunk, chunk.length);
    else this.#copyIn(chunk, chunk.length);
  }

  /** Appends the first `length` bytes of memory that the caller wants back: `keep` has to be called then. */
  lend(memory: Buffer, length: number): void {
    if (this.#start === this.#end) {
      this.#takeOver(memory, length);
      this.#lent = true;
    } else {
      this.#copyIn(memory, length);
    }
  }

  /** Gives lent memory back; what is pending in it is kept as a copy. */
  keep(): void {
    if (!this.#lent) return;
    this.#grow(0);
    this.#text = '';
  }

  #takeOver(memory: Buffer, length: number): void {
    this.#buffer = memory;
    this.#start = 0;
    this.#end = length;
    this.#owned = false;
  }

  #copyIn(memory: Buffer, length: number): void {
    if (!this.#owned || this.#end + length > this.#buffer.length) this.#grow(length);
    memory.copy(this.#buffer, this.#end, 0, length);
    this.#end += length;
    this.#text = '';
  }

  /** The pending bytes as text, at least the first `enough` of them if there are as many; they begin at `textOffset`. */
  text(enough: number): string {
    const textEnd = this.#textStart + this.#text.length;
    if (this.#text === '' || (textEnd < this.#end && textEnd < this.#start + enough)) {
      // Twice as much, so that a long run of heads is turned into text twice over at most.
      const to = Math.min(this.#end, this.#start + enough * 2);
      this.#text = this.#buffer.toString('latin1', this.#start, to);
      this.#textStart = this.#start;
    }
    return this.#text;
  }

  /** Where in `text` the pending bytes begin. */
  get textOffset(): number {
    return this.#start - this.#textStart;
  }

  #grow(more: number): void {
    const capacity = Math.max(FIRST_CAPACITY_BYTES, (this.length + more) * 2);
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(grown, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = grown;
    this.#owned = true;
    this.#lent = false;
  }

  /** The byte `at` from the start; the caller stays below `length`. */
  byte(at: number): number {
    return this.#buffer[this.#start + at]!;
  }

  /** Where the byte `wanted` is first found at or after `from`, or -1. */
  indexOf(wanted: number, from: number): number {
    const at = this.#buffer.indexOf(wanted, this.#start + from);
    return at < 0 || at >= this.#end ? -1 : at - this.#start;
  }

  /** Takes `length` bytes as text, one character per byte. */
  takeText(length: number): string {
    const text = this.#buffer.toString('latin1', this.#start, this.#start + length);
    this.skip(length);
    return text;
  }

  /** Takes up to `length` bytes. */
  take(length: number): Buffer {
    const to = Math.min(this.#end, this.#start + length);
    const bytes = this.#lent
      ? slab.copy(this.#buffer, this.#start, to)
      : this.#buffer.subarray(this.#start, to);
    this.skip(bytes.length);
    return bytes;
  }

  skip(length: number): void {
    this.#start += length;
    if (this.#start === this.#end) this.clear();
  }

  clear(): void {
    this.#buffer = EMPTY;
    this.#text = '';
    this.#start = 0;
    this.#end = 0;
    this.#owned = false;
    this.#lent = false;
  }
}
