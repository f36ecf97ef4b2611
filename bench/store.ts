import { DatabaseSync } from 'node:sqlite';
import { systemFiles } from '../src/core/files/system-files.ts';
import { systemRandom } from '../src/core/random/system-random.ts';
import { openStore } from '../src/core/store/store.ts';
import type { Store } from '../src/core/store/types.ts';
import { systemClock } from '../src/core/time/system-clock.ts';
import { type Benchmark, both, type Contest, type Load, type Place } from './benchmark.ts';

const ENTRIES = 100_000;
const FILL_AT_ONCE = 1_000;
const VALUE_BYTES = 100;
const WRITERS = 32;
const ROUND_MS = 700;
/** Operations between two looks at the time. */
const READS_AT_ONCE = 1_000;
const TREE = 'bench';

export const store: Benchmark = {
  name: 'store',
  compared: `the kernel's store beside SQLite (WAL, synchronous=FULL), ${ENTRIES.toLocaleString('en')} entries of ${VALUE_BYTES} bytes, both in this process; SQLite's one connection commits ${WRITERS} writers one after the other`,
  prepare,
};

/** What both can do; `commit` resolves when the entry is durable. */
interface Entries {
  commit(key: Buffer, value: Buffer): Promise<void>;
  fill(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void>;
  get(key: Buffer): Uint8Array | undefined;
  /** Reads all in key order. @returns how many */
  scan(): number;
}

async function prepare(place: Place): Promise<Contest> {
  const opened = place.stack.use(
    await openStore({
      files: systemFiles,
      folder: `${place.folder}/store`,
      clock: systemClock,
      random: systemRandom,
    }),
  );
  const database = place.stack.adopt(new DatabaseSync(`${place.folder}/sqlite`), (open) => open.close());
  const sides = { ours: ofStore(opened), peer: ofSqlite(database) };
  for (const side of [sides.ours, sides.peer]) await fill(side);
  const cpu = (): number => {
    const { user, system } = process.cpuUsage();
    return user + system;
  };
  const { version } = database.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  return {
    peer: `SQLite ${version} by node:sqlite`,
    cpu: { ours: cpu, peer: cpu },
    workloads: [
      both('commit-1-writer', 'commit', sides, (side) => commits(side, 1)),
      both(`commit-${WRITERS}-writers`, 'commit', sides, (side) => commits(side, WRITERS)),
      both('random-read', 'read', sides, reads),
      both('ordered-scan', 'key', sides, scans),
    ],
  };
}

function ofStore(opened: Store): Entries {
  const put = ([key, value]: readonly [Buffer, Buffer]) => ({ kind: 'put', tree: TREE, key, value }) as const;
  return {
    commit: (key, value) => opened.commit([put([key, value])]),
    fill: (entries) => opened.commit(entries.map(put)),
    get: (key) => opened.get(TREE, key),
    scan() {
      let count = 0;
      for (const { value } of opened.range(TREE)) count += Math.sign(value.length);
      return count;
    },
  };
}

function ofSqlite(database: DatabaseSync): Entries {
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec('CREATE TABLE bench (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
  const put = database.prepare(
    'INSERT INTO bench VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
  );
  const get = database.prepare('SELECT value FROM bench WHERE key = ?');
  const all = database.prepare('SELECT key, value FROM bench ORDER BY key');
  return {
    async commit(key, value) {
      put.run(key, value);
    },
    async fill(entries) {
      database.exec('BEGIN');
      for (const [key, value] of entries) put.run(key, value);
      database.exec('COMMIT');
    },
    get: (key) => get.get(key)?.['value'] as Uint8Array | undefined,
    scan() {
      let count = 0;
      for (const entry of all.iterate()) count += Math.sign((entry['value'] as Uint8Array).length);
      return count;
    },
  };
}

async function fill(side: Entries): Promise<void> {
  for (let from = 0; from < ENTRIES; from += FILL_AT_ONCE) {
    await side.fill(Array.from({ length: FILL_AT_ONCE }, (_, n) => [keyOf(from + n), contentOf(from + n)]));
  }
}

/** `writers` of them at once, each waiting until its commit is durable before its next. */
function commits(side: Entries, writers: number): Load {
  return async () => {
    const until = performance.now() + ROUND_MS;
    let operations = 0;
    const writer = async (): Promise<void> => {
      while (performance.now() < until) {
        await side.commit(keyOf(anyEntry()), contentOf(operations));
        operations++;
      }
    };
    await Promise.all(Array.from({ length: writers }, writer));
    return { operations };
  };
}

function reads(side: Entries): Load {
  return async () => {
    const until = performance.now() + ROUND_MS;
    let operations = 0;
    while (performance.now() < until) {
      for (let n = 0; n < READS_AT_ONCE; n++) {
        if (side.get(keyOf(anyEntry())) === undefined) throw new Error('an entry is missing');
      }
      operations += READS_AT_ONCE;
    }
    return { operations };
  };
}

function scans(side: Entries): Load {
  return async () => {
    const until = performance.now() + ROUND_MS;
    let operations = 0;
    while (performance.now() < until) {
      const count = side.scan();
      if (count !== ENTRIES) throw new Error(`a scan found ${count} entries of ${ENTRIES}`);
      operations += count;
    }
    return { operations };
  };
}

function anyEntry(): number {
  return Math.floor(Math.random() * ENTRIES);
}

function keyOf(entry: number): Buffer {
  return Buffer.from(`entry/${String(entry).padStart(10, '0')}`, 'latin1');
}

function contentOf(entry: number): Buffer {
  return Buffer.alloc(VALUE_BYTES, entry & 0xff);
}
