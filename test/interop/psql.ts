import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Client, describe, type InteropWorld, type Outcome, run } from './client.ts';

function place(world: InteropWorld): Record<string, string> {
  const { hostname, port, username, password, pathname } = new URL(world.env['DATABASE_URL'] ?? '');
  return {
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    PGCONNECT_TIMEOUT: '10',
    PGTZ: 'UTC',
  };
}

/** Columns between bars, no headings; errors where they happen. */
function psqlWith(world: InteropWorld, words: readonly string[], input = '', env = {}): Promise<Outcome> {
  const script = ['-c', 'exec psql "$@" 2>&1', 'psql', '-X', '-A', '-t', ...words];
  return run('sh', script, { input, env: { ...place(world), ...env }, cwd: world.folder });
}

/** What a session prints for these lines. */
async function session(world: InteropWorld, text: string): Promise<string> {
  const outcome = await psqlWith(world, [], `${text}\n`);
  assert.equal(outcome.exitCode, 0, describe(outcome));
  return outcome.stdout;
}

/** The session prints just this. */
async function prints(world: InteropWorld, text: string, expected: readonly string[]): Promise<void> {
  assert.deepEqual((await session(world, text)).trimEnd().split('\n'), expected);
}

export const psql: Client = {
  name: 'psql',
  packages: ['postgresql-client'],
  probe: ['psql', '--version'],
  services: ['database'],
  checks: {
    '\\conninfo, and who am I': async (world) => {
      const { PGDATABASE, PGUSER, PGHOST } = place(world);
      const told = await session(world, '\\conninfo');
      assert.ok(told.includes(`You are connected to database "${PGDATABASE}" as user "${PGUSER}"`), told);
      assert.ok(told.includes(PGHOST!), told);
      await prints(world, 'SELECT current_user, current_database();', [`${PGUSER}|${PGDATABASE}`]);
      assert.match(await session(world, 'SELECT version();'), /^PostgreSQL \d+/);
    },
    'a wrong password and an unknown user': async (world) => {
      for (const env of [{ PGPASSWORD: 'wrong' }, { PGUSER: 'nobody' }]) {
        const outcome = await psqlWith(world, ['-c', 'SELECT 1'], '', env);
        assert.equal(outcome.exitCode, 2, describe(outcome));
        assert.match(outcome.stdout, /FATAL: {2}password authentication failed for user "(octet|nobody)"/);
      }
    },
    'tables with keys, defaults and indexes': (world) =>
      prints(
        world,
        `CREATE TABLE author (id serial PRIMARY KEY, name text NOT NULL UNIQUE, born integer);
         CREATE TABLE book (
           id bigserial PRIMARY KEY, author_id integer NOT NULL, title text NOT NULL DEFAULT 'untitled',
           price double precision, sold boolean NOT NULL DEFAULT false, added timestamptz, tags jsonb, code uuid);
         CREATE INDEX book_author ON book (author_id);
         CREATE TABLE IF NOT EXISTS author (id integer);`,
        [
          'CREATE TABLE',
          'CREATE TABLE',
          'CREATE INDEX',
          'NOTICE:  relation "author" already exists, skipping',
          'CREATE TABLE',
        ],
      ),
    '\\dt, \\di and \\l': async (world) => {
      const { PGUSER, PGDATABASE } = place(world);
      const tables = await session(world, '\\dt');
      assert.match(tables, new RegExp(`^public\\|author\\|table\\|${PGUSER}$`, 'm'));
      assert.match(tables, new RegExp(`^public\\|book\\|table\\|${PGUSER}$`, 'm'));
      const indexes = await session(world, '\\di');
      for (const index of [
        'author_name_key|index',
        'author_pkey|index',
        'book_author|index',
        'book_pkey|index',
      ])
        assert.ok(indexes.includes(`public|${index}|${PGUSER}|`), indexes);
      assert.match(await session(world, '\\l'), new RegExp(`^${PGDATABASE}\\|${PGUSER}\\|UTF8\\|`, 'm'));
    },
    '\\d table': async (world) => {
      await prints(world, '\\pset tuples_only off\n\\d book', [
        'Table "public.book"',
        'Column|Type|Collation|Nullable|Default',
        "id|bigint||not null|nextval('book_id_seq'::regclass)",
        'author_id|integer||not null|',
        "title|text||not null|'untitled'::text",
        'price|double precision|||',
        'sold|boolean||not null|false',
        'added|timestamp with time zone|||',
        'tags|jsonb|||',
        'code|uuid|||',
        'Indexes:',
        '    "book_pkey" PRIMARY KEY, btree (id)',
        '    "book_author" btree (author_id)',
      ]);
      await prints(world, '\\d missing', ['Did not find any relation named "missing".']);
    },
    '\\d with a pattern, \\dn and \\du': async (world) => {
      assert.match(await session(world, '\\dt auth*'), /^public\|author\|table\|/);
      assert.match(await session(world, '\\dn'), /^public\|/m);
      assert.match(await session(world, '\\du'), new RegExp(`^${place(world)['PGUSER']}\\|`, 'm'));
    },
    'rows inserted, returned, changed, joined, grouped and deleted': (world) =>
      prints(
        world,
        `INSERT INTO author (name, born) VALUES ('Ada', 1815), ('Alan', 1912), ('Grace', NULL) RETURNING id, name;
         INSERT INTO book (author_id, title, price) VALUES (1, 'Notes', 10.5), (1, 'Letters', 20), (2, 'Numbers', 7.25);
         SELECT a.name, b.title FROM author a LEFT JOIN book b ON b.author_id = a.id ORDER BY a.name, b.title;
         SELECT a.name, count(*), sum(b.price), max(b.title) FROM book b JOIN author a ON a.id = b.author_id
           GROUP BY a.name HAVING count(*) > 0 ORDER BY count(*) DESC;
         UPDATE book SET price = price * 2, sold = true WHERE author_id = 1;
         SELECT title, price FROM book WHERE sold ORDER BY price DESC LIMIT 1 OFFSET 1;
         DELETE FROM book WHERE price < 8 RETURNING title;
         SELECT coalesce(born::text, 'unknown') FROM author WHERE born IS NULL OR name LIKE 'Al%' ORDER BY 1;`,
        [
          '1|Ada',
          '2|Alan',
          '3|Grace',
          'INSERT 0 3',
          'INSERT 0 3',
          'Ada|Letters',
          'Ada|Notes',
          'Alan|Numbers',
          'Grace|',
          'Ada|2|30.5|Notes',
          'Alan|1|7.25|Numbers',
          'UPDATE 2',
          'Notes|21',
          'Numbers',
          'DELETE 1',
          '1912',
          'unknown',
        ],
      ),
    'values of every type come back in their own writing': (world) =>
      prints(
        world,
        `UPDATE book SET added = '2026-01-02 03:04:05.678+02', tags = '{"b": [1, 2.50, null], "a": "ü"}',
           code = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11' WHERE id = 1;
         SELECT added, tags, code, sold, price / 3, 9223372036854775807::bigint, 'it''s', E'tab\\there' FROM book WHERE id = 1;
         SELECT tags->'b'->>1, tags->>'a' FROM book WHERE id = 1;`,
        [
          'UPDATE 1',
          '2026-01-02 01:04:05.678+00|{"a": "ü", "b": [1, 2.50, null]}|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|t|7|9223372036854775807|it\'s|tab\there',
          '2.50|ü',
        ],
      ),
    'a transaction committed, and one rolled back': (world) =>
      prints(
        world,
        `BEGIN;
         INSERT INTO author (name) VALUES ('Edsger');
         \\! psql -X -A -t -c "SELECT count(*) FROM author WHERE name = 'Edsger'"
         COMMIT;
         BEGIN;
         DELETE FROM author;
         SELECT count(*) FROM author;
         ROLLBACK;
         SELECT count(*) FROM author;`,
        ['BEGIN', 'INSERT 0 1', '0', 'COMMIT', 'BEGIN', 'DELETE 4', '0', 'ROLLBACK', '4'],
      ),
    'an error within a transaction ends it': (world) =>
      prints(
        world,
        `BEGIN;
         INSERT INTO author (name) VALUES ('Barbara');
         INSERT INTO author (name) VALUES ('Ada');
         SELECT 1;
         COMMIT;
         SELECT count(*) FROM author;`,
        [
          'BEGIN',
          'INSERT 0 1',
          'ERROR:  duplicate key value violates unique constraint "author_name_key"',
          'DETAIL:  Key (name)=(Ada) already exists.',
          'ERROR:  current transaction is aborted, commands ignored until end of transaction block',
          'ROLLBACK',
          '4',
        ],
      ),
    'several statements at once are one transaction': async (world) => {
      const text = "INSERT INTO author (name) VALUES ('Tony'); SELECT 1 / 0; SELECT 2";
      const outcome = await psqlWith(world, ['-c', text]);
      assert.equal(outcome.exitCode, 1, describe(outcome));
      assert.match(outcome.stdout, /ERROR: {2}division by zero/);
      await prints(world, "SELECT count(*) FROM author WHERE name = 'Tony';", ['0']);
    },
    'two that change the same row: the second waits for the first': (world) =>
      prints(
        world,
        `BEGIN;
         UPDATE author SET born = 1 WHERE name = 'Grace';
         \\! psql -X -A -t -c "SET lock_timeout = 200" -c "UPDATE author SET born = 2 WHERE name = 'Grace'" 2>&1 | grep ERROR
         COMMIT;
         SELECT born FROM author WHERE name = 'Grace';`,
        ['BEGIN', 'UPDATE 1', 'ERROR:  canceling statement due to lock timeout', 'COMMIT', '1'],
      ),
    'a typo is shown with its place': async (world) => {
      const told = await session(world, 'SELECT *\nFORM author;');
      assert.deepEqual(told.trimEnd().split('\n').slice(0, 3), [
        'ERROR:  syntax error at or near "FORM"',
        'LINE 2: FORM author;',
        '        ^',
      ]);
      const column = await session(world, 'SELECT name, brn FROM author;');
      assert.deepEqual(column.trimEnd().split('\n').slice(0, 3), [
        'ERROR:  column "brn" does not exist',
        'LINE 1: SELECT name, brn FROM author;',
        '                     ^',
      ]);
      const table = await session(world, 'SELECT * FROM autor;');
      assert.match(
        table,
        /^ERROR: {2}relation "autor" does not exist\nLINE 1: SELECT \* FROM autor;\n {22}\^/,
      );
    },
    'errors carry their SQLSTATE': async (world) => {
      const cases: [statement: string, state: string][] = [
        ['INSERT INTO author (born) VALUES (1)', '23502'],
        ["INSERT INTO author (name) VALUES ('Ada')", '23505'],
        ["SELECT 'x'::integer", '22P02'],
        ['SELECT 2147483647 + 1', '22003'],
        ['SELECT nothing()', '42883'],
        ['CREATE TABLE author (id integer)', '42P07'],
        ['SELECT 1 +', '42601'],
      ];
      const text = cases.map(([statement]) => `${statement};\n\\echo :SQLSTATE`).join('\n');
      const told = await session(world, text);
      assert.deepEqual(
        told.split('\n').filter((line) => /^\w{5}$/.test(line)),
        cases.map(([, state]) => state),
      );
    },
    '\\gdesc (a prepared statement of the protocol), \\gset and \\gexec': (world) =>
      prints(
        world,
        `SELECT id, name AS called, born::double precision FROM author \\gdesc
         SELECT count(*) AS authors FROM author \\gset
         SELECT :authors + 1;
         SELECT 'SELECT ' || n FROM (VALUES (1), (2)) AS t (n) \\gexec`,
        ['id|integer', 'called|text', 'born|double precision', '5', '1', '2'],
      ),
    'what is not supported is refused by name, and the session goes on': async (world) => {
      const statements = {
        COPY: 'COPY author TO STDOUT',
        PREPARE: 'PREPARE born (integer) AS SELECT name FROM author WHERE born > $1',
        EXTENSION: 'CREATE EXTENSION hstore',
        LISTEN: 'LISTEN news',
      };
      for (const [name, statement] of Object.entries(statements)) {
        const told = await session(world, `${statement};\n\\echo :SQLSTATE\nSELECT 1;`);
        assert.match(told, new RegExp(`^ERROR:  .*${name}.* not supported`));
        assert.match(told, /^0A000\n1\n$/m);
      }
    },
    'a script of two thousand statements in one transaction': async (world) => {
      const lines = Array.from({ length: 2_000 }, (_, n) => `INSERT INTO many VALUES (${n}, 'row ${n}');\n`);
      const script = `CREATE TABLE many (id integer PRIMARY KEY, body text);\n${lines.join('')}`;
      await writeFile(path.join(world.folder, 'many.sql'), script);
      const outcome = await psqlWith(world, ['-1', '-q', '-v', 'ON_ERROR_STOP=1', '-f', 'many.sql']);
      assert.deepEqual([outcome.exitCode, outcome.stdout], [0, ''], describe(outcome));
      await prints(world, 'SELECT count(*), sum(id), min(body) FROM many;', ['2000|1999000|row 0']);
      const again = await psqlWith(world, ['-1', '-q', '-v', 'ON_ERROR_STOP=1', '-f', 'many.sql']);
      assert.equal(again.exitCode, 3, describe(again));
    },
    'a result of megabytes': async (world) => {
      const text = await session(world, 'SELECT a.id, b.body FROM many a, many b WHERE a.id < 50;');
      assert.equal(text.match(/\n/g)?.length, 100_000);
    },
    'DROP TABLE': (world) =>
      prints(
        world,
        'DROP TABLE many, book;\nDROP TABLE IF EXISTS book;\nDROP TABLE author;\nSELECT 1 FROM author;',
        [
          'DROP TABLE',
          'NOTICE:  table "book" does not exist, skipping',
          'DROP TABLE',
          'DROP TABLE',
          'ERROR:  relation "author" does not exist',
          'LINE 1: SELECT 1 FROM author;',
          '                      ^',
        ],
      ),
  },
};
