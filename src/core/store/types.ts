/**
 * The ordered key-value store under every durable service: named trees of byte keys to byte values, over a
 * journal (`core/journal`).
 *
 *   commit(changes)  ──▶ visible to this process at once ──▶ journal append ──▶ fdatasync ──▶ promise resolves
 *
 * A commit is seen by later reads as soon as the call returns, and is durable when its promise resolves.
 * So a reply that depends on what was read or written waits for `settled()` before it leaves the process.
 * Changes become durable in the order of their commits, all of one commit or nothing of it.
 *
 * Keys are compared as unsigned bytes, shorter first on a common prefix. Keys of more than one part are
 * made with `encodeKey` of `tuple.ts`, which keeps the order of the parts.
 */

import type { Mark } from '../journal/types.ts';

export interface Entry {
  readonly key: Buffer;
  /** Owned by the store: copy before changing it. */
  readonly value: Buffer;
}

/** Bounds of a range scan; without bounds, all of the tree. */
export interface RangeOptions {
  /** First key included. */
  readonly from?: Uint8Array;
  /** First key not included any more. */
  readonly to?: Uint8Array;
  /** From the end to the start. Default false. */
  readonly reverse?: boolean;
  /** At most so many entries. */
  readonly limit?: number;
}

/**
 * A position in a tree, before the first entry of its range when it is new. Costs no allocation per entry:
 *
 *   using cursor = store.cursor('rows', { from, to });
 *   while (cursor.next()) use(cursor.key, cursor.value);
 *
 * `key` and `value` are views that hold until the next step: copy what is to stay. Like a range it must not
 * be used after the next commit, unless it is a snapshot's.
 */
export interface EntryCursor extends Disposable {
  /** Goes on to the next entry. @returns false when there is none left */
  next(): boolean;
  /**
   * Goes to the first entry of the range at or after `key`, in reverse to the last at or before it, wherever
   * the cursor was.
   * @returns false when there is none
   */
  seek(key: Uint8Array): boolean;
  readonly key: Buffer;
  /** A value over about 2 KB is read when it is asked for, and is a copy. @throws StoreError `corrupt` */
  readonly value: Buffer;
  /** The length of the value, which is not read for this. */
  readonly valueBytes: number;
  /** There is no next entry from here on. A second call does nothing. */
  release(): void;
}

export interface Reader {
  get(tree: string, key: Uint8Array): Buffer | undefined;
  has(tree: string, key: Uint8Array): boolean;
  /** Entries in key order. The iterator must be finished or returned before the next commit or step of a
   * compaction; a scan that lives longer takes a `snapshot`. */
  range(tree: string, options?: RangeOptions): IterableIterator<Entry>;
  /** The same without copies. */
  cursor(tree: string, options?: RangeOptions): EntryCursor;
}

/** A consistent view that later commits do not change. Costs nothing to take; must be released. */
export interface Snapshot extends Reader, Disposable {
  /** The names of the trees that hold something, in the order of their UTF-8 bytes. */
  trees(): string[];
  release(): void;
}

/** A snapshot, and the place in the journal's history that it is the state of. */
export interface Capture {
  readonly snapshot: Snapshot;
  /** The journal that the mark belongs to. */
  readonly incarnation: string;
  readonly mark: Mark;
}

export type Change =
  | { readonly kind: 'put'; readonly tree: string; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly tree: string; readonly key: Uint8Array }
  /** Deletes keys from <= key < to; without `to`, to the end of the tree. */
  | {
      readonly kind: 'delete-range';
      readonly tree: string;
      readonly from: Uint8Array;
      readonly to?: Uint8Array;
    };

export type StoreHealth =
  | { readonly state: 'ok' }
  /** The disk failed a write or a sync: reads go on, every commit is refused until the process restarts. */
  | { readonly state: 'read-only'; readonly reason: string };

export interface StoreStats {
  readonly trees: number;
  readonly journalBytes: number;
  readonly fileBytes: number;
  readonly cachedBytes: number;
  /** Commits since the store was opened. */
  readonly commits: number;
  readonly checkpoints: number;
}

export interface Store extends Reader, AsyncDisposable {
  snapshot(): Snapshot;
  /**
   * A snapshot of what is visible at the call, when all of that is durable: for a copy that must hold nothing
   * which may yet be refused. The caller releases it.
   * @throws StoreError `no-space`, `read-only`, `outcome-unknown`, `closed`
   */
  capture(): Promise<Capture>;
  /**
   * Applies all `changes`, in order, at once; resolves when they are durable.
   * @throws StoreError `no-space` (nothing was changed, and later commits may succeed), `overloaded` (the
   *   same), `read-only`, `outcome-unknown` (the disk failed: it may be there after the next start),
   *   `too-large` (key over 1,024 bytes, or one commit over 64 MiB)
   */
  commit(changes: readonly Change[]): Promise<void>;
  /** Undefined when all that is visible is durable, else a promise of that. */
  settled(): Promise<void> | undefined;
  health(): StoreHealth;
  stats(): StoreStats;
  /** Writes changed pages and lets go of the journal before them. Runs by itself; a caller may force it. */
  checkpoint(): Promise<void>;
  /**
   * Makes the page file as short as its data, moving pages from its end to free places before, a little in
   * each turn of the event loop. Commits, reads, snapshots and checkpoints go on; ranges of the store itself
   * end as with a commit. What a snapshot still needs stays where it is, and its place is given back by the
   * first checkpoint after its release.
   * @param signal ends it early, with what it has done so far
   * @returns by how many bytes the file became shorter
   * @throws StoreError `no-space`, `read-only`, `closed`, `corrupt`; nothing is lost
   */
  compact(signal?: AbortSignal): Promise<number>;
  /** Reads and verifies everything reachable. @returns what is wrong, empty when sound */
  check(): Promise<string[]>;
  close(): Promise<void>;
}
