/**
 * `octet salvage <folder> --to <new folder>`: makes a new data folder of whatever can be read of a damaged one,
 * store by store and blob by blob, and prints an account of what is in it and what is not.
 *
 * The new folder gets its name only when everything has been written: until then it is called
 * `<new folder>.unfinished`, and what an interrupted salvage leaves is never mistaken for a result. In the old folder nothing is changed but
 * the lock, which is taken meanwhile.
 */
import path from 'node:path';
import { type BlobsSalvaged, salvageBlobs } from '../core/blobs/salvage.ts';
import { type Damage, renderDamage } from '../core/files/damage.ts';
import type { Files } from '../core/files/files.ts';
import { systemFiles } from '../core/files/system-files.ts';
import { systemRandom } from '../core/random/system-random.ts';
import { salvageStore } from '../core/store/salvage.ts';
import { renderLoss, renderSalvage, type SalvageAccount } from '../core/store/salvage-account.ts';
import { systemClock } from '../core/time/system-clock.ts';
import { CliError, EXIT } from './exit.ts';
import { findStores, type Stored } from './find-stores.ts';
import { LongRun } from './long-run.ts';

export interface SalvageFlags {
  readonly to: string;
  readonly skipDamaged?: boolean;
  readonly json?: boolean;
}

/** More lines about one folder of blobs than this help nobody; the others are counted. */
const LISTED_MAX = 1_000;

type Result =
  | { readonly kind: 'store'; readonly name: string; readonly account: SalvageAccount }
  | {
      readonly kind: 'blobs';
      readonly name: string;
      readonly blobs: BlobsSalvaged;
      readonly damages: readonly Damage[];
    };

/** @returns 0 when everything was brought back, 1 when anything is lost or may be */
export async function salvage(folder: string, flags: SalvageFlags): Promise<number> {
  const files = systemFiles;
  const stored = await findStores(files, 'salvage', folder);
  refuseJournals(stored);
  const draft = await beginTarget(files, folder, flags.to);
  const results: Result[] = [];
  try {
    for (const one of stored) results.push(await salvageOne(files, one, path.join(draft, one.name), flags));
    await finishTarget(files, draft, flags.to);
  } catch (error) {
    await files.removeFolder(draft);
    throw error;
  }
  const isComplete = results.every(isWhole);
  process.stdout.write(
    flags.json === true
      ? asJson(folder, flags.to, isComplete, results)
      : asText(flags.to, isComplete, results),
  );
  return isComplete ? EXIT.ok : EXIT.failed;
}

/** Without its store a journal is no data. */
function refuseJournals(stored: readonly Stored[]): void {
  const alone = stored.find(({ kind }) => kind === 'journal');
  if (alone === undefined) return;
  const what = `salvage: ${alone.folder} is a journal alone`;
  throw new CliError(EXIT.usage, what, 'name the folder of its store');
}

/** @returns the folder to write to for now */
async function beginTarget(files: Files, folder: string, to: string): Promise<string> {
  const target = path.resolve(to);
  if (`${target}${path.sep}`.startsWith(`${path.resolve(folder)}${path.sep}`)) {
    throw new CliError(EXIT.usage, `salvage: ${to} lies in the damaged folder`, 'name another place');
  }
  const draft = `${target}.unfinished`;
  if ((await files.stat(target)) !== undefined) {
    throw new CliError(EXIT.usage, `salvage: ${to} is there already`, 'name a folder that does not exist');
  }
  if ((await files.stat(draft)) !== undefined) {
    throw new CliError(EXIT.usage, `salvage: ${draft} is there from an earlier salvage`, 'remove it first');
  }
  await files.makeFolder(draft);
  return draft;
}

async function finishTarget(files: Files, draft: string, to: string): Promise<void> {
  const target = path.resolve(to);
  await files.rename(draft, target);
  await files.syncFolder(path.dirname(target));
}

async function salvageOne(
  files: Files,
  { kind, name, folder }: Stored,
  target: string,
  flags: SalvageFlags,
): Promise<Result> {
  const run = new LongRun();
  run.begin(`reading ${name}`);
  const progress = (bytes: number) => run.add(bytes);
  try {
    if (kind === 'blobs') return await salvageBlobsOf(files, name, folder, target, progress);
    return await salvageStoreOf(files, name, folder, target, flags, progress);
  } finally {
    run.clear();
  }
}

async function salvageStoreOf(
  files: Files,
  name: string,
  source: string,
  target: string,
  flags: SalvageFlags,
  progress: (bytes: number) => void,
): Promise<Result> {
  const account = await salvageStore({
    files,
    source,
    target,
    clock: systemClock,
    random: systemRandom,
    skipsDamagedBatches: flags.skipDamaged === true,
    progress,
  });
  return { kind: 'store', name, account };
}

async function salvageBlobsOf(
  files: Files,
  name: string,
  source: string,
  target: string,
  progress: (bytes: number) => void,
): Promise<Result> {
  const damages: Damage[] = [];
  const report = (damage: Damage) => {
    if (damages.length < LISTED_MAX) damages.push(damage);
  };
  const blobs = await salvageBlobs({ files, source, target, report, progress });
  return { kind: 'blobs', name, blobs, damages };
}

function isWhole(result: Result): boolean {
  return result.kind === 'store' ? result.account.isComplete : result.blobs.lost === 0;
}

function asText(to: string, isComplete: boolean, results: readonly Result[]): string {
  const end = isComplete
    ? `${to}: complete`
    : `${to}: NOT COMPLETE, the lines with ! say what is lost or in doubt`;
  return `${[...results.map(renderResult), end].join('\n')}\n`;
}

function renderResult(result: Result): string {
  const state = isWhole(result) ? 'complete' : 'NOT COMPLETE';
  if (result.kind === 'store') return `${result.name}: ${state}\n${renderSalvage(result.account)}`;
  const { copied, bytes, lost, drafts } = result.blobs;
  const lines = [`${result.name}: ${state}`, `  ${copied} blobs of ${bytes} bytes copied`];
  if (drafts > 0) lines.push(`  ${drafts} unfinished blobs left out`);
  if (lost > 0) lines.push(`! ${lost} blobs are lost`);
  for (const damage of result.damages) lines.push(`! ${renderDamage(damage)}`);
  return lines.join('\n');
}

function asJson(folder: string, to: string, isComplete: boolean, results: readonly Result[]): string {
  const parts = results.map((result) =>
    result.kind === 'blobs' ? result : { ...result, account: accountAsJson(result.account) },
  );
  return `${JSON.stringify({ schemaVersion: 1, folder, to, isComplete, parts }, null, 2)}\n`;
}

/** Keys are bytes: in hexadecimal. */
function accountAsJson(account: SalvageAccount): object {
  const losses = account.losses.map((loss) => ({ ...hexOf(loss), text: renderLoss(loss) }));
  return { ...account, losses };
}

function hexOf(loss: SalvageAccount['losses'][number]): object {
  if (loss.kind === 'value') return { ...loss, key: loss.key.toString('hex') };
  if (!('range' in loss)) return loss;
  const { from, to } = loss.range;
  return { ...loss, range: { from: from?.toString('hex'), to: to?.toString('hex') } };
}
