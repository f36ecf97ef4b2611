import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testHost } from '../core/testing/host.ts';
import { createHttpClient, type HeaderList } from '../http/index.ts';
import { startAdmin } from './admin.ts';

async function asked(token = '') {
  const host = testHost('admin');
  const admin = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    observatory: host.observatory,
    services: () => [],
    world: host,
    startedAtMs: 0,
    copyStates: async () => [],
    controlKey: 'key',
    token,
    httpLimits: {},
  });
  const client = createHttpClient(host);
  return {
    async get(path: string, headers: HeaderList = []) {
      const url = `http://127.0.0.1:${admin.endpoint.port}${path}`;
      const response = await client.request({ url, headers });
      await response.body.bytes(1_000_000);
      return response;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await admin.close(0);
    },
  };
}

test('without a token, only this machine asks, by its own name and from no page', async () => {
  await using admin = await asked();
  for (const host of ['localhost', '127.0.0.1:1', '[::1]', '[::1]:8901', 'LOCALHOST:1'])
    assert.equal((await admin.get('/status', [['Host', host]])).status, 200, host);
  for (const host of ['evil.example', 'localhost.evil.example', '127.evil.example:80', '[::2]'])
    assert.equal((await admin.get('/status', [['Host', host]])).status, 403, host);
  assert.equal((await admin.get('/status', [['Origin', 'https://evil.example']])).status, 403);
  assert.equal((await admin.get('/healthz', [['Host', 'evil.example']])).status, 200);
});

test('with a token, whoever has it', async () => {
  await using admin = await asked('a secret');
  const bearer = (token: string) => [['Authorization', `Bearer ${token}`]] as const;
  assert.equal((await admin.get('/status', bearer('a secret'))).status, 200);
  for (const headers of [[], bearer('another'), bearer(''), [['Authorization', 'a secret']] as const]) {
    const refused = await admin.get('/status', headers);
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get('www-authenticate'), 'Bearer realm="octet admin"');
  }
  assert.equal((await admin.get('/readyz')).status, 200);
});
