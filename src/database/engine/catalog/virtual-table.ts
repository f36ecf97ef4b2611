/** A table that is computed when it is read: the system catalogues. */
import type { Run } from '../execute/run.ts';
import type { TypeRef, Value } from '../types/values.ts';

export interface VirtualTable {
  readonly oid: number;
  readonly schema: number;
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: TypeRef }[];
  /** One array per row, in the order of the columns. */
  rows(run: Run): Iterable<readonly Value[]>;
}
