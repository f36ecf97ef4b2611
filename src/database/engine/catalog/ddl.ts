/**
 * CREATE, ALTER, DROP and TRUNCATE: changes to the catalogue, and to rows and indexes where a definition
 * concerns those that are there. All of it belongs to the transaction and goes with it.
 */
import { DatabaseError, notSupported } from '../../errors.ts';
import { MAX_COLUMNS } from '../../limits.ts';
import { coerce, toBoolean } from '../bind/coerce.ts';
import type { BindContext } from '../bind/context.ts';
import { findRelation } from '../bind/context.ts';
import { deparse } from '../bind/deparse.ts';
import { bindExpression } from '../bind/expressions.ts';
import { Scope } from '../bind/scope.ts';
import { rowScope } from '../bind/statements.ts';
import { resolveType } from '../bind/type-names.ts';
import type {
  AlterTableAction,
  ColumnDefinition,
  CreateIndexStatement,
  CreateTableStatement,
  Expression,
  Name,
  SequenceOptions,
  Statement,
  TableConstraint,
  TypeName,
} from '../sql/ast.ts';
import { isIndexable } from '../storage/key-codec.ts';
import { OID } from '../types/oids.ts';
import { formatType } from '../types/types.ts';
import type { TypeRef } from '../types/values.ts';
import {
  type Catalog,
  type CatalogChange,
  type CatalogObject,
  type Check,
  type Column,
  columnByName,
  type Index,
  type IndexColumn,
  liveColumns,
  type Relation,
  type Schema,
  type Sequence,
  type Table,
} from './catalog.ts';

/** What DDL may do to its transaction. */
export interface DdlAccess {
  /** The catalogue with this transaction's changes so far. */
  catalog(): Catalog;
  bindContext(): BindContext;
  change(changes: readonly CatalogChange[]): void;
  newOid(): number;
  /** @throws LockWait */
  lockName(schema: number, name: string): void;
  /** ACCESS EXCLUSIVE. @throws LockWait */
  lockTable(table: number): void;
  notice(message: string, code?: '00000' | '42P07'): void;
  /** Fills a new index from the table's rows. @throws DatabaseError 23505 */
  buildIndex(table: Table, index: Index): void;
  /** Checks every row: NOT NULL of a column, or a condition. @throws DatabaseError 23502, 23514 */
  verifyRows(table: Table, column: Column | undefined, check: Check | undefined): void;
  /** The text of a default's value for rows that are there, or a rewrite of them when it differs per row. */
  fillColumn(table: Table, column: Column): string | undefined;
  /** Gives up the rows or entries of what is dropped or truncated. */
  dropTree(object: Table | Index): void;
  /** Lets it begin again, if the transaction commits. */
  restartSequence(sequence: Sequence): void;
}

type Of<K extends Statement['kind']> = Extract<Statement, { kind: K }>;

function creationSchema(schema: string | undefined, at: number, a: DdlAccess): Schema {
  const { searchPath, catalog } = a.bindContext();
  const name =
    schema ??
    searchPath.find((candidate) => candidate !== 'pg_catalog' && catalog.schema(candidate) !== undefined);
  if (name === undefined)
    throw new DatabaseError('3F000', 'no schema has been selected to create in', { at });
  const found = a.catalog().schema(name);
  if (found === undefined) throw new DatabaseError('3F000', `schema "${name}" does not exist`, { at });
  if (name === 'pg_catalog' || name === 'information_schema')
    throw new DatabaseError('42501', `permission denied to create "${name}" objects`, {
      at,
      detail: 'System catalog modifications are currently disallowed.',
    });
  return found;
}

/** @returns true when the name is taken and IF NOT EXISTS allows that */
function nameTaken(schema: Schema, name: string, ifNotExists: boolean, a: DdlAccess): boolean {
  a.lockName(schema.oid, name);
  if (a.catalog().relation(schema.oid, name) === undefined) return false;
  if (!ifNotExists) throw new DatabaseError('42P07', `relation "${name}" already exists`);
  a.notice(`relation "${name}" already exists, skipping`, '42P07');
  return true;
}

/** A free name made of parts: `t_pkey`, `t_a_idx`, `t_a_idx1` … */
function freeName(
  schema: number,
  parts: readonly string[],
  suffix: string,
  a: DdlAccess,
  taken: ReadonlySet<string> = new Set(),
): string {
  const stem = parts.join('_').slice(0, 58 - suffix.length);
  for (let n = 0; ; n++) {
    const name = `${stem}_${suffix}${n === 0 ? '' : n}`;
    if (!taken.has(name) && a.catalog().relation(schema, name) === undefined) return name;
  }
}

const SERIAL: Readonly<Record<string, number>> = {
  serial: OID.int4,
  serial4: OID.int4,
  bigserial: OID.int8,
  serial8: OID.int8,
  smallserial: OID.int2,
  serial2: OID.int2,
};

function serialType(type: TypeName): number | undefined {
  return type.schema === undefined && !type.array ? SERIAL[type.name] : undefined;
}

export function createTable(statement: CreateTableStatement, a: DdlAccess): void {
  const { table: name, columns } = statement;
  const schema = creationSchema(name.schema, name.at, a);
  if (nameTaken(schema, name.name, statement.ifNotExists, a)) return;
  if (columns.length > MAX_COLUMNS)
    throw new DatabaseError('54011', `tables can have at most ${MAX_COLUMNS} columns`);
  refuseDuplicates(columns);
  const constraints = [...columns.flatMap(columnConstraints), ...statement.constraints];
  const primary = primaryColumns(constraints, name.name);
  const oid = a.newOid();
  const bare: Column[] = columns.map((definition, i) => bareColumn(definition, i + 1, primary));
  const keyed = primary?.map((column) => columnNumber(bare, column.name, column.at)) ?? [];
  for (const number of keyed) requireIndexable(bare[number - 1]!, undefined);
  const table: Table = {
    kind: 'table',
    oid,
    schema: schema.oid,
    name: name.name,
    columns: bare,
    checks: [],
    keyColumns: keyed,
    generation: 1,
  };
  a.change([{ kind: 'put', object: table }]);
  addDefaults(table, columns, a);
  for (const constraint of constraints) addConstraint(a.catalog().table(oid)!, constraint, a, true);
}

function refuseDuplicates(columns: readonly ColumnDefinition[]): void {
  const seen = new Set<string>();
  for (const { name, at } of columns) {
    if (seen.has(name)) throw new DatabaseError('42701', `column "${name}" specified more than once`, { at });
    seen.add(name);
  }
}

function columnConstraints(definition: ColumnDefinition): TableConstraint[] {
  return definition.constraints.flatMap((constraint): TableConstraint[] => {
    const named = 'name' in constraint && constraint.name !== undefined ? { name: constraint.name } : {};
    if (constraint.kind === 'check')
      return [{ kind: 'check', expression: constraint.expression, at: constraint.at, ...named }];
    if (constraint.kind !== 'primary-key' && constraint.kind !== 'unique') return [];
    return [
      {
        kind: constraint.kind,
        columns: [{ name: definition.name, at: definition.at }],
        at: constraint.at,
        ...named,
      },
    ];
  });
}

function primaryColumns(
  constraints: readonly TableConstraint[],
  table: string,
): readonly { name: string; at: number }[] | undefined {
  const primary = constraints.filter(
    (constraint): constraint is Exclude<TableConstraint, { kind: 'check' }> =>
      constraint.kind === 'primary-key',
  );
  if (primary.length > 1)
    throw new DatabaseError('42P16', `multiple primary keys for table "${table}" are not allowed`, {
      at: primary[1]!.at,
    });
  return primary[0]?.columns;
}

function bareColumn(
  definition: ColumnDefinition,
  number: number,
  primary: readonly { name: string }[] | undefined,
): Column {
  const serial = serialType(definition.type);
  const type = serial === undefined ? resolveType(definition.type) : { oid: serial, modifier: -1 };
  if (formatType(type) === 'unknown' || type.oid === OID.record || type.oid === OID.void)
    throw new DatabaseError('42P16', `column "${definition.name}" has pseudo-type ${formatType(type)}`, {
      at: definition.at,
    });
  const has = (kind: string): boolean =>
    definition.constraints.some((constraint) => constraint.kind === kind);
  const identity = definition.constraints.find((constraint) => constraint.kind === 'identity');
  const inKey = primary?.some(({ name }) => name === definition.name) === true || has('primary-key');
  if (has('null') && (has('not-null') || inKey))
    throw new DatabaseError(
      '42601',
      `conflicting NULL/NOT NULL declarations for column "${definition.name}"`,
      { at: definition.at },
    );
  if (identity !== undefined && ![OID.int2, OID.int4, OID.int8].includes(type.oid as 20))
    throw new DatabaseError('22023', 'identity column type must be smallint, integer, or bigint', {
      at: identity.at,
    });
  return {
    number,
    name: definition.name,
    type,
    notNull: has('not-null') || inKey || serial !== undefined || identity !== undefined,
    ...(identity?.kind === 'identity' && { identity: identity.always ? 'always' : 'by default' }),
  };
}

/** Defaults are bound when the table is known, for they may name its sequences. */
function addDefaults(table: Table, definitions: readonly ColumnDefinition[], a: DdlAccess): void {
  const columns = table.columns.map((column, i) => withDefault(table, column, definitions[i]!, a));
  a.change([{ kind: 'put', object: { ...table, columns } }]);
}

function withDefault(table: Table, column: Column, definition: ColumnDefinition, a: DdlAccess): Column {
  const given = definition.constraints.filter((constraint) => constraint.kind === 'default');
  if (given.length > 1)
    throw new DatabaseError(
      '42601',
      `multiple default values specified for column "${column.name}" of table "${table.name}"`,
      { at: given[1]!.at },
    );
  const identity = definition.constraints.find((constraint) => constraint.kind === 'identity');
  if (serialType(definition.type) !== undefined || identity !== undefined) {
    if (given.length > 0)
      throw new DatabaseError(
        '42601',
        `multiple default values specified for column "${column.name}" of table "${table.name}"`,
        { at: given[0]!.at },
      );
    const options = identity?.kind === 'identity' ? identity.options : {};
    const sequence = ownedSequence(table, column, options, identity !== undefined, a);
    return { ...column, default: `nextval('${sequence.oid}'::regclass)` };
  }
  const [only] = given;
  return only?.kind === 'default'
    ? { ...column, default: defaultText(only.expression, column.type, column.name, a) }
    : column;
}

function defaultText(expression: Expression, type: TypeRef, name: string, a: DdlAccess): string {
  const c = a.bindContext();
  const scope = new Scope(undefined);
  scope.aggregates = { kind: 'refused', where: 'DEFAULT expressions' };
  if (expression.kind === 'column')
    throw new DatabaseError('0A000', 'cannot use column reference in DEFAULT expression', {
      at: expression.at,
    });
  const bound = bindExpression(expression, scope, c);
  try {
    return deparse(coerce(bound, type, 'assignment', c, expression.at), c.conversion, true);
  } catch (thrown) {
    if (!(thrown instanceof DatabaseError) || thrown.code !== '42846') throw thrown;
    throw new DatabaseError(
      '42804',
      `column "${name}" is of type ${formatType(type)} but default expression is of type ${formatType(bound.type)}`,
      {
        at: expression.at,
        hint: 'You will need to rewrite or cast the expression.',
      },
    );
  }
}

const SEQUENCE_RANGE: ReadonlyMap<number, readonly [bigint, bigint]> = new Map([
  [OID.int2, [-32_768n, 32_767n]],
  [OID.int4, [-2_147_483_648n, 2_147_483_647n]],
  [OID.int8, [-(2n ** 63n), 2n ** 63n - 1n]],
]);

function makeSequence(
  oid: number,
  schema: number,
  name: string,
  type: number,
  options: SequenceOptions,
): Sequence {
  const increment = options.increment ?? 1n;
  if (increment === 0n) throw new DatabaseError('22023', 'INCREMENT must not be zero');
  const [low, high] = SEQUENCE_RANGE.get(type)!;
  const minimum = options.minimum ?? (increment > 0n ? 1n : low);
  const maximum = options.maximum ?? (increment > 0n ? high : -1n);
  const start = options.start ?? (increment > 0n ? minimum : maximum);
  if (minimum >= maximum)
    throw new DatabaseError('22023', `MINVALUE (${minimum}) must be less than MAXVALUE (${maximum})`);
  if (start < minimum)
    throw new DatabaseError('22023', `START value (${start}) cannot be less than MINVALUE (${minimum})`);
  if (start > maximum)
    throw new DatabaseError('22023', `START value (${start}) cannot be greater than MAXVALUE (${maximum})`);
  return {
    kind: 'sequence',
    oid,
    schema,
    name,
    type,
    start,
    increment,
    minimum,
    maximum,
    cycle: options.cycle ?? false,
  };
}

function ownedSequence(
  table: Table,
  column: Column,
  options: SequenceOptions,
  identity: boolean,
  a: DdlAccess,
): Sequence {
  const name = freeName(table.schema, [table.name, column.name], 'seq', a);
  a.lockName(table.schema, name);
  const sequence = {
    ...makeSequence(a.newOid(), table.schema, name, column.type.oid, options),
    ownedBy: { table: table.oid, column: column.number, identity },
  };
  a.change([{ kind: 'put', object: sequence }]);
  return sequence;
}

export function createSequence(statement: Of<'create-sequence'>, a: DdlAccess): void {
  const schema = creationSchema(statement.name.schema, statement.at, a);
  if (nameTaken(schema, statement.name.name, statement.ifNotExists, a)) return;
  const sequence = makeSequence(a.newOid(), schema.oid, statement.name.name, OID.int8, statement.options);
  a.change([{ kind: 'put', object: sequence }]);
}

export function createSchema({ name, ifNotExists, at }: Of<'create-schema'>, a: DdlAccess): void {
  if (name.startsWith('pg_'))
    throw new DatabaseError('42939', `unacceptable schema name "${name}"`, {
      at,
      detail: 'The prefix "pg_" is reserved for system schemas.',
    });
  a.lockName(0, name);
  if (a.catalog().schema(name) === undefined) {
    a.change([{ kind: 'put', object: { kind: 'schema', oid: a.newOid(), name } }]);
    return;
  }
  if (!ifNotExists) throw new DatabaseError('42P06', `schema "${name}" already exists`);
  a.notice(`schema "${name}" already exists, skipping`);
}

function columnNumber(columns: readonly Column[], name: string, at: number): number {
  const column = columns.find((candidate) => candidate.name === name && candidate.dropped !== true);
  if (column === undefined)
    throw new DatabaseError('42703', `column "${name}" named in key does not exist`, { at });
  return column.number;
}

function requireIndexable(column: Column, at: number | undefined): void {
  if (isIndexable(column.type.oid)) return;
  throw new DatabaseError('0A000', `an index on type ${formatType(column.type)} is not supported`, { at });
}

function addConstraint(table: Table, constraint: TableConstraint, a: DdlAccess, isNew: boolean): void {
  if (constraint.kind === 'check') {
    addCheck(table, constraint, a, isNew);
    return;
  }
  const primary = constraint.kind === 'primary-key';
  if (primary && !isNew && a.catalog().primaryKey(table.oid) !== undefined)
    throw new DatabaseError('42P16', `multiple primary keys for table "${table.name}" are not allowed`, {
      at: constraint.at,
    });
  const numbers = constraint.columns.map(({ name, at }) => columnNumber(table.columns, name, at));
  if (new Set(numbers).size < numbers.length)
    throw new DatabaseError('42701', 'column appears twice in constraint', { at: constraint.at });
  const described = primary ? [table.name] : [table.name, ...constraint.columns.map(({ name }) => name)];
  const name = constraint.name ?? freeName(table.schema, described, primary ? 'pkey' : 'key', a);
  requireFree(table.schema, name, a);
  const columns = numbers.map((number): IndexColumn => ({ number, descending: false, nullsFirst: false }));
  for (const number of numbers) requireIndexable(table.columns[number - 1]!, constraint.at);
  const current = primary && !isNew ? makeKeyNotNull(table, numbers, a) : table;
  const clustered = primary && isNew;
  putIndex(
    current,
    {
      kind: 'index',
      oid: a.newOid(),
      schema: table.schema,
      name,
      table: table.oid,
      unique: true,
      columns,
      constraint: { kind: primary ? 'primary' : 'unique', oid: a.newOid() },
      clustered,
      generation: 1,
    },
    a,
    isNew,
  );
}

function requireFree(schema: number, name: string, a: DdlAccess): void {
  a.lockName(schema, name);
  if (a.catalog().relation(schema, name) !== undefined)
    throw new DatabaseError('42P07', `relation "${name}" already exists`);
}

function makeKeyNotNull(table: Table, numbers: readonly number[], a: DdlAccess): Table {
  const columns = table.columns.map((column) =>
    numbers.includes(column.number) ? { ...column, notNull: true } : column,
  );
  for (const number of numbers)
    if (!table.columns[number - 1]!.notNull) a.verifyRows(table, columns[number - 1], undefined);
  const changed = { ...table, columns };
  a.change([{ kind: 'put', object: changed }]);
  return changed;
}

function putIndex(table: Table, index: Index, a: DdlAccess, isNew: boolean): void {
  a.change([{ kind: 'put', object: index }]);
  if (!isNew && !index.clustered) a.buildIndex(table, index);
}

function addCheck(
  table: Table,
  constraint: Extract<TableConstraint, { kind: 'check' }>,
  a: DdlAccess,
  isNew: boolean,
): void {
  const c = a.bindContext();
  const condition = toBoolean(
    bindExpression(constraint.expression, rowScope(table), c),
    'CHECK',
    c,
    constraint.at,
  );
  const read = new Set<string>();
  collectColumns(constraint.expression, read);
  const stem = read.size === 1 ? [table.name, [...read][0]!] : [table.name];
  const taken = new Set(table.checks.map((check) => check.name));
  const name = constraint.name ?? freeName(table.schema, stem, 'check', a, taken);
  if (taken.has(name))
    throw new DatabaseError('42710', `constraint "${name}" for relation "${table.name}" already exists`, {
      at: constraint.at,
    });
  const check: Check = { oid: a.newOid(), name, expression: deparse(condition, c.conversion) };
  if (!isNew) a.verifyRows(table, undefined, check);
  a.change([{ kind: 'put', object: { ...table, checks: [...table.checks, check] } }]);
}

/** Names of the columns an expression reads, to name its constraint. */
function collectColumns(node: unknown, into: Set<string>): void {
  if (typeof node !== 'object' || node === null) return;
  const { kind, path } = node as { kind?: string; path?: readonly string[] };
  if (kind === 'column' && path !== undefined) into.add(path.at(-1)!);
  for (const child of Object.values(node)) collectColumns(child, into);
}

/** @throws DatabaseError 42P01, 42809 */
function requireTable(name: Name, a: DdlAccess): Table {
  const relation = findRelation(a.bindContext(), name.schema, name.name);
  const shown = name.schema === undefined ? name.name : `${name.schema}.${name.name}`;
  if (relation === undefined)
    throw new DatabaseError('42P01', `relation "${shown}" does not exist`, { at: name.at });
  if (relation.kind !== 'table')
    throw new DatabaseError('42809', `"${name.name}" is not a table`, { at: name.at });
  a.lockTable(relation.oid);
  return relation;
}

export function createIndex(statement: CreateIndexStatement, a: DdlAccess): void {
  const table = requireTable(statement.table, a);
  const columns = statement.columns.map(({ name, descending, nulls, at }): IndexColumn => {
    const column = columnByName(table, name);
    if (column === undefined) throw new DatabaseError('42703', `column "${name}" does not exist`, { at });
    requireIndexable(column, at);
    return {
      number: column.number,
      descending,
      nullsFirst: nulls === undefined ? descending : nulls === 'first',
    };
  });
  const schema = a.catalog().get(table.schema) as Schema;
  const name =
    statement.name ??
    freeName(table.schema, [table.name, ...statement.columns.map((column) => column.name)], 'idx', a);
  if (nameTaken(schema, name, statement.ifNotExists, a)) return;
  putIndex(
    table,
    {
      kind: 'index',
      oid: a.newOid(),
      schema: table.schema,
      name,
      table: table.oid,
      unique: statement.unique,
      columns,
      clustered: false,
      generation: 1,
    },
    a,
    false,
  );
}

export function drop(statement: Of<'drop'>, a: DdlAccess): void {
  for (const name of statement.names) {
    if (statement.what === 'schema') dropSchema(name, statement, a);
    else dropRelation(name, statement, a);
  }
}

function dropRelation(name: Name, { what, ifExists, cascade }: Of<'drop'>, a: DdlAccess): void {
  const relation = findRelation(a.bindContext(), name.schema, name.name);
  const shown = name.schema === undefined ? name.name : `${name.schema}.${name.name}`;
  if (relation === undefined) {
    if (!ifExists) throw new DatabaseError('42P01', `${what} "${shown}" does not exist`);
    a.notice(`${what} "${shown}" does not exist, skipping`);
    return;
  }
  if (relation.kind !== what)
    throw new DatabaseError('42809', `"${name.name}" is not ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what}`, {
      hint: `Use DROP ${relation.kind.toUpperCase()} to remove ${/^[aeiou]/.test(relation.kind) ? 'an' : 'a'} ${relation.kind}.`,
    });
  dropOne(relation, cascade, a);
}

function dropOne(relation: Relation, cascade: boolean, a: DdlAccess): void {
  if (relation.kind === 'table') dropTable(relation, a);
  else if (relation.kind === 'index') dropIndex(relation, a);
  else dropSequenceOf(relation, cascade, a);
}

function dropTable(table: Table, a: DdlAccess): void {
  a.lockTable(table.oid);
  const indexes = a.catalog().indexesOf(table.oid);
  const sequences = [...a.catalog().sequencesOwnedBy(table.oid)];
  for (const index of indexes) a.dropTree(index);
  a.dropTree(table);
  a.change([...indexes, ...sequences, table].map(({ oid }) => ({ kind: 'remove', oid })));
}

function dropIndex(index: Index, a: DdlAccess): void {
  if (index.constraint !== undefined) {
    const table = a.catalog().table(index.table)!;
    throw new DatabaseError(
      '2BP01',
      `cannot drop index ${index.name} because constraint ${index.name} on table ${table.name} requires it`,
      {
        hint: `You can drop constraint ${index.name} on table ${table.name} instead.`,
      },
    );
  }
  a.lockTable(index.table);
  a.dropTree(index);
  a.change([{ kind: 'remove', oid: index.oid }]);
}

function dropSequenceOf(sequence: Sequence, cascade: boolean, a: DdlAccess): void {
  if (sequence.ownedBy !== undefined) {
    const table = a.catalog().table(sequence.ownedBy.table)!;
    const column = table.columns[sequence.ownedBy.column - 1]!;
    if (!cascade || sequence.ownedBy.identity)
      throw new DatabaseError(
        '2BP01',
        `cannot drop sequence ${sequence.name} because other objects depend on it`,
        {
          detail: `default value for column ${column.name} of table ${table.name} depends on sequence ${sequence.name}`,
          hint: 'Use DROP ... CASCADE to drop the dependent objects too.',
        },
      );
    a.lockTable(table.oid);
    a.change([
      {
        kind: 'put',
        object: {
          ...table,
          columns: table.columns.map((each) => (each === column ? withoutDefault(each) : each)),
        },
      },
    ]);
  }
  a.change([{ kind: 'remove', oid: sequence.oid }]);
}

function withoutDefault(column: Column): Column {
  const { default: _default, ...rest } = column;
  return rest;
}

function dropSchema(name: Name, { ifExists, cascade }: Of<'drop'>, a: DdlAccess): void {
  const schema = a.catalog().schema(name.name);
  if (schema === undefined) {
    if (!ifExists) throw new DatabaseError('3F000', `schema "${name.name}" does not exist`);
    a.notice(`schema "${name.name}" does not exist, skipping`);
    return;
  }
  if (schema.name === 'pg_catalog' || schema.name === 'information_schema')
    throw new DatabaseError(
      '2BP01',
      `cannot drop schema ${schema.name} because it is required by the database system`,
    );
  a.lockName(0, name.name);
  const inside = (): Relation[] =>
    [...a.catalog().relations()].filter((relation) => relation.schema === schema.oid);
  if (inside().length > 0 && !cascade)
    throw new DatabaseError('2BP01', `cannot drop schema ${schema.name} because other objects depend on it`, {
      hint: 'Use DROP ... CASCADE to drop the dependent objects too.',
    });
  for (const relation of inside()) if (relation.kind === 'table') dropTable(relation, a);
  for (const relation of inside()) if (relation.kind === 'sequence') dropSequenceOf(relation, true, a);
  a.change([{ kind: 'remove', oid: schema.oid }]);
}

export function truncate(statement: Of<'truncate'>, a: DdlAccess): void {
  for (const name of statement.tables) {
    const table = requireTable(name, a);
    const objects: CatalogObject[] = [table, ...a.catalog().indexesOf(table.oid)].map((object) => {
      a.dropTree(object);
      return { ...object, generation: object.generation + 1 };
    });
    a.change(objects.map((object) => ({ kind: 'put', object })));
    if (statement.restartIdentity)
      for (const sequence of a.catalog().sequencesOwnedBy(table.oid)) a.restartSequence(sequence);
  }
}

export function alterTable(statement: Of<'alter-table'>, a: DdlAccess): void {
  const found = findRelation(a.bindContext(), statement.table.schema, statement.table.name);
  if (found === undefined && statement.ifExists) {
    a.notice(`relation "${statement.table.name}" does not exist, skipping`);
    return;
  }
  const { oid } = requireTable(statement.table, a);
  for (const action of statement.actions) alterOne(a.catalog().table(oid)!, action, a);
}

function alterOne(table: Table, action: AlterTableAction, a: DdlAccess): void {
  switch (action.kind) {
    case 'add-column':
      addColumn(table, action, a);
      return;
    case 'drop-column':
      dropColumn(table, action, a);
      return;
    case 'rename-column':
      renameColumn(table, action, a);
      return;
    case 'rename':
      requireFree(table.schema, action.to, a);
      a.change([{ kind: 'put', object: { ...table, name: action.to } }]);
      return;
    case 'add-constraint':
      addConstraint(table, action.constraint, a, false);
      return;
    case 'drop-constraint':
      dropConstraint(table, action, a);
      return;
    default:
      alterColumn(table, action, a);
  }
}

function requireColumn(table: Table, name: string, at: number): Column {
  const column = columnByName(table, name);
  if (column === undefined)
    throw new DatabaseError('42703', `column "${name}" of relation "${table.name}" does not exist`, { at });
  return column;
}

function addColumn(
  table: Table,
  action: Extract<AlterTableAction, { kind: 'add-column' }>,
  a: DdlAccess,
): void {
  const { column: definition } = action;
  if (columnByName(table, definition.name) !== undefined) {
    if (!action.ifNotExists)
      throw new DatabaseError(
        '42701',
        `column "${definition.name}" of relation "${table.name}" already exists`,
        { at: definition.at },
      );
    a.notice(`column "${definition.name}" of relation "${table.name}" already exists, skipping`);
    return;
  }
  if (table.columns.length >= MAX_COLUMNS)
    throw new DatabaseError('54011', `tables can have at most ${MAX_COLUMNS} columns`);
  const bare = bareColumn(definition, table.columns.length + 1, undefined);
  const column = withDefault(table, bare, definition, a);
  const widened: Table = { ...table, columns: [...table.columns, column] };
  a.change([{ kind: 'put', object: widened }]);
  const missing = a.fillColumn(widened, column);
  const filled: Table =
    missing === undefined ? widened : { ...widened, columns: [...table.columns, { ...column, missing }] };
  if (missing !== undefined) a.change([{ kind: 'put', object: filled }]);
  if (column.notNull) a.verifyRows(filled, column, undefined);
  for (const constraint of columnConstraints(definition))
    addConstraint(a.catalog().table(table.oid)!, constraint, a, false);
}

function dropColumn(
  table: Table,
  action: Extract<AlterTableAction, { kind: 'drop-column' }>,
  a: DdlAccess,
): void {
  const column = columnByName(table, action.column);
  if (column === undefined && action.ifExists) {
    a.notice(`column "${action.column}" of relation "${table.name}" does not exist, skipping`);
    return;
  }
  const { number } = requireColumn(table, action.column, action.at);
  if (table.keyColumns.includes(number))
    throw notSupported('dropping a column of the primary key', action.at);
  if (liveColumns(table).length === 1) throw notSupported('dropping the last column of a table', action.at);
  for (const index of a.catalog().indexesOf(table.oid)) {
    if (!index.columns.some((each) => each.number === number)) continue;
    a.dropTree(index);
    a.change([{ kind: 'remove', oid: index.oid }]);
  }
  for (const sequence of a.catalog().sequencesOwnedBy(table.oid)) {
    if (sequence.ownedBy?.column !== number) continue;
    a.change([{ kind: 'remove', oid: sequence.oid }]);
  }
  const checks = table.checks.filter((check) => !mentions(check.expression, action.column));
  const columns = table.columns.map(
    (each): Column =>
      each.number === number
        ? {
            number,
            name: `........pg.dropped.${number}........`,
            type: each.type,
            notNull: false,
            dropped: true,
          }
        : each,
  );
  a.change([{ kind: 'put', object: { ...table, columns, checks } }]);
}

function mentions(expression: string, column: string): boolean {
  return new RegExp(
    `(^|[^a-z0-9_"$])"?${column.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}"?([^a-z0-9_"$]|$)`,
  ).test(expression.replace(/'(?:[^']|'')*'/g, ''));
}

function renameColumn(
  table: Table,
  action: Extract<AlterTableAction, { kind: 'rename-column' }>,
  a: DdlAccess,
): void {
  const column = requireColumn(table, action.column, action.at);
  if (columnByName(table, action.to) !== undefined)
    throw new DatabaseError('42701', `column "${action.to}" of relation "${table.name}" already exists`, {
      at: action.at,
    });
  if (table.checks.some((check) => mentions(check.expression, action.column)))
    throw notSupported('renaming a column that a check constraint uses', action.at);
  const columns = table.columns.map((each) => (each === column ? { ...each, name: action.to } : each));
  a.change([{ kind: 'put', object: { ...table, columns } }]);
}

function dropConstraint(
  table: Table,
  action: Extract<AlterTableAction, { kind: 'drop-constraint' }>,
  a: DdlAccess,
): void {
  const index = a
    .catalog()
    .indexesOf(table.oid)
    .find((each) => each.constraint !== undefined && each.name === action.name);
  if (index?.clustered === true)
    throw notSupported('dropping the primary key a table was created with', action.at);
  if (index !== undefined) {
    a.dropTree(index);
    a.change([{ kind: 'remove', oid: index.oid }]);
    return;
  }
  const checks = table.checks.filter((check) => check.name !== action.name);
  if (checks.length < table.checks.length) a.change([{ kind: 'put', object: { ...table, checks } }]);
  else if (action.ifExists)
    a.notice(`constraint "${action.name}" of relation "${table.name}" does not exist, skipping`);
  else
    throw new DatabaseError(
      '42704',
      `constraint "${action.name}" of relation "${table.name}" does not exist`,
      { at: action.at },
    );
}

function alterColumn(
  table: Table,
  action: Extract<AlterTableAction, { kind: 'set-default' | 'set-not-null' | 'drop-not-null' }>,
  a: DdlAccess,
): void {
  const column = requireColumn(table, action.column, action.at);
  const changed = alteredColumn(table, column, action, a);
  a.change([
    {
      kind: 'put',
      object: { ...table, columns: table.columns.map((each) => (each === column ? changed : each)) },
    },
  ]);
}

function alteredColumn(
  table: Table,
  column: Column,
  action: Extract<AlterTableAction, { kind: 'set-default' | 'set-not-null' | 'drop-not-null' }>,
  a: DdlAccess,
): Column {
  if (action.kind === 'set-default') {
    if (column.identity !== undefined)
      throw new DatabaseError(
        '42601',
        `column "${column.name}" of relation "${table.name}" is an identity column`,
        { at: action.at },
      );
    return action.expression === undefined
      ? withoutDefault(column)
      : { ...column, default: defaultText(action.expression, column.type, column.name, a) };
  }
  if (action.kind === 'set-not-null') {
    a.verifyRows(table, column, undefined);
    return { ...column, notNull: true };
  }
  const inKey = a
    .catalog()
    .primaryKey(table.oid)
    ?.columns.some(({ number }) => number === column.number);
  if (inKey === true)
    throw new DatabaseError('42P16', `column "${column.name}" is in a primary key`, { at: action.at });
  return { ...column, notNull: false };
}
