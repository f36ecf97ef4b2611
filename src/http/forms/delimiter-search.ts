/**
 * Finding CR LF `--` boundary in bytes that arrive in pieces.
 *
 *   content ┄┄┄┄┄┄┄┄ CR LF - - b o u n d a r y
 *                    0  1  2 3 4 …              how far it has matched
 *
 * A boundary holds no CR, so CR stands in the delimiter only first, and a match that fails can begin anew only at the
 * byte that failed: no table, no going back, no byte looked at more than twice, whatever is sent. For the same
 * reason what a cut match holds back need not be kept: if it fails, it is the delimiter's own beginning.
 *
 * At the start of a line that the grammar has already ended, the first two bytes are taken as met.
 */
import type { Input } from '../wire/input.ts';

const CR = 0x0d;
const LINE_END_BYTES = 2;

export class DelimiterSearch {
  readonly #delimiter: Buffer;
  #matched = 0;
  /** How many of the bytes matched were never content, having ended the line before. */
  #given = 0;
  #examined = 0;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** Looks at bytes so far, those looked at twice counted twice. */
  get examinedBytes(): number {
    return this.#examined;
  }

  /** Starts behind a line's end. */
  begin(): void {
    this.#matched = LINE_END_BYTES;
    this.#given = LINE_END_BYTES;
  }

  /** Content that is no delimiter, `found` with the delimiter taken, or undefined when more is needed. */
  next(input: Input): Buffer | 'found' | undefined {
    for (;;) {
      if (this.#matched > 0) {
        const outcome = this.#goOn(input);
        if (outcome !== 'failed') return outcome;
      }
      if (input.length === 0) return undefined;
      const content = this.#plain(input);
      if (content.length > 0) return content;
    }
  }

  /** Continues a match begun; `failed` when nothing was held back for it. */
  #goOn(input: Input): Buffer | 'found' | 'failed' | undefined {
    const more = this.#compare(input, 0, this.#matched);
    this.#matched += more;
    input.skip(more);
    if (this.#matched === this.#delimiter.length) {
      this.#reset();
      return 'found';
    }
    if (input.length === 0) return undefined;
    const held = this.#delimiter.subarray(this.#given, this.#matched);
    this.#reset();
    return held.length > 0 ? held : 'failed';
  }

  #reset(): void {
    this.#matched = 0;
    this.#given = 0;
  }

  /** Takes all up to a delimiter that is whole or cut by the end of the input, and enters that match. */
  #plain(input: Input): Buffer {
    for (let from = 0; ; ) {
      // Where one CR follows another, looking costs a third of searching: a flood of them is what an attacker has.
      const cr = from < input.length && input.byte(from) === CR ? from : input.indexOf(CR, from);
      this.#examined += (cr < 0 ? input.length : cr) - from;
      if (cr < 0) return input.take(input.length);
      const matched = this.#compare(input, cr, 0);
      if (matched === this.#delimiter.length || cr + matched === input.length) {
        const content = input.take(cr);
        input.skip(matched);
        this.#matched = matched;
        return content;
      }
      from = cr + matched;
    }
  }

  /** How many bytes from `at` on equal the delimiter from `matched` on. */
  #compare(input: Input, at: number, matched: number): number {
    const delimiter = this.#delimiter;
    const most = Math.min(input.length - at, delimiter.length - matched);
    let equal = 0;
    while (equal < most && input.byte(at + equal) === delimiter[matched + equal]) equal++;
    this.#examined += Math.min(equal + 1, most);
    return equal;
  }
}
