import { type LoadOptions, loadStore } from './load.ts';
import { portionsOf } from './portions.ts';
import type { Store } from './types.ts';

export type CloneOptions = Omit<LoadOptions, 'origin'>;

/**
 * Makes a second store, in `options.folder`, of what `source` holds at the call, while `source` goes on. The
 * two share nothing: the clone has a page file as short as its data, and a journal of its own (load.ts). Of the
 * source it needs a snapshot for as long as the copying takes, and little memory.
 * @throws as `Store.capture` and `loadStore` do
 */
export async function cloneStore(source: Store, options: CloneOptions): Promise<void> {
  const { snapshot, incarnation, mark } = await source.capture();
  using _released = snapshot;
  await loadStore({ ...options, origin: { incarnation, mark } }, portionsOf(snapshot));
}
