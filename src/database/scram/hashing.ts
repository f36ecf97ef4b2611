import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { ScramHashing } from './scram.ts';

const derive = promisify(pbkdf2);
const KEY_BYTES = 32;

/** SCRAM's hashes by node:crypto; the slow one in its thread pool. */
export const nodeHashing: ScramHashing = {
  sha256: (data) => createHash('sha256').update(data).digest(),
  hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
  pbkdf2: (password, salt, iterations) => derive(password, salt, iterations, KEY_BYTES, 'sha256'),
  equal: (left, right) => left.length === right.length && timingSafeEqual(left, right),
};
