/** node-postgres, unmodified, against our row store; and our client against it too. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { createMemoryFiles } from '../../src/core/files/memory-files.ts';
import { createDevelopmentIdentity } from '../../src/core/net/certificates.ts';
import { testHost } from '../../src/core/testing/host.ts';
import { connectDatabase, type RunningDatabase, startDatabase } from '../../src/database/index.ts';

const OPTIONS = { host: '127.0.0.1', port: 0, user: 'octet', password: 'secret', database: 'octet' };

describe('node-postgres against the row store', () => {
  let database: RunningDatabase;
  let pool: pg.Pool;
  const settings = () => ({
    host: '127.0.0.1',
    port: database.endpoints['main']!.port,
    user: 'octet',
    password: 'secret',
    database: 'octet',
  });
  const fresh = async (): Promise<pg.Client> => {
    const client = new pg.Client(settings());
    await client.connect();
    return client;
  };

  before(async () => {
    database = await startDatabase(OPTIONS, testHost('database'));
    pool = new pg.Pool({ ...settings(), max: 10 });
    // Connections still closing when the server goes are told so.
    pool.on('error', () => undefined);
  });

  after(async () => {
    await pool.end();
    await database.close();
  });

  it('creates, inserts and selects with parameters and types', async () => {
    await pool.query(
      `CREATE TABLE kinds (id serial PRIMARY KEY, n int8, t text, b boolean, f double precision, at timestamptz, u uuid, j jsonb, d numeric(10,2), y bytea, a int[])`,
    );
    const at = new Date('2024-05-06T07:08:09.123Z');
    const values = [
      '9007199254740993',
      'ünï',
      true,
      1.5,
      at,
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      { k: [1, null] },
      '12.345',
      Buffer.from([0, 255]),
      [1, 2],
    ];
    const inserted = await pool.query(
      'INSERT INTO kinds (n,t,b,f,at,u,j,d,y,a) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10) RETURNING id',
      values,
    );
    assert.equal(inserted.rows[0].id, 1);
    const { rows } = await pool.query('SELECT * FROM kinds WHERE id = $1', [1]);
    assert.deepEqual(rows[0], {
      id: 1,
      n: '9007199254740993',
      t: 'ünï',
      b: true,
      f: 1.5,
      at,
      u: values[5],
      j: { k: [1, null] },
      d: '12.35',
      y: Buffer.from([0, 255]),
      a: [1, 2],
    });
  });

  it('answers binary results and prepared statements', async () => {
    const client = await fresh();
    const query = {
      name: 'sum',
      text: 'SELECT $1::int4 + $2::int4 AS sum, $3::bool AS yes',
      values: [2, 3, true],
      binary: true,
    };
    for (let i = 0; i < 3; i++) assert.deepEqual((await client.query(query)).rows, [{ sum: 5, yes: true }]);
    await client.end();
  });

  it('tells errors with SQLSTATE, position and the constraint', async () => {
    await pool.query('CREATE TABLE errors (id int PRIMARY KEY, n int NOT NULL CHECK (n > 0))');
    const fails = async (sql: string, expected: Partial<pg.DatabaseError>): Promise<void> => {
      await assert.rejects(pool.query(sql), (error: pg.DatabaseError) => {
        for (const [key, value] of Object.entries(expected))
          assert.equal(error[key as keyof pg.DatabaseError], value, `${sql}: ${key}`);
        return true;
      });
    };
    await pool.query('INSERT INTO errors VALUES (1, 1)');
    await fails('INSERT INTO errors VALUES (1, 2)', {
      code: '23505',
      constraint: 'errors_pkey',
      table: 'errors',
      schema: 'public',
      detail: 'Key (id)=(1) already exists.',
    });
    await fails('INSERT INTO errors VALUES (2, NULL)', { code: '23502', column: 'n' });
    await fails('INSERT INTO errors VALUES (2, 0)', { code: '23514', constraint: 'errors_n_check' });
    await fails('SELECT missing FROM errors', { code: '42703', position: '8' });
    await fails('SELECT * FROM missing', { code: '42P01', position: '15' });
    await fails('SELEC 1', { code: '42601', position: '1' });
    await fails('SELECT 1/0', { code: '22012' });
    await fails('CREATE VIEW v AS SELECT 1', { code: '0A000' });
  });

  it('refuses a wrong password with 28P01 and an unknown user alike', async () => {
    for (const wrong of [{ password: 'wrong' }, { user: 'nobody' }]) {
      const client = new pg.Client({ ...settings(), ...wrong });
      await assert.rejects(client.connect(), { code: '28P01' });
    }
  });

  it('rolls back, and refuses statements in a failed transaction', async () => {
    await pool.query('CREATE TABLE tx (id int PRIMARY KEY)');
    const client = await fresh();
    await client.query('BEGIN');
    await client.query('INSERT INTO tx VALUES (1)');
    assert.equal(
      (await pool.query('SELECT count(*) FROM tx')).rows[0].count,
      '0',
      'nobody sees what is not committed',
    );
    await assert.rejects(client.query('INSERT INTO tx VALUES (1)'), { code: '23505' });
    await assert.rejects(client.query('SELECT 1'), { code: '25P02' });
    await client.query('ROLLBACK');
    await client.query('BEGIN');
    await client.query('INSERT INTO tx VALUES (2)');
    await client.query('SAVEPOINT s');
    await assert.rejects(client.query('SELECT 1/0'), { code: '22012' });
    await client.query('ROLLBACK TO s');
    await client.query('COMMIT');
    assert.deepEqual((await pool.query('SELECT id FROM tx')).rows, [{ id: 2 }]);
    await client.end();
  });

  it('loses no update when many sessions add to one row', async () => {
    await pool.query('CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)');
    await pool.query('INSERT INTO counters VALUES (1, 0)');
    await Promise.all(
      Array.from({ length: 100 }, () => pool.query('UPDATE counters SET n = n + 1 WHERE id = 1')),
    );
    assert.equal((await pool.query('SELECT n FROM counters')).rows[0].n, 100);
  });

  it('lets one of many equal inserts win', async () => {
    await pool.query('CREATE TABLE wins (k text UNIQUE)');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => pool.query(`INSERT INTO wins VALUES ('same')`)),
    );
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') assert.equal(outcome.reason.code, '23505');
  });

  it('waits for a row lock, and finds a deadlock at once', async () => {
    await pool.query(
      'CREATE TABLE locks (id int PRIMARY KEY, n int); INSERT INTO locks VALUES (1, 0), (2, 0)',
    );
    const [a, b] = [await fresh(), await fresh()];
    await a.query('BEGIN');
    await b.query('BEGIN');
    await a.query('UPDATE locks SET n = n + 1 WHERE id = 1');
    await b.query('UPDATE locks SET n = n + 10 WHERE id = 2');
    const waiting = a.query('UPDATE locks SET n = n + 1 WHERE id = 2');
    await assert.rejects(b.query('UPDATE locks SET n = n + 10 WHERE id = 1'), { code: '40P01' });
    await b.query('ROLLBACK');
    await waiting;
    await a.query('COMMIT');
    assert.deepEqual((await pool.query('SELECT n FROM locks ORDER BY id')).rows, [{ n: 1 }, { n: 1 }]);
    await a.end();
    await b.end();
  });

  it('keeps one snapshot under REPEATABLE READ and refuses to write over a later change', async () => {
    await pool.query('CREATE TABLE rr (id int PRIMARY KEY, n int); INSERT INTO rr VALUES (1, 0)');
    const client = await fresh();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    assert.equal((await client.query('SELECT n FROM rr')).rows[0].n, 0);
    await pool.query('UPDATE rr SET n = 5');
    assert.equal((await client.query('SELECT n FROM rr')).rows[0].n, 0);
    await assert.rejects(client.query('UPDATE rr SET n = n + 1'), { code: '40001' });
    await client.end();
  });

  it('prevents write skew under SERIALIZABLE', async () => {
    await pool.query(
      'CREATE TABLE doctors (id int PRIMARY KEY, on_call boolean); INSERT INTO doctors VALUES (1, true), (2, true)',
    );
    const [a, b] = [await fresh(), await fresh()];
    const leave = async (client: pg.Client, id: number): Promise<void> => {
      await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
      const { rows } = await client.query('SELECT count(*) FROM doctors WHERE on_call');
      if (Number(rows[0].count) > 1)
        await client.query('UPDATE doctors SET on_call = false WHERE id = $1', [id]);
      await client.query('COMMIT');
    };
    await Promise.allSettled([leave(a, 1), leave(b, 2)]);
    await Promise.all([a.query('ROLLBACK'), b.query('ROLLBACK')]);
    assert.notEqual((await pool.query('SELECT count(*) FROM doctors WHERE on_call')).rows[0].count, '0');
    await a.end();
    await b.end();
  });

  it('hands out jobs once with FOR UPDATE SKIP LOCKED', async () => {
    await pool.query(
      'CREATE TABLE jobs (id serial PRIMARY KEY, done boolean DEFAULT false); INSERT INTO jobs (done) VALUES (false), (false)',
    );
    const [a, b] = [await fresh(), await fresh()];
    const take = 'SELECT id FROM jobs WHERE NOT done ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED';
    await a.query('BEGIN');
    await b.query('BEGIN');
    assert.deepEqual((await a.query(take)).rows, [{ id: 1 }]);
    assert.deepEqual((await b.query(take)).rows, [{ id: 2 }]);
    await a.end();
    await b.end();
  });

  it('skips to Sync after an error in a pipeline', async () => {
    const client = await fresh();
    const outcomes = await Promise.allSettled([
      client.query('SELECT $1::int AS n', [1]),
      client.query('SELECT $1::int / 0', [1]),
      client.query('SELECT $1::int AS n', [3]),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    await client.end();
  });

  it('rolls back transactional DDL, and plans again after DDL', async () => {
    const client = await fresh();
    await client.query('BEGIN; CREATE TABLE gone (x int); ROLLBACK');
    await assert.rejects(client.query('SELECT * FROM gone'), { code: '42P01' });
    await client.query('CREATE TABLE shape (x int)');
    await client.query({ name: 'star', text: 'SELECT * FROM shape' });
    await client.query('ALTER TABLE shape ADD COLUMN y text');
    await assert.rejects(client.query({ name: 'star', text: 'SELECT * FROM shape' }), {
      code: '0A000',
      message: 'cached plan must not change result type',
    });
    await client.end();
  });

  it('cancels a running statement', async () => {
    const client = await fresh();
    const running = client.query(
      'SELECT count(*) FROM generate_series(1, 3000) a, generate_series(1, 100000) b',
    );
    const pid = (client as unknown as { processID: number }).processID;
    await pool.query('SELECT pg_cancel_backend($1)', [pid]);
    await assert.rejects(running, { code: '57014' });
    await client.end();
  });

  it('keeps what was committed when it is started again', async () => {
    const files = createMemoryFiles();
    const first = await startDatabase(OPTIONS, testHost('database', { files }));
    const writer = new pg.Client({ ...settings(), port: first.endpoints['main']!.port });
    await writer.connect();
    await writer.query('CREATE TABLE kept (id serial PRIMARY KEY, t text UNIQUE)');
    await writer.query(`INSERT INTO kept (t) VALUES ('a'), ('b')`);
    await writer.query(`BEGIN; INSERT INTO kept (t) VALUES ('lost'); ROLLBACK`);
    await writer.end();
    await first.close();
    const second = await startDatabase(OPTIONS, testHost('database', { files }));
    const reader = new pg.Client({ ...settings(), port: second.endpoints['main']!.port });
    await reader.connect();
    assert.deepEqual((await reader.query('SELECT * FROM kept ORDER BY id')).rows, [
      { id: 1, t: 'a' },
      { id: 2, t: 'b' },
    ]);
    await assert.rejects(reader.query(`INSERT INTO kept (t) VALUES ('a')`), { code: '23505' });
    const next = await reader.query(`INSERT INTO kept (t) VALUES ('c') RETURNING id`);
    assert.ok(next.rows[0].id > 2);
    await reader.end();
    await second.close();
  });

  it('serves our own client: SCRAM, parameters, transactions, SQLSTATE', async () => {
    const { network, clock, random } = testHost('client');
    const url = `postgres://octet:secret@127.0.0.1:${database.endpoints['main']!.port}/octet`;
    await using client = await connectDatabase({ url, network, clock, random });
    await client.script('CREATE TABLE ours (id int PRIMARY KEY, t text)');
    await client.transaction(async (session) => {
      await session.query('INSERT INTO ours VALUES ($1, $2)', ['1', 'x']);
    });
    await assert.rejects(client.query('INSERT INTO ours VALUES (1)'), { code: '23505' });
    const { rows, columns, tag } = await client.query('SELECT * FROM ours WHERE id = $1', ['1']);
    assert.deepEqual(
      { rows, tag, names: columns.map(({ name }) => name) },
      { rows: [['1', 'x']], tag: 'SELECT 1', names: ['id', 't'] },
    );
  });
});

describe('node-postgres over TLS', () => {
  it('connects when the server has a certificate, and bytes behind SSLRequest in the clear end the connection', async () => {
    const host = testHost('database');
    const { cert, key, ca } = await createDevelopmentIdentity(host.clock, ['localhost', '127.0.0.1']);
    await using database = await startDatabase({ ...OPTIONS, tls: { cert, key } }, host);
    const { port } = database.endpoints['main']!;
    const client = new pg.Client({
      host: '127.0.0.1',
      port,
      user: 'octet',
      password: 'secret',
      database: 'octet',
      ssl: { ca },
    });
    await client.connect();
    assert.deepEqual((await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
    await client.end();
    const raw = await host.network.connect({ host: '127.0.0.1', port, timeoutMs: 2_000 });
    const received = await new Promise<Buffer>((resolve) => {
      const chunks: Buffer[] = [];
      raw.attach({ data: (chunk) => void chunks.push(chunk), close: () => resolve(Buffer.concat(chunks)) });
      raw.write(Buffer.concat([Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]), Buffer.from('smuggled')]));
    });
    assert.notEqual(received[0], 0x53, 'it must not answer S');
  });
});
