import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../random/seeded-random.ts';
import { createMemoryJournal } from './memory-journal.ts';
import { batchesAfter, groupsAfter, replay } from './replay.ts';
import type { Journal, Position, StoredBatch } from './types.ts';
import { startWriter } from './writer.ts';

async function written(records: number): Promise<Journal> {
  const journal = createMemoryJournal({ random: new SeededRandom(1) });
  const writer = await startWriter(journal, { random: new SeededRandom(2) });
  for (let index = 0; index < records; index += 1) await writer.propose(Buffer.from(`${index}`));
  return journal;
}

/** `journal`, read in another way. */
function readBy(journal: Journal, read: (from: Position) => AsyncIterable<StoredBatch[]>): Journal {
  return new Proxy(journal, {
    get: (target, name) => {
      if (name === 'read') return read;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test('the batches after a mark are those of the journal, and the next group is asked for ahead', async () => {
  const journal = await written(5);
  const asked: Position[] = [];
  const slow = readBy(journal, async function* (from) {
    for await (const group of journal.read(from)) {
      asked.push(group[0]!.position);
      yield group;
    }
  });
  const given: Position[] = [];
  for await (const group of groupsAfter(slow, undefined)) {
    given.push(group[0]!.position);
    await new Promise((resume) => setImmediate(resume));
    assert.ok(asked.length > given.length || given.length === 7, 'one ahead');
  }
  assert.deepEqual(given, [1, 2, 3, 4, 5, 6, 7]);
});

test('a replay calls for each record of a data batch, and tells where it ended', async () => {
  const journal = await written(3);
  const records: string[] = [];
  const end = await replay(journal, undefined, (record, position) =>
    records.push(`${position} ${Buffer.from(record)}`),
  );
  assert.deepEqual(records, ['3 0', '4 1', '5 2']);
  assert.deepEqual(end, { ...end, position: 5, epoch: 1 });
  assert.deepEqual(await replay(journal, end, () => assert.fail('nothing is left')), end);
});

test('a gap is damage', async () => {
  const journal = await written(3);
  const gap = readBy(journal, async function* (from) {
    for await (const group of journal.read(from)) if (group[0]!.position !== 4) yield group;
  });
  const seen: Position[] = [];
  await assert.rejects(
    async () => {
      for await (const batch of batchesAfter(gap, undefined)) seen.push(batch.position);
    },
    { code: 'corrupt', message: 'position 5 instead of 4' },
  );
  assert.deepEqual(seen, [1, 2, 3]);
});

test('what was read ahead fails when it is its turn', async () => {
  const journal = await written(3);
  const failing = readBy(journal, async function* (from) {
    for await (const group of journal.read(from)) {
      if (group[0]!.position === 3) throw new Error('EIO');
      yield group;
    }
  });
  const seen: Position[] = [];
  await assert.rejects(
    async () => {
      for await (const batch of batchesAfter(failing, undefined)) seen.push(batch.position);
    },
    { message: 'EIO' },
  );
  assert.deepEqual(seen, [1, 2]);
});

test('who stops early lets go of the journal, even when what was read ahead failed', async () => {
  const journal = await written(3);
  let closed = 0;
  for (const failsAt of [0, 2]) {
    const failing = readBy(journal, async function* (from) {
      try {
        for await (const group of journal.read(from)) {
          if (group[0]!.position === failsAt) throw new Error('EIO');
          yield group;
        }
      } finally {
        closed += 1;
      }
    });
    for await (const _ of groupsAfter(failing, undefined)) break;
  }
  assert.equal(closed, 2);
});

test('a journal of another history is refused before anything is given', async () => {
  const journal = await written(3);
  const { last } = await journal.head();
  const foreign = { ...last, chain: Buffer.alloc(16, 1) };
  const fail = (): never => assert.fail('nothing may be applied');
  await assert.rejects(replay(journal, foreign, fail), { code: 'corrupt', message: /another history/ });
  await assert.rejects(replay(journal, { ...foreign, position: 2 }, fail), {
    code: 'corrupt',
    message: /chain/,
  });
  await assert.rejects(replay(journal, { ...last, position: 9 }, fail), {
    code: 'corrupt',
    message: /its end was lost/,
  });
});
