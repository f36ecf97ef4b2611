import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Random } from './random.ts';

/** Bytes drawn at once: a draw costs a system call's worth, whatever its length. */
const POOL_BYTES = 4_096;
/** Longer wishes are drawn on their own. */
const POOLED_MAX_BYTES = 256;

/** A generator of its own pool: what was handed out is never handed out again, and the pool never refilled in place. */
export function createSystemRandom(): Random {
  let pool = Buffer.alloc(0);
  return {
    bytes(length) {
      if (length > POOLED_MAX_BYTES) return randomBytes(length);
      if (length > pool.length) pool = randomBytes(POOL_BYTES);
      const taken = pool.subarray(0, length);
      pool = pool.subarray(length);
      return taken;
    },
    below: (bound) => (bound <= 1 ? 0 : randomInt(bound)),
    uuid: () => randomUUID(),
  };
}

/** The operating system's cryptographic generator. */
export const systemRandom: Random = createSystemRandom();
