/**
 * Snapshots in a folder, which may be on another disk, or be carried away and read elsewhere:
 *
 *   <folder>/snapshots/0000000000004711-7c9e6679-….json     a manifest: position and journal (sealed-file.ts)
 *   <folder>/parts/9f/9f86d081884c7d65….part                content under its SHA-256
 *
 * Writing: every part under a draft name → sync → its name → the folders synced → the manifest. A part that is
 * there already is read and verified first: a snapshot must not stand on one that has rotted since. Who writes
 * or deletes has the folder locked; reading takes no lock, so that a read-only medium serves as well.
 *
 * A write that fails removes the parts it has made; what a crash leaves is removed by the next write or delete.
 */
import { createHash } from 'node:crypto';
import { codeOf } from '../errors.ts';
import type { Files, OpenFile } from '../files/files.ts';
import { turn } from '../time/turn.ts';
import { BackupError } from './errors.ts';
import { SLICE_BYTES } from './limits.ts';
import { createSealed, readSealed } from './sealed-file.ts';
import type { SnapshotManifest, SnapshotPart, SnapshotStore } from './snapshot-store.ts';

export interface FolderSnapshotsOptions {
  readonly files: Files;
  /** Made by the first write. */
  readonly folder: string;
}

export function createFolderSnapshots(options: FolderSnapshotsOptions): SnapshotStore {
  return new FolderSnapshots(options);
}

const PART_KEY = /^[0-9a-f]{64}$/;
const PART_NAME = /^([0-9a-f]{64})\.part$/;
const DRAFT_NAME = /^[0-9a-f]{64}\.draft$/;
const PART_FOLDER = /^[0-9a-f]{2}$/;
const MANIFEST_NAME = /^\d{16}-[0-9a-f-]{36}\.json$/;

type Body = AsyncIterable<Uint8Array>;

class FolderSnapshots implements SnapshotStore {
  readonly #files: Files;
  readonly #folder: string;

  constructor({ files, folder }: FolderSnapshotsOptions) {
    this.#files = files;
    this.#folder = folder;
  }

  get #manifests(): string {
    return `${this.#folder}/snapshots`;
  }

  async list(): Promise<SnapshotManifest[]> {
    const manifests: SnapshotManifest[] = [];
    for (const name of await this.#files.list(this.#manifests)) {
      if (!MANIFEST_NAME.test(name)) continue;
      const manifest = await readSealed(this.#files, `${this.#manifests}/${name}`);
      if (isManifest(manifest)) manifests.push(manifest);
    }
    return manifests.sort((left, right) => right.position - left.position || right.epoch - left.epoch);
  }

  write(snapshot: Omit<SnapshotManifest, 'parts'>, body: Body): Promise<SnapshotManifest> {
    return this.#locked(async () => {
      const written = new Set<string>();
      try {
        const parts: SnapshotPart[] = [];
        for await (const chunk of body) parts.push(await this.#writePart(chunk, written));
        await this.#syncParts(written);
        const manifest = await this.#writeManifest({ ...snapshot, parts });
        // What a crash has left. That it stays once more harms nothing.
        await this.#collect().catch(() => undefined);
        return manifest;
      } catch (error) {
        await this.#collect().catch(() => undefined);
        throw refusalOf(error);
      }
    });
  }

  async #locked<Value>(work: () => Promise<Value>): Promise<Value> {
    for (const folder of [this.#manifests, `${this.#folder}/parts`]) await this.#files.makeFolder(folder);
    const lock = await this.#files.lock(this.#folder);
    try {
      return await work();
    } finally {
      await lock.release();
    }
  }

  async #writePart(content: Uint8Array, written: Set<string>): Promise<SnapshotPart> {
    const sha256 = await hashOf(content);
    const part = { key: sha256, bytes: content.length, sha256 };
    if (written.has(sha256) || (await this.#isStored(part))) return part;
    const folder = this.#folderOf(part);
    await this.#files.makeFolder(folder);
    const draft = `${folder}/${sha256}.draft`;
    await this.#files.remove(draft);
    const file = await this.#files.open(draft, 'create');
    try {
      for (let at = 0; at < content.length; at += SLICE_BYTES) {
        await file.write(at, content.subarray(at, at + SLICE_BYTES));
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#files.rename(draft, this.#pathOf(part));
    written.add(sha256);
    return part;
  }

  async #isStored(part: SnapshotPart): Promise<boolean> {
    try {
      await this.#readPart(part);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'damaged') throw error;
      return false;
    }
  }

  async #syncParts(written: ReadonlySet<string>): Promise<void> {
    for (const folder of new Set([...written].map((key) => key.slice(0, 2)))) {
      await this.#files.syncFolder(`${this.#folder}/parts/${folder}`);
    }
  }

  async #writeManifest(manifest: SnapshotManifest): Promise<SnapshotManifest> {
    const name = nameOf(manifest);
    if (await createSealed(this.#files, this.#manifests, name, manifest)) return manifest;
    const there = await readSealed(this.#files, `${this.#manifests}/${name}`);
    if (JSON.stringify(there) === JSON.stringify(manifest)) return manifest;
    throw new BackupError('exists', `${this.#manifests}/${name} is another snapshot of the same state`);
  }

  async *read(manifest: SnapshotManifest): AsyncGenerator<Buffer, void> {
    for (const part of manifest.parts) yield await this.#readPart(part);
  }

  /** @throws BackupError `damaged` */
  async #readPart(part: SnapshotPart): Promise<Buffer> {
    if (!PART_KEY.test(part.key)) throw new BackupError('damaged', `"${part.key}" is not the key of a part`);
    const path = this.#pathOf(part);
    const file = await this.#openPart(path);
    try {
      if (file.size() !== part.bytes) {
        throw new BackupError('damaged', `${path} has ${file.size()} bytes instead of ${part.bytes}`);
      }
      const content = await readAll(file);
      if ((await hashOf(content)) === part.sha256) return content;
      throw new BackupError('damaged', `${path} is not what was written: wrong SHA-256`);
    } finally {
      await file.close();
    }
  }

  async #openPart(path: string): Promise<OpenFile> {
    try {
      return await this.#files.open(path, 'read');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      throw new BackupError('damaged', `${path} is missing`);
    }
  }

  async delete(manifest: SnapshotManifest): Promise<void> {
    await this.#locked(async () => {
      await this.#files.remove(`${this.#manifests}/${nameOf(manifest)}`);
      await this.#files.syncFolder(this.#manifests);
      await this.#collect();
    });
  }

  /** Removes drafts, and parts that no manifest names. */
  async #collect(): Promise<void> {
    const named = new Set<string>();
    for (const { parts } of await this.list()) for (const { key } of parts) named.add(key);
    for (const folder of await this.#files.list(`${this.#folder}/parts`)) {
      if (!PART_FOLDER.test(folder)) continue;
      for (const name of await this.#files.list(`${this.#folder}/parts/${folder}`)) {
        const key = PART_NAME.exec(name)?.[1];
        const isIdle = key === undefined ? DRAFT_NAME.test(name) : !named.has(key);
        if (isIdle) await this.#files.remove(`${this.#folder}/parts/${folder}/${name}`);
      }
    }
  }

  #folderOf({ key }: SnapshotPart): string {
    return `${this.#folder}/parts/${key.slice(0, 2)}`;
  }

  #pathOf(part: SnapshotPart): string {
    return `${this.#folderOf(part)}/${part.key}.part`;
  }
}

function nameOf({ position, incarnation }: SnapshotManifest): string {
  return `${String(position).padStart(16, '0')}-${incarnation}.json`;
}

async function readAll(file: OpenFile): Promise<Buffer> {
  const content = Buffer.allocUnsafeSlow(file.size());
  for (let at = 0; at < content.length; at += SLICE_BYTES) {
    await file.read(at, content.subarray(at, at + SLICE_BYTES));
  }
  return content;
}

/** The event loop has its turn between two slices. */
async function hashOf(content: Uint8Array): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < content.length; at += SLICE_BYTES) {
    hash.update(content.subarray(at, at + SLICE_BYTES));
    await turn();
  }
  return hash.digest('hex');
}

const INCARNATION = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const CHAIN = /^([0-9a-f]{2})*$/;

/** A folder of backups may come from anywhere: what is read from it becomes names of files, too. */
function isManifest(value: unknown): value is SnapshotManifest {
  if (typeof value !== 'object' || value === null) return false;
  const { incarnation, position, epoch, chain, format, parts } = value as Partial<SnapshotManifest>;
  const areNumbers = [position, epoch, format].every(
    (number) => Number.isSafeInteger(number) && number! >= 0,
  );
  const areNames = INCARNATION.test(String(incarnation)) && CHAIN.test(String(chain));
  return areNumbers && areNames && Array.isArray(parts) && parts.every(isPart);
}

function isPart(value: unknown): value is SnapshotPart {
  if (typeof value !== 'object' || value === null) return false;
  const { key, bytes, sha256 } = value as Partial<SnapshotPart>;
  return PART_KEY.test(String(key)) && PART_KEY.test(String(sha256)) && Number.isSafeInteger(bytes);
}

function refusalOf(error: unknown): unknown {
  const code = codeOf(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new BackupError('no-space', 'the disk is full: no backup was made', {
    cause: error,
    retryable: true,
  });
}
