import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type CallInfo, type Fault, SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { encodeBatch, frameBytesOf, linkBatch } from './batch.ts';
import { describeJournal } from './describe.ts';
import { openFileJournal } from './file-journal.ts';
import { RESERVE_BYTES } from './limits.ts';
import { replay } from './replay.ts';
import type { Journal } from './types.ts';
import { startWriter } from './writer.ts';

const FOLDER = '/journal';
const PATH = `${FOLDER}/0000000000000001.segment`;

function open(disk: SimulatedDisk): Promise<Journal> {
  return openFileJournal({ files: disk.files, folder: FOLDER, random: new SeededRandom(1) });
}

function aDisk(seed = 1): SimulatedDisk {
  return new SimulatedDisk({ random: new SeededRandom(seed) });
}

async function sizeOf(disk: SimulatedDisk): Promise<number> {
  return (await disk.files.stat(PATH))?.sizeBytes ?? 0;
}

async function recordsOf(journal: Journal): Promise<Buffer[]> {
  const records: Buffer[] = [];
  await replay(journal, undefined, (record) => records.push(Buffer.from(record)));
  return records;
}

/** A journal left behind by a kill, so that its zeros are still there. */
async function killedWith(records: readonly Uint8Array[]): Promise<{ disk: SimulatedDisk; bytes: number }> {
  const disk = aDisk();
  const journal = await open(disk);
  const writer = await startWriter(journal, { random: new SeededRandom(2) });
  for (const record of records) await writer.propose(record);
  const bytes = journal.report().storedBytes;
  disk.kill();
  return { disk, bytes };
}

suite('file journal: the room made ahead', () => {
  test('small batches go into it: the file grows once, and a close cuts it off', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    const writer = await startWriter(journal, { random: new SeededRandom(2) });
    const sizes = new Set<number>();
    for (let index = 0; index < 50; index++) {
      await writer.propose(Buffer.from(`record ${index}`));
      sizes.add(await sizeOf(disk));
    }
    assert.equal(sizes.size, 1);
    const { storedBytes } = journal.report();
    assert.ok([...sizes].every((size) => size > storedBytes));
    await writer.close();
    await journal.close();
    assert.equal(await sizeOf(disk), storedBytes);
  });

  test('a large batch makes none', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    const writer = await startWriter(journal, { random: new SeededRandom(2) });
    await writer.propose(Buffer.alloc(RESERVE_BYTES * 2, 1));
    assert.equal(await sizeOf(disk), journal.report().storedBytes);
  });

  test('zeros behind the last batch are no damage: not when opening, not when looking', async () => {
    const { disk, bytes } = await killedWith([Buffer.from('one'), Buffer.from('two')]);
    assert.ok((await sizeOf(disk)) > bytes);
    const lines: string[] = [];
    for await (const line of describeJournal(disk.files, FOLDER)) lines.push(line);
    assert.deepEqual(
      lines.filter((line) => line.startsWith('!')),
      [],
    );
    assert.deepEqual(await recordsOf(await open(disk)), [Buffer.from('one'), Buffer.from('two')]);
    assert.equal(await sizeOf(disk), bytes);
  });

  test('zeros where acknowledged batches were are damage: a sound one follows', async () => {
    const records = [Buffer.from('one'), Buffer.from('two'), Buffer.from('three')];
    const { disk, bytes } = await killedWith(records);
    const lastTwo = frameBytesOf([records[1]!]) + frameBytesOf([records[2]!]);
    const file = await disk.files.open(PATH, 'write');
    await file.write(bytes - lastTwo, Buffer.alloc(frameBytesOf([records[1]!])));
    await file.close();
    await assert.rejects(open(disk), {
      code: 'corrupt',
      message: new RegExp(`offset ${bytes - lastTwo}: zeros; .*position 5 is sound`),
    });
  });

  test('a disk with no room for zeros may have room for the batch', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    const writer = await startWriter(journal, { random: new SeededRandom(2) });
    await writer.close();
    await journal.close();
    disk.capacityBytes = (await sizeOf(disk)) + 1_000;
    const again = await open(disk);
    const second = await startWriter(again, { random: new SeededRandom(3) });
    await second.propose(Buffer.from('fits'));
    assert.equal(await sizeOf(disk), again.report().storedBytes);
    assert.deepEqual(second.health(), { state: 'ok' });
  });

  test('a failed write of zeros is final, before anything of the batch is written', async () => {
    const disk = aDisk();
    const journal = await open(disk);
    disk.inject = ({ call }) => (call === 'write' ? { code: 'EIO' } : undefined);
    await assert.rejects(startWriter(journal, { random: new SeededRandom(2) }), { code: 'read-only' });
  });

  test('a batch refused for want of space is never found later, though its end looks like the zeros', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const disk = aDisk(seed);
      const journal = await open(disk);
      const first = linkBatch((await journal.head()).last.chain, {
        id: Buffer.alloc(16, 1),
        epoch: 1,
        kind: 'data',
        records: [Buffer.from('kept')],
      });
      await journal.append(first, 1);
      const refused = linkBatch(first.chain, {
        id: Buffer.alloc(16, 2),
        epoch: 1,
        kind: 'data',
        records: [Buffer.alloc(20_000)],
      });
      // What a copy-on-write file system may answer to a write in the middle of a file.
      disk.inject = fullOnce();
      await assert.rejects(journal.append(refused, 2), { code: 'no-space' });
      disk.inject = undefined;
      disk.powerCut();
      assert.deepEqual(await recordsOf(await open(disk)), [Buffer.from('kept')]);
    }
  });

  test('the frame that ends in zeros would be whole without its end', () => {
    const batch = linkBatch(Buffer.alloc(16), {
      id: Buffer.alloc(16, 2),
      epoch: 1,
      kind: 'data',
      records: [Buffer.alloc(20_000)],
    });
    const frame = encodeBatch({ ...batch, position: 3 }, 0);
    const cut = Buffer.alloc(frame.length);
    frame.copy(cut, 0, 0, 100);
    assert.ok(cut.equals(frame));
  });
});

function fullOnce(): (info: CallInfo) => Fault | undefined {
  let wasFull = false;
  return ({ call }) => {
    if (call !== 'write' || wasFull) return undefined;
    wasFull = true;
    return { code: 'ENOSPC' };
  };
}
