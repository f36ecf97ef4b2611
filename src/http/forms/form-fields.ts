/**
 * The pairs of a form, in order. Names come from the network, so they are never keys of an object: `__proto__` is a
 * name like any other, and no choice of names makes a lookup slower than the bound on their number allows.
 */
export class FormFields implements Iterable<readonly [name: string, value: string]> {
  /** name, value, name, value, … */
  readonly #flat: readonly string[];

  constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  get count(): number {
    return this.#flat.length / 2;
  }

  /** The first value of this name, exactly; undefined when there is none. */
  get(name: string): string | undefined {
    for (let at = 0; at < this.#flat.length; at += 2) {
      if (this.#flat[at] === name) return this.#flat[at + 1];
    }
    return undefined;
  }

  getAll(name: string): string[] {
    const values: string[] = [];
    for (const [given, value] of this) if (given === name) values.push(value);
    return values;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, string]> {
    for (let at = 0; at < this.#flat.length; at += 2) yield [this.#flat[at]!, this.#flat[at + 1]!];
  }
}
