/** Who may log in. Passwords are kept and compared as SHA-256 digests, in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Credentials } from './engine/engine.ts';

export function passwordCredentials(username: string, password: string | undefined): Credentials {
  if (password === undefined) return { required: false, verify: () => true };
  const wanted = digest(Buffer.from(password, 'utf8'));
  const wantedUser = digest(Buffer.from(username, 'utf8'));
  const defaultUser = digest(Buffer.from('default'));
  return {
    required: true,
    verify: (givenUser, givenPassword) => {
      const user = digest(Buffer.from(givenUser, 'latin1'));
      // All three are always compared: the time does not tell which one was wrong.
      const named = timingSafeEqual(user, wantedUser);
      const implied = timingSafeEqual(user, defaultUser);
      const right = timingSafeEqual(digest(Buffer.from(givenPassword, 'latin1')), wanted);
      return (named || implied) && right;
    },
  };
}

function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
