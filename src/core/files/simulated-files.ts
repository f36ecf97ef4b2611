/**
 * A disk that misbehaves on purpose, and the same way again for the same seed.
 *
 *   what the process sees          what would be left by a power cut
 *   ┌──────────────────┐   sync    ┌──────────────────────────────┐
 *   │ files and names  │ ────────▶ │ media: content at last sync  │
 *   │ in memory        │           │ + dirty: every version of    │
 *   └──────────────────┘           │   each 512-byte sector since │
 *                                  │ + name changes since the     │
 *                                  │   last syncFolder            │
 *                                  └──────────────────────────────┘
 *
 * A power cut keeps, for every dirty sector, one of its versions or what was on the media before; for the size
 * of a file any that it had since; and any subset of the pending name changes, each whole. This is all that
 * the contract of `files.ts` allows, which is worse than what most file systems do.
 *
 * A failed sync leaves any such mixture on the media and marks everything clean, as Linux does: the process
 * still sees its bytes, a later sync succeeds, and the bytes are gone after a power cut.
 *
 * A disk may also deceive, which the contract does not allow. Nobody is told, and the process goes on seeing
 * what it wrote (the operating system remembers it); what the disk did shows after a power cut:
 *   - misdirect: the sectors of a write go over others of this or another file, and are missing where they belong;
 *   - flip: a write arrives with one bit changed;
 *   - lie: a sync says that it is done. What it should have saved is saved by the next honest sync of the file
 *     or the folder, as by a disk that ignores one order to empty its cache;
 *   - rot: a bit changes at rest.
 * What can be promised then is less: nothing wrong is ever served, and what is missing is noticed (see
 * test/simulation/deceit.ts).
 *
 * After a power cut or a kill `disk.files` is a new one. Calls on the old one never return, because the process
 * that made them is gone; the calls that cannot wait, `readSync`, `writeSync` and `writeThrough`, throw.
 */
import { crc32 } from '../bytes/crc32.ts';
import type { SeededRandom } from '../random/seeded-random.ts';
import type { Clock } from '../time/clock.ts';
import { turn } from '../time/turn.ts';
import type { Files } from './files.ts';
import {
  type Deceit,
  type FileCall,
  MemoryFile,
  MemoryFiles,
  MemoryFolder,
  type MemoryHooks,
  type MemoryNode,
  type NameChange,
  type Spoiled,
  systemError,
  type WriteCall,
} from './memory-files.ts';

const SECTOR_BYTES = 512;

/** A call may take up to so many turns of the event loop. */
const MAX_TURNS = 3;

export interface CallInfo {
  /** Numbers all calls of the disk, from 1. */
  readonly number: number;
  readonly call: FileCall;
  readonly path: string;
}

/**
 * What happens instead of the call: a system error by its code (`EIO`, `ENOSPC` …), the end of the process, or
 * something else than the caller is told (where the call is none that this can befall, it just happens).
 */
export type Fault = { readonly code: string } | 'power-cut' | 'kill' | Deceit;

/** The calls that can go wrong without a word. */
const DECEIVED: Readonly<Record<Deceit, readonly FileCall[]>> = {
  misdirect: ['write'],
  flip: ['write'],
  lie: ['sync', 'syncFolder'],
};

export interface SimulatedDiskOptions {
  readonly random: SeededRandom;
  /** All files together; default without bound. */
  readonly capacityBytes?: number;
  /** A call takes up to so long on this clock; default only some turns of the event loop. */
  readonly latency?: { readonly clock: Clock; readonly maxMs: number };
  /** Is told of every call, every written byte and every power cut: two runs of a seed say the same. */
  readonly observe?: (what: string) => void;
}

/** What the media hold of one file, and what has been done to it since its last sync. */
interface Media {
  readonly content: MemoryFile;
  readonly dirty: Image[];
  /** Sizes it had since. */
  readonly sizes: number[];
}

/** Whole sectors as a write left them, from the sector `first` on. */
interface Image {
  readonly first: number;
  readonly bytes: Buffer;
}

interface PendingChange {
  remaining: readonly NameChange[];
}

export class SimulatedDisk {
  /** Decides about every call; undefined lets it pass. */
  inject: ((call: CallInfo) => Fault | undefined) | undefined;
  capacityBytes: number;
  readonly #random: SeededRandom;
  readonly #latency: SimulatedDiskOptions['latency'];
  readonly #observe: SimulatedDiskOptions['observe'];
  #root = new MemoryFolder();
  #media = new Map<MemoryFile, Media>();
  #durableNames = new Map<MemoryFolder, Map<string, MemoryNode>>();
  #pending: PendingChange[] = [];
  #calls = 0;
  #boot = 0;
  #files: Files;

  constructor(options: SimulatedDiskOptions) {
    this.#random = options.random;
    this.#latency = options.latency;
    this.#observe = options.observe;
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#files = this.#start();
  }

  /** The disk as the present process sees it. */
  get files(): Files {
    return this.#files;
  }

  /** Calls so far. */
  get calls(): number {
    return this.#calls;
  }

  /** Ends the process; what it wrote stays as it is, synced or not. */
  kill(): void {
    this.#files = this.#start();
  }

  /** Ends the process and leaves what the media hold, with an arbitrary part of what was not synced. */
  powerCut(): void {
    this.#observe?.('power cut');
    const keep = this.#random.pick([0, 0.5, 1, this.#random.below(100) / 100]);
    for (const change of this.#pending) {
      if (this.#random.chance(keep)) this.#settle(change.remaining);
    }
    this.#pending = [];
    const media = this.#media;
    this.#media = new Map();
    const names = this.#durableNames;
    this.#durableNames = new Map();
    this.#root = this.#surviving(this.#root, names, media, keep);
    this.#files = this.#start();
  }

  /** Flips one bit of a file, on the media and before the process's eyes. */
  rot(path: string, offset: number): void {
    let node: MemoryNode | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      node = node instanceof MemoryFolder ? node.entries.get(name) : undefined;
    }
    if (!(node instanceof MemoryFile) || offset >= node.sizeBytes) throw systemError('ENOENT', 'rot', path);
    this.#rot(node, offset);
  }

  /** The same anywhere. @returns where, or undefined when there is no byte to rot */
  rotSomewhere(): string | undefined {
    const found = [...filesBelow(this.#root, '')].filter(([, file]) => file.sizeBytes > 0);
    if (found.length === 0) return undefined;
    const [path, file] = this.#random.pick(found);
    const offset = this.#random.below(file.sizeBytes);
    this.#rot(file, offset);
    return `${path}, offset ${offset}`;
  }

  #rot(node: MemoryFile, offset: number): void {
    const bit = 1 << this.#random.below(8);
    for (const file of [node, this.#mediaOf(node).content]) {
      const byte = file.content()[offset];
      if (byte !== undefined) file.write(offset, Uint8Array.of(byte ^ bit));
    }
  }

  #start(): Files {
    this.#boot += 1;
    return new MemoryFiles(this.#root, () => this.#now(), this.#hooksOf(this.#boot));
  }

  /** Without a clock every call takes a millisecond, as far as the dates of files go. */
  #now(): number {
    return this.#latency === undefined ? this.#calls : this.#latency.clock.now();
  }

  #hooksOf(boot: number): MemoryHooks {
    return {
      enter: (call, path, act, write) => this.#enter(boot, call, path, act, write),
      enterSync: (call, path, write) => this.#enterSync(boot, call, path, write),
      isQuick: () => this.#random.chance(0.5),
      wrote: (file, position, length, oldSizeBytes, deceit) => {
        this.#observe?.(`wrote ${position} ${crc32(file.content().subarray(position, position + length))}`);
        this.#wrote(file, position, length, oldSizeBytes, deceit);
      },
      truncated: (file, oldSizeBytes) => this.#wrote(file, oldSizeBytes, 0, oldSizeBytes, undefined),
      synced: (file) => this.#synced(file),
      syncFailed: (file) => this.#syncFailed(file),
      named: (changes) => void this.#pending.push({ remaining: changes }),
      madeFolder: (folder, name, node) => this.#settle([{ folder, name, node }]),
      syncedFolder: (folder) => this.#syncedFolder(folder),
    };
  }

  async #enter<Result>(
    boot: number,
    call: FileCall,
    path: string,
    act: (spoiled: Spoiled | undefined) => Result,
    write?: WriteCall,
  ): Promise<Result> {
    if (this.#latency !== undefined)
      await this.#latency.clock.sleep(this.#random.below(this.#latency.maxMs + 1));
    for (let turns = this.#random.below(MAX_TURNS + 1); turns > 0; turns--) {
      await turn();
    }
    const fault = boot === this.#boot ? this.#judge(call, path) : undefined;
    if (fault === 'power-cut') this.powerCut();
    if (fault === 'kill') this.kill();
    if (boot !== this.#boot) return new Promise(() => {});
    return act(this.#failureOf(fault, call, path, write));
  }

  #enterSync(boot: number, call: FileCall, path: string, write?: WriteCall): Spoiled | undefined {
    const fault = boot === this.#boot ? this.#judge(call, path) : undefined;
    if (fault === 'power-cut') this.powerCut();
    if (fault === 'kill') this.kill();
    if (boot !== this.#boot) throw new Error('this process is gone');
    return this.#failureOf(fault, call, path, write);
  }

  #failureOf(
    fault: Fault | undefined,
    call: FileCall,
    path: string,
    write: WriteCall | undefined,
  ): Spoiled | undefined {
    if (typeof fault === 'object') return this.#spoil(fault.code, call, path);
    if (isDeceit(fault) && DECEIVED[fault].includes(call)) return { deceit: fault };
    if (write !== undefined && !this.#fits(write)) return this.#spoil('ENOSPC', call, path);
    return undefined;
  }

  #judge(call: FileCall, path: string): Fault | undefined {
    this.#calls += 1;
    this.#observe?.(`${call} ${path}`);
    return this.inject?.({ number: this.#calls, call, path });
  }

  #spoil(code: string, call: FileCall, path: string): Spoiled {
    return { error: systemError(code, call, path), portion: this.#random.below(1000) / 1000 };
  }

  #fits({ file, position, length }: WriteCall): boolean {
    if (this.capacityBytes === Number.POSITIVE_INFINITY) return true;
    const growth = Math.max(0, position + length - file.sizeBytes);
    return growth === 0 || usedBytes(this.#root) + growth <= this.capacityBytes;
  }

  #mediaOf(file: MemoryFile): Media {
    let media = this.#media.get(file);
    if (media === undefined) {
      media = { content: new MemoryFile(), dirty: [], sizes: [] };
      this.#media.set(file, media);
    }
    return media;
  }

  /** Notes a new version of every sector that is not as it was: those written, cut off, or filled with zeros. */
  #wrote(
    file: MemoryFile,
    position: number,
    length: number,
    oldSizeBytes: number,
    deceit: Deceit | undefined,
  ): void {
    const media = this.#mediaOf(file);
    const start = Math.min(position, oldSizeBytes, file.sizeBytes);
    const isResize = file.sizeBytes !== oldSizeBytes;
    const from = isResize ? start : position;
    const end = Math.max(position + length, isResize ? Math.max(oldSizeBytes, file.sizeBytes) : 0);
    const first = Math.floor(from / SECTOR_BYTES);
    const bytes = Buffer.alloc(Math.max(0, Math.ceil(end / SECTOR_BYTES) - first) * SECTOR_BYTES);
    file.read(first * SECTOR_BYTES, bytes);
    if (isResize) media.sizes.push(file.sizeBytes);
    if (deceit === 'misdirect') return this.#misdirect(file, bytes);
    if (deceit === 'flip') this.#flip(bytes);
    media.dirty.push({ first, bytes });
  }

  /** The sectors go over others of some file, as far as it reaches. */
  #misdirect(file: MemoryFile, bytes: Buffer): void {
    const target = this.#mediaOf(
      this.#random.chance(0.5) ? file : this.#random.pick([...this.#media.keys()]),
    );
    const place = this.#random.below(Math.ceil(target.content.sizeBytes / SECTOR_BYTES) + 1);
    putSectors(target.content, place, bytes);
  }

  #flip(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const offset = this.#random.below(bytes.length);
    bytes[offset] = (bytes[offset] ?? 0) ^ (1 << this.#random.below(8));
  }

  #synced(file: MemoryFile): void {
    const media = this.#mediaOf(file);
    media.content.resize(file.sizeBytes);
    for (const { first, bytes } of media.dirty) putSectors(media.content, first, bytes);
    media.dirty.length = 0;
    media.sizes.length = 0;
  }

  #syncFailed(file: MemoryFile): void {
    this.#tear(this.#mediaOf(file), this.#random.below(100) / 100);
  }

  /** Leaves on the media one version of each dirty sector, or the old one; nothing is dirty afterwards. */
  #tear(media: Media, keep: number): void {
    media.content.resize(this.#sizeOf(media, keep));
    for (const [sector, versions] of versionsOf(media.dirty)) {
      if (this.#random.chance(keep)) putSectors(media.content, sector, this.#random.pick(versions));
    }
    media.dirty.length = 0;
    media.sizes.length = 0;
  }

  #sizeOf(media: Media, keep: number): number {
    const old = media.content.sizeBytes;
    const newest = media.sizes.at(-1);
    if (newest === undefined || !this.#random.chance(keep)) return old;
    if (this.#random.chance(0.5)) return newest;
    const largest = Math.max(old, ...media.sizes);
    const smallest = Math.min(old, ...media.sizes);
    return smallest + this.#random.below(largest - smallest + 1);
  }

  #syncedFolder(folder: MemoryFolder): void {
    for (const change of this.#pending) {
      const touches = change.remaining.filter((one) => one.folder === folder);
      // A name may not leave one folder for ever before it is in the other.
      const leaves = touches.some((one) => one.node === undefined);
      const settled = leaves ? change.remaining : touches;
      this.#settle(settled);
      change.remaining = change.remaining.filter((one) => !settled.includes(one));
    }
    this.#pending = this.#pending.filter((change) => change.remaining.length > 0);
  }

  #settle(changes: readonly NameChange[]): void {
    for (const { folder, name, node } of changes) {
      const names = this.#durableNames.get(folder) ?? new Map<string, MemoryNode>();
      if (node === undefined) names.delete(name);
      else names.set(name, node);
      this.#durableNames.set(folder, names);
    }
  }

  #surviving(
    folder: MemoryFolder,
    names: Map<MemoryFolder, Map<string, MemoryNode>>,
    media: Map<MemoryFile, Media>,
    keep: number,
  ): MemoryFolder {
    const survivor = new MemoryFolder();
    for (const [name, node] of names.get(folder) ?? []) {
      const next =
        node instanceof MemoryFolder
          ? this.#surviving(node, names, media, keep)
          : this.#survivingFile(media.get(node), keep);
      survivor.entries.set(name, next);
      this.#settle([{ folder: survivor, name, node: next }]);
    }
    return survivor;
  }

  #survivingFile(media: Media | undefined, keep: number): MemoryFile {
    const survivor = new MemoryFile();
    if (media === undefined) return survivor;
    this.#tear(media, keep);
    survivor.write(0, media.content.content());
    this.#mediaOf(survivor).content.write(0, media.content.content());
    return survivor;
  }
}

/** What reaches over the end of the file is cut there. */
function putSectors(file: MemoryFile, first: number, bytes: Buffer): void {
  const start = first * SECTOR_BYTES;
  const length = Math.min(bytes.length, file.sizeBytes - start);
  if (length > 0) file.write(start, bytes.subarray(0, length));
}

/** The images that each sector had. */
function versionsOf(images: readonly Image[]): Map<number, Buffer[]> {
  const versions = new Map<number, Buffer[]>();
  for (const { first, bytes } of images) {
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      const sector = first + at / SECTOR_BYTES;
      const image = bytes.subarray(at, at + SECTOR_BYTES);
      const known = versions.get(sector);
      if (known === undefined) versions.set(sector, [image]);
      else known.push(image);
    }
  }
  return versions;
}

function usedBytes(folder: MemoryFolder): number {
  let bytes = 0;
  for (const node of folder.entries.values()) {
    bytes += node instanceof MemoryFolder ? usedBytes(node) : node.sizeBytes;
  }
  return bytes;
}

function* filesBelow(folder: MemoryFolder, path: string): IterableIterator<[string, MemoryFile]> {
  for (const [name, node] of folder.entries) {
    if (node instanceof MemoryFile) yield [`${path}/${name}`, node];
    else yield* filesBelow(node, `${path}/${name}`);
  }
}

function isDeceit(fault: Fault | undefined): fault is Deceit {
  return typeof fault === 'string' && fault in DECEIVED;
}
