/** What the executor reads: rows of the store as one transaction sees them. Declared here, implemented over `core/store`. */

export interface RowEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface ReadRange {
  readonly from?: Uint8Array;
  readonly to?: Uint8Array;
  readonly reverse?: boolean;
}

export interface RowView {
  get(tree: string, key: Uint8Array): Buffer | undefined;
  range(tree: string, range: ReadRange): IterableIterator<RowEntry>;
}
