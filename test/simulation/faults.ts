import type { Fault, SimulatedDisk } from '../../src/core/files/simulated-files.ts';
import type { SeededRandom } from '../../src/core/random/seeded-random.ts';

/** Calls that a full disk may refuse; it is not full for who takes nothing from it. */
const TAKES_SPACE = new Set(['write', 'create', 'open', 'makeFolder', 'rename']);

const FAULTS = ['power-cut', 'power-cut', 'kill', 'EIO', 'ENOSPC', 'failed sync'] as const;

/**
 * Chooses what goes wrong in one life of a process: at one of its next `withinCalls` calls (or at ten in a row)
 * the power, the process or the call fails, or the first sync from there on; and the disk may be small.
 * @returns a promise of the process's end by force; nothing of it runs afterwards
 */
export function armDisk(disk: SimulatedDisk, random: SeededRandom, withinCalls = 120): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = disk.calls + 1 + random.below(withinCalls);
  const last = first + (random.chance(0.2) ? 9 : 0);
  const kind = random.pick(FAULTS);
  if (random.chance(0.2)) disk.capacityBytes = 2000 + random.below(20_000);
  // Some file systems find out only when syncing that there is no room. It is as final as any failed sync.
  const syncCode = random.pick(['EIO', 'EIO', 'ENOSPC']);
  let syncFailed = false;
  disk.inject = ({ number, call }): Fault | undefined => {
    if (kind === 'failed sync') {
      if (syncFailed || number < first || call !== 'sync') return undefined;
      syncFailed = true;
      return { code: syncCode };
    }
    if (number < first || number > last) return undefined;
    if (kind === 'EIO') return { code: 'EIO' };
    if (kind === 'ENOSPC') return TAKES_SPACE.has(call) ? { code: 'ENOSPC' } : undefined;
    resolve();
    return kind;
  };
  return promise;
}

/** Ends the process, if it has not ended yet, and makes the disk a sound one. */
export function disarmDisk(disk: SimulatedDisk, random: SeededRandom): void {
  disk.inject = undefined;
  disk.capacityBytes = Number.POSITIVE_INFINITY;
  if (random.chance(0.3)) disk.powerCut();
  else disk.kill();
}
