import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter, empty } from '../http/index.ts';
import type { Column } from './database.ts';
import { DEFAULT_API_LIMITS } from './limits.ts';
import { describeApi, type RouteAbout } from './openapi.ts';
import { addTable } from './routes.ts';
import type { TableApi } from './table.ts';

const columns: Column[] = [
  { name: 'id', type: 'int4' },
  { name: 'limit', type: 'int8' },
  { name: 'at', type: 'timestamptz' },
  { name: 'notes', type: 'jsonb' },
];
const handler = () => empty(204);
const about = (rest: Partial<RouteAbout>): { about: RouteAbout } => ({
  about: { summary: 'x', gives: {}, ...rest },
});

test('routes, parameters and contents become OpenAPI', () => {
  const router = createRouter()
    .add('GET', '/api/odd%3Aname/:key<int>', handler, {
      name: 'odd.read',
      ...about({ gives: { 200: { kind: 'row', table: 'odd:name' } } }),
    })
    .add('PUT', '/files/*name', handler, about({ takes: { kind: 'file' }, gives: { 201: { kind: 'json' } } }))
    .add('GET', '/bare', handler);
  const document = describeApi(router.routes, new Map([['odd:name', columns]]));
  assert.deepEqual(document, {
    openapi: '3.1.0',
    info: { title: 'Octet API', version: '1' },
    paths: {
      '/api/odd%3Aname/{key}': {
        get: {
          operationId: 'odd.read',
          summary: 'x',
          parameters: [{ name: 'key', in: 'path', required: true, schema: { type: 'integer' } }],
          responses: {
            200: {
              description: 'A row',
              content: {
                'application/json': { schema: { $ref: '#/components/schemas/Row_6f64643a6e616d65' } },
              },
            },
            default: refused,
          },
        },
      },
      '/files/{name}': {
        put: {
          summary: 'x',
          parameters: [
            {
              name: 'name',
              in: 'path',
              required: true,
              schema: { type: 'string' },
              description: 'The rest of the path; it may hold slashes.',
            },
          ],
          requestBody: { required: true, content: { '*/*': {} } },
          responses: {
            201: { description: 'JSON', content: { 'application/json': { schema: {} } } },
            default: refused,
          },
        },
      },
      '/bare': { get: { parameters: [], responses: { default: refused } } },
    },
    components: {
      schemas: {
        Problem: {
          type: 'object',
          properties: {
            type: { type: 'string', format: 'uri-reference' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
          },
          required: ['type', 'title', 'status'],
        },
        Row_6f64643a6e616d65: {
          type: 'object',
          properties: {
            id: { type: ['integer', 'null'] },
            limit: { type: ['integer', 'string', 'null'] },
            at: { type: ['string', 'null'], format: 'date-time' },
            notes: {},
          },
          additionalProperties: false,
        },
        Page_6f64643a6e616d65: {
          type: 'object',
          properties: {
            items: { type: 'array', items: { $ref: '#/components/schemas/Row_6f64643a6e616d65' } },
            next: { type: 'string', description: 'The `after` of the next page; absent on the last.' },
          },
          required: ['items'],
        },
      },
    },
  });
});

const refused = {
  description: 'Refused',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

test('the columns of a table filter its list, but for names that mean something else', () => {
  const options = about({ query: { limit: 'how many' }, filters: 'spells' });
  const router = createRouter().add('GET', '/api/spells', handler, options);
  const parametersOf = (tables: Map<string, Column[] | undefined>): string[] => {
    const { paths } = describeApi(router.routes, tables) as {
      paths: Record<string, { get: { parameters: { name: string; description: string }[] } }>;
    };
    return (paths['/api/spells']?.get.parameters ?? []).map((one) => `${one.name}: ${one.description}`);
  };
  const filters = ['id', 'at', 'notes'].map((name) => `${name}: Only rows with this value`);
  assert.deepEqual(parametersOf(new Map([['spells', columns]])), ['limit: how many', ...filters]);
  assert.deepEqual(parametersOf(new Map([['spells', undefined]])), ['limit: how many']);
});

test('a table may be called anything', () => {
  const names = [
    ['a*b', '/api/a*b/7'],
    ['*', '/api/*/7'],
    ['*', '/api/%2a/7'],
    ['a:b', '/api/a:b/7'],
    ['a/b', '/api/a%2Fb/7'],
    ['é%', '/api/%C3%A9%25/7'],
  ] as const;
  for (const [name, path] of names) {
    const router = createRouter();
    addTable(router, name, {} as TableApi, DEFAULT_API_LIMITS);
    const match = router.find('GET', path);
    assert.equal(match.kind === 'found' && match.params['key'], '7', path);
  }
});
