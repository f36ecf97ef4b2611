/** Damage of every kind to a store with known content, and what salvage makes of it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Files } from '../files/files.ts';
import { systemError } from '../files/memory-files.ts';
import { SimulatedDisk } from '../files/simulated-files.ts';
import { openFileJournal } from '../journal/file-journal.ts';
import { surveyJournal } from '../journal/survey.ts';
import { startWriter } from '../journal/writer.ts';
import { SeededRandom } from '../random/seeded-random.ts';
import { type Contents, contentsOf, filesWith, withChange } from '../testing/copied-files.ts';
import { FOLDER, type KilledStore, killedStore, modelOf, PAGES } from '../testing/damaged-store.ts';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { Cursor } from './cursor.ts';
import { decodeRef } from './forest.ts';
import { PAGE_BYTES } from './limits.ts';
import { chain, readLongValue } from './long-value.ts';
import { hasLongValue, keyView, longValueRef } from './node.ts';
import { sealPage } from './page.ts';
import { PageSet } from './page-set.ts';
import { Pages } from './pages.ts';
import { readRoots } from './root.ts';
import { type SalvageOptions, salvageStore } from './salvage.ts';
import { type Loss, renderSalvage, type SalvageAccount } from './salvage-account.ts';
import { ALL_KEYS, isIn, walkTree } from './salvage-walk.ts';
import { openStore } from './store.ts';

const TARGET = '/new';
const TREES = ['still', 'moving', 'fresh', 'later', 'long'];

interface Result {
  readonly account: SalvageAccount;
  readonly model: ReadonlyMap<string, string>;
  readonly text: string;
}

async function salvaged(contents: Contents, overrides: Partial<SalvageOptions> = {}): Promise<Result> {
  const files = await filesWith(contents);
  const clock = new SimulatedClock();
  const random = new SeededRandom(3);
  const account = await salvageStore({ files, source: FOLDER, target: TARGET, clock, random, ...overrides });
  const store = await openStore({ files, folder: TARGET, clock, random });
  const model = modelOf(store, TREES);
  assert.deepEqual(await store.check(), []);
  await store.close();
  await assertUnchanged(files, contents);
  return { account, model, text: renderSalvage(account) };
}

/** The source is as it was. */
async function assertUnchanged(files: Files, contents: Contents): Promise<void> {
  for (const [path, bytes] of contents) {
    const file = await files.open(path, 'read');
    const now = Buffer.alloc(file.size());
    await file.read(0, now);
    assert.ok(now.equals(bytes), `${path} was changed`);
  }
}

/**
 * Nothing is there that was never committed, `complete` is only said when it is, and for whatever is missing,
 * out of date or there again the account has a line that covers it.
 */
function assertHonest(killed: KilledStore, { account, model, text }: Result): void {
  for (const [id, value] of model) {
    assert.ok(killed.history.get(id)?.has(value), `${id} never had the value ${value.slice(0, 30)}`);
  }
  assert.equal(account.moreLosses, 0);
  for (const id of wrongKeys(killed, model)) {
    assert.ok(
      account.losses.some((loss) => covers(loss, id)),
      `${id} is wrong, and nothing says so:\n${text}`,
    );
  }
}

/**
 * The same for a journal whose end may be missing, cut off between two batches: nobody can know that there was
 * more. Then `complete` means an earlier moment, whole.
 */
function assertHonestToAMoment(killed: KilledStore, result: Result): void {
  const isMoment = ({ size }: ReadonlyMap<string, string>) => size === result.model.size;
  const states = killed.states.filter(isMoment);
  if (!result.account.isComplete) assertHonest(killed, result);
  else {
    const isOne = states.some((state) => wrongKeys({ model: state }, result.model).length === 0);
    assert.ok(isOne, `this is no moment, and said to be complete:\n${result.text}`);
  }
}

/** Keys whose value is not the last one, and keys that are there again. */
function wrongKeys(killed: Pick<KilledStore, 'model'>, model: ReadonlyMap<string, string>): string[] {
  return [...new Set([...killed.model.keys(), ...model.keys()])].filter(
    (id) => killed.model.get(id) !== model.get(id),
  );
}

function covers(loss: Loss, id: string): boolean {
  const [tree = '', key = ''] = id.split('/');
  if (loss.kind === 'batches') return true;
  if (loss.kind === 'doubt')
    return /^(no root|neither root|there is no page file|the journal)/.test(loss.what);
  if (loss.kind === 'trees') return isIn(loss.range, Buffer.from(tree));
  if (loss.tree !== tree) return false;
  return loss.kind === 'value' ? loss.key.equals(Buffer.from(key)) : isIn(loss.range, Buffer.from(key));
}

function flip(page: number, at = 4_000): (bytes: Buffer) => void {
  return (bytes) => {
    bytes[page * PAGE_BYTES + at]! ^= 0x10;
  };
}

const killed = await killedStore(false, 300);
const { contents } = killed;
const pageCount = contents.get(PAGES)!.length / PAGE_BYTES;
const layout = await layoutOf(contents);
const segmentPaths = [...contents.keys()].filter((path) => path.endsWith('.segment'));

/** What lies where in the sound file: the keys on each leaf, or of each page of a long value. */
async function layoutOf(sound: Contents) {
  const files = await filesWith(sound);
  const file = await files.open(PAGES, 'read');
  const pages = new Pages(file, 0, 0);
  const keysOn = new Map<number, Set<string>>();
  const note = (page: number, id: string) => keysOn.set(page, (keysOn.get(page) ?? new Set()).add(id));
  const { roots } = await readRoots(file);
  for (const root of roots) {
    for (const { key, value } of new Cursor(pages, root.catalog, {}, () => true)) {
      for (const step of walkTree({ pages }, decodeRef(value), ALL_KEYS)) {
        assert.ok(step.kind === 'leaf');
        for (let slot = 0; slot < step.leaf.count; slot += 1) {
          const id = `${key}/${keyView(step.leaf, slot)}`;
          note(step.leaf.number, id);
          if (!hasLongValue(step.leaf, slot)) continue;
          for (const { number } of chain(pages, longValueRef(step.leaf, slot))) note(number, id);
        }
      }
    }
  }
  const listed = roots.map(({ used, usedBytes }) => PageSet.decode(readLongValue(pages, used, usedBytes)));
  const lists = roots.flatMap(({ used }) => [...chain(pages, used)].map(({ number }) => number));
  return { keysOn, lists, roots, isUsed: (page: number) => listed.some((set) => set.has(page)) };
}

suite('salvage of damaged pages', () => {
  test('a sound store comes out as it is, and is said to be complete', async () => {
    const result = await salvaged(contents);
    assert.deepEqual(result.model, killed.model);
    assert.deepEqual(result.account.losses, []);
    assert.deepEqual(result.account.madeGood, []);
    assert.equal(result.account.isComplete, true);
  });

  test('each page in turn: all that does not lie on it is there', async () => {
    let losses = 0;
    for (let page = 0; page < pageCount; page += 1) {
      const result = await salvaged(withChange(contents, PAGES, flip(page)));
      assertHonest(killed, result);
      const wrong = wrongKeys(killed, result.model);
      for (const id of wrong)
        assert.ok(layout.keysOn.get(page)?.has(id), `page ${page}: ${id}\n${result.text}`);
      losses += wrong.length;
      if (layout.lists.includes(page) || page < 2) assert.equal(result.account.isComplete, true);
    }
    assert.ok(losses > 250, 'some page holds what nothing else has');
  });

  test('each page in turn, with a journal that has its beginning: nothing is lost', async () => {
    const whole = await killedStore(true, 100);
    const count = whole.contents.get(PAGES)!.length / PAGE_BYTES;
    for (let page = 0; page < count; page += 1) {
      const result = await salvaged(withChange(whole.contents, PAGES, flip(page)));
      assert.deepEqual(result.model, whole.model);
      assert.equal(result.account.isComplete, true);
    }
    const pagesLess = new Map(whole.contents);
    pagesLess.delete(PAGES);
    assert.deepEqual((await salvaged(pagesLess)).model, whole.model);
  });

  test('each write of a page in turn lost: the old content is not taken for the new', async () => {
    let replaced = 0;
    for (let page = 0; page < pageCount; page += 1) {
      for (const before of killed.before) {
        const old = before.get(PAGES)!.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
        const now = contents.get(PAGES)!.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
        if (old.length === 0 || old.equals(now)) continue;
        replaced += 1;
        const result = await salvaged(
          withChange(contents, PAGES, (bytes) => bytes.set(old, page * PAGE_BYTES)),
        );
        assertHonest(killed, result);
        for (const id of wrongKeys(killed, result.model)) {
          assert.ok(layout.keysOn.get(page)?.has(id), `page ${page}: ${id}\n${result.text}`);
        }
      }
    }
    assert.ok(replaced > 10);
  });

  test('pages that have changed places', async () => {
    const random = new SeededRandom(5);
    for (let round = 0; round < 20; round += 1) {
      const [one, other] = [random.below(pageCount), random.below(pageCount)];
      const result = await salvaged(withChange(contents, PAGES, swap(one, other)));
      assertHonest(killed, result);
      // A tree whose name and whose own root are both lost cannot be put together again.
      if (layout.roots.some(({ catalog }) => catalog?.number === one || catalog?.number === other)) continue;
      for (const id of wrongKeys(killed, result.model)) {
        const isOn = [one, other].some((page) => layout.keysOn.get(page)?.has(id));
        assert.ok(isOn, `pages ${one} and ${other}: ${id}\n${result.text}`);
      }
    }
  });

  test('a file that is cut off at any page', async () => {
    for (let page = 0; page < pageCount; page += 3) {
      const cut = withChange(contents, PAGES, (bytes) => bytes.subarray(0, page * PAGE_BYTES + 100));
      assertHonest(killed, await salvaged(cut));
    }
  });

  test('without roots the newest catalog is found, and the result is never said to be complete', async () => {
    const rootless = withChange(contents, PAGES, (bytes) => {
      flip(0)(bytes);
      flip(1)(bytes);
    });
    const result = await salvaged(rootless);
    assertHonest(killed, result);
    assert.deepEqual(result.model, killed.model);
    assert.equal(result.account.isComplete, false);
    assert.match(result.text, /no root can be read/);
  });

  test('without roots, catalogs and the beginning of the journal only what the journal has is there', async () => {
    const bare = withChange(contents, PAGES, (bytes) => bytes.fill(0xaa));
    const result = await salvaged(bare);
    assertHonest(killed, result);
    assert.match(result.text, /neither root nor catalog can be read, and the journal begins at position \d+/);
    assert.equal(result.model.has('fresh/r5s11'), true);
  });
});

suite('salvage of pages without a journal', () => {
  const newestMark = layout.roots[0]!.mark.position;
  /** One commit is one batch, and two batches come before the first commit. */
  const atRoot = killed.states[newestMark - 3]!;
  const bare = new Map([...contents].filter(([path]) => !segmentPaths.includes(path)));

  /** For whatever is not as it was at the newest root there is a line, the missing journal left aside. */
  function assertHonestAtRoot({ account, model, text }: Result): Loss[] {
    const losses = account.losses.filter((loss) => loss.kind !== 'batches');
    for (const [id, value] of model) assert.ok(killed.history.get(id)?.has(value), id);
    for (const id of wrongKeys({ model: atRoot }, model)) {
      assert.ok(
        losses.some((loss) => covers(loss, id)),
        `${id} is wrong, and nothing says so:\n${text}`,
      );
    }
    assert.equal(account.isComplete, false);
    return losses;
  }

  test('each page in turn: what the older root fills in is said to be old', async () => {
    assert.deepEqual(assertHonestAtRoot(await salvaged(bare)), []);
    const kinds = new Map<string, number>();
    for (let page = 2; page < pageCount; page += 1) {
      const losses = assertHonestAtRoot(await salvaged(withChange(bare, PAGES, flip(page))));
      for (const { kind } of losses) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    for (const kind of ['keys', 'old', 'value', 'trees', 'doubt']) assert.ok(kinds.has(kind), kind);
  });

  test('several pages at once', async () => {
    for (let seed = 0; seed < 60; seed += 1) {
      const random = new SeededRandom(seed);
      let damaged = bare;
      const count = 2 + random.below(6);
      for (let index = 0; index < count; index += 1) {
        damaged = withChange(damaged, PAGES, flip(2 + random.below(pageCount - 2)));
      }
      assertHonestAtRoot(await salvaged(damaged));
    }
  });
});

suite('salvage of a damaged journal', () => {
  const lastSegment = segmentPaths.at(-1)!;
  const newestMark = layout.roots[0]!.mark.position;

  test('a header in turn: every batch is found all the same', async () => {
    for (const path of segmentPaths) {
      const result = await salvaged(withChange(contents, path, (bytes) => (bytes[40]! ^= 1)));
      assertHonest(killed, result);
      assert.deepEqual(result.model, killed.model, `${path}\n${result.text}`);
    }
  });

  test('each batch in turn: what comes after it is not applied, and listed', async () => {
    for await (const { path, offset, batch } of soundBatches()) {
      const result = await salvaged(withChange(contents, path, (bytes) => (bytes[offset + 80]! ^= 1)));
      assertHonest(killed, result);
      if (batch.position <= newestMark) {
        assert.deepEqual(result.model, killed.model);
        continue;
      }
      assert.equal(result.account.isComplete, false);
      const lost = result.account.losses.find((loss) => loss.kind === 'batches');
      assert.equal(lost?.from, batch.position, result.text);
    }
  });

  test('a damaged batch is skipped only when asked', async () => {
    const { path, offset, batch } = await someBatch((position) => position === newestMark + 4);
    const damaged = withChange(contents, path, (bytes) => (bytes[offset + 80]! ^= 1));
    const stopped = await salvaged(damaged);
    const skipped = await salvaged(damaged, { skipsDamagedBatches: true });
    const latest = [...killed.model.keys()].filter((id) => id.startsWith('fresh/r5')).length;
    const count = ({ model }: Result) => [...model.keys()].filter((id) => id.startsWith('fresh/r5')).length;
    assert.equal(count(stopped), 2);
    assert.equal(count(skipped), latest - 1);
    for (const result of [stopped, skipped]) assertHonest(killed, result);
    assert.equal(skipped.account.isComplete, false);
    assert.match(skipped.text, new RegExp(`not applied: position ${batch.position} of the journal`));
  });

  test('a journal that is cut off anywhere', async () => {
    const length = contents.get(lastSegment)!.length;
    for (let end = 0; end < length; end += 111) {
      const cut = withChange(contents, lastSegment, (bytes) => bytes.subarray(0, end));
      assertHonestToAMoment(killed, await salvaged(cut));
    }
  });

  test('segments that are missing or have changed places', async () => {
    for (const [index, path] of segmentPaths.entries()) {
      const missing = new Map(contents);
      missing.delete(path);
      assertHonestToAMoment(killed, await salvaged(missing));
      const other = segmentPaths[(index + 1) % segmentPaths.length]!;
      const swapped = new Map(contents);
      swapped.set(path, contents.get(other)!);
      swapped.set(other, contents.get(path)!);
      assert.deepEqual((await salvaged(swapped)).model, killed.model);
    }
  });

  test('without any journal the newest root stands, and what followed it is listed', async () => {
    const bare = new Map([...contents].filter(([path]) => !segmentPaths.includes(path)));
    const result = await salvaged(bare);
    assertHonest(killed, result);
    assert.match(result.text, new RegExp(`everything from position ${newestMark + 1} on`));
    assert.equal(result.model.has('still/k000000'), true);
  });

  test('batches behind a gap that begins at the root are applied only when asked, and the gap is listed', async () => {
    let damaged = contents;
    for await (const { path, offset, batch } of soundBatches()) {
      const { position } = batch;
      if (position < newestMark || position > newestMark + 2) continue;
      damaged = withChange(damaged, path, (bytes) => (bytes[offset + 80]! ^= 1));
    }
    const stopped = await salvaged(damaged);
    assert.equal(stopped.account.journalBatchesApplied, 0);
    const skipped = await salvaged(damaged, { skipsDamagedBatches: true });
    assert.ok(skipped.account.journalBatchesApplied > 0);
    for (const result of [stopped, skipped]) {
      assertHonest(killed, result);
      const lost = result.account.losses.find((loss) => loss.kind === 'batches');
      assert.equal(lost?.from, newestMark + 1);
    }
  });

  test('the journal of another store is not applied', async () => {
    const other = await killedStore(false, 50, 8);
    const mixed = new Map([...other.contents, [PAGES, contents.get(PAGES)!]]);
    for (const path of segmentPaths) if (!other.contents.has(path)) mixed.delete(path);
    const result = await salvaged(mixed, { skipsDamagedBatches: true });
    assertHonest(killed, result);
    assert.match(result.text, /that of another store/);
    assert.equal(result.account.journalBatchesApplied, 0);
  });

  async function* soundBatches() {
    const files = await filesWith(contents);
    for await (const sighting of surveyJournal(files, `${FOLDER}/journal`)) {
      if (sighting.kind === 'batch') yield sighting;
    }
  }

  async function someBatch(wanted: (position: number) => boolean) {
    for await (const sighting of soundBatches()) if (wanted(sighting.batch.position)) return sighting;
    throw new Error('there is no such batch');
  }
});

suite('salvage of what was written wrong', () => {
  /** Pages changed and sealed again: their checksums are right. */
  function rewritten(page: number, change: (bytes: Buffer) => void): Contents {
    return withChange(contents, PAGES, (bytes) => {
      const one = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      change(one);
      sealPage(one);
    });
  }

  const longPages = [...layout.keysOn].filter(([, ids]) => [...ids].some((id) => id === 'long/a'));
  const [longLeaf, , longPage] = longPages.map(([page]) => page) as [number, number, number];

  test('a long value that goes round in a circle, or on and on, or ends early', async () => {
    const cases: [next: number, what: RegExp][] = [
      [longPage, /its value is longer than its cell says/],
      [0, /its value is shorter than its cell says/],
      [longLeaf, /it is no part of a long value|it is an older page/],
    ];
    for (const [next, what] of cases) {
      const result = await salvaged(rewritten(longPage, (bytes) => bytes.writeUInt32BE(next, 20)));
      assertHonest(killed, result);
      assert.deepEqual(wrongKeys(killed, result.model), ['long/a']);
      assert.match(result.text, what);
    }
  });

  test('a catalog whose entries are no references', async () => {
    const { number } = layout.roots[0]!.catalog!;
    const result = await salvaged(
      rewritten(number, (bytes) => {
        // The cell of the first tree: a length of 7 instead of 8.
        const cell = bytes.readUInt16BE(20);
        bytes.writeUInt32BE(7, cell + 2);
      }),
    );
    // The older root has the tree, and the journal what has changed since.
    assert.deepEqual(result.model, killed.model);
    assert.match(result.text, /made good: .*, page \d+, offset \d+: a tree has no reference to its root/);
    const both = layout.roots.map(({ catalog }) => catalog!.number);
    let damaged = contents;
    for (const page of both) {
      damaged = withChange(damaged, PAGES, (bytes) => {
        const one = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
        one.writeUInt32BE(7, one.readUInt16BE(20) + 2);
        sealPage(one);
      });
    }
    const lost = await salvaged(damaged);
    assertHonest(killed, lost);
    assert.match(lost.text, /^! lost trees with names from "fresh" up to/m);
  });

  /** A sound journal with a record that no store has written. */
  async function withRecord(record: Buffer): Promise<Contents> {
    const files = await filesWith(contents);
    const random = new SeededRandom(9);
    const journal = await openFileJournal({ files, folder: `${FOLDER}/journal`, random });
    const writer = await startWriter(journal, { random });
    await writer.propose(record);
    await journal.close();
    return contentsOf(files, FOLDER);
  }

  test('a record that cannot be read is listed; one of a later format stops the salvage', async () => {
    const result = await salvaged(await withRecord(Buffer.from([1, 0, 0, 0, 1, 9])));
    assert.deepEqual(result.model, killed.model);
    assert.equal(result.account.isComplete, false);
    assert.match(result.text, /^! not applied: position \d+ of the journal \(a record of the journal /m);
    await assert.rejects(salvaged(await withRecord(Buffer.from([7, 0, 0, 0, 1]))), { code: 'newer-format' });
  });

  test('a page file of a later format is refused', async () => {
    const later = withChange(contents, PAGES, (bytes) => {
      for (const page of [0, 1]) bytes.writeUInt32BE(99, page * PAGE_BYTES + 28);
    });
    await assert.rejects(salvaged(later), { code: 'newer-format' });
  });
});

suite('salvage: the source', () => {
  const options = (files: Files) => {
    return {
      files,
      source: FOLDER,
      target: TARGET,
      clock: new SimulatedClock(),
      random: new SeededRandom(3),
    };
  };

  test('without a page file the journal is all there is', async () => {
    const bare = new Map(contents);
    bare.delete(PAGES);
    const result = await salvaged(bare);
    assertHonest(killed, result);
    assert.match(
      result.text,
      /there is no page file, and the journal begins at position \d+: everything before/,
    );
    const nothing = await salvaged(new Map([[PAGES, Buffer.alloc(0)]]));
    assert.equal(nothing.model.size, 0);
    assert.equal(nothing.account.isComplete, false);
    assert.match(nothing.text, /there is nothing in the journal: everything before is lost/);
  });

  test('a store in use is refused, a folder that cannot be written is read without a lock', async () => {
    const files = await filesWith(contents);
    const lock = await files.lock(FOLDER);
    await assert.rejects(salvageStore(options(files)), { code: 'locked' });
    const take = files.lock.bind(files);
    for (const code of ['EROFS', 'EACCES', 'EPERM', 'EIO']) {
      files.lock = (folder) =>
        folder === FOLDER ? Promise.reject(systemError(code, 'lock', folder)) : take(folder);
      const salvage = salvageStore({ ...options(files), target: `/${code}` });
      if (code === 'EIO') await assert.rejects(salvage, { code });
      else assert.equal((await salvage).isComplete, true);
    }
    await lock.release();
  });

  test('it says how much it has read', async () => {
    const files = await filesWith(contents);
    let bytes = 0;
    const account = await salvageStore({
      ...options(files),
      progress: (more) => {
        bytes += more;
      },
    });
    assert.equal(account.isComplete, true);
    assert.ok(bytes > contents.get(PAGES)!.length / 2);
  });

  test('a full disk stops it', async () => {
    const disk = new SimulatedDisk({ random: new SeededRandom(1) });
    for (const [path, bytes] of contents) {
      await disk.files.makeFolder(path.slice(0, path.lastIndexOf('/')));
      const file = await disk.files.open(path, 'create');
      await file.write(0, bytes);
      await file.close();
    }
    const used = [...contents.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    disk.capacityBytes = used + 30_000;
    await assert.rejects(salvageStore(options(disk.files)), { code: 'no-space' });
  });
});

suite('salvage of damage at random', () => {
  test('a few bytes of the pages: all that does not lie on a damaged page is there', async () => {
    const catalogs = layout.roots.map(({ catalog }) => catalog?.number);
    for (let seed = 0; seed < 40; seed += 1) {
      const random = new SeededRandom(seed);
      const damaged = new Set<number>();
      const result = await salvaged(
        withChange(contents, PAGES, (bytes) => {
          for (let count = 1 + random.below(3); count > 0; count -= 1) {
            const at = random.below(bytes.length);
            bytes[at] = bytes[at]! ^ (1 + random.below(255));
            damaged.add(Math.floor(at / PAGE_BYTES));
          }
        }),
      );
      assertHonest(killed, result);
      if ([...damaged].some((page) => catalogs.includes(page))) continue;
      if (damaged.has(0) && damaged.has(1)) continue;
      for (const id of wrongKeys(killed, result.model)) {
        const isOn = [...damaged].some((page) => layout.keysOn.get(page)?.has(id));
        assert.ok(isOn, `seed ${seed}, pages ${[...damaged]}: ${id}\n${result.text}`);
      }
    }
  });

  test('anything anywhere: nothing is invented, nothing comes back silently', async () => {
    const paths = [...contents.keys()];
    for (let seed = 0; seed < 80; seed += 1) {
      const random = new SeededRandom(seed);
      let damaged = contents;
      for (let count = 1 + random.below(6); count > 0; count -= 1) {
        damaged = withChange(damaged, random.pick(paths), (bytes) => spoil(bytes, random));
      }
      const result = await salvaged(damaged, { skipsDamagedBatches: random.chance(0.5) });
      assertHonestToAMoment(killed, result);
    }
  });

  function spoil(bytes: Buffer, random: SeededRandom): Buffer | undefined {
    const at = random.below(bytes.length + 1);
    if (random.chance(0.1)) return bytes.subarray(0, at);
    if (random.chance(0.3))
      bytes.fill(random.below(256), at, Math.min(bytes.length, at + random.below(20_000)));
    else if (at < bytes.length) bytes[at]! ^= 1 << random.below(8);
    return undefined;
  }
});

function swap(one: number, other: number): (bytes: Buffer) => void {
  return (bytes) => {
    const first = Buffer.from(bytes.subarray(one * PAGE_BYTES, (one + 1) * PAGE_BYTES));
    bytes.copyWithin(one * PAGE_BYTES, other * PAGE_BYTES, (other + 1) * PAGE_BYTES);
    bytes.set(first, other * PAGE_BYTES);
  };
}
