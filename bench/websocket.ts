import { readFileSync } from 'node:fs';
import type { Benchmark, Contest, Pair, Place, Workload } from './benchmark.ts';
import { startScript } from './peer.ts';
import { type EchoOptions, type EchoRound, echoes } from './websocket/echo-load.ts';

const CONNECTIONS = 64;
const GOAL = 1;

export const websocket: Benchmark = {
  name: 'websocket',
  compared: `echoes over ${CONNECTIONS} connections, each with one write under way: our WebSocket library, beside ws`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const location = place.programs.findNpmPackage('ws');
  const ours = await startScript(place, 'websocket-octet.ts');
  const peer = await startScript(place, 'websocket-ws.ts', [location]);
  const ports = { ours: ours.port, peer: peer.port };
  return {
    peer: `ws ${(JSON.parse(readFileSync(`${location}/package.json`, 'utf8')) as { version: string }).version}`,
    cpu: { ours: ours.peer.cpuMicros, peer: peer.peer.cpuMicros },
    workloads: [
      workload(ports, 'text-64', { of: 'text', payloadBytes: 64, pipelined: 1 }),
      workload(ports, 'binary-4096', { of: 'binary', payloadBytes: 4_096, pipelined: 1 }),
      workload(ports, 'text-64-pipelined-16', { of: 'text', payloadBytes: 64, pipelined: 16 }),
    ],
  };
}

function workload(
  ports: Pair<number>,
  name: string,
  options: Omit<EchoOptions, 'port' | 'connections'>,
): Workload {
  const at = (port: number): EchoRound => echoes({ ...options, port, connections: CONNECTIONS });
  const [ours, peer] = [at(ports.ours), at(ports.peer)];
  return {
    name,
    operation: 'echo',
    load: { ours: ours.load, peer: peer.load },
    before: { ours: ours.before, peer: peer.before },
    goal: GOAL,
    goalOf: 'cpu',
  };
}
