/** So many turns without an end are no computation but a loop. */
const MOST_TURNS = 1_000_000;

/**
 * Resolves when nothing is left to do in this turn of the event loop or the next: no microtask, no `nextTick`,
 * no `setImmediate`. What waits for the operating system is not seen.
 */
export async function untilIdle(): Promise<void> {
  for (let turns = 0; turns < MOST_TURNS; turns++) {
    // Node runs all microtasks between two immediates, so none is left when this one goes on.
    await new Promise((resume) => setImmediate(resume));
    if (!process.getActiveResourcesInfo().includes('Immediate')) return;
  }
  throw new Error(`still at work after ${MOST_TURNS} turns of the event loop`);
}
