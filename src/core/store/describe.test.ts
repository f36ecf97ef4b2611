import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { filesWith, withChange } from '../testing/copied-files.ts';
import { FOLDER, killedStore, PAGES } from '../testing/damaged-store.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { describeStore, renderStoreDescription, type StoreDescription } from './describe.ts';
import { PAGE_BYTES } from './limits.ts';
import { openStore } from './store.ts';

const { contents, model } = await killedStore(false, 300);

function flip(page: number): (bytes: Buffer) => unknown {
  return (bytes) => (bytes[page * PAGE_BYTES + 3_000]! ^= 4);
}

async function described(...pages: number[]): Promise<StoreDescription> {
  let damaged = contents;
  for (const page of pages) damaged = withChange(damaged, PAGES, flip(page));
  return describeStore(await filesWith(damaged), FOLDER);
}

/** Which page says what, in the description with this page damaged. */
async function firstPageWhere(
  matches: (description: StoreDescription) => boolean,
): Promise<StoreDescription> {
  const count = contents.get(PAGES)!.length / PAGE_BYTES;
  for (let page = 2; page < count; page += 1) {
    const description = await described(page);
    if (matches(description)) return description;
  }
  throw new Error('no page does that');
}

suite('describeStore', () => {
  test('trees of several levels, long values and both roots', async () => {
    const { roots, trees, flaws, filePages, journal } = await described();
    assert.deepEqual(flaws, []);
    assert.equal(roots.length, 2);
    assert.equal(roots[0]!.generation, roots[1]!.generation + 1);
    assert.ok(roots[0]!.journalPosition > roots[1]!.journalPosition);
    assert.ok(roots[0]!.usedPages > 5 && roots[0]!.usedPages <= filePages);
    assert.match(journal ?? '', /^[0-9a-f-]{36}$/);
    assert.deepEqual(
      trees.map(({ name }) => name),
      ['fresh', 'later', 'long', 'moving', 'still'],
    );
    const still = trees[4]!;
    assert.deepEqual(
      { keys: still.keys, levels: still.levels, branches: still.branchPages, long: still.longValues },
      { keys: 300, levels: 2, branches: 1, long: 0 },
    );
    assert.ok(still.fill > 0.5 && still.fill <= 1);
    const long = trees[2]!;
    assert.deepEqual([long.keys, long.levels, long.longValues, long.longValueBytes], [4, 1, 4, 69_000]);
    assert.equal([...model.keys()].filter((id) => id.startsWith('long/')).length, long.keys);
  });

  test('a folder without a store is an error, an empty one has no roots', async () => {
    await assert.rejects(describeStore(createMemoryFiles(), FOLDER), { code: 'ENOENT' });
    const files = createMemoryFiles();
    const store = await openStore({
      files,
      folder: FOLDER,
      clock: new SimulatedClock(),
      random: new SeededRandom(1),
    });
    const description = await describeStore(files, FOLDER);
    assert.deepEqual([description.roots, description.trees, description.journal], [[], [], undefined]);
    assert.match(renderStoreDescription(description), /format \d, 0 pages of 8192 bytes, journal none/);
    assert.match(renderStoreDescription(description), /^! root page 0 of .*: it was never written$/m);
    await store.checkpoint();
    assert.deepEqual((await describeStore(files, FOLDER)).trees, []);
    await store.close();
  });

  test('a damaged leaf costs its keys, and is named', async () => {
    const { trees, flaws } = await firstPageWhere((one) => one.flaws.length > 0 && one.trees.length === 5);
    assert.match(flaws[0]!, /^tree "\w+": \/store\/pages, page \d+, offset \d+: its checksum is wrong$/);
    const keys = trees.map((tree) => tree.keys).reduce((sum, more) => sum + more);
    assert.ok(keys < model.size);
  });

  test('a damaged root of a tree leaves the tree with nothing known of it', async () => {
    const { trees, flaws } = await firstPageWhere((one) => one.trees.some(({ keys }) => keys === 0));
    const empty = trees.find(({ keys }) => keys === 0)!;
    assert.deepEqual([empty.levels, empty.leafPages, empty.fill], [0, 0, 0]);
    assert.match(flaws[0]!, new RegExp(`^tree "${empty.name}": `));
  });

  test('a damaged catalog leaves no trees, and says why', async () => {
    const { trees, flaws } = await firstPageWhere((one) => one.trees.length === 0);
    assert.deepEqual(trees, []);
    assert.match(flaws[0]!, /^the catalog: \/store\/pages, page \d+, /);
  });

  test('a damaged list of used pages is a flaw, and the trees are there', async () => {
    const description = await firstPageWhere(({ roots }) => roots[0]!.usedPages === 0);
    assert.equal(description.trees.length, 5);
    assert.match(description.flaws[0]!, /^page \d+ of \/store\/pages/);
    assert.match(renderStoreDescription(description), /^root \d+: .*, 0 pages used$/m);
  });

  test('as text', async () => {
    const text = renderStoreDescription(await described());
    assert.match(text, /^tree "still": 300 keys, 2 levels, 1 \+ \d pages, \d+ % full$/m);
    assert.match(
      text,
      /^tree "long": 4 keys, 1 levels, 0 \+ 1 pages, \d+ % full, 4 long values of 69000 bytes$/m,
    );
  });
});
