/**
 * Choosing an index for one table: which conditions its leading columns take, and whether its order is the
 * one wanted.
 *
 *   index (a, b, c)   a = 1 AND b > 5   →  equal [1], low (5, exclusive)   a = 1 AND b = ANY(list) → equal [1], any list
 */
import type { Bound, BoundRelation } from '../bind/bound.ts';
import { eachSlot, isPure } from '../bind/walk.ts';
import type { Catalog, Index, IndexColumn, Table } from '../catalog/catalog.ts';
import { OID } from '../types/oids.ts';
import { typeOf } from '../types/types.ts';
import type { IndexAccess, RangeBound } from './plan.ts';
import type { WantedOrder } from './planner.ts';

export interface Conjunct {
  readonly condition: Bound;
  /** Slots of this query that it reads. */
  readonly slots: ReadonlySet<number>;
}

export interface Chosen {
  readonly access: IndexAccess;
  /** Conditions that the access already guarantees. */
  readonly used: ReadonlySet<Conjunct>;
  readonly ordered: boolean;
}

interface Term {
  readonly conjunct: Conjunct;
  readonly operator: '=' | '<' | '<=' | '>' | '>=' | 'any';
  readonly value: Bound;
}

export function chooseAccess(
  relation: BoundRelation,
  conjuncts: readonly Conjunct[],
  available: ReadonlySet<number>,
  wanted: readonly WantedOrder[],
  catalog: Catalog,
): Chosen | undefined {
  if (relation.source.kind !== 'table') return undefined;
  const { table } = relation.source;
  const terms = termsByColumn(relation, table, conjuncts, available);
  let best: Chosen | undefined;
  let bestScore = 0;
  for (const index of catalog.indexesOf(table.oid)) {
    const chosen = matchIndex(relation, index, terms, wanted);
    const score = scoreOf(chosen, index);
    if (score > bestScore) {
      best = chosen;
      bestScore = score;
    }
  }
  return best;
}

function scoreOf({ access, ordered }: Chosen, index: Index): number {
  const fixed =
    access.equal.length * 10 + (access.any === undefined ? 0 : 8) + (access.low || access.high ? 4 : 0);
  const whole = index.unique && access.equal.length === index.columns.length ? 100 : 0;
  // Order alone is worth a walk over a secondary index only when something bounds it, or the index is the table.
  const order = ordered ? 5 : 0;
  return fixed + whole + order + (fixed > 0 && index.clustered ? 1 : 0);
}

function matchIndex(
  relation: BoundRelation,
  index: Index,
  terms: ReadonlyMap<number, readonly Term[]>,
  wanted: readonly WantedOrder[],
): Chosen {
  const used = new Set<Conjunct>();
  const equal: Bound[] = [];
  for (const column of index.columns) {
    const term = terms.get(column.number)?.find(({ operator }) => operator === '=');
    if (term === undefined) break;
    equal.push(term.value);
    used.add(term.conjunct);
  }
  const next = index.columns[equal.length];
  const following = next === undefined ? [] : (terms.get(next.number) ?? []);
  const any = following.find(({ operator }) => operator === 'any');
  if (any !== undefined) used.add(any.conjunct);
  const low = any === undefined ? boundOf(following, '>', '>=', used) : undefined;
  const high = any === undefined ? boundOf(following, '<', '<=', used) : undefined;
  const direction = any === undefined ? orderOf(relation, index.columns, equal.length, wanted) : undefined;
  const [first, last] = next?.descending === true ? [high, low] : [low, high];
  const access = { index, equal, any: any?.value, low: first, high: last, reverse: direction === 'backward' };
  return { access, used, ordered: direction !== undefined };
}

function boundOf(
  terms: readonly Term[],
  open: string,
  closed: string,
  used: Set<Conjunct>,
): RangeBound | undefined {
  const term = terms.find(({ operator }) => operator === open || operator === closed);
  if (term === undefined) return undefined;
  used.add(term.conjunct);
  return { value: term.value, inclusive: term.operator === closed };
}

/** Forward or backward when the index gives the wanted order after its fixed columns. */
function orderOf(
  relation: BoundRelation,
  columns: readonly IndexColumn[],
  fixed: number,
  wanted: readonly WantedOrder[],
): 'forward' | 'backward' | undefined {
  const free = wanted.filter(
    ({ slot }) => !columns.slice(0, fixed).some(({ number }) => relation.base + number - 1 === slot),
  );
  if (wanted.length === 0 || free.length > columns.length - fixed) return undefined;
  const matches = (backward: boolean): boolean =>
    free.every((sort, i) => {
      const column = columns[fixed + i]!;
      const same = relation.base + column.number - 1 === sort.slot;
      return (
        same &&
        (column.descending !== sort.descending) === backward &&
        (column.nullsFirst !== sort.nullsFirst) === backward
      );
    });
  if (matches(false)) return 'forward';
  return matches(true) ? 'backward' : undefined;
}

/** Conditions of the form `column op value`, by column number, the value not read from this table. */
function termsByColumn(
  relation: BoundRelation,
  table: Table,
  conjuncts: readonly Conjunct[],
  available: ReadonlySet<number>,
): Map<number, Term[]> {
  const terms = new Map<number, Term[]>();
  for (const conjunct of conjuncts) {
    const found = termOf(conjunct, relation, table, available);
    if (found !== undefined) terms.set(found.column, [...(terms.get(found.column) ?? []), found.term]);
  }
  return terms;
}

const FLIPPED: Readonly<Record<string, Term['operator']>> = {
  '=': '=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

function termOf(
  conjunct: Conjunct,
  relation: BoundRelation,
  table: Table,
  available: ReadonlySet<number>,
): { column: number; term: Term } | undefined {
  const { condition } = conjunct;
  if (condition.kind === 'quantified') return anyTerm(conjunct, condition, relation, table, available);
  if (condition.kind !== 'call' || condition.form !== 'operator' || FLIPPED[condition.name] === undefined)
    return undefined;
  const [a, b] = condition.args as [Bound, Bound];
  const operator = condition.name as Term['operator'];
  return (
    side(a, b, operator, conjunct, relation, table, available) ??
    side(b, a, FLIPPED[operator]!, conjunct, relation, table, available)
  );
}

function side(
  column: Bound,
  value: Bound,
  operator: Term['operator'],
  conjunct: Conjunct,
  relation: BoundRelation,
  table: Table,
  available: ReadonlySet<number>,
): { column: number; term: Term } | undefined {
  const number = columnOf(column, relation);
  if (number === undefined || !isComputable(value, available)) return undefined;
  const stored = table.columns[number - 1]!.type.oid;
  const fitted = fitValue(value, stored, operator);
  return fitted === undefined ? undefined : { column: number, term: { conjunct, operator, value: fitted } };
}

function anyTerm(
  conjunct: Conjunct,
  condition: Extract<Bound, { kind: 'quantified' }>,
  relation: BoundRelation,
  table: Table,
  available: ReadonlySet<number>,
): { column: number; term: Term } | undefined {
  if (condition.all || condition.operator !== '=' || !isComputable(condition.right, available))
    return undefined;
  const number = columnOf(condition.left, relation);
  if (number === undefined) return undefined;
  const stored = comparedAs(table.columns[number - 1]!.type.oid);
  if (stored !== typeOf(condition.right.type.oid).elementOid) return undefined;
  return { column: number, term: { conjunct, operator: 'any', value: condition.right } };
}

/** varchar is compared as text, and orders the same. */
function comparedAs(oid: number): number {
  return oid === OID.varchar ? OID.text : oid;
}

/** A column of the relation, perhaps through a relabelling of its type. */
function columnOf(bound: Bound, relation: BoundRelation): number | undefined {
  if (bound.kind !== 'slot' || bound.level !== 0) return undefined;
  const number = bound.slot - relation.base + 1;
  return number >= 1 && number <= relation.columns.length ? number : undefined;
}

function isComputable(value: Bound, available: ReadonlySet<number>): boolean {
  let computable = isPure(value);
  eachSlot(value, (slot) => {
    computable &&= available.has(slot);
  });
  return computable;
}

const INTEGERS: readonly number[] = [OID.int2, OID.int4, OID.int8];

/** The value in the form the index holds, or undefined when it may not be comparable there. */
function fitValue(value: Bound, stored: number, operator: Term['operator']): Bound | undefined {
  if (value.type.oid === comparedAs(stored) || value.type.oid === stored) return value;
  const integers = INTEGERS.includes(stored) && INTEGERS.includes(value.type.oid);
  if (!integers) return undefined;
  // A wider value may lie outside the column's range: only equality can then be decided (nothing matches).
  const widening = INTEGERS.indexOf(stored) > INTEGERS.indexOf(value.type.oid);
  if (!widening && operator !== '=') return undefined;
  const convert =
    stored === OID.int8
      ? (v: unknown) => BigInt(v as number)
      : (v: unknown) => narrow(v as bigint | number, stored);
  return {
    kind: 'call',
    form: 'implicit-cast',
    name: '',
    args: [value],
    strict: true,
    volatility: 'immutable',
    implementation: convert,
    type: { oid: stored, modifier: -1 },
  };
}

/** NULL, which equals nothing, when the column could not hold the value. */
function narrow(value: bigint | number, stored: number): number | null {
  const limit = stored === OID.int2 ? 32_768 : 2_147_483_648;
  const number = Number(value);
  return number >= -limit && number < limit ? number : null;
}
