/**
 * Files as an argument, with two implementations held to one contract suite: the machine's own
 * (`system-files.ts`) and a simulated disk (`simulated-files.ts`) that can tear, lose and fail writes.
 *
 * What the contract promises, and what it does not:
 *   - `write` changes what later reads see; only `sync`, or a `writeThrough` behind it, makes it survive a power cut;
 *   - until then a cut may leave any mix of old and new 512-byte sectors of the unsynced writes;
 *   - a new, renamed or removed name survives a cut only after `syncFolder` of its folder.
 * Paths are made by our own code from configuration and generated names, never from a peer's input.
 */

export type OpenMode =
  /** must exist; reading only */
  | 'read'
  /** must exist; reading and writing */
  | 'write'
  /** must not exist; reading and writing */
  | 'create'
  /** made if missing; reading and writing */
  | 'open';

export interface FileInfo {
  readonly sizeBytes: number;
  readonly isFolder: boolean;
  /** A plain file; a device, a pipe or a socket is neither this nor a folder. */
  readonly isFile: boolean;
  /** When its content last changed, milliseconds since 1970; as exact as the disk knows it, so with a fraction. */
  readonly modifiedMs: number;
  /** Tells it from all others that exist at the same time, whatever their names: device and inode. */
  readonly identity: string;
}

/** How much there is for a sync to bring to the disk. */
export type Written = 'little' | 'much';

export interface OpenFile {
  readonly path: string;
  /** Size in bytes, as the file was when opened and this handle's writes have left it. */
  size(): number;
  /** What was opened, as it was then: asked of the open file, so that no name can have changed in between. */
  info(): FileInfo;
  /**
   * Reads up to `into.length` bytes at `position` into `into`.
   * @returns the number of bytes read; less than asked only at the end of the file
   */
  read(position: number, into: Uint8Array): Promise<number>;
  /** The same, at once: for pages that are probably in the operating system's cache (2.8 us against 25). */
  readSync(position: number, into: Uint8Array): number;
  /** Writes all of `bytes` at `position`, growing the file as needed. */
  write(position: number, bytes: Uint8Array): Promise<void>;
  /**
   * The same, at once: for a few KiB that only go to the operating system's cache, before a `sync` that waits for
   * the disk. Saves the way through the thread pool, which costs more than the copy.
   */
  writeSync(position: number, bytes: Uint8Array): void;
  /**
   * Makes every write so far durable (fdatasync). A failure is final: the caller must not retry.
   * @param written `little` when it was a few KiB since the last sync: then a fast disk may be waited for at once,
   *   which spares the way through the thread pool (`sync-pace.ts`). Default `much`.
   */
  sync(written?: Written): Promise<void>;
  /** Whether a few KiB are best written and synced here and now, by `writeThrough`; changes with the pace of the disk. */
  readonly isQuick: boolean;
  /**
   * Writes a few KiB over what is there already; with all writes before it is durable when this returns. A failure of
   * `syscall` `write` is as one of `writeSync`; any other is as final as one of `sync`.
   * @returns what to wait for before much else is done, when the event loop was held for long enough
   */
  writeThrough(position: number, bytes: Uint8Array): Promise<void> | undefined;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

export interface FolderLock {
  release(): Promise<void>;
}

export interface Files {
  /** @throws an error with code ENOENT, EEXIST, EACCES, ENOSPC, EIO … as Node names them */
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  stat(path: string): Promise<FileInfo | undefined>;
  /** The path without symbolic links, dot segments and doubled slashes; undefined when nothing is there. */
  realPath(path: string): Promise<string | undefined>;
  /** The names in a folder, sorted; empty when the folder is missing. */
  list(folder: string): Promise<string[]>;
  /** Makes the folder and those above it, as far as missing, and their names durable. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; missing is fine. */
  remove(path: string): Promise<void>;
  /** Removes a folder and all in it; missing is fine. */
  removeFolder(path: string): Promise<void>;
  /** Makes names created, renamed or removed in `folder` durable. */
  syncFolder(folder: string): Promise<void>;
  /**
   * Takes the folder for this process until released or the process ends (however it ends).
   * @throws FilesError `locked`, naming the holder's process id, when another process has it
   */
  lock(folder: string): Promise<FolderLock>;
}
