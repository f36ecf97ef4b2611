/**
 * What every journal engine must do, run against each of them: `journalContract` where appends do what they say,
 * `unsureJournalContract` also where their outcome may be unknown and they may be retried.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { FIRST_CHAIN, ID_BYTES, linkBatch, whyNotNext } from '../journal/batch.ts';
import { follow } from '../journal/follow.ts';
import { BEFORE_FIRST } from '../journal/genesis.ts';
import { MAX_RECORD_BYTES } from '../journal/limits.ts';
import { replay } from '../journal/replay.ts';
import type { AppendResult, Batch, Journal, LeaseCell, Mark, StoredBatch } from '../journal/types.ts';
import { startWriter } from '../journal/writer.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import type { Clock } from '../time/clock.ts';
import { systemClock } from '../time/system-clock.ts';

export interface JournalUnderTest extends AsyncDisposable {
  readonly journal: Journal;
  /** Closes and opens it again; undefined for an engine that keeps nothing. */
  readonly reopen?: () => Promise<Journal>;
  /** A second client of the same journal; undefined for an engine that has its storage to itself. */
  readonly connect?: () => Promise<Journal>;
  /** The engine's time; default the machine's. */
  readonly clock?: Clock;
}

type Make = () => Promise<JournalUnderTest>;

export function journalContract(name: string, make: Make): void {
  suite(`journal contract: ${name}`, () => {
    appending(make);
    reading(make);
    following(make);
    truncating(make);
    leasing(make);
    writing(make);
    replaying(make);
  });
}

const random = new SeededRandom(7);

function batchAfter(last: Mark, records: Uint8Array[], epoch = last.epoch): Batch {
  return linkBatch(last.chain, { id: random.bytes(ID_BYTES), epoch, kind: 'data', records });
}

/** Appends one batch with these texts as its records. */
async function add(journal: Journal, ...texts: string[]): Promise<void> {
  const { last } = await journal.head();
  const records = texts.map((text) => Buffer.from(text));
  const result = await journal.append(batchAfter(last, records), last.position);
  assert.deepEqual(result, { outcome: 'appended', position: last.position + 1 });
}

async function readAll(journal: Journal, from: number, maxBytes?: number): Promise<StoredBatch[]> {
  const batches: StoredBatch[] = [];
  for await (const group of journal.read(from, maxBytes === undefined ? {} : { maxBytes })) {
    assert.ok(group.length > 0, 'a group has at least one batch');
    batches.push(...group);
  }
  return batches;
}

function textsOf(batches: readonly StoredBatch[]): string[][] {
  return batches.map((batch) => batch.records.map((record) => Buffer.from(record).toString()));
}

function appending(make: Make): void {
  test('a new journal holds its genesis, which names the incarnation', async () => {
    await using subject = await make();
    const { journal } = subject;
    const batches = await readAll(journal, 1);
    assert.equal(batches.length, 1);
    const [genesis] = batches;
    assert.equal(genesis?.kind, 'genesis');
    assert.equal(genesis?.position, 1);
    assert.deepEqual(textsOf(batches), [[journal.incarnation]]);
    assert.match(journal.incarnation, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const head = await journal.head();
    assert.equal(head.first, 1);
    assert.equal(head.last.position, 1);
    assert.equal(head.last.epoch, 0);
  });

  test('positions are dense, and a batch comes back as it was', async () => {
    await using subject = await make();
    const { journal } = subject;
    const { last } = await journal.head();
    const batch = batchAfter(last, [Buffer.from('one'), Buffer.alloc(0), Buffer.from([0, 255])], 5);
    assert.deepEqual(await journal.append(batch, 1), { outcome: 'appended', position: 2 });
    const [stored] = await readAll(journal, 2);
    assert.equal(stored?.position, 2);
    assert.equal(stored?.epoch, 5);
    assert.equal(stored?.kind, 'data');
    assert.deepEqual(Buffer.from(stored?.id ?? []), Buffer.from(batch.id));
    assert.deepEqual(Buffer.from(stored?.chain ?? []), Buffer.from(batch.chain));
    assert.deepEqual(
      stored?.records.map((record) => [...record]),
      batch.records.map((record) => [...record]),
    );
  });

  test('a stale or a future expectation conflicts and stores nothing', async () => {
    await using subject = await make();
    const { journal } = subject;
    await add(journal, 'a');
    const { last } = await journal.head();
    for (const expected of [0, 1, 3, 100]) {
      const result = await journal.append(batchAfter(last, [Buffer.from('b')]), expected);
      assert.deepEqual(result, { outcome: 'conflict', last: 2 });
    }
    assert.deepEqual(textsOf(await readAll(journal, 2)), [['a']]);
  });

  test('of many appends at one position exactly one gets it', async () => {
    await using subject = await make();
    const { journal } = subject;
    const { last } = await journal.head();
    const appends = ['a', 'b', 'c', 'd'].map((text) =>
      journal.append(batchAfter(last, [Buffer.from(text)]), 1),
    );
    const outcomes = (await Promise.all(appends)).map((result) => result.outcome);
    assert.deepEqual(outcomes.toSorted(), ['appended', 'conflict', 'conflict', 'conflict']);
    assert.equal((await readAll(journal, 2)).length, 1);
  });

  test('large batches and batches without records are stored whole', async () => {
    await using subject = await make();
    const { journal } = subject;
    const large = random.bytes(5_000_000);
    const { last } = await journal.head();
    await journal.append(batchAfter(last, [large]), 1);
    await add(journal);
    await add(journal, 'after');
    const batches = await readAll(journal, 2, 1);
    assert.ok(Buffer.from(batches[0]?.records[0] ?? []).equals(large));
    assert.deepEqual(textsOf(batches.slice(1)), [[], ['after']]);
  });

  test('a batch over the limit of the engine is refused, and nothing is stored', async () => {
    await using subject = await make();
    const { journal } = subject;
    const { last } = await journal.head();
    const records = [Buffer.alloc(journal.report().maxBatchBytes)];
    const chain = FIRST_CHAIN;
    const batch: Batch = { id: random.bytes(ID_BYTES), epoch: 1, kind: 'data', chain, records };
    await assert.rejects(journal.append(batch, last.position), { code: 'too-large' });
    await add(journal, 'small');
    assert.deepEqual(textsOf(await readAll(journal, 2)), [['small']]);
  });

  test('every kind of batch comes back as it was, and only data is applied', async () => {
    await using subject = await make();
    const { journal } = subject;
    const kinds = ['epoch', 'data', 'barrier', 'data', 'seal'] as const;
    for (const kind of kinds) {
      const { last } = await journal.head();
      const records = [Buffer.from(kind)];
      const batch = linkBatch(last.chain, { id: random.bytes(ID_BYTES), epoch: 1, kind, records });
      assert.equal((await journal.append(batch, last.position)).outcome, 'appended');
    }
    const stored = await readAll(journal, 2);
    assert.deepEqual(
      stored.map(({ kind }) => kind),
      kinds,
    );
    assert.deepEqual(textsOf(stored), [...kinds.map((kind) => [kind])]);
    const applied: string[] = [];
    await replay(journal, undefined, (record) => applied.push(Buffer.from(record).toString()));
    assert.deepEqual(applied, ['data', 'data']);
  });

  test('an append that is given up tells the truth or that it does not know it', async () => {
    await using subject = await make();
    const { journal } = subject;
    const { last } = await journal.head();
    const batch = batchAfter(last, [Buffer.from('given up')]);
    const given = new AbortController();
    const early = journal.append(batch, last.position, AbortSignal.abort());
    const late = journal.append(batch, last.position, given.signal);
    given.abort();
    const outcomes = [(await early).outcome, (await late).outcome];
    assert.ok(outcomes.filter((outcome) => outcome === 'appended').length <= 1, outcomes.join());
    const result = await journal.append(batch, last.position);
    if (outcomes.includes('appended')) assert.equal(result.outcome, 'conflict');
    assert.deepEqual(textsOf(await readAll(journal, 2)), [['given up']]);
  });

  test('a closed journal refuses everything', async () => {
    await using subject = await make();
    const { journal } = subject;
    const { last } = await journal.head();
    await journal.close();
    await journal.close();
    await assert.rejects(journal.append(batchAfter(last, []), 1), { code: 'closed' });
    await assert.rejects(readAll(journal, 1), { code: 'closed' });
    await assert.rejects(journal.head(), { code: 'closed' });
    await assert.rejects(journal.truncateBefore(1), { code: 'closed' });
  });
}

function reading(make: Make): void {
  test('the incarnation stays when the journal is opened again, and so does the epoch', async () => {
    await using subject = await make();
    const { incarnation } = subject.journal;
    const { epoch } = await startWriter(subject.journal, { random });
    const journal = (await subject.reopen?.()) ?? subject.journal;
    assert.equal(journal.incarnation, incarnation);
    assert.equal((await journal.head()).last.epoch, epoch);
    assert.equal((await startWriter(journal, { random })).epoch, epoch + 1);
  });

  test('read begins anywhere, also at the end, and survives reopening', async () => {
    await using subject = await make();
    let { journal } = subject;
    for (let index = 0; index < 50; index++) await add(journal, `r${index}`);
    for (let round = 0; round < 2; round++) {
      for (const from of [2, 3, 25, 51, 52, 60]) {
        const expected = Array.from({ length: Math.max(0, 52 - from) }, (_, index) => [
          `r${from - 2 + index}`,
        ]);
        assert.deepEqual(textsOf(await readAll(journal, from, 200)), expected, `from ${from}`);
      }
      if (subject.reopen === undefined) return;
      journal = await subject.reopen();
    }
  });

  test('what is read with reuse stays until the next group but one is asked for', async () => {
    await using subject = await make();
    const { journal } = subject;
    const texts = Array.from({ length: 40 }, (_, index) => `${index} `.repeat(1 + ((index * 37) % 90)));
    for (const text of texts) await add(journal, text);
    const seen: string[] = [];
    let before: StoredBatch[] = [];
    for await (const group of journal.read(2, { maxBytes: 500, reuse: true })) {
      seen.push(...textsOf(before).flat());
      before = group;
    }
    seen.push(...textsOf(before).flat());
    assert.deepEqual(seen, texts);
  });

  test('a reader under way sees what is appended meanwhile, and never a hole', async () => {
    await using subject = await make();
    const { journal } = subject;
    for (let index = 0; index < 10; index++) await add(journal, `r${index}`);
    const seen: number[] = [];
    for await (const group of journal.read(1, { maxBytes: 1 })) {
      for (const batch of group) seen.push(batch.position);
      if (seen.length < 20) await add(journal, 'more');
    }
    assert.deepEqual(
      seen,
      Array.from({ length: seen.length }, (_, index) => index + 1),
    );
    assert.ok(seen.length >= 20);
  });
}

/** Follows until so many batches have come. */
async function followed(
  subject: JournalUnderTest,
  after: Mark | undefined,
  count: number,
): Promise<StoredBatch[]> {
  const end = new AbortController();
  const batches: StoredBatch[] = [];
  const options = { clock: subject.clock ?? systemClock, signal: end.signal, pollMs: 1 };
  for await (const batch of follow(subject.journal, after, options)) {
    batches.push(batch);
    if (batches.length === count) end.abort();
  }
  return batches;
}

function following(make: Make): void {
  test('a follower sees what is there and what comes, each batch once, in order', async () => {
    await using subject = await make();
    const { journal } = subject;
    await add(journal, 'before');
    const seen = followed(subject, undefined, 7);
    for (const text of ['a', 'b', 'c', 'd', 'e']) await add(journal, text);
    const batches = await seen;
    let last: Mark = BEFORE_FIRST;
    for (const batch of batches) {
      assert.equal(whyNotNext(last, batch), undefined);
      last = batch;
    }
    assert.deepEqual(textsOf(batches.slice(1)).flat(), ['before', 'a', 'b', 'c', 'd', 'e']);
  });

  test('a follower goes on across a truncation that it is ahead of', async () => {
    await using subject = await make();
    const { journal } = subject;
    for (let index = 0; index < 30; index++) await add(journal, `r${index}`);
    const { last } = await journal.head();
    const end = new AbortController();
    const texts: string[] = [];
    await add(journal, 'a');
    const options = { clock: subject.clock ?? systemClock, signal: end.signal, pollMs: 1 };
    for await (const batch of follow(journal, last, options)) {
      texts.push(...textsOf([batch]).flat());
      await journal.truncateBefore(batch.position + 1);
      if (texts.length === 5) end.abort();
      else await add(journal, 'abcde'.charAt(texts.length));
    }
    assert.equal(texts.join(''), 'abcde');
  });

  test('a follower that what comes next was let go of is told so', async () => {
    await using subject = await make();
    const { journal } = subject;
    for (let index = 0; index < 30; index++) await add(journal, `record number ${index}`);
    await journal.truncateBefore(31);
    // An engine may keep more than it must: then the follower misses nothing.
    if ((await journal.head()).first === 1) return;
    await assert.rejects(followed(subject, undefined, 1), { code: 'trimmed' });
  });

  test('a reader that a truncation overtakes gets no hole: all there was, or `trimmed`', async () => {
    await using subject = await make();
    const { journal } = subject;
    for (let index = 0; index < 30; index++) await add(journal, `record number ${index}`);
    const seen: number[] = [];
    try {
      for await (const group of journal.read(1, { maxBytes: 1 })) {
        for (const { position } of group) seen.push(position);
        if (seen.length === 3) await journal.truncateBefore(25);
      }
      assert.equal(seen.length, 31);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'trimmed');
    }
    assert.deepEqual(
      seen,
      Array.from({ length: seen.length }, (_, index) => index + 1),
    );
  });
}

function truncating(make: Make): void {
  test('truncateBefore never takes what is at or after the position, and may be repeated', async () => {
    await using subject = await make();
    let { journal } = subject;
    for (let index = 0; index < 30; index++) await add(journal, `record number ${index}`);
    for (const position of [5, 5, 1, 20, 31]) {
      await journal.truncateBefore(position);
      const { first, last } = await journal.head();
      assert.ok(first <= Math.max(position, 20), `first is ${first}`);
      assert.equal(last.position, 31);
      assert.equal((await readAll(journal, first))[0]?.position, first);
      if (first > 1) await assert.rejects(readAll(journal, first - 1), { code: 'trimmed' });
      if (subject.reopen !== undefined) journal = await subject.reopen();
    }
    await add(journal, 'after');
    assert.deepEqual(textsOf(await readAll(journal, 31)), [['record number 29'], ['after']]);
  });

  test('truncating beyond the end keeps the place for the next append', async () => {
    await using subject = await make();
    const { journal } = subject;
    await add(journal, 'a');
    await journal.truncateBefore(100);
    assert.equal((await journal.head()).last.position, 2);
    await add(journal, 'b');
    assert.deepEqual(textsOf(await readAll(journal, 3)), [['b']]);
  });
}

function leasing(make: Make): void {
  test('the lease cell is set only by who knows its revision', async () => {
    await using subject = await make();
    const { lease } = subject.journal;
    assert.equal(await lease.get(), undefined);
    const one = await lease.compareAndSet(undefined, { holder: 'one', address: 'a' });
    assert.ok(typeof one === 'number');
    assert.equal(await lease.compareAndSet(undefined, { holder: 'two', address: 'b' }), 'conflict');
    assert.deepEqual(await lease.get(), { holder: 'one', address: 'a', revision: one });
    const two = await lease.compareAndSet(one, { holder: 'two', address: 'b' });
    assert.ok(typeof two === 'number' && two !== one);
    assert.equal(await lease.compareAndSet(one, { holder: 'one', address: 'a' }), 'conflict');
    assert.deepEqual(await lease.get(), { holder: 'two', address: 'b', revision: two });
  });

  test('of many who set the lease cell at one revision exactly one does', async () => {
    await using subject = await make();
    const { lease } = subject.journal;
    for (let revision: number | undefined; (revision ?? 0) < 5; ) {
      const before: number | undefined = revision;
      const tries = ['a', 'b', 'c'].map((holder) => lease.compareAndSet(before, { holder, address: '' }));
      const [won, ...others] = (await Promise.all(tries)).filter((result) => result !== 'conflict');
      assert.deepEqual(others, []);
      assert.ok(typeof won === 'number');
      revision = won;
    }
  });
}

function writing(make: Make): void {
  test('a writer begins right after what its state machine has seen, or not at all', async () => {
    await using subject = await make();
    const { journal } = subject;
    await add(journal, 'a');
    const seen = await replay(journal, undefined, () => undefined);
    await add(journal, 'b');
    await assert.rejects(startWriter(journal, { random, after: seen }), { code: 'fenced' });
    const end = await replay(journal, seen, () => undefined);
    const lost = { ...end, position: end.position + 3 };
    await assert.rejects(startWriter(journal, { random, after: lost }), { code: 'corrupt' });
    const writer = await startWriter(journal, { random, after: end });
    assert.equal(await writer.propose(Buffer.from('c')), end.position + 2);
    assert.deepEqual(textsOf(await readAll(journal, 2)), [['a'], ['b'], [], ['c']]);
  });

  test('a record over the limit is refused at once, and disturbs nothing', async () => {
    await using subject = await make();
    await using writer = await startWriter(subject.journal, { random });
    assert.throws(() => writer.propose(Buffer.alloc(MAX_RECORD_BYTES + 1)), { code: 'too-large' });
    assert.equal(writer.waitingBytes, 0);
    await writer.propose(Buffer.from('small'));
    assert.deepEqual(writer.health(), { state: 'ok' });
  });

  test('a fenced writer answers nothing but refusals, and stores nothing', async () => {
    await using subject = await make();
    const { journal } = subject;
    const first = await startWriter(journal, { random });
    await startWriter(journal, { random });
    const proposals = ['a', 'b'].map((text) => first.propose(Buffer.from(text)));
    const cut = first.cut();
    const behind = first.propose(Buffer.from('c'));
    for (const proposal of [...proposals, cut]) await assert.rejects(proposal, { code: 'fenced' });
    await assert.rejects(behind, { code: 'read-only' });
    await assert.rejects(first.cut(), { code: 'fenced' });
    assert.equal(first.waitingBytes, 0);
    assert.deepEqual(textsOf(await readAll(journal, 2)), [[], []]);
  });

  test('the writer keeps the order of proposals and shares batches', async () => {
    await using subject = await make();
    const { journal } = subject;
    const writer = await startWriter(journal, { random });
    const texts = Array.from({ length: 200 }, (_, index) => `p${index}`);
    const positions = await Promise.all(texts.map((text) => writer.propose(Buffer.from(text))));
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => a - b),
    );
    const batches = await readAll(journal, 3);
    assert.deepEqual(textsOf(batches).flat(), texts);
    assert.ok(batches.length < 10, `${batches.length} batches for 200 proposals of one turn`);
    assert.equal(writer.durable, (await journal.head()).last.position);
    assert.equal(writer.waitingBytes, 0);
    await writer.close();
    assert.throws(() => writer.propose(Buffer.from('late')), { code: 'closed' });
  });

  test('closing the writer waits for what is queued', async () => {
    await using subject = await make();
    const writer = await startWriter(subject.journal, { random });
    const queued = ['a', 'b', 'c'].map((text) => writer.propose(Buffer.from(text)));
    await writer.close();
    assert.equal(writer.waitingBytes, 0);
    assert.equal((await Promise.all(queued)).length, 3);
    assert.deepEqual(textsOf(await readAll(subject.journal, 3)).flat(), ['a', 'b', 'c']);
  });

  test('a second writer fences the first', async () => {
    await using subject = await make();
    const { journal } = subject;
    const first = await startWriter(journal, { random });
    await first.propose(Buffer.from('mine'));
    const second = await startWriter(journal, { random });
    assert.equal(second.epoch, first.epoch + 1);
    await assert.rejects(first.propose(Buffer.from('stale')), { code: 'fenced' });
    assert.throws(() => first.propose(Buffer.from('stale')), { code: 'read-only' });
    assert.equal(first.health().state, 'read-only');
    await second.propose(Buffer.from('yours'));
    assert.deepEqual(textsOf(await readAll(journal, 2)), [[], ['mine'], [], ['yours']]);
  });

  test('cut separates what was proposed before from what comes after', async () => {
    await using subject = await make();
    const { journal } = subject;
    const writer = await startWriter(journal, { random });
    assert.equal((await writer.cut()).position, 2);
    const before = writer.propose(Buffer.from('before'));
    const cut = writer.cut();
    const after = writer.propose(Buffer.from('after'));
    const mark = await cut;
    assert.equal(await before, mark.position);
    assert.equal(await after, mark.position + 1);
    const seen: string[] = [];
    await replay(journal, mark, (record) => seen.push(Buffer.from(record).toString()));
    assert.deepEqual(seen, ['after']);
  });

  test('the writer bounds what waits', async () => {
    await using subject = await make();
    const writer = await startWriter(subject.journal, { random, maxWaitingBytes: 100 });
    const large = writer.propose(Buffer.alloc(300));
    assert.equal(writer.waitingBytes, 300);
    assert.throws(() => writer.propose(Buffer.alloc(1)), { code: 'overloaded', retryable: true });
    await large;
    await writer.propose(Buffer.alloc(1));
    assert.equal(writer.waitingBytes, 0);
  });
}

function replaying(make: Make): void {
  test('replay brings every record once, from the start and from a mark', async () => {
    await using subject = await make();
    const { journal } = subject;
    const writer = await startWriter(journal, { random });
    await Promise.all(['a', 'b'].map((text) => writer.propose(Buffer.from(text))));
    const mark = await writer.cut();
    await writer.propose(Buffer.from('c'));
    const all: string[] = [];
    const end = await replay(journal, undefined, (record) => all.push(Buffer.from(record).toString()));
    assert.deepEqual(all, ['a', 'b', 'c']);
    assert.equal(end.position, writer.durable);
    const tail: string[] = [];
    await replay(journal, mark, (record) => tail.push(Buffer.from(record).toString()));
    assert.deepEqual(tail, ['c']);
    await replay(journal, end, () => assert.fail('nothing is left'));
  });

  test('replay refuses a journal that is not the continuation of the mark', async () => {
    await using subject = await make();
    const { journal } = subject;
    await add(journal, 'a');
    const { last } = await journal.head();
    const foreign = { ...last, chain: FIRST_CHAIN };
    await assert.rejects(
      replay(journal, foreign, () => {}),
      { code: 'corrupt' },
    );
    // Where a reader may be behind, only the next append tells that the end was lost.
    if (journal.report().reads === 'latest') {
      await assert.rejects(
        replay(journal, { ...last, position: 9 }, () => {}),
        { code: 'corrupt' },
      );
    }
    await assert.rejects(
      replay(journal, { ...foreign, position: 1 }, () => assert.fail('nothing may be applied')),
      { code: 'corrupt' },
    );
  });
}

/** What holds also where the outcome of an append may be unknown and it may be retried. */
export function unsureJournalContract(name: string, make: Make): void {
  suite(`unsure journal contract: ${name}`, () => {
    retrying(make);
    writingUnsurely(make);
    leasingUnsurely(make);
  });
}

/** Sends the same batch again until it is stored or somebody else's is. @returns the outcomes on the way */
async function insist(journal: Journal, batch: Batch, expected: number): Promise<AppendResult['outcome'][]> {
  const outcomes: AppendResult['outcome'][] = [];
  while (outcomes.at(-1) !== 'appended' && outcomes.at(-1) !== 'conflict') {
    outcomes.push((await journal.append(batch, expected)).outcome);
  }
  return outcomes;
}

/** Asks until there is an answer; where reads may be stale, until it has so many batches. */
async function readSurely(journal: Journal, from: number, count: number): Promise<StoredBatch[]> {
  for (;;) {
    try {
      const batches = await readAll(journal, from);
      if (batches.length >= count) return batches;
    } catch (error) {
      if ((error as { code?: string }).code !== 'unavailable') throw error;
    }
  }
}

function retrying(make: Make): void {
  test('a batch that is sent until its outcome is known is stored once, whatever was unknown', async () => {
    await using subject = await make();
    const { journal } = subject;
    assert.equal(journal.report().unknownAppend, 'retry');
    const genesis = (await readSurely(journal, 1, 1))[0] as StoredBatch;
    const sent: Batch[] = [];
    const seen = new Set<string>();
    for (let position = 2; position < 80; position++) {
      const batch = batchAfter((sent.at(-1) as Mark | undefined) ?? genesis, [Buffer.from(`${position}`)]);
      for (const outcome of await insist(journal, batch, position - 1)) seen.add(outcome);
      sent.push({ ...batch, position } as Batch);
    }
    assert.deepEqual([...seen].sort(), ['appended', 'conflict', 'unknown'], 'the engine is adverse enough');
    const stored = await readSurely(journal, 2, sent.length);
    const idsOf = (batches: readonly Batch[]): string[] =>
      batches.map(({ id }) => Buffer.from(id).toString('hex'));
    assert.deepEqual(idsOf(stored), idsOf(sent));
  });
}

function writingUnsurely(make: Make): void {
  test('a writer acknowledges each record once, in order, and stores nothing else', async () => {
    await using subject = await make();
    const { journal } = subject;
    const clock = subject.clock ?? systemClock;
    const writer = await startSurely(journal, clock);
    const texts = Array.from({ length: 60 }, (_, index) => `p${index}`);
    for (let index = 0; index < texts.length; index += 3) {
      await Promise.all(texts.slice(index, index + 3).map((text) => writer.propose(Buffer.from(text))));
    }
    const stored = await readSurely(journal, 1, writer.durable);
    assert.equal(stored.length, writer.durable);
    assert.deepEqual(textsOf(stored.filter(({ kind }) => kind === 'data')).flat(), texts);
  });

  test('of two writers the later one fences the earlier, and what either acknowledged is there', async () => {
    await using subject = await make();
    const clock = subject.clock ?? systemClock;
    const other = (await subject.connect?.()) ?? subject.journal;
    const acknowledged: string[] = [];
    const first = await startSurely(subject.journal, clock);
    const propose = async (writer: Awaited<typeof first>, text: string): Promise<void> => {
      await writer.propose(Buffer.from(text));
      acknowledged.push(text);
    };
    for (let index = 0; index < 5; index++) await propose(first, `first ${index}`);
    const race = (async () => {
      for (let index = 5; ; index++) await propose(first, `first ${index}`);
    })();
    const fenced = assert.rejects(race, { code: 'fenced' });
    const second = await startSurely(other, clock);
    assert.ok(second.epoch > first.epoch);
    for (let index = 0; index < 5; index++) await propose(second, `second ${index}`);
    await fenced;
    const stored = await readSurely(other, 1, second.durable);
    const texts = textsOf(stored.filter(({ kind }) => kind === 'data')).flat();
    assert.equal(new Set(texts).size, texts.length);
    assert.deepEqual(texts.toSorted(), acknowledged.toSorted());
    for (const [index, batch] of stored.entries()) {
      assert.equal(whyNotNext(stored[index - 1] ?? BEFORE_FIRST, batch), undefined);
    }
  });
}

/** Replays and tries until nobody is faster. */
async function startSurely(journal: Journal, clock: Clock): ReturnType<typeof startWriter> {
  for (;;) {
    try {
      const after = await replay(journal, undefined, () => undefined);
      return await startWriter(journal, { random, clock, after });
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'fenced' && code !== 'unavailable') throw error;
    }
  }
}

function leasingUnsurely(make: Make): void {
  test('the lease cell never goes back, and who set it has it, unless another did so since', async () => {
    await using subject = await make();
    const { lease } = subject.journal;
    for (let turn = 0; turn < 30; turn++) {
      const before = await getSurely(lease);
      const result = await lease.compareAndSet(before?.revision, { holder: `${turn}`, address: '' });
      const now = await getSurely(lease);
      if (typeof result === 'number')
        assert.deepEqual(now, { holder: `${turn}`, address: '', revision: result });
      // Otherwise it is whose request arrived: also one that was given up, or that conflicts with its own copy.
      assert.ok((now?.revision ?? 0) >= (before?.revision ?? 0));
      assert.ok(now === undefined || Number(now.holder) <= turn);
    }
  });
}

async function getSurely(lease: LeaseCell): ReturnType<LeaseCell['get']> {
  for (;;) {
    try {
      return await lease.get();
    } catch (error) {
      if ((error as { code?: string }).code !== 'unavailable') throw error;
    }
  }
}
