/**
 * A small S3 client over our HTTP client; works against any S3 endpoint, with path-style addresses.
 * A body of known bytes is signed with its hash; a stream goes as UNSIGNED-PAYLOAD with its length.
 */

import type { Network } from '../core/net/network.ts';
import type { Clock } from '../core/time/clock.ts';
import type { ClientResponse } from '../http/index.ts';
import { createHttpClient, type HttpClient, HttpClientError } from '../http/index.ts';
import { nodeHashing } from './crypto/hashing.ts';
import { S3Error } from './errors.ts';
import { parseHttpDate } from './wire/dates.ts';
import { UNSIGNED_PAYLOAD } from './wire/payload-mode.ts';
import { Query } from './wire/query.ts';
import {
  type ListedBucket,
  type ObjectsPage,
  readBuckets,
  readError,
  readObjectsPage,
} from './wire/responses.ts';
import { presignTarget, type SigningCredentials, signRequest } from './wire/sigv4/sign-request.ts';
import { SigningKeys } from './wire/sigv4/signing-keys.ts';
import { decodeUri, encodePath } from './wire/uri-encoding.ts';

export interface ObjectsClientOptions {
  /** `http://127.0.0.1:9000` */
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly network: Network;
  readonly clock: Clock;
  /** From the request to the head of the answer. Default 30,000. */
  readonly timeoutMs?: number;
  /** Addresses of the endpoint's host name; the machine's resolver when absent. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** Something to put: bytes, or a stream whose length is known. */
export type ObjectBody =
  | string
  | Uint8Array
  | { readonly stream: AsyncIterable<Uint8Array>; readonly sizeBytes: number };

export interface CallOptions {
  /** Goes as X-Request-Id, so that the request can be followed through the services. */
  readonly requestId?: string;
  readonly signal?: AbortSignal;
}

export interface PutOptions extends CallOptions {
  readonly contentType?: string;
  /** How the bytes are coded; comes back with them. */
  readonly contentEncoding?: string;
  readonly cacheControl?: string;
  /** Names in lower case, without `x-amz-meta-`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Fails with PreconditionFailed when the object exists. */
  readonly createOnly?: boolean;
}

export interface GetOptions extends CallOptions {
  /** `bytes=0-99` */
  readonly range?: string;
}

export interface ObjectHead {
  readonly sizeBytes: number;
  /** Without quotes. */
  readonly etag: string;
  readonly contentType: string;
  readonly modifiedMs: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface FetchedObject extends ObjectHead {
  /** Must be read to its end or discarded by breaking out of the loop. */
  readonly body: AsyncIterable<Buffer>;
  bytes(limitBytes: number): Promise<Buffer>;
}

export interface ListOptions extends CallOptions {
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly continuationToken?: string;
  readonly maxKeys?: number;
}

export interface ObjectsClient extends AsyncDisposable {
  listBuckets(options?: CallOptions): Promise<ListedBucket[]>;
  /** @returns false when the server says that it is ours already; in us-east-1 S3 does not tell */
  createBucket(bucket: string, options?: CallOptions): Promise<boolean>;
  deleteBucket(bucket: string, options?: CallOptions): Promise<void>;
  put(bucket: string, key: string, body: ObjectBody, options?: PutOptions): Promise<{ etag: string }>;
  /** @returns undefined when there is no such object */
  get(bucket: string, key: string, options?: GetOptions): Promise<FetchedObject | undefined>;
  /** @returns undefined when there is no such object */
  head(bucket: string, key: string, options?: CallOptions): Promise<ObjectHead | undefined>;
  /** An object that is not there counts as deleted. */
  delete(bucket: string, key: string, options?: CallOptions): Promise<void>;
  list(bucket: string, options?: ListOptions): Promise<ObjectsPage>;
  /** A URL that does `method` for `expiresSeconds` (1 to 604,800) without credentials. */
  presign(
    method: 'GET' | 'HEAD' | 'PUT' | 'DELETE',
    bucket: string,
    key: string,
    expiresSeconds: number,
  ): string;
  close(): Promise<void>;
}

/** Every method throws S3Error when the server refuses, and HttpClientError when no answer came. */
export function createObjectsClient(options: ObjectsClientOptions): ObjectsClient {
  return new Client(options);
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: ObjectBody;
}

/** A page of 1,000 keys of 1,024 bytes, percent-encoded, with all their elements. */
const DOCUMENT_BYTES = 8 * 1024 * 1024;
const METADATA_PREFIX = 'x-amz-meta-';

class Client implements ObjectsClient {
  readonly #options: ObjectsClientOptions;
  readonly #credentials: SigningCredentials;
  readonly #http: HttpClient;
  readonly #host: string;
  readonly #origin: string;

  constructor(options: ObjectsClientOptions) {
    const { network, clock, resolve } = options;
    const url = new URL(options.endpoint);
    this.#options = options;
    const { accessKeyId, region, secretAccessKey } = options;
    this.#credentials = { accessKeyId, region, keys: new SigningKeys(nodeHashing, secretAccessKey) };
    this.#host = url.host;
    this.#origin = url.origin;
    this.#http = createHttpClient({ network, clock, ...(resolve === undefined ? {} : { resolve }) });
  }

  async listBuckets(options: CallOptions = {}): Promise<ListedBucket[]> {
    const response = await this.#accepted({ method: 'GET', path: '/' }, options);
    return readBuckets(await response.body.bytes(DOCUMENT_BYTES));
  }

  async createBucket(bucket: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.#done({ method: 'PUT', path: `/${bucket}` }, options);
      return true;
    } catch (thrown) {
      if (thrown instanceof S3Error && thrown.code === 'BucketAlreadyOwnedByYou') return false;
      throw thrown;
    }
  }

  deleteBucket(bucket: string, options: CallOptions = {}): Promise<void> {
    return this.#done({ method: 'DELETE', path: `/${bucket}` }, options);
  }

  async put(
    bucket: string,
    key: string,
    body: ObjectBody,
    options: PutOptions = {},
  ): Promise<{ etag: string }> {
    const headers: [string, string][] = [];
    if (options.contentType !== undefined) headers.push(['content-type', options.contentType]);
    if (options.contentEncoding !== undefined) headers.push(['content-encoding', options.contentEncoding]);
    if (options.cacheControl !== undefined) headers.push(['cache-control', options.cacheControl]);
    if (options.createOnly === true) headers.push(['if-none-match', '*']);
    for (const [name, value] of Object.entries(options.metadata ?? {})) {
      headers.push([METADATA_PREFIX + name, value]);
    }
    const response = await this.#accepted(
      { method: 'PUT', path: `/${bucket}/${key}`, headers, body },
      options,
    );
    await response.body.bytes(DOCUMENT_BYTES);
    return { etag: etagOf(response) };
  }

  async get(bucket: string, key: string, options: GetOptions = {}): Promise<FetchedObject | undefined> {
    const headers: [string, string][] = options.range === undefined ? [] : [['range', options.range]];
    const call = { method: 'GET', path: `/${bucket}/${key}`, headers };
    const response = await this.#found(call, options);
    if (response === undefined) return undefined;
    const { body } = response;
    return { ...headOf(response), body, bytes: (limitBytes) => body.bytes(limitBytes) };
  }

  async head(bucket: string, key: string, options: CallOptions = {}): Promise<ObjectHead | undefined> {
    const response = await this.#found({ method: 'HEAD', path: `/${bucket}/${key}` }, options);
    if (response === undefined) return undefined;
    await response.body.bytes(0);
    return headOf(response);
  }

  delete(bucket: string, key: string, options: CallOptions = {}): Promise<void> {
    return this.#done({ method: 'DELETE', path: `/${bucket}/${key}` }, options);
  }

  async list(bucket: string, options: ListOptions = {}): Promise<ObjectsPage> {
    const query: Record<string, string> = { 'list-type': '2', 'encoding-type': 'url' };
    if (options.prefix !== undefined) query['prefix'] = options.prefix;
    if (options.delimiter !== undefined) query['delimiter'] = options.delimiter;
    if (options.continuationToken !== undefined) query['continuation-token'] = options.continuationToken;
    if (options.maxKeys !== undefined) query['max-keys'] = String(options.maxKeys);
    const response = await this.#accepted({ method: 'GET', path: `/${bucket}`, query }, options);
    return readObjectsPage(await response.body.bytes(DOCUMENT_BYTES), decodeName);
  }

  presign(method: string, bucket: string, key: string, expiresSeconds: number): string {
    const request = { method, host: this.#host, path: `/${bucket}/${key}`, query: new Query(new Map()) };
    const now = this.#options.clock.now();
    return this.#origin + presignTarget(nodeHashing, this.#credentials, request, now, expiresSeconds);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For answers without a body that matters. */
  async #done(call: Call, options: CallOptions): Promise<void> {
    const response = await this.#accepted(call, options);
    await response.body.bytes(DOCUMENT_BYTES);
  }

  /** @throws S3Error */
  async #accepted(call: Call, options: CallOptions): Promise<ClientResponse> {
    const response = await this.#send(call, options);
    if (response.status < 300) return response;
    throw readError(response.status, await response.body.bytes(DOCUMENT_BYTES));
  }

  async #found(call: Call, options: CallOptions): Promise<ClientResponse | undefined> {
    try {
      return await this.#accepted(call, options);
    } catch (thrown) {
      if (thrown instanceof S3Error && thrown.code === 'NoSuchKey') return undefined;
      throw thrown;
    }
  }

  #send({ method, path, query, headers, body }: Call, options: CallOptions): Promise<ClientResponse> {
    const { clock, timeoutMs } = this.#options;
    const search = new Query(new Map(Object.entries(query ?? {})));
    const signed = signRequest(
      nodeHashing,
      this.#credentials,
      {
        method,
        host: this.#host,
        path,
        query: search,
        headers: headers ?? [],
        payloadHash: payloadHashOf(body),
      },
      clock.now(),
    );
    if (options.requestId !== undefined) signed.push(['X-Request-Id', options.requestId]);
    if (isStream(body)) signed.push(['Content-Length', String(body.sizeBytes)]);
    const target = `${encodePath(path)}${query === undefined ? '' : `?${search.canonical()}`}`;
    return this.#http.request({
      method,
      url: this.#origin + target,
      headers: signed,
      ...(body === undefined ? {} : { body: isStream(body) ? body.stream : body }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }
}

function isStream(body: ObjectBody | undefined): body is Exclude<ObjectBody, string | Uint8Array> {
  return typeof body === 'object' && !(body instanceof Uint8Array);
}

function payloadHashOf(body: ObjectBody | undefined): string {
  if (isStream(body)) return UNSIGNED_PAYLOAD;
  return nodeHashing.sha256Hex(typeof body === 'string' ? Buffer.from(body, 'utf8') : (body ?? ''));
}

function headOf(response: ClientResponse): ObjectHead {
  const { headers } = response;
  const metadata: Record<string, string> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (key.startsWith(METADATA_PREFIX)) metadata[key.slice(METADATA_PREFIX.length)] = value;
  }
  return {
    sizeBytes: Number(headers.get('content-length')),
    etag: etagOf(response),
    contentType: headers.get('content-type') ?? '',
    modifiedMs: parseHttpDate(headers.get('last-modified') ?? '') ?? Number.NaN,
    metadata,
  };
}

function etagOf({ headers }: ClientResponse): string {
  return (headers.get('etag') ?? '').replaceAll('"', '');
}

/** Some servers write a space as `+`. @throws HttpClientError for a name that is not percent-encoded UTF-8 */
function decodeName(name: string): string {
  const decoded = decodeUri(name, true);
  if (decoded !== undefined) return decoded;
  throw new HttpClientError('malformed-response', 'a listed key is not percent-encoded UTF-8');
}
