import assert from 'node:assert/strict';
import { test } from 'node:test';
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
