/**
 * In a grouped query an expression may use the keys, aggregates, and columns that the keys determine: those
 * of a table whose whole primary key is among them. Everything else is 42803.
 *
 * A group keeps one of its rows as its own, so that allowed columns are read from there as before.
 */
import { DatabaseError } from '../../errors.ts';
import type { Bound, BoundFrom, BoundGrouping, BoundRelation } from './bound.ts';
import { childrenOf, sameStructure } from './walk.ts';

export function checkGrouped(
  grouping: BoundGrouping,
  items: readonly Bound[],
  from: BoundFrom | undefined,
  at: number,
): void {
  const relations = from === undefined ? [] : relationsOf(from);
  const determined = relations.filter((relation) => isDetermined(relation, grouping));
  const own = new Set(grouping.aggregates.map((aggregate) => aggregate.slot));
  const check = (bound: Bound): void => {
    if (grouping.keys.some((key) => sameStructure(key, bound))) return;
    if (bound.kind === 'slot') {
      if (bound.level > 0 || own.has(bound.slot)) return;
      if (determined.some((relation) => holds(relation, bound.slot))) return;
      throw ungrouped(bound.slot, bound.name, relations, at);
    }
    for (const child of childrenOf(bound)) check(child);
  };
  for (const item of items) check(item);
  if (grouping.having !== undefined) check(grouping.having);
}

function ungrouped(
  slot: number,
  name: string,
  relations: readonly BoundRelation[],
  at: number,
): DatabaseError {
  const relation = relations.find((candidate) => holds(candidate, slot));
  const shown = relation === undefined ? name : `${relation.alias}.${name}`;
  return new DatabaseError(
    '42803',
    `column "${shown}" must appear in the GROUP BY clause or be used in an aggregate function`,
    { at },
  );
}

function holds(relation: BoundRelation, slot: number): boolean {
  return slot >= relation.base && slot <= relation.base + relation.columns.length;
}

export function relationsOf(from: BoundFrom): BoundRelation[] {
  return from.kind === 'relation' ? [from.relation] : [...relationsOf(from.left), ...relationsOf(from.right)];
}

function isDetermined(relation: BoundRelation, { keys }: BoundGrouping): boolean {
  const { source } = relation;
  if (source.kind !== 'table' || source.table.keyColumns.length === 0) return false;
  return source.table.keyColumns.every((number) =>
    keys.some((key) => key.kind === 'slot' && key.level === 0 && key.slot === relation.base + number - 1),
  );
}
