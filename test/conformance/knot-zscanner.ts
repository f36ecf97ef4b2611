/**
 * Our zone file parser against the test data of Knot DNS' zone scanner: pairs of a zone file and the records and
 * faults that must come of it. The data is read in place and is no part of this project.
 *
 * What is compared: every record octet by octet, every fault by its place in the sequence and by whether reading
 * goes on after it. The names of faults are Knot's own and are not compared.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseZoneFile } from '../../src/dns/engine/zone-file/parser.ts';
import { ROOT } from '../../src/dns/wire/name.ts';
import type { ConformanceResult } from './suite.ts';

const DATA =
  process.env['KNOT_ZSCANNER'] ?? path.resolve(import.meta.dirname, '../../../shared/suites/knot-zscanner');

/** Whole files that test what we refuse or accept on purpose; they count as failed and are listed with the reason. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  '02_class': 'CLASS1 is another way to write IN (RFC 3597 section 5)',
  '39_NSEC3': 'base32hex is accepted without padding, as RFC 5155 section 3.3 writes it',
  '00-2_general': 'a carriage return before the end of a line is accepted, as BIND does',
  '04-1_ORIGIN': 'a relative $ORIGIN is taken relative to the origin before it (RFC 1035 section 5.1)',
};

const BASE64_TYPES: ReadonlySet<string> = new Set([
  '29_CERT',
  '30_KEY',
  '31_DNSKEY',
  '36_RRSIG',
  '38_DHCID',
  '50_CDNSKEY',
]);

/** Counts records and faults expected; one that is missing, different or too many is a failure. */
export async function run(): Promise<ConformanceResult> {
  if ((await stat(DATA).catch(() => undefined)) === undefined) {
    return { passed: 0, total: 0, failures: [`skipped: no data at ${DATA}`], passes: [] };
  }
  const names = (await readdir(DATA)).filter((name) => name.endsWith('.in')).map((name) => name.slice(0, -3));
  let passed = 0;
  let total = 0;
  const failures: string[] = [];
  const passes: string[] = [];
  for (const name of names.sort()) {
    const expected = expectedEvents(await readFile(path.join(DATA, `${name}.out`), 'latin1'));
    const actual = actualEvents(await readFile(path.join(DATA, `${name}.in`)));
    const common = alignment(expected, actual);
    const count = Math.max(expected.length, actual.length, 1);
    const right = expected.length === 0 && actual.length === 0 ? 1 : common.length;
    passed += right;
    total += count;
    if (right === count) passes.push(name);
    else failures.push(`${name}: ${right} of ${count}: ${reason(name, expected, actual, common)}`);
  }
  return { passed, total, failures, passes };
}

/** `owner class ttl type rdata`, all hexadecimal, or `fault`, or `stop`. */
function expectedEvents(text: string): string[] {
  return text
    .split('------')
    .map((block) => block.trim())
    .filter((block) => block !== '')
    .map((block) => {
      if (block.startsWith('WARNG')) return 'fault';
      if (block.startsWith('ERROR')) return 'stop';
      return block
        .split('\n')
        .map((line) => line.slice(line.indexOf('=') + 1))
        .join(' ');
    });
}

function actualEvents(octets: Buffer): string[] {
  const parsed = parseZoneFile(octets, { origin: ROOT, defaultTtlSeconds: 0, maxProblems: 1_000 });
  const records = parsed.records.map((record) => ({
    at: parsed.positionAt(record.offset),
    text: recordText(record),
  }));
  const faults = parsed.problems.map((problem, index) => ({
    at: problem,
    text: parsed.stopped && index === parsed.problems.length - 1 ? 'stop' : 'fault',
  }));
  const events = [...records, ...faults];
  events.sort((a, b) => Number(a.text === 'stop') - Number(b.text === 'stop') || a.at.line - b.at.line);
  return events.map(({ text }) => text);
}

function recordText(record: {
  name: string;
  class: number;
  ttlSeconds: number;
  type: number;
  rdata: Buffer;
}): string {
  const number = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const owner = Buffer.from(record.name, 'latin1').toString('hex');
  const parts = [owner, number(record.class, 4), number(record.ttlSeconds, 8), number(record.type, 4)];
  return [...parts, record.rdata.toString('hex')].join(' ').toUpperCase();
}

/** The longest sequence that both have in common, as indices into `expected`. */
function alignment(expected: readonly string[], actual: readonly string[]): number[] {
  const lengths = expected.map(() => new Array<number>(actual.length + 1).fill(0));
  lengths.push(new Array<number>(actual.length + 1).fill(0));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = expected.length - 1; i >= 0; i -= 1) {
    for (let j = actual.length - 1; j >= 0; j -= 1) {
      const row = lengths[i] as number[];
      row[j] = expected[i] === actual[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const common: number[] = [];
  for (let i = 0, j = 0; i < expected.length && j < actual.length; ) {
    if (expected[i] === actual[j]) {
      common.push(i);
      i += 1;
      j += 1;
    } else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  return common;
}

function reason(
  name: string,
  expected: readonly string[],
  actual: readonly string[],
  common: readonly number[],
): string {
  if (DIFFERENCES[name] !== undefined) return DIFFERENCES[name];
  if (BASE64_TYPES.has(name)) return 'base64 may be divided anywhere, and not only after four digits';
  if (name.includes('INCLUDE')) return '$INCLUDE is refused';
  const missing = expected.findIndex((_, index) => !common.includes(index));
  const extra = actual.find((event, index) => event !== expected[index]);
  return missing >= 0 ? `expected ${expected[missing]}` : `unexpected ${extra}`;
}
