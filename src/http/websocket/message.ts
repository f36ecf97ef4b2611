/**
 * A message under way: its frames follow one another, control frames may come between. RFC 6455 section 5.4.
 *
 *   text fin=0 │ continuation fin=0 │ ping │ continuation fin=1
 *   ├── first ─┼────────────────────┼──────┼──── last ─────────┤
 *
 * What arrives is copied into one buffer that doubles, for a peer that sends byte by byte would otherwise make
 * us keep an object for each; what a frame only announces takes no memory.
 */
import { Utf8Checker } from './wire/utf8.ts';

export type MessageKind = 'text' | 'binary';

const FIRST_CAPACITY_BYTES = 1_024;
const NOTHING = Buffer.alloc(0);

export class IncomingMessage {
  readonly of: MessageKind;
  readonly compressed: boolean;
  readonly utf8 = new Utf8Checker();
  fragmentCount = 1;
  /** Payload of all its frames so far, as they announced it. */
  announcedBytes: number;
  #buffer: Buffer = NOTHING;
  #length = 0;

  /** @param announcedBytes of its first frame */
  constructor(of: MessageKind, compressed: boolean, announcedBytes: number) {
    this.of = of;
    this.compressed = compressed;
    this.announcedBytes = announcedBytes;
  }

  append(piece: Buffer): void {
    const needed = this.#length + piece.length;
    if (needed > this.#buffer.length) this.#grow(needed);
    piece.copy(this.#buffer, this.#length);
    this.#length = needed;
  }

  /** All bytes so far; the message holds none afterwards. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#buffer = NOTHING;
    this.#length = 0;
    return bytes;
  }

  #grow(needed: number): void {
    const capacity = Math.max(FIRST_CAPACITY_BYTES, needed, this.#buffer.length * 2);
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
