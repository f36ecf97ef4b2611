/** The engine's storage on core/store: one store holds catalogue, rows, indexes and sequences of a database. */

import { openServiceStore, type StoreHost } from '../core/store/service-store.ts';
import type { Snapshot, Store } from '../core/store/types.ts';
import type { RowStore } from './engine/database.ts';

export interface OpenRowStore extends RowStore {
  readonly store: Store;
  /** Snapshots taken and not released. */
  readonly snapshotCount: number;
  close(): Promise<void>;
}

/** @throws FilesError `locked`, StoreError `corrupt`, `newer-format` */
export async function openRowStore(host: StoreHost, folder: string): Promise<OpenRowStore> {
  return rowStoreOver(await openServiceStore(host, folder));
}

export function rowStoreOver(store: Store): OpenRowStore {
  const held = new Set<Snapshot>();
  return {
    store,
    get snapshotCount() {
      return held.size;
    },
    get: (tree, key) => store.get(tree, key),
    range: (tree, range) => store.range(tree, range),
    snapshot: () => {
      const snapshot = store.snapshot();
      held.add(snapshot);
      return {
        get: (tree, key) => snapshot.get(tree, key),
        range: (tree, range) => snapshot.range(tree, range),
        release: () => {
          held.delete(snapshot);
          snapshot.release();
        },
      };
    },
    commit: (changes) => store.commit(changes),
    settled: () => store.settled(),
    close: () => store.close(),
  };
}
