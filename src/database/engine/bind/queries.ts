/** SELECT, VALUES, set operations and FROM. */
import { DatabaseError, notSupported } from '../../errors.ts';
import { liveColumns, type Table } from '../catalog/catalog.ts';
import type { VirtualTable } from '../catalog/virtual-table.ts';
import type {
  Expression,
  FromItem,
  LockingClause,
  Name,
  Query,
  QueryBody,
  SelectBody,
  SortItem,
  Target,
} from '../sql/ast.ts';
import { OID } from '../types/oids.ts';
import type { TypeRef } from '../types/values.ts';
import type {
  Bound,
  BoundAggregate,
  BoundColumn,
  BoundFrom,
  BoundGrouping,
  BoundLocking,
  BoundQuery,
  BoundRelation,
  OutputSort,
} from './bound.ts';
import { coerce, coerceAll, commonType, settle, toBoolean, tryCoerce } from './coerce.ts';
import { type BindContext, findRelation, findVirtual } from './context.ts';
import { bindExpression, bindOperator, chooseFunction, nullsFirst, requireOrder } from './expressions.ts';
import { checkGrouped } from './grouping.ts';
import { Scope, slotOf, type VisibleColumn } from './scope.ts';
import { sameStructure } from './walk.ts';

const plain = (oid: number): TypeRef => ({ oid, modifier: -1 });

export function bindQuery(query: Query, outer: Scope | undefined, c: BindContext): BoundQuery {
  const scope = new Scope(outer);
  for (const common of query.with) bindCommonTable(common, scope, c);
  const { body } = query;
  if (body.kind === 'select') return bindSelect(query, body, scope, c);
  const bound =
    body.kind === 'values' ? bindValues(body.rows, scope, c, body.at) : bindSetOperation(body, scope, c);
  if (query.locking.length > 0)
    throw new DatabaseError(
      '0A000',
      `FOR UPDATE is not allowed with ${body.kind === 'values' ? 'VALUES' : 'UNION/INTERSECT/EXCEPT'}`,
      { at: query.locking[0]!.at },
    );
  const orderBy = query.orderBy.map((item) => sortByOutput(item, bound.columns));
  return finish({ ...bound, orderBy }, query, scope, c);
}

function bindCommonTable(common: Query['with'][number], scope: Scope, c: BindContext): void {
  if (scope.common.has(common.name))
    throw new DatabaseError('42712', `WITH query name "${common.name}" specified more than once`, {
      at: common.at,
    });
  // Bound one level in, as it is used one level in: from FROM.
  const query = c.bindQuery(common.query, hidden(scope), c);
  if (query.correlated) throw notSupported('a WITH query that refers to the query around it', common.at);
  scope.common.set(common.name, { query, columns: renamed(query.columns, common.columns, common.at) });
}

/** A scope whose own relations cannot be seen, for FROM items without LATERAL. */
function hidden(scope: Scope): Scope {
  const closed = new Scope(scope.outer);
  for (const [name, table] of scope.common) closed.common.set(name, table);
  closed.open = false;
  return closed;
}

function renamed(
  columns: readonly BoundColumn[],
  names: readonly string[] | undefined,
  at: number,
): BoundColumn[] {
  if ((names?.length ?? 0) > columns.length)
    throw new DatabaseError(
      '42P10',
      `table has ${columns.length} columns available but ${names!.length} columns specified`,
      { at },
    );
  return columns.map((column, i) => ({ ...column, name: names?.[i] ?? column.name }));
}

function finish(bound: BoundQuery, query: Query, scope: Scope, c: BindContext): BoundQuery {
  const count = (e: Expression | undefined, what: string): Bound | undefined => {
    if (e === undefined) return undefined;
    // The row of this query is not there yet when its limit is computed.
    const inside = hidden(scope);
    const made = tryCoerce(bindExpression(e, inside, c), plain(OID.int8), 'assignment', c, e.at);
    scope.reach = Math.max(scope.reach, inside.reach);
    if (made === undefined)
      throw new DatabaseError('42804', `argument of ${what} must be type bigint`, { at: e.at });
    return made;
  };
  return {
    ...bound,
    limit: count(query.limit, 'LIMIT'),
    offset: count(query.offset, 'OFFSET'),
    correlated: bound.correlated || scope.reach > 0,
  };
}

function emptyQuery(
  columns: readonly BoundColumn[],
  body: BoundQuery['body'],
  correlated: boolean,
): BoundQuery {
  return { columns, body, orderBy: [], limit: undefined, offset: undefined, locking: [], correlated };
}

function bindValues(
  rows: readonly (readonly Expression[])[],
  scope: Scope,
  c: BindContext,
  at: number,
): BoundQuery {
  const width = rows[0]!.length;
  const bound = rows.map((row) => {
    if (row.length !== width)
      throw new DatabaseError('42601', 'VALUES lists must all be the same length', { at: row[0]!.at });
    return row.map((e) => bindExpression(e, scope, c));
  });
  const types = Array.from({ length: width }, (_, i) =>
    commonType(
      bound.map((row) => row[i]!),
      'VALUES',
      at,
    ),
  );
  const coerced = bound.map((row) =>
    row.map((value, i) => coerceAll([value], types[i]!, c, 'VALUES', at)[0]!),
  );
  const columns = types.map((type, i) => ({ name: `column${i + 1}`, type, table: 0, number: 0 }));
  return emptyQuery(columns, { kind: 'values', rows: coerced }, scope.reach > 0);
}

function bindSetOperation(
  body: Extract<QueryBody, { kind: 'set-operation' }>,
  scope: Scope,
  c: BindContext,
): BoundQuery {
  const inside = hidden(scope);
  const left = c.bindQuery(body.left, inside, c);
  const right = c.bindQuery(body.right, inside, c);
  const name = body.operation.toUpperCase();
  if (left.columns.length !== right.columns.length)
    throw new DatabaseError('42601', `each ${name} query must have the same number of columns`, {
      at: body.right.at,
    });
  const types = left.columns.map((column, i) => {
    const probe = (type: TypeRef): Bound => ({ kind: 'slot', level: 0, slot: 0, type, name: '' });
    return commonType([probe(column.type), probe(right.columns[i]!.type)], name, body.right.at);
  });
  const columns = left.columns.map((column, i) => ({
    name: column.name,
    type: types[i]!,
    table: 0,
    number: 0,
  }));
  const made = {
    kind: 'set-operation',
    operation: body.operation,
    all: body.all,
    left: retyped(left, types, c),
    right: retyped(right, types, c),
  } as const;
  return emptyQuery(columns, made, left.correlated || right.correlated);
}

/** Converts a query's columns, by a query around it where that is needed. */
function retyped(query: BoundQuery, types: readonly TypeRef[], c: BindContext): BoundQuery {
  if (query.columns.every((column, i) => column.type.oid === types[i]!.oid)) return query;
  const relation: BoundRelation = {
    alias: '',
    columns: query.columns,
    base: 0,
    source: { kind: 'query', query, lateral: false },
  };
  const items = query.columns.map((_, i) => coerce(slotOf(relation, i), types[i]!, 'implicit', c));
  const columns = query.columns.map((column, i) => ({ ...column, type: types[i]! }));
  const body = {
    kind: 'select',
    from: { kind: 'relation', relation },
    where: undefined,
    grouping: undefined,
    items,
    sets: [],
    distinctItems: undefined,
    width: query.columns.length,
  } as const;
  return emptyQuery(columns, body, query.correlated);
}

/** ORDER BY of a set operation: a column's name or number. */
function sortByOutput(item: SortItem, columns: readonly BoundColumn[]): OutputSort {
  const { expression } = item;
  const index = outputIndex(expression, columns);
  if (index === undefined)
    throw new DatabaseError('0A000', 'invalid UNION/INTERSECT/EXCEPT ORDER BY clause', {
      at: expression.at,
      detail: 'Only result column names can be used, not expressions or functions.',
    });
  requireOrder(columns[index]!.type, expression.at);
  return { item: index, descending: item.descending, nullsFirst: nullsFirst(item) };
}

function outputIndex(e: Expression, columns: readonly BoundColumn[]): number | undefined {
  if (e.kind === 'number' && e.integer) return positionIndex(e.value, columns.length, 'ORDER BY', e.at);
  if (e.kind !== 'column' || e.path.length !== 1) return undefined;
  const matches = columns.flatMap((column, i) => (column.name === e.path[0] ? [i] : []));
  if (matches.length === 0)
    throw new DatabaseError('42703', `column "${e.path[0]}" does not exist`, { at: e.at });
  return matches[0];
}

function positionIndex(text: string, count: number, clause: string, at: number): number {
  const position = Number(text);
  if (position < 1 || position > count)
    throw new DatabaseError('42P10', `${clause} position ${text} is not in select list`, { at });
  return position - 1;
}

function bindSelect(query: Query, body: SelectBody, scope: Scope, c: BindContext): BoundQuery {
  const from = bindFromList(body.from, scope, c);
  scope.aggregates = { kind: 'refused', where: 'WHERE' };
  const where =
    body.where === undefined
      ? undefined
      : toBoolean(bindExpression(body.where, scope, c), 'WHERE', c, body.where.at);
  const aggregates: BoundAggregate[] = [];
  scope.aggregates = { kind: 'collected', into: aggregates };
  scope.sets = [];
  const targets = bindTargets(body.targets, scope, c);
  const { sets } = scope;
  scope.aggregates = { kind: 'refused', where: 'GROUP BY' };
  const keys = body.groupBy.map((e) => bindGroupKey(e, targets, scope, c));
  scope.aggregates = { kind: 'collected', into: aggregates };
  scope.sets = undefined;
  const having =
    body.having === undefined
      ? undefined
      : toBoolean(bindExpression(body.having, scope, c), 'HAVING', c, body.having.at);
  const items = targets.map((target) => target.value);
  const isDistinct = body.distinct !== false;
  const orderBy = query.orderBy.map((item) =>
    bindOrder(item, targets, items, body.distinct === true, scope, c),
  );
  const distinctItems = bindDistinct(body, targets, items, orderBy, scope, c);
  const grouping = makeGrouping(keys, aggregates, having, scope);
  if (grouping !== undefined) checkGrouped(grouping, items, from, body.targets[0]?.expression.at ?? body.at);
  if (sets.length > 0 && grouping !== undefined)
    throw notSupported('a set-returning function together with grouping', body.at);
  const columns = targets.map(({ name, value, origin }) => ({
    name,
    type: value.type,
    table: origin?.table ?? 0,
    number: origin?.number ?? 0,
  }));
  const locking = query.locking.map((clause) =>
    bindLocking(clause, scope, isDistinct || grouping !== undefined),
  );
  const bound = emptyQuery(
    columns,
    { kind: 'select', from, where, grouping, items, sets, distinctItems, width: scope.width },
    scope.reach > 0,
  );
  return { ...finish({ ...bound, orderBy }, query, scope, c), locking };
}

interface BoundTargetItem {
  readonly name: string;
  readonly value: Bound;
  readonly origin: BoundColumn | undefined;
  readonly source: Expression;
}

export function bindTargets(targets: readonly Target[], scope: Scope, c: BindContext): BoundTargetItem[] {
  return targets.flatMap(({ expression, alias }) => {
    if (expression.kind === 'star') return expandStar(expression, scope);
    const value = settle(bindExpression(expression, scope, c), c);
    const origin = originOf(value, scope);
    return [{ name: alias ?? outputName(expression), value, origin, source: expression }];
  });
}

function expandStar(star: Extract<Expression, { kind: 'star' }>, scope: Scope): BoundTargetItem[] {
  const qualifier = star.path.at(-1);
  if (qualifier === undefined) {
    if (scope.visible.length === 0 && scope.relations.length === 0)
      throw new DatabaseError('42601', 'SELECT * with no tables specified is not valid', { at: star.at });
    return scope.visible.map(({ name, value, origin }) => ({ name, value, origin, source: star }));
  }
  const relation = scope.relation(qualifier);
  if (relation === undefined)
    throw new DatabaseError('42P01', `missing FROM-clause entry for table "${qualifier}"`, { at: star.at });
  return visibleColumns(relation).map(({ name, value, origin }) => ({ name, value, origin, source: star }));
}

/** The table and column a bare slot reads, for RowDescription. */
function originOf(value: Bound, scope: Scope): BoundColumn | undefined {
  if (value.kind !== 'slot' || value.level !== 0) return undefined;
  const relation = scope.relations.find(
    ({ base, columns }) => value.slot >= base && value.slot < base + columns.length,
  );
  return relation?.columns[value.slot - relation.base];
}

/** The name PostgreSQL gives a column without AS. */
function outputName(e: Expression): string {
  return strongName(e) ?? '?column?';
}

function strongName(e: Expression): string | undefined {
  switch (e.kind) {
    case 'column':
      return e.path.at(-1)!;
    case 'call':
      return e.name.name;
    case 'special':
      return e.name;
    case 'cast':
      return strongName(e.operand) ?? castName(e.type.name);
    case 'collate':
      return strongName(e.operand);
    case 'subscript':
      return strongName(e.operand);
    case 'case':
      return (e.otherwise === undefined ? undefined : strongName(e.otherwise)) ?? 'case';
    case 'exists':
      return 'exists';
    case 'array':
    case 'array-query':
      return 'array';
    case 'row':
      return 'row';
    case 'scalar-query': {
      const { body } = e.query;
      const first = body.kind === 'select' ? body.targets[0] : undefined;
      return first === undefined ? undefined : (first.alias ?? strongName(first.expression));
    }
    case 'boolean':
      return 'bool';
    default:
      return undefined;
  }
}

const castName = (name: string): string => name;

/** GROUP BY takes an input column, else an output name or number. */
function bindGroupKey(
  e: Expression,
  targets: readonly BoundTargetItem[],
  scope: Scope,
  c: BindContext,
): Bound {
  if (e.kind === 'number' && e.integer)
    return targets[positionIndex(e.value, targets.length, 'GROUP BY', e.at)]!.value;
  if (e.kind === 'column' && e.path.length === 1 && !scope.visible.some(({ name }) => name === e.path[0])) {
    const target = targets.find(({ name }) => name === e.path[0]);
    if (target !== undefined) return target.value;
  }
  return settle(bindExpression(e, scope, c), c);
}

/** ORDER BY takes an output name or number, else an expression over the input. */
function bindOrder(
  item: SortItem,
  targets: readonly BoundTargetItem[],
  items: Bound[],
  distinct: boolean,
  scope: Scope,
  c: BindContext,
): OutputSort {
  const index = orderIndex(item.expression, targets, items, distinct, scope, c);
  requireOrder(items[index]!.type, item.expression.at);
  return { item: index, descending: item.descending, nullsFirst: nullsFirst(item) };
}

function orderIndex(
  e: Expression,
  targets: readonly BoundTargetItem[],
  items: Bound[],
  distinct: boolean,
  scope: Scope,
  c: BindContext,
): number {
  if (e.kind === 'number' && e.integer) return positionIndex(e.value, targets.length, 'ORDER BY', e.at);
  if (e.kind === 'string') throw new DatabaseError('42601', 'non-integer constant in ORDER BY', { at: e.at });
  if (e.kind === 'column' && e.path.length === 1) {
    const matches = targets.flatMap(({ name }, i) => (name === e.path[0] ? [i] : []));
    const different = matches.filter((i) => !sameStructure(targets[i]!.value, targets[matches[0]!]!.value));
    if (different.length > 0)
      throw new DatabaseError('42702', `ORDER BY "${e.path[0]}" is ambiguous`, { at: e.at });
    if (matches.length > 0) return matches[0]!;
  }
  const bound = settle(bindExpression(e, scope, c), c);
  const known = items.findIndex((item) => sameStructure(item, bound));
  if (known >= 0) return known;
  if (distinct)
    throw new DatabaseError('42P10', 'for SELECT DISTINCT, ORDER BY expressions must appear in select list', {
      at: e.at,
    });
  items.push(bound);
  return items.length - 1;
}

function bindDistinct(
  body: SelectBody,
  targets: readonly BoundTargetItem[],
  items: Bound[],
  orderBy: readonly OutputSort[],
  scope: Scope,
  c: BindContext,
): number[] | undefined {
  if (body.distinct === false) return undefined;
  if (body.distinct === true) return targets.map((_, i) => i);
  const on = body.distinct.map((e) => orderIndex(e, targets, items, false, scope, c));
  const leading = orderBy.slice(0, new Set(on).size).map(({ item }) => item);
  if (leading.some((item) => !on.includes(item)))
    throw new DatabaseError(
      '42P10',
      'SELECT DISTINCT ON expressions must match initial ORDER BY expressions',
      { at: body.distinct[0]!.at },
    );
  return on;
}

function makeGrouping(
  keys: readonly Bound[],
  aggregates: readonly BoundAggregate[],
  having: Bound | undefined,
  scope: Scope,
): BoundGrouping | undefined {
  if (keys.length === 0 && aggregates.length === 0 && having === undefined) return undefined;
  return { keys, keySlots: keys.map(() => scope.take(1)), aggregates, having };
}

function bindLocking(clause: LockingClause, scope: Scope, grouped: boolean): BoundLocking {
  const words = `FOR ${clause.strength.toUpperCase()}`;
  if (grouped)
    throw new DatabaseError(
      '0A000',
      `${words} is not allowed with GROUP BY, DISTINCT or aggregate functions`,
      { at: clause.at },
    );
  const named = clause.of.map((name) => {
    const relation = scope.relation(name.name);
    if (relation === undefined)
      throw new DatabaseError(
        '42P01',
        `relation "${name.name}" in ${words} clause not found in FROM clause`,
        { at: name.at },
      );
    return relation;
  });
  const relations = (named.length > 0 ? named : scope.relations).filter(
    (relation) => relation.source.kind === 'table',
  );
  return { relations, strength: clause.strength, wait: clause.wait };
}

// FROM

export function bindFromList(
  items: readonly FromItem[],
  scope: Scope,
  c: BindContext,
): BoundFrom | undefined {
  let joined: BoundFrom | undefined;
  for (const item of items) {
    const bound = bindFromItem(item, scope, c);
    scope.visible = [...scope.visible, ...bound.columns];
    joined =
      joined === undefined
        ? bound.from
        : { kind: 'join', type: 'inner', left: joined, right: bound.from, on: undefined };
  }
  return joined;
}

interface BoundItem {
  readonly from: BoundFrom;
  readonly columns: readonly VisibleColumn[];
}

function bindFromItem(item: FromItem, scope: Scope, c: BindContext): BoundItem {
  if (item.kind === 'join') return bindJoin(item, scope, c);
  const relation =
    item.kind === 'table'
      ? bindTableItem(item, scope, c)
      : item.kind === 'subquery'
        ? bindSubqueryItem(item, scope, c)
        : bindFunctionItem(item, scope, c);
  scope.addRelation(relation, item.at);
  return { from: { kind: 'relation', relation }, columns: visibleColumns(relation) };
}

/** All columns of a relation but the dropped ones of a table. */
export function visibleColumns(relation: BoundRelation): VisibleColumn[] {
  const dropped = relation.source.kind === 'table' ? relation.source.table.columns : undefined;
  return relation.columns.flatMap((origin, i) =>
    dropped?.[i]?.dropped === true
      ? []
      : [{ name: origin.name, qualifier: relation.alias, value: slotOf(relation, i), origin }],
  );
}

function bindTableItem(
  item: Extract<FromItem, { kind: 'table' }>,
  scope: Scope,
  c: BindContext,
): BoundRelation {
  const { name, alias } = item;
  const common = name.schema === undefined ? scope.commonTable(name.name) : undefined;
  if (common !== undefined) {
    const columns = renamed(common.columns, alias?.columns, item.at);
    return {
      alias: alias?.name ?? name.name,
      columns,
      base: scope.take(columns.length),
      source: { kind: 'query', query: common.query, lateral: false },
    };
  }
  const found = findTable(name, c);
  if (found.kind === 'virtual') return bindVirtual(found.table, alias, scope, item.at);
  return tableRelation(found.table, alias?.name, scope, renamer(alias?.columns, item.at));
}

const renamer = (names: readonly string[] | undefined, at: number) => (columns: BoundColumn[]) =>
  renamed(columns, names, at);

export function tableRelation(
  table: Table,
  alias: string | undefined,
  scope: Scope,
  rename = (columns: BoundColumn[]) => columns,
): BoundRelation {
  const columns = table.columns.map((column) => ({
    name: column.dropped === true ? `........pg.dropped.${column.number}........` : column.name,
    type: column.type,
    table: table.oid,
    number: column.number,
  }));
  // One slot more holds the row's key.
  const base = scope.take(columns.length + 1);
  const live = liveColumns(table).length === columns.length ? rename(columns) : columns;
  return { alias: alias ?? table.name, columns: live, base, source: { kind: 'table', table } };
}

function bindVirtual(
  table: VirtualTable,
  alias: { name: string; columns?: readonly string[] } | undefined,
  scope: Scope,
  at: number,
): BoundRelation {
  const columns = table.columns.map(({ name, type }, i) => ({ name, type, table: table.oid, number: i + 1 }));
  const base = scope.take(columns.length);
  return {
    alias: alias?.name ?? table.name,
    columns: renamed(columns, alias?.columns, at),
    base,
    source: { kind: 'virtual', table },
  };
}

/** @throws DatabaseError 42P01, 42809 */
export function findTable(
  name: Name,
  c: BindContext,
): { kind: 'table'; table: Table } | { kind: 'virtual'; table: VirtualTable } {
  const virtual = findVirtual(c, name.schema, name.name);
  if (virtual !== undefined) return { kind: 'virtual', table: virtual };
  const relation = findRelation(c, name.schema, name.name);
  if (relation?.kind === 'table') return { kind: 'table', table: relation };
  const shown = name.schema === undefined ? name.name : `${name.schema}.${name.name}`;
  if (relation?.kind === 'index')
    throw new DatabaseError('42809', `"${name.name}" is an index`, { at: name.at });
  if (relation?.kind === 'sequence') throw notSupported('reading a sequence as a table', name.at);
  throw new DatabaseError('42P01', `relation "${shown}" does not exist`, {
    at: name.at,
    routine: 'parserOpenTable',
  });
}

function bindSubqueryItem(
  item: Extract<FromItem, { kind: 'subquery' }>,
  scope: Scope,
  c: BindContext,
): BoundRelation {
  const query = c.bindQuery(item.query, item.lateral ? scope : hidden(scope), c);
  // A hidden scope stands for this one: what is read further out is reached through it.
  if (!item.lateral && query.correlated) scope.reach = Math.max(scope.reach, 1);
  const columns = renamed(query.columns, item.alias.columns, item.at).map((column) => ({ ...column }));
  return {
    alias: item.alias.name,
    columns,
    base: scope.take(columns.length),
    source: { kind: 'query', query, lateral: item.lateral },
  };
}

function bindFunctionItem(
  item: Extract<FromItem, { kind: 'function' }>,
  scope: Scope,
  c: BindContext,
): BoundRelation {
  const { call, alias } = item;
  const args = call.args.map((arg) => bindExpression(arg, scope, c));
  const chosen = chooseFunction(call, args, c);
  if (chosen === undefined) return bindScalarItem(item, scope, c);
  const { definition } = chosen;
  const single = definition.set === undefined || definition.set.columns.length === 1;
  const declared = definition.set?.columns ?? [{ name: definition.name, type: definition.result }];
  const columns: BoundColumn[] = declared.map(({ name, type }) => ({
    name: single ? (alias?.name ?? name) : name,
    type: single ? chosen.result : plain(type),
    table: 0,
    number: 0,
  }));
  if (item.ordinality) columns.push({ name: 'ordinality', type: plain(OID.int8), table: 0, number: 0 });
  return {
    alias: alias?.name ?? definition.name,
    columns: renamed(columns, alias?.columns, item.at),
    base: scope.take(columns.length),
    source: { kind: 'function', definition, args: chosen.args, ordinality: item.ordinality },
  };
}

/** Functions that only the expression binder knows, such as json_build_object, as one row. */
function bindScalarItem(
  item: Extract<FromItem, { kind: 'function' }>,
  scope: Scope,
  c: BindContext,
): BoundRelation {
  const value = bindExpression(item.call, scope, c);
  const name = item.alias?.name ?? item.call.name.name;
  const columns = [{ name, type: value.type, table: 0, number: 0 }];
  const definition = {
    oid: 0,
    name,
    args: [value.type.oid],
    variadic: false,
    result: value.type.oid,
    strict: false,
    volatility: 'stable',
    implementation: (v: never) => v,
  } as const;
  return {
    alias: name,
    columns,
    base: scope.take(1),
    source: { kind: 'function', definition, args: [value], ordinality: false },
  };
}

function bindJoin(item: Extract<FromItem, { kind: 'join' }>, scope: Scope, c: BindContext): BoundItem {
  const before = scope.visible;
  const left = bindFromItem(item.left, scope, c);
  scope.visible = [...before, ...left.columns];
  const right = bindFromItem(item.right, scope, c);
  const joined = joinColumns(item, left.columns, right.columns, c);
  scope.visible = [...left.columns, ...right.columns];
  const aggregates = scope.aggregates;
  scope.aggregates = { kind: 'refused', where: 'JOIN conditions' };
  const on =
    item.on === undefined
      ? joined.on
      : toBoolean(bindExpression(item.on, scope, c), 'JOIN/ON', c, item.on.at);
  scope.aggregates = aggregates;
  scope.visible = before;
  const swap = item.type === 'right';
  const type =
    item.type === 'cross' || item.type === 'inner' ? 'inner' : item.type === 'full' ? 'full' : 'left';
  const [first, second] = swap ? [right.from, left.from] : [left.from, right.from];
  return { from: { kind: 'join', type, left: first, right: second, on }, columns: joined.columns };
}

/** USING and NATURAL show each merged column once, first. */
function joinColumns(
  item: Extract<FromItem, { kind: 'join' }>,
  left: readonly VisibleColumn[],
  right: readonly VisibleColumn[],
  c: BindContext,
): { columns: VisibleColumn[]; on: Bound | undefined } {
  const names = item.natural
    ? left.map(({ name }) => name).filter((name) => right.some((column) => column.name === name))
    : item.using;
  if (names === undefined || names.length === 0) return { columns: [...left, ...right], on: undefined };
  const conditions: Bound[] = [];
  const merged = names.map((name) => {
    const a = onlyColumn(left, name, 'left', item.at);
    const b = onlyColumn(right, name, 'right', item.at);
    conditions.push(bindOperator('=', a.value, b.value, c, item.at));
    return mergeColumn(item.type, a, b, c, item.at);
  });
  const rest = (columns: readonly VisibleColumn[]): VisibleColumn[] =>
    columns.filter(({ name }) => !names.includes(name));
  const on: Bound =
    conditions.length === 1 ? conditions[0]! : { kind: 'and', parts: conditions, type: plain(OID.bool) };
  return { columns: [...merged, ...rest(left), ...rest(right)], on };
}

function mergeColumn(
  type: string,
  a: VisibleColumn,
  b: VisibleColumn,
  c: BindContext,
  at: number,
): VisibleColumn {
  if (type === 'right') return b;
  if (type !== 'full') return a;
  const common = commonType([a.value, b.value], 'JOIN/USING', at);
  const value: Bound = {
    kind: 'coalesce',
    args: coerceAll([a.value, b.value], common, c, 'JOIN/USING', at),
    type: common,
  };
  return { ...a, value, origin: { ...a.origin, table: 0, number: 0 } };
}

function onlyColumn(
  columns: readonly VisibleColumn[],
  name: string,
  side: string,
  at: number,
): VisibleColumn {
  const matches = columns.filter((column) => column.name === name);
  if (matches.length === 0)
    throw new DatabaseError(
      '42703',
      `column "${name}" specified in USING clause does not exist in ${side} table`,
      { at },
    );
  if (matches.length > 1)
    throw new DatabaseError('42702', `common column name "${name}" appears more than once in ${side} table`, {
      at,
    });
  return matches[0]!;
}
