/**
 * An absolute http URI taken apart without changing it: no dot segment is removed, no escape touched, for the
 * path sent must be byte for byte the path asked for (S3 keys, signatures, proxies).
 */
import { HttpClientError } from '../errors.ts';
import { decimal, isHostAndPort, isTarget } from '../wire/grammar.ts';

export interface RequestUrl {
  readonly secure: boolean;
  /** Name or address without brackets. */
  readonly host: string;
  readonly port: number;
  /** As the Host field has it: without the scheme's default port. */
  readonly authority: string;
  readonly target: string;
}

/** @throws HttpClientError `invalid-request` */
export function parseRequestUrl(url: string): RequestUrl {
  const secure = startsWithIgnoreCase(url, 'https://');
  if (!secure && !startsWithIgnoreCase(url, 'http://'))
    throw invalid('the URL is not absolute http or https');
  const from = secure ? 8 : 7;
  const pathAt = firstOf(url, '/?#', from);
  const authority = url.slice(from, pathAt);
  if (!isHostAndPort(authority)) throw invalid('the URL has no valid host');
  const fragmentAt = url.indexOf('#', pathAt);
  const rest = url.slice(pathAt, fragmentAt < 0 ? undefined : fragmentAt);
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  if (!isTarget(target)) throw invalid('the path of the URL has a character that must be escaped');
  return { secure, ...splitAuthority(authority, secure), target };
}

/** The origin as one text: scheme, host and port are equal or not. RFC 6454 section 4. */
export function originOf(url: RequestUrl): string {
  return `${url.secure ? 'https' : 'http'}://${url.host.toLowerCase()}:${url.port}`;
}

function splitAuthority(authority: string, secure: boolean): Pick<RequestUrl, 'host' | 'port' | 'authority'> {
  const nameEnd = authority.startsWith('[') ? authority.indexOf(']') + 1 : firstOf(authority, ':', 0);
  const name = authority.slice(0, nameEnd);
  const usual = secure ? 443 : 80;
  const port = authority.length > nameEnd + 1 ? decimal(authority.slice(nameEnd + 1)) : usual;
  const host = name.startsWith('[') ? name.slice(1, -1) : name;
  return { host, port, authority: port === usual ? name : `${name}:${port}` };
}

function firstOf(text: string, wanted: string, from: number): number {
  let at = from;
  while (at < text.length && !wanted.includes(text[at]!)) at++;
  return at;
}

function startsWithIgnoreCase(text: string, prefix: string): boolean {
  return text.slice(0, prefix.length).toLowerCase() === prefix;
}

function invalid(message: string): HttpClientError {
  return new HttpClientError('invalid-request', message, { fault: 'local', unsent: true });
}
