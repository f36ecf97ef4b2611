/** Every format that was ever written opens, reads, changes and opens again, for ever. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import {
  checkAndClose,
  RANDOM_TREES,
  randomCommit,
  StoreModel,
  verifyRanges,
} from '../testing/store-contract.ts';
import { decodeFixture, FIXTURE_TREES, listingOf, unpackFixture } from '../testing/store-fixture.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { openStore } from './store.ts';
import type { Change, Reader } from './types.ts';

const fixtures = globSync('fixtures/*.json.gz', { cwd: import.meta.dirname }).sort();

test('there are fixtures of every format', () => {
  const formats = new Set(fixtures.map((path) => /format-\d+/.exec(path)?.[0]));
  assert.deepEqual([...formats], ['format-1', 'format-2']);
});

/** What `reader` holds, as a model that can be changed beside the store. */
function modelOf(reader: Reader): StoreModel {
  const changes: Change[] = [];
  for (const tree of FIXTURE_TREES) {
    for (const { key, value } of reader.range(tree)) changes.push({ kind: 'put', tree, key, value });
  }
  return new StoreModel().after(changes);
}

for (const path of fixtures) {
  const fixture = decodeFixture(readFileSync(`${import.meta.dirname}/${path}`));

  test(`${path} holds what it held, and goes on`, async () => {
    const files = createMemoryFiles();
    await unpackFixture(fixture, files, '/store');
    const random = new SeededRandom(1);
    const open = () => openStore({ files, folder: '/store', clock: new SimulatedClock(), random });

    const first = await open();
    assert.deepEqual(listingOf(first, FIXTURE_TREES), fixture.listing);
    assert.deepEqual(await first.check(), []);
    let model = modelOf(first);
    await checkAndClose(first);

    for (let life = 0; life < 3; life += 1) {
      const store = await open();
      for (let step = 0; step < 60; step += 1) {
        const changes = [...randomCommit(random), ...changesIn(model, random)];
        await store.commit(changes);
        model = model.after(changes);
        if (step % 20 === 0) await store.checkpoint();
      }
      model.verify(store);
      verifyRanges(random, store, model, 20);
      await checkAndClose(store);
    }
    const last = await open();
    model.verify(last, [...FIXTURE_TREES, ...RANDOM_TREES]);
    await checkAndClose(last);
  });
}

/** Deletes, replaces and puts beside the keys that the fixture has. */
function changesIn(model: StoreModel, random: SeededRandom): Change[] {
  return FIXTURE_TREES.flatMap((tree): Change[] => {
    const keys = model.keys(tree);
    const any = () => Buffer.from(keys[random.below(keys.length)] ?? '', 'latin1');
    const beside = Buffer.concat([any(), random.bytes(1 + random.below(3))]).subarray(0, 1_024);
    return [
      { kind: 'delete', tree, key: any() },
      { kind: 'put', tree, key: any(), value: random.bytes(random.below(80)) },
      { kind: 'put', tree, key: beside, value: random.bytes(random.below(200)) },
    ];
  });
}
