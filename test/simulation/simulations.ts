/** Every simulation by its name, and how a range of seeds of it is run. */
import { simulateBlobs } from './blobs.ts';
import { simulateDeceit } from './deceit.ts';
import { simulateJournal } from './journal.ts';
import { simulateReplicated } from './replicated.ts';
import { simulateServices } from './services/services.ts';
import { Digest, type Simulation } from './simulation.ts';
import { simulateStore } from './store.ts';

export const SIMULATIONS: Readonly<Record<string, Simulation>> = {
  journal: simulateJournal,
  replicated: simulateReplicated,
  blobs: simulateBlobs,
  store: simulateStore,
  deceit: simulateDeceit,
  services: simulateServices,
};

/** What runs when no name is given: whole services take a hundred times as long for a seed. */
export const KERNEL: readonly string[] = Object.keys(SIMULATIONS).filter((name) => name !== 'services');

/** Seeds from `first` on, of each simulation named. */
export interface Portion {
  readonly names: readonly string[];
  readonly first: number;
  readonly count: number;
  /** Whether to take the digest of each run. */
  readonly digests: boolean;
}

export interface Finding {
  readonly name: string;
  readonly seed: number;
  readonly violations: string[];
}

export interface PortionResult {
  readonly first: number;
  readonly findings: Finding[];
  /** One of all runs, when asked for: the same for the same seeds, wherever they ran. */
  readonly digest: string;
}

export async function runPortion({ names, first, count, digests }: Portion): Promise<PortionResult> {
  const findings: Finding[] = [];
  const all = new Digest();
  for (let seed = first; seed < first + count; seed++) {
    for (const name of names) {
      const digest = digests ? new Digest() : undefined;
      const violations = await (SIMULATIONS[name] as Simulation)(seed, digest);
      if (violations.length > 0) findings.push({ name, seed, violations });
      if (digest !== undefined) all.add(`${name} ${seed} ${digest} ${violations.length}`);
    }
  }
  return { first, findings, digest: digests ? all.toString() : '' };
}
