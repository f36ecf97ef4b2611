import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SeededRandom } from '../random/seeded-random.ts';
import {
  type JournalUnderTest,
  journalContract,
  unsureJournalContract,
} from '../testing/journal-contract.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { ID_BYTES, linkBatch } from './batch.ts';
import { CALM, SimulatedLog, STORM, type Weather } from './simulated-journal.ts';
import type { Batch } from './types.ts';

/** A log whose time goes on by itself. */
async function subjectIn(weather: Weather, seed: number): Promise<JournalUnderTest> {
  const clock = new SimulatedClock();
  const log = new SimulatedLog({ clock, random: new SeededRandom(seed), weather });
  let running = true;
  const run = async (): Promise<void> => {
    while (running) if (!(await clock.advanceToNext())) await new Promise((resume) => setImmediate(resume));
  };
  const stopped = run();
  return {
    journal: log.connect(),
    connect: async () => log.connect(),
    clock,
    async [Symbol.asyncDispose]() {
      running = false;
      await stopped;
    },
  };
}

journalContract('simulated, in calm weather', () => subjectIn(CALM, 1));
for (const seed of [1, 2, 3, 4, 5]) {
  unsureJournalContract(`simulated, in a storm, seed ${seed}`, () => subjectIn(STORM, seed));
}

function batchOf(log: SimulatedLog): Batch {
  const id = Buffer.alloc(ID_BYTES, log.batches.length);
  return linkBatch(log.last.chain, { id, epoch: 1, kind: 'data', records: [] });
}

/** A log where this always happens, one client of it, and what an append gives. */
function certain(happens: Partial<Weather>): { log: SimulatedLog; append: () => Promise<string> } {
  const clock = new SimulatedClock();
  const log = new SimulatedLog({ clock, random: new SeededRandom(1), weather: { ...CALM, ...happens } });
  const journal = log.connect();
  const append = async (): Promise<string> => {
    const result = journal.append(batchOf(log), log.last.position);
    await clock.advance(1_000);
    return (await result).outcome;
  };
  return { log, append };
}

suite('simulated journal', () => {
  const cases: [string, Partial<Weather>, string, number][] = [
    ['nothing goes wrong', {}, 'appended', 2],
    ['the request is lost', { loseRequest: 1 }, 'unknown', 1],
    ['the reply is lost', { loseReply: 1 }, 'unknown', 2],
    ['the log does not say what it stored', { hideStored: 1 }, 'unknown', 2],
    ['the log does not say that it stored nothing', { hideRefused: 1 }, 'unknown', 1],
    ['the request arrives too late', { late: 1, delayMs: 100_000 }, 'unknown', 1],
  ];
  for (const [what, happens, outcome, length] of cases) {
    test(`${what}: ${outcome}, and the log has ${length} batches`, async () => {
      const { log, append } = certain(happens);
      assert.equal(await append(), outcome);
      assert.equal(log.batches.length, length);
    });
  }

  test('a request that was given up may still arrive', async () => {
    const { log, append } = certain({ late: 1, delayMs: 100_000 });
    assert.equal(await append(), 'unknown');
    assert.equal(log.batches.length, 1);
    await log.clock.advance(2_000_000);
    assert.equal(log.batches.length, 2);
  });

  test('a doubled request is stored once, and its answer is that of either copy', async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const clock = new SimulatedClock();
      const log = new SimulatedLog({
        clock,
        random: new SeededRandom(seed),
        weather: { ...CALM, double: 1 },
      });
      const result = log.connect().append(batchOf(log), 1);
      await clock.advance(50);
      outcomes.add((await result).outcome);
      assert.equal(log.batches.length, 2);
    }
    assert.deepEqual([...outcomes].sort(), ['appended', 'conflict']);
  });

  test('requests overtake each other', async () => {
    const winners = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const clock = new SimulatedClock();
      const log = new SimulatedLog({ clock, random: new SeededRandom(seed) });
      const results = [0, 1].map(() => log.connect().append(batchOf(log), 1));
      await clock.advance(50);
      const outcomes = (await Promise.all(results)).map(({ outcome }) => outcome);
      winners.add(outcomes.indexOf('appended'));
    }
    assert.deepEqual([...winners].sort(), [0, 1]);
  });

  test('a stale replica shows an earlier end, never anything else', async () => {
    const { log, append } = certain({});
    for (let count = 0; count < 10; count++) assert.equal(await append(), 'appended');
    log.weather = { ...CALM, stale: 1 };
    const journal = log.connect();
    const ends = new Set<number>();
    for (let count = 0; count < 60; count++) {
      const head = journal.head();
      await log.clock.advance(50);
      const { last } = await head;
      assert.equal(last, log.batches[last.position - 1]);
      ends.add(last.position);
    }
    assert.deepEqual(
      [...ends].sort((one, other) => one - other),
      [6, 7, 8, 9, 10, 11],
    );
  });

  test('a client that is cut off reaches nobody, but its earlier requests arrive', async () => {
    const { log } = certain({});
    const journal = log.connect();
    const before = journal.append(batchOf(log), 1);
    journal.cutOff = true;
    const head = assert.rejects(journal.head(), { code: 'unavailable', retryable: true });
    await log.clock.advance(1_000);
    assert.equal((await before).outcome, 'unknown');
    assert.equal(log.batches.length, 2);
    await head;
    journal.cutOff = false;
    const after = journal.head();
    await log.clock.advance(1_000);
    assert.equal((await after).last.position, 2);
  });
});
