/**
 * The lexical side of a zone file: octets → entries of words. RFC 1035 section 5.1.
 *
 *   $TTL 1h                                    ; a directive
 *   spells  IN  SOA  ns mail ( 1 2h 15m        ; an entry over two lines
 *                              30d 5m )
 *           IN  TXT  "two words; no comment"   ; begins with a blank: the owner of the entry before
 *
 * A line ends an entry except between parentheses. Escapes are left as written: what they mean depends on
 * whether the word is a name or a text. The input is octets, so that a text in UTF-8 arrives as its octets.
 */
import { DnsError } from '../../errors.ts';
import type { Word } from '../../wire/rdata/text.ts';

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters of UTF-8. */
  readonly column: number;
}

export interface ZoneWord extends Word {
  /** Offset of its first octet, for `positionAt`. */
  readonly offset: number;
}

export interface Entry {
  readonly words: readonly ZoneWord[];
  /** The first line of the entry begins with a blank: there is no owner name. */
  readonly indented: boolean;
}

/** Text that cannot be divided into words. */
export class Unreadable extends DnsError {
  readonly offset: number;
  /** Where the next entry begins is unknown; otherwise the scanner stands there. */
  readonly lost: boolean;

  constructor(message: string, offset: number, lost: boolean) {
    super('bad-text', message);
    this.offset = offset;
    this.lost = lost;
  }
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN = 0x28;
const CLOSE = 0x29;
const SEMICOLON = 0x3b;
const BACKSLASH = 0x5c;

export class ZoneScanner {
  readonly #octets: Buffer;
  #at = 0;

  constructor(octets: Buffer) {
    this.#octets = octets;
  }

  /**
   * The next entry with at least one word; undefined at the end.
   *
   * @throws Unreadable for a quote or parenthesis that is not closed, or one closed that was not open
   */
  next(): Entry | undefined {
    while (this.#at < this.#octets.length) {
      const entry = this.#entry();
      if (entry.words.length > 0) return entry;
    }
    return undefined;
  }

  /** Where an octet stands. Counted when asked, since only errors ask. */
  positionAt(offset: number): Position {
    let line = 1;
    let lineStart = 0;
    for (let at = this.#octets.indexOf(LF); at >= 0 && at < offset; at = this.#octets.indexOf(LF, at + 1)) {
      line += 1;
      lineStart = at + 1;
    }
    return { line, column: 1 + this.#octets.toString('utf8', lineStart, offset).length };
  }

  #entry(): Entry {
    const words: ZoneWord[] = [];
    const first = this.#octets[this.#at];
    const indented = first === SPACE || first === TAB;
    let openedAt = -1;
    while (this.#at < this.#octets.length) {
      const octet = this.#octets[this.#at];
      if (octet === LF && openedAt < 0) {
        this.#at += 1;
        return { words, indented };
      }
      if (octet === SPACE || octet === TAB || octet === LF || octet === CR) {
        this.#at += 1;
      } else if (octet === SEMICOLON) {
        this.#skipLine();
      } else if (octet === OPEN) {
        if (openedAt >= 0) throw new Unreadable('a parenthesis inside parentheses', this.#at, true);
        openedAt = this.#at++;
      } else if (octet === CLOSE) {
        if (openedAt < 0)
          throw new Unreadable('a closing parenthesis without an opening one', this.#at, true);
        openedAt = -1;
        this.#at += 1;
      } else {
        words.push(octet === QUOTE ? this.#text(openedAt >= 0) : this.#plain(openedAt >= 0));
      }
    }
    if (openedAt >= 0) throw new Unreadable('a parenthesis is never closed', openedAt, true);
    return { words, indented };
  }

  #skipLine(): void {
    const end = this.#octets.indexOf(LF, this.#at);
    this.#at = end < 0 ? this.#octets.length : end;
  }

  /** A word may have a quoted part: `alpn="h2,h3"`. It is left as written, for the type to make sense of. */
  #plain(inParentheses: boolean): ZoneWord {
    const offset = this.#at;
    while (this.#at < this.#octets.length && !this.#endsWord()) {
      const octet = this.#octets[this.#at];
      if (octet === QUOTE) this.#quoted(inParentheses);
      else this.#at += octet === BACKSLASH && this.#octets[this.#at + 1] !== LF ? 2 : 1;
    }
    this.#at = Math.min(this.#at, this.#octets.length);
    return { text: this.#octets.toString('latin1', offset, this.#at), quoted: false, offset };
  }

  #endsWord(): boolean {
    const octet = this.#octets[this.#at] as number;
    if (octet <= SPACE) return octet === SPACE || octet === TAB || octet === LF || octet === CR;
    return octet === SEMICOLON || octet === OPEN || octet === CLOSE;
  }

  /** A quoted text, which ends its word. */
  #text(inParentheses: boolean): ZoneWord {
    const word = this.#quoted(inParentheses);
    if (this.#at >= this.#octets.length || this.#endsWord()) return word;
    const offset = this.#at;
    this.#skipLine();
    throw new Unreadable('a blank is missing after a quoted text', offset, inParentheses);
  }

  /** A quoted text may go on in the next line only between parentheses: so a forgotten quote spoils one line. */
  #quoted(mayContinue: boolean): ZoneWord {
    const offset = this.#at;
    this.#at += 1;
    while (this.#at < this.#octets.length && this.#octets[this.#at] !== QUOTE) {
      if (this.#octets[this.#at] === LF && !mayContinue) {
        this.#at += 1;
        throw new Unreadable('a quoted text is not closed in its line', offset, false);
      }
      this.#at += this.#octets[this.#at] === BACKSLASH ? 2 : 1;
    }
    if (this.#at >= this.#octets.length) throw new Unreadable('a quoted text is never closed', offset, true);
    this.#at += 1;
    return { text: this.#octets.toString('latin1', offset + 1, this.#at - 1), quoted: true, offset };
  }
}
