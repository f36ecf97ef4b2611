/**
 * JSON documents. A `json` value is its text as it came; a `jsonb` value is canonical text: keys sorted by
 * length and then bytes, the last of equal keys kept, one space after `:` and `,`, numbers with the digits
 * they were written with. So equal documents are equal texts, and no number loses precision.
 *
 * RFC 8259; PostgreSQL manual section 8.14.
 */
import { DatabaseError } from '../../errors.ts';
import { MAX_JSON_DEPTH } from '../../limits.ts';
import { parseNumeric } from './numeric.ts';

export type Json =
  | { readonly kind: 'null' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** The number in plain decimal digits. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'array'; readonly items: readonly Json[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [key: string, value: Json])[] };

export const JSON_NULL: Json = { kind: 'null' };

/** @throws DatabaseError 22P02 naming the token, 54001 when nested too deeply */
export function parseJson(text: string): Json {
  return new JsonParser(text).document();
}

class JsonParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw this.#invalid();
    return value;
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }

  #value(): Json {
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#deeper(() => this.#object());
      case '[':
        return this.#deeper(() => this.#array());
      case '"':
        return { kind: 'string', value: this.#string() };
      case 't':
        return this.#word('true', { kind: 'boolean', value: true });
      case 'f':
        return this.#word('false', { kind: 'boolean', value: false });
      case 'n':
        return this.#word('null', JSON_NULL);
      default:
        return this.#number();
    }
  }

  #deeper(body: () => Json): Json {
    if (++this.#depth > MAX_JSON_DEPTH) throw new DatabaseError('54001', 'stack depth limit exceeded');
    const value = body();
    this.#depth--;
    return value;
  }

  #word(word: string, value: Json): Json {
    if (!this.#text.startsWith(word, this.#at)) throw this.#invalid();
    this.#at += word.length;
    return value;
  }

  #number(): Json {
    const pattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    pattern.lastIndex = this.#at;
    const digits = pattern.exec(this.#text)?.[0];
    if (digits === undefined) throw this.#invalid();
    this.#at += digits.length;
    return { kind: 'number', text: digits };
  }

  #string(): string {
    const pattern = /"((?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"/y;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) throw this.#invalid();
    this.#at += found[0].length;
    const value = found[1]!.includes('\\') ? (JSON.parse(found[0]) as string) : found[1]!;
    if (value.includes('\0'))
      throw new DatabaseError('22P05', 'unsupported Unicode escape sequence', {
        detail: '\\u0000 cannot be converted to text.',
      });
    return value;
  }

  #array(): Json {
    const items: Json[] = [];
    this.#at++;
    this.#space();
    if (this.#take(']')) return { kind: 'array', items };
    do items.push(this.#value());
    while (this.#comma());
    if (!this.#take(']')) throw this.#invalid();
    return { kind: 'array', items };
  }

  #object(): Json {
    const members: [string, Json][] = [];
    this.#at++;
    this.#space();
    if (this.#take('}')) return { kind: 'object', members };
    do members.push(this.#member());
    while (this.#comma());
    if (!this.#take('}')) throw this.#invalid();
    return { kind: 'object', members };
  }

  #member(): [string, Json] {
    this.#space();
    if (this.#text[this.#at] !== '"') throw this.#invalid();
    const key = this.#string();
    this.#space();
    if (!this.#take(':')) throw this.#invalid();
    return [key, this.#value()];
  }

  #comma(): boolean {
    this.#space();
    return this.#take(',');
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #invalid(): DatabaseError {
    const token = /[\w.+-]+|./y;
    token.lastIndex = this.#at;
    const found = token.exec(this.#text)?.[0];
    const detail =
      found === undefined ? 'The input string ended unexpectedly.' : `Token "${found}" is invalid.`;
    return new DatabaseError('22P02', 'invalid input syntax for type json', { detail });
  }
}

/** jsonb's text of a document. */
export function printJson(value: Json): string {
  switch (value.kind) {
    case 'null':
      return 'null';
    case 'boolean':
      return String(value.value);
    case 'number':
      return value.text;
    case 'string':
      return quoteJson(value.value);
    case 'array':
      return `[${value.items.map(printJson).join(', ')}]`;
    default:
      return `{${value.members.map(([key, item]) => `${quoteJson(key)}: ${printJson(item)}`).join(', ')}}`;
  }
}

/** `JSON.stringify` escapes lone surrogates and control characters; PostgreSQL the same controls. */
export function quoteJson(text: string): string {
  return JSON.stringify(text);
}

/** Sorts keys, drops all but the last of equal ones, and writes numbers in plain digits. */
export function canonicalJson(value: Json): Json {
  if (value.kind === 'number') return { kind: 'number', text: parseNumeric(value.text)!.toString() };
  if (value.kind === 'array') return { kind: 'array', items: value.items.map(canonicalJson) };
  if (value.kind !== 'object') return value;
  const last = new Map<string, Json>();
  for (const [key, item] of value.members) last.set(key, canonicalJson(item));
  return { kind: 'object', members: [...last].sort(([a], [b]) => compareKeys(a, b)) };
}

function compareKeys(a: string, b: string): number {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length - right.length || Buffer.compare(left, right);
}

export function toJsonb(text: string): string {
  return printJson(canonicalJson(parseJson(text)));
}

/** `->` by key or index; a negative index counts from the end. */
export function jsonField(value: Json, key: string | number): Json | undefined {
  if (typeof key === 'string')
    return value.kind === 'object' ? value.members.findLast(([name]) => name === key)?.[1] : undefined;
  return value.kind === 'array' ? value.items.at(key) : undefined;
}

/** `#>`: a path of keys and indexes as text. */
export function jsonPath(value: Json, path: readonly (string | null)[]): Json | undefined {
  let current: Json | undefined = value;
  for (const step of path) {
    if (current === undefined || step === null) return undefined;
    const index: string | number | undefined =
      current.kind === 'array' ? (/^-?\d+$/.test(step) ? Number(step) : undefined) : step;
    current = index === undefined ? undefined : jsonField(current, index);
  }
  return current;
}

/** `->>`: strings without quotes, JSON null as SQL NULL. */
export function jsonAsText(value: Json | undefined): string | null {
  if (value === undefined || value.kind === 'null') return null;
  return value.kind === 'string' ? value.value : printJson(value);
}

/** `@>`: every part of `inner` is in `outer`. */
export function jsonContains(outer: Json, inner: Json): boolean {
  if (outer.kind === 'array' && inner.kind !== 'array' && inner.kind !== 'object')
    return outer.items.some((item) => printJson(item) === printJson(inner));
  return contains(outer, inner);
}

function contains(outer: Json, inner: Json): boolean {
  if (inner.kind === 'object' && outer.kind === 'object')
    return inner.members.every(([key, value]) => {
      const found = jsonField(outer, key);
      return found !== undefined && contains(found, value);
    });
  if (inner.kind === 'array' && outer.kind === 'array')
    return inner.items.every((item) => outer.items.some((candidate) => contains(candidate, item)));
  return outer.kind === inner.kind && scalarKey(outer) === scalarKey(inner);
}

function scalarKey(value: Json): string {
  return value.kind === 'number' ? String(Number(value.text)) : printJson(value);
}

const KIND_ORDER = ['null', 'string', 'number', 'boolean', 'array', 'object'];

/** The B-tree order of jsonb: Object > Array > Boolean > Number > String > Null. */
export function compareJson(a: Json, b: Json): number {
  if (a.kind !== b.kind) return KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind);
  if (a.kind === 'array' && b.kind === 'array') return compareLists(a.items, b.items);
  if (a.kind === 'object' && b.kind === 'object') return compareMembers(a.members, b.members);
  if (a.kind === 'number' && b.kind === 'number') return Math.sign(Number(a.text) - Number(b.text));
  if (a.kind === 'boolean' && b.kind === 'boolean') return Number(a.value) - Number(b.value);
  if (a.kind === 'string' && b.kind === 'string')
    return Buffer.compare(Buffer.from(a.value), Buffer.from(b.value));
  return 0;
}

function compareLists(a: readonly Json[], b: readonly Json[]): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) {
    const order = compareJson(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return 0;
}

function compareMembers(
  a: readonly (readonly [string, Json])[],
  b: readonly (readonly [string, Json])[],
): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) {
    const order = compareKeys(a[i]![0], b[i]![0]) || compareJson(a[i]![1], b[i]![1]);
    if (order !== 0) return order;
  }
  return 0;
}
