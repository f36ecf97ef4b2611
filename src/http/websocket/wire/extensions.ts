/**
 * Sec-WebSocket-Extensions. RFC 6455 section 9.1.
 *
 *   extension-list = 1#extension
 *   extension      = token *( ";" token [ "=" ( token / quoted-string ) ] )
 *
 * What is quoted must be a token, too, once it is unquoted.
 */
import { isBlank, isToken, QUOTED_TEXT, TOKEN } from '../../wire/grammar.ts';

export interface Extension {
  readonly name: string;
  /** In order; a parameter without `=` has no value. */
  readonly parameters: readonly (readonly [name: string, value: string | undefined])[];
}

/** Extensions in one header; browsers offer one. Each costs us a comparison only, but not without end. */
export const MAX_EXTENSIONS = 16;
/** Parameters of one; permessage-deflate has four. */
export const MAX_PARAMETERS = 16;

/** @returns the extensions in order, or undefined when the field's value breaks the grammar or the bounds */
export function parseExtensions(value: string): Extension[] | undefined {
  const scanner = new Scanner(value);
  const extensions: Extension[] = [];
  do {
    const extension = takeExtension(scanner);
    if (extension === undefined || extensions.length === MAX_EXTENSIONS) return undefined;
    extensions.push(extension);
  } while (scanner.skip(','));
  return scanner.atEnd ? extensions : undefined;
}

function takeExtension(scanner: Scanner): Extension | undefined {
  const name = scanner.token();
  if (name === '') return undefined;
  const parameters: [string, string | undefined][] = [];
  while (scanner.skip(';')) {
    const parameter = scanner.token();
    if (parameter === '' || parameters.length === MAX_PARAMETERS) return undefined;
    const value = scanner.skip('=') ? scanner.tokenOrQuoted() : undefined;
    if (value === '') return undefined;
    parameters.push([parameter.toLowerCase(), value]);
  }
  return { name: name.toLowerCase(), parameters };
}

/** Reads the field's value from left to right; white space between its parts counts for nothing. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    this.#skipBlanks();
    return this.#at === this.#text.length;
  }

  skip(character: string): boolean {
    this.#skipBlanks();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  /** '' when there is none. */
  token(): string {
    this.#skipBlanks();
    const from = this.#at;
    while (this.#at < this.#text.length && TOKEN[this.#text.charCodeAt(this.#at)] === 1) this.#at++;
    return this.#text.slice(from, this.#at);
  }

  /** '' when there is neither, or the quoted string is no token. */
  tokenOrQuoted(): string {
    if (!this.skip('"')) return this.token();
    let value = '';
    for (;;) {
      const character = this.#text[this.#at++];
      if (character === '"') return isToken(value) ? value : '';
      const taken = character === '\\' ? this.#text[this.#at++] : character;
      if (taken === undefined || (character !== '\\' && QUOTED_TEXT[taken.charCodeAt(0)] !== 1)) return '';
      value += taken;
    }
  }

  #skipBlanks(): void {
    while (isBlank(this.#text.charCodeAt(this.#at))) this.#at++;
  }
}
