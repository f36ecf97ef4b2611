import { SINGLE_LABEL_STEPS } from '../../limits.ts';
import { TYPE } from '../../wire/codes.ts';
import { labelCount, lastLabels, type Name } from '../../wire/name.ts';
import type { Delegation } from './delegations.ts';
import type { Reading } from './reading.ts';

export interface MinimiserOptions {
  readonly enabled: boolean;
  readonly maxSteps: number;
}

/**
 * How much of a name each server gets to see. RFC 9156: a server of `test` asked for `a.b.spells.test` needs
 * only `spells.test` to say who comes next.
 */
export class Minimiser {
  readonly #name: Name;
  readonly #type: number;
  readonly #enabled: boolean;
  readonly #labels: number;
  readonly #maxSteps: number;
  #shownLabels: number;
  #steps = 0;

  constructor(name: Name, type: number, cut: Delegation | undefined, options: MinimiserOptions) {
    this.#name = name;
    this.#type = type;
    this.#labels = labelCount(name);
    this.#maxSteps = options.maxSteps;
    this.#enabled = options.enabled && cut?.recursionDesired === false;
    this.#shownLabels =
      this.#enabled && cut !== undefined ? Math.min(this.#labels, labelCount(cut.zone) + 1) : this.#labels;
  }

  get shown(): { readonly name: Name; readonly type: number; readonly whole: boolean } {
    const whole = this.#shownLabels >= this.#labels;
    return whole
      ? { name: this.#name, type: this.#type, whole }
      : { name: lastLabels(this.#name, this.#shownLabels), type: TYPE.A, whole };
  }

  /** After a referral to `cut`: one label more than that zone's name. Steps taken stay taken. */
  below(cut: Delegation): Minimiser {
    if (this.#enabled) {
      const next = this.#steps >= this.#maxSteps ? this.#labels : labelCount(cut.zone) + 1;
      this.#shownLabels = Math.min(this.#labels, Math.max(next, 1));
      this.#steps += 1;
    }
    return this;
  }

  /** After an answer that was no referral. Anything unexpected ends the game: then the whole name is shown. */
  step(outcome: Reading['kind']): void {
    this.#steps += 1;
    const plain = outcome === 'no-data' || outcome === 'data';
    const left = this.#labels - this.#shownLabels;
    const stepsLeft = Math.max(1, this.#maxSteps - this.#steps);
    if (!plain || this.#steps >= this.#maxSteps) this.#shownLabels = this.#labels;
    else this.#shownLabels += this.#steps < SINGLE_LABEL_STEPS ? 1 : Math.ceil(left / stepsLeft);
  }
}
