/** All services together: embedded in a test, twice at once, and durable across kill -9 of the whole process. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import pg from 'pg';
import { runDemo } from '../../examples/spells/demo.ts';
import spells from '../../examples/spells/octet.config.ts';
import { startOctet } from '../../src/octet.ts';

const baseDir = path.join(import.meta.dirname, '../../examples/spells');

test('the demo passes in memory, and nothing is left open', async () => {
  const before = process.getActiveResourcesInfo().filter(isServer).length;
  const octet = await startOctet({ ...spells, baseDir });
  await runDemo({ env: octet.env, adminUrls: [octet.env['OCTET_ADMIN_URL'] ?? ''], print: () => undefined });
  await octet.close();
  // What is closed goes off the list at the end of a turn of the event loop.
  for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(process.getActiveResourcesInfo().filter(isServer).length, before);
});

function isServer(resource: string): boolean {
  return resource === 'TCPServerWrap' || resource === 'UDPWrap';
}

test('two at once share nothing', async () => {
  await using left = await startOctet({ services: ['cache', 'database'] });
  await using right = await startOctet({ services: ['cache', 'database'] });
  const clients = [left, right].map((octet) => ({
    redis: new Redis(octet.env['REDIS_URL'] ?? ''),
    sql: new pg.Client({ connectionString: octet.env['DATABASE_URL'] }),
  }));
  for (const [index, { redis, sql }] of clients.entries()) {
    await redis.set('who', String(index));
    await sql.connect();
    await sql.query('CREATE TABLE who (id int PRIMARY KEY)');
    await sql.query('INSERT INTO who VALUES ($1)', [index]);
  }
  for (const [index, { redis, sql }] of clients.entries()) {
    assert.equal(await redis.get('who'), String(index));
    assert.deepEqual((await sql.query('SELECT id FROM who')).rows, [{ id: index }]);
    redis.disconnect();
    await sql.end();
  }
});

test('a start that fails leaves nothing behind, and says which setting', async () => {
  await assert.rejects(startOctet({ database: { init: ['no-such-file.sql'] } }), /no-such-file\.sql/);
  await assert.rejects(startOctet({ host: '0.0.0.0' }), /database\.password.*adminToken/);
  await assert.rejects(
    startOctet({ cache: { prot: 1 } } as never),
    /cache\.prot in the options: .*did you mean port/,
  );
});

test('a start loads of the HTTP library only what every start needs', async () => {
  const script = `
    import { registerHooks } from 'node:module';
    const loaded = new Set();
    registerHooks({ load: (url, context, next) => { loaded.add(url); return next(url, context); } });
    const { startOctet } = await import('./src/octet.ts');
    const octet = await startOctet({ objects: { buckets: ['files'] }, api: { filesBucket: 'files' } });
    await octet.close();
    const folders = [...loaded].flatMap((url) => /\\/src\\/http\\/(.+)\\//.exec(url)?.[1] ?? []);
    console.log(JSON.stringify([...new Set(folders)].sort()));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: path.join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const text of child.stdout) said += String(text);
  assert.deepEqual(JSON.parse(said), ['access', 'client', 'conditional', 'cors', 'events', 'router', 'wire']);
});

test('the bounds of HTTP hold at every listener', async () => {
  await using octet = await startOctet({ ...spells, baseDir, http: { headTimeoutMs: 50, fieldCount: 5 } });
  const listeners = [
    ['api-1', 'main'],
    ['balancer', 'main'],
    ['balancer', 'management'],
    ['objects', 'main'],
    ['mail', 'http'],
    ['queue', 'management'],
    ['console', 'main'],
    ['admin', 'main'],
  ] as const;
  for (const [service, role] of listeners) {
    const { port = 0 } = octet.endpoints(service)?.[role] ?? {};
    const late = await answerTo(port, 'GET / HTTP/1.1\r\nHo');
    assert.match(late, /^HTTP\/1\.1 408 /, `${service} ${role}: half a head`);
    const many = await answerTo(port, `GET / HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(5)}\r\n`);
    assert.match(many, /^HTTP\/1\.1 431 /, `${service} ${role}: many fields`);
  }
});

test('a bound of HTTP that is none, or would say nothing, is refused', async () => {
  await assert.rejects(startOctet({ http: { headTimeoutMs: 0 } }), /http\.headTimeoutMs.*at least 1/);
  await assert.rejects(
    startOctet({ http: { bodyBytesPerSecond: 0 } }),
    /http\.bodyBytesPerSecond.*at least 1/,
  );
  await assert.rejects(
    startOctet({ http: { http2Streams: 5 } } as never),
    /http\.http2Streams.*no such setting/,
  );
});

test('names that the balancer answers to are the API’s too, and no others', async () => {
  const { routes } = spells.balancer;
  await using octet = await startOctet({
    ...spells,
    baseDir,
    balancer: {
      ...spells.balancer,
      routes: [...routes, { host: 'api.example.org', pathPrefix: '/', pool: 'api' }],
      allowedHosts: ['shop.example.com', '*.b.example.com'],
    },
    api: { ...spells.api, allowedHosts: ['own.example.net'] },
  });
  const ask = (service: string, host: string, request = 'GET /api/spells') => {
    const { port = 0 } = octet.endpoints(service)?.['main'] ?? {};
    return answerTo(port, `${request} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  };
  const through = ['shop.example.com', 'a.b.example.com:8080', 'api.example.org', 'spells.test', '127.0.0.1'];
  for (const host of through) {
    for (const service of ['balancer', 'api-1', 'api-2'])
      assert.match(await ask(service, host), /^HTTP\/1\.1 200 /, `${service} ${host}`);
  }
  for (const service of ['balancer', 'api-1', 'api-2'])
    assert.match(await ask(service, 'evil.example.com'), /^HTTP\/1\.1 421 /, service);
  assert.match(await ask('api-1', 'own.example.net'), /^HTTP\/1\.1 200 /);
  assert.match(await ask('balancer', 'own.example.net'), /^HTTP\/1\.1 421 [\s\S]*"foreign-host"/);
});

test('a name that is no host name is refused at the start', async () => {
  await assert.rejects(
    startOctet({ balancer: { allowedHosts: ['shop.example.com:8080'] } }),
    /balancer\.allowedHosts\.0 in the options: "shop\.example\.com:8080" is no host name/,
  );
});

/** All that comes back until the server closes. */
async function answerTo(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(request, 'latin1');
  let answer = '';
  for await (const bytes of socket) answer += String(bytes);
  return answer;
}

/** Moves every port to where nobody is, below the range that outgoing connections take theirs from. */
const PORT_OFFSET = 12_000;

test('after kill -9 of the whole process, rows, objects, queued messages and mail are there', {
  timeout: 120_000,
}, async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'octet-killed-'));
  const flags = [
    '--config',
    path.join(baseDir, 'octet.config.ts'),
    '--data-dir',
    folder,
    '--port-offset',
    String(PORT_OFFSET),
  ];
  let child: ChildProcess | undefined;
  try {
    for (let round = 0; round < 2; round++) {
      child = spawn(process.execPath, ['bin/octet.mjs', 'up', ...flags], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await ready(child);
      const demo = await run(['demo', '--attach', ...flags]);
      assert.equal(demo.code, 0, demo.output);
      if (round > 0)
        assert.match(
          demo.output,
          /earlier runs: 1 rows, 1 objects, 1 mails and \d+ queued messages are still there/,
        );
      await killed(child);
    }
  } finally {
    if (child !== undefined) await killed(child);
    await rm(folder, { recursive: true, force: true });
  }
});

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}

async function ready(child: ChildProcess): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('ready in')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`octet up ended with ${code}: ${output}`)));
  });
}

async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['bin/octet.mjs', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}
