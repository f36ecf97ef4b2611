/**
 * The files of one simulated process: each call takes its time before it happens, and again before the process
 * learns that it has. So a process may end in between, and calls that were made together happen in any order.
 */
import type { FileInfo, Files, FolderLock, OpenFile, OpenMode } from '../../files/files.ts';

/** Waits as long as the disk needs for half a call. Never comes back once the process has ended. */
export type DiskDelay = (call: 'sync' | 'other') => Promise<void>;

export class ProcessFiles implements Files {
  readonly #files: Files;
  readonly #delay: DiskDelay;
  readonly #held = new Map<object, string>();

  constructor(files: Files, delay: DiskDelay) {
    this.#files = files;
    this.#delay = delay;
  }

  /** Paths of open files and locked folders. */
  get held(): string[] {
    return [...this.#held.values()];
  }

  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    const file = await this.#slowly(() => this.#files.open(path, mode));
    const open: OpenFile = {
      path,
      size: () => file.size(),
      info: () => file.info(),
      read: (position, into) => this.#slowly(() => file.read(position, into)),
      readSync: (position, into) => file.readSync(position, into),
      writeSync: (position, bytes) => file.writeSync(position, bytes),
      write: (position, bytes) => this.#slowly(() => file.write(position, bytes)),
      get isQuick() {
        return file.isQuick;
      },
      writeThrough: (position, bytes) => file.writeThrough(position, bytes),
      sync: () => this.#slowly(() => file.sync(), 'sync'),
      truncate: (sizeBytes) => this.#slowly(() => file.truncate(sizeBytes)),
      close: () => {
        this.#held.delete(open);
        return file.close();
      },
    };
    this.#held.set(open, path);
    return open;
  }

  stat(path: string): Promise<FileInfo | undefined> {
    return this.#slowly(() => this.#files.stat(path));
  }

  realPath(path: string): Promise<string | undefined> {
    return this.#slowly(() => this.#files.realPath(path));
  }

  list(folder: string): Promise<string[]> {
    return this.#slowly(() => this.#files.list(folder));
  }

  makeFolder(path: string): Promise<void> {
    return this.#slowly(() => this.#files.makeFolder(path), 'sync');
  }

  rename(from: string, to: string): Promise<void> {
    return this.#slowly(() => this.#files.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#slowly(() => this.#files.remove(path));
  }

  removeFolder(path: string): Promise<void> {
    return this.#slowly(() => this.#files.removeFolder(path));
  }

  syncFolder(folder: string): Promise<void> {
    return this.#slowly(() => this.#files.syncFolder(folder), 'sync');
  }

  async lock(folder: string): Promise<FolderLock> {
    const lock = await this.#slowly(() => this.#files.lock(folder));
    const held: FolderLock = {
      release: () => {
        this.#held.delete(held);
        return lock.release();
      },
    };
    this.#held.set(held, `the lock of ${folder}`);
    return held;
  }

  async #slowly<Value>(call: () => Promise<Value>, kind: 'sync' | 'other' = 'other'): Promise<Value> {
    await this.#delay(kind);
    try {
      return await call();
    } finally {
      await this.#delay(kind);
    }
  }
}
