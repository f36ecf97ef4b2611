import type { LeaseCell, LeaseHolder } from './types.ts';

/**
 * The lease cell of an engine that has its storage to itself (the file engine holds the folder's lock, the
 * memory engine its process): only holders within this process can meet, so memory is enough.
 */
export function createLocalLease(): LeaseCell {
  let current: (LeaseHolder & { readonly revision: number }) | undefined;
  return {
    get: async () => current,
    async compareAndSet(revision: number | undefined, value: LeaseHolder): Promise<number | 'conflict'> {
      if (current?.revision !== revision) return 'conflict';
      current = { ...value, revision: (revision ?? 0) + 1 };
      return current.revision;
    },
  };
}
