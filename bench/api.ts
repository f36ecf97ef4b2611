import type { Benchmark, Contest, Load, Place } from './benchmark.ts';
import { startOurs, startScript } from './peer.ts';
import { fillSpells, SPELLS, startPostgres } from './postgres.ts';
import { processCpuMicros } from './process-cpu.ts';
import { wrk } from './wrk.ts';

export const api: Benchmark = {
  name: 'api',
  compared:
    'one row by key as JSON, without a cache, beside a hand-written route of node:http and node-postgres; the same PostgreSQL behind both',
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  place.programs.find('wrk', 'wrk');
  const postgres = await startPostgres(place);
  await fillSpells(postgres.url);
  const octet = await startOurs(place, 'api', {
    api: {
      port: 0,
      instances: 1,
      tables: { spells: { key: 'id', cacheSeconds: 0 } },
      databaseUrl: postgres.url,
    },
  });
  const peer = await startScript(place, 'api-node.ts', [postgres.url]);
  const load = (origin: string): Promise<Load> => wrk(place, { url: origin, script: anySpell() });
  return {
    peer: `node:http of Node ${process.versions.node} and pg, with ${postgres.version}`,
    cpu: { ours: () => processCpuMicros(octet.pid), peer: peer.peer.cpuMicros },
    workloads: [
      {
        name: 'row-by-key',
        operation: 'request',
        load: {
          ours: await load(octet.env['API_URL'] ?? ''),
          peer: await load(`http://127.0.0.1:${peer.port}`),
        },
      },
    ],
  };
}

function anySpell(): string {
  return `function request()
  return wrk.format("GET", "/api/spells/" .. math.random(1, ${SPELLS}))
end
`;
}
