import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { codeOf } from '../errors.ts';
import { type CallInfo, type Fault, SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { openFileJournal } from './file-journal.ts';
import type { Journal } from './types.ts';
import { startWriter } from './writer.ts';

const FOLDER = '/journal';

/** Twelve records of this size need several segments. */
const SEGMENT_BYTES = 800;
const RECORDS = 12;

function open(disk: SimulatedDisk, segmentBytes = 1_000_000): Promise<Journal> {
  return openFileJournal({ files: disk.files, folder: FOLDER, random: new SeededRandom(1), segmentBytes });
}

async function recordsOf(journal: Journal): Promise<string[]> {
  const { first } = await journal.head();
  const records: string[] = [];
  for await (const group of journal.read(first)) {
    for (const { kind, records: found } of group) {
      if (kind === 'data') records.push(...found.map((record) => Buffer.from(record).toString()));
    }
  }
  return records;
}

function failing(call: CallInfo['call'], code: string): (info: CallInfo) => Fault | undefined {
  return (info) => (info.call === call ? { code } : undefined);
}

suite('file journal: a disk that fails', () => {
  test('a full disk refuses what does not fit, stores nothing of it, and works again with space', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const disk = new SimulatedDisk({ random: new SeededRandom(seed), capacityBytes: 1000 });
      const journal = await open(disk);
      const refusals: string[] = [];
      const onRefused = (error: { code: string }) => void refusals.push(error.code);
      const writer = await startWriter(journal, { random: new SeededRandom(2), onRefused });
      await writer.propose(Buffer.from('fits'));
      const large = writer.propose(Buffer.alloc(2000));
      const behind = writer.propose(Buffer.from('proposed before the refusal'));
      const cut = writer.cut();
      await assert.rejects(large, { code: 'no-space', retryable: true });
      await assert.rejects(behind, { code: 'no-space' });
      await assert.rejects(cut, { code: 'no-space' });
      assert.deepEqual(refusals, ['no-space']);
      assert.deepEqual(writer.health(), { state: 'ok' });
      assert.equal(writer.waitingBytes, 0);
      await writer.propose(Buffer.from('small enough'));
      disk.capacityBytes = 100_000;
      await writer.propose(Buffer.alloc(2000, 'x'));
      const expected = ['fits', 'small enough', 'x'.repeat(2000)];
      assert.deepEqual(await recordsOf(journal), expected);
      disk.powerCut();
      assert.deepEqual(await recordsOf(await open(disk)), expected);
    }
  });

  test('a failed sync is final: the outcome is unknown, all later is refused, reading goes on', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    const journal = await open(disk);
    const refusals: string[] = [];
    const onRefused = (error: { code: string }) => void refusals.push(error.code);
    const writer = await startWriter(journal, { random: new SeededRandom(2), onRefused });
    await writer.propose(Buffer.from('durable'));
    disk.inject = failing('sync', 'EIO');
    const unsure = writer.propose(Buffer.from('unsure'));
    const cut = writer.cut();
    const behind = writer.propose(Buffer.from('behind'));
    await assert.rejects(unsure, { code: 'outcome-unknown' });
    await assert.rejects(cut, { code: 'outcome-unknown' });
    await assert.rejects(behind, { code: 'read-only' });
    disk.inject = undefined;
    assert.throws(() => writer.propose(Buffer.from('late')), { code: 'read-only' });
    await assert.rejects(writer.cut());
    assert.equal(writer.health().state, 'read-only');
    assert.deepEqual(refusals, ['outcome-unknown']);
    await assert.rejects(startWriter(journal, { random: new SeededRandom(3) }), { code: 'read-only' });
    assert.deepEqual(await recordsOf(journal), ['durable']);
    await writer.close();
    await journal.close();
  });

  test('a write that fails otherwise is final, too', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    const journal = await open(disk);
    const writer = await startWriter(journal, { random: new SeededRandom(2) });
    disk.inject = failing('write', 'EIO');
    await assert.rejects(writer.propose(Buffer.from('unsure')), { code: 'outcome-unknown' });
    disk.inject = undefined;
    assert.throws(() => writer.propose(Buffer.from('late')), { code: 'read-only' });
  });

  test('after a roll that failed when the next segment had its name already, the next append rolls', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    const journal = await open(disk, 1000);
    const writer = await startWriter(journal, { random: new SeededRandom(2) });
    disk.inject = failing('syncFolder', 'ENOSPC');
    await assert.rejects(writer.propose(Buffer.alloc(900, 'large')), { code: 'no-space' });
    disk.inject = undefined;
    await writer.propose(Buffer.from('would fit into the old segment'));
    disk.kill();
    assert.deepEqual(await recordsOf(await open(disk, 1000)), ['would fit into the old segment']);
  });

  test('a failed opening leaves nothing locked', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    await (await open(disk)).close();
    disk.inject = failing('read', 'EIO');
    await assert.rejects(open(disk), { code: 'EIO' });
    disk.inject = undefined;
    await (await open(disk)).close();
  });
});

suite('file journal: every call fails once', () => {
  for (const fault of ['EIO', 'ENOSPC', 'kill', 'power-cut'] as const) {
    test(`${fault}: what was acknowledged is there, and nothing else but one record more`, async () => {
      const sound = new SimulatedDisk({ random: new SeededRandom(1) });
      await run(sound, []);
      assert.ok(sound.calls > 50);
      for (let number = 1; number <= sound.calls; number++) await failAt(number, fault);
    });
  }

  async function failAt(number: number, fault: 'EIO' | 'ENOSPC' | 'kill' | 'power-cut'): Promise<void> {
    const disk = new SimulatedDisk({ random: new SeededRandom(number) });
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    disk.inject = (info) => {
      if (info.number !== number) return undefined;
      if (fault === 'EIO' || fault === 'ENOSPC') return { code: fault };
      resolve();
      return fault;
    };
    const acknowledged: string[] = [];
    await Promise.race([run(disk, acknowledged), ended]);
    disk.inject = undefined;
    disk.powerCut();
    const journal = await open(disk, SEGMENT_BYTES);
    const found = await recordsOf(journal);
    const whole = Array.from({ length: RECORDS }, (_, index) => `record ${index} `.padEnd(100, '.'));
    const end = found.length === 0 ? 0 : whole.indexOf(found.at(-1) as string) + 1;
    assert.deepEqual(found, whole.slice(end - found.length, end), `call ${number}: a piece of the sequence`);
    const surplus = end - acknowledged.length;
    assert.ok(
      surplus === 0 || surplus === 1,
      `call ${number}: ${acknowledged.length} acknowledged, ${end} found`,
    );
    const { first } = await journal.head();
    if (first === 1) assert.equal(found.length, end, `call ${number}: nothing is trimmed`);
    const writer = await startWriter(journal, { random: new SeededRandom(3) });
    await writer.propose(Buffer.from('after'));
    await journal.close();
  }

  /** As far as the disk lets it. */
  async function run(disk: SimulatedDisk, acknowledged: string[]): Promise<void> {
    try {
      const journal = await open(disk, SEGMENT_BYTES);
      try {
        await proposeAll(journal, acknowledged);
      } finally {
        await journal.close();
      }
    } catch (error) {
      const answers = ['EIO', 'ENOSPC', 'no-space', 'read-only', 'outcome-unknown'];
      assert.ok(answers.includes(codeOf(error) ?? ''), `${error}`);
    }
  }

  async function proposeAll(journal: Journal, acknowledged: string[]): Promise<void> {
    const writer = await startWriter(journal, { random: new SeededRandom(2) });
    for (let index = 0; index < RECORDS; index++) {
      const record = `record ${index} `.padEnd(100, '.');
      await writer.propose(Buffer.from(record));
      acknowledged.push(record);
    }
    await journal.truncateBefore(4);
  }

  for (const fault of ['EIO', 'ENOSPC', 'kill', 'power-cut'] as const) {
    test(`${fault} when a journal with a torn end is opened, read and appended to: nothing is lost`, async () => {
      const sound = await damaged(1);
      const before = sound.calls;
      await reopen(sound, []);
      const calls = sound.calls - before;
      assert.ok(calls > 25, `${calls} calls`);
      for (let call = 1; call <= calls; call++) await failReopening(call, fault);
    });
  }

  /** A journal as a crash leaves it: a draft of a segment, a torn batch, and room ahead. */
  async function damaged(seed: number): Promise<SimulatedDisk> {
    const disk = new SimulatedDisk({ random: new SeededRandom(seed) });
    await run(disk, []);
    const names = (await disk.files.list(FOLDER)).filter((name) => name.endsWith('.segment'));
    const file = await disk.files.open(`${FOLDER}/${names.at(-1)}`, 'write');
    await file.write(
      file.size(),
      Buffer.concat([Buffer.from('OJB'), Buffer.alloc(50, 1), Buffer.alloc(100)]),
    );
    await file.sync();
    await (await disk.files.open(`${FOLDER}/0000000000000099.segment.tmp`, 'create')).close();
    await disk.files.syncFolder(FOLDER);
    return disk;
  }

  /** Reads all, appends a small and a large record. */
  async function reopen(disk: SimulatedDisk, acknowledged: string[]): Promise<void> {
    const journal = await open(disk, SEGMENT_BYTES);
    try {
      const found = await recordsOf(journal);
      assert.equal(found.at(-1), `record ${RECORDS - 1} `.padEnd(100, '.'));
      const writer = await startWriter(journal, { random: new SeededRandom(3) });
      for (const record of ['small', 'large'.repeat(10_000)]) {
        await writer.propose(Buffer.from(record));
        acknowledged.push(record);
      }
    } finally {
      await journal.close();
    }
  }

  async function failReopening(call: number, fault: 'EIO' | 'ENOSPC' | 'kill' | 'power-cut'): Promise<void> {
    const disk = await damaged(call);
    const first = disk.calls;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    disk.inject = ({ number }) => {
      if (number !== first + call) return undefined;
      if (fault === 'EIO' || fault === 'ENOSPC') return { code: fault };
      resolve();
      return fault;
    };
    const acknowledged: string[] = [];
    const answers = ['EIO', 'ENOSPC', 'no-space', 'read-only', 'outcome-unknown'];
    const work = reopen(disk, acknowledged).catch((error: unknown) => {
      assert.ok(answers.includes(codeOf(error) ?? ''), `call ${call}: ${error}`);
    });
    await Promise.race([work, ended]);
    disk.inject = undefined;
    disk.powerCut();
    const journal = await open(disk, SEGMENT_BYTES);
    const found = await recordsOf(journal);
    const end = found.indexOf(`record ${RECORDS - 1} `.padEnd(100, '.')) + 1;
    assert.ok(end > 0, `call ${call}: a record from before is gone`);
    const appended = found.slice(end);
    assert.deepEqual(appended.slice(0, acknowledged.length), acknowledged, `call ${call}`);
    assert.ok(appended.length <= acknowledged.length + 1, `call ${call}`);
    await journal.close();
  }
});
