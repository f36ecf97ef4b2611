/** Every simulation of a service, and all of them as one: `npm run simulate -- --only services`. */
import type { Simulation } from '../simulation.ts';
import { cacheCase } from './cache.ts';
import { databaseCase } from './database.ts';
import { dnsCase } from './dns.ts';
import { mailCase } from './mail.ts';
import { objectsCase } from './objects.ts';
import { queueCase } from './queue.ts';
import { runService, type ServiceCase } from './service-run.ts';
import { runWhole } from './whole.ts';

export const SERVICE_CASES: Readonly<Record<string, () => ServiceCase>> = {
  database: databaseCase,
  queue: queueCase,
  objects: objectsCase,
  mail: mailCase,
  cache: cacheCase,
  dns: dnsCase,
};

export const simulateServices: Simulation = async (seed) => {
  const violations: string[] = [];
  for (const makeCase of Object.values(SERVICE_CASES)) {
    const result = await runService(seed, makeCase);
    violations.push(...result.violations.map((violation) => `${makeCase().name}: ${violation}`));
  }
  const whole = await runWhole(seed);
  violations.push(...whole.violations.map((violation) => `whole system: ${violation}`));
  return violations;
};
