/** The Octet that the clients meet: its zone, tables, buckets and queues, on ports the operating system chose. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { OctetInput, ServiceName } from '../../src/octet/config.ts';
import { EPHEMERAL_PORTS, startOctetProcess } from '../octet-process.ts';
import type { InteropWorld } from './client.ts';

const NUMBERED = Array.from({ length: 60 }, (_, n) => `many     A      192.0.2.${n + 1}`).join('\n');

const ZONE = `$ORIGIN interop.test.
$TTL 300
@        SOA    ns1 hostmaster 2026010101 3600 600 86400 60
@        NS     ns1
@        MX     10 mx1
@        MX     20 mx2
@        TXT    "v=spf1 -all" "a second string"
ns1      A      127.0.0.1
mx1      A      192.0.2.25
mx2      AAAA   2001:db8::25
www      CNAME  web
web      A      192.0.2.80
web      AAAA   2001:db8::80
*.wild   A      192.0.2.99
_sip._tcp SRV   5 10 5060 web
sub      NS     ns.sub
ns.sub   A      192.0.2.53
${NUMBERED}
`;

/** Served by a second process, which asks nobody: what is forwarded to, and what refuses recursion. */
const UPSTREAM_ZONE = `$ORIGIN upstream.test.
$TTL 300
@        SOA    ns1 hostmaster 1 3600 600 86400 60
@        NS     ns1
ns1      A      127.0.0.1
far      A      198.51.100.7
`;

const TABLES = `CREATE TABLE IF NOT EXISTS notes (
  id serial PRIMARY KEY,
  title text NOT NULL,
  stars integer NOT NULL DEFAULT 0
);
`;

/** Starts it with `services`, and stops it with `stack`. @returns its connection strings */
export async function startOctetUnderTest(
  stack: AsyncDisposableStack,
  folder: string,
  services: ReadonlySet<ServiceName>,
): Promise<InteropWorld['env']> {
  const upstream = services.has('dns') ? await startUpstream(stack, path.join(folder, 'upstream')) : '';
  const home = path.join(folder, 'octet');
  await mkdir(home);
  await writeFile(path.join(home, 'interop.test.zone'), ZONE);
  await writeFile(path.join(home, 'tables.sql'), TABLES);
  const octet = stack.use(await startOctetProcess(home, configuration(services, upstream)));
  return { ...octet.env, UPSTREAM_DNS_SERVER: upstream };
}

async function startUpstream(stack: AsyncDisposableStack, folder: string): Promise<string> {
  const { dns, adminPort } = EPHEMERAL_PORTS;
  const octet = await startOctetProcess(folder, {
    services: ['dns'],
    adminPort,
    dns: { ...dns, recursion: false, zones: { 'upstream.test': UPSTREAM_ZONE } },
  });
  stack.use(octet);
  return octet.env['DNS_SERVER'] ?? '';
}

function configuration(services: ReadonlySet<ServiceName>, upstream: string): OctetInput {
  const ports = EPHEMERAL_PORTS;
  const hasApi = services.has('api');
  return {
    ...ports,
    services: [...services],
    dns: {
      ...ports.dns,
      zones: { 'interop.test': 'interop.test.zone' },
      ...(upstream === '' ? {} : { forward: { 'upstream.test': [upstream] } }),
    },
    database: { ...ports.database, init: ['tables.sql'] },
    queue: {
      ...ports.queue,
      exchanges: [{ name: 'events', type: 'topic' }],
      queues: ['notes'],
      bindings: [{ exchange: 'events', queue: 'notes', routingKey: 'notes.*' }],
    },
    objects: { ...ports.objects, buckets: ['files', 'interop'], publicRead: ['files'] },
    mail: { ...ports.mail, domains: ['interop.test'], startTls: true },
    api: {
      ...ports.api,
      tables: { notes: { key: 'id', cacheSeconds: 60, exchange: 'events' } },
      filesBucket: 'files',
    },
    balancer: {
      ...ports.balancer,
      pools: { objects: { healthPath: '' }, ...(hasApi ? { api: {} } : {}) },
      routes: [
        { pathPrefix: '/files', pool: 'objects' },
        ...(hasApi ? [{ pathPrefix: '/', pool: 'api' }] : []),
      ],
    },
  };
}
