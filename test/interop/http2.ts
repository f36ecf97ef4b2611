/** HTTP/2 with curl and nghttp2's programs, against a server of the library in this process: no service has TLS here. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createDevelopmentIdentity } from '../../src/core/net/certificates.ts';
import { testHost } from '../../src/core/testing/host.ts';
import { systemClock } from '../../src/core/time/system-clock.ts';
import { createRouter, startHttpServer, text } from '../../src/http/index.ts';
import { type Client, succeed } from './client.ts';

const LARGE = randomBytes(5 * 1024 * 1024);

const router = createRouter()
  .add('GET', '/hello', ({ version, headers }) => text(200, `${version} ${headers.get('cookie') ?? ''}`))
  .add('GET', '/large', () => ({ status: 200, body: LARGE }))
  .add('POST', '/echo', ({ body }) => ({ status: 200, body, trailers: () => [['X-Checked', 'yes']] }))
  .add('PUT', '/count', async ({ body }) => text(200, String((await body.bytes(10_000_000)).length)))
  .add('PUT', '/refused', () => text(403, 'no'));

/** Gives `check` the addresses of a server with TLS and of one without. */
function served(
  check: (secure: string, plain: string, folder: string) => Promise<void>,
): Client['checks'][string] {
  return async ({ folder }) => {
    const tls = await createDevelopmentIdentity(systemClock, ['localhost', '127.0.0.1']);
    const address = { host: '127.0.0.1', port: 0 };
    const common = { host: testHost('http'), address, handler: router.handle };
    await using secure = await startHttpServer({ ...common, tls });
    await using plain = await startHttpServer({ ...common, http2: 'cleartext', name: 'plain' });
    await check(
      `https://127.0.0.1:${secure.endpoint.port}`,
      `http://127.0.0.1:${plain.endpoint.port}`,
      folder,
    );
  };
}

function curl(...words: string[]): Promise<string> {
  return succeed('curl', ['-sSk', '--max-time', '30', ...words]);
}

async function load(url: string, requests: number): Promise<void> {
  const report = await succeed('h2load', ['-n', String(requests), '-c', '10', '-m', '20', url]);
  assert.match(report, new RegExp(`${requests} succeeded, 0 failed, 0 errored, 0 timeout`));
  assert.match(report, new RegExp(`status codes: ${requests} 2xx`));
}

export const http2: Client = {
  name: 'http2',
  packages: ['curl', 'nghttp2-client'],
  probe: ['h2load', '--version'],
  services: [],
  checks: {
    'curl chooses by ALPN, and by prior knowledge': served(async (secure, plain) => {
      assert.equal(await curl('--http2', `${secure}/hello`), '2 ');
      assert.equal(await curl('--http1.1', `${secure}/hello`), '1.1 ');
      assert.equal(await curl('--http2-prior-knowledge', '-b', 'a=1; b=2', `${plain}/hello`), '2 a=1; b=2');
      assert.equal(await curl(`${plain}/hello`), '1.1 ');
      assert.match(await curl('--http2', '-I', `${secure}/large`), /^HTTP\/2 200 .*content-length: 5242880/s);
    }),
    'curl sends and gets megabytes, with length and without': served(async (secure, _plain, folder) => {
      const file = path.join(folder, 'large.bin');
      await writeFile(file, LARGE);
      const copy = path.join(folder, 'copy.bin');
      await curl('--http2', '--data-binary', `@${file}`, '-o', copy, `${secure}/echo`);
      await succeed('cmp', [file, copy]);
      assert.equal(await curl('--http2', '-T', file, `${secure}/count`), '5242880');
      assert.equal(
        await succeed('curl', ['-sSk', '--http2', '-T', '-', `${secure}/count`], { input: LARGE }),
        '5242880',
      );
      assert.equal(await curl('--http2', '-T', file, `${secure}/refused`), 'no');
    }),
    'nghttp sees the trailers': served(async (secure) => {
      const seen = await succeed('nghttp', [
        '-v',
        '-d',
        '/etc/hostname',
        '-H',
        ':method: POST',
        `${secure}/echo`,
      ]);
      assert.match(seen, /x-checked: yes/);
    }),
    'h2load gets all its answers, with TLS and without': served(async (secure, plain) => {
      await load(`${secure}/hello`, 5_000);
      await load(`${plain}/hello`, 5_000);
      await load(`${secure}/large`, 50);
    }),
  },
};
