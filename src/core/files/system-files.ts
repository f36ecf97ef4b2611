/**
 * Files of the machine. Everything goes through `node:fs/promises`, but for `readSync`, which is nine times
 * cheaper for a page that the operating system has in its cache.
 */
import { readSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf } from '../errors.ts';
import type { FileInfo, Files, OpenFile, OpenMode } from './files.ts';
import { lockFolder } from './folder-lock.ts';

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
  open: O_RDWR | O_CREAT,
};

/** Only the owner may read what the services keep. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export const systemFiles: Files = {
  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    const handle = await fs.open(path, FLAGS[mode], FILE_MODE);
    try {
      const info = await handle.stat();
      if (info.isDirectory()) throw Object.assign(new Error(`EISDIR: open '${path}'`), { code: 'EISDIR' });
      return new SystemOpenFile(path, handle, info.size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  },

  async stat(path: string): Promise<FileInfo | undefined> {
    try {
      const info = await fs.stat(path);
      const isFolder = info.isDirectory();
      return { sizeBytes: isFolder ? 0 : info.size, isFolder };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },

  async list(folder: string): Promise<string[]> {
    try {
      return (await fs.readdir(folder)).sort();
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  },

  async makeFolder(path: string): Promise<void> {
    const whole = resolve(path);
    const first = await fs.mkdir(whole, { recursive: true, mode: FOLDER_MODE });
    if (first === undefined) return syncIfPermitted(dirname(whole));
    for (let folder = dirname(whole); folder.length > dirname(first).length; folder = dirname(folder)) {
      await syncFolder(folder);
    }
    await syncFolder(dirname(first));
  },

  rename: (from: string, to: string) => fs.rename(from, to),

  async remove(path: string): Promise<void> {
    try {
      await fs.unlink(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },

  removeFolder: (path: string) => fs.rm(path, { recursive: true, force: true }),

  syncFolder,

  lock: lockFolder,
};

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

function isMissing(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

class SystemOpenFile implements OpenFile {
  readonly path: string;
  readonly #handle: fs.FileHandle;
  #sizeBytes: number;

  constructor(path: string, handle: fs.FileHandle, sizeBytes: number) {
    this.path = path;
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
  }

  size(): number {
    return this.#sizeBytes;
  }

  /** A read may return less than asked before the end of the file (a signal, a network disk): go on. */
  async read(position: number, into: Uint8Array): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await this.#handle.read(into, done, into.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  readSync(position: number, into: Uint8Array): number {
    let done = 0;
    while (done < into.length) {
      const bytesRead = readSync(this.#handle.fd, into, done, into.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    let done = 0;
    try {
      while (done < bytes.length) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, position + done);
        done += bytesWritten;
      }
    } finally {
      if (done > 0) this.#sizeBytes = Math.max(this.#sizeBytes, position + done);
    }
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#handle.truncate(sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
