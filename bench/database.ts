import { writeFile } from 'node:fs/promises';
import { type Benchmark, both, type Contest, type Load, type Place } from './benchmark.ts';
import { startOurs } from './peer.ts';
import { BINARIES, fillSpells, SPELLS, startPostgres } from './postgres.ts';
import { processCpuMicros } from './process-cpu.ts';
import { numberIn } from './programs.ts';

const CLIENTS = 8;
const ROUND_SECONDS = 1;

export const database: Benchmark = {
  name: 'database',
  compared: `pgbench with ${CLIENTS} clients and prepared statements: one row by key out of ${SPELLS.toLocaleString('en')}, and durable commits of one row, beside PostgreSQL with fsync on`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const pgbench = place.programs.find('pgbench', 'postgresql', BINARIES);
  const postgres = await startPostgres(place);
  const octet = await startOurs(place, 'database', { database: { port: 0 } });
  const urls = { ours: octet.env['DATABASE_URL'] ?? '', peer: postgres.url };
  for (const url of [urls.ours, urls.peer]) await fillSpells(url);

  const script = async (name: string, sql: string): Promise<string> => {
    await writeFile(`${place.folder}/${name}.sql`, sql);
    return `${place.folder}/${name}.sql`;
  };
  const anyKey = `\\set key random(1, ${SPELLS})\n`;
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
