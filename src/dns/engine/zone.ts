/**
 * One zone, ready to answer. Made once from its records and never changed; a new version is a new Zone.
 *
 *   spells.test.            SOA NS A          the apex
 *     www                   CNAME
 *     *.dev                 A                 answers for names below `dev` that do not exist
 *     dev                   (nothing)         an empty non-terminal: exists, has no data
 *     guild                 NS                a zone cut: everything below belongs to others
 *       ns.guild            A                 glue, given only with the referral
 *
 * Every name on the way from a record up to the apex has a node, so whether a name exists is one map look-up,
 * and the search of RFC 1034 section 4.3.2 walks from the apex down, one label at a time.
 */
import { TYPE } from '../wire/codes.ts';
import {
  canonical,
  isBelow,
  labelCount,
  lastLabels,
  type Name,
  parentOf,
  prepend,
  replaceSuffix,
} from '../wire/name.ts';
import { rdataFields } from '../wire/rdata/rdata.ts';
import type { ResourceRecord } from '../wire/record.ts';

/** All records of one name, by type. Without any it is an empty non-terminal. */
export type ZoneNode = ReadonlyMap<number, readonly ResourceRecord[]>;

export type Lookup =
  /** Data of the type asked (for ANY, of one type). */
  | { readonly kind: 'data'; readonly records: readonly ResourceRecord[] }
  | { readonly kind: 'alias'; readonly record: ResourceRecord; readonly target: Name }
  /** An alias made from a DNAME above the name. Without `target` the new name would be too long. */
  | {
      readonly kind: 'rewrite';
      readonly dname: ResourceRecord;
      readonly alias?: ResourceRecord;
      readonly target?: Name;
    }
  | { readonly kind: 'delegation'; readonly cut: Name; readonly nameServers: readonly ResourceRecord[] }
  /** The name exists, the type does not. */
  | { readonly kind: 'no-data' }
  | { readonly kind: 'no-name' };

const NO_DATA: Lookup = { kind: 'no-data' };
const NO_NAME: Lookup = { kind: 'no-name' };

export class Zone {
  /** Canonical. */
  readonly origin: Name;
  readonly soa: ResourceRecord;
  /** The SOA with the TTL that a negative answer carries: the lower of its own and its MINIMUM. RFC 2308 section 3. */
  readonly negativeSoa: ResourceRecord;
  readonly recordCount: number;
  readonly #nodes: ReadonlyMap<Name, ZoneNode>;
  readonly #originLabels: number;

  /** `records` have passed the checks of `loadZone`. */
  constructor(origin: Name, soa: ResourceRecord, records: readonly ResourceRecord[]) {
    this.origin = origin;
    this.soa = soa;
    const minimum = rdataFields(TYPE.SOA, soa.rdata)['minimum'] as number;
    this.negativeSoa = { ...soa, ttlSeconds: Math.min(soa.ttlSeconds, minimum) };
    this.recordCount = records.length;
    this.#nodes = nodesOf(origin, records);
    this.#originLabels = labelCount(origin);
  }

  get serial(): number {
    return rdataFields(TYPE.SOA, this.soa.rdata)['serial'] as number;
  }

  /** The records of one type at a name, zone cuts not considered; empty when there are none. */
  recordsAt(name: Name, type: number): readonly ResourceRecord[] {
    return this.#nodes.get(canonical(name))?.get(type) ?? [];
  }

  /**
   * Answers one question by steps 3a to 3c of RFC 1034 section 4.3.2, with wildcards as RFC 4592 explains them.
   * `name` is at or below the origin.
   */
  lookup(name: Name, type: number): Lookup {
    const wanted = canonical(name);
    let encloser = this.origin;
    for (let labels = this.#originLabels, all = labelCount(wanted); labels <= all; labels += 1) {
      const at = labels === all ? wanted : lastLabels(wanted, labels);
      const node = this.#nodes.get(at);
      if (node === undefined) return this.#wildcard(name, encloser, type);
      if (at !== this.origin && node.has(TYPE.NS) && !(at === wanted && type === TYPE.DS)) {
        return { kind: 'delegation', cut: at, nameServers: node.get(TYPE.NS) ?? [] };
      }
      const dname = node.get(TYPE.DNAME)?.[0];
      if (dname !== undefined && at !== wanted) return rewrite(name, at, dname);
      encloser = at;
    }
    return lookupInNode(this.#nodes.get(wanted) ?? new Map(), type);
  }

  /** The closest encloser exists and the next name down does not: only `*` right below it may answer. */
  #wildcard(name: Name, encloser: Name, type: number): Lookup {
    const source = prepend('*', encloser);
    const node = source === undefined ? undefined : this.#nodes.get(source);
    if (node === undefined) return NO_NAME;
    const found = lookupInNode(node, type);
    if (found.kind === 'data')
      return { kind: 'data', records: found.records.map((record) => ({ ...record, name })) };
    if (found.kind === 'alias') return { ...found, record: { ...found.record, name } };
    return found;
  }
}

function lookupInNode(node: ZoneNode, type: number): Lookup {
  const records = node.get(type);
  if (records !== undefined) return { kind: 'data', records };
  const alias = node.get(TYPE.CNAME)?.[0];
  if (alias !== undefined) {
    return type === TYPE.ANY
      ? { kind: 'data', records: [alias] }
      : { kind: 'alias', record: alias, target: aliasTarget(alias) };
  }
  return type === TYPE.ANY ? anyOneType(node) : NO_DATA;
}

/** RFC 8482 section 4.1: a question for ANY gets one RRset, the smallest, so that it serves no amplification. */
function anyOneType(node: ZoneNode): Lookup {
  const sizeOf = (records: readonly ResourceRecord[]): number =>
    records.reduce((bytes, record) => bytes + record.rdata.length, 0);
  const [smallest] = [...node.values()].sort((a, b) => sizeOf(a) - sizeOf(b));
  return smallest === undefined ? NO_DATA : { kind: 'data', records: smallest };
}

/** The name that a CNAME record leads to. */
export function aliasTarget(alias: ResourceRecord): Name {
  return rdataFields(TYPE.CNAME, alias.rdata)['target'] as Name;
}

/** RFC 6672 section 2.2: a CNAME is made for the one name that was asked. */
function rewrite(name: Name, from: Name, dname: ResourceRecord): Lookup {
  const to = rdataFields(TYPE.DNAME, dname.rdata)['target'] as Name;
  const target = replaceSuffix(name, from, to);
  if (target === undefined) return { kind: 'rewrite', dname };
  return {
    kind: 'rewrite',
    dname,
    target,
    alias: { ...dname, name, type: TYPE.CNAME, rdata: Buffer.from(target, 'latin1') },
  };
}

function nodesOf(origin: Name, records: readonly ResourceRecord[]): Map<Name, Map<number, ResourceRecord[]>> {
  const nodes = new Map<Name, Map<number, ResourceRecord[]>>([[origin, new Map()]]);
  for (const record of records) {
    const name = canonical(record.name);
    for (let at = name; isBelow(at, origin) && !nodes.has(at); at = parentOf(at)) nodes.set(at, new Map());
    const node = nodes.get(name) as Map<number, ResourceRecord[]>;
    const rrset = node.get(record.type);
    if (rrset === undefined) node.set(record.type, [record]);
    // RFC 2181 section 5.2: one TTL for the whole set. The first one written counts, as in BIND.
    else rrset.push({ ...record, ttlSeconds: rrset[0]?.ttlSeconds ?? record.ttlSeconds });
  }
  return nodes;
}

/** The zones that a server answers for. */
export class ZoneSet {
  readonly #zones = new Map<Name, Zone>();

  get size(): number {
    return this.#zones.size;
  }

  put(zone: Zone): void {
    this.#zones.set(zone.origin, zone);
  }

  remove(origin: Name): boolean {
    return this.#zones.delete(canonical(origin));
  }

  get(origin: Name): Zone | undefined {
    return this.#zones.get(canonical(origin));
  }

  /**
   * The zone with the longest origin that the name is at or below. For DS at an apex that is the zone above,
   * where there is one: the parent speaks for DS (RFC 4035 section 3.1.4.1).
   */
  find(name: Name, type: number): Zone | undefined {
    const start = canonical(name);
    const own = this.#closest(start);
    if (type !== TYPE.DS || own?.origin !== start || start.length === 1) return own;
    return this.#closest(parentOf(start)) ?? own;
  }

  [Symbol.iterator](): IterableIterator<Zone> {
    return this.#zones.values();
  }

  #closest(name: Name): Zone | undefined {
    for (let at = name; ; at = parentOf(at)) {
      const zone = this.#zones.get(at);
      if (zone !== undefined || at.length === 1) return zone;
    }
  }
}
