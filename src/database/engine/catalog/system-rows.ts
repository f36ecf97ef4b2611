/**
 * What the system catalogues hold, computed from the catalogue when a statement reads them. Each builder gives
 * rows as objects; columns it does not name are NULL, or the type's zero where PostgreSQL has NOT NULL.
 */

import type { Run } from '../execute/run.ts';
import { AGGREGATE_LIST } from '../functions/aggregates.ts';
import { FUNCTIONS } from '../functions/registry.ts';
import { OID } from '../types/oids.ts';
import { formatType, TYPES } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import {
  type Column,
  columnByNumber,
  type Index,
  liveColumns,
  PG_CATALOG,
  type Relation,
  type Table,
} from './catalog.ts';
import type { VirtualTable } from './virtual-table.ts';

export type SystemRow = Readonly<Record<string, Value>>;
export type RowBuilder = (run: Run, systemTables: readonly VirtualTable[]) => Iterable<SystemRow>;

const OWNER = 10;
const BTREE = 403;
const HEAP = 2;
const DEFAULT_COLLATION = 100;
const DEFAULT_TABLESPACE = 1663;

function tables(run: Run): Table[] {
  return [...run.catalog.relations()].filter((relation): relation is Table => relation.kind === 'table');
}

function indexes(run: Run): Index[] {
  return [...run.catalog.relations()].filter((relation): relation is Index => relation.kind === 'index');
}

function schemaName(oid: number, run: Run): string {
  const schema = run.catalog.get(oid);
  return schema?.kind === 'schema' ? schema.name : '';
}

/** A collation is a property of text. */
function collationOf(column: Column): number {
  return [OID.text, OID.varchar, OID.bpchar].includes(column.type.oid as 25) ? DEFAULT_COLLATION : 0;
}

const KINDS = { table: 'r', index: 'i', sequence: 'S' } as const;

function classRow(relation: Relation, run: Run): SystemRow {
  const isTable = relation.kind === 'table';
  return {
    oid: relation.oid,
    relname: relation.name,
    relnamespace: relation.schema,
    reltype: 0,
    relowner: OWNER,
    relam: isTable ? HEAP : relation.kind === 'index' ? BTREE : 0,
    relfilenode: relation.oid,
    reltuples: -1,
    relhasindex: isTable && run.catalog.indexesOf(relation.oid).length > 0,
    relpersistence: 'p',
    relkind: KINDS[relation.kind],
    relnatts: isTable ? relation.columns.length : relation.kind === 'index' ? relation.columns.length : 3,
    relchecks: isTable ? relation.checks.length : 0,
    relispopulated: true,
    relreplident: isTable ? 'd' : 'n',
  };
}

function* classRows(run: Run, systemTables: readonly VirtualTable[]): Iterable<SystemRow> {
  for (const relation of run.catalog.relations()) yield classRow(relation, run);
  for (const { oid, name, schema, columns } of systemTables)
    yield {
      oid,
      relname: name,
      relnamespace: schema,
      relowner: OWNER,
      relam: HEAP,
      relfilenode: oid,
      reltuples: -1,
      relpersistence: 'p',
      relkind: schema === PG_CATALOG ? 'r' : 'v',
      relnatts: columns.length,
      relispopulated: true,
      relreplident: 'n',
    };
}

function attributeRow(relation: number, column: Column): SystemRow {
  const type = TYPES.get(column.type.oid)!;
  const stored = column.dropped === true ? 0 : column.type.oid;
  return {
    attrelid: relation,
    attname: column.name,
    atttypid: stored,
    attstattarget: -1,
    attlen: type.length,
    attnum: column.number,
    attndims: type.category === 'A' ? 1 : 0,
    attcacheoff: -1,
    atttypmod: column.type.modifier,
    attbyval: type.length > 0 && type.length <= 8,
    attstorage: type.length < 0 ? 'x' : 'p',
    attalign: type.length === 8 ? 'd' : type.length === 2 ? 's' : type.length === 1 ? 'c' : 'i',
    attnotnull: column.notNull,
    atthasdef: column.default !== undefined && column.identity === undefined,
    atthasmissing: column.missing !== undefined,
    attidentity: column.identity === undefined ? '' : column.identity === 'always' ? 'a' : 'd',
    attgenerated: '',
    attisdropped: column.dropped === true,
    attislocal: true,
    attinhcount: 0,
    attcollation: collationOf(column),
  };
}

function* attributeRows(run: Run, systemTables: readonly VirtualTable[]): Iterable<SystemRow> {
  for (const table of tables(run)) for (const column of table.columns) yield attributeRow(table.oid, column);
  for (const index of indexes(run)) {
    const table = run.catalog.table(index.table)!;
    for (const [i, { number }] of index.columns.entries()) {
      const { default: _default, identity: _identity, ...column } = columnByNumber(table, number);
      yield attributeRow(index.oid, { ...column, number: i + 1, notNull: false });
    }
  }
  for (const { oid, columns } of systemTables)
    for (const [i, { name, type }] of columns.entries())
      yield attributeRow(oid, { number: i + 1, name, type, notNull: false });
}

function* defaultRows(run: Run): Iterable<SystemRow> {
  for (const table of tables(run))
    for (const column of table.columns)
      if (column.default !== undefined && column.identity === undefined)
        yield {
          oid: table.oid * 2_000 + column.number,
          adrelid: table.oid,
          adnum: column.number,
          adbin: column.default,
        };
}

const TYPE_CLASSES: Readonly<Record<string, string>> = { P: 'p', X: 'p' };

function* typeRows(): Iterable<SystemRow> {
  for (const type of TYPES.values())
    yield {
      oid: type.oid,
      typname: type.name,
      typnamespace: PG_CATALOG,
      typowner: OWNER,
      typlen: type.length,
      typbyval: type.length > 0 && type.length <= 8,
      typtype: TYPE_CLASSES[type.category] ?? 'b',
      typcategory: type.category,
      typispreferred: type.preferred,
      typisdefined: true,
      typdelim: ',',
      typrelid: 0,
      typelem: type.elementOid,
      typarray: type.arrayOid,
      typalign: type.length === 8 ? 'd' : 'i',
      typstorage: type.length < 0 ? 'x' : 'p',
      typtypmod: -1,
      typcollation: type.category === 'S' ? DEFAULT_COLLATION : 0,
    };
}

/** Bit 0 descending, bit 1 NULLS FIRST. */
function indexRow(index: Index): SystemRow {
  return {
    indexrelid: index.oid,
    indrelid: index.table,
    indnatts: index.columns.length,
    indnkeyatts: index.columns.length,
    indisunique: index.unique,
    indnullsnotdistinct: false,
    indisprimary: index.constraint?.kind === 'primary',
    indisexclusion: false,
    indimmediate: true,
    indisclustered: false,
    indisvalid: true,
    indcheckxmin: false,
    indisready: true,
    indislive: true,
    indisreplident: false,
    indkey: index.columns.map(({ number }) => number),
    indcollation: index.columns.map(() => 0),
    indclass: index.columns.map(() => 0),
    indoption: index.columns.map(({ descending, nullsFirst }) => (descending ? 1 : 0) + (nullsFirst ? 2 : 0)),
  };
}

const CONSTRAINT = {
  condeferrable: false,
  condeferred: false,
  convalidated: true,
  contypid: 0,
  conparentid: 0,
  confrelid: 0,
  confupdtype: ' ',
  confdeltype: ' ',
  confmatchtype: ' ',
  conislocal: true,
  coninhcount: 0,
  connoinherit: true,
};

function* constraintRows(run: Run): Iterable<SystemRow> {
  for (const { constraint, ...index } of indexes(run))
    if (constraint !== undefined)
      yield {
        ...CONSTRAINT,
        oid: constraint.oid,
        conname: index.name,
        connamespace: index.schema,
        contype: constraint.kind === 'primary' ? 'p' : 'u',
        conrelid: index.table,
        conindid: index.oid,
        conkey: index.columns.map(({ number }) => number),
      };
  for (const table of tables(run))
    for (const check of table.checks)
      yield {
        ...CONSTRAINT,
        oid: check.oid,
        conname: check.name,
        connamespace: table.schema,
        contype: 'c',
        conrelid: table.oid,
        conindid: 0,
        connoinherit: false,
        conbin: check.expression,
      };
}

function* sequenceRows(run: Run): Iterable<SystemRow> {
  for (const relation of run.catalog.relations())
    if (relation.kind === 'sequence')
      yield {
        seqrelid: relation.oid,
        seqtypid: relation.type,
        seqstart: relation.start,
        seqincrement: relation.increment,
        seqmax: relation.maximum,
        seqmin: relation.minimum,
        seqcache: 1n,
        seqcycle: relation.cycle,
      };
}

const PG_CLASS = 1259;

function* dependRows(run: Run): Iterable<SystemRow> {
  for (const relation of run.catalog.relations())
    if (relation.kind === 'sequence' && relation.ownedBy !== undefined)
      yield {
        classid: PG_CLASS,
        objid: relation.oid,
        objsubid: 0,
        refclassid: PG_CLASS,
        refobjid: relation.ownedBy.table,
        refobjsubid: relation.ownedBy.column,
        deptype: relation.ownedBy.identity ? 'i' : 'a',
      };
}

function* roleRows(run: Run): Iterable<SystemRow> {
  yield {
    oid: OWNER,
    rolname: run.session.user,
    rolsuper: true,
    rolinherit: true,
    rolcreaterole: true,
    rolcreatedb: true,
    rolcanlogin: true,
    rolreplication: false,
    rolconnlimit: -1,
    rolpassword: '********',
    rolbypassrls: true,
    usename: run.session.user,
    usesysid: OWNER,
    usecreatedb: true,
    usesuper: true,
    userepl: false,
    usebypassrls: true,
    passwd: '********',
  };
}

function* databaseRows(run: Run): Iterable<SystemRow> {
  yield {
    oid: 5,
    datname: run.session.database,
    datdba: OWNER,
    encoding: 6,
    datlocprovider: 'c',
    datistemplate: false,
    datallowconn: true,
    datconnlimit: -1,
    dattablespace: DEFAULT_TABLESPACE,
    datcollate: 'C',
    datctype: 'C',
  };
}

function* functionRows(): Iterable<SystemRow> {
  const row = (oid: number, name: string, args: readonly number[], result: number): SystemRow => ({
    oid,
    proname: name,
    pronamespace: PG_CATALOG,
    proowner: OWNER,
    prolang: 12,
    procost: 1,
    prorows: 0,
    provolatile: 'i',
    proparallel: 's',
    pronargs: args.length,
    pronargdefaults: 0,
    prorettype: result,
    proargtypes: [...args],
    prosrc: name,
  });
  for (const { oid, name, args, result, set, strict } of FUNCTIONS)
    yield {
      ...row(oid, name, args, result),
      prokind: 'f',
      proretset: set !== undefined,
      proisstrict: strict,
    };
  for (const { oid, name, args, result } of AGGREGATE_LIST)
    yield { ...row(oid, name, args, result), prokind: 'a', proretset: false, proisstrict: false };
}

function* settingRows(run: Run): Iterable<SystemRow> {
  for (const name of [
    'server_version',
    'server_version_num',
    'client_encoding',
    'server_encoding',
    'TimeZone',
    'DateStyle',
    'search_path',
    'standard_conforming_strings',
    'max_identifier_length',
    'max_connections',
    'lc_collate',
    'lc_ctype',
    'statement_timeout',
    'transaction_isolation',
  ])
    yield {
      name,
      setting: run.session.setting(name) ?? '',
      category: '',
      short_desc: '',
      context: 'user',
      vartype: 'string',
      source: 'default',
      pending_restart: false,
    };
}

function* activityRows(run: Run): Iterable<SystemRow> {
  for (const {
    processId,
    user,
    applicationName,
    clientAddress,
    state,
    query,
    startedAt,
  } of run.session.activities())
    yield {
      datid: 5,
      datname: run.session.database,
      pid: processId,
      usesysid: OWNER,
      usename: user,
      application_name: applicationName,
      client_addr: clientAddress,
      backend_start: startedAt,
      state,
      query,
      backend_type: 'client backend',
    };
}

function* tableViewRows(run: Run): Iterable<SystemRow> {
  for (const table of tables(run))
    yield {
      schemaname: schemaName(table.schema, run),
      tablename: table.name,
      tableowner: run.session.user,
      hasindexes: run.catalog.indexesOf(table.oid).length > 0,
      hasrules: false,
      hastriggers: false,
      rowsecurity: false,
      relid: table.oid,
      relname: table.name,
    };
}

function* indexViewRows(run: Run): Iterable<SystemRow> {
  for (const index of indexes(run)) {
    const table = run.catalog.table(index.table)!;
    const columns = index.columns.map(({ number }) => columnByNumber(table, number).name).join(', ');
    const schema = schemaName(index.schema, run);
    yield {
      schemaname: schema,
      tablename: table.name,
      indexname: index.name,
      relname: table.name,
      indexrelname: index.name,
      relid: table.oid,
      indexrelid: index.oid,
      indexdef: `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${index.name} ON ${schema}.${table.name} USING btree (${columns})`,
    };
  }
}

function* sequenceViewRows(run: Run): Iterable<SystemRow> {
  for (const relation of run.catalog.relations())
    if (relation.kind === 'sequence') {
      const { last, isCalled } = run.session.sequenceState(relation.oid);
      yield {
        schemaname: schemaName(relation.schema, run),
        sequencename: relation.name,
        sequenceowner: run.session.user,
        data_type: relation.type,
        start_value: relation.start,
        min_value: relation.minimum,
        max_value: relation.maximum,
        increment_by: relation.increment,
        cycle: relation.cycle,
        cache_size: 1n,
        last_value: isCalled ? last : null,
      };
    }
}

// information_schema

function* tableInformation(run: Run, systemTables: readonly VirtualTable[]): Iterable<SystemRow> {
  const base = { table_catalog: run.session.database, is_insertable_into: 'YES', is_typed: 'NO' };
  for (const table of tables(run))
    yield {
      ...base,
      table_schema: schemaName(table.schema, run),
      table_name: table.name,
      table_type: 'BASE TABLE',
    };
  for (const { schema, name } of systemTables)
    yield {
      ...base,
      table_schema: schema === PG_CATALOG ? 'pg_catalog' : 'information_schema',
      table_name: name,
      table_type: schema === PG_CATALOG ? 'BASE TABLE' : 'VIEW',
      is_insertable_into: 'NO',
    };
}

const NUMERIC_PRECISION: ReadonlyMap<number, number> = new Map([
  [OID.int2, 16],
  [OID.int4, 32],
  [OID.int8, 64],
  [OID.float4, 24],
  [OID.float8, 53],
]);

function columnInformation(table: Table, column: Column, run: Run): SystemRow {
  const { oid, modifier } = column.type;
  const type = TYPES.get(oid)!;
  const isText = oid === OID.varchar || oid === OID.bpchar;
  const isTime = type.category === 'D' && oid !== OID.date;
  const stored = column.default !== undefined && column.identity === undefined ? column.default : null;
  const shown = stored?.replace(
    /^nextval\('(\d+)'::regclass\)$/,
    (_, sequence: string) => `nextval('${run.conversion.describe('class', Number(sequence))}'::regclass)`,
  );
  return {
    table_catalog: run.session.database,
    table_schema: schemaName(table.schema, run),
    table_name: table.name,
    column_name: column.name,
    ordinal_position: column.number,
    column_default: shown ?? null,
    is_nullable: column.notNull ? 'NO' : 'YES',
    data_type:
      type.category === 'A' ? 'ARRAY' : oid === OID.bpchar ? 'character' : formatType({ oid, modifier: -1 }),
    character_maximum_length: isText && modifier > 0 ? modifier - 4 : null,
    numeric_precision:
      oid === OID.numeric
        ? modifier < 0
          ? null
          : (modifier - 4) >> 16
        : (NUMERIC_PRECISION.get(oid) ?? null),
    numeric_precision_radix: oid === OID.numeric ? 10 : NUMERIC_PRECISION.has(oid) ? 2 : null,
    numeric_scale:
      oid === OID.numeric
        ? modifier < 0
          ? null
          : (modifier - 4) & 0xffff
        : [OID.int2, OID.int4, OID.int8].includes(oid as 20)
          ? 0
          : null,
    datetime_precision: isTime ? (modifier < 0 ? 6 : modifier) : oid === OID.date ? 0 : null,
    udt_catalog: run.session.database,
    udt_schema: 'pg_catalog',
    udt_name: type.name,
    dtd_identifier: String(column.number),
    is_identity: column.identity === undefined ? 'NO' : 'YES',
    identity_generation:
      column.identity === undefined ? null : column.identity === 'always' ? 'ALWAYS' : 'BY DEFAULT',
    is_generated: 'NEVER',
    is_updatable: 'YES',
    is_self_referencing: 'NO',
  };
}

function* columnsInformation(run: Run): Iterable<SystemRow> {
  for (const table of tables(run))
    for (const column of liveColumns(table)) yield columnInformation(table, column, run);
}

function* schemataInformation(run: Run): Iterable<SystemRow> {
  for (const { name } of run.catalog.schemas())
    yield { catalog_name: run.session.database, schema_name: name, schema_owner: run.session.user };
}

function* keyConstraints(
  run: Run,
): Iterable<{ readonly index: Index; readonly table: Table; readonly base: SystemRow }> {
  for (const index of indexes(run)) {
    if (index.constraint === undefined) continue;
    const table = run.catalog.table(index.table)!;
    const schema = schemaName(table.schema, run);
    const catalog = run.session.database;
    yield {
      index,
      table,
      base: {
        constraint_catalog: catalog,
        constraint_schema: schema,
        constraint_name: index.name,
        table_catalog: catalog,
        table_schema: schema,
        table_name: table.name,
      },
    };
  }
}

function* constraintInformation(run: Run): Iterable<SystemRow> {
  for (const { index, base } of keyConstraints(run))
    yield {
      ...base,
      constraint_type: index.constraint!.kind === 'primary' ? 'PRIMARY KEY' : 'UNIQUE',
      is_deferrable: 'NO',
      initially_deferred: 'NO',
      enforced: 'YES',
      nulls_distinct: 'YES',
    };
  for (const table of tables(run))
    for (const { name } of table.checks) {
      const schema = schemaName(table.schema, run);
      yield {
        constraint_catalog: run.session.database,
        constraint_schema: schema,
        constraint_name: name,
        table_catalog: run.session.database,
        table_schema: schema,
        table_name: table.name,
        constraint_type: 'CHECK',
        is_deferrable: 'NO',
        initially_deferred: 'NO',
        enforced: 'YES',
      };
    }
}

function* keyColumnInformation(run: Run): Iterable<SystemRow> {
  for (const { index, table, base } of keyConstraints(run))
    for (const [i, { number }] of index.columns.entries())
      yield { ...base, column_name: columnByNumber(table, number).name, ordinal_position: i + 1 };
}

function* checkInformation(run: Run): Iterable<SystemRow> {
  for (const table of tables(run))
    for (const { name, expression } of table.checks)
      yield {
        constraint_catalog: run.session.database,
        constraint_schema: schemaName(table.schema, run),
        constraint_name: name,
        check_clause: expression,
      };
}

const fixed =
  (...rows: SystemRow[]): RowBuilder =>
  () =>
    rows;

export const BUILDERS: Readonly<Record<string, RowBuilder>> = {
  pg_class: classRows,
  pg_attribute: attributeRows,
  pg_attrdef: defaultRows,
  pg_type: typeRows,
  pg_index: (run) => indexes(run).map(indexRow),
  pg_constraint: constraintRows,
  pg_sequence: sequenceRows,
  pg_depend: dependRows,
  pg_roles: roleRows,
  pg_user: roleRows,
  pg_database: databaseRows,
  pg_proc: functionRows,
  pg_settings: settingRows,
  pg_stat_activity: activityRows,
  pg_tables: tableViewRows,
  pg_stat_user_tables: tableViewRows,
  pg_indexes: indexViewRows,
  pg_stat_user_indexes: indexViewRows,
  pg_sequences: sequenceViewRows,
  pg_namespace: (run) =>
    [...run.catalog.schemas()].map(({ oid, name }) => ({ oid, nspname: name, nspowner: OWNER })),
  pg_am: fixed(
    { oid: HEAP, amname: 'heap', amhandler: 3, amtype: 't' },
    { oid: BTREE, amname: 'btree', amhandler: 330, amtype: 'i' },
  ),
  pg_language: fixed({ oid: 12, lanname: 'internal', lanowner: OWNER, lanispl: false, lanpltrusted: false }),
  pg_tablespace: fixed(
    { oid: DEFAULT_TABLESPACE, spcname: 'pg_default', spcowner: OWNER },
    { oid: 1664, spcname: 'pg_global', spcowner: OWNER },
  ),
  pg_collation: fixed(
    {
      oid: DEFAULT_COLLATION,
      collname: 'default',
      collnamespace: PG_CATALOG,
      collowner: OWNER,
      collprovider: 'd',
      collisdeterministic: true,
      collencoding: -1,
    },
    {
      oid: 950,
      collname: 'C',
      collnamespace: PG_CATALOG,
      collowner: OWNER,
      collprovider: 'c',
      collisdeterministic: true,
      collencoding: -1,
      collcollate: 'C',
      collctype: 'C',
    },
  ),
  tables: tableInformation,
  columns: columnsInformation,
  schemata: schemataInformation,
  table_constraints: constraintInformation,
  key_column_usage: keyColumnInformation,
  constraint_column_usage: keyColumnInformation,
  check_constraints: checkInformation,
};
