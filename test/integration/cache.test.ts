/** The cache with ioredis, unmodified. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import { type CacheOptions, startCache } from '../../src/cache/index.ts';
import { testHost } from '../../src/core/testing/host.ts';

interface ClientOptions {
  readonly password?: string;
  readonly db?: number;
  readonly connectionName?: string;
  readonly retryStrategy?: () => null;
  readonly enableReadyCheck?: boolean;
}

type Connect = (options?: ClientOptions) => Redis;

async function start(context: TestContext, options: Partial<CacheOptions> = {}): Promise<Connect> {
  const cache = await startCache({ port: 0, ...options }, testHost('cache'));
  const clients: Redis[] = [];
  context.after(async () => {
    for (const client of clients) client.disconnect();
    await cache.close(500);
  });
  return (clientOptions = {}) => {
    const client = new Redis(cache.endpoints['main']!.port, '127.0.0.1', clientOptions);
    clients.push(client);
    return client;
  };
}

describe('ioredis', () => {
  test('values of every type', async (context) => {
    const redis = (await start(context))();
    assert.equal(await redis.set('k', 'v', 'EX', 100), 'OK');
    assert.equal(await redis.get('k'), 'v');
    assert.equal(await redis.ttl('k'), 100);
    assert.equal(await redis.incrby('n', 5), 5);
    await redis.hset('h', { a: '1', b: '2' });
    assert.deepEqual(await redis.hgetall('h'), { a: '1', b: '2' });
    await redis.rpush('l', 'a', 'b', 'c');
    assert.deepEqual(await redis.lrange('l', 0, -1), ['a', 'b', 'c']);
    await redis.sadd('s', 'x', 'y');
    assert.deepEqual((await redis.smembers('s')).sort(), ['x', 'y']);
    await redis.zadd('z', 1, 'one', 2, 'two');
    assert.deepEqual(await redis.zrange('z', '0', '-1', 'WITHSCORES'), ['one', '1', 'two', '2']);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await redis.set('bytes', bytes);
    assert.ok((await redis.getBuffer('bytes'))?.equals(bytes));
    await assert.rejects(redis.lpush('k', 'x'), /^ReplyError: WRONGTYPE Operation against a key/);
  });

  test('a deep pipeline', async (context) => {
    const redis = (await start(context))();
    const pipeline = redis.pipeline();
    for (let i = 0; i < 10_000; i++) pipeline.incr('n');
    pipeline.lpush('n', 'x');
    const replies = (await pipeline.exec())!;
    assert.equal(replies.length, 10_001);
    assert.deepEqual(replies[9_999], [null, 10_000]);
    assert.match(String(replies[10_000]![0]), /WRONGTYPE/);
  });

  test('transactions, with and without a watched key that changes', async (context) => {
    const connect = await start(context);
    const [redis, other] = [connect(), connect()];
    const done = await redis.multi().set('a', '1').incr('a').get('a').exec();
    assert.deepEqual(done, [
      [null, 'OK'],
      [null, 2],
      [null, '2'],
    ]);
    await redis.watch('a');
    await other.set('a', '9');
    assert.equal(await redis.multi().set('a', '3').exec(), null);
    await assert.rejects(redis.multi().call('SET', 'a').exec(), /EXECABORT/);
  });

  test('publish and subscribe, by channel and pattern', async (context) => {
    const connect = await start(context);
    const [listener, publisher] = [connect(), connect()];
    await listener.subscribe('news');
    await listener.psubscribe('n*');
    const [message, pmessage] = [once(listener, 'message'), once(listener, 'pmessage')];
    assert.equal(await publisher.publish('news', 'hello'), 2);
    assert.deepEqual(await message, ['news', 'hello']);
    assert.deepEqual(await pmessage, ['n*', 'news', 'hello']);
    await listener.unsubscribe('news');
    await listener.punsubscribe('n*');
    assert.equal(await listener.ping(), 'PONG');
  });

  test('blocking commands', async (context) => {
    const connect = await start(context);
    const [worker, producer] = [connect(), connect()];
    const popped = worker.blpop('queue', 0);
    await producer.rpush('queue', 'job');
    assert.deepEqual(await popped, ['queue', 'job']);
    const lowest = worker.bzpopmin('scores', 0);
    await producer.zadd('scores', 3, 'c', 1, 'a');
    assert.deepEqual(await lowest, ['scores', 'a', '1']);
    assert.equal(await worker.blpop('queue', 0.05), null);
    const moved = worker.blmove('from', 'to', 'LEFT', 'RIGHT', 0);
    await producer.lpush('from', 'x');
    assert.equal(await moved, 'x');
  });

  test('scan streams return every key', async (context) => {
    const redis = (await start(context))();
    const pipeline = redis.pipeline();
    for (let i = 0; i < 3_000; i++) pipeline.set(`key:${i}`, 'v');
    await pipeline.exec();
    const seen = new Set<string>();
    for await (const keys of redis.scanStream({ match: 'key:*', count: 77 })) {
      for (const key of keys as string[]) seen.add(key);
    }
    assert.equal(seen.size, 3_000);
  });

  test('a password and a database', async (context) => {
    const connect = await start(context, { password: 'secret' });
    const redis = connect({ password: 'secret', db: 4, connectionName: 'app' });
    assert.match(String(await redis.client('INFO')), /name=app .* db=4 /);
    const stranger = connect({ retryStrategy: () => null, enableReadyCheck: false });
    stranger.on('error', () => {});
    await assert.rejects(stranger.get('k'), /NOAUTH/);
  });

  test('a client without replies leaves others alone', async (context) => {
    const connect = await start(context);
    const [busy, other] = [connect(), connect()];
    const many = Array.from({ length: 20_000 }, (_, i) => busy.set(`k${i % 100}`, String(i)));
    assert.equal(await other.ping(), 'PONG');
    await Promise.all(many);
  });
});
