import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Connection, Listener } from '../core/net/network.ts';
import { testHost } from '../core/testing/host.ts';
import { type CacheClient, type CacheClientOptions, connectCache } from './client.ts';
import { CacheError } from './errors.ts';
import { type Cache, type CacheOptions, startCache } from './server.ts';

const host = testHost('cache');

async function start(context: TestContext, options: Partial<CacheOptions> = {}): Promise<Cache> {
  const cache = await startCache({ port: 0, ...options }, testHost('cache'));
  context.after(() => cache.close(100));
  return cache;
}

async function connect(
  context: TestContext,
  port: number,
  options: Partial<CacheClientOptions> = {},
  userinfo = '',
): Promise<CacheClient> {
  const { network, clock } = host;
  const client = await connectCache({
    network,
    clock,
    url: `redis://${userinfo}127.0.0.1:${port}`,
    ...options,
  });
  context.after(() => client.close());
  return client;
}

const portOf = (cache: Cache): number => cache.endpoints['main']!.port;

describe('the client', () => {
  test('sends text as UTF-8, numbers and bytes, and reads all kinds of replies', async (context) => {
    const client = await connect(context, portOf(await start(context)));
    assert.equal(await client.command('SET', 'grüße', 'schön'), 'OK');
    assert.equal(await client.command('GET', 'grüße'), 'schön');
    assert.equal(await client.command('STRLEN', 'grüße'), 6);
    assert.equal(await client.command('GET', 'none'), null);
    await client.command('HSET', 'h', 'a', 1, 'b', Buffer.from('two'));
    const expected = new Map([
      ['a', '1'],
      ['b', 'two'],
    ]);
    assert.deepEqual(await client.command('HGETALL', 'h'), expected);
    await client.command('ZADD', 'z', 1.5, 'm');
    assert.equal(await client.command('ZSCORE', 'z', 'm'), 1.5);
    await client.command('SET', 'n', '9223372036854775806');
    assert.equal(await client.command('INCR', 'n'), 9223372036854775807n);
  });

  test('with latin1 any bytes survive', async (context) => {
    const client = await connect(context, portOf(await start(context)), { encoding: 'latin1' });
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    await client.command('SET', bytes, bytes);
    assert.equal(await client.command('GET', bytes), bytes);
  });

  test('commands of one turn are answered in order; errors stay with their command', async (context) => {
    const client = await connect(context, portOf(await start(context)));
    const replies = await Promise.all(Array.from({ length: 1_000 }, () => client.command('INCR', 'n')));
    assert.deepEqual(
      replies,
      Array.from({ length: 1_000 }, (_, i) => i + 1),
    );
    const [ok, wrong, again] = await client.pipeline([
      ['SET', 's', 'x'],
      ['LPUSH', 's', 'y'],
      ['GET', 's'],
    ]);
    assert.deepEqual([ok, again], ['OK', 'x']);
    assert.ok(wrong instanceof CacheError && wrong.prefix === 'WRONGTYPE');
    await assert.rejects(client.command('NOPE'), { code: 'error-reply' });
  });

  test('logs in, names itself and selects a database', async (context) => {
    const cache = await start(context, { password: 'p:w@d', username: 'app' });
    const { network, clock } = host;
    const url = `redis://app:${encodeURIComponent('p:w@d')}@127.0.0.1:${portOf(cache)}/3`;
    const client = await connectCache({ network, clock, url, name: 'tester' });
    context.after(() => client.close());
    assert.match(String(await client.command('CLIENT', 'INFO')), /name=tester .* db=3 .* user=app /);
    await assert.rejects(
      connect(context, portOf(cache), {}, 'app:wrong@'),
      (error: CacheError) => error.prefix === 'WRONGPASS',
    );
    await assert.rejects(connect(context, portOf(cache)), (error: CacheError) => error.prefix === 'NOAUTH');
  });

  test('listens, and listens again after the connection was lost', async (context) => {
    const cache = await start(context);
    const [client, other] = [await connect(context, portOf(cache)), await connect(context, portOf(cache))];
    const messages: string[] = [];
    let arrived = (): void => {};
    await client.subscribe('news', (message) => {
      messages.push(message);
      arrived();
    });
    const next = (): Promise<void> =>
      new Promise((resolve) => {
        arrived = resolve;
      });
    const first = next();
    assert.equal(await other.command('PUBLISH', 'news', 'one'), 1);
    await first;
    await other.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
    while ((await other.command('PUBSUB', 'NUMSUB', 'news')) instanceof Map) {
      if (
        ((await other.command('PUBSUB', 'NUMSUB', 'news')) as ReadonlyMap<string, number>).get('news') === 1
      )
        break;
    }
    const second = next();
    await other.command('PUBLISH', 'news', 'two');
    await second;
    assert.deepEqual(messages, ['one', 'two']);
    assert.equal(await client.command('PING'), 'PONG');
    await client.unsubscribe('news');
    assert.equal(await other.command('PUBLISH', 'news', 'three'), 0);
  });

  test('a lost connection fails what was sent, and later commands find the next one', async (context) => {
    const cache = await start(context);
    const [client, other] = [await connect(context, portOf(cache)), await connect(context, portOf(cache))];
    const id = await client.command('CLIENT', 'ID');
    const waiting = client.commandWithin(0, 'BLPOP', 'nothing', 0);
    const failed = assert.rejects(waiting, { code: 'closed', retryable: true });
    while ((await other.command('CLIENT', 'KILL', 'ID', Number(id))) !== 1);
    await failed;
    assert.equal(await client.command('PING'), 'PONG');
    assert.notEqual(await client.command('CLIENT', 'ID'), id);
  });

  test('without reconnection a lost connection is the end', async (context) => {
    const cache = await start(context);
    const [client, other] = [
      await connect(context, portOf(cache), { reconnect: false }),
      await connect(context, portOf(cache)),
    ];
    const waiting = client.commandWithin(0, 'BLPOP', 'nothing', 0);
    await other.command('CLIENT', 'KILL', 'TYPE', 'normal');
    await assert.rejects(waiting, { code: 'closed' });
    await assert.rejects(client.command('PING'), { code: 'closed' });
  });

  test('a command without a reply times out, and its late reply is not taken for another', async (context) => {
    const client = await connect(context, portOf(await start(context)));
    await assert.rejects(client.commandWithin(20, 'BLPOP', 'q', 0.1), { code: 'timeout' });
    assert.equal(await client.command('ECHO', 'mine'), 'mine');
  });

  test('closing fails what waits and refuses what follows', async (context) => {
    const client = await connect(context, portOf(await start(context)));
    const waiting = assert.rejects(client.commandWithin(0, 'BLPOP', 'q', 0), { code: 'closed' });
    await client.close();
    await waiting;
    await assert.rejects(client.command('PING'), { code: 'closed' });
  });

  for (const url of ['http://x', 'nonsense', 'redis://localhost/x']) {
    test(`${url} is no URL of a cache`, async () => {
      await assert.rejects(connectCache({ network: host.network, clock: host.clock, url }), {
        code: 'bad-url',
      });
    });
  }
});

describe('against a server that misbehaves', () => {
  async function fake(context: TestContext, accept: (connection: Connection) => void): Promise<Listener> {
    const limits = {
      maxConnections: 10,
      firstByteTimeoutMs: 0,
      idleTimeoutMs: 0,
      maxBufferedBytes: 1_000_000,
      closeTimeoutMs: 100,
    };
    const listener = await host.network.listen({ host: '127.0.0.1', port: 0, limits }, accept);
    context.after(() => listener.close(10));
    return listener;
  }

  test('silence at the greeting ends the attempt', async (context) => {
    const listener = await fake(context, (connection) => connection.attach({ data: () => {} }));
    await assert.rejects(connect(context, listener.endpoint.port, { connectTimeoutMs: 50 }), {
      code: 'closed',
    });
  });

  test('bytes that are no RESP break the connection', async (context) => {
    const listener = await fake(context, (connection) => {
      connection.attach({ data: () => connection.write('HTTP/1.1 400 Bad Request\r\n\r\n') });
    });
    await assert.rejects(connect(context, listener.endpoint.port), { code: 'closed' });
  });
});
