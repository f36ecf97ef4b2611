/** How long single requests take while a server is half busy: the HTTP library beside node:http. */
import { readFile } from 'node:fs/promises';
import type { Benchmark, Contest, Finding, Place } from './benchmark.ts';
import { median } from './measure.ts';
import { startScript } from './peer.ts';
import { wrk } from './wrk.ts';

const CLIENTS = 64;
const SECONDS = 3;
/** What the slower of the two serves at its best is the measure for both. */
const SHARE_OF_PEAK = 0.5;

export const httpLatency: Benchmark = {
  name: 'http-latency',
  compared: `a small JSON answer behind one route, asked for at ${SHARE_OF_PEAK} of the rate at which the slower server is busy: our HTTP library beside node:http`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const h2load = place.programs.find('h2load', 'nghttp2-client');
  const ours = await startScript(place, 'http-octet.ts');
  const peer = await startScript(place, 'http-node.ts');
  const urls = { ours: urlOf(ours.port), peer: urlOf(peer.port) };
  const measured = (url: string, ratePerSecond: number): Promise<Latency> =>
    latencyOf(place, h2load, url, ratePerSecond);
  const probe = async (rounds: number): Promise<Finding[]> => {
    const ratePerSecond =
      SHARE_OF_PEAK * Math.min(await peakOf(place, urls.ours), await peakOf(place, urls.peer));
    const found: Record<keyof typeof urls, Latency[]> = { ours: [], peer: [] };
    for (let n = 0; n < rounds; n++) {
      for (const side of n % 2 === 0 ? (['ours', 'peer'] as const) : (['peer', 'ours'] as const)) {
        found[side].push(await measured(urls[side], ratePerSecond));
      }
    }
    return (['p50Ms', 'p99Ms', 'p999Ms'] as const).map((name) => ({
      name: `at-half-load.${name.replace('Ms', '')}`,
      unit: 'ms',
      values: {
        ours: median(found.ours.map((latency) => latency[name])),
        peer: median(found.peer.map((latency) => latency[name])),
      },
    }));
  };
  return {
    peer: `node:http of Node ${process.versions.node}`,
    cpu: { ours: ours.peer.cpuMicros, peer: peer.peer.cpuMicros },
    workloads: [],
    probes: [probe],
  };
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}/spells/42`;
}

/** Requests per second when it is asked for as many as it can. */
async function peakOf(place: Place, url: string): Promise<number> {
  const load = await wrk(place, { url, connections: CLIENTS });
  await load();
  const { operations, seconds } = await load();
  if (seconds === undefined) throw new Error('wrk did not say how long it took');
  return operations / seconds;
}

interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

/** A line of h2load's log: start in µs, status, duration in µs. */
async function latencyOf(place: Place, h2load: string, url: string, ratePerSecond: number): Promise<Latency> {
  const log = `${place.folder}/latency-${crypto.randomUUID()}`;
  const rate = Math.max(1, Math.round(ratePerSecond / CLIENTS));
  const args = [
    '--h1',
    '-t1',
    `-c${CLIENTS}`,
    `-n${rate * CLIENTS * SECONDS}`,
    `--rps=${rate}`,
    `--log-file=${log}`,
    url,
  ];
  await place.programs.run(h2load, args);
  const rows = (await readFile(log, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t').map(Number));
  const failed = rows.find(([, status]) => status !== 200);
  if (failed !== undefined || rows.length === 0) throw new Error(`h2load ${url}: ${failed ?? 'no answer'}`);
  const sorted = rows.map(([, , micros]) => (micros ?? 0) / 1_000).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;
  return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) };
}
