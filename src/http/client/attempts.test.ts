import assert from 'node:assert/strict';
import test, { suite } from 'node:test';
import type { Connection } from '../../core/net/network.ts';
import { SimulatedClock } from '../../core/time/simulated-clock.ts';
import { turns } from '../testing/virtual-time.ts';
import { attemptOrder, FailedAddresses, firstConnection } from './attempts.ts';

class Dialled {
  readonly log: string[] = [];
  readonly clock = new SimulatedClock();
  readonly abort = new AbortController();
  readonly #pending = new Map<string, PromiseWithResolvers<Connection>>();

  start(...addresses: string[]): Promise<Connection> {
    const attempt = (address: string, signal: AbortSignal): Promise<Connection> => {
      this.log.push(`${this.clock.monotonic()} ${address}`);
      signal.addEventListener('abort', () => this.log.push(`let go ${address}`));
      const pending = Promise.withResolvers<Connection>();
      this.#pending.set(address, pending);
      return pending.promise;
    };
    return firstConnection(addresses, attempt, {
      clock: this.clock,
      attemptDelayMs: 250,
      signal: this.abort.signal,
      failed: (address) => this.log.push(`failed ${address}`),
    });
  }

  connect(address: string): void {
    const destroy = (): void => void this.log.push(`destroyed ${address}`);
    this.#pending.get(address)!.resolve({ remote: { address, port: 1 }, destroy } as unknown as Connection);
  }

  fail(address: string): void {
    this.#pending.get(address)!.reject(new Error(address));
  }
}

suite('several addresses', () => {
  test('the families take turns, and what failed lately comes last', () => {
    const order = attemptOrder(['a::1', 'a::2', 'a::1', '1.1.1.1', '1.1.1.2', '1.1.1.3'], () => false);
    assert.deepEqual(order, ['a::1', '1.1.1.1', 'a::2', '1.1.1.2', '1.1.1.3']);
    assert.deepEqual(
      attemptOrder(['1.1.1.1', 'a::1', '1.1.1.2'], (address) => address === '1.1.1.1'),
      ['a::1', '1.1.1.2', '1.1.1.1'],
    );
    assert.deepEqual(
      attemptOrder([], () => false),
      [],
    );
  });

  test('the next is tried after the delay, and at once after a failure; the first to connect wins', async () => {
    const dialled = new Dialled();
    const first = dialled.start('a', 'b', 'c');
    await dialled.clock.advance(249);
    assert.deepEqual(dialled.log, ['0 a']);
    await dialled.clock.advance(1);
    dialled.fail('b');
    await turns();
    assert.deepEqual(dialled.log, ['0 a', '250 b', 'failed b', '250 c']);
    dialled.connect('c');
    assert.equal((await first).remote.address, 'c');
    assert.deepEqual(dialled.log.slice(4), ['let go a', 'failed a']);
    dialled.connect('a');
    await turns();
    assert.equal(dialled.log.at(-1), 'destroyed a');
    assert.equal(dialled.clock.pendingCount, 0);
  });

  test('when all fail, the last failure is told', async () => {
    const dialled = new Dialled();
    const first = dialled.start('a', 'b');
    const rejected = assert.rejects(first, { message: 'a' });
    await dialled.clock.advance(250);
    dialled.fail('b');
    await turns();
    dialled.fail('a');
    await rejected;
    assert.equal(dialled.clock.pendingCount, 0);
  });

  test('all are let go when the request is', async () => {
    const dialled = new Dialled();
    const first = dialled.start('a', 'b');
    const rejected = assert.rejects(first);
    dialled.abort.abort();
    await rejected;
    assert.deepEqual(dialled.log, ['0 a', 'let go a']);
    assert.equal(dialled.clock.pendingCount, 0);
  });

  test('a failure is remembered for a while, and not too many are', () => {
    const failed = new FailedAddresses(1_000, 2);
    failed.add('a', 0);
    assert.ok(failed.has('a', 999));
    assert.ok(!failed.has('a', 1_000));
    for (const address of ['a', 'b', 'c']) failed.add(address, 0);
    assert.deepEqual(
      ['a', 'b', 'c'].map((address) => failed.has(address, 1)),
      [false, true, true],
    );
    failed.remove('b');
    assert.ok(!failed.has('b', 1));
  });
});
