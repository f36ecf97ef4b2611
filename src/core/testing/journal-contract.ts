/**
 * What every journal engine must do, run against each of them.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { FIRST_CHAIN, ID_BYTES, linkBatch } from '../journal/batch.ts';
import { replay } from '../journal/replay.ts';
import type { Batch, Journal, Mark, StoredBatch } from '../journal/types.ts';
import { startWriter } from '../journal/writer.ts';
import { SeededRandom } from '../random/seeded-random.ts';

export interface JournalUnderTest extends AsyncDisposable {
  readonly journal: Journal;
  /** Closes and opens it again; undefined for an engine that keeps nothing. */
  readonly reopen?: () => Promise<Journal>;
}

type Make = () => Promise<JournalUnderTest>;

export function journalContract(name: string, make: Make): void {
  suite(`journal contract: ${name}`, () => {
    appending(make);
    reading(make);
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
  });
}

function writing(make: Make): void {
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
    await assert.rejects(
      replay(journal, { ...last, position: 9 }, () => {}),
      { code: 'corrupt' },
    );
    await assert.rejects(
      replay(journal, { ...foreign, position: 1 }, () => assert.fail('nothing may be applied')),
      { code: 'corrupt' },
    );
  });
}
