/** Damage of every kind to the files of a store, and whether the check finds it and says where. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Damage } from '../files/damage.ts';
import type { Files, OpenFile } from '../files/files.ts';
import { createMemoryFiles } from '../files/memory-files.ts';
import { SimulatedDisk } from '../files/simulated-files.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { type Contents, contentsOf, filesWith, withChange } from '../testing/copied-files.ts';
import { FOLDER, killedStore, PAGES } from '../testing/damaged-store.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { checkStoreFolder, type StoreCheckOptions, type StoreCheckSummary } from './check-folder.ts';
import { PAGE_BYTES } from './limits.ts';
import { readLongValue } from './long-value.ts';
import { sealPage } from './page.ts';
import { PageSet } from './page-set.ts';
import { Pages } from './pages.ts';
import { readRoots } from './root.ts';
import { openStore } from './store.ts';

interface Checked {
  readonly summary: StoreCheckSummary;
  readonly findings: readonly Damage[];
}

async function checkFiles(files: Files, overrides: Partial<StoreCheckOptions> = {}): Promise<Checked> {
  const findings: Damage[] = [];
  const report = (damage: Damage) => void findings.push(damage);
  const summary = await checkStoreFolder({ files, folder: FOLDER, report, ...overrides });
  return { summary, findings };
}

async function checked(contents: Contents): Promise<readonly Damage[]> {
  return (await checkFiles(await filesWith(contents))).findings;
}

const { contents, before } = await killedStore(false, 300);
const pageCount = contents.get(PAGES)!.length / PAGE_BYTES;
const segments = [...contents.keys()].filter((path) => path.endsWith('.segment'));

async function rootsOf(sound: Contents) {
  const file = await (await filesWith(sound)).open(PAGES, 'read');
  const pages = new Pages(file, 0, 0);
  const { roots } = await readRoots(file);
  const listed = roots.map(({ used, usedBytes }) => PageSet.decode(readLongValue(pages, used, usedBytes)));
  return { roots, isUsed: (page: number) => listed.some((set) => set.has(page)) };
}

const { roots, isUsed } = await rootsOf(contents);

function flip(page: number): (bytes: Buffer) => void {
  return (bytes) => {
    bytes[page * PAGE_BYTES + 3_000]! ^= 4;
  };
}

suite('checkStoreFolder', () => {
  test('a sound folder has no findings, and a summary', async () => {
    let bytes = 0;
    const { summary, findings } = await checkFiles(await filesWith(contents), {
      progress: (more) => {
        bytes += more;
      },
    });
    assert.deepEqual(findings, []);
    assert.deepEqual(
      summary.roots,
      roots.map(({ generation }) => generation),
    );
    assert.equal(summary.filePages, pageCount);
    assert.equal(summary.journal.segments, segments.length);
    assert.ok((summary.journal.last?.position ?? 0) > roots[0]!.mark.position);
    assert.ok(bytes > contents.get(PAGES)!.length);
  });

  test('each page in turn: found at its place when a root needs it, else of no interest', async () => {
    for (let page = 0; page < pageCount; page += 1) {
      const findings = await checked(withChange(contents, PAGES, flip(page)));
      if (!isUsed(page)) {
        assert.deepEqual(findings, [], `page ${page} is free`);
        continue;
      }
      const place = { path: PAGES, page, offset: page * PAGE_BYTES };
      const found = findings.find((one) => one.page === page && one.what.endsWith('its checksum is wrong'));
      assert.ok(found, `page ${page}: ${JSON.stringify(findings)}`);
      assert.deepEqual({ path: found.path, page: found.page, offset: found.offset }, place);
    }
  });

  test('each lost write of a page in turn', async () => {
    let lost = 0;
    for (let page = 2; page < pageCount; page += 1) {
      const old = before[3]!.get(PAGES)!.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      const now = contents.get(PAGES)!.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      if (old.length === 0 || old.equals(now) || !isUsed(page)) continue;
      lost += 1;
      const findings = await checked(
        withChange(contents, PAGES, (bytes) => bytes.set(old, page * PAGE_BYTES)),
      );
      const found = findings.find((one) => one.page === page);
      assert.match(found?.what ?? '', /it is an older page: a later write was lost/);
    }
    assert.ok(lost > 5);
  });

  test('pages that have changed places', async () => {
    const [one, other] = [...Array(pageCount).keys()].filter((page) => page > 1 && isUsed(page)) as [
      number,
      number,
    ];
    const findings = await checked(
      withChange(contents, PAGES, (bytes) => {
        const first = Buffer.from(bytes.subarray(one * PAGE_BYTES, (one + 1) * PAGE_BYTES));
        bytes.copyWithin(one * PAGE_BYTES, other * PAGE_BYTES, (other + 1) * PAGE_BYTES);
        bytes.set(first, other * PAGE_BYTES);
      }),
    );
    for (const [page, holds] of [
      [one, other],
      [other, one],
    ] as const) {
      const found = findings.find((damage) => damage.page === page);
      assert.match(found?.what ?? '', new RegExp(`it is page ${holds}, written to the wrong place`));
    }
  });

  test('a file that is cut off', async () => {
    const findings = await checked(withChange(contents, PAGES, (bytes) => bytes.subarray(0, 5 * PAGE_BYTES)));
    const past = findings.filter(({ what }) => what.endsWith('it lies past the end of the file'));
    assert.ok(past.length > 0);
    for (const { page = 0, offset } of past) assert.ok(page >= 5 && offset === page * PAGE_BYTES);
    const stub = await checked(withChange(contents, PAGES, (bytes) => bytes.subarray(0, PAGE_BYTES + 200)));
    assert.ok(stub.some(({ page, what }) => page === 1 && what.includes('the file ends within it')));
  });

  test('a list of used pages that is not what the root reaches', async () => {
    const { number } = roots[0]!.used;
    const listed = await checked(
      withChange(contents, PAGES, (bytes) => {
        const page = bytes.subarray(number * PAGE_BYTES, (number + 1) * PAGE_BYTES);
        page[24 + 3]! ^= 0b100;
        page[24 + 7]! ^= 0b1000_0000;
        sealPage(page);
      }),
    );
    const what = listed.map((damage) => damage.what).join('\n');
    assert.match(what, /root \d+: page 2 is reached, and counts as free|root \d+: page 2 counts as used/);
    assert.match(
      what,
      /root \d+: page 39 (is reached, and counts as free|counts as used, and nothing reaches it)/,
    );
  });

  test('a catalog with an entry that is no reference', async () => {
    const { number } = roots[0]!.catalog!;
    const findings = await checked(
      withChange(contents, PAGES, (bytes) => {
        const page = bytes.subarray(number * PAGE_BYTES, (number + 1) * PAGE_BYTES);
        page.writeUInt32BE(7, page.readUInt16BE(20) + 2);
        sealPage(page);
      }),
    );
    assert.equal(findings[0]?.page, number);
    assert.match(findings[0]?.what ?? '', /the catalog: page \d+ has no reference for tree "fresh"/);
    assert.match(
      findings[1]?.what ?? '',
      /^root \d+: \d+ more pages count as used, and nothing that can be read/,
    );
  });

  test('roots: damaged, missing, of a lost write, of a later format', async () => {
    for (const page of [0, 1]) {
      const damaged = await checked(withChange(contents, PAGES, flip(page)));
      assert.deepEqual(damaged, [
        { path: PAGES, page, offset: page * PAGE_BYTES, what: 'this root is damaged: its checksum is wrong' },
      ]);
    }
    const older = roots[1]!.generation % 2;
    const place = { path: PAGES, page: older, offset: older * PAGE_BYTES };
    const missing = await checked(
      withChange(contents, PAGES, (bytes) => bytes.fill(0, older * PAGE_BYTES, (older + 1) * PAGE_BYTES)),
    );
    const should = `root ${roots[1]!.generation} should be here, and nothing was written`;
    assert.deepEqual(missing, [{ ...place, what: should }]);
    const stale = before[1]!.get(PAGES)!.subarray(older * PAGE_BYTES, (older + 1) * PAGE_BYTES);
    const lost = await checked(withChange(contents, PAGES, (bytes) => bytes.set(stale, older * PAGE_BYTES)));
    const instead = `root 2 is here instead of root ${roots[1]!.generation}: a write was lost`;
    assert.ok(lost.some(({ page, what }) => page === older && what === instead));
  });

  test('a root of a later format is damage beside a sound one, and refused when it is one', async () => {
    const withFormat = (bytes: Buffer, page: number) => {
      bytes.writeUInt32BE(9, page * PAGE_BYTES + 28);
      return bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    };
    const [finding] = await checked(withChange(contents, PAGES, (bytes) => void withFormat(bytes, 1)));
    assert.match(finding?.what ?? '', /this root is damaged: the page file has format 9/);
    const both = withChange(contents, PAGES, (bytes) => {
      for (const page of [0, 1]) withFormat(bytes, page);
    });
    await assert.rejects(checked(both), { code: 'newer-format' });
    const sealed = withChange(contents, PAGES, (bytes) => sealPage(withFormat(bytes, 1)));
    await assert.rejects(checked(sealed), { code: 'newer-format' });
  });

  test('without pages, and without roots', async () => {
    const bare = new Map(contents);
    bare.delete(PAGES);
    assert.deepEqual(await checked(bare), [{ path: PAGES, what: 'there is no page file' }]);
    const empty = await checked(withChange(contents, PAGES, () => Buffer.alloc(0)));
    assert.match(empty[0]?.what ?? '', /no root can be used, and the journal begins at position \d+/);
    const fresh = await filesWith(new Map([[PAGES, Buffer.alloc(0)]]));
    assert.deepEqual((await checkFiles(fresh)).findings, []);
    const young = await killedBeforeTheFirstCheckpoint();
    assert.deepEqual(await checked(young), []);
  });

  test('a journal that does not continue the roots', async () => {
    const { position } = roots[0]!.mark;
    const bare = new Map([...contents].filter(([path]) => !segments.includes(path)));
    const lost = 'it ends at position 0, before the checkpoint of this position: its end was lost';
    assert.ok((await checked(bare)).some((one) => one.position === position && one.what === lost));
    const other = await killedStore(false, 50, 9);
    const foreign = await checked(new Map([...other.contents, [PAGES, contents.get(PAGES)!]]));
    assert.ok(
      foreign.some((one) => one.position === position),
      JSON.stringify(foreign),
    );
  });

  test('a page that the disk refuses to read is a finding like another', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    const options = {
      files: disk.files,
      folder: FOLDER,
      clock: new SimulatedClock(),
      random: new SeededRandom(2),
    };
    const store = await openStore(options);
    await store.commit([{ kind: 'put', tree: 't', key: Buffer.from('k'), value: Buffer.from('v') }]);
    await store.close();
    disk.inject = ({ call, path }) => (call === 'read' && path === PAGES ? { code: 'EIO' } : undefined);
    const { findings } = await checkFiles(disk.files);
    assert.match(findings[0]?.what ?? '', /this root is damaged: EIO/);
  });

  async function killedBeforeTheFirstCheckpoint(): Promise<Contents> {
    const files = createMemoryFiles();
    const store = await openStore({
      files,
      folder: FOLDER,
      clock: new SimulatedClock(),
      random: new SeededRandom(1),
    });
    await store.commit([{ kind: 'put', tree: 't', key: Buffer.from('k'), value: Buffer.from('v') }]);
    const young = await contentsOf(files, FOLDER);
    await store.close();
    return young;
  }
});

suite('checkStoreFolder of a store in use', () => {
  async function openSome(files: Files) {
    const store = await openStore({
      files,
      folder: FOLDER,
      clock: new SimulatedClock(),
      random: new SeededRandom(1),
    });
    const put = (index: number) =>
      store.commit([
        { kind: 'put', tree: 't', key: Buffer.from(`k${index}`), value: Buffer.alloc(500, index) },
      ]);
    for (let index = 0; index < 60; index += 1) await put(index);
    return { store, put };
  }

  test('it is refused, and looked at all the same when asked', async () => {
    const files = createMemoryFiles();
    const { store } = await openSome(files);
    await assert.rejects(checkFiles(files), { code: 'locked' });
    assert.deepEqual((await checkFiles(files, { isRunning: true })).findings, []);
    await store.checkpoint();
    const { summary, findings } = await checkFiles(files, { isRunning: true });
    assert.deepEqual(findings, []);
    assert.deepEqual(summary.roots, [1]);
    await store.close();
    assert.deepEqual((await checkFiles(files)).findings, []);
  });

  test('damage is found in use as well', async () => {
    const files = createMemoryFiles();
    const { store } = await openSome(files);
    await store.checkpoint();
    const file = await files.open(PAGES, 'write');
    await file.write(2 * PAGE_BYTES + 3_000, Buffer.from('rot'));
    const { findings } = await checkFiles(files, { isRunning: true });
    assert.equal(findings[0]?.page, 2);
    await store.close();
  });

  /** Files whose first page is read after so many checkpoints have been made, each time but the first. */
  function overtaken(files: Files, checkpoints: () => Promise<number>): Files {
    const open = async (path: string, mode: Parameters<Files['open']>[1]): Promise<OpenFile> => {
      const file = await files.open(path, mode);
      if (path !== PAGES) return file;
      let reads = 0;
      const read: OpenFile['read'] = async (position, into) => {
        if (position === 0 && ++reads > 1) await checkpoints();
        return file.read(position, into);
      };
      const base: OpenFile = {
        path,
        size: () => file.size(),
        info: () => file.info(),
        read,
        readSync: (position, into) => file.readSync(position, into),
        write: (position, bytes) => file.write(position, bytes),
        writeSync: (position, bytes) => file.writeSync(position, bytes),
        sync: () => file.sync(),
        isQuick: false,
        writeThrough: (position, bytes) => file.writeThrough(position, bytes),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        close: () => file.close(),
      };
      return base;
    };
    return { ...bound(files), open };
  }

  function bound(files: Files): Files {
    return {
      open: (path, mode) => files.open(path, mode),
      stat: (path) => files.stat(path),
      realPath: (path) => files.realPath(path),
      list: (folder) => files.list(folder),
      makeFolder: (path) => files.makeFolder(path),
      rename: (from, to) => files.rename(from, to),
      remove: (path) => files.remove(path),
      removeFolder: (path) => files.removeFolder(path),
      syncFolder: (folder) => files.syncFolder(folder),
      lock: (folder) => files.lock(folder),
    };
  }

  test('a check that two checkpoints have overtaken starts over, and gives up when that goes on', async () => {
    const files = createMemoryFiles();
    const { store, put } = await openSome(files);
    await store.checkpoint();
    let index = 100;
    let left = 1;
    const advance = async () => {
      if (left <= 0) return 0;
      left -= 1;
      for (let count = 0; count < 2; count += 1) {
        await put(index++);
        await store.checkpoint();
      }
      return 2;
    };
    const once = await checkFiles(overtaken(files, advance), { isRunning: true });
    assert.deepEqual(once.findings, []);
    assert.deepEqual(once.summary.roots, [3]);
    left = 1_000;
    const never = await checkFiles(overtaken(files, advance), { isRunning: true });
    assert.match(never.findings[0]?.what ?? '', /checkpoints came faster than the check, 5 times/);
    assert.deepEqual(never.summary.roots, []);
    await store.close();
  });
});
