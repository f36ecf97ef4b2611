import { turn } from '../time/turn.ts';
import { PORTION_BYTES, PORTION_ENTRIES_MAX } from './limits.ts';
import type { Entry, Snapshot } from './types.ts';

/** Some neighbouring entries of one tree, in the order of their keys. */
export interface Portion {
  readonly tree: string;
  readonly entries: readonly Entry[];
}

/**
 * Everything that `snapshot` holds, in order: the trees by name, the entries by key. What was read is given
 * out before more is read, and the event loop has its turn in between.
 * @throws StoreError `closed` after the snapshot's release or the store's close; `corrupt`
 */
export async function* portionsOf(snapshot: Snapshot): AsyncGenerator<Portion, void> {
  for (const tree of snapshot.trees()) {
    let entries: Entry[] = [];
    let bytes = 0;
    for (const entry of snapshot.range(tree)) {
      entries.push(entry);
      bytes += entry.key.length + entry.value.length;
      if (bytes < PORTION_BYTES && entries.length < PORTION_ENTRIES_MAX) continue;
      yield { tree, entries };
      entries = [];
      bytes = 0;
      await turn();
    }
    if (entries.length > 0) yield { tree, entries };
  }
}
