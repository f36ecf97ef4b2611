/**
 * Walks a tree of a damaged file and goes on beside what is broken: whole leaves come out, and for every page
 * that cannot be used the range of keys that it stood for.
 *
 *                 ┌───────── m ─────────┐
 *              ┌──┴── f ──┐          ┌──┴── t ──┐
 *              a…         ✗          m…         t…        leaf a…, lost from f to m, leaf m…, leaf t…
 *
 * A page is used when its checksum, number and stamp are right and it says of itself what its parent says of it.
 * Memory: one path down the tree.
 */
import { messageOf } from '../errors.ts';
import { PAGE_BYTES } from './limits.ts';
import { childNumber, childStamp, compareKeyAt, freeBytes, keyView } from './node.ts';
import { BRANCH, LEAF, Page, type PageRef } from './page.ts';
import type { Pages } from './pages.ts';

/** Keys from `from` (undefined: the first) up to, not including, `to` (undefined: to the end). */
export interface KeyRange {
  readonly from: Buffer | undefined;
  readonly to: Buffer | undefined;
}

export const ALL_KEYS: KeyRange = { from: undefined, to: undefined };

/** The page that should be there, and why it cannot be used. */
export interface LostPage {
  readonly page: number;
  readonly what: string;
  /** Its level; undefined for the root of a tree, whose level nothing else says. */
  readonly level: number | undefined;
}

export type Step =
  | { readonly kind: 'leaf'; readonly leaf: Page; readonly range: KeyRange }
  | { readonly kind: 'lost'; readonly lost: LostPage; readonly range: KeyRange };

export interface Walk {
  readonly pages: Pages;
  /** Told of each page that is used. */
  readonly meet?: (page: Page) => void;
}

/** The leaves of the tree under `ref` that may hold keys of `range`, in order. */
export function* walkTree(walk: Walk, ref: PageRef, range: KeyRange): Generator<Step, void> {
  yield* step(walk, ref, undefined, range);
}

function* step(walk: Walk, ref: PageRef, level: number | undefined, range: KeyRange): Generator<Step, void> {
  const page = readNode(walk.pages, ref, level);
  if (typeof page === 'string') {
    yield { kind: 'lost', lost: { page: ref.number, what: page, level }, range };
    return;
  }
  walk.meet?.(page);
  if (page.level === 0) yield { kind: 'leaf', leaf: page, range };
  else for (const child of childrenIn(page, range)) yield* step(walk, child.ref, page.level - 1, child.range);
}

/** @returns the node, or why it cannot be used */
export function readNode(pages: Pages, ref: PageRef, level: number | undefined): Page | string {
  const bytes = Buffer.allocUnsafe(PAGE_BYTES);
  try {
    pages.readInto(bytes, ref);
    const page = new Page(bytes, ref.number, ref.stamp, 0, false);
    return nodeFlaw(page, level) ?? page;
  } catch (error) {
    return withoutPlace(messageOf(error), pages.path, ref.number);
  }
}

/** What an error says of a page, without the place that it names. */
export function withoutPlace(message: string, path: string, page: number): string {
  return message.replace(`page ${page} of ${path} (offset ${page * PAGE_BYTES}): `, '');
}

function nodeFlaw(page: Page, level: number | undefined): string | undefined {
  if (page.kind !== (page.level === 0 ? LEAF : BRANCH) || page.count === 0 || freeBytes(page) < 0) {
    return 'it is no sound node';
  }
  if (level !== undefined && page.level !== level) return `it has level ${page.level} instead of ${level}`;
  for (let slot = 1; slot < page.count; slot += 1) {
    const before = Buffer.from(keyView(page, slot - 1));
    if (compareKeyAt(page, slot, before) <= 0) return `its key ${slot} is out of order`;
  }
  return undefined;
}

interface Child {
  readonly ref: PageRef;
  readonly range: KeyRange;
}

/** The children that may hold keys of `range`, each with its part of it. */
function* childrenIn(branch: Page, { from, to }: KeyRange): Generator<Child, void> {
  for (let slot = 0; slot < branch.count; slot += 1) {
    const low = slot === 0 ? undefined : Buffer.from(keyView(branch, slot));
    const high = slot + 1 < branch.count ? Buffer.from(keyView(branch, slot + 1)) : undefined;
    if (to !== undefined && low !== undefined && low.compare(to) >= 0) return;
    if (from !== undefined && high !== undefined && high.compare(from) <= 0) continue;
    const range = { from: higher(low, from), to: lower(high, to) };
    yield { ref: { number: childNumber(branch, slot), stamp: childStamp(branch, slot) }, range };
  }
}

/** The higher of two lower bounds. */
function higher(one: Buffer | undefined, other: Buffer | undefined): Buffer | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.compare(other) >= 0 ? one : other;
}

/** The lower of two upper bounds. */
function lower(one: Buffer | undefined, other: Buffer | undefined): Buffer | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.compare(other) <= 0 ? one : other;
}

/** True when the key is one of the range. */
export function isIn({ from, to }: KeyRange, key: Buffer): boolean {
  return (from === undefined || key.compare(from) >= 0) && (to === undefined || key.compare(to) < 0);
}

/** The keys that are in both, or undefined when there are none. */
export function overlap(one: KeyRange, other: KeyRange): KeyRange | undefined {
  const from = higher(one.from, other.from);
  const to = lower(one.to, other.to);
  return from !== undefined && to !== undefined && from.compare(to) >= 0 ? undefined : { from, to };
}
