import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from './seeded-random.ts';
import { createSystemRandom, systemRandom } from './system-random.ts';

for (const [name, random] of [
  ['system', systemRandom],
  ['seeded', new SeededRandom(7)],
] as const) {
  test(`${name} random: shapes and bounds`, () => {
    assert.equal(random.bytes(20).length, 20);
    assert.match(random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const seen = new Set<number>();
    for (let round = 0; round < 500; round++) seen.add(random.below(5));
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4]);
    assert.equal(random.below(1), 0);
  });
}

test('seeded random: one seed, one sequence', () => {
  const left = new SeededRandom(42);
  const right = new SeededRandom(42);
  assert.deepEqual(left.bytes(64), right.bytes(64));
  assert.notDeepEqual(left.bytes(64), new SeededRandom(43).bytes(64));
});

test('system random: what was handed out does not change and does not come again', () => {
  const random = createSystemRandom();
  const taken = Array.from({ length: 2_000 }, () => random.bytes(16));
  const seen = new Set(taken.map((bytes) => bytes.toString('hex')));
  assert.equal(seen.size, taken.length);
  const first = taken[0]?.toString('hex');
  random.bytes(10_000);
  assert.equal(taken[0]?.toString('hex'), first);
});
