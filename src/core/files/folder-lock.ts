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
 *   release: empty my file, keeping the number
 *
 * Why numbers: removing or replacing a stale lock file in place races. Two processes judge the same file
 * stale, the second removes what the first has just made, and both go on. A number, once used, never comes
 * back while a higher one is there, and the highest is never removed, so a late comer always finds out.
 *
 * Who lives and who does not is told in lock-holder.ts.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../errors.ts';
import { FilesError } from './errors.ts';
import type { FolderLock } from './files.ts';
import {
  giveLifeSign,
  type Holder,
  isAlive,
  type LifeSign,
  nameOf,
  readHolder,
  SOCKET_NAME,
  thisProcess,
} from './lock-holder.ts';

interface LockFile {
  readonly number: number;
  readonly name: string;
}

const LOCK_NAME = /^lock\.(\d{1,15})$/;

const DRAFT_NAME = /^lock-[\w-]+\.draft$/;

/** A late comer starts over; more often than this means that something else is wrong. */
const MAX_ATTEMPTS = 100;

/** @throws FilesError `locked` when a living process has it; a system error when the folder is missing */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const me = await thisProcess();
  await refuseWhileHeld(folder, me);
  const lifeSign = await giveLifeSign(folder);
  try {
    const number = await takeNumber(folder, { ...me, socket: lifeSign?.name });
    return { release: once(() => release(folder, number, lifeSign)) };
  } catch (error) {
    await lifeSign?.close();
    throw error;
  }
}

async function takeNumber(folder: string, me: Holder): Promise<number> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const mine = (await refuseWhileHeld(folder, me)) + 1;
    if (await claim(folder, mine, me)) return mine;
  }
  throw new FilesError(`${folder} could not be locked: other processes keep taking it`, undefined);
}

/** @returns the highest number so far */
async function refuseWhileHeld(folder: string, me: Holder): Promise<number> {
  const highest = (await lockFiles(folder)).at(-1);
  if (highest === undefined) return 0;
  await refuseIfAlive(folder, highest, me);
  return highest.number;
}

async function refuseIfAlive(folder: string, file: LockFile, me: Holder): Promise<void> {
  const holder = await readHolder(join(folder, file.name));
  if (holder.pid === undefined || !(await isAlive(folder, holder, me))) return;
  throw new FilesError(`${folder} is in use by ${nameOf(holder, me)}`, holder.pid);
}

/** @returns false when somebody else was faster */
async function claim(folder: string, number: number, me: Holder): Promise<boolean> {
  const target = join(folder, `lock.${number}`);
  const draft = draftName(folder);
  await fs.writeFile(draft, JSON.stringify(me), { flag: 'wx', mode: 0o600 });
  try {
    await fs.link(draft, target);
  } catch (error) {
    // ENOENT: who has just taken the folder has cleaned it up.
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') return false;
    throw error;
  } finally {
    await fs.rm(draft, { force: true });
  }
  const files = await lockFiles(folder);
  if (files.at(-1)?.number !== number) {
    await fs.rm(target, { force: true });
    return false;
  }
  await cleanUp(folder, files.slice(0, -1), me);
  return true;
}

/** Removes what earlier holders and other comers left. */
async function cleanUp(folder: string, lower: readonly LockFile[], me: Holder): Promise<void> {
  const extras = (await fs.readdir(folder)).filter((name) => {
    return DRAFT_NAME.test(name) || (SOCKET_NAME.test(name) && name !== me.socket);
  });
  for (const name of [...lower.map((file) => file.name), ...extras]) {
    await fs.rm(join(folder, name), { force: true });
  }
}

/** Emptying needs no space on the disk. */
async function release(folder: string, number: number, lifeSign: LifeSign | undefined): Promise<void> {
  await lifeSign?.close();
  try {
    await fs.truncate(join(folder, `lock.${number}`));
  } catch (error) {
    // The folder went away with everything in it, the lock included.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Unique also among processes that share the folder but not their process ids, as containers do. */
function draftName(folder: string): string {
  return join(folder, `lock-${randomUUID()}.draft`);
}

async function lockFiles(folder: string): Promise<LockFile[]> {
  const files: LockFile[] = [];
  for (const name of await fs.readdir(folder)) {
    const number = LOCK_NAME.exec(name)?.[1];
    if (number !== undefined) files.push({ number: Number(number), name });
  }
  return files.sort((a, b) => a.number - b.number);
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= run());
}
