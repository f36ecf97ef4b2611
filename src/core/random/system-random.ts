import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Random } from './random.ts';

/** The operating system's cryptographic generator. */
export const systemRandom: Random = {
  bytes: (length) => randomBytes(length),
  below: (bound) => (bound <= 1 ? 0 : randomInt(bound)),
  uuid: () => randomUUID(),
};
