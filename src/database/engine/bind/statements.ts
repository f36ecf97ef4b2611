/** INSERT, UPDATE, DELETE, and the entry for all statements that are planned and executed. */
import { DatabaseError } from '../../errors.ts';
import { type Column, columnByName, liveColumns, type Table } from '../catalog/catalog.ts';
import type {
  Assignment,
  DeleteStatement,
  Expression,
  InsertStatement,
  Name,
  OnConflict,
  Query,
  Target,
  UpdateStatement,
} from '../sql/ast.ts';
import { parseStoredExpression } from '../sql/parser.ts';
import { formatType } from '../types/types.ts';
import type { TypeRef } from '../types/values.ts';
import type {
  Bound,
  BoundAssignment,
  BoundFrom,
  BoundRelation,
  BoundReturning,
  BoundStatement,
  BoundTarget,
} from './bound.ts';
import { toBoolean, tryCoerce } from './coerce.ts';
import type { BindContext } from './context.ts';
import { bindExpression } from './expressions.ts';
import { bindFromList, bindTargets, findTable, tableRelation, visibleColumns } from './queries.ts';
import { Scope, slotOf } from './scope.ts';

/** @throws DatabaseError 42P01, and 42809 for a system catalogue */
export function targetTable(name: Name, c: BindContext): Table {
  const found = findTable(name, c);
  if (found.kind === 'table') return found.table;
  throw new DatabaseError('42501', `permission denied: "${name.name}" is a system catalog`, { at: name.at });
}

/** Defaults and checks of a table, bound over its row at slot 0. */
export function bindTarget(table: Table, c: BindContext): BoundTarget {
  const defaults = table.columns.map((column) => bindDefault(column, c));
  const scope = rowScope(table);
  const checks = table.checks.map(({ name, expression }) => ({
    name,
    condition: toBoolean(
      bindExpression(parseStoredExpression(expression, c.maxNesting), scope, c),
      'CHECK',
      c,
    ),
  }));
  return { table, defaults, checks };
}

/** A scope that sees one row of a table, its first column at slot 0. */
export function rowScope(table: Table): Scope {
  const scope = new Scope(undefined);
  expose(tableRelation(table, undefined, scope), scope, 0);
  scope.aggregates = { kind: 'refused', where: 'check constraints' };
  return scope;
}

export function bindDefault(column: Column, c: BindContext): Bound | undefined {
  if (column.default === undefined) return undefined;
  const scope = new Scope(undefined);
  scope.aggregates = { kind: 'refused', where: 'DEFAULT expressions' };
  return assign(
    bindExpression(parseStoredExpression(column.default, c.maxNesting), scope, c),
    column,
    c,
    undefined,
  );
}

function expose(relation: BoundRelation, scope: Scope, at: number): BoundRelation {
  scope.addRelation(relation, at);
  scope.visible = [...scope.visible, ...visibleColumns(relation)];
  return relation;
}

/** @throws DatabaseError 42804 when the value's type cannot be stored in the column */
function assign(value: Bound, column: Column, c: BindContext, at: number | undefined): Bound {
  const made = tryCoerce(value, column.type, 'assignment', c, at);
  if (made !== undefined) return made;
  throw new DatabaseError(
    '42804',
    `column "${column.name}" is of type ${formatType(column.type)} but expression is of type ${formatType(value.type)}`,
    {
      at,
      hint: 'You will need to rewrite or cast the expression.',
    },
  );
}

function columnNamed(table: Table, name: string, at: number): Column {
  const column = columnByName(table, name);
  if (column === undefined)
    throw new DatabaseError('42703', `column "${name}" of relation "${table.name}" does not exist`, { at });
  return column;
}

export function bindInsert(statement: InsertStatement, c: BindContext): BoundStatement {
  const table = targetTable(statement.table, c);
  const target = bindTarget(table, c);
  const columns = insertColumns(statement, table);
  const source = bindSource(statement, columns, target, c);
  const onConflict =
    statement.onConflict === undefined
      ? undefined
      : bindOnConflict(statement.onConflict, statement.alias, table, c);
  const scope = new Scope(undefined);
  expose(tableRelation(table, statement.alias, scope), scope, statement.at);
  return {
    kind: 'insert',
    target,
    query: source.query,
    columns: source.columns,
    onConflict,
    returning: bindReturning(statement.returning, scope, c),
  };
}

function insertColumns(statement: InsertStatement, table: Table): Column[] {
  if (statement.columns === undefined) return liveColumns(table);
  const seen = new Set<string>();
  return statement.columns.map(({ name, at }) => {
    if (seen.has(name)) throw new DatabaseError('42701', `column "${name}" specified more than once`, { at });
    seen.add(name);
    return columnNamed(table, name, at);
  });
}

type Source = {
  readonly query: Extract<BoundStatement, { kind: 'insert' }>['query'];
  readonly columns: readonly number[];
};

function bindSource(
  statement: InsertStatement,
  columns: readonly Column[],
  target: BoundTarget,
  c: BindContext,
): Source {
  const { source } = statement;
  if (source === undefined) return valuesSource([[]], [], target, statement, c);
  const { body } = source;
  const plainValues =
    body.kind === 'values' &&
    source.with.length === 0 &&
    source.orderBy.length === 0 &&
    !source.limit &&
    !source.offset;
  if (plainValues) return valuesSource(body.rows, columns, target, statement, c);
  return querySource(source, columns, statement, c);
}

/** VALUES rows, where DEFAULT may stand and each value has the column's type at once. */
function valuesSource(
  rows: readonly (readonly Expression[])[],
  columns: readonly Column[],
  target: BoundTarget,
  statement: InsertStatement,
  c: BindContext,
): Source {
  const width = rows[0]!.length;
  const used = columns.slice(0, Math.max(width, statement.columns === undefined ? width : columns.length));
  const scope = new Scope(undefined);
  scope.aggregates = { kind: 'refused', where: 'VALUES' };
  const bound = rows.map((row) => {
    if (row.length !== width)
      throw new DatabaseError('42601', 'VALUES lists must all be the same length', { at: row[0]!.at });
    checkWidth(row.length, columns, statement, row[columns.length]?.at ?? row[0]?.at);
    return row.map((e, i) => bindInsertValue(e, used[i]!, target, statement, scope, c));
  });
  const types = used.slice(0, width).map((column) => column.type);
  return { query: valuesQuery(bound, types), columns: used.slice(0, width).map((column) => column.number) };
}

function checkWidth(
  width: number,
  columns: readonly Column[],
  statement: InsertStatement,
  at: number | undefined,
): void {
  if (width > columns.length)
    throw new DatabaseError('42601', 'INSERT has more expressions than target columns', { at });
  if (statement.columns !== undefined && width < columns.length)
    throw new DatabaseError('42601', 'INSERT has more target columns than expressions', {
      at: statement.columns[width]!.at,
    });
}

function valuesQuery(rows: readonly (readonly Bound[])[], types: readonly TypeRef[]): Source['query'] {
  const columns = types.map((type, i) => ({ name: `column${i + 1}`, type, table: 0, number: 0 }));
  return {
    columns,
    body: { kind: 'values', rows },
    orderBy: [],
    limit: undefined,
    offset: undefined,
    locking: [],
    correlated: false,
  };
}

function bindInsertValue(
  e: Expression,
  column: Column,
  target: BoundTarget,
  statement: InsertStatement,
  scope: Scope,
  c: BindContext,
): Bound {
  const standard = target.defaults[column.number - 1] ?? { kind: 'const', value: null, type: column.type };
  if (e.kind === 'default') return standard;
  if (column.identity !== undefined) {
    if (statement.overriding === 'user') return standard;
    if (column.identity === 'always' && statement.overriding !== 'system') throw alwaysIdentity(column);
  }
  return assign(bindExpression(e, scope, c), column, c, e.at);
}

function alwaysIdentity(column: Column): DatabaseError {
  return new DatabaseError('428C9', `cannot insert a non-DEFAULT value into column "${column.name}"`, {
    detail: `Column "${column.name}" is an identity column defined as GENERATED ALWAYS.`,
    hint: 'Use OVERRIDING SYSTEM VALUE to override.',
  });
}

function querySource(
  source: Query,
  columns: readonly Column[],
  statement: InsertStatement,
  c: BindContext,
): Source {
  const query = c.bindQuery(source, undefined, c);
  checkWidth(query.columns.length, columns, statement, source.at);
  const used = columns.slice(0, query.columns.length);
  for (const column of used)
    if (column.identity === 'always' && statement.overriding !== 'system') throw alwaysIdentity(column);
  const relation: BoundRelation = {
    alias: '',
    columns: query.columns,
    base: 0,
    source: { kind: 'query', query, lateral: false },
  };
  const items = used.map((column, i) => assign(slotOf(relation, i), column, c, source.at));
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
  const converted = {
    ...valuesQuery(
      [],
      used.map((column) => column.type),
    ),
    body,
  };
  return { query: converted, columns: used.map((column) => column.number) };
}

type InsertConflict = Extract<BoundStatement, { kind: 'insert' }>['onConflict'];

function bindOnConflict(
  clause: OnConflict,
  alias: string | undefined,
  table: Table,
  c: BindContext,
): InsertConflict {
  const indexes = clause.target === undefined ? undefined : conflictIndexes(clause.target, table, c);
  if (clause.update === undefined) return { indexes, update: undefined };
  const scope = new Scope(undefined);
  expose(tableRelation(table, alias, scope), scope, clause.at);
  const excluded = tableRelation(table, 'excluded', scope);
  scope.addRelation(excluded, clause.at);
  scope.aggregates = { kind: 'refused', where: 'UPDATE' };
  const set = bindAssignments(clause.update.set, table, scope, c);
  const where =
    clause.update.where === undefined
      ? undefined
      : toBoolean(bindExpression(clause.update.where, scope, c), 'WHERE', c, clause.update.where.at);
  return { indexes, update: { set, where } };
}

function conflictIndexes(target: NonNullable<OnConflict['target']>, table: Table, c: BindContext): number[] {
  const indexes = c.catalog.indexesOf(table.oid).filter((index) => index.unique);
  if (target.kind === 'constraint') {
    const named = indexes.find((index) => index.constraint !== undefined && index.name === target.name);
    if (named === undefined)
      throw new DatabaseError(
        '42704',
        `constraint "${target.name}" for table "${table.name}" does not exist`,
        { at: target.at },
      );
    return [named.oid];
  }
  const numbers = new Set(target.columns.map((name) => columnNamed(table, name, target.at).number));
  const matching = indexes.filter(
    ({ columns }) => columns.length === numbers.size && columns.every(({ number }) => numbers.has(number)),
  );
  if (matching.length === 0)
    throw new DatabaseError(
      '42P10',
      'there is no unique or exclusion constraint matching the ON CONFLICT specification',
      { at: target.at },
    );
  return matching.map((index) => index.oid);
}

function bindAssignments(
  set: readonly Assignment[],
  table: Table,
  scope: Scope,
  c: BindContext,
): BoundAssignment[] {
  const seen = new Set<string>();
  return set.map(({ column: name, value, at }) => {
    if (seen.has(name))
      throw new DatabaseError('42601', `multiple assignments to same column "${name}"`, { at });
    seen.add(name);
    const column = columnNamed(table, name, at);
    if (value.kind === 'default')
      return {
        column: column.number,
        value: bindDefault(column, c) ?? { kind: 'const', value: null, type: column.type },
      };
    if (column.identity === 'always')
      throw new DatabaseError('428C9', `column "${name}" can only be updated to DEFAULT`, {
        at,
        detail: `Column "${name}" is an identity column defined as GENERATED ALWAYS.`,
      });
    return { column: column.number, value: assign(bindExpression(value, scope, c), column, c, value.at) };
  });
}

export function bindUpdate(statement: UpdateStatement, c: BindContext): BoundStatement {
  const table = targetTable(statement.table, c);
  const scope = new Scope(undefined);
  scope.aggregates = { kind: 'refused', where: 'UPDATE' };
  const relation = expose(tableRelation(table, statement.alias, scope), scope, statement.at);
  const from = joinTarget(relation, bindFromList(statement.from, scope, c));
  const set = bindAssignments(statement.set, table, scope, c);
  return finishChange('update', statement, table, relation, from, set, scope, c);
}

export function bindDelete(statement: DeleteStatement, c: BindContext): BoundStatement {
  const table = targetTable(statement.table, c);
  const scope = new Scope(undefined);
  const relation = expose(tableRelation(table, statement.alias, scope), scope, statement.at);
  const from = joinTarget(relation, bindFromList(statement.using, scope, c));
  return finishChange('delete', statement, table, relation, from, [], scope, c);
}

function joinTarget(relation: BoundRelation, others: BoundFrom | undefined): BoundFrom {
  const target: BoundFrom = { kind: 'relation', relation };
  return others === undefined
    ? target
    : { kind: 'join', type: 'inner', left: target, right: others, on: undefined };
}

function finishChange(
  kind: 'update' | 'delete',
  statement: UpdateStatement | DeleteStatement,
  table: Table,
  relation: BoundRelation,
  from: BoundFrom,
  set: readonly BoundAssignment[],
  scope: Scope,
  c: BindContext,
): BoundStatement {
  scope.aggregates = { kind: 'refused', where: 'WHERE' };
  const where =
    statement.where === undefined
      ? undefined
      : toBoolean(bindExpression(statement.where, scope, c), 'WHERE', c, statement.where.at);
  const returning = bindReturning(statement.returning, scope, c);
  return { kind, target: bindTarget(table, c), relation, from, where, set, width: scope.width, returning };
}

function bindReturning(targets: readonly Target[], scope: Scope, c: BindContext): BoundReturning | undefined {
  if (targets.length === 0) return undefined;
  scope.aggregates = { kind: 'refused', where: 'RETURNING' };
  const items = bindTargets(targets, scope, c);
  const columns = items.map(({ name, value, origin }) => ({
    name,
    type: value.type,
    table: origin?.table ?? 0,
    number: origin?.number ?? 0,
  }));
  return { columns, items: items.map(({ value }) => value) };
}
