/**
 * The Set-Cookie field. RFC 6265bis (draft-ietf-httpbis-rfc6265bis) section 4.1.
 *
 *   Set-Cookie: __Host-sid=31d4d96e; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax
 *
 * A browser drops what breaks its rules and tells nobody, so each rule is checked here, where there is a stack to
 * look at: the characters, the lengths, and what a name promises by how it begins (in any case, as browsers see it):
 *
 *   __Secure-      Secure
 *   __Host-        Secure, Path=/, no Domain
 *   __Http-        Secure, HttpOnly                      draft-ietf-httpbis-layered-cookies
 *   __Host-Http-   Secure, Path=/, no Domain, HttpOnly   draft-ietf-httpbis-layered-cookies
 *
 * `SameSite=None` and `Partitioned` need Secure too.
 */
import { COOKIE_LIMITS } from '../limits.ts';
import { formatDate } from '../wire/date.ts';
import { UnsendableError } from '../wire/encode-head.ts';
import { decimal, isToken } from '../wire/grammar.ts';

/** Everything is closed unless opened: Path is `/`, Secure and HttpOnly are on, SameSite is Lax. */
export interface SetCookie {
  /** A token. */
  readonly name: string;
  /** Printable ASCII without space, quote, comma, semicolon and backslash; may stand in quotes as a whole.
   * `encodeURIComponent` makes one of any text, `percentDecode` reads it. */
  readonly value: string;
  /** Whole seconds from 1 to 400 days; browsers keep no longer. Without it and `expiresMs` until the browser closes. */
  readonly maxAgeSeconds?: number;
  /** Milliseconds since 1970. `maxAgeSeconds` wins where both are given. */
  readonly expiresMs?: number;
  /** A host name without leading dot: the cookie goes to all its subdomains. Without it to this host only. */
  readonly domain?: string;
  readonly path?: string;
  readonly secure?: boolean;
  readonly httpOnly?: boolean;
  readonly sameSite?: 'Strict' | 'Lax' | 'None';
  /** Kept apart for each top-level site (CHIPS). */
  readonly partitioned?: boolean;
}

/**
 * The value of a Set-Cookie field; each cookie needs a field of its own.
 * @throws UnsendableError when a browser would drop the cookie, or read another one
 */
export function setCookie(cookie: SetCookie): string {
  checkPair(cookie);
  checkPromises(cookie);
  return [`${cookie.name}=${cookie.value}`, ...lifetime(cookie), ...scope(cookie), ...flags(cookie)].join(
    '; ',
  );
}

/**
 * The value of a Set-Cookie field that removes a cookie; name, domain, path and partition must be those it has.
 * @throws UnsendableError as `setCookie`
 */
export function clearCookie(cookie: Omit<SetCookie, 'value' | 'maxAgeSeconds' | 'expiresMs'>): string {
  return setCookie({ ...cookie, value: '', expiresMs: 0 });
}

function lifetime({ maxAgeSeconds, expiresMs }: SetCookie): string[] {
  const attributes: string[] = [];
  if (maxAgeSeconds !== undefined) {
    if (!Number.isInteger(maxAgeSeconds) || maxAgeSeconds < 1 || maxAgeSeconds > COOKIE_LIMITS.maxAgeSeconds)
      throw refused('Max-Age is no whole number of seconds from 1 to 400 days');
    attributes.push(`Max-Age=${maxAgeSeconds}`);
  }
  if (expiresMs !== undefined) {
    const year = new Date(expiresMs).getUTCFullYear();
    if (!(year >= 1601 && year <= 9999)) throw refused('Expires is no date from 1601 to 9999');
    attributes.push(`Expires=${formatDate(expiresMs)}`);
  }
  return attributes;
}

function scope({ domain, path = '/' }: SetCookie): string[] {
  if (domain !== undefined && !isHostName(domain)) throw refused('Domain is no host name');
  if (!path.startsWith('/') || !isAttributeValue(path)) throw refused('Path is no path, or has a semicolon');
  return domain === undefined ? [`Path=${path}`] : [`Domain=${domain}`, `Path=${path}`];
}

function flags(cookie: SetCookie): string[] {
  const attributes: string[] = [];
  if (isSecure(cookie)) attributes.push('Secure');
  if (isHttpOnly(cookie)) attributes.push('HttpOnly');
  attributes.push(`SameSite=${cookie.sameSite ?? 'Lax'}`);
  if (cookie.partitioned) attributes.push('Partitioned');
  return attributes;
}

function isSecure({ secure = true }: SetCookie): boolean {
  return secure;
}

function isHttpOnly({ httpOnly = true }: SetCookie): boolean {
  return httpOnly;
}

function checkPair({ name, value }: SetCookie): void {
  if (!isToken(name)) throw refused('the name is no token');
  if (!isCookieValue(value)) throw refused('the value has a character that no cookie has');
  if (name.length + value.length > COOKIE_LIMITS.pairBytes)
    throw refused(`name and value are longer than ${COOKIE_LIMITS.pairBytes} bytes`);
}

function checkPromises(cookie: SetCookie): void {
  const { domain, path = '/', sameSite = 'Lax', partitioned = false } = cookie;
  if (!['Strict', 'Lax', 'None'].includes(sameSite)) throw refused('SameSite is Strict, Lax or None');
  const name = cookie.name.toLowerCase();
  const isHost = name.startsWith('__host-');
  const isHttp = name.startsWith('__http-') || name.startsWith('__host-http-');
  const needsSecure = isHost || isHttp || name.startsWith('__secure-') || sameSite === 'None' || partitioned;
  if (needsSecure && !isSecure(cookie)) throw refused('what its name or attributes promise needs Secure');
  if (isHost && (domain !== undefined || path !== '/')) throw refused('__Host- needs Path=/ and no Domain');
  if (isHttp && !isHttpOnly(cookie)) throw refused('__Http- needs HttpOnly');
}

/** cookie-octet, or a run of them in quotes. */
function isCookieValue(value: string): boolean {
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  const end = isQuoted ? value.length - 1 : value.length;
  for (let at = isQuoted ? 1 : 0; at < end; at++) if (!isCookieOctet(value.charCodeAt(at))) return false;
  return true;
}

/** VCHAR without `"`, `,`, `;` and `\`. */
function isCookieOctet(code: number): boolean {
  return code > 0x20 && code < 0x7f && code !== 0x22 && code !== 0x2c && code !== 0x3b && code !== 0x5c;
}

/** Printable ASCII without the semicolon. */
function isAttributeValue(text: string): boolean {
  if (text.length > COOKIE_LIMITS.attributeBytes) return false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code > 0x7e || code === 0x3b) return false;
  }
  return true;
}

/** Labels of letters, digits and inner hyphens, 253 characters at most; no IPv4 address, which browsers refuse.
 * RFC 1123 section 2.1. */
function isHostName(text: string): boolean {
  const labels = text.split('.');
  return text.length <= 253 && labels.every(isLabel) && decimal(labels.at(-1)!) < 0;
}

function isLabel(label: string): boolean {
  if (label === '' || label.length > 63 || label.startsWith('-') || label.endsWith('-')) return false;
  for (let at = 0; at < label.length; at++) {
    const code = label.charCodeAt(at);
    const isDigit = code >= 0x30 && code <= 0x39;
    const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
    if (!isDigit && !isLetter && code !== 0x2d) return false;
  }
  return true;
}

function refused(why: string): UnsendableError {
  return new UnsendableError(`a cookie cannot be set: ${why}`);
}
