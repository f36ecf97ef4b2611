import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Outbox } from '../../../src/api/outbox.ts';
import { LockTable } from '../../../src/database/engine/transactions/locks.ts';
import { databaseCase } from './database.ts';
import { mailCase } from './mail.ts';
import { objectsCase } from './objects.ts';
import { acknowledgeEarly, deceived, leakTimers, neverClose, neverSync } from './planted.ts';
import { queueCase } from './queue.ts';
import { type RunResult, runService, type ServiceCase } from './service-run.ts';
import { SERVICE_CASES } from './services.ts';
import { runWhole } from './whole.ts';

/** `npm run simulate -- --only services` runs many more. */
const CLEAN_SEEDS = 2;
/** Enough that each of the planted bugs shows. */
const MAX_SEEDS = 500;

async function firstViolation(run: (seed: number) => Promise<RunResult>): Promise<string | undefined> {
  for (let seed = 1; seed <= MAX_SEEDS; seed += 1) {
    const [violation] = (await run(seed)).violations;
    if (violation !== undefined) return violation;
  }
  return undefined;
}

suite('simulation of the services', () => {
  for (const [name, makeCase] of Object.entries(SERVICE_CASES)) {
    test(`${name}: a few seeds hold, and each gives the same run again`, async () => {
      const digests = new Set<string>();
      for (let seed = 1; seed <= CLEAN_SEEDS; seed += 1) {
        const first = await runService(seed, makeCase);
        assert.deepEqual(first.violations, [], `seed ${seed}`);
        const again = await runService(seed, makeCase);
        assert.equal(again.digest, first.digest, `seed ${seed}`);
        digests.add(first.digest);
      }
      assert.equal(digests.size, CLEAN_SEEDS);
    });
  }

  test('the whole system: a few seeds hold, and each gives the same run again', async () => {
    for (let seed = 1; seed <= CLEAN_SEEDS; seed += 1) {
      const first = await runWhole(seed);
      assert.deepEqual(first.violations, [], `seed ${seed}`);
      assert.equal((await runWhole(seed)).digest, first.digest, `seed ${seed}`);
    }
  });

  const plants: Record<string, () => ServiceCase> = {
    'the database acknowledges before the sync': () => deceived(databaseCase(), acknowledgeEarly),
    'the database never syncs': () => deceived(databaseCase(), neverSync),
    'the queue confirms before the sync': () => deceived(queueCase(), acknowledgeEarly),
    'object storage answers before the sync': () => deceived(objectsCase(), acknowledgeEarly),
    'mail answers before the sync': () => deceived(mailCase(), acknowledgeEarly),
    'a service leaves a timer behind': () => deceived(databaseCase(), leakTimers),
    'a service does not close': () => neverClose(databaseCase()),
  };
  for (const [name, makeCase] of Object.entries(plants)) {
    test(`finds the planted bug: ${name}`, async () => {
      assert.notEqual(
        await firstViolation((seed) => runService(seed, makeCase)),
        undefined,
        'no seed shows it',
      );
    });
  }

  test('finds the planted bug: an event that was not confirmed is not told again', async () => {
    const sound = Outbox.prototype.retell;
    Outbox.prototype.retell = () => Promise.resolve();
    try {
      const violation = await firstViolation((seed) => runWhole(seed));
      assert.match(violation ?? '', /nobody was told/);
    } finally {
      Outbox.prototype.retell = sound;
    }
  });

  test('finds the planted bug: row locks keep nobody out', async () => {
    const sound = LockTable.prototype.tryAcquire;
    LockTable.prototype.tryAcquire = function (owner, name, mode) {
      return name.startsWith('r') || sound.call(this, owner, name, mode);
    };
    try {
      assert.notEqual(
        await firstViolation((seed) => runService(seed, databaseCase)),
        undefined,
        'no seed shows it',
      );
    } finally {
      LockTable.prototype.tryAcquire = sound;
    }
  });
});
