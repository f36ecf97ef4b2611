/**
 * `octet check <folder>`: verifies everything in a data folder, or in the folder of one store, one journal or
 * one service's blobs. Prints a line for each finding, beginning with `!`.
 *
 * It takes the lock of each store and each blob folder while it looks at it, so a folder in use is refused;
 * with `--running` it looks without.
 */
import { checkBlobs } from '../core/blobs/check.ts';
import { type Damage, renderDamage } from '../core/files/damage.ts';
import { FilesError } from '../core/files/errors.ts';
import { lockSource } from '../core/files/lock-source.ts';
import { systemFiles } from '../core/files/system-files.ts';
import { checkJournal, type JournalSummary } from '../core/journal/check.ts';
import { checkStoreFolder } from '../core/store/check-folder.ts';
import { CliError, EXIT } from './exit.ts';
import { findStores, type Stored } from './find-stores.ts';
import { LongRun } from './long-run.ts';

export interface CheckFlags {
  readonly running?: boolean;
  readonly json?: boolean;
}

/** More lines about one store than this help nobody; the others are counted. */
const FINDINGS_MAX = 1_000;

interface Checked {
  readonly name: string;
  readonly kind: Stored['kind'];
  /** Of how much was looked at, for people. */
  readonly extent: string;
  readonly findings: readonly Damage[];
  /** Findings beyond those. */
  readonly more: number;
  /** What is no damage and worth knowing. */
  readonly notes: readonly string[];
}

/** @returns 0 when everything is sound, 1 when something is damaged */
export async function check(folder: string, flags: CheckFlags): Promise<number> {
  const stored = await findStores(systemFiles, 'check', folder);
  const run = new LongRun();
  const all: Checked[] = [];
  for (const one of stored) {
    run.begin(`checking ${one.name}`);
    const checked = await checkOne(one, flags.running === true, run);
    run.clear();
    all.push(checked);
    if (flags.json !== true) process.stdout.write(render(checked));
  }
  const isSound = all.every(({ findings }) => findings.length === 0);
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ schemaVersion: 1, folder, isSound, checked: all }, null, 2)}\n`);
  }
  return isSound ? EXIT.ok : EXIT.failed;
}

async function checkOne(one: Stored, isRunning: boolean, run: LongRun): Promise<Checked> {
  const findings: Damage[] = [];
  let more = 0;
  const report = (damage: Damage) => {
    if (findings.length < FINDINGS_MAX) findings.push(damage);
    else more += 1;
  };
  const { kind, name, folder } = one;
  const job = { files: systemFiles, folder, isRunning, report, progress: (bytes: number) => run.add(bytes) };
  const { extent, notes } = await checks[kind](job).catch(explainLock);
  return { name, kind, extent, findings, more, notes };
}

/** @throws what was thrown; of a folder in use, with what can be done */
function explainLock(error: unknown): never {
  if (!(error instanceof FilesError)) throw error;
  const hint = 'stop that process, or look without the lock: octet check --running';
  throw new CliError(EXIT.locked, `check: ${error.message}`, hint);
}

interface Job {
  readonly files: typeof systemFiles;
  readonly folder: string;
  readonly isRunning: boolean;
  readonly report: (damage: Damage) => void;
  readonly progress: (bytes: number) => void;
}

type Outcome = Pick<Checked, 'extent' | 'notes'>;

const checks: Readonly<Record<Stored['kind'], (job: Job) => Promise<Outcome>>> = {
  async store(job) {
    const { roots, filePages, journal } = await checkStoreFolder(job);
    const followed = roots.length === 0 ? 'no root' : `roots ${roots.join(' and ')}`;
    const extent = `${followed}, ${filePages} pages, ${extentOf(journal)}`;
    return { extent, notes: notesOf(journal) };
  },
  async journal(job) {
    const journal = await locked(job, () => checkJournal(job));
    return { extent: extentOf(journal), notes: notesOf(journal) };
  },
  async blobs(job) {
    const { blobs, bytes, drafts } = await locked(job, () => checkBlobs(job));
    const notes = drafts === 0 ? [] : [`${drafts} unfinished blobs, which the next start removes`];
    return { extent: `${blobs} blobs of ${bytes} bytes`, notes };
  },
};

async function locked<Result>(job: Job, look: () => Promise<Result>): Promise<Result> {
  if (job.isRunning) return look();
  const lock = await lockSource(job.files, job.folder);
  try {
    return await look();
  } finally {
    await lock?.release();
  }
}

function extentOf({ batches, segments, last }: JournalSummary): string {
  const end = last === undefined ? '' : ` up to position ${last.position}`;
  return `${batches} batches in ${segments} segments of the journal${end}`;
}

function notesOf({ unfinished }: JournalSummary): string[] {
  if (unfinished === undefined) return [];
  return [`an append did not come to its end, and is cut off by the next start: ${renderDamage(unfinished)}`];
}

function render({ name, extent, findings, more, notes }: Checked): string {
  const lines = [`${name}: ${findings.length === 0 ? 'sound' : 'DAMAGED'} (${extent})`];
  for (const finding of findings) lines.push(`! ${renderDamage(finding)}`);
  if (more > 0) lines.push(`! and ${more} more`);
  for (const note of notes) lines.push(`  ${note}`);
  return `${lines.join('\n')}\n`;
}
