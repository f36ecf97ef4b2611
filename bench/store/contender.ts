/** What every contender can do with the entries of `entries.ts`, each in the best way that it has. */

export type Entry = readonly [key: Buffer, value: Buffer];

export interface Contender {
  /** Writes one entry. Resolves when it is durable. */
  commit(key: Buffer, value: Buffer): Promise<void>;
  /**
   * Writes a batch as one commit, the next batch may follow before it is durable. When it resolves for the last one,
   * all are.
   */
  load(batch: readonly Entry[], isLast: boolean): Promise<void>;
  /** The value, the caller's to keep. */
  get(key: Buffer): Uint8Array | undefined;
  /** Reads keys and values in key order, from `from` on and at most `limit`. @returns how many there are */
  scan(from: Buffer, limit: number): number;
  close(): Promise<void>;
}

/**
 * @param folder exists, and is empty at first
 * @param cacheBytes what the contender may keep in memory of its file
 */
export type OpenContender = (folder: string, cacheBytes: number) => Promise<Contender>;

/** One order to the process of a contender; `rounds.ts` carries it out. */
export type Order =
  | { readonly what: 'open'; readonly folder: string; readonly cacheBytes: number }
  | { readonly what: 'load' }
  | { readonly what: 'commit'; readonly writers: number }
  | { readonly what: 'read' }
  | { readonly what: 'scan' }
  | { readonly what: 'update'; readonly entries: number }
  | { readonly what: 'close' };

/** What the process answers. */
export type Outcome =
  | { readonly operations: number; readonly seconds: number; readonly cpuMicros: number }
  | { readonly error: string };
