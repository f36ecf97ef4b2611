/**
 * Opens a store: see `types.ts` for what it promises.
 */

import { compareBytes } from '../bytes/compare.ts';
import type { Files } from '../files/files.ts';
import type { Random } from '../random/random.ts';
import type { Clock } from '../time/clock.ts';
import { StoreError } from './errors.ts';
import type {
  Change,
  Entry,
  RangeOptions,
  Reader,
  Snapshot,
  Store,
  StoreHealth,
  StoreStats,
} from './types.ts';

export interface StoreOptions {
  readonly files: Files;
  /** The store's own folder, made if missing; nobody else may keep files in it. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: Random;
}

export const KEY_BYTES_MAX = 1_024;
export const COMMIT_BYTES_MAX = 64 * 1_024 * 1_024;

/** Opens the store in `folder`, making it if there is none. */
export async function openStore(_options: StoreOptions): Promise<Store> {
  return new MemoryStore();
}

type Tree = readonly Entry[];

/** A stand-in of sorted arrays with the final interface, until the tree on pages takes its place. */
class MemoryStore implements Store {
  #trees = new Map<string, Tree>();
  #commits = 0;
  #closed = false;

  get(tree: string, key: Uint8Array): Buffer | undefined {
    return get(this.#trees, tree, key);
  }

  has(tree: string, key: Uint8Array): boolean {
    return get(this.#trees, tree, key) !== undefined;
  }

  range(tree: string, options: RangeOptions = {}): IterableIterator<Entry> {
    return range(this.#trees, tree, options);
  }

  snapshot(): Snapshot {
    return new MemorySnapshot(new Map(this.#trees));
  }

  async commit(changes: readonly Change[]): Promise<void> {
    if (this.#closed) throw new StoreError('closed', 'the store is closed');
    check(changes);
    for (const change of changes)
      this.#trees.set(change.tree, apply(this.#trees.get(change.tree) ?? [], change));
    this.#commits += 1;
  }

  settled(): Promise<void> | undefined {
    return undefined;
  }

  health(): StoreHealth {
    return { state: 'ok' };
  }

  stats(): StoreStats {
    return {
      trees: this.#trees.size,
      journalBytes: 0,
      fileBytes: 0,
      cachedBytes: 0,
      commits: this.#commits,
      checkpoints: 0,
    };
  }

  async checkpoint(): Promise<void> {}

  async check(): Promise<string[]> {
    return [];
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

class MemorySnapshot implements Snapshot, Reader {
  readonly #trees: ReadonlyMap<string, Tree>;

  constructor(trees: ReadonlyMap<string, Tree>) {
    this.#trees = trees;
  }

  get(tree: string, key: Uint8Array): Buffer | undefined {
    return get(this.#trees, tree, key);
  }

  has(tree: string, key: Uint8Array): boolean {
    return get(this.#trees, tree, key) !== undefined;
  }

  range(tree: string, options: RangeOptions = {}): IterableIterator<Entry> {
    return range(this.#trees, tree, options);
  }

  release(): void {}

  [Symbol.dispose](): void {}
}

function check(changes: readonly Change[]): void {
  let bytes = 0;
  for (const change of changes) {
    const key = change.kind === 'delete-range' ? change.from : change.key;
    if (key.length > KEY_BYTES_MAX) throw new StoreError('too-large', `a key of ${key.length} bytes`);
    bytes += key.length + (change.kind === 'put' ? change.value.length : 0);
  }
  if (bytes > COMMIT_BYTES_MAX) throw new StoreError('too-large', `a commit of ${bytes} bytes`);
}

/** The index of the first entry with a key of at least `key`. */
function indexOf(entries: Tree, key: Uint8Array): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(entries[middle]!.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function get(trees: ReadonlyMap<string, Tree>, tree: string, key: Uint8Array): Buffer | undefined {
  const entries = trees.get(tree) ?? [];
  const entry = entries[indexOf(entries, key)];
  return entry !== undefined && compareBytes(entry.key, key) === 0 ? entry.value : undefined;
}

function* range(
  trees: ReadonlyMap<string, Tree>,
  tree: string,
  options: RangeOptions,
): IterableIterator<Entry> {
  const entries = trees.get(tree) ?? [];
  const start = options.from === undefined ? 0 : indexOf(entries, options.from);
  const end = options.to === undefined ? entries.length : indexOf(entries, options.to);
  const count = Math.min(Math.max(end - start, 0), options.limit ?? Number.POSITIVE_INFINITY);
  for (let step = 0; step < count; step += 1) yield entries[options.reverse ? end - 1 - step : start + step]!;
}

function apply(entries: Tree, change: Change): Tree {
  if (change.kind === 'delete-range') {
    const start = indexOf(entries, change.from);
    const end = change.to === undefined ? entries.length : indexOf(entries, change.to);
    return end <= start ? entries : entries.toSpliced(start, end - start);
  }
  const index = indexOf(entries, change.key);
  const found = entries[index] !== undefined && compareBytes(entries[index].key, change.key) === 0;
  if (change.kind === 'delete') return found ? entries.toSpliced(index, 1) : entries;
  const entry = { key: Buffer.from(change.key), value: Buffer.from(change.value) };
  return entries.toSpliced(index, found ? 1 : 0, entry);
}
