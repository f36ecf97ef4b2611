/**
 * Makes a whole store out of ordered entries: for a clone, and to restore a backup.
 *
 *   <folder>.draft-1f0c9a2e/     the store as it grows: pages by checkpoints, a journal without a commit
 *            │  rename
 *            ▼
 *   <folder>/                    there as a whole or not at all
 *
 * Keys come in ascending order, so every page is filled before the next begins, and the file is as short as
 * its data. The journal is a new one with an incarnation of its own: what the copy will do is not what the
 * original did, and nobody who remembers a place in the one may follow the other. It goes on from the mark of
 * the state it was made from, so its positions begin behind that: a copy that has lost both of its roots is
 * refused at its next start, instead of being taken for a new and empty store.
 *
 * After a crash the draft is left beside the folder, under a name that is never looked for: it may be removed.
 */
import { dirname } from 'node:path';
import { codeOf } from '../errors.ts';
import type { Files } from '../files/files.ts';
import { openFileJournal } from '../journal/file-journal.ts';
import type { Origin } from '../journal/genesis.ts';
import type { Random } from '../random/random.ts';
import { cutFreeEnd, drawStamp, type RootState, writeCheckpoint } from './checkpoint.ts';
import { StoreError } from './errors.ts';
import { Forest } from './forest.ts';
import { CACHE_BYTES_DEFAULT, DIRTY_BYTES_MIN } from './limits.ts';
import { Pages } from './pages.ts';
import type { Portion } from './portions.ts';

export interface LoadOptions {
  readonly files: Files;
  /** Where the store will be; missing or empty, and its parent made if missing. */
  readonly folder: string;
  readonly random: Random;
  /** What the entries are the state of. */
  readonly origin: Origin;
  /** Changed pages in memory before they are written. Default 16 MiB. */
  readonly dirtyBytes?: number;
}

/**
 * Makes a store in `folder` that holds exactly what `portions` give. It is there, whole and durable, when the
 * promise resolves; otherwise `folder` is as it was.
 * @throws StoreError `not-empty`, `no-space`; what `portions` throw; a system error of the disk
 */
export async function loadStore(options: LoadOptions, portions: AsyncIterable<Portion>): Promise<void> {
  const { files, folder, random } = options;
  await requireEmpty(files, folder);
  const draft = `${folder}.draft-${random.bytes(4).toString('hex')}`;
  let made = draft;
  try {
    await files.makeFolder(draft);
    await fill(options, draft, portions);
    await requireEmpty(files, folder);
    await files.rename(draft, folder);
    made = folder;
    await files.syncFolder(dirname(folder));
  } catch (error) {
    await files.removeFolder(made).catch(() => undefined);
    throw refusalOf(error, folder);
  }
}

/** @throws StoreError `not-empty` */
async function requireEmpty(files: Files, folder: string): Promise<void> {
  const names = await files.list(folder);
  if (names.length > 0) throw notEmpty(`${folder} holds ${names[0]} already`);
}

function notEmpty(message: string): StoreError {
  return new StoreError('not-empty', message);
}

function refusalOf(error: unknown, folder: string): unknown {
  const code = codeOf(error);
  if (code === 'ENOTEMPTY' || code === 'EEXIST') return notEmpty(`${folder} holds something by now`);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new StoreError('no-space', `the disk is full: ${folder} was not made`, {
    cause: error,
    retryable: true,
  });
}

async function fill(options: LoadOptions, folder: string, portions: AsyncIterable<Portion>): Promise<void> {
  const { files, random, origin, dirtyBytes = DIRTY_BYTES_MIN } = options;
  await using opened = new AsyncDisposableStack();
  const journal = opened.use(await openFileJournal({ files, folder: `${folder}/journal`, random, origin }));
  const file = opened.adopt(await files.open(`${folder}/pages`, 'create'), (open) => open.close());
  const forest = new Forest(new Pages(file, CACHE_BYTES_DEFAULT, drawStamp(random)));
  const context = { file, journal, forest, random };
  const { last } = await journal.head();
  let roots: RootState[] = [];
  const checkpoint = async (): Promise<void> => {
    roots = await writeCheckpoint(context, roots, async () => last);
  };
  for await (const { tree, entries } of portions) {
    for (const { key, value } of entries) forest.apply({ kind: 'put', tree, key, value });
    if (forest.pages.dirtyBytes > dirtyBytes) await checkpoint();
  }
  // Twice, so that either root has everything: one that is damaged later is no loss.
  await checkpoint();
  await checkpoint();
  await cutFreeEnd(file, forest);
  await file.sync();
  await files.syncFolder(folder);
}
