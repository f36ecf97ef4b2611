/**
 * npm run interop [-- name…] [--env file]
 *
 * Clients of others, as Debian has them, against one Octet in a process of its own; each does real work, and what
 * it got is checked. With `--env` the checks run against the servers that a JSON file names (as `octet env --json`
 * prints them) instead: so a check can itself be checked against the field's own servers.
 */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { ServiceName } from '../../src/octet/config.ts';
import { exitOnSignals } from '../octet-process.ts';
import { awsCli } from './aws.ts';
import type { Check, Client, InteropWorld } from './client.ts';
import { run } from './client.ts';
import { curl } from './curl.ts';
import { dig } from './dig.ts';
import { http2 } from './http2.ts';
import { nginx } from './nginx.ts';
import { startOctetUnderTest } from './octet-under-test.ts';
import { pika } from './pika.ts';
import { psql } from './psql.ts';
import { redisBenchmark } from './redis-benchmark.ts';
import { redisCli } from './redis-cli.ts';
import { swaks } from './swaks.ts';

const CLIENTS: readonly Client[] = [
  dig,
  curl,
  http2,
  psql,
  redisCli,
  redisBenchmark,
  swaks,
  awsCli,
  pika,
  nginx,
];

/** Of one check; a client that hangs is killed before. */
const CHECK_TIMEOUT_MS = 120_000;
const MAX_MESSAGE_LENGTH = 1_500;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { env: { type: 'string' } },
});
process.exitCode = await main(chosen(positionals));

async function main(clients: readonly Client[]): Promise<number> {
  const total = clients.reduce((sum, { checks }) => sum + Object.keys(checks).length, 0);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'octet-interop-'));
  exitOnSignals(() => rmSync(folder, { recursive: true, force: true }));
  let passed = 0;
  try {
    await using stack = new AsyncDisposableStack();
    const env = values.env === undefined ? await start(stack, folder, clients) : await readEnv(values.env);
    for (const client of clients) passed += await runClient(client, env, path.join(folder, client.name));
  } catch (error) {
    console.log(indent(messageOf(error)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  console.log(`interop: passed ${passed} of ${total}`);
  return passed === total ? 0 : 1;
}

async function start(
  stack: AsyncDisposableStack,
  folder: string,
  clients: readonly Client[],
): Promise<InteropWorld['env']> {
  const services = new Set<ServiceName>(clients.flatMap((client) => client.services));
  return startOctetUnderTest(stack, folder, services);
}

async function readEnv(file: string): Promise<InteropWorld['env']> {
  return JSON.parse(await readFile(file, 'utf8')) as InteropWorld['env'];
}

/** @returns how many of its checks passed */
async function runClient(client: Client, env: InteropWorld['env'], folder: string): Promise<number> {
  const [program, ...args] = client.probe;
  const isThere = await run(program, args).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  );
  if (!isThere) {
    const packages = client.packages.join(' ');
    console.log(`MISSING ${client.name}: apt-get install --no-install-recommends ${packages}`);
    return 0;
  }
  await mkdir(folder);
  let passed = 0;
  for (const [name, check] of Object.entries(client.checks)) {
    const failure = await attempt(check, { env, folder });
    console.log(`${failure === undefined ? 'ok     ' : 'NOT OK '} ${client.name}: ${name}`);
    if (failure === undefined) passed += 1;
    else console.log(indent(failure));
  }
  return passed;
}

/** @returns what went wrong */
async function attempt(check: Check, world: InteropWorld): Promise<string | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('took too long')), CHECK_TIMEOUT_MS);
  try {
    await Promise.race([check(world), late]);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, MAX_MESSAGE_LENGTH);
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '        ');
}

function chosen(names: readonly string[]): readonly Client[] {
  const unknown = names.find((name) => !CLIENTS.some((client) => client.name === name));
  if (unknown !== undefined) {
    console.error(`interop: no client "${unknown}"; there are ${CLIENTS.map(({ name }) => name).join(', ')}`);
    process.exit(2);
  }
  return names.length === 0 ? CLIENTS : CLIENTS.filter(({ name }) => names.includes(name));
}
