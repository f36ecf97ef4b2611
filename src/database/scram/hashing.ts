/** The hashing that SCRAM needs, from the runtime: the one file of this service that touches node:crypto. */
import { createHmac, hash, pbkdf2, timingSafeEqual } from 'node:crypto';
import type { Hashing } from './scram.ts';

export const nodeHashing: Hashing = {
  sha256: (data) => hash('sha256', data, 'buffer'),
  hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};

/** PBKDF2-HMAC-SHA-256 off the event loop. The password is normalised as SASLprep does for common text (NFKC). */
export function saltPassword(password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    pbkdf2(password.normalize('NFKC'), salt, iterations, 32, 'sha256', (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
