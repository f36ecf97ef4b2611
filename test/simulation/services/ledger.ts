/** What clients were told of what they wrote, to be held against what is there in the end. */
import type { Violations } from '../simulation.ts';

type Outcome = 'unknown' | 'acknowledged' | 'refused' | 'seen';

export class Ledger {
  readonly #outcomes = new Map<string, Outcome>();
  readonly #what: string;

  /** @param what what one entry is called in a violation */
  constructor(what: string) {
    this.#what = what;
  }

  get size(): number {
    return this.#outcomes.size;
  }

  count(outcome: Outcome): number {
    return [...this.#outcomes.values()].filter((other) => other === outcome).length;
  }

  /** Asked for: from here on it may be there, until more is known. */
  begin(id: string): void {
    this.#outcomes.set(id, 'unknown');
  }

  acknowledge(id: string): void {
    this.#outcomes.set(id, 'acknowledged');
  }

  /** The service has said that nothing of it was stored. */
  refuse(id: string): void {
    this.#outcomes.set(id, 'refused');
  }

  /** A reader was shown it: what is told is durable, whatever its writer knows. */
  see(id: string, violations: Violations): void {
    const outcome = this.#outcomes.get(id);
    violations.check(outcome !== undefined, () => `${this.#what} ${id} was shown, and nobody wrote it`);
    violations.check(outcome !== 'refused', () => `${this.#what} ${id} was shown, though refused`);
    if (outcome === 'unknown') this.#outcomes.set(id, 'seen');
  }

  outcome(id: string): Outcome | undefined {
    return this.#outcomes.get(id);
  }

  /** Holds what is there against what was told. */
  verify(there: ReadonlySet<string>, violations: Violations): void {
    for (const [id, outcome] of this.#outcomes) {
      const isThere = there.has(id);
      violations.check(
        isThere || outcome === 'unknown' || outcome === 'refused',
        () => `${this.#what} ${id} was ${outcome} and is lost`,
      );
      violations.check(
        !isThere || outcome !== 'refused',
        () => `${this.#what} ${id} was refused and is there`,
      );
    }
    for (const id of there) {
      const isKnown = this.#outcomes.has(id);
      violations.check(isKnown, () => `${this.#what} ${id} is there, and nobody wrote it`);
    }
  }
}
