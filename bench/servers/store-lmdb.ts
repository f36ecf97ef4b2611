/** The process of LMDB by lmdb-js in `bench/store.ts`. Its one argument is where the package lies. */
import { createRequire } from 'node:module';
import type { Contender, Entry } from '../store/contender.ts';
import { serveOrders } from '../store/rounds.ts';

/** As far as it is used here. */
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): Database;
}

interface Database {
  put(key: Buffer, value: Buffer): Promise<boolean>;
  getBinary(key: Buffer): Buffer | undefined;
  getRange(options: { start: Buffer; limit: number }): Iterable<{ key: Buffer; value: Buffer }>;
  close(): Promise<void>;
}

/** Address space; pages are read through the operating system's cache, whatever the cache size that is asked for. */
const MAP_BYTES = 4 * 1_024 * 1_024 * 1_024;

const [, , location = ''] = process.argv;
const lmdb = createRequire(import.meta.url)(location) as Lmdb;

function contenderOf(database: Database): Contender {
  return {
    async commit(key, value) {
      await database.put(key, value);
    },
    async load(batch: readonly Entry[]) {
      // What is put in one turn of the event loop is one transaction.
      let last: Promise<boolean> | undefined;
      for (const [key, value] of batch) last = database.put(key, value);
      await last;
    },
    get: (key) => database.getBinary(key),
    scan(start, limit) {
      let count = 0;
      for (const { key, value } of database.getRange({ start, limit }))
        count += Math.sign(key.length * value.length);
      return count;
    },
    close: () => database.close(),
  };
}

serveOrders(async (folder) =>
  contenderOf(
    lmdb.open({
      path: `${folder}/lmdb`,
      mapSize: MAP_BYTES,
      keyEncoding: 'binary',
      encoding: 'binary',
      // Off, so that a put resolves when it is synced and not before.
      overlappingSync: false,
    }),
  ),
);
