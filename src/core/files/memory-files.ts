/**
 * Files in memory: what `startOctet()` uses without a folder, and the ground the simulated disk stands on.
 *
 * As on a disk, a file (here `MemoryFile`) is a thing apart from the names that lead to it: an open file lives
 * on when its name is renamed, replaced or removed. `MemoryHooks` let the simulated disk see, and spoil, every
 * call; without hooks nothing is ever lost and nothing ever fails but for misuse.
 */
import type { Clock } from '../time/clock.ts';
import { systemClock } from '../time/system-clock.ts';
import { FilesError } from './errors.ts';
import type { FileInfo, Files, FolderLock, OpenFile, OpenMode } from './files.ts';

/** Every verb of `Files` and `OpenFile` that can fail on a real disk. */
export type FileCall =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'stat'
  | 'realPath'
  | 'list'
  | 'makeFolder'
  | 'rename'
  | 'remove'
  | 'removeFolder'
  | 'syncFolder'
  | 'lock';

/** What a disk may do wrong without anybody being told. */
export type Deceit =
  /** A write reaches the media in another place than it was meant for. */
  | 'misdirect'
  /** A write reaches the media with one bit changed. */
  | 'flip'
  /** A sync reports success and has done nothing. */
  | 'lie';

/** A failure to act out: one that the caller is told of, or one that it is not. */
export type Spoiled =
  | {
      readonly error: Error;
      /** How much of a write happens before it fails: 0 to 1. */
      readonly portion: number;
      readonly deceit?: undefined;
    }
  | { readonly error?: undefined; readonly portion?: undefined; readonly deceit: Deceit };

export interface MemoryHooks {
  /**
   * Takes its time, decides how the call shall fail, if it shall, and lets it happen at once: nothing can come
   * between the decision and `act`, not even the end of the process.
   */
  enter<Result>(
    call: FileCall,
    path: string,
    act: (spoiled: Spoiled | undefined) => Result,
    write?: WriteCall,
  ): Promise<Result>;
  /** The same for the calls that cannot wait: a read, a sync, and with `write` a write. */
  enterSync(call: 'read' | 'write' | 'sync', path: string, write?: WriteCall): Spoiled | undefined;
  isQuick(): boolean;
  wrote(file: MemoryFile, position: number, length: number, oldSizeBytes: number, deceit?: Deceit): void;
  truncated(file: MemoryFile, oldSizeBytes: number): void;
  synced(file: MemoryFile): void;
  syncFailed(file: MemoryFile): void;
  /** One change of names, atomic: each name now leads to `node`, or to nothing. */
  named(names: readonly NameChange[]): void;
  /** Folders are durable when made, as the contract says. */
  madeFolder(parent: MemoryFolder, name: string, folder: MemoryFolder): void;
  syncedFolder(folder: MemoryFolder): void;
}

export interface WriteCall {
  readonly file: MemoryFile;
  readonly position: number;
  readonly length: number;
}

export interface NameChange {
  readonly folder: MemoryFolder;
  readonly name: string;
  readonly node: MemoryNode | undefined;
}

export type MemoryNode = MemoryFile | MemoryFolder;

export class MemoryFolder {
  readonly entries = new Map<string, MemoryNode>();
}

const SMALLEST_BUFFER_BYTES = 512;

/** The content of one file: a buffer that doubles as it grows. */
export class MemoryFile {
  sizeBytes = 0;
  modifiedMs = 0;
  #bytes = Buffer.alloc(0);

  /** The content, valid until the next write. */
  content(): Buffer {
    return this.#bytes.subarray(0, this.sizeBytes);
  }

  read(position: number, into: Uint8Array): number {
    const end = Math.min(position + into.length, this.sizeBytes);
    if (end <= position) return 0;
    into.set(this.#bytes.subarray(position, end));
    return end - position;
  }

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    if (end > this.#bytes.length) this.#grow(end);
    this.#bytes.set(bytes, position);
    this.sizeBytes = Math.max(this.sizeBytes, end);
  }

  resize(sizeBytes: number): void {
    if (sizeBytes > this.#bytes.length) this.#grow(sizeBytes);
    if (sizeBytes < this.sizeBytes) this.#bytes.fill(0, sizeBytes, this.sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  #grow(neededBytes: number): void {
    const larger = Buffer.alloc(Math.max(SMALLEST_BUFFER_BYTES, neededBytes, this.#bytes.length * 2));
    larger.set(this.content());
    this.#bytes = larger;
  }
}

/** An error as Node's file system would throw it. */
export function systemError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path });
}

/** A fresh, empty file system in memory. @param clock dates what is written */
export function createMemoryFiles(clock: Clock = systemClock): Files {
  return new MemoryFiles(new MemoryFolder(), () => clock.now());
}

export class MemoryFiles implements Files {
  readonly #root: MemoryFolder;
  readonly #now: () => number;
  readonly #hooks: MemoryHooks | undefined;
  readonly #locks = new Set<string>();
  readonly #identities = new WeakMap<MemoryNode, string>();
  #identified = 0;

  /** @param now milliseconds since 1970, for what is written */
  constructor(root: MemoryFolder, now: () => number, hooks?: MemoryHooks) {
    this.#root = root;
    this.#now = now;
    this.#hooks = hooks;
  }

  open(path: string, mode: OpenMode): Promise<OpenFile> {
    return this.#enter(mode === 'create' ? 'create' : 'open', path, () => {
      const { folder, name } = this.#place(path, 'open');
      const found = folder?.entries.get(name);
      if (folder === undefined) throw systemError('ENOENT', 'open', path);
      if (found instanceof MemoryFolder) throw systemError('EISDIR', 'open', path);
      if (found !== undefined && mode === 'create') throw systemError('EEXIST', 'open', path);
      if (found === undefined && (mode === 'read' || mode === 'write'))
        throw systemError('ENOENT', 'open', path);
      const file = found ?? this.#create(folder, name);
      return new MemoryOpenFile(path, file, this.#infoOf(file), mode !== 'read', this.#now, this.#hooks);
    });
  }

  #create(folder: MemoryFolder, name: string): MemoryFile {
    const file = new MemoryFile();
    file.modifiedMs = this.#now();
    folder.entries.set(name, file);
    this.#hooks?.named([{ folder, name, node: file }]);
    return file;
  }

  stat(path: string): Promise<FileInfo | undefined> {
    return this.#enter('stat', path, () => {
      const node = this.#find(path);
      return node === undefined ? undefined : this.#infoOf(node);
    });
  }

  #infoOf(node: MemoryNode): FileInfo {
    const isFile = node instanceof MemoryFile;
    return {
      sizeBytes: isFile ? node.sizeBytes : 0,
      isFolder: !isFile,
      isFile,
      modifiedMs: isFile ? node.modifiedMs : 0,
      identity: this.#identityOf(node),
    };
  }

  #identityOf(node: MemoryNode): string {
    let identity = this.#identities.get(node);
    if (identity === undefined) {
      identity = `0-${++this.#identified}`;
      this.#identities.set(node, identity);
    }
    return identity;
  }

  realPath(path: string): Promise<string | undefined> {
    return this.#enter('realPath', path, () =>
      this.#find(path) === undefined ? undefined : `/${partsOf(path).join('/')}`,
    );
  }

  list(folder: string): Promise<string[]> {
    return this.#enter('list', folder, () => {
      const node = this.#find(folder);
      if (node === undefined) return [];
      if (node instanceof MemoryFile) throw systemError('ENOTDIR', 'list', folder);
      return [...node.entries.keys()].sort();
    });
  }

  makeFolder(path: string): Promise<void> {
    return this.#enter('makeFolder', path, () => {
      let folder = this.#root;
      for (const name of partsOf(path)) {
        const next = folder.entries.get(name) ?? this.#makeOne(folder, name);
        if (next instanceof MemoryFile) throw systemError('EEXIST', 'makeFolder', path);
        folder = next;
      }
    });
  }

  #makeOne(parent: MemoryFolder, name: string): MemoryFolder {
    const made = new MemoryFolder();
    parent.entries.set(name, made);
    this.#hooks?.madeFolder(parent, name, made);
    return made;
  }

  rename(from: string, to: string): Promise<void> {
    return this.#enter('rename', from, () => {
      const source = this.#place(from, 'rename');
      const target = this.#place(to, 'rename');
      const node = source.folder?.entries.get(source.name);
      if (source.folder === undefined || target.folder === undefined || node === undefined) {
        throw systemError('ENOENT', 'rename', from);
      }
      source.folder.entries.delete(source.name);
      target.folder.entries.set(target.name, node);
      this.#hooks?.named([
        { folder: source.folder, name: source.name, node: undefined },
        { folder: target.folder, name: target.name, node },
      ]);
    });
  }

  remove(path: string): Promise<void> {
    return this.#enter('remove', path, () => {
      const { folder, name } = this.#place(path, 'remove');
      const node = folder?.entries.get(name);
      if (folder === undefined || node === undefined) return;
      if (node instanceof MemoryFolder) throw systemError('EISDIR', 'remove', path);
      this.#unname(folder, name);
    });
  }

  removeFolder(path: string): Promise<void> {
    return this.#enter('removeFolder', path, () => {
      const { folder, name } = this.#place(path, 'removeFolder');
      if (folder?.entries.has(name)) this.#unname(folder, name);
    });
  }

  #unname(folder: MemoryFolder, name: string): void {
    folder.entries.delete(name);
    this.#hooks?.named([{ folder, name, node: undefined }]);
  }

  syncFolder(folder: string): Promise<void> {
    return this.#enter('syncFolder', folder, (deceit) => {
      const node = this.#find(folder);
      if (!(node instanceof MemoryFolder)) throw systemError('ENOENT', 'syncFolder', folder);
      if (deceit !== 'lie') this.#hooks?.syncedFolder(node);
    });
  }

  lock(folder: string): Promise<FolderLock> {
    return this.#enter('lock', folder, () => {
      const key = partsOf(folder).join('/');
      if (!(this.#find(folder) instanceof MemoryFolder)) throw systemError('ENOENT', 'lock', folder);
      if (this.#locks.has(key)) {
        throw new FilesError(`${folder} is in use by this process (pid ${process.pid})`, process.pid);
      }
      this.#locks.add(key);
      return { release: async () => void this.#locks.delete(key) };
    });
  }

  async #enter<Result>(
    call: FileCall,
    path: string,
    act: (deceit: Deceit | undefined) => Result,
  ): Promise<Result> {
    if (this.#hooks === undefined) return act(undefined);
    return this.#hooks.enter(call, path, (spoiled) => {
      if (spoiled?.error !== undefined) throw spoiled.error;
      return act(spoiled?.deceit);
    });
  }

  #find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.#root;
    for (const name of partsOf(path)) {
      node = node instanceof MemoryFolder ? node.entries.get(name) : undefined;
    }
    return node;
  }

  #place(path: string, call: string): { folder: MemoryFolder | undefined; name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw systemError('EISDIR', call, path);
    const folder = this.#find(parts.join('/'));
    return { folder: folder instanceof MemoryFolder ? folder : undefined, name };
  }
}

function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

class MemoryOpenFile implements OpenFile {
  readonly path: string;
  readonly #file: MemoryFile;
  readonly #info: FileInfo;
  readonly #writable: boolean;
  readonly #now: () => number;
  readonly #hooks: MemoryHooks | undefined;
  #open = true;

  constructor(
    path: string,
    file: MemoryFile,
    info: FileInfo,
    writable: boolean,
    now: () => number,
    hooks: MemoryHooks | undefined,
  ) {
    this.path = path;
    this.#file = file;
    this.#info = info;
    this.#writable = writable;
    this.#now = now;
    this.#hooks = hooks;
  }

  size(): number {
    return this.#file.sizeBytes;
  }

  info(): FileInfo {
    return this.#info;
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    this.#check('read', true);
    return this.#enter('read', () => this.#file.read(position, into));
  }

  readSync(position: number, into: Uint8Array): number {
    this.#check('read', true);
    const spoiled = this.#hooks?.enterSync('read', this.path);
    if (spoiled?.error !== undefined) throw spoiled.error;
    return this.#file.read(position, into);
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    this.#check('write', this.#writable);
    const act = (spoiled: Spoiled | undefined): void => this.#write(position, bytes, spoiled);
    if (this.#hooks === undefined) return act(undefined);
    const call = { file: this.#file, position, length: bytes.length };
    return this.#hooks.enter('write', this.path, act, call);
  }

  writeSync(position: number, bytes: Uint8Array): void {
    this.#check('write', this.#writable);
    const call = { file: this.#file, position, length: bytes.length };
    this.#write(position, bytes, this.#hooks?.enterSync('write', this.path, call));
  }

  #write(position: number, bytes: Uint8Array, spoiled: Spoiled | undefined): void {
    const portion = spoiled?.portion ?? 1;
    const written = bytes.subarray(0, Math.floor(bytes.length * portion));
    const oldSizeBytes = this.#file.sizeBytes;
    if (written.length > 0) this.#file.write(position, written);
    this.#file.modifiedMs = this.#now();
    this.#hooks?.wrote(this.#file, position, written.length, oldSizeBytes, spoiled?.deceit);
    if (spoiled?.error !== undefined) throw spoiled.error;
  }

  async sync(): Promise<void> {
    this.#check('sync', true);
    await this.#hooks?.enter('sync', this.path, (spoiled) => this.#sync(spoiled));
  }

  #sync(spoiled: Spoiled | undefined): void {
    if (spoiled?.error === undefined) {
      if (spoiled?.deceit !== 'lie') this.#hooks?.synced(this.#file);
      return;
    }
    this.#hooks?.syncFailed(this.#file);
    throw spoiled.error;
  }

  get isQuick(): boolean {
    return this.#hooks?.isQuick() ?? true;
  }

  writeThrough(position: number, bytes: Uint8Array): undefined {
    this.writeSync(position, bytes);
    this.#sync(this.#hooks?.enterSync('sync', this.path));
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#check('truncate', this.#writable);
    await this.#enter('truncate', () => {
      const oldSizeBytes = this.#file.sizeBytes;
      this.#file.resize(sizeBytes);
      this.#file.modifiedMs = this.#now();
      this.#hooks?.truncated(this.#file, oldSizeBytes);
    });
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  async #enter<Result>(call: FileCall, act: () => Result): Promise<Result> {
    if (this.#hooks === undefined) return act();
    return this.#hooks.enter(call, this.path, (spoiled) => {
      if (spoiled?.error !== undefined) throw spoiled.error;
      return act();
    });
  }

  #check(call: FileCall, permitted: boolean): void {
    if (!this.#open || !permitted) throw systemError('EBADF', call, this.path);
  }
}
