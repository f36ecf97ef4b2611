import type { Benchmark, Contest, Finding, Place } from './benchmark.ts';
import { idleBytes } from './idle-memory.ts';
import { type Peer, startScript } from './peer.ts';
import { pipelined, wrk } from './wrk.ts';

const ROUTE = 'a small JSON answer behind one route: our HTTP library and its router, beside';

interface Rival {
  readonly title: string;
  readonly script: string;
  /** The npm package it needs, given to the script as where it lies. */
  readonly needs?: string;
  readonly goals: { readonly single: number | 'reported'; readonly pipelined: number | 'reported' };
  readonly isMeasuredIdle?: boolean;
}

export const httpBenchmarks: readonly Benchmark[] = [
  benchmark('http', `${ROUTE} node:http by hand`, {
    title: `node:http of Node ${process.versions.node}`,
    script: 'http-node.ts',
    goals: { single: 1.4, pipelined: 5 },
    isMeasuredIdle: true,
  }),
  benchmark('http-fastify', `${ROUTE} Fastify with schemas of the parameter and the answer`, {
    title: 'Fastify',
    script: 'http-fastify.ts',
    needs: 'fastify',
    goals: { single: 1.7, pipelined: 'reported' },
  }),
  benchmark('http-ceiling', `${ROUTE} node:net with a fixed answer and nothing parsed`, {
    title: `node:net of Node ${process.versions.node}`,
    script: 'http-net.ts',
    goals: { single: 'reported', pipelined: 'reported' },
  }),
];

function benchmark(name: string, compared: string, rival: Rival): Benchmark {
  return { name, compared, prepare: (place) => prepare(place, rival) };
}

async function prepare(place: Place, rival: Rival): Promise<Contest> {
  const { title, script, needs, goals } = rival;
  const args = needs === undefined ? [] : [place.programs.findNpmPackage(needs)];
  const ours = await startScript(place, 'http-octet.ts');
  const peer = await startScript(place, script, args);
  const at = (port: number): string => `http://127.0.0.1:${port}/spells/42`;
  const load = async (lua?: string) => {
    const more = lua === undefined ? {} : { script: lua };
    return {
      ours: await wrk(place, { url: at(ours.port), ...more }),
      peer: await wrk(place, { url: at(peer.port), ...more }),
    };
  };
  return {
    peer: title,
    cpu: { ours: ours.peer.cpuMicros, peer: peer.peer.cpuMicros },
    workloads: [
      { name: 'json', operation: 'request', load: await load(), goal: goals.single, goalOf: 'cpu' },
      {
        name: 'json-pipelined-16',
        operation: 'request',
        load: await load(pipelined(16)),
        goal: goals.pipelined,
        goalOf: 'cpu',
      },
    ],
    probes: rival.isMeasuredIdle === true ? [() => idleMemory(ours, peer)] : [],
  };
}

interface Started {
  readonly peer: Peer;
  readonly port: number;
}

async function idleMemory(ours: Started, peer: Started): Promise<Finding[]> {
  const kib = async ({ peer: { pid }, port }: Started): Promise<number> =>
    (await idleBytes(pid, port)) / 1_024;
  return [
    {
      name: 'idle-connection',
      unit: 'KiB',
      values: { ours: await kib(ours), peer: await kib(peer) },
      goal: 'ours at most 20',
    },
  ];
}
