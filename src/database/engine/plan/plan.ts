/**
 * Plans: how a bound query is computed. A source fills the slots of its query's row, one row at a time; a
 * query makes tuples of them.
 *
 *   scan ─▶ join ─▶ filter ─▶ group ─▶ │ items ─▶ distinct ─▶ sort ─▶ lock ─▶ limit
 *            slots of one row          │           tuples of values
 */
import type { Bound, BoundAggregate, BoundLocking, BoundRelation, OutputSort } from '../bind/bound.ts';
import type { Index } from '../catalog/catalog.ts';
import type { FunctionDefinition } from '../functions/implementation.ts';

export interface RangeBound {
  readonly value: Bound;
  readonly inclusive: boolean;
}

/** Entries of an index (or of the table itself, for a clustered key) between two keys. */
export interface IndexAccess {
  readonly index: Index;
  /** Values of the leading columns. */
  readonly equal: readonly Bound[];
  /** The column after them takes each value of this array. */
  readonly any: Bound | undefined;
  /** Bounds of the column after them. */
  readonly low: RangeBound | undefined;
  readonly high: RangeBound | undefined;
  readonly reverse: boolean;
}

export type SourcePlan =
  | { readonly kind: 'one-row' }
  | {
      readonly kind: 'scan';
      readonly relation: BoundRelation;
      readonly access: IndexAccess | undefined;
      readonly filter: Bound | undefined;
    }
  | { readonly kind: 'virtual'; readonly relation: BoundRelation; readonly filter: Bound | undefined }
  | {
      readonly kind: 'subquery';
      readonly relation: BoundRelation;
      readonly query: QueryPlan;
      readonly filter: Bound | undefined;
    }
  | { readonly kind: 'function'; readonly relation: BoundRelation; readonly filter: Bound | undefined }
  /** For each left row, the right side is computed anew with the left row's slots filled. */
  | {
      readonly kind: 'nested-loop';
      readonly type: 'inner' | 'left';
      readonly left: SourcePlan;
      readonly right: SourcePlan;
      readonly rightSlots: readonly SlotRun[];
      readonly on: Bound | undefined;
    }
  /** The right side is kept in memory, by the values of its keys; without keys it is simply kept. */
  | {
      readonly kind: 'hash-join';
      readonly type: 'inner' | 'left' | 'full';
      readonly left: SourcePlan;
      readonly right: SourcePlan;
      readonly leftKeys: readonly Bound[];
      readonly rightKeys: readonly Bound[];
      readonly leftSlots: readonly SlotRun[];
      readonly rightSlots: readonly SlotRun[];
      readonly on: Bound | undefined;
    }
  | { readonly kind: 'filter'; readonly input: SourcePlan; readonly condition: Bound }
  | {
      readonly kind: 'group';
      readonly input: SourcePlan;
      readonly keys: readonly Bound[];
      readonly keySlots: readonly number[];
      readonly aggregates: readonly BoundAggregate[];
      readonly having: Bound | undefined;
      readonly width: number;
    }
  | {
      readonly kind: 'expand';
      readonly input: SourcePlan;
      readonly sets: readonly {
        readonly definition: FunctionDefinition;
        readonly args: readonly Bound[];
        readonly slot: number;
      }[];
    };

/** Slots `base` to `base + length - 1`. */
export interface SlotRun {
  readonly base: number;
  readonly length: number;
}

export type TuplePlan =
  | {
      readonly kind: 'select';
      readonly source: SourcePlan;
      readonly items: readonly Bound[];
      readonly width: number;
    }
  | { readonly kind: 'values'; readonly rows: readonly (readonly Bound[])[] }
  | {
      readonly kind: 'set-operation';
      readonly operation: 'union' | 'intersect' | 'except';
      readonly all: boolean;
      readonly left: QueryPlan;
      readonly right: QueryPlan;
    };

export interface QueryPlan {
  readonly tuples: TuplePlan;
  /** OIDs of the types of all items, hidden ones too. */
  readonly types: readonly number[];
  /** Visible items. */
  readonly columns: number;
  /** Items compared by DISTINCT (ON). */
  readonly distinct: readonly number[] | undefined;
  /** Empty when the source's order will do. */
  readonly sort: readonly OutputSort[];
  readonly limit: Bound | undefined;
  readonly offset: Bound | undefined;
  readonly locks: readonly {
    readonly locking: BoundLocking;
    readonly relation: BoundRelation;
    readonly keyItem: number;
  }[];
  readonly correlated: boolean;
}
