/** What a salvage writes, as ordinary commits into the new store. */
import { SALVAGE_COMMIT_BYTES } from './limits.ts';
import type { Change, Store } from './types.ts';

/** Gathers changes into commits of about `SALVAGE_COMMIT_BYTES`; a larger value is a commit of its own. */
export class Output {
  readonly #store: Store;
  #changes: Change[] = [];
  #bytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async put(tree: string, key: Buffer, value: Buffer): Promise<void> {
    await this.apply({ kind: 'put', tree, key, value });
  }

  async apply(change: Change): Promise<void> {
    const bytes = change.kind === 'put' ? change.value.length : 0;
    if (this.#bytes + bytes > SALVAGE_COMMIT_BYTES) await this.flush();
    this.#changes.push(change);
    this.#bytes += bytes + CHANGE_BYTES;
  }

  async flush(): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    this.#bytes = 0;
    if (changes.length > 0) await this.#store.commit(changes);
  }
}

/** What a change costs beside its value, about. */
const CHANGE_BYTES = 200;
