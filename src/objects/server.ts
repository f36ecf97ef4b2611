/**
 * HTTP requests ⇄ operations. For each request: admit it, read and prove its body, run the operation, wait
 * until everything the answer depends on is durable, answer.
 */
import { codeOf, messageOf } from '../core/errors.ts';
import type { Health, Host, RunningService, ServiceState } from '../core/lifecycle.ts';
import type { Endpoint } from '../core/net/network.ts';
import type { Timer } from '../core/time/clock.ts';
import type { CorsPolicy } from '../http/cors/index.ts';
import {
  type HeaderList,
  type HttpLimits,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  startHttpServer,
} from '../http/index.ts';
import { answerPreflight, corsPolicy } from './cors.ts';
import { nodeHashing } from './crypto/hashing.ts';
import type { Engine } from './engine/engine.ts';
import { expireUploads } from './engine/expire-uploads.ts';
import { createBucket } from './engine/operations/create-bucket.ts';
import { S3Error } from './errors.ts';
import { DEFAULT_OBJECTS_LIMITS, type ObjectsLimits } from './limits.ts';
import { ObjectsMetrics } from './metrics.ts';
import { OPERATIONS } from './operations.ts';
import { DEFAULT_OBJECTS_OPTIONS, type ObjectsOptions, ObjectsOptionsError, requireSafe } from './options.ts';
import { ReceivedBody } from './received-body.ts';
import { type Admission, type AdmissionPolicy, admit } from './session/admission.ts';
import { readPayloadClaims } from './session/payload.ts';
import { type ObjectStore, openObjectStore } from './store/object-store.ts';
import { errorResponse } from './wire/error-document.ts';
import type { S3Response } from './wire/message.ts';
import { isBucketName } from './wire/names.ts';
import { SigningKeys } from './wire/sigv4/signing-keys.ts';

/** Clients show it, and nothing more is known of the owner of a single-user server. */
const OWNER = {
  id: '4f3c8a1e6b0d4d7a9c2e5f8091a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5',
  displayName: 'octet',
} as const;
const EXPIRY_INTERVAL_MS = 3_600_000;

export interface ObjectsService extends RunningService {
  readonly region: string;
  /** `http://127.0.0.1:9000` */
  readonly url: string;
}

/** @throws ObjectsOptionsError; NetError `address-in-use`; what opening the folder throws */
export async function startObjects(options: Partial<ObjectsOptions>, host: Host): Promise<ObjectsService> {
  const full = { ...DEFAULT_OBJECTS_OPTIONS, ...options };
  requireSafe(full);
  const cors = corsPolicy(full.corsOrigins);
  const limits = { ...DEFAULT_OBJECTS_LIMITS, ...full.limits };
  const store = await openObjectStore({
    ...host,
    inlineBytes: limits.inlineBytes,
    removalFailed: (thrown) => host.observer.log.warn('blob not removed', { error: messageOf(thrown) }),
  });
  const service = new Service(full, limits, host, store, cors);
  try {
    await service.begin();
    return service;
  } catch (thrown) {
    await service.close(0);
    throw thrown;
  }
}

class Service implements ObjectsService {
  readonly name = 'objects';
  readonly #options: ObjectsOptions;
  readonly #limits: ObjectsLimits;
  readonly #host: Host;
  readonly #store: ObjectStore;
  readonly #engine: Engine;
  readonly #policy: AdmissionPolicy;
  readonly #metrics: ObjectsMetrics;
  readonly #cors: CorsPolicy | undefined;
  #server: HttpServer | undefined;
  #expiry: Timer | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    options: ObjectsOptions,
    limits: ObjectsLimits,
    host: Host,
    store: ObjectStore,
    cors: CorsPolicy | undefined,
  ) {
    this.#cors = cors;
    this.#options = options;
    this.#limits = limits;
    this.#host = host;
    this.#store = store;
    this.#metrics = new ObjectsMetrics(host.observer.metrics);
    this.#engine = {
      storage: store,
      hashing: nodeHashing,
      limits,
      region: options.region,
      owner: OWNER,
      now: () => host.clock.now(),
      newId: () => host.random.bytes(16).toString('hex'),
    };
    const keys = new SigningKeys(nodeHashing, options.secretAccessKey);
    this.#policy = {
      hashing: nodeHashing,
      region: options.region,
      keysOf: (id) => (id === options.accessKeyId ? keys : undefined),
      domain: options.domain,
      publicRead: new Set(options.publicRead),
      ownerId: OWNER.id,
    };
  }

  async begin(): Promise<void> {
    await this.#makeBuckets();
    await this.#expireUploads();
    const { host, port, tls } = this.#options;
    this.#server = await startHttpServer({
      host: this.#host,
      address: { host, port },
      handler: (request) => this.#handle(request),
      limits: { ...httpLimits(this.#limits), ...this.#options.httpLimits },
      name: 'objects',
      ...(tls === undefined ? {} : { tls }),
    });
  }

  async #makeBuckets(): Promise<void> {
    for (const bucket of this.#options.buckets) {
      if (!isBucketName(bucket)) throw new ObjectsOptionsError(`objects: ${bucket} is not a bucket name`);
      if (this.#store.bucket(bucket) === undefined) {
        await createBucket(this.#engine, { bucket, location: undefined });
      }
    }
  }

  async #expireUploads(): Promise<void> {
    const count = await expireUploads(this.#engine);
    if (count > 0) this.#host.observer.log.info('multipart uploads expired', { count });
    this.#expiry = this.#host.clock.schedule(EXPIRY_INTERVAL_MS, () => {
      if (this.#closing !== undefined) return;
      this.#expireUploads().catch((thrown) => {
        this.#host.observer.log.error('multipart uploads not expired', { error: messageOf(thrown) });
      });
    });
  }

  get region(): string {
    return this.#options.region;
  }

  get endpoints(): Readonly<Record<string, Endpoint>> {
    return { main: this.#server!.endpoint };
  }

  get url(): string {
    const { address, port } = this.#server!.endpoint;
    const scheme = this.#options.tls === undefined ? 'http' : 'https';
    return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`;
  }

  get state(): ServiceState {
    return this.#store.state;
  }

  health(): Health {
    const health = this.#store.health();
    return health.state === 'ok' ? health : { state: 'degraded', reason: health.reason };
  }

  close(drainTimeoutMs = 5_000): Promise<void> {
    this.#closing ??= this.#close(drainTimeoutMs);
    return this.#closing;
  }

  async #close(drainTimeoutMs: number): Promise<void> {
    this.#expiry?.cancel();
    await this.#server?.close(drainTimeoutMs);
    await this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ── One request ───────────────────────────────────────────────────────────────────────────────────────

  async #handle(http: HttpRequest): Promise<HttpResponse> {
    const exchange = new Exchange(http, this.#host);
    this.#metrics.openRequests.value++;
    try {
      const response = await this.#answer(exchange);
      return this.#finish(exchange, response);
    } catch (thrown) {
      return this.#finish(exchange, this.#refusal(exchange, thrown));
    } finally {
      this.#metrics.openRequests.value--;
    }
  }

  async #answer(exchange: Exchange): Promise<S3Response> {
    const { http } = exchange;
    if (http.method === 'OPTIONS') {
      exchange.operation = 'OPTIONS';
      return answerPreflight(http, this.#cors);
    }
    const head = { method: http.method, rawPath: http.path, rawQuery: http.query, headers: http.headers };
    const admission = admit(head, this.#policy, this.#host.clock.now());
    exchange.operation = admission.operation;
    exchange.anonymous = admission.identity.kind === 'anonymous';
    const response = await this.#run(admission, http);
    try {
      await this.#store.settled();
    } catch (thrown) {
      await release(response);
      throw thrown;
    }
    return response;
  }

  async #run({ operation, identity, request }: Admission, http: HttpRequest): Promise<S3Response> {
    const { body: use, answer } = OPERATIONS[operation];
    const claims =
      operation === 'CompleteMultipartUpload'
        ? { ...readPayloadClaims(withoutChecksums(request.fields), identity, http.body.sizeBytes) }
        : readPayloadClaims(
            use === 'none' ? withoutChecksums(request.fields) : request.fields,
            identity,
            http.body.sizeBytes,
          );
    const body = new ReceivedBody({
      source: http.body,
      claims,
      hashing: nodeHashing,
      clock: this.#host.clock,
      idleTimeoutMs: this.#limits.bodyIdleTimeoutMs,
      counted: (bytes) => this.#metrics.receivedBytes.add(bytes),
    });
    if (use === 'stream') requireLength(http);
    const document =
      use === 'document' ? await body.document(this.#limits.maxDocumentBytes) : request.document;
    return answer(this.#engine, { ...request, document }, body);
  }

  #refusal(exchange: Exchange, thrown: unknown): S3Response {
    const error = thrown instanceof S3Error ? thrown : this.#internalError(exchange, thrown);
    this.#metrics.refused(error.code);
    exchange.outcome = error.code;
    const response = errorResponse(error, {
      resource: exchange.http.path,
      requestId: exchange.requestId,
      hostId: exchange.hostId,
      withBody: exchange.http.method !== 'HEAD',
    });
    // The rest of a body that stopped coming cannot be waited for.
    const close = error.code === 'RequestTimeout' || error.code === 'IncompleteBody';
    return close ? { ...response, headers: [...response.headers, ['Connection', 'close']] } : response;
  }

  #internalError(exchange: Exchange, thrown: unknown): S3Error {
    const { http, operation, requestId } = exchange;
    this.#host.observer.log.error('operation failed', {
      operation,
      path: http.path,
      requestId,
      error: messageOf(thrown),
    });
    return new S3Error(codeOf(thrown) === 'overloaded' ? 'SlowDown' : 'InternalError', undefined, {
      cause: thrown,
    });
  }

  #finish(exchange: Exchange, response: S3Response): HttpResponse {
    const { http, operation, requestId } = exchange;
    const durationMs = this.#host.clock.monotonic() - exchange.startedMonotonic;
    this.#metrics.answered(operation ?? 'none', response.status, durationMs / 1000);
    this.#host.observer.span({
      operation: operation ?? http.method,
      outcome: exchange.outcome ?? String(response.status),
      requestId: http.id,
      startMs: exchange.startedMs,
      durationMs,
      detail: http.path,
    });
    const headers: (readonly [string, string])[] = [
      ['Server', 'Octet'],
      ['x-amz-request-id', requestId],
      ['x-amz-id-2', exchange.hostId],
      ...response.headers,
      ...this.#corsFieldsOf(http, response),
    ];
    if (exchange.anonymous) headers.push(['X-Content-Type-Options', 'nosniff']);
    const { status, body } = response;
    if (body === undefined) return { status, headers };
    return { status, headers, body: typeof body === 'string' ? body : this.#counted(body) };
  }

  /** A preflight that was allowed says all by itself. */
  #corsFieldsOf(http: HttpRequest, { status }: S3Response): HeaderList {
    return http.method === 'OPTIONS' && status === 200 ? [] : (this.#cors?.answerFields(http) ?? []);
  }

  /** Passes `return` through even before the first `next`, so that an answer never sent lets its blobs go. */
  #counted(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    const { sentBytes } = this.#metrics;
    return {
      [Symbol.asyncIterator]: () => {
        const iterator = body[Symbol.asyncIterator]();
        return {
          next: async () => {
            const result = await iterator.next();
            if (result.done !== true) sentBytes.add(result.value.length);
            return result;
          },
          return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
        };
      },
    };
  }
}

/** What is known of one request while it is answered. */
class Exchange {
  readonly http: HttpRequest;
  readonly requestId: string;
  readonly hostId: string;
  readonly startedMs: number;
  readonly startedMonotonic: number;
  operation: string | undefined;
  outcome: string | undefined;
  anonymous = false;

  constructor(http: HttpRequest, { clock, random }: Host) {
    this.http = http;
    this.requestId = random.bytes(8).toString('hex').toUpperCase();
    this.hostId = random.bytes(24).toString('base64');
    this.startedMs = clock.now();
    this.startedMonotonic = clock.monotonic();
  }
}

/** Checksum fields that speak of the object and not of the body of this request. */
function withoutChecksums(fields: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const speaksOfObject = (name: string): boolean =>
    name.startsWith('x-amz-checksum-') || name === 'x-amz-sdk-checksum-algorithm';
  return new Map([...fields].filter(([name]) => !speaksOfObject(name)));
}

/** @throws S3Error MissingContentLength: a PUT that forgot its body must not make an empty object */
function requireLength({ headers }: HttpRequest): void {
  if (!headers.has('content-length') && !headers.has('transfer-encoding')) {
    throw new S3Error('MissingContentLength');
  }
}

async function release({ body }: S3Response): Promise<void> {
  if (typeof body === 'object') await body[Symbol.asyncIterator]().return?.();
}

/** The library's own deadline for bodies comes after ours, which answers in S3's terms. */
function httpLimits(limits: ObjectsLimits): Partial<HttpLimits> {
  return {
    maxConnections: limits.maxConnections,
    headBytes: limits.maxHeaderBytes,
    headTimeoutMs: limits.headTimeoutMs,
    keepAliveTimeoutMs: limits.idleTimeoutMs,
    bodyGraceMs: limits.bodyIdleTimeoutMs * 2,
  };
}
