/** Every built-in operator: arithmetic and comparison from `arithmetic.ts`, the rest here. */
import { DatabaseError } from '../../errors.ts';
import {
  canonicalJson,
  type Json,
  jsonAsText,
  jsonContains,
  jsonField,
  jsonPath,
  parseJson,
  printJson,
} from '../types/json.ts';
import { OID } from '../types/oids.ts';
import type { Value } from '../types/values.ts';
import { arithmeticOperators } from './arithmetic.ts';
import type { Implementation, OperatorDefinition } from './implementation.ts';
import { compileRegex, like } from './patterns.ts';

const { bool, text, bpchar, name, int4, json, jsonb, anyarray, anyelement } = OID;
const textArray = 1009;

function define(
  operator: string,
  left: number,
  right: number,
  result: number,
  implementation: Implementation,
  volatility: OperatorDefinition['volatility'] = 'immutable',
): OperatorDefinition {
  return { name: operator, left, right, result, implementation, volatility };
}

const regexes = (flags: string): ((a: string, b: string) => boolean) => {
  // One compiled pattern is kept per operator: a statement uses the same one for each row.
  let source: string | undefined;
  let compiled: RegExp | undefined;
  return (a, b) => {
    if (b !== source) {
      compiled = compileRegex(b, flags);
      source = b;
    }
    return compiled!.test(a);
  };
};

function patternOperators(): OperatorDefinition[] {
  const insensitive = (a: string, b: string): boolean => like(a.toLowerCase(), b.toLowerCase());
  const matches = regexes('s');
  const matchesAnyCase = regexes('si');
  return [text, name, bpchar].flatMap((type) => [
    define('~~', type, text, bool, (a: string, b: string) => like(a, b)),
    define('!~~', type, text, bool, (a: string, b: string) => !like(a, b)),
    define('~~*', type, text, bool, insensitive),
    define('!~~*', type, text, bool, (a: string, b: string) => !insensitive(a, b)),
    define('~', type, text, bool, matches),
    define('!~', type, text, bool, (a: string, b: string) => !matches(a, b)),
    define('~*', type, text, bool, matchesAnyCase),
    define('!~*', type, text, bool, (a: string, b: string) => !matchesAnyCase(a, b)),
    define('^@', type, text, bool, (a: string, b: string) => a.startsWith(b)),
  ]);
}

const documentText = (value: Json | undefined): string | null =>
  value === undefined ? null : printJson(value);

function jsonOperators(): OperatorDefinition[] {
  return [json, jsonb].flatMap((type) => [
    define('->', type, text, type, (a: string, key: string) => documentText(jsonField(parseJson(a), key))),
    define('->', type, int4, type, (a: string, index: number) =>
      documentText(jsonField(parseJson(a), index)),
    ),
    define('->>', type, text, text, (a: string, key: string) => jsonAsText(jsonField(parseJson(a), key))),
    define('->>', type, int4, text, (a: string, index: number) => jsonAsText(jsonField(parseJson(a), index))),
    define('#>', type, textArray, type, (a: string, path: string[]) =>
      documentText(jsonPath(parseJson(a), path)),
    ),
    define('#>>', type, textArray, text, (a: string, path: string[]) =>
      jsonAsText(jsonPath(parseJson(a), path)),
    ),
  ]);
}

function hasKey(document: Json, key: string): boolean {
  if (document.kind === 'object') return document.members.some(([member]) => member === key);
  if (document.kind === 'array')
    return document.items.some((item) => item.kind === 'string' && item.value === key);
  return document.kind === 'string' && document.value === key;
}

function concatenate(a: Json, b: Json): Json {
  if (a.kind === 'object' && b.kind === 'object')
    return { kind: 'object', members: [...a.members, ...b.members] };
  const items = (value: Json): readonly Json[] => (value.kind === 'array' ? value.items : [value]);
  if ((a.kind === 'object') !== (b.kind === 'object') && a.kind !== 'array' && b.kind !== 'array')
    throw new DatabaseError('22023', 'invalid concatenation of jsonb objects');
  return { kind: 'array', items: [...items(a), ...items(b)] };
}

function without(document: Json, key: string | number): Json {
  if (document.kind === 'object')
    return { kind: 'object', members: document.members.filter(([member]) => member !== key) };
  if (document.kind !== 'array') throw new DatabaseError('22023', 'cannot delete from scalar');
  const items = [...document.items];
  if (typeof key === 'string')
    return { kind: 'array', items: items.filter((item) => item.kind !== 'string' || item.value !== key) };
  const index = key < 0 ? items.length + key : key;
  return { kind: 'array', items: items.filter((_, i) => i !== index) };
}

function jsonbOperators(): OperatorDefinition[] {
  return [
    define('@>', jsonb, jsonb, bool, (a: string, b: string) => jsonContains(parseJson(a), parseJson(b))),
    define('<@', jsonb, jsonb, bool, (a: string, b: string) => jsonContains(parseJson(b), parseJson(a))),
    define('?', jsonb, text, bool, (a: string, key: string) => hasKey(parseJson(a), key)),
    define('?|', jsonb, textArray, bool, (a: string, keys: string[]) =>
      keys.some((key) => hasKey(parseJson(a), key)),
    ),
    define('?&', jsonb, textArray, bool, (a: string, keys: string[]) =>
      keys.every((key) => hasKey(parseJson(a), key)),
    ),
    define('||', jsonb, jsonb, jsonb, (a: string, b: string) =>
      printJson(canonicalJson(concatenate(parseJson(a), parseJson(b)))),
    ),
    define('-', jsonb, text, jsonb, (a: string, key: string) => printJson(without(parseJson(a), key))),
    define('-', jsonb, int4, jsonb, (a: string, index: number) => printJson(without(parseJson(a), index))),
  ];
}

/** Elements are compared by identity of their printed keys; the binder has made both arrays of one type. */
function elementKey(value: Value): string {
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  return typeof value === 'object' && value !== null
    ? JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v))
    : String(value);
}

function holdsAll(outer: readonly Value[], inner: readonly Value[]): boolean {
  const present = new Set(outer.filter((item) => item !== null).map(elementKey));
  return inner.every((item) => item !== null && present.has(elementKey(item)));
}

function arrayOperators(): OperatorDefinition[] {
  return [
    define('@>', anyarray, anyarray, bool, (a: Value[], b: Value[]) => holdsAll(a, b)),
    define('<@', anyarray, anyarray, bool, (a: Value[], b: Value[]) => holdsAll(b, a)),
    define('&&', anyarray, anyarray, bool, (a: Value[], b: Value[]) => {
      const present = new Set(a.filter((item) => item !== null).map(elementKey));
      return b.some((item) => item !== null && present.has(elementKey(item)));
    }),
    define('||', anyarray, anyarray, anyarray, (a: Value[], b: Value[]) => [...a, ...b]),
    define('||', anyarray, anyelement, anyarray, (a: Value[], b: Value) => [...a, b]),
    define('||', anyelement, anyarray, anyarray, (a: Value, b: Value[]) => [a, ...b]),
  ];
}

export const OPERATORS: readonly OperatorDefinition[] = [
  ...arithmeticOperators(),
  ...patternOperators(),
  ...jsonOperators(),
  ...jsonbOperators(),
  ...arrayOperators(),
  define('||', text, text, text, (a: string, b: string) => a + b),
];

const BY_NAME: ReadonlyMap<string, readonly OperatorDefinition[]> = Map.groupBy(
  OPERATORS,
  (operator) => operator.name,
);

export function operatorsNamed(operator: string): readonly OperatorDefinition[] {
  return BY_NAME.get(operator) ?? [];
}
