/**
 * Copies the blobs of a folder whose every checksum holds into a new one, under their ids, and names the others.
 * The source is only read. Memory: one chunk.
 *
 * A blob is copied whole or not at all: what a service would be handed with a hole in it is no blob.
 */
import type { Damage } from '../files/damage.ts';
import type { Files } from '../files/files.ts';
import { lockSource } from '../files/lock-source.ts';
import { ChunkedBlobWriter } from './blob-writer.ts';
import { SESSION_DIGITS } from './blobs.ts';
import { type BlobFile, blobFiles, chunksOf, openBlobFile } from './check.ts';

export interface BlobsSalvageOptions {
  readonly files: Files;
  /** Its lock is taken unless nothing can be written there. */
  readonly source: string;
  /** Where the sound blobs go; made if missing. */
  readonly target: string;
  /** Told of each blob that is lost, once for each damaged place in it. */
  readonly report: (damage: Damage) => void;
  readonly progress?: (bytes: number) => void;
}

export interface BlobsSalvaged {
  readonly copied: number;
  readonly bytes: number;
  readonly lost: number;
  /** Blobs that were never finished: nobody can have named them. */
  readonly drafts: number;
}

/** @throws FilesError `locked`; BlobError `no-space`, `write-failed` when the target cannot be written; a system error of the disk */
export async function salvageBlobs(options: BlobsSalvageOptions): Promise<BlobsSalvaged> {
  const { files, source, target } = options;
  await using opened = new AsyncDisposableStack();
  opened.adopt(await lockSource(files, source), (lock) => lock?.release());
  await files.makeFolder(target);
  const writers = new Writers(files, target);
  const salvaged = { copied: 0, bytes: 0, lost: 0, drafts: 0 };
  for await (const blob of blobFiles(files, source)) {
    if (blob.kind === 'draft') {
      salvaged.drafts += 1;
      continue;
    }
    const bytes = await copyBlob(options, writers, blob);
    salvaged.copied += Number(bytes !== undefined);
    salvaged.lost += Number(bytes === undefined);
    salvaged.bytes += bytes ?? 0;
  }
  return salvaged;
}

/** @returns the bytes of its content, or undefined when it is damaged */
async function copyBlob(
  { files, report, progress }: BlobsSalvageOptions,
  writers: Writers,
  { id, path }: BlobFile,
): Promise<number | undefined> {
  let isSound = true;
  const reported = (damage: Damage) => {
    isSound = false;
    report(damage);
  };
  const source = await openBlobFile(files, path, reported);
  if (source === undefined) return undefined;
  try {
    const writer = await writers.create(id);
    for await (const chunk of chunksOf(source, id, reported)) {
      if (!isSound) continue;
      await writer.write(chunk);
      progress?.(chunk.length);
    }
    if (isSound) return (await writer.finish()).sizeBytes;
    await writer.abort();
    return undefined;
  } finally {
    await source.close();
  }
}

/** Makes blobs under ids that they have already. */
class Writers {
  readonly #files: Files;
  readonly #folder: string;
  readonly #foldersMade = new Set<string>();

  constructor(files: Files, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  async create(id: string): Promise<ChunkedBlobWriter> {
    const folder = `${this.#folder}/${id.slice(SESSION_DIGITS, SESSION_DIGITS + 2)}`;
    if (!this.#foldersMade.has(folder)) await this.#files.makeFolder(folder);
    this.#foldersMade.add(folder);
    const place = { id, folder, draft: `${folder}/${id}.draft`, path: `${folder}/${id}.blob` };
    const file = await this.#files.open(place.draft, 'create');
    return new ChunkedBlobWriter(this.#files, file, place, () => undefined);
  }
}
