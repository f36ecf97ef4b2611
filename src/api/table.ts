/**
 * The five verbs of one exposed table.
 *
 *   GET    /api/<table>           ?limit=&after=&<column>=   a page in key order; `after` is the last key seen
 *   POST   /api/<table>           a row; 201 with Location
 *   GET    /api/<table>/<key>     X-Cache says whether the cache had it
 *   PATCH  /api/<table>/<key>     the columns given
 *   DELETE /api/<table>/<key>     204
 */

import type { Random } from '../core/random/random.ts';
import type { Clock } from '../core/time/clock.ts';
import {
  type Body,
  HttpError,
  type HttpRequest,
  type HttpResponse,
  json,
  mediaTypeOf,
} from '../http/index.ts';
import { type Assignment, assignmentsOf, fromUrl, type Row, rowsOf } from './columns.ts';
import {
  type Column,
  type Database,
  type QueryResult,
  quoteName,
  type Session,
  type SqlValue,
} from './database.ts';
import type { ApiLimits } from './limits.ts';
import type { ExposedTable } from './options.ts';
import type { Event, Outbox } from './outbox.ts';
import type { RowCache } from './row-cache.ts';

export interface TableServices {
  readonly database: Database;
  readonly cache: RowCache | undefined;
  readonly outbox: Outbox | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ApiLimits;
}

type Change = 'inserted' | 'updated' | 'deleted';

export class TableApi {
  readonly #name: string;
  readonly #table: ExposedTable;
  readonly #services: TableServices;
  #columns: readonly Column[] | undefined;

  constructor(name: string, table: ExposedTable, services: TableServices) {
    this.#name = name;
    this.#table = table;
    this.#services = services;
  }

  async list(request: HttpRequest): Promise<HttpResponse> {
    const columns = await this.columns(request.id);
    const { limit, conditions, parameters } = this.#listQuery(columns, new URLSearchParams(request.query));
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
    const key = quoteName(this.#table.key);
    const result = await this.#query(
      request.id,
      `SELECT * FROM ${quoteName(this.#name)}${where} ORDER BY ${key} LIMIT ${limit + 1}`,
      parameters,
    );
    const rows = rowsOf(result);
    const page = rows.slice(0, limit);
    // One row more than asked for says whether there is a next page.
    const next = rows.length > limit ? page.at(-1)?.[this.#table.key] : undefined;
    return json(200, { items: page, ...(next === undefined ? {} : { next: String(next) }) });
  }

  async read(request: HttpRequest): Promise<HttpResponse> {
    const key = request.params['key'] ?? '';
    const { cache } = this.#services;
    const { cacheSeconds } = this.#table;
    const found =
      cache === undefined || cacheSeconds === 0 ? undefined : await cache.look(this.#name, key, cacheSeconds);
    if (found?.kind === 'hit') return json(200, found.row, [['X-Cache', 'hit']]);
    const row = await this.#select(request.id, key);
    if (found !== undefined) await cache?.fill(found.slot, row, cacheSeconds);
    return json(200, row, [['X-Cache', found === undefined ? 'none' : 'miss']]);
  }

  async insert(request: HttpRequest): Promise<HttpResponse> {
    const assignments = await this.#assignments(request);
    const names = assignments.map(({ column }) => quoteName(column.name)).join(', ');
    const places = assignments.map((_, index) => `$${index + 1}`).join(', ');
    const values = assignments.length === 0 ? 'DEFAULT VALUES' : `(${names}) VALUES (${places})`;
    const { row } = await this.#change(
      request,
      'inserted',
      `INSERT INTO ${quoteName(this.#name)} ${values} RETURNING *`,
      assignments.map(({ value }) => value),
    );
    const key = encodeURIComponent(String(row[this.#table.key]));
    return json(201, row, [['Location', `/api/${encodeURIComponent(this.#name)}/${key}`]]);
  }

  async update(request: HttpRequest): Promise<HttpResponse> {
    const assignments = await this.#assignments(request);
    if (assignments.length === 0) throw new HttpError(422, 'the body names no column');
    const sets = assignments.map(({ column }, index) => `${quoteName(column.name)} = $${index + 1}`);
    const { row } = await this.#change(
      request,
      'updated',
      `UPDATE ${quoteName(this.#name)} SET ${sets.join(', ')} WHERE ${quoteName(this.#table.key)} = $${sets.length + 1} RETURNING *`,
      [...assignments.map(({ value }) => value), await this.#keyValue(request)],
    );
    return json(200, row);
  }

  async remove(request: HttpRequest): Promise<HttpResponse> {
    await this.#change(
      request,
      'deleted',
      `DELETE FROM ${quoteName(this.#name)} WHERE ${quoteName(this.#table.key)} = $1 RETURNING *`,
      [await this.#keyValue(request)],
    );
    return { status: 204 };
  }

  async #select(requestId: string, key: string): Promise<Row> {
    const column = await this.#keyColumn(requestId);
    const name = quoteName(this.#table.key);
    const sql = `SELECT * FROM ${quoteName(this.#name)} WHERE ${name} = $1`;
    const [row] = rowsOf(await this.#query(requestId, sql, [fromUrl(column, key)]));
    if (row === undefined) throw new HttpError(404, `${this.#name} has no row ${key}`);
    return row;
  }

  /** One change, its event in the same transaction, the cache told before the answer leaves. */
  async #change(
    request: HttpRequest,
    change: Change,
    sql: string,
    parameters: readonly SqlValue[],
  ): Promise<{ row: Row }> {
    const { database, outbox, cache } = this.#services;
    const tells = outbox !== undefined && this.#table.exchange !== '';
    const run = async (session: Session): Promise<{ row: Row; event: Event | undefined }> => {
      const [row] = rowsOf(await session.query(traced(sql, request.id), parameters));
      if (row === undefined) throw new HttpError(404, `${this.#name} has no row ${request.params['key']}`);
      const event = tells ? this.#event(change, row, request.id) : undefined;
      if (event !== undefined) await outbox?.write(session, event);
      return { row, event };
    };
    const { row, event } = tells ? await database.transaction(run) : await run(database);
    const keys = new Set([request.params['key'], String(row[this.#table.key])]);
    for (const key of keys) {
      if (key !== undefined && this.#table.cacheSeconds > 0)
        await cache?.invalidate(this.#name, key, this.#table.cacheSeconds);
    }
    if (event !== undefined) await outbox?.tell(event);
    return { row };
  }

  #event(change: Change, row: Row, requestId: string): Event {
    const { random, clock } = this.#services;
    const routingKey = `${this.#name}.${change}`;
    const createdAtMs = clock.now();
    const id = random.uuid();
    const body = JSON.stringify({ id, event: routingKey, at: new Date(createdAtMs).toISOString(), row });
    return { id, exchange: this.#table.exchange, routingKey, body, requestId, createdAtMs };
  }

  #listQuery(
    columns: readonly Column[],
    query: URLSearchParams,
  ): { limit: number; conditions: string[]; parameters: SqlValue[] } {
    const { limits } = this.#services;
    const conditions: string[] = [];
    const parameters: SqlValue[] = [];
    let limit = limits.defaultPageRows;
    for (const [name, text] of query) {
      if (name === 'limit') {
        limit = pageSize(text, limits.maxPageRows);
        continue;
      }
      const wanted = name === 'after' ? this.#table.key : name;
      const column = columns.find((candidate) => candidate.name === wanted);
      if (column === undefined) throw new HttpError(400, `${name}: there is no such column or option`);
      parameters.push(fromUrl(column, text));
      conditions.push(`${quoteName(wanted)} ${name === 'after' ? '>' : '='} $${parameters.length}`);
      if (conditions.length > limits.maxFilters)
        throw new HttpError(400, `more than ${limits.maxFilters} conditions`);
    }
    return { limit, conditions, parameters };
  }

  async #assignments(request: HttpRequest): Promise<Assignment[]> {
    // A form post from a foreign page cannot have this type without asking first (CORS preflight).
    if (mediaTypeOf(request.headers)?.essence !== 'application/json') {
      throw new HttpError(415, 'the body must be application/json', {
        headers: [['Accept', 'application/json']],
      });
    }
    const { maxBodyBytes } = this.#services.limits;
    const content = await contentOf(request, maxBodyBytes);
    const text = await content.text(maxBodyBytes);
    let body: unknown;
    try {
      body = JSON.parse(text);
    } catch {
      throw new HttpError(400, 'the body is not JSON');
    }
    return assignmentsOf(await this.columns(request.id), body);
  }

  async #keyValue(request: HttpRequest): Promise<SqlValue> {
    return fromUrl(await this.#keyColumn(request.id), request.params['key'] ?? '');
  }

  async #keyColumn(requestId: string): Promise<Column> {
    const column = (await this.columns(requestId)).find(({ name }) => name === this.#table.key);
    if (column === undefined) throw new Error(`table ${this.#name} has no column ${this.#table.key}`);
    return column;
  }

  /** Asked once; asked again after the table was seen to have changed. @throws an error with `sqlState` */
  async columns(requestId: string): Promise<readonly Column[]> {
    this.#columns ??= (
      await this.#query(requestId, `SELECT * FROM ${quoteName(this.#name)} LIMIT 0`)
    ).columns;
    return this.#columns;
  }

  async #query(requestId: string, sql: string, parameters: readonly SqlValue[] = []): Promise<QueryResult> {
    const result = await this.#services.database.query(traced(sql, requestId), parameters);
    if (this.#columns !== undefined && result.columns.length !== this.#columns.length)
      this.#columns = undefined;
    return result;
  }
}

/** Without its coding, should it have one: few do, so that what decodes is loaded when one does. @throws HttpError 415 */
async function contentOf(request: HttpRequest, bytes: number): Promise<Body> {
  if (!request.headers.has('content-encoding')) return request.body;
  const { decodedBody } = await import('../http/content/index.ts');
  return decodedBody(request, { bytes });
}

/** The request's id travels in a comment, which the database shows with the statement. Ids are plain tokens. */
function traced(sql: string, requestId: string): string {
  return `/* request-id: ${requestId.replaceAll('*', '')} */ ${sql}`;
}

function pageSize(text: string, most: number): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1) throw new HttpError(400, 'limit: must be a whole number from 1');
  return Math.min(limit, most);
}
