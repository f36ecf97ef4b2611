/**
 * Compaction: makes the page file as short as its data while everything else goes on.
 *
 *   before   │ R R a · · b · c · · · · d · · e │      a page of the trees: letter    free: ·
 *   move     │ R R a c d b e · · · · · · · · · │      live pages from the end go to the lowest free numbers
 *   after    │ R R a c d b e │                        when both roots have let go of the old places: cut off
 *
 * Nothing is new here for the file: a moved page is a copy under another number, as by any change (copy on
 * write), and reaches the file by an ordinary checkpoint. So a crash at any point leaves one of two roots, and
 * versions keep the old places of what they see until they are released; the file is then cut off by a later
 * checkpoint. The contents of the trees do not change, so the journal hears nothing of it.
 *
 * A page refers to its children, not the other way round: to move a page the trees are walked by their keys,
 * from a key to a key, so that commits may change everything between two turns. Leaves that lie low already are
 * not read. A long value is moved as a whole, for its pages repeat one stamp and each names the next: its copy
 * is prepared aside, over many turns if it is large, and then takes the place of the old one in a single turn.
 *
 * One pass moves what finds a lower place now. Places become free only with the second checkpoint after, so a
 * pass may be followed by another. Stopping in between costs nothing: the next compaction goes on from there.
 */
import type { OpenFile } from '../files/files.ts';
import { turn } from '../time/turn.ts';
import type { Forest } from './forest.ts';
import { COMPACTION_PAGES_PER_TURN, COMPACTION_PASSES_MAX, PAGE_BYTES } from './limits.ts';
import { chain, fillLongValuePage, longValuePart } from './long-value.ts';
import {
  childNumber,
  childSlot,
  childStamp,
  hasLongValue,
  holdsKey,
  keyView,
  longValueRef,
  lowerBound,
  setChild,
  setLongValueRef,
} from './node.ts';
import { clearPage, LONG_VALUE, Page, type PageRef } from './page.ts';
import type { Pages } from './pages.ts';

const EMPTY = Buffer.alloc(0);

export interface CompactionContext {
  readonly forest: Forest;
  readonly file: OpenFile;
  /** So many bytes of changed pages, and a checkpoint writes them before more are made. */
  readonly dirtyBytes: number;
  /** True when it is to stop: between two turns of the event loop. */
  isOver(): boolean;
  checkpoint(): Promise<void>;
  /** Cuts off the free end of the file. */
  cut(): Promise<void>;
}

/**
 * Moves pages to the front of the file until it is about as short as its data, or `context.isOver()`.
 * @returns by how many bytes the file became shorter
 * @throws StoreError `corrupt` for a page that cannot be read; what a checkpoint throws. The store is sound
 *   either way
 */
export async function compactStore(context: CompactionContext): Promise<number> {
  const before = context.file.size();
  const { pages } = context.forest;
  await replaceBothRoots(context);
  for (let pass = 0; pass < COMPACTION_PASSES_MAX; pass += 1) {
    // As many pages as are needed have room below this number.
    const compaction = new Compaction(context, pages.needed);
    if (!compaction.goesOn()) break;
    await compaction.pass();
    await replaceBothRoots(context);
    if (compaction.moved === 0) break;
  }
  if (!context.isOver()) await context.cut();
  return Math.max(0, before - context.file.size());
}

/** Two checkpoints: before the second, one of the roots still reaches places that were given up. */
async function replaceBothRoots(context: CompactionContext): Promise<void> {
  for (let round = 0; round < 2 && !context.isOver(); round += 1) await context.checkpoint();
}

/** A long value met on the way, which may have to move. */
interface LongValue {
  readonly key: Buffer;
  readonly first: PageRef;
}

class Compaction {
  readonly #context: CompactionContext;
  readonly #forest: Forest;
  readonly #pages: Pages;
  readonly #limit: number;
  /** Pages read or moved since the event loop had its turn. */
  #work = 0;
  moved = 0;

  constructor(context: CompactionContext, limit: number) {
    this.#context = context;
    this.#forest = context.forest;
    this.#pages = context.forest.pages;
    this.#limit = limit;
  }

  /** Walks over all trees once. */
  async pass(): Promise<void> {
    for (const tree of this.#forest.treeNames()) {
      let from: Buffer | undefined = EMPTY;
      while (from !== undefined && this.goesOn()) {
        const longValues: LongValue[] = [];
        from = this.#step(tree, from, longValues);
        await this.#moveLongValues(tree, longValues);
        await this.#relieve();
        await this.#breathe();
      }
    }
  }

  async #relieve(): Promise<void> {
    if (this.#pages.dirtyBytes > this.#context.dirtyBytes) await this.#context.checkpoint();
  }

  /** False when it is to stop, or nothing lies too high any more. */
  goesOn(): boolean {
    return !this.#context.isOver() && this.#pages.live.sizeFrom(this.#limit) > 0;
  }

  async #breathe(): Promise<void> {
    this.#work = 0;
    await turn();
  }

  #isLow(number: number): boolean {
    return number < this.#limit || this.#pages.allocate() > number;
  }

  /**
   * Moves what lies on the way to `from` and behind it, up to the end of one lowest branch or of this turn's
   * work. Every page is read before anything is changed for it: a page that cannot be read leaves sound trees.
   * @param found takes the long values that were met
   * @returns the key to go on from, undefined at the end of the tree
   */
  #step(tree: string, from: Buffer, found: LongValue[]): Buffer | undefined {
    const root = this.#forest.root(tree);
    if (root === undefined) return undefined;
    const path = new Path(this.#forest, tree, root);
    while (path.end.level > 1) path.descend(childSlot(path.end, from));
    this.#work += path.pages.length;
    if (path.pages.some((page) => !this.#isLow(page.number))) this.#moved(path.makeWritable());
    const branch = path.end;
    if (branch.level === 0) {
      noteLongValues(branch, found);
      return undefined;
    }
    for (let slot = childSlot(branch, from); slot < branch.count; slot += 1) {
      if (this.#work >= COMPACTION_PAGES_PER_TURN) return Buffer.from(keyView(branch, slot));
      this.#visitLeaf(path, slot, found);
    }
    return path.nextKey();
  }

  /** A leaf that may stay where it is, in a tree without long values, is not even read. */
  #visitLeaf(path: Path, slot: number, found: LongValue[]): void {
    const mayStay = this.#isLow(childNumber(path.end, slot));
    if (mayStay && !path.end.mayHoldLongValues) return;
    this.#work += 1;
    path.descend(slot);
    if (!mayStay) this.#moved(path.makeWritable());
    noteLongValues(path.end, found);
    path.ascend();
  }

  #moved(pages: number): void {
    this.moved += pages;
    this.#work += pages;
  }

  async #moveLongValues(tree: string, values: readonly LongValue[]): Promise<void> {
    if (values.length === 0) return;
    const { versions } = this.#pages;
    // Their pages are read over several turns: until the last has moved nobody may use the places again.
    const version = versions.take();
    try {
      for (const value of values) {
        if (!this.goesOn()) return;
        await this.#moveLongValue(tree, value);
        await this.#relieve();
      }
    } finally {
      versions.release(version);
    }
  }

  async #moveLongValue(tree: string, value: LongValue): Promise<void> {
    const numbers = await this.#numbersOf(value.first);
    if (numbers.every((number) => this.#isLow(number))) return;
    const copies: Page[] = [];
    try {
      await this.#copy(value, numbers.length, copies);
      this.#exchange(tree, value, numbers, copies);
    } finally {
      for (const { number } of copies) this.#pages.giveBack(number);
    }
  }

  async #numbersOf(first: PageRef): Promise<number[]> {
    const numbers: number[] = [];
    for (const { number } of chain(this.#pages, first)) {
      numbers.push(number);
      await this.#worked();
    }
    return numbers;
  }

  async #worked(): Promise<void> {
    this.#work += 1;
    if (this.#work >= COMPACTION_PAGES_PER_TURN) await this.#breathe();
  }

  /** Fills `copies` with the pages of the value, as they will lie in their new places. */
  async #copy(value: LongValue, count: number, copies: Page[]): Promise<void> {
    const { stamp } = this.#pages;
    for (let index = 0; index < count; index += 1) {
      copies.push(new Page(Buffer.alloc(PAGE_BYTES), this.#pages.reserve(), stamp, 0, true));
      await this.#worked();
    }
    let index = 0;
    for (const { bytes } of chain(this.#pages, value.first)) {
      const copy = copies[index]!;
      index += 1;
      clearPage(copy, LONG_VALUE, 0);
      fillLongValuePage(copy, copies[index]?.number ?? 0, longValuePart(bytes));
      await this.#worked();
    }
  }

  /** Puts the copy in the place of the value, unless that has been replaced or deleted meanwhile. */
  #exchange(tree: string, value: LongValue, numbers: readonly number[], copies: Page[]): void {
    const path = this.#pathTo(tree, value);
    const first = copies[0];
    if (path === undefined || first === undefined) return;
    path.makeWritable();
    setLongValueRef(path.end, lowerBound(path.end, value.key), first);
    for (const copy of copies.splice(0)) this.#pages.adopt(copy);
    for (const number of numbers) this.#pages.retire(number, this.#pages.peek(number)?.birth ?? 0);
    this.#moved(numbers.length);
  }

  /** The way to the leaf that refers to `value`; undefined when none does any more. */
  #pathTo(tree: string, { key, first }: LongValue): Path | undefined {
    const root = this.#forest.root(tree);
    if (root === undefined) return undefined;
    const path = new Path(this.#forest, tree, root);
    while (path.end.level > 0) path.descend(childSlot(path.end, key));
    const slot = lowerBound(path.end, key);
    if (!holdsKey(path.end, slot, key) || !hasLongValue(path.end, slot)) return undefined;
    const now = longValueRef(path.end, slot);
    return now.number === first.number && now.stamp === first.stamp ? path : undefined;
  }
}

function noteLongValues(leaf: Page, found: LongValue[]): void {
  if (!leaf.mayHoldLongValues) return;
  for (let slot = 0; slot < leaf.count; slot += 1) {
    if (!hasLongValue(leaf, slot)) continue;
    found.push({ key: Buffer.from(keyView(leaf, slot)), first: longValueRef(leaf, slot) });
  }
}

/** The way from the root of a tree down to a page. */
class Path {
  readonly #forest: Forest;
  readonly #tree: string;
  readonly pages: Page[];
  /** The slot of each page that leads to the next. */
  readonly #slots: number[] = [];

  constructor(forest: Forest, tree: string, root: PageRef) {
    this.#forest = forest;
    this.#tree = tree;
    this.pages = [forest.pages.read(root.number, root.stamp)];
  }

  get end(): Page {
    return this.pages.at(-1)!;
  }

  descend(slot: number): void {
    const { end } = this;
    this.pages.push(this.#forest.pages.read(childNumber(end, slot), childStamp(end, slot)));
    this.#slots.push(slot);
  }

  ascend(): void {
    this.pages.pop();
    this.#slots.pop();
  }

  /** Replaces what may not be changed in place, from the root down. Reads nothing. @returns how many pages */
  makeWritable(): number {
    let replaced = 0;
    for (const [index, page] of this.pages.entries()) {
      const writable = this.#forest.pages.writable(page);
      if (index === 0) this.#forest.moveRoot(this.#tree, writable);
      if (writable === page) continue;
      if (index > 0) setChild(this.pages[index - 1]!, this.#slots[index - 1]!, writable);
      this.pages[index] = writable;
      replaced += 1;
    }
    return replaced;
  }

  /** The lowest key behind everything under the end; undefined when there is none. */
  nextKey(): Buffer | undefined {
    for (let index = this.#slots.length - 1; index >= 0; index -= 1) {
      const next = this.#slots[index]! + 1;
      if (next < this.pages[index]!.count) return Buffer.from(keyView(this.pages[index]!, next));
    }
    return undefined;
  }
}
