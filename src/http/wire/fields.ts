/**
 * Header and trailer fields.
 *
 *   field-line = field-name ":" OWS field-value OWS CRLF          RFC 9112 section 5
 *
 * A name is a token with the colon at once behind it; a line that begins with white space is the obsolete
 * folding that hid so many smuggled requests, and is refused. Order and spelling are kept.
 */
import type { HeaderFields, HeaderList } from '../types.ts';
import { equalsIgnoreCase, FIELD_VALUE, isBlank, TOKEN } from './grammar.ts';
import { type Malformed, malformed } from './malformed.ts';

/** Fields over one flat array `[name, value, name, value, …]`: no object per field, nothing to pollute. */
export class Fields implements HeaderFields {
  readonly #flat: readonly string[];

  constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  static from(list: HeaderList): Fields {
    return new Fields(list.flat());
  }

  get count(): number {
    return this.#flat.length / 2;
  }

  get(name: string): string | undefined {
    let joined: string | undefined;
    for (let at = 0; at < this.#flat.length; at += 2) {
      if (!equalsIgnoreCase(this.#flat[at]!, name)) continue;
      const value = this.#flat[at + 1]!;
      joined = joined === undefined ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  getAll(name: string): string[] {
    const values: string[] = [];
    for (let at = 0; at < this.#flat.length; at += 2) {
      if (equalsIgnoreCase(this.#flat[at]!, name)) values.push(this.#flat[at + 1]!);
    }
    return values;
  }

  has(name: string): boolean {
    for (let at = 0; at < this.#flat.length; at += 2) {
      if (equalsIgnoreCase(this.#flat[at]!, name)) return true;
    }
    return false;
  }

  nameAt(index: number): string {
    return this.#flat[index * 2]!;
  }

  valueAt(index: number): string {
    return this.#flat[index * 2 + 1]!;
  }

  /** The fields whose name `keep` accepts. */
  filter(keep: (name: string) => boolean): Fields {
    const kept: string[] = [];
    for (let at = 0; at < this.#flat.length; at += 2) {
      if (keep(this.#flat[at]!)) kept.push(this.#flat[at]!, this.#flat[at + 1]!);
    }
    return new Fields(kept);
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, string]> {
    for (let at = 0; at < this.#flat.length; at += 2) yield [this.#flat[at]!, this.#flat[at + 1]!];
  }
}

export const NO_FIELDS = new Fields([]);

export interface FieldLimits {
  readonly fieldCount: number;
  readonly fieldBytes: number;
}

/**
 * Parses field lines; `text` is latin1 and from `from` up to `to` holds whole lines, each ending in CRLF, without
 * the empty line.
 */
export function parseFields(text: string, from: number, to: number, limits: FieldLimits): Fields | Malformed {
  const flat: string[] = [];
  let at = from;
  while (at < to) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd - at > limits.fieldBytes) return malformed('field-too-large', 'a field is too long', 431);
    if (flat.length >= limits.fieldCount * 2) return malformed('too-many-fields', 'too many fields', 431);
    const refusal = parseFieldLine(text, at, lineEnd, flat);
    if (refusal !== undefined) return refusal;
    at = lineEnd + 2;
  }
  return new Fields(flat);
}

function parseFieldLine(text: string, from: number, to: number, flat: string[]): Malformed | undefined {
  let colon = from;
  while (colon < to && TOKEN[text.charCodeAt(colon)] === 1) colon++;
  if (colon === from || colon === to || text.charCodeAt(colon) !== 0x3a)
    return badName(text, from, colon, to);
  let start = colon + 1;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  for (let at = start; at < end; at++) {
    if (FIELD_VALUE[text.charCodeAt(at)] === 0) return badValue(text.charCodeAt(at));
  }
  flat.push(text.slice(from, colon), text.slice(start, end));
  return undefined;
}

function badName(text: string, from: number, stop: number, to: number): Malformed {
  const code = stop < to ? text.charCodeAt(stop) : 0;
  if (stop === from && isBlank(code))
    return malformed('obsolete-folding', 'a field line begins with white space');
  if (stop < to && isBlank(code))
    return malformed('space-before-colon', 'white space before the colon of a field');
  if (stop < to && (code === 0x0a || code === 0x0d)) return badLineEnding();
  if (stop === to) return malformed('bad-field-name', 'a field without a colon');
  return malformed('bad-field-name', 'a field name is empty or has a character that no token has');
}

function badValue(code: number): Malformed {
  if (code === 0x0a || code === 0x0d) return badLineEnding();
  return malformed('bad-field-value', 'a field value has a control character');
}

export function badLineEnding(): Malformed {
  return malformed('bad-line-ending', 'lines end in CR LF; a lone CR or LF is not one');
}
