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
 * A process is told from a later one with the same pid by its start time, and from one before a restart of
 * the machine by the kernel's boot id (both from /proc; elsewhere the pid alone decides).
 *
 * Containers that share the folder do not see each other's processes: their pids mean nothing to one another.
 * There the kernel is asked in another way: a holder listens on a socket in the folder, and whether a connection
 * is accepted tells whether it lives. Where the file system has no sockets, such a lock counts as left behind.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { connect, createServer } from 'node:net';
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
  /** The process-id namespace, `pid:[4026531836]`: pids of another one say nothing. */
  readonly namespace?: string | undefined;
  /** The name of the socket in the folder. */
  readonly socket?: string | undefined;
}

/** A socket that is answered for as long as this process lives. */
interface LifeSign {
  readonly name: string;
  close(): Promise<void>;
}

interface LockFile {
  readonly number: number;
  readonly name: string;
}

const LOCK_NAME = /^lock\.(\d{1,15})$/;

/** Everything but the numbered files: drafts and sockets, of the present holder or left behind. */
const EXTRA_NAME = /^lock-[\w-]+\.(draft|sock)$/;

/** A socket's path must fit into `sun_path`, 104 bytes on some systems. */
const MAX_SOCKET_PATH_BYTES = 100;

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
  const extras = (await fs.readdir(folder)).filter((name) => EXTRA_NAME.test(name) && name !== me.socket);
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
  if (typeof value !== 'object' || value === null || !('pid' in value)) return false;
  const socket = 'socket' in value ? value.socket : undefined;
  if (socket !== undefined && !EXTRA_NAME.test(String(socket))) return false;
  return typeof value.pid === 'number';
}

async function thisProcess(): Promise<Holder> {
  const { pid } = process;
  return { pid, started: await startOf(pid), boot: await bootId(), namespace: await pidNamespace() };
}

async function isAlive(folder: string, holder: Holder, me: Holder): Promise<boolean> {
  if (holder.boot !== undefined && me.boot !== undefined && holder.boot !== me.boot) return false;
  if (holder.namespace !== me.namespace) {
    return holder.socket !== undefined && isAnswered(join(folder, holder.socket));
  }
  if (holder.pid === undefined || !processExists(holder.pid)) return false;
  const started = await startOf(holder.pid);
  return started === undefined || holder.started === undefined || started === holder.started;
}

/** Only where processes may be hidden from each other, and the file system can. */
async function giveLifeSign(folder: string): Promise<LifeSign | undefined> {
  const name = `lock-${randomUUID().slice(0, 8)}.sock`;
  const path = join(folder, name);
  if (process.platform !== 'linux' || Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) return undefined;
  const server = createServer((socket) => socket.destroy()).unref();
  const { promise, resolve } = Promise.withResolvers<LifeSign | undefined>();
  server.once('error', () => resolve(undefined));
  server.listen(path, () => {
    resolve({ name, close: () => new Promise((closed) => void server.close(() => closed())) });
  });
  return promise;
}

/** Nobody there: ECONNREFUSED, or ENOENT. Any other failure may be the fault of the asking. */
function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(path, () => {
    socket.destroy();
    resolve(true);
  });
  socket.on('error', (error) => {
    const code = codeOf(error) ?? '';
    resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'ENOTSOCK');
  });
  return promise;
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

async function pidNamespace(): Promise<string | undefined> {
  return fs.readlink('/proc/self/ns/pid').catch(() => undefined);
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
