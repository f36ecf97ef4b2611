import type { Benchmark, Contest, Place } from './benchmark.ts';
import { startScript } from './peer.ts';
import { pipelined, wrk } from './wrk.ts';

export const http: Benchmark = {
  name: 'http',
  compared: 'a small JSON answer behind one route: our HTTP library and its router, beside node:http by hand',
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const ours = await startScript(place, 'http-octet.ts');
  const peer = await startScript(place, 'http-node.ts');
  const at = (port: number): string => `http://127.0.0.1:${port}/spells/42`;
  const load = async (script?: string) => {
    const more = script === undefined ? {} : { script };
    return {
      ours: await wrk(place, { url: at(ours.port), ...more }),
      peer: await wrk(place, { url: at(peer.port), ...more }),
    };
  };
  return {
    peer: `node:http of Node ${process.versions.node}`,
    cpu: { ours: ours.peer.cpuMicros, peer: peer.peer.cpuMicros },
    workloads: [
      { name: 'json', operation: 'request', load: await load() },
      { name: 'json-pipelined-16', operation: 'request', load: await load(pipelined(16)) },
    ],
  };
}
