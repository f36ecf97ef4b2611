import type { Cursor } from './cursor.ts';
import { StoreError } from './errors.ts';
import { CATALOG, type Forest } from './forest.ts';
import type { Entry, EntryCursor, RangeOptions, Snapshot } from './types.ts';
import type { Version } from './versions.ts';

/** A version for a reader outside of the store. */
export class TreeSnapshot implements Snapshot {
  readonly #forest: Forest;
  #taken: Version | undefined;

  constructor(forest: Forest) {
    this.#forest = forest;
    this.#taken = forest.pages.versions.take();
  }

  get(tree: string, key: Uint8Array): Buffer | undefined {
    return this.#forest.get(tree, key, this.#version());
  }

  has(tree: string, key: Uint8Array): boolean {
    return this.#forest.has(tree, key, this.#version());
  }

  range(tree: string, options: RangeOptions = {}): IterableIterator<Entry> {
    return this.#cursor(tree, options)[Symbol.iterator]();
  }

  cursor(tree: string, options: RangeOptions = {}): EntryCursor {
    return this.#cursor(tree, options);
  }

  #cursor(tree: string, options: RangeOptions): Cursor {
    return this.#forest.cursorIn(this.#version(), tree, options, () => this.#taken !== undefined);
  }

  trees(): string[] {
    this.#forest.checkOpen();
    const names = this.#forest.pages.versions.treesIn(this.#version()).filter((name) => name !== CATALOG);
    return names.sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
  }

  #version(): Version {
    if (this.#taken === undefined) throw new StoreError('closed', 'the snapshot has been released');
    return this.#taken;
  }

  /** A second call does nothing. */
  release(): void {
    const version = this.#taken;
    this.#taken = undefined;
    if (version !== undefined) this.#forest.pages.versions.release(version);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
