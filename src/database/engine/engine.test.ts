/** The engine without a wire: SQL in, values out, over a real store in memory. Expected results are PostgreSQL 15's. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createMemoryFiles } from '../../core/files/memory-files.ts';
import { systemRandom } from '../../core/random/system-random.ts';
import { systemClock } from '../../core/time/system-clock.ts';
import type { DatabaseError } from '../errors.ts';
import { DEFAULT_DATABASE_LIMITS } from '../limits.ts';
import { type OpenRowStore, openRowStore } from '../store.ts';
import { Database } from './database.ts';
import { BackendPort } from './port.ts';

type Row = (string | null)[];

/** One session that runs scripts to their end; a lock it would have to wait for fails the test. */
class TestSession {
  readonly port: BackendPort;
  readonly notices: string[] = [];

  constructor(database: Database, processId: number) {
    this.port = new BackendPort(database, processId, {
      notice: ({ message }) => this.notices.push(message),
      parameterChanged: () => undefined,
    });
  }

  async run(sql: string): Promise<Row[]> {
    let rows: Row[] = [];
    for (const parsed of this.port.parse(sql)) {
      this.port.beginStatement();
      rows = await this.#runOne(parsed);
    }
    await this.port.endImplicit();
    return rows;
  }

  async #runOne(parsed: ReturnType<BackendPort['parse']>[number]): Promise<Row[]> {
    try {
      const portal = this.port.open(this.port.prepare(parsed, []), {
        parameterFormats: [],
        parameters: [],
        resultFormats: [],
      });
      const rows: Row[] = [];
      for (;;) {
        const outcome = portal.run(
          0,
          (row) => void rows.push(row as Row),
          () => true,
        );
        if (outcome.kind === 'commit') await outcome.durable;
        if (outcome.kind === 'wait') throw new Error('would wait for a lock');
        if (outcome.kind !== 'again') return rows;
      }
    } catch (thrown) {
      this.port.fail();
      throw thrown;
    }
  }
}

describe('the engine', () => {
  let store: OpenRowStore;
  let database: Database;
  let session: TestSession;

  before(async () => {
    const files = createMemoryFiles();
    store = await openRowStore({ files, clock: systemClock, random: systemRandom }, '/db');
    database = new Database(store, {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic(),
      below: (bound) => systemRandom.below(bound),
      uuid: () => systemRandom.uuid(),
      name: 'octet',
      user: 'octet',
      limits: DEFAULT_DATABASE_LIMITS,
    });
    session = new TestSession(database, 1);
    await session.run(`CREATE TABLE t (id int PRIMARY KEY, n int, s text);
      INSERT INTO t VALUES (1, 10, 'one'), (2, 20, 'two'), (3, NULL, NULL), (4, 10, 'four');
      CREATE INDEX t_n ON t (n)`);
  });

  after(() => store.close());

  describe('evaluates as PostgreSQL does:', () => {
    const values: [sql: string, value: string | null][] = [
      ['NULL AND false', 'f'],
      ['NULL OR true', 't'],
      ['NULL AND true', null],
      ['NOT NULL::bool', null],
      ['NULL = NULL', null],
      ['1 IS DISTINCT FROM NULL', 't'],
      ['1 IN (2, NULL)', null],
      ['1 NOT IN (1, NULL)', 'f'],
      ['1 NOT IN (2, NULL)', null],
      ['3 <> ALL (ARRAY[1, 2])', 't'],
      ['NULL = ANY (ARRAY[1])', null],
      ['7 / 2', '3'],
      ['-7 / 2', '-3'],
      ['-7 % 3', '-1'],
      ['1.0 / 3', '0.33333333333333333333'],
      ['10::numeric / 4', '2.5000000000000000'],
      ['2.5::int', '3'],
      ['2.5::float8::int', '2'],
      ['0.1 + 0.2', '0.3'],
      ['0.1::float8 + 0.2::float8', '0.30000000000000004'],
      ['9007199254740993 + 0', '9007199254740993'],
      ["'NaN'::float8 = 'NaN'::float8", 't'],
      ["'NaN'::numeric > 1e100", 't'],
      ['1e20::float8', '1e+20'],
      ["'a' || 1 || NULL", null],
      ["concat('a', NULL, 1)", 'a1'],
      ["'a_c' LIKE 'a\\_c'", 't'],
      ["'abc' LIKE 'a%c'", 't'],
      ["'abc' NOT ILIKE 'A%'", 'f'],
      ["'b' BETWEEN 'a' AND 'c'", 't'],
      ['CASE WHEN NULL THEN 1 ELSE 2 END', '2'],
      ['COALESCE(NULL, 2, 1/0)', '2'],
      ["NULLIF('a', 'a')", null],
      ['GREATEST(1, NULL, 3)', '3'],
      ["'2024-02-29'::date + interval '1 year'", '2025-02-28 00:00:00'],
      ["'2024-01-31 10:00+02'::timestamptz", '2024-01-31 08:00:00+00'],
      ["'0044-03-15 BC'::date", '0044-03-15 BC'],
      ["extract(epoch FROM '2000-01-01'::timestamptz)", '946684800.000000'],
      [`'{"b": 1, "a": {"c": [1, 2.50]}}'::jsonb`, '{"a": {"c": [1, 2.50]}, "b": 1}'],
      [`'{"a": {"c": [1, 2]}}'::jsonb #>> '{a,c,1}'`, '2'],
      [`'{"a": 1}'::jsonb @> '{}'`, 't'],
      [`'[1, "x"]'::json ->> 1`, 'x'],
      ["'abc'::char(5) = 'abc'", 't'],
      ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
      ["('{1,NULL,3}'::int[])[3]", '3'],
      ['(1, 2) < (1, 3)', 't'],
      ["E'\\\\x4142'::bytea", '\\x4142'],
      ["substring('hello' FROM 2 FOR 3)", 'ell'],
      ["to_char('2024-05-06 07:08:09'::timestamp, 'YYYY-MM-DD HH24:MI:SS')", '2024-05-06 07:08:09'],
      ["'one' ~ '^o.e$'", 't'],
      ["regexp_replace('abcabc', 'b', 'X', 'g')", 'aXcaXc'],
      ['pg_typeof(1 + 2.0)', 'numeric'],
      ["array_to_string(ARRAY(SELECT n FROM t ORDER BY n NULLS FIRST), ',')", '10,10,20'],
      ['(SELECT count(*) FROM t)', '4'],
      ['(SELECT sum(n) FROM t)', '40'],
      ['(SELECT avg(n) FROM t)', '13.3333333333333333'],
      ['(SELECT sum(n) FROM t WHERE false)', null],
    ];
    for (const [sql, value] of values)
      it(sql, async () => assert.deepEqual(await session.run(`SELECT ${sql}`), [[value]]));
  });

  describe('fails as PostgreSQL does:', () => {
    const failures: [sql: string, code: string][] = [
      ['2147483647 + 1', '22003'],
      ['9223372036854775807 + 1', '22003'],
      ['32767::int2 + 1::int2', '22003'],
      ['-(-2147483648)', '22003'],
      ['300000 * 300000', '22003'],
      ['1 / 0', '22012'],
      ['1.0 / 0', '22012'],
      ['1 % 0', '22012'],
      ["'x'::int", '22P02'],
      ["'99999999999'::int", '22003'],
      ["'2024-02-30'::date", '22008'],
      ["'nonsense'::timestamptz", '22007'],
      ["'{'::jsonb", '22P02'],
      ["'x'::uuid", '22P02'],
      ["'123.45'::numeric(3, 2)", '22003'],
      ['1 + true', '42883'],
      ['nosuch(1)', '42883'],
      ["'a'::int4range", '0A000'],
      ["'a'::nosuch", '42704'],
      ['(SELECT id FROM t)', '21000'],
      ['(SELECT 1, 2)', '42601'],
      ['sum(1) FROM t WHERE sum(1) > 0', '42803'],
      ['s, count(*) FROM t GROUP BY n', '42803'],
      ['sum(sum(n)) FROM t', '42803'],
      ['id FROM t, t u', '42702'],
      ['t.nosuch FROM t', '42703'],
      ['u.id FROM t', '42P01'],
      ["'a' ~ '('", '2201B'],
      ["'a' ~ '(a+)+$'", '0A000'],
      ['sqrt(-1)', '2201F'],
      ['chr(0)', '54000'],
    ];
    for (const [sql, code] of failures)
      it(`${sql} → ${code}`, () =>
        assert.rejects(session.run(`SELECT ${sql}`), (error: DatabaseError) => error.code === code));
  });

  describe('plans:', () => {
    const plans: [sql: string, plan: string[]][] = [
      ['SELECT * FROM t WHERE id = 1', ['Index Scan using t_pkey on t']],
      ["SELECT * FROM t WHERE id IN (1, 2) AND s = 'x'", ['Index Scan using t_pkey on t (filtered)']],
      ['SELECT * FROM t WHERE n > 5 AND n <= 10', ['Index Scan using t_n on t']],
      ['SELECT * FROM t WHERE n + 1 = 5', ['Seq Scan on t (filtered)']],
      ['SELECT * FROM t ORDER BY id DESC', ['Index Scan Backward using t_pkey on t']],
      ['SELECT * FROM t ORDER BY s', ['Sort', '  ->  Seq Scan on t']],
      [
        'SELECT * FROM t a JOIN t b ON a.n = b.id',
        ['Nested Loop', '  ->  Seq Scan on t a', '  ->  Index Scan using t_pkey on t b'],
      ],
      [
        'SELECT * FROM t a JOIN t b ON a.s = b.s',
        ['Hash Join', '  ->  Seq Scan on t a', '  ->  Seq Scan on t b'],
      ],
      [
        'SELECT * FROM t a LEFT JOIN t b ON a.s = b.s WHERE a.id = 1',
        ['Hash Left Join', '  ->  Index Scan using t_pkey on t a', '  ->  Seq Scan on t b'],
      ],
    ];
    for (const [sql, plan] of plans)
      it(sql, async () =>
        assert.deepEqual(
          (await session.run(`EXPLAIN ${sql}`)).map(([line]) => line),
          plan,
        ),
      );
  });

  it('finds the same rows with and without an index', async () => {
    await session.run(
      `CREATE TABLE plain (a int, b text, c int8); CREATE TABLE keyed (a int, b text, c int8, UNIQUE (c, a)); CREATE INDEX ON keyed (a DESC, b); CREATE INDEX ON keyed (b)`,
    );
    const rows = Array.from(
      { length: 200 },
      (_, i) =>
        `(${i % 7 === 0 ? 'NULL' : (i * 37) % 50}, ${i % 11 === 0 ? 'NULL' : `'k${(i * 13) % 20}'`}, ${i})`,
    ).join();
    await session.run(`INSERT INTO plain VALUES ${rows}; INSERT INTO keyed VALUES ${rows}`);
    for (const where of [
      'a = 5',
      'a > 40',
      'a < 3',
      'a BETWEEN 10 AND 12',
      'a IS NULL',
      'a IN (1, 2, 3, NULL)',
      "a = 5 AND b > 'k1'",
      "b = 'k3'",
      "b < 'k12' AND a = 7",
      'c = 5',
      'c = 5 AND a = 35',
      'c > 190',
      'a = 3000000000',
      'a > 1.5',
      'NOT a = 5',
      "b LIKE 'k1%'",
    ]) {
      const from = (table: string): Promise<Row[]> =>
        session.run(`SELECT * FROM ${table} WHERE ${where} ORDER BY c`);
      assert.deepEqual(await from('keyed'), await from('plain'), where);
    }
    for (const order of ['a DESC, b', 'a, b DESC', 'b', 'b DESC NULLS LAST', 'a'])
      assert.deepEqual(
        await session.run(`SELECT ${order.replace(/ (DESC|NULLS LAST)/g, '')} FROM keyed ORDER BY ${order}`),
        await session.run(`SELECT ${order.replace(/ (DESC|NULLS LAST)/g, '')} FROM plain ORDER BY ${order}`),
        order,
      );
  });

  it('keeps indexes equal to their tables through updates and deletes', async () => {
    await session.run(`CREATE TABLE moving (id serial PRIMARY KEY, k int UNIQUE, v int); CREATE INDEX ON moving (v);
      INSERT INTO moving (k, v) SELECT g, g % 10 FROM generate_series(1, 300) g;
      UPDATE moving SET v = v + 1 WHERE k % 2 = 0; UPDATE moving SET k = k + 1000 WHERE k > 250; DELETE FROM moving WHERE v = 3; UPDATE moving SET id = id + 5000 WHERE id < 20`);
    const bySeq = await session.run('SELECT id, k, v FROM moving WHERE v + 0 = 5 ORDER BY id');
    assert.deepEqual(await session.run('SELECT id, k, v FROM moving WHERE v = 5 ORDER BY id'), bySeq);
    assert.ok(bySeq.length > 0);
    const entries = [
      ...store.range(
        `i${database.catalog.indexesOf(tableOid('moving')).find(({ name }) => name === 'moving_v_idx')!.oid}.1`,
        {},
      ),
    ].length;
    assert.equal(String(entries), (await session.run('SELECT count(*) FROM moving'))[0]![0]);
  });

  function tableOid(name: string): number {
    return [...database.catalog.relations()].find((relation) => relation.name === name)!.oid;
  }

  it('undoes every write of a statement that fails in the middle', async () => {
    await session.run('CREATE TABLE half (id int PRIMARY KEY)');
    await assert.rejects(
      session.run('INSERT INTO half SELECT g FROM generate_series(1, 5) g UNION ALL SELECT 3'),
      { code: '23505' },
    );
    assert.deepEqual(await session.run('SELECT * FROM half'), []);
  });

  it('does not meet its own rows again (Halloween)', async () => {
    await session.run(
      'CREATE TABLE pay (id int PRIMARY KEY, n int); CREATE INDEX ON pay (n); INSERT INTO pay VALUES (1, 1), (2, 2)',
    );
    await session.run('UPDATE pay SET n = n + 10 WHERE n > 0');
    assert.deepEqual(await session.run('SELECT n FROM pay ORDER BY id'), [['11'], ['12']]);
  });

  it('runs ON CONFLICT both ways', async () => {
    await session.run(
      "CREATE TABLE up (id int PRIMARY KEY, n int, k text UNIQUE); INSERT INTO up VALUES (1, 1, 'a')",
    );
    assert.deepEqual(
      await session.run(
        `INSERT INTO up VALUES (1, 5, 'b'), (2, 7, 'c') ON CONFLICT (id) DO UPDATE SET n = up.n + excluded.n WHERE up.n < 100 RETURNING *`,
      ),
      [
        ['1', '6', 'a'],
        ['2', '7', 'c'],
      ],
    );
    assert.deepEqual(
      await session.run(`INSERT INTO up VALUES (9, 9, 'a') ON CONFLICT DO NOTHING RETURNING id`),
      [],
    );
    await assert.rejects(
      session.run(`INSERT INTO up VALUES (3, 1, 'x'), (3, 2, 'y') ON CONFLICT (id) DO UPDATE SET n = 0`),
      { code: '21000' },
    );
    await assert.rejects(session.run(`INSERT INTO up VALUES (3, 1, 'a') ON CONFLICT (id) DO NOTHING`), {
      code: '23505',
    });
    await assert.rejects(session.run(`INSERT INTO up VALUES (3) ON CONFLICT (n) DO NOTHING`), {
      code: '42P10',
    });
  });

  it('shows no session the uncommitted rows of another, and each its own', async () => {
    const other = new TestSession(database, 2);
    await session.run('CREATE TABLE seen (id int PRIMARY KEY)');
    await session.run('BEGIN; INSERT INTO seen VALUES (1)');
    assert.deepEqual(await other.run('SELECT * FROM seen'), []);
    assert.deepEqual(await session.run('SELECT * FROM seen'), [['1']]);
    await session.run('SAVEPOINT a; DELETE FROM seen; ROLLBACK TO a; COMMIT');
    assert.deepEqual(await other.run('SELECT * FROM seen'), [['1']]);
    other.port.close();
  });

  it('serves an open portal from before the writes that follow it', () => {
    const [read, write] = ['SELECT id FROM t ORDER BY s NULLS FIRST, id', 'INSERT INTO t VALUES (99)'].map(
      (sql) => session.port.parse(sql)[0]!,
    );
    const open = { parameterFormats: [], parameters: [], resultFormats: [] };
    const portal = session.port.open(session.port.prepare(read!, []), open);
    const rows: Row[] = [];
    const take = (max: number) =>
      portal.run(
        max,
        (row) => void rows.push(row as Row),
        () => true,
      );
    assert.equal(take(1).kind, 'suspended');
    session.port.open(session.port.prepare(write!, []), open).run(
      0,
      () => undefined,
      () => true,
    );
    assert.equal(take(0).kind, 'done');
    assert.equal(rows.length, 4);
    session.port.fail();
  });

  it('gives sequence values once, also across a rollback and a restart of the engine', async () => {
    await session.run('CREATE TABLE numbered (id serial)');
    await session.run(
      `BEGIN; INSERT INTO numbered DEFAULT VALUES; ROLLBACK; INSERT INTO numbered DEFAULT VALUES`,
    );
    assert.deepEqual(await session.run('SELECT id FROM numbered'), [['2']]);
    const again = new TestSession(new Database(store, database.surroundings), 3);
    const [[next]] = (await again.run('INSERT INTO numbered DEFAULT VALUES RETURNING id')) as [[string]];
    assert.ok(Number(next) > 2);
  });

  it('restarts a sequence with TRUNCATE, and not when that is rolled back', async () => {
    await session.run('CREATE TABLE again (id serial PRIMARY KEY)');
    await session.run('INSERT INTO again SELECT FROM generate_series(1, 3)');
    await session.run('BEGIN; TRUNCATE again RESTART IDENTITY; INSERT INTO again DEFAULT VALUES; ROLLBACK');
    assert.deepEqual(await session.run('INSERT INTO again DEFAULT VALUES RETURNING id'), [['4']]);
    await session.run('TRUNCATE again RESTART IDENTITY; INSERT INTO again DEFAULT VALUES');
    assert.deepEqual(await session.run('INSERT INTO again DEFAULT VALUES RETURNING id'), [['2']]);
    const reopened = new TestSession(new Database(store, database.surroundings), 4);
    const [[next]] = (await reopened.run('INSERT INTO again DEFAULT VALUES RETURNING id')) as [[string]];
    assert.ok(Number(next) > 2 && Number(next) < 50);
  });

  it('stores defaults and checks in the text PostgreSQL shows', async () => {
    await session.run(
      `CREATE TABLE told (a int DEFAULT 1 + 2, b text DEFAULT 'x', c timestamptz DEFAULT now(), d numeric CHECK (d >= 0 AND d IS NOT NULL OR d = 5.5), e varchar(5) DEFAULT lower('A'))`,
    );
    const defaults = await session.run(
      `SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'told'::regclass ORDER BY adnum`,
    );
    assert.deepEqual(defaults.flat(), ['(1 + 2)', "'x'::text", 'now()', "lower('A'::text)"]);
    const [[check]] = (await session.run(
      `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'told'::regclass`,
    )) as [[string]];
    assert.equal(check, 'CHECK ((((d >= (0)::numeric) AND (d IS NOT NULL)) OR (d = 5.5)))');
  });
});
