/**
 * The route table: what an instance serves, and what is said of it for its description, its metrics and its bounds.
 */
import { type HttpResponse, json, type RouteOptions, type Router, text } from '../http/index.ts';
import type { Column } from './database.ts';
import { isMissingTable } from './errors.ts';
import type { FilesApi } from './files.ts';
import type { ApiLimits } from './limits.ts';
import { describeApi, type RouteAbout } from './openapi.ts';
import type { ApiOptions } from './options.ts';
import type { TableApi } from './table.ts';

/** What a route is called, and what is said of it; how much content it takes at most. */
function described(name: string, about: RouteAbout, bodyBytes?: number): RouteOptions {
  return { name, about, ...(bodyBytes === undefined ? {} : { bodyBytes }) };
}

/** @param troubles asks the services behind; gives what does not answer, by name */
export function addHealth(
  router: Router,
  options: ApiOptions,
  troubles: () => Promise<Readonly<Record<string, string>>>,
): void {
  const live = { summary: 'Whether the process lives', gives: { 200: TEXT } };
  router.add('GET', '/healthz', () => text(200, 'ok\n'), described('health.live', live));
  const { metricsText } = options;
  if (metricsText !== undefined) {
    const about = { summary: 'The numbers of the process, for Prometheus', gives: { 200: TEXT } };
    const handler = async (): Promise<HttpResponse> => ({
      status: 200,
      headers: [['Content-Type', 'text/plain; version=0.0.4; charset=utf-8']],
      body: await metricsText(),
    });
    router.add('GET', '/metrics', handler, described('metrics', about));
  }
  const ready = {
    summary: 'Whether the services behind answer',
    gives: { 200: JSON_VALUE, 503: JSON_VALUE },
  };
  const handler = async (): Promise<HttpResponse> => {
    const found = await troubles();
    const isReady = Object.keys(found).length === 0;
    return json(isReady ? 200 : 503, { instance: options.name, ready: isReady, troubles: found });
  };
  router.add('GET', '/readyz', handler, described('health.ready', ready));
}

/**
 * Routes by name whose answers are never compressed: files go out as they are stored, for their tags and ranges are of
 * those bytes; health is too short for it, and asked for every second or two.
 */
export const NEVER_CODED: ReadonlySet<string> = new Set([
  'files.read',
  'files.write',
  'files.remove',
  'health.live',
  'health.ready',
]);

const TEXT = { kind: 'text' } as const;
const JSON_VALUE = { kind: 'json' } as const;
const NOTHING = { kind: 'nothing' } as const;
const FILE = { kind: 'file' } as const;

export function addDescription(router: Router, tables: ReadonlyMap<string, TableApi>): void {
  const about = { summary: 'This description', gives: { 200: JSON_VALUE } };
  const handler = async ({ id }: { readonly id: string }): Promise<HttpResponse> => {
    const columns = new Map<string, readonly Column[] | undefined>();
    for (const [name, table] of tables) columns.set(name, await columnsOf(table, id));
    return json(200, describeApi(router.routes, columns));
  };
  router.add('GET', '/openapi.json', handler, described('description', about));
}

async function columnsOf(table: TableApi, requestId: string): Promise<readonly Column[] | undefined> {
  try {
    return await table.columns(requestId);
  } catch (thrown) {
    if (isMissingTable(thrown)) return undefined;
    throw thrown;
  }
}

export function addTable(router: Router, name: string, table: TableApi, { maxBodyBytes }: ApiLimits): void {
  // A star is text in a path and a wildcard in a pattern.
  const path = `/api/${encodeURIComponent(name).replaceAll('*', '%2A')}`;
  const row = { kind: 'row', table: name } as const;
  const page = { kind: 'page', table: name } as const;
  const query = {
    limit: 'How many rows at most',
    after: 'The key that the page begins behind',
  };
  const about = (does: string, rest: Omit<RouteAbout, 'summary'>): RouteAbout => ({
    summary: `${does} ${name}`,
    ...rest,
  });
  router
    .add(
      'GET',
      path,
      (request) => table.list(request),
      described(`api.${name}.list`, about('A page of', { query, filters: name, gives: { 200: page } })),
    )
    .add(
      'POST',
      path,
      (request) => table.insert(request),
      described(
        `api.${name}.insert`,
        about('A new row of', { takes: row, gives: { 201: row } }),
        maxBodyBytes,
      ),
    )
    .add(
      'GET',
      `${path}/:key`,
      (request) => table.read(request),
      described(`api.${name}.read`, about('One row of', { gives: { 200: row } })),
    )
    .add(
      'PATCH',
      `${path}/:key`,
      (request) => table.update(request),
      described(
        `api.${name}.update`,
        about('Changes columns of a row of', { takes: row, gives: { 200: row } }),
        maxBodyBytes,
      ),
    )
    .add(
      'DELETE',
      `${path}/:key`,
      (request) => table.remove(request),
      described(`api.${name}.remove`, about('Deletes a row of', { gives: { 204: NOTHING } })),
    );
}

export function addFiles(router: Router, files: FilesApi, { maxFileBytes }: ApiLimits): void {
  router
    .add(
      'GET',
      '/files/*name',
      (request) => files.read(request),
      described('files.read', {
        summary: 'A file, or a part of it',
        gives: { 200: FILE, 206: FILE, 304: NOTHING },
      }),
    )
    .add(
      'PUT',
      '/files/*name',
      (request) => files.write(request),
      described(
        'files.write',
        { summary: 'Puts a file', takes: FILE, gives: { 201: JSON_VALUE } },
        maxFileBytes,
      ),
    )
    .add(
      'DELETE',
      '/files/*name',
      (request) => files.remove(request),
      described('files.remove', { summary: 'Deletes a file', gives: { 204: NOTHING } }),
    );
}
