/**
 * The API's own rules against doubles of the services behind: validation, paging, cache, outbox, errors. The
 * real services are in test/integration.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Observatory, silentLog } from '../core/observe/observer.ts';
import { SeededRandom } from '../core/random/seeded-random.ts';
import { testHost } from '../core/testing/host.ts';
import { SimulatedClock } from '../core/time/simulated-clock.ts';
import { HttpError } from '../http/index.ts';
import { assignmentsOf, fromUrl, rowsOf } from './columns.ts';
import type { Column, Database, QueryResult, SqlValue } from './database.ts';
import { ApiError, responseOf } from './errors.ts';
import { DEFAULT_API_LIMITS } from './limits.ts';
import { createApiMetrics } from './metrics.ts';
import { DEFAULT_API_OPTIONS } from './options.ts';
import { type Event, Outbox } from './outbox.ts';
import { type Cache, RowCache } from './row-cache.ts';
import { startApi } from './server.ts';

const columns: Column[] = [
  { name: 'id', type: 'int4' },
  { name: 'name', type: 'text' },
  { name: 'power', type: 'float8' },
  { name: 'known', type: 'bool' },
  { name: 'notes', type: 'jsonb' },
  { name: 'at', type: 'timestamptz' },
  { name: 'big', type: 'int8' },
];

test('rows as JSON: each type in its form, large integers as text', () => {
  const values = ['7', 'Lumos', '1.5', 't', '{"a":1}', '2026-11-23 01:02:03.5+00', '9007199254740993'];
  assert.deepEqual(rowsOf({ columns, rows: [values, values.map(() => null)] }), [
    {
      id: 7,
      name: 'Lumos',
      power: 1.5,
      known: true,
      notes: { a: 1 },
      at: '2026-11-23T01:02:03.500Z',
      big: '9007199254740993',
    },
    { id: null, name: null, power: null, known: null, notes: null, at: null, big: null },
  ]);
});

const bodies: [body: unknown, fault: RegExp | undefined][] = [
  [{ name: 'x', power: 1, known: false, notes: [1], big: '9007199254740993', id: null }, undefined],
  [[], /JSON object/],
  [null, /JSON object/],
  [{ nmae: 'x' }, /nmae: there is no such column/],
  [{ id: 1.5, name: 7 }, /id: must be a whole number; name: must be a string/],
  [{ known: 'true' }, /known: must be true or false/],
  [{ power: '1' }, /power: must be a number/],
  [JSON.parse('{"__proto__": 1}'), /__proto__: there is no such column/],
];
for (const [body, fault] of bodies) {
  test(`a body is checked: ${JSON.stringify(body)}`, () => {
    if (fault === undefined) assert.equal(assignmentsOf(columns, body).length, 6);
    else
      assert.throws(
        () => assignmentsOf(columns, body),
        (error) => error instanceof HttpError && error.status === 422 && fault.test(error.message),
      );
  });
}

test('a value in a URL is checked against its column', () => {
  assert.equal(fromUrl(columns[0] as Column, '-12'), '-12');
  for (const [index, text] of [
    [0, '1; DROP TABLE x'],
    [0, ''],
    [2, 'NaN?'],
    [3, '1'],
    [4, '{}'],
  ] as const) {
    assert.throws(() => fromUrl(columns[index] as Column, text), { message: /must be|cannot/ });
  }
});

const failures: [thrown: unknown, status: number, leaks: boolean][] = [
  [Object.assign(new Error('duplicate key'), { code: '23505' }), 409, true],
  [Object.assign(new Error('null value'), { code: '23502' }), 422, true],
  [Object.assign(new Error('out of range'), { code: '22003' }), 422, true],
  [Object.assign(new Error('deadlock'), { code: '40P01' }), 503, false],
  [Object.assign(new Error('secret host gone'), { code: '08006' }), 503, false],
  [new Error('secret internals'), 500, false],
  [new HttpError(404, 'no row'), 404, true],
];
for (const [thrown, status, leaks] of failures) {
  test(`what was thrown becomes ${status}: ${(thrown as Error).message}`, () => {
    const response = responseOf(thrown);
    assert.equal(response.status, status);
    assert.equal(String(response.body).includes((thrown as Error).message), leaks);
    assert.deepEqual(
      response.headers?.find(([name]) => name.toLowerCase() === 'content-type')?.[1],
      'application/problem+json',
    );
  });
}

test('a name that is no host name is refused before anything is connected', async () => {
  for (const name of ['', 'a:80', 'http://a.test', '*a.test', '::1']) {
    const options = {
      ...DEFAULT_API_OPTIONS,
      databaseUrl: 'postgres://127.0.0.1:1/a',
      allowedHosts: ['a', name],
    };
    await assert.rejects(
      startApi(options, testHost('api')),
      (thrown) =>
        thrown instanceof ApiError &&
        thrown.code === 'bad-option' &&
        /^allowedHosts has ".*", which is no host name$/.test(thrown.message),
      name,
    );
  }
});

function memoryCache(): Cache & { values: Map<string, string>; broken: boolean } {
  const values = new Map<string, string>();
  const cache = {
    values,
    broken: false,
    async get(key: string) {
      if (cache.broken) throw new Error('away');
      return values.get(key);
    },
    async set(key: string, value: string, options: { onlyIfMissing?: boolean }) {
      if (cache.broken) throw new Error('away');
      if (options.onlyIfMissing !== true || !values.has(key)) values.set(key, value);
    },
    ping: async () => undefined,
    close: async () => undefined,
  };
  return cache;
}

const observer = () => new Observatory(silentLog).observer('api');

test('row cache: a slow reader cannot bring an old row back', async () => {
  const cache = memoryCache();
  const rows = new RowCache(cache, new SeededRandom(1), createApiMetrics(observer(), 'api-1'), 1_000);
  const slow = await rows.look('spells', '1', 60);
  assert.equal(slow?.kind, 'miss');
  // Meanwhile somebody writes, and tells the cache.
  assert.equal(await rows.invalidate('spells', '1', 60), true);
  if (slow?.kind === 'miss') await rows.fill(slow.slot, { name: 'old' }, 60);
  const fresh = await rows.look('spells', '1', 60);
  assert.equal(fresh?.kind, 'miss');
  if (fresh?.kind === 'miss') await rows.fill(fresh.slot, { name: 'new' }, 60);
  assert.deepEqual(await rows.look('spells', '1', 60), { kind: 'hit', row: { name: 'new' } });
});

test('row cache: eviction of a version makes its rows unreachable, a broken cache is gone without', async () => {
  const cache = memoryCache();
  const metrics = createApiMetrics(observer(), 'api-1');
  const rows = new RowCache(cache, new SeededRandom(1), metrics, 20);
  const first = await rows.look('spells', '1', 60);
  if (first?.kind === 'miss') await rows.fill(first.slot, { a: 1 }, 60);
  cache.values.delete('v:spells:1');
  assert.equal((await rows.look('spells', '1', 60))?.kind, 'miss');
  const large = await rows.look('spells', '2', 60);
  if (large?.kind === 'miss') await rows.fill(large.slot, { text: 'x'.repeat(100) }, 60);
  assert.equal((await rows.look('spells', '2', 60))?.kind, 'miss');
  cache.broken = true;
  assert.equal(await rows.look('spells', '1', 60), undefined);
  assert.equal(await rows.invalidate('spells', '1', 60), false);
  assert.equal(metrics.cacheFailures.value, 2);
});

/** Understands the four statements of the outbox. */
function outboxDatabase(): Database & { rows: Map<string, (string | null)[]> } {
  const rows = new Map<string, (string | null)[]>();
  const query = async (sql: string, parameters: readonly SqlValue[] = []): Promise<QueryResult> => {
    const texts = parameters.map((value) => (value === null ? null : String(value)));
    if (sql.startsWith('INSERT')) rows.set(texts[0] ?? '', texts);
    if (sql.startsWith('DELETE')) rows.delete(texts[0] ?? '');
    const due = [...rows.values()].filter((row) => Number(row[5]) < Number(texts[0]));
    return { columns: [], rows: sql.startsWith('SELECT') ? due : [] };
  };
  return { rows, query, transaction: (work) => work({ query }), close: async () => undefined };
}

test('outbox: an event the queue did not confirm is told again, with the same id, until it is', async () => {
  const clock = new SimulatedClock();
  const database = outboxDatabase();
  const told: string[] = [];
  let away = true;
  const publisher = {
    async publish(event: Event) {
      told.push(event.id);
      if (away) throw new Error('away');
    },
    close: async () => undefined,
  };
  const outbox = new Outbox(
    database,
    publisher,
    clock,
    DEFAULT_API_LIMITS,
    createApiMetrics(observer(), 'api-1'),
    observer().log,
  );
  await outbox.start();
  const event = {
    id: 'e1',
    exchange: 'events',
    routingKey: 'spells.inserted',
    body: '{}',
    requestId: 'r',
    createdAtMs: clock.now(),
  };
  await outbox.write(database, event);
  assert.equal(await outbox.tell(event), false);
  assert.equal(database.rows.size, 1);
  await clock.advance(DEFAULT_API_LIMITS.outboxRetryMs * 2 + 1);
  away = false;
  await clock.advance(DEFAULT_API_LIMITS.outboxRetryMs + 1);
  assert.equal(database.rows.size, 0);
  assert.ok(told.length >= 2 && new Set(told).size === 1);
  await outbox.close();
  assert.equal(clock.pendingCount, 0);
});
