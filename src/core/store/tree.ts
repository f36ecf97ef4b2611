/**
 * One B+tree: how it is read, and how it changes.
 *
 * A change walks from the root to a leaf and makes every page on the way writable, so that a page somebody
 * else still needs is replaced by a copy and its parent is made to point to that (copy on write). The root
 * may be another page afterwards: every change returns it. All that `put` and `delete` cannot do without is read
 * before anything is changed, so that a page that cannot be read leaves them undone, not half done.
 *
 * A full page is divided; the first key of the right half, as short as it can be, goes up into the parent.
 * A page less than a quarter full is joined with a neighbour when both fit well into one. An empty page goes
 * away, and a tree without keys has no page at all.
 */
import { AssertionFailed, assert } from '../assert.ts';
import { readLongValue, retireLongValue, writeLongValue } from './long-value.ts';
import {
  branchCellBytes,
  childNumber,
  childSlot,
  childStamp,
  hasLongValue,
  hasRoomForValue,
  holdsKey,
  insertChild,
  insertLongValue,
  insertValue,
  isLong,
  keyCopy,
  keyView,
  leafCellBytes,
  longValueRef,
  lowerBound,
  NODE_BYTES,
  overwriteValue,
  removeCells,
  removeChildren,
  setChild,
  usedBytes,
  valueAt,
  valueBytes,
} from './node.ts';
import { BRANCH, LEAF, type Page, type PageRef } from './page.ts';
import type { Pages } from './pages.ts';
import {
  commonBytes,
  divide,
  JOIN_BELOW_BYTES,
  joinCells,
  joinedBytes,
  makeRoom,
  moveCells,
} from './room.ts';
import { readChild, TreePath } from './tree-path.ts';
import { type Inverse, NeedsVersion } from './undo.ts';

/** A joined page is at most so full, so that the next insertion does not divide it again. */
const JOINED_BYTES_MAX = Math.floor((NODE_BYTES * 3) / 4);

const EMPTY = Buffer.alloc(0);

type Root = PageRef | undefined;

/** Where a cell goes. */
interface Place {
  readonly page: Page;
  readonly slot: number;
}

/** The leaf that holds `key`, or would. */
export function findLeaf(pages: Pages, root: PageRef, key: Uint8Array): Page {
  let page = pages.read(root.number, root.stamp);
  while (page.level > 0) {
    const slot = childSlot(page, key);
    page = pages.read(childNumber(page, slot), childStamp(page, slot));
  }
  return page;
}

/** The value of `key`, the caller's to keep. @throws StoreError `corrupt` */
export function getValue(pages: Pages, root: Root, key: Uint8Array): Buffer | undefined {
  if (root === undefined) return undefined;
  const leaf = findLeaf(pages, root, key);
  const slot = lowerBound(leaf, key);
  return holdsKey(leaf, slot, key) ? valueIn(pages, leaf, slot) : undefined;
}

export function hasKey(pages: Pages, root: Root, key: Uint8Array): boolean {
  if (root === undefined) return false;
  const leaf = findLeaf(pages, root, key);
  return holdsKey(leaf, lowerBound(leaf, key), key);
}

/** A copy of the value at `slot`: the page may change after the caller has it. */
export function valueIn(pages: Pages, leaf: Page, slot: number): Buffer {
  const length = valueBytes(leaf, slot);
  if (hasLongValue(leaf, slot)) return readLongValue(pages, longValueRef(leaf, slot), length);
  const value = Buffer.allocUnsafe(length);
  const start = valueAt(leaf, slot);
  leaf.bytes.copy(value, 0, start, start + length);
  return value;
}

/** The child at `slot` of a writable branch, made writable. */
function writableChild(pages: Pages, branch: Page, slot: number): Page {
  const child = readChild(pages, branch, slot);
  const writable = pages.writable(child);
  if (writable !== child) setChild(branch, slot, writable);
  return writable;
}

/** Changes trees. Holds the path of the change under way, and nothing between changes. */
export class TreeWriter {
  readonly #pages: Pages;
  readonly #path: TreePath;

  constructor(pages: Pages) {
    this.#pages = pages;
    this.#path = new TreePath(pages);
  }

  /**
   * Sets the value of `key`.
   * @param inverse gets the value that the key had
   * @returns the root
   * @throws NeedsVersion when that is a long one; StoreError `corrupt`: then nothing has changed
   */
  put(root: Root, key: Uint8Array, value: Uint8Array, inverse?: Inverse): PageRef {
    const found = root === undefined ? this.#start() : this.#path.find(root, key);
    const slot = lowerBound(found, key);
    const isHeld = holdsKey(found, slot, key);
    if (isHeld && inverse !== undefined) this.#note(inverse, found, slot);
    const leaf = this.#path.own(found);
    if (isHeld) {
      if (hasRoomForValue(leaf, slot, value.length)) {
        overwriteValue(leaf, slot, value);
        return this.#path.root(leaf);
      }
      this.#retireLongValue(leaf, slot);
      const { lastInserted } = leaf;
      removeCells(leaf, slot, slot + 1);
      leaf.lastInserted = lastInserted;
    }
    return this.#insert(leaf, slot, key, value);
  }

  /** Removes `key`. Parameters, result and errors as for `put`. */
  delete(root: Root, key: Uint8Array, inverse?: Inverse): Root {
    if (root === undefined) return root;
    const found = this.#path.find(root, key);
    const slot = lowerBound(found, key);
    if (!holdsKey(found, slot, key)) return root;
    if (inverse !== undefined) this.#note(inverse, found, slot);
    const leaf = this.#path.own(found);
    this.#retireLongValue(leaf, slot);
    removeCells(leaf, slot, slot + 1);
    return this.#shrink(leaf);
  }

  /** Removes the keys from `from` up to, not including, `to`; without `to`, to the end. @returns the root */
  deleteRange(root: Root, from: Uint8Array, to: Uint8Array | undefined): Root {
    if (root === undefined) return undefined;
    const page = this.#pages.writable(this.#pages.read(root.number, root.stamp));
    this.#removeRange(page, from, to);
    return this.#withoutIdleRoots(page);
  }

  #start(): Page {
    this.#path.clear();
    return this.#pages.create(LEAF, 0);
  }

  #note(inverse: Inverse, leaf: Page, slot: number): void {
    if (hasLongValue(leaf, slot)) throw new NeedsVersion();
    inverse.value = valueIn(this.#pages, leaf, slot);
  }

  #retireLongValue(leaf: Page, slot: number): void {
    if (hasLongValue(leaf, slot)) retireLongValue(this.#pages, longValueRef(leaf, slot));
  }

  #insert(leaf: Page, slot: number, key: Uint8Array, value: Uint8Array): PageRef {
    const long = isLong(key.length, value.length);
    const first = long ? writeLongValue(this.#pages, value) : undefined;
    const size = leafCellBytes(key.length, value.length, long);
    const division = makeRoom(leaf, key, size) ? undefined : this.#divideLeaf(leaf, slot, key, size);
    const { page, slot: at } = division ?? { page: leaf, slot };
    if (first === undefined) insertValue(page, at, key, value);
    else {
      insertLongValue(page, at, key, value.length, first);
      this.#noteLongValues(page);
    }
    if (division === undefined) return this.#path.root(leaf);
    return this.#insertIntoParent(leaf, separator(leaf, division.right), division.right);
  }

  #noteLongValues(leaf: Page): void {
    leaf.noteLongValues();
    for (const { branch } of this.#path.steps) branch.noteLongValues();
  }

  /** Moves part of a full leaf to a new right neighbour, and tells where a new cell at `slot` now belongs. */
  #divideLeaf(leaf: Page, slot: number, key: Uint8Array, size: number): Place & { right: Page } {
    const { from, newGoesRight } = divide(leaf, slot, key, size);
    const right = this.#sibling(leaf);
    moveCells(leaf, from, right);
    // Between the two it goes left if it can: without what has moved the left one may have a longer prefix.
    const triesLeft = !newGoesRight || slot === from;
    if (triesLeft && makeRoom(leaf, key, size)) return { page: leaf, slot, right };
    assert(newGoesRight && makeRoom(right, key, size), `a part of page ${leaf.number} has room`);
    return { page: right, slot: slot - from, right };
  }

  /** A new page of the same kind. */
  #sibling(page: Page): Page {
    const sibling = this.#pages.create(page.level === 0 ? LEAF : BRANCH, page.level);
    if (page.mayHoldLongValues) sibling.noteLongValues();
    return sibling;
  }

  /** Adds `right`, whose keys begin at `key`, behind `left` in the branch above. @returns the root */
  #insertIntoParent(left: Page, key: Uint8Array, right: Page): PageRef {
    const step = this.#path.steps.pop();
    if (step === undefined) return this.#grow(left, key, right);
    const { branch, slot } = step;
    if (!makeRoom(branch, key, branchCellBytes(key.length))) {
      return this.#divideBranch(branch, slot + 1, key, right);
    }
    insertChild(branch, slot + 1, key, right);
    return this.#path.root(branch);
  }

  /** Divides a full branch for `child` at `slot`. @returns the root */
  #divideBranch(branch: Page, slot: number, key: Uint8Array, child: Page): PageRef {
    const size = branchCellBytes(key.length);
    const { from, newGoesRight } = divide(branch, slot, key, size);
    const right = this.#sibling(branch);
    const up = from < branch.count ? keyCopy(branch, from) : key;
    moveCells(branch, from, right);
    if (right.count === 0) {
      insertChild(right, 0, key, child);
      return this.#insertIntoParent(branch, up, right);
    }
    const goesRight = newGoesRight && slot > from;
    const page = goesRight ? right : branch;
    assert(makeRoom(page, key, size), `a part of page ${branch.number} has room`);
    insertChild(page, goesRight ? slot - from : slot, key, child);
    return this.#insertIntoParent(branch, up, right);
  }

  #grow(left: Page, key: Uint8Array, right: Page): PageRef {
    const root = this.#pages.create(BRANCH, left.level + 1);
    insertChild(root, 0, EMPTY, left);
    insertChild(root, 1, key, right);
    if (left.mayHoldLongValues || right.mayHoldLongValues) root.noteLongValues();
    return root;
  }

  /** Removes or joins what has become too empty, from `leaf` upwards. @returns the root */
  #shrink(leaf: Page): Root {
    let page = leaf;
    for (let step = this.#path.steps.pop(); step !== undefined; step = this.#path.steps.pop()) {
      if (!this.#relieve(step.branch, step.slot, page)) return this.#path.root(step.branch);
      page = step.branch;
    }
    return this.#withoutIdleRoots(page);
  }

  /** @returns whether the branch has lost a child */
  #relieve(branch: Page, slot: number, page: Page): boolean {
    if (page.count === 0) {
      this.#pages.retire(page.number, page.birth);
      removeChildren(branch, slot, slot + 1);
      return true;
    }
    if (usedBytes(page) >= JOIN_BELOW_BYTES) return false;
    return this.#join(branch, slot) || (slot > 0 && this.#join(branch, slot - 1));
  }

  /**
   * Joins the children at `slot` and `slot + 1` of a writable branch, if they fit well into one page. A neighbour that
   * cannot be read is left alone: whoever needs it will say so.
   */
  #join(branch: Page, slot: number): boolean {
    if (slot + 1 >= branch.count) return false;
    const left = this.#readIfSound(branch, slot);
    const right = this.#readIfSound(branch, slot + 1);
    if (left === undefined || right === undefined) return false;
    const key = keyCopy(branch, slot + 1);
    if (joinedBytes(left, key, right) > JOINED_BYTES_MAX) return false;
    const joined = writableChild(this.#pages, branch, slot);
    if (right.mayHoldLongValues) joined.noteLongValues();
    joinCells(joined, key, right);
    this.#pages.retire(right.number, right.birth);
    removeChildren(branch, slot + 1, slot + 2);
    return true;
  }

  #readIfSound(branch: Page, slot: number): Page | undefined {
    try {
      return readChild(this.#pages, branch, slot);
    } catch (error) {
      if (error instanceof AssertionFailed) throw error;
      return undefined;
    }
  }

  /** A root without cells goes away, and so does one with a single child. */
  #withoutIdleRoots(root: Page): Root {
    let page = root;
    while (page.level > 0 && page.count === 1) {
      const child = this.#readIfSound(page, 0);
      if (child === undefined) return page;
      this.#pages.retire(page.number, page.birth);
      page = child;
    }
    if (page.count > 0) return page;
    this.#pages.retire(page.number, page.birth);
    return undefined;
  }

  /** Removes the keys of a range below a writable page, which may be empty afterwards. */
  #removeRange(page: Page, from: Uint8Array, to: Uint8Array | undefined): void {
    if (page.level > 0) {
      this.#removeRangeOfBranch(page, from, to);
      return;
    }
    const start = lowerBound(page, from);
    const end = to === undefined ? page.count : Math.max(start, lowerBound(page, to));
    for (let slot = start; slot < end; slot += 1) this.#retireLongValue(page, slot);
    removeCells(page, start, end);
  }

  #removeRangeOfBranch(branch: Page, from: Uint8Array, to: Uint8Array | undefined): void {
    const first = childSlot(branch, from);
    const last = to === undefined ? branch.count - 1 : childSlot(branch, to);
    if (last < first) return;
    // Between the two children at the edges everything goes, unseen but for what it refers to.
    for (let slot = first + 1; slot < last; slot += 1) this.#retireChild(branch, slot);
    removeChildren(branch, first + 1, last);
    if (last > first) this.#removeRangeOfChild(branch, first + 1, EMPTY, to);
    this.#removeRangeOfChild(branch, first, from, last > first ? undefined : to);
    if (first + 1 < branch.count) this.#join(branch, first);
  }

  #removeRangeOfChild(branch: Page, slot: number, from: Uint8Array, to: Uint8Array | undefined): void {
    const child = writableChild(this.#pages, branch, slot);
    this.#removeRange(child, from, to);
    if (child.count > 0) return;
    this.#pages.retire(child.number, child.birth);
    removeChildren(branch, slot, slot + 1);
  }

  #retireChild(branch: Page, slot: number): void {
    if (branch.level > 1 || branch.mayHoldLongValues) this.#retireTree(readChild(this.#pages, branch, slot));
    else this.#retireUnread(childNumber(branch, slot));
  }

  #retireTree(page: Page): void {
    for (let slot = 0; slot < page.count; slot += 1) {
      if (page.level === 0) this.#retireLongValue(page, slot);
      else this.#retireChild(page, slot);
    }
    this.#pages.retire(page.number, page.birth);
  }

  /** A leaf that holds no long value need not be read. */
  #retireUnread(number: number): void {
    this.#pages.retire(number, this.#pages.peek(number)?.birth ?? 0);
  }
}

/** The shortest key that is above every key of `left` and not above the first of `right`. */
function separator(left: Page, right: Page): Buffer {
  const first = keyCopy(right, 0);
  return first.subarray(0, commonBytes(keyView(left, left.count - 1), first) + 1);
}
