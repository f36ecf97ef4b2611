import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  acknowledgeEarly,
  appendBlindly,
  retryUnderNewId,
  takeConflictForFenced,
  takeNotFoundForRefused,
  takeUnknownForAppended,
} from './planted.ts';
import { type PlantedInMember, runReplicated } from './replicated.ts';

/** `npm run simulate` runs many more. */
const CLEAN_SEEDS = 100;

/** Enough that each of the planted bugs shows. */
const MAX_SEEDS = 500;

suite('simulation of members over one replicated log', () => {
  test('a few seeds hold, and see all that can happen', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= CLEAN_SEEDS; seed++) {
      const { violations, events } = await runReplicated(seed, {});
      assert.deepEqual(violations, [], `seed ${seed}`);
      for (const event of events.keys()) seen.add(event);
    }
    const happened = ['led', 'deposed', 'trimmed', 'fenced', 'outcome-unknown'];
    const refused = ['proposal fenced', 'proposal read-only', 'proposal outcome-unknown'];
    for (const event of [...happened, ...refused]) assert.ok(seen.has(event), `no seed sees: ${event}`);
  });

  const plants: Record<string, PlantedInMember> = {
    'an unknown append is acknowledged': { journal: takeUnknownForAppended },
    'acknowledged before the log answers': { journal: acknowledgeEarly },
    'appended without comparing': { journal: appendBlindly },
    'retried under a new id': { journal: retryUnderNewId },
    'what a reader does not find is called not stored': { journal: takeNotFoundForRefused },
    'a conflict with oneself is taken for a fence': { journal: takeConflictForFenced },
    'leads from the head, whatever the state machine has seen': { forgetsMark: true },
  };
  for (const [name, planted] of Object.entries(plants)) {
    test(`finds the planted bug: ${name}`, async () => {
      assert.notEqual(await firstViolation(planted), undefined, 'no seed shows it');
    });
  }
});

async function firstViolation(planted: PlantedInMember): Promise<string | undefined> {
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const { violations } = await runReplicated(seed, planted);
    if (violations.length > 0) return violations[0];
  }
  return undefined;
}
