/**
 * Makes a new, sound store of whatever can be read of a damaged one. The source is only read.
 *
 *   1. roots      the newest that can be read is the base; the other one fills in
 *   2. journal    read once, to see how far back it reaches without a hole (salvage-journal.ts)
 *   3. pages      every leaf of the base goes into the new store; where a page is damaged, the same range of
 *                 keys of the older root; where that is damaged too, whole leaves that hang on nothing any more
 *                 (salvage-scan.ts)
 *   4. journal    applied from the base's position on, or from further back, when the older root was needed
 *
 * When the journal has no hole from the older root to its end, the two make every range of keys complete that
 * either root can read; when it has its very beginning, pages do not matter at all. Otherwise the account names
 * what is missing or may be out of date. Memory: one path down a tree, one commit and one batch, whatever the
 * size of the data; two bits for each page of the file.
 *
 * The new store has a new journal. Until `salvageStore` has returned it is not to be used: the caller gives it
 * its name only then.
 */
import { codeOf } from '../errors.ts';
import { type Damage, renderDamage } from '../files/damage.ts';
import type { Files, OpenFile } from '../files/files.ts';
import { lockSource } from '../files/lock-source.ts';
import type { Random } from '../random/random.ts';
import type { Clock } from '../time/clock.ts';
import { describeStore } from './describe.ts';
import { StoreError } from './errors.ts';
import { PAGE_BYTES } from './limits.ts';
import { decodeRecord } from './record.ts';
import type { Root } from './root.ts';
import { type RootPage, readRootPages, soundRoots } from './root-pages.ts';
import { Ledger, type SalvageAccount } from './salvage-account.ts';
import { batchesOf, type JournalPlan, planJournal, type Run } from './salvage-journal.ts';
import { Output } from './salvage-output.ts';
import { PageSalvage } from './salvage-pages.ts';
import { findCatalog } from './salvage-scan.ts';
import { openStore } from './store.ts';
import type { Store } from './types.ts';

export interface SalvageOptions {
  readonly files: Files;
  /** The folder of the damaged store; its lock is taken unless nothing can be written there. */
  readonly source: string;
  /** The folder of the new store: missing or empty. */
  readonly target: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Goes on behind damaged batches of the journal. Default false: what follows them may rest on them. */
  readonly skipsDamagedBatches?: boolean;
  /** Told of every so many bytes read. */
  readonly progress?: (bytes: number) => void;
}

/**
 * @throws FilesError `locked`; StoreError `newer-format`, or what the new store refuses; a system error when the
 *   new store cannot be written
 */
export async function salvageStore(options: SalvageOptions): Promise<SalvageAccount> {
  const { files, source, target } = options;
  await using opened = new AsyncDisposableStack();
  opened.adopt(await lockSource(files, source), (lock) => lock?.release());
  const file = opened.adopt(await openPages(files, source), (open) => open?.close());
  const store = await openStore({ ...options, folder: target });
  let salvaged: Salvaged;
  try {
    salvaged = await salvageInto(store, options, file);
  } finally {
    await store.close();
  }
  const { trees } = await describeStore(files, target);
  return salvaged.ledger.account(
    salvaged.base,
    trees.map(({ name, keys }) => ({ name, keys })),
    salvaged.batches,
  );
}

async function openPages(files: Files, folder: string): Promise<OpenFile | undefined> {
  try {
    return await files.open(`${folder}/pages`, 'read');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** How much of the journal makes up for what the pages have lost. */
type Reach =
  /** All of it from the first commit on: pages do not matter. */
  | 'everything'
  /** From the older root on: what was taken from it becomes complete. */
  | 'older'
  /** From the base on, or not even that. */
  | 'base';

function reachOf([base, older]: readonly Root[], { runs, continuing }: JournalPlan): Reach {
  const run = base === undefined ? runs[0] : continuing.get(base.generation);
  if (run === undefined) return 'base';
  if (run.from === 1) return 'everything';
  return older !== undefined && continuing.get(older.generation) === run ? 'older' : 'base';
}

interface Salvaged {
  readonly ledger: Ledger;
  readonly base: string;
  readonly batches: number;
}

/** Everything that one salvage has found out about its source. */
interface Findings {
  readonly file: OpenFile | undefined;
  readonly rootPages: readonly RootPage[];
  /** Newest first. */
  readonly roots: readonly Root[];
  readonly plan: JournalPlan;
  readonly reach: Reach;
}

async function look(options: SalvageOptions, file: OpenFile | undefined): Promise<Findings> {
  const rootPages = file === undefined ? [] : await readRootPages(file);
  const roots = soundRoots(rootPages);
  const progress = options.progress ?? (() => undefined);
  const plan = await planJournal(options.files, `${options.source}/journal`, roots, progress);
  return { file, rootPages, roots, plan, reach: reachOf(roots, plan) };
}

async function salvageInto(
  store: Store,
  options: SalvageOptions,
  file: OpenFile | undefined,
): Promise<Salvaged> {
  const found = await look(options, file);
  const ledger = new Ledger();
  const out = new Output(store);
  reportRoots(found, ledger);
  const start = await salvagePages(found, options, ledger, out);
  const batches = await applyJournal(found, start, options, ledger, out);
  return { ledger, base: start.base, batches };
}

function reportRoots({ file, rootPages }: Findings, ledger: Ledger): void {
  for (const page of rootPages) {
    if (page.kind !== 'damaged' || file === undefined) continue;
    const { number, what } = page;
    ledger.makeGood({ path: file.path, page: number, offset: number * PAGE_BYTES, what: `root: ${what}` });
  }
}

/** Where the journal is to be taken up. */
interface Start {
  /** In words. */
  readonly base: string;
  /** The last position that the pages include, as far as it is known; else the one before the journal. */
  readonly position: number;
  /** Something was missing in the pages: the journal is applied from as far back as it is whole. */
  readonly needsAll: boolean;
}

async function salvagePages(
  found: Findings,
  options: SalvageOptions,
  ledger: Ledger,
  out: Output,
): Promise<Start> {
  const { file, roots, reach } = found;
  const [base, older] = roots;
  if (reach === 'everything')
    return { base: 'the journal alone, which is whole', position: 0, needsAll: true };
  if (file === undefined) return startWithout('there is no page file', found, ledger);
  if (base === undefined) return salvageByScan(found, options, file, ledger, out);
  const salvage = new PageSalvage({
    file,
    base,
    older,
    isOlderEnough: reach === 'older',
    ledger,
    out,
    progress: options.progress ?? (() => undefined),
  });
  await salvage.run();
  const { generation, mark } = base;
  const words = `root ${generation} (position ${mark.position})`;
  return { base: words, position: mark.position, needsAll: salvage.isIncomplete };
}

function startWithout(what: string, { plan }: Findings, ledger: Ledger): Start {
  const first = plan.runs[0]?.from;
  const rest =
    first === undefined ? 'there is nothing in the journal' : `the journal begins at position ${first}`;
  ledger.lose({ kind: 'doubt', what: `${what}, and ${rest}: everything before is lost` });
  return { base: what, position: (first ?? 1) - 1, needsAll: true };
}

/** Without roots: the trees of the newest catalog that is still whole, if it can be told from others. */
async function salvageByScan(
  found: Findings,
  options: SalvageOptions,
  file: OpenFile,
  ledger: Ledger,
  out: Output,
): Promise<Start> {
  const { newest, isSure } = findCatalog(file, options.progress);
  if (newest === undefined) return startWithout('neither root nor catalog can be read', found, ledger);
  ledger.lose({ kind: 'doubt', what: doubtOf(newest.number, !isSure) });
  const salvage = new PageSalvage({
    file,
    base: { catalog: newest },
    older: undefined,
    isOlderEnough: false,
    ledger,
    out,
    progress: options.progress ?? (() => undefined),
  });
  await salvage.run();
  const words = `the catalog on page ${newest.number}, found without a root`;
  return { base: words, position: (found.plan.runs[0]?.from ?? 1) - 1, needsAll: true };
}

function doubtOf(page: number, isAmbiguous: boolean): string {
  const doubt = `no root can be read: the trees are those of the catalog on page ${page}, of an unknown position`;
  const rest = 'what was committed after it and is no longer in the journal is missing or out of date';
  const others = isAmbiguous ? '; there are others, and nothing tells which is the newest' : '';
  return `${doubt}; ${rest}${others}`;
}

/**
 * Applies the journal from where the pages end, or from further back.
 * @returns how many batches
 */
async function applyJournal(
  found: Findings,
  start: Start,
  options: SalvageOptions,
  ledger: Ledger,
  out: Output,
): Promise<number> {
  const { roots, plan } = found;
  const wanted = plan.isForeign ? [] : runsToApply(found, start, options.skipsDamagedBatches === true);
  const folder = `${options.source}/journal`;
  const wants = (position: number) => wanted.some(({ from, to }) => position >= from && position <= to);
  let applied = 0;
  for await (const batch of batchesOf(options.files, folder, roots, wants)) {
    applied += 1;
    for (const record of batch.kind === 'data' ? batch.records : []) {
      await applyRecord(record, batch.position, ledger, out);
    }
  }
  await out.flush();
  reportJournal(found, start, wanted, folder, ledger);
  return applied;
}

interface AppliedRun extends Run {
  /** It is known to follow what was there before. */
  readonly isProven: boolean;
}

/** The parts of the journal to apply, in order. */
function runsToApply({ roots, plan }: Findings, start: Start, skips: boolean): AppliedRun[] {
  const base = roots[0];
  const first = base === undefined ? plan.runs[0] : plan.continuing.get(base.generation);
  const wanted: AppliedRun[] = [];
  if (first !== undefined) {
    const from = start.needsAll ? first.from : Math.max(first.from, start.position + 1);
    wanted.push({ from, to: first.to, isProven: true });
  }
  const end = first?.to ?? start.position;
  if (!skips) return wanted;
  const later = plan.runs.filter(({ from }) => from > end);
  return [...wanted, ...later.map((run) => ({ ...run, isProven: false }))];
}

async function applyRecord(record: Uint8Array, position: number, ledger: Ledger, out: Output): Promise<void> {
  try {
    for (const change of decodeRecord(record)) {
      if (change.kind !== 'delete-range') ledger.settle(change.tree, change.key);
      await out.apply(change);
    }
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'corrupt') throw error;
    ledger.lose({ kind: 'batches', from: position, to: position, what: error.message });
  }
}

/** Says which batches are missing, and why. */
function reportJournal(
  { roots, plan }: Findings,
  start: Start,
  applied: readonly AppliedRun[],
  folder: string,
  ledger: Ledger,
): void {
  if (plan.isForeign) {
    const what = 'the journal is that of another store';
    ledger.lose({ kind: 'batches', from: start.position + 1, to: undefined, what });
    return;
  }
  const end = reportGaps(plan, start, applied, ledger);
  const mark = roots[0]?.mark.position ?? 0;
  if (plan.last < mark) {
    const what = `${folder} ends at position ${plan.last}, before the root`;
    ledger.lose({ kind: 'batches', from: mark + 1, to: undefined, what });
  }
  for (const damage of plan.damages) if ((damage.position ?? 0) <= end) ledger.makeGood(damage);
  const behind = plan.damages.find(({ position }) => (position ?? 0) > Math.max(end, plan.last));
  if (behind !== undefined) {
    const from = Math.max(end, plan.last) + 1;
    ledger.lose({ kind: 'batches', from, to: undefined, what: renderDamage(behind) });
  }
  if (plan.unfinished !== undefined) loseEnd(plan.unfinished, ledger);
}

/** The positions between and behind what was applied. @returns the last one that is included */
function reportGaps(plan: JournalPlan, start: Start, applied: readonly AppliedRun[], ledger: Ledger): number {
  let end = start.position;
  for (const run of applied) {
    if (run.from > end + 1) loseBatches(plan, end + 1, run.from - 1, ledger);
    else if (!run.isProven) {
      const what = `positions from ${run.from} on were applied, and nothing proves that they follow`;
      ledger.lose({ kind: 'doubt', what: `the journal: ${what} position ${run.from - 1}` });
    }
    end = Math.max(end, run.to);
  }
  if (plan.last > end) loseBatches(plan, end + 1, plan.last, ledger);
  return end;
}

function loseBatches(plan: JournalPlan, from: number, to: number, ledger: Ledger): void {
  const damage = plan.damages.find(
    ({ position }) => position !== undefined && position >= from && position <= to,
  );
  const what = damage === undefined ? 'what comes before is damaged' : renderDamage(damage);
  ledger.lose({ kind: 'batches', from, to, what });
}

/** An append that was cut short was never acknowledged, but nobody can tell it from a damaged batch. */
function loseEnd(damage: Damage, ledger: Ledger): void {
  const from = damage.position ?? 0;
  const what = `an append that did not come to its end, or damage: ${renderDamage(damage)}`;
  ledger.lose({ kind: 'batches', from, to: undefined, what });
}
