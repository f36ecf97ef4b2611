/**
 * A node of a tree: a page with cells in the order of their keys.
 *
 *   ┌────────┬───┬───┬───┬──▶           ◀──┬────────┬────────┬────────┬────────┬────────┐
 *   │ header │ 2 │ 0 │ 1 │   free space    │ cell 1 │ cell 2 │ cell 0 │ prefix │ length │
 *   └────────┴───┴───┴───┴──▶           ◀──┴────────┴────────┴────────┴────────┴────────┘
 *   0        20  slots: 2-byte offsets     cells grow towards the slots        8190
 *            of the cells, in key order
 *
 *   leaf cell     key length 2 │ value length 4 │ key │ value
 *                 with the highest bit of the value length set the value is long, and in its place stand
 *                 the number and the stamp (4 + 4) of its first page
 *   branch cell   child number 4 │ child stamp 4 │ key length 2 │ key
 *                 the child holds keys from this cell's key up to the next cell's; the first cell has no key
 *                 and means "from the beginning"
 *
 * What the keys of a page have in common may stand once at its end, with its length in the last two bytes;
 * the cells then hold the rest of their keys, and the length of that. A bit in the header says so; without it
 * there is neither prefix nor length, and the cells reach to the end of the page.
 *
 *   the keys  users/17, users/18, users/203     cells  17, 18, 203     prefix  users/     length  6
 *
 * The prefix is one of the keys that are there, not of the bounds that the branch above sets: so the last leaf
 * of a tree, which has no upper bound and is where most keys are added, has one as well. It need not be the
 * longest. It is looked for when it is needed (room.ts): a page that is full takes the longest, and a new key
 * that does not begin with it cuts it down to what it shares. Such a key comes before or behind all the others.
 * A search compares the prefix once, and then only what the cells hold.
 *
 * A removed cell leaves a hole, and so does a value that a shorter one is written over; the holes are closed when an
 * insertion needs their space.
 */
import { assert } from '../assert.ts';
import { PAGE_BYTES } from './limits.ts';
import { BRANCH, HEADER_BYTES, LEAF, Page, type PageRef } from './page.ts';

export const SLOT_BYTES = 2;
const LEAF_CELL_HEAD = 6;
const BRANCH_CELL_HEAD = 10;
const LONG_FLAG = 0x8000_0000;
const LONG_REF_BYTES = 8;
const PREFIX_LENGTH_BYTES = 2;
const NO_PREFIX = Buffer.alloc(0);
/** From this length on the native comparison, and the native copy, are faster than a loop. */
const NATIVE_COMPARE_FROM_BYTES = 90;
const NATIVE_COPY_FROM_BYTES = 24;

/** What slots, cells and prefix of one page may take together. */
export const NODE_BYTES = PAGE_BYTES - HEADER_BYTES;

/** A cell with its slot takes at most a quarter of a page, so that any full page can be split in two. */
export const CELL_BYTES_MAX = Math.floor(NODE_BYTES / 4) - SLOT_BYTES;

/** True when a value of this size goes to pages of its own. */
export function isLong(keyBytes: number, valueBytes: number): boolean {
  return LEAF_CELL_HEAD + keyBytes + valueBytes > CELL_BYTES_MAX;
}

export function freeBytes(page: Page): number {
  return page.cells - HEADER_BYTES - page.count * SLOT_BYTES + page.holes;
}

export function usedBytes(page: Page): number {
  return NODE_BYTES - freeBytes(page);
}

/** The first slot whose cell has a key. */
export function firstKeyed(page: Page): number {
  return page.kind === LEAF ? 0 : 1;
}

function cellAt(page: Page, slot: number): number {
  return page.view.getUint16(HEADER_BYTES + slot * SLOT_BYTES);
}

function cellHead(page: Page): number {
  return page.kind === LEAF ? LEAF_CELL_HEAD : BRANCH_CELL_HEAD;
}

/** Bytes that a prefix takes at the end of a page. */
export function prefixArea(prefixBytes: number): number {
  return prefixBytes === 0 ? 0 : prefixBytes + PREFIX_LENGTH_BYTES;
}

/** Where the prefix of a page begins. */
function prefixAt(page: Page): number {
  return PAGE_BYTES - prefixArea(page.prefixBytes);
}

/** Where what the cell at `slot` holds of its key begins: all of it behind the prefix. */
export function keyAt(page: Page, slot: number): number {
  return cellAt(page, slot) + cellHead(page);
}

/** How much of its key the cell at `slot` holds. */
export function suffixBytes(page: Page, slot: number): number {
  const cell = cellAt(page, slot);
  return page.view.getUint16(page.kind === LEAF ? cell : cell + 8);
}

/** The length of the key at `slot`. */
export function keyBytes(page: Page, slot: number): number {
  const suffix = suffixBytes(page, slot);
  return slot < firstKeyed(page) ? suffix : page.prefixBytes + suffix;
}

/** The key at `slot`, valid until the page changes: a view, or a copy where the page has a prefix. */
export function keyView(page: Page, slot: number): Buffer {
  const start = keyAt(page, slot);
  const length = keyBytes(page, slot);
  const suffix = suffixBytes(page, slot);
  return length === suffix ? page.bytes.subarray(start, start + length) : keyCopy(page, slot);
}

/** The key at `slot`, the caller's to keep. */
export function keyCopy(page: Page, slot: number): Buffer {
  const key = Buffer.allocUnsafe(keyBytes(page, slot));
  copyKey(page, slot, 0, key, 0);
  return key;
}

/** Copies the key at `slot` from its byte `from` on to offset `at` of `into`. */
function copyKey(page: Page, slot: number, from: number, into: Buffer, at: number): void {
  const suffix = suffixBytes(page, slot);
  const prefix = keyBytes(page, slot) - suffix;
  const start = keyAt(page, slot);
  if (from < prefix) {
    const shared = prefixAt(page);
    copyOut(page, shared + from, prefix - from, into, at);
    copyOut(page, start, suffix, into, at + prefix - from);
  } else copyOut(page, start + from - prefix, suffix - from + prefix, into, at);
}

/** Copies the prefix of the page to the beginning of `into`. @returns its length */
export function copyPrefix(page: Page, into: Buffer): number {
  const length = page.prefixBytes;
  copyOut(page, PAGE_BYTES - PREFIX_LENGTH_BYTES - length, length, into, 0);
  return length;
}

/** Copies the `length` bytes at `start` of the page to offset `at` of `into`. */
export function copyOut(page: Page, start: number, length: number, into: Buffer, at: number): void {
  const { bytes } = page;
  if (length >= NATIVE_COPY_FROM_BYTES) bytes.copy(into, at, start, start + length);
  else for (let index = 0; index < length; index += 1) into[at + index] = bytes[start + index]!;
}

/** Copies `source` from its byte `from` on to offset `at` of the page. */
function copyIn(page: Page, at: number, source: Uint8Array, from: number): void {
  const { bytes } = page;
  const length = source.length - from;
  if (length >= NATIVE_COPY_FROM_BYTES) bytes.set(from === 0 ? source : source.subarray(from), at);
  else for (let index = 0; index < length; index += 1) bytes[at + index] = source[from + index]!;
}

/** The bytes of the value, whether it lies in the cell or on pages of its own. */
export function valueBytes(page: Page, slot: number): number {
  return (page.view.getUint32(cellAt(page, slot) + 2) & ~LONG_FLAG) >>> 0;
}

export function hasLongValue(page: Page, slot: number): boolean {
  return (page.view.getUint32(cellAt(page, slot) + 2) & LONG_FLAG) !== 0;
}

/** Where the value in the cell, or the reference to its first page, begins. */
export function valueAt(page: Page, slot: number): number {
  const cell = cellAt(page, slot);
  return cell + LEAF_CELL_HEAD + page.view.getUint16(cell);
}

export function longValueRef(page: Page, slot: number): PageRef {
  const at = valueAt(page, slot);
  return { number: page.view.getUint32(at), stamp: page.view.getUint32(at + 4) };
}

/** Makes the cell of a long value refer to `first`, the first page of the same value in another place. */
export function setLongValueRef(page: Page, slot: number, first: PageRef): void {
  const at = valueAt(page, slot);
  page.view.setUint32(at, first.number);
  page.view.setUint32(at + 4, first.stamp);
}

export function childNumber(page: Page, slot: number): number {
  return page.view.getUint32(cellAt(page, slot));
}

export function childStamp(page: Page, slot: number): number {
  return page.view.getUint32(cellAt(page, slot) + 4);
}

export function setChild(page: Page, slot: number, child: PageRef): void {
  const cell = cellAt(page, slot);
  page.view.setUint32(cell, child.number);
  page.view.setUint32(cell + 4, child.stamp);
}

/** Compares the key at `slot`, which has one, with `key`. */
export function compareKeyAt(page: Page, slot: number, key: Uint8Array): number {
  const prefix = page.prefixBytes;
  const difference = prefix === 0 ? 0 : comparePrefix(page, prefix, key);
  return difference || compareAt(page, keyAt(page, slot), suffixBytes(page, slot), key, prefix);
}

/** Compares the prefix with `key`: 0 when `key` begins with it. */
function comparePrefix(page: Page, length: number, key: Uint8Array): number {
  const shared = length < key.length ? length : key.length;
  const difference = differenceAt(page, prefixAt(page), shared, key, 0);
  return difference || length - shared;
}

/** Compares the `length` bytes at `start` of the page with `key` from its byte `from` on. */
function compareAt(page: Page, start: number, length: number, key: Uint8Array, from: number): number {
  const left = key.length - from;
  return differenceAt(page, start, length < left ? length : left, key, from) || length - left;
}

/**
 * Compares the key at `slot` of a leaf with the one that lies from `from` to `end` of `bytes`. Apart from the above, to
 * which two parameters more cost a twentieth of every look-up.
 */
export function compareKeyInAt(
  leaf: Page,
  slot: number,
  bytes: Uint8Array,
  from: number,
  end: number,
): number {
  const prefix = leaf.prefixBytes;
  const left = end - from;
  const shared = prefix < left ? prefix : left;
  const difference = prefix === 0 ? 0 : differenceAt(leaf, prefixAt(leaf), shared, bytes, from);
  if (difference !== 0 || shared < prefix) return difference || prefix - shared;
  const suffix = suffixBytes(leaf, slot);
  const rest = left - prefix;
  const common = suffix < rest ? suffix : rest;
  return differenceAt(leaf, keyAt(leaf, slot), common, bytes, from + prefix) || suffix - rest;
}

function differenceAt(page: Page, start: number, length: number, key: Uint8Array, from: number): number {
  const { bytes } = page;
  if (length >= NATIVE_COMPARE_FROM_BYTES) {
    return bytes.compare(key, from, from + length, start, start + length);
  }
  for (let index = 0; index < length; index += 1) {
    const difference = bytes[start + index]! - key[from + index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The first `length` bytes of the key at `slot`, valid until the page changes; within the prefix, of any key. */
export function prefixOf(page: Page, slot: number, length: number): Buffer {
  const start = PAGE_BYTES - PREFIX_LENGTH_BYTES - page.prefixBytes;
  if (length <= page.prefixBytes) return page.bytes.subarray(start, start + length);
  return keyView(page, slot).subarray(0, length);
}

/** How many bytes of the prefix of the page `key` begins with. */
export function sharedWithPrefix(page: Page, key: Uint8Array): number {
  const length = page.prefixBytes;
  const start = PAGE_BYTES - PREFIX_LENGTH_BYTES - length;
  const most = length < key.length ? length : key.length;
  let shared = 0;
  while (shared < most && page.bytes[start + shared] === key[shared]) shared += 1;
  return shared;
}

// The two searches below read cells themselves, without asking the page for its kind at every step: looking
// up a key is little else.

/** The first slot of a leaf whose key is at least `key`; `count` when there is none. */
export function lowerBound(leaf: Page, key: Uint8Array): number {
  const { view } = leaf;
  const prefix = leaf.prefixBytes;
  const difference = prefix === 0 ? 0 : comparePrefix(leaf, prefix, key);
  if (difference !== 0) return difference > 0 ? 0 : leaf.count;
  let low = 0;
  let high = leaf.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const cell = view.getUint16(HEADER_BYTES + middle * SLOT_BYTES);
    if (compareAt(leaf, cell + LEAF_CELL_HEAD, view.getUint16(cell), key, prefix) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The slot of the child of a branch that holds `key`, or would. */
export function childSlot(branch: Page, key: Uint8Array): number {
  const { view } = branch;
  const prefix = branch.prefixBytes;
  const difference = prefix === 0 ? 0 : comparePrefix(branch, prefix, key);
  if (difference !== 0) return difference > 0 ? 0 : branch.count - 1;
  let low = 1;
  let high = branch.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const cell = view.getUint16(HEADER_BYTES + middle * SLOT_BYTES);
    if (compareAt(branch, cell + BRANCH_CELL_HEAD, view.getUint16(cell + 8), key, prefix) <= 0) {
      low = middle + 1;
    } else high = middle;
  }
  return low - 1;
}

export function holdsKey(page: Page, slot: number, key: Uint8Array): boolean {
  return slot < page.count && compareKeyAt(page, slot, key) === 0;
}

/** What the cell at `slot` takes, without its slot. */
export function cellBytes(page: Page, slot: number): number {
  const cell = cellAt(page, slot);
  if (page.kind !== LEAF) return BRANCH_CELL_HEAD + page.view.getUint16(cell + 8);
  const inline = hasLongValue(page, slot) ? LONG_REF_BYTES : page.view.getUint32(cell + 2);
  return LEAF_CELL_HEAD + page.view.getUint16(cell) + inline;
}

/** What a leaf cell takes that holds all of its key. */
export function leafCellBytes(keyLength: number, valueLength: number, long: boolean): number {
  return LEAF_CELL_HEAD + keyLength + (long ? LONG_REF_BYTES : valueLength);
}

/** What a branch cell takes that holds all of its key. */
export function branchCellBytes(keyLength: number): number {
  return BRANCH_CELL_HEAD + keyLength;
}

/** Inserts an empty cell of `size` bytes. @returns where it begins */
function openCell(page: Page, slot: number, size: number): number {
  const { count } = page;
  const slotsEnd = HEADER_BYTES + count * SLOT_BYTES;
  if (page.cells - slotsEnd < size + SLOT_BYTES) rebuild(page, prefixOf(page, 0, page.prefixBytes));
  const cell = page.cells - size;
  assert(cell >= slotsEnd + SLOT_BYTES, `page ${page.number} has no room for a cell of ${size} bytes`);
  const slotAt = HEADER_BYTES + slot * SLOT_BYTES;
  if (slot < count) page.bytes.copyWithin(slotAt + SLOT_BYTES, slotAt, slotsEnd);
  page.view.setUint16(slotAt, cell);
  page.cells = cell;
  page.count = count + 1;
  page.lastInserted = slot;
  return cell;
}

/** Opens a leaf cell for `key` and `rest` bytes behind it. @returns where these go */
function openLeafCell(page: Page, slot: number, key: Uint8Array, length: number, rest: number): number {
  const prefix = page.prefixBytes;
  const suffix = key.length - prefix;
  const cell = openCell(page, slot, LEAF_CELL_HEAD + suffix + rest);
  page.view.setUint16(cell, suffix);
  page.view.setUint32(cell + 2, length);
  copyIn(page, cell + LEAF_CELL_HEAD, key, prefix);
  return cell + LEAF_CELL_HEAD + suffix;
}

/** Inserts a value with its key, which begins with the prefix of the page. */
export function insertValue(page: Page, slot: number, key: Uint8Array, value: Uint8Array): void {
  const at = openLeafCell(page, slot, key, value.length, value.length);
  copyIn(page, at, value, 0);
}

export function insertLongValue(
  page: Page,
  slot: number,
  key: Uint8Array,
  length: number,
  first: PageRef,
): void {
  const at = openLeafCell(page, slot, key, (length | LONG_FLAG) >>> 0, LONG_REF_BYTES);
  page.view.setUint32(at, first.number);
  page.view.setUint32(at + 4, first.stamp);
}

/** Inserts a child with its key, which begins with the prefix of the page; at slot 0 the key is left out. */
export function insertChild(page: Page, slot: number, key: Uint8Array, child: PageRef): void {
  const prefix = slot === 0 ? key.length : page.prefixBytes;
  const suffix = key.length - prefix;
  const cell = openCell(page, slot, BRANCH_CELL_HEAD + suffix);
  page.view.setUint32(cell, child.number);
  page.view.setUint32(cell + 4, child.stamp);
  page.view.setUint16(cell + 8, suffix);
  copyIn(page, cell + BRANCH_CELL_HEAD, key, prefix);
}

/** True when the value at `slot` lies in its cell, and one of `length` bytes can be written over it. */
export function hasRoomForValue(page: Page, slot: number, length: number): boolean {
  const held = page.view.getUint32(cellAt(page, slot) + 2);
  return held < LONG_FLAG && length <= held;
}

/** Writes `value` over the one at `slot`, which has room for it. */
export function overwriteValue(page: Page, slot: number, value: Uint8Array): void {
  shortenValue(page, slot, value.length);
  copyIn(page, valueAt(page, slot), value, 0);
}

/** The same with the value that lies from `start` to `end` of `source`: no view is made of it. */
export function overwriteValueFrom(
  page: Page,
  slot: number,
  source: Buffer,
  start: number,
  end: number,
): void {
  shortenValue(page, slot, end - start);
  source.copy(page.bytes, valueAt(page, slot), start, end);
}

/** What the value does not need any more is a hole. */
function shortenValue(page: Page, slot: number, length: number): void {
  const at = cellAt(page, slot) + 2;
  const held = page.view.getUint32(at);
  if (held === length) return;
  page.holes += held - length;
  page.view.setUint32(at, length);
}

/** Removes the cells from `start` up to, not including, `end`. */
export function removeCells(page: Page, start: number, end: number): void {
  if (start >= end) return;
  for (let slot = start; slot < end; slot += 1) page.holes += cellBytes(page, slot);
  const at = HEADER_BYTES + start * SLOT_BYTES;
  page.bytes.copyWithin(at, HEADER_BYTES + end * SLOT_BYTES, HEADER_BYTES + page.count * SLOT_BYTES);
  page.count -= end - start;
  page.lastInserted = -1;
  if (page.count === 0) startCells(page, NO_PREFIX);
}

/** Removes child cells and keeps the rule that the first cell of a branch has no key. */
export function removeChildren(page: Page, start: number, end: number): void {
  removeCells(page, start, end);
  if (start > 0 || page.count === 0) return;
  const cell = cellAt(page, 0);
  page.holes += page.view.getUint16(cell + 8);
  page.view.setUint16(cell + 8, 0);
}

/** Makes the page one without cells, whose keys will begin with `prefix`: that may be a view of the page. */
export function startCells(page: Page, prefix: Uint8Array): void {
  page.cells = PAGE_BYTES - prefixArea(prefix.length);
  page.count = 0;
  page.holes = 0;
  // Before the length, which is written to where the view may lie.
  page.bytes.set(prefix, page.cells);
  page.prefixBytes = prefix.length;
}

/** Copies the cells from `start` up to `end` behind those of `to`, which has room, and whose prefix they share. */
export function appendCells(from: Page, start: number, end: number, to: Page): void {
  // A key cut off at a prefix that it does not have would be another key from then on.
  const keyed = Math.max(start, firstKeyed(from));
  if (to.prefixBytes > 0 && keyed < end) {
    for (const slot of [keyed, end - 1]) {
      const shared = sharedWithPrefix(to, keyView(from, slot));
      assert(shared === to.prefixBytes, `the keys moved to page ${to.number} begin with its prefix`);
    }
  }
  for (let slot = start; slot < end; slot += 1) appendCell(from, slot, to);
  to.lastInserted = -1;
}

function appendCell(from: Page, slot: number, to: Page): void {
  const head = cellHead(from);
  const source = cellAt(from, slot);
  const isKeyless = from.kind === BRANCH && (slot === 0 || to.count === 0);
  const suffix = isKeyless ? 0 : keyBytes(from, slot) - to.prefixBytes;
  const restAt = source + head + suffixBytes(from, slot);
  const restEnd = source + cellBytes(from, slot);
  const cell = openCell(to, to.count, head + suffix + restEnd - restAt);
  copyOut(from, source, head, to.bytes, cell);
  to.view.setUint16(head === LEAF_CELL_HEAD ? cell : cell + 8, suffix);
  if (suffix > 0) copyKey(from, slot, to.prefixBytes, to.bytes, cell + head);
  copyOut(from, restAt, restEnd - restAt, to.bytes, cell + head + suffix);
}

/** Lays out the first `count` cells anew, without holes and with another prefix; the others go. */
export function rebuild(page: Page, prefix: Uint8Array, count = page.count): void {
  const old = new Page(Buffer.from(page.bytes), page.number, page.stamp, page.birth, false);
  startCells(page, prefix);
  appendCells(old, 0, count, page);
}
