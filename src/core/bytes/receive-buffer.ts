/**
 * Holds the bytes that have arrived but not yet made a whole message.
 *
 *     ┌───────────┬───────────────────────┬──────────┐
 *     │ consumed  │ unread                │ free     │
 *     └───────────┴───────────────────────┴──────────┘
 *                 start                   end
 *
 * A chunk that arrives while nothing is unread is used in place, without a copy: that is the common case,
 * for most messages come whole. Only a rest is copied, and the buffer grows by doubling, so a message that
 * comes a byte at a time costs O(n) in all.
 *
 * Bytes once given out by `view` are never written over, so a slice of them may be kept as long as it is wanted:
 * a message on its way to disk is still read from while the next one arrives.
 */
export class ReceiveBuffer {
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** True when `#buffer` was allocated here and has room to write in. */
  #owned = false;

  /** Unread bytes. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Takes `chunk`, which the caller must not change afterwards. */
  append(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#owned = false;
      return;
    }
    this.#makeRoom(chunk.length);
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /** The unread bytes, without copying. */
  view(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Marks the first `length` unread bytes as read. */
  consume(length: number): void {
    if (length > this.length) throw new RangeError(`consume ${length} of ${this.length}`);
    this.#start += length;
  }

  clear(): void {
    this.#start = this.#end;
  }

  #makeRoom(length: number): void {
    if (this.#owned && this.#end + length <= this.#buffer.length) return;
    const unread = this.length;
    const needed = unread + length;
    const target = Buffer.allocUnsafe(needed * 2);
    this.#buffer.copy(target, 0, this.#start, this.#end);
    this.#buffer = target;
    this.#start = 0;
    this.#end = unread;
    this.#owned = true;
  }
}
