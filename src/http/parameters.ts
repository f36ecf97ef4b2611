/**
 * A value with parameters, as Content-Type and Content-Disposition have it. RFC 9110 section 5.6.6.
 *
 *   value      = token [ "/" token ] *( OWS ";" OWS [ name "=" ( token / quoted-string ) ] )
 *
 * RFC 9110 lets a semicolon stand alone, as in `application/json;`. RFC 2183, for a part's head, does not.
 *
 * What a quoted string may escape is where senders differ. RFC 9110 lets `\` stand before any character. Browsers
 * never escape `\` in a part's head, and write a quote as `%22` (WHATWG HTML section 4.10.22.8); others, curl once
 * among them, write `\"` and `\\`. In a part's head, `\` is therefore an escape only before `"` and `\`, and else
 * itself: `C:\temp\a.txt` is a name that browsers send.
 */
import { isBlank, isToken, QUOTED_TEXT, TOKEN } from './wire/grammar.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;

export interface Parameterized {
  /** In lower case. */
  readonly value: string;
  /** Names in lower case, no name twice. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Whose field it is: the message's own, or that of a part of it. */
export type Dialect = 'message' | 'part';

/**
 * @param text latin1, as a field's value
 * @returns undefined when the text departs from the grammar or gives a parameter twice
 */
export function parseParameterized(text: string, dialect: Dialect): Parameterized | undefined {
  const valueEnd = endOfValue(text);
  const value = text.slice(0, valueEnd);
  if (!value.split('/', 3).every(isToken)) return undefined;
  const parameters = new Map<string, string>();
  let at = skipBlanks(text, valueEnd);
  while (at < text.length) {
    if (text.charCodeAt(at) !== SEMICOLON) return undefined;
    at = skipBlanks(text, at + 1);
    if (dialect === 'message' && (at === text.length || text.charCodeAt(at) === SEMICOLON)) continue;
    const nameEnd = endOfToken(text, at);
    const name = text.slice(at, nameEnd).toLowerCase();
    if (name === '' || text.charCodeAt(nameEnd) !== EQUALS || parameters.has(name)) return undefined;
    const found = parseValue(text, nameEnd + 1, dialect);
    if (found === undefined) return undefined;
    parameters.set(name, found.value);
    at = skipBlanks(text, found.end);
  }
  return { value: value.toLowerCase(), parameters };
}

function endOfValue(text: string): number {
  let at = 0;
  while (at < text.length && text.charCodeAt(at) !== SEMICOLON && !isBlank(text.charCodeAt(at))) at++;
  return at;
}

function endOfToken(text: string, from: number): number {
  let at = from;
  while (at < text.length && TOKEN[text.charCodeAt(at)] === 1) at++;
  return at;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && isBlank(text.charCodeAt(at))) at++;
  return at;
}

interface Found {
  readonly value: string;
  readonly end: number;
}

function parseValue(text: string, from: number, dialect: Dialect): Found | undefined {
  if (text.charCodeAt(from) === QUOTE) return parseQuoted(text, from + 1, dialect);
  const end = endOfToken(text, from);
  return end === from ? undefined : { value: text.slice(from, end), end };
}

function parseQuoted(text: string, from: number, dialect: Dialect): Found | undefined {
  let value = '';
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return { value, end: at + 1 };
    if (code === BACKSLASH && isEscaped(text.charCodeAt(at + 1), dialect)) at++;
    else if (code === BACKSLASH && dialect === 'message') return undefined;
    else if (code !== BACKSLASH && QUOTED_TEXT[code] !== 1) return undefined;
    value += text[at];
  }
  return undefined;
}

/** `code` is NaN behind the end. */
function isEscaped(code: number, dialect: Dialect): boolean {
  if (code === QUOTE || code === BACKSLASH) return true;
  return dialect === 'message' && QUOTED_TEXT[code] === 1;
}
