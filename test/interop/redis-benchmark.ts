import assert from 'node:assert/strict';
import { type Client, succeed } from './client.ts';

const TESTS = ['set', 'get', 'incr', 'lpush', 'rpush', 'lpop', 'sadd', 'hset', 'zadd', 'mset'];

export const redisBenchmark: Client = {
  name: 'redis-benchmark',
  packages: ['redis-tools'],
  probe: ['redis-benchmark', '--version'],
  services: ['cache'],
  checks: {
    'twenty thousand requests of each kind, sixteen at a time on fifty connections': async (world) => {
      const { hostname, port, password } = new URL(world.env['REDIS_URL'] ?? '');
      const place = ['-h', hostname, '-p', port, ...(password === '' ? [] : ['-a', password])];
      const load = ['-n', '20000', '-P', '16', '-q', '--csv', '-t', TESTS.join(',')];
      const lines = (await succeed('redis-benchmark', [...place, ...load])).trim().split('\n').slice(1);
      assert.deepEqual(
        lines.map((line) => line.split('"')[1]?.split(' ')[0]?.toLowerCase()).toSorted(),
        TESTS.toSorted(),
      );
      for (const line of lines) assert.ok(Number(line.split('","')[1]) > 0, line);
    },
  },
};
