/** The server over real sockets: what well-behaved clients get, and what others get. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { testHost } from '../core/testing/host.ts';
import { Peer } from '../core/testing/peer.ts';
import { type Cache, type CacheOptions, startCache } from './server.ts';

interface Running {
  readonly cache: Cache;
  readonly warnings: string[];
  connect(): Promise<Peer>;
}

async function start(context: TestContext, options: Partial<CacheOptions> = {}): Promise<Running> {
  const base = testHost('cache');
  const warnings: string[] = [];
  const log = { ...base.observer.log, warn: (message: string) => warnings.push(message) };
  const observer = { service: 'cache', log, metrics: base.observer.metrics, span: () => {} };
  const cache = await startCache({ port: 0, ...options }, { ...base, observer });
  const peers: Peer[] = [];
  context.after(async () => {
    for (const peer of peers) peer.connection.destroy();
    await cache.close(100);
  });
  return {
    cache,
    warnings,
    connect: async () => {
      const peer = await Peer.connect(base.network, cache.endpoints['main']!);
      peers.push(peer);
      return peer;
    },
  };
}

async function closed(peer: Peer): Promise<string> {
  await peer
    .until(() => false)
    .catch((error: Error) => {
      if (!peer.closed) throw error;
    });
  return peer.received.toString('latin1');
}

async function isServed(running: Running): Promise<void> {
  const peer = await running.connect();
  peer.send('PING\r\n');
  assert.equal(await peer.untilText('\r\n'), '+PONG\r\n');
}

describe('service', () => {
  test('pipelined commands are answered in order', async (context) => {
    const { connect } = await start(context);
    const peer = await connect();
    let request = '';
    let expected = '';
    for (let i = 1; i <= 5_000; i++) {
      request += '*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n';
      expected += `:${i}\r\n`;
    }
    peer.send(request);
    assert.equal((await peer.bytes(expected.length)).toString('latin1'), expected);
  });

  test('a byte at a time, binary values and inline commands', async (context) => {
    const { connect } = await start(context);
    const peer = await connect();
    await peer.dribble(
      '*3\r\n$3\r\nSET\r\n$3\r\n\x00\xff\r\r\n$4\r\n\r\n\x80\x81\r\nGET "\\x00\\xff\\r"\r\n',
    );
    assert.equal(await peer.untilText('\x81\r\n'), '+OK\r\n$4\r\n\r\n\x80\x81\r\n');
  });

  test('a large value arrives in parts and is returned whole', async (context) => {
    const { connect } = await start(context);
    const peer = await connect();
    const value = Buffer.alloc(5_000_000, 'abcdefghij');
    peer.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n`);
    peer.send(value);
    peer.send('\r\nGET k\r\nSTRLEN k\r\n');
    assert.equal(await peer.untilText('\r\n'), '+OK\r\n');
    assert.equal(await peer.untilText('\r\n'), '$5000000\r\n');
    assert.ok((await peer.bytes(value.length)).equals(value));
    assert.equal(await peer.untilText(':5000000\r\n'), '\r\n:5000000\r\n');
  });

  test('commands behind a blocked one wait for it', async (context) => {
    const { connect } = await start(context);
    const [waiting, other] = [await connect(), await connect()];
    waiting.send('BLPOP a 0\r\nPING\r\n');
    other.send('CLIENT LIST\r\nINFO clients\r\n');
    await other.untilText('blocked_clients:1');
    other.send('RPUSH a x\r\n');
    assert.equal(await waiting.untilText('PONG\r\n'), '*2\r\n$1\r\na\r\n$1\r\nx\r\n+PONG\r\n');
  });

  test('a blocking timeout is answered without any other traffic', async (context) => {
    const { connect } = await start(context);
    const peer = await connect();
    peer.send('BLPOP a 0.05\r\nPING\r\n');
    assert.equal(await peer.untilText('PONG\r\n'), '*-1\r\n+PONG\r\n');
  });

  test('a blocked client that hangs up is noticed', async (context) => {
    const running = await start(context);
    const [gone, other] = [await running.connect(), await running.connect()];
    gone.send('BLPOP a 0\r\n');
    await waitFor(other, 'blocked_clients:1');
    gone.connection.destroy();
    await waitFor(other, 'blocked_clients:0');
    other.send('RPUSH a x\r\nLLEN a\r\n');
    assert.equal(await other.untilText(':1\r\n:1\r\n'), ':1\r\n:1\r\n');
  });

  test('keys expire on their own', async (context) => {
    const { connect, cache } = await start(context, { notifyKeyspaceEvents: 'Ex' });
    const peer = await connect();
    peer.send('HELLO 3\r\nSUBSCRIBE __keyevent@0__:expired\r\nSET k v PX 20\r\n');
    await peer.untilText('$7\r\nmessage\r\n');
    assert.equal(await peer.untilText('k\r\n'), '$22\r\n__keyevent@0__:expired\r\n$1\r\nk\r\n');
    assert.equal(cache.keyCount, 0);
  });

  test('QUIT answers and closes; what follows is not carried out', async (context) => {
    const { connect, cache } = await start(context);
    const peer = await connect();
    peer.send('QUIT\r\nSET k v\r\n');
    assert.equal(await closed(peer), '+OK\r\n');
    assert.equal(cache.keyCount, 0);
  });

  test('closing the server closes its clients and frees the port', async (context) => {
    const { connect, cache } = await start(context);
    const peer = await connect();
    peer.send('SET k v\r\n');
    await peer.untilText('+OK\r\n');
    await Promise.all([cache.close(), cache.close()]);
    await closed(peer);
    assert.equal(cache.health().state, 'failed');
  });
});

test('some commands of each second are shown to whoever watches, without their arguments', async () => {
  const host = testHost('cache');
  const spans: { readonly operation: string; readonly outcome: string }[] = [];
  const observer = {
    ...host.observer,
    service: 'cache',
    span: (span: (typeof spans)[number]) => spans.push(span),
  };
  const { log, metrics } = host.observer;
  await using cache = await startCache({ port: 0 }, { ...host, observer: { ...observer, log, metrics } });
  const peer = await Peer.connect(host.network, cache.endpoints['main']!);
  peer.send(`set secret value\r\nINCR secret\r\n${'PING\r\n'.repeat(1_000)}GET secret\r\n`);
  await peer.untilText('$5\r\nvalue\r\n');
  peer.connection.destroy();
  assert.deepEqual(
    spans.slice(0, 2).map(({ operation, outcome }) => `${operation} ${outcome}`),
    ['SET OK', 'INCR error'],
  );
  assert.ok(spans.length >= 3 && spans.length <= 300);
  assert.equal(JSON.stringify(spans).includes('secret'), false);
});

async function waitFor(peer: Peer, text: string): Promise<void> {
  for (;;) {
    peer.send('INFO clients\r\n');
    if ((await peer.untilText('\r\n\r\n')).includes(text)) return;
  }
}

describe('limits and attacks', () => {
  for (const [name, bytes] of [
    ['a POST from a browser', 'POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET k evil\r\n'],
    ['a GET from a browser', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\nSET k evil\r\n'],
    ['a header line', 'Host: localhost:6379\r\nSET k evil\r\n'],
  ] as const) {
    test(`${name} closes the connection without a word and is logged`, async (context) => {
      const running = await start(context);
      const peer = await running.connect();
      peer.send(bytes);
      assert.equal(await closed(peer), '');
      assert.equal(running.cache.keyCount, 0);
      assert.equal(running.warnings.length, 1);
      await isServed(running);
    });
  }

  for (const [name, bytes, reply] of [
    ['garbage', '*1\r\n!!\r\n', "-ERR Protocol error: expected '$', got '!'\r\n"],
    ['a length bomb', '*2\r\n$3\r\nGET\r\n$999999999999\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
    ['a count bomb', '*2147483647\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
    ['a negative length', '*1\r\n$-5\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
    ['a line without end', 'x'.repeat(70_000), '-ERR Protocol error: too big inline request\r\n'],
  ] as const) {
    test(`${name} is an error and closes`, async (context) => {
      const running = await start(context);
      const peer = await running.connect();
      peer.send(bytes);
      assert.equal(await closed(peer), reply);
      await isServed(running);
    });
  }

  test('random bytes close the connection or get errors, and others are served', async (context) => {
    const running = await start(context);
    for (let i = 0; i < 20; i++) {
      const peer = await running.connect();
      peer.send(Buffer.from(Array.from({ length: 500 }, (_, j) => (i * 131 + j * j * 7) % 256)));
    }
    await isServed(running);
  });

  test('half a request and then silence is cut', async (context) => {
    const running = await start(context, { requestTimeoutMs: 50 });
    const peer = await running.connect();
    peer.send('*2\r\n$3\r\nGET\r\n$10\r\nabc');
    assert.equal(await closed(peer), '');
    await isServed(running);
  });

  test('a connection that never says anything is cut', async (context) => {
    const running = await start(context, { firstByteTimeoutMs: 50 });
    assert.equal(await closed(await running.connect()), '');
    await isServed(running);
  });

  test('idle clients are closed, listening ones are not', async (context) => {
    const running = await start(context, { idleTimeoutMs: 1_000 });
    const [idle, listening] = [await running.connect(), await running.connect()];
    idle.send('PING\r\n');
    listening.send('SUBSCRIBE a\r\n');
    assert.equal(await closed(idle), '+PONG\r\n');
    assert.equal(listening.closed, false);
  });

  test('a client that never reads is not carried out any further, and others are served', async (context) => {
    const running = await start(context);
    const [slow, other] = [await running.connect(), await running.connect()];
    other.send(`SET k ${'x'.repeat(60_000)}\r\n`);
    await other.untilText('+OK\r\n');
    slow.connection.pause();
    slow.send('GET k\r\n'.repeat(20_000));
    // Its 1.2 GB of replies are not made: what waits for it stays within a few megabytes.
    for (let i = 0; i < 50; i++) {
      other.send('CLIENT LIST\r\n');
      const list = await other.untilText('cmd=client|list');
      const waiting = Math.max(...[...list.matchAll(/ omem=(\d+)/g)].map((match) => Number(match[1])));
      assert.ok(waiting < 8_000_000, `${waiting} bytes wait for a client that does not read`);
    }
    slow.connection.resume();
    await slow.until((received) => received.length > 12_000_000);
  });

  test('a subscriber that never reads is cut at its limit', async (context) => {
    const running = await start(context);
    const [slow, publisher] = [await running.connect(), await running.connect()];
    publisher.send('CONFIG SET client-output-buffer-limit "pubsub 2mb 1mb 60"\r\n');
    await publisher.untilText('+OK\r\n');
    slow.send('SUBSCRIBE a\r\n');
    await slow.untilText(':1\r\n');
    slow.connection.pause();
    const message = 'x'.repeat(50_000);
    for (;;) {
      publisher.send(`PUBLISH a ${message}\r\n`);
      if ((await publisher.untilText('\r\n')) === ':0\r\n') break;
    }
    assert.equal(running.warnings.length, 1);
    await isServed(running);
  });

  test('more clients than allowed are refused in words', async (context) => {
    const running = await start(context, { maxClients: 2 });
    const first = await running.connect();
    await running.connect();
    first.send('PING\r\n');
    await first.untilText('PONG');
    assert.equal(await closed(await running.connect()), '-ERR max number of clients reached\r\n');
    first.connection.end();
    await closed(first);
  });

  test('two thousand idle connections leave the others served', async (context) => {
    const running = await start(context);
    const peers = await Promise.all(Array.from({ length: 2_000 }, () => running.connect()));
    await isServed(running);
    for (const peer of peers) peer.connection.destroy();
  });

  test('beyond loopback a password is required to start', async () => {
    await assert.rejects(startCache({ host: '0.0.0.0', port: 0 }, testHost('cache')), {
      code: 'insecure-bind',
    });
  });

  test('a wrong password is refused, slower each time, and big requests before logging in', async (context) => {
    const running = await start(context, { password: 'pässword' });
    const peer = await running.connect();
    peer.send('GET k\r\nAUTH wrong\r\n');
    assert.equal(
      await peer.untilText('disabled.\r\n'),
      '-NOAUTH Authentication required.\r\n-WRONGPASS invalid username-password pair or user is disabled.\r\n',
    );
    peer.send(Buffer.from('AUTH pässword\r\nGET k\r\n', 'utf8'));
    assert.equal(await peer.untilText('$-1\r\n'), '+OK\r\n$-1\r\n');
    peer.send(`SET k ${'x'.repeat(40_000)}\r\n`);
    assert.equal(await peer.untilText('\r\n'), '+OK\r\n');
    const stranger = await running.connect();
    stranger.send(`*2\r\n$4\r\nAUTH\r\n$20000\r\n`);
    assert.equal(await closed(stranger), '-ERR Protocol error: unauthenticated bulk length\r\n');
  });

  test('CLIENT KILL reaches a blocked client and a subscriber', async (context) => {
    const running = await start(context);
    const [blocked, listening, admin] = [
      await running.connect(),
      await running.connect(),
      await running.connect(),
    ];
    blocked.send('CLIENT SETNAME b\r\nBLPOP a 0\r\n');
    listening.send('SUBSCRIBE a\r\n');
    await listening.untilText(':1\r\n');
    await waitFor(admin, 'blocked_clients:1');
    admin.send('CLIENT KILL TYPE normal\r\nCLIENT KILL TYPE pubsub\r\nPUBSUB NUMSUB a\r\nINFO clients\r\n');
    await closed(blocked);
    await closed(listening);
    await waitFor(admin, 'blocked_clients:0');
  });
});
