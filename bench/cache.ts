import { type Benchmark, both, type Contest, type Load, type Place } from './benchmark.ts';
import { calibrated } from './calibrated.ts';
import { freePort, startOurs, startPeer } from './peer.ts';
import { processCpuMicros } from './process-cpu.ts';

const CONNECTIONS = 50;
const KEYS = 100_000;

export const cache: Benchmark = {
  name: 'cache',
  compared: `redis-benchmark with ${CONNECTIONS} connections over ${KEYS.toLocaleString('en')} keys, plain and 16 commands per write, beside Redis without persistence`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const redisBenchmark = place.programs.find('redis-benchmark', 'redis-tools');
  const redisServer = place.programs.find('redis-server', 'redis-server');
  const octet = await startOurs(place, 'cache', { cache: { port: 0, password: '' } });
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const peer = startPeer(place, redisServer, args);
  await peer.untilListening(port);

  const ports = { ours: Number(new URL(octet.env['REDIS_URL'] ?? '').port), peer: port };
  const load = (command: string, pipeline: number) => (at: number) =>
    commands(place, redisBenchmark, { command, pipeline, port: at });
  return {
    peer: await version(place, redisServer),
    cpu: { ours: () => processCpuMicros(octet.pid), peer: peer.cpuMicros },
    workloads: [
      both('set', 'command', ports, load('set', 1)),
      both('get', 'command', ports, load('get', 1)),
      both('set-pipelined-16', 'command', ports, load('set', 16)),
      both('get-pipelined-16', 'command', ports, load('get', 16)),
    ],
  };
}

interface Commands {
  readonly command: string;
  readonly pipeline: number;
  readonly port: number;
}

function commands(place: Place, program: string, { command, pipeline, port }: Commands): Load {
  const where = ['-h', '127.0.0.1', '-p', String(port), '-c', String(CONNECTIONS)];
  const what = ['-t', command, '-P', String(pipeline), '-r', String(KEYS), '--csv'];
  return calibrated(async (count) => {
    const output = await place.programs.run(program, [...where, ...what, '-n', String(count)]);
    // "test","rps","avg_latency_ms",… and a line of these.
    const rate = Number(output.trim().split('\n').at(-1)?.split('","')[1]);
    if (!(rate > 0)) throw new Error(`redis-benchmark ${command}: ${output}`);
    return { operations: count, seconds: count / rate };
  });
}

async function version(place: Place, redisServer: string): Promise<string> {
  const output = await place.programs.run(redisServer, ['--version']);
  return `Redis ${/v=(\S+)/.exec(output)?.[1] ?? ''}`;
}
