/**
 * Brings the trees of a damaged page file into a new store, leaf by leaf, and fills in from the older root what
 * the newer one has lost.
 *
 *   base     ─ leaf ─ leaf ─ ✗ ─ ─ ─ ─ ─ leaf ─          of the older root only the range of keys that is missing
 *   older    · · · · · · · · leaf ─ ✗ ─ · · · ·          is read; what is damaged there too is lost
 *
 * What hangs below a damaged branch is not referred to by anything else. But the root lists the pages that it
 * reaches: a sound node on that list which the walk has not met hung there, and its keys say where. It is
 * brought back only when one range that was lost can have held it, and it does not count as recovered for sure:
 * a page that was written to late, so that an older one is still in its place, would not be noticed, for only
 * its parent knew its stamp.
 */
import { messageOf } from '../errors.ts';
import type { Damage } from '../files/damage.ts';
import type { OpenFile } from '../files/files.ts';
import { decodeRef } from './forest.ts';
import { COMMIT_BYTES_MAX, FINDINGS_MAX, PAGE_BYTES } from './limits.ts';
import { chain, LONG_VALUE_PAGE_BYTES } from './long-value.ts';
import { hasLongValue, keyView, longValueRef, valueAt, valueBytes } from './node.ts';
import { HEADER_BYTES, type Page, type PageRef } from './page.ts';
import { PageSet } from './page-set.ts';
import { Pages } from './pages.ts';
import type { Root } from './root.ts';
import type { Ledger } from './salvage-account.ts';
import type { Output } from './salvage-output.ts';
import { findOrphans, type Orphan } from './salvage-scan.ts';
import {
  ALL_KEYS,
  isIn,
  type KeyRange,
  type LostPage,
  overlap,
  type Walk,
  walkTree,
  withoutPlace,
} from './salvage-walk.ts';

/** The trees to bring back: of a root, or of a catalog that was found without one. */
export type Base = Pick<Root, 'catalog'> & Partial<Pick<Root, 'used' | 'usedBytes'>>;

export interface PageSalvageOptions {
  readonly file: OpenFile;
  readonly base: Base;
  readonly older: Root | undefined;
  /** The journal is whole from the older root on: what is taken from it becomes complete. */
  readonly isOlderEnough: boolean;
  readonly ledger: Ledger;
  readonly out: Output;
  /** Told of every so many bytes read. */
  readonly progress: (bytes: number) => void;
}

/** A range of keys that the base has lost. */
interface Hole {
  readonly tree: string;
  readonly range: KeyRange;
  /** Of the page that is missing. */
  readonly level: number | undefined;
  /** What the older root has lost of it, too. */
  readonly left: readonly Left[];
}

interface Left {
  readonly range: KeyRange;
  readonly damage: Damage;
}

interface Entry {
  readonly key: Buffer;
  /** The value, or why it cannot be read. */
  readonly value: Buffer | { readonly bytes: number; readonly damage: Damage };
}

const REF_BYTES = 8;

/** Where the bytes of a long value begin on a page: after the number of the next one. */
const LONG_VALUE_BYTES_AT = PAGE_BYTES - LONG_VALUE_PAGE_BYTES;

export class PageSalvage {
  readonly #options: PageSalvageOptions;
  readonly #pages: Pages;
  readonly #walk: Walk;
  readonly #olderWalk: Walk;
  /** Nodes of the base that were used. */
  readonly #met = new PageSet();
  readonly #holes: Hole[] = [];
  #isIncomplete = false;
  /** Some page of the catalog is lost, so pages may belong to trees whose names are not known. */
  #hasNamelessTrees = false;

  constructor(options: PageSalvageOptions) {
    this.#options = options;
    this.#pages = new Pages(options.file, 0, 0);
    const meet = ({ number }: Page) => {
      this.#met.add(number);
      options.progress(PAGE_BYTES);
    };
    this.#walk = { pages: this.#pages, meet };
    this.#olderWalk = { pages: this.#pages, meet: () => options.progress(PAGE_BYTES) };
  }

  /** Something of the base could not be read. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  async run(): Promise<void> {
    const { catalog } = this.#options.base;
    if (catalog === undefined) return;
    for (const step of walkTree(this.#walk, catalog, ALL_KEYS)) {
      if (step.kind === 'lost') await this.#fillInTrees(step.range, this.#noteDamage(step.lost));
      else await this.#trees(step.leaf, step.range);
    }
    if (this.#holes.some(({ left, level }) => left.length > 0 && level !== 0)) await this.#adoptOrphans();
  }

  async #trees(leaf: Page, range: KeyRange): Promise<void> {
    for (const { key, ref } of this.#treesIn(leaf, range)) {
      if (ref !== undefined) await this.#tree(key.toString('utf8'), ref);
      else await this.#fillInTrees(only(key), this.#noReference(leaf));
    }
  }

  #noReference({ number }: Page): Damage {
    return this.#noteDamage({ page: number, what: 'a tree has no reference to its root', level: 0 });
  }

  /** The damage, which makes the base incomplete. */
  #noteDamage({ page, what }: LostPage): Damage {
    this.#isIncomplete = true;
    return { path: this.#pages.path, page, offset: page * PAGE_BYTES, what };
  }

  /** The trees on a leaf of a catalog; `ref` is undefined when the value is no reference. */
  *#treesIn(leaf: Page, range: KeyRange): Generator<{ key: Buffer; ref: PageRef | undefined }, void> {
    for (const { key, value } of this.#entries(leaf, range)) {
      const isRef = Buffer.isBuffer(value) && value.length === REF_BYTES;
      yield { key, ref: isRef ? decodeRef(value) : undefined };
    }
  }

  /** The entries of a leaf, read when they are wanted. */
  *#entries(leaf: Page, range: KeyRange): Generator<Entry, void> {
    for (let slot = 0; slot < leaf.count; slot += 1) {
      const key = Buffer.from(keyView(leaf, slot));
      if (isIn(range, key)) yield { key, value: this.#value(leaf, slot) };
    }
  }

  #value(leaf: Page, slot: number): Entry['value'] {
    const bytes = valueBytes(leaf, slot);
    const start = valueAt(leaf, slot);
    if (!hasLongValue(leaf, slot)) {
      if (start + bytes <= PAGE_BYTES) return Buffer.from(leaf.bytes.subarray(start, start + bytes));
      return this.#lostValue(leaf.number, 'a value reaches over its end', bytes);
    }
    this.#options.progress(bytes);
    const value = readLong(this.#pages, longValueRef(leaf, slot), bytes);
    return Buffer.isBuffer(value) ? value : this.#lostValue(value.page, value.what, bytes);
  }

  #lostValue(page: number, what: string, bytes: number): Entry['value'] {
    return { bytes, damage: this.#noteDamage({ page, what, level: undefined }) };
  }

  async #tree(name: string, ref: PageRef): Promise<void> {
    for (const step of walkTree(this.#walk, ref, ALL_KEYS)) {
      if (step.kind === 'lost') await this.#fillIn(name, step.range, step.lost);
      else await this.#leaf(name, step.leaf, step.range);
    }
  }

  async #leaf(tree: string, leaf: Page, range: KeyRange): Promise<void> {
    const { out } = this.#options;
    for (const { key, value } of this.#entries(leaf, range)) {
      if (Buffer.isBuffer(value)) await out.put(tree, key, value);
      else await this.#fillInValue(tree, key, value.bytes, value.damage);
    }
  }

  /** A range of keys that the base has lost: as the older root has it, as far as it can be read there. */
  async #fillIn(tree: string, range: KeyRange, lost: LostPage): Promise<void> {
    const { ledger } = this.#options;
    const damage = this.#noteDamage(lost);
    const left: Left[] = [];
    const older = this.#olderTree(tree);
    if (older === undefined) left.push({ range, damage });
    else if (older !== 'absent') await this.#copyOlder(tree, older, range, left);
    else if (!this.#options.isOlderEnough) left.push({ range, damage });
    for (const one of left) ledger.lose({ kind: 'keys', tree, ...one });
    if (left.length === 0 && this.#options.isOlderEnough) ledger.makeGood(damage);
    if (this.#holes.length < FINDINGS_MAX) this.#holes.push({ tree, range, level: lost.level, left });
  }

  /** @param left takes the ranges that cannot be read in the older root either */
  async #copyOlder(tree: string, ref: PageRef, range: KeyRange, left: Left[]): Promise<void> {
    const { out } = this.#options;
    let isAnyRead = false;
    for (const step of walkTree(this.#olderWalk, ref, range)) {
      if (step.kind === 'lost') {
        left.push({ range: step.range, damage: this.#noteDamage(step.lost) });
        continue;
      }
      isAnyRead = true;
      for (const { key, value } of this.#entries(step.leaf, step.range)) {
        if (Buffer.isBuffer(value)) await out.put(tree, key, value);
        else this.#options.ledger.lose({ kind: 'value', tree, key, ...value });
      }
    }
    if (isAnyRead) this.#noteOld(tree, range);
  }

  /** What came from the older root is out of date unless the journal reaches back to it. */
  #noteOld(tree: string, range: KeyRange): void {
    const { older, isOlderEnough, ledger } = this.#options;
    if (isOlderEnough || older === undefined) return;
    ledger.lose({ kind: 'old', tree, range, position: older.mark.position });
  }

  /** Where the older root has `tree`; undefined when that cannot be read. */
  #olderTree(tree: string): PageRef | 'absent' | undefined {
    const { older } = this.#options;
    if (older === undefined) return undefined;
    if (older.catalog === undefined) return 'absent';
    const key = Buffer.from(tree);
    for (const step of walkTree(this.#olderWalk, older.catalog, only(key))) {
      if (step.kind === 'lost') return undefined;
      for (const { ref } of this.#treesIn(step.leaf, step.range)) return ref;
    }
    return 'absent';
  }

  async #fillInValue(tree: string, key: Buffer, bytes: number, damage: Damage): Promise<void> {
    this.#isIncomplete = true;
    const { ledger, out, isOlderEnough } = this.#options;
    const value = this.#olderValue(tree, key);
    if (value === undefined || (value === 'absent' && !isOlderEnough)) {
      ledger.lose({ kind: 'value', tree, key, bytes, damage });
      return;
    }
    // Absent then, the journal has it.
    if (value !== 'absent') {
      await out.put(tree, key, value);
      this.#noteOld(tree, only(key));
    }
    if (isOlderEnough) ledger.makeGood(damage);
  }

  #olderValue(tree: string, key: Buffer): Buffer | 'absent' | undefined {
    const ref = this.#olderTree(tree);
    if (ref === undefined || ref === 'absent') return ref;
    for (const step of walkTree(this.#olderWalk, ref, only(key))) {
      if (step.kind === 'lost') return undefined;
      for (const { value } of this.#entries(step.leaf, step.range)) {
        return Buffer.isBuffer(value) ? value : undefined;
      }
    }
    return 'absent';
  }

  /** Trees whose names the base has lost, whole from the older root. */
  async #fillInTrees(range: KeyRange, damage: Damage): Promise<void> {
    const { older, isOlderEnough, ledger } = this.#options;
    this.#hasNamelessTrees = true;
    if (older === undefined) {
      ledger.lose({ kind: 'trees', range, damage });
      return;
    }
    let isLost = !isOlderEnough;
    if (older.catalog !== undefined) {
      for (const step of walkTree(this.#olderWalk, older.catalog, range)) {
        if (step.kind === 'leaf') await this.#copyOlderTrees(step.leaf, step.range);
        else {
          isLost = true;
          ledger.lose({ kind: 'trees', range: step.range, damage: this.#noteDamage(step.lost) });
        }
      }
    }
    if (!isLost) ledger.makeGood(damage);
    else if (!isOlderEnough) ledger.lose({ kind: 'trees', range, damage });
  }

  async #copyOlderTrees(leaf: Page, range: KeyRange): Promise<void> {
    const { ledger } = this.#options;
    for (const { key, ref } of this.#treesIn(leaf, range)) {
      if (ref === undefined) {
        ledger.lose({ kind: 'trees', range: only(key), damage: this.#noReference(leaf) });
        continue;
      }
      const tree = key.toString('utf8');
      const left: Left[] = [];
      await this.#copyOlder(tree, ref, ALL_KEYS, left);
      for (const one of left) ledger.lose({ kind: 'keys', tree, ...one });
    }
  }

  /** Brings back what hung below damaged branches, where it can only have hung in one place. */
  async #adoptOrphans(): Promise<void> {
    const { base, ledger } = this.#options;
    const listed = this.#listedPages(base);
    if (listed === undefined) return;
    let unplaced = 0;
    const adopted = new Map<string, number>();
    for (const orphan of findOrphans(this.#walk, this.#options.file, listed, this.#met)) {
      const hole = this.#holeOf(orphan);
      if (hole === undefined) unplaced += 1;
      else adopted.set(hole.tree, (adopted.get(hole.tree) ?? 0) + (await this.#adopt(orphan, hole)));
    }
    for (const [tree, keys] of adopted) {
      const place = `tree ${JSON.stringify(tree)}: ${keys} keys of the lost ranges were brought back`;
      const doubt =
        'from pages that nothing refers to any more: a lost write among them would not be noticed';
      if (keys > 0) ledger.lose({ kind: 'doubt', what: `${place} ${doubt}` });
    }
    if (unplaced === 0) return;
    const what = `${unplaced} sound pages may belong to more than one lost range, and were not brought back`;
    ledger.lose({ kind: 'doubt', what });
  }

  #listedPages({ used, usedBytes }: Base): PageSet | undefined {
    if (used === undefined || usedBytes === undefined) return undefined;
    const bytes = readLong(this.#pages, used, usedBytes);
    return Buffer.isBuffer(bytes) ? PageSet.decode(bytes) : undefined;
  }

  /** The only hole that an orphan fits into; undefined when there are others, or may be. */
  #holeOf({ level, firstKey }: Orphan): Hole | undefined {
    const isKnown = !this.#hasNamelessTrees && this.#holes.length < FINDINGS_MAX;
    const fitting = this.#holes.filter(
      (hole) => isIn(hole.range, firstKey) && (hole.level === undefined || level < hole.level),
    );
    return isKnown && fitting.length === 1 ? fitting[0] : undefined;
  }

  /** @returns how many keys */
  async #adopt({ ref }: Orphan, { tree, range, left }: Hole): Promise<number> {
    const { out, ledger } = this.#options;
    let keys = 0;
    for (const one of left) {
      const wanted = overlap(range, one.range);
      if (wanted === undefined) continue;
      for (const step of walkTree(this.#walk, ref, wanted)) {
        if (step.kind === 'lost') continue;
        for (const { key, value } of this.#entries(step.leaf, step.range)) {
          if (!Buffer.isBuffer(value)) ledger.lose({ kind: 'value', tree, key, ...value });
          else await out.put(tree, key, value);
          keys += 1;
        }
      }
    }
    return keys;
  }
}

/** The range that holds one key. */
function only(key: Buffer): KeyRange {
  return { from: key, to: Buffer.concat([key, Buffer.alloc(1)]) };
}

/**
 * A long value, or the page that is broken. One whose pages go round in a circle comes to an end as well: it has
 * no more pages than its length needs.
 */
function readLong(
  pages: Pages,
  first: PageRef,
  length: number,
): Buffer | { readonly page: number; readonly what: string } {
  if (length > COMMIT_BYTES_MAX) return { page: first.number, what: `its value has ${length} bytes` };
  const value = Buffer.allocUnsafe(length);
  let page = first.number;
  let filled = 0;
  try {
    for (const { number, bytes } of chain(pages, first)) {
      const end = Math.min(filled + LONG_VALUE_PAGE_BYTES, length);
      if (filled === length) return { page: number, what: 'its value is longer than its cell says' };
      bytes.copy(value, filled, LONG_VALUE_BYTES_AT, LONG_VALUE_BYTES_AT + end - filled);
      filled = end;
      page = bytes.readUInt32BE(HEADER_BYTES);
    }
  } catch (error) {
    return { page, what: withoutPlace(messageOf(error), pages.path, page) };
  }
  return filled === length ? value : { page: first.number, what: 'its value is shorter than its cell says' };
}
