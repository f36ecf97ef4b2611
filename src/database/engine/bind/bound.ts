/**
 * The typed tree that binding makes of an AST: names are slots, operators are functions, every conversion is
 * a node of its own. Slots are positions in the row of a query level: each relation in FROM has a run of
 * them, so a join fills a row instead of making one.
 *
 *   FROM a(x, y) JOIN b(z)     row = [ x, y, key of a | z, key of b | groups | aggregates ]
 *   level 0 is the query itself, level 1 the one around it, and so on
 */
import type { Table } from '../catalog/catalog.ts';
import type { VirtualTable } from '../catalog/virtual-table.ts';
import type { AggregateDefinition } from '../functions/aggregates.ts';
import type { Callable, FunctionDefinition } from '../functions/implementation.ts';
import type { TypeRef, Value } from '../types/values.ts';

export type Bound =
  /** `at` is where an untyped literal stands, for errors when it is read. */
  | { readonly kind: 'const'; readonly value: Value; readonly type: TypeRef; readonly at?: number }
  | { readonly kind: 'param'; readonly index: number; readonly type: TypeRef }
  | {
      readonly kind: 'slot';
      readonly level: number;
      readonly slot: number;
      readonly type: TypeRef;
      readonly name: string;
    }
  | {
      readonly kind: 'call';
      /** How it is written: `f(a)`, `a + b`, `(a)::type`. */
      readonly form: 'function' | 'operator' | 'cast' | 'implicit-cast';
      readonly name: string;
      readonly args: readonly Bound[];
      readonly strict: boolean;
      readonly volatility: 'immutable' | 'stable' | 'volatile';
      readonly implementation: Callable;
      readonly type: TypeRef;
    }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Bound[]; readonly type: TypeRef }
  | { readonly kind: 'not'; readonly operand: Bound; readonly type: TypeRef }
  | {
      readonly kind: 'is';
      readonly test: 'null' | 'true' | 'false' | 'unknown';
      readonly negated: boolean;
      readonly operand: Bound;
      readonly type: TypeRef;
    }
  | {
      readonly kind: 'distinct';
      readonly negated: boolean;
      readonly left: Bound;
      readonly right: Bound;
      readonly equal: Callable;
      readonly type: TypeRef;
    }
  | {
      readonly kind: 'case';
      readonly branches: readonly { readonly when: Bound; readonly result: Bound }[];
      readonly otherwise: Bound | undefined;
      readonly type: TypeRef;
    }
  | { readonly kind: 'coalesce'; readonly args: readonly Bound[]; readonly type: TypeRef }
  | {
      readonly kind: 'nullif';
      readonly left: Bound;
      readonly right: Bound;
      readonly equal: Callable;
      readonly type: TypeRef;
    }
  | {
      readonly kind: 'extreme';
      readonly name: 'greatest' | 'least';
      readonly args: readonly Bound[];
      readonly compare: (a: NonNullable<Value>, b: NonNullable<Value>) => number;
      readonly type: TypeRef;
    }
  | { readonly kind: 'array'; readonly elements: readonly Bound[]; readonly type: TypeRef }
  | {
      readonly kind: 'subscript';
      readonly operand: Bound;
      readonly index: Bound;
      readonly base: number;
      readonly type: TypeRef;
    }
  /** `left op ANY/ALL (array)`; IN lists are this too. */
  | {
      readonly kind: 'quantified';
      readonly all: boolean;
      readonly operator: string;
      readonly left: Bound;
      readonly right: Bound;
      readonly implementation: Callable;
      readonly keyType: number | undefined;
      readonly type: TypeRef;
    }
  | { readonly kind: 'exists'; readonly query: BoundQuery; readonly type: TypeRef }
  | { readonly kind: 'scalar-query'; readonly query: BoundQuery; readonly type: TypeRef }
  | { readonly kind: 'array-query'; readonly query: BoundQuery; readonly type: TypeRef }
  /** `left op ANY/ALL (query)`; `comparison` reads left values at level 0 and the query's row through `right`. */
  | {
      readonly kind: 'quantified-query';
      readonly all: boolean;
      readonly left: readonly Bound[];
      readonly query: BoundQuery;
      readonly implementations: readonly Callable[];
      readonly type: TypeRef;
    };

export interface BoundColumn {
  readonly name: string;
  readonly type: TypeRef;
  /** Where it comes from, for RowDescription: OID of the table and number of the column, 0 for neither. */
  readonly table: number;
  readonly number: number;
}

/** One relation of FROM, with its first slot. Base tables have one slot more, for the row's key. */
export interface BoundRelation {
  readonly alias: string;
  readonly columns: readonly BoundColumn[];
  readonly base: number;
  readonly source:
    | { readonly kind: 'table'; readonly table: Table }
    | { readonly kind: 'virtual'; readonly table: VirtualTable }
    | { readonly kind: 'query'; readonly query: BoundQuery; readonly lateral: boolean }
    | {
        readonly kind: 'function';
        readonly definition: FunctionDefinition;
        readonly args: readonly Bound[];
        readonly ordinality: boolean;
      };
}

export type BoundFrom =
  | { readonly kind: 'relation'; readonly relation: BoundRelation }
  | {
      readonly kind: 'join';
      readonly type: 'inner' | 'left' | 'full';
      readonly left: BoundFrom;
      readonly right: BoundFrom;
      readonly on: Bound | undefined;
    };

export interface BoundAggregate {
  readonly definition: AggregateDefinition;
  readonly args: readonly Bound[];
  readonly distinct: boolean;
  readonly orderBy: readonly BoundSort[];
  readonly filter: Bound | undefined;
  readonly slot: number;
}

export interface BoundSort {
  readonly expression: Bound;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface BoundGrouping {
  readonly keys: readonly Bound[];
  /** Where each key's value stands after grouping. */
  readonly keySlots: readonly number[];
  readonly aggregates: readonly BoundAggregate[];
  readonly having: Bound | undefined;
}

/** A sort by an item of the output tuple, visible or hidden after the visible ones. */
export interface OutputSort {
  readonly item: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface BoundLocking {
  readonly relations: readonly BoundRelation[];
  readonly strength: 'update' | 'no key update' | 'share' | 'key share';
  readonly wait: 'wait' | 'nowait' | 'skip locked';
}

export interface BoundQuery {
  /** Visible columns; `items` of a select may hold more, for sorting. */
  readonly columns: readonly BoundColumn[];
  readonly body:
    | {
        readonly kind: 'select';
        readonly from: BoundFrom | undefined;
        readonly where: Bound | undefined;
        readonly grouping: BoundGrouping | undefined;
        readonly items: readonly Bound[];
        /** Set-returning functions of the select list: the slot their values go to. */
        readonly sets: readonly {
          readonly definition: FunctionDefinition;
          readonly args: readonly Bound[];
          readonly slot: number;
        }[];
        /** Number of leading items that DISTINCT (ON) compares; undefined without it. */
        readonly distinctItems: readonly number[] | undefined;
        readonly width: number;
      }
    | { readonly kind: 'values'; readonly rows: readonly (readonly Bound[])[] }
    | {
        readonly kind: 'set-operation';
        readonly operation: 'union' | 'intersect' | 'except';
        readonly all: boolean;
        readonly left: BoundQuery;
        readonly right: BoundQuery;
      };
  readonly orderBy: readonly OutputSort[];
  readonly limit: Bound | undefined;
  readonly offset: Bound | undefined;
  readonly locking: readonly BoundLocking[];
  /** True when it reads a row of a query around it. */
  readonly correlated: boolean;
}

export interface BoundAssignment {
  /** Column number. */
  readonly column: number;
  readonly value: Bound;
}

export interface BoundTarget {
  readonly table: Table;
  /** Per column number - 1: the default, or undefined for NULL. */
  readonly defaults: readonly (Bound | undefined)[];
  readonly checks: readonly { readonly name: string; readonly condition: Bound }[];
}

/** RETURNING: over one row of the target (and, for UPDATE and DELETE, of FROM). */
export interface BoundReturning {
  readonly columns: readonly BoundColumn[];
  readonly items: readonly Bound[];
}

export type BoundStatement =
  | { readonly kind: 'select'; readonly query: BoundQuery }
  | {
      readonly kind: 'insert';
      readonly target: BoundTarget;
      readonly query: BoundQuery;
      /** Column numbers the query's columns go to. */
      readonly columns: readonly number[];
      readonly onConflict:
        | undefined
        | {
            /** OIDs of the unique indexes that decide; undefined: all of them. */
            readonly indexes: readonly number[] | undefined;
            /** Over [ existing row, key | excluded row ]. */
            readonly update:
              | undefined
              | { readonly set: readonly BoundAssignment[]; readonly where: Bound | undefined };
          };
      readonly returning: BoundReturning | undefined;
    }
  | {
      readonly kind: 'update' | 'delete';
      readonly target: BoundTarget;
      readonly relation: BoundRelation;
      readonly from: BoundFrom;
      readonly where: Bound | undefined;
      readonly set: readonly BoundAssignment[];
      readonly width: number;
      readonly returning: BoundReturning | undefined;
    };
