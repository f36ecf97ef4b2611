/** Counted memory against the memory of the process. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Bench } from '../../src/cache/engine/test-bench.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const FILLS: Readonly<Record<string, (send: (...args: string[]) => void) => void>> = {
  'small strings': (send) => {
    for (let i = 0; i < 24_000; i++) send('SET', `key:${i}`, `value:${i}`);
  },
  'strings with deadlines': (send) => {
    for (let i = 0; i < 24_000; i++) send('SET', `key:${i}`, `value:${i}`, 'EX', '1000');
  },
  'strings of 1,000 bytes': (send) => {
    for (let i = 0; i < 8_000; i++) send('SET', `key:${i}`, `${i}`.padEnd(1_000, 'x'));
  },
  'a list': (send) => {
    for (let i = 0; i < 60_000; i++) send('RPUSH', 'list', `item:${i}`);
  },
  'a set': (send) => {
    for (let i = 0; i < 40_000; i++) send('SADD', 'set', `member:${i}`);
  },
  'a hash': (send) => {
    for (let i = 0; i < 32_000; i++) send('HSET', 'hash', `field:${i}`, `value:${i}`);
  },
  'a sorted set': (send) => {
    for (let i = 0; i < 32_000; i++) send('ZADD', 'zset', `${(i * 7_919) % 80_021}.5`, `member:${i}`);
  },
  'many small hashes': (send) => {
    for (let i = 0; i < 8_000; i++) send('HSET', `hash:${i}`, 'name', `name:${i}`, 'age', `${i}`);
  },
  'many small sorted sets': (send) => {
    for (let i = 0; i < 6_000; i++) send('ZADD', `zset:${i}`, '1', `member:${i}`, '2', `other:${i}`);
  },
  'many small lists': (send) => {
    for (let i = 0; i < 10_000; i++) send('RPUSH', `list:${i}`, `item:${i}`, `other:${i}`);
  },
  'many small sets': (send) => {
    for (let i = 0; i < 8_000; i++) send('SADD', `set:${i}`, `item:${i}`, `other:${i}`);
  },
};

describe('counted memory is within a fifth of what the process uses', () => {
  for (const [name, fill] of Object.entries(FILLS)) {
    test(name, () => {
      const bench = new Bench();
      const { client } = bench.connect();
      const before = heapBytes();
      // Built from bytes, as arguments that came over a socket are: not pieces of other strings.
      fill((...args) => {
        bench.engine.execute(
          client,
          args.map((arg) => Buffer.from(arg).toString('latin1')),
          bench.now,
        );
        client.reply.take();
      });
      const used = heapBytes() - before;
      const counted = bench.engine.keyspace.usedBytes;
      const ratio = counted / used;
      assert.ok(ratio > 0.8 && ratio < 1.25, `counted ${counted}, used ${used}: ${ratio.toFixed(2)}`);
    });
  }
});
