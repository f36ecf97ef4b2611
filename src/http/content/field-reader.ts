/**
 * A cursor over the value of one field: tokens, quoted strings and parameters. RFC 9110 section 5.6.
 *
 *   token          = 1*tchar
 *   quoted-string  = DQUOTE *( qdtext / "\" ( HTAB / SP / VCHAR / obs-text ) ) DQUOTE
 *   parameters     = *( OWS ";" OWS [ token "=" ( token / quoted-string ) ] )
 *
 * Every reader either takes what it names and moves on, or says undefined; then the field is malformed.
 */
import { FIELD_VALUE, isBlank, QUOTED_TEXT, TOKEN } from '../wire/grammar.ts';

export const COMMA = 0x2c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export interface Parameter {
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

export class FieldReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  skipBlanks(): void {
    while (isBlank(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  /** Takes this one character if it is the next. */
  take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  token(): string | undefined {
    const from = this.#at;
    while (TOKEN[this.#text.charCodeAt(this.#at)] === 1) this.#at++;
    return this.#at === from ? undefined : this.#text.slice(from, this.#at);
  }

  /** The text inside the quotes, its escapes resolved. */
  quotedString(): string | undefined {
    if (!this.take(QUOTE)) return undefined;
    let text = '';
    for (;;) {
      const from = this.#at;
      while (QUOTED_TEXT[this.#text.charCodeAt(this.#at)] === 1) this.#at++;
      text += this.#text.slice(from, this.#at);
      if (this.take(QUOTE)) return text;
      if (!this.take(BACKSLASH) || FIELD_VALUE[this.#text.charCodeAt(this.#at)] !== 1) return undefined;
      text += this.#text[this.#at++];
    }
  }

  /** All parameters from here on, in order; `;` without one is passed over. */
  parameters(limit: number): Parameter[] | undefined {
    const parameters: Parameter[] = [];
    for (this.skipBlanks(); this.take(SEMICOLON); this.skipBlanks()) {
      this.skipBlanks();
      const name = this.token();
      if (name === undefined) continue;
      const value = this.take(EQUALS) ? (this.token() ?? this.quotedString()) : undefined;
      if (value === undefined || parameters.length >= limit) return undefined;
      parameters.push({ name: name.toLowerCase(), value });
    }
    return parameters;
  }
}
