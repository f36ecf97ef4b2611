/** A disk that is full, or fails: what clients are told, and what is there afterwards. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { SimulatedDisk } from '../core/files/simulated-files.ts';
import type { Connection } from '../core/net/network.ts';
import { SeededRandom } from '../core/random/seeded-random.ts';
import { testHost } from '../core/testing/host.ts';
import { connectDatabase, type DatabaseClient } from './client/client.ts';
import { type RunningDatabase, startDatabase } from './server.ts';
import { decodeBackend } from './wire/backend.ts';
import { decodeFrame } from './wire/frame.ts';
import { FrontendWriter } from './wire/frontend.ts';

const OPTIONS = { host: '127.0.0.1', port: 0, user: 'octet', password: '', database: 'octet' };

function newDisk(): SimulatedDisk {
  return new SimulatedDisk({ random: new SeededRandom(1) });
}

/** From here on nothing can be written, not even into room that the journal has made ahead. */
function fill(disk: SimulatedDisk): void {
  disk.inject = ({ call }) => (call === 'write' ? { code: 'ENOSPC' } : undefined);
}

async function start(t: TestContext, disk: SimulatedDisk): Promise<RunningDatabase> {
  const database = await startDatabase(OPTIONS, testHost('database', { files: disk.files }));
  t.after(() => database.close(100));
  return database;
}

/** All its statements run in one session, as long as that lives. */
async function client(t: TestContext, database: RunningDatabase): Promise<DatabaseClient> {
  const { network, clock, random } = testHost('client');
  const url = `postgres://octet@127.0.0.1:${database.endpoints['main']!.port}/octet`;
  const made = await connectDatabase({ url, network, clock, random, maxConnections: 1 });
  t.after(() => made.close());
  return made;
}

/** Gathers what arrives; `ready(n)` resolves with the kinds of all messages at the n-th ReadyForQuery. */
function collect(connection: Connection): { ready(count: number): Promise<string[]> } {
  const kinds: string[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let check: () => void = () => undefined;
  connection.attach({
    data: (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const frame = decodeFrame(rest, 1_000_000);
        if (frame.kind !== 'frame') break;
        const decoded = decodeBackend(frame.type, frame.body);
        kinds.push(decoded.kind === 'message' ? decoded.message.kind : decoded.kind);
        rest = rest.subarray(frame.consumed);
      }
      check();
    },
  });
  return {
    ready: (count) =>
      new Promise((resolve) => {
        check = () => {
          if (kinds.filter((kind) => kind === 'ready').length >= count) resolve(kinds);
        };
        check();
      }),
  };
}

const processId = async (one: DatabaseClient) => (await one.query('SELECT pg_backend_pid()')).rows[0]![0];
const ids = async (one: DatabaseClient) =>
  (await one.query('SELECT id FROM t ORDER BY id')).rows.map(([id]) => id);

describe('a full disk', () => {
  it('answers 53100 at the commit, the session goes on, and commits succeed when there is space', async (t) => {
    const disk = newDisk();
    const database = await start(t, disk);
    const one = await client(t, database);
    await one.query('CREATE TABLE t (id int PRIMARY KEY, body text)');
    await one.query('INSERT INTO t VALUES (1)');
    const session = await processId(one);
    fill(disk);
    await assert.rejects(one.query(`INSERT INTO t VALUES (2, repeat('x', 10000))`), { code: '53100' });
    await assert.rejects(
      one.transaction(async (transaction) => {
        await transaction.query('DELETE FROM t');
        await transaction.query(`INSERT INTO t VALUES (3, repeat('x', 10000))`);
      }),
      { code: '53100' },
    );
    assert.deepEqual(await ids(one), ['1']);
    assert.equal(database.health().state, 'ok');
    disk.inject = undefined;
    await one.query('INSERT INTO t VALUES (4)');
    assert.deepEqual(await ids(one), ['1', '4']);
    assert.equal(await processId(one), session);
  });

  it('takes a refused CREATE TABLE out of the catalogue', async (t) => {
    const disk = newDisk();
    const one = await client(t, await start(t, disk));
    fill(disk);
    await assert.rejects(one.query('CREATE TABLE t (id int)'), { code: '53100' });
    await assert.rejects(one.query('SELECT * FROM t'), { code: '42P01' });
    disk.inject = undefined;
    await one.query('CREATE TABLE t (id int)');
    assert.deepEqual(await ids(one), []);
  });

  it('gives no number of a sequence twice after its note was refused', async (t) => {
    const disk = newDisk();
    const database = await start(t, disk);
    const one = await client(t, database);
    await one.query('CREATE TABLE t (id serial PRIMARY KEY)');
    fill(disk);
    await assert.rejects(one.query('INSERT INTO t DEFAULT VALUES'), { code: '53100' });
    disk.inject = undefined;
    const before = (await one.query('INSERT INTO t DEFAULT VALUES RETURNING id')).rows[0]![0];
    await database.close(100);
    const again = await client(t, await start(t, disk));
    const after = (await again.query('INSERT INTO t DEFAULT VALUES RETURNING id')).rows[0]![0];
    assert.ok(Number(after) > Number(before), `${after} after ${before}`);
  });
});

describe('a commit that is refused', () => {
  it('by Execute is answered by one error and ReadyForQuery, not by CommandComplete', async (t) => {
    const disk = newDisk();
    const database = await start(t, disk);
    await (await client(t, database)).query('CREATE TABLE t (id int PRIMARY KEY)');
    const { address, port } = database.endpoints['main']!;
    const connection = await testHost('peer').network.connect({ host: address, port, timeoutMs: 2_000 });
    const peer = collect(connection);
    const writer = new FrontendWriter();
    writer.startup({ user: 'octet' });
    writer.query('BEGIN; INSERT INTO t VALUES (1)');
    connection.write(writer.take());
    await peer.ready(2);
    fill(disk);
    writer.parse('', 'COMMIT');
    writer.bind('', '', []);
    writer.execute('');
    writer.sync();
    connection.write(writer.take());
    const kinds = await peer.ready(3);
    assert.deepEqual(kinds.slice(kinds.lastIndexOf('bind-complete') + 1), ['error', 'ready']);
    connection.destroy();
  });

  it('fails the transactions that were open, for they may have seen it', async (t) => {
    const disk = newDisk();
    const database = await start(t, disk);
    const [one, other] = [await client(t, database), await client(t, database)];
    await one.query('CREATE TABLE t (id int PRIMARY KEY)');
    await assert.rejects(
      one.transaction(async (transaction) => {
        await transaction.query('INSERT INTO t VALUES (1)');
        fill(disk);
        await assert.rejects(other.query('INSERT INTO t VALUES (2)'), { code: '53100' });
        disk.inject = undefined;
      }),
      { code: '40001' },
    );
    await one.query('INSERT INTO t VALUES (3)');
    assert.deepEqual(await ids(other), ['3']);
  });
});

describe('a disk that fails', () => {
  it('ends the session whose commit may be stored, is degraded, and goes on reading', async (t) => {
    const disk = newDisk();
    const database = await start(t, disk);
    const writer = await client(t, database);
    const reader = await client(t, database);
    await writer.query('CREATE TABLE t (id int PRIMARY KEY)');
    await writer.query('INSERT INTO t VALUES (1)');
    const [wrote, read] = [await processId(writer), await processId(reader)];
    disk.inject = ({ call }) => (call === 'sync' ? { code: 'EIO' } : undefined);
    await assert.rejects(writer.query('INSERT INTO t VALUES (2)'), { code: '08007' });
    disk.inject = undefined;
    assert.equal(database.health().state, 'degraded');
    assert.match(JSON.stringify(database.health()), /EIO/);
    assert.deepEqual(await ids(reader), ['1']);
    await assert.rejects(reader.query('INSERT INTO t VALUES (3)'), { code: '58030' });
    assert.deepEqual(await ids(reader), ['1']);
    assert.equal(await processId(reader), read);
    assert.notEqual(await processId(writer), wrote);
  });
});
