/** Expressions: names to slots, operators and functions to implementations, every type decided. */
import { DatabaseError, notSupported } from '../../errors.ts';
import type { AggregateDefinition } from '../functions/aggregates.ts';
import type { Callable, FunctionDefinition, OperatorDefinition } from '../functions/implementation.ts';
import { operatorsNamed } from '../functions/operators.ts';
import { like } from '../functions/patterns.ts';
import { TYPED_FUNCTIONS } from '../functions/scalar.ts';
import type { Expression, FunctionCall, Query, SortItem } from '../sql/ast.ts';
import { Numeric, parseNumeric } from '../types/numeric.ts';
import { OID } from '../types/oids.ts';
import { formatType, TYPES, typeByName, typeOf } from '../types/types.ts';
import type { TypeRef, Value } from '../types/values.ts';
import type { Bound, BoundSort } from './bound.ts';
import {
  BOOLEAN,
  coerce,
  coerceAll,
  commonType,
  isUnknown,
  settle,
  TEXT,
  toBoolean,
  tryCoerce,
} from './coerce.ts';
import type { BindContext } from './context.ts';
import { choose, parametersFor } from './overload.ts';
import type { Scope } from './scope.ts';
import { resolveType } from './type-names.ts';

const UNKNOWN: TypeRef = { oid: OID.unknown, modifier: -1 };
const plain = (oid: number): TypeRef => ({ oid, modifier: -1 });

export function bindExpression(e: Expression, scope: Scope, c: BindContext): Bound {
  switch (e.kind) {
    case 'string':
      return { kind: 'const', value: e.value, type: UNKNOWN, at: e.at };
    case 'null':
      return { kind: 'const', value: null, type: UNKNOWN };
    case 'boolean':
      return { kind: 'const', value: e.value, type: BOOLEAN };
    case 'number':
      return bindNumber(e.value, e.integer);
    case 'param':
      return bindParameter(e.index, c);
    case 'column':
      return bindColumn(e.path, e.at, scope);
    case 'unary':
      return bindOperator(e.operator, undefined, bindExpression(e.operand, scope, c), c, e.at);
    case 'binary':
      return bindBinary(e, scope, c);
    case 'and':
    case 'or': {
      const what = e.kind.toUpperCase();
      const parts = e.parts.map((part) => toBoolean(bindExpression(part, scope, c), what, c, part.at));
      return { kind: e.kind, parts, type: BOOLEAN };
    }
    case 'not':
      return {
        kind: 'not',
        operand: toBoolean(bindExpression(e.operand, scope, c), 'NOT', c, e.at),
        type: BOOLEAN,
      };
    case 'is':
      return bindIs(e, scope, c);
    case 'distinct-from':
      return bindDistinctFrom(e, scope, c);
    case 'in-list':
      return bindInList(e, scope, c);
    case 'in-query':
      return negateIf(e.negated, bindQueryComparison('=', e.operand, e.query, false, scope, c, e.at));
    case 'quantified':
      return bindQuantified(e, scope, c);
    case 'between':
      return bindBetween(e, scope, c);
    case 'like':
      return bindLike(e, scope, c);
    case 'case':
      return bindCase(e, scope, c);
    case 'cast':
      return bindCast(e, scope, c);
    case 'collate':
      return bindCollate(e, scope, c);
    case 'call':
      return bindCall(e, scope, c);
    case 'special':
      return bindSpecial(e, scope, c);
    case 'exists':
      return { kind: 'exists', query: c.bindQuery(e.query, scope, c), type: BOOLEAN };
    case 'scalar-query':
      return bindScalarQuery(e.query, scope, c, e.at);
    case 'array-query':
      return bindArrayQuery(e.query, scope, c, e.at);
    case 'array':
      return bindArray(e.elements, scope, c, e.at);
    case 'subscript':
      return bindSubscript(e, scope, c);
    case 'row':
      throw notSupported('a row value here', e.at);
    case 'star':
      throw new DatabaseError('42601', 'row expansion via "*" is not supported here', { at: e.at });
    case 'default':
      throw new DatabaseError('42601', 'DEFAULT is not allowed in this context', { at: e.at });
  }
}

type Of<K extends Expression['kind']> = Extract<Expression, { kind: K }>;

/** Integers take the smallest of int4, int8 and numeric that holds them. */
function bindNumber(text: string, integer: boolean): Bound {
  if (!integer) return { kind: 'const', value: parseNumeric(text)!, type: plain(OID.numeric) };
  const value = BigInt(text);
  if (value >= -2147483648n && value <= 2147483647n)
    return { kind: 'const', value: Number(value), type: plain(OID.int4) };
  if (value >= -(2n ** 63n) && value < 2n ** 63n) return { kind: 'const', value, type: plain(OID.int8) };
  return { kind: 'const', value: new Numeric(value, 0), type: plain(OID.numeric) };
}

function bindParameter(index: number, c: BindContext): Bound {
  const oid = c.parameters.typeOf(index);
  return { kind: 'param', index, type: oid === 0 ? UNKNOWN : plain(oid) };
}

function bindColumn(path: readonly string[], at: number, scope: Scope): Bound {
  if (path.length > 3)
    throw new DatabaseError('42601', `improper qualified name (too many dotted names): ${path.join('.')}`, {
      at,
    });
  return scope.column(path, at);
}

function bindBinary(e: Of<'binary'>, scope: Scope, c: BindContext): Bound {
  if (e.left.kind === 'row' || e.right.kind === 'row') return bindRowComparison(e, scope, c);
  const left = bindExpression(e.left, scope, c);
  return bindOperator(e.operator, left, bindExpression(e.right, scope, c), c, e.at);
}

/** `(a, b) = (c, d)` field by field; < and the like by the first field that differs. */
function bindRowComparison(e: Of<'binary'>, scope: Scope, c: BindContext): Bound {
  if (e.left.kind !== 'row' || e.right.kind !== 'row') throw notSupported('a row value here', e.at);
  const left = e.left.fields;
  const right = e.right.fields;
  if (left.length !== right.length)
    throw new DatabaseError('42601', 'unequal number of entries in row expressions', { at: e.at });
  const pair = (operator: string, i: number): Expression => ({
    kind: 'binary',
    operator,
    left: left[i]!,
    right: right[i]!,
    at: e.at,
  });
  if (e.operator === '=' || e.operator === '<>') {
    const parts = left.map((_, i) => pair(e.operator, i));
    return bindExpression({ kind: e.operator === '=' ? 'and' : 'or', parts, at: e.at }, scope, c);
  }
  if (!['<', '<=', '>', '>='].includes(e.operator))
    throw notSupported(`operator ${e.operator} of rows`, e.at);
  const strict = e.operator.slice(0, 1);
  const parts = left.map((_, i): Expression => {
    const equal = left.slice(0, i).map((_unused, n) => pair('=', n));
    const last = pair(i === left.length - 1 ? e.operator : strict, i);
    return equal.length === 0 ? last : { kind: 'and', parts: [...equal, last], at: e.at };
  });
  return bindExpression(parts.length === 1 ? parts[0]! : { kind: 'or', parts, at: e.at }, scope, c);
}

interface ChosenOperator {
  readonly definition: OperatorDefinition;
  readonly parameters: readonly number[];
  readonly result: TypeRef;
  readonly implementation: Callable;
}

/** @throws DatabaseError 42883, 42725 */
function chooseOperator(name: string, types: readonly number[], at: number): ChosenOperator {
  const concatenation = name === '||' && types.length === 2 ? textConcat(types) : undefined;
  if (concatenation !== undefined) return concatenation;
  const candidates = operatorsNamed(name)
    .filter((operator) => (operator.left === 0) === (types.length === 1))
    .map((definition) => ({
      definition,
      args: types.length === 1 ? [definition.right] : [definition.left, definition.right],
    }));
  const given = types.map(operandType);
  const choice = choose(candidates, given);
  if (choice.kind !== 'found') {
    throw operatorError(choice.kind, name, types, at);
  }
  const { definition, args } = choice.candidate;
  const parameters = args.map((parameter, i) => concrete(parameter, args, types, i));
  const result = plain(concreteResult(definition.result, args, types));
  return { definition, parameters, result, implementation: implementationOf(definition, parameters) };
}

/** varchar has no operators of its own: it is text. */
function operandType(type: number): number {
  return type === OID.varchar ? OID.text : type;
}

/** anything || text, and text || anything, join the printed forms; a literal is text beside what is no list or document. */
function textConcat(types: readonly number[]): ChosenOperator | undefined {
  const isList = (type: number): boolean =>
    typeOf(type).elementOid !== 0 || type === OID.jsonb || type === OID.bytea;
  const isText = (type: number): boolean => typeOf(type).category === 'S' || type === OID.unknown;
  if (types.some(isList) || !types.some(isText)) return undefined;
  const definition = operatorsNamed('||').find(({ left }) => left === OID.text)!;
  return {
    definition,
    parameters: [OID.text, OID.text],
    result: TEXT,
    implementation: definition.implementation as Callable,
  };
}

function operatorError(
  kind: 'none' | 'ambiguous',
  name: string,
  types: readonly number[],
  at: number,
): DatabaseError {
  const shown =
    types.length === 1
      ? `${name} ${formatType(plain(types[0]!))}`
      : `${formatType(plain(types[0]!))} ${name} ${formatType(plain(types[1]!))}`;
  if (kind === 'ambiguous')
    return new DatabaseError('42725', `operator is not unique: ${shown}`, {
      at,
      hint: 'Could not choose a best candidate operator. You might need to add explicit type casts.',
    });
  return new DatabaseError('42883', `operator does not exist: ${shown}`, {
    at,
    hint: `No operator matches the given name and argument type${types.length === 1 ? '' : 's'}. You might need to add ${types.length === 1 ? 'an explicit type cast' : 'explicit type casts'}.`,
  });
}

/** A polymorphic parameter as the type it has in this call. */
function concrete(
  parameter: number,
  parameters: readonly number[],
  types: readonly number[],
  i: number,
): number {
  if (parameter === OID.anyarray) return arrayTypeIn(parameters, types) ?? types[i]!;
  if (parameter === OID.anyelement && parameters.includes(OID.anyarray))
    return typeOf(arrayTypeIn(parameters, types) ?? types[i]!).elementOid || types[i]!;
  return parameter === OID.any || parameter === OID.anyelement ? types[i]! : parameter;
}

function arrayTypeIn(parameters: readonly number[], types: readonly number[]): number | undefined {
  const array = types.find((type, i) => parameters[i] === OID.anyarray && type !== OID.unknown);
  if (array !== undefined) return array;
  const element = types.find((type, i) => parameters[i] === OID.anyelement && type !== OID.unknown);
  return element === undefined ? undefined : typeOf(element).arrayOid;
}

function concreteResult(result: number, parameters: readonly number[], types: readonly number[]): number {
  if (result === OID.anyarray) return arrayTypeIn(parameters, types) ?? OID.anyarray;
  if (result !== OID.anyelement) return result;
  const array = arrayTypeIn(parameters, types);
  const direct = types.find((_, i) => parameters[i] === OID.anyelement);
  return parameters.includes(OID.anyarray) && array !== undefined
    ? typeOf(array).elementOid
    : (direct ?? OID.text);
}

/** Comparisons of arrays need the order of the array's own type. */
function implementationOf(definition: OperatorDefinition, parameters: readonly number[]): Callable {
  if (definition.left !== OID.anyarray || definition.result !== OID.bool)
    return definition.implementation as Callable;
  const { compare } = typeOf(parameters[0]!);
  const test = {
    '=': (n: number) => n === 0,
    '<>': (n: number) => n !== 0,
    '<': (n: number) => n < 0,
    '<=': (n: number) => n <= 0,
    '>': (n: number) => n > 0,
    '>=': (n: number) => n >= 0,
  }[definition.name];
  if (test === undefined || compare === undefined) return definition.implementation as Callable;
  return (a, b) => test(compare(a as NonNullable<Value>, b as NonNullable<Value>));
}

export function bindOperator(
  name: string,
  left: Bound | undefined,
  right: Bound,
  c: BindContext,
  at: number,
): Bound {
  const operands = left === undefined ? [right] : [left, right];
  const chosen = chooseOperator(
    name,
    operands.map((operand) => operand.type.oid),
    at,
  );
  const args = operands.map((operand, i) => coerceOperand(operand, chosen.parameters[i]!, c, at));
  return {
    kind: 'call',
    form: 'operator',
    name,
    args,
    strict: true,
    volatility: chosen.definition.volatility,
    implementation: chosen.implementation,
    type: chosen.result,
  };
}

function coerceOperand(operand: Bound, parameter: number, c: BindContext, at: number): Bound {
  const context = parameter === OID.text ? 'assignment' : 'implicit';
  return coerce(operand, plain(parameter), context, c, isUnknown(operand) ? undefined : at);
}

/** The implementation of `left op right` for two types, and what they must be cast to. */
function comparison(name: string, left: number, right: number, at: number): ChosenOperator {
  const chosen = chooseOperator(name, [left, right], at);
  if (chosen.result.oid !== OID.bool)
    throw new DatabaseError('42809', `op ANY/ALL (array) requires operator to yield boolean`, { at });
  return chosen;
}

function bindIs(e: Of<'is'>, scope: Scope, c: BindContext): Bound {
  if (e.operand.kind === 'row') throw notSupported('IS NULL of a row value', e.at);
  const operand = bindExpression(e.operand, scope, c);
  const tested =
    e.test === 'null' ? settle(operand, c) : toBoolean(operand, `IS ${e.test.toUpperCase()}`, c, e.at);
  return { kind: 'is', test: e.test, negated: e.negated, operand: tested, type: BOOLEAN };
}

/** Both sides as the types that `=` compares. */
function bindPair(
  left: Bound,
  right: Bound,
  c: BindContext,
  at: number,
): { left: Bound; right: Bound; equal: Callable } {
  const chosen = comparison('=', left.type.oid, right.type.oid, at);
  return {
    left: coerceOperand(left, chosen.parameters[0]!, c, at),
    right: coerceOperand(right, chosen.parameters[1]!, c, at),
    equal: chosen.implementation,
  };
}

function bindDistinctFrom(e: Of<'distinct-from'>, scope: Scope, c: BindContext): Bound {
  const pair = bindPair(bindExpression(e.left, scope, c), bindExpression(e.right, scope, c), c, e.at);
  return { kind: 'distinct', negated: e.negated, ...pair, type: BOOLEAN };
}

/** One array comparison where the items have a common type, else a chain of equalities. */
function bindInList(e: Of<'in-list'>, scope: Scope, c: BindContext): Bound {
  if (e.operand.kind === 'row' || e.list.some((item) => item.kind === 'row')) {
    const parts = e.list.map(
      (item): Expression => ({ kind: 'binary', operator: '=', left: e.operand, right: item, at: e.at }),
    );
    return negateIf(
      e.negated,
      bindExpression(parts.length === 1 ? parts[0]! : { kind: 'or', parts, at: e.at }, scope, c),
    );
  }
  const operand = bindExpression(e.operand, scope, c);
  const items = e.list.map((item) => bindExpression(item, scope, c));
  const element = commonType([operand, ...items], 'IN', e.at);
  const elements = coerceAll(items, plain(element.oid), c, 'IN', e.at);
  const array: Bound = { kind: 'array', elements, type: plain(typeOf(element.oid).arrayOid) };
  const operator = e.negated ? '<>' : '=';
  return quantify(
    operator,
    e.negated,
    coerce(operand, plain(element.oid), 'implicit', c, e.at),
    array,
    element.oid,
    c,
    e.at,
  );
}

function quantify(
  operator: string,
  all: boolean,
  left: Bound,
  right: Bound,
  element: number,
  c: BindContext,
  at: number,
): Bound {
  const chosen = comparison(operator, left.type.oid, element, at);
  const keyed = (operator === '=' && !all) || (operator === '<>' && all);
  const sameType = chosen.parameters[0] === chosen.parameters[1];
  const array =
    element === chosen.parameters[1]
      ? right
      : coerce(right, plain(typeOf(chosen.parameters[1]!).arrayOid), 'explicit', c, at);
  return {
    kind: 'quantified',
    all,
    operator,
    left: coerceOperand(left, chosen.parameters[0]!, c, at),
    right: array,
    implementation: chosen.implementation,
    keyType: keyed && sameType ? chosen.parameters[0] : undefined,
    type: BOOLEAN,
  };
}

function bindQuantified(e: Of<'quantified'>, scope: Scope, c: BindContext): Bound {
  if (e.right.kind === 'query')
    return bindQueryComparison(e.operator, e.left, e.right, e.all, scope, c, e.at);
  const left = bindExpression(e.left, scope, c);
  let right = bindExpression(e.right, scope, c);
  if (isUnknown(right)) {
    const element = isUnknown(left) ? OID.text : left.type.oid;
    right = coerce(right, plain(typeOf(element).arrayOid), 'implicit', c, e.at);
  }
  const element = typeOf(right.type.oid).elementOid;
  if (element === 0)
    throw new DatabaseError('42809', 'op ANY/ALL (array) requires array on right side', { at: e.at });
  return quantify(
    e.operator,
    e.all,
    isUnknown(left) ? coerce(left, plain(element), 'implicit', c, e.at) : left,
    right,
    element,
    c,
    e.at,
  );
}

/** `left op ANY (query)`, IN (query): the left side may be a row. */
function bindQueryComparison(
  operator: string,
  left: Expression,
  query: Query,
  all: boolean,
  scope: Scope,
  c: BindContext,
  at: number,
): Bound {
  const fields = left.kind === 'row' ? left.fields : [left];
  const bound = c.bindQuery(query, scope, c);
  if (bound.columns.length !== fields.length)
    throw new DatabaseError(
      '42601',
      `subquery has too ${bound.columns.length > fields.length ? 'many' : 'few'} columns`,
      { at },
    );
  if (fields.length > 1 && operator !== '=')
    throw notSupported(`operator ${operator} of rows and a query`, at);
  const chosen = fields.map((field, i) => {
    const value = bindExpression(field, scope, c);
    const column = bound.columns[i]!.type.oid;
    const picked = comparison(operator, value.type.oid, column, at);
    const convert = castOf(column, picked.parameters[1]!, c, at);
    return {
      left: coerceOperand(value, picked.parameters[0]!, c, at),
      implementation: through(picked.implementation, convert),
    };
  });
  return {
    kind: 'quantified-query',
    all,
    left: chosen.map((item) => item.left),
    query: bound,
    implementations: chosen.map((item) => item.implementation),
    type: BOOLEAN,
  };
}

function castOf(from: number, to: number, c: BindContext, at: number): Callable | undefined {
  if (from === to) return undefined;
  const probe: Bound = { kind: 'slot', level: 0, slot: 0, type: plain(from), name: '' };
  const made = coerce(probe, plain(to), 'implicit', c, at);
  return made.kind === 'call' ? made.implementation : undefined;
}

function through(implementation: Callable, convert: Callable | undefined): Callable {
  return convert === undefined ? implementation : (a, b, run) => implementation(a!, convert(b!, run!), run!);
}

function negateIf(negated: boolean, operand: Bound): Bound {
  return negated ? { kind: 'not', operand, type: BOOLEAN } : operand;
}

function bindBetween(e: Of<'between'>, scope: Scope, c: BindContext): Bound {
  const compare = (operator: string, right: Expression): Expression => ({
    kind: 'binary',
    operator,
    left: e.operand,
    right,
    at: e.at,
  });
  const inside = (low: Expression, high: Expression): Expression => ({
    kind: 'and',
    parts: [compare('>=', low), compare('<=', high)],
    at: e.at,
  });
  const one = inside(e.low, e.high);
  const either: Expression = e.symmetric
    ? { kind: 'or', parts: [one, inside(e.high, e.low)], at: e.at }
    : one;
  return negateIf(e.negated, bindExpression(either, scope, c));
}

function bindLike(e: Of<'like'>, scope: Scope, c: BindContext): Bound {
  const operator = `${e.negated ? '!' : ''}~~${e.insensitive ? '*' : ''}`;
  const operand = bindExpression(e.operand, scope, c);
  const pattern = bindExpression(e.pattern, scope, c);
  if (e.escape === undefined) return bindOperator(operator, operand, pattern, c, e.at);
  const args = [operand, pattern, bindExpression(e.escape, scope, c)].map((arg) =>
    coerce(arg, TEXT, 'implicit', c, e.at),
  );
  const fold = (text: Value): string => (e.insensitive ? (text as string).toLowerCase() : (text as string));
  const implementation: Callable = (text, p, escaping) =>
    like(fold(text as Value), fold(p as Value), escaping as string) !== e.negated;
  return {
    kind: 'call',
    form: 'function',
    name: 'like_escape',
    args,
    strict: true,
    volatility: 'immutable',
    implementation,
    type: BOOLEAN,
  };
}

function bindCase(e: Of<'case'>, scope: Scope, c: BindContext): Bound {
  const operand = e.operand;
  const condition = (when: Expression): Bound =>
    operand === undefined
      ? toBoolean(bindExpression(when, scope, c), 'CASE/WHEN', c, when.at)
      : bindExpression({ kind: 'binary', operator: '=', left: operand, right: when, at: when.at }, scope, c);
  const whens = e.branches.map(({ when }) => condition(when));
  const results = e.branches.map(({ result }) => bindExpression(result, scope, c));
  const otherwise = e.otherwise === undefined ? undefined : bindExpression(e.otherwise, scope, c);
  const all = otherwise === undefined ? results : [otherwise, ...results];
  const type = commonType(all, 'CASE', e.at);
  const coerced = coerceAll(all, type, c, 'CASE', e.at);
  const thens = otherwise === undefined ? coerced : coerced.slice(1);
  return {
    kind: 'case',
    branches: whens.map((when, i) => ({ when, result: thens[i]! })),
    otherwise: otherwise === undefined ? undefined : coerced[0],
    type,
  };
}

function bindCast(e: Of<'cast'>, scope: Scope, c: BindContext): Bound {
  const type = resolveType(e.type);
  if (e.operand.kind === 'array' && e.operand.elements.length === 0 && typeOf(type.oid).elementOid !== 0)
    return { kind: 'array', elements: [], type };
  const operand = bindExpression(e.operand, scope, c);
  const made = tryCoerce(operand, type, 'explicit', c, e.operand.at);
  if (made === undefined)
    throw new DatabaseError('42846', `cannot cast type ${formatType(operand.type)} to ${formatType(type)}`, {
      at: e.at,
    });
  return made;
}

function bindCollate(e: Of<'collate'>, scope: Scope, c: BindContext): Bound {
  const { name, at } = e.collation;
  if (!['C', 'POSIX', 'default', 'ucs_basic'].includes(name)) throw notSupported(`collation "${name}"`, at);
  const operand = settle(bindExpression(e.operand, scope, c), c);
  if (typeOf(operand.type.oid).category !== 'S')
    throw new DatabaseError('42804', `collations are not supported by type ${formatType(operand.type)}`, {
      at: e.at,
    });
  return operand;
}

function bindSpecial(e: Of<'special'>, scope: Scope, c: BindContext): Bound {
  const args = e.args.map((arg) => bindExpression(arg, scope, c));
  const name = e.name.toUpperCase();
  if (e.name === 'nullif') {
    if (args.length !== 2) throw new DatabaseError('42601', 'NULLIF requires 2 arguments', { at: e.at });
    const pair = bindPair(args[0]!, args[1]!, c, e.at);
    return { kind: 'nullif', ...pair, type: pair.left.type };
  }
  if (args.length === 0)
    throw new DatabaseError('42601', `${name} requires at least one argument`, { at: e.at });
  const type = commonType(args, name, e.at);
  const coerced = coerceAll(args, type, c, name, e.at);
  if (e.name === 'coalesce') return { kind: 'coalesce', args: coerced, type };
  const { compare } = typeOf(type.oid);
  if (compare === undefined)
    throw new DatabaseError(
      '42883',
      `could not identify a comparison function for type ${formatType(type)}`,
      { at: e.at },
    );
  return { kind: 'extreme', name: e.name, args: coerced, compare, type };
}

function oneColumn(
  query: Query,
  scope: Scope,
  c: BindContext,
  at: number,
): ReturnType<BindContext['bindQuery']> {
  const bound = c.bindQuery(query, scope, c);
  if (bound.columns.length !== 1)
    throw new DatabaseError('42601', 'subquery must return only one column', { at });
  return bound;
}

function bindScalarQuery(query: Query, scope: Scope, c: BindContext, at: number): Bound {
  const bound = oneColumn(query, scope, c, at);
  return { kind: 'scalar-query', query: bound, type: bound.columns[0]!.type };
}

function bindArrayQuery(query: Query, scope: Scope, c: BindContext, at: number): Bound {
  const bound = oneColumn(query, scope, c, at);
  const { arrayOid, sqlName } = typeOf(bound.columns[0]!.type.oid);
  if (arrayOid === 0)
    throw new DatabaseError('42704', `could not find array type for data type ${sqlName}`, { at });
  return { kind: 'array-query', query: bound, type: plain(arrayOid) };
}

function bindArray(elements: readonly Expression[], scope: Scope, c: BindContext, at: number): Bound {
  if (elements.length === 0)
    throw new DatabaseError('42P18', 'cannot determine type of empty array', {
      at,
      hint: 'Explicitly cast to the desired type, for example ARRAY[]::integer[].',
    });
  const bound = elements.map((element) => bindExpression(element, scope, c));
  const type = commonType(bound, 'ARRAY', at);
  return {
    kind: 'array',
    elements: coerceAll(bound, type, c, 'ARRAY', at),
    type: plain(typeOf(type.oid).arrayOid),
  };
}

function bindSubscript(e: Of<'subscript'>, scope: Scope, c: BindContext): Bound {
  const operand = bindExpression(e.operand, scope, c);
  const type = typeOf(operand.type.oid);
  if (operand.type.oid === OID.jsonb) {
    const index = bindExpression(e.index, scope, c);
    return bindOperator('->', operand, index, c, e.at);
  }
  if (type.elementOid === 0)
    throw new DatabaseError(
      '42804',
      `cannot subscript type ${formatType(operand.type)} because it does not support subscripting`,
      { at: e.at },
    );
  const index = coerce(bindExpression(e.index, scope, c), plain(OID.int4), 'assignment', c, e.at);
  return {
    kind: 'subscript',
    operand,
    index,
    base: type.name.startsWith('_') ? 1 : 0,
    type: plain(type.elementOid),
  };
}

function bindCall(e: FunctionCall, scope: Scope, c: BindContext): Bound {
  const { schema, name } = e.name;
  if (schema !== undefined && schema !== 'pg_catalog') throw noFunction(e, [], `${schema}.${name}`);
  const aggregates = c.aggregates(name);
  if (aggregates.length > 0) return bindAggregate(e, aggregates, scope, c);
  if (e.star || e.distinct || e.orderBy.length > 0 || e.filter !== undefined)
    throw new DatabaseError(
      '42809',
      `${e.star ? `${name}(*)` : e.distinct ? 'DISTINCT' : e.filter ? 'FILTER' : 'ORDER BY'} specified, but ${name} is not an aggregate function`,
      { at: e.at },
    );
  const args = e.args.map((arg) => bindExpression(arg, scope, c));
  return bindTypedFunction(e, args, c) ?? bindFunction(e, args, scope, c);
}

function bindTypedFunction(e: FunctionCall, given: readonly Bound[], c: BindContext): Bound | undefined {
  const typed = TYPED_FUNCTIONS.get(e.name.name);
  if (typed === undefined || given.length < typed.minimum) return undefined;
  const args = e.name.name === 'pg_typeof' ? [...given] : given.map((arg) => settle(arg, c));
  const implementation = typed.bind(args.map((arg) => arg.type.oid)) as Callable;
  const strict = e.name.name.startsWith('to_json');
  return {
    kind: 'call',
    form: 'function',
    name: e.name.name,
    args,
    strict,
    volatility: 'stable',
    implementation,
    type: plain(typed.result),
  };
}

export interface ChosenFunction {
  readonly definition: FunctionDefinition;
  readonly args: readonly Bound[];
  readonly result: TypeRef;
}

/** @throws DatabaseError 42883, 42725 */
export function chooseFunction(
  e: FunctionCall,
  args: readonly Bound[],
  c: BindContext,
): ChosenFunction | undefined {
  const candidates = c.functions(e.name.name);
  const types = args.map((arg) => (arg.type.oid === OID.varchar ? OID.text : arg.type.oid));
  const choice = choose(candidates, types);
  if (choice.kind !== 'found') {
    if (choice.kind === 'none') return undefined;
    throw new DatabaseError('42725', `function ${signature(e.name.name, args)} is not unique`, {
      at: e.at,
      hint: 'Could not choose a best candidate function. You might need to add explicit type casts.',
    });
  }
  const definition = choice.candidate;
  const parameters = parametersFor(definition, args.length)!;
  const coerced = args.map((arg, i) =>
    coerceArgument(arg, concrete(parameters[i]!, parameters, types, i), c, e.at),
  );
  return { definition, args: coerced, result: plain(concreteResult(definition.result, parameters, types)) };
}

function coerceArgument(arg: Bound, parameter: number, c: BindContext, at: number): Bound {
  return parameter === OID.unknown
    ? settle(arg, c)
    : coerce(arg, plain(parameter), 'implicit', c, isUnknown(arg) ? undefined : at);
}

function signature(name: string, args: readonly Bound[]): string {
  return `${name}(${args.map((arg) => formatType(arg.type)).join(', ')})`;
}

function noFunction(e: FunctionCall, args: readonly Bound[], name = e.name.name): DatabaseError {
  return new DatabaseError('42883', `function ${signature(name, args)} does not exist`, {
    at: e.at,
    hint: 'No function matches the given name and argument types. You might need to add explicit type casts.',
    routine: 'ParseFuncOrColumn',
  });
}

function bindFunction(e: FunctionCall, args: readonly Bound[], scope: Scope, c: BindContext): Bound {
  const chosen = chooseFunction(e, args, c);
  if (chosen === undefined) return bindCastCall(e, args, c);
  const { definition } = chosen;
  if (definition.set !== undefined) return bindSetInTargets(e, chosen, scope);
  return {
    kind: 'call',
    form: 'function',
    name: definition.name,
    args: chosen.args,
    strict: definition.strict,
    volatility: definition.volatility,
    implementation: definition.implementation as Callable,
    type: chosen.result,
  };
}

/** `date(x)` and `text(x)`: a type's name used as a function is a cast. */
function bindCastCall(e: FunctionCall, args: readonly Bound[], c: BindContext): Bound {
  const type = args.length === 1 ? typeByName(e.name.name) : undefined;
  const made = type === undefined ? undefined : tryCoerce(args[0]!, plain(type.oid), 'explicit', c, e.at);
  if (made === undefined) throw noFunction(e, args);
  return made;
}

function bindSetInTargets(
  e: FunctionCall,
  { definition, args, result }: ChosenFunction,
  scope: Scope,
): Bound {
  if (scope.sets === undefined)
    throw new DatabaseError('0A000', 'set-returning functions are not allowed here', { at: e.at });
  if (definition.set!.columns.length !== 1)
    throw notSupported('a row-returning function in the select list', e.at);
  const slot = scope.take(1);
  scope.sets.push({ definition, args, slot });
  return { kind: 'slot', level: 0, slot, type: result, name: definition.name };
}

function bindAggregate(
  e: FunctionCall,
  candidates: readonly AggregateDefinition[],
  scope: Scope,
  c: BindContext,
): Bound {
  const use = scope.aggregates;
  if (use.kind === 'refused')
    throw new DatabaseError(
      '42803',
      use.where === 'nested'
        ? 'aggregate function calls cannot be nested'
        : `aggregate functions are not allowed in ${use.where}`,
      { at: e.at },
    );
  scope.aggregates = { kind: 'refused', where: 'nested' };
  const args = e.args.map((arg) => bindExpression(arg, scope, c));
  const orderBy = e.orderBy.map((item) => bindSort(item, scope, c));
  const filter =
    e.filter === undefined
      ? undefined
      : toBoolean(bindExpression(e.filter, scope, c), 'FILTER', c, e.filter.at);
  scope.aggregates = use;
  if (args.length === 0 && !e.star)
    throw new DatabaseError(
      '42809',
      `${e.name.name}(*) must be used to call a parameterless aggregate function`,
      { at: e.at },
    );
  const types = args.map((arg) => (arg.type.oid === OID.varchar ? OID.text : arg.type.oid));
  const choice = choose(candidates, types);
  if (choice.kind !== 'found') throw noFunction(e, args);
  const definition = choice.candidate;
  const coerced = args.map((arg, i) => {
    const parameter = concrete(definition.args[i]!, definition.args, types, i);
    return parameter === OID.unknown ? settle(arg, c) : coerce(arg, plain(parameter), 'implicit', c, e.at);
  });
  const settled = coerced.map((arg) => settle(arg, c));
  const result = concreteResult(
    definition.result,
    definition.args,
    settled.map((arg) => arg.type.oid),
  );
  const slot = scope.take(1);
  use.into.push({ definition, args: settled, distinct: e.distinct, orderBy, filter, slot });
  return { kind: 'slot', level: 0, slot, type: plain(result), name: definition.name };
}

export function bindSort(item: SortItem, scope: Scope, c: BindContext): BoundSort {
  const expression = settle(bindExpression(item.expression, scope, c), c);
  requireOrder(expression.type, item.expression.at);
  return { expression, descending: item.descending, nullsFirst: nullsFirst(item) };
}

export function nullsFirst(item: SortItem): boolean {
  return item.nulls === undefined ? item.descending : item.nulls === 'first';
}

export function requireOrder(type: TypeRef, at: number): void {
  if (TYPES.get(type.oid)?.compare === undefined)
    throw new DatabaseError('42883', `could not identify an ordering operator for type ${formatType(type)}`, {
      at,
      hint: 'Use an explicit ordering operator or modify the query.',
    });
}
