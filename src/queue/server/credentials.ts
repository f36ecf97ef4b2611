import { createHash, timingSafeEqual } from 'node:crypto';

/** Compares in a time that tells nothing about `expected`, its length included. */
export function secretsEqual(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

/** Both are always compared, so that a wrong user takes as long as a wrong password. */
export function isLogin(
  given: { readonly user: string; readonly password: string },
  expected: { readonly user: string; readonly password: string },
): boolean {
  const user = secretsEqual(given.user, expected.user);
  const password = secretsEqual(given.password, expected.password);
  return user && password;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
