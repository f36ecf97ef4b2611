/**
 * The page file `pages`: a row of pages of 8,192 bytes, numbered from 0. Numbers are big-endian.
 *
 *     0        1        2        3        4
 *   ┌────────┬────────┬────────┬────────┬────────┬──
 *   │ root A │ root B │  page  │  page  │  page  │ …        roots: see root.ts
 *   └────────┴────────┴────────┴────────┴────────┴──
 *
 * Every page begins with the same header:
 *
 *   offset size
 *      0    4   checksum   CRC-32 of bytes 4 to 8,191
 *      4    4   number     the page's own place, so that a write that went elsewhere is seen
 *      8    4   stamp      drawn at random for each checkpoint; whoever refers to the page repeats it, so that
 *                          a write that never reached the disk is seen (the old page there has another stamp)
 *     12    1   kind       1 branch, 2 leaf, 3 part of a long value, 4 root; the highest bit is set when the
 *                          keys of a branch or a leaf have a prefix in common that is stored once, at the end
 *                          of the page (since format 2 of the file, see root.ts)
 *     13    1   level      0 for a leaf, one more than its children for a branch; the highest bit is set when
 *                          a leaf below, or the page itself, may hold a long value: without it a whole tree
 *                          can be let go of and its leaves not be read
 *     14    2   count      of cells; for kind 3, of bytes
 *     16    2   cells      where the lowest cell begins
 *     18    2   holes      bytes between the cells that removed cells and longer values left behind
 *     20        the rest depends on the kind: node.ts (1, 2), long-value.ts (3), root.ts (4)
 *
 * A page without a prefix is the same in format 1 and 2: a file may hold pages of both, and a page of format 1
 * is changed like any other.
 *
 * A page that a root reaches is never written again: a change goes to a copy under another number. So no
 * crash can tear a page that matters, and an old root is a whole old state.
 */
import { crc32 } from '../bytes/crc32.ts';
import { StoreError } from './errors.ts';
import { PAGE_BYTES } from './limits.ts';

export const BRANCH = 1;
export const LEAF = 2;
export const LONG_VALUE = 3;
export const ROOT = 4;
export type PageKind = typeof BRANCH | typeof LEAF | typeof LONG_VALUE | typeof ROOT;

export const HEADER_BYTES = 20;

const PREFIX_BIT = 0x80;
const LONG_VALUES_BIT = 0x80;

const CHECKSUM_AT = 0;
const NUMBER_AT = 4;
const STAMP_AT = 8;
const KIND_AT = 12;
const LEVEL_AT = 13;
const COUNT_AT = 14;
const CELLS_AT = 16;
const HOLES_AT = 18;
/** Of a page with a prefix: the length of the prefix, which lies before it. */
const PREFIX_BYTES_AT = PAGE_BYTES - 2;

/** What refers to a page: its place, and the stamp that it must carry. */
export interface PageRef {
  readonly number: number;
  readonly stamp: number;
}

/** One page in memory: its bytes, and what is known about them that the disk need not know. */
export class Page implements PageRef {
  readonly number: number;
  readonly stamp: number;
  readonly bytes: Buffer;
  readonly view: DataView;
  /** When it came to be, in epochs of this process; 0 when it was read from the disk. See versions.ts. */
  readonly birth: number;
  /** Changed, or new, and not yet in the file. */
  dirty: boolean;
  /** Used since the cache last looked at it. */
  used = true;
  /** Where the last cell was inserted: tells ascending from random insertion. */
  lastInserted = -1;

  constructor(bytes: Buffer, number: number, stamp: number, birth: number, dirty: boolean) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_BYTES);
    this.number = number;
    this.stamp = stamp;
    this.birth = birth;
    this.dirty = dirty;
  }

  get kind(): number {
    return this.view.getUint8(KIND_AT) & ~PREFIX_BIT;
  }

  /** The length of the prefix of its keys, 0 when it has none. */
  get prefixBytes(): number {
    return this.view.getUint8(KIND_AT) < PREFIX_BIT ? 0 : this.view.getUint16(PREFIX_BYTES_AT);
  }

  /** Says how long the prefix is; the bytes of the prefix are the caller's to write. */
  set prefixBytes(length: number) {
    this.view.setUint8(KIND_AT, length === 0 ? this.kind : this.kind | PREFIX_BIT);
    if (length > 0) this.view.setUint16(PREFIX_BYTES_AT, length);
  }

  get level(): number {
    return this.view.getUint8(LEVEL_AT) & ~LONG_VALUES_BIT;
  }

  get mayHoldLongValues(): boolean {
    return (this.view.getUint8(LEVEL_AT) & LONG_VALUES_BIT) !== 0;
  }

  noteLongValues(): void {
    this.view.setUint8(LEVEL_AT, this.view.getUint8(LEVEL_AT) | LONG_VALUES_BIT);
  }

  get count(): number {
    return this.view.getUint16(COUNT_AT);
  }

  set count(value: number) {
    this.view.setUint16(COUNT_AT, value);
  }

  get cells(): number {
    return this.view.getUint16(CELLS_AT);
  }

  set cells(value: number) {
    this.view.setUint16(CELLS_AT, value);
  }

  get holes(): number {
    return this.view.getUint16(HOLES_AT);
  }

  set holes(value: number) {
    this.view.setUint16(HOLES_AT, value);
  }
}

/** What the header of a page says it is, whether it has a prefix or not. */
export function kindOf(bytes: Uint8Array): number {
  return bytes[KIND_AT]! & ~PREFIX_BIT;
}

/** Writes the header of an empty page. What the memory held before does not get into the file. */
export function clearPage(page: Page, kind: PageKind, level: number): void {
  page.bytes.fill(0);
  page.view.setUint32(NUMBER_AT, page.number);
  page.view.setUint32(STAMP_AT, page.stamp);
  page.view.setUint8(KIND_AT, kind);
  page.view.setUint8(LEVEL_AT, level);
  page.count = 0;
  page.cells = PAGE_BYTES;
  page.holes = 0;
}

/** Makes `copy` say what `original` says, under its own number and stamp. */
export function copyPage(original: Page, copy: Page): void {
  copy.bytes.set(original.bytes);
  copy.view.setUint32(NUMBER_AT, copy.number);
  copy.view.setUint32(STAMP_AT, copy.stamp);
  copy.lastInserted = original.lastInserted;
}

/** Writes the checksum; the last thing before a page goes to the file. */
export function sealPage(bytes: Buffer): void {
  bytes.writeUInt32BE(crc32(bytes.subarray(NUMBER_AT, PAGE_BYTES)), CHECKSUM_AT);
}

/** @returns what is wrong with bytes read for `ref`, or undefined when they are the page that was meant */
export function flawOf(bytes: Buffer, ref: PageRef): string | undefined {
  if (bytes.readUInt32BE(CHECKSUM_AT) !== crc32(bytes.subarray(NUMBER_AT, PAGE_BYTES))) {
    return 'its checksum is wrong';
  }
  const number = bytes.readUInt32BE(NUMBER_AT);
  if (number !== ref.number) return `it is page ${number}, written to the wrong place`;
  if (bytes.readUInt32BE(STAMP_AT) !== ref.stamp) return 'it is an older page: a later write was lost';
  return undefined;
}

/** The error for a damaged page, with its place. */
export function corruptPage(path: string, number: number, flaw: string): StoreError {
  return new StoreError('corrupt', `page ${number} of ${path} (offset ${number * PAGE_BYTES}): ${flaw}`);
}
