/** What a sync adds to the CPU time of what is synced, measured with syncs and with syncs that do nothing, in turn. */
import type { Files, OpenFile } from '../../src/core/files/files.ts';
import type { Finding, Load } from '../benchmark.ts';
import { median } from '../measure.ts';

export interface Syncs {
  areOn: boolean;
}

/** Of this process, in µs. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Files whose syncs do nothing while they are switched off. */
export function switchable(files: Files, syncs: Readonly<Syncs>): Files {
  return {
    ...files,
    async open(path, mode) {
      const file = await files.open(path, mode);
      const sync: OpenFile['sync'] = (written) => (syncs.areOn ? file.sync(written) : Promise.resolve());
      const writeThrough: OpenFile['writeThrough'] = (position, bytes) =>
        syncs.areOn ? file.writeThrough(position, bytes) : void file.writeSync(position, bytes);
      const switched: Partial<OpenFile> = { sync, writeThrough };
      return new Proxy(file, {
        get: (target, name) => switched[name as keyof OpenFile] ?? bound(target, name as keyof OpenFile),
      });
    },
  };
}

function bound(file: OpenFile, name: keyof OpenFile): unknown {
  const value: unknown = file[name];
  return typeof value === 'function' ? value.bind(file) : value;
}

/** @param load on files that `syncs` switches */
export async function costOfSync(name: string, load: Load, syncs: Syncs, rounds: number): Promise<Finding[]> {
  const perOperation = async (areOn: boolean): Promise<number> => {
    syncs.areOn = areOn;
    const before = cpuMicros();
    const { operations } = await load();
    return (cpuMicros() - before) / operations;
  };
  const synced: number[] = [];
  const unsynced: number[] = [];
  for (let n = 0; n < rounds; n++) {
    unsynced.push(await perOperation(false));
    synced.push(await perOperation(true));
  }
  const over = median(synced.map((micros, n) => micros - unsynced[n]!));
  const values = { over, synced: median(synced), unsynced: median(unsynced) };
  return [{ name: `${name}.cpu-of-sync`, unit: 'µs', values, goal: 'over at most 5' }];
}
