/**
 * Values that do not fit beside their key: a chain of pages of kind 3, all with the stamp of the first.
 *
 *   ┌────────┬────────┬──────────────────────────┐
 *   │ header │ next 4 │ bytes                    │     count in the header: how many bytes of the value
 *   └────────┴────────┴──────────────────────────┘     next: the following page, 0 in the last
 *   0        20       24
 */
import { PAGE_BYTES } from './limits.ts';
import { corruptPage, HEADER_BYTES, kindOf, LONG_VALUE, type Page, type PageRef } from './page.ts';
import type { Pages } from './pages.ts';

const NEXT_AT = HEADER_BYTES;
const BYTES_AT = NEXT_AT + 4;

/** Bytes of a value that one page takes. */
export const LONG_VALUE_PAGE_BYTES = PAGE_BYTES - BYTES_AT;

/** Makes the pages of `value`, which is not empty. @returns the first */
export function writeLongValue(pages: Pages, value: Uint8Array): PageRef {
  let next = 0;
  let start = Math.floor((value.length - 1) / LONG_VALUE_PAGE_BYTES) * LONG_VALUE_PAGE_BYTES;
  for (; ; start -= LONG_VALUE_PAGE_BYTES) {
    const page = pages.create(LONG_VALUE, 0);
    fillLongValuePage(page, next, value.subarray(start, start + LONG_VALUE_PAGE_BYTES));
    if (start === 0) return page;
    next = page.number;
  }
}

/** @param next the number of the following page, 0 when there is none */
export function fillLongValuePage(page: Page, next: number, part: Uint8Array): void {
  page.count = part.length;
  page.view.setUint32(NEXT_AT, next);
  page.bytes.set(part, BYTES_AT);
}

/** The bytes of the value that lie on a page of it. */
export function longValuePart(page: Buffer): Buffer {
  return page.subarray(BYTES_AT, BYTES_AT + page.readUInt16BE(14));
}

/**
 * The `length` bytes of the value that begins on page `first`.
 * @throws StoreError `corrupt`
 */
export function readLongValue(pages: Pages, first: PageRef, length: number): Buffer {
  const value = Buffer.allocUnsafe(length);
  let filled = 0;
  for (const { number, bytes } of chain(pages, first)) {
    const count = bytes.readUInt16BE(14);
    if (filled + count > length)
      throw corruptPage(pages.path, number, 'its value is longer than its cell says');
    bytes.copy(value, filled, BYTES_AT, BYTES_AT + count);
    filled += count;
  }
  if (filled < length) throw corruptPage(pages.path, first.number, 'its value is shorter than its cell says');
  return value;
}

/** Lets go of the pages of a value. */
export function retireLongValue(pages: Pages, first: PageRef): void {
  // Collected first: a page let go of may be taken again at once.
  const links = [...chain(pages, first)].map(({ number }) => number);
  for (const number of links) pages.retire(number, pages.peek(number)?.birth ?? 0);
}

interface Link {
  readonly number: number;
  /** The page, valid until the next step. */
  readonly bytes: Buffer;
}

/** The pages of a long value. They do not pass through the cache: one long value would empty it. */
export function* chain(pages: Pages, first: PageRef): IterableIterator<Link> {
  const scratch = Buffer.allocUnsafe(PAGE_BYTES);
  for (let number = first.number; number !== 0; ) {
    const loaded = pages.peek(number);
    const bytes = loaded?.stamp === first.stamp ? loaded.bytes : scratch;
    if (bytes === scratch) pages.readInto(scratch, { number, stamp: first.stamp });
    if (kindOf(bytes) !== LONG_VALUE) throw corruptPage(pages.path, number, 'it is no part of a long value');
    const next = bytes.readUInt32BE(NEXT_AT);
    yield { number, bytes };
    number = next;
  }
}
