/** PostgreSQL as a peer, and as the database behind an API; and the tables of both. */
import { readFileSync } from 'node:fs';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import pg from 'pg';
import type { Place } from './benchmark.ts';
import { freePort, type Peer, startPeer } from './peer.ts';
import type { UserIds } from './programs.ts';

export const BINARIES = '/usr/lib/postgresql/*/bin';
/** Rows of the table `spells`, with keys from 1. */
export const SPELLS = 10_000;

/** Makes the tables `spells`, filled, and `casts`, empty. */
export async function fillSpells(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query('CREATE TABLE spells (id integer PRIMARY KEY, name text NOT NULL)');
    await client.query(
      'CREATE TABLE casts (id serial PRIMARY KEY, spell integer NOT NULL, note text NOT NULL)',
    );
    await client.query('BEGIN');
    const text = 'INSERT INTO spells VALUES ($1, $2)';
    for (let id = 1; id <= SPELLS; id++) {
      await client.query({ name: 'fill', text, values: [id, `spell ${id}`] });
    }
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

/** With its defaults, which are durable, and the password exchange that ours asks for too. */
export async function startPostgres(place: Place): Promise<{ peer: Peer; url: string; version: string }> {
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
