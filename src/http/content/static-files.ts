/**
 * Files of a folder over HTTP.
 *
 *   path ──▶ name (file-path.ts) ──▶ open file (stored-file.ts) ──▶ answer (representation.ts)
 *                                        │
 *                                        └─ with its siblings `name.br`, `name.zst`, `name.gz`
 *
 * What was opened is kept for a moment, so that a page's worth of requests looks at the disk once: names are looked
 * up again after `checkEveryMs`. Until then a file that was replaced is served as it was. Replace files by renaming:
 * one that is written in place is sent as far as it is written.
 */
import { codeOf } from '../../core/errors.ts';
import type { Files } from '../../core/files/files.ts';
import type { Random } from '../../core/random/random.ts';
import type { Clock } from '../../core/time/clock.ts';
import { HttpError } from '../errors.ts';
import { CONTENT_LIMITS } from '../limits.ts';
import { essenceOf } from '../media-type.ts';
import { problem } from '../problem.ts';
import type { Handler, HeaderList, HttpRequest, HttpResponse } from '../types.ts';
import { type ContentCoding, FILE_SUFFIXES } from './coding.ts';
import { readFilePath, writeFilePath } from './file-path.ts';
import { contentTypeOf, isCompressible } from './file-types.ts';
import { chooseCoding } from './negotiate.ts';
import { ContentBody, respondWith } from './representation.ts';
import { openBelow, StoredFile } from './stored-file.ts';

export interface StaticFilesOptions {
  readonly files: Files;
  /** The folder; it may be a symbolic link, also one that is switched while we serve. */
  readonly root: string;
  readonly clock: Clock;
  /** For boundaries between ranges. */
  readonly random: Random;
  /** The path under which the root appears; begins and ends with a slash. Default `/`. */
  readonly prefix?: string;
  /** What a folder's path means; '' for nothing. Default `index.html`. */
  readonly index?: string;
  /** Serves names that begin with a dot. Default false. */
  readonly dotFiles?: boolean;
  /** The Cache-Control of a file by its name below the root, such as `immutableFingerprints`. Default: `no-cache`, kept
   * but asked for each time. */
  readonly cacheControl?: (name: string) => string;
  /** Siblings that are served instead when the client takes their coding, best first. Default br, zstd, gzip. */
  readonly precompressed?: readonly ContentCoding[];
  /** How long what a name leads to is not looked at again, milliseconds. Default 1,000; 0 looks each time. */
  readonly checkEveryMs?: number;
}

export interface StaticFiles extends AsyncDisposable {
  /** For GET and HEAD of everything below the prefix. */
  readonly handle: Handler;
  /** Lets go of the open files, when those who read them have. */
  close(): void;
}

/** @throws HttpError 500 when the prefix does not begin and end with one slash */
export function createStaticFiles(options: StaticFilesOptions): StaticFiles {
  return new Site(options);
}

const ALLOW = ['Allow', 'GET, HEAD, OPTIONS'] as const;
const NO_SNIFFING = ['X-Content-Type-Options', 'nosniff'] as const;
const VARY = ['Vary', 'Accept-Encoding'] as const;

/** A file and its siblings, as they were found together. */
interface Shelved {
  readonly type: string;
  readonly plain: StoredFile;
  readonly coded: ReadonlyMap<ContentCoding, StoredFile>;
  readonly headers: HeaderList;
  readonly foundAtMs: number;
  readonly keptBytes: number;
}

class Site implements StaticFiles {
  readonly #options: Required<StaticFilesOptions>;
  /** By name; the one used last is at the end. */
  readonly #shelf = new Map<string, Shelved>();
  readonly #looking = new Map<string, Promise<Shelved | 'folder' | undefined>>();
  #keptBytes = 0;
  #closed = false;

  constructor(options: StaticFilesOptions) {
    this.#options = {
      prefix: '/',
      index: 'index.html',
      dotFiles: false,
      cacheControl: () => 'no-cache',
      precompressed: ['br', 'zstd', 'gzip'],
      checkEveryMs: 1_000,
      ...options,
    };
    const { prefix } = this.#options;
    if (!prefix.startsWith('/') || !prefix.endsWith('/') || prefix.includes('//'))
      throw new HttpError(500, `the prefix ${prefix} is no path that begins and ends with a slash`);
  }

  readonly handle: Handler = (request) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return otherMethod(request);
    if (this.#closed) return problem(503, { detail: 'no more files are served' });
    const { prefix, dotFiles, index } = this.#options;
    if (!request.path.startsWith(prefix)) return noFile();
    const path = readFilePath(request.path.slice(prefix.length), dotFiles);
    if (path.kind === 'refused') return path.status === 404 ? noFile() : badPath();
    if (path.kind === 'folder' && index === '') return noFile();
    const segments = path.kind === 'folder' ? [...path.segments, index] : path.segments;
    const name = segments.join('/');
    const shelved = this.#onShelf(name);
    if (shelved !== undefined) return this.#answer(request, shelved);
    return this.#find(name).then((found) => {
      if (found === undefined) return noFile();
      if (found === 'folder') return path.kind === 'folder' ? noFile() : this.#redirect(request, segments);
      // Others may have pushed it off the shelf since it was found, and then it is closed.
      return this.#shelf.get(name) === found ? this.#answer(request, found) : this.handle(request);
    });
  };

  /**
   * With a slash at its end, which relative references in the index need. Written anew from the checked segments: the
   * path as received could begin with two slashes and lead to another host.
   */
  #redirect(request: HttpRequest, segments: readonly string[]): HttpResponse {
    const query = request.query === '' ? '' : `?${request.query}`;
    const location = `${this.#options.prefix}${writeFilePath(segments)}/${query}`;
    return { status: 301, headers: [['Location', location], NO_SNIFFING] };
  }

  // ── The shelf ───────────────────────────────────────────────────────────────────────────────────────────────

  /** What was found a moment ago; what is older stays for `#look` to compare. */
  #onShelf(name: string): Shelved | undefined {
    const shelved = this.#shelf.get(name);
    if (shelved === undefined) return undefined;
    if (this.#options.clock.monotonic() - shelved.foundAtMs >= this.#options.checkEveryMs) return undefined;
    this.#shelf.delete(name);
    this.#shelf.set(name, shelved);
    return shelved;
  }

  /** Looks on the disk; those who ask for the same name meanwhile wait for the same answer. */
  #find(name: string): Promise<Shelved | 'folder' | undefined> {
    let looking = this.#looking.get(name);
    if (looking === undefined) {
      looking = this.#look(name).finally(() => this.#looking.delete(name));
      this.#looking.set(name, looking);
    }
    return looking;
  }

  async #look(name: string): Promise<Shelved | 'folder' | undefined> {
    const foundAtMs = this.#options.clock.monotonic();
    const type = contentTypeOf(name);
    const isCodable = this.#options.precompressed.length > 0 && isCompressible(essenceOf(type));
    const cacheControl = ['Cache-Control', this.#options.cacheControl(name)] as const;
    const headers = isCodable ? [cacheControl, VARY] : [cacheControl];
    const before = this.#shelf.get(name);
    const plain = await this.#open(name, before?.plain);
    if (plain === undefined || plain === 'folder') {
      this.#takeOff(name);
      return plain;
    }
    const coded = new Map<ContentCoding, StoredFile>();
    if (isCodable) await this.#addSiblings(coded, name, plain, before?.coded);
    const keptBytes = [plain, ...coded.values()].reduce((sum, file) => sum + file.keptBytes, 0);
    const shelved: Shelved = { type, plain, coded, headers, foundAtMs, keptBytes };
    this.#put(name, shelved);
    return shelved;
  }

  async #open(name: string, before: StoredFile | undefined): Promise<StoredFile | 'folder' | undefined> {
    const { files, root, clock } = this.#options;
    try {
      const file = await openBelow(files, root, name);
      return file === undefined || file === 'folder' ? file : await StoredFile.of(file, clock.now(), before);
    } catch (cause) {
      if (codeOf(cause) !== 'EMFILE' && codeOf(cause) !== 'ENFILE') throw cause;
      throw new HttpError(503, 'too many open files', { cause, headers: [['Retry-After', '1']] });
    }
  }

  /** One that is older than the file itself was made of something else. */
  async #addSiblings(
    coded: Map<ContentCoding, StoredFile>,
    name: string,
    plain: StoredFile,
    before: Shelved['coded'] | undefined,
  ): Promise<void> {
    try {
      for (const coding of this.#options.precompressed) {
        const sibling = await this.#open(name + FILE_SUFFIXES[coding], before?.get(coding));
        if (sibling === undefined || sibling === 'folder') continue;
        if (sibling.info.modifiedMs >= plain.info.modifiedMs) coded.set(coding, sibling);
        else sibling.release();
      }
    } catch (error) {
      for (const file of [plain, ...coded.values()]) file.release();
      throw error;
    }
  }

  #put(name: string, shelved: Shelved): void {
    this.#takeOff(name);
    this.#shelf.set(name, shelved);
    this.#keptBytes += shelved.keptBytes;
    for (const oldest of this.#shelf.keys()) {
      const fits =
        this.#shelf.size <= CONTENT_LIMITS.keptFiles && this.#keptBytes <= CONTENT_LIMITS.keptBytes;
      if (fits && !this.#closed) return;
      this.#takeOff(oldest);
    }
  }

  #takeOff(name: string): void {
    const shelved = this.#shelf.get(name);
    if (shelved === undefined) return;
    this.#shelf.delete(name);
    this.#keptBytes -= shelved.keptBytes;
    shelved.plain.release();
    for (const file of shelved.coded.values()) file.release();
  }

  close(): void {
    this.#closed = true;
    for (const name of [...this.#shelf.keys()]) this.#takeOff(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  // ── The answer ──────────────────────────────────────────────────────────────────────────────────────────────

  #answer(request: HttpRequest, shelved: Shelved): HttpResponse | Promise<HttpResponse> {
    const { type, coded, plain, headers } = shelved;
    const coding =
      coded.size === 0 ? 'identity' : chooseCoding(request.headers.get('accept-encoding'), [...coded.keys()]);
    if (coding === undefined)
      return problem(406, { detail: 'no acceptable content coding', headers: [VARY] });
    const file = coding === 'identity' ? plain : coded.get(coding)!;
    const nowMs = this.#options.clock.now();
    const representation = {
      type,
      headers,
      nowMs,
      sizeBytes: file.info.sizeBytes,
      etag: file.etag,
      lastModifiedMs: Math.min(file.info.modifiedMs, nowMs),
      contentHeaders:
        coding === 'identity' ? [NO_SNIFFING] : [['Content-Encoding', coding] as const, NO_SNIFFING],
      content: file.content(),
    };
    return inOneWrite(respondWith(request, representation, this.#options.random));
  }
}

/** What fits into one piece is read before the head is sent: one write, and a failure is still an answer. */
function inOneWrite(response: HttpResponse): HttpResponse | Promise<HttpResponse> {
  const { body } = response;
  if (!(body instanceof ContentBody) || body.sizeBytes > CONTENT_LIMITS.filePieceBytes) return response;
  return body.bytes().then((bytes) => ({ ...response, body: bytes }));
}

function otherMethod(request: HttpRequest): HttpResponse {
  if (request.method === 'OPTIONS') return { status: 204, headers: [ALLOW] };
  return problem(405, { detail: 'files are only read', headers: [ALLOW] });
}

function noFile(): HttpResponse {
  return problem(404, { detail: 'no such file' });
}

function badPath(): HttpResponse {
  return problem(400, { detail: 'the path has a broken escape, a null or a dot segment' });
}
