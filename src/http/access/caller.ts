/**
 * By which name a request came, and from whose page. What listens on loopback is reached by every web page that this
 * machine's browser opens, in two ways:
 *
 *   the page calls it             Origin: https://evil.example
 *   or makes its own name lead    Host: evil.example            (DNS rebinding; the browser takes it for the
 *   to 127.0.0.1, and calls that                                 page's own origin, and sends no Origin)
 *
 * So whoever serves without credentials looks at both.
 */
import type { HeaderFields, HttpRequest } from '../types.ts';

/** Host without its port, in lower case; an IPv6 address keeps its brackets. '' when there is none. RFC 9110 section 7.2. */
export function hostNameOf(headers: HeaderFields): string {
  const host = (headers.get('host') ?? '').toLowerCase();
  if (host.startsWith('[')) return host.slice(0, host.indexOf(']') + 1);
  const colon = host.indexOf(':');
  return colon < 0 ? host : host.slice(0, colon);
}

/**
 * No page sent it, or one of this server's own: Origin is absent, or names what Host names. The scheme is not looked
 * at, for whoever ends TLS in front of us speaks plain HTTP with us.
 */
export function isOwnOrigin({ headers }: Pick<HttpRequest, 'headers'>): boolean {
  const origin = headers.get('origin');
  const host = headers.get('host') ?? '';
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
}
