import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import { Pool, type PoolPlan } from './pool.ts';
import { mayRetry, RetryBudget } from './retry.ts';

const checks = { rise: 2, fall: 3 };

function pool(plan: Partial<PoolPlan> = {}): { pool: Pool; changes: string[]; picks(count: number): string } {
  const changes: string[] = [];
  const made = new Pool('p', { servers: ['a:1', 'b:1', 'c:1'], ...plan }, ({ server, from, to }) =>
    changes.push(`${server} ${from} ${to}`),
  );
  const picks = (count: number): string =>
    Array.from({ length: count }, () => made.pick()?.address[0] ?? '-').join('');
  return { pool: made, changes, picks };
}

suite('a pool', () => {
  test('takes turns', () => {
    assert.equal(pool().picks(7), 'abcabca');
    assert.equal(pool({ servers: ['a:1'] }).picks(3), 'aaa');
  });

  test('leaves out draining servers and those tried', () => {
    const { pool: made, picks } = pool();
    const [a, b, c] = made.servers;
    b!.draining = true;
    assert.equal(picks(4), 'acac');
    assert.equal(made.pick(new Set([a!]))?.address, 'c:1');
    assert.equal(made.pick(new Set([a!, c!])), undefined);
    assert.equal(made.readyCount, 2);
  });

  test('believes the first success, and no single failure', () => {
    const { pool: made, picks, changes } = pool({ checks });
    const [a, b] = made.servers;
    assert.equal(picks(3), 'abc', 'nothing is known: all may serve');
    made.succeeded(b!);
    assert.equal(picks(3), 'bbb', 'one is known to be up');
    made.failed(b!, 'x');
    made.failed(b!, 'x');
    assert.equal(b!.health, 'up');
    made.succeeded(b!);
    made.failed(b!, 'x');
    made.failed(b!, 'x');
    assert.equal(b!.health, 'up', 'a success in between starts the count anew');
    made.failed(b!, 'refused');
    assert.equal(b!.health, 'down');
    assert.equal(b!.failure, 'refused');
    assert.equal(picks(2), 'ca', 'unknown ones are better than none');
    made.succeeded(b!);
    assert.equal(b!.health, 'down', 'once is not enough to come back');
    made.succeeded(b!);
    assert.equal(b!.health, 'up');
    made.failed(a!, 'x');
    made.failed(a!, 'x');
    made.failed(a!, 'x');
    assert.deepEqual(changes, ['b:1 unknown up', 'b:1 up down', 'b:1 down up', 'a:1 unknown down']);
  });

  test('without checks nobody is thrown out', () => {
    const { pool: made, picks } = pool();
    for (let at = 0; at < 10; at++) made.failed(made.servers[0]!, 'x');
    assert.equal(picks(3), 'abc');
  });

  test('may be empty of ready servers', () => {
    const { pool: made } = pool({ checks, servers: ['a:1'] });
    for (let at = 0; at < 3; at++) made.failed(made.servers[0]!, 'x');
    assert.equal(made.pick(), undefined);
  });
});

suite('a retry', () => {
  const failed = { method: 'GET', hasContent: false, unsent: false, lost: true };
  const cases: readonly [change: Partial<typeof failed>, allowed: boolean][] = [
    [{}, true],
    [{ method: 'HEAD' }, true],
    [{ method: 'DELETE' }, true],
    [{ method: 'POST' }, false],
    [{ method: 'PATCH' }, false],
    [{ method: 'PUT', hasContent: true }, false],
    [{ method: 'get' }, false],
    [{ lost: false }, false],
    [{ method: 'POST', hasContent: true, unsent: true, lost: false }, true],
  ];
  for (const [change, allowed] of cases) {
    test(`${JSON.stringify(change)}: ${allowed}`, () =>
      assert.equal(mayRetry({ ...failed, ...change }), allowed));
  }

  test('has a budget that grows with the load', () => {
    const budget = new RetryBudget();
    const taken = (): number => {
      let count = 0;
      while (budget.take()) count++;
      return count;
    };
    for (let at = 0; at < 10; at++) budget.begin();
    assert.equal(taken(), 3);
    for (let at = 0; at < 30; at++) budget.begin();
    assert.equal(taken(), 5, '20 % of 40, of which 3 are taken');
    budget.end(true);
    assert.equal(taken(), 1);
  });
});
