/** For load tools that take a number of operations instead of a time. */
import type { Done, Load } from './benchmark.ts';

const ROUND_SECONDS = 0.8;
const FIRST_COUNT = 1_000;
/** A first run this long tells the rate well enough. */
const ENOUGH_SECONDS = 0.2;
const GROWTH = 8;
const MAX_COUNT = 2_000_000;

/**
 * Runs `run` with as many operations as fit into a round; the number is found at the first call, which the
 * measurement does not count.
 */
export function calibrated(run: (count: number) => Promise<Done>): Load {
  let count = 0;
  return async () => {
    if (count === 0) count = await fittingCount(run);
    return run(count);
  };
}

async function fittingCount(run: (count: number) => Promise<Done>): Promise<number> {
  for (let count = FIRST_COUNT; ; count *= GROWTH) {
    const startedAt = performance.now();
    const { seconds = (performance.now() - startedAt) / 1_000 } = await run(count);
    if (seconds >= ENOUGH_SECONDS || count * GROWTH > MAX_COUNT)
      return Math.min(MAX_COUNT, Math.ceil((count / seconds) * ROUND_SECONDS));
  }
}
