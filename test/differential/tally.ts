/** Counts what a run found, and prints the first differences. */
import type { parseByUs } from './ours.ts';

const MAX_PRINTED = 20;

export class Tally {
  #inputs = 0;
  #messages = 0;
  #refused = 0;
  #problems = 0;
  /** Why we refuse what both others take. */
  readonly #stricter = new Map<string, number>();

  add(
    bytes: Buffer,
    ours: ReturnType<typeof parseByUs>,
    problem: string | undefined,
    bothTake: boolean,
  ): void {
    this.#inputs++;
    this.#messages += ours.messages.length;
    if (ours.refused) this.#refused++;
    if (bothTake && ours.code !== undefined)
      this.#stricter.set(ours.code, (this.#stricter.get(ours.code) ?? 0) + 1);
    if (problem === undefined) return;
    if (this.#problems++ < MAX_PRINTED)
      console.log(`${problem}\n  in ${JSON.stringify(bytes.toString('latin1'))}`);
  }

  report(seconds: number, seed: number): number {
    const stricter = [...this.#stricter].sort((one, other) => other[1] - one[1]);
    console.log(`stricter than both: ${stricter.map(([code, count]) => `${code} ${count}`).join(', ')}`);
    console.log(
      `differential: seed ${seed}, ${this.#inputs} inputs, ${this.#messages} messages taken, ${this.#refused} inputs refused, ` +
        `${this.#problems} differences, ${Math.round(this.#inputs / seconds)} inputs a second`,
    );
    return this.#problems === 0 ? 0 : 1;
  }
}
