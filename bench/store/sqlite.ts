/** SQLite as a contender, behind either of its two bindings for Node. */
import type { Contender, Entry } from './contender.ts';

const KIB = 1_024;

/** What both bindings have in common, once each has got its own way of reading rows. */
export interface SqliteBinding {
  exec(sql: string): void;
  /** A statement that is run with a key and a value. */
  writer(sql: string): (key: Buffer, value: Buffer) => void;
  /** A statement that finds one column of at most one row by a key. */
  finder(sql: string): (key: Buffer) => Uint8Array | undefined;
  /** A statement of two columns, key and value, with the first key and a limit. */
  rows(sql: string): (from: Buffer, limit: number) => Iterable<readonly [Uint8Array, Uint8Array]>;
  close(): void;
}

/** WAL, and every commit synced (`synchronous=FULL`): an acknowledged commit survives a power cut. */
export function sqliteContender(sqlite: SqliteBinding, cacheBytes: number): Contender {
  sqlite.exec(`PRAGMA journal_mode = WAL; PRAGMA cache_size = -${Math.floor(cacheBytes / KIB)}`);
  const durably = 'PRAGMA synchronous = FULL';
  sqlite.exec(durably);
  sqlite.exec('CREATE TABLE IF NOT EXISTS bench (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
  const put = sqlite.writer(
    'INSERT INTO bench VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  const get = sqlite.finder('SELECT value FROM bench WHERE key = ?');
  const range = sqlite.rows('SELECT key, value FROM bench WHERE key >= ? ORDER BY key LIMIT ?');
  const putAll = (batch: readonly Entry[]): void => {
    sqlite.exec('BEGIN');
    for (const [key, value] of batch) put(key, value);
    sqlite.exec('COMMIT');
  };
  return {
    async commit(key, value) {
      put(key, value);
    },
    /** The last batch syncs the log, and with it all before. */
    async load(batch, isLast) {
      sqlite.exec(isLast ? durably : 'PRAGMA synchronous = NORMAL');
      putAll(batch);
    },
    get,
    scan(from, limit) {
      let count = 0;
      for (const [key, value] of range(from, limit)) count += Math.sign(key.length * value.length);
      return count;
    },
    async close() {
      sqlite.close();
    },
  };
}
