/**
 * Reads a tree in key order, forwards or backwards. The bounds are looked up once per leaf, not compared with
 * every key.
 *
 * Keys and values are copied into buffers that are used again for the next entry, with a view of each length
 * that was met: a scan allocates nothing per entry. Of a key only what the cell holds is copied; the prefix of
 * the leaf stays in the buffer for all of its keys.
 */
import { assert } from '../assert.ts';
import { KEY_BYTES_MAX } from './limits.ts';
import { readLongValue } from './long-value.ts';
import {
  CELL_BYTES_MAX,
  childNumber,
  childSlot,
  childStamp,
  copyOut,
  copyPrefix,
  hasLongValue,
  holdsKey,
  keyAt,
  keyCopy,
  longValueRef,
  lowerBound,
  suffixBytes,
  valueAt,
  valueBytes,
} from './node.ts';
import type { Page, PageRef } from './page.ts';
import type { Pages } from './pages.ts';
import { valueIn } from './tree.ts';
import type { Entry, EntryCursor, RangeOptions } from './types.ts';

export class Cursor implements EntryCursor, Iterable<Entry> {
  readonly #pages: Pages;
  readonly #options: RangeOptions;
  readonly #isValid: () => boolean;
  readonly #by: 1 | -1;
  #root: PageRef | undefined;
  readonly #path: { branch: Page; slot: number }[] = [];
  #leaf: Page | undefined;
  /** The slot of the current entry; -1 before the first. */
  #slot = -1;
  /** The next slot to give, and the one behind the last in the direction of the scan. */
  #next = 0;
  #end = 0;
  /** A bound of the range lies within the leaf, so that no later leaf can be in it. */
  #isLastLeaf = false;
  #left: number;
  #key: ReusedBuffer | undefined;
  #value: ReusedBuffer | undefined;
  /** The leaf whose prefix is in `#key`, and its length. */
  #prefixOf: Page | undefined;
  #prefixBytes = 0;

  /** @param isValid asked at each step: false once the pages may have changed */
  constructor(pages: Pages, root: PageRef | undefined, options: RangeOptions, isValid: () => boolean) {
    this.#pages = pages;
    this.#root = root;
    this.#options = options;
    this.#isValid = isValid;
    this.#by = options.reverse ? -1 : 1;
    this.#left = options.limit ?? Number.POSITIVE_INFINITY;
    if (this.#left > 0) this.#start(undefined);
  }

  next(): boolean {
    if (this.#leaf === undefined || this.#left <= 0) return this.#finish();
    this.#checkValid();
    while (this.#next === this.#end) if (!this.#advance()) return this.#finish();
    this.#slot = this.#next;
    this.#next += this.#by;
    this.#left -= 1;
    return true;
  }

  seek(key: Uint8Array): boolean {
    this.#checkValid();
    this.#start(key);
    return this.next();
  }

  get key(): Buffer {
    const leaf = this.#current();
    this.#key ??= new ReusedBuffer(KEY_BYTES_MAX);
    const { bytes } = this.#key;
    if (this.#prefixOf !== leaf) {
      this.#prefixBytes = copyPrefix(leaf, bytes);
      this.#prefixOf = leaf;
    }
    const length = suffixBytes(leaf, this.#slot);
    copyOut(leaf, keyAt(leaf, this.#slot), length, bytes, this.#prefixBytes);
    return this.#key.view(this.#prefixBytes + length);
  }

  get value(): Buffer {
    const leaf = this.#current();
    const length = valueBytes(leaf, this.#slot);
    if (hasLongValue(leaf, this.#slot)) {
      return readLongValue(this.#pages, longValueRef(leaf, this.#slot), length);
    }
    this.#value ??= new ReusedBuffer(CELL_BYTES_MAX);
    copyOut(leaf, valueAt(leaf, this.#slot), length, this.#value.bytes, 0);
    return this.#value.view(length);
  }

  get valueBytes(): number {
    return valueBytes(this.#current(), this.#slot);
  }

  /** The current entry, the caller's to keep. */
  entry(): Entry {
    const leaf = this.#current();
    return { key: keyCopy(leaf, this.#slot), value: valueIn(this.#pages, leaf, this.#slot) };
  }

  [Symbol.iterator](): IterableIterator<Entry> {
    return new Entries(this);
  }

  release(): void {
    this.#root = undefined;
    this.#finish();
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #checkValid(): void {
    assert(
      this.#isValid(),
      'a range was read on after a commit, a release or the close; a scan that lives longer takes a snapshot',
    );
  }

  /** The leaf with the current entry. */
  #current(): Page {
    assert(
      this.#leaf !== undefined && this.#slot >= 0,
      'a cursor is on no entry before next() and after the last',
    );
    this.#checkValid();
    return this.#leaf;
  }

  #finish(): false {
    this.#leaf = undefined;
    this.#slot = -1;
    this.#path.length = 0;
    return false;
  }

  /** Goes to where the range begins, or to `key` if that lies behind. */
  #start(key: Uint8Array | undefined): void {
    this.#finish();
    if (this.#root === undefined) return;
    const { from, to, reverse } = this.#options;
    const edge = reverse ? lesser(to, key) : greater(from, key);
    const leaf = this.#descend(this.#pages.read(this.#root.number, this.#root.stamp), edge);
    if (key !== undefined) this.#skipTo(leaf, key);
  }

  /** Leaves out the slots of the leaf that lie before `key` in the direction of the scan. */
  #skipTo(leaf: Page, key: Uint8Array): void {
    const slot = lowerBound(leaf, key);
    if (this.#by === 1) this.#next = Math.min(Math.max(this.#next, slot), this.#end);
    else {
      const last = holdsKey(leaf, slot, key) ? slot : slot - 1;
      this.#next = Math.max(Math.min(this.#next, last), this.#end);
    }
  }

  /** Goes down from `page` to the leaf with the key `edge`, or else to the nearest leaf. */
  #descend(page: Page, edge: Uint8Array | undefined): Page {
    let at = page;
    while (at.level > 0) {
      const slot = this.#firstSlot(at, edge);
      this.#path.push({ branch: at, slot });
      at = this.#child(at, slot);
    }
    this.#leaf = at;
    this.#bound(at);
    return at;
  }

  #firstSlot(branch: Page, edge: Uint8Array | undefined): number {
    if (edge !== undefined) return childSlot(branch, edge);
    return this.#by === 1 ? 0 : branch.count - 1;
  }

  #child(branch: Page, slot: number): Page {
    return this.#pages.read(childNumber(branch, slot), childStamp(branch, slot));
  }

  /** Which slots of the leaf lie in the range. */
  #bound(leaf: Page): void {
    const { from, to, reverse } = this.#options;
    const { count } = leaf;
    const low = from === undefined ? 0 : lowerBound(leaf, from);
    const high = Math.max(low, to === undefined ? count : lowerBound(leaf, to));
    this.#isLastLeaf = reverse ? low > 0 : high < count;
    this.#next = reverse ? high - 1 : low;
    this.#end = reverse ? low - 1 : high;
  }

  /** Goes on to the next leaf. @returns false when the range ends before it */
  #advance(): boolean {
    if (this.#isLastLeaf) return false;
    for (let step = this.#path.at(-1); step !== undefined; step = this.#path.at(-1)) {
      step.slot += this.#by;
      if (step.slot >= 0 && step.slot < step.branch.count) {
        this.#descend(this.#child(step.branch, step.slot), undefined);
        return true;
      }
      this.#path.pop();
    }
    return false;
  }
}

function lesser(bound: Uint8Array | undefined, key: Uint8Array | undefined): Uint8Array | undefined {
  if (bound === undefined || key === undefined) return bound ?? key;
  return Buffer.compare(bound, key) < 0 ? bound : key;
}

function greater(bound: Uint8Array | undefined, key: Uint8Array | undefined): Uint8Array | undefined {
  if (bound === undefined || key === undefined) return bound ?? key;
  return Buffer.compare(bound, key) > 0 ? bound : key;
}

/** The rest of a cursor's entries as copies. */
class Entries implements IterableIterator<Entry> {
  readonly #cursor: Cursor;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Entry, undefined> {
    if (!this.#cursor.next()) return { done: true, value: undefined };
    return { done: false, value: this.#cursor.entry() };
  }

  return(): IteratorResult<Entry, undefined> {
    this.#cursor.release();
    return { done: true, value: undefined };
  }
}

/** A buffer for what is valid until the next takes its place, and one view for each length that was met. */
class ReusedBuffer {
  readonly bytes: Buffer;
  readonly #views = new Map<number, Buffer>();
  #last: Buffer;

  constructor(sizeBytes: number) {
    this.bytes = Buffer.allocUnsafe(sizeBytes);
    this.#last = this.bytes;
  }

  view(length: number): Buffer {
    if (this.#last.length === length) return this.#last;
    const met = this.#views.get(length);
    this.#last = met ?? this.bytes.subarray(0, length);
    if (met === undefined) this.#views.set(length, this.#last);
    return this.#last;
  }
}
