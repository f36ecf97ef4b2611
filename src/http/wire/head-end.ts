/**
 * Finding the end of a head (or trailer section) while its bytes arrive.
 *
 *   start-line CRLF *( field-line CRLF ) CRLF          RFC 9112 section 2.1
 *
 * RFC 9112 section 2.2 lets a recipient take a lone LF as a line end. Where two parties on one path differ in
 * that, one request becomes two; so a lone LF is refused here as soon as it is seen, not when the head is
 * complete.
 */
import { badLineEnding } from './fields.ts';
import type { Input } from './input.ts';
import type { Malformed } from './malformed.ts';

const LF = 0x0a;
const CR = 0x0d;

/** Remembers how far it looked, so that a head that comes byte by byte is scanned once. */
export class HeadEnd {
  #scanned = 0;
  #lineStart = 0;

  reset(): void {
    this.#scanned = 0;
    this.#lineStart = 0;
  }

  /** Length of the section including its empty line; undefined when more bytes are needed. */
  find(input: Input): number | Malformed | undefined {
    for (;;) {
      const lf = input.indexOf(LF, this.#scanned);
      if (lf < 0) return this.#wait(input);
      if (lf === 0 || input.byte(lf - 1) !== CR) return badLineEnding();
      const empty = lf - 1 === this.#lineStart;
      this.#scanned = lf + 1;
      this.#lineStart = lf + 1;
      if (empty) return lf + 1;
    }
  }

  /** Bytes of the line that has not ended yet start here. */
  get lineStart(): number {
    return this.#lineStart;
  }

  #wait(input: Input): undefined {
    this.#scanned = input.length;
    return undefined;
  }
}
