/**
 * Repeatable randomness for simulations and tests: xoshiro128** by Blackman and Vigna, seeded by splitmix32.
 * Not for secrets.
 */
import type { Random } from './random.ts';

export class SeededRandom implements Random {
  readonly #state = new Uint32Array(4);

  /** @param seed a whole number; the same seed gives the same sequence for ever */
  constructor(seed: number) {
    let x = seed >>> 0;
    for (let index = 0; index < 4; index++) {
      x = (x + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      this.#state[index] = (mixed ^ (mixed >>> 15)) >>> 0;
    }
  }

  /** The next 32 bits, as an unsigned number. */
  next(): number {
    const state = this.#state as unknown as [number, number, number, number];
    const scaled = Math.imul(state[1], 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = (state[3] << 11) | (state[3] >>> 21);
    return result;
  }

  bytes(length: number): Buffer {
    const out = Buffer.allocUnsafe(length);
    for (let index = 0; index < length; index++) out[index] = this.next() & 0xff;
    return out;
  }

  below(bound: number): number {
    // 48 random bits against a bound of at most 2^48: the bias is far below what a test could see.
    const bits = this.next() * 0x10000 + (this.next() & 0xffff);
    return Math.floor((bits / 2 ** 48) * bound);
  }

  uuid(): string {
    const bytes = this.bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = bytes.toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }

  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.next() / 2 ** 32 < probability;
  }

  /** One of `items`, which must not be empty. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}
