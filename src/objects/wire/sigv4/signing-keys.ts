/**
 * Signing keys, derived once per day, region and service: four of the five HMACs of a signature.
 * One table serves one secret.
 */
import type { Hashing } from '../hashing.ts';
import { formatScope, type Scope, signingKey } from './signing.ts';

/** Keys of today and of the days that presigned URLs come from. */
const KEPT = 16;

export class SigningKeys {
  readonly #hashing: Hashing;
  readonly #secret: string;
  readonly #keys = new Map<string, Uint8Array>();

  constructor(hashing: Hashing, secret: string) {
    this.#hashing = hashing;
    this.#secret = secret;
  }

  keyOf(scope: Scope): Uint8Array {
    const name = formatScope(scope);
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    if (this.#keys.size >= KEPT) this.#keys.clear();
    const key = signingKey(this.#hashing, this.#secret, scope);
    this.#keys.set(name, key);
    return key;
  }
}
