/**
 * Which requests go through a proxy, and what it is told. RFC 9112 section 3.2, RFC 9110 section 9.3.6.
 *
 *   http      GET http://host/path HTTP/1.1       the proxy reads along and answers from where it likes
 *   https     CONNECT host:443 HTTP/1.1           a tunnel: what passes is for us and the server alone
 *   upgrade   as https, for many a proxy drops Upgrade
 *
 * Names in `except` go direct: `example.com` and all below it, `.example.com` likewise, an address, a range in CIDR
 * notation, each perhaps with `:port`; `*` is everything. That is how curl reads no_proxy.
 */
import { HttpClientError } from '../errors.ts';
import { isWithin, parseAddress, parseRange } from './ip-address.ts';
import { parseRequestUrl, type RequestUrl } from './url.ts';

export interface ProxyOptions {
  /** `http://host:port`; the way to the proxy itself is not encrypted. */
  readonly url: string;
  /** Value of Proxy-Authorization: `Basic …`. Sent to the proxy only. RFC 9110 section 11.7.2. */
  readonly authorization?: string;
  /** What is reached without it. */
  readonly except?: readonly string[];
}

export interface HttpProxy {
  readonly host: string;
  readonly port: number;
  readonly authorization: string | undefined;
  readonly except: readonly string[];
}

/** @throws HttpClientError `invalid-request` */
export function parseProxy(options: ProxyOptions): HttpProxy {
  const { secure, host, port, target } = parseRequestUrl(options.url);
  if (secure) throw invalid('a proxy that is spoken to in TLS is not supported');
  if (target !== '/') throw invalid('the URL of a proxy has no path');
  return { host, port, authorization: options.authorization, except: options.except ?? [] };
}

/** Whether the rules let `url` go direct. */
export function isExcepted({ host, port }: RequestUrl, except: readonly string[]): boolean {
  const name = host.toLowerCase();
  const address = parseAddress(name);
  return except.some((rule) => {
    if (rule === '*') return true;
    const { pattern, rulePort } = splitPort(rule.toLowerCase());
    if (rulePort !== undefined && rulePort !== String(port)) return false;
    const range = parseRange(pattern);
    if (address === undefined) return range === undefined && isAtOrBelow(name, pattern);
    return range !== undefined && isWithin(address, range);
  });
}

/** A colon parts the port, unless the rule is an IPv6 address without brackets. */
function splitPort(rule: string): { pattern: string; rulePort: string | undefined } {
  if (rule.startsWith('[')) {
    const end = rule.indexOf(']');
    const rest = rule.slice(end + 1);
    return { pattern: rule.slice(1, end), rulePort: rest.startsWith(':') ? rest.slice(1) : undefined };
  }
  const colon = rule.indexOf(':');
  if (colon < 0 || colon !== rule.lastIndexOf(':')) return { pattern: rule, rulePort: undefined };
  return { pattern: rule.slice(0, colon), rulePort: rule.slice(colon + 1) };
}

function isAtOrBelow(name: string, pattern: string): boolean {
  const domain = pattern.startsWith('.') ? pattern.slice(1) : pattern;
  if (domain === '') return false;
  const plain = name.endsWith('.') ? name.slice(0, -1) : name;
  return plain === domain || plain.endsWith(`.${domain}`);
}

function invalid(message: string): HttpClientError {
  return new HttpClientError('invalid-request', message, { fault: 'local', unsent: true });
}
