/** A short run of each fuzz target; long ones are `npm run fuzz`. */
import test, { suite } from 'node:test';
import { fuzz as session } from './session.fuzz.ts';
import { fuzz as chunked } from './wire/chunked.fuzz.ts';
import { fuzz as heads } from './wire/heads.fuzz.ts';

suite('a short run at random', () => {
  for (const { name, run } of [heads, chunked, session]) test(name, () => run(1, 2_000));
});
