/**
 * Store folders as releases have written them, kept for ever: whatever a later release changes, it opens these.
 *
 * A fixture is one file, gzipped JSON: every file of the folder, and what the store held, entry by entry. The
 * folder is as a kill would have left it, so that its journal goes on behind its newest root.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { openStore } from '../store/store.ts';
import { encodeKey } from '../store/tuple.ts';
import type { Change, Reader, Store } from '../store/types.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';

export interface StoreFixture {
  /** Path in the folder → content in hexadecimal. */
  readonly files: Readonly<Record<string, string>>;
  /** Tree → its entries in the order of the keys. */
  readonly listing: Readonly<Record<string, readonly FixtureEntry[]>>;
}

/** The key in hexadecimal, the bytes of the value, and the first 8 bytes of its SHA-256. */
export type FixtureEntry = readonly [string, number, string];

export function decodeFixture(bytes: Uint8Array): StoreFixture {
  return JSON.parse(gunzipSync(bytes).toString('utf8')) as StoreFixture;
}

export function encodeFixture(fixture: StoreFixture): Buffer {
  return gzipSync(JSON.stringify(fixture), { level: 9 });
}

/** What `reader` holds in `trees`. */
export function listingOf(reader: Reader, trees: readonly string[]): StoreFixture['listing'] {
  const list = (tree: string) => Array.from(reader.range(tree), ({ key, value }) => entryOf(key, value));
  return Object.fromEntries(trees.map((tree) => [tree, list(tree)]));
}

function entryOf(key: Buffer, value: Buffer): FixtureEntry {
  const digest = createHash('sha256').update(value).digest('hex').slice(0, 16);
  return [key.toString('hex'), value.length, digest];
}

/** Writes the files of a fixture below `folder`. */
export async function unpackFixture(fixture: StoreFixture, files: Files, folder: string): Promise<void> {
  for (const [path, content] of Object.entries(fixture.files)) {
    const full = `${folder}/${path}`;
    await files.makeFolder(full.slice(0, full.lastIndexOf('/')));
    const file = await files.open(full, 'create');
    await file.write(0, Buffer.from(content, 'hex'));
    await file.close();
  }
}

/** The files of the store in `folder`, without its lock. */
async function packFolder(files: Files, folder: string): Promise<Record<string, string>> {
  const packed: Record<string, string> = {};
  const journal = (await files.list(`${folder}/journal`)).map((name) => `journal/${name}`);
  for (const path of ['pages', ...journal]) {
    const file = await files.open(`${folder}/${path}`, 'read');
    const content = Buffer.alloc(file.size());
    await file.read(0, content);
    await file.close();
    packed[path] = content.toString('hex');
  }
  return packed;
}

export const FIXTURE_TREES = ['rows', 'shuffled', 'edges', 'long', 'ünï'];

/** A short life of a store, up to where the fixture is taken. */
type Life = (store: Store, random: SeededRandom) => Promise<void>;

/** The lives that are kept of each format. */
export const FIXTURE_LIVES: Readonly<Record<string, Life>> = {
  /** Two roots with changes between them, and more in the journal. */
  changed: async (store, random) => {
    await fill(store, random);
    await store.checkpoint();
    await change(store, random, 200);
    await store.checkpoint();
    await change(store, random, 400);
  },
  /** One root, which has everything. */
  fresh: async (store, random) => {
    await fill(store, random);
    await store.checkpoint();
  },
  /** No root yet. */
  journal: async (store, random) => {
    await store.commit(edges());
    await change(store, random, 0);
  },
};

/** Makes a fixture with this release. */
export async function makeFixture(life: Life): Promise<StoreFixture> {
  const files = createMemoryFiles();
  const random = new SeededRandom(20_26);
  const store = await openStore({ files, folder: '/store', clock: new SimulatedClock(), random });
  await life(store, random);
  await store.settled();
  const fixture = { files: await packFolder(files, '/store'), listing: listingOf(store, FIXTURE_TREES) };
  await store.close();
  return fixture;
}

const put = (tree: string, key: Buffer, value: Buffer): Change => ({ kind: 'put', tree, key, value });

const rowKey = (row: number) => encodeKey(['a table with a name', 'and an index', 17, row]);

const text = (length: number, seed: number) =>
  Buffer.from(`${seed} some text, `.repeat(length).slice(0, length));

async function fill(store: Store, random: SeededRandom): Promise<void> {
  await store.commit(Array.from({ length: 700 }, (_, row) => put('rows', rowKey(row), text(40, row))));
  const shuffled = Array.from({ length: 400 }, () => random.below(50_000));
  await store.commit(shuffled.map((n) => put('shuffled', encodeKey([n]), text(random.below(60), n))));
  await store.commit(edges());
  for (const length of [2_100, 8_168, 8_169, 40_000]) {
    await store.commit([put('long', encodeKey([length]), text(length, length))]);
  }
  await store.commit([put('ünï', Buffer.from('ÿ'), Buffer.alloc(0))]);
}

/** The empty key, keys that begin others, and the longest keys, as far as possible alike. */
function edges(): Change[] {
  const keys = ['', '\0', 'a', 'a\0', 'aa', 'a'.repeat(1_024), `${'a'.repeat(1_023)}b`, 'ÿ'];
  const alike = Array.from({ length: 40 }, (_, n) => `${'p'.repeat(600)}${n % 7}${'q'.repeat(n)}`);
  return [...keys, ...alike].map((key, n) => put('edges', Buffer.from(key, 'latin1'), text(n * 10, n)));
}

/** Deletes, replaces and adds in every tree, from row `from` on. */
async function change(store: Store, random: SeededRandom, from: number): Promise<void> {
  const rows = Array.from({ length: 80 }, () => from + random.below(300));
  await store.commit(rows.map((row) => ({ kind: 'delete', tree: 'rows', key: rowKey(row) })));
  await store.commit(rows.slice(0, 20).map((row) => put('rows', rowKey(row), text(100, row))));
  const range = { from: rowKey(from + 300), to: rowKey(from + 350) };
  await store.commit([{ kind: 'delete-range', tree: 'rows', ...range }]);
  const some = Array.from({ length: 100 }, () => encodeKey([random.below(50_000), from]));
  await store.commit(some.map((key) => put('shuffled', key, text(30, from))));
  await store.commit([
    { kind: 'delete', tree: 'long', key: encodeKey([8_169]) },
    put('long', encodeKey([2_100]), text(9_000 + from, 1)),
    put('long', encodeKey([from, 'new']), text(3_000, from)),
    { kind: 'delete', tree: 'edges', key: Buffer.from('a'.repeat(1_024)) },
  ]);
}
