import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import fc from 'fast-check';
import { testHost } from '../../core/testing/host.ts';
import { Peer } from '../../core/testing/peer.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { HttpError } from '../errors.ts';
import { text } from '../reply.ts';
import { startHttpServer } from '../server.ts';
import { bareRequest } from '../testing/bare-request.ts';
import type { Handler, HttpResponse } from '../types.ts';
import { Debts } from './debts.ts';
import {
  addressKey,
  createRateLimiter,
  type RateLimiter,
  type RateLimitPolicy,
  rateLimited,
} from './index.ts';

const PER_MINUTE: RateLimitPolicy = { name: 'burst', quota: 100, windowSeconds: 60 };
const FOUR: RateLimitPolicy = { name: 'four', quota: 4, windowSeconds: 2 };

/** `remaining/retry after/reset` in milliseconds, for each policy. */
function taken(limiter: RateLimiter, nowMs: number, cost = 1, key = 'k'): string {
  const shown = limiter
    .take(key, cost, nowMs)
    .map(({ remaining, retryAfterMs, resetMs }) => `${remaining}/${retryAfterMs}/${resetMs}`);
  return shown.join(' ');
}

function isAdmitted(limiter: RateLimiter, key: string, nowMs: number, cost = 1): boolean {
  return limiter.take(key, cost, nowMs).every(({ retryAfterMs }) => retryAfterMs === 0);
}

suite('a quota', () => {
  test('is there at once, and comes back unit by unit', () => {
    const limiter = createRateLimiter([FOUR]);
    assert.deepEqual(
      [0, 0, 0, 0, 0, 100, 499, 500, 500, 1_000, 3_000].map((now) => taken(limiter, now)),
      [
        '3/0/500',
        '2/0/1000',
        '1/0/1500',
        '0/0/2000',
        '0/500/2000',
        '0/400/1900',
        '0/1/1501',
        '0/0/2000',
        '0/500/2000',
        '0/0/2000',
        '3/0/500',
      ],
    );
  });

  test('with a smaller burst spreads requests', () => {
    const limiter = createRateLimiter([{ ...FOUR, burst: 1 }]);
    assert.deepEqual(
      [0, 0, 499, 500].map((now) => taken(limiter, now)),
      ['0/0/500', '0/500/500', '0/1/1', '0/0/500'],
    );
  });

  test('is taken by cost; 0 only looks, and more than the burst is never there', () => {
    const limiter = createRateLimiter([FOUR]);
    assert.equal(taken(limiter, 0, 3), '1/0/1500');
    assert.equal(taken(limiter, 0, 2), '1/500/1500');
    assert.equal(taken(limiter, 0, 0), '1/0/1500');
    assert.equal(taken(limiter, 0, 5), '1/Infinity/1500');
    assert.equal(taken(limiter, 500, 2), '0/0/2000');
  });

  test('of several is charged by all or by none', () => {
    const limiter = createRateLimiter([FOUR, { name: 'hour', quota: 5, windowSeconds: 3_600 }]);
    for (let at = 0; at < 4; at++) assert.ok(isAdmitted(limiter, 'k', 0));
    assert.equal(taken(limiter, 0), '0/500/2000 1/0/2880000');
    assert.equal(taken(limiter, 500), '0/0/2000 0/0/3599500');
    assert.equal(taken(limiter, 3_000), '4/0/0 0/717000/3597000');
  });

  test('is each key’s own, whatever its name', () => {
    const limiter = createRateLimiter([{ ...FOUR, quota: 1 }]);
    for (const key of ['a', '', '__proto__', 'constructor', 'a\0', '\ud800']) {
      assert.equal(isAdmitted(limiter, key, 0), true, key);
      assert.equal(isAdmitted(limiter, key, 0), false, key);
    }
  });

  test('whose unit is a fraction of a millisecond is whole', () => {
    for (const [quota, windowSeconds] of [
      [3, 1],
      [7, 1],
      [100_000, 1],
      [365, 7],
      [99_991, 1],
    ] as const) {
      const limiter = createRateLimiter([{ name: 'a', quota, windowSeconds }]);
      const start = 12_345_678.901;
      for (let left = quota - 1; left >= 0; left--) {
        const [outcome] = limiter.take('k', 1, start);
        assert.equal(outcome?.retryAfterMs, 0);
        assert.equal(outcome?.remaining, left);
      }
      assert.equal(isAdmitted(limiter, 'k', start), false);
    }
  });

  test('that cannot be kept is refused at once', () => {
    const bad: readonly (readonly RateLimitPolicy[])[] = [
      [],
      [FOUR, FOUR],
      Array.from({ length: 9 }, (_, at) => ({ ...FOUR, name: String(at) })),
      [{ ...FOUR, name: '' }],
      [{ ...FOUR, name: 'é' }],
      [{ ...FOUR, name: 'a\r\nX: y' }],
      [{ ...FOUR, quota: 0 }],
      [{ ...FOUR, quota: 1.5 }],
      [{ ...FOUR, windowSeconds: 0 }],
      [{ ...FOUR, windowSeconds: Number.POSITIVE_INFINITY }],
      [{ ...FOUR, windowSeconds: 367 * 86_400 }],
      [{ ...FOUR, quota: 200_001 }],
      [{ ...FOUR, burst: 0 }],
      [{ ...FOUR, burst: 5 }],
    ];
    for (const policies of bad)
      assert.throws(
        () => createRateLimiter(policies),
        { code: 'bad-rate-limit-policy' },
        JSON.stringify(policies),
      );
    assert.throws(() => createRateLimiter([FOUR], 0), { code: 'bad-rate-limit-policy' });
  });
});

suite('the table of debts', () => {
  test('never holds more keys than it may, and drops those out of debt', () => {
    const debts = new Debts(8);
    for (let at = 0; at < 1_000; at++) {
      debts.debtMs(`k${at}`, at);
      debts.owe(`k${at}`, at + 5);
      assert.ok(debts.size <= 8);
    }
    for (let at = 0; at < 8; at++) debts.debtMs('k', 10_000);
    assert.equal(debts.size, 0);
  });

  test('knows the least of many debts, as a list that is sorted each time does', () => {
    const debtors = fc.array(
      fc.record({ key: fc.nat(30), moreMs: fc.integer({ min: 1, max: 99 }), waitMs: fc.nat(20) }),
      {
        minLength: 50,
        maxLength: 300,
      },
    );
    fc.assert(
      fc.property(debtors, (steps) => {
        const debts = new Debts(8);
        const model = new Map<string, number>();
        let nowMs = 0;
        for (const { key: number, moreMs, waitMs } of steps) {
          const key = String(number);
          nowMs += waitMs;
          // The table drops a few at a time; the model is told when it has come so far.
          for (let at = 0; at < 8; at++) debts.debtMs('stranger', nowMs);
          for (const [each, clearAt] of model) if (clearAt <= nowMs) model.delete(each);
          assert.equal(debts.size, model.size);
          const [least] = [...model].sort(([, one], [, other]) => one - other);
          const wanted = model.get(key) ?? (model.size < 8 ? nowMs : least![1]);
          assert.equal(debts.debtMs(key, nowMs), Math.max(0, wanted - nowMs));
          // Fractions apart, so that no two are equal and the least is one.
          const clearAt = Math.max(nowMs, wanted) + moreMs + model.size / 1_000 + number / 1e6;
          if (!model.has(key) && model.size === 8) model.delete(least![0]);
          model.set(key, clearAt);
          debts.owe(key, clearAt);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('a flood of fresh keys does not wash out a debt', () => {
    const limiter = createRateLimiter([PER_MINUTE], 100);
    for (let at = 0; at < 100; at++) assert.ok(isAdmitted(limiter, 'attacker', 0));
    for (let at = 0; at < 10_000; at++) isAdmitted(limiter, `fresh ${at}`, 0);
    assert.equal(isAdmitted(limiter, 'attacker', 0), false);
  });

  test('keys that push each other out do not come back clean', () => {
    const limiter = createRateLimiter([{ ...PER_MINUTE, quota: 10 }], 4);
    for (let at = 0; at < 3; at++) assert.ok(isAdmitted(limiter, `held ${at}`, 0, 10));
    let admitted = 0;
    for (let at = 0; at < 1_000; at++) if (isAdmitted(limiter, `by turns ${at % 50}`, 0)) admitted++;
    assert.equal(admitted, 10);
  });

  test('a newcomer to a full table waits as the least indebted, and no longer', () => {
    const limiter = createRateLimiter([FOUR], 2);
    assert.equal(taken(limiter, 0, 4, 'a'), '0/0/2000');
    assert.equal(taken(limiter, 0, 3, 'b'), '1/0/1500');
    assert.equal(taken(limiter, 0, 1, 'c'), '0/0/2000');
    assert.equal(taken(limiter, 2_000, 1, 'd'), '3/0/500');
  });

  test('at random: however small, no key gets more than its quota', () => {
    const requests = fc.array(
      fc.record({
        key: fc.integer({ min: 0, max: 9 }),
        cost: fc.integer({ min: 1, max: 4 }),
        waitMs: fc.integer({ min: 0, max: 400 }),
      }),
      { minLength: 20, maxLength: 200 },
    );
    fc.assert(
      fc.property(requests, fc.integer({ min: 1, max: 12 }), (asked, capacity) => {
        const small = createRateLimiter([FOUR], capacity);
        const clearAt = new Map<number, number>();
        let nowMs = 0;
        for (const { key, cost, waitMs } of asked) {
          nowMs += waitMs;
          const admitted = isAdmitted(small, String(key), nowMs, cost);
          // The same algorithm with a number for every key, kept for ever.
          const owed = Math.max(nowMs, clearAt.get(key) ?? 0) + cost * 500;
          const isConforming = owed - nowMs <= 2_000;
          if (admitted) assert.ok(isConforming, `key ${key} at ${nowMs} got more than its quota`);
          if (capacity >= 10) assert.equal(admitted, isConforming);
          if (admitted) clearAt.set(key, owed);
        }
      }),
      { numRuns: 300 },
    );
  });
});

const hello: Handler = () => text(200, 'hello');

function fieldOf(response: HttpResponse, wanted: string): string | undefined {
  const found = (response.headers ?? []).filter(([name]) => name === wanted);
  assert.ok(found.length < 2);
  return found[0]?.[1];
}

suite('a handler behind a rate limit', () => {
  test('tells how its client stands, and refuses with the time to wait', async () => {
    const clock = new SimulatedClock();
    const limiter = createRateLimiter([FOUR, { name: 'a "day"', quota: 100, windowSeconds: 86_400 }]);
    const handler = rateLimited({ limiter, clock }, hello);
    const first = await handler(bareRequest('GET'));
    assert.equal(first.status, 200);
    assert.equal(fieldOf(first, 'RateLimit-Policy'), '"four";q=4;w=2, "a \\"day\\"";q=100;w=86400');
    assert.equal(fieldOf(first, 'RateLimit'), '"four";r=3;t=1, "a \\"day\\"";r=99;t=864');
    for (let at = 0; at < 3; at++) await handler(bareRequest('GET'));
    const refused = await handler(bareRequest('GET'));
    assert.equal(refused.status, 429);
    assert.equal(fieldOf(refused, 'Retry-After'), '1');
    assert.equal(fieldOf(refused, 'RateLimit'), '"four";r=0;t=1, "a \\"day\\"";r=96;t=3456');
    assert.equal(fieldOf(refused, 'Content-Type'), 'application/problem+json');
    assert.deepEqual(JSON.parse(String(refused.body)), {
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Request cannot be satisfied as assigned quota has been exceeded',
      status: 429,
      'violated-policies': ['four'],
    });
    await clock.advance(1_000);
    assert.equal((await handler(bareRequest('GET'))).status, 200);
  });

  test('is not called for what is refused, and tells no time when there is none', async () => {
    const limiter = createRateLimiter([FOUR]);
    const handler = rateLimited({ limiter, clock: new SimulatedClock(), cost: () => 5 }, () =>
      assert.fail('called'),
    );
    const refused = await handler(bareRequest('GET'));
    assert.equal(refused.status, 429);
    assert.equal(fieldOf(refused, 'Retry-After'), undefined);
    assert.equal(fieldOf(refused, 'RateLimit'), '"four";r=4;t=0');
  });

  test('counts by the key given, and nothing where there is none', async () => {
    const limiter = createRateLimiter([{ ...FOUR, quota: 1 }]);
    const key = (request: { headers: { get(name: string): string | undefined } }): string | undefined =>
      request.headers.get('x-key');
    const handler = rateLimited({ limiter, clock: new SimulatedClock(), key }, hello);
    const status = async (value?: string): Promise<number> =>
      (await handler(bareRequest('GET', value === undefined ? [] : [['X-Key', value]]))).status;
    assert.deepEqual([await status('a'), await status('a'), await status('b')], [200, 429, 200]);
    assert.deepEqual([await status(), await status()], [200, 200]);
    // Long ones are told apart although only their hashes are kept.
    const long = 'x'.repeat(8_000);
    assert.deepEqual(
      [await status(`${long}1`), await status(`${long}2`), await status(`${long}1`)],
      [200, 200, 429],
    );
  });

  test('counts a customer with all his IPv6 addresses once', async () => {
    const limiter = createRateLimiter([FOUR]);
    const handler = rateLimited({ limiter, clock: new SimulatedClock() }, hello);
    let admitted = 0;
    for (let at = 0; at < 100; at++) {
      const remote = { address: `2001:db8:0:1::${at.toString(16)}`, port: 1 };
      if ((await handler(bareRequest('GET', [], { remote }))).status === 200) admitted++;
    }
    assert.equal(admitted, 4);
  });

  test('that throws a refusal tells how its client stands too', async () => {
    const limiter = createRateLimiter([FOUR]);
    const handler = rateLimited({ limiter, clock: new SimulatedClock() }, async () => {
      throw new HttpError(404, 'none');
    });
    const thrown = await Promise.resolve(handler(bareRequest('GET'))).catch((error: unknown) => error);
    assert.ok(thrown instanceof HttpError && thrown.status === 404);
    assert.deepEqual(thrown.headers.at(-1), ['RateLimit', '"four";r=3;t=1']);
  });

  test('over a socket: a pipelined flood gets its quota and no more', async () => {
    const clock = new SimulatedClock();
    const host = testHost('http', { clock });
    const handler = rateLimited({ limiter: createRateLimiter([FOUR]), clock }, hello);
    const server = await startHttpServer({ host, address: { host: '127.0.0.1', port: 0 }, handler });
    const peer = await Peer.connect(host.network, server.endpoint);
    const close = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    peer.send(`${'GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(49)}${close}`);
    const answers = (await peer.untilClosed()).toString('latin1');
    assert.equal(answers.split('HTTP/1.1 200 OK\r\n').length - 1, 4);
    assert.equal(answers.split('HTTP/1.1 429 Too Many Requests\r\n').length - 1, 46);
    assert.equal(answers.split('\r\nRetry-After: 1\r\n').length - 1, 46);
    await server.close(0);
  });
});

suite('an address as a key', () => {
  for (const [address, key] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ] as const) {
    test(`${address} is ${key}`, () => assert.equal(addressKey(address), key));
  }
});
