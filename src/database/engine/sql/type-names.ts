/**
 * Type names as SQL writes them, and as the catalogue knows them: `integer` is int4, `double precision`
 * is float8, `varchar(10)` has a modifier, `int[]` is an array.
 */
import { notSupported } from '../../errors.ts';
import type { TypeName } from './ast.ts';
import { RESERVED } from './keywords.ts';
import type { TokenStream } from './token-stream.ts';

/** SQL's spelling of one word → the catalogue's name. */
const ALIASES: Readonly<Record<string, string>> = {
  int: 'int4',
  integer: 'int4',
  smallint: 'int2',
  bigint: 'int8',
  boolean: 'bool',
  real: 'float4',
  decimal: 'numeric',
  dec: 'numeric',
  character: 'bpchar',
  char: 'bpchar',
  nchar: 'bpchar',
};

export function parseTypeName(s: TokenStream): TypeName {
  const at = s.at;
  if (s.isWord('setof')) throw notSupported('SETOF', at);
  const base = parseBase(s, at);
  let array = false;
  if (s.accept('array')) {
    array = true;
    if (s.acceptOperator('[')) skipBound(s);
  }
  while (s.acceptOperator('[')) {
    array = true;
    skipBound(s);
  }
  return { ...base, array, at };
}

function skipBound(s: TokenStream): void {
  if (s.token.kind === 'integer') s.next();
  s.expectOperator(']');
}

function parseBase(s: TokenStream, at: number): Omit<TypeName, 'array'> {
  if (s.token.kind === 'quoted') return { ...qualified(s), modifiers: parseModifiers(s), at };
  if (s.accept('double')) {
    s.expect('precision');
    return { name: 'float8', modifiers: [], at };
  }
  if (s.accept('national')) s.isWord('character', 'char') || s.expect('character');
  if (s.isWord('time', 'timestamp')) return parseTimeType(s, at);
  if (s.accept('interval')) return parseInterval(s, at);
  if (s.isWord('character', 'char', 'nchar')) {
    s.next();
    const name = s.accept('varying') ? 'varchar' : 'bpchar';
    const modifiers = parseModifiers(s);
    return { name, modifiers: name === 'bpchar' && modifiers.length === 0 ? [1] : modifiers, at };
  }
  if (s.accept('bit')) throw notSupported('type bit', at);
  if (s.accept('float')) {
    const precision = parseModifiers(s)[0] ?? 53;
    return { name: precision <= 24 ? 'float4' : 'float8', modifiers: [], at };
  }
  if (s.token.kind !== 'word' || RESERVED.has(s.token.text)) throw s.syntaxError();
  const named = qualified(s);
  const name = named.schema === undefined ? (ALIASES[named.name] ?? named.name) : named.name;
  return { ...named, name, modifiers: parseModifiers(s), at };
}

function qualified(s: TokenStream): { schema?: string; name: string } {
  const first = s.label();
  return s.acceptOperator('.') ? { schema: first, name: s.label() } : { name: first };
}

function parseModifiers(s: TokenStream): number[] {
  if (!s.acceptOperator('(')) return [];
  const modifiers = s.list(() => {
    const negative = s.acceptOperator('-');
    if (s.token.kind !== 'integer') throw s.syntaxError();
    const value = Number(s.next().text);
    return negative ? -value : value;
  });
  s.expectOperator(')');
  return modifiers;
}

function parseTimeType(s: TokenStream, at: number): Omit<TypeName, 'array'> {
  const base = s.next().text;
  const modifiers = parseModifiers(s);
  if (s.accept('with', 'time', 'zone')) return { name: `${base}tz`, modifiers, at };
  s.accept('without', 'time', 'zone');
  return { name: base, modifiers, at };
}

const INTERVAL_FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second'];

function parseInterval(s: TokenStream, at: number): Omit<TypeName, 'array'> {
  if (s.isWord(...INTERVAL_FIELDS) && s.peek().kind !== 'string') throw notSupported('interval fields', s.at);
  return { name: 'interval', modifiers: parseModifiers(s), at };
}

/** True before `type 'literal'`. */
export function startsTypedLiteral(s: TokenStream): boolean {
  if (s.token.kind !== 'word' || RESERVED.has(s.token.text)) return false;
  if (s.peek().kind === 'string') return true;
  if (s.isWord('double') && s.peek(2).kind === 'string') return s.peek().text === 'precision';
  return s.isWord('time', 'timestamp') && s.peek().text === 'with' && s.peek(4).kind === 'string';
}
