/**
 * The other way round: our HTTP client against the field's server. Needs none of our services.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createSystemNetwork } from '../../src/core/net/system-network.ts';
import { systemClock } from '../../src/core/time/system-clock.ts';
import { createHttpClient, type HttpClient } from '../../src/http/index.ts';
import type { Check, Client, InteropWorld } from './client.ts';

const FILE = randomBytes(300_000);
const network = createSystemNetwork();

interface Nginx extends AsyncDisposable {
  readonly url: string;
  readonly client: HttpClient;
}

async function freePort(): Promise<number> {
  const limits = {
    maxConnections: 1,
    firstByteTimeoutMs: 0,
    idleTimeoutMs: 0,
    maxBufferedBytes: 1,
    closeTimeoutMs: 0,
  };
  const listener = await network.listen({ host: '127.0.0.1', port: 0, limits }, () => undefined);
  const { port } = listener.endpoint;
  await listener.close(0);
  return port;
}

function configuration(folder: string, port: number): string {
  return `
daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  keepalive_timeout 3s 3s; keepalive_requests 5; ssi on; ssi_types text/plain;
  server {
    listen 127.0.0.1:${port}; root ${folder}/files; default_type text/plain; chunked_transfer_encoding on;
    client_max_body_size 1m;
    location /bin/ { default_type application/octet-stream; ssi off; }
    location /moved { return 302 /bin/file; }
    location /echo { client_body_in_file_only off; proxy_pass http://127.0.0.1:${port}/sink; }
    location /sink { return 200 "$request_method $http_content_length $http_transfer_encoding"; }
    location /small { client_max_body_size 10; proxy_pass http://127.0.0.1:${port}/sink; }
  }
}
`;
}

async function start(folder: string): Promise<Nginx> {
  const port = await freePort();
  await mkdir(path.join(folder, 'files', 'bin'), { recursive: true });
  await writeFile(path.join(folder, 'files', 'bin', 'file'), FILE);
  // Included parts make an answer whose length nginx does not know beforehand: chunked.
  await writeFile(path.join(folder, 'files', 'page'), '<!--#echo var="request_method" --> and more');
  const file = path.join(folder, 'nginx.conf');
  await writeFile(file, configuration(folder, port));
  const child = spawn('nginx', ['-p', folder, '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  await untilListening(port);
  const client = createHttpClient({ network, clock: systemClock });
  return {
    url: `http://127.0.0.1:${port}`,
    client,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await stop(child);
    },
  };
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      const connection = await network.connect({ host: '127.0.0.1', port, timeoutMs: 1_000 });
      return connection.destroy();
    } catch (error) {
      if (tries === 100) throw error;
      await systemClock.sleep(50);
    }
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

function withNginx(check: (nginx: Nginx) => Promise<void>): Check {
  return async ({ folder }: InteropWorld) => {
    await using nginx = await start(folder);
    await check(nginx);
  };
}

const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const nginx: Client = {
  name: 'nginx',
  packages: ['nginx-light'],
  probe: ['nginx', '-v'],
  services: [],
  checks: {
    'keep-alive, and its hint; after 5 requests nginx closes and nobody notices': withNginx(
      async ({ url, client }) => {
        for (let count = 0; count < 12; count++) {
          const response = await client.request({ url: `${url}/bin/file` });
          assert.equal(response.status, 200);
          if (count === 0) assert.equal(response.headers.get('keep-alive'), 'timeout=3');
          assert.equal(sum(await response.body.bytes(1_000_000)), sum(FILE));
        }
        assert.equal(client.counters.opened, 3);
        assert.equal(client.counters.failed, 0);
      },
    ),
    'chunked both ways': withNginx(async ({ url, client }) => {
      const page = await client.request({ url: `${url}/page` });
      assert.equal(page.headers.get('transfer-encoding'), 'chunked');
      assert.equal(await page.body.text(1_000), 'GET and more');
      async function* pieces(): AsyncGenerator<Buffer> {
        for (let count = 0; count < 10; count++) yield Buffer.alloc(10_000);
      }
      const echo = await client.request({ url: `${url}/echo`, method: 'PUT', body: pieces() });
      assert.equal(await echo.body.text(1_000), 'PUT 100000 ');
    }),
    'ranges and conditions': withNginx(async ({ url, client }) => {
      const range = [['Range', 'bytes=100-199']] as const;
      const part = await client.request({ url: `${url}/bin/file`, headers: range });
      assert.equal(part.status, 206);
      assert.deepEqual(await part.body.bytes(1_000), FILE.subarray(100, 200));
      const etag = part.headers.get('etag') ?? '';
      const same = await client.request({ url: `${url}/bin/file`, headers: [['If-None-Match', etag]] });
      assert.equal(same.status, 304);
      assert.equal((await same.body.bytes(10)).length, 0);
      const past = [['Range', 'bytes=900000-']] as const;
      const none = await client.request({ url: `${url}/bin/file`, headers: past });
      assert.equal(none.status, 416);
      none.body.discard();
      const head = await client.request({ url: `${url}/bin/file`, method: 'HEAD' });
      assert.equal(head.headers.get('content-length'), String(FILE.length));
      assert.equal((await head.body.bytes(10)).length, 0);
    }),
    '100-continue, and 413 instead of it': withNginx(async ({ url, client }) => {
      const told: number[] = [];
      const request = {
        method: 'PUT',
        body: 'x'.repeat(100),
        expectContinue: true,
        onInformational: (status: number) => void told.push(status),
      };
      const taken = await client.request({ ...request, url: `${url}/echo` });
      assert.equal(taken.status, 200);
      taken.body.discard();
      assert.deepEqual(told, [100]);
      const refused = await client.request({ ...request, url: `${url}/small` });
      assert.equal(refused.status, 413);
      refused.body.discard();
      assert.deepEqual(told, [100]);
      const next = await client.request({ url: `${url}/bin/file` });
      assert.equal(sum(await next.body.bytes(1_000_000)), sum(FILE));
    }),
    redirections: withNginx(async ({ url, client }) => {
      const response = await client.request({ url: `${url}/moved`, redirect: { follow: 1 } });
      assert.equal(response.url, `${url}/bin/file`);
      assert.equal(sum(await response.body.bytes(1_000_000)), sum(FILE));
    }),
  },
};
