/** The kernel's store as a contender. */
import { systemFiles } from '../../src/core/files/system-files.ts';
import { systemRandom } from '../../src/core/random/system-random.ts';
import { openStore, type StoreOptions } from '../../src/core/store/store.ts';
import type { Store } from '../../src/core/store/types.ts';
import { systemClock } from '../../src/core/time/system-clock.ts';
import type { Contender, Entry } from './contender.ts';

const TREE = 'bench';

export async function openOctet(folder: string, cacheBytes: number): Promise<Contender> {
  return contenderOf(await openStoreIn(folder, { cacheBytes }));
}

export function openStoreIn(folder: string, options: Partial<StoreOptions>): Promise<Store> {
  return openStore({ files: systemFiles, folder, clock: systemClock, random: systemRandom, ...options });
}

export function contenderOf(store: Store): Contender {
  const put = ([key, value]: Entry) => ({ kind: 'put', tree: TREE, key, value }) as const;
  return {
    commit: (key, value) => store.commit([put([key, value])]),
    load: (batch) => store.commit(batch.map(put)),
    get: (key) => store.get(TREE, key),
    scan(from, limit) {
      let count = 0;
      for (const { key, value } of store.range(TREE, { from, limit }))
        count += Math.sign(key.length * value.length);
      return count;
    },
    close: () => store.close(),
  };
}
