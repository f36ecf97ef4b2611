/** Damage of every kind to a journal, and whether it is found and placed. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Damage } from '../files/damage.ts';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { type Contents, contentsOf, filesWith, withChange } from '../testing/copied-files.ts';
import { checkJournal, type JournalCheckOptions, type JournalSummary } from './check.ts';
import { openFileJournal } from './file-journal.ts';
import { type Sighting, surveyJournal } from './survey.ts';
import type { Mark } from './types.ts';
import { startWriter } from './writer.ts';

const FOLDER = '/j';

async function journalOf(records: number, seed = 1, files: Files = createMemoryFiles()): Promise<Contents> {
  const random = new SeededRandom(seed);
  const journal = await openFileJournal({ files, folder: FOLDER, random, segmentBytes: 700 });
  const writer = await startWriter(journal, { random });
  for (let index = 0; index < records; index += 1) await writer.propose(Buffer.from(`record ${index}`));
  await journal.close();
  return contentsOf(files, FOLDER);
}

interface Checked {
  readonly summary: JournalSummary;
  readonly findings: readonly Damage[];
}

async function check(contents: Contents, overrides: Partial<JournalCheckOptions> = {}): Promise<Checked> {
  const findings: Damage[] = [];
  const report = (damage: Damage) => void findings.push(damage);
  const summary = await checkJournal({
    files: await filesWith(contents),
    folder: FOLDER,
    report,
    ...overrides,
  });
  return { summary, findings };
}

type Seen = Extract<Sighting, { kind: 'batch' }>;

async function batchesIn(contents: Contents): Promise<Seen[]> {
  const batches: Seen[] = [];
  for await (const sighting of surveyJournal(await filesWith(contents), FOLDER)) {
    if (sighting.kind === 'batch') batches.push(sighting);
  }
  return batches;
}

const contents = await journalOf(20);
const paths = [...contents.keys()];
const batches = await batchesIn(contents);
const end = batches.at(-1)!.batch;
const markAt = (position: number): Mark => batches.find(({ batch }) => batch.position === position)!.batch;

suite('checkJournal', () => {
  test('a sound journal', async () => {
    assert.ok(paths.length >= 3);
    let bytes = 0;
    const { summary, findings } = await check(contents, {
      marks: [markAt(5), markAt(12)],
      progress: (more) => {
        bytes += more;
      },
    });
    assert.deepEqual(findings, []);
    assert.equal(summary.segments, paths.length);
    assert.equal(summary.batches, 22);
    assert.equal(summary.first, 1);
    assert.equal(summary.last?.position, 22);
    assert.equal(summary.unfinished, undefined);
    assert.equal(bytes, summary.bytes);
  });

  test('no journal at all', async () => {
    const { summary, findings } = await check(new Map());
    assert.deepEqual(findings, []);
    assert.deepEqual(summary, {
      segments: 0,
      batches: 0,
      bytes: 0,
      first: undefined,
      last: undefined,
      unfinished: undefined,
    });
  });

  test('each byte of each batch: found at the batch, and reading goes on behind it', async () => {
    for (const { path, offset, frameBytes, batch } of batches) {
      for (let at = 0; at < frameBytes; at += 7) {
        const { summary, findings } = await check(
          withChange(contents, path, (bytes) => (bytes[offset + at]! ^= 1)),
        );
        assert.equal(findings.length, 1, `position ${batch.position}, byte ${at}`);
        assert.equal(findings[0]?.path, path);
        assert.equal(findings[0]?.offset, offset);
        assert.equal(findings[0]?.position, batch.position);
        assert.equal(summary.batches, 21);
      }
    }
  });

  test('each byte of each header: found, and every batch read all the same', async () => {
    for (const path of paths) {
      for (let at = 0; at < 64; at += 1) {
        const { summary, findings } = await check(withChange(contents, path, (bytes) => (bytes[at]! ^= 1)));
        assert.equal(findings.length, 1, `byte ${at}`);
        assert.equal(findings[0]?.path, path);
        assert.equal(findings[0]?.offset, 0);
        assert.equal(summary.batches, 22);
      }
    }
  });

  test('an append cut short is no damage, a wrong last batch is, but for a journal in use', async () => {
    const { path, offset, frameBytes } = batches.at(-1)!;
    for (let length = 1; length < frameBytes; length += 5) {
      const cut = await check(withChange(contents, path, (bytes) => bytes.subarray(0, offset + length)));
      assert.deepEqual(cut.findings, []);
      assert.equal(cut.summary.unfinished?.offset, offset);
      assert.equal(cut.summary.unfinished?.position, 22);
      assert.equal(cut.summary.batches, 21);
    }
    for (let length = 1; length < frameBytes - 16; length += 5) {
      const zeros = await check(withChange(contents, path, (bytes) => bytes.fill(0, offset + length)));
      assert.deepEqual(zeros.findings, []);
      assert.equal(zeros.summary.unfinished?.offset, offset, `${length} bytes`);
    }
    const wrong = withChange(contents, path, (bytes) => (bytes[offset + 75]! ^= 1));
    const still = await check(wrong);
    assert.match(still.findings[0]?.what ?? '', /wrong CRC: the last batch is damaged, or a power cut tore/);
    const running = await check(wrong, { isRunning: true });
    assert.deepEqual(running.findings, []);
    assert.equal(running.summary.unfinished?.offset, offset);
  });

  test('zeros behind the last batch are room, in the place of a batch they are damage', async () => {
    for (const path of [paths[0]!, paths.at(-1)!]) {
      const roomy = withChange(contents, path, (bytes) => Buffer.concat([bytes, Buffer.alloc(3_000)]));
      const { summary, findings } = await check(roomy);
      assert.deepEqual(findings, []);
      assert.equal(summary.unfinished, undefined);
      assert.equal(summary.batches, 22);
    }
    const { path, offset, frameBytes } = batches[2]!;
    const wiped = withChange(contents, path, (bytes) => bytes.fill(0, offset, offset + frameBytes));
    const { summary, findings } = await check(wiped);
    assert.deepEqual(findings, [{ path, offset, position: 3, what: 'zeros where a batch should be' }]);
    assert.equal(summary.batches, 21);
  });

  test('a cut in the middle of the journal is damage', async () => {
    const path = paths[0]!;
    const last = batches.findLast((one) => one.path === path)!;
    const { findings } = await check(
      withChange(contents, path, (bytes) => bytes.subarray(0, last.offset + 10)),
    );
    assert.deepEqual(findings, [
      { path, offset: last.offset, position: last.batch.position, what: 'the file ends within a batch' },
    ]);
  });

  test('segments that are missing, foreign, or under another name', async () => {
    const missing = new Map(contents);
    missing.delete(paths[1]!);
    const gone = await check(missing);
    assert.equal(gone.findings.length, 1);
    assert.match(gone.findings[0]?.what ?? '', /positions \d+ to \d+ are missing before it/);

    const other = await journalOf(20, 2);
    const mixed = await check(new Map(contents).set(paths[1]!, other.get(paths[1]!)!));
    assert.match(mixed.findings[0]?.what ?? '', /it belongs to another journal/);
    assert.equal(mixed.findings[0]?.path, paths[1]);

    const swapped = new Map(contents);
    swapped.set(paths[0]!, contents.get(paths[1]!)!);
    swapped.set(paths[1]!, contents.get(paths[0]!)!);
    const { summary, findings } = await check(swapped);
    assert.equal(summary.batches, 22);
    const names = findings.map(({ what }) => what);
    assert.equal(names.length, 2);
    for (const name of names) assert.match(name, /its header says that it is \d{16}\.segment/);
  });

  test('a copy of an older segment is no new history', async () => {
    const copy = new Map(contents).set(paths[2]!, contents.get(paths[1]!)!);
    const { summary, findings } = await check(copy);
    assert.ok(findings.some(({ what }) => what.startsWith('it does not continue position')));
    assert.ok(summary.batches < 22);
    const positions = (await batchesIn(copy)).map(({ batch }) => batch.position);
    assert.deepEqual(
      positions,
      [...new Set(positions)].sort((left, right) => left - right),
    );
  });

  test('a batch that is sound, and not the one that belongs there', async () => {
    const twin = await journalOf(20, 1, createMemoryFiles());
    assert.deepEqual(twin, contents, 'the same seed makes the same journal');
    const changed = await historyWith('RECORD');
    const path = batches[4]!.path;
    const { findings } = await check(new Map(contents).set(path, changed.get(path)!));
    assert.match(findings.map(({ what }) => what).join(), /does not continue position|hash chain is broken/);
  });

  /** The same journal with other records, so that only the chain tells them apart. */
  async function historyWith(text: string): Promise<Contents> {
    const files = createMemoryFiles();
    const random = new SeededRandom(1);
    const journal = await openFileJournal({ files, folder: FOLDER, random, segmentBytes: 700 });
    const writer = await startWriter(journal, { random });
    for (let index = 0; index < 20; index += 1) await writer.propose(Buffer.from(`${text} ${index}`));
    await journal.close();
    return contentsOf(files, FOLDER);
  }

  test('marks that the journal does not continue', async () => {
    const whats = async (changed: Contents, marks: Mark[]) =>
      (await check(changed, { marks })).findings.map(({ position, what }) => `${position}: ${what}`);
    const other = { ...markAt(7), chain: Buffer.alloc(16, 1) };
    assert.deepEqual(await whats(contents, [other]), [
      '7: it has another history than the checkpoint of this position',
    ]);
    assert.deepEqual(await whats(contents, [{ ...end, position: 30 }]), [
      '30: it ends at position 22, before the checkpoint of this position: its end was lost',
    ]);
    const trimmed = new Map(contents);
    trimmed.delete(paths[0]!);
    const first = batches.find(({ path }) => path === paths[1])!.batch.position;
    assert.deepEqual(await whats(trimmed, [markAt(2)]), [
      `2: it begins at position ${first}, after the checkpoint of this position`,
    ]);
    assert.deepEqual(await whats(trimmed, [markAt(first - 1)]), []);
  });

  test('a mark in the middle of damage is proven by the batch behind it', async () => {
    const { path, offset } = batches[10]!;
    const damaged = withChange(contents, path, (bytes) => (bytes[offset + 75]! ^= 1));
    const mark = batches[10]!.batch;
    const seen: Seen[] = [];
    for await (const sighting of surveyJournal(await filesWith(damaged), FOLDER, { marks: [mark] })) {
      if (sighting.kind === 'batch') seen.push(sighting);
    }
    assert.equal(seen.find(({ batch }) => batch.position === 12)?.after?.position, 11);
    const unknown = (await batchesIn(damaged)).find(({ batch }) => batch.position === 12);
    assert.equal(unknown?.after, undefined);
  });

  test('a segment without batches still says where the journal stands', async () => {
    const path = paths.at(-1)!;
    const empty = withChange(contents, path, (bytes) => bytes.subarray(0, 64));
    for (const one of paths.slice(0, -1)) empty.delete(one);
    const before = batches.find((one) => one.path === path)!.batch.position - 1;
    const { summary, findings } = await check(empty, { marks: [markAt(before)] });
    assert.deepEqual(findings, []);
    assert.equal(summary.first, before + 1);
    assert.equal(summary.last?.position, before);
  });

  test('a segment that the disk refuses to read is a finding, and the next are read', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    await journalOf(20, 1, disk.files);
    disk.inject = ({ call, path }) => (call === 'read' && path === paths[1] ? { code: 'EIO' } : undefined);
    const { summary, findings } = await check(contents, { files: disk.files });
    assert.equal(findings[0]?.path, paths[1]);
    assert.match(findings[0]?.what ?? '', /EIO/);
    assert.equal(summary.last?.position, 22);
  });

  test('what is no error of the disk is thrown, at whatever read, and not taken for damage', async () => {
    const readsOf = async (throwsAt: number): Promise<number> => {
      const files = await filesWith(contents);
      const open = files.open.bind(files);
      let reads = 0;
      files.open = async (path, mode) => {
        const file = await open(path, mode);
        const read = file.read.bind(file);
        file.read = async (position, into) => {
          if (++reads === throwsAt) throw new TypeError('a bug');
          return read(position, into);
        };
        return file;
      };
      await check(contents, { files });
      return reads;
    };
    const reads = await readsOf(0);
    assert.ok(reads > paths.length);
    for (let nth = 1; nth <= reads; nth++) await assert.rejects(readsOf(nth), { message: 'a bug' });
  });

  test('a folder that may not be read is no journal without damage', async () => {
    const files = await filesWith(contents);
    files.open = async () => {
      throw Object.assign(new Error('EACCES: open'), { code: 'EACCES' });
    };
    await assert.rejects(check(contents, { files }), { code: 'EACCES' });
  });

  test('a segment that is let go of between listing and opening is no damage', async () => {
    const files = await filesWith(contents);
    const list = files.list.bind(files);
    files.list = async (folder) => {
      const names = await list(folder);
      await files.remove(paths[0]!);
      return names;
    };
    const { summary, findings } = await check(contents, { files });
    assert.deepEqual(findings, []);
    assert.equal(summary.segments, paths.length - 1);
  });
});
