/**
 * A stub resolver: asks one server, over UDP first and over TCP when the answer is cut off.
 *
 *   const dns = createDnsClient({ network, clock, random, server: { address: '127.0.0.1', port: 5300 } });
 *   await dns.lookupAddress('spells.test');   // ['127.0.0.1']
 *   await dns.resolve('spells.test', 'MX');   // [{ data: '10 mail.spells.test.', fields: { preference: 10, … }, … }]
 */
import type { World } from '../../core/lifecycle.ts';
import type { Endpoint } from '../../core/net/network.ts';
import { type DnsCode, DnsError } from '../errors.ts';
import { CLIENT_ATTEMPTS, CLIENT_TIMEOUT_MS, DEFAULT_DNS_LIMITS } from '../limits.ts';
import { addressFromText, addressToText } from '../wire/address.ts';
import { CLASS, classNumber, RCODE, rcodeName, TYPE, typeName, typeNumber } from '../wire/codes.ts';
import { extendedErrorsOf } from '../wire/edns.ts';
import type { Message } from '../wire/message.ts';
import { nameFromText, nameToText } from '../wire/name.ts';
import { rdataToText, rdataValues } from '../wire/rdata/rdata.ts';
import type { ResourceRecord } from '../wire/record.ts';
import { askServer, type Outcome } from './ask-server.ts';

export interface DnsClientOptions extends Pick<World, 'network' | 'clock' | 'random'> {
  readonly server: Endpoint;
  /** For each attempt and transport. Default 2,000. */
  readonly timeoutMs?: number;
  /** Default 3. */
  readonly attempts?: number;
}

export interface DnsQueryOptions {
  /** Default: UDP, then TCP when the answer is cut off. */
  readonly transport?: 'udp-then-tcp' | 'tcp';
  /** RD. Default true. */
  readonly recursionDesired?: boolean;
  /** Send an OPT record. Default true. */
  readonly edns?: boolean;
  /** DO: ask for DNSSEC records. Default false. */
  readonly dnssecOk?: boolean;
  /** `IN` (default), `CH`, `HS`, `CLASSnnn`. */
  readonly class?: string;
}

/** One whole answer, whatever its response code, for those who want to see it. */
export interface DnsReply {
  readonly message: Message;
  readonly server: Endpoint;
  readonly transport: 'udp' | 'tcp';
  readonly bytes: number;
  /** Wall clock, milliseconds since 1970. */
  readonly receivedAtMs: number;
  readonly durationMs: number;
}

/** A record that answers a question. */
export interface DnsRecord {
  /** Absolute: `spells.test.` */
  readonly name: string;
  /** `MX`, `TYPE731`. */
  readonly type: string;
  readonly ttlSeconds: number;
  /** As in a zone file: `10 mail.spells.test.` */
  readonly data: string;
  /** By field name, names absolute, numbers as numbers, addresses as text, octets as Buffers: `{ preference: 10, exchange:
   * 'mail.spells.test.' }`, `{ strings: ['v=spf1 -all'] }`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface DnsClient {
  /**
   * The records of one type, aliases followed; empty when the name has none of them.
   *
   * @throws DnsError `NXDOMAIN`, `SERVFAIL`, `REFUSED` … as the server says, `timeout`, `unreachable`, `bad-text`
   */
  resolve(name: string, type: string): Promise<DnsRecord[]>;
  /**
   * The addresses of a host: its IPv4 addresses, or where it has none its IPv6 addresses. An address is its own
   * answer, without asking.
   *
   * @throws as `resolve`; DnsError `NXDOMAIN` also when the name exists without an address
   */
  lookupAddress(name: string): Promise<string[]>;
  /** The whole message. @throws DnsError `timeout`, `unreachable`, `bad-text` */
  query(name: string, type: string, options?: DnsQueryOptions): Promise<DnsReply>;
}

/** @throws DnsError `bad-option` when the server is not given by its IP address */
export function createDnsClient(given: DnsClientOptions): DnsClient {
  const options = { ...given, server: byAddress(given.server) };
  const query: DnsClient['query'] = (name, type, details = {}) => ask(options, name, type, details);
  const resolve = async (name: string, type: string): Promise<DnsRecord[]> =>
    recordsOf(await query(name, type), typeFromText(type));
  return {
    query,
    resolve,
    async lookupAddress(name) {
      if (addressFromText(name) !== undefined) return [name];
      const ipv4 = await resolve(name, 'A');
      const found = ipv4.length > 0 ? ipv4 : await resolve(name, 'AAAA');
      if (found.length === 0) throw new DnsError('NXDOMAIN', `${name} has no address`);
      return found.map((record) => record.data);
    },
  };
}

/** Answers are matched by the text of the address they come from, which has one form for each address. */
function byAddress({ address, port }: Endpoint): Endpoint {
  const octets = addressFromText(address);
  if (octets === undefined)
    throw new DnsError('bad-option', `a DNS server is named by its IP address, not by ${address}`);
  return { address: addressToText(octets), port };
}

async function ask(
  options: DnsClientOptions,
  name: string,
  type: string,
  details: DnsQueryOptions,
): Promise<DnsReply> {
  const { server, clock } = options;
  const attempts = options.attempts ?? CLIENT_ATTEMPTS;
  const startedAt = clock.monotonic();
  const question = {
    name: nameFromText(name),
    type: typeFromText(type),
    class: classFromText(details.class ?? 'IN'),
    recursionDesired: details.recursionDesired ?? true,
    edns: details.edns ?? true,
    dnssecOk: details.dnssecOk ?? false,
    transport: details.transport ?? ('udp-then-tcp' as const),
    // A stub asks one server that it was given, over a network it trusts; the letters stay readable in its logs.
    caseRandomisation: false,
    maxMismatches: DEFAULT_DNS_LIMITS.maxMismatches,
    timeoutMs: options.timeoutMs ?? CLIENT_TIMEOUT_MS,
    server,
  };
  let outcome: Outcome = { kind: 'timeout' };
  for (let attempt = 0; attempt < attempts && outcome.kind === 'timeout'; attempt += 1) {
    ({ outcome } = await askServer(options, question));
  }
  if (outcome.kind !== 'answer') throw failureOf(outcome, `${type} ${name}`, server);
  return {
    message: outcome.message,
    server,
    transport: outcome.transport,
    bytes: outcome.bytes,
    receivedAtMs: clock.now(),
    durationMs: clock.monotonic() - startedAt,
  };
}

function typeFromText(text: string): number {
  const type = typeNumber(text);
  if (type === undefined) throw new DnsError('bad-text', `unknown record type: ${text}`);
  return type;
}

function classFromText(text: string): number {
  const number = text.toUpperCase() === 'ANY' ? CLASS.ANY : classNumber(text);
  if (number === undefined) throw new DnsError('bad-text', `unknown class: ${text}`);
  return number;
}

function failureOf(
  outcome: Exclude<Outcome, { kind: 'answer' }>,
  what: string,
  { address, port }: Endpoint,
): DnsError {
  const where = `${address}:${port}`;
  if (outcome.kind === 'timeout') return new DnsError('timeout', `${what}: ${where} does not answer`);
  return new DnsError('unreachable', `${what}: ${where} ${outcome.reason}`);
}

const CODES: ReadonlyMap<number, DnsCode> = new Map<number, DnsCode>([
  [RCODE.FORMERR, 'FORMERR'],
  [RCODE.SERVFAIL, 'SERVFAIL'],
  [RCODE.NXDOMAIN, 'NXDOMAIN'],
  [RCODE.NOTIMP, 'NOTIMP'],
  [RCODE.REFUSED, 'REFUSED'],
]);

function recordsOf({ message }: DnsReply, type: number): DnsRecord[] {
  if (message.rcode !== RCODE.NOERROR) throw rcodeError(message);
  return message.answers.filter((record) => record.type === type || type === TYPE.ANY).map(toDnsRecord);
}

function rcodeError(message: Message): DnsError {
  const [question] = message.questions;
  const what = question === undefined ? '' : `${typeName(question.type)} ${nameToText(question.name)}: `;
  const why = extendedErrorsOf(message.edns).map(({ text }) => ` (${text})`);
  return new DnsError(
    CODES.get(message.rcode) ?? 'RCODE',
    `${what}${rcodeName(message.rcode)}${why.join('')}`,
  );
}

function toDnsRecord({ name, type, ttlSeconds, rdata }: ResourceRecord): DnsRecord {
  return {
    name: nameToText(name),
    type: typeName(type),
    ttlSeconds,
    data: rdataToText(type, rdata),
    fields: rdataValues(type, rdata),
  };
}
