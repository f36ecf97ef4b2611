/**
 * npm run slow
 *
 * slowhttptest (Debian) in its four modes against our server, and normal clients beside it, each on a connection of
 * its own, which must go on being answered at once. When the attack is over no connection of it may be left.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { testHost } from '../../src/core/testing/host.ts';
import { systemClock } from '../../src/core/time/system-clock.ts';
import { createHttpClient, type HttpServer, startHttpServer, text } from '../../src/http/index.ts';

const PROGRAM = '/usr/bin/slowhttptest';
const ATTACK_SECONDS = 8;
const CONNECTIONS = 300;
const NORMAL_CLIENTS = 500;
/** Short, so that an attack meets its end while it runs. */
const LIMITS = {
  firstByteTimeoutMs: 2_000,
  headTimeoutMs: 2_000,
  bodyGraceMs: 2_000,
  writeStallTimeoutMs: 2_000,
  keepAliveTimeoutMs: 2_000,
  closeTimeoutMs: 500,
};
/** A busy machine under attack may be slow; a client in a queue behind the attackers would wait for the whole attack. */
const PATIENCE_MS = 5_000;
/** Between two requests of a normal client. */
const THINK_MS = 1_000;
const PAUSE_MS = 20;
const LARGE = 'x'.repeat(1_000_000);

const MODES: Readonly<Record<string, readonly string[]>> = {
  'slow heads (-H)': ['-H', '-i', '1', '-x', '24'],
  'slow bodies (-B)': ['-B', '-i', '1', '-s', '8192', '-x', '10', '-t', 'POST'],
  'many ranges (-R)': ['-R', '-a', '10', '-b', '500', '-t', 'HEAD'],
  'slow readers (-X)': ['-X', '-w', '512', '-y', '1024', '-n', '1', '-z', '32', '-k', '3'],
};

/** Requests of the attack that reached the handler. */
interface Counted {
  attacks: number;
}

process.exitCode = await main();

async function main(): Promise<number> {
  if (!existsSync(PROGRAM)) {
    console.log('slow: skipped, needs Debian package slowhttptest');
    return 0;
  }
  const host = testHost('http');
  const counted: Counted = { attacks: 0 };
  const server = await startHttpServer({
    host,
    address: { host: '127.0.0.1', port: 0 },
    limits: LIMITS,
    handler: async (request) => {
      if (request.path !== '/normal') counted.attacks++;
      await request.body.bytes(10_000);
      return text(200, request.path === '/normal' ? 'ok' : LARGE);
    },
  });
  let failures = 0;
  for (const [mode, args] of Object.entries(MODES)) {
    try {
      console.log(`${mode}: ${await withstand(server, counted, args)}`);
    } catch (error) {
      failures++;
      console.error(`${mode}: failed, ${error instanceof Error ? error.message : error}`);
    }
  }
  await server.close(1_000);
  return failures === 0 ? 0 : 1;
}

/** @returns what it saw */
async function withstand(server: HttpServer, counted: Counted, args: readonly string[]): Promise<string> {
  const url = `http://127.0.0.1:${server.endpoint.port}`;
  const scale = ['-c', String(CONNECTIONS), '-r', '200', '-l', String(ATTACK_SECONDS), '-p', '3'];
  const attack = spawn(PROGRAM, [...args, ...scale, '-u', `${url}/`], { stdio: 'ignore' });
  const over = once(attack, 'exit');
  let isOver = false;
  void over.then(() => {
    isOver = true;
  });
  const { network } = testHost('client');
  counted.attacks = 0;
  const seen = { answered: 0, slowestMs: 0, mostConnections: 0 };
  // Each has a pool of its own, and so a connection of its own.
  const normal = async (): Promise<void> => {
    await using client = createHttpClient({ network, clock: systemClock });
    await sleep(Math.random() * THINK_MS);
    while (!isOver) {
      const startedAt = performance.now();
      const response = await client.request({ url: `${url}/normal`, timeoutMs: PATIENCE_MS });
      assert.equal(await response.body.text(100), 'ok');
      seen.slowestMs = Math.max(seen.slowestMs, performance.now() - startedAt);
      seen.answered++;
      seen.mostConnections = Math.max(seen.mostConnections, server.connectionCount);
      await sleep(THINK_MS);
    }
  };
  await Promise.all(Array.from({ length: NORMAL_CLIENTS }, normal));
  const patience = AbortSignal.timeout(10_000);
  while (server.connectionCount > 0) {
    assert.ok(!patience.aborted, `${server.connectionCount} connections are left`);
    await sleep(PAUSE_MS);
  }
  const { answered, mostConnections, slowestMs } = seen;
  assert.ok(mostConnections > NORMAL_CLIENTS + 10 || counted.attacks > 10, 'there was no attack');
  const crowd = `${NORMAL_CLIENTS} clients among up to ${mostConnections} connections`;
  return `${answered} answers to ${crowd}, the slowest after ${Math.round(slowestMs)} ms`;
}
