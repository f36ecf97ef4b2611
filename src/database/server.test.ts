/** Whole servers over real sockets: what is malformed, silent, oversize, slow or unauthorised. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { testHost } from '../core/testing/host.ts';
import { connectDatabase, type DatabaseClient } from './client/client.ts';
import type { DatabaseLimits } from './limits.ts';
import { type RunningDatabase, startDatabase } from './server.ts';
import { decodeBackend } from './wire/backend.ts';
import { decodeFrame } from './wire/frame.ts';
import { FrontendWriter } from './wire/frontend.ts';

interface Peer {
  send(bytes: Uint8Array | string): void;
  /** Resolves with everything received once the server has closed. */
  readonly closed: Promise<Buffer>;
  /** Resolves when `count` messages of `kind` have arrived. */
  until(kind: string, count?: number): Promise<void>;
  pause(): void;
  resume(): void;
  destroy(): void;
}

async function start(
  t: TestContext,
  limits: Partial<DatabaseLimits> = {},
  password = '',
  host = testHost('database'),
): Promise<RunningDatabase> {
  const database = await startDatabase(
    { host: '127.0.0.1', port: 0, user: 'octet', password, database: 'octet', limits },
    host,
  );
  t.after(() => database.close(100));
  return database;
}

async function connect(database: RunningDatabase): Promise<Peer> {
  const { network } = testHost('peer');
  const { address, port } = database.endpoints['main']!;
  const connection = await network.connect({ host: address, port, timeoutMs: 2_000 });
  const { promise: closed, resolve } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let check: () => void = () => undefined;
  connection.attach({
    data: (chunk) => {
      chunks.push(chunk);
      check();
    },
    close: () => resolve(Buffer.concat(chunks)),
  });
  return {
    closed,
    send: (bytes) => void connection.write(bytes),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    destroy: () => connection.destroy(),
    until: (kind, count = 1) =>
      new Promise((found) => {
        check = () => {
          if (kindsOf(Buffer.concat(chunks)).filter((each) => each === kind).length >= count) found();
        };
        check();
      }),
  };
}

function messagesOf(bytes: Buffer): ReturnType<typeof decodeBackend>[] {
  const messages: ReturnType<typeof decodeBackend>[] = [];
  let rest = bytes;
  for (;;) {
    const frame = decodeFrame(rest, 1e9);
    if (frame.kind !== 'frame') return messages;
    messages.push(decodeBackend(frame.type, frame.body));
    rest = rest.subarray(frame.consumed);
  }
}

function kindsOf(bytes: Buffer): string[] {
  return messagesOf(bytes).map((decoded) =>
    decoded.kind === 'message' ? decoded.message.kind : 'malformed',
  );
}

function errorCodes(bytes: Buffer): (string | undefined)[] {
  return messagesOf(bytes).flatMap((decoded) =>
    decoded.kind === 'message' && decoded.message.kind === 'error' ? [decoded.message.fields.get('C')] : [],
  );
}

function startup(parameters: Record<string, string> = { user: 'octet' }): Buffer {
  const writer = new FrontendWriter();
  writer.startup(parameters);
  return writer.take();
}

function query(sql: string): Buffer {
  const writer = new FrontendWriter();
  writer.query(sql);
  return writer.take();
}

async function client(database: RunningDatabase, t: TestContext): Promise<DatabaseClient> {
  const { network, clock, random } = testHost('client');
  const url = `postgres://octet:octet@127.0.0.1:${database.endpoints['main']!.port}/octet`;
  const made = await connectDatabase({ url, network, clock, random });
  t.after(() => made.close());
  return made;
}

describe('a database server', () => {
  it('answers garbage with 08P01 and closes, and goes on serving others', async (t) => {
    const database = await start(t);
    const peer = await connect(database);
    peer.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.deepEqual(errorCodes(await peer.closed), ['08P01']);
    assert.deepEqual((await (await client(database, t)).query('SELECT 1')).rows, [['1']]);
  });

  it('closes a connection that says nothing, or stops in the middle of its startup', async (t) => {
    const database = await start(t, { authenticationTimeoutMs: 50 });
    const [silent, half] = [await connect(database), await connect(database)];
    half.send(startup().subarray(0, 6));
    assert.equal((await silent.closed).length, 0);
    assert.equal((await half.closed).length, 0);
  });

  it('takes a session one byte at a time', async (t) => {
    const database = await start(t);
    const peer = await connect(database);
    const terminate = new FrontendWriter();
    terminate.terminate();
    for (const byte of Buffer.concat([startup(), query('SELECT 7'), terminate.take()]))
      peer.send(Buffer.of(byte));
    const kinds = kindsOf(await peer.closed);
    assert.deepEqual(kinds.slice(-4), ['row-description', 'data-row', 'command-complete', 'ready']);
  });

  it('refuses an oversize message by its length alone', async (t) => {
    const database = await start(t, { maxMessageBytes: 1_000 });
    const peer = await connect(database);
    peer.send(startup());
    await peer.until('ready');
    peer.send(Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff]));
    assert.deepEqual(errorCodes(await peer.closed), ['08P01']);
  });

  it('refuses an oversize startup packet', async (t) => {
    const peer = await connect(await start(t));
    peer.send(Buffer.from([0x00, 0x10, 0x00, 0x00, 0, 3, 0, 0]));
    assert.deepEqual(errorCodes(await peer.closed), ['08P01']);
  });

  it('closes on an unknown message type and on a body of another shape', async (t) => {
    const database = await start(t);
    for (const bytes of [Buffer.from([0x7a, 0, 0, 0, 4]), Buffer.from([0x42, 0, 0, 0, 5, 0])]) {
      const peer = await connect(database);
      peer.send(startup());
      await peer.until('ready');
      peer.send(bytes);
      assert.deepEqual(errorCodes(await peer.closed), ['08P01']);
    }
  });

  it('answers SSLRequest and GSSENCRequest with N, and closes on bytes that follow SSLRequest in the clear', async (t) => {
    const database = await start(t);
    const peer = await connect(database);
    const ssl = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
    const gss = Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]);
    peer.send(Buffer.concat([ssl]));
    peer.send(gss);
    const terminate = new FrontendWriter();
    terminate.terminate();
    peer.send(Buffer.concat([startup(), terminate.take()]));
    assert.equal((await peer.closed).subarray(0, 2).toString(), 'NN');
  });

  it('refuses a wrong password with 28P01 and tells nothing apart for an unknown user', async (t) => {
    const database = await start(t, {}, 'right');
    const { network, clock, random } = testHost('client');
    for (const login of ['octet:wrong', 'nobody:right']) {
      const url = `postgres://${login}@127.0.0.1:${database.endpoints['main']!.port}/octet`;
      await assert.rejects(connectDatabase({ url, network, clock, random }), { code: '28P01' });
    }
  });

  it('refuses to listen beyond loopback without a password', async () => {
    // The last is a name that its owner makes lead anywhere.
    for (const host of ['0.0.0.0', '127.0.0.1.example.com']) {
      const options = { host, port: 0, user: 'octet', password: '', database: 'octet' };
      await assert.rejects(startDatabase(options, testHost('database')), { code: '28000' }, host);
    }
  });

  it('refuses another database with 3D000 and another protocol with 0A000', async (t) => {
    const database = await start(t);
    const other = await connect(database);
    other.send(startup({ user: 'octet', database: 'other' }));
    assert.deepEqual(errorCodes(await other.closed), ['3D000']);
    const old = await connect(database);
    old.send(Buffer.from([0, 0, 0, 9, 0, 2, 0, 0, 0]));
    assert.deepEqual(errorCodes(await old.closed), ['0A000']);
  });

  it('pauses a large result while its reader does not read, and others are served', async (t) => {
    const database = await start(t);
    const slow = await connect(database);
    slow.send(startup());
    await slow.until('ready');
    slow.pause();
    const before = process.memoryUsage().arrayBuffers;
    slow.send(query(`SELECT repeat('x', 1000) FROM generate_series(1, 1000000)`));
    const quick = await client(database, t);
    for (let i = 0; i < 20; i++)
      assert.equal((await quick.query('SELECT $1::int', [String(i)])).rows[0]![0], String(i));
    assert.ok(
      process.memoryUsage().arrayBuffers - before < 200 * 1024 * 1024,
      'a gigabyte is not kept for a reader that sleeps',
    );
    slow.destroy();
  });

  it('ends a session whose client does not read, and frees its snapshot and locks', async (t) => {
    const host = testHost('database');
    const database = await start(t, { writeStallTimeoutMs: 50 }, '', host);
    const other = await client(database, t);
    await other.query('CREATE TABLE held (id int PRIMARY KEY)');
    await other.query('INSERT INTO held VALUES (1)');
    const deaf = await connect(database);
    deaf.send(Buffer.concat([startup(), query('BEGIN; DELETE FROM held')]));
    await deaf.until('ready', 2);
    deaf.pause();
    deaf.send(query(`SELECT repeat('x', 1000) FROM generate_series(1, 1000000)`));
    // Granted when the session is ended, and not before: it would go on for ever otherwise.
    assert.equal((await other.query('UPDATE held SET id = 2')).tag, 'UPDATE 1');
    assert.match(await host.observatory.prometheusText(), /^octet_database_snapshots.* 0$/m);
    assert.equal(database.sessionCount, 1);
    deaf.resume();
    assert.ok(
      !kindsOf(await deaf.closed)
        .slice(-1)
        .includes('ready'),
    );
  });

  it('ends a session that is idle in a transaction, and frees its locks', async (t) => {
    const database = await start(t, { idleInTransactionTimeoutMs: 50 });
    const other = await client(database, t);
    await other.query('CREATE TABLE held (id int PRIMARY KEY)');
    await other.query('INSERT INTO held VALUES (1)');
    const holder = await connect(database);
    holder.send(Buffer.concat([startup(), query('BEGIN; DELETE FROM held')]));
    await holder.until('ready', 2);
    assert.equal((await other.query('DELETE FROM held')).tag, 'DELETE 1');
    assert.deepEqual(errorCodes(await holder.closed), ['25P03']);
  });

  it('frees locks at once when a connection is reset', async (t) => {
    const database = await start(t);
    const other = await client(database, t);
    await other.query('CREATE TABLE held (id int PRIMARY KEY)');
    await other.query('INSERT INTO held VALUES (1)');
    const holder = await connect(database);
    holder.send(Buffer.concat([startup(), query('BEGIN; DELETE FROM held')]));
    await holder.until('ready', 2);
    const waiting = other.query('UPDATE held SET id = 2');
    holder.destroy();
    assert.equal((await waiting).tag, 'UPDATE 1');
  });

  it('stops a statement at its timeout, also while it waits for a lock', async (t) => {
    const database = await start(t, { statementTimeoutMs: 60 });
    const one = await client(database, t);
    await one.query('CREATE TABLE slow (id int PRIMARY KEY)');
    await one.query('INSERT INTO slow VALUES (1)');
    const endless = 'SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b';
    await assert.rejects(one.query(endless), { code: '57014' });
    const holder = await connect(database);
    holder.send(Buffer.concat([startup(), query('BEGIN; DELETE FROM slow')]));
    await holder.until('ready', 2);
    await assert.rejects(one.query('DELETE FROM slow'), { code: '57014' });
    holder.destroy();
  });

  it('refuses nesting beyond its bound with 54001', async (t) => {
    const one = await client(await start(t), t);
    await assert.rejects(one.query(`SELECT ${'('.repeat(10_000)}1${')'.repeat(10_000)}`), { code: '54001' });
    await assert.rejects(one.query(`SELECT '${'['.repeat(10_000)}'::jsonb`), { code: '54001' });
  });

  it('says goodbye to idle sessions when it closes', async (t) => {
    const database = await start(t);
    const peer = await connect(database);
    peer.send(startup());
    await peer.until('ready');
    await database.close();
    assert.deepEqual(errorCodes(await peer.closed), ['57P01']);
  });
});
