/** One kind of durable thing: it writes them without pause, remembers what was acknowledged, and looks after a crash. */
import { createHash } from 'node:crypto';
import { SeededRandom } from '../../src/core/random/seeded-random.ts';

export interface Witness {
  readonly name: string;
  /** Acknowledgements since the start. */
  readonly acknowledged: number;
  /** Connects and prepares; called once for each life of the server. */
  connect(env: Readonly<Record<string, string>>): Promise<void>;
  /** Writes until `signal` aborts or the server is gone. @throws what the server refused while it lived */
  load(signal: AbortSignal): Promise<void>;
  /** From here on until `thaw` no acknowledgement counts. */
  freeze(): void;
  thaw(): void;
  /** Drops connections to a server that is gone. */
  abandon(): void;
  /** Compares what is there with what was acknowledged. `all` looks at more than what is new. @returns violations */
  verify(all: boolean): Promise<string[]>;
}

/** Source of what is written: names, sizes, contents. */
export class Material {
  readonly random: SeededRandom;
  readonly #block: Buffer;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.#block = this.random.bytes(1024 * 1024);
  }

  /** `length` bytes that differ from those of another call. */
  bytes(length: number): Buffer {
    const out = Buffer.alloc(length);
    for (let at = 0; at < length; ) {
      const from = this.random.below(this.#block.length);
      at += this.#block.copy(out, at, from);
    }
    return out;
  }

  /** Printable, of about `length` characters. */
  text(length: number): string {
    return this.bytes(Math.ceil(length * 0.75)).toString('base64');
  }

  /** Up to `most`, small ones far more often. */
  size(most: number): number {
    return 1 + this.random.below(1 + this.random.below(most));
  }
}

export function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('base64url').slice(0, 22);
}

/** Runs `work` over and over until `signal` aborts; what fails after that is the crash. */
export async function repeat(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    while (!signal.aborted) await work();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Gives up on `work` when `signal` aborts: not every client settles what it asked of a server that is gone. */
export async function orAborted(signal: AbortSignal, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new Error('the server was killed'));
  signal.addEventListener('abort', abort);
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** At most `count` of the items, spread over all of them. */
export function sample<Item>(items: readonly Item[], count: number, random: SeededRandom): Item[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, () => items[random.below(items.length)] as Item);
}
