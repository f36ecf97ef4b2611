/**
 * A resolver between clients that ask and two servers that know, over links that lose, repeat and reorder
 * datagrams, while it is killed and cut off. What was promised:
 *
 *   - an answer is right: these records, or the word that there are none; otherwise it says that it failed;
 *   - a name that is there is never called absent;
 *   - when the links are whole again everything is answered.
 */
import { codeOf, messageOf } from '../../../src/core/errors.ts';
import {
  createDnsClient,
  DEFAULT_DNS_OPTIONS,
  type DnsClient,
  type DnsOptions,
  startDns,
} from '../../../src/dns/index.ts';
import { insist } from './insist.ts';
import type { Scene, ServiceCase } from './service-run.ts';

const ROOT = 'root';
const KNOWING = 'knowing';
const HOSTS = 20;
const ASKERS = 3;

export function dnsCase(): ServiceCase {
  return {
    name: 'dns',
    isVolatile: true,
    peers: [ROOT, KNOWING],
    link: (random) => ({
      lossRate: random.pick([0, 0.05, 0.2]),
      duplicateRate: random.pick([0, 0.2]),
      latencyMs: [0.1, random.pick([1, 50])],
    }),
    start:
      ({ network }) =>
      (host) =>
        startDns(
          {
            ...plain(),
            rootHints: [`${network.address(ROOT)}:${DEFAULT_DNS_OPTIONS.port}`],
            recursion: true,
          },
          host,
        ),
    prepare: startAuthorities,
    workers: Array.from({ length: ASKERS }, () => ask),
    verify: async (scene) => {
      const client = clientOf(scene);
      for (let number = 0; number < HOSTS; number += 1)
        await insist(scene, () => resolveExisting(scene, client, number));
      await insist(scene, () => resolveMissing(scene, client, 'nobody'));
      for (const close of scene.atEnd.splice(0)) await close();
    },
  };
}

function plain(): DnsOptions {
  return { ...DEFAULT_DNS_OPTIONS, upstreamPort: DEFAULT_DNS_OPTIONS.port };
}

/** The root, which knows who knows `test.`, and the one who does. */
async function startAuthorities({ world, atEnd }: Scene): Promise<void> {
  const address = world.network.address(KNOWING);
  const root = `$TTL 60\n@ IN SOA a. b. 1 60 60 60 60\n@ IN NS a.\na. IN A ${world.network.address(ROOT)}\ntest. IN NS ns.test.\nns.test. IN A ${address}\n`;
  const rows = Array.from({ length: HOSTS }, (_, number) => `h${number} IN A ${addressOf(number)}`);
  const test = `$TTL 5\n@ IN SOA ns b 1 60 60 60 5\n@ IN NS ns\nns IN A ${address}\n${rows.join('\n')}\nalias IN CNAME h1\n`;
  for (const [name, origin, text] of [
    [ROOT, '.', root],
    [KNOWING, 'test.', test],
  ] as const) {
    const service = await startDns(
      { ...plain(), recursion: false, zones: [{ origin, text }] },
      world.host(name),
    );
    atEnd.push(() => service.close(0));
  }
}

function addressOf(number: number): string {
  return `192.0.2.${number + 1}`;
}

function clientOf({ client, world }: Scene): DnsClient {
  const server = { address: world.network.address('dns'), port: DEFAULT_DNS_OPTIONS.port };
  return createDnsClient({ network: client.network, clock: client.clock, random: client.random, server });
}

async function ask(scene: Scene): Promise<void> {
  const client = clientOf(scene);
  for (let count = 0; scene.isOpen(); count += 1) {
    try {
      if (scene.random.chance(0.7)) await resolveExisting(scene, client, scene.random.below(HOSTS));
      else await resolveMissing(scene, client, `no${count}`);
    } catch (error) {
      scene.world.note(`nobody answers: ${codeOf(error)} ${messageOf(error)}`);
      scene.violations.check(
        codeOf(error) !== 'NXDOMAIN',
        () => `a name that is there is called absent: ${messageOf(error)}`,
      );
    }
    await scene.pause(200);
  }
}

async function resolveExisting(scene: Scene, client: DnsClient, number: number): Promise<void> {
  const name = number === 1 && scene.random.chance(0.5) ? 'alias' : `h${number}`;
  const records = await client.resolve(`${name}.test`, 'A');
  const found = records.map(({ data }) => data).join();
  scene.violations.check(found === addressOf(number), () => `${name}.test is said to be at ${found}`);
}

async function resolveMissing(scene: Scene, client: DnsClient, name: string): Promise<void> {
  try {
    const records = await client.resolve(`${name}.test`, 'A');
    scene.violations.add(
      `${name}.test is not there, and is said to be ${records.map(({ data }) => data).join()}`,
    );
  } catch (error) {
    if (codeOf(error) !== 'NXDOMAIN') throw error;
  }
}
