/**
 * A finger on a leaf: changes that come in the order of their keys, made without the way from the root for each.
 *
 *             branch
 *            ╱  │   ╲
 *       leaf  leaf   leaf      the next key is looked for from the finger on, to the right; the way down is gone
 *          a c e ▲ i k         again when it lies in another leaf, or to the left
 *              finger
 *
 * Any order comes out right, this one fast: with a change for each key of a leaf one comparison finds it, where the
 * way down takes about twenty. What needs more than the leaf (its division or joining, a long value) is left to whoever
 * changes trees otherwise (tree.ts), after which the finger is to be placed anew; so it is when anybody else changes the
 * tree.
 *
 * It lies only on a leaf that may be changed in place. Such a leaf is in memory, and none of the pages above it must be
 * changed; the way to it is not needed any more. Once the leaf has been written, or a version needs it as it is, the way
 * down is gone again. So it does not matter what becomes of other pages meanwhile.
 */
import {
  cellBytes,
  compareKeyInAt,
  hasLongValue,
  hasRoomForValue,
  holdsKey,
  insertValue,
  isLong,
  leafCellBytes,
  lowerBound,
  overwriteValueFrom,
  removeCells,
  usedBytes,
} from './node.ts';
import type { Page, PageRef } from './page.ts';
import type { Pages } from './pages.ts';
import type { ChangeScanner } from './record.ts';
import { JOIN_BELOW_BYTES, makeRoom } from './room.ts';
import { TreePath } from './tree-path.ts';

export class Finger {
  readonly #pages: Pages;
  readonly #path: TreePath;
  #root: PageRef | undefined;
  /** Undefined before the first change. */
  #leaf: Page | undefined;
  /** Keys from here on lie in other leaves; undefined in the last leaf of the tree. */
  #upper: Buffer | undefined;
  /** Behind the last change, or where it would have been. */
  #slot = 0;
  /** Whether `#slot` has the key that was looked for. */
  #isHeld = false;

  constructor(pages: Pages) {
    this.#pages = pages;
    this.#path = new TreePath(pages);
  }

  /** Puts the finger on the tree of `root`, which is its own to change until it is put elsewhere. */
  place(root: PageRef): void {
    this.#root = root;
    this.#leaf = undefined;
  }

  /** The root of the tree as it is now; undefined before the finger is placed. */
  get root(): PageRef | undefined {
    return this.#root;
  }

  /**
   * Makes the put or delete that `change` stands on.
   * @returns false when it takes more than the leaf: then it is yet to be made, otherwise (a value that it replaces may be
   *   gone already)
   * @throws StoreError `corrupt`: then nothing has changed
   */
  make(change: ChangeScanner): boolean {
    const { bytes, keyStart, keyEnd } = change;
    let leaf = this.#leaf;
    if (
      leaf === undefined ||
      !this.#pages.mayChange(leaf) ||
      !this.#seekFrom(leaf, bytes, keyStart, keyEnd)
    ) {
      leaf = this.#descend(bytes.subarray(keyStart, keyEnd));
    }
    return change.kind === 'put' ? this.#put(leaf, change) : this.#delete(leaf);
  }

  #put(found: Page, change: ChangeScanner): boolean {
    const { bytes, keyStart, keyEnd, restStart, restEnd } = change;
    const length = restEnd - restStart;
    if (isLong(keyEnd - keyStart, length)) return false;
    const slot = this.#slot;
    if (this.#isHeld && hasLongValue(found, slot)) return false;
    const leaf = this.#own(found);
    this.#slot = slot + 1;
    if (this.#isHeld && hasRoomForValue(leaf, slot, length)) {
      overwriteValueFrom(leaf, slot, bytes, restStart, restEnd);
      return true;
    }
    const { lastInserted } = leaf;
    if (this.#isHeld) removeCells(leaf, slot, slot + 1);
    leaf.lastInserted = lastInserted;
    const key = bytes.subarray(keyStart, keyEnd);
    if (!makeRoom(leaf, key, leafCellBytes(key.length, length, false))) return false;
    insertValue(leaf, slot, key, bytes.subarray(restStart, restEnd));
    return true;
  }

  #delete(found: Page): boolean {
    if (!this.#isHeld) return true;
    const slot = this.#slot;
    if (hasLongValue(found, slot)) return false;
    if (usedBytes(found) - cellBytes(found, slot) < JOIN_BELOW_BYTES) return false;
    removeCells(this.#own(found), slot, slot + 1);
    return true;
  }

  #own(found: Page): Page {
    if (this.#pages.mayChange(found)) return found;
    const leaf = this.#path.own(found);
    this.#leaf = leaf;
    this.#root = this.#path.root(leaf);
    return leaf;
  }

  /** Looks from the finger on. @returns false when the key does not lie in the leaf, as far as is known */
  #seekFrom(leaf: Page, bytes: Buffer, start: number, end: number): boolean {
    const { count } = leaf;
    const slot = this.#slot;
    const here = slot < count ? compareKeyInAt(leaf, slot, bytes, start, end) : 1;
    this.#isHeld = here === 0;
    if (here === 0) return true;
    if (here < 0) return this.#seekBehind(leaf, slot + 1, bytes, start, end);
    if (slot === 0) return false;
    const before = compareKeyInAt(leaf, slot - 1, bytes, start, end);
    this.#isHeld = before === 0;
    if (before === 0) this.#slot = slot - 1;
    return before === 0 || (before < 0 && (slot < count || this.#isBelowUpper(bytes, start, end)));
  }

  /** Looks from slot `first` on, in steps that double, and then between the last two: near keys cost little. */
  #seekBehind(leaf: Page, first: number, bytes: Buffer, start: number, end: number): boolean {
    const { count } = leaf;
    let low = first;
    let high = first;
    for (let width = 1; high < count; width *= 2) {
      if (compareKeyInAt(leaf, high, bytes, start, end) >= 0) break;
      low = high + 1;
      high = low + width;
    }
    high = Math.min(high, count);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeyInAt(leaf, middle, bytes, start, end) < 0) low = middle + 1;
      else high = middle;
    }
    this.#slot = low;
    this.#isHeld = low < count && compareKeyInAt(leaf, low, bytes, start, end) === 0;
    return low < count || this.#isBelowUpper(bytes, start, end);
  }

  #isBelowUpper(bytes: Buffer, start: number, end: number): boolean {
    const upper = this.#upper;
    return upper === undefined || upper.compare(bytes, start, end) > 0;
  }

  #descend(key: Buffer): Page {
    this.#leaf = undefined;
    const leaf = this.#path.find(this.#root!, key);
    const slot = lowerBound(leaf, key);
    this.#slot = slot;
    this.#isHeld = holdsKey(leaf, slot, key);
    this.#upper = this.#path.upper();
    this.#leaf = leaf;
    return leaf;
  }
}
