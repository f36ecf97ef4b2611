/** Moves over bound trees: children, the slots read, whether a value stays the same through a statement. */
import type { Bound, BoundFrom, BoundQuery } from './bound.ts';

export function childrenOf(bound: Bound): readonly Bound[] {
  switch (bound.kind) {
    case 'call':
    case 'coalesce':
    case 'extreme':
      return bound.args;
    case 'and':
    case 'or':
      return bound.parts;
    case 'not':
    case 'is':
      return [bound.operand];
    case 'distinct':
    case 'nullif':
    case 'quantified':
      return [bound.left, bound.right];
    case 'case':
      return [
        ...bound.branches.flatMap(({ when, result }) => [when, result]),
        ...(bound.otherwise === undefined ? [] : [bound.otherwise]),
      ];
    case 'array':
      return bound.elements;
    case 'subscript':
      return [bound.operand, bound.index];
    case 'quantified-query':
      return bound.left;
    default:
      return [];
  }
}

function queryOf(bound: Bound): BoundQuery | undefined {
  switch (bound.kind) {
    case 'exists':
    case 'scalar-query':
    case 'array-query':
    case 'quantified-query':
      return bound.query;
    default:
      return undefined;
  }
}

/** Calls `visit` with each slot of the query at `level` that `bound` reads, in nested queries too. */
export function eachSlot(bound: Bound, visit: (slot: number) => void, level = 0): void {
  if (bound.kind === 'slot') {
    if (bound.level === level) visit(bound.slot);
    return;
  }
  for (const child of childrenOf(bound)) eachSlot(child, visit, level);
  const query = queryOf(bound);
  if (query?.correlated) eachSlotOfQuery(query, visit, level + 1);
}

function eachSlotOfQuery(query: BoundQuery, visit: (slot: number) => void, level: number): void {
  const each = (bound: Bound | undefined): void => {
    if (bound !== undefined) eachSlot(bound, visit, level);
  };
  each(query.limit);
  each(query.offset);
  const { body } = query;
  if (body.kind === 'values') for (const row of body.rows) row.forEach(each);
  else if (body.kind === 'set-operation') {
    eachSlotOfQuery(body.left, visit, level + 1);
    eachSlotOfQuery(body.right, visit, level + 1);
  } else {
    body.items.forEach(each);
    each(body.where);
    if (body.from !== undefined) eachSlotOfFrom(body.from, visit, level);
    for (const set of body.sets) set.args.forEach(each);
    if (body.grouping !== undefined) {
      body.grouping.keys.forEach(each);
      each(body.grouping.having);
      for (const aggregate of body.grouping.aggregates) {
        aggregate.args.forEach(each);
        each(aggregate.filter);
      }
    }
  }
}

export function eachSlotOfFrom(from: BoundFrom, visit: (slot: number) => void, level: number): void {
  if (from.kind === 'join') {
    eachSlotOfFrom(from.left, visit, level);
    eachSlotOfFrom(from.right, visit, level);
    if (from.on !== undefined) eachSlot(from.on, visit, level);
    return;
  }
  const { source } = from.relation;
  if (source.kind === 'query') eachSlotOfQuery(source.query, visit, level + 1);
  if (source.kind === 'function') for (const arg of source.args) eachSlot(arg, visit, level);
}

/** True when `bound` calls nothing volatile and has no query in it: it may be computed at any time. */
export function isPure(bound: Bound): boolean {
  if (queryOf(bound) !== undefined) return false;
  if (bound.kind === 'call' && bound.volatility === 'volatile') return false;
  return childrenOf(bound).every(isPure);
}

/** True when two trees compute the same. Functions are compared by identity. */
export function sameStructure(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  // Where a literal stands is no part of what it means.
  const keys = Object.keys(a).filter((key) => key !== 'at');
  if (keys.length !== Object.keys(b).filter((key) => key !== 'at').length) return false;
  return keys.every((key) =>
    sameStructure((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}
