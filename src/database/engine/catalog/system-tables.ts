import type { VirtualTable } from './virtual-table.ts';
export function systemTable(_schema: string, _name: string): VirtualTable | undefined {
  return undefined;
}
export function systemTableByOid(_oid: number): VirtualTable | undefined {
  return undefined;
}
