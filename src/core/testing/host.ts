/** A place for one service under test: files in memory, real sockets, nothing logged. */
import { createMemoryFiles } from '../files/memory-files.ts';
import type { Host } from '../lifecycle.ts';
import { createSystemNetwork } from '../net/system-network.ts';
import { Observatory, silentLog } from '../observe/observer.ts';
import { systemRandom } from '../random/system-random.ts';
import { systemClock } from '../time/system-clock.ts';

export interface TestHost extends Host {
  readonly observatory: Observatory;
}

/** @param overrides what the test brings itself: a simulated clock, a faulty disk, a shared folder … */
export function testHost(service: string, overrides: Partial<Host> = {}): TestHost {
  const observatory = new Observatory(silentLog);
  return {
    clock: systemClock,
    random: systemRandom,
    files: createMemoryFiles(),
    network: createSystemNetwork(),
    observer: observatory.observer(service),
    folder: `/octet/${service}`,
    ...overrides,
    observatory,
  };
}
