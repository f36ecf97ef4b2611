/** Secrets compared in a time that tells nothing of them. */
import { hash, timingSafeEqual } from 'node:crypto';

/** Takes as long for a near miss as for a far one, and as long for a short secret as for a long one. */
export function secretsEqual(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
