/** Bound expressions → closures over a frame. NULL follows SQL: unknown, unless a construct says otherwise. */
import { DatabaseError } from '../../errors.ts';
import type { Bound } from '../bind/bound.ts';
import type { Callable } from '../functions/implementation.ts';
import { keyPart, typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import type { Evaluate, Frame } from './frame.ts';

/** How expressions run the queries inside them; given by `compile.ts`, which knows both. */
export interface SubqueryCompiler {
  /** Calls `each` with the visible values of every row until it returns false. */
  compile(
    query: Extract<Bound, { kind: 'exists' }>['query'],
  ): (frame: Frame, each: (tuple: readonly Value[]) => boolean) => void;
}

export function compileExpression(bound: Bound, s: SubqueryCompiler): Evaluate {
  switch (bound.kind) {
    case 'const': {
      const { value } = bound;
      return () => value;
    }
    case 'param': {
      const at = bound.index - 1;
      return (frame) => frame.run.params[at] ?? null;
    }
    case 'slot':
      return slotReader(bound.level, bound.slot);
    case 'call':
      return compileCall(bound, s);
    case 'and':
      return compileAnd(bound.parts.map((part) => compileExpression(part, s)));
    case 'or':
      return compileOr(bound.parts.map((part) => compileExpression(part, s)));
    case 'not': {
      const operand = compileExpression(bound.operand, s);
      return (frame) => {
        const value = operand(frame);
        return value === null ? null : !value;
      };
    }
    case 'is':
      return compileIs(bound, s);
    case 'distinct':
      return compileDistinct(bound, s);
    case 'case':
      return compileCase(bound, s);
    case 'coalesce':
      return compileCoalesce(bound.args.map((arg) => compileExpression(arg, s)));
    case 'nullif':
      return compileNullif(bound, s);
    case 'extreme':
      return compileExtreme(bound, s);
    case 'array': {
      const elements = bound.elements.map((element) => compileExpression(element, s));
      return (frame) => elements.map((element) => element(frame));
    }
    case 'subscript':
      return compileSubscript(bound, s);
    case 'quantified':
      return compileQuantified(bound, s);
    case 'exists':
      return compileExists(bound, s);
    case 'scalar-query':
      return compileScalarQuery(bound, s);
    case 'array-query':
      return compileArrayQuery(bound, s);
    case 'quantified-query':
      return compileQuantifiedQuery(bound, s);
  }
}

type Of<K extends Bound['kind']> = Extract<Bound, { kind: K }>;

function slotReader(level: number, slot: number): Evaluate {
  if (level === 0) return (frame) => frame.row[slot] ?? null;
  if (level === 1) return (frame) => frame.outer!.row[slot] ?? null;
  return (frame) => {
    let at = frame;
    for (let i = 0; i < level; i++) at = at.outer!;
    return at.row[slot] ?? null;
  };
}

function compileCall(bound: Of<'call'>, s: SubqueryCompiler): Evaluate {
  const args = bound.args.map((arg) => compileExpression(arg, s));
  const f: Callable = bound.implementation;
  if (!bound.strict) return (frame) => f(...args.map((arg) => arg(frame)), frame.run);
  const [first, second] = args;
  if (args.length === 0) return (frame) => f(frame.run);
  if (args.length === 1)
    return (frame) => {
      const a = first!(frame);
      return a === null ? null : f(a, frame.run);
    };
  if (args.length === 2)
    return (frame) => {
      const a = first!(frame);
      if (a === null) return null;
      const b = second!(frame);
      return b === null ? null : f(a, b, frame.run);
    };
  return (frame) => {
    const values = args.map((arg) => arg(frame));
    return values.includes(null) ? null : f(...values, frame.run);
  };
}

/** False decides, then NULL. */
function compileAnd(parts: readonly Evaluate[]): Evaluate {
  return (frame) => {
    let unknown = false;
    for (const part of parts) {
      const value = part(frame);
      if (value === false) return false;
      if (value === null) unknown = true;
    }
    return unknown ? null : true;
  };
}

function compileOr(parts: readonly Evaluate[]): Evaluate {
  return (frame) => {
    let unknown = false;
    for (const part of parts) {
      const value = part(frame);
      if (value === true) return true;
      if (value === null) unknown = true;
    }
    return unknown ? null : false;
  };
}

function compileIs({ operand, test, negated }: Of<'is'>, s: SubqueryCompiler): Evaluate {
  const evaluate = compileExpression(operand, s);
  const wanted = test === 'true' ? true : test === 'false' ? false : null;
  return (frame) => (evaluate(frame) === wanted) !== negated;
}

function compileDistinct({ left, right, equal, negated }: Of<'distinct'>, s: SubqueryCompiler): Evaluate {
  const a = compileExpression(left, s);
  const b = compileExpression(right, s);
  return (frame) => {
    const x = a(frame);
    const y = b(frame);
    const distinct = x === null || y === null ? x !== y : !equal(x, y, frame.run);
    return distinct !== negated;
  };
}

function compileCase({ branches, otherwise }: Of<'case'>, s: SubqueryCompiler): Evaluate {
  const compiled = branches.map(({ when, result }) => ({
    when: compileExpression(when, s),
    result: compileExpression(result, s),
  }));
  const last: Evaluate = otherwise === undefined ? () => null : compileExpression(otherwise, s);
  return (frame) => {
    for (const { when, result } of compiled) if (when(frame) === true) return result(frame);
    return last(frame);
  };
}

function compileCoalesce(args: readonly Evaluate[]): Evaluate {
  return (frame) => {
    for (const arg of args) {
      const value = arg(frame);
      if (value !== null) return value;
    }
    return null;
  };
}

function compileNullif({ left, right, equal }: Of<'nullif'>, s: SubqueryCompiler): Evaluate {
  const a = compileExpression(left, s);
  const b = compileExpression(right, s);
  return (frame) => {
    const x = a(frame);
    const y = b(frame);
    return x !== null && y !== null && equal(x, y, frame.run) === true ? null : x;
  };
}

function compileExtreme({ name, args, compare }: Of<'extreme'>, s: SubqueryCompiler): Evaluate {
  const compiled = args.map((arg) => compileExpression(arg, s));
  const sign = name === 'greatest' ? -1 : 1;
  return (frame) => {
    let best: Value = null;
    for (const arg of compiled) {
      const value = arg(frame);
      if (value !== null && (best === null || sign * compare(value, best) < 0)) best = value;
    }
    return best;
  };
}

function compileSubscript({ operand, index, base }: Of<'subscript'>, s: SubqueryCompiler): Evaluate {
  const array = compileExpression(operand, s);
  const position = compileExpression(index, s);
  return (frame) => {
    const items = array(frame);
    const at = position(frame);
    if (items === null || at === null) return null;
    return (items as readonly Value[])[(at as number) - base] ?? null;
  };
}

/** A constant list of more than a few items is searched by key instead of one after another. */
function compileQuantified(bound: Of<'quantified'>, s: SubqueryCompiler): Evaluate {
  const left = compileExpression(bound.left, s);
  const right = compileExpression(bound.right, s);
  const { all, implementation, keyType } = bound;
  const scan = (value: Value, items: readonly Value[], frame: Frame): Value => {
    let unknown = false;
    for (const item of items) {
      const result = value === null || item === null ? null : implementation(value, item, frame.run);
      if (result === !all) return !all;
      if (result === null) unknown = true;
    }
    return unknown ? null : all;
  };
  const set = keyType === undefined ? undefined : keyedSearch(keyType);
  return (frame) => {
    const value = left(frame);
    const items = right(frame) as readonly Value[] | null;
    if (items === null) return null;
    if (set === undefined || items.length < 8 || value === null) return scan(value, items, frame);
    return set(value, items, !all);
  };
}

/** Membership by key; `positive` for `= ANY`, else `<> ALL`. The set is kept while the array is the same. */
function keyedSearch(
  oid: number,
): (value: NonNullable<Value>, items: readonly Value[], positive: boolean) => Value {
  const { key } = typeOf(oid);
  const sets = new WeakMap<readonly Value[], { keys: Set<unknown>; hasNull: boolean }>();
  return (value, items, positive) => {
    let set = sets.get(items);
    if (set === undefined) {
      set = {
        keys: new Set(items.filter((item) => item !== null).map((item) => key(item))),
        hasNull: items.includes(null),
      };
      sets.set(items, set);
    }
    if (set.keys.has(key(value))) return positive;
    return set.hasNull ? null : !positive;
  };
}

/** A query that reads nothing of the rows around it runs once per statement. */
function onceOr<T>(query: Of<'exists'>['query'], compute: (frame: Frame) => T): (frame: Frame) => T {
  if (query.correlated) return compute;
  return (frame) => {
    const { once } = frame.run;
    if (!once.has(query)) once.set(query, compute(frame));
    return once.get(query) as T;
  };
}

function compileExists({ query }: Of<'exists'>, s: SubqueryCompiler): Evaluate {
  const run = s.compile(query);
  return onceOr(query, (frame) => {
    let found = false;
    run(frame, () => {
      found = true;
      return false;
    });
    return found;
  });
}

function compileScalarQuery({ query }: Of<'scalar-query'>, s: SubqueryCompiler): Evaluate {
  const run = s.compile(query);
  return onceOr(query, (frame) => {
    let rows = 0;
    let value: Value = null;
    run(frame, (tuple) => {
      if (++rows > 1)
        throw new DatabaseError('21000', 'more than one row returned by a subquery used as an expression');
      value = tuple[0] ?? null;
      return true;
    });
    return value;
  });
}

function compileArrayQuery({ query }: Of<'array-query'>, s: SubqueryCompiler): Evaluate {
  const run = s.compile(query);
  return onceOr(query, (frame) => {
    const items: Value[] = [];
    run(frame, (tuple) => {
      frame.run.hold(1);
      items.push(tuple[0] ?? null);
      return true;
    });
    return items;
  });
}

/** Rows compare field by field: false if one field is, else NULL if one is. */
function compareRow(
  left: readonly Value[],
  tuple: readonly Value[],
  implementations: readonly Callable[],
  frame: Frame,
): Value {
  let unknown = false;
  for (let i = 0; i < left.length; i++) {
    const a = left[i]!;
    const b = tuple[i] ?? null;
    const result = a === null || b === null ? null : implementations[i]!(a, b, frame.run);
    if (result === false) return false;
    if (result === null) unknown = true;
  }
  return unknown ? null : true;
}

function compileQuantifiedQuery(
  { left, query, implementations, all }: Of<'quantified-query'>,
  s: SubqueryCompiler,
): Evaluate {
  const sides = left.map((side) => compileExpression(side, s));
  const run = s.compile(query);
  const rowsOf = onceOr(query, (frame) => {
    const rows: (readonly Value[])[] = [];
    run(frame, (tuple) => {
      frame.run.hold(1);
      rows.push([...tuple]);
      return true;
    });
    return rows;
  });
  return (frame) => {
    const values = sides.map((side) => side(frame));
    let unknown = false;
    for (const tuple of rowsOf(frame)) {
      const result = compareRow(values, tuple, implementations, frame);
      if (result === !all) return !all;
      if (result === null) unknown = true;
    }
    return unknown ? null : all;
  };
}

/** Values of several types as one text that is equal for equal values; NULLs are equal to each other. */
export function compositeKey(values: readonly Value[], types: readonly number[]): string {
  let key = '';
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    key += value === null ? 'n,' : `${keyPart(typeOf(types[i]!).key(value))},`;
  }
  return key;
}
