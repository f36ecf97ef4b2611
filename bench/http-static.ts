import { mkdir, writeFile } from 'node:fs/promises';
import type { Benchmark, Contest, Place, Workload } from './benchmark.ts';
import { nginxVersion, startNginx } from './nginx.ts';
import { freePort, startScript } from './peer.ts';
import { wrk } from './wrk.ts';

const KiB = 1_024;

/** What is asked of the library: 0.6 of nginx for the large file, per CPU time; so it stands for the rate as well. */
const LARGE_GOAL = 0.6;

export const httpStatic: Benchmark = {
  name: 'http-static',
  compared: 'files of a folder, uncoded: our HTTP library beside nginx with one worker and sendfile',
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  place.programs.find('wrk', 'wrk');
  const root = `${place.folder}/static`;
  await mkdir(root);
  const port = await freePort();
  // The same fields on both sides; open_file_cache is to nginx what the shelf is to ours.
  const cache = 'open_file_cache max=256; open_file_cache_valid 1s;';
  const nginx = await startNginx(place, `server { listen 127.0.0.1:${port}; root ${root}; ${cache} }`, [
    port,
  ]);
  const ours = await startScript(place, 'http-static.ts', [root]);
  const getting = async (
    name: string,
    sizeBytes: number,
    connections: number,
    goal?: number,
  ): Promise<Workload> => {
    await writeFile(`${root}/${name}.bin`, Buffer.alloc(sizeBytes, 'x'));
    const load = (at: number) => wrk(place, { url: `http://127.0.0.1:${at}/${name}.bin`, connections });
    const workload = {
      name,
      operation: 'file',
      load: { ours: await load(ours.port), peer: await load(port) },
    };
    return goal === undefined ? workload : { ...workload, goal, goalOf: 'cpu' };
  };
  return {
    peer: await nginxVersion(place),
    cpu: { ours: ours.peer.cpuMicros, peer: nginx.cpuMicros },
    workloads: [
      await getting('get-4k', 4 * KiB, 64),
      await getting('get-100k', 100 * KiB, 16),
      await getting('get-1m', KiB * KiB, 8, LARGE_GOAL),
    ],
  };
}
