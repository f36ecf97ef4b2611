/**
 * Files in memory: what `startOctet()` uses without a folder, and the ground the simulated disk stands on.
 *
 * As on a disk, a file (here `MemoryFile`) is a thing apart from the names that lead to it: an open file lives
 * on when its name is renamed, replaced or removed. `MemoryHooks` let the simulated disk see, and spoil, every
 * call; without hooks nothing is ever lost and nothing ever fails but for misuse.
 */
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
  | 'list'
  | 'makeFolder'
  | 'rename'
  | 'remove'
  | 'removeFolder'
  | 'syncFolder'
  | 'lock';

export interface MemoryHooks {
  /** Before anything happens. Throws what the call shall throw. */
  before(call: FileCall, path: string): void;
  /** How many of the `length` bytes to write before the write fails; `length` lets it succeed. */
  admit(file: MemoryFile, position: number, length: number): number;
  wrote(file: MemoryFile, position: number, length: number): void;
  truncated(file: MemoryFile, oldSizeBytes: number): void;
  synced(file: MemoryFile): void;
  /** `node` undefined: the name was removed. */
  named(folder: MemoryFolder, name: string, node: MemoryNode | undefined): void;
  renamed(from: MemoryFolder, fromName: string, to: MemoryFolder, toName: string, node: MemoryNode): void;
  /** Folders are durable when made, as the contract says. */
  madeFolder(parent: MemoryFolder, name: string, node: MemoryFolder): void;
  syncedFolder(folder: MemoryFolder): void;
}

export type MemoryNode = MemoryFile | MemoryFolder;

export class MemoryFolder {
  readonly entries = new Map<string, MemoryNode>();
}

const SMALLEST_BUFFER_BYTES = 512;

/** The content of one file: a buffer that doubles as it grows. */
export class MemoryFile {
  sizeBytes = 0;
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

/** A fresh, empty file system in memory. */
export function createMemoryFiles(): Files {
  return new MemoryFiles(new MemoryFolder());
}

export class MemoryFiles implements Files {
  readonly #root: MemoryFolder;
  readonly #hooks: MemoryHooks | undefined;
  readonly #locks = new Set<string>();

  constructor(root: MemoryFolder, hooks?: MemoryHooks) {
    this.#root = root;
    this.#hooks = hooks;
  }

  async open(path: string, mode: OpenMode): Promise<OpenFile> {
    const { folder, name } = this.#place(path, 'open');
    const found = folder?.entries.get(name);
    const creates = mode === 'create' || (mode === 'open' && found === undefined);
    this.#hooks?.before(creates ? 'create' : 'open', path);
    if (folder === undefined) throw systemError('ENOENT', 'open', path);
    if (found instanceof MemoryFolder) throw systemError('EISDIR', 'open', path);
    if (found !== undefined && mode === 'create') throw systemError('EEXIST', 'open', path);
    if (found === undefined && !creates) throw systemError('ENOENT', 'open', path);
    const file = found ?? this.#create(folder, name);
    return new MemoryOpenFile(path, file, mode !== 'read', this.#hooks);
  }

  #create(folder: MemoryFolder, name: string): MemoryFile {
    const file = new MemoryFile();
    folder.entries.set(name, file);
    this.#hooks?.named(folder, name, file);
    return file;
  }

  async stat(path: string): Promise<FileInfo | undefined> {
    this.#hooks?.before('stat', path);
    const node = this.#find(path);
    if (node === undefined) return undefined;
    return node instanceof MemoryFile
      ? { sizeBytes: node.sizeBytes, isFolder: false }
      : { sizeBytes: 0, isFolder: true };
  }

  async list(folder: string): Promise<string[]> {
    this.#hooks?.before('list', folder);
    const node = this.#find(folder);
    if (node === undefined) return [];
    if (node instanceof MemoryFile) throw systemError('ENOTDIR', 'list', folder);
    return [...node.entries.keys()].sort();
  }

  async makeFolder(path: string): Promise<void> {
    this.#hooks?.before('makeFolder', path);
    let folder = this.#root;
    for (const name of partsOf(path)) {
      const next = folder.entries.get(name) ?? this.#makeOne(folder, name);
      if (next instanceof MemoryFile) throw systemError('EEXIST', 'makeFolder', path);
      folder = next;
    }
  }

  #makeOne(parent: MemoryFolder, name: string): MemoryFolder {
    const made = new MemoryFolder();
    parent.entries.set(name, made);
    this.#hooks?.madeFolder(parent, name, made);
    return made;
  }

  async rename(from: string, to: string): Promise<void> {
    this.#hooks?.before('rename', from);
    const source = this.#place(from, 'rename');
    const target = this.#place(to, 'rename');
    const node = source.folder?.entries.get(source.name);
    if (source.folder === undefined || target.folder === undefined || node === undefined) {
      throw systemError('ENOENT', 'rename', from);
    }
    source.folder.entries.delete(source.name);
    target.folder.entries.set(target.name, node);
    this.#hooks?.renamed(source.folder, source.name, target.folder, target.name, node);
  }

  async remove(path: string): Promise<void> {
    this.#hooks?.before('remove', path);
    const { folder, name } = this.#place(path, 'remove');
    const node = folder?.entries.get(name);
    if (folder === undefined || node === undefined) return;
    if (node instanceof MemoryFolder) throw systemError('EISDIR', 'remove', path);
    this.#unname(folder, name);
  }

  async removeFolder(path: string): Promise<void> {
    this.#hooks?.before('removeFolder', path);
    const { folder, name } = this.#place(path, 'removeFolder');
    if (folder?.entries.has(name)) this.#unname(folder, name);
  }

  #unname(folder: MemoryFolder, name: string): void {
    folder.entries.delete(name);
    this.#hooks?.named(folder, name, undefined);
  }

  async syncFolder(folder: string): Promise<void> {
    this.#hooks?.before('syncFolder', folder);
    const node = this.#find(folder);
    if (!(node instanceof MemoryFolder)) throw systemError('ENOENT', 'syncFolder', folder);
    this.#hooks?.syncedFolder(node);
  }

  async lock(folder: string): Promise<FolderLock> {
    this.#hooks?.before('lock', folder);
    const key = partsOf(folder).join('/');
    if (!(this.#find(folder) instanceof MemoryFolder)) throw systemError('ENOENT', 'lock', folder);
    if (this.#locks.has(key)) {
      throw new FilesError(`${folder} is in use by this process (pid ${process.pid})`, process.pid);
    }
    this.#locks.add(key);
    return { release: async () => void this.#locks.delete(key) };
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
  readonly #writable: boolean;
  readonly #hooks: MemoryHooks | undefined;
  #open = true;

  constructor(path: string, file: MemoryFile, writable: boolean, hooks: MemoryHooks | undefined) {
    this.path = path;
    this.#file = file;
    this.#writable = writable;
    this.#hooks = hooks;
  }

  size(): number {
    return this.#file.sizeBytes;
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    return this.readSync(position, into);
  }

  readSync(position: number, into: Uint8Array): number {
    this.#check('read', true);
    return this.#file.read(position, into);
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    this.#check('write', this.#writable);
    const admitted = this.#hooks?.admit(this.#file, position, bytes.length) ?? bytes.length;
    this.#file.write(position, bytes.subarray(0, admitted));
    this.#hooks?.wrote(this.#file, position, admitted);
    if (admitted < bytes.length) throw systemError('ENOSPC', 'write', this.path);
  }

  async sync(): Promise<void> {
    this.#check('sync', true);
    this.#hooks?.synced(this.#file);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#check('truncate', this.#writable);
    const oldSizeBytes = this.#file.sizeBytes;
    this.#file.resize(sizeBytes);
    this.#hooks?.truncated(this.#file, oldSizeBytes);
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  #check(call: FileCall, permitted: boolean): void {
    if (!this.#open || !permitted) throw systemError('EBADF', call, this.path);
    this.#hooks?.before(call, this.path);
  }
}
