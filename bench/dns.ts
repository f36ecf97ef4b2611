import { mkdir, writeFile } from 'node:fs/promises';
import { type Benchmark, both, type Contest, type Load, type Place } from './benchmark.ts';
import { freePort, type Peer, startOurs, startPeer } from './peer.ts';
import { processCpuMicros } from './process-cpu.ts';
import { numberIn } from './programs.ts';

const NAMES = 10_000;
const ORIGIN = 'bench.test';
const ROUND_SECONDS = 1;

export const dns: Benchmark = {
  name: 'dns',
  compared: `authoritative answers from one zone of ${NAMES.toLocaleString('en')} A records, asked by dnsperf, beside BIND with one thread`,
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const dnsperf = place.programs.find('dnsperf', 'dnsperf');
  const named = place.programs.find('named', 'bind9');
  await writeFile(`${place.folder}/zone`, zone());
  const octet = await startOurs(place, 'dns', {
    dns: { port: 0, recursion: false, zones: { [ORIGIN]: zone() } },
  });
  const port = await freePort();
  const peer = await startNamed(place, named, port);
  const ports = { ours: Number(octet.env['DNS_SERVER']?.split(':').at(-1)), peer: port };

  const queries = async (name: string, line: (n: number) => string): Promise<string> => {
    const file = `${place.folder}/${name}`;
    await writeFile(file, Array.from({ length: NAMES }, (_, n) => line(n)).join('\n'));
    return file;
  };
  const hits = await queries('hits', (n) => `host${n}.${ORIGIN} A`);
  const misses = await queries('misses', (n) => `nobody${n}.${ORIGIN} A`);
  const load = (file: string, rcode: string, transport: string) => (at: number) =>
    ask(place, dnsperf, [file, String(at), transport], rcode);
  return {
    peer: await version(place, named),
    cpu: { ours: () => processCpuMicros(octet.pid), peer: peer.cpuMicros },
    workloads: [
      both('udp-hit', 'answer', ports, load(hits, 'NOERROR', 'udp')),
      both('udp-nxdomain', 'answer', ports, load(misses, 'NXDOMAIN', 'udp')),
      both('tcp-hit', 'answer', ports, load(hits, 'NOERROR', 'tcp')),
    ],
  };
}

function ask(place: Place, dnsperf: string, where: readonly string[], rcode: string): Load {
  const [file = '', port = '', transport = ''] = where;
  const args = ['-d', file, '-s', '127.0.0.1', '-p', port, '-m', transport];
  const all = [...args, '-l', String(ROUND_SECONDS), '-c', '8', '-q', '100'];
  return async () => {
    const output = await place.programs.run(dnsperf, all);
    const operations = numberIn(output, /Queries completed:\s+(\d+)/);
    const right = numberIn(output, new RegExp(`Response codes:.*?${rcode} (\\d+)`));
    if (right < operations) throw new Error(`${operations - right} answers other than ${rcode}:\n${output}`);
    return { operations, seconds: numberIn(output, /Run time \(s\):\s+([\d.]+)/) };
  };
}

async function startNamed(place: Place, named: string, port: number): Promise<Peer> {
  const folder = `${place.folder}/named`;
  await mkdir(folder);
  await writeFile(
    `${folder}/named.conf`,
    `options {
  directory "${folder}";
  pid-file none;
  session-keyfile none;
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  minimal-responses yes;
};
controls { };
zone "${ORIGIN}" { type primary; file "${place.folder}/zone"; };
`,
  );
  const peer = startPeer(place, named, ['-g', '-n', '1', '-c', `${folder}/named.conf`]);
  await peer.untilSaid(/(all zones loaded)/);
  return peer;
}

async function version(place: Place, named: string): Promise<string> {
  return /BIND \S+/.exec(await place.programs.run(named, ['-v']))?.[0] ?? 'BIND';
}

function zone(): string {
  const hosts = Array.from({ length: NAMES }, (_, n) => `host${n} A 192.0.2.${n % 256}`);
  const apex = ['@ SOA ns1 hostmaster 1 3600 600 86400 60', '@ NS ns1', 'ns1 A 127.0.0.1'];
  return `$ORIGIN ${ORIGIN}.\n$TTL 300\n${[...apex, ...hosts].join('\n')}\n`;
}
