/**
 * A checkpoint, as a recipe:
 *
 *   1. freeze     the trees as they are now; changes go on in copies
 *   2. agree      wait until the journal has everything that is in the frozen state
 *   3. write      the changed pages to places that no root reaches
 *   4. sync
 *   5. switch     write the root to the page of the older root, and sync
 *   6. let go     of the pages that only the replaced root reached, of the end of the file if nobody needs it,
 *                 and of the journal up to the older root
 *
 * A power cut before 5 is complete leaves the old newest root, whose pages nobody has touched; after it, the
 * new one. Two roots stay usable: the journal reaches back to the older, and no page of either is given away.
 */
import { codeOf } from '../errors.ts';
import type { OpenFile } from '../files/files.ts';
import type { Journal, Mark } from '../journal/types.ts';
import type { Random } from '../random/random.ts';
import { StoreError } from './errors.ts';
import type { Forest, Frozen } from './forest.ts';
import { PAGE_BYTES, SHRINK_BYTES_MIN, WRITE_BYTES } from './limits.ts';
import { type Page, sealPage } from './page.ts';
import type { PageSet } from './page-set.ts';
import { type Root, writeRoot } from './root.ts';

/** A root in the file, and every page that it reaches. */
export interface RootState {
  readonly root: Root;
  readonly reached: PageSet;
}

export interface CheckpointContext {
  readonly file: OpenFile;
  readonly journal: Journal;
  readonly forest: Forest;
  readonly random: Random;
}

const STAMPS = 2 ** 32;

/** A stamp for new pages: not to be met again on an old page in the same place. */
export function drawStamp(random: Random): number {
  return random.below(STAMPS);
}

/**
 * Writes a checkpoint after the roots `old` (newest first).
 * @param agree called in the turn of the freeze; resolves with the mark of the state as it is then, when that
 *   is durable
 * @returns the two roots from now on, newest first
 * @throws StoreError `no-space` (the old roots hold, and a later checkpoint may succeed); what `agree` rejects
 *   with; anything else means that the file cannot be trusted with another write
 */
export async function writeCheckpoint(
  context: CheckpointContext,
  old: readonly RootState[],
  agree: () => Promise<Mark>,
): Promise<RootState[]> {
  return writeFrozen(context, old, context.forest.freeze(drawStamp(context.random)), agree);
}

/** The same for a state that is frozen already, in this turn: until then nothing can fail the file. */
export async function writeFrozen(
  context: CheckpointContext,
  old: readonly RootState[],
  frozen: Frozen,
  agree: () => Promise<Mark>,
): Promise<RootState[]> {
  const { file, forest, journal } = context;
  let kept = false;
  try {
    const mark = await agree();
    await writePages(context, frozen.pages);
    await file.sync();
    const root = rootOf(frozen, mark, journal.incarnation, (old[0]?.root.generation ?? 0) + 1);
    await writeRoot(file, root);
    kept = true;
    const roots = [{ root, reached: frozen.reached }, ...old.slice(0, 1)];
    forest.pages.setRooted(roots.map(({ reached }) => reached));
    await shrink(context);
    return roots;
  } finally {
    forest.thaw(frozen, kept);
  }
}

/** Cuts off the end of the file when much of it is free: every cut is a change of the file's size to be synced. */
async function shrink({ file, forest }: CheckpointContext): Promise<void> {
  const neededBytes = (forest.pages.highestBusy() + 1) * PAGE_BYTES;
  if (file.size() - neededBytes < Math.max(SHRINK_BYTES_MIN, neededBytes / 4)) return;
  await cutFreeEnd(file, forest);
}

/**
 * Cuts off what nobody needs at the end of the file: no root, neither of the two, no version, and no page in
 * memory has a place there. A failure costs space only, until the next time. Never while a checkpoint writes.
 */
export async function cutFreeEnd(file: OpenFile, forest: Forest): Promise<void> {
  const neededBytes = (forest.pages.highestBusy() + 1) * PAGE_BYTES;
  if (neededBytes < file.size()) await file.truncate(neededBytes).catch(() => undefined);
}

function rootOf(frozen: Frozen, mark: Mark, incarnation: string, generation: number): Root {
  const { catalog, used, usedBytes } = frozen;
  return {
    generation,
    catalog,
    used: { number: used.number, stamp: used.stamp },
    usedBytes,
    mark,
    incarnation,
  };
}

/**
 * Writes `pages`, in the order of the file, as far as they are still changed.
 * @throws StoreError `no-space`; a system error of the disk
 */
export async function writePages(
  { file, forest }: Pick<CheckpointContext, 'file' | 'forest'>,
  pages: readonly Page[],
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(WRITE_BYTES);
  for (let next = 0; next < pages.length; ) {
    const run = neighbours(pages, next);
    next += run.length;
    // A page that only a snapshot needed may have been freed meanwhile, and its bytes be in use elsewhere.
    const wanted = run.filter((page) => page.dirty);
    if (wanted.length === run.length) await writeRun(file, forest, wanted, buffer);
    else for (const page of wanted) if (page.dirty) await writeRun(file, forest, [page], buffer);
  }
}

/** The pages from index `start` on that lie side by side in the file, as many as are written together. */
function neighbours(pages: readonly Page[], start: number): readonly Page[] {
  let end = start + 1;
  const most = Math.min(pages.length, start + WRITE_BYTES / PAGE_BYTES);
  while (end < most && pages[end]!.number === pages[end - 1]!.number + 1) end += 1;
  return pages.slice(start, end);
}

async function writeRun(file: OpenFile, forest: Forest, run: readonly Page[], buffer: Buffer): Promise<void> {
  for (const [index, page] of run.entries()) {
    const place = buffer.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
    place.set(page.bytes);
    sealPage(place);
  }
  await writeBytes(file, run[0]!.number * PAGE_BYTES, buffer.subarray(0, run.length * PAGE_BYTES));
  for (const page of run) forest.pages.written(page);
}

async function writeBytes(file: OpenFile, position: number, bytes: Buffer): Promise<void> {
  try {
    await file.write(position, bytes);
  } catch (error) {
    if (codeOf(error) !== 'ENOSPC') throw error;
    throw new StoreError('no-space', 'the disk is full: no checkpoint can be written', {
      retryable: true,
      cause: error,
    });
  }
}
