/** The order of ORDER BY. */
import { typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';

export interface SortKey {
  readonly type: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export function compareSorted(a: readonly Value[], b: readonly Value[], keys: readonly SortKey[]): number {
  for (let i = 0; i < keys.length; i++) {
    const order = compareOne(a[i]!, b[i]!, keys[i]!);
    if (order !== 0) return order;
  }
  return 0;
}

export function compareOne(a: Value, b: Value, { type, descending, nullsFirst }: SortKey): number {
  if (a === null || b === null) {
    if (a === b) return 0;
    return (a === null) === nullsFirst ? -1 : 1;
  }
  const order = typeOf(type).compare!(a, b);
  return descending ? -order : order;
}
