/**
 * Authoritative answers: a question and the zones → header bits and three sections. RFC 1034 section 4.3.2.
 */
import { RCODE, TYPE } from '../wire/codes.ts';
import { canonical, isAtOrBelow, type Name } from '../wire/name.ts';
import { rdataFields } from '../wire/rdata/rdata.ts';
import type { ResourceRecord } from '../wire/record.ts';
import type { Answer } from './answer.ts';
import type { Zone } from './zone.ts';

/** A zone's answer, and what a resolver would have to ask elsewhere to complete it. */
export interface ZoneAnswer extends Answer {
  /** The chain of aliases left the zone: this name is still to be looked up. */
  readonly leftAt?: Name;
  /** The name belongs to a zone below this cut. */
  readonly delegatedAt?: Name;
}

/**
 * Answers `name` and `type` (class IN) from a zone that the name belongs to. A chain of aliases that bites its
 * tail, or has more than `maxCnameChain` links, is answered as far as it was followed.
 */
export function answerFromZone(zone: Zone, name: Name, type: number, maxCnameChain: number): ZoneAnswer {
  const chain: ResourceRecord[] = [];
  let at = name;
  for (let links = 0; links <= maxCnameChain; links += 1) {
    if (!isAtOrBelow(canonical(at), zone.origin))
      return { ...authoritative(RCODE.NOERROR, chain), leftAt: at };
    const found = zone.lookup(at, type);
    switch (found.kind) {
      case 'data':
        return positive(zone, [...chain, ...found.records]);
      case 'alias':
        if (chain.some((link) => canonical(link.name) === canonical(at)))
          return authoritative(RCODE.NOERROR, chain);
        chain.push(found.record);
        at = found.target;
        break;
      case 'rewrite':
        chain.push(found.dname);
        if (found.alias === undefined || found.target === undefined)
          return authoritative(RCODE.YXDOMAIN, chain);
        chain.push(found.alias);
        at = found.target;
        break;
      case 'delegation':
        return referral(zone, chain, found.cut, found.nameServers);
      case 'no-data':
        return authoritative(RCODE.NOERROR, chain, [zone.negativeSoa]);
      case 'no-name':
        // RFC 6604 section 3: the code is that of the last name in the chain.
        return authoritative(RCODE.NXDOMAIN, chain, [zone.negativeSoa]);
    }
  }
  return authoritative(RCODE.NOERROR, chain);
}

function authoritative(
  rcode: number,
  answers: readonly ResourceRecord[],
  authorities: readonly ResourceRecord[] = [],
): ZoneAnswer {
  return { rcode, authoritative: true, answers, authorities, additionals: [] };
}

function positive(zone: Zone, answers: readonly ResourceRecord[]): ZoneAnswer {
  const additionals = answers.flatMap((record) => addressesOf(zone, targetOf(record)));
  return { ...authoritative(RCODE.NOERROR, answers), additionals: withoutRepeats(additionals, answers) };
}

/** The name servers of a child zone. Glue below the cut comes first: without it the referral leads nowhere. */
function referral(
  zone: Zone,
  chain: readonly ResourceRecord[],
  cut: Name,
  nameServers: readonly ResourceRecord[],
): ZoneAnswer {
  const targets = nameServers.map((record) => targetOf(record)).filter((target) => target !== undefined);
  const below = targets.filter((target) => isAtOrBelow(canonical(target), cut));
  const beside = targets.filter((target) => !below.includes(target));
  const required = withoutRepeats(
    below.flatMap((target) => addressesOf(zone, target)),
    [],
  );
  const others = withoutRepeats(
    beside.flatMap((target) => addressesOf(zone, target)),
    required,
  );
  return {
    rcode: RCODE.NOERROR,
    // RFC 1034 section 6.2.6: a referral is not authoritative, an alias before it is.
    authoritative: chain.length > 0,
    answers: chain,
    authorities: nameServers,
    additionals: [...required, ...others],
    requiredAdditionals: required.length,
    delegatedAt: cut,
  };
}

/** The host whose address the reader of this record will want next. */
function targetOf({ type, rdata }: ResourceRecord): Name | undefined {
  if (type === TYPE.NS) return rdataFields(type, rdata)['nameServer'] as Name;
  if (type === TYPE.MX) return rdataFields(type, rdata)['exchange'] as Name;
  if (type === TYPE.SRV) return rdataFields(type, rdata)['target'] as Name;
  return undefined;
}

function addressesOf(zone: Zone, host: Name | undefined): readonly ResourceRecord[] {
  if (host === undefined || !isAtOrBelow(canonical(host), zone.origin)) return [];
  return [...zone.recordsAt(host, TYPE.A), ...zone.recordsAt(host, TYPE.AAAA)];
}

function withoutRepeats(
  records: readonly ResourceRecord[],
  present: readonly ResourceRecord[],
): readonly ResourceRecord[] {
  return records.filter((record, index) => records.indexOf(record) === index && !present.includes(record));
}
