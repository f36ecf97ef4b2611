import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import tls from 'node:tls';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { systemClock } from '../time/system-clock.ts';
import { createDevelopmentIdentity } from './certificates.ts';
import type { Connection, Listener, PeerIdentity, TlsServerOptions } from './network.ts';
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

interface Greeting {
  /** The first name of the certificate that the server has shown. */
  readonly shown: string;
  readonly text: string;
}

/** A server that greets its client with what it knows of it. */
async function greeter(
  options: TlsServerOptions,
  peers: (PeerIdentity | undefined)[] = [],
): Promise<Listener> {
  const listening = { host: '127.0.0.1', port: 0, limits, tls: options, alpn: ['http/1.1'] };
  return createSystemNetwork().listen(listening, (connection) => {
    peers.push(connection.peerIdentity);
    connection.attach({ data: () => undefined });
    connection.end(`hello ${connection.peerIdentity?.subject ?? 'stranger'}`);
  });
}

/** Connects by node:tls, and so with whatever a client may do. */
async function greeted({ endpoint }: Listener, options: tls.ConnectionOptions = {}): Promise<Greeting> {
  const socket = tls.connect({
    host: endpoint.address,
    port: endpoint.port,
    rejectUnauthorized: false,
    ...options,
  });
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, 'secureConnect');
  const shown = socket.getPeerX509Certificate()?.subject ?? '';
  await once(socket, 'close');
  return { shown, text };
}

async function identityFor(name: string) {
  return createDevelopmentIdentity(systemClock, [name]);
}

test('the certificate is that of the name asked for, also of a star, else the one for everyone', async () => {
  const [main, one, star] = await Promise.all(['main.test', 'one.test', '*.star.test'].map(identityFor));
  const server = await greeter({ ...main!, names: { 'one.test': one!, '*.Star.test': star! } });
  const cases: [asked: string | undefined, shown: string][] = [
    ['one.test', 'CN=one.test'],
    ['ONE.test', 'CN=one.test'],
    ['a.star.test', 'CN=*.star.test'],
    ['a.b.star.test', 'CN=main.test'],
    ['star.test', 'CN=main.test'],
    ['two.test', 'CN=main.test'],
    [undefined, 'CN=main.test'],
  ];
  for (const [servername, shown] of cases) {
    const greeting = await greeted(server, servername === undefined ? {} : { servername });
    assert.equal(greeting.shown, shown);
  }
  await server.close();
});

test('a certificate is replaced without a connection being dropped', async () => {
  const [before, after] = await Promise.all(['before.test', 'after.test'].map(identityFor));
  const network = createSystemNetwork();
  const listener = await network.listen(
    { host: '127.0.0.1', port: 0, limits, tls: before! },
    (connection) => {
      connection.attach({ data: (chunk) => connection.write(chunk) });
    },
  );
  const to = { host: '127.0.0.1', port: listener.endpoint.port, timeoutMs: 5_000 };
  const old = await network.connect({ ...to, tls: { serverName: 'before.test', ca: before!.ca } });
  listener.replaceTls(after!);
  assert.throws(() => listener.replaceTls({ ...before!, key: after!.key }), { code: 'bad-identity' });
  old.write('still here');
  assert.equal(await firstText(old), 'still here');
  const fresh = await network.connect({ ...to, tls: { serverName: 'after.test', ca: after!.ca } });
  await assert.rejects(network.connect({ ...to, tls: { serverName: 'before.test', ca: before!.ca } }));
  old.destroy();
  fresh.destroy();
  await listener.close();
});

test('a certificate that cannot be used keeps a listener from opening', async () => {
  const [one, other] = await Promise.all([identityFor('one.test'), identityFor('other.test')]);
  await assert.rejects(greeter({ ...one, cert: 'nonsense' }), { code: 'bad-identity' });
  await assert.rejects(greeter({ ...one, key: other.key }), { code: 'bad-identity' });
  await assert.rejects(greeter({ ...one, names: { 'x.test': { ...one, key: '' } } }), {
    code: 'bad-identity',
  });
});

test('clients are asked for a certificate, and it is checked', async () => {
  const [server, alice, mallory] = await Promise.all(
    ['server.test', 'alice.test', 'alice.test'].map(identityFor),
  );
  const peers: (PeerIdentity | undefined)[] = [];
  const optional = await greeter({ ...server!, clients: { ca: alice!.ca, required: false } }, peers);
  const required = await greeter(
    { ...server!, names: { 'x.test': server! }, clients: { ca: alice!.ca, required: true } },
    peers,
  );
  const asAlice = { cert: alice!.cert, key: alice!.key };
  const asMallory = { cert: mallory!.cert, key: mallory!.key };
  assert.equal((await greeted(optional)).text, 'hello stranger');
  assert.equal((await greeted(optional, asAlice)).text, 'hello CN=alice.test');
  assert.equal((await greeted(required, asAlice)).text, 'hello CN=alice.test');
  assert.equal((await greeted(required, { ...asAlice, servername: 'x.test' })).text, 'hello CN=alice.test');
  assert.equal((await greeted(required, { ...asAlice, maxVersion: 'TLSv1.2' })).text, 'hello CN=alice.test');
  assert.equal(peers[1]?.alternativeNames, 'DNS:alice.test');
  assert.match(peers[1]?.fingerprint ?? '', /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  const heard = peers.length;
  for (const [listener, options] of [
    [required, {}],
    [required, { maxVersion: 'TLSv1.2' as const }],
    [required, asMallory],
    [required, { ...asMallory, servername: 'x.test' }],
    [optional, asMallory],
  ] as const) {
    // TLS 1.3 lets the client believe that all is well until it reads: an error, or the end without a word.
    const outcome = await greeted(listener, options).then(
      ({ text }) => text,
      () => '',
    );
    assert.equal(outcome, '');
  }
  assert.equal(peers.length, heard, 'nobody who was refused has been let in');
  await Promise.all([optional.close(), required.close()]);
});

test('TLS begins at 1.2, and a client with other protocols only is refused', async () => {
  const server = await greeter(await identityFor('server.test'));
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await assert.rejects(greeted(server, old));
  await assert.rejects(greeted(server, { ALPNProtocols: ['h3'] }));
  assert.equal((await greeted(server, { ALPNProtocols: ['h2', 'http/1.1'] })).text, 'hello stranger');
  await server.close();
});

test('who does not finish the handshake in five seconds is let go', async () => {
  const clock = new SimulatedClock();
  const listener = await createSystemNetwork(clock).listen(
    {
      host: '127.0.0.1',
      port: 0,
      limits: { ...limits, firstByteTimeoutMs: 0 },
      tls: await identityFor('a.test'),
    },
    () => assert.fail('nobody has come through the handshake'),
  );
  const { address: host, port } = listener.endpoint;
  const client = await createSystemNetwork().connect({ host, port, timeoutMs: 5_000 });
  const closed = Promise.withResolvers<void>();
  client.attach({ data: () => undefined, close: () => closed.resolve() });
  client.write(Buffer.from([22, 3, 1]));
  while (listener.connectionCount === 0) await systemClock.sleep(1);
  await clock.advance(4_999);
  assert.equal(listener.connectionCount, 1);
  await clock.advance(2);
  await closed.promise;
  assert.equal(listener.connectionCount, 0);
  await listener.close();
});
