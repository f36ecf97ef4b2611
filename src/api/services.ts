/**
 * The other services, reached through their clients, by URL: the one place where the API meets them.
 */
import { connectCache } from '../cache/index.ts';
import type { Host } from '../core/lifecycle.ts';
import { connectDatabase, type DatabaseSession } from '../database/index.ts';
import {
  type ClientResponse,
  createHttpClient,
  type HttpRequest,
  type HttpResponse,
  problem,
} from '../http/index.ts';
import { createObjectsClient } from '../objects/index.ts';
import { connectQueue } from '../queue/index.ts';
import type { Database, QueryResult, Session, SqlValue } from './database.ts';
import { ApiError } from './errors.ts';
import type { FileStore } from './files.ts';
import type { ApiOptions } from './options.ts';
import type { Publisher } from './outbox.ts';
import type { Cache } from './row-cache.ts';

/** A cache that does not answer quickly is worse than none: the database is there. */
const CACHE_TIMEOUT_MS = 500;
/** How long a signed URL of ours lives: only until the request it is made for has been sent. */
const SIGNED_SECONDS = 60;

/** Types whose values are more than text in JSON, by their object identifiers (PostgreSQL's pg_type.dat). */
const typeNames: Readonly<Record<number, string>> = {
  16: 'bool',
  20: 'int8',
  21: 'int2',
  23: 'int4',
  114: 'json',
  700: 'float4',
  701: 'float8',
  1184: 'timestamptz',
  1700: 'numeric',
  3802: 'jsonb',
};

export async function openDatabase(url: string, host: Host, name: string): Promise<Database> {
  const client = await connectDatabase({ ...host, url, applicationName: name });
  return {
    ...sessionOf(client),
    transaction: (work) => client.transaction((session) => work(sessionOf(session))),
    close: () => client.close(),
  };
}

function sessionOf(session: DatabaseSession): Session {
  return {
    async query(sql: string, parameters: readonly SqlValue[] = []): Promise<QueryResult> {
      const texts = parameters.map((value) => (value === null ? null : String(value)));
      const { columns, rows } = await session.query(sql, texts);
      return {
        columns: columns.map(({ name, typeOid }) => ({ name, type: typeNames[typeOid] ?? 'text' })),
        rows,
      };
    },
  };
}

export async function openCache(url: string, host: Host, name: string): Promise<Cache> {
  const client = await connectCache({ ...host, url, name, commandTimeoutMs: CACHE_TIMEOUT_MS });
  return {
    async get(key) {
      const reply = await client.command('GET', key);
      return typeof reply === 'string' ? reply : undefined;
    },
    async set(key, value, { seconds, onlyIfMissing }) {
      const condition = onlyIfMissing === true ? ['NX'] : [];
      await client.command('SET', key, value, 'EX', String(seconds), ...condition);
    },
    async ping() {
      await client.command('PING');
    },
    close: () => client.close(),
  };
}

export async function openPublisher(url: string, host: Host, name: string): Promise<Publisher> {
  const client = await connectQueue({ ...host, url, name });
  return {
    publish: (event) =>
      client.publish(event.exchange, event.routingKey, event.body, {
        persistent: true,
        contentType: 'application/json',
        messageId: event.id,
        type: event.routingKey,
        ...(event.requestId === '' ? {} : { requestId: event.requestId }),
      }),
    close: () => client.close(),
  };
}

/** Request fields that the object store shall see, and response fields that its client shall. */
const ASKED = ['range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range'];
const ANSWERED = [
  'content-type',
  'content-length',
  'content-range',
  'accept-ranges',
  'etag',
  'last-modified',
  'cache-control',
  'content-encoding',
];

export function openFiles(options: ApiOptions, host: Host): FileStore {
  const { endpoint, accessKeyId, secretAccessKey } = parseObjectsUrl(options.objectsUrl ?? '');
  const { filesBucket: bucket, objectsRegion: region } = options;
  const client = createObjectsClient({ ...host, endpoint, accessKeyId, secretAccessKey, region });
  const http = createHttpClient(host);
  return {
    put: (name, body, { contentEncoding, ...about }) =>
      client.put(bucket, name, body, {
        ...about,
        ...(contentEncoding === undefined ? {} : { contentEncoding }),
      }),
    delete: (name, requestId) => client.delete(bucket, name, { requestId }),
    async fetch(name, request) {
      const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
      const headers = ASKED.flatMap((field) => pair(field, request.headers.get(field)));
      const url = client.presign(method, bucket, name, SIGNED_SECONDS);
      const answer = await http.request({
        method,
        url,
        headers: [...headers, ['X-Request-Id', request.id]],
        signal: request.signal,
      });
      if (answer.status >= 400) {
        answer.body.discard();
        return refused(answer, request);
      }
      const kept = ANSWERED.flatMap((field) => pair(field, answer.headers.get(field)));
      return {
        status: answer.status,
        headers: [...kept, ['X-Content-Type-Options', 'nosniff']],
        body: answer.body,
      };
    },
    async close() {
      await Promise.all([client.close(), http.close()]);
    },
  };
}

function pair(name: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[name, value]];
}

/** The store words its refusals as XML, with its own names for things. */
function refused({ status, headers }: ClientResponse, request: HttpRequest): HttpResponse {
  switch (status) {
    case 404:
      return problem(404, { title: `There is no file ${request.params['name']}` });
    case 412:
      return problem(412, { title: 'The file is not as the request has it' });
    case 416:
      return problem(416, {
        title: 'The file has no such range',
        headers: pair('Content-Range', headers.get('content-range')),
      });
    default:
      return problem(502, { title: 'The object store refused the request' });
  }
}

/** http://accessKeyId:secretAccessKey@host:port. @throws ApiError `bad-option` */
function parseObjectsUrl(text: string): { endpoint: string; accessKeyId: string; secretAccessKey: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username === '' || url.password === '') {
    throw new ApiError('bad-option', 'objectsUrl must be http://accessKeyId:secretAccessKey@host:port');
  }
  return {
    endpoint: url.origin,
    accessKeyId: decodeURIComponent(url.username),
    secretAccessKey: decodeURIComponent(url.password),
  };
}
