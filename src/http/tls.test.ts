import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import tls from 'node:tls';
import { createDevelopmentIdentity } from '../core/net/certificates.ts';
import { testHost } from '../core/testing/host.ts';
import { systemClock } from '../core/time/system-clock.ts';
import { text } from './reply.ts';
import { startHttpServer } from './server.ts';

test('a handler knows its client by certificate, and a server takes new certificates while it serves', async () => {
  const [one, two, alice] = await Promise.all(
    ['one.test', 'two.test', 'alice.test'].map((name) => createDevelopmentIdentity(systemClock, [name])),
  );
  const clients = { ca: alice!.ca, required: true };
  const server = await startHttpServer({
    host: testHost('http'),
    address: { host: '127.0.0.1', port: 0 },
    tls: { ...one!, clients },
    handler: (request) => text(200, `${request.secure} ${request.peerIdentity?.subject}`),
  });
  const dial = async (): Promise<tls.TLSSocket> => {
    const { address: host, port } = server.endpoint;
    const { cert, key } = alice!;
    const socket = tls.connect({ host, port, cert, key, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    return socket;
  };
  const ask = async (socket: tls.TLSSocket): Promise<string> => {
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer.toString().split('\r\n\r\n')[1] ?? '';
  };
  const before = await dial();
  server.replaceTls({ ...two!, clients });
  const after = await dial();
  assert.equal(before.getPeerX509Certificate()?.subject, 'CN=one.test');
  assert.equal(after.getPeerX509Certificate()?.subject, 'CN=two.test');
  assert.equal(await ask(before), 'true CN=alice.test');
  assert.equal(await ask(after), 'true CN=alice.test');
  before.destroy();
  after.destroy();
  await server.close();
});
