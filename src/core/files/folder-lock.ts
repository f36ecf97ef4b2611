/**
 * Takes a folder for one process, without the kernel's file locks, which Node does not offer.
 *
 * The lock is a row of numbered files. The one with the highest number tells who has the folder, or that
 * nobody has:
 *
 *   lock.6   {"pid":811,"started":"52713","boot":"…"}   ← holder killed: nobody removed it
 *   lock.7   {"pid":902,"started":"90412","boot":"…"}   ← the present holder
 *
 *   take:    read the highest; if its process lives, refuse
 *            write mine whole under a name of my own; link() it to highest + 1: exactly one can
 *            list again: a higher one than mine means that I came late; withdraw and start over
 *            remove the lower ones
 *   release: replace my file by an empty record {}, keeping the number
 *
 * Why numbers: removing or replacing a stale lock file in place races. Two processes judge the same file
 * stale, the second removes what the first has just made, and both go on. A number, once used, never comes
 * back while a higher one is there, and the highest is never removed, so a late comer always finds out.
 *
 * A process is told from a later one with the same pid by its start time, and from one before a restart of
 * the machine by the kernel's boot id (both from /proc; elsewhere the pid alone decides).
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../errors.ts';
import { FilesError } from './errors.ts';
import type { FolderLock } from './files.ts';

/** Who holds a folder; all undefined once released. */
interface Holder {
  readonly pid?: number;
  /** Clock ticks between the machine's start and the process's; field 22 of /proc/<pid>/stat. */
  readonly started?: string | undefined;
  readonly boot?: string | undefined;
}

interface LockFile {
  readonly number: number;
  readonly name: string;
}

const LOCK_NAME = /^lock\.(\d{1,15})$/;

/** A late comer starts over; more often than this means that something else is wrong. */
const MAX_ATTEMPTS = 100;

/** @throws FilesError `locked` when a living process has it; a system error when the folder is missing */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const me = await thisProcess();
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const highest = (await lockFiles(folder)).at(-1);
    if (highest !== undefined) await refuseIfAlive(folder, highest, me);
    const mine = (highest?.number ?? 0) + 1;
    if (await claim(folder, mine, me)) return { release: once(() => release(folder, mine)) };
  }
  throw new FilesError(`${folder} could not be locked: other processes keep taking it`, undefined);
}

async function refuseIfAlive(folder: string, file: LockFile, me: Holder): Promise<void> {
  const holder = await readHolder(join(folder, file.name));
  if (holder.pid === undefined || !(await isAlive(holder, me))) return;
  const who = holder.pid === process.pid ? 'this process' : 'another process';
  throw new FilesError(`${folder} is in use by ${who} (pid ${holder.pid})`, holder.pid);
}

/** @returns false when somebody else was faster */
async function claim(folder: string, number: number, me: Holder): Promise<boolean> {
  const target = join(folder, `lock.${number}`);
  const draft = draftName(folder);
  await fs.writeFile(draft, JSON.stringify(me), { flag: 'wx', mode: 0o600 });
  try {
    await fs.link(draft, target);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await fs.unlink(draft);
  }
  const files = await lockFiles(folder);
  if (files.at(-1)?.number !== number) {
    await fs.rm(target, { force: true });
    return false;
  }
  for (const file of files.slice(0, -1)) await fs.rm(join(folder, file.name), { force: true });
  return true;
}

async function release(folder: string, number: number): Promise<void> {
  const draft = draftName(folder);
  try {
    await fs.writeFile(draft, '{}', { flag: 'wx', mode: 0o600 });
    await fs.rename(draft, join(folder, `lock.${number}`));
  } catch (error) {
    // The folder went away with everything in it, the lock included.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Unique also among processes that share the folder but not their process ids, as containers do. */
function draftName(folder: string): string {
  return join(folder, `lock-draft.${randomUUID()}`);
}

async function lockFiles(folder: string): Promise<LockFile[]> {
  const files: LockFile[] = [];
  for (const name of await fs.readdir(folder)) {
    const number = LOCK_NAME.exec(name)?.[1];
    if (number !== undefined) files.push({ number: Number(number), name });
  }
  return files.sort((a, b) => a.number - b.number);
}

/** An unreadable record is one that a power cut spoiled: its writer is gone. */
async function readHolder(path: string): Promise<Holder> {
  try {
    const parsed: unknown = JSON.parse(await fs.readFile(path, 'utf8'));
    return isHolder(parsed) ? parsed : {};
  } catch (error) {
    if (error instanceof SyntaxError || codeOf(error) === 'ENOENT') return {};
    throw error;
  }
}

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null && 'pid' in value && typeof value.pid === 'number';
}

async function thisProcess(): Promise<Holder> {
  return { pid: process.pid, started: await startOf(process.pid), boot: await bootId() };
}

async function isAlive(holder: Holder, me: Holder): Promise<boolean> {
  if (holder.boot !== undefined && me.boot !== undefined && holder.boot !== me.boot) return false;
  if (holder.pid === undefined || !processExists(holder.pid)) return false;
  const started = await startOf(holder.pid);
  return started === undefined || holder.started === undefined || started === holder.started;
}

/** Signal 0 only asks. EPERM: it exists, and belongs to somebody else. */
function processExists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The command in parentheses may hold spaces and parentheses itself: count fields after the last one. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

async function bootId(): Promise<string | undefined> {
  return (await readText('/proc/sys/kernel/random/boot_id'))?.trim();
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= run());
}
