/**
 * Domain names.
 *
 *   spells.test.   ⇄   ┌───┬─────────────┬───┬─────────┬───┐
 *                      │ 6 │ s p e l l s │ 4 │ t e s t │ 0 │
 *                      └───┴─────────────┴───┴─────────┴───┘
 *
 * A `Name` is these wire octets, as a string of one character per octet. A string is immutable, compares and
 * hashes fast, and serves as a map key as it is; the parent of a name is a slice of it. The text form exists
 * only at the edges (zone files, configuration, what people read).
 *
 * Case is kept as given and ignored in comparison (RFC 4343): compare and index by `canonical(name)`. Only
 * A-Z are folded. Folding the whole string is safe because a length octet is at most 63, below 'A'.
 */
import { DnsError } from '../errors.ts';
import { MAX_LABEL_BYTES, MAX_NAME_BYTES } from '../limits.ts';

declare const wireOctets: unique symbol;
export type Name = string & { readonly [wireOctets]: true };

export const ROOT: Name = '\0' as Name;

/** The name with A-Z folded to a-z: equal names have equal canonical forms. RFC 4343 section 3. */
export function canonical(name: Name): Name {
  for (let at = 0; at < name.length; at += 1) {
    const octet = name.charCodeAt(at);
    if (octet >= 0x41 && octet <= 0x5a) return foldCase(name);
  }
  return name;
}

function foldCase(text: string): Name {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) as Name;
}

/** The name without its first label. The root's parent is the root. */
export function parentOf(name: Name): Name {
  return name === ROOT ? ROOT : (name.slice(1 + name.charCodeAt(0)) as Name);
}

/** The octets of the first label, empty for the root. */
export function firstLabel(name: Name): string {
  return name.slice(1, 1 + name.charCodeAt(0));
}

/** Labels, the root's empty one not counted: 0 for `.`, 2 for `spells.test.`. */
export function labelCount(name: Name): number {
  let count = 0;
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) count += 1;
  return count;
}

/** The last `labels` labels of the name. */
export function lastLabels(name: Name, labels: number): Name {
  let rest = name;
  for (let extra = labelCount(name) - labels; extra > 0; extra -= 1) rest = parentOf(rest);
  return rest;
}

/**
 * True when `name` is `ancestor` or below it. Both canonical. A plain suffix test would be wrong: the octets
 * of `ancestor` may also stand inside one label.
 */
export function isAtOrBelow(name: Name, ancestor: Name): boolean {
  const extra = name.length - ancestor.length;
  if (extra < 0) return false;
  let at = 0;
  while (at < extra) at += 1 + name.charCodeAt(at);
  return at === extra && name.endsWith(ancestor);
}

/** True when `name` is strictly below `ancestor`. Both canonical. */
export function isBelow(name: Name, ancestor: Name): boolean {
  return name.length > ancestor.length && isAtOrBelow(name, ancestor);
}

/** `label` put in front of `name`, or undefined when that would be too long. */
export function prepend(label: string, name: Name): Name | undefined {
  if (label.length === 0 || label.length > MAX_LABEL_BYTES) return undefined;
  if (1 + label.length + name.length > MAX_NAME_BYTES) return undefined;
  return `${String.fromCharCode(label.length)}${label}${name}` as Name;
}

/**
 * `name` with its ending `from` exchanged for `to` (the work of DNAME, RFC 6672 section 2.3), or undefined when
 * the result would be too long. `name` is below `from`.
 */
export function replaceSuffix(name: Name, from: Name, to: Name): Name | undefined {
  const replaced = name.slice(0, name.length - from.length) + to;
  return replaced.length > MAX_NAME_BYTES ? undefined : (replaced as Name);
}

/**
 * Reads the text form: `www.spells.test.`, `www` (relative to `origin`), `@` (the origin), with `\.` and `\032`
 * escapes (RFC 1035 section 5.1). Without an origin a missing final dot is forgiven.
 *
 * @throws DnsError `bad-text`
 */
export function nameFromText(text: string, origin: Name = ROOT): Name {
  if (text === '@') return origin;
  if (text === '.') return ROOT;
  if (text === '') throw new DnsError('bad-text', 'a name is empty');
  let labels = '';
  let label = '';
  let absolute = false;
  for (let at = 0; at < text.length; ) {
    if (text[at] === '.') {
      labels += labelFromText(label, text);
      label = '';
      at += 1;
      absolute = at === text.length;
    } else {
      const [octet, next] = unescapeAt(text, at);
      label += octet;
      at = next;
    }
  }
  if (!absolute) labels += labelFromText(label, text) + origin;
  else labels += ROOT;
  if (labels.length > MAX_NAME_BYTES)
    throw new DnsError('bad-text', `name is longer than 255 octets: ${text}`);
  return labels as Name;
}

function labelFromText(label: string, text: string): string {
  if (label.length === 0) throw new DnsError('bad-text', `name has an empty label: ${text}`);
  if (label.length > MAX_LABEL_BYTES)
    throw new DnsError('bad-text', `label is longer than 63 octets: ${text}`);
  return String.fromCharCode(label.length) + label;
}

/**
 * One octet of escaped text at `at`: a plain character, `\X` for X itself, or `\DDD` for an octet in decimal.
 *
 * @returns the octet as a one-character string and where the next one begins
 * @throws DnsError `bad-text` for an unfinished escape, a number above 255, or a character above 255
 */
export function unescapeAt(text: string, at: number): [octet: string, next: number] {
  const character = text[at] ?? '';
  if (character !== '\\') {
    if (character.charCodeAt(0) > 0xff) throw new DnsError('bad-text', `not an octet: ${character}`);
    return [character, at + 1];
  }
  const escaped = text[at + 1];
  if (escaped === undefined) throw new DnsError('bad-text', `a backslash ends the text: ${text}`);
  if (!isDigit(escaped)) return [escaped, at + 2];
  const digits = text.slice(at + 1, at + 4);
  if (digits.length < 3 || !isDigit(digits[1] ?? '') || !isDigit(digits[2] ?? '') || Number(digits) > 255) {
    throw new DnsError('bad-text', `\\ is followed by a number that is not 000 to 255: ${text}`);
  }
  return [String.fromCharCode(Number(digits)), at + 4];
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}

/** Characters that mean something in a zone file and stand for themselves only after a backslash. */
const SPECIAL_IN_NAMES = '.;()"\\@$';

/** The absolute text form, `spells.test.`, with everything that is not plain text escaped. */
export function nameToText(name: Name): string {
  if (name === ROOT) return '.';
  let text = '';
  for (let rest = name; rest !== ROOT; rest = parentOf(rest))
    text += `${escapeOctets(firstLabel(rest), SPECIAL_IN_NAMES)}.`;
  return text;
}

/** Octets as text: those of `special` behind a backslash, those outside ! to ~ as `\DDD`. */
export function escapeOctets(octets: string, special: string): string {
  let text = '';
  for (const octet of octets) {
    const code = octet.charCodeAt(0);
    if (special.includes(octet)) text += `\\${octet}`;
    else if (code > 0x20 && code < 0x7f) text += octet;
    else text += `\\${String(code).padStart(3, '0')}`;
  }
  return text;
}
