/** One contract suite for the real and the simulated network. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../time/simulated-clock.ts';
import { systemClock } from '../time/system-clock.ts';
import { createDevelopmentIdentity } from './certificates.ts';
import type { Connection, ConnectionLimits, Endpoint, Listener, Network } from './network.ts';
import { createSimulatedNetwork } from './simulated-network.ts';
import { createSystemNetwork } from './system-network.ts';

const LIMITS: ConnectionLimits = {
  maxConnections: 10,
  firstByteTimeoutMs: 0,
  idleTimeoutMs: 0,
  maxBufferedBytes: 1024 * 1024,
  closeTimeoutMs: 500,
};

const networks: [string, () => Network][] = [
  ['system', createSystemNetwork],
  ['simulated', () => createSimulatedNetwork({ clock: systemClock })],
];

async function echoServer(network: Network, limits: Partial<ConnectionLimits> = {}): Promise<Listener> {
  const options = {
    host: '127.0.0.1',
    port: 0,
    limits: { ...LIMITS, ...limits },
    refuse: () => 'full',
  };
  return network.listen(options, (connection) => {
    connection.attach({ data: (chunk) => connection.write(chunk) });
  });
}

function dial(network: Network, to: Endpoint): Promise<Connection> {
  return network.connect({ host: to.address, port: to.port, timeoutMs: 2_000 });
}

/** Everything a connection receives until it is closed. */
function received(connection: Connection): Promise<{ text: string; cause: Error | undefined }> {
  const { promise, resolve } = Promise.withResolvers<{ text: string; cause: Error | undefined }>();
  let text = '';
  connection.attach({
    data: (chunk) => {
      text += chunk.toString('latin1');
    },
    close: (cause) => resolve({ text, cause }),
  });
  return promise;
}

for (const [name, make] of networks) {
  test(`${name} network: echo, and half-close lets the answer through`, async () => {
    const network = make();
    const listener = await echoServer(network);
    const connection = await dial(network, listener.endpoint);
    const all = received(connection);
    connection.write('he');
    connection.write(Buffer.from('llo'));
    connection.end();
    assert.deepEqual(await all, { text: 'hello', cause: undefined });
    await listener.close();
    assert.equal(listener.connectionCount, 0);
  });

  test(`${name} network: bytes that arrive before attach are kept`, async () => {
    const network = make();
    const got = Promise.withResolvers<string>();
    const listener = await network.listen({ host: '127.0.0.1', port: 0, limits: LIMITS }, (connection) => {
      systemClock.schedule(20, () => connection.attach({ data: (chunk) => got.resolve(chunk.toString()) }));
    });
    const connection = await dial(network, listener.endpoint);
    connection.write('early');
    assert.equal(await got.promise, 'early');
    connection.destroy();
    await listener.close();
  });

  test(`${name} network: a chunk is the receiver's, whatever is read later`, async () => {
    const network = make();
    const chunks: Buffer[] = [];
    const listener = await network.listen({ host: '127.0.0.1', port: 0, limits: LIMITS }, (connection) => {
      connection.attach({
        data(chunk) {
          chunks.push(chunk);
          connection.write(chunk);
        },
      });
    });
    const [one, other] = [await dial(network, listener.endpoint), await dial(network, listener.endpoint)];
    const echoed: Buffer[] = [];
    for (const [connection, text] of [
      [one, 'first'],
      [other, 'other'],
      [one, 'third'],
    ] as const) {
      const answer = Promise.withResolvers<Buffer>();
      connection.attach({ data: answer.resolve });
      connection.write(text);
      echoed.push(await answer.promise);
    }
    assert.deepEqual(chunks.map(String), ['first', 'other', 'third']);
    assert.deepEqual(echoed.map(String), ['first', 'other', 'third']);
    await listener.close(0);
  });

  for (const side of ['server', 'client'] as const) {
    test(`${name} network: a ${side} that pauses in the turn of a resume gets nothing until the next`, async () => {
      const network = make();
      const accepted = Promise.withResolvers<Connection>();
      const listener = await network.listen({ host: '127.0.0.1', port: 0, limits: LIMITS }, accepted.resolve);
      const client = await dial(network, listener.endpoint);
      const server = await accepted.promise;
      const [reader, writer] = side === 'server' ? [server, client] : [client, server];
      let text = '';
      const ended = Promise.withResolvers<void>();
      reader.attach({ data: (chunk) => void (text += chunk.toString()), end: ended.resolve });
      writer.attach({ data: () => undefined });
      for (const [words, send] of [
        ['held ', () => writer.write('held ')],
        ['back', () => writer.end('back')],
      ] as const) {
        reader.resume();
        reader.pause();
        const before = text;
        send();
        // Time in which it would arrive.
        await new Promise<void>((resolve) => systemClock.schedule(30, resolve));
        assert.equal(text, before, `"${words}" came to a reader that had paused`);
      }
      reader.resume();
      await ended.promise;
      assert.equal(text, 'held back');
      reader.destroy();
      await listener.close();
    });
  }

  test(`${name} network: a slow reader is told of by write and drain`, async () => {
    const network = make();
    const accepted = Promise.withResolvers<Connection>();
    const listener = await network.listen({ host: '127.0.0.1', port: 0, limits: LIMITS }, accepted.resolve);
    const client = await dial(network, listener.endpoint);
    const server = await accepted.promise;
    let receivedBytes = 0;
    client.pause();
    client.attach({
      data: (chunk) => {
        receivedBytes += chunk.length;
      },
    });
    const drained = Promise.withResolvers<void>();
    server.attach({ data: () => undefined, drain: drained.resolve });
    let sentBytes = 0;
    const chunk = Buffer.alloc(256 * 1024);
    do sentBytes += chunk.length;
    while (server.write(chunk));
    client.resume();
    await drained.promise;
    server.end();
    await new Promise<void>((resolve) =>
      client.attach({
        data: (more) => {
          receivedBytes += more.length;
        },
        close: () => resolve(),
      }),
    );
    assert.equal(receivedBytes, sentBytes);
    await listener.close();
  });

  test(`${name} network: a peer that never reads is cut off, with bounded memory`, async () => {
    const network = make();
    const closed = Promise.withResolvers<Error | undefined>();
    let mostBuffered = 0;
    const listener = await network.listen({ host: '127.0.0.1', port: 0, limits: LIMITS }, (connection) => {
      const chunk = Buffer.alloc(128 * 1024);
      const produce = (): void => {
        if (connection.destroyed) return;
        connection.write(chunk);
        mostBuffered = Math.max(mostBuffered, connection.bufferedBytes);
        setImmediate(produce);
      };
      connection.attach({ data: () => undefined, close: closed.resolve });
      produce();
    });
    const client = await dial(network, listener.endpoint);
    client.pause();
    client.attach({ data: () => undefined });
    assert.equal(((await closed.promise) as { code?: string } | undefined)?.code, 'peer-not-reading');
    assert.ok(mostBuffered <= LIMITS.maxBufferedBytes + 128 * 1024);
    client.destroy();
    await listener.close();
  });

  test(`${name} network: silence after connecting, and idleness later, end the connection`, async () => {
    for (const limits of [{ firstByteTimeoutMs: 30 }, { idleTimeoutMs: 30 }]) {
      const network = make();
      const listener = await echoServer(network, limits);
      const connection = await dial(network, listener.endpoint);
      assert.equal((await received(connection)).text, '');
      await listener.close();
    }
  });

  test(`${name} network: a connection over the limit hears why and is closed; others are served`, async () => {
    const network = make();
    const listener = await echoServer(network, { maxConnections: 1 });
    const first = await dial(network, listener.endpoint);
    first.write('one');
    await new Promise<void>((resolve) => first.attach({ data: () => resolve() }));
    const second = await dial(network, listener.endpoint);
    assert.equal((await received(second)).text, 'full');
    const rest = received(first);
    first.end('two');
    assert.equal((await rest).text, 'two');
    await listener.close();
  });

  test(`${name} network: a taken port and a port where nobody listens are told apart`, async () => {
    const network = make();
    const listener = await echoServer(network);
    const { address, port } = listener.endpoint;
    const again = network.listen({ host: address, port, limits: LIMITS }, () => undefined);
    await assert.rejects(again, { code: 'address-in-use', port });
    await listener.close();
    await assert.rejects(dial(network, listener.endpoint), { code: 'connect-failed' });
  });

  test(`${name} network: closing a listener destroys what does not go by itself`, async () => {
    const network = make();
    const listener = await echoServer(network);
    const connection = await dial(network, listener.endpoint);
    const all = received(connection);
    connection.write('x');
    await listener.close(20);
    await all;
    assert.equal(connection.destroyed, true);
  });

  test(`${name} network: datagrams`, async () => {
    const network = make();
    const got = Promise.withResolvers<string>();
    const server = await network.udp({
      host: '127.0.0.1',
      port: 0,
      receive: (bytes, from) => server.send(Buffer.from(`re: ${bytes}`), from),
    });
    const client = await network.udp({
      host: '127.0.0.1',
      port: 0,
      receive: (bytes) => got.resolve(`${bytes}`),
    });
    client.send(Buffer.from('hi'), server.endpoint);
    assert.equal(await got.promise, 're: hi');
    await Promise.all([client.close(), server.close()]);
    client.send(Buffer.from('late'), server.endpoint);
  });

  test(`${name} network: both ends know the protocol that they agreed on in the handshake`, async () => {
    const network = make();
    const identity = await createDevelopmentIdentity(systemClock, ['localhost']);
    const agreed: (string | undefined)[] = [];
    const options = { host: '127.0.0.1', port: 0, limits: LIMITS, tls: identity, alpn: ['h2', 'http/1.1'] };
    const listener = await network.listen(options, (connection) => {
      agreed.push(connection.alpn);
      connection.attach({ data: () => connection.end(connection.secure ? 'secure' : 'plain') });
    });
    const { address: host, port } = listener.endpoint;
    for (const alpn of [['http/1.1'], ['http/1.1', 'h2'], undefined]) {
      const client = { serverName: 'localhost', ca: identity.ca, ...(alpn && { alpn }) };
      const connection = await network.connect({ host, port, timeoutMs: 2_000, tls: client });
      const all = received(connection);
      connection.write('?');
      assert.equal((await all).text, 'secure');
      assert.equal(connection.alpn, agreed.at(-1));
    }
    assert.deepEqual(agreed, ['http/1.1', 'h2', undefined]);
    await listener.close();
  });

  test(`${name} network: connecting can be aborted`, async () => {
    const network = make();
    const signal = AbortSignal.abort(new Error('no more'));
    await assert.rejects(network.connect({ host: '127.0.0.1', port: 9, timeoutMs: 100, signal }), /no more/);
  });
}

test('system network: a taken port names the process that has it', {
  skip: process.platform !== 'linux',
}, async () => {
  const network = createSystemNetwork();
  const listener = await echoServer(network);
  const { address, port } = listener.endpoint;
  const again = network.listen({ host: address, port, limits: LIMITS }, () => undefined);
  await assert.rejects(again, new RegExp(`process ${process.pid}`));
  await listener.close();
});

test('system network: a clock that is moved moves the timeouts of real connections', async () => {
  for (const limits of [{ firstByteTimeoutMs: 60_000 }, { idleTimeoutMs: 60_000 }]) {
    const clock = new SimulatedClock();
    const network = createSystemNetwork(clock);
    const accepted = Promise.withResolvers<Connection>();
    const options = { host: '127.0.0.1', port: 0, limits: { ...LIMITS, ...limits } };
    const listener = await network.listen(options, accepted.resolve);
    const client = await dial(createSystemNetwork(), listener.endpoint);
    const all = received(client);
    const server = await accepted.promise;
    server.attach({ data: () => undefined });
    await clock.advance(59_000);
    assert.equal(server.destroyed, false);
    await clock.advance(2_000);
    assert.equal(server.destroyed, true);
    assert.equal((await all).text, '');
    await listener.close();
  }
});

test('system network: what is written keeps a connection from being idle', async () => {
  const clock = new SimulatedClock();
  const network = createSystemNetwork(clock);
  const accepted = Promise.withResolvers<Connection>();
  const options = { host: '127.0.0.1', port: 0, limits: { ...LIMITS, idleTimeoutMs: 60_000 } };
  const listener = await network.listen(options, accepted.resolve);
  const client = await dial(createSystemNetwork(), listener.endpoint);
  const all = received(client);
  const server = await accepted.promise;
  server.attach({ data: () => undefined });
  for (let times = 0; times < 3; times += 1) {
    await clock.advance(40_000);
    server.write('x');
  }
  assert.equal(server.destroyed, false);
  await clock.advance(61_000);
  assert.equal(server.destroyed, true);
  assert.equal((await all).text, 'xxx');
  await listener.close();
});

test('simulated network: a partition stops what is in flight, and connecting times out', async () => {
  const network = createSimulatedNetwork({ clock: systemClock });
  const listener = await echoServer(network);
  const connection = await dial(network, listener.endpoint);
  network.partitioned = true;
  const late = network.connect({ host: '127.0.0.1', port: listener.endpoint.port, timeoutMs: 10 });
  await assert.rejects(late, { code: 'connect-timeout' });
  network.partitioned = false;
  const all = received(connection);
  network.breakAll();
  assert.equal((await all).cause instanceof Error, true);
  await listener.close();
});
