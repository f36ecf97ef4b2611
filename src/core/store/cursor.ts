/**
 * Reads a tree in key order, forwards or backwards. The bounds are looked up once per leaf, not compared with
 * every key.
 */
import { assert } from '../assert.ts';
import { childNumber, childSlot, childStamp, keyAt, keyBytes, lowerBound } from './node.ts';
import type { Page, PageRef } from './page.ts';
import type { Pages } from './pages.ts';
import { valueIn } from './tree.ts';
import type { Entry, RangeOptions } from './types.ts';

export class Cursor implements IterableIterator<Entry> {
  readonly #pages: Pages;
  readonly #options: RangeOptions;
  readonly #isValid: () => boolean;
  readonly #path: { branch: Page; slot: number }[] = [];
  #leaf: Page | undefined;
  /** The next slot to give, and the one behind the last in the direction of the scan. */
  #slot = 0;
  #end = 0;
  #left: number;

  /** @param isValid asked before each entry: false once the pages may have changed */
  constructor(pages: Pages, root: PageRef | undefined, options: RangeOptions, isValid: () => boolean) {
    this.#pages = pages;
    this.#options = options;
    this.#isValid = isValid;
    this.#left = options.limit ?? Number.POSITIVE_INFINITY;
    if (root !== undefined && this.#left > 0) this.#enter(pages.read(root.number, root.stamp), true);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Entry, undefined> {
    if (this.#leaf === undefined || this.#left <= 0) return this.#finish();
    assert(
      this.#isValid(),
      'a range was read on after a commit, a release or the close; a scan that lives longer takes a snapshot',
    );
    while (this.#slot === this.#end) {
      if (!this.#advance()) return this.#finish();
    }
    const entry = this.#entry(this.#leaf, this.#slot);
    this.#slot += this.#options.reverse ? -1 : 1;
    this.#left -= 1;
    return { done: false, value: entry };
  }

  return(): IteratorResult<Entry, undefined> {
    return this.#finish();
  }

  #finish(): IteratorResult<Entry, undefined> {
    this.#leaf = undefined;
    this.#path.length = 0;
    return { done: true, value: undefined };
  }

  #entry(leaf: Page, slot: number): Entry {
    const start = keyAt(leaf, slot);
    const length = keyBytes(leaf, slot);
    const key = Buffer.allocUnsafe(length);
    leaf.bytes.copy(key, 0, start, start + length);
    return { key, value: valueIn(this.#pages, leaf, slot) };
  }

  /** Goes down from `page` to a leaf: to where the range begins, or else to the nearest edge. */
  #enter(page: Page, seek: boolean): void {
    let at = page;
    while (at.level > 0) {
      const slot = this.#firstSlot(at, seek);
      this.#path.push({ branch: at, slot });
      at = this.#child(at, slot);
    }
    this.#leaf = at;
    this.#bound(at);
  }

  #child(branch: Page, slot: number): Page {
    return this.#pages.read(childNumber(branch, slot), childStamp(branch, slot));
  }

  #firstSlot(branch: Page, seek: boolean): number {
    const { from, to, reverse } = this.#options;
    if (!reverse) return seek && from !== undefined ? childSlot(branch, from) : 0;
    return seek && to !== undefined ? childSlot(branch, to) : branch.count - 1;
  }

  /** Which slots of the leaf lie in the range. */
  #bound(leaf: Page): void {
    const { from, to, reverse } = this.#options;
    const low = from === undefined ? 0 : lowerBound(leaf, from);
    const high = Math.max(low, to === undefined ? leaf.count : lowerBound(leaf, to));
    this.#slot = reverse ? high - 1 : low;
    this.#end = reverse ? low - 1 : high;
  }

  /** Goes on to the next leaf. @returns false when the range ends before it */
  #advance(): boolean {
    if (this.#isLastLeaf()) return false;
    const by = this.#options.reverse ? -1 : 1;
    for (let step = this.#path.pop(); step !== undefined; step = this.#path.pop()) {
      const slot = step.slot + by;
      if (slot < 0 || slot >= step.branch.count) continue;
      this.#path.push({ branch: step.branch, slot });
      this.#enter(this.#child(step.branch, slot), false);
      return true;
    }
    return false;
  }

  /** True when a bound of the range lies within this leaf, so that no later leaf can be in it. */
  #isLastLeaf(): boolean {
    const leaf = this.#leaf!;
    const { from, to, reverse } = this.#options;
    if (leaf.count === 0) return false;
    if (reverse) return from !== undefined && lowerBound(leaf, from) > 0;
    return to !== undefined && lowerBound(leaf, to) < leaf.count;
  }
}
