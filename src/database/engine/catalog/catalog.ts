/**
 * The catalogue: schemas, tables, indexes and sequences, as one immutable value. DDL makes a new one from
 * the old; a transaction keeps its own until it commits, and then its changes are applied to the common one.
 *
 *   Catalog ──with(change)──▶ Catalog'        each change is also one row of the store's tree `catalog`
 *
 * Objects have OIDs that are never used again; names are unique per schema among relations.
 */
import type { TypeRef } from '../types/values.ts';

export interface Column {
  /** From 1, never reused; dropped columns keep theirs. */
  readonly number: number;
  readonly name: string;
  readonly type: TypeRef;
  readonly notNull: boolean;
  /** SQL text of the default. */
  readonly default?: string;
  readonly identity?: 'always' | 'by default';
  readonly dropped?: boolean;
  /** What rows from before the column was added hold, as text. */
  readonly missing?: string;
}

export interface Check {
  readonly oid: number;
  readonly name: string;
  /** SQL text of the condition. */
  readonly expression: string;
}

export interface Table {
  readonly kind: 'table';
  readonly oid: number;
  readonly schema: number;
  readonly name: string;
  readonly columns: readonly Column[];
  readonly checks: readonly Check[];
  /** Columns whose encoded values are the row's key in the store; empty: a hidden row number. */
  readonly keyColumns: readonly number[];
  /** Changes with TRUNCATE: names the trees of the store that hold the rows. */
  readonly generation: number;
}

export interface IndexColumn {
  readonly number: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface Index {
  readonly kind: 'index';
  readonly oid: number;
  readonly schema: number;
  readonly name: string;
  readonly table: number;
  readonly unique: boolean;
  readonly columns: readonly IndexColumn[];
  readonly constraint?: { readonly kind: 'primary' | 'unique'; readonly oid: number };
  /** True for a primary key whose entries are the table's rows themselves. */
  readonly clustered: boolean;
  readonly generation: number;
}

export interface Sequence {
  readonly kind: 'sequence';
  readonly oid: number;
  readonly schema: number;
  readonly name: string;
  readonly type: number;
  readonly start: bigint;
  readonly increment: bigint;
  readonly minimum: bigint;
  readonly maximum: bigint;
  readonly cycle: boolean;
  /** Dropped with this column: serial and identity. */
  readonly ownedBy?: { readonly table: number; readonly column: number; readonly identity: boolean };
}

export interface Schema {
  readonly kind: 'schema';
  readonly oid: number;
  readonly name: string;
}

export type Relation = Table | Index | Sequence;
export type CatalogObject = Relation | Schema;

export type CatalogChange =
  | { readonly kind: 'put'; readonly object: CatalogObject }
  | { readonly kind: 'remove'; readonly oid: number };

export const PG_CATALOG = 11;
export const INFORMATION_SCHEMA = 13_000;
export const PUBLIC = 2200;
/** The first OID of a user's object. */
export const FIRST_USER_OID = 16_384;

const BUILTIN_SCHEMAS: readonly Schema[] = [
  { kind: 'schema', oid: PG_CATALOG, name: 'pg_catalog' },
  { kind: 'schema', oid: INFORMATION_SCHEMA, name: 'information_schema' },
];

export class Catalog {
  /** Counts changes: plans made for another epoch are made again. */
  readonly epoch: number;
  readonly #objects: ReadonlyMap<number, CatalogObject>;
  readonly #names: ReadonlyMap<string, number>;
  readonly #indexes: ReadonlyMap<number, readonly Index[]>;

  private constructor(objects: ReadonlyMap<number, CatalogObject>, epoch: number) {
    this.epoch = epoch;
    this.#objects = objects;
    const names = new Map<string, number>();
    const indexes = new Map<number, Index[]>();
    for (const object of objects.values()) {
      names.set(nameKey(object), object.oid);
      if (object.kind === 'index') indexes.set(object.table, [...(indexes.get(object.table) ?? []), object]);
    }
    this.#names = names;
    this.#indexes = indexes;
  }

  static of(objects: Iterable<CatalogObject>): Catalog {
    const all = new Map<number, CatalogObject>();
    for (const object of [...BUILTIN_SCHEMAS, ...objects]) all.set(object.oid, object);
    return new Catalog(all, 1);
  }

  with(changes: readonly CatalogChange[], epoch = this.epoch + 1): Catalog {
    const objects = new Map(this.#objects);
    for (const change of changes) {
      if (change.kind === 'put') objects.set(change.object.oid, change.object);
      else objects.delete(change.oid);
    }
    return new Catalog(objects, epoch);
  }

  get(oid: number): CatalogObject | undefined {
    return this.#objects.get(oid);
  }

  objects(): Iterable<CatalogObject> {
    return this.#objects.values();
  }

  *relations(): Iterable<Relation> {
    for (const object of this.#objects.values()) if (object.kind !== 'schema') yield object;
  }

  *schemas(): Iterable<Schema> {
    for (const object of this.#objects.values()) if (object.kind === 'schema') yield object;
  }

  schema(name: string): Schema | undefined {
    const object = this.#objects.get(this.#names.get(`schema ${name}`) ?? 0);
    return object?.kind === 'schema' ? object : undefined;
  }

  relation(schema: number, name: string): Relation | undefined {
    const object = this.#objects.get(this.#names.get(`${schema} ${name}`) ?? 0);
    return object === undefined || object.kind === 'schema' ? undefined : object;
  }

  table(oid: number): Table | undefined {
    const object = this.#objects.get(oid);
    return object?.kind === 'table' ? object : undefined;
  }

  indexesOf(table: number): readonly Index[] {
    return this.#indexes.get(table) ?? [];
  }

  primaryKey(table: number): Index | undefined {
    return this.indexesOf(table).find((index) => index.constraint?.kind === 'primary');
  }

  *sequencesOwnedBy(table: number): Iterable<Sequence> {
    for (const object of this.#objects.values())
      if (object.kind === 'sequence' && object.ownedBy?.table === table) yield object;
  }
}

function nameKey(object: CatalogObject): string {
  return object.kind === 'schema' ? `schema ${object.name}` : `${object.schema} ${object.name}`;
}

export function liveColumns(table: Table): Column[] {
  return table.columns.filter((column) => column.dropped !== true);
}

export function columnByName(table: Table, name: string): Column | undefined {
  return table.columns.find((column) => column.name === name && column.dropped !== true);
}

export function columnByNumber(table: Table, number: number): Column {
  return table.columns[number - 1]!;
}
