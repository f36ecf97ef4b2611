/**
 * The store of a service: opened within the bounds of its host, and with a word to the log when replaying the
 * journal takes long, so that nobody takes a start that works for one that hangs.
 */
import type { Files } from '../files/files.ts';
import type { Log, Observer } from '../observe/types.ts';
import type { Random } from '../random/random.ts';
import type { Clock } from '../time/clock.ts';
import type { RecoveryProgress } from './replay-progress.ts';
import { openStore, type StoreBounds } from './store.ts';
import type { Store } from './types.ts';

/** A replay that takes less is not spoken of; one that takes longer is, so often. */
const SPEAK_EVERY_MS = 1_000;

/** What a store needs of its service's host. */
export interface StoreHost {
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer?: Pick<Observer, 'log'>;
  readonly storage?: StoreBounds;
}

/** Opens the store in `folder`. @throws as `openStore` does */
export function openServiceStore(host: StoreHost, folder: string): Promise<Store> {
  const { files, clock, random, observer, storage } = host;
  const told = observer === undefined ? {} : { onRecovery: recoveryLog(observer.log, clock) };
  return openStore({ ...storage, files, folder, clock, random, ...told });
}

/** Says how far a recovery is, if it takes longer than a second, and then when it is complete. */
export function recoveryLog(log: Pick<Log, 'warn'>, clock: Clock): (progress: RecoveryProgress) => void {
  const startedAt = clock.monotonic();
  let spokeAt = startedAt;
  return ({ doneBytes, totalBytes }) => {
    const now = clock.monotonic();
    if (doneBytes === totalBytes) {
      const seconds = ((now - startedAt) / 1_000).toFixed(1);
      if (spokeAt > startedAt)
        log.warn(`its journal is replayed, ${megabytes(totalBytes)} MB in ${seconds} s`);
      return;
    }
    if (now - spokeAt < SPEAK_EVERY_MS) return;
    spokeAt = now;
    log.warn(`replaying its journal, ${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`);
  };
}

/** Whole megabytes, as `1,024`. */
function megabytes(bytes: number): string {
  return String(Math.round(bytes / 1_000_000)).replace(/\B(?=(\d{3})+$)/g, ',');
}
