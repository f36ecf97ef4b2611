/**
 * Verifies everything that can be reached: the current trees, and both roots of the file.
 *
 *   - every page has its checksum, number, stamp and kind, and is met once;
 *   - levels go down by one, keys ascend, and lie between the keys of the branch above;
 *   - a long value has the length that its cell says, and every page above it knows of long values;
 *   - the pages met are exactly the live ones, or exactly those that the root lists as used.
 */
import { messageOf } from '../errors.ts';
import type { RootState } from './checkpoint.ts';
import { CATALOG, decodeRef, type Forest } from './forest.ts';
import { PAGE_BYTES } from './limits.ts';
import { chain } from './long-value.ts';
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
import { BRANCH, LEAF, Page, type PageRef } from './page.ts';
import { PageSet } from './page-set.ts';
import type { Pages } from './pages.ts';

/** More findings than this say nothing new. */
const FINDINGS_MAX = 100;

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
    const current = new Check(pages, 'now', findings);
    for (const tree of versions.treesIn(version)) await current.tree(tree, versions.rootIn(version, tree));
    current.rootPages();
    current.compare(live);
    for (const { root, reached } of roots) {
      const check = new Check(pages, `root ${root.generation}`, findings);
      await check.catalog(root.catalog);
      check.longValue(root.used, root.usedBytes, 'the set of used pages');
      check.rootPages();
      check.compare(reached);
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

/** One walk over the trees of one state. */
class Check {
  readonly #pages: Pages;
  readonly #state: string;
  readonly #findings: string[];
  readonly #met = new PageSet();
  #visited = 0;

  constructor(pages: Pages, state: string, findings: string[]) {
    this.#pages = pages;
    this.#state = state;
    this.#findings = findings;
  }

  #report(finding: string): void {
    this.#findings.push(`${this.#state}: ${finding}`);
  }

  /** Notes a page. @returns false when it was met before */
  #meet(number: number): boolean {
    if (this.#met.has(number)) {
      this.#report(`page ${number} is reached twice`);
      return false;
    }
    this.#met.add(number);
    return true;
  }

  rootPages(): void {
    for (const number of [0, 1]) this.#meet(number);
  }

  /** The pages met must be exactly `expected`. */
  compare(expected: PageSet): void {
    for (const number of expected) {
      if (!this.#met.has(number)) this.#report(`page ${number} counts as used, and nothing reaches it`);
    }
    for (const number of this.#met) {
      if (!expected.has(number)) this.#report(`page ${number} is reached, and counts as free`);
    }
  }

  /** The tree of trees, and every tree in it. */
  async catalog(root: PageRef | undefined): Promise<void> {
    const trees: [string, PageRef][] = [];
    await this.tree(CATALOG, root, (leaf) => {
      for (let slot = 0; slot < leaf.count; slot += 1) {
        const start = valueAt(leaf, slot);
        trees.push([keyView(leaf, slot).toString('utf8'), decodeRef(leaf.bytes.subarray(start, start + 8))]);
      }
    });
    for (const [name, ref] of trees) await this.tree(name, ref);
  }

  async tree(name: string, root: PageRef | undefined, visit?: (leaf: Page) => void): Promise<void> {
    if (root === undefined) return;
    const label = name === CATALOG ? 'the catalog' : `tree ${JSON.stringify(name)}`;
    const page = this.#page(root, label);
    if (page !== undefined) await this.#node(page, undefined, undefined, label, visit);
  }

  /** A page as it is in the file, or in memory when it is not there yet. */
  #page(ref: PageRef, label: string): Page | undefined {
    if (!this.#meet(ref.number)) return undefined;
    const loaded = this.#pages.peek(ref.number);
    if (loaded?.dirty && loaded.stamp === ref.stamp) return loaded;
    const bytes = Buffer.allocUnsafe(PAGE_BYTES);
    try {
      this.#pages.readInto(bytes, ref);
    } catch (error) {
      this.#report(`${label}: ${messageOf(error)}`);
      return undefined;
    }
    return new Page(bytes, ref.number, ref.stamp, 0, false);
  }

  async #node(
    page: Page,
    from: Buffer | undefined,
    to: Buffer | undefined,
    label: string,
    visit: ((leaf: Page) => void) | undefined,
  ): Promise<void> {
    this.#visited += 1;
    if (this.#visited % PAGES_PER_TURN === 0) await new Promise((resume) => setImmediate(resume));
    if (!this.#layout(page, label)) return;
    this.#order(page, from, to, label);
    if (page.level > 0) return this.#children(page, from, to, label, visit);
    visit?.(page);
    this.#longValues(page, label);
  }

  #longValues(page: Page, label: string): void {
    for (let slot = 0; slot < page.count; slot += 1) {
      if (!hasLongValue(page, slot)) continue;
      if (!page.mayHoldLongValues) this.#report(`${label}: page ${page.number} denies its long values`);
      this.longValue(longValueRef(page, slot), valueBytes(page, slot), `${label}, page ${page.number}`);
    }
  }

  #layout(page: Page, label: string): boolean {
    const sound = page.kind === (page.level === 0 ? LEAF : BRANCH) && page.count > 0 && freeBytes(page) >= 0;
    if (!sound)
      this.#report(`${label}: page ${page.number} is no sound node (${usedBytes(page)} bytes used)`);
    return sound;
  }

  #order(page: Page, from: Buffer | undefined, to: Buffer | undefined, label: string): void {
    const first = page.level === 0 ? 0 : 1;
    if (first === 1 && keyView(page, 0).length > 0)
      this.#report(`${label}: page ${page.number} has a first key`);
    for (let slot = first; slot < page.count; slot += 1) {
      const low = slot > first ? keyView(page, slot - 1) : from;
      const ascends = low === undefined || compareKeyAt(page, slot, low) >= (slot > first ? 1 : 0);
      const below = to === undefined || compareKeyAt(page, slot, to) < 0;
      if (!ascends || !below) this.#report(`${label}: key ${slot} of page ${page.number} is out of order`);
    }
  }

  async #children(
    branch: Page,
    from: Buffer | undefined,
    to: Buffer | undefined,
    label: string,
    visit: ((leaf: Page) => void) | undefined,
  ): Promise<void> {
    // Copied, for the page may change in memory between two turns.
    const children = childrenOf(branch, from, to);
    for (const { ref, low, high } of children) {
      const child = this.#page(ref, label);
      if (child === undefined) continue;
      if (child.mayHoldLongValues && !branch.mayHoldLongValues) {
        this.#report(`${label}: page ${branch.number} denies the long values below`);
      }
      if (child.level === branch.level - 1) await this.#node(child, low, high, label, visit);
      else this.#report(`${label}: page ${child.number} has level ${child.level} below ${branch.level}`);
    }
  }

  longValue(first: PageRef, length: number, label: string): void {
    let found = 0;
    try {
      for (const { number, bytes } of chain(this.#pages, first)) {
        if (!this.#meet(number)) return;
        found += bytes.readUInt16BE(14);
      }
    } catch (error) {
      this.#report(`${label}: ${messageOf(error)}`);
      return;
    }
    if (found !== length) this.#report(`${label}: a long value has ${found} bytes instead of ${length}`);
  }
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
