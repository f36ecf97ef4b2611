import { codeOf, messageOf } from '../errors.ts';
import type { Files, OpenFile } from '../files/files.ts';
import { chunkCrc, encodeTrailer, STORED_CHUNK_BYTES, TRAILER_BYTES } from './blob-format.ts';
import { BlobError } from './errors.ts';
import { CHUNK_BYTES, SYNC_EVERY_BYTES } from './limits.ts';
import type { BlobInfo, BlobWriter } from './types.ts';

export interface BlobPlace {
  readonly id: string;
  readonly folder: string;
  /** Where the bytes go until they are whole. */
  readonly draft: string;
  readonly path: string;
}

/** What a writer is at: a failed or an ended one keeps why. */
type State =
  | { kind: 'open' }
  | { kind: 'failed'; error: BlobError }
  | { kind: 'finished' }
  | { kind: 'aborted' };

/**
 * Fills one chunk after the other and writes each whole, with its checksum. Any failure is final for this blob
 * and removes what was written; other blobs are not touched by it.
 */
export class ChunkedBlobWriter implements BlobWriter {
  readonly #files: Files;
  readonly #file: OpenFile;
  readonly #place: BlobPlace;
  readonly #ended: () => void;
  /** The chunk being filled, and room for its checksum and the trailer behind it. */
  readonly #chunk = Buffer.allocUnsafe(STORED_CHUNK_BYTES + TRAILER_BYTES);
  #chunkBytes = 0;
  #chunks = 0;
  #unsyncedBytes = 0;
  #state: State = { kind: 'open' };

  /** @param ended called once, when the writer holds no file any more */
  constructor(files: Files, file: OpenFile, place: BlobPlace, ended: () => void) {
    this.#files = files;
    this.#file = file;
    this.#place = place;
    this.#ended = ended;
  }

  get sizeBytes(): number {
    return this.#chunks * CHUNK_BYTES + this.#chunkBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#checkOpen();
    await this.#guard(async () => {
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + CHUNK_BYTES - this.#chunkBytes);
        this.#chunk.set(part, this.#chunkBytes);
        this.#chunkBytes += part.length;
        at += part.length;
        if (this.#chunkBytes === CHUNK_BYTES) await this.#flushChunk();
      }
    });
  }

  async #flushChunk(): Promise<void> {
    const stored = this.#sealChunk();
    await this.#file.write(this.#chunks * STORED_CHUNK_BYTES, stored);
    this.#chunks += 1;
    this.#chunkBytes = 0;
    this.#unsyncedBytes += stored.length;
    if (this.#unsyncedBytes < SYNC_EVERY_BYTES) return;
    await this.#file.sync();
    this.#unsyncedBytes = 0;
  }

  /** @returns the chunk with its checksum behind it, or nothing when it is empty */
  #sealChunk(): Buffer {
    const content = this.#chunk.subarray(0, this.#chunkBytes);
    if (content.length === 0) return content;
    const end = this.#chunk.writeUInt32BE(chunkCrc(this.#place.id, this.#chunks, content), content.length);
    return this.#chunk.subarray(0, end);
  }

  /** The last chunk and the trailer go in one write: a small blob costs one. */
  async #flushEnd(sizeBytes: number): Promise<void> {
    const stored = this.#sealChunk();
    this.#chunk.set(encodeTrailer(this.#place.id, sizeBytes), stored.length);
    const end = this.#chunk.subarray(0, stored.length + TRAILER_BYTES);
    await this.#file.write(this.#chunks * STORED_CHUNK_BYTES, end);
  }

  async finish(): Promise<BlobInfo> {
    this.#checkOpen();
    const { id, folder, draft, path } = this.#place;
    const { sizeBytes } = this;
    await this.#guard(async () => {
      await this.#flushEnd(sizeBytes);
      await this.#file.sync();
      await this.#file.close();
      await this.#files.rename(draft, path);
      await this.#files.syncFolder(folder);
    });
    this.#state = { kind: 'finished' };
    this.#ended();
    return { id, sizeBytes };
  }

  async abort(): Promise<void> {
    if (this.#state.kind !== 'open') return;
    this.#state = { kind: 'aborted' };
    await this.#discard();
  }

  #checkOpen(): void {
    if (this.#state.kind === 'open') return;
    if (this.#state.kind === 'failed') throw this.#state.error;
    throw new BlobError('write-failed', `the blob is ${this.#state.kind} already`);
  }

  async #guard(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (cause) {
      const error = blobErrorOf(cause);
      this.#state = { kind: 'failed', error };
      await this.#discard();
      throw error;
    }
  }

  /** What cannot be removed now is swept at the next start. */
  async #discard(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await this.#files.remove(this.#place.draft).catch(() => undefined);
    await this.#files.remove(this.#place.path).catch(() => undefined);
    this.#ended();
  }
}

/** A failure of the disk, in the blobs' own terms. */
export function blobErrorOf(cause: unknown): BlobError {
  const code = codeOf(cause);
  const message = messageOf(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new BlobError('no-space', `the disk is full: ${message}`, { cause, retryable: true });
  }
  return new BlobError('write-failed', message, { cause });
}
