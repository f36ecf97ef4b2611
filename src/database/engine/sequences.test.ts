import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFiles } from '../../core/files/memory-files.ts';
import { systemRandom } from '../../core/random/system-random.ts';
import { openStore } from '../../core/store/store.ts';
import { systemClock } from '../../core/time/system-clock.ts';
import type { Sequence } from './catalog/catalog.ts';
import type { RowStore } from './database.ts';
import { SequenceTable } from './sequences.ts';

const sequence = {
  oid: 16_400,
  name: 's',
  start: 1n,
  increment: 1n,
  minimum: 1n,
  maximum: 100n,
  cycle: false,
} as Sequence;

test('a value once given is not given again after a restart, however few were given', async () => {
  for (const given of [1, 2, 31, 32, 33]) {
    const files = createMemoryFiles();
    const open = () => openStore({ files, folder: '/s', clock: systemClock, random: systemRandom });
    const store = await open();
    const table = new SequenceTable(store as unknown as RowStore, () => undefined);
    table.set(sequence, sequence.start, false);
    let last = 0n;
    for (let count = 0; count < given; count++) last = table.next(sequence);
    assert.equal(last, BigInt(given));
    await store.settled();
    await store.close();
    const again = await open();
    assert.ok(
      new SequenceTable(again as unknown as RowStore, () => undefined).next(sequence) > last,
      `after ${given}`,
    );
    await again.close();
  }
});

test('setval decides whether its own value comes next', async () => {
  const files = createMemoryFiles();
  const open = () => openStore({ files, folder: '/s', clock: systemClock, random: systemRandom });
  for (const [isCalled, expected] of [
    [true, 8n],
    [false, 7n],
  ] as const) {
    const store = await open();
    const table = new SequenceTable(store as unknown as RowStore, () => undefined);
    table.set(sequence, 7n, isCalled);
    await store.settled();
    await store.close();
    const again = await open();
    assert.equal(new SequenceTable(again as unknown as RowStore, () => undefined).next(sequence), expected);
    await again.close();
  }
});
