import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { storeContract } from '../testing/store-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { openStore, type StoreOptions } from './store.ts';

function storeIn(files = createMemoryFiles(), overrides: Partial<StoreOptions> = {}) {
  return {
    open: () =>
      openStore({
        files,
        folder: '/store',
        clock: new SimulatedClock(),
        random: new SeededRandom(1),
        ...overrides,
      }),
  };
}

storeContract('memory enough for all', () => storeIn());
storeContract('a cache of 16 pages, checkpoints all the time', () =>
  storeIn(createMemoryFiles(), { cacheBytes: 0, dirtyBytes: 64 * 1_024 }),
);
