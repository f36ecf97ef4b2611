/**
 * Bytes received and not yet decoded, of one connection.
 *
 * A chunk that arrives while nothing is pending is taken over without copying, so that whole messages and
 * long bodies are never copied; only a remainder is, into a buffer that doubles. Slices handed out stay
 * valid: bytes once visible are never overwritten.
 */

const FIRST_CAPACITY_BYTES = 1_024;

export class Input {
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** False for a chunk taken over, whose memory behind `end` is not ours to write. */
  #owned = false;

  get length(): number {
    return this.#end - this.#start;
  }

  append(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#owned = false;
      return;
    }
    if (!this.#owned || this.#end + chunk.length > this.#buffer.length) this.#grow(chunk.length);
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  #grow(more: number): void {
    const capacity = Math.max(FIRST_CAPACITY_BYTES, (this.length + more) * 2);
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(grown, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = grown;
    this.#owned = true;
  }

  /** The byte `at` from the start; the caller stays below `length`. */
  byte(at: number): number {
    return this.#buffer[this.#start + at]!;
  }

  /** Where `wanted` is first found at or after `from`, or -1. */
  indexOf(wanted: number | string, from = 0): number {
    const at = this.#buffer.indexOf(wanted, this.#start + from, 'latin1');
    if (at < 0 || at >= this.#end) return -1;
    const length = typeof wanted === 'string' ? wanted.length : 1;
    return at + length > this.#end ? -1 : at - this.#start;
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
    const bytes = this.#buffer.subarray(this.#start, to);
    this.skip(bytes.length);
    return bytes;
  }

  skip(length: number): void {
    this.#start += length;
    if (this.#start === this.#end) this.clear();
  }

  clear(): void {
    this.#buffer = EMPTY;
    this.#start = 0;
    this.#end = 0;
    this.#owned = false;
  }
}

const EMPTY = Buffer.alloc(0);
