/**
 * How a node gets room for one more cell: by a longer prefix, or by its division; and how two become one.
 *
 *   a key that begins with the prefix     room? ── no ──▶ a longer prefix gives room? ── no ──▶ divide
 *   a key that does not                   room with the shorter prefix? ── no ──▶ divide
 *
 * A page is divided in half, but where keys ascend it is divided at the new one, and the left side stays full.
 * A key that does not share the prefix lies before or behind all others; with cells that grow with the
 * shorter prefix it may not fit into half a page. So it takes along only what fits well:
 *
 *   prefix abcdef: 00 01 02 03 … 99      and the key abd   ──▶   abcdef: 00 … 80     ab: cdef81 … cdef99, d
 */
import { assert } from '../assert.ts';
import {
  appendCells,
  cellBytes,
  childNumber,
  childStamp,
  firstKeyed,
  freeBytes,
  insertChild,
  keyView,
  NODE_BYTES,
  prefixArea,
  prefixOf,
  rebuild,
  SLOT_BYTES,
  sharedWithPrefix,
  startCells,
  usedBytes,
} from './node.ts';
import { BRANCH, LEAF, type Page } from './page.ts';

/** Below this a page looks for a neighbour to join. */
export const JOIN_BELOW_BYTES = Math.floor(NODE_BYTES / 4);

const HALF_BYTES = NODE_BYTES / 2;
const EMPTY = Buffer.alloc(0);

/** How many bytes `left` and `right` begin with both. */
export function commonBytes(left: Uint8Array, right: Uint8Array): number {
  const most = Math.min(left.length, right.length);
  let common = 0;
  while (common < most && left[common] === right[common]) common += 1;
  return common;
}

/**
 * Makes the page ready for a cell of `key`, with another prefix if need be.
 * @param size of the cell if it held all of its key
 * @returns false when there is no room: the page must be divided
 */
export function makeRoom(page: Page, key: Uint8Array, size: number): boolean {
  const { prefixBytes } = page;
  const shared = prefixBytes === 0 ? 0 : sharedWithPrefix(page, key);
  if (shared < prefixBytes) return takePrefix(page, key.subarray(0, shared), size);
  if (freeBytes(page) >= size + SLOT_BYTES - prefixBytes) return true;
  const longest = Math.min(longestPrefix(page, 0, page.count), commonBytes(key, firstKey(page)));
  return longest > prefixBytes && takePrefix(page, key.subarray(0, longest), size);
}

/** Gives the page another prefix, if there is room then for a cell of `size` with all of its key. */
function takePrefix(page: Page, prefix: Uint8Array, size: number): boolean {
  if (bytesWithPrefix(page, prefix.length) + size + SLOT_BYTES - prefix.length > NODE_BYTES) return false;
  rebuild(page, prefix);
  return true;
}

function firstKey(page: Page): Buffer {
  const slot = firstKeyed(page);
  return slot < page.count ? keyView(page, slot) : EMPTY;
}

/** What the keys of the slots from `start` up to `end` have in common, as far as storing it once saves space. */
function longestPrefix(page: Page, start: number, end: number): number {
  const first = Math.max(start, firstKeyed(page));
  if (end - first < 2) return 0;
  return worthwhile(commonBytes(keyView(page, first), keyView(page, end - 1)), end - first);
}

/** A common prefix of so many keys, or 0 when it would take more space than it saves. */
function worthwhile(common: number, keys: number): number {
  return common * keys > prefixArea(common) ? common : 0;
}

/** What slots, cells and prefix of the page would take with a prefix of `length` bytes. */
function bytesWithPrefix(page: Page, length: number): number {
  const { prefixBytes } = page;
  const keys = Math.max(0, page.count - firstKeyed(page));
  return usedBytes(page) + (prefixBytes - length) * keys + prefixArea(length) - prefixArea(prefixBytes);
}

/**
 * Where a full page is divided: existing cells from `from` on move right; the new cell goes to a side, or to
 * any when it lies between them.
 */
export interface Division {
  readonly from: number;
  readonly newGoesRight: boolean;
}

/** Divides a full page for a new cell of `key` at `slot`, of `size` bytes if it held all of its key. */
export function divide(page: Page, slot: number, key: Uint8Array, size: number): Division {
  const shared = sharedWithPrefix(page, key);
  const grownBy = page.prefixBytes - shared;
  const newBytes = size + SLOT_BYTES - shared;
  if (isAscending(page, slot, grownBy, newBytes)) return { from: slot, newGoesRight: true };
  if (grownBy === 0) return divideInHalf(page, slot, newBytes);
  return slot === page.count ? divideBehind(page, grownBy, newBytes) : divideBefore(page, grownBy, newBytes);
}

function isAscending(page: Page, slot: number, grownBy: number, newBytes: number): boolean {
  if (slot === 0 || slot !== page.lastInserted + 1) return false;
  if (slot === page.count) return true;
  if (page.kind === BRANCH || grownBy > 0) return false;
  let bytes = newBytes + prefixArea(page.prefixBytes);
  for (let behind = slot; behind < page.count; behind += 1) bytes += cellBytes(page, behind) + SLOT_BYTES;
  return bytes <= NODE_BYTES;
}

/** Divides after the cell, the new one counted in its place, with which the left side comes nearest to half. */
function divideInHalf(page: Page, slot: number, newBytes: number): Division {
  const half = (usedBytes(page) - prefixArea(page.prefixBytes) + newBytes) / 2;
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

/** Divides for a new cell behind all others, whose side takes of them what fits into half a page. */
function divideBehind(page: Page, grownBy: number, newBytes: number): Division {
  let from = page.count;
  for (let bytes = newBytes; ; from -= 1) {
    bytes += cellBytes(page, from - 1) + SLOT_BYTES + grownBy;
    if (bytes > HALF_BYTES) return { from, newGoesRight: true };
  }
}

/** The same for a new cell before all others that have a key. */
function divideBefore(page: Page, grownBy: number, newBytes: number): Division {
  let from = firstKeyed(page);
  for (let bytes = newBytes; ; from += 1) {
    bytes += cellBytes(page, from) + SLOT_BYTES + grownBy;
    if (bytes > HALF_BYTES) return { from, newGoesRight: false };
  }
}

/**
 * Moves the cells from `from` on to `right`, an empty page of the same kind; of a branch the first of them loses
 * its key. Both sides take the longest prefix; where nothing moves, the right one that of the left, for what
 * comes there will be like what is here.
 */
export function moveCells(page: Page, from: number, right: Page): void {
  const moves = from < page.count;
  const prefix = moves ? longestPrefix(page, from, page.count) : page.prefixBytes;
  startCells(right, prefixOf(page, from, prefix));
  if (!moves) return;
  appendCells(page, from, page.count, right);
  rebuild(page, prefixOf(page, firstKeyed(page), longestPrefix(page, 0, from)), from);
}

/**
 * What `left` and `right` would take as one page.
 * @param key what separates them: of branches, the key of the first cell of `right` from then on
 */
export function joinedBytes(left: Page, key: Uint8Array, right: Page): number {
  const prefix = joinedPrefix(left, key, right);
  const both = bytesWithPrefix(left, prefix) + bytesWithPrefix(right, prefix) - prefixArea(prefix);
  return left.kind === LEAF ? both : both + key.length - prefix;
}

/** `key` lies between the keys of both sides, and so begins with what these have in common. */
function joinedPrefix(left: Page, key: Uint8Array, right: Page): number {
  const slot = firstKeyed(left);
  const first = left.count > slot ? keyView(left, slot) : key;
  const last = right.count > slot ? keyView(right, right.count - 1) : key;
  return worthwhile(commonBytes(first, last), left.count + right.count - slot);
}

/** Copies the cells of `right` behind those of `left`, which has room for them. */
export function joinCells(left: Page, key: Uint8Array, right: Page): void {
  assert(
    joinedBytes(left, key, right) <= NODE_BYTES,
    `pages ${left.number} and ${right.number} fit into one`,
  );
  const prefix = joinedPrefix(left, key, right);
  if (prefix !== left.prefixBytes) rebuild(left, key.subarray(0, prefix));
  if (left.kind === LEAF) {
    appendCells(right, 0, right.count, left);
    return;
  }
  insertChild(left, left.count, key, { number: childNumber(right, 0), stamp: childStamp(right, 0) });
  appendCells(right, 1, right.count, left);
}
