/**
 * Bound queries → plans. Rules instead of statistics:
 *
 *   1. conditions move down to the first place where all they read is there;
 *   2. a table is read through the index that fixes the most leading columns, a unique one first;
 *   3. inner joins are put in the order that lets each table be found by an index, else by a hash table;
 *   4. a sort is left out where the index already gives its order.
 */
import type { Bound, BoundFrom, BoundQuery, BoundRelation, OutputSort } from '../bind/bound.ts';
import { eachSlot, eachSlotOfFrom, isPure } from '../bind/walk.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { OID } from '../types/oids.ts';
import { type Conjunct, chooseAccess } from './access.ts';
import type { QueryPlan, SlotRun, SourcePlan } from './plan.ts';

export function planQuery(query: BoundQuery, catalog: Catalog): QueryPlan {
  const { body } = query;
  const common = {
    columns: query.columns.length,
    limit: query.limit,
    offset: query.offset,
    correlated: query.correlated,
  };
  if (body.kind === 'select') return planSelect(query, body, common, catalog);
  const tuples =
    body.kind === 'values'
      ? body
      : { ...body, left: planQuery(body.left, catalog), right: planQuery(body.right, catalog) };
  const types = query.columns.map((column) => column.type.oid);
  return { ...common, tuples, types, distinct: undefined, sort: query.orderBy, locks: [] };
}

type SelectBody = Extract<BoundQuery['body'], { kind: 'select' }>;
type Common = Pick<QueryPlan, 'columns' | 'limit' | 'offset' | 'correlated'>;

function planSelect(query: BoundQuery, body: SelectBody, common: Common, catalog: Catalog): QueryPlan {
  const grouped = body.grouping !== undefined;
  const wanted = grouped || body.distinctItems !== undefined ? [] : wantedOrder(query.orderBy, body.items);
  const planned = planFrom(body.from, conjunctsOf(body.where), wanted, catalog);
  let source = planned.source;
  if (body.grouping !== undefined)
    source = { kind: 'group', input: source, width: body.width, ...body.grouping };
  if (body.sets.length > 0) source = { kind: 'expand', input: source, sets: body.sets };
  const locked = query.locking.flatMap((locking) =>
    locking.relations.map((relation) => ({ locking, relation })),
  );
  const items = [...body.items, ...locked.map(({ relation }) => rowKeySlot(relation))];
  return {
    ...common,
    tuples: { kind: 'select', source, items, width: body.width },
    types: items.map((item) => item.type.oid),
    distinct: body.distinctItems,
    sort: wanted.length > 0 && planned.ordered && body.sets.length === 0 ? [] : query.orderBy,
    locks: locked.map((lock, i) => ({ ...lock, keyItem: body.items.length + i })),
  };
}

export function rowKeySlot(relation: BoundRelation): Bound {
  return {
    kind: 'slot',
    level: 0,
    slot: relation.base + relation.columns.length,
    type: { oid: OID.bytea, modifier: -1 },
    name: '',
  };
}

export interface WantedOrder {
  readonly slot: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** The order as slots, or nothing when a sort key is more than a column. */
function wantedOrder(orderBy: readonly OutputSort[], items: readonly Bound[]): WantedOrder[] {
  const wanted: WantedOrder[] = [];
  for (const { item, descending, nullsFirst } of orderBy) {
    const bound = items[item]!;
    if (bound.kind !== 'slot' || bound.level !== 0) return [];
    wanted.push({ slot: bound.slot, descending, nullsFirst });
  }
  return wanted;
}

export function conjunctsOf(condition: Bound | undefined): Conjunct[] {
  if (condition === undefined) return [];
  if (condition.kind === 'and') return condition.parts.flatMap(conjunctsOf);
  const slots = new Set<number>();
  eachSlot(condition, (slot) => slots.add(slot));
  return [{ condition, slots }];
}

function and(conjuncts: readonly Conjunct[]): Bound | undefined {
  if (conjuncts.length === 0) return undefined;
  if (conjuncts.length === 1) return conjuncts[0]!.condition;
  return {
    kind: 'and',
    parts: conjuncts.map(({ condition }) => condition),
    type: { oid: OID.bool, modifier: -1 },
  };
}

interface Planned {
  readonly source: SourcePlan;
  /** True when rows come in the wanted order. */
  readonly ordered: boolean;
}

export function planFrom(
  from: BoundFrom | undefined,
  conjuncts: readonly Conjunct[],
  wanted: readonly WantedOrder[],
  catalog: Catalog,
): Planned {
  if (from === undefined) {
    const condition = and(conjuncts);
    const one: SourcePlan = { kind: 'one-row' };
    return {
      source: condition === undefined ? one : { kind: 'filter', input: one, condition },
      ordered: wanted.length === 0,
    };
  }
  return new JoinPlanner(catalog).plan(from, conjuncts, wanted);
}

/** One thing to join: a relation, or an outer join taken as a whole. */
interface Item {
  readonly from: BoundFrom;
  readonly slots: readonly SlotRun[];
  /** Slots of its neighbours that it reads: LATERAL. */
  readonly needs: ReadonlySet<number>;
}

class JoinPlanner {
  readonly #catalog: Catalog;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  plan(from: BoundFrom, where: readonly Conjunct[], wanted: readonly WantedOrder[]): Planned {
    const items: Item[] = [];
    const pool = [...where];
    this.#flatten(from, items, pool);
    return this.#joinInner(items, pool, new Set(), wanted);
  }

  /** Inner joins become one list of items and one pool of conditions. */
  #flatten(from: BoundFrom, items: Item[], pool: Conjunct[]): void {
    if (from.kind === 'join' && from.type === 'inner') {
      this.#flatten(from.left, items, pool);
      this.#flatten(from.right, items, pool);
      pool.push(...conjunctsOf(from.on));
      return;
    }
    const slots = runsOf(from);
    const needs = new Set<number>();
    eachSlotOfFrom(
      from,
      (slot) => {
        if (!inRuns(slots, slot)) needs.add(slot);
      },
      0,
    );
    items.push({ from, slots, needs });
  }

  #joinInner(
    items: readonly Item[],
    pool: readonly Conjunct[],
    given: ReadonlySet<number>,
    wanted: readonly WantedOrder[],
  ): Planned {
    const left = [...items];
    const available = new Set(given);
    let conjuncts = [...pool];
    let source: SourcePlan | undefined;
    let ordered = false;
    while (left.length > 0) {
      const next = this.#pick(left, conjuncts, available);
      left.splice(left.indexOf(next), 1);
      const mine = conjuncts.filter(({ slots }) => covers(slots, available, next.slots));
      conjuncts = conjuncts.filter((conjunct) => !mine.includes(conjunct));
      if (source === undefined) {
        const first = this.#planItem(next, mine, available, items.length === 1 ? wanted : []);
        source = first.source;
        ordered = first.ordered;
      } else {
        source = this.#joinNext(source, next, mine, available);
        ordered = false;
      }
      addRuns(available, next.slots);
    }
    // What is left reads a lateral neighbour or only queries further out.
    const condition = and(conjuncts);
    const joined = source ?? { kind: 'one-row' as const };
    return {
      source: condition === undefined ? joined : { kind: 'filter', input: joined, condition },
      ordered: ordered || wanted.length === 0,
    };
  }

  /** The item that is cheapest to reach from what is there; as written where none is better. */
  #pick(items: readonly Item[], conjuncts: readonly Conjunct[], available: ReadonlySet<number>): Item {
    const ready = items.filter(({ needs, slots }) =>
      [...needs].every(
        (slot) =>
          available.has(slot) || !items.some((other) => inRuns(other.slots, slot)) || inRuns(slots, slot),
      ),
    );
    const candidates = ready.length > 0 ? ready : items;
    let best = candidates[0]!;
    let bestScore = -1;
    for (const item of candidates) {
      const score = this.#score(item, conjuncts, available);
      if (score > bestScore) {
        best = item;
        bestScore = score;
      }
    }
    return best;
  }

  #score(item: Item, conjuncts: readonly Conjunct[], available: ReadonlySet<number>): number {
    const mine = conjuncts.filter(({ slots }) => covers(slots, available, item.slots));
    if (item.from.kind === 'relation' && item.from.relation.source.kind === 'table') {
      const access = chooseAccess(item.from.relation, mine, available, [], this.#catalog);
      const fixed = access === undefined ? 0 : access.access.equal.length;
      if (fixed > 0)
        return access!.access.index.unique && fixed === access!.access.index.columns.length ? 4 : 3;
    }
    if (mine.some(({ slots }) => [...slots].some((slot) => available.has(slot)))) return 2;
    return mine.length > 0 ? 1 : 0;
  }

  #planItem(
    item: Item,
    conjuncts: readonly Conjunct[],
    available: ReadonlySet<number>,
    wanted: readonly WantedOrder[],
  ): Planned {
    const { from } = item;
    if (from.kind === 'join')
      return { source: this.#planOuter(from, conjuncts, available), ordered: wanted.length === 0 };
    return this.#planRelation(from.relation, conjuncts, available, wanted);
  }

  #planRelation(
    relation: BoundRelation,
    conjuncts: readonly Conjunct[],
    available: ReadonlySet<number>,
    wanted: readonly WantedOrder[],
  ): Planned {
    const { source } = relation;
    const filter = and(conjuncts);
    if (source.kind === 'virtual')
      return { source: { kind: 'virtual', relation, filter }, ordered: wanted.length === 0 };
    if (source.kind === 'function')
      return { source: { kind: 'function', relation, filter }, ordered: wanted.length === 0 };
    if (source.kind === 'query') {
      const query = planQuery(source.query, this.#catalog);
      return { source: { kind: 'subquery', relation, query, filter }, ordered: wanted.length === 0 };
    }
    const chosen = chooseAccess(relation, conjuncts, available, wanted, this.#catalog);
    if (chosen === undefined)
      return { source: { kind: 'scan', relation, access: undefined, filter }, ordered: wanted.length === 0 };
    const rest = and(conjuncts.filter((conjunct) => !chosen.used.has(conjunct)));
    return {
      source: { kind: 'scan', relation, access: chosen.access, filter: rest },
      ordered: chosen.ordered || wanted.length === 0,
    };
  }

  #joinNext(
    left: SourcePlan,
    item: Item,
    conjuncts: readonly Conjunct[],
    available: ReadonlySet<number>,
  ): SourcePlan {
    if (item.needs.size > 0 || this.#findsByIndex(item, conjuncts, available)) {
      const right = this.#planItem(item, conjuncts, available, []).source;
      return { kind: 'nested-loop', type: 'inner', left, right, rightSlots: item.slots, on: undefined };
    }
    return this.#hashJoin('inner', left, item, conjuncts, available);
  }

  /** True when the left row's values lead to the right rows through an index. */
  #findsByIndex(item: Item, conjuncts: readonly Conjunct[], available: ReadonlySet<number>): boolean {
    if (item.from.kind !== 'relation' || item.from.relation.source.kind !== 'table') return false;
    const chosen = chooseAccess(item.from.relation, conjuncts, available, [], this.#catalog);
    if (chosen === undefined || chosen.access.equal.length === 0) return false;
    return chosen.access.equal.some((value) => readsAny(value, available));
  }

  #hashJoin(
    type: 'inner' | 'left' | 'full',
    left: SourcePlan,
    item: Item,
    conjuncts: readonly Conjunct[],
    available: ReadonlySet<number>,
    leftSlots: readonly SlotRun[] = [],
  ): SourcePlan {
    const own = conjuncts.filter(
      ({ slots }) => type !== 'full' && [...slots].every((slot) => inRuns(item.slots, slot)),
    );
    const both = conjuncts.filter((conjunct) => !own.includes(conjunct));
    const keys = both
      .map((conjunct) => ({ conjunct, pair: equality(conjunct, available, item.slots) }))
      .filter(({ pair }) => pair !== undefined);
    const residual = both.filter((conjunct) => !keys.some((key) => key.conjunct === conjunct));
    return {
      kind: 'hash-join',
      type,
      left,
      right: this.#planItem(item, own, new Set(), []).source,
      leftKeys: keys.map(({ pair }) => pair!.outer),
      rightKeys: keys.map(({ pair }) => pair!.inner),
      leftSlots,
      rightSlots: item.slots,
      on: and(residual),
    };
  }

  /** LEFT and FULL joins keep their shape. Conditions of WHERE that read only the left side move into it. */
  #planOuter(
    join: Extract<BoundFrom, { kind: 'join' }>,
    where: readonly Conjunct[],
    available: ReadonlySet<number>,
  ): SourcePlan {
    const leftRuns = runsOf(join.left);
    const pushed =
      join.type === 'left' ? where.filter(({ slots }) => covers(slots, available, leftRuns)) : [];
    const above = and(where.filter((conjunct) => !pushed.includes(conjunct)));
    const items: Item[] = [];
    const pool = [...pushed];
    this.#flatten(join.left, items, pool);
    const left = this.#joinInner(items, pool, available, []).source;
    const seen = new Set(available);
    addRuns(seen, leftRuns);
    const joined = this.#outerRight(join, left, leftRuns, seen);
    return above === undefined ? joined : { kind: 'filter', input: joined, condition: above };
  }

  #outerRight(
    join: Extract<BoundFrom, { kind: 'join' }>,
    left: SourcePlan,
    leftRuns: readonly SlotRun[],
    available: ReadonlySet<number>,
  ): SourcePlan {
    const slots = runsOf(join.right);
    const needs = new Set<number>();
    eachSlotOfFrom(
      join.right,
      (slot) => {
        if (!inRuns(slots, slot)) needs.add(slot);
      },
      0,
    );
    const item: Item = { from: join.right, slots, needs };
    const on = conjunctsOf(join.on);
    if (join.type === 'full') return this.#hashJoin('full', left, item, on, available, leftRuns);
    // A condition on the left side alone decides whether there is a match, not whether there is a row.
    const movable = on.filter((conjunct) => [...conjunct.slots].some((slot) => inRuns(slots, slot)));
    if (needs.size > 0 || this.#findsByIndex(item, movable, available)) {
      const right = this.#planItem(item, movable, available, []).source;
      return {
        kind: 'nested-loop',
        type: 'left',
        left,
        right,
        rightSlots: slots,
        on: and(on.filter((conjunct) => !movable.includes(conjunct))),
      };
    }
    return this.#hashJoin('left', left, item, on, available, leftRuns);
  }
}

function runsOf(from: BoundFrom): SlotRun[] {
  if (from.kind === 'join') return [...runsOf(from.left), ...runsOf(from.right)];
  const { base, columns, source } = from.relation;
  return [{ base, length: columns.length + (source.kind === 'table' ? 1 : 0) }];
}

function inRuns(runs: readonly SlotRun[], slot: number): boolean {
  return runs.some(({ base, length }) => slot >= base && slot < base + length);
}

function addRuns(slots: Set<number>, runs: readonly SlotRun[]): void {
  for (const { base, length } of runs) for (let i = 0; i < length; i++) slots.add(base + i);
}

function covers(
  slots: ReadonlySet<number>,
  available: ReadonlySet<number>,
  runs: readonly SlotRun[],
): boolean {
  for (const slot of slots) if (!available.has(slot) && !inRuns(runs, slot)) return false;
  return true;
}

function readsAny(bound: Bound, slots: ReadonlySet<number>): boolean {
  let found = false;
  eachSlot(bound, (slot) => {
    found ||= slots.has(slot);
  });
  return found;
}

/** `left = right` with one side computed from each input and both of one type: a key of a hash table. */
function equality(
  { condition }: Conjunct,
  available: ReadonlySet<number>,
  runs: readonly SlotRun[],
): { outer: Bound; inner: Bound } | undefined {
  if (
    condition.kind !== 'call' ||
    condition.form !== 'operator' ||
    condition.name !== '=' ||
    !isPure(condition)
  )
    return undefined;
  const [a, b] = condition.args as [Bound, Bound];
  if (a.type.oid !== b.type.oid) return undefined;
  if (onlyReads(a, available) && onlyInRuns(b, runs)) return { outer: a, inner: b };
  if (onlyReads(b, available) && onlyInRuns(a, runs)) return { outer: b, inner: a };
  return undefined;
}

function onlyReads(bound: Bound, slots: ReadonlySet<number>): boolean {
  let only = true;
  eachSlot(bound, (slot) => {
    only &&= slots.has(slot);
  });
  return only;
}

function onlyInRuns(bound: Bound, runs: readonly SlotRun[]): boolean {
  let only = true;
  let any = false;
  eachSlot(bound, (slot) => {
    any = true;
    only &&= inRuns(runs, slot);
  });
  return only && any;
}
