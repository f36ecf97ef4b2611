/**
 * What caches may do with a file, by its name. RFC 9111 section 5.2.2, RFC 8246 (immutable).
 *
 * Build tools put a hash of the content into the name: `app-BxK3d9aQ.js`, `main.3f9ac2d1.chunk.css`. Such a file
 * never changes under its name and may be kept for ever. Nothing but the name tells so, and a wrong guess stays in
 * caches for a year: the policy is to be chosen, and where in doubt a name has no hash.
 */

const FOR_EVER = 'public, max-age=31536000, immutable';
const ASKED_EACH_TIME = 'no-cache';

const MIN_HASH_LENGTH = 8;
const MAX_HASH_LENGTH = 64;

/** Keeps for ever what has a hash in its name, and has everything else asked for each time. For `cacheControl`. */
export function immutableFingerprints(name: string): string {
  return hasFingerprint(name.slice(name.lastIndexOf('/') + 1)) ? FOR_EVER : ASKED_EACH_TIME;
}

/** Behind the first dot or hyphen and before the last dot: 8 to 64 letters and digits, some of each. */
function hasFingerprint(name: string): boolean {
  const stem = name.slice(0, Math.max(0, name.lastIndexOf('.')));
  return stem
    .split('.')
    .flatMap((part) => part.split('-'))
    .slice(1)
    .some(isHash);
}

function isHash(part: string): boolean {
  if (part.length < MIN_HASH_LENGTH || part.length > MAX_HASH_LENGTH) return false;
  let digits = 0;
  let letters = 0;
  for (const character of part) {
    if (character >= '0' && character <= '9') digits++;
    else if ((character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z')) letters++;
    else if (character !== '_') return false;
  }
  return digits > 0 && letters > 0;
}
