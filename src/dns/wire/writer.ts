/**
 * Octets being put together, with name compression and a way back.
 *
 * A write past `limitBytes` marks the writer as full instead of throwing, so a record that does not fit is
 * simply taken back: `mark` before it, `rollback` after. RFC 2181 section 9 wants whole RRsets left out, never
 * a message cut in the middle.
 */
import { type Name, parentOf, ROOT } from './name.ts';

/** Pointers have 14 bits: only names that begin below this offset can be pointed to. RFC 1035 section 4.1.4. */
const POINTER_REACH = 0x4000;
const INITIAL_BYTES = 512;

export interface Mark {
  readonly at: number;
  readonly names: number;
}

export class WireWriter {
  at = 0;
  full = false;
  #bytes: Buffer;
  readonly #limitBytes: number;
  /** Where each name written so far begins, by its octets as written: a pointer must not change case. */
  readonly #offsets = new Map<string, number>();
  /** The keys of `#offsets` in the order of writing, for rollback. */
  readonly #written: string[] = [];
  readonly #compress: boolean;

  /** `names` is `plain` for data outside a message, where there is nothing to point to. */
  constructor(limitBytes: number, names: 'compressed' | 'plain' = 'compressed') {
    this.#limitBytes = limitBytes;
    this.#compress = names === 'compressed';
    this.#bytes = Buffer.allocUnsafe(Math.min(INITIAL_BYTES, limitBytes));
  }

  u8(value: number): void {
    if (this.#room(1)) this.#bytes[this.at++] = value;
  }

  u16(value: number): void {
    if (this.#room(2)) this.at = this.#bytes.writeUInt16BE(value, this.at);
  }

  u32(value: number): void {
    if (this.#room(4)) this.at = this.#bytes.writeUInt32BE(value, this.at);
  }

  put(bytes: Uint8Array): void {
    if (!this.#room(bytes.length)) return;
    this.#bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** Octets given as a string of one character each. */
  octets(text: string): void {
    if (this.#room(text.length)) this.at += this.#bytes.write(text, this.at, 'latin1');
  }

  characterString(octets: string): void {
    this.u8(octets.length);
    this.octets(octets);
  }

  /** A name in full, which no later name may point to. */
  plainName(name: Name): void {
    this.octets(name);
  }

  /** A name, its ending replaced by a pointer to an earlier name where there is one. */
  compressedName(name: Name): void {
    if (!this.#compress) {
      this.plainName(name);
      return;
    }
    for (let rest = name; rest !== ROOT; rest = parentOf(rest)) {
      const offset = this.#offsets.get(rest);
      if (offset !== undefined) {
        this.u16(0xc000 | offset);
        return;
      }
      this.#remember(rest);
      this.octets(rest.slice(0, 1 + rest.charCodeAt(0)));
    }
    this.u8(0);
  }

  /** Writes over two octets written before: a count or a length known only afterwards. */
  patchU16(at: number, value: number): void {
    if (at + 2 <= this.at) this.#bytes.writeUInt16BE(value, at);
  }

  mark(): Mark {
    return { at: this.at, names: this.#written.length };
  }

  /** Takes back everything since `mark`, names to point to included. */
  rollback(mark: Mark): void {
    this.at = mark.at;
    this.full = false;
    while (this.#written.length > mark.names) this.#offsets.delete(this.#written.pop() ?? '');
  }

  /** What was written. The writer must not be used afterwards. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.at);
  }

  /** A copy of what was written since `from`; the writer goes on. */
  copyFrom(from: number): Buffer {
    return Buffer.from(this.#bytes.subarray(from, this.at));
  }

  #remember(name: Name): void {
    if (this.at >= POINTER_REACH || this.full) return;
    this.#offsets.set(name, this.at);
    this.#written.push(name);
  }

  #room(length: number): boolean {
    const needed = this.at + length;
    if (this.full || needed > this.#limitBytes) {
      this.full = true;
      return false;
    }
    if (needed > this.#bytes.length) this.#grow(needed);
    return true;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.min(this.#limitBytes, Math.max(needed, this.#bytes.length * 2)));
    this.#bytes.copy(larger, 0, 0, this.at);
    this.#bytes = larger;
  }
}
