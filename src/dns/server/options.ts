/** What `startDns` can be told, and what these options come to once checked. */
import type { Endpoint } from '../../core/net/network.ts';
import { DnsError } from '../errors.ts';
import { DEFAULT_DNS_LIMITS, type DnsLimits } from '../limits.ts';
import { type AddressRange, addressFromText, addressToText, rangeFromText } from '../wire/address.ts';
import { canonical, type Name, nameFromText } from '../wire/name.ts';

/** A zone to be authoritative for, as the text of a zone file or as the path of one. */
export type ZoneSource =
  | { readonly origin: string; readonly text: string }
  | { readonly origin: string; readonly path: string };

export interface DnsOptions {
  /** The address to listen on, UDP and TCP. */
  readonly host: string;
  /** 0 lets the operating system choose one that is free for both. */
  readonly port: number;
  readonly zones: readonly ZoneSource[];
  /** False: only zones of our own are answered, everything else is refused. */
  readonly recursion: boolean;
  /** Addresses or ranges (`192.0.2.0/24`) of clients for whom other servers are asked. */
  readonly allowRecursion: readonly string[];
  /** Servers to ask for a domain and everything below it, `.` for all: `{ 'corp.test': ['192.0.2.1:53'] }`.
   * The longest match counts. A domain without one is resolved from the root servers. */
  readonly forward: Readonly<Record<string, readonly string[]>>;
  /** Addresses of root servers, with an optional port. */
  readonly rootHints: readonly string[];
  /** The port of servers found by following delegations. */
  readonly upstreamPort: number;
  /** Show each server only as much of a name as it needs. RFC 9156. */
  readonly qnameMinimisation: boolean;
  /** Mix upper and lower case in questions, so that a forger has more to guess. */
  readonly caseRandomisation: boolean;
  /** Bounds that differ from `DEFAULT_DNS_LIMITS`. */
  readonly limits: Partial<DnsLimits>;
}

/** The root servers, a.root-servers.net to m.root-servers.net, from https://www.iana.org/domains/root/servers */
const ROOT_SERVERS: readonly string[] = [
  '198.41.0.4',
  '170.247.170.2',
  '192.33.4.12',
  '199.7.91.13',
  '192.203.230.10',
  '192.5.5.241',
  '192.112.36.4',
  '198.97.190.53',
  '192.36.148.17',
  '192.58.128.30',
  '193.0.14.129',
  '199.7.83.42',
  '202.12.27.33',
];

export const DEFAULT_DNS_OPTIONS: DnsOptions = {
  host: '127.0.0.1',
  port: 5300,
  zones: [],
  recursion: true,
  allowRecursion: ['127.0.0.0/8', '::1'],
  forward: {},
  rootHints: ROOT_SERVERS,
  upstreamPort: 53,
  qnameMinimisation: true,
  caseRandomisation: true,
  limits: {},
};

/** Options in the form that the service works with. */
export interface CheckedOptions {
  readonly limits: DnsLimits;
  readonly allowRecursion: readonly AddressRange[];
  /** By canonical name. */
  readonly forward: ReadonlyMap<Name, readonly Endpoint[]>;
  readonly rootHints: readonly Endpoint[];
}

/** @throws DnsError `bad-option`, naming the option */
export function checkOptions(options: DnsOptions): CheckedOptions {
  const forward = Object.entries(options.forward).map(
    ([domain, servers]) =>
      [
        optionName('forward', domain),
        servers.map((server) => optionEndpoint('forward', server, 53)),
      ] as const,
  );
  for (const [domain, servers] of Object.entries(options.forward)) {
    if (servers.length === 0) throw new DnsError('bad-option', `forward: ${domain} has no servers`);
  }
  return {
    limits: { ...DEFAULT_DNS_LIMITS, ...options.limits },
    allowRecursion: options.allowRecursion.map(optionRange),
    forward: new Map(forward),
    rootHints: options.rootHints.map((server) => optionEndpoint('rootHints', server, options.upstreamPort)),
  };
}

export function optionName(option: string, text: string): Name {
  try {
    return canonical(nameFromText(text));
  } catch (cause) {
    throw new DnsError('bad-option', `${option}: not a domain name: ${text}`, cause);
  }
}

function optionRange(text: string): AddressRange {
  const range = rangeFromText(text);
  if (range === undefined)
    throw new DnsError('bad-option', `allowRecursion: not an address or range: ${text}`);
  return range;
}

/** `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. @throws DnsError `bad-option` */
export function optionEndpoint(option: string, text: string, defaultPort: number): Endpoint {
  const { host, port } = splitPort(text);
  const octets = addressFromText(host);
  const number = port === undefined ? defaultPort : Number(port);
  if (octets === undefined || !Number.isInteger(number) || number < 1 || number > 65_535) {
    throw new DnsError('bad-option', `${option}: not an address with an optional port: ${text}`);
  }
  return { address: addressToText(octets), port: number };
}

function splitPort(text: string): { host: string; port?: string } {
  if (text.startsWith('[')) {
    const [host = '', port] = text.slice(1).split(']');
    return port?.startsWith(':') ? { host, port: port.slice(1) } : { host };
  }
  const [host = '', port, ...more] = text.split(':');
  return port === undefined || more.length > 0 ? { host: text } : { host, port };
}
