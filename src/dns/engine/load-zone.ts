/**
 * Zone file → Zone, or a refusal that lists every fault. There is no half-loaded zone: one wrong record would
 * otherwise be a name that silently does not exist.
 */
import { ZoneError, type ZoneProblem } from '../errors.ts';
import { MAX_TTL_SECONDS } from '../limits.ts';
import { isMetaType, TYPE, typeName } from '../wire/codes.ts';
import { canonical, isAtOrBelow, isBelow, type Name, nameToText, parentOf } from '../wire/name.ts';
import { rdataFields } from '../wire/rdata/rdata.ts';
import { Zone } from './zone.ts';
import { type ParsedRecord, parseZoneFile } from './zone-file/parser.ts';

/** Types that may stand beside a CNAME: they describe the name itself. RFC 4034 sections 3 and 4. */
const BESIDE_CNAME: ReadonlySet<number> = new Set<number>([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC]);

/** @throws ZoneError when the text has a fault or the zone could not work */
export function loadZone(origin: Name, text: string | Buffer, maxProblems: number): Zone {
  const file = parseZoneFile(text, { origin, maxProblems });
  const problems = [...file.problems];
  const zone = problems.length === 0 ? check(origin, file.records, problems, file.positionAt) : undefined;
  if (zone === undefined) throw new ZoneError(nameToText(origin), problems.slice(0, maxProblems));
  return zone;
}

type PositionAt = (offset: number) => { readonly line: number; readonly column: number };

function check(
  origin: Name,
  records: readonly ParsedRecord[],
  problems: ZoneProblem[],
  positionAt: PositionAt,
): Zone | undefined {
  const apex = canonical(origin);
  const report = (record: ParsedRecord | undefined, message: string): void => {
    problems.push({
      ...(record === undefined ? { line: 0, column: 0 } : positionAt(record.offset)),
      message,
    });
  };
  const unique = withoutDuplicates(records);
  for (const record of unique) checkRecord(record, apex, report);
  checkAliases(unique, report);
  const soa = findSoa(unique, apex, report);
  if (!unique.some((record) => record.type === TYPE.NS && canonical(record.name) === apex)) {
    report(undefined, 'the zone has no NS record at its apex');
  }
  if (soa === undefined || problems.length > 0) return undefined;
  const zone = new Zone(apex, soa, unique);
  for (const record of unique) checkNameServer(record, zone, report);
  return problems.length > 0 ? undefined : zone;
}

type Report = (record: ParsedRecord | undefined, message: string) => void;

function checkRecord(record: ParsedRecord, apex: Name, report: Report): void {
  const { name, type, ttlSeconds } = record;
  if (!isAtOrBelow(canonical(name), apex)) report(record, `${nameToText(name)} is outside the zone`);
  if (isMetaType(type)) report(record, `${typeName(type)} cannot stand in a zone`);
  if (ttlSeconds > MAX_TTL_SECONDS) report(record, `TTL ${ttlSeconds} is more than ${MAX_TTL_SECONDS}`);
}

/** One SOA, at the apex, before anything else could be answered. */
function findSoa(records: readonly ParsedRecord[], apex: Name, report: Report): ParsedRecord | undefined {
  const [soa, second] = records.filter((record) => record.type === TYPE.SOA);
  if (soa === undefined) report(undefined, 'the zone has no SOA record');
  else if (canonical(soa.name) !== apex) report(soa, `the SOA record is not at ${nameToText(apex)}`);
  if (second !== undefined) report(second, 'the zone has more than one SOA record');
  return soa;
}

/** A CNAME stands alone (RFC 1034 section 3.6.2), nothing stands below a DNAME (RFC 6672 section 2.4). */
function checkAliases(records: readonly ParsedRecord[], report: Report): void {
  const aliases = new Map<Name, ParsedRecord>();
  const rewrites = new Set<Name>();
  for (const record of records) {
    const name = canonical(record.name);
    if (record.type === TYPE.CNAME) {
      if (aliases.has(name)) report(record, `${nameToText(record.name)} has more than one CNAME`);
      aliases.set(name, record);
    } else if (record.type === TYPE.DNAME) {
      if (rewrites.has(name)) report(record, `${nameToText(record.name)} has more than one DNAME`);
      rewrites.add(name);
    }
  }
  for (const record of records) {
    const name = canonical(record.name);
    if (aliases.has(name) && !BESIDE_CNAME.has(record.type)) {
      report(record, `${nameToText(record.name)} has a CNAME and so cannot have ${typeName(record.type)}`);
    }
    if (rewrites.size > 0 && isBelowAny(name, rewrites)) {
      report(record, `${nameToText(record.name)} is below a DNAME, which hides it`);
    }
  }
}

function isBelowAny(name: Name, ancestors: ReadonlySet<Name>): boolean {
  for (let at = parentOf(name); at.length > 1; at = parentOf(at)) if (ancestors.has(at)) return true;
  return false;
}

/** A name server inside the zone needs an address there, or nobody can reach it. */
function checkNameServer(record: ParsedRecord, zone: Zone, report: Report): void {
  if (record.type !== TYPE.NS) return;
  const target = canonical(rdataFields(TYPE.NS, record.rdata)['nameServer'] as Name);
  const cut = canonical(record.name);
  if (!isAtOrBelow(target, zone.origin)) return;
  const text = nameToText(target);
  if (zone.recordsAt(target, TYPE.CNAME).length > 0)
    report(record, `name server ${text} is an alias (RFC 2181 section 10.3)`);
  const hasAddress =
    zone.recordsAt(target, TYPE.A).length > 0 || zone.recordsAt(target, TYPE.AAAA).length > 0;
  // Without glue a server below its own cut is unreachable; elsewhere another cut or a wildcard may provide.
  const needed =
    cut === zone.origin
      ? zone.lookup(target, TYPE.A).kind === 'no-name'
      : isBelow(target, cut) || target === cut;
  if (!hasAddress && needed) report(record, `name server ${text} has no address in the zone`);
}

/** RFC 2181 section 5: the same data twice is one record. */
function withoutDuplicates(records: readonly ParsedRecord[]): ParsedRecord[] {
  const seen = new Set<string>();
  return records.filter((record) => {
    const key = `${record.type} ${canonical(record.name)}${record.rdata.toString('latin1')}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
