/**
 * Makes a store, and the blobs beside it, out of a backup: exactly what was captured, or nothing at all.
 *
 * Every part is held against its hash before anything of it is used, and the counts at the end against what
 * was read. Blobs are made first under a draft name; they get theirs when the end has been seen, and the store
 * after them, so that a crash leaves no store which names blobs that are not there.
 */
import { dirname } from 'node:path';
import { openBlobs } from '../blobs/blobs.ts';
import type { Blobs, BlobWriter } from '../blobs/types.ts';
import { codeOf, messageOf } from '../errors.ts';
import type { Files } from '../files/files.ts';
import type { Random } from '../random/random.ts';
import { loadStore } from '../store/load.ts';
import type { Portion } from '../store/portions.ts';
import type { Entry } from '../store/types.ts';
import { turn } from '../time/turn.ts';
import { BackupError } from './errors.ts';
import { ENTRIES_PER_TURN } from './limits.ts';
import type { SnapshotManifest, SnapshotStore } from './snapshot-store.ts';
import { type BackupRecord, FORMAT, recordsOf } from './stream.ts';

export interface RestoreTarget {
  readonly files: Files;
  readonly random: Random;
  /** Missing or empty. */
  readonly storeFolder: string;
  /** Missing or empty; needed for a backup that holds blobs. */
  readonly blobsFolder?: string | undefined;
  /** Changed pages in memory before they are written. Default 16 MiB. */
  readonly dirtyBytes?: number;
}

/**
 * Restores the backup `manifest`. The store's journal is a new one: the restored state may be older than what
 * others remember of the original, and must not be taken for it.
 * @throws BackupError `damaged` naming the part, `not-empty`, `newer-format`, `no-space`; a system error of the
 *   disk. Both folders are then as they were
 */
export async function restore(
  snapshots: SnapshotStore,
  manifest: SnapshotManifest,
  target: RestoreTarget,
): Promise<void> {
  const { files, random, storeFolder, blobsFolder, dirtyBytes } = target;
  if (manifest.format > FORMAT) {
    const message = `the backup has format ${manifest.format}, this release knows ${FORMAT}`;
    throw new BackupError('newer-format', message);
  }
  const blobs = blobsFolder === undefined ? undefined : await BlobsDraft.make(files, blobsFolder, random);
  const { position, epoch, chain } = manifest;
  const mark = { position, epoch, chain: Buffer.from(chain, 'hex') };
  const options = { files, folder: storeFolder, random, origin: { incarnation: manifest.incarnation, mark } };
  try {
    const portions = new Restoration(snapshots, manifest, blobs).portions();
    await loadStore(dirtyBytes === undefined ? options : { ...options, dirtyBytes }, portions);
  } catch (error) {
    await blobs?.abandon();
    throw refusalOf(error);
  }
}

/** Reads a backup from its first part to its end. */
class Restoration {
  readonly #snapshots: SnapshotStore;
  readonly #manifest: SnapshotManifest;
  readonly #blobs: BlobsDraft | undefined;
  #entries = 0;
  #hasEnded = false;

  constructor(snapshots: SnapshotStore, manifest: SnapshotManifest, blobs: BlobsDraft | undefined) {
    this.#snapshots = snapshots;
    this.#manifest = manifest;
    this.#blobs = blobs;
  }

  /** The entries; blobs are made on the way. */
  async *portions(): AsyncGenerator<Portion, void> {
    let index = 0;
    for await (const part of this.#snapshots.read(this.#manifest)) {
      try {
        yield* this.#portionsOf(part);
      } catch (error) {
        throw inPart(error, this.#manifest.parts[index]?.key);
      }
      index += 1;
    }
    if (!this.#hasEnded)
      throw new BackupError('damaged', 'the backup ends before its end: parts are missing');
    await this.#blobs?.publish();
  }

  async *#portionsOf(part: Buffer): AsyncGenerator<Portion, void> {
    let tree = '';
    let entries: Entry[] = [];
    for (const record of recordsOf(part)) {
      if (this.#hasEnded) throw new BackupError('damaged', 'the backup goes on behind its end');
      if (record.kind === 'entry') {
        if (record.tree !== tree || entries.length >= ENTRIES_PER_TURN) {
          if (entries.length > 0) yield { tree, entries };
          entries = [];
          await turn();
        }
        tree = record.tree;
        entries.push(record);
        this.#entries += 1;
      } else await this.#take(record);
    }
    if (entries.length > 0) yield { tree, entries };
  }

  async #take(record: Exclude<BackupRecord, { kind: 'entry' }>): Promise<void> {
    if (record.kind === 'end') return this.#end(record.entries, record.blobs);
    if (this.#blobs === undefined) {
      throw new BackupError('damaged', 'the backup holds blobs, and nobody says where they belong');
    }
    await this.#blobs.take(record);
  }

  #end(entries: number, blobs: number): void {
    const made = this.#blobs?.made ?? 0;
    if (entries !== this.#entries || blobs !== made) {
      const found = `${this.#entries} entries and ${made} blobs`;
      throw new BackupError('damaged', `the backup holds ${found} instead of ${entries} and ${blobs}`);
    }
    this.#hasEnded = true;
  }
}

function inPart(error: unknown, key: string | undefined): unknown {
  if (!(error instanceof BackupError) || key === undefined) return error;
  return new BackupError(error.code, `part ${key}: ${error.message}`, { cause: error });
}

/** Blobs that are being restored: all of them get their folder at once, at the end. */
class BlobsDraft {
  made = 0;
  readonly #files: Files;
  readonly #folder: string;
  readonly #draft: string;
  readonly #blobs: Blobs;
  #current: { readonly id: string; readonly writer: BlobWriter } | undefined;
  #isPublished = false;

  static async make(files: Files, folder: string, random: Random): Promise<BlobsDraft> {
    await requireEmpty(files, folder);
    const draft = `${folder}.draft-${random.bytes(4).toString('hex')}`;
    return new BlobsDraft(files, folder, draft, await openBlobs({ files, folder: draft, random }));
  }

  private constructor(files: Files, folder: string, draft: string, blobs: Blobs) {
    this.#files = files;
    this.#folder = folder;
    this.#draft = draft;
    this.#blobs = blobs;
  }

  async take(record: Extract<BackupRecord, { kind: 'blob' | 'whole' }>): Promise<void> {
    const writer = await this.#writerOf(record.id);
    const offset = record.kind === 'blob' ? record.offset : record.sizeBytes;
    if (writer.sizeBytes !== offset) {
      const message = `blob ${record.id} has ${writer.sizeBytes} bytes at offset ${offset}`;
      throw new BackupError('damaged', message);
    }
    if (record.kind === 'blob') return writer.write(record.bytes);
    await writer.finish();
    this.#current = undefined;
    this.made += 1;
  }

  async #writerOf(id: string): Promise<BlobWriter> {
    if (this.#current?.id === id) return this.#current.writer;
    if (this.#current !== undefined) {
      throw new BackupError('damaged', `blob ${this.#current.id} has no end`);
    }
    const writer = await this.#blobs.recreate(id);
    this.#current = { id, writer };
    return writer;
  }

  async publish(): Promise<void> {
    await this.#blobs.close();
    await requireEmpty(this.#files, this.#folder);
    await this.#files.rename(this.#draft, this.#folder);
    await this.#files.syncFolder(dirname(this.#folder));
    this.#isPublished = true;
  }

  /** The store could not be made: without it the blobs are nothing. */
  async abandon(): Promise<void> {
    await this.#blobs.close().catch(() => undefined);
    const folder = this.#isPublished ? this.#folder : this.#draft;
    await this.#files.removeFolder(folder).catch(() => undefined);
  }
}

async function requireEmpty(files: Files, folder: string): Promise<void> {
  const [name] = await files.list(folder);
  if (name !== undefined) throw new BackupError('not-empty', `${folder} holds ${name} already`);
}

function refusalOf(error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof BackupError) return error;
  if (code === 'not-empty') return new BackupError('not-empty', messageOf(error), { cause: error });
  if (code !== 'no-space' && code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new BackupError('no-space', 'the disk is full: nothing was restored', {
    cause: error,
    retryable: true,
  });
}
