/**
 * Rows in the cache, read through and invalidated, without ever serving a row older than the last write that
 * was acknowledged.
 *
 *   v:<table>:<key>            a random version, renewed after each write
 *   r:<table>:<key>:<version>  the row as JSON
 *
 * A reader takes the version first and stores what it then reads from the database under that version. A
 * writer renews the version after its commit. So a slow reader that saw the old row can only store it under a
 * version that nobody asks for any more; there is no moment in which it could overwrite the new one. If the
 * cache forgets a version, the next reader makes a new one, and the old rows are out of reach.
 */
import type { Random } from '../core/random/random.ts';
import type { ApiMetrics } from './metrics.ts';

/** The commands that are used of a cache. */
export interface Cache {
  get(key: string): Promise<string | undefined>;
  /** @param onlyIfMissing NX */
  set(key: string, value: string, options: { seconds: number; onlyIfMissing?: boolean }): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

export type Lookup =
  | { readonly kind: 'hit'; readonly row: unknown }
  /** Hand what the database says to `fill`. */
  | { readonly kind: 'miss'; readonly slot: string };

/** Versions outlive rows, so that a row still in the cache always has its version there, unless evicted. */
const VERSION_LIVES_LONGER = 2;

export class RowCache {
  readonly #cache: Cache;
  readonly #random: Random;
  readonly #metrics: ApiMetrics;
  readonly #maxRowBytes: number;

  constructor(cache: Cache, random: Random, metrics: ApiMetrics, maxRowBytes: number) {
    this.#cache = cache;
    this.#random = random;
    this.#metrics = metrics;
    this.#maxRowBytes = maxRowBytes;
  }

  /** @returns undefined when the cache cannot be asked: go without */
  async look(table: string, key: string, seconds: number): Promise<Lookup | undefined> {
    return this.#guard(async () => {
      const slot = rowKey(table, key, await this.#version(table, key, seconds));
      const text = await this.#cache.get(slot);
      if (text === undefined) {
        this.#metrics.cacheMisses.add();
        return { kind: 'miss', slot };
      }
      this.#metrics.cacheHits.add();
      return { kind: 'hit', row: JSON.parse(text) as unknown };
    });
  }

  async fill(slot: string, row: unknown, seconds: number): Promise<void> {
    const text = JSON.stringify(row);
    if (Buffer.byteLength(text) > this.#maxRowBytes) return;
    await this.#guard(() => this.#cache.set(slot, text, { seconds }));
  }

  /** After a commit, before it is acknowledged. @returns false when the cache could not be told */
  async invalidate(table: string, key: string, seconds: number): Promise<boolean> {
    const told = await this.#guard(async () => {
      await this.#cache.set(versionKey(table, key), this.#random.uuid(), {
        seconds: seconds * VERSION_LIVES_LONGER,
      });
      return true;
    });
    return told ?? false;
  }

  async #version(table: string, key: string, seconds: number): Promise<string> {
    const name = versionKey(table, key);
    const known = await this.#cache.get(name);
    if (known !== undefined) return known;
    // Two readers may race here; NX lets one win, and both then read the winner's.
    const fresh = this.#random.uuid();
    await this.#cache.set(name, fresh, { seconds: seconds * VERSION_LIVES_LONGER, onlyIfMissing: true });
    return (await this.#cache.get(name)) ?? fresh;
  }

  async #guard<Result>(call: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await call();
    } catch {
      this.#metrics.cacheFailures.add();
      return undefined;
    }
  }
}

function versionKey(table: string, key: string): string {
  return `v:${table}:${key}`;
}

function rowKey(table: string, key: string, version: string): string {
  return `r:${table}:${key}:${version}`;
}
