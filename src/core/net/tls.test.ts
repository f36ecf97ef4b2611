import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import nodeTls from 'node:tls';
import { systemClock } from '../time/system-clock.ts';
import { createDevelopmentIdentity } from './certificates.ts';
import type { Connection } from './network.ts';
import { createSystemNetwork } from './system-network.ts';

const limits = {
  maxConnections: 10,
  firstByteTimeoutMs: 5_000,
  idleTimeoutMs: 0,
  maxBufferedBytes: 1_000_000,
  closeTimeoutMs: 500,
};

function firstText(connection: Connection): Promise<string> {
  return new Promise((resolve) => connection.attach({ data: (chunk) => resolve(chunk.toString()) }));
}

test('TLS from the first byte, with a certificate that a client of its authority accepts', async () => {
  const network = createSystemNetwork();
  const identity = await createDevelopmentIdentity(systemClock, ['localhost', '127.0.0.1']);
  const tls = await network.listen({ host: '127.0.0.1', port: 0, limits, tls: identity }, (connection) => {
    connection.attach({ data: (chunk) => connection.write(chunk) });
  });
  const to = { host: '127.0.0.1', port: tls.endpoint.port, timeoutMs: 5_000 };
  const trusted = await network.connect({ ...to, tls: { serverName: 'localhost', ca: identity.ca } });
  assert.equal(trusted.secure, true);
  trusted.write('hello');
  assert.equal(await firstText(trusted), 'hello');
  trusted.destroy();
  await assert.rejects(network.connect({ ...to, tls: { serverName: 'localhost' } }), { code: 'tls-failed' });
  const wrongName = network.connect({ ...to, tls: { serverName: 'elsewhere.test', ca: identity.ca } });
  await assert.rejects(wrongName, { code: 'tls-failed' });
  // Who leaves in mid-handshake is seen to leave; nobody waits for a timeout.
  const plain = await network.connect({ host: to.host, port: to.port, timeoutMs: 5_000 });
  plain.attach({ data: () => undefined });
  plain.write(Buffer.from([22, 3, 1]));
  plain.end();
  while (tls.connectionCount > 0) await systemClock.sleep(5);
  await tls.close();
});

test('upgrade in mid-stream: what was sent in the clear before the handshake is forgotten', async () => {
  const network = createSystemNetwork();
  const identity = await createDevelopmentIdentity(systemClock, ['localhost']);
  const got = Promise.withResolvers<string>();
  const plain = await network.listen({ host: '127.0.0.1', port: 0, limits }, (connection) => {
    connection.attach({
      data: () => {
        connection.pause();
        connection.write('go');
        connection.startTlsServer(identity).then(() => {
          connection.attach({ data: (chunk) => got.resolve(chunk.toString()) });
          connection.resume();
        }, got.reject);
      },
    });
  });
  const client = await network.connect({ host: '127.0.0.1', port: plain.endpoint.port, timeoutMs: 5_000 });
  client.write('STARTTLS');
  assert.equal(await firstText(client), 'go');
  await client.startTlsClient({ serverName: 'localhost', ca: identity.ca });
  client.write('secret');
  assert.equal(await got.promise, 'secret');
  client.destroy();
  await plain.close();
});

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
