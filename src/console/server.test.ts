import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { systemFiles } from '../core/files/system-files.ts';
import { testHost } from '../core/testing/host.ts';
import { createHttpClient, json, startHttpServer } from '../http/index.ts';
import { startConsole } from './index.ts';

const assets = path.join(import.meta.dirname, '../../web');

async function start(token = '') {
  const host = { ...testHost('console'), files: systemFiles };
  const admin = await startHttpServer({
    host,
    address: { host: '127.0.0.1', port: 0 },
    handler: (request) =>
      request.path === '/status'
        ? json(200, { services: [] })
        : json(200, { samples: [], token: request.headers.get('authorization') }),
  });
  const sources = { here: `http://127.0.0.1:${admin.endpoint.port}`, away: 'http://127.0.0.1:1' };
  const console = await startConsole({ host: '127.0.0.1', port: 0, assets, sources, token }, host);
  const client = createHttpClient(host);
  const base = `http://127.0.0.1:${console.endpoints['main']?.port}`;
  return {
    async get(target: string, headers: readonly (readonly [string, string])[] = []) {
      const response = await client.request({ url: base + target, headers });
      return {
        status: response.status,
        headers: response.headers,
        body: await response.body.text(1_000_000),
      };
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await console.close();
      await admin.close(0);
    },
  };
}

test('the page and its files, with a policy that allows only our own scripts', async () => {
  await using console = await start();
  const page = await console.get('/');
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'self'/);
  assert.ok(!/<script>|onclick=|style=/.test(page.body), 'nothing in line');
  for (const [, name] of page.body.matchAll(/\/assets\/([\w.]+)/g)) {
    assert.equal((await console.get(`/assets/${name}`)).status, 200, `asset ${name}`);
  }
  for (const name of ['..%2fpackage.json', '.env', 'x.js', 'console.ts', '%2e%2e']) {
    assert.notEqual((await console.get(`/assets/${name}`)).status, 200, `asset ${name}`);
  }
});

test('every source is shown, also one that is away', async () => {
  await using console = await start('secret');
  const { sources } = JSON.parse((await console.get('/data/overview')).body) as {
    sources: { source: string; error?: string; samples?: { token: string } }[];
  };
  const shown = sources.map((one) => `${one.source} ${one.error === undefined}`);
  assert.deepEqual(shown, ['here true', 'away false']);
  assert.equal(sources[0]?.samples?.token, 'Bearer secret');
  assert.equal((await console.get('/data/events/nobody')).status, 404);
});

test('other origins and other names are refused', async () => {
  await using console = await start();
  assert.equal((await console.get('/data/overview', [['Origin', 'https://evil.example']])).status, 403);
  assert.equal((await console.get('/data/overview', [['Host', 'evil.example']])).status, 403);
  assert.equal((await console.get('/data/overview', [['Host', '127.evil.example']])).status, 403);
});

test('with a token, another name asks for it', async () => {
  await using console = await start('secret');
  const asked = await console.get('/', [['Host', 'console.example']]);
  assert.equal(asked.status, 401);
  assert.match(asked.headers.get('www-authenticate') ?? '', /^Basic/);
  const basic = (password: string) =>
    [
      ['Host', 'console.example'],
      ['Authorization', `Basic ${btoa(`octet:${password}`)}`],
    ] as const;
  assert.equal((await console.get('/', basic('secret'))).status, 200);
  assert.equal((await console.get('/', basic('wrong'))).status, 401);
});
