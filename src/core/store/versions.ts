/**
 * Versions: whole old states that somebody still reads, and what only they need.
 *
 * Time is counted in epochs; taking a version ends one. A page knows the epoch of its birth. So a version
 * sees a page when it was born in the version's epoch or before, and not replaced before the version was taken:
 *
 *   epoch      1 ──────┐ 2 ──────┐ 3 ──────▶
 *   version            A         B
 *   page p     born ······ replaced            A sees p, so p is held by A until A is released
 *   page q                  born ······ replaced       B sees q
 *
 * A replaced page is handed to the newest version, which sees it if any does. When that version is released,
 * the page goes to the next older version that sees it, or is free. A page born after the newest version was
 * taken is seen by nobody but the current state, and is changed in place.
 *
 * Roots are kept the same way: a version notes the old root of each tree that changes while it is the newest,
 * and whoever reads an older version looks through the notes from there on. So a version costs nothing to take.
 */
import { assert } from '../assert.ts';
import type { PageRef } from './page.ts';

export class Version {
  readonly epoch: number;
  /** Numbers and births, in turn, of the replaced pages that this is the newest version to see. */
  held: number[] = [];
  /** The roots, as they were, of the trees that changed before the next version was taken. */
  readonly before = new Map<string, PageRef | undefined>();
  users = 1;

  constructor(epoch: number) {
    this.epoch = epoch;
  }
}

export class Versions {
  readonly #free: (page: number) => void;
  readonly #roots = new Map<string, PageRef>();
  /** Oldest first. */
  readonly #live: Version[] = [];
  #epoch = 1;

  /** @param free called with each page that no version sees any more */
  constructor(free: (page: number) => void) {
    this.#free = free;
  }

  /** The epoch in which new pages are born. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The current roots by tree name; an empty tree has none. */
  get roots(): ReadonlyMap<string, PageRef> {
    return this.#roots;
  }

  setRoot(tree: string, root: PageRef | undefined): void {
    const old = this.#roots.get(tree);
    if (old === root) return;
    const newest = this.#live.at(-1);
    if (newest !== undefined && !newest.before.has(tree)) newest.before.set(tree, old);
    if (root === undefined) this.#roots.delete(tree);
    else this.#roots.set(tree, root);
  }

  /** The root of `tree` in `version`. */
  rootIn(version: Version, tree: string): PageRef | undefined {
    for (let index = this.#live.lastIndexOf(version); index < this.#live.length; index += 1) {
      const { before } = this.#live[index]!;
      if (before.has(tree)) return before.get(tree);
    }
    return this.#roots.get(tree);
  }

  /** The names of all trees in `version`. */
  treesIn(version: Version): string[] {
    const names = new Set(this.#roots.keys());
    for (const live of this.#live) for (const name of live.before.keys()) names.add(name);
    return [...names].filter((name) => this.rootIn(version, name) !== undefined);
  }

  /** True when a version needs the content of a page born in epoch `birth`. */
  sees(birth: number): boolean {
    const newest = this.#live.at(-1);
    return newest !== undefined && birth <= newest.epoch;
  }

  /** The version of the current state; the same again while nothing has changed. */
  take(): Version {
    const newest = this.#live.at(-1);
    // Any change replaces the root of its tree first, for the newest version sees that root.
    if (newest !== undefined && newest.before.size === 0) {
      newest.users += 1;
      return newest;
    }
    const version = new Version(this.#epoch);
    this.#epoch += 1;
    this.#live.push(version);
    return version;
  }

  /** Keeps a replaced page for those who see it; somebody must. */
  hold(page: number, birth: number): void {
    this.#live.at(-1)!.held.push(page, birth);
  }

  /** Every page that is held. */
  *heldPages(): IterableIterator<number> {
    for (const { held } of this.#live)
      for (let index = 0; index < held.length; index += 2) yield held[index]!;
  }

  release(version: Version): void {
    assert(version.users > 0, 'a version is released once by each who took it');
    version.users -= 1;
    if (version.users > 0) return;
    const index = this.#live.lastIndexOf(version);
    this.#live.splice(index, 1);
    this.#handDown(version, this.#live[index - 1]);
  }

  #handDown(version: Version, older: Version | undefined): void {
    for (const [tree, root] of version.before) {
      if (older !== undefined && !older.before.has(tree)) older.before.set(tree, root);
    }
    const held = version.held;
    version.held = [];
    for (let index = 0; index < held.length; index += 2) {
      const birth = held[index + 1]!;
      if (older !== undefined && birth <= older.epoch) older.held.push(held[index]!, birth);
      else this.#free(held[index]!);
    }
  }

  /** Makes the roots of `version` the current ones. @returns the replaced pages that they need again */
  restore(version: Version): number[] {
    const changed = new Set<string>();
    const pages: number[] = [];
    for (const live of this.#live) {
      if (live.epoch < version.epoch) continue;
      for (const tree of live.before.keys()) changed.add(tree);
      takeBack(live, version.epoch, pages);
    }
    for (const tree of changed) this.setRoot(tree, this.rootIn(version, tree));
    return pages;
  }
}

/** Moves the pages that are seen in `epoch` from what `live` holds to `pages`. */
function takeBack(live: Version, epoch: number, pages: number[]): void {
  const kept: number[] = [];
  for (let index = 0; index < live.held.length; index += 2) {
    const birth = live.held[index + 1]!;
    if (birth <= epoch) pages.push(live.held[index]!);
    else kept.push(live.held[index]!, birth);
  }
  live.held = kept;
}
