/**
 * Finds nodes that nothing refers to, by reading every page. A page says of itself its number, its kind and its
 * level, and its checksum says that it is whole. It does not say to which tree it belongs, nor when it was
 * written: stamps are drawn at random, and a free page keeps its old content until it is used again. So what can
 * be known is this:
 *
 *   - that a node is live: only from the list of used pages that a root names;
 *   - that a node is of the same state as another: from the branch that names both, with their stamps;
 *   - that a catalog is newer than another: when its trees hold pages with the stamp of the other. Pages are
 *     only ever added to a state, so what a state holds is of its own checkpoint or of earlier ones;
 *   - that a catalog is one: each of its values is the number and the stamp of a sound node.
 *
 * And what cannot: of two catalogs without a page in common which is the newer one, and what position of the
 * journal a catalog belongs to.
 */
import type { OpenFile } from '../files/files.ts';
import { decodeRef } from './forest.ts';
import { PAGE_BYTES } from './limits.ts';
import { childNumber, hasLongValue, keyView, valueAt, valueBytes } from './node.ts';
import { BRANCH, flawOf, LEAF, Page, type PageRef } from './page.ts';
import { PageSet } from './page-set.ts';
import { Pages } from './pages.ts';
import { ALL_KEYS, readNode, type Walk, walkTree } from './salvage-walk.ts';

/** A sound node that is live and that nothing refers to. */
export interface Orphan {
  readonly ref: PageRef;
  readonly level: number;
  readonly firstKey: Buffer;
}

const FIRST_PAGE = 2;

/** The highest nodes among the `listed` pages that have not been met. Memory: a bit for each page. */
export function* findOrphans(
  walk: Walk,
  file: OpenFile,
  listed: PageSet,
  met: PageSet,
): Generator<Orphan, void> {
  const isOrphan = (number: number) => listed.has(number) && !met.has(number);
  const below = childrenOf(walk.pages, file, isOrphan);
  for (const number of listed) {
    if (!isOrphan(number) || below.has(number)) continue;
    const node = nodeAt(walk.pages, file, number);
    const firstKey = node && firstKeyOf(walk.pages, node);
    if (node !== undefined && firstKey !== undefined) {
      yield { ref: { number, stamp: node.stamp }, level: node.level, firstKey };
    }
  }
}

/** The pages that sound branches among the `wanted` pages name as children. */
function childrenOf(pages: Pages, file: OpenFile, wanted: (number: number) => boolean): PageSet {
  const children = new PageSet();
  for (let number = FIRST_PAGE; number * PAGE_BYTES < file.size(); number += 1) {
    const node = wanted(number) ? nodeAt(pages, file, number) : undefined;
    if (node?.kind !== BRANCH) continue;
    for (let slot = 0; slot < node.count; slot += 1) children.add(childNumber(node, slot));
  }
  return children;
}

const scratch = () => Buffer.allocUnsafe(PAGE_BYTES);

/** The sound node on page `number`, whatever its stamp; undefined when there is none. */
function nodeAt(pages: Pages, file: OpenFile, number: number): Page | undefined {
  const stamp = stampAt(file, number, scratch());
  if (stamp === undefined) return undefined;
  const node = readNode(pages, { number, stamp }, undefined);
  return typeof node === 'string' ? undefined : node;
}

/** The stamp of page `number` if the page is sound. */
function stampAt(file: OpenFile, number: number, into: Buffer): number | undefined {
  try {
    if (file.readSync(number * PAGE_BYTES, into) < PAGE_BYTES) return undefined;
  } catch {
    return undefined;
  }
  const stamp = into.readUInt32BE(8);
  return flawOf(into, { number, stamp }) === undefined ? stamp : undefined;
}

function firstKeyOf(pages: Pages, node: Page): Buffer | undefined {
  for (const step of walkTree({ pages }, node, ALL_KEYS)) {
    if (step.kind === 'leaf') return Buffer.from(keyView(step.leaf, 0));
  }
  return undefined;
}

/** A catalog that was found by reading every page. */
interface Catalog {
  readonly ref: PageRef;
  /** Stamps of the pages of its trees. */
  readonly stamps: ReadonlySet<number>;
  /** Pages that its trees need and that are not there any more. */
  readonly missing: number;
}

/** Of more catalogs than this, the others are not looked at; the two newest are always whole if undamaged. */
const CATALOGS_MAX = 64;

/**
 * The newest catalog among all pages of the file, as far as that can be told.
 * Memory: a bit for each page, and the stamps of what a catalog's trees hold: one for each checkpoint.
 */
export function findCatalog(
  file: OpenFile,
  progress: (bytes: number) => void = () => undefined,
): { newest: PageRef | undefined; isSure: boolean } {
  const pages = new Pages(file, 0, 0);
  const children = childrenOf(pages, file, () => true);
  const catalogs: Catalog[] = [];
  for (let number = FIRST_PAGE; number * PAGE_BYTES < file.size(); number += 1) {
    progress(PAGE_BYTES);
    const node = children.has(number) ? undefined : nodeAt(pages, file, number);
    if (node === undefined || catalogs.length === CATALOGS_MAX || !isCatalog(pages, file, node)) continue;
    catalogs.push(surveyCatalog(pages, node));
  }
  const fewest = Math.min(...catalogs.map(({ missing }) => missing));
  const whole = catalogs.filter(({ missing }) => missing === fewest);
  const newest = whole.filter(
    (one) => !whole.some((other) => other !== one && other.stamps.has(one.ref.stamp)),
  );
  return { newest: (newest[0] ?? whole[0])?.ref, isSure: newest.length === 1 };
}

/** True when the values of the node's first leaf name sound nodes. */
function isCatalog(pages: Pages, file: OpenFile, node: Page): boolean {
  for (const step of walkTree({ pages }, node, ALL_KEYS)) {
    if (step.kind === 'leaf') return isCatalogLeaf(file, step.leaf);
  }
  return false;
}

function isCatalogLeaf(file: OpenFile, leaf: Page): boolean {
  let sound = 0;
  for (let slot = 0; slot < leaf.count; slot += 1) {
    if (hasLongValue(leaf, slot) || valueBytes(leaf, slot) !== 8) return false;
    const ref = refAt(leaf, slot);
    const bytes = scratch();
    if (stampAt(file, ref.number, bytes) !== ref.stamp) continue;
    const { kind } = new Page(bytes, ref.number, ref.stamp, 0, false);
    if (kind !== LEAF && kind !== BRANCH) return false;
    sound += 1;
  }
  return sound > 0;
}

function refAt(leaf: Page, slot: number): PageRef {
  const start = valueAt(leaf, slot);
  return decodeRef(leaf.bytes.subarray(start, start + 8));
}

function surveyCatalog(pages: Pages, catalog: Page): Catalog {
  const stamps = new Set<number>();
  let missing = 0;
  const survey = (ref: PageRef, visit: (leaf: Page) => void) => {
    for (const step of walkTree({ pages }, ref, ALL_KEYS)) {
      if (step.kind === 'lost') missing += 1;
      else {
        if (step.leaf.stamp !== catalog.stamp) stamps.add(step.leaf.stamp);
        visit(step.leaf);
      }
    }
  };
  survey(catalog, (leaf) => {
    for (let slot = 0; slot < leaf.count; slot += 1) survey(refAt(leaf, slot), () => undefined);
  });
  return { ref: { number: catalog.number, stamp: catalog.stamp }, stamps, missing };
}
