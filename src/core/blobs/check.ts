/**
 * Verifies a folder of blobs as it lies on the disk: every chunk and every trailer of every blob, and that each
 * lies where its id says. Takes no lock and changes nothing. Memory: one chunk, and the names in one of the 256
 * folders.
 *
 * Which blobs ought to be there only the commits know that name them: a missing blob is found by the service,
 * and so is one that nobody names any more. What a crash leaves of a blob that was being written is a draft; it
 * is counted, not held against the folder, and swept at the next start.
 */
import { codeOf, messageOf } from '../errors.ts';
import type { Damage } from '../files/damage.ts';
import type { Files, OpenFile } from '../files/files.ts';
import { STORED_CHUNK_BYTES, TRAILER_BYTES } from './blob-format.ts';
import { BLOB_NAME, FOLDER_NAME, readChunk, readSize, SESSION_DIGITS } from './blobs.ts';
import { CHUNK_BYTES } from './limits.ts';

export interface BlobsCheckOptions {
  readonly files: Files;
  readonly folder: string;
  readonly report: (damage: Damage) => void;
  /** Told of every so many bytes of content read. */
  readonly progress?: (bytes: number) => void;
}

export interface BlobsSummary {
  readonly blobs: number;
  /** Of their content. */
  readonly bytes: number;
  /** Blobs that were never finished. */
  readonly drafts: number;
}

/** A blob, or what is left of one, by its name. */
export interface BlobFile {
  readonly id: string;
  readonly kind: 'blob' | 'draft';
  /** The name of its folder, two digits. */
  readonly group: string;
  readonly path: string;
}

/** Every blob and draft in `folder`; what has another name is passed to `isStrange`. */
export async function* blobFiles(
  files: Files,
  folder: string,
  isStrange: (path: string) => void = () => undefined,
): AsyncGenerator<BlobFile, void> {
  for (const group of await files.list(folder)) {
    if (!FOLDER_NAME.test(group)) continue;
    for (const name of await files.list(`${folder}/${group}`)) {
      const path = `${folder}/${group}/${name}`;
      const [, id, kind] = BLOB_NAME.exec(name) ?? [];
      if (id === undefined) isStrange(path);
      else yield { id, kind: kind as BlobFile['kind'], group, path };
    }
  }
}

/** @throws a system error of the disk that does not concern one blob alone */
export async function checkBlobs(options: BlobsCheckOptions): Promise<BlobsSummary> {
  const { files, folder, report, progress } = options;
  const summary = { blobs: 0, bytes: 0, drafts: 0 };
  const isStrange = (path: string) => report({ path, what: 'it has the name of no blob' });
  for await (const blob of blobFiles(files, folder, isStrange)) {
    if (blob.kind === 'draft') {
      summary.drafts += 1;
      continue;
    }
    summary.blobs += 1;
    const group = blob.id.slice(SESSION_DIGITS, SESSION_DIGITS + 2);
    if (group !== blob.group) report({ path: blob.path, what: `it belongs into the folder ${group}` });
    summary.bytes += await checkBlob(files, blob, report, progress);
  }
  return summary;
}

/** @returns the bytes of content that are sound */
async function checkBlob(
  files: Files,
  { id, path }: BlobFile,
  report: (damage: Damage) => void,
  progress: ((bytes: number) => void) | undefined,
): Promise<number> {
  const file = await openBlobFile(files, path, report);
  if (file === undefined) return 0;
  let bytes = 0;
  try {
    for await (const chunk of chunksOf(file, id, report)) {
      bytes += chunk.length;
      progress?.(chunk.length);
    }
  } finally {
    await file.close();
  }
  return bytes;
}

/** Opens a blob; a failure is reported, but that it is gone. */
export async function openBlobFile(
  files: Files,
  path: string,
  report: (damage: Damage) => void,
): Promise<OpenFile | undefined> {
  try {
    return await files.open(path, 'read');
  } catch (error) {
    // Removed since it was listed, by the service that is running.
    if (codeOf(error) !== 'ENOENT') report({ path, what: messageOf(error) });
    return undefined;
  }
}

/**
 * The sound chunks of a blob, in order; the others are reported. Without a sound trailer nothing is read, for
 * nobody knows how long the content was.
 */
export async function* chunksOf(
  file: OpenFile,
  id: string,
  report: (damage: Damage) => void,
): AsyncGenerator<Buffer, void> {
  const { path } = file;
  let sizeBytes: number;
  try {
    sizeBytes = await readSize(file, id);
  } catch (error) {
    report({
      path,
      offset: Math.max(0, file.size() - TRAILER_BYTES),
      what: withoutPlace(error, `${path}, trailer: `),
    });
    return;
  }
  for (let index = 0; index * CHUNK_BYTES < sizeBytes; index += 1) {
    const offset = index * STORED_CHUNK_BYTES;
    let chunk: Buffer;
    try {
      chunk = await readChunk(file, id, index, Math.min(CHUNK_BYTES, sizeBytes - index * CHUNK_BYTES));
    } catch (error) {
      const what = withoutPlace(error, `${path}, chunk ${index} at offset ${offset}: `);
      report({ path, offset, what: `chunk ${index}: ${what}` });
      continue;
    }
    yield chunk;
  }
}

function withoutPlace(error: unknown, place: string): string {
  return messageOf(error).replace(place, '');
}
