/**
 * Text → structured field. RFC 9651 section 4.2.
 *
 * A field either parses as a whole or is as if it were not there; there is no partial result and no repair. The
 * reader below stands before one character at a time, so its work is linear in the length. What fails is told
 * by value: a bad field costs no stack trace.
 */
import { STRUCTURED_FIELD_LIMITS as LIMITS } from '../limits.ts';
import { hexDigit, isBlank } from '../wire/grammar.ts';
import {
  beginsKey,
  beginsToken,
  continuesKey,
  continuesToken,
  isBase64,
  isDigit,
  isLowercase,
  isPrintable,
} from './grammar.ts';
import {
  type BareItem,
  type Dictionary,
  type InnerList,
  type Item,
  type List,
  type Member,
  NO_PARAMETERS,
  type Parameters,
} from './value.ts';

export interface MalformedStructure {
  readonly kind: 'malformed';
  /** Says what was expected; holds nothing of the input. */
  readonly message: string;
  /** Where, counted in characters of the field value. */
  readonly offset: number;
}

export type Parsed<Value> = { readonly kind: 'parsed'; readonly value: Value } | MalformedStructure;

/** @param text the field's value; several field lines of an item are an error, and so is their joined value */
export function parseItem(text: string): Parsed<Item> {
  return whole(text, (reader) => reader.item());
}

/** @param text the field's value, several lines joined by commas; '' is the empty list */
export function parseList(text: string): Parsed<List> {
  return whole(text, (reader) => reader.list());
}

/** @param text the field's value, several lines joined by commas; of equal keys the last counts */
export function parseDictionary(text: string): Parsed<Dictionary> {
  return whole(text, (reader) => reader.dictionary());
}

function whole<Value>(text: string, read: (reader: Reader) => Value | undefined): Parsed<Value> {
  if (text.length > LIMITS.fieldLength)
    return { kind: 'malformed', message: 'the field is too long', offset: 0 };
  const reader = new Reader(text);
  reader.skipSpaces();
  const value = read(reader);
  if (value === undefined) return reader.failure;
  reader.skipSpaces();
  if (!reader.atEnd) return { kind: 'malformed', message: 'something follows the value', offset: reader.at };
  return { kind: 'parsed', value };
}

/** Each method reads one production and returns undefined after noting why it cannot. */
class Reader {
  readonly #text: string;
  at = 0;
  failure: MalformedStructure = { kind: 'malformed', message: '', offset: 0 };

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.at >= this.#text.length;
  }

  /** The next character's code, NaN at the end: every comparison with that is false. */
  get #code(): number {
    return this.#text.charCodeAt(this.at);
  }

  #fail(message: string): undefined {
    this.failure = { kind: 'malformed', message, offset: this.at };
    return undefined;
  }

  skipSpaces(): void {
    while (this.#code === 0x20) this.at++;
  }

  #skipBlanks(): void {
    while (isBlank(this.#code)) this.at++;
  }

  #accept(character: string): boolean {
    if (this.#text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  #takeWhile(belongs: (code: number) => boolean): string {
    const from = this.at;
    while (!this.atEnd && belongs(this.#code)) this.at++;
    return this.#text.slice(from, this.at);
  }

  // ── Structures ────────────────────────────────────────────────────────────────────────────────────────

  list(): List | undefined {
    const members: Member[] = [];
    const read = (): boolean => {
      const member = this.#member();
      if (member === undefined) return false;
      return members.push(member) <= LIMITS.members || this.#tooMany('members');
    };
    return this.#separated(read) ? members : undefined;
  }

  dictionary(): Dictionary | undefined {
    const members = new Map<string, Member>();
    const read = (): boolean => {
      const key = this.#key();
      if (key === undefined) return false;
      const member = this.#accept('=') ? this.#member() : this.#bareKey();
      if (member === undefined) return false;
      return members.set(key, member).size <= LIMITS.members || this.#tooMany('members');
    };
    return this.#separated(read) ? members : undefined;
  }

  #tooMany(what: string): false {
    this.#fail(`too many ${what}`);
    return false;
  }

  /** Members between commas; none behind the last. */
  #separated(read: () => boolean): boolean {
    if (this.atEnd) return true;
    for (;;) {
      if (!read()) return false;
      this.#skipBlanks();
      if (this.atEnd) return true;
      if (!this.#accept(',')) return this.#fail('a comma is expected between members') ?? false;
      this.#skipBlanks();
      if (this.atEnd) return this.#fail('nothing follows the last comma') ?? false;
    }
  }

  #member(): Member | undefined {
    return this.#code === 0x28 ? this.#innerList() : this.item();
  }

  /** A key without value means true. */
  #bareKey(): Item | undefined {
    const parameters = this.#parameters();
    return parameters && { kind: 'item', bare: { type: 'boolean', value: true }, parameters };
  }

  #innerList(): InnerList | undefined {
    this.at++;
    const items: Item[] = [];
    for (;;) {
      this.skipSpaces();
      if (this.#accept(')')) {
        const parameters = this.#parameters();
        return parameters && { kind: 'inner-list', items, parameters };
      }
      const item = this.item();
      if (item === undefined) return undefined;
      if (items.push(item) > LIMITS.innerListItems) return this.#fail('too many items in an inner list');
      if (this.#code !== 0x20 && this.#code !== 0x29) return this.#fail('a space or `)` is expected');
    }
  }

  item(): Item | undefined {
    const bare = this.#bareItem();
    const parameters = bare && this.#parameters();
    return parameters && { kind: 'item', bare, parameters };
  }

  #parameters(): Parameters | undefined {
    if (this.#code !== 0x3b) return NO_PARAMETERS;
    const parameters = new Map<string, BareItem>();
    while (this.#accept(';')) {
      this.skipSpaces();
      const key = this.#key();
      if (key === undefined) return undefined;
      const value: BareItem | undefined = this.#accept('=')
        ? this.#bareItem()
        : { type: 'boolean', value: true };
      if (value === undefined) return undefined;
      if (parameters.set(key, value).size > LIMITS.parameters) return this.#fail('too many parameters');
    }
    return parameters;
  }

  #key(): string | undefined {
    if (!beginsKey(this.#code)) return this.#fail('a key begins with a lower-case letter or `*`');
    return this.#takeWhile(continuesKey);
  }

  // ── Bare items ────────────────────────────────────────────────────────────────────────────────────────

  #bareItem(): BareItem | undefined {
    const code = this.#code;
    if (code === 0x2d || isDigit(code)) return this.#number();
    if (beginsToken(code)) return { type: 'token', value: this.#takeWhile(continuesToken) };
    switch (code) {
      case 0x22:
        return this.#string();
      case 0x3a:
        return this.#bytes();
      case 0x3f:
        return this.#boolean();
      case 0x40:
        return this.#date();
      case 0x25:
        return this.#displayString();
      default:
        return this.#fail('no item begins so');
    }
  }

  #number(): BareItem | undefined {
    const sign = this.#accept('-') ? -1 : 1;
    const digits = this.#takeWhile(isDigit);
    if (digits === '') return this.#fail('a digit is expected');
    if (!this.#accept('.')) {
      if (digits.length > 15) return this.#fail('an integer has at most 15 digits');
      return { type: 'integer', value: signed(sign, digits) };
    }
    if (digits.length > 12) return this.#fail('a decimal has at most 12 digits before its point');
    const fraction = this.#takeWhile(isDigit);
    if (fraction === '' || fraction.length > 3)
      return this.#fail('a decimal has one to three digits behind its point');
    return { type: 'decimal', value: signed(sign, `${digits}.${fraction}`) };
  }

  #date(): BareItem | undefined {
    this.at++;
    const number = this.#number();
    if (number === undefined) return undefined;
    if (number.type !== 'integer') return this.#fail('a date is a whole number of seconds');
    return { type: 'date', value: number.value };
  }

  #boolean(): BareItem | undefined {
    this.at++;
    if (this.#accept('1')) return { type: 'boolean', value: true };
    if (this.#accept('0')) return { type: 'boolean', value: false };
    return this.#fail('a boolean is ?0 or ?1');
  }

  #string(): BareItem | undefined {
    let value = '';
    let from = ++this.at;
    for (; isPrintable(this.#code); this.at++) {
      if (this.#code === 0x22) {
        value += this.#text.slice(from, this.at++);
        return { type: 'string', value };
      }
      if (this.#code !== 0x5c) continue;
      value += this.#text.slice(from, this.at++);
      if (!'"\\'.includes(this.#text.charAt(this.at) || ' '))
        return this.#fail('only `"` and `\\` are escaped');
      from = this.at;
    }
    return this.#fail('a string is printable ASCII and ends in a quote');
  }

  #bytes(): BareItem | undefined {
    this.at++;
    const digits = this.#takeWhile(isBase64);
    const padding = this.#takeWhile((code) => code === 0x3d);
    // Section 4.2.7 lets padding be absent and its bits be anything; a wrong amount of it is no base64.
    const missing = (4 - (digits.length % 4)) % 4;
    if (missing === 3 || (padding !== '' && padding.length !== missing))
      return this.#fail('the bytes are not base64');
    if (!this.#accept(':')) return this.#fail('a byte sequence is base64 between colons');
    return { type: 'bytes', value: Buffer.from(digits, 'base64') };
  }

  #displayString(): BareItem | undefined {
    this.at++;
    if (!this.#accept('"')) return this.#fail('a quote follows the percent sign');
    const octets: number[] = [];
    for (; isPrintable(this.#code); this.at++) {
      if (this.#code === 0x22) return this.#endDisplayString(octets);
      if (this.#code !== 0x25) {
        octets.push(this.#code);
        continue;
      }
      const octet = this.#escapedOctet();
      if (octet === undefined) return this.#fail('two lower-case hexadecimal digits follow a percent sign');
      octets.push(octet);
      this.at += 2;
    }
    return this.#fail('a display string is printable ASCII and ends in a quote');
  }

  #endDisplayString(octets: readonly number[]): BareItem | undefined {
    const value = utf8(Buffer.from(octets));
    if (value === undefined) return this.#fail('a display string is UTF-8');
    this.at++;
    return { type: 'display-string', value };
  }

  #escapedOctet(): number | undefined {
    const high = lowerHexDigit(this.#text.charCodeAt(this.at + 1));
    const low = lowerHexDigit(this.#text.charCodeAt(this.at + 2));
    return high < 0 || low < 0 ? undefined : high * 16 + low;
  }
}

/** Minus zero is zero: it is written so, and a value that is read twice must be equal to itself. */
function signed(sign: 1 | -1, digits: string): number {
  return sign * Number(digits) + 0;
}

function lowerHexDigit(code: number): number {
  return isDigit(code) || isLowercase(code) ? hexDigit(code) : -1;
}

function utf8(octets: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    return undefined;
  }
}
