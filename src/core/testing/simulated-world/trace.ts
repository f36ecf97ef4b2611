/** What happened in a world, as one number: two runs of the same seed must agree on it. */
import { createHash } from 'node:crypto';

/** So many of the last lines are kept for who asks what led to a failure. */
const KEPT = 400;

export class Trace {
  readonly #hash = createHash('sha256');
  readonly #tell: ((line: string) => void) | undefined;
  readonly #last: string[] = [];
  #count = 0;

  constructor(tell?: (line: string) => void) {
    this.#tell = tell;
  }

  add(line: string): void {
    this.#hash.update(line);
    this.#hash.update('\n');
    this.#last[this.#count % KEPT] = line;
    this.#count += 1;
    this.#tell?.(line);
  }

  get count(): number {
    return this.#count;
  }

  /** Of everything so far, in hexadecimal. */
  digest(): string {
    return this.#hash.copy().digest('hex');
  }

  /** The last lines, oldest first. */
  last(): string[] {
    const from = Math.max(0, this.#count - KEPT);
    return Array.from(
      { length: this.#count - from },
      (_, index) => this.#last[(from + index) % KEPT] as string,
    );
  }
}
