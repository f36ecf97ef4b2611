import test from 'node:test';
import { fuzzRanges } from './range.fuzz.ts';

test('ranges at random are sent as a set of positions would have them', () => {
  for (const seed of [1, 2, 3]) fuzzRanges(seed, 300);
});
