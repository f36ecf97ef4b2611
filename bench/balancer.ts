import { mkdir, writeFile } from 'node:fs/promises';
import type { Benchmark, Contest, Place } from './benchmark.ts';
import { startNginx } from './nginx.ts';
import { freePort, type Peer, startOurs, startPeer } from './peer.ts';
import { processCpuMicros } from './process-cpu.ts';
import { wrk } from './wrk.ts';

export const balancer: Benchmark = {
  name: 'balancer',
  compared:
    'small GETs round robin over two nginx servers with connections kept open, beside HAProxy with one thread',
  prepare,
};

async function prepare(place: Place): Promise<Contest> {
  const haproxy = place.programs.find('haproxy', 'haproxy');
  const upstreams = [await freePort(), await freePort()];
  await startNginx(place, upstreams.map(upstream).join('\n'), upstreams);

  const octet = await startOurs(place, 'balancer', {
    balancer: {
      port: 0,
      managementPort: 0,
      pools: { bench: { servers: upstreams.map((port) => `127.0.0.1:${port}`), healthPath: '/' } },
      routes: [{ pathPrefix: '/', pool: 'bench' }],
    },
  });
  const port = await freePort();
  const peer = await startHaproxy(place, haproxy, port, upstreams);
  return {
    peer: await version(place, haproxy),
    cpu: { ours: () => processCpuMicros(octet.pid), peer: peer.cpuMicros },
    workloads: [
      {
        name: 'get',
        operation: 'request',
        load: {
          ours: await wrk(place, { url: `${octet.env['BALANCER_URL']}/` }),
          peer: await wrk(place, { url: `http://127.0.0.1:${port}/` }),
        },
      },
    ],
  };
}

function upstream(port: number): string {
  return `server { listen 127.0.0.1:${port}; location / { return 200 "Lumos\\n"; } }`;
}

async function startHaproxy(
  place: Place,
  haproxy: string,
  port: number,
  upstreams: readonly number[],
): Promise<Peer> {
  const folder = `${place.folder}/haproxy`;
  await mkdir(folder);
  const servers = upstreams.map((at, n) => `  server s${n} 127.0.0.1:${at} check inter 2s`);
  await writeFile(
    `${folder}/haproxy.cfg`,
    `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option forwardfor
  http-reuse always
frontend bench
  bind 127.0.0.1:${port}
  default_backend pool
backend pool
  balance roundrobin
  option httpchk GET /
${servers.join('\n')}
`,
  );
  const peer = startPeer(place, haproxy, ['-db', '-f', `${folder}/haproxy.cfg`]);
  await peer.untilListening(port);
  return peer;
}

async function version(place: Place, haproxy: string): Promise<string> {
  return /HAProxy version [\d.]+/.exec(await place.programs.run(haproxy, ['-v']))?.[0] ?? 'HAProxy';
}
