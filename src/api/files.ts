/**
 * `/files/<name>`: one bucket of the object store under plain URLs.
 *
 *   GET, HEAD /files/<name>   with ranges and ETag
 *   PUT       /files/<name>   201; needs a Content-Length
 *   DELETE    /files/<name>   204
 */
import { type HeaderList, HttpError, type HttpRequest, type HttpResponse, json } from '../http/index.ts';
import type { ApiLimits } from './limits.ts';

export interface StoredFile {
  readonly sizeBytes: number;
  readonly etag: string;
  readonly contentType: string;
  readonly modifiedMs: number;
}

/** What is said of a file when it is put. */
export interface FileAbout {
  readonly contentType: string;
  /** Stays with the file: what comes coded is kept coded, and is sent so again. */
  readonly contentEncoding: string | undefined;
  readonly requestId: string;
}

/** The little that is used of an object store. */
export interface FileStore {
  put(
    name: string,
    body: { stream: AsyncIterable<Uint8Array>; sizeBytes: number },
    about: FileAbout,
  ): Promise<{ etag: string }>;
  /** The answer of the store to GET or HEAD, with what the client asked about ranges and validators. */
  fetch(name: string, request: HttpRequest): Promise<HttpResponse>;
  delete(name: string, requestId: string): Promise<void>;
  close(): Promise<void>;
}

export class FilesApi {
  readonly #store: FileStore;
  readonly #limits: ApiLimits;

  constructor(store: FileStore, limits: ApiLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  read(request: HttpRequest): Promise<HttpResponse> {
    return this.#store.fetch(this.#name(request), request);
  }

  async write(request: HttpRequest): Promise<HttpResponse> {
    const name = this.#name(request);
    const { sizeBytes } = request.body;
    if (sizeBytes === undefined) throw new HttpError(411, 'a file needs a Content-Length');
    const { headers: given } = request;
    const { etag } = await this.#store.put(
      name,
      { stream: request.body, sizeBytes },
      {
        contentType: given.get('content-type') ?? 'application/octet-stream',
        contentEncoding: given.get('content-encoding'),
        requestId: request.id,
      },
    );
    const headers: HeaderList = [['Location', `/files/${name.split('/').map(encodeURIComponent).join('/')}`]];
    return json(201, { name, sizeBytes, etag }, headers);
  }

  async remove(request: HttpRequest): Promise<HttpResponse> {
    await this.#store.delete(this.#name(request), request.id);
    return { status: 204 };
  }

  #name(request: HttpRequest): string {
    const name = request.params['name'] ?? '';
    if (name === '') throw new HttpError(404, 'a file has a name');
    if (name.length > this.#limits.maxFileNameLength) throw new HttpError(414, 'the name is too long');
    return name;
  }
}
