/**
 * What can be known of the containers without an engine: the compose file names what exists, each service of
 * it starts as its own process from that configuration, and the demo passes across those processes.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { environmentLayer, resolveConfig } from '../../src/core/config/config.ts';
import { octetSchema, SERVICE_NAMES } from '../../src/octet/config.ts';
import { refuseInsecure } from '../../src/octet/insecure.ts';

interface ComposeService {
  readonly command: string[];
  readonly environment: Record<string, string>;
  readonly configs: { source: string; target: string }[];
  readonly volumes: string[];
  readonly depends_on?: Record<string, { condition: string }>;
}

interface Compose {
  readonly services: Record<string, ComposeService>;
  readonly configs: Record<string, { file: string }>;
  readonly volumes: Record<string, null>;
}

const compose = parse(readFileSync('compose.yaml', 'utf8'), { merge: true }) as Compose;
const secrets: Record<string, string> = {
  OCTET_ADMIN_TOKEN: 'token-of-a-test',
  DATABASE_PASSWORD: 'database-secret',
  CACHE_PASSWORD: 'cache-secret',
  QUEUE_PASSWORD: 'queue-secret',
  OBJECTS_SECRET: 'objects-secret',
  MAIL_PASSWORD: 'mail-secret',
};

/** `${NAME}` and `${NAME:?why}`, as compose replaces them. */
function interpolate(text: string): string {
  return text.replaceAll(/\$\{(\w+)(?::\?[^}]*)?\}/g, (_all, name: string) => {
    assert.ok(secrets[name] !== undefined, `compose.yaml wants ${name}`);
    return secrets[name];
  });
}

function environmentOf(service: ComposeService): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service.environment).map(([name, value]) => [name, interpolate(value)]),
  );
}

test('compose.yaml: one container per service, and every name in it exists', () => {
  assert.deepEqual(Object.keys(compose.services).sort(), [...SERVICE_NAMES].sort());
  for (const [name, service] of Object.entries(compose.services)) {
    assert.equal(service.command[0], name);
    for (const { source } of service.configs)
      assert.ok(existsSync(compose.configs[source]?.file ?? ''), `${name}: ${source}`);
    for (const volume of service.volumes)
      assert.ok(volume.split(':')[0]! in compose.volumes, `${name}: ${volume}`);
    for (const needed of Object.keys(service.depends_on ?? {}))
      assert.ok(needed in compose.services, `${name}: ${needed}`);
  }
});

for (const [name, service] of Object.entries(compose.services)) {
  test(`compose.yaml: the settings of ${name} are known, and safe beyond loopback`, () => {
    const environment = {
      OCTET_DATA_DIR: '/data',
      OCTET_HOST: '0.0.0.0',
      OCTET_SERVICES: JSON.stringify([name]),
      ...environmentOf(service),
    };
    const config = resolveConfig(octetSchema, [environmentLayer(octetSchema, environment)]);
    refuseInsecure(config);
    const withoutSecrets = resolveConfig(octetSchema, [
      { place: 'a test', values: { host: '0.0.0.0', services: [name as 'dns'] } },
    ]);
    assert.throws(() => refuseInsecure(withoutSecrets), /adminToken/);
  });
}

test('the Dockerfile runs without root, checks its health, and copies what exists', () => {
  const steps = readFileSync('Dockerfile', 'utf8').split('\n');
  assert.ok(steps.includes('USER node'));
  assert.ok(steps.some((step) => step.startsWith('HEALTHCHECK')));
  for (const file of ['package.json', 'package-lock.json', 'scripts/build.ts', 'web'])
    assert.ok(existsSync(file), file);
});

/** Leaves the standard ports to whoever has them, below the range that outgoing connections take theirs from. */
const PORT_OFFSET = 11_000;

test('the demo passes across nine processes, one per service', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'octet-processes-'));
  const running: { child: ChildProcess; exited: Promise<unknown> }[] = [];
  const port = (standard: number): number => standard + PORT_OFFSET;
  // One machine has one admin port per process, where containers have one each.
  const places: Record<string, Record<string, string>> = {
    api: {
      OCTET_API__DATABASE_URL: `postgres://octet:database-secret@127.0.0.1:${port(5432)}/octet`,
      OCTET_API__CACHE_URL: `redis://default:cache-secret@127.0.0.1:${port(6379)}`,
      OCTET_API__QUEUE_URL: `amqp://octet:queue-secret@127.0.0.1:${port(5672)}`,
    },
    balancer: {
      OCTET_BALANCER__POOLS__API__SERVERS: JSON.stringify([
        `127.0.0.1:${port(8081)}`,
        `127.0.0.1:${port(8082)}`,
      ]),
      OCTET_BALANCER__POOLS__OBJECTS__SERVERS: JSON.stringify([`127.0.0.1:${port(9000)}`]),
    },
    console: { OCTET_CONSOLE__SOURCES: '{}' },
  };
  const flags = [
    '--config',
    'examples/spells/octet.config.ts',
    '--data-dir',
    folder,
    '--port-offset',
    String(PORT_OFFSET),
  ];
  try {
    for (const [index, name] of SERVICE_NAMES.entries()) {
      const environment = {
        ...process.env,
        ...environmentOf(compose.services[name] as ComposeService),
        ...places[name],
      };
      const { OCTET_ADMIN_TOKEN: _, ...rest } = environment;
      const child = spawn(process.execPath, ['bin/octet.mjs', name, ...flags], {
        env: { ...rest, OCTET_ADMIN_PORT: String(8950 + index) },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      running.push({ child, exited: new Promise((resolve) => child.once('exit', resolve)) });
      await ready(child, name);
    }
    const demo = spawn(process.execPath, ['bin/octet.mjs', 'demo', '--attach', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { code, output } = await finished(demo);
    assert.equal(code, 0, output);
    assert.match(output, /demo: all hops answered/);
  } finally {
    for (const { child } of running.reverse()) child.kill('SIGTERM');
    await Promise.all(running.map(({ exited }) => exited));
    await rm(folder, { recursive: true, force: true });
  }
});

async function ready(child: ChildProcess, name: string): Promise<void> {
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('ready in')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${output}`)));
  });
}

async function finished(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}
