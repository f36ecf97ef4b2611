/**
 * Files of the machine. `readSync` and `writeSync` are many times cheaper than the way through the thread pool for
 * what the operating system has in its cache.
 */
import { fdatasync, fdatasyncSync, ftruncate, read, readSync, type Stats, write, writeSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { codeOf } from '../errors.ts';
import { turn } from '../time/turn.ts';
import type { FileInfo, Files, OpenFile, OpenMode, Written } from './files.ts';
import { lockFolder } from './folder-lock.ts';
import { SyncPace } from './sync-pace.ts';

const { O_CREAT, O_EXCL, O_NONBLOCK = 0, O_RDONLY, O_RDWR } = fs.constants;

const FLAGS: Readonly<Record<OpenMode, number>> = {
  // A pipe would keep a thread until somebody writes into it; for a file O_NONBLOCK means nothing.
  read: O_RDONLY | O_NONBLOCK,
  write: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
  open: O_RDWR | O_CREAT,
};

/** Only the owner may read what the services keep. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** The machine's own, for the whole process: what is learned of the disk's pace is of use to all who write to it. */
export const systemFiles: Files = createSystemFiles();

/** @param pace what is known of the disk already */
export function createSystemFiles(pace: SyncPace = new SyncPace()): Files {
  return {
    open: (path, mode) => open(path, mode, pace),
    stat,
    realPath,
    list,
    makeFolder,
    rename: (from, to) => fs.rename(from, to),
    remove,
    removeFolder: (path) => fs.rm(path, { recursive: true, force: true }),
    syncFolder,
    lock: lockFolder,
  };
}

async function open(path: string, mode: OpenMode, pace: SyncPace): Promise<OpenFile> {
  const handle = await fs.open(path, FLAGS[mode], FILE_MODE);
  try {
    const info = infoOf(await handle.stat());
    if (info.isFolder) throw Object.assign(new Error(`EISDIR: open '${path}'`), { code: 'EISDIR' });
    return new SystemOpenFile(path, handle, info, pace);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function stat(path: string): Promise<FileInfo | undefined> {
  try {
    return infoOf(await fs.stat(path));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function realPath(path: string): Promise<string | undefined> {
  try {
    const real = await fs.realpath(path);
    return process.platform === 'win32' ? real.replaceAll('\\', '/') : real;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await fs.readdir(folder)).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function makeFolder(path: string): Promise<void> {
  const whole = resolve(path);
  const first = await fs.mkdir(whole, { recursive: true, mode: FOLDER_MODE });
  if (first === undefined) return syncIfPermitted(dirname(whole));
  for (let folder = dirname(whole); folder.length > dirname(first).length; folder = dirname(folder)) {
    await syncFolder(folder);
  }
  await syncFolder(dirname(first));
}

async function remove(path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows has no handle on a folder to sync; NTFS journals its names by itself.
  if (process.platform === 'win32') return;
  const handle = await fs.open(folder, O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** For a folder that was there before: its name is durable, unless the process that made it was killed then. */
async function syncIfPermitted(folder: string): Promise<void> {
  try {
    await syncFolder(folder);
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error;
  }
}

function infoOf(stats: Stats): FileInfo {
  const isFolder = stats.isDirectory();
  return {
    sizeBytes: isFolder ? 0 : stats.size,
    isFolder,
    isFile: stats.isFile(),
    modifiedMs: stats.mtimeMs,
    identity: `${stats.dev}-${stats.ino}`,
  };
}

function isMissing(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/**
 * Stands on the descriptor and Node's callbacks, for each promise of a `FileHandle` costs about 15 us of CPU more.
 * So it counts what is under way itself: a descriptor that is closed too early may be another file's by then.
 */
class SystemOpenFile implements OpenFile {
  readonly path: string;
  readonly #handle: fs.FileHandle;
  readonly #fd: number;
  readonly #info: FileInfo;
  readonly #pace: SyncPace;
  #sizeBytes: number;
  #underWay = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(path: string, handle: fs.FileHandle, info: FileInfo, pace: SyncPace) {
    this.path = path;
    this.#handle = handle;
    this.#fd = handle.fd;
    this.#info = info;
    this.#pace = pace;
    this.#sizeBytes = info.sizeBytes;
  }

  size(): number {
    return this.#sizeBytes;
  }

  info(): FileInfo {
    return this.#info;
  }

  /** A read may return less than asked before the end of the file (a signal, a network disk): go on. */
  async read(position: number, into: Uint8Array): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const start = done;
      const count = await this.#call<number>('read', (callback) =>
        read(this.#fd, into, start, into.length - start, position + start, callback),
      );
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  readSync(position: number, into: Uint8Array): number {
    this.#checkOpen('read');
    let done = 0;
    while (done < into.length) {
      const count = readSync(this.#fd, into, done, into.length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const start = done;
      const count = await this.#call<number>('write', (callback) =>
        write(this.#fd, bytes, start, bytes.length - start, position + start, callback),
      );
      done += count;
      this.#wroteUpTo(position + done);
    }
  }

  writeSync(position: number, bytes: Uint8Array): void {
    this.#checkOpen('write');
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
      this.#wroteUpTo(position + done);
    }
  }

  #wroteUpTo(end: number): void {
    if (end > this.#sizeBytes) this.#sizeBytes = end;
  }

  sync(written: Written = 'much'): Promise<void> {
    if (written === 'little' && this.#pace.atOnce) return this.#syncAtOnce();
    return this.#syncApart(written);
  }

  async #syncAtOnce(): Promise<void> {
    this.#checkOpen('fdatasync');
    await this.#held();
  }

  /** Syncs while the event loop waits. @returns the turn that it should get then, if any */
  #held(): Promise<void> | undefined {
    const startedAt = performance.now();
    fdatasyncSync(this.#fd);
    return this.#pace.held(performance.now() - startedAt) ? turn() : undefined;
  }

  get isQuick(): boolean {
    return this.#pace.atOnce;
  }

  writeThrough(position: number, bytes: Uint8Array): Promise<void> | undefined {
    this.writeSync(position, bytes);
    return this.#held();
  }

  async #syncApart(written: Written): Promise<void> {
    const startedAt = performance.now();
    this.#pace.begin();
    try {
      await this.#call<void>('fdatasync', (callback) => fdatasync(this.#fd, callback));
    } finally {
      this.#pace.end(written === 'little' ? performance.now() - startedAt : undefined);
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#call<void>('ftruncate', (callback) => ftruncate(this.#fd, sizeBytes, callback));
    this.#sizeBytes = sizeBytes;
  }

  /** Waits for what is under way. A second call waits for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#handle.close();
  }

  #call<Value>(name: string, start: (callback: Callback<Value>) => void): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#checkOpen(name);
      this.#underWay += 1;
      start((error, value) => {
        this.#underWay -= 1;
        if (this.#underWay === 0) this.#idle?.();
        if (error === null) resolve(value as Value);
        else reject(error);
      });
    });
  }

  #checkOpen(call: string): void {
    if (this.#closing === undefined) return;
    throw Object.assign(new Error(`EBADF: ${call} '${this.path}'`), { code: 'EBADF', syscall: call });
  }
}

type Callback<Value> = (error: NodeJS.ErrnoException | null, value?: Value) => void;
