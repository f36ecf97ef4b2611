/**
 * Counters in a cache that forgets everything with its process. What was promised:
 *
 *   - a reply belongs to its command, however replies and connections are broken up;
 *   - a counter of one writer counts one by one, and starts again only when the process did;
 *   - commands sent together are answered in their order.
 */
import {
  type CacheClient,
  connectCache,
  DEFAULT_CACHE_OPTIONS,
  startCache,
} from '../../../src/cache/index.ts';
import { codeOf, messageOf } from '../../../src/core/errors.ts';
import { insist } from './insist.ts';
import type { Scene, ServiceCase } from './service-run.ts';

const WRITERS = 4;

export function cacheCase(): ServiceCase {
  return {
    name: 'cache',
    isVolatile: true,
    start: () => (host) => startCache(DEFAULT_CACHE_OPTIONS, host),
    workers: Array.from({ length: WRITERS }, () => (scene: Scene, number: number) => count(scene, number)),
    verify: (scene) =>
      insist(scene, async () => {
        await using client = await connect(scene);
        await echo(scene, client, 'in the end');
      }),
  };
}

function connect({ client: { network, clock }, random }: Scene): Promise<CacheClient> {
  const commandTimeoutMs = random.pick([500, 5_000]);
  return connectCache({ network, clock, url: 'redis://cache:6379', commandTimeoutMs });
}

/** One writer with its own counter; after a failure, when it cannot know where that stands, with another. */
async function count(scene: Scene, writer: number): Promise<void> {
  for (let failures = 0; scene.isOpen(); failures += 1) {
    try {
      await using client = await connect(scene);
      await countOn(scene, client, `${writer}:${failures}`);
    } catch (error) {
      scene.world.note(`a client of the cache fails: ${codeOf(error)} ${messageOf(error)}`);
      await scene.pause(300);
    }
  }
}

async function countOn(scene: Scene, client: CacheClient, key: string): Promise<void> {
  const { keeper, violations } = scene;
  let last = 0;
  let life = keeper.life;
  for (let step = 1; scene.isOpen(); step += 1) {
    const before = keeper.life;
    const reply = await client.command('INCR', key);
    // A process that ended between two commands has taken the counter with it.
    const mayBeNew = before !== life || keeper.life !== life;
    const isRight = reply === last + 1 || (mayBeNew && reply === 1);
    violations.check(isRight, () => `${key} counts ${String(reply)} after ${last}`);
    last = Number(reply);
    life = before;
    await echo(scene, client, `${key} ${step}`);
    if (scene.random.chance(0.3)) await pipeline(scene, client, `${key} ${step}`);
    await scene.pause(60);
  }
}

async function echo({ violations }: Scene, client: CacheClient, text: string): Promise<void> {
  const reply = await client.command('ECHO', text);
  violations.check(reply === text, () => `the echo of ${text} is ${String(reply)}`);
}

async function pipeline(scene: Scene, client: CacheClient, token: string): Promise<void> {
  const long = token.padEnd(scene.random.below(3_000), '-');
  const replies = await client.pipeline([
    ['SET', token, long],
    ['GET', token],
    ['STRLEN', token],
    ['DEL', token],
    ['GET', token],
  ]);
  const failure = replies.find((reply) => reply instanceof Error);
  if (failure !== undefined) throw failure;
  const expected = ['OK', long, long.length, 1, null];
  const isRight = expected.every((value, index) => replies[index] === value);
  scene.violations.check(
    isRight,
    () => `commands together are answered ${JSON.stringify(replies).slice(0, 200)}`,
  );
}
