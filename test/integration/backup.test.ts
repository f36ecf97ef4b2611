/** `octet backup` of a process under load, and `octet restore`: what was acknowledged before is there after. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, suite, test } from 'node:test';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import pg from 'pg';
import type { OctetInput } from '../../src/octet/config.ts';
import { startOctet } from '../../src/octet.ts';
import { EPHEMERAL_PORTS, type OctetProcess, startOctetProcess } from '../octet-process.ts';

const COMMAND = path.resolve(import.meta.dirname, '../../bin/octet.mjs');
const CONFIG: OctetInput = { ...EPHEMERAL_PORTS, services: ['database', 'objects', 'queue', 'mail'] };
const BUCKET = 'bodies';

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'octet-backup-'));
  folders.push(folder);
  return folder;
}

async function octet(...words: string[]): Promise<{ code: number | null; output: string }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OCTET_')));
  const child = spawn(process.execPath, [COMMAND, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  }
  await once(child, 'close');
  return { code: child.exitCode, output };
}

async function succeed(...words: string[]): Promise<string> {
  const { code, output } = await octet(...words);
  assert.equal(code, 0, output);
  return output;
}

interface Clients extends AsyncDisposable {
  readonly sql: pg.Client;
  readonly s3: S3Client;
}

async function connect({ env }: OctetProcess): Promise<Clients> {
  const sql = new pg.Client({ connectionString: env['DATABASE_URL'] });
  await sql.connect();
  const s3 = new S3Client({
    endpoint: env['AWS_ENDPOINT_URL_S3'] ?? '',
    region: env['AWS_REGION'] ?? '',
    forcePathStyle: true,
    credentials: {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
    },
  });
  return {
    sql,
    s3,
    [Symbol.asyncDispose]: async () => {
      s3.destroy();
      await sql.end();
    },
  };
}

/** Content that tells its own number, too long to lie beside the metadata. */
function bodyOf(index: number): Buffer {
  return Buffer.alloc(150_000, createHash('sha256').update(String(index)).digest('hex'));
}

/** Writes rows and objects, and deletes older objects, until told to stop. */
class Load {
  rows = 0;
  objects = 0;
  deleted = 0;
  #isOver = false;
  readonly #clients: Clients;
  readonly #running: Promise<unknown>;

  constructor(clients: Clients) {
    this.#clients = clients;
    this.#running = Promise.all([this.#writeRows(), this.#writeObjects()]);
  }

  async #writeRows(): Promise<void> {
    while (!this.#isOver) {
      const next = this.rows + 1;
      await this.#clients.sql.query('INSERT INTO numbers VALUES ($1, $2)', [next, `row ${next}`]);
      this.rows = next;
    }
  }

  async #writeObjects(): Promise<void> {
    const { s3 } = this.#clients;
    while (!this.#isOver) {
      const next = this.objects + 1;
      const Body = bodyOf(next);
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: String(next), Body }));
      this.objects = next;
      if (next <= 10) continue;
      await s3.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: String(next - 10) }));
      this.deleted = next - 10;
    }
  }

  /** Resolves when there are so many rows and objects. */
  async until(rows: number, objects: number): Promise<void> {
    while (this.rows < rows || this.objects < objects) await new Promise((resume) => setImmediate(resume));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

interface Found {
  readonly rows: number;
  /** Numbers of the objects, ascending. */
  readonly objects: readonly number[];
}

/** Reads everything: rows without a gap, objects whole. */
async function readAll({ sql, s3 }: Clients): Promise<Found> {
  const { rows } = await sql.query<{ id: number; v: string }>('SELECT id, v FROM numbers ORDER BY id');
  for (const [index, { id, v }] of rows.entries()) assert.deepEqual([id, v], [index + 1, `row ${index + 1}`]);
  const listed = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  const objects = (listed.Contents ?? []).map(({ Key }) => Number(Key)).sort((left, right) => left - right);
  for (const index of objects) {
    const object = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: String(index) }));
    const bytes = await object.Body?.transformToByteArray();
    assert.ok(bodyOf(index).equals(bytes ?? Buffer.alloc(0)), `object ${index}`);
  }
  return { rows: rows.length, objects };
}

/** Restores the newest backup of `from` to a folder of its own, and reads what Octet then serves. */
async function restored(from: string): Promise<Found> {
  const folder = await newFolder();
  await succeed('restore', from, '--data-dir', path.join(folder, 'data'));
  await using running = await startOctetProcess(folder, CONFIG);
  await using clients = await connect(running);
  return await readAll(clients);
}

suite('octet backup', () => {
  test('of a process under load is of one moment; of the stopped folder it is all', async () => {
    const folder = await newFolder();
    const to = await newFolder();
    const config = path.join(folder, 'octet.config.json');
    let last: Found;
    {
      await using running = await startOctetProcess(folder, CONFIG);
      await using clients = await connect(running);
      await clients.sql.query('CREATE TABLE numbers (id int PRIMARY KEY, v text)');
      await clients.s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
      const load = new Load(clients);
      await load.until(50, 20);
      const { rows, objects } = load;
      await succeed('backup', '--to', to, '--config', config);
      const { rows: rowsAfter, objects: objectsAfter, deleted: deletedAfter } = load;
      await load.until(rowsAfter + 20, objectsAfter + 12);
      await load.stop();
      last = await readAll(clients);

      const found = await restored(to);
      assert.ok(
        found.rows >= rows && found.rows <= rowsAfter + 1,
        `${found.rows} of ${rows} to ${rowsAfter}`,
      );
      const [oldest = 0] = found.objects;
      const newest = found.objects.at(-1) ?? 0;
      assert.ok(
        newest >= objects && newest <= objectsAfter + 1,
        `${newest} of ${objects} to ${objectsAfter}`,
      );
      assert.ok(oldest <= deletedAfter + 2, `object ${oldest}, and ${deletedAfter} were deleted by the end`);
      assert.equal(found.objects.length, newest - oldest + 1);
    }
    await succeed('backup', '--to', to, '--config', config, '--keep', '1');
    assert.equal((await readdir(path.join(to, 'backups'))).length, 1);
    assert.deepEqual(await restored(to), last);
  });

  test('of an Octet in memory makes a data folder of it', async () => {
    const folder = await newFolder();
    const to = await newFolder();
    {
      await using memory = await startOctet({ services: ['database'] });
      const sql = new pg.Client({ connectionString: memory.env['DATABASE_URL'] });
      await sql.connect();
      await sql.query("CREATE TABLE t (v text); INSERT INTO t VALUES ('from memory')");
      await memory.backUp(to);
      await sql.end();
    }
    const dataDir = path.join(folder, 'data');
    await succeed('restore', to, '--data-dir', dataDir);
    await using durable = await startOctet({ services: ['database'], dataDir });
    const sql = new pg.Client({ connectionString: durable.env['DATABASE_URL'] });
    await sql.connect();
    assert.deepEqual((await sql.query('SELECT v FROM t')).rows, [{ v: 'from memory' }]);
    await sql.end();
  });

  test('is made for nobody who has not read the run record', async () => {
    const folder = await newFolder();
    await using running = await startOctetProcess(folder, { ...CONFIG, services: ['queue'] });
    const url = `${running.env['OCTET_ADMIN_URL']}/backup?to=${encodeURIComponent(folder)}/to`;
    for (const key of ['', 'guess']) {
      const response = await fetch(url, { method: 'POST', headers: { 'X-Octet-Key': key } });
      assert.equal(response.status, 401);
    }
    assert.deepEqual((await readdir(folder)).sort(), ['data', 'octet.config.json']);
  });

  test('and restore say what they refuse', async () => {
    const folder = await newFolder();
    const data = path.join(folder, 'data');
    const cases: [string[], number, RegExp][] = [
      [['backup'], 2, /--to/],
      [['backup', '--to', folder, '--keep', '0', '-d', data], 2, /--keep/],
      [['backup', '--to', path.join(folder, 'to'), '-d', data], 1, /no data folder/],
      [['backup', '--to', path.join(folder, 'to'), '-d', folder], 2, /lies in the data folder/],
      [['restore', folder, '-d', data], 1, /no backup/],
      [['restore', folder, '--backup', 'one', '-d', data], 1, /no backup one/],
    ];
    for (const [words, code, message] of cases) {
      const outcome = await octet(...words);
      assert.equal(outcome.code, code, outcome.output);
      assert.match(outcome.output, message);
    }
    assert.deepEqual(await readdir(folder), []);
  });
});
