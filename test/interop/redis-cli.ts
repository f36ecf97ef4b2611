import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Client, type InteropWorld, type RunOptions, run, succeed } from './client.ts';

function at(world: InteropWorld, ...more: string[]): string[] {
  return ['-u', world.env['REDIS_URL'] ?? '', '--no-auth-warning', ...more];
}

/** One command; what redis-cli prints when its output is no terminal. */
async function reply(world: InteropWorld, ...words: string[]): Promise<string> {
  return (await succeed('redis-cli', at(world, ...words))).replace(/\n$/, '');
}

/** Commands of one session, a line each, as a terminal shows their replies. */
async function session(world: InteropWorld, lines: readonly string[], ...flags: string[]): Promise<string[]> {
  const options: RunOptions = { input: `${lines.join('\n')}\n` };
  const text = await succeed('redis-cli', at(world, '--no-raw', ...flags), options);
  return text.trimEnd().split('\n');
}

/** SET commands in RESP, as `--pipe` sends them. */
function setCommands(count: number): string {
  const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
  return Array.from(
    { length: count },
    (_, n) => `*3\r\n${bulk('SET')}${bulk(`piped:${n}`)}${bulk(`value ${n}`)}`,
  ).join('');
}

export const redisCli: Client = {
  name: 'redis-cli',
  packages: ['redis-tools'],
  probe: ['redis-cli', '--version'],
  services: ['cache'],
  checks: {
    'PING, ECHO and the password': async (world) => {
      assert.equal(await reply(world, 'PING'), 'PONG');
      assert.equal(await reply(world, 'ECHO', 'a b\tc'), 'a b\tc');
      assert.equal(await reply(world, 'FLUSHALL'), 'OK');
    },
    'a wrong password, and none': async (world) => {
      const { hostname, port } = new URL(world.env['REDIS_URL'] ?? '');
      const place = ['-h', hostname, '-p', port, '--no-auth-warning'];
      const wrong = await run('redis-cli', [...place, '-a', 'wrong', 'GET', 'k']);
      assert.match(wrong.stdout + wrong.stderr, /WRONGPASS/);
      assert.match(wrong.stdout, /NOAUTH Authentication required/);
      const none = await run('redis-cli', [...place, 'GET', 'k']);
      assert.match(none.stdout, /^NOAUTH Authentication required/);
    },
    'strings and counters': async (world) => {
      assert.deepEqual(
        await session(world, [
          'SET greeting "hello world"',
          'GET greeting',
          'APPEND greeting !',
          'GETRANGE greeting 6 -1',
          'INCR visits',
          'INCRBY visits 41',
          'INCRBYFLOAT visits 0.5',
          'INCR greeting',
          'SET lock me NX EX 100',
          'SET lock you NX',
          'TTL lock',
          'MSET a 1 b 2',
          'MGET a b nothing',
        ]),
        [
          'OK',
          '"hello world"',
          '(integer) 12',
          '"world!"',
          '(integer) 1',
          '(integer) 42',
          '"42.5"',
          '(error) ERR value is not an integer or out of range',
          'OK',
          '(nil)',
          '(integer) 100',
          'OK',
          '1) "1"',
          '2) "2"',
          '3) (nil)',
        ],
      );
    },
    lists: async (world) => {
      assert.deepEqual(
        await session(world, [
          'RPUSH l a b c',
          'LPUSH l z',
          'LRANGE l 0 -1',
          'LPOP l',
          'RPOP l 2',
          'LLEN l',
          'LINDEX l 0',
          'HGET l field',
        ]),
        [
          '(integer) 3',
          '(integer) 4',
          '1) "z"',
          '2) "a"',
          '3) "b"',
          '4) "c"',
          '"z"',
          '1) "c"',
          '2) "b"',
          '(integer) 1',
          '"a"',
          '(error) WRONGTYPE Operation against a key holding the wrong kind of value',
        ],
      );
    },
    'hashes, sets and sorted sets': async (world) => {
      assert.deepEqual(
        await session(world, [
          'HSET h name Ada born 1815',
          'HGETALL h',
          'HINCRBY h born 1',
          'SADD s1 a b c',
          'SADD s2 b c d',
          'SINTERCARD 2 s1 s2',
          'SISMEMBER s1 a',
          'ZADD z 1 one 2 two 3 three',
          'ZRANGE z 1 +inf BYSCORE LIMIT 1 2 WITHSCORES',
          'ZINCRBY z 10 one',
          'ZREVRANGE z 0 0',
          'ZSCORE z two',
        ]),
        [
          '(integer) 2',
          '1) "name"',
          '2) "Ada"',
          '3) "born"',
          '4) "1815"',
          '(integer) 1816',
          '(integer) 3',
          '(integer) 3',
          '(integer) 2',
          '(integer) 1',
          '(integer) 3',
          '1) "two"',
          '2) "2"',
          '3) "three"',
          '4) "3"',
          '"11"',
          '1) "one"',
          '"2"',
        ],
      );
    },
    'RESP3: maps, doubles, sets and null have their own form': async (world) => {
      assert.deepEqual(
        await session(world, ['HGETALL h', 'ZSCORE z two', 'SMEMBERS nothing', 'GET nothing'], '-3'),
        ['1# "name" => "Ada"', '2# "born" => "1816"', '(double) 2', '(empty set)', '(nil)'],
      );
      assert.equal(await reply(world, '-3', 'CLIENT', 'NO-EVICT', 'ON'), 'OK');
    },
    'MULTI: all or nothing, DISCARD, WATCH': async (world) => {
      assert.deepEqual(await session(world, ['MULTI', 'SET t 1', 'INCR t', 'EXEC', 'GET t']), [
        'OK',
        'QUEUED',
        'QUEUED',
        '1) OK',
        '2) (integer) 2',
        '"2"',
      ]);
      const refused = await session(world, ['MULTI', 'SET t 9', 'NOSUCH', 'EXEC', 'GET t']);
      assert.match(refused[2]!, /^\(error\) ERR unknown command 'NOSUCH'/);
      assert.match(refused[3]!, /^\(error\) EXECABORT /);
      assert.equal(refused[4], '"2"');
      assert.deepEqual(await session(world, ['WATCH t', 'SET t 5', 'MULTI', 'SET t 6', 'EXEC', 'GET t']), [
        'OK',
        'OK',
        'OK',
        'QUEUED',
        '(nil)',
        '"5"',
      ]);
    },
    'a subscriber gets what is published': async (world) => {
      const subscriber = spawn('redis-cli', at(world, 'SUBSCRIBE', 'news'), {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      try {
        let heard = '';
        subscriber.stdout.on('data', (chunk: Buffer) => {
          heard += chunk.toString();
        });
        const until = async (pattern: RegExp): Promise<void> => {
          while (!pattern.test(heard)) await once(subscriber.stdout, 'data');
        };
        await until(/subscribe\nnews\n1\n/);
        assert.equal(await reply(world, 'PUBLISH', 'news', 'it works'), '1');
        await until(/message\nnews\nit works\n/);
      } finally {
        subscriber.kill('SIGKILL');
      }
    },
    'a hundred thousand commands at once with --pipe, and every key by --scan': async (world) => {
      const count = 100_000;
      const text = await succeed('redis-cli', at(world, '--pipe'), { input: setCommands(count) });
      assert.match(text, new RegExp(`errors: 0, replies: ${count}`));
      const keys = await succeed('redis-cli', at(world, '--scan', '--pattern', 'piped:*'));
      assert.equal(new Set(keys.trim().split('\n')).size, count);
      assert.equal(await reply(world, 'GET', `piped:${count - 1}`), `value ${count - 1}`);
    },
    'SELECT, INFO, CONFIG, CLIENT LIST, COMMAND': async (world) => {
      assert.equal(await reply(world, '-n', '3', 'SET', 'where', 'three'), 'OK');
      assert.equal(await reply(world, 'EXISTS', 'where'), '0');
      assert.match(await reply(world, 'INFO', 'keyspace'), /db3:keys=1,/);
      assert.match(await reply(world, 'INFO', 'server'), /redis_version:\d+\.\d+/);
      assert.match(
        await reply(world, 'CONFIG', 'GET', 'maxmemory-policy'),
        /^maxmemory-policy\nallkeys-lru$/,
      );
      assert.match(await reply(world, 'CLIENT', 'LIST'), /^id=\d+ addr=127\.0\.0\.1:\d+ /);
      assert.ok(Number(await reply(world, 'COMMAND', 'COUNT')) > 100);
    },
    'binary values survive': async (world) => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
      await succeed('redis-cli', at(world, '-x', 'SET', 'binary'), { input: bytes });
      const { bytes: read } = await run('redis-cli', at(world, 'GET', 'binary'));
      assert.deepEqual(read.subarray(0, -1), bytes);
    },
    'a value of 8 MB': async (world) => {
      const value = 'x'.repeat(8_000_000);
      await succeed('redis-cli', at(world, '-x', 'SET', 'large'), { input: value });
      assert.equal(await reply(world, 'STRLEN', 'large'), '8000000');
      assert.equal(await reply(world, 'GET', 'large'), value);
      assert.equal(await reply(world, 'FLUSHALL'), 'OK');
    },
  },
};
