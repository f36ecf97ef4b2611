/**
 * All trees of a store over one set of pages: what can be read and changed now, and in versions of it.
 */
import { assert } from '../assert.ts';
import { Cursor } from './cursor.ts';
import { StoreError } from './errors.ts';
import { Finger } from './finger.ts';
import { PAGE_BYTES } from './limits.ts';
import { fillLongValuePage, LONG_VALUE_PAGE_BYTES } from './long-value.ts';
import { clearPage, LONG_VALUE, Page, type PageRef } from './page.ts';
import type { PageSet } from './page-set.ts';
import type { Pages } from './pages.ts';
import { type ChangeScanner, changeAt } from './record.ts';
import { getValue, hasKey, TreeWriter } from './tree.ts';
import type { Change, Entry, RangeOptions } from './types.ts';
import { type Inverse, NeedsVersion } from './undo.ts';
import type { Version } from './versions.ts';

/** The tree of trees: name → root. No other tree can have the empty name. */
export const CATALOG = '';

/** The state of one moment, to be written to the file while the trees change on. */
export interface Frozen {
  readonly version: Version;
  readonly catalog: PageRef | undefined;
  /** Everything that is not in the file yet, in the order of the file. */
  readonly pages: readonly Page[];
  /** Every page that the new root reaches. */
  readonly reached: PageSet;
  /** Where `reached` itself will lie. */
  readonly used: PageRef;
  readonly usedBytes: number;
}

type PutOrDelete = Exclude<Change, { readonly kind: 'delete-range' }>;

export class Forest {
  readonly pages: Pages;
  readonly #writer: TreeWriter;
  /** Trees whose root in the catalog may be wrong. */
  #changed = new Set<string>();
  /** The same for the checkpoint under way: it may yet fail. */
  #freezing = new Set<string>();
  /** Counts changes, so that a scan notices that it has been overtaken. */
  #changes = 0;
  #isClosed = false;
  readonly #finger: Finger;
  /** The tree that the finger is on, and the count of changes after its last one. */
  #fingerTree = '';
  #fingerChanges = -1;

  constructor(pages: Pages) {
    this.pages = pages;
    this.#finger = new Finger(pages);
    this.#writer = new TreeWriter(pages);
  }

  get trees(): number {
    const { roots } = this.pages.versions;
    return roots.size - Number(roots.has(CATALOG));
  }

  /** From here on every read is refused, also those of snapshots and of scans that have begun. */
  close(): void {
    this.#isClosed = true;
    this.#changes += 1;
  }

  /** @throws StoreError `closed` */
  checkOpen(): void {
    if (this.#isClosed) throw new StoreError('closed', 'the store is closed');
  }

  /** The root of `tree` now, or in `version`. */
  root(tree: string, version?: Version): PageRef | undefined {
    const { versions } = this.pages;
    return version === undefined ? versions.roots.get(tree) : versions.rootIn(version, tree);
  }

  get(tree: string, key: Uint8Array, version?: Version): Buffer | undefined {
    this.checkOpen();
    return getValue(this.pages, this.root(tree, version), key);
  }

  has(tree: string, key: Uint8Array, version?: Version): boolean {
    this.checkOpen();
    return hasKey(this.pages, this.root(tree, version), key);
  }

  /** A scan of the current state, valid until the next change. */
  cursor(tree: string, options: RangeOptions): Cursor {
    this.checkOpen();
    const changes = this.#changes;
    return new Cursor(this.pages, this.root(tree), options, () => this.#changes === changes);
  }

  range(tree: string, options: RangeOptions): IterableIterator<Entry> {
    return this.cursor(tree, options)[Symbol.iterator]();
  }

  /** A scan of `version`. @param isTaken false once the reader has released it */
  cursorIn(version: Version, tree: string, options: RangeOptions, isTaken: () => boolean): Cursor {
    this.checkOpen();
    return new Cursor(this.pages, this.root(tree, version), options, () => !this.#isClosed && isTaken());
  }

  /**
   * Applies one change.
   * @param undo gets what takes the change back. Without it, some of a change that throws may have been done: the
   *   caller restores a version
   * @throws StoreError `corrupt`; NeedsVersion when there is `undo`, and this change needs more
   */
  apply(change: Change, undo?: Inverse[]): void {
    this.#changes += 1;
    this.#changed.add(change.tree);
    const root = this.root(change.tree);
    if (change.kind === 'delete-range') {
      if (undo !== undefined) throw new NeedsVersion();
      this.#setRoot(change.tree, this.#writer.deleteRange(root, change.from, change.to));
      return;
    }
    const inverse = undo && { tree: change.tree, key: Buffer.from(change.key), value: undefined };
    this.#setRoot(change.tree, this.#applied(root, change, inverse));
    if (inverse !== undefined) undo?.push(inverse);
  }

  /**
   * Applies the change that `change` stands on to `tree`, as `apply` does without `undo`, and half a microsecond sooner
   * where the changes of a tree follow one another in the order of their keys.
   * @throws StoreError `corrupt`
   */
  applyInOrder(tree: string, change: ChangeScanner): void {
    if (!this.#applyByFinger(tree, change)) this.apply(changeAt(change, tree));
  }

  /** @returns false when the change is yet to be made */
  #applyByFinger(tree: string, change: ChangeScanner): boolean {
    if (change.kind === 'delete-range') return false;
    const finger = this.#finger;
    if (tree !== this.#fingerTree || this.#changes !== this.#fingerChanges) {
      const root = this.root(tree);
      if (root === undefined) return false;
      finger.place(root);
      this.#fingerTree = tree;
    }
    const { root } = finger;
    const isMade = finger.make(change);
    this.#changes += 1;
    this.#fingerChanges = this.#changes;
    if (finger.root !== root) {
      this.#changed.add(tree);
      this.#setRoot(tree, finger.root);
    }
    return isMade;
  }

  #applied(root: PageRef | undefined, change: PutOrDelete, inverse?: Inverse): PageRef | undefined {
    return change.kind === 'put'
      ? this.#writer.put(root, change.key, change.value, inverse)
      : this.#writer.delete(root, change.key, inverse);
  }

  /** Takes back the newest changes of `undo`, down to the first `count`. */
  takeBack(undo: Inverse[], count: number): void {
    for (let inverse = undo.at(-1); undo.length > count; inverse = undo.at(-1)) {
      const { tree, key, value } = inverse!;
      this.apply(value === undefined ? { kind: 'delete', tree, key } : { kind: 'put', tree, key, value });
      undo.pop();
    }
  }

  #setRoot(tree: string, root: PageRef | undefined): void {
    const old = this.root(tree);
    if (old?.number !== root?.number || old?.stamp !== root?.stamp) this.pages.versions.setRoot(tree, root);
  }

  /** Names a page that says the same as the root of `tree`, in another place. Scans notice. */
  moveRoot(tree: string, root: PageRef): void {
    this.#changes += 1;
    if (tree !== CATALOG) this.#changed.add(tree);
    this.#setRoot(tree, root);
  }

  /** The trees of now, the tree of trees last: it changes with them. */
  treeNames(): string[] {
    const names = [...this.pages.versions.roots.keys()].filter((name) => name !== CATALOG);
    return [...names, CATALOG];
  }

  /** Puts everything back to what it was when `version` was taken. */
  restore(version: Version): void {
    this.#changes += 1;
    this.pages.restore(version);
    for (const tree of this.#freezing) this.#changed.add(tree);
  }

  /** Takes over the trees of a root in the file. */
  load(catalog: PageRef | undefined, reached: PageSet): void {
    this.pages.live = reached;
    this.pages.versions.setRoot(CATALOG, catalog);
    for (const { key, value } of new Cursor(this.pages, catalog, {}, () => true)) {
      this.pages.versions.setRoot(key.toString('utf8'), decodeRef(value));
    }
  }

  /**
   * Freezes the current state for a checkpoint. From here on what it consists of is not changed, and its
   * places in the file are not given away, until `thaw`. When it throws, nothing has changed.
   * @param nextStamp the stamp of pages born after this
   * @throws StoreError `corrupt`, or a system error, when the catalog cannot be read
   */
  freeze(nextStamp: number): Frozen {
    this.#writeCatalog();
    const { pages } = this;
    const version = pages.versions.take();
    const reached = pages.live.clone();
    pages.setRooted([...pages.rooted, reached]);
    const list = this.#listPages(reached);
    pages.stamp = nextStamp;
    const all = inFileOrder([...pages.dirty, ...list.pages]);
    const catalog = this.root(CATALOG);
    return { version, catalog, pages: all, reached, used: list.pages[0]!, usedBytes: list.bytes };
  }

  /** Lets go of a frozen state. @param kept whether it has become a root of the file */
  thaw(frozen: Frozen, kept: boolean): void {
    if (kept) this.#freezing.clear();
    else this.pages.setRooted(this.pages.rooted.filter((set) => set !== frozen.reached));
    this.pages.versions.release(frozen.version);
  }

  #writeCatalog(): void {
    const { versions } = this.pages;
    const before = versions.take();
    try {
      this.#setRoot(CATALOG, this.#updatedCatalog());
    } catch (error) {
      this.pages.restore(before);
      throw error;
    } finally {
      versions.release(before);
    }
    for (const name of this.#changed) this.#freezing.add(name);
    this.#changed.clear();
  }

  #updatedCatalog(): PageRef | undefined {
    let catalog = this.root(CATALOG);
    for (const name of this.#changed) {
      const root = this.root(name);
      const key = Buffer.from(name);
      catalog =
        root === undefined
          ? this.#writer.delete(catalog, key)
          : this.#writer.put(catalog, key, encodeRef(root));
    }
    return catalog;
  }

  /** The pages that say which pages are used, themselves included. */
  #listPages(reached: PageSet): { pages: Page[]; bytes: number } {
    const numbers: number[] = [];
    let bytes = 0;
    do {
      const number = this.pages.allocate();
      reached.add(number);
      numbers.push(number);
      bytes = (Math.floor(reached.highest() / 32) + 1) * 4;
    } while (numbers.length * LONG_VALUE_PAGE_BYTES < bytes);
    const value = reached.encode(bytes);
    const pages = numbers.map((number, index) =>
      this.#listPage(number, numbers[index + 1] ?? 0, value, index),
    );
    return { pages, bytes };
  }

  #listPage(number: number, next: number, value: Buffer, index: number): Page {
    const page = new Page(Buffer.alloc(PAGE_BYTES), number, this.pages.stamp, 0, true);
    clearPage(page, LONG_VALUE, 0);
    const start = index * LONG_VALUE_PAGE_BYTES;
    fillLongValuePage(page, next, value.subarray(start, start + LONG_VALUE_PAGE_BYTES));
    return page;
  }
}

/** More than the pages of a checkpoint, which are all in memory. */
const PAGES_MAX = 2 ** 20;

/** Sorted natively, as numbers, for all pages of a checkpoint are sorted in one turn of the event loop. */
function inFileOrder(pages: readonly Page[]): Page[] {
  assert(pages.length <= PAGES_MAX, `${pages.length} changed pages are too many for a checkpoint`);
  const order = new Float64Array(pages.length);
  for (let index = 0; index < order.length; index += 1)
    order[index] = pages[index]!.number * PAGES_MAX + index;
  order.sort();
  const sorted: Page[] = [];
  for (let index = 0; index < order.length; index += 1) sorted.push(pages[order[index]! % PAGES_MAX]!);
  return sorted;
}

const REF_BYTES = 8;

function encodeRef(ref: PageRef): Buffer {
  const bytes = Buffer.allocUnsafe(REF_BYTES);
  bytes.writeUInt32BE(ref.number, 0);
  bytes.writeUInt32BE(ref.stamp, 4);
  return bytes;
}

export function decodeRef(bytes: Buffer): PageRef {
  return { number: bytes.readUInt32BE(0), stamp: bytes.readUInt32BE(4) };
}
