/**
 * Blobs as files, one each, in 256 folders so that none grows too large:
 *
 *   <folder>/7c/5f0e91a27c….blob     whole and durable
 *   <folder>/03/5f0e91a203….draft    being written, or left by a crash
 *
 * An id has 32 hexadecimal digits: 8 that are the same for all blobs made since opening (so that a sweep can
 * tell new blobs, which no commit names yet, from old orphans without remembering them), then 24 random ones,
 * of which the first two choose the folder.
 */
import { codeOf } from '../errors.ts';
import type { Files, FolderLock, OpenFile } from '../files/files.ts';
import type { Random } from '../random/random.ts';
import { CRC_BYTES, chunkCrc, decodeTrailer, STORED_CHUNK_BYTES, TRAILER_BYTES } from './blob-format.ts';
import { type BlobPlace, blobErrorOf, ChunkedBlobWriter } from './blob-writer.ts';
import { BlobError } from './errors.ts';
import { CHUNK_BYTES, HELD_REMOVALS_MAX } from './limits.ts';
import type { Blobs, BlobWriter } from './types.ts';

export interface BlobsOptions {
  readonly files: Files;
  /** Made if missing; the blobs' alone, and locked while they are open. */
  readonly folder: string;
  readonly random: Random;
}

/** @throws FilesError `locked`; a system error of the disk */
export async function openBlobs(options: BlobsOptions): Promise<Blobs> {
  await options.files.makeFolder(options.folder);
  const lock = await options.files.lock(options.folder);
  return new FileBlobs(options, lock);
}

const ID = /^[0-9a-f]{32}$/;
export const BLOB_NAME = /^([0-9a-f]{32})\.(blob|draft)$/;
export const FOLDER_NAME = /^[0-9a-f]{2}$/;
export const SESSION_DIGITS = 8;

interface Holds {
  count: number;
  readonly released: PromiseWithResolvers<void>;
}

class FileBlobs implements Blobs {
  readonly #files: Files;
  readonly #folder: string;
  readonly #random: Random;
  readonly #lock: FolderLock;
  /** The first digits of every id made since opening. */
  readonly #session: string;
  readonly #foldersMade = new Set<string>();
  readonly #writers = new Set<BlobWriter>();
  /** Set while somebody holds removals. */
  #holds: Holds | undefined;
  /** Removed meanwhile. */
  readonly #held = new Set<string>();
  /** Drafts being made and blobs being removed. */
  readonly #underWay = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor({ files, folder, random }: BlobsOptions, lock: FolderLock) {
    this.#files = files;
    this.#folder = folder;
    this.#random = random;
    this.#lock = lock;
    this.#session = random.bytes(SESSION_DIGITS / 2).toString('hex');
  }

  create(): Promise<BlobWriter> {
    return this.#tracked(this.#write(this.#session + this.#random.bytes(12).toString('hex')));
  }

  recreate(id: string): Promise<BlobWriter> {
    return this.#tracked(this.#recreate(id));
  }

  /** Closing waits for what has begun: nothing touches the folder when its lock is released. */
  #tracked<Value>(work: Promise<Value>): Promise<Value> {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    this.#underWay.add(settled);
    void settled.then(() => this.#underWay.delete(settled));
    return work;
  }

  async #recreate(id: string): Promise<BlobWriter> {
    if (!ID.test(id)) throw new BlobError('missing', 'not the id of a blob');
    const { path } = this.#placeOf(id);
    if ((await this.#files.stat(path)) !== undefined) {
      throw new BlobError('write-failed', `${path} is there already`);
    }
    return this.#write(id);
  }

  async #write(id: string): Promise<BlobWriter> {
    this.#checkOpen();
    const place = this.#placeOf(id);
    const file = await this.#createDraft(place);
    const writer: BlobWriter = new ChunkedBlobWriter(this.#files, file, place, () => {
      this.#writers.delete(writer);
    });
    this.#writers.add(writer);
    return writer;
  }

  async #createDraft(place: BlobPlace): Promise<OpenFile> {
    try {
      if (!this.#foldersMade.has(place.folder)) await this.#files.makeFolder(place.folder);
      this.#foldersMade.add(place.folder);
      return await this.#files.open(place.draft, 'create');
    } catch (error) {
      throw blobErrorOf(error);
    }
  }

  async *read(id: string, range: { start?: number; end?: number } = {}): AsyncGenerator<Buffer, void> {
    this.#checkOpen();
    const file = await this.#openBlob(id);
    try {
      const sizeBytes = await readSize(file, id);
      const end = Math.min(range.end ?? sizeBytes, sizeBytes);
      let at = Math.max(0, range.start ?? 0);
      while (at < end) {
        const index = Math.floor(at / CHUNK_BYTES);
        const chunkStart = index * CHUNK_BYTES;
        const content = await readChunk(file, id, index, Math.min(CHUNK_BYTES, sizeBytes - chunkStart));
        yield content.subarray(at - chunkStart, end - chunkStart);
        at = chunkStart + content.length;
      }
    } finally {
      await file.close();
    }
  }

  async #openBlob(id: string): Promise<OpenFile> {
    if (!ID.test(id)) throw new BlobError('missing', 'not the id of a blob');
    try {
      return await this.#files.open(this.#placeOf(id).path, 'read');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw new BlobError('missing', `there is no blob ${id}`);
      throw error;
    }
  }

  async *ids(): AsyncGenerator<string, void> {
    this.#checkOpen();
    for (const folder of await this.#files.list(this.#folder)) {
      if (!FOLDER_NAME.test(folder)) continue;
      for (const name of await this.#files.list(`${this.#folder}/${folder}`)) {
        const [, id = '', kind] = BLOB_NAME.exec(name) ?? [];
        if (kind === 'blob') yield id;
      }
    }
  }

  /** Not synced: a blob that a power cut brings back is an orphan, and swept. */
  remove(id: string): Promise<void> {
    return this.#tracked(this.#remove(id));
  }

  async #remove(id: string): Promise<void> {
    this.#checkOpen();
    if (!ID.test(id)) return;
    if (this.#holds === undefined) await this.#files.remove(this.#placeOf(id).path);
    else if (this.#held.size < HELD_REMOVALS_MAX) this.#held.add(id);
  }

  holdRemovals(): Disposable {
    this.#checkOpen();
    const holds = (this.#holds ??= { count: 0, released: Promise.withResolvers<void>() });
    holds.count += 1;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        holds.count -= 1;
        if (holds.count === 0) this.#release(holds);
      },
    };
  }

  #release(holds: Holds): void {
    this.#holds = undefined;
    holds.released.resolve();
    const held = [...this.#held];
    this.#held.clear();
    void this.#tracked(this.#removeAll(held));
  }

  /** What cannot be removed is an orphan by now, and swept by the next start. */
  async #removeAll(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      if (this.#closing !== undefined) return;
      await this.#files.remove(this.#placeOf(id).path).catch(() => undefined);
    }
  }

  async sweep(isNamed: (id: string) => boolean): Promise<number> {
    while (this.#holds !== undefined) await this.#holds.released.promise;
    this.#checkOpen();
    let removed = 0;
    for (const name of await this.#files.list(this.#folder)) {
      if (FOLDER_NAME.test(name)) removed += await this.#sweepFolder(`${this.#folder}/${name}`, isNamed);
    }
    return removed;
  }

  async #sweepFolder(folder: string, isNamed: (id: string) => boolean): Promise<number> {
    let removed = 0;
    for (const name of await this.#files.list(folder)) {
      const [, id = '', kind] = BLOB_NAME.exec(name) ?? [];
      if (kind === undefined || id.startsWith(this.#session)) continue;
      if (kind === 'blob' && isNamed(id)) continue;
      await this.#files.remove(`${folder}/${name}`);
      removed += 1;
    }
    return removed;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#holds?.released.resolve();
    this.#holds = undefined;
    await Promise.all(this.#underWay);
    for (const writer of [...this.#writers]) await writer.abort();
    await this.#lock.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #placeOf(id: string): BlobPlace {
    const folder = `${this.#folder}/${id.slice(SESSION_DIGITS, SESSION_DIGITS + 2)}`;
    return { id, folder, draft: `${folder}/${id}.draft`, path: `${folder}/${id}.blob` };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new BlobError('write-failed', 'the blobs are closed');
  }
}

/** @returns the size of the content @throws BlobError `corrupt` */
export async function readSize(file: OpenFile, id: string): Promise<number> {
  const trailer = Buffer.allocUnsafe(TRAILER_BYTES);
  const length = await file.read(Math.max(0, file.size() - TRAILER_BYTES), trailer);
  return decodeTrailer(trailer.subarray(0, length), id, file.size(), file.path);
}

/** The content of chunk `index`, which has `sizeBytes`. @throws BlobError `corrupt` */
export async function readChunk(
  file: OpenFile,
  id: string,
  index: number,
  sizeBytes: number,
): Promise<Buffer> {
  const offset = index * STORED_CHUNK_BYTES;
  const stored = Buffer.allocUnsafe(sizeBytes + CRC_BYTES);
  const length = await file.read(offset, stored);
  const content = stored.subarray(0, sizeBytes);
  if (length === stored.length && chunkCrc(id, index, content) === stored.readUInt32BE(sizeBytes))
    return content;
  throw new BlobError('corrupt', `${file.path}, chunk ${index} at offset ${offset}: wrong CRC`);
}
