/** What a TLS client shows and asks for. */
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import nodeTls from 'node:tls';
import { systemClock } from '../time/system-clock.ts';
import { createDevelopmentIdentity } from './certificates.ts';
import { createSystemNetwork } from './system-network.ts';

const limits = {
  maxConnections: 10,
  firstByteTimeoutMs: 5_000,
  idleTimeoutMs: 0,
  maxBufferedBytes: 1_000_000,
  closeTimeoutMs: 500,
};

test('a TLS client of an address names nobody, checks the address, and can ask for a version', async () => {
  const network = createSystemNetwork();
  const identity = await createDevelopmentIdentity(systemClock, ['127.0.0.1']);
  const tls = await network.listen({ host: '127.0.0.1', port: 0, limits, tls: identity }, (connection) => {
    connection.attach({ data: (chunk) => connection.write(chunk) });
  });
  const to = { host: '127.0.0.1', port: tls.endpoint.port, timeoutMs: 5_000 };
  const options = { serverName: '127.0.0.1', ca: identity.ca };
  for (const more of [{}, { minVersion: 'TLSv1.3' as const }]) {
    const connection = await network.connect({ ...to, tls: { ...options, ...more } });
    assert.equal(connection.secure, true);
    connection.destroy();
  }
  const wrong = network.connect({ ...to, tls: { ...options, serverName: '127.0.0.2' } });
  await assert.rejects(wrong, { code: 'tls-failed' });
  await tls.close(0);
});

test('a TLS client shows its own certificate to a server that asks for one', async () => {
  const network = createSystemNetwork();
  const server = await createDevelopmentIdentity(systemClock, ['localhost']);
  const own = await createDevelopmentIdentity(systemClock, ['client.test']);
  const seen = Promise.withResolvers<string | undefined>();
  const options = { cert: server.cert, key: server.key, requestCert: true, rejectUnauthorized: false };
  const asking = nodeTls.createServer(options, (socket) => {
    seen.resolve(socket.getPeerX509Certificate()?.subject);
    socket.destroy();
  });
  await new Promise<void>((resolve) => asking.listen(0, '127.0.0.1', resolve));
  const { port } = asking.address() as AddressInfo;
  const identity = { cert: own.cert, key: own.key };
  const connection = await network.connect({
    host: '127.0.0.1',
    port,
    timeoutMs: 5_000,
    tls: { serverName: 'localhost', ca: server.ca, identity },
  });
  assert.equal(await seen.promise, 'CN=client.test');
  connection.destroy();
  await new Promise((resolve) => asking.close(resolve));
});
