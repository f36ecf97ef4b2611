import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SeededRandom } from '../random/seeded-random.ts';
import { sortPairs } from './pair-sort.ts';

type Pair = readonly [key: number, value: number];

/** @returns the sorted pairs, and how often others had their turn */
function sorted(pairs: readonly Pair[]): { found: Pair[]; turns: number } {
  const sorting = sortPairs(Uint32Array.from(pairs.flat()));
  let turns = 0;
  let step = sorting.next();
  for (; step.done !== true; step = sorting.next()) turns += 1;
  const { value } = step;
  return { found: pairs.map((_, index) => [value[2 * index]!, value[2 * index + 1]!]), turns };
}

suite('pair sort', () => {
  const cases: readonly [string, readonly Pair[], readonly Pair[]][] = [
    ['nothing', [], []],
    ['one', [[5, 1]], [[5, 1]]],
    [
      'two',
      [
        [5, 1],
        [4, 2],
      ],
      [
        [4, 2],
        [5, 1],
      ],
    ],
    [
      'equal keys keep their order',
      [
        [7, 3],
        [7, 1],
        [2, 9],
        [7, 2],
      ],
      [
        [2, 9],
        [7, 3],
        [7, 1],
        [7, 2],
      ],
    ],
    [
      'by the highest byte',
      [
        [0xff000000, 1],
        [0x7f000000, 2],
        [0, 3],
      ],
      [
        [0, 3],
        [0x7f000000, 2],
        [0xff000000, 1],
      ],
    ],
    [
      'by the lowest byte',
      [
        [0xfffffffe, 1],
        [0xffffffff, 2],
        [0xfffffffd, 3],
      ],
      [
        [0xfffffffd, 3],
        [0xfffffffe, 1],
        [0xffffffff, 2],
      ],
    ],
    [
      'all the same',
      [
        [1, 4],
        [1, 3],
        [1, 2],
      ],
      [
        [1, 4],
        [1, 3],
        [1, 2],
      ],
    ],
  ];
  for (const [name, given, expected] of cases) {
    test(name, () => assert.deepEqual(sorted(given).found, expected));
  }

  test('any pairs come out as a stable sort has them, and others get their turn on the way', () => {
    for (let seed = 1; seed <= 30; seed += 1) {
      const random = new SeededRandom(seed);
      const bound = random.pick([2, 300, 70_000, 2 ** 32]);
      const length = seed === 30 ? 50_000 : random.below(2_000);
      const pairs = Array.from({ length }, (_, index): Pair => [random.below(bound), index]);
      const { found, turns } = sorted(pairs);
      assert.deepEqual(
        found,
        pairs.toSorted((left, right) => left[0] - right[0]),
        `seed ${seed}`,
      );
      if (seed === 30) assert.ok(turns >= 8, `${turns} turns`);
    }
  });
});
