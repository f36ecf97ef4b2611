import { readFileSync } from 'node:fs';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import pg from 'pg';
import { type Benchmark, both, type Contest, type Load, type Place } from './benchmark.ts';
import { freePort, type Peer, startOurs, startPeer } from './peer.ts';
import { processCpuMicros } from './process-cpu.ts';
import { numberIn, type UserIds } from './programs.ts';

const ROWS = 10_000;
const CLIENTS = 8;
const ROUND_SECONDS = 1;
const BINARIES = '/usr/lib/postgresql/*/bin';

export const database: Benchmark = {
  name: 'database',
  compared: `pgbench with ${CLIENTS} clients and prepared statements: one row by key out of ${ROWS.toLocaleString('en')}, and durable commits of one row, beside PostgreSQL with fsync on`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const pgbench = place.programs.find('pgbench', 'postgresql', BINARIES);
  const postgres = await startPostgres(place);
  const octet = await startOurs(place, 'database', { database: { port: 0 } });
  const urls = { ours: octet.env['DATABASE_URL'] ?? '', peer: postgres.url };
  for (const url of [urls.ours, urls.peer]) await fill(url);

  const script = async (name: string, sql: string): Promise<string> => {
    await writeFile(`${place.folder}/${name}.sql`, sql);
    return `${place.folder}/${name}.sql`;
  };
  const anyKey = `\\set key random(1, ${ROWS})\n`;
  const select = await script('select', `${anyKey}SELECT name FROM spells WHERE id = :key;\n`);
  const insert = await script('insert', `${anyKey}INSERT INTO casts (spell, note) VALUES (:key, 'Lumos');\n`);
  const load = (file: string) => (url: string) => transactions(place, pgbench, file, url);
  return {
    peer: postgres.version,
    cpu: { ours: () => processCpuMicros(octet.pid), peer: postgres.peer.cpuMicros },
    workloads: [
      both('select-by-key', 'transaction', urls, load(select)),
      both('insert-commit', 'transaction', urls, load(insert)),
    ],
  };
}

async function fill(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query('CREATE TABLE spells (id integer PRIMARY KEY, name text NOT NULL)');
    await client.query(
      'CREATE TABLE casts (id serial PRIMARY KEY, spell integer NOT NULL, note text NOT NULL)',
    );
    await client.query('BEGIN');
    for (let id = 1; id <= ROWS; id++) {
      await client.query({
        name: 'fill',
        text: 'INSERT INTO spells VALUES ($1, $2)',
        values: [id, `spell ${id}`],
      });
    }
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

function transactions(place: Place, pgbench: string, file: string, url: string): Load {
  const args = ['-n', '-M', 'prepared', '-c', String(CLIENTS), '-j', '1', '-T', String(ROUND_SECONDS)];
  return async () => {
    const output = await place.programs.run(pgbench, [...args, '-f', file, url]);
    const failed = /number of failed transactions: (?!0 )\d+/.exec(output);
    if (failed !== null) throw new Error(`pgbench: ${failed[0]}`);
    return {
      operations: numberIn(output, /number of transactions actually processed: (\d+)/),
      seconds: ROUND_SECONDS,
    };
  };
}

/** With its defaults, which are durable, and the password exchange that ours asks for too. */
async function startPostgres(place: Place): Promise<{ peer: Peer; url: string; version: string }> {
  const initdb = place.programs.find('initdb', 'postgresql', BINARIES);
  const server = place.programs.find('postgres', 'postgresql', BINARIES);
  const user = process.getuid?.() === 0 ? serverUser() : undefined;
  const folder = `${place.folder}/postgres`;
  await mkdir(folder);
  await chmod(place.folder, 0o755);
  await writeFile(`${folder}/password`, 'octet\n');
  if (user !== undefined)
    for (const at of [folder, `${folder}/password`]) await chown(at, user.uid, user.gid);
  const options = { cwd: folder, user };
  const account = ['-U', 'octet', '-A', 'scram-sha-256', `--pwfile=${folder}/password`];
  await place.programs.run(initdb, ['-D', `${folder}/data`, ...account, '-E', 'UTF8'], options);
  const port = await freePort();
  const listen = ['-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-k', folder];
  const peer = startPeer(place, server, ['-D', `${folder}/data`, ...listen], options);
  await peer.untilSaid(/(ready to accept connections)/);
  const version = (await place.programs.run(server, ['--version'])).replace(
    'postgres (PostgreSQL)',
    'PostgreSQL',
  );
  return { peer, url: `postgres://octet:octet@127.0.0.1:${port}/postgres`, version: version.trim() };
}

/** PostgreSQL refuses to be root; its package makes this user. */
function serverUser(): UserIds {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new Error('there is no user postgres to run the peer as');
  return { uid: Number(uid), gid: Number(gid) };
}
