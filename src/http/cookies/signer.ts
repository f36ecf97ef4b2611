/**
 * Values that prove that this server wrote them.
 *
 *   Set-Cookie: sid=42.V5pM…        value "." base64url(HMAC-SHA-256(key, name "=" value))
 *
 * The name is signed along, so a value cannot be moved to another cookie. The signature tells who wrote, not when:
 * what must end has its end in the value. It hides nothing: who has the cookie reads the value.
 *
 * Keys rotate: the first signs, all verify. Put a new one in front, take the old one away once what it signed has
 * expired. This file is the only one here that hashes.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { OctetError } from '../../core/errors.ts';
import { COOKIE_LIMITS } from '../limits.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { isToken } from '../wire/grammar.ts';
import type { Cookies } from './read.ts';

/** The keys do not do. */
export class CookieKeyError extends OctetError<'bad-cookie-key'> {
  constructor(message: string) {
    super('bad-cookie-key', message);
  }
}

export interface CookieSigner {
  /** The signed value, for `setCookie`: 44 characters longer. @throws UnsendableError when the name is no token */
  sign(name: string, value: string): string;
  /** The value that was signed for this name, or undefined when none of the keys did. */
  verify(name: string, signed: string): string | undefined;
  /** The first cookie of this name whose signature holds: others may have been planted from a subdomain. */
  read(cookies: Pick<Cookies, 'getAll'>, name: string): string | undefined;
}

/**
 * @param keys secret and random, at least 32 bytes each, the newest first
 * @throws CookieKeyError when there is none, too many, or one is short
 */
export function createCookieSigner(keys: readonly Uint8Array[]): CookieSigner {
  if (keys.length === 0 || keys.length > COOKIE_LIMITS.keys)
    throw new CookieKeyError(`cookies are signed with 1 to ${COOKIE_LIMITS.keys} keys`);
  if (keys.some((key) => key.length < COOKIE_LIMITS.keyBytes))
    throw new CookieKeyError(`a key has at least ${COOKIE_LIMITS.keyBytes} random bytes`);
  return new HmacSigner(keys.map((key) => Uint8Array.from(key)));
}

class HmacSigner implements CookieSigner {
  readonly #keys: readonly Uint8Array[];

  constructor(keys: readonly Uint8Array[]) {
    this.#keys = keys;
  }

  sign(name: string, value: string): string {
    // A name with `=` could be read as a shorter name and a longer value.
    if (!isToken(name)) throw new UnsendableError('a cookie cannot be signed: the name is no token');
    return `${value}.${signature(this.#keys[0]!, name, value)}`;
  }

  verify(name: string, signed: string): string | undefined {
    const dot = signed.lastIndexOf('.');
    if (dot < 0 || !isToken(name)) return undefined;
    const value = signed.slice(0, dot);
    const given = Buffer.from(signed.slice(dot + 1), 'latin1');
    return this.#keys.some((key) => isEqual(given, signature(key, name, value))) ? value : undefined;
  }

  read(cookies: Pick<Cookies, 'getAll'>, name: string): string | undefined {
    for (const signed of cookies.getAll(name)) {
      const value = this.verify(name, signed);
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

function signature(key: Uint8Array, name: string, value: string): string {
  return createHmac('sha256', key).update(`${name}=${value}`).digest('base64url');
}

/** In a time that tells nothing of where they differ. */
function isEqual(given: Buffer, wanted: string): boolean {
  const bytes = Buffer.from(wanted, 'latin1');
  return given.length === bytes.length && timingSafeEqual(given, bytes);
}
