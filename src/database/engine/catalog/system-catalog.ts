/** The one system catalogue, the same for every database. */
import { BUILDERS } from './system-rows.ts';
import { makeSystemCatalog } from './system-tables.ts';
import type { VirtualTable } from './virtual-table.ts';

const CATALOG = makeSystemCatalog(BUILDERS);

export function systemTable(schema: string, name: string): VirtualTable | undefined {
  return CATALOG.find(schema, name);
}

export function systemTableByOid(oid: number): VirtualTable | undefined {
  return CATALOG.byOid(oid);
}
