import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { brotliCompressSync, gunzipSync } from 'node:zlib';
import type { Files } from '../core/files/files.ts';
import { createMemoryFiles } from '../core/files/memory-files.ts';
import { systemFiles } from '../core/files/system-files.ts';
import { testHost } from '../core/testing/host.ts';
import { createHttpClient, type Handler, json, startHttpServer } from '../http/index.ts';
import { startConsole } from './index.ts';

const web = path.join(import.meta.dirname, '../../web');

const admin: Handler = (request) =>
  request.path === '/status'
    ? json(200, { services: [] })
    : json(200, { samples: [], token: request.headers.get('authorization') });

interface Setting {
  readonly token?: string;
  readonly handler?: Handler;
  readonly files?: Files;
  readonly assets?: string;
}

async function start({ token = '', handler = admin, files = systemFiles, assets = web }: Setting = {}) {
  const host = { ...testHost('console'), files };
  const source = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler });
  const sources = { here: `http://127.0.0.1:${source.endpoint.port}`, away: 'http://127.0.0.1:1' };
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
    open: (target: string, method = 'GET') => client.request({ method, url: base + target }),
    close: (drainMs: number) => console.close(drainMs),
    async getBytes(target: string, headers: readonly (readonly [string, string])[]) {
      const response = await client.request({ url: base + target, headers });
      return { headers: response.headers, bytes: await response.body.bytes(1_000_000) };
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await console.close();
      await source.close(0);
    },
  };
}

async function write(files: Files, name: string, bytes: Uint8Array): Promise<void> {
  const file = await files.open(name, 'create');
  await file.write(0, bytes);
  await file.close();
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
  const outside = [
    '..%2fpackage.json',
    '%2e%2e%2fpackage.json',
    '..%5cpackage.json',
    '%2e%2e/package.json',
    '.env',
    'x.js',
    'console.ts',
    '%2e%2e',
    'console.js%00.css',
    '%c0%ae%c0%ae/package.json',
    '',
  ];
  for (const name of outside) {
    const answer = await console.get(`/assets/${name}`);
    assert.ok([400, 404].includes(answer.status), `asset ${name}: ${answer.status}`);
    assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'self'/, `asset ${name}`);
  }
});

test('a file is asked for again with its tag, and in parts', async () => {
  await using console = await start();
  const whole = await console.get('/assets/console.js');
  const etag = whole.headers.get('etag') ?? '';
  assert.match(etag, /^"/);
  assert.equal(whole.headers.get('cache-control'), 'no-cache');
  assert.deepEqual(whole.headers.getAll('x-content-type-options'), ['nosniff']);
  const again = await console.get('/assets/console.js', [['If-None-Match', etag]]);
  assert.equal(again.status, 304);
  assert.equal(again.body, '');
  const part = await console.get('/assets/console.js', [['Range', 'bytes=3-9']]);
  assert.equal(part.status, 206);
  assert.equal(part.body, whole.body.slice(3, 10));
  assert.equal((await console.get('/assets/console.js', [['Range', 'bytes=999999-']])).status, 416);
});

test('a file that was compressed beforehand is served so to whom it suits', async () => {
  const files = createMemoryFiles();
  await files.makeFolder('/web');
  const script = 'export const spells = 1;\n';
  await write(files, '/web/spells.js', Buffer.from(script));
  await write(files, '/web/spells.js.br', brotliCompressSync(script));
  await using console = await start({ files, assets: '/web' });
  const coded = await console.getBytes('/assets/spells.js', [['Accept-Encoding', 'br']]);
  assert.equal(coded.headers.get('content-encoding'), 'br');
  assert.deepEqual(coded.headers.getAll('vary'), ['Accept-Encoding']);
  assert.deepEqual(coded.bytes, brotliCompressSync(script));
  const plain = await console.get('/assets/spells.js');
  assert.equal(plain.body, script);
  assert.deepEqual(plain.headers.getAll('vary'), ['Accept-Encoding']);
});

test('a long overview is compressed for who takes it', async () => {
  const samples = Array.from({ length: 500 }, (_, at) => ({ name: `octet_dns_queries_${at}`, value: at }));
  await using console = await start({ handler: () => json(200, { samples }) });
  const coded = await console.getBytes('/data/overview', [['Accept-Encoding', 'gzip']]);
  assert.equal(coded.headers.get('content-encoding'), 'gzip');
  assert.equal(coded.headers.get('vary'), 'Accept-Encoding');
  const { sources } = JSON.parse(gunzipSync(coded.bytes).toString()) as { sources: { samples?: unknown }[] };
  assert.deepEqual(sources[0]?.samples, { samples });
  const plain = await console.get('/data/overview');
  assert.equal(plain.headers.get('content-encoding'), undefined);
  assert.equal(plain.headers.get('vary'), 'Accept-Encoding');
});

test('events pass as they are sent, and resume where the page says', async () => {
  const handler: Handler = (request) => ({
    status: 200,
    headers: [['Content-Type', 'text/event-stream']],
    body: `id: 7.2\ndata: after ${request.headers.get('last-event-id') ?? 'nothing'}\n\n`,
  });
  await using console = await start({ handler });
  const first = await console.get('/data/events/here', [['Accept-Encoding', 'gzip']]);
  assert.equal(first.body, 'id: 7.2\ndata: after nothing\n\n');
  assert.equal(first.headers.get('content-type'), 'text/event-stream');
  assert.equal(first.headers.get('content-encoding'), undefined, 'never held back by an encoder');
  assert.equal(first.headers.get('cache-control'), 'no-store, no-transform');
  const resumed = await console.get('/data/events/here', [['Last-Event-ID', '7.1']]);
  assert.equal(resumed.body, 'id: 7.2\ndata: after 7.1\n\n');
});

test('HEAD of events opens no stream at the source', async () => {
  let opened = 0;
  const handler: Handler = () => {
    opened++;
    return { status: 200, body: ':\n' };
  };
  await using console = await start({ handler });
  const answer = await console.open('/data/events/here', 'HEAD');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/event-stream');
  assert.equal(opened, 0);
  assert.equal((await console.open('/data/events/elsewhere', 'HEAD')).status, 404);
});

test('a stop does not wait for the end of a stream', async () => {
  const handler: Handler = (request) => ({
    status: 200,
    body: (async function* () {
      yield Buffer.from(':\n');
      await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
    })(),
  });
  await using console = await start({ handler });
  const stream = await console.open('/data/events/here');
  const pieces = stream.body[Symbol.asyncIterator]();
  assert.equal(String((await pieces.next()).value), ':\n');
  const rest = pieces.next().then(
    () => 'ended',
    () => 'cut',
  );
  await console.close(600_000);
  assert.equal(await rest, 'cut');
});

test('events of a source that refuses or is away are no stream', async () => {
  await using console = await start({ handler: () => json(401, {}) });
  for (const source of ['here', 'away']) {
    const answer = await console.get(`/data/events/${source}`);
    assert.equal(answer.status, 502, source);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  }
});

test('every source is shown, also one that is away', async () => {
  await using console = await start({ token: 'secret' });
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
  await using console = await start({ token: 'secret' });
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
