/**
 * A node of a tree: a page with cells in the order of their keys.
 *
 *   ┌────────┬───┬───┬───┬──▶            ◀──┬────────┬────────┬────────┐
 *   │ header │ 2 │ 0 │ 1 │   free space     │ cell 1 │ cell 2 │ cell 0 │
 *   └────────┴───┴───┴───┴──▶            ◀──┴────────┴────────┴────────┘
 *   0        20  slots: 2-byte offsets      cells grow towards the slots
 *            of the cells, in key order
 *
 *   leaf cell     key length 2 │ value length 4 │ key │ value
 *                 with the highest bit of the value length set the value is long, and in its place stand
 *                 the number and the stamp (4 + 4) of its first page
 *   branch cell   child number 4 │ child stamp 4 │ key length 2 │ key
 *                 the child holds keys from this cell's key up to the next cell's; the key of the first cell
 *                 is empty and means "from the beginning"
 *
 * A removed cell leaves a hole; the holes are closed when an insertion needs their space.
 */
import { assert } from '../assert.ts';
import { PAGE_BYTES } from './limits.ts';
import { HEADER_BYTES, LEAF, type Page, type PageRef } from './page.ts';

const SLOT_BYTES = 2;
const LEAF_CELL_HEAD = 6;
const BRANCH_CELL_HEAD = 10;
const LONG_FLAG = 0x8000_0000;
const LONG_REF_BYTES = 8;
/** From this length on the native comparison is faster than a loop. */
const NATIVE_FROM_BYTES = 90;

/** What slots and cells of one page may take together. */
export const NODE_BYTES = PAGE_BYTES - HEADER_BYTES;

/** A cell with its slot takes at most a quarter of a page, so that any full page can be split in two. */
const CELL_BYTES_MAX = Math.floor(NODE_BYTES / 4) - SLOT_BYTES;

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

function cellAt(page: Page, slot: number): number {
  return page.view.getUint16(HEADER_BYTES + slot * SLOT_BYTES);
}

function cellHead(page: Page): number {
  return page.kind === LEAF ? LEAF_CELL_HEAD : BRANCH_CELL_HEAD;
}

/** Where the key of the cell at `slot` begins; its length is `keyBytes`. */
export function keyAt(page: Page, slot: number): number {
  return cellAt(page, slot) + cellHead(page);
}

export function keyBytes(page: Page, slot: number): number {
  const cell = cellAt(page, slot);
  return page.view.getUint16(page.kind === LEAF ? cell : cell + 8);
}

/** A view of the key, valid until the page changes. */
export function keyView(page: Page, slot: number): Buffer {
  const start = keyAt(page, slot);
  return page.bytes.subarray(start, start + keyBytes(page, slot));
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

/** Compares the key at `slot` with `key` where it lies. */
export function compareKeyAt(page: Page, slot: number, key: Uint8Array): number {
  return compareAt(page, keyAt(page, slot), keyBytes(page, slot), key);
}

/** Compares the `length` bytes at `start` of the page with `key`. */
function compareAt(page: Page, start: number, length: number, key: Uint8Array): number {
  const bytes = page.bytes;
  const shared = length < key.length ? length : key.length;
  if (shared >= NATIVE_FROM_BYTES) return bytes.compare(key, 0, key.length, start, start + length);
  for (let index = 0; index < shared; index += 1) {
    const difference = bytes[start + index]! - key[index]!;
    if (difference !== 0) return difference;
  }
  return length - key.length;
}

// The two searches below read cells themselves, without asking the page for its kind at every step: looking
// up a key is little else.

/** The first slot of a leaf whose key is at least `key`; `count` when there is none. */
export function lowerBound(leaf: Page, key: Uint8Array): number {
  const { view } = leaf;
  let low = 0;
  let high = leaf.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const cell = view.getUint16(HEADER_BYTES + middle * SLOT_BYTES);
    if (compareAt(leaf, cell + LEAF_CELL_HEAD, view.getUint16(cell), key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The slot of the child of a branch that holds `key`, or would. */
export function childSlot(branch: Page, key: Uint8Array): number {
  const { view } = branch;
  let low = 1;
  let high = branch.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const cell = view.getUint16(HEADER_BYTES + middle * SLOT_BYTES);
    if (compareAt(branch, cell + BRANCH_CELL_HEAD, view.getUint16(cell + 8), key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export function holdsKey(page: Page, slot: number, key: Uint8Array): boolean {
  return slot < page.count && compareKeyAt(page, slot, key) === 0;
}

function cellBytes(page: Page, slot: number): number {
  const cell = cellAt(page, slot);
  if (page.kind !== LEAF) return BRANCH_CELL_HEAD + page.view.getUint16(cell + 8);
  const inline = hasLongValue(page, slot) ? LONG_REF_BYTES : page.view.getUint32(cell + 2);
  return LEAF_CELL_HEAD + page.view.getUint16(cell) + inline;
}

export function leafCellBytes(keyLength: number, valueLength: number, long: boolean): number {
  return LEAF_CELL_HEAD + keyLength + (long ? LONG_REF_BYTES : valueLength);
}

export function branchCellBytes(keyLength: number): number {
  return BRANCH_CELL_HEAD + keyLength;
}

export function hasRoom(page: Page, size: number): boolean {
  return freeBytes(page) >= size + SLOT_BYTES;
}

/** Inserts an empty cell of `size` bytes. @returns where it begins */
function openCell(page: Page, slot: number, size: number): number {
  const slotsEnd = HEADER_BYTES + page.count * SLOT_BYTES;
  if (page.cells - slotsEnd < size + SLOT_BYTES) closeHoles(page);
  const cell = page.cells - size;
  assert(cell >= slotsEnd + SLOT_BYTES, `page ${page.number} has no room for a cell of ${size} bytes`);
  const slotAt = HEADER_BYTES + slot * SLOT_BYTES;
  page.bytes.copyWithin(slotAt + SLOT_BYTES, slotAt, slotsEnd);
  page.view.setUint16(slotAt, cell);
  page.cells = cell;
  page.count += 1;
  page.lastInserted = slot;
  return cell;
}

function closeHoles(page: Page): void {
  const old = Buffer.from(page.bytes);
  let cells = PAGE_BYTES;
  for (let slot = 0; slot < page.count; slot += 1) {
    const from = cellAt(page, slot);
    const size = cellBytesIn(page, old, from);
    cells -= size;
    old.copy(page.bytes, cells, from, from + size);
    page.view.setUint16(HEADER_BYTES + slot * SLOT_BYTES, cells);
  }
  page.cells = cells;
  page.holes = 0;
}

/** `cellBytes` of a cell at offset `cell` of `bytes`, a copy of `page` from before its cells moved. */
function cellBytesIn(page: Page, bytes: Buffer, cell: number): number {
  if (page.kind !== LEAF) return BRANCH_CELL_HEAD + bytes.readUInt16BE(cell + 8);
  const value = bytes.readUInt32BE(cell + 2);
  return LEAF_CELL_HEAD + bytes.readUInt16BE(cell) + (value & LONG_FLAG ? LONG_REF_BYTES : value);
}

export function insertValue(page: Page, slot: number, key: Uint8Array, value: Uint8Array): void {
  const cell = openCell(page, slot, leafCellBytes(key.length, value.length, false));
  page.view.setUint16(cell, key.length);
  page.view.setUint32(cell + 2, value.length);
  page.bytes.set(key, cell + LEAF_CELL_HEAD);
  page.bytes.set(value, cell + LEAF_CELL_HEAD + key.length);
}

export function insertLongValue(
  page: Page,
  slot: number,
  key: Uint8Array,
  length: number,
  first: PageRef,
): void {
  const cell = openCell(page, slot, leafCellBytes(key.length, length, true));
  page.view.setUint16(cell, key.length);
  page.view.setUint32(cell + 2, (length | LONG_FLAG) >>> 0);
  page.bytes.set(key, cell + LEAF_CELL_HEAD);
  page.view.setUint32(cell + LEAF_CELL_HEAD + key.length, first.number);
  page.view.setUint32(cell + LEAF_CELL_HEAD + key.length + 4, first.stamp);
}

export function insertChild(page: Page, slot: number, key: Uint8Array, child: PageRef): void {
  const cell = openCell(page, slot, branchCellBytes(key.length));
  page.view.setUint32(cell, child.number);
  page.view.setUint32(cell + 4, child.stamp);
  page.view.setUint16(cell + 8, key.length);
  page.bytes.set(key, cell + BRANCH_CELL_HEAD);
}

/** Writes `value` over the one at `slot`, which lies in its cell and has the same length. */
export function overwriteValue(page: Page, slot: number, value: Uint8Array): void {
  page.bytes.set(value, valueAt(page, slot));
}

/** Removes the cells from `start` up to, not including, `end`. */
export function removeCells(page: Page, start: number, end: number): void {
  if (start >= end) return;
  for (let slot = start; slot < end; slot += 1) page.holes += cellBytes(page, slot);
  const at = HEADER_BYTES + start * SLOT_BYTES;
  page.bytes.copyWithin(at, HEADER_BYTES + end * SLOT_BYTES, HEADER_BYTES + page.count * SLOT_BYTES);
  page.count -= end - start;
  page.lastInserted = -1;
  if (page.count > 0) return;
  page.cells = PAGE_BYTES;
  page.holes = 0;
}

/** Removes child cells and keeps the rule that the first key of a branch is empty. */
export function removeChildren(page: Page, start: number, end: number): void {
  removeCells(page, start, end);
  if (start === 0 && page.count > 0) clearFirstKey(page);
}

/** Makes the key of a branch's first cell the empty one. */
export function clearFirstKey(page: Page): void {
  const cell = cellAt(page, 0);
  page.holes += page.view.getUint16(cell + 8);
  page.view.setUint16(cell + 8, 0);
}

/** Copies the cells from `start` up to `end` behind those of `to`, which has room and is of the same kind. */
export function appendCells(from: Page, start: number, end: number, to: Page): void {
  for (let slot = start; slot < end; slot += 1) {
    const size = cellBytes(from, slot);
    const source = cellAt(from, slot);
    const cell = openCell(to, to.count, size);
    from.bytes.copy(to.bytes, cell, source, source + size);
  }
  to.lastInserted = -1;
}

/** Where a full page is divided: existing cells from `from` on move right; the new cell goes to a side. */
export interface Division {
  readonly from: number;
  readonly newGoesRight: boolean;
}

/**
 * Divides a full page for a new cell of `size` bytes at `slot`. Where the insertions ascend, the new cell
 * begins the right page, so that the left one stays full; else both sides get about half.
 */
export function divide(page: Page, slot: number, size: number): Division {
  const ascending = slot === page.lastInserted + 1 && slot > 0;
  if (ascending && suffixBytes(page, slot) + size + SLOT_BYTES <= NODE_BYTES) {
    return { from: slot, newGoesRight: true };
  }
  return divideInHalf(page, slot, size + SLOT_BYTES);
}

function suffixBytes(page: Page, start: number): number {
  let bytes = 0;
  for (let slot = start; slot < page.count; slot += 1) bytes += cellBytes(page, slot) + SLOT_BYTES;
  return bytes;
}

/** Divides after the cell, the new one counted in its place, with which the left side comes nearest to half. */
function divideInHalf(page: Page, slot: number, newBytes: number): Division {
  const half = (usedBytes(page) + newBytes) / 2;
  let left = 0;
  let position = 0;
  for (; position < page.count; position += 1) {
    const bytes =
      position === slot ? newBytes : cellBytes(page, position - Number(position > slot)) + SLOT_BYTES;
    if (position > 0 && left + bytes / 2 > half) break;
    left += bytes;
  }
  return position <= slot
    ? { from: position, newGoesRight: true }
    : { from: position - 1, newGoesRight: false };
}
