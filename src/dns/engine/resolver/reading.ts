/**
 * What another server's message means, and how much of it is believed.
 *
 * A server may speak for the zone it was asked as server of, and for names below: its bailiwick. Everything
 * else in the message is dropped, however helpful it looks; so are records that belong to no step from the
 * question to its answer. That is the whole defence against a server that adds `bank.test A …` to its answers,
 * and against NS records slipped into positive ones (CVE-2025-40778).
 */
import { RCODE, TYPE } from '../../wire/codes.ts';
import type { Message } from '../../wire/message.ts';
import { canonical, isAtOrBelow, isBelow, type Name } from '../../wire/name.ts';
import { rdataFields } from '../../wire/rdata/rdata.ts';
import type { ResourceRecord } from '../../wire/record.ts';
import { aliasTarget } from '../zone.ts';

export type Reading =
  /** `records` answer the question; `aliases` lead from its name to theirs. */
  | {
      readonly kind: 'data';
      readonly aliases: readonly ResourceRecord[];
      readonly records: readonly ResourceRecord[];
    }
  /** The aliases lead to `target`, of which this server does not speak. */
  | { readonly kind: 'alias'; readonly aliases: readonly ResourceRecord[]; readonly target: Name }
  /** `name` is where the aliases led. Without `soa` the answer is good once and is not kept. */
  | {
      readonly kind: 'no-data' | 'no-name';
      readonly aliases: readonly ResourceRecord[];
      readonly name: Name;
      readonly soa: ResourceRecord | undefined;
    }
  | {
      readonly kind: 'referral';
      readonly zone: Name;
      readonly nameServers: readonly Name[];
      readonly glue: readonly ResourceRecord[];
      readonly ttlSeconds: number;
    }
  /** This server cannot help; another of the zone may. */
  | { readonly kind: 'useless'; readonly reason: string };

/** What a server is believed about. */
export interface Bailiwick {
  /** The zone that it was asked as a server of; canonical. */
  readonly zone: Name;
  /** False for names of the zone that configuration gives to others: our own zones, deeper forwarders. What one
   * upstream says must not become what another would be asked (the MaginotDNS attack). `name` is canonical. */
  covers(name: Name): boolean;
}

/**
 * Reads the answer to a question about `name` and `type`.
 *
 * @param maxAliases bounds the chain inside this one message
 */
export function readAnswer(
  message: Message,
  name: Name,
  type: number,
  bailiwick: Bailiwick,
  maxAliases: number,
): Reading {
  const { zone } = bailiwick;
  if (message.rcode !== RCODE.NOERROR && message.rcode !== RCODE.NXDOMAIN) {
    return { kind: 'useless', reason: `rcode ${message.rcode}` };
  }
  const aliases: ResourceRecord[] = [];
  let at = name;
  while (at === name || bailiwick.covers(canonical(at))) {
    const records = recordsOf(message.answers, at, type);
    if (records.length > 0) return { kind: 'data', aliases, records };
    const [alias] = recordsOf(message.answers, at, TYPE.CNAME);
    if (alias === undefined) return readWithoutData(message, aliases, at, zone);
    if (aliases.length >= maxAliases) return { kind: 'useless', reason: 'the chain of aliases is too long' };
    aliases.push(alias);
    at = aliasTarget(alias);
  }
  return { kind: 'alias', aliases, target: at };
}

function recordsOf(records: readonly ResourceRecord[], name: Name, type: number): ResourceRecord[] {
  const wanted = canonical(name);
  return records.filter(
    (record) => record.type === type && record.class === 1 && canonical(record.name) === wanted,
  );
}

function readWithoutData(
  message: Message,
  aliases: readonly ResourceRecord[],
  name: Name,
  zone: Name,
): Reading {
  const soa = enclosingSoa(message, name, zone);
  if (message.rcode === RCODE.NXDOMAIN) return { kind: 'no-name', aliases, name, soa };
  if (soa !== undefined) return { kind: 'no-data', aliases, name, soa };
  const referral = readReferral(message, name, zone);
  if (aliases.length > 0) return { kind: 'alias', aliases, target: name };
  if (referral !== undefined) return referral;
  if (message.authoritative || message.recursionAvailable) return { kind: 'no-data', aliases, name, soa };
  return { kind: 'useless', reason: 'neither an answer nor a referral' };
}

/** The SOA of a negative answer: of a zone that the name is in and the server speaks for. */
function enclosingSoa(message: Message, name: Name, zone: Name): ResourceRecord | undefined {
  return message.authorities.find((record) => {
    const owner = canonical(record.name);
    return record.type === TYPE.SOA && isAtOrBelow(owner, zone) && isAtOrBelow(canonical(name), owner);
  });
}

/** A referral leads down: from the zone asked towards the name. One that leads up or sideways is a lame server. */
function readReferral(message: Message, name: Name, zone: Name): Reading | undefined {
  const cut = message.authorities.find((record) => {
    const owner = canonical(record.name);
    return record.type === TYPE.NS && isBelow(owner, zone) && isAtOrBelow(canonical(name), owner);
  });
  if (cut === undefined) return undefined;
  const records = recordsOf(message.authorities, cut.name, TYPE.NS);
  const nameServers = records.map((record) => rdataFields(TYPE.NS, record.rdata)['nameServer'] as Name);
  return {
    kind: 'referral',
    zone: canonical(cut.name),
    nameServers,
    glue: glueFor(message, nameServers, zone),
    ttlSeconds: Math.min(...records.map((record) => record.ttlSeconds)),
  };
}

/** Addresses of the servers named, where the server asked may speak for those names. */
export function glueFor(message: Message, nameServers: readonly Name[], zone: Name): ResourceRecord[] {
  const wanted = new Set(nameServers.map(canonical).filter((server) => isAtOrBelow(server, zone)));
  return message.additionals.filter(
    (record) => (record.type === TYPE.A || record.type === TYPE.AAAA) && wanted.has(canonical(record.name)),
  );
}
