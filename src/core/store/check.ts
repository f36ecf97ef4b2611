/**
 * Verifies everything that can be reached: the current trees, and both roots of the file. `checkStore` looks at
 * a store from within; check-folder.ts at its files.
 *
 *   - every page has its checksum, number, stamp and kind, and is met once;
 *   - levels go down by one, keys ascend, and lie between the keys of the branch above;
 *   - a long value has the length that its cell says, and every page above it knows of long values;
 *   - the pages met are exactly the live ones, or exactly those that the root lists as used.
 */
import { messageOf } from '../errors.ts';
import { turn } from '../time/turn.ts';
import type { RootState } from './checkpoint.ts';
import { CATALOG, decodeRef, type Forest } from './forest.ts';
import { FINDINGS_MAX, PAGE_BYTES } from './limits.ts';
import { chain, LONG_VALUE_PAGE_BYTES, readLongValue } from './long-value.ts';
import {
  childNumber,
  childStamp,
  compareKeyAt,
  freeBytes,
  hasLongValue,
  keyView,
  longValueRef,
  usedBytes,
  valueAt,
  valueBytes,
} from './node.ts';
import { BRANCH, HEADER_BYTES, LEAF, Page, type PageRef } from './page.ts';
import { PageSet } from './page-set.ts';
import type { Pages } from './pages.ts';
import type { Root } from './root.ts';

/** Pages between two turns of the event loop. */
const PAGES_PER_TURN = 256;

/** @returns what is wrong, empty when sound */
export async function checkStore(forest: Forest, roots: readonly RootState[]): Promise<string[]> {
  const { pages } = forest;
  const { versions } = pages;
  const version = versions.take();
  const live = pages.live.clone();
  const findings = [...checkHeld(pages)];
  try {
    const current = new StateCheck(pages, (_page, what) => findings.push(`now: ${what}`));
    for (const tree of versions.treesIn(version)) await current.tree(tree, versions.rootIn(version, tree));
    current.rootPages();
    current.compare(live);
    for (const { root, reached } of roots) {
      const report = (_page: number, what: string) => findings.push(`root ${root.generation}: ${what}`);
      await new StateCheck(pages, report).root(root, reached);
    }
  } finally {
    versions.release(version);
  }
  return findings.slice(0, FINDINGS_MAX);
}

/** What versions hold must be what counts as held, and nothing that is live. */
function* checkHeld(pages: Pages): IterableIterator<string> {
  const counted = pages.heldPages();
  for (const number of pages.versions.heldPages()) {
    if (!counted.has(number)) yield `now: page ${number} is held by a version, and counts as free`;
    if (pages.live.has(number)) yield `now: page ${number} is live and held`;
    counted.delete(number);
  }
  for (const number of counted) yield `now: page ${number} counts as held, and no version holds it`;
}

/** Takes one finding: the page that it is about, and what is wrong in words that name it. */
export type ReportPage = (page: number, what: string) => void;

/** One walk over the trees of one state. Memory: a bit for each page of the file, and one path down a tree. */
export class StateCheck {
  readonly #pages: Pages;
  readonly #report: ReportPage;
  readonly #progress: () => void;
  readonly #met = new PageSet();
  #visited = 0;
  /** Some pages could not be gone on from. */
  #isCut = false;

  /** @param progress called for each page that is read */
  constructor(pages: Pages, report: ReportPage, progress: () => void = () => undefined) {
    this.#pages = pages;
    this.#report = report;
    this.#progress = progress;
  }

  /** Everything that a root of the file reaches. @param listed the pages that it lists, when they are known */
  async root(root: Root, listed?: PageSet): Promise<void> {
    await this.catalog(root.catalog);
    const isListSound = this.longValue(root.used, root.usedBytes, 'the set of used pages');
    this.rootPages();
    if (listed !== undefined) this.compare(listed);
    else if (isListSound) this.compare(PageSet.decode(readLongValue(this.#pages, root.used, root.usedBytes)));
  }

  /** What lies below the page cannot be reached. */
  #cut(page: number, what: string): void {
    this.#isCut = true;
    this.#report(page, what);
  }

  /** Notes a page. @returns false when it was met before */
  #meet(number: number): boolean {
    if (this.#met.has(number)) {
      this.#report(number, `page ${number} is reached twice`);
      return false;
    }
    this.#met.add(number);
    return true;
  }

  rootPages(): void {
    for (const number of [0, 1]) this.#meet(number);
  }

  /** The pages met must be exactly `expected`. Below what could not be read, nothing is met: one line for all. */
  compare(expected: PageSet): void {
    let unmet = 0;
    for (const number of expected) {
      if (this.#met.has(number)) continue;
      unmet += 1;
      if (!this.#isCut) this.#report(number, `page ${number} counts as used, and nothing reaches it`);
    }
    for (const number of this.#met) {
      if (!expected.has(number)) this.#report(number, `page ${number} is reached, and counts as free`);
    }
    if (this.#isCut && unmet > 0) {
      this.#report(0, `${unmet} more pages count as used, and nothing that can be read reaches them`);
    }
  }

  /** The tree of trees, and every tree in it. */
  async catalog(root: PageRef | undefined): Promise<void> {
    await this.tree(CATALOG, root, async (leaf) => {
      for (let slot = 0; slot < leaf.count; slot += 1) {
        const name = keyView(leaf, slot).toString('utf8');
        const start = valueAt(leaf, slot);
        if (valueBytes(leaf, slot) === REF_BYTES && !hasLongValue(leaf, slot)) {
          await this.tree(name, decodeRef(leaf.bytes.subarray(start, start + REF_BYTES)));
        } else {
          this.#cut(leaf.number, `the catalog: page ${leaf.number} has no reference for ${nameOf(name)}`);
        }
      }
    });
  }

  async tree(name: string, root: PageRef | undefined, visit?: VisitLeaf): Promise<void> {
    if (root === undefined) return;
    const label = nameOf(name);
    const page = this.#page(root, label);
    if (page !== undefined) await this.#node(page, undefined, undefined, label, visit);
  }

  /** A page as it is in the file, or in memory when it is not there yet. */
  #page(ref: PageRef, label: string): Page | undefined {
    if (!this.#meet(ref.number)) return undefined;
    this.#progress();
    const loaded = this.#pages.peek(ref.number);
    if (loaded?.dirty && loaded.stamp === ref.stamp) return loaded;
    const bytes = Buffer.allocUnsafe(PAGE_BYTES);
    try {
      this.#pages.readInto(bytes, ref);
    } catch (error) {
      this.#cut(ref.number, `${label}: ${messageOf(error)}`);
      return undefined;
    }
    return new Page(bytes, ref.number, ref.stamp, 0, false);
  }

  async #node(
    page: Page,
    from: Buffer | undefined,
    to: Buffer | undefined,
    label: string,
    visit: VisitLeaf | undefined,
  ): Promise<void> {
    this.#visited += 1;
    if (this.#visited % PAGES_PER_TURN === 0) await turn();
    if (!this.#isSound(page, from, to, label)) return;
    if (page.level > 0) await this.#children(page, from, to, label, visit);
    else await visit?.(page);
  }

  /** What can be told of a page by itself. @returns false when it makes no sense to go on from it */
  #isSound(page: Page, from: Buffer | undefined, to: Buffer | undefined, label: string): boolean {
    try {
      if (!this.#layout(page, label)) return false;
      this.#order(page, from, to, label);
      if (page.level === 0) this.#longValues(page, label);
      return true;
    } catch (error) {
      // The checksum is right, so it was written like this: cells that lie outside of the page.
      this.#cut(page.number, `${label}: page ${page.number} is no sound node (${messageOf(error)})`);
      return false;
    }
  }

  #longValues(page: Page, label: string): void {
    for (let slot = 0; slot < page.count; slot += 1) {
      if (!hasLongValue(page, slot)) continue;
      if (!page.mayHoldLongValues) {
        this.#report(page.number, `${label}: page ${page.number} denies its long values`);
      }
      this.longValue(longValueRef(page, slot), valueBytes(page, slot), `${label}, page ${page.number}`);
    }
  }

  #layout(page: Page, label: string): boolean {
    const sound = page.kind === (page.level === 0 ? LEAF : BRANCH) && page.count > 0 && freeBytes(page) >= 0;
    if (!sound) {
      const what = `${label}: page ${page.number} is no sound node (${usedBytes(page)} bytes used)`;
      this.#cut(page.number, what);
    }
    return sound;
  }

  #order(page: Page, from: Buffer | undefined, to: Buffer | undefined, label: string): void {
    const first = page.level === 0 ? 0 : 1;
    if (first === 1 && keyView(page, 0).length > 0) {
      this.#report(page.number, `${label}: page ${page.number} has a first key`);
    }
    for (let slot = first; slot < page.count; slot += 1) {
      const low = slot > first ? keyView(page, slot - 1) : from;
      const ascends = low === undefined || compareKeyAt(page, slot, low) >= (slot > first ? 1 : 0);
      const below = to === undefined || compareKeyAt(page, slot, to) < 0;
      if (ascends && below) continue;
      this.#report(page.number, `${label}: key ${slot} of page ${page.number} is out of order`);
    }
  }

  async #children(
    branch: Page,
    from: Buffer | undefined,
    to: Buffer | undefined,
    label: string,
    visit: VisitLeaf | undefined,
  ): Promise<void> {
    // Copied, for the page may change in memory between two turns.
    const children = childrenOf(branch, from, to);
    for (const { ref, low, high } of children) {
      const child = this.#page(ref, label);
      if (child === undefined) continue;
      if (child.mayHoldLongValues && !branch.mayHoldLongValues) {
        this.#report(branch.number, `${label}: page ${branch.number} denies the long values below`);
      }
      if (child.level === branch.level - 1) await this.#node(child, low, high, label, visit);
      else this.#reportLevel(child, branch, label);
    }
  }

  #reportLevel(child: Page, branch: Page, label: string): void {
    const what = `${label}: page ${child.number} has level ${child.level} below ${branch.level}`;
    this.#cut(child.number, what);
  }

  /** A long value of `length` bytes that begins on page `first`. @returns whether it is sound */
  longValue(first: PageRef, length: number, label: string): boolean {
    let found = 0;
    let at = first.number;
    try {
      for (const { number, bytes } of chain(this.#pages, first)) {
        if (!this.#meet(number)) return false;
        this.#progress();
        const count = bytes.readUInt16BE(14);
        found += count;
        at = bytes.readUInt32BE(HEADER_BYTES);
        if (count > 0 && count <= LONG_VALUE_PAGE_BYTES) continue;
        this.#cut(number, `${label}: page ${number} says that it has ${count} bytes of a long value`);
        return false;
      }
    } catch (error) {
      this.#cut(at, `${label}: ${messageOf(error)}`);
      return false;
    }
    if (found !== length) {
      this.#report(first.number, `${label}: a long value has ${found} bytes instead of ${length}`);
    }
    return found === length;
  }
}

type VisitLeaf = (leaf: Page) => Promise<void>;

/** A reference in the catalog: number and stamp. */
const REF_BYTES = 8;

function nameOf(tree: string): string {
  return tree === CATALOG ? 'the catalog' : `tree ${JSON.stringify(tree)}`;
}

interface Child {
  readonly ref: PageRef;
  readonly low: Buffer | undefined;
  readonly high: Buffer | undefined;
}

function childrenOf(branch: Page, from: Buffer | undefined, to: Buffer | undefined): Child[] {
  const keys: (Buffer | undefined)[] = [];
  for (let slot = 0; slot < branch.count; slot += 1) {
    keys.push(slot === 0 ? from : Buffer.from(keyView(branch, slot)));
  }
  return keys.map((low, slot) => ({
    ref: { number: childNumber(branch, slot), stamp: childStamp(branch, slot) },
    low,
    high: keys[slot + 1] ?? to,
  }));
}
