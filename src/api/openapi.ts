/**
 * What an instance serves, as an OpenAPI 3.1 document. It is made from the router's own table: a route that is added is
 * described, and nothing is described that is not served. What a route takes and gives stands beside it (`about`).
 */
import type { RouteInfo } from '../http/index.ts';
import { schemaOf } from './columns.ts';
import type { Column } from './database.ts';

/** What a message carries. */
export type Carried =
  | { readonly kind: 'row' | 'page'; readonly table: string }
  | { readonly kind: 'file' | 'text' | 'json' | 'nothing' };

/** What is said of a route, as its `about`. */
export interface RouteAbout {
  readonly summary: string;
  /** Parameters of the query: name → what it does. */
  readonly query?: Readonly<Record<string, string>>;
  /** The table whose columns filter what is given, each by a parameter of its name. */
  readonly filters?: string;
  readonly takes?: Carried;
  /** By status; refusals are problems everywhere. */
  readonly gives: Readonly<Record<number, Carried>>;
}

type Json = Readonly<Record<string, unknown>>;

/** Name of a table → its columns; undefined for one that the database does not have (yet). */
export type TableColumns = ReadonlyMap<string, readonly Column[] | undefined>;

/** The same from every instance that serves the same. */
export function describeApi(routes: readonly RouteInfo[], tables: TableColumns): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = templateOf(route.pattern);
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(route, tables);
  }
  const schemas: Record<string, Json> = { Problem: PROBLEM };
  for (const [name, columns] of tables) {
    schemas[schemaName(name)] = rowSchema(columns);
    schemas[pageName(name)] = pageSchema(name);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Octet API', version: '1' },
    paths,
    components: { schemas },
  };
}

/** `/api/spells/:key<int>` → `/api/spells/{key}`. What is text in a pattern has its colons and stars escaped. */
function templateOf(pattern: string): string {
  return pattern.replace(/[:*](\w+)(<\w+>)?/g, '{$1}');
}

function operation(route: RouteInfo, tables: TableColumns): Json {
  const about = route.about as RouteAbout | undefined;
  const responses: Record<string, Json> = { default: { description: 'Refused', content: PROBLEM_CONTENT } };
  for (const [status, carried] of Object.entries(about?.gives ?? {})) {
    const content = contentOf(carried);
    responses[status] = { description: DESCRIPTIONS[carried.kind], ...(content && { content }) };
  }
  const taken = about?.takes === undefined ? undefined : contentOf(about.takes);
  return {
    ...(route.name === undefined ? {} : { operationId: route.name }),
    ...(about === undefined ? {} : { summary: about.summary }),
    parameters: [...pathParameters(route), ...queryParameters(about, tables)],
    ...(taken === undefined ? {} : { requestBody: { required: true, content: taken } }),
    responses,
  };
}

function pathParameters({ parameters, pattern }: RouteInfo): Json[] {
  return parameters.map(({ name, type }) => ({
    name,
    in: 'path',
    required: true,
    schema: TYPES[type ?? ''] ?? { type: 'string' },
    ...(pattern.endsWith(`*${name}`) ? { description: 'The rest of the path; it may hold slashes.' } : {}),
  }));
}

function queryParameters(
  { query = {}, filters = '' }: Partial<RouteAbout> = {},
  tables: TableColumns,
): Json[] {
  const named = Object.entries(query).map(([name, description]) => queryParameter(name, description));
  const columns = tables.get(filters) ?? [];
  return [
    ...named,
    ...columns
      .filter(({ name }) => !Object.hasOwn(query, name))
      .map(({ name }) => queryParameter(name, 'Only rows with this value')),
  ];
}

function queryParameter(name: string, description: string): Json {
  return { name, in: 'query', description, schema: { type: 'string' } };
}

/** The router's own constraints. */
const TYPES: Readonly<Record<string, Json>> = {
  int: { type: 'integer' },
  uuid: { type: 'string', format: 'uuid' },
};

const DESCRIPTIONS: Readonly<Record<Carried['kind'], string>> = {
  row: 'A row',
  page: 'Rows in the order of their keys',
  file: 'A file, or a part of it',
  text: 'Text',
  json: 'JSON',
  nothing: 'Done',
};

function contentOf(carried: Carried): Json | undefined {
  switch (carried.kind) {
    case 'row':
      return { 'application/json': { schema: referTo(schemaName(carried.table)) } };
    case 'page':
      return { 'application/json': { schema: referTo(pageName(carried.table)) } };
    case 'file':
      return { '*/*': {} };
    case 'text':
      return { 'text/plain': { schema: { type: 'string' } } };
    case 'json':
      return { 'application/json': { schema: {} } };
    case 'nothing':
      return undefined;
  }
}

function referTo(name: string): Json {
  return { $ref: `#/components/schemas/${name}` };
}

/** Names of schemas are plain; a table may be called anything. */
function schemaName(table: string): string {
  return /^[\w.-]+$/.test(table) ? `Row_${table}` : `Row_${Buffer.from(table).toString('hex')}`;
}

function pageName(table: string): string {
  return schemaName(table).replace('Row_', 'Page_');
}

/** A column may be left out of what is sent, and hold NULL; the database has the last word. */
function rowSchema(columns: readonly Column[] | undefined): Json {
  if (columns === undefined) return { type: 'object' };
  const properties = Object.fromEntries(columns.map((column) => [column.name, schemaOf(column)]));
  return { type: 'object', properties, additionalProperties: false };
}

function pageSchema(table: string): Json {
  return {
    type: 'object',
    properties: {
      items: { type: 'array', items: referTo(schemaName(table)) },
      next: { type: 'string', description: 'The `after` of the next page; absent on the last.' },
    },
    required: ['items'],
  };
}

/** RFC 9457. */
const PROBLEM: Json = {
  type: 'object',
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
  },
  required: ['type', 'title', 'status'],
};
const PROBLEM_CONTENT: Json = { 'application/problem+json': { schema: referTo('Problem') } };
