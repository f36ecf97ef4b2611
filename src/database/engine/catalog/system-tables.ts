/** The system catalogues as relations: columns from `system-columns.ts`, rows from `system-rows.ts`. */
import type { Run } from '../execute/run.ts';
import { OID } from '../types/oids.ts';
import { typeByName } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import { INFORMATION_SCHEMA, PG_CATALOG } from './catalog.ts';
import { SYSTEM_COLUMNS } from './system-columns.ts';
import type { RowBuilder, SystemRow } from './system-rows.ts';
import type { VirtualTable } from './virtual-table.ts';

/** OIDs of information_schema's views, which PostgreSQL numbers anew in each installation. */
const FIRST_VIEW_OID = 13_100;

export interface SystemCatalog {
  find(schema: string, name: string): VirtualTable | undefined;
  byOid(oid: number): VirtualTable | undefined;
}

export function makeSystemCatalog(builders: Readonly<Record<string, RowBuilder>>): SystemCatalog {
  const all: VirtualTable[] = [];
  const names = new Map<string, VirtualTable>();
  const oids = new Map<number, VirtualTable>();
  SYSTEM_COLUMNS.trim()
    .split('\n')
    .forEach((line, i) => {
      const table = parseLine(line, FIRST_VIEW_OID + i, builders, all);
      all.push(table);
      names.set(`${table.schema === PG_CATALOG ? 'pg_catalog' : 'information_schema'}.${table.name}`, table);
      oids.set(table.oid, table);
    });
  return { find: (schema, name) => names.get(`${schema}.${name}`), byOid: (oid) => oids.get(oid) };
}

function parseLine(
  line: string,
  viewOid: number,
  builders: Readonly<Record<string, RowBuilder>>,
  all: readonly VirtualTable[],
): VirtualTable {
  const [schemaName, name, oidText, ...described] = line.split(' ') as [string, string, string, ...string[]];
  const schema = schemaName === 'pg_catalog' ? PG_CATALOG : INFORMATION_SCHEMA;
  const oid = schema === PG_CATALOG ? Number(oidText) : viewOid;
  const columns = described.map((text) => {
    const [column, type] = text.split(':') as [string, string];
    return { name: column, type: { oid: typeByName(type)!.oid, modifier: -1 } };
  });
  const build = builders[name];
  return {
    oid,
    schema,
    name,
    columns,
    rows: function* (run: Run) {
      if (build !== undefined)
        for (const row of build(run, all))
          yield columns.map((column) => cellOf(row, column.name, column.type.oid, oid));
    },
  };
}

/** What a builder left out: false and 0 for the types that PostgreSQL's catalogues never leave NULL. */
function cellOf(row: SystemRow, column: string, type: number, tableOid: number): Value {
  const value = row[column];
  if (value !== undefined) return value;
  if (column === 'tableoid') return tableOid;
  if (type === OID.bool) return false;
  return type === OID.oid || type === OID.int2 || type === OID.int4 || type === OID.regproc ? 0 : null;
}
