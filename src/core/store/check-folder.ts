/**
 * Verifies the folder of a store: the page file with everything that both roots reach, the journal, and that
 * the journal still continues each root. Reads only. Memory: two bits for each page of the file, one path down a
 * tree, and one batch of the journal.
 *
 * By default the folder is locked meanwhile, so that nothing moves. A store in use is looked at without the
 * lock, which is weaker:
 *   - only the newest root is followed: its pages stay as they are until two checkpoints later. When so many
 *     have passed before the end is reached, what was found is worth nothing, and the check starts over; after
 *     a few times it gives up and says so;
 *   - bad bytes at the end of the journal are an append under way.
 */
import type { Damage } from '../files/damage.ts';
import type { Files, OpenFile } from '../files/files.ts';
import { lockSource } from '../files/lock-source.ts';
import { checkJournal, type JournalSummary } from '../journal/check.ts';
import { type ReportPage, StateCheck } from './check.ts';
import { FINDINGS_MAX, PAGE_BYTES } from './limits.ts';
import { Pages } from './pages.ts';
import type { Root } from './root.ts';
import { type RootPage, readRootPages, soundRoots } from './root-pages.ts';

export interface StoreCheckOptions {
  readonly files: Files;
  readonly folder: string;
  /** Looks without the lock, at a store that may be in use. Default false. */
  readonly isRunning?: boolean;
  readonly report: (damage: Damage) => void;
  /** Told of every so many bytes read. */
  readonly progress?: (bytes: number) => void;
}

export interface StoreCheckSummary {
  /** Generations of the roots that were followed, the newest first. */
  readonly roots: readonly number[];
  readonly filePages: number;
  readonly journal: JournalSummary;
}

/** Checkpoints may overtake the check of a running store so many times. */
const ATTEMPTS = 5;

/** How many generations of roots the file keeps whole. */
const GENERATIONS_KEPT = 2;

/**
 * Checks the store in `folder`.
 * @throws FilesError `locked` when it is in use and `isRunning` is not set; StoreError `newer-format`; a system
 *   error of the disk that does not concern one page alone
 */
export async function checkStoreFolder(options: StoreCheckOptions): Promise<StoreCheckSummary> {
  await using opened = new AsyncDisposableStack();
  if (options.isRunning !== true) {
    opened.adopt(await lockSource(options.files, options.folder), (lock) => lock?.release());
  }
  const path = `${options.folder}/pages`;
  if ((await options.files.stat(path)) === undefined) return await checkWithoutPages(options, path);
  const file = opened.adopt(await options.files.open(path, 'read'), (open) => open.close());
  return await (options.isRunning === true ? checkRunning(options, file) : checkStill(options, file));
}

/** The journal alone is a whole store as long as it has its beginning. */
async function checkWithoutPages(options: StoreCheckOptions, path: string): Promise<StoreCheckSummary> {
  const journal = await checkJournal({ ...options, folder: `${options.folder}/journal` });
  options.report({ path, what: 'there is no page file' });
  return { roots: [], filePages: 0, journal };
}

async function checkStill(options: StoreCheckOptions, file: OpenFile): Promise<StoreCheckSummary> {
  const pages = await readRootPages(file);
  const roots = soundRoots(pages);
  reportRoots(options, file, pages, roots[0]);
  for (const root of roots) await checkRoot(options, file, root);
  const journal = await checkJournalOf(options, roots);
  if (roots.length === 0) reportNoRoot(options, file, journal);
  return summaryOf(file, roots, journal);
}

function summaryOf(file: OpenFile, roots: readonly Root[], journal: JournalSummary): StoreCheckSummary {
  const generations = roots.map(({ generation }) => generation);
  return { roots: generations, filePages: Math.ceil(file.size() / PAGE_BYTES), journal };
}

function reportRoots(
  { report }: StoreCheckOptions,
  { path }: OpenFile,
  pages: readonly RootPage[],
  newest: Root | undefined,
): void {
  for (const page of pages) {
    const place = { path, offset: page.number * PAGE_BYTES, page: page.number };
    if (page.kind === 'damaged') report({ ...place, what: `this root is damaged: ${page.what}` });
    if (page.kind === 'unwritten' && newest !== undefined && newest.generation > 1) {
      report({ ...place, what: `root ${newest.generation - 1} should be here, and nothing was written` });
    }
    if (page.kind === 'root' && newest !== undefined && page.root.generation < newest.generation - 1) {
      const found = `root ${page.root.generation} is here instead of root ${newest.generation - 1}`;
      report({ ...place, what: `${found}: a write was lost` });
    }
  }
}

/** A store that was never closed has none, and a journal from the beginning. */
function reportNoRoot({ report }: StoreCheckOptions, { path }: OpenFile, { first }: JournalSummary): void {
  if (first === undefined || first === 1) return;
  report({ path, what: `no root can be used, and the journal begins at position ${first}` });
}

function checkJournalOf(options: StoreCheckOptions, roots: readonly Root[]): Promise<JournalSummary> {
  const marks = roots.map(({ mark }) => mark);
  const incarnation = roots[0]?.incarnation;
  return checkJournal({ ...options, folder: `${options.folder}/journal`, marks, incarnation });
}

async function checkRoot(options: StoreCheckOptions, file: OpenFile, root: Root): Promise<void> {
  const pages = new Pages(file, 0, 0);
  const progress = () => options.progress?.(PAGE_BYTES);
  await new StateCheck(pages, reporterOf(options, file, root), progress).root(root);
}

/** Findings of a walk as damage of the file; the place is not said twice. */
function reporterOf({ report }: StoreCheckOptions, { path }: OpenFile, { generation }: Root): ReportPage {
  return (page, finding) => {
    const offset = page * PAGE_BYTES;
    const what = `root ${generation}: ${finding.replace(`page ${page} of ${path} (offset ${offset}): `, '')}`;
    report({ path, offset, page, what });
  };
}

async function checkRunning(options: StoreCheckOptions, file: OpenFile): Promise<StoreCheckSummary> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const findings: Damage[] = [];
    const report = (damage: Damage) => {
      if (findings.length < FINDINGS_MAX) findings.push(damage);
    };
    const roots = soundRoots(await readRootPages(file)).slice(0, 1);
    for (const root of roots) await checkRoot({ ...options, report }, file, root);
    // Before the journal: what it lets go of is what neither root needs any more.
    const now = soundRoots(await readRootPages(file))[0];
    if (isOvertaken(roots[0], now)) continue;
    const journal = await checkJournalOf({ ...options, report }, roots);
    if (isOvertaken(roots[0], soundRoots(await readRootPages(file))[0])) continue;
    for (const damage of findings) options.report(damage);
    return summaryOf(file, roots, journal);
  }
  const what = `checkpoints came faster than the check, ${ATTEMPTS} times: stop the store to check it`;
  options.report({ path: file.path, what });
  return summaryOf(file, [], await checkJournalOf({ ...options, report: () => undefined }, []));
}

function isOvertaken(followed: Root | undefined, now: Root | undefined): boolean {
  return (now?.generation ?? 0) - (followed?.generation ?? 0) >= GENERATIONS_KEPT;
}
