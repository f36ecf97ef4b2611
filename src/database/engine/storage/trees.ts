/**
 * Names of the store's trees, and the keys of rows and index entries.
 *
 *   t<oid>.<generation>   rows:           row key → row                     (row-codec)
 *   i<oid>.<generation>   index entries:  column values [row key] → row key
 *   catalog               objects:        oid → JSON
 *   sequences             oid → last value, is called
 *
 * A row's key is its primary key where the table was created with one, else a hidden number of 8 bytes.
 * A unique index's entry has no row key after its values unless one of them is NULL, so that equal values
 * meet in one key.
 */
import { columnByNumber, type Index, type Table } from '../catalog/catalog.ts';
import type { Value } from '../types/values.ts';
import { type KeyPart, KeyWriter } from './key-codec.ts';

export const CATALOG_TREE = 'catalog';
export const SEQUENCE_TREE = 'sequences';

export function rowTree(table: Table): string {
  return `t${table.oid}.${table.generation}`;
}

export function indexTree(index: Index): string {
  return `i${index.oid}.${index.generation}`;
}

export function keyParts(index: Index, table: Table): KeyPart[] {
  return index.columns.map(({ number, descending, nullsFirst }) => ({
    type: columnByNumber(table, number).type.oid,
    descending,
    nullsFirst,
  }));
}

/** The key of a row by its values; undefined when the table numbers its rows. */
export function clusteredKey(table: Table, values: readonly Value[]): Buffer | undefined {
  if (table.keyColumns.length === 0) return undefined;
  const w = new KeyWriter();
  for (const number of table.keyColumns)
    w.part(values[number - 1]!, {
      type: columnByNumber(table, number).type.oid,
      descending: false,
      nullsFirst: false,
    });
  return w.take();
}

/** @returns the entry's key, and whether it must be alone among all rows */
export function indexKey(
  index: Index,
  parts: readonly KeyPart[],
  values: readonly Value[],
  rowKey: Uint8Array,
): { readonly key: Buffer; readonly exclusive: boolean } {
  const w = new KeyWriter();
  let hasNull = false;
  index.columns.forEach(({ number }, i) => {
    const value = values[number - 1] ?? null;
    hasNull ||= value === null;
    w.part(value, parts[i]!);
  });
  const exclusive = index.unique && !hasNull;
  if (!exclusive) w.raw(rowKey);
  return { key: w.take(), exclusive };
}

export function oidKey(oid: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(oid);
  return key;
}

export function rowNumberKey(number: bigint): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeBigUInt64BE(number);
  return key;
}
