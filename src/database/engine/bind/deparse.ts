/**
 * Bound expressions → SQL, in the text that PostgreSQL's own deparser gives: constants with their types,
 * operators in parentheses, conversions shown. The text binds to the same tree again, so it is also how
 * defaults and checks are stored.
 */
import { notSupported } from '../../errors.ts';
import { RESERVED, TYPE_OR_FUNCTION } from '../sql/keywords.ts';
import { OID } from '../types/oids.ts';
import { type ConversionContext, formatType, typeOf } from '../types/types.ts';
import type { Bound } from './bound.ts';

export function quoteName(name: string): string {
  const plain = /^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name) && !TYPE_OR_FUNCTION.has(name);
  return plain ? name : `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

const BARE: ReadonlySet<string> = new Set([
  'current_date',
  'current_timestamp',
  'localtime',
  'localtimestamp',
  'current_user',
  'session_user',
  'current_catalog',
  'current_schema',
]);

/** @param top true where an implicit conversion is not shown, as at the top of a default */
export function deparse(bound: Bound, context: ConversionContext, top = false): string {
  const inner = (part: Bound): string => deparse(part, context);
  switch (bound.kind) {
    case 'const':
      return deparseConstant(bound, context);
    case 'slot':
      return quoteName(bound.name);
    case 'call':
      return deparseCall(bound, context, top);
    case 'and':
    case 'or':
      return `(${bound.parts.map(inner).join(` ${bound.kind.toUpperCase()} `)})`;
    case 'not':
      return `(NOT ${inner(bound.operand)})`;
    case 'is':
      return `(${inner(bound.operand)} IS ${bound.negated ? 'NOT ' : ''}${bound.test.toUpperCase()})`;
    case 'distinct':
      return `(${inner(bound.left)} IS ${bound.negated ? 'NOT ' : ''}DISTINCT FROM ${inner(bound.right)})`;
    case 'case': {
      const branches = bound.branches.map(({ when, result }) => `WHEN ${inner(when)} THEN ${inner(result)}`);
      const last = bound.otherwise === undefined ? '' : ` ELSE ${inner(bound.otherwise)}`;
      return `CASE ${branches.join(' ')}${last} END`;
    }
    case 'coalesce':
      return `COALESCE(${bound.args.map(inner).join(', ')})`;
    case 'nullif':
      return `NULLIF(${inner(bound.left)}, ${inner(bound.right)})`;
    case 'extreme':
      return `${bound.name.toUpperCase()}(${bound.args.map(inner).join(', ')})`;
    case 'array':
      return bound.elements.length === 0
        ? `ARRAY[]::${formatType(bound.type)}`
        : `ARRAY[${bound.elements.map(inner).join(', ')}]`;
    case 'subscript':
      return `(${inner(bound.operand)})[${inner(bound.index)}]`;
    case 'quantified':
      return `(${inner(bound.left)} ${bound.operator} ${bound.all ? 'ALL' : 'ANY'} (${inner(bound.right)}))`;
    default:
      throw notSupported('a query or parameter in a stored expression');
  }
}

function deparseConstant(
  { value, type }: Extract<Bound, { kind: 'const' }>,
  context: ConversionContext,
): string {
  if (value === null) return `NULL::${formatType(type)}`;
  if (type.oid === OID.bool) return String(value);
  const text = typeOf(type.oid).print(value, context);
  const plain = (type.oid === OID.int4 || type.oid === OID.numeric) && /^\d/.test(text);
  return plain ? text : `${quoteText(text)}::${formatType(type)}`;
}

function deparseCall(
  bound: Extract<Bound, { kind: 'call' }>,
  context: ConversionContext,
  top: boolean,
): string {
  const args = bound.args.map((arg) => deparse(arg, context));
  switch (bound.form) {
    case 'operator':
      return args.length === 1 ? `(${bound.name} ${args[0]})` : `(${args[0]} ${bound.name} ${args[1]})`;
    case 'implicit-cast':
      if (top) return deparse(bound.args[0]!, context, true);
      return `(${args[0]})::${formatType(bound.type)}`;
    case 'cast':
      return `(${args[0]})::${formatType(bound.type)}`;
    default:
      if (BARE.has(bound.name) && args.length === 0) return bound.name.toUpperCase();
      if (bound.name === 'like_escape') throw notSupported('LIKE ... ESCAPE in a stored expression');
      return `${quoteName(bound.name)}(${args.join(', ')})`;
  }
}
