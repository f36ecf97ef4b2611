/**
 * How a store comes back: the newest good root, then every commit of the journal after it.
 *
 * A root is good when its page, its catalog and its set of used pages can be read. When the newest is not, the
 * older one serves as well, for the journal still reaches back to it. Without any root the journal must begin
 * at its beginning. Everything else is damage, and is refused rather than served.
 */
import type { OpenFile } from '../files/files.ts';
import { whyNotNext } from '../journal/batch.ts';
import { BEFORE_FIRST } from '../journal/genesis.ts';
import type { Journal, Mark } from '../journal/types.ts';
import type { Random } from '../random/random.ts';
import { type CheckpointContext, drawStamp, type RootState, writeCheckpoint } from './checkpoint.ts';
import { StoreError } from './errors.ts';
import { Forest } from './forest.ts';
import { chain, readLongValue } from './long-value.ts';
import { PageSet } from './page-set.ts';
import { Pages } from './pages.ts';
import { decodeRecord } from './record.ts';
import { type Root, readRoots, writeRoot } from './root.ts';

export interface RecoveryOptions {
  readonly random: Random;
  readonly cacheBytes: number;
  readonly dirtyBytes: number;
}

export interface Recovered {
  readonly forest: Forest;
  /** The usable roots, newest first. */
  readonly roots: RootState[];
  readonly replayedRecords: number;
}

interface Replayed {
  readonly roots: RootState[];
  readonly records: number;
}

/**
 * Brings back the state that `file` and `journal` hold.
 * @throws StoreError `corrupt`, `newer-format`; JournalError; a system error of the disk
 */
export async function recover(
  file: OpenFile,
  journal: Journal,
  options: RecoveryOptions,
): Promise<Recovered> {
  const { roots: found, flaws } = await readRoots(file);
  for (const root of found) checkOrigin(root, journal, file.path);
  const loaded = loadNewest(file, found, options, flaws);
  await checkBeginning(journal, loaded.roots[0]?.root, flaws);
  // The newest root may be in the operating system's cache only, read back after a sync that failed.
  if (loaded.roots[0] !== undefined) await writeRoot(file, loaded.roots[0].root);
  const context = { file, journal, forest: loaded.forest, random: options.random };
  const { roots, records } = await replayAll(context, loaded.roots, options.dirtyBytes);
  return { forest: loaded.forest, roots, replayedRecords: records };
}

/** The trees of the newest good root, and all good roots. What is wrong with others goes to `flaws`. */
function loadNewest(
  file: OpenFile,
  found: readonly Root[],
  options: RecoveryOptions,
  flaws: string[],
): { forest: Forest; roots: RootState[] } {
  const roots: RootState[] = [];
  let newest: Forest | undefined;
  for (const root of found) {
    const forest = newForest(file, options);
    try {
      const reached = readReached(forest.pages, root);
      if (newest === undefined) forest.load(root.catalog, withoutList(forest.pages, root, reached));
      newest ??= forest;
      roots.push({ root, reached });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      flaws.push(error.message);
    }
  }
  const forest = newest ?? newForest(file, options);
  forest.pages.setRooted(roots.map(({ reached }) => reached));
  return { forest, roots };
}

function newForest(file: OpenFile, { cacheBytes, random }: RecoveryOptions): Forest {
  return new Forest(new Pages(file, cacheBytes, drawStamp(random)));
}

function checkOrigin(root: Root, journal: Journal, path: string): void {
  if (root.incarnation === journal.incarnation) return;
  throw new StoreError(
    'corrupt',
    `${path} belongs to journal ${root.incarnation}, not to ${journal.incarnation}`,
  );
}

function readReached(pages: Pages, root: Root): PageSet {
  return PageSet.decode(readLongValue(pages, root.used, root.usedBytes));
}

/** The pages of the trees: all that the root reaches but the list of them. */
function withoutList(pages: Pages, root: Root, reached: PageSet): PageSet {
  const live = reached.clone();
  for (const { number } of chain(pages, root.used)) live.delete(number);
  return live;
}

async function checkBeginning(journal: Journal, root: Root | undefined, flaws: string[]): Promise<void> {
  const { first } = await journal.head();
  if (first <= (root?.mark.position ?? 0) + 1) return;
  const from = root === undefined ? 'no usable root' : `a root of position ${root.mark.position}`;
  const why = flaws.length === 0 ? '' : `: ${flaws.join('; ')}`;
  throw new StoreError('corrupt', `there is ${from}, and the journal begins at position ${first}${why}`);
}

/**
 * Applies every record after the newest root. Changed pages go to the file on the way, so that a long journal
 * does not need as much memory.
 */
async function replayAll(
  context: CheckpointContext,
  start: RootState[],
  dirtyBytes: number,
): Promise<Replayed> {
  const { forest, journal } = context;
  let roots = start;
  let records = 0;
  let last = await startOfReplay(journal, roots[0]?.root.mark);
  for await (const batches of journal.read(last.position + 1)) {
    for (const batch of batches) {
      const reason = whyNotNext(last, batch);
      if (reason !== undefined)
        throw new StoreError('corrupt', `position ${batch.position} of the journal: ${reason}`);
      if (batch.kind === 'data') for (const record of batch.records) records += applyRecord(forest, record);
      const mark = { position: batch.position, epoch: batch.epoch, chain: Uint8Array.from(batch.chain) };
      last = mark;
      if (forest.pages.dirtyBytes > dirtyBytes)
        roots = await writeCheckpoint(context, roots, async () => mark);
    }
  }
  return { roots, records };
}

/** The mark to go on from, which the journal must still continue. */
async function startOfReplay(journal: Journal, mark: Mark | undefined): Promise<Mark> {
  const start = mark ?? BEFORE_FIRST;
  const { last } = await journal.head();
  const sameEnd = last.position !== start.position || Buffer.compare(last.chain, start.chain) === 0;
  if (last.position >= start.position && sameEnd) return start;
  const found = `the journal ends at position ${last.position}`;
  throw new StoreError(
    'corrupt',
    `${found} with another history than the checkpoint of position ${start.position}`,
  );
}

function applyRecord(forest: Forest, record: Uint8Array): 1 {
  for (const change of decodeRecord(record)) forest.apply(change);
  return 1;
}
