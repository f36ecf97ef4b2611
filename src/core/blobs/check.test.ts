/** Damage of every kind to blobs: found and placed by the check, left out and listed by the salvage. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Damage } from '../files/damage.ts';
import type { Files } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { type Contents, contentsOf, filesWith, withChange } from '../testing/copied-files.ts';
import { openBlobs } from './blobs.ts';
import { type BlobsSummary, checkBlobs } from './check.ts';
import { salvageBlobs } from './salvage.ts';

const FOLDER = '/blobs';
const SIZES = [0, 1, 65_536, 150_000];

async function fill(files: Files): Promise<string[]> {
  const random = new SeededRandom(1);
  const blobs = await openBlobs({ files, folder: FOLDER, random });
  const ids: string[] = [];
  for (const size of SIZES) {
    const writer = await blobs.create();
    await writer.write(random.bytes(size));
    ids.push((await writer.finish()).id);
  }
  await blobs.close();
  return ids;
}

const sound = createMemoryFiles();
const ids = await fill(sound);
const contents = await contentsOf(sound, FOLDER);
const pathOf = (id: string) => `${FOLDER}/${id.slice(8, 10)}/${id}.blob`;
const large = pathOf(ids[3]!);

interface Checked {
  readonly summary: BlobsSummary;
  readonly findings: readonly Damage[];
}

async function check(files: Files): Promise<Checked> {
  const findings: Damage[] = [];
  const report = (damage: Damage) => void findings.push(damage);
  return { summary: await checkBlobs({ files, folder: FOLDER, report }), findings };
}

async function checked(changed: Contents): Promise<Checked> {
  return check(await filesWith(changed));
}

async function salvaged(files: Files) {
  const damages: Damage[] = [];
  let progressed = 0;
  const result = await salvageBlobs({
    files,
    source: FOLDER,
    target: '/new',
    report: (damage) => damages.push(damage),
    progress: (bytes) => {
      progressed += bytes;
    },
  });
  return { result, damages, progressed, copies: await contentsOf(files, '/new') };
}

suite('checkBlobs', () => {
  test('sound blobs', async () => {
    const { summary, findings } = await checked(contents);
    assert.deepEqual(findings, []);
    assert.deepEqual(summary, { blobs: 4, bytes: 215_537, drafts: 0 });
  });

  test('a byte of each chunk and of the trailer: found at its offset', async () => {
    const cases: [at: number, offset: number, what: RegExp][] = [
      [0, 0, /^chunk 0: wrong CRC$/],
      [65_539, 0, /^chunk 0: wrong CRC$/],
      [65_540, 65_540, /^chunk 1: wrong CRC$/],
      [150_000, 131_080, /^chunk 2: wrong CRC$/],
      [150_012, 150_012, /^wrong CRC$/],
      [150_012 + 29, 150_012, /^no trailer at the end of the file$/],
    ];
    for (const [at, offset, what] of cases) {
      const { findings } = await checked(withChange(contents, large, (bytes) => (bytes[at]! ^= 1)));
      assert.equal(findings.length, 1, `byte ${at}`);
      assert.equal(findings[0]?.path, large);
      assert.equal(findings[0]?.offset, offset);
      assert.match(findings[0]?.what ?? '', what);
    }
  });

  test('a file that is cut off, emptied or of another blob', async () => {
    for (const length of [0, 10, 150_000]) {
      const { findings } = await checked(withChange(contents, large, (bytes) => bytes.subarray(0, length)));
      assert.equal(findings.length, 1);
      assert.match(findings[0]?.what ?? '', /no trailer at the end/);
    }
    const { findings } = await checked(new Map(contents).set(large, contents.get(pathOf(ids[2]!))!));
    assert.match(findings[0]?.what ?? '', new RegExp(`this is the file of ${ids[2]}`));
  });

  test('two damaged chunks are two findings, and what is between them counts as sound', async () => {
    const { summary, findings } = await checked(
      withChange(contents, large, (bytes) => {
        bytes[5]! ^= 1;
        bytes[140_000]! ^= 1;
      }),
    );
    assert.deepEqual(
      findings.map(({ offset }) => offset),
      [0, 131_080],
    );
    assert.equal(summary.bytes, 65_537 + 65_536);
  });

  test('drafts are counted; strange names and wrong folders are found; other folders are of no interest', async () => {
    const changed = new Map(contents)
      .set(`${FOLDER}/ab/${'0'.repeat(32)}.draft`, Buffer.from('half'))
      .set(`${FOLDER}/ab/notes.txt`, Buffer.from('x'))
      .set(`${FOLDER}/other/notes.txt`, Buffer.from('x'))
      .set(`${FOLDER}/00/${ids[1]}.blob`, contents.get(pathOf(ids[1]!))!);
    const { summary, findings } = await checked(changed);
    assert.equal(summary.drafts, 1);
    assert.deepEqual(findings, [
      { path: `${FOLDER}/00/${ids[1]}.blob`, what: `it belongs into the folder ${ids[1]!.slice(8, 10)}` },
      { path: `${FOLDER}/ab/notes.txt`, what: 'it has the name of no blob' },
    ]);
  });

  test('a blob that the disk refuses to open or to read is a finding', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    await fill(disk.files);
    for (const call of ['open', 'read']) {
      disk.inject = (info) => (info.call === call && info.path === large ? { code: 'EIO' } : undefined);
      const { summary, findings } = await check(disk.files);
      assert.ok(findings.every(({ path }) => path === large));
      assert.match(findings[0]?.what ?? '', /EIO/);
      assert.equal(summary.blobs, 4);
    }
  });

  test('a blob that is removed between listing and opening is no damage', async () => {
    const files = await filesWith(contents);
    const list = files.list.bind(files);
    files.list = async (folder) => {
      const names = await list(folder);
      if (folder !== FOLDER) for (const name of names) await files.remove(`${folder}/${name}`);
      return names;
    };
    const { findings } = await check(files);
    assert.deepEqual(findings, []);
  });
});

suite('salvageBlobs', () => {
  test('sound blobs are copied byte by byte, and can be read', async () => {
    const files = await filesWith(contents);
    const { result, damages, progressed, copies } = await salvaged(files);
    assert.deepEqual(damages, []);
    assert.deepEqual(result, { copied: 4, bytes: 215_537, lost: 0, drafts: 0 });
    assert.equal(progressed, 215_537);
    for (const [path, bytes] of contents)
      assert.ok(copies.get(path.replace(FOLDER, '/new'))?.equals(bytes), path);
    await using blobs = await openBlobs({ files, folder: '/new', random: new SeededRandom(2) });
    for await (const part of blobs.read(ids[3]!)) assert.ok(part.length > 0);
  });

  test('a damaged blob is left out whole, wherever it is damaged, and listed', async () => {
    for (const at of [3, 66_000, 150_000, 150_020]) {
      const files = await filesWith(withChange(contents, large, (bytes) => (bytes[at]! ^= 1)));
      const { result, damages, copies } = await salvaged(files);
      assert.deepEqual(result, { copied: 3, bytes: 65_537, lost: 1, drafts: 0 });
      assert.equal(damages.length, 1);
      assert.equal(damages[0]?.path, large);
      assert.deepEqual([...copies.keys()].length, 3, 'no draft is left');
    }
  });

  test('a blob in the wrong folder comes to its own; a draft stays behind', async () => {
    const misplaced = new Map(contents).set(`${FOLDER}/ab/${'0'.repeat(32)}.draft`, Buffer.from('half'));
    misplaced.delete(pathOf(ids[1]!));
    misplaced.set(`${FOLDER}/00/${ids[1]}.blob`, contents.get(pathOf(ids[1]!))!);
    const { result, copies } = await salvaged(await filesWith(misplaced));
    assert.deepEqual(result, { copied: 4, bytes: 215_537, lost: 0, drafts: 1 });
    assert.ok(copies.has(pathOf(ids[1]!).replace(FOLDER, '/new')));
  });

  test('a blob that cannot be opened is lost, and a full disk stops the salvage', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    await fill(disk.files);
    disk.inject = ({ call, path }) => (call === 'open' && path === large ? { code: 'EACCES' } : undefined);
    const { result, damages } = await salvaged(disk.files);
    assert.equal(result.lost, 1);
    assert.match(damages[0]?.what ?? '', /EACCES/);
    const full = new SimulatedDisk({ random: new SeededRandom(1) });
    await fill(full.files);
    full.capacityBytes = 300_000;
    await assert.rejects(salvaged(full.files), { code: 'no-space' });
  });
});
