import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SeededRandom } from '../random/seeded-random.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { ID_BYTES, linkBatch } from './batch.ts';
import { JournalError } from './errors.ts';
import { createMemoryJournal } from './memory-journal.ts';
import type { AppendResult, Batch, EngineReport, Journal, Position, StoredBatch } from './types.ts';
import { startWriter } from './writer.ts';

const UNKNOWN: AppendResult = { outcome: 'unknown', cause: new Error('no reply') };

type Answer = (batch: Batch, append: () => Promise<AppendResult>) => Promise<AppendResult> | AppendResult;

/** A journal whose appends after the writer's first are answered by these, in turn, and then by itself. */
function scripted(answers: Answer[]): Journal {
  const journal = createMemoryJournal({ random: new SeededRandom(1) });
  let isLed = false;
  const append = async (batch: Batch, expected: Position): Promise<AppendResult> => {
    const answer = isLed ? answers.shift() : undefined;
    isLed = true;
    const real = (): Promise<AppendResult> => journal.append(batch, expected);
    return answer === undefined ? real() : answer(batch, real);
  };
  const report = (): EngineReport => ({ ...journal.report(), reads: 'stale' });
  return {
    incarnation: journal.incarnation,
    lease: journal.lease,
    report,
    append,
    read: (from, options) => journal.read(from, options),
    head: () => journal.head(),
    truncateBefore: (position) => journal.truncateBefore(position),
    close: () => journal.close(),
    [Symbol.asyncDispose]: () => journal.close(),
  };
}

interface Proposed {
  /** The position, or the code of the refusal. */
  readonly outcome: Position | string;
  readonly message: string;
  /** How long it took. */
  readonly tookMs: number;
  readonly records: string[];
  readonly health: string;
}

/** Proposes one record to a writer on `journal`. */
async function propose(journal: Journal, outcomeDeadlineMs = 1_000): Promise<Proposed> {
  const clock = new SimulatedClock();
  const writer = await startWriter(journal, { random: new SeededRandom(2), clock, outcomeDeadlineMs });
  let done: { outcome: Position | string; message: string } | undefined;
  writer.propose(Buffer.from('mine')).then(
    (position) => {
      done = { outcome: position, message: '' };
    },
    (error: JournalError) => {
      done = { outcome: error.code, message: error.message };
    },
  );
  while (done === undefined)
    if (!(await clock.advanceToNext())) await new Promise((resume) => setImmediate(resume));
  assert.equal(clock.pendingCount, 0, 'no timer is left');
  const records: string[] = [];
  const { first } = await journal.head();
  for await (const group of journal.read(first))
    for (const batch of group) if (batch.kind === 'data') records.push(...batch.records.map(String));
  return { ...done, tookMs: clock.monotonic(), records, health: writer.health().state };
}

/** Somebody else's batch takes the position. */
async function takenByAnother(batch: Batch, journal: Journal, expected: Position): Promise<void> {
  const { last } = await journal.head();
  const id = Buffer.alloc(ID_BYTES, 9);
  const records = [Buffer.from('theirs')];
  await journal.append(
    linkBatch(last.chain, { id, epoch: batch.epoch + 1, kind: 'data', records }),
    expected,
  );
}

async function* nothing(): AsyncGenerator<StoredBatch[], void> {}

// biome-ignore lint/correctness/useYield: it fails before there is anything to yield
async function* silent(): AsyncGenerator<StoredBatch[], void> {
  throw new JournalError('unavailable', 'no reply', { retryable: true });
}

suite('an append whose outcome is not known', () => {
  test('is sent again until it is stored', async () => {
    const outcome = await propose(scripted([() => UNKNOWN, () => UNKNOWN, () => UNKNOWN]));
    assert.deepEqual(outcome, { outcome: 3, message: '', tookMs: 70, records: ['mine'], health: 'ok' });
  });

  test('was stored, when a retry conflicts with itself', async () => {
    const stored: Answer = async (_, append) => {
      await append();
      return UNKNOWN;
    };
    const outcome = await propose(scripted([stored]));
    assert.deepEqual(outcome, { outcome: 3, message: '', tookMs: 10, records: ['mine'], health: 'ok' });
  });

  test('a conflict at the first try may be with itself, too', async () => {
    const doubled: Answer = async (_, append) => {
      await append();
      return append();
    };
    assert.equal((await propose(scripted([doubled]))).outcome, 3);
  });

  test('was not stored, when somebody else has the position', async () => {
    const journal = scripted([
      async (batch) => {
        await takenByAnother(batch, journal, 2);
        return UNKNOWN;
      },
    ]);
    const { outcome, records, health } = await propose(journal);
    assert.deepEqual([outcome, records, health], ['fenced', ['theirs'], 'read-only']);
  });

  test('a reader that is behind, or does not answer, is asked again', async () => {
    let asked = 0;
    const journal = scripted([
      async (_, append) => {
        await append();
        return UNKNOWN;
      },
    ]);
    const read: Journal['read'] = (from, options) => {
      asked += 1;
      if (asked === 1) return nothing();
      if (asked === 2) return silent();
      return journal.read(from, options);
    };
    const { outcome } = await propose({ ...journal, read });
    assert.equal(outcome, 3);
    assert.ok(asked >= 3);
  });

  test('a refusal of a retry decides nothing: the earlier copy may still arrive', async () => {
    const full: Answer = () => Promise.reject(new JournalError('no-space', 'full', { retryable: true }));
    const kept: { append?: () => Promise<AppendResult> } = {};
    const lost: Answer = (_, append) => {
      kept.append = append;
      return UNKNOWN;
    };
    const arrives: Answer = async () => {
      await kept.append?.();
      return full(undefined as never, undefined as never);
    };
    const outcome = await propose(scripted([lost, full, arrives]));
    assert.deepEqual([outcome.outcome, outcome.records], [3, ['mine']]);
  });

  test('stays unknown after the deadline, and ends the writer', async () => {
    const never: Answer[] = Array.from({ length: 100 }, () => () => UNKNOWN);
    const { outcome, tookMs, message, health } = await propose(scripted(never), 5_000);
    assert.deepEqual([outcome, tookMs, health], ['outcome-unknown', 5_000, 'read-only']);
    assert.match(message, /no reply/);
  });

  test('stays unknown when the position has been let go of', async () => {
    const journal = scripted([
      async (_, append) => {
        await append();
        await journal.truncateBefore(9);
        return UNKNOWN;
      },
    ]);
    const { outcome, message } = await propose(journal);
    assert.equal(outcome, 'outcome-unknown');
    assert.match(message, /position 3 is gone/);
  });

  test('stays unknown when the engine refuses for good', async () => {
    const broken: Answer = () => Promise.reject(new JournalError('read-only', 'broken'));
    const { outcome, message } = await propose(scripted([() => UNKNOWN, broken]));
    assert.deepEqual([outcome, message.endsWith('broken')], ['outcome-unknown', true]);
  });

  test('a journal that ends before what was durable has lost its end', async () => {
    const outcome = await propose(scripted([() => ({ outcome: 'conflict', last: 1 })]));
    assert.equal(outcome.outcome, 'corrupt');
    assert.match(outcome.message, /ends at position 1, but 2 was durable/);
  });

  test('is final in an engine that says so, and for a writer without a clock', async () => {
    const final = scripted([() => UNKNOWN]);
    const report = final.report();
    const { outcome, tookMs } = await propose({
      ...final,
      report: () => ({ ...report, unknownAppend: 'final' }),
    });
    assert.deepEqual([outcome, tookMs], ['outcome-unknown', 0]);
    const writer = await startWriter(scripted([() => UNKNOWN]), { random: new SeededRandom(1) });
    await assert.rejects(writer.propose(Buffer.from('x')), { code: 'outcome-unknown' });
  });

  test('nothing else is appended and nothing acknowledged meanwhile', async () => {
    const clock = new SimulatedClock();
    const journal = scripted([() => UNKNOWN, () => UNKNOWN]);
    const writer = await startWriter(journal, { random: new SeededRandom(1), clock });
    const acknowledged: string[] = [];
    for (const text of ['a', 'b']) {
      writer.propose(Buffer.from(text)).then(
        () => acknowledged.push(text),
        () => assert.fail(),
      );
      for (let turn = 0; turn < 5; turn++) await new Promise((resume) => setImmediate(resume));
    }
    assert.deepEqual([acknowledged, (await journal.head()).last.position], [[], 2]);
    await clock.advance(100);
    for (let turn = 0; turn < 5; turn++) await new Promise((resume) => setImmediate(resume));
    assert.deepEqual(acknowledged, ['a', 'b']);
    await writer.close();
  });

  test('an engine that throws something else has said nothing: the outcome is unknown', async () => {
    const outcome = await propose(scripted([() => Promise.reject(new Error('a bug'))]));
    assert.deepEqual([outcome.outcome, outcome.message], ['outcome-unknown', 'a bug']);
  });
});
