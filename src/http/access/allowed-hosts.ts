/**
 * Which names a server answers to. A page of the web can make its own name lead to 127.0.0.1 (DNS rebinding); it is then
 * one origin with what listens there, and reads and changes all of it, unless that looks at the name it was called by:
 *
 *   Host: 127.0.0.1:8080, [::1]        an address leads where it says
 *   Host: api, localhost:8080          a name without a dot is no name of the public tree,
 *   Host: shop.localhost, shop.test    nor is one below a top level that was set apart from it
 *   Host: shop.example.com             is somebody's: answered only when it is listed
 *
 * A browser sends the name as the page's address has it, in lower case and ASCII, whatever it leads to. So the name is
 * compared as text, from its end, and never looked up: what it leads to can be another address a moment later.
 */
import { isLoopback } from '../../core/net/loopback.ts';
import type { HeaderFields } from '../types.ts';
import { isHostAndPort, isIpv4 } from '../wire/grammar.ts';
import { hostNameOf } from './caller.ts';

/**
 * Top levels that nobody registers a name below. RFC 6761 section 6 (localhost, test, invalid, example), RFC 6762
 * section 3 (local), ICANN's board of 29 July 2024 (internal). `example.com` and its kin are not among them: they
 * are reserved too, but resolve.
 */
const SET_APART = new Set(['localhost', 'test', 'invalid', 'example', 'local', 'internal']);
/** The one of two labels, for homes. RFC 8375 section 3. */
const HOME = 'home.arpa';

const MAX_NAME_LENGTH = 253;
const MAX_LABEL_LENGTH = 63;
const LABEL = new Set('abcdefghijklmnopqrstuvwxyz0123456789-_');

export interface HostRuleOptions {
  /** Where the listener is bound; asked with the first request, as port and address are known by then. */
  readonly address: () => string;
  /**
   * `shop.example.com`, `*.shop.example.com` (one label more, as in certificates), `*` for every name. Once they are
   * listed they hold wherever the listener is; undefined leaves a listener beyond loopback without a rule.
   */
  readonly allowedHosts: readonly string[] | undefined;
  /** Names that are served for another reason, such as a route of theirs. */
  readonly served?: readonly string[];
}

/** Whether a request's Host is a name that the server answers to. */
export type HostRule = (headers: HeaderFields) => boolean;

/** @returns what is to be refused with 421 (RFC 9110 section 15.5.20) when it is false */
export function createHostRule(options: HostRuleOptions): HostRule {
  const { allowedHosts, served = [] } = options;
  const names = new Set(
    [...(allowedHosts ?? []), ...served.filter((name) => !name.startsWith('*'))].map(plain),
  );
  let looks: boolean | undefined;
  return (headers) => {
    looks ??= !names.has('*') && (allowedHosts !== undefined || isLoopback(options.address()));
    return !looks || isAnswered(headers, names);
  };
}

function isAnswered(headers: HeaderFields, names: ReadonlySet<string>): boolean {
  // HTTP/1.0 may do without, and health checks do. No browser does.
  if (!headers.has('host')) return true;
  const name = plain(hostNameOf(headers));
  return isNobodys(name) || names.has(name) || names.has(wildcardOf(name));
}

/** `*.b.test` for `a.b.test`; '' when it has no such. */
function wildcardOf(name: string): string {
  const dot = name.indexOf('.');
  return dot > 0 ? `*${name.slice(dot)}` : '';
}

/** In lower case, without the dot of the root, which any name may end in. */
function plain(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** No one elsewhere can have it, and so make it lead here. */
function isNobodys(name: string): boolean {
  if (isAddress(name)) return true;
  if (!isName(name)) return false;
  const dot = name.lastIndexOf('.');
  return dot < 0 || SET_APART.has(name.slice(dot + 1)) || name === HOME || name.endsWith(`.${HOME}`);
}

function isAddress(name: string): boolean {
  return name.startsWith('[') ? name.endsWith(']') && isHostAndPort(name) : isIpv4(name);
}

/**
 * Labels of letters, digits, hyphens, and underscores, which containers have. What ends in a number is an address to
 * browsers, in one of its older spellings (`0x7f.1`, `127.1`), and none to us.
 */
function isName(name: string): boolean {
  const labels = name.split('.');
  return name.length <= MAX_NAME_LENGTH && labels.every(isLabel) && !isNumber(labels.at(-1)!);
}

function isLabel(label: string): boolean {
  if (label.length < 1 || label.length > MAX_LABEL_LENGTH) return false;
  for (const character of label) if (!LABEL.has(character)) return false;
  return true;
}

/** WHATWG URL section 3.5: decimal, or hexadecimal with its prefix and perhaps nothing behind. */
function isNumber(label: string): boolean {
  const hex = label.startsWith('0x');
  const digits = hex ? '0123456789abcdef' : '0123456789';
  for (const character of hex ? label.slice(2) : label) if (!digits.includes(character)) return false;
  return true;
}

/** A host name as Host has it, or an address, an IPv6 one in brackets; without a port. */
export function isHostName(text: string): boolean {
  const name = plain(text);
  return isAddress(name) || isName(name);
}

/** What `allowedHosts` may list: a host name, a wildcard before one, or `*`. */
export function isAllowedHost(text: string): boolean {
  if (text === '*') return true;
  return text.startsWith('*.') ? isName(plain(text.slice(2))) : isHostName(text);
}
