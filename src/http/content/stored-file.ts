/**
 * One file that is being served: opened once, found to be what it should be, and then read by many requests.
 *
 * A path is a promise of nobody: between a look at it and the opening of it, any part may have become a symbolic
 * link to somewhere else. So the file is opened first and judged after that: what the path leads to, links
 * resolved, must lie within the root and must be the very file that is open (device and inode).
 */
import { createHash } from 'node:crypto';
import { codeOf } from '../../core/errors.ts';
import type { FileInfo, Files, OpenFile } from '../../core/files/files.ts';
import type { ByteRange } from '../conditional/range.ts';
import { HttpError } from '../errors.ts';
import { CONTENT_LIMITS } from '../limits.ts';
import type { Content } from './representation.ts';

/** What the system says of a path that leads to nothing we serve; to tell more would be of use to an attacker only. */
const ABSENT: ReadonlySet<string | undefined> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ELOOP',
  'EACCES',
  'EPERM',
  'ENXIO',
]);

/** The plain file of this name below `root`; undefined when there is none, or only one that lies elsewhere. */
export async function openBelow(
  files: Files,
  root: string,
  name: string,
): Promise<OpenFile | 'folder' | undefined> {
  const path = `${root}/${name}`;
  let file: OpenFile;
  try {
    file = await files.open(path, 'read');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EISDIR')
      return (await realPathBelow(files, root, path)) === undefined ? undefined : 'folder';
    if (ABSENT.has(code)) return undefined;
    throw error;
  }
  let isGood = false;
  try {
    isGood = file.info().isFile && (await leadsTo(files, root, path, file.info()));
  } finally {
    if (!isGood) await file.close();
  }
  return isGood ? file : undefined;
}

async function leadsTo(files: Files, root: string, path: string, open: FileInfo): Promise<boolean> {
  const real = await realPathBelow(files, root, path);
  return real !== undefined && (await files.stat(real))?.identity === open.identity;
}

async function realPathBelow(files: Files, root: string, path: string): Promise<string | undefined> {
  const [realRoot, real] = await Promise.all([files.realPath(root), files.realPath(path)]);
  const within = realRoot?.endsWith('/') ? realRoot : `${realRoot}/`;
  return realRoot !== undefined && real?.startsWith(within) ? real : undefined;
}

/** How long a date may stand for more than one content, milliseconds: disks date by the second, or better. */
const YOUNG_MS = 1_000;

export class StoredFile {
  readonly info: FileInfo;
  /**
   * The entity tag, of size, date and identity. It is strong, as those of Apache and nginx are, when the date was old
   * enough at the time of opening to be this content's alone (RFC 9110 section 8.8.2.2), and weak otherwise.
   */
  readonly etag: string;
  readonly #file: OpenFile;
  readonly #isSettled: boolean;
  #bytes: Buffer | undefined;
  #users = 1;

  private constructor(file: OpenFile, nowMs: number) {
    this.#file = file;
    this.info = file.info();
    this.#isSettled = nowMs - this.info.modifiedMs >= YOUNG_MS;
    this.etag = this.#isSettled ? tagOf(this.info) : `W/${tagOf(this.info)}`;
  }

  /**
   * Takes the open file over. Of a short one only the content is kept.
   * @param before what was found under this name the last time; it is gone on with when it is still the same
   */
  static async of(file: OpenFile, nowMs: number, before: StoredFile | undefined): Promise<StoredFile> {
    if (before?.isStill(file.info())) {
      before.#users++;
      await file.close();
      return before;
    }
    const stored = new StoredFile(file, nowMs);
    if (stored.info.sizeBytes <= CONTENT_LIMITS.keptFileBytes) await stored.#keep();
    return stored;
  }

  /** Whether a file that looks so is this one, unchanged and open; one that was young when read may not be. */
  isStill({ identity, sizeBytes, modifiedMs }: FileInfo): boolean {
    const { info } = this;
    return (
      this.#users > 0 &&
      this.#isSettled &&
      info.identity === identity &&
      info.sizeBytes === sizeBytes &&
      info.modifiedMs === modifiedMs
    );
  }

  async #keep(): Promise<void> {
    const bytes = Buffer.allocUnsafeSlow(this.info.sizeBytes);
    try {
      if ((await this.#file.read(0, bytes)) < bytes.length) throw cutShort();
      this.#bytes = bytes;
    } finally {
      await this.#file.close();
    }
  }

  /** Bytes held in memory. */
  get keptBytes(): number {
    return this.#bytes?.length ?? 0;
  }

  /** To be released by whoever gets it, when it is not bytes. */
  content(): Uint8Array | Content {
    if (this.#bytes !== undefined) return this.#bytes;
    this.#users++;
    return this;
  }

  async *read({ first, last }: ByteRange): AsyncGenerator<Uint8Array, void, void> {
    for (let at = first; at <= last; ) {
      const piece = Buffer.allocUnsafeSlow(Math.min(CONTENT_LIMITS.filePieceBytes, last + 1 - at));
      if ((await this.#file.read(at, piece)) < piece.length) throw cutShort();
      yield piece;
      at += piece.length;
    }
  }

  /** The last to release it closes the file. */
  release(): void {
    this.#users--;
    if (this.#users > 0 || this.#bytes !== undefined) return;
    // Nothing was written that a failure could lose.
    this.#file.close().catch(() => undefined);
  }
}

function cutShort(): HttpError {
  return new HttpError(500, 'the file became shorter while it was read');
}

/** Hashed, as inode numbers are nobody's business (CVE-2003-1418). */
function tagOf({ sizeBytes, modifiedMs, identity }: FileInfo): string {
  const hash = createHash('sha256').update(`${sizeBytes} ${modifiedMs} ${identity}`).digest('base64url');
  return `"${hash.slice(0, 22)}"`;
}
