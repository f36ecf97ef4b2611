/** Garbage, other protocols and oversize: each service answers in its own protocol's words, and serves on. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { run } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { type House, startHouse } from './house.ts';
import { heldBytes, MiB } from './memory.ts';

const NAMES = [
  'dns',
  'database',
  'cache',
  'queue',
  'queue management',
  'objects',
  'mail',
  'mail http',
  'api-1',
  'balancer',
  'balancer management',
  'console',
  'admin',
] as const;

describe('garbage and oversize', () => {
  let house: House;
  before(async () => {
    house = await startHouse();
  });
  after(() => house[Symbol.asyncDispose]());

  for (const name of NAMES) {
    test(name, async (context) => {
      const target = house.target(name);
      const before = await heldBytes();
      for (const attack of ATTACKS[target.protocol](target)) {
        await context.test(attack.what, () => run(house, target, attack));
      }
      const grown = (await heldBytes()) - before;
      context.diagnostic(`${name}: ${(grown / MiB).toFixed(1)} MiB more held than before`);
      assert.ok(grown < 8 * MiB, `${grown} bytes more held`);
    });
  }

  test('the table has every port', () => {
    assert.deepEqual(
      house.targets.map(({ name }) => name),
      NAMES,
    );
  });
});
