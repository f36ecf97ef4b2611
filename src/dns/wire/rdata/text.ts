/**
 * The words of a record's data in text form, and the small readers that every field kind shares.
 */
import { DnsError } from '../../errors.ts';
import { type Name, nameFromText, unescapeAt } from '../name.ts';

/** One word as written: escapes not yet resolved, quotes taken off. */
export interface Word {
  readonly text: string;
  readonly quoted: boolean;
}

/** The words of one record's data, taken one after another. `taken` tells an error message how far it came. */
export class RdataText {
  readonly #words: readonly Word[];
  readonly #origin: Name;
  readonly #checkName: (text: string) => void;
  taken = 0;

  /** `checkName` may throw on names that the caller wants to refuse; see the zone file parser. */
  constructor(words: readonly Word[], origin: Name, checkName: (text: string) => void = () => undefined) {
    this.#words = words;
    this.#origin = origin;
    this.#checkName = checkName;
  }

  get done(): boolean {
    return this.taken >= this.#words.length;
  }

  /** @throws DnsError `bad-text` when nothing is left */
  next(what: string): Word {
    const word = this.#words[this.taken];
    if (word === undefined) throw new DnsError('bad-text', `${what} is missing`);
    this.taken += 1;
    return word;
  }

  /** The next word, which must not be quoted. */
  plain(what: string): string {
    const word = this.next(what);
    if (word.quoted) throw new DnsError('bad-text', `${what} must not be quoted: "${word.text}"`);
    return word.text;
  }

  peek(): Word | undefined {
    return this.#words[this.taken];
  }

  name(what: string): Name {
    const text = this.plain(what);
    this.#checkName(text);
    return nameFromText(text, this.#origin);
  }

  /** All remaining words joined: hexadecimal and base64 may be broken by blanks. */
  joined(what: string): string {
    let text = this.plain(what);
    while (!this.done) text += this.plain(what);
    return text;
  }
}

/** A decimal number from 0 to `max`. @throws DnsError `bad-text` */
export function decimal(text: string, max: number, what: string): number {
  if (!isDecimal(text)) throw new DnsError('bad-text', `${what} is not a number: ${text}`);
  const value = Number(text);
  if (value > max) throw new DnsError('bad-text', `${what} is more than ${max}: ${text}`);
  return value;
}

export function isDecimal(text: string): boolean {
  if (text.length === 0) return false;
  for (const digit of text) if (digit < '0' || digit > '9') return false;
  return true;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const MAX_U32 = 0xffff_ffff;

/**
 * Seconds as a number, or in the units that BIND brought: `1w2d`, `90m`.
 *
 * @returns undefined when the text is not a time at all; so `IN` and `A` can be told from a TTL
 * @throws DnsError `bad-text` when it begins as a time but is none, or is more than 32 bits
 */
export function secondsFromText(text: string): number | undefined {
  if (text.length === 0 || !isDecimal(text[0] ?? '')) return undefined;
  let total = 0;
  let number = '';
  for (const character of text.toLowerCase()) {
    if (isDecimal(character)) {
      number += character;
    } else {
      const unit = UNIT_SECONDS[character];
      if (unit === undefined || number === '') throw new DnsError('bad-text', `not a time: ${text}`);
      total += Number(number) * unit;
      number = '';
    }
  }
  total += Number(number);
  if (total > MAX_U32) throw new DnsError('bad-text', `a time is more than ${MAX_U32} seconds: ${text}`);
  return total;
}

/** The octets that escaped text stands for, one character each. @throws DnsError `bad-text` */
export function octetsFromText(text: string): string {
  let octets = '';
  for (let at = 0; at < text.length; ) {
    if (text[at] === '"')
      throw new DnsError('bad-text', `a quote inside a word must be written as \\": ${text}`);
    const [octet, next] = unescapeAt(text, at);
    octets += octet;
    at = next;
  }
  return octets;
}

/** Octets in double quotes, as a TXT record shows them. */
export function quote(octets: string): string {
  let text = '';
  for (const octet of octets) {
    const code = octet.charCodeAt(0);
    if (octet === '"' || octet === '\\') text += `\\${octet}`;
    else if (code >= 0x20 && code < 0x7f) text += octet;
    else text += `\\${String(code).padStart(3, '0')}`;
  }
  return `"${text}"`;
}

const HEX = '0123456789abcdef';

/** @throws DnsError `bad-text` for an odd number of digits or another character */
export function hexFromText(text: string, what: string): Buffer {
  if (text.length % 2 !== 0)
    throw new DnsError('bad-text', `${what} has an odd number of hexadecimal digits`);
  for (const digit of text.toLowerCase()) {
    if (!HEX.includes(digit)) throw new DnsError('bad-text', `${what} is not hexadecimal: ${text}`);
  }
  return Buffer.from(text, 'hex');
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Base64 with its padding. RFC 4648 section 4. @throws DnsError `bad-text` */
export function base64FromText(text: string, what: string): Buffer {
  const padded = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const digits = text.slice(0, text.length - padded);
  const wrong =
    text.length === 0 || text.length % 4 !== 0 || [...digits].some((digit) => !BASE64.includes(digit));
  if (wrong) throw new DnsError('bad-text', `${what} is not base64: ${text}`);
  return Buffer.from(text, 'base64');
}

const BASE32HEX = '0123456789ABCDEFGHIJKLMNOPQRSTUV';
/** Digits in the last block of eight for each remainder of octets; other numbers are no base32. */
const BASE32_TAILS: ReadonlySet<number> = new Set([0, 2, 4, 5, 7]);

/** Base32 with the extended hexadecimal alphabet; padding is optional. RFC 4648 section 7, RFC 5155. */
export function base32HexFromText(text: string, what: string): Buffer {
  const digits = text.toUpperCase().replace(/=+$/, '');
  const padding = text.length - digits.length;
  const paddingFits = padding === 0 || (text.length % 8 === 0 && padding < 8);
  if (digits.length === 0 || !paddingFits || !BASE32_TAILS.has(digits.length % 8)) {
    throw new DnsError('bad-text', `${what} is not base32hex: ${text}`);
  }
  const octets: number[] = [];
  let bits = 0;
  let held = 0;
  for (const digit of digits) {
    const value = BASE32HEX.indexOf(digit);
    if (value < 0) throw new DnsError('bad-text', `${what} is not base32hex: ${text}`);
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      octets.push((held >> bits) & 0xff);
    }
  }
  return Buffer.from(octets);
}

export function base32HexToText(octets: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const octet of octets) {
    held = ((held << 8) | octet) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32HEX[(held >> bits) & 31];
    }
  }
  return bits === 0 ? text : text + BASE32HEX[(held << (5 - bits)) & 31];
}
