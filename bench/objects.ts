import { mkdir, writeFile } from 'node:fs/promises';
import { createSystemNetwork } from '../src/core/net/system-network.ts';
import { systemClock } from '../src/core/time/system-clock.ts';
import { createObjectsClient, type ObjectsClient } from '../src/objects/index.ts';
import type { Benchmark, Contest, Place, Workload } from './benchmark.ts';
import { nginxVersion, startNginx } from './nginx.ts';
import { freePort, type Peer, startOurs, startScript } from './peer.ts';
import { processCpuMicros } from './process-cpu.ts';
import { putting, wrk } from './wrk.ts';

const KiB = 1_024;
const MiB = KiB * KiB;
const BUCKET = 'bench';
/** Objects that are written over and over. */
const WRITTEN = 64;
const SIGNED_FOR_SECONDS = 3_600;

export const objects: Benchmark = {
  name: 'objects',
  compared:
    'GET by presigned URL, each signature checked, beside static files of nginx with one worker; durable PUT by presigned URL beside node:http that syncs one file per object',
  prepare,
};

/** Both sides of all loads, ready. */
interface Sides {
  readonly place: Place;
  readonly client: ObjectsClient;
  readonly octetPid: number;
  readonly nginx: { readonly peer: Peer; readonly port: number };
  readonly files: { readonly peer: Peer; readonly port: number };
}

async function prepare(place: Place): Promise<Contest> {
  place.programs.find('wrk', 'wrk');
  const nginx = await startStatic(place);
  const octet = await startOurs(place, 'objects', { objects: { port: 0, buckets: [BUCKET] } });
  await mkdir(`${place.folder}/files`);
  const files = await startScript(place, 'files-node.ts', [`${place.folder}/files`]);
  const client = createObjectsClient({
    endpoint: octet.env['AWS_ENDPOINT_URL_S3'] ?? '',
    accessKeyId: octet.env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: octet.env['AWS_SECRET_ACCESS_KEY'] ?? '',
    region: octet.env['AWS_REGION'] ?? '',
    network: createSystemNetwork(),
    clock: systemClock,
  });
  place.stack.defer(() => client.close());

  const sides: Sides = { place, client, octetPid: octet.pid, nginx, files };
  return {
    peer: `${await nginxVersion(place)} for GET, node:http of Node ${process.versions.node} for PUT`,
    cpu: { ours: () => processCpuMicros(octet.pid), peer: nginx.peer.cpuMicros },
    workloads: [
      await getting(sides, 'get-4k', 4 * KiB, 16),
      await getting(sides, 'get-1m', MiB, 8),
      await puttings(sides, 'put-4k-durable', 4 * KiB, 64),
      await puttings(sides, 'put-1m-durable', MiB, 8),
    ],
  };
}

async function startStatic(place: Place): Promise<Sides['nginx']> {
  const port = await freePort();
  const root = `${place.folder}/static`;
  await mkdir(root);
  const peer = await startNginx(place, `server { listen 127.0.0.1:${port}; root ${root}; }`, [port]);
  return { peer, port };
}

async function getting(
  sides: Sides,
  name: string,
  sizeBytes: number,
  connections: number,
): Promise<Workload> {
  const { place, client, nginx } = sides;
  const content = Buffer.alloc(sizeBytes, 'x');
  await client.put(BUCKET, name, content);
  await writeFile(`${place.folder}/static/${name}`, content);
  const url = client.presign('GET', BUCKET, name, SIGNED_FOR_SECONDS);
  return {
    name,
    operation: 'object',
    load: {
      ours: await wrk(place, { url, connections }),
      peer: await wrk(place, { url: `http://127.0.0.1:${nginx.port}/${name}`, connections }),
    },
  };
}

async function puttings(
  sides: Sides,
  name: string,
  sizeBytes: number,
  connections: number,
): Promise<Workload> {
  const { place, client, files, octetPid } = sides;
  const keys = Array.from({ length: WRITTEN }, (_, n) => `${name}-${n}`);
  const urls = keys.map((key) => new URL(client.presign('PUT', BUCKET, key, SIGNED_FOR_SECONDS)));
  const signed = urls.map(({ pathname, search }) => pathname + search);
  const plain = keys.map((key) => `/${key}`);
  const base = urls[0]?.origin ?? '';
  return {
    name,
    operation: 'object',
    load: {
      ours: await wrk(place, { url: base, connections, script: putting(sizeBytes, signed) }),
      peer: await wrk(place, {
        url: `http://127.0.0.1:${files.port}`,
        connections,
        script: putting(sizeBytes, plain),
      }),
    },
    cpu: { ours: () => processCpuMicros(octetPid), peer: files.peer.cpuMicros },
  };
}
