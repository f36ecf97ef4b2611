/**
 * The HTTP working group's structured field tests against our parser and serialiser. Every case that may be parsed
 * is also written back, and must come out in its canonical form.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BareItem,
  type Dictionary,
  type Item,
  type List,
  type Member,
  type Parsed,
  parseDictionary,
  parseItem,
  parseList,
  serialiseDictionary,
  serialiseItem,
  serialiseList,
} from '../../src/http/structured-fields/index.ts';
import type { ConformanceResult } from './suite.ts';

const SUITE =
  process.env['STRUCTURED_FIELDS_SUITE'] ??
  join(import.meta.dirname, '../../../shared/suites/structured-fields');

/** JSON as the suite uses it; numbers are kept as text, for 1 and 1.0 are different items. */
type Json = { readonly number: string } | string | boolean | readonly Json[] | Typed;
interface Typed {
  readonly __type: 'token' | 'binary' | 'date' | 'displaystring';
  readonly value: Json;
}

interface Case {
  readonly name: string;
  /** Absent in cases of serialisation only. */
  readonly raw?: readonly string[];
  readonly header_type: 'item' | 'list' | 'dictionary';
  readonly expected?: Json;
  readonly must_fail?: boolean;
  readonly can_fail?: boolean;
  readonly canonical?: readonly string[];
}

/** Runs every case, both ways where it has both. */
export async function run(): Promise<ConformanceResult> {
  if (!existsSync(SUITE))
    return { passed: 0, total: 0, failures: [`skipped: no data at ${SUITE}`], passes: [] };
  const failures: string[] = [];
  const passes: string[] = [];
  for (const file of files()) {
    const cases = JSON.parse(readFileSync(join(SUITE, file), 'utf8'), keepNumbers) as Case[];
    for (const [index, one] of cases.entries()) {
      const name = `${file} ${index}: ${printable(one.name)}`;
      const failure = one.raw === undefined ? judgeWriting(one) : judgeBoth(one, one.raw);
      if (failure === undefined) passes.push(name);
      else failures.push(`${name}: ${failure}`);
    }
  }
  return { passed: passes.length, total: passes.length + failures.length, failures, passes };
}

function files(): string[] {
  const json = (folder: string): string[] =>
    readdirSync(join(SUITE, folder))
      .filter((file) => file.endsWith('.json'))
      .sort()
      .map((file) => join(folder, file));
  return [...json('.'), ...json('serialisation-tests')];
}

/** One name, one line: some have the control characters that they are about. */
function printable(name: string): string {
  return JSON.stringify(name).slice(1, -1);
}

function keepNumbers(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' ? { number: context?.source ?? String(value) } : value;
}

function judgeBoth(one: Case, raw: readonly string[]): string | undefined {
  const parsed = parse(one, raw.join(', '));
  if (parsed.kind === 'malformed') {
    return one.must_fail || one.can_fail ? undefined : `refused at ${parsed.offset}: ${parsed.message}`;
  }
  if (one.must_fail) return 'was not refused';
  const seen = JSON.stringify(described(parsed.value));
  const wanted = JSON.stringify(described(built(one)));
  if (seen !== wanted) return `parsed as ${seen}, not ${wanted}`;
  return judgeText(write(one.header_type, parsed.value), one.canonical ?? raw) ?? judgeWriting(one);
}

function judgeWriting(one: Case): string | undefined {
  let text: string;
  try {
    text = write(one.header_type, built(one));
  } catch (thrown) {
    return one.must_fail ? undefined : `not written: ${(thrown as Error).message}`;
  }
  if (one.must_fail) return `was written as ${text}`;
  return judgeText(text, one.canonical ?? one.raw ?? []);
}

function judgeText(text: string, canonical: readonly string[]): string | undefined {
  const wanted = canonical.join(', ');
  return text === wanted ? undefined : `written as ${text}, not ${wanted}`;
}

function parse(one: Case, text: string): Parsed<Item | List | Dictionary> {
  switch (one.header_type) {
    case 'item':
      return parseItem(text);
    case 'list':
      return parseList(text);
    case 'dictionary':
      return parseDictionary(text);
  }
}

function write(type: Case['header_type'], value: Item | List | Dictionary): string {
  switch (type) {
    case 'item':
      return serialiseItem(value as Item);
    case 'list':
      return serialiseList(value as List);
    case 'dictionary':
      return serialiseDictionary(value as Dictionary);
  }
}

// ── Ours → the suite's form ─────────────────────────────────────────────────────────────────────────────

function described(value: Item | List | Dictionary): unknown {
  if (value instanceof Map) return [...value].map(([key, member]) => [key, describedMember(member)]);
  return 'kind' in value ? describedMember(value as Member) : (value as List).map(describedMember);
}

function describedMember(member: Member): unknown {
  const parameters = [...member.parameters].map(([key, bare]) => [key, describedBare(bare)]);
  const inside =
    member.kind === 'item' ? describedBare(member.bare) : member.items.map((each) => describedMember(each));
  return [inside, parameters];
}

function describedBare(bare: BareItem): unknown {
  const value = bare.type === 'bytes' ? Buffer.from(bare.value).toString('hex') : bare.value;
  return { type: bare.type, value };
}

// ── The suite's form → ours ─────────────────────────────────────────────────────────────────────────────

function built(one: Case): Item | List | Dictionary {
  const expected = one.expected as readonly Json[];
  if (one.header_type === 'item') return memberOf(expected) as Item;
  if (one.header_type === 'list') return expected.map(memberOf);
  return new Map(
    expected.map((pair) => {
      const [key, member] = pair as readonly [string, Json];
      return [key, memberOf(member)];
    }),
  );
}

function memberOf(json: Json): Member {
  const [inside, pairs] = json as readonly [Json, readonly (readonly [string, Json])[]];
  const parameters = new Map(pairs.map(([key, value]) => [key, bareOf(value)]));
  if (Array.isArray(inside))
    return { kind: 'inner-list', items: inside.map((each) => memberOf(each) as Item), parameters };
  return { kind: 'item', bare: bareOf(inside as Json), parameters };
}

function bareOf(json: Json): BareItem {
  if (typeof json === 'string') return { type: 'string', value: json };
  if (typeof json === 'boolean') return { type: 'boolean', value: json };
  if ('number' in json) {
    const type = /[.e]/i.test(json.number) ? 'decimal' : 'integer';
    return { type, value: Number(json.number) };
  }
  return typedOf(json as Typed);
}

function typedOf({ __type: type, value }: Typed): BareItem {
  switch (type) {
    case 'token':
      return { type: 'token', value: value as string };
    case 'binary':
      return { type: 'bytes', value: base32(value as string) };
    case 'date':
      return { type: 'date', value: Number((value as { number: string }).number) };
    case 'displaystring':
      return { type: 'display-string', value: value as string };
  }
}

/** RFC 4648 section 6. */
function base32(text: string): Buffer {
  const octets: number[] = [];
  let bits = 0;
  let held = 0;
  for (const digit of text.replace(/=+$/, '')) {
    held = (held << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(digit);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    octets.push((held >> bits) & 0xff);
    held &= (1 << bits) - 1;
  }
  return Buffer.from(octets);
}
