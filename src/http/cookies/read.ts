/**
 * The Cookie field. RFC 6265bis (draft-ietf-httpbis-rfc6265bis) sections 4.2 and 5.8.3.
 *
 *   Cookie: sid=31d4d96e407aad42; lang=en-US; theme="dark"
 *           ─── ────────────────  │
 *           name     value        a pair ends at a semicolon, whatever is around it
 *
 * Taken leniently only where browsers are lenient, for they keep and send whatever a page once gave them:
 *
 *   a name or value with spaces inside, quotes, commas, brackets or bytes above 0x7f    kept as it is
 *   blanks (SP, HTAB) around a pair or a name                                           dropped
 *   `a=b=c`                                                                             a is `b=c`
 *   quotes around a value                                                               part of the value
 *
 * And nowhere else. Each of these has let one site forge another's cookies:
 *
 *   a pair without `=` or without a name is dropped: it is a nameless cookie, and `__Host-sid=x` in its value would
 *     pass for the cookie that only this host can set
 *   only SP and HTAB are blanks: a name that begins with 0x85 or 0xa0 is another name
 *   quotes and `$Version` change nothing: no semicolon is ever inside a value, no comma ever ends one
 *
 * HTTP/2 splits the field, so several lines are read as one; HTTP's comma would end up in a value.
 */
import { HttpError } from '../errors.ts';
import { COOKIE_LIMITS } from '../limits.ts';
import type { HeaderFields } from '../types.ts';
import { trimWhitespace } from '../wire/grammar.ts';

/** What the browser sent, in its order: longer paths first, then older cookies. Names are case-sensitive. */
export interface Cookies extends Iterable<readonly [name: string, value: string]> {
  readonly size: number;
  /** The value as sent, one character per byte; the first of several. Undefined when there is none. */
  get(name: string): string | undefined;
  /** Several cookies of one name differ in path, domain or partition, and nothing tells which is which. */
  getAll(name: string): string[];
}

/**
 * Reads the cookies of a request.
 * @throws HttpError 431 when there are more than a browser keeps for one site
 */
export function readCookies(headers: Pick<HeaderFields, 'getAll'>): Cookies {
  const flat: string[] = [];
  let pairs = 0;
  for (const line of headers.getAll('cookie')) {
    for (let from = 0; from <= line.length; ) {
      const semicolon = line.indexOf(';', from);
      const end = semicolon < 0 ? line.length : semicolon;
      if (end > from && ++pairs > COOKIE_LIMITS.cookies) throw new HttpError(431, 'too many cookies');
      takePair(line.slice(from, end), flat);
      from = end + 1;
    }
  }
  return new CookieList(flat);
}

function takePair(pair: string, flat: string[]): void {
  const equals = pair.indexOf('=');
  if (equals < 0) return;
  const name = trimWhitespace(pair.slice(0, equals));
  const value = trimWhitespace(pair.slice(equals + 1));
  if (name === '' || name.length + value.length > COOKIE_LIMITS.pairBytes) return;
  flat.push(name, value);
}

/** One flat array: no object takes its keys from the network. */
class CookieList implements Cookies {
  readonly #flat: readonly string[];

  constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  get size(): number {
    return this.#flat.length / 2;
  }

  get(name: string): string | undefined {
    for (const [each, value] of this) if (each === name) return value;
    return undefined;
  }

  getAll(name: string): string[] {
    const values: string[] = [];
    for (const [each, value] of this) if (each === name) values.push(value);
    return values;
  }

  *[Symbol.iterator](): IterableIterator<readonly [string, string]> {
    for (let at = 0; at < this.#flat.length; at += 2) yield [this.#flat[at]!, this.#flat[at + 1]!];
  }
}
