/**
 * Who holds a folder, and whether they still live.
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

/** Who holds a folder; all undefined once released. */
export interface Holder {
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
export interface LifeSign {
  readonly name: string;
  close(): Promise<void>;
}

export const SOCKET_NAME = /^lock-\w+\.sock$/;

/** A socket's path must fit into `sun_path`, 104 bytes on some systems. */
const MAX_SOCKET_PATH_BYTES = 100;

/** An unreadable record is one that a power cut spoiled: its writer is gone. */
export async function readHolder(path: string): Promise<Holder> {
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
  if (socket !== undefined && !SOCKET_NAME.test(String(socket))) return false;
  return typeof value.pid === 'number';
}

export async function thisProcess(): Promise<Holder> {
  const { pid } = process;
  const started = (await statOf(pid))?.started;
  return { pid, started, boot: await bootId(), namespace: await pidNamespace() };
}

export async function isAlive(folder: string, holder: Holder, me: Holder): Promise<boolean> {
  if (holder.boot !== undefined && me.boot !== undefined && holder.boot !== me.boot) return false;
  if (holder.namespace !== me.namespace) {
    return holder.socket !== undefined && isAnswered(join(folder, holder.socket));
  }
  if (holder.pid === undefined || !processExists(holder.pid)) return false;
  const stat = await statOf(holder.pid);
  if (stat === undefined) return true;
  return !stat.ended && (holder.started === undefined || stat.started === holder.started);
}

/** Only where processes may be hidden from each other, and the file system can. */
export async function giveLifeSign(folder: string): Promise<LifeSign | undefined> {
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

/**
 * From /proc/<pid>/stat, undefined where there is none: fields 3, the state, and 22, the start time. The command
 * in parentheses may hold spaces and parentheses itself: fields are counted after the last one.
 */
async function statOf(pid: number): Promise<{ ended: boolean; started: string | undefined } | undefined> {
  const stat = await readText(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Z: ended, and not yet waited for by its parent. X: being removed.
  return { ended: fields[0] === 'Z' || fields[0] === 'X', started: fields[19] };
}

/** Who it is, for a message to `me`. */
export function nameOf(holder: Holder, me: Holder): string {
  if (holder.namespace !== me.namespace) return `a process of another container (pid ${holder.pid} there)`;
  return `${holder.pid === me.pid ? 'this process' : 'another process'} (pid ${holder.pid})`;
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
