/** Functions about the session, its settings, sequences and locks, and about the catalogue. */
import { DatabaseError } from '../../errors.ts';
import { deparse, quoteName } from '../bind/deparse.ts';
import type { Run } from '../execute/run.ts';
import { OID } from '../types/oids.ts';
import { formatType } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import type { FunctionDefinition } from './implementation.ts';
import { define } from './scalar.ts';

const { bool, int4, int8, text, name, oid, regclass, regtype, timestamptz, void: nothing } = OID;
const nameArray = 1003;

const STABLE = { volatility: 'stable' } as const;
const VOLATILE = { volatility: 'volatile' } as const;

const session: FunctionDefinition[] = [
  ...['current_user', 'session_user', 'user', 'current_role'].map((each) =>
    define(each, [], name, (run: Run) => run.session.user, STABLE),
  ),
  define('current_database', [], name, (run: Run) => run.session.database, STABLE),
  define('current_catalog', [], name, (run: Run) => run.session.database, STABLE),
  define(
    'current_schema',
    [],
    name,
    (run: Run) =>
      run.session.searchPath.find(
        (schema) => schema !== 'pg_catalog' && run.catalog.schema(schema) !== undefined,
      ) ?? null,
    STABLE,
  ),
  define(
    'current_schemas',
    [bool],
    nameArray,
    (implicit: boolean, run: Run) =>
      run.session.searchPath.filter(
        (schema) => (implicit || schema !== 'pg_catalog') && run.catalog.schema(schema) !== undefined,
      ),
    STABLE,
  ),
  define(
    'current_setting',
    [text],
    text,
    (setting: string, run: Run) => {
      const value = run.session.setting(setting);
      if (value === undefined)
        throw new DatabaseError('42704', `unrecognized configuration parameter "${setting}"`);
      return value;
    },
    STABLE,
  ),
  define(
    'current_setting',
    [text, bool],
    text,
    (setting: string, missing: boolean, run: Run) => {
      const value = run.session.setting(setting);
      if (value === undefined && !missing)
        throw new DatabaseError('42704', `unrecognized configuration parameter "${setting}"`);
      return value ?? null;
    },
    STABLE,
  ),
  define(
    'set_config',
    [text, text, bool],
    text,
    (setting: string, value: string, local: boolean, run: Run) => run.session.set(setting, value, local),
    VOLATILE,
  ),
  define('version', [], text, () => 'PostgreSQL 15.18 (Octet 0.1)', STABLE),
  define('pg_backend_pid', [], int4, (run: Run) => run.session.processId, STABLE),
  define(
    'pg_cancel_backend',
    [int4],
    bool,
    (processId: number, run: Run) => run.session.cancelBackend(processId),
    VOLATILE,
  ),
  define('txid_current', [], int8, (run: Run) => BigInt(run.session.transactionId()), STABLE),
  define('pg_is_in_recovery', [], bool, () => false, STABLE),
  define('pg_postmaster_start_time', [], timestamptz, (run: Run) => run.transactionStart, STABLE),
  define('inet_server_addr', [], text, () => null, STABLE),
  define('inet_server_port', [], int4, () => null, STABLE),
  define(
    'pg_sleep',
    [OID.float8],
    nothing,
    () => {
      throw new DatabaseError('0A000', 'pg_sleep is not supported');
    },
    VOLATILE,
  ),
];

const sequences: FunctionDefinition[] = [
  define(
    'nextval',
    [regclass],
    int8,
    (sequence: number, run: Run) => run.session.nextval(sequence),
    VOLATILE,
  ),
  define(
    'currval',
    [regclass],
    int8,
    (sequence: number, run: Run) => run.session.currval(sequence),
    VOLATILE,
  ),
  define('lastval', [], int8, (run: Run) => run.session.lastval(), VOLATILE),
  define(
    'setval',
    [regclass, int8],
    int8,
    (sequence: number, value: bigint, run: Run) => run.session.setval(sequence, value, true),
    VOLATILE,
  ),
  define(
    'setval',
    [regclass, int8, bool],
    int8,
    (sequence: number, value: bigint, called: boolean, run: Run) =>
      run.session.setval(sequence, value, called),
    VOLATILE,
  ),
  define(
    'pg_get_serial_sequence',
    [text, text],
    text,
    (table: string, column: string, run: Run) => {
      const found = run.catalog.table(run.conversion.lookup('class', table));
      const number = found?.columns.find((each) => each.name === column)?.number;
      for (const sequence of run.catalog.sequencesOwnedBy(found?.oid ?? 0)) {
        const schema = run.catalog.get(sequence.schema);
        if (sequence.ownedBy?.column === number && schema?.kind === 'schema')
          return `${quoteName(schema.name)}.${quoteName(sequence.name)}`;
      }
      return null;
    },
    STABLE,
  ),
];

function lockFunctions(): FunctionDefinition[] {
  const kinds = [
    ['pg_advisory_lock', nothing, false, true, true],
    ['pg_advisory_lock_shared', nothing, true, true, true],
    ['pg_try_advisory_lock', bool, false, false, true],
    ['pg_try_advisory_lock_shared', bool, true, false, true],
    ['pg_advisory_xact_lock', nothing, false, true, false],
    ['pg_try_advisory_xact_lock', bool, false, false, false],
  ] as const;
  const locks = kinds.flatMap(([each, result, shared, wait, forSession]) => {
    const answer = (taken: boolean): Value => (result === bool ? taken : '');
    return [
      define(
        each,
        [int8],
        result,
        (key: bigint, run: Run) => answer(run.session.advisoryLock(String(key), shared, wait, forSession)),
        VOLATILE,
      ),
      define(
        each,
        [int4, int4],
        result,
        (a: number, b: number, run: Run) =>
          answer(run.session.advisoryLock(`${a},${b}`, shared, wait, forSession)),
        VOLATILE,
      ),
    ];
  });
  return [
    ...locks,
    define(
      'pg_advisory_unlock',
      [int8],
      bool,
      (key: bigint, run: Run) => run.session.advisoryUnlock(String(key), false),
      VOLATILE,
    ),
    define(
      'pg_advisory_unlock',
      [int4, int4],
      bool,
      (a: number, b: number, run: Run) => run.session.advisoryUnlock(`${a},${b}`, false),
      VOLATILE,
    ),
    define(
      'pg_advisory_unlock_shared',
      [int8],
      bool,
      (key: bigint, run: Run) => run.session.advisoryUnlock(String(key), true),
      VOLATILE,
    ),
  ];
}

/** True when a name without its schema leads to the object. */
function isVisible(relation: number, run: Run): boolean {
  const shown = run.conversion.describe('class', relation);
  return shown !== undefined && !/(^|[^"])\./.test(shown.replace(/"(?:[^"]|"")*"/g, 'q'));
}

function indexDefinition(index: number, column: number, run: Run): string | null {
  const found = run.catalog.get(index);
  if (found?.kind !== 'index') return null;
  const table = run.catalog.table(found.table)!;
  const parts = found.columns.map(({ number, descending, nullsFirst }) => {
    const order = descending ? ' DESC' : '';
    const nulls = descending === nullsFirst ? '' : nullsFirst ? ' NULLS FIRST' : ' NULLS LAST';
    return quoteName(table.columns[number - 1]!.name) + (column === 0 ? order + nulls : '');
  });
  if (column > 0) return parts[column - 1] ?? '';
  const schema = run.catalog.get(table.schema);
  const qualified = `${schema?.kind === 'schema' ? `${quoteName(schema.name)}.` : ''}${quoteName(table.name)}`;
  return `CREATE ${found.unique ? 'UNIQUE ' : ''}INDEX ${quoteName(found.name)} ON ${qualified} USING btree (${parts.join(', ')})`;
}

function constraintDefinition(constraint: number, run: Run): string | null {
  for (const object of run.catalog.relations()) {
    if (object.kind === 'index' && object.constraint?.oid === constraint) {
      const table = run.catalog.table(object.table)!;
      const columns = object.columns
        .map(({ number }) => quoteName(table.columns[number - 1]!.name))
        .join(', ');
      return `${object.constraint.kind === 'primary' ? 'PRIMARY KEY' : 'UNIQUE'} (${columns})`;
    }
    const check = object.kind === 'table' ? object.checks.find((each) => each.oid === constraint) : undefined;
    if (check !== undefined) return `CHECK (${check.expression})`;
  }
  return null;
}

/** Stored expressions name sequences by OID; shown, they have their names. */
function storedExpression(expression: string, run: Run): string {
  return expression.replace(/^nextval\('(\d+)'::regclass\)$/, (_, sequence: string) => {
    const shown = run.conversion.describe('class', Number(sequence)) ?? sequence;
    return `nextval(${deparse({ kind: 'const', value: shown, type: { oid: OID.text, modifier: -1 } }, run.conversion).replace(/::text$/, '')}::regclass)`;
  });
}

const always = (each: string, args: readonly number[], value: boolean): FunctionDefinition =>
  define(each, args, bool, () => value, STABLE);

const catalogue: FunctionDefinition[] = [
  define(
    'format_type',
    [oid, int4],
    text,
    (type: number | null, modifier: number | null) =>
      type === null ? null : formatType({ oid: type, modifier: modifier ?? -1 }),
    { strict: false, ...STABLE },
  ),
  define(
    'pg_get_expr',
    [OID.pgNodeTree, oid],
    text,
    (expression: string, _: number, run: Run) => storedExpression(expression, run),
    STABLE,
  ),
  define(
    'pg_get_expr',
    [OID.pgNodeTree, oid, bool],
    text,
    (expression: string, _: number, __: boolean, run: Run) => storedExpression(expression, run),
    STABLE,
  ),
  define('pg_get_indexdef', [oid], text, (index: number, run: Run) => indexDefinition(index, 0, run), STABLE),
  define(
    'pg_get_indexdef',
    [oid, int4, bool],
    text,
    (index: number, column: number, _: boolean, run: Run) => indexDefinition(index, column, run),
    STABLE,
  ),
  define(
    'pg_get_constraintdef',
    [oid],
    text,
    (constraint: number, run: Run) => constraintDefinition(constraint, run),
    STABLE,
  ),
  define(
    'pg_get_constraintdef',
    [oid, bool],
    text,
    (constraint: number, _: boolean, run: Run) => constraintDefinition(constraint, run),
    STABLE,
  ),
  ...[
    'pg_get_viewdef',
    'pg_get_ruledef',
    'pg_get_triggerdef',
    'pg_get_statisticsobjdef_columns',
    'pg_get_functiondef',
    'pg_get_partkeydef',
    'pg_get_partition_constraintdef',
  ].flatMap((each) => [
    define(each, [oid], text, () => null, STABLE),
    define(each, [oid, bool], text, () => null, STABLE),
  ]),
  define(
    'pg_get_userbyid',
    [oid],
    name,
    (role: number, run: Run) => (role === 10 ? run.session.user : `unknown (OID=${role})`),
    STABLE,
  ),
  define(
    'pg_table_is_visible',
    [oid],
    bool,
    (relation: number, run: Run) => isVisible(relation, run),
    STABLE,
  ),
  always('pg_type_is_visible', [oid], true),
  always('pg_function_is_visible', [oid], true),
  always('pg_operator_is_visible', [oid], true),
  always('pg_collation_is_visible', [oid], true),
  always('pg_statistics_obj_is_visible', [oid], true),
  always('pg_relation_is_publishable', [regclass], true),
  ...[
    'has_table_privilege',
    'has_schema_privilege',
    'has_database_privilege',
    'has_sequence_privilege',
  ].flatMap((each) => [
    always(each, [text, text], true),
    always(each, [oid, text], true),
    always(each, [name, oid, text], true),
    always(each, [name, text, text], true),
  ]),
  define('pg_encoding_to_char', [int4], name, () => 'UTF8', STABLE),
  define('pg_char_to_encoding', [name], int4, () => 6, STABLE),
  define('getdatabaseencoding', [], name, () => 'UTF8', STABLE),
  define('obj_description', [oid], text, () => null, STABLE),
  define('obj_description', [oid, name], text, () => null, STABLE),
  define('col_description', [oid, int4], text, () => null, STABLE),
  define('shobj_description', [oid, name], text, () => null, STABLE),
  define('pg_tablespace_location', [oid], text, () => '', STABLE),
  define('pg_get_partition_ancestors', [regclass], regclass, () => [], {
    set: { columns: [{ name: 'relid', type: regclass }] },
    ...STABLE,
  }),
  define('pg_partition_ancestors', [regclass], regclass, () => [], {
    set: { columns: [{ name: 'relid', type: regclass }] },
    ...STABLE,
  }),
  define(
    'to_regclass',
    [text],
    regclass,
    (relation: string, run: Run) => {
      try {
        return run.conversion.lookup('class', relation);
      } catch (thrown) {
        if (thrown instanceof DatabaseError) return null;
        throw thrown;
      }
    },
    STABLE,
  ),
  define(
    'to_regtype',
    [text],
    regtype,
    (type: string, run: Run) => {
      try {
        return run.conversion.lookup('type', type);
      } catch (thrown) {
        if (thrown instanceof DatabaseError) return null;
        throw thrown;
      }
    },
    STABLE,
  ),
  define('pg_size_pretty', [int8], text, (bytes: bigint) => prettySize(bytes), STABLE),
  define('array_to_string', [OID.int2vector, text], text, (items: number[], separator: string) =>
    items.join(separator),
  ),
  define('pg_get_function_result', [oid], text, () => null, STABLE),
  define('pg_get_function_arguments', [oid], text, () => null, STABLE),
  define('pg_my_temp_schema', [], oid, () => 0, STABLE),
  define('pg_is_other_temp_schema', [oid], bool, () => false, STABLE),
];

function prettySize(bytes: bigint): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 10_240n && unit < units.length - 1) {
    value /= 1_024n;
    unit++;
  }
  return `${value} ${units[unit]}`;
}

export const SYSTEM_FUNCTIONS: readonly FunctionDefinition[] = [
  ...session,
  ...sequences,
  ...lockFunctions(),
  ...catalogue,
];
