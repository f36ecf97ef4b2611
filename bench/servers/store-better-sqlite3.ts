/**
 * The process of SQLite by better-sqlite3 in `bench/store.ts`. Its one argument is where the package lies. It may run
 * under an older Node than ours: the one for which the package was compiled.
 */
import { createRequire } from 'node:module';
import { serveOrders } from '../store/rounds.ts';
import { type SqliteBinding, sqliteContender } from '../store/sqlite.ts';

/** As far as it is used here. */
interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}

interface Statement {
  run(...values: readonly Buffer[]): void;
  get(...values: readonly Buffer[]): unknown;
  iterate(from: Buffer, limit: number): Iterable<unknown>;
  pluck(): Statement;
  raw(): Statement;
}

const [, , location = ''] = process.argv;
const Database = createRequire(import.meta.url)(location) as new (file: string) => Database;

function bindingOf(database: Database): SqliteBinding {
  return {
    exec: (sql) => database.exec(sql),
    writer(sql) {
      const statement = database.prepare(sql);
      return (key, value) => {
        statement.run(key, value);
      };
    },
    finder(sql) {
      const statement = database.prepare(sql).pluck();
      return (key) => statement.get(key) as Uint8Array | undefined;
    },
    rows(sql) {
      const statement = database.prepare(sql).raw();
      return (from, limit) => statement.iterate(from, limit) as Iterable<readonly [Uint8Array, Uint8Array]>;
    },
    close: () => database.close(),
  };
}

serveOrders(async (folder, cacheBytes) =>
  sqliteContender(bindingOf(new Database(`${folder}/sqlite`)), cacheBytes),
);
