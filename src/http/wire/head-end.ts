/**
 * Finding the end of a head (or trailer section) while its bytes arrive.
 *
 *   start-line CRLF *( field-line CRLF ) CRLF          RFC 9112 section 2.1
 *
 * RFC 9112 section 2.2 lets a recipient take a lone LF as a line end. Where two parties on one path differ in
 * that, one request becomes two; so a lone LF is refused here as soon as it is seen, not when the head is
 * complete. What is found first, a lone LF or too many bytes, is found in the order of the bytes, so that the
 * refusal does not depend on how they were cut.
 */
import type { Input } from './input.ts';

const LF = 0x0a;
const CR = 0x0d;

export type SectionFault = 'bad-line-ending' | 'first-line-too-long' | 'too-large';

/** Remembers how far it looked, so that a head that comes byte by byte is scanned once. */
export class HeadEnd {
  #scanned = 0;
  #lineStart = 0;

  /** Nothing of the section has been looked at. */
  get isFresh(): boolean {
    return this.#scanned === 0;
  }

  reset(): void {
    this.#scanned = 0;
    this.#lineStart = 0;
  }

  /**
   * @param maxBytes of the whole section, its empty line included
   * @param maxFirstLineBytes of the first line with its CRLF
   * @returns the length of the section including its empty line; undefined when more bytes are needed
   */
  find(input: Input, maxBytes: number, maxFirstLineBytes = maxBytes): number | SectionFault | undefined {
    for (;;) {
      const lf = input.indexOf(LF, this.#scanned);
      const seen = lf < 0 ? input.length : lf + 1;
      if (this.#lineStart === 0 && seen > maxFirstLineBytes && maxFirstLineBytes < maxBytes)
        return 'first-line-too-long';
      if (seen > maxBytes) return 'too-large';
      if (lf < 0) return this.#wait(input);
      if (lf === 0 || input.byte(lf - 1) !== CR) return 'bad-line-ending';
      const empty = lf - 1 === this.#lineStart;
      this.#scanned = lf + 1;
      this.#lineStart = lf + 1;
      if (empty) return lf + 1;
    }
  }

  #wait(input: Input): undefined {
    this.#scanned = input.length;
    return undefined;
  }
}
