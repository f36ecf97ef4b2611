/**
 * The pages in memory, and who needs which page of the file.
 *
 *   a page number is
 *     live      the current trees use it
 *     held      only a version uses it (versions.ts)
 *     rooted    a root in the file reaches it, or the one that a checkpoint is writing
 *     reserved  somebody prepares a page for it, which no tree uses yet
 *     free      none of these: the next new page may take it
 *
 * Clean pages are as in the file and may leave memory at any time; which one leaves is decided by a clock hand
 * that spares what was used since its last turn. Dirty pages stay until a checkpoint has written them.
 */
import { assert } from '../assert.ts';
import type { OpenFile } from '../files/files.ts';
import { PAGE_BYTES, SPARE_BUFFERS_MAX } from './limits.ts';
import { clearPage, copyPage, corruptPage, flawOf, Page, type PageKind, type PageRef } from './page.ts';
import { PageSet } from './page-set.ts';
import { type Version, Versions } from './versions.ts';

/** The two places of the roots; never given to a page. */
const ROOT_PAGES = [0, 1];

export class Pages {
  readonly versions = new Versions((number) => this.#free(number));
  readonly dirty = new Set<Page>();
  /** Pages of the current trees, and the two root pages. */
  live = new PageSet();
  /** What each root in the file, or on the way there, reaches. */
  rooted: readonly PageSet[] = [];
  /** The stamp of pages born now. */
  stamp: number;
  readonly #held = new PageSet();
  readonly #reserved = new PageSet();
  readonly #file: OpenFile;
  readonly #cleanMax: number;
  readonly #loaded = new Map<number, Page>();
  readonly #clean: Page[] = [];
  readonly #spare: Buffer[] = [];
  /** Of clean pages that have left the memory since the last `recycle`; undefined where that is not called. */
  #left: Buffer[] | undefined;
  #hand = 0;
  /** No free number is below 32 times this. */
  #searchFrom = 0;

  constructor(file: OpenFile, cacheBytes: number, stamp: number) {
    this.#file = file;
    this.#cleanMax = Math.max(16, Math.floor(cacheBytes / PAGE_BYTES));
    this.stamp = stamp;
    for (const number of ROOT_PAGES) this.live.add(number);
  }

  get path(): string {
    return this.#file.path;
  }

  get cachedBytes(): number {
    return this.#loaded.size * PAGE_BYTES;
  }

  get dirtyBytes(): number {
    return this.dirty.size * PAGE_BYTES;
  }

  /** How many pages the current trees and the versions need. */
  get needed(): number {
    return this.live.size + this.#held.size;
  }

  /** A copy of the set of held pages. */
  heldPages(): PageSet {
    return this.#held.clone();
  }

  /**
   * The page that `number` and `stamp` refer to, from memory or from the file.
   * @throws StoreError `corrupt`
   */
  read(number: number, stamp: number): Page {
    const loaded = this.#loaded.get(number);
    if (loaded === undefined) return this.#load(number, stamp);
    if (loaded.stamp !== stamp) throw corruptPage(this.path, number, 'a reference to it has another stamp');
    loaded.used = true;
    return loaded;
  }

  /** The page if it is in memory. */
  peek(number: number): Page | undefined {
    return this.#loaded.get(number);
  }

  #load(number: number, stamp: number): Page {
    const bytes = this.#newBuffer();
    this.readInto(bytes, { number, stamp });
    const page = new Page(bytes, number, stamp, 0, false);
    this.#loaded.set(number, page);
    this.#keepClean(page);
    return page;
  }

  /** Reads a page from the file and verifies it. @throws StoreError `corrupt` */
  readInto(bytes: Buffer, ref: PageRef): void {
    const length = this.#file.readSync(ref.number * PAGE_BYTES, bytes);
    if (length < PAGE_BYTES) throw corruptPage(this.path, ref.number, 'it lies past the end of the file');
    const flaw = flawOf(bytes, ref);
    if (flaw !== undefined) throw corruptPage(this.path, ref.number, flaw);
  }

  #keepClean(page: Page): void {
    if (this.#clean.length < this.#cleanMax) {
      this.#clean.push(page);
      return;
    }
    for (;;) {
      this.#hand = (this.#hand + 1) % this.#clean.length;
      const candidate = this.#clean[this.#hand]!;
      const loaded = this.#loaded.get(candidate.number) === candidate;
      if (loaded && candidate.used) {
        candidate.used = false;
        continue;
      }
      if (loaded) this.#loaded.delete(candidate.number);
      this.#left?.push(candidate.bytes);
      this.#clean[this.#hand] = page;
      return;
    }
  }

  /** A new, empty page. */
  create(kind: PageKind, level: number): Page {
    const page = this.#new();
    clearPage(page, kind, level);
    return page;
  }

  /** True when `page`, one of the current trees, is not in the file yet, and no version needs it as it is. */
  mayChange(page: Page): boolean {
    return page.dirty && !this.versions.sees(page.birth);
  }

  /** `page` if it may be changed in place, else a copy that takes its place: the caller must refer to that. */
  writable(page: Page): Page {
    if (this.mayChange(page)) return page;
    const copy = this.#new();
    copyPage(page, copy);
    this.retire(page.number, page.birth);
    return copy;
  }

  #new(): Page {
    return this.#enter(this.#newBuffer(), { number: this.allocate(), stamp: this.stamp });
  }

  #newBuffer(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(PAGE_BYTES);
  }

  /**
   * Uses the buffers of clean pages that have left the memory again, instead of leaving them to the garbage collector:
   * for a replay, which meets every page of a large file many times, and spends a seventh of its CPU time less. Called
   * between changes, by who alone uses the pages, and holds none from one change to the next but such as may be changed
   * in place. There are never more buffers than there were pages in memory at once.
   */
  recycle(): void {
    this.#spare.push(...(this.#left ?? []));
    this.#left = [];
  }

  /** Others may look at pages from now on, who hold on to them. */
  endRecycling(): void {
    this.#left = undefined;
    this.#spare.length = Math.min(this.#spare.length, SPARE_BUFFERS_MAX);
  }

  #enter(bytes: Buffer, { number, stamp }: PageRef): Page {
    this.live.add(number);
    const page = new Page(bytes, number, stamp, this.versions.epoch, true);
    this.#loaded.set(number, page);
    this.dirty.add(page);
    return page;
  }

  /** Takes the lowest free number for a page that is prepared aside; `adopt` or `giveBack` follows. */
  reserve(): number {
    const number = this.allocate();
    this.#reserved.add(number);
    return number;
  }

  giveBack(number: number): void {
    this.#reserved.delete(number);
    this.#searchFrom = Math.min(this.#searchFrom, number >>> 5);
  }

  /** Makes a prepared page one of the current trees; the caller refers to it in the same turn. */
  adopt(page: Page): void {
    this.#reserved.delete(page.number);
    this.#enter(page.bytes, page);
  }

  /** The lowest free number. The caller must say at once who needs it. */
  allocate(): number {
    let index = this.#searchFrom;
    let busy = this.#busy(index);
    while (busy === -1) busy = this.#busy(++index);
    this.#searchFrom = index;
    const lowestClear = ~busy & (busy + 1);
    return index * 32 + 31 - Math.clz32(lowestClear);
  }

  /** The highest number that somebody needs. */
  highestBusy(): number {
    const sets = [this.live, this.#held, this.#reserved, ...this.rooted];
    return Math.max(...sets.map((set) => set.highest()));
  }

  #busy(index: number): number {
    let word = this.live.word(index) | this.#held.word(index) | this.#reserved.word(index);
    for (const set of this.rooted) word |= set.word(index);
    return word;
  }

  /** The current trees do not need the page any more. */
  retire(number: number, birth: number): void {
    this.live.delete(number);
    if (!this.versions.sees(birth)) {
      this.#free(number);
      return;
    }
    this.#held.add(number);
    this.versions.hold(number, birth);
  }

  #free(number: number): void {
    this.#held.delete(number);
    this.#searchFrom = Math.min(this.#searchFrom, number >>> 5);
    const page = this.#loaded.get(number);
    if (page === undefined) return;
    this.#loaded.delete(number);
    if (!this.dirty.delete(page)) return;
    page.dirty = false;
    const isRecycling = this.#left !== undefined;
    if (isRecycling || this.#spare.length < SPARE_BUFFERS_MAX) this.#spare.push(page.bytes);
  }

  /** Puts the current state back to what it was when `version`, which is still taken, was taken. */
  restore(version: Version): void {
    for (const page of [...this.dirty]) {
      if (page.birth > version.epoch && this.live.has(page.number)) this.retire(page.number, page.birth);
    }
    for (const number of this.versions.restore(version)) {
      this.#held.delete(number);
      this.live.add(number);
    }
  }

  /** Replaces what roots reach; what they let go of is free from now on. */
  setRooted(sets: readonly PageSet[]): void {
    this.rooted = sets;
    this.#searchFrom = 0;
  }

  /** The page has reached the file. */
  written(page: Page): void {
    if (!this.dirty.delete(page)) return;
    page.dirty = false;
    assert(this.#loaded.get(page.number) === page, `page ${page.number} was written after it was freed`);
    this.#keepClean(page);
  }
}
