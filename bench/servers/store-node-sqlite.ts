/** The process of SQLite by node:sqlite in `bench/store.ts`. */
import { DatabaseSync } from 'node:sqlite';
import { serveOrders } from '../store/rounds.ts';
import { type SqliteBinding, sqliteContender } from '../store/sqlite.ts';

function bindingOf(database: DatabaseSync): SqliteBinding {
  return {
    exec: (sql) => database.exec(sql),
    writer(sql) {
      const statement = database.prepare(sql);
      return (key, value) => {
        statement.run(key, value);
      };
    },
    finder(sql) {
      const statement = database.prepare(sql);
      return (key) => statement.get(key)?.['value'] as Uint8Array | undefined;
    },
    rows(sql) {
      const statement = database.prepare(sql);
      // Rows as arrays are the faster way.
      statement.setReturnArrays(true);
      return (from, limit) =>
        statement.iterate(from, limit) as unknown as Iterable<readonly [Uint8Array, Uint8Array]>;
    },
    close: () => database.close(),
  };
}

serveOrders(async (folder, cacheBytes) =>
  sqliteContender(bindingOf(new DatabaseSync(`${folder}/sqlite`)), cacheBytes),
);
