/** Built-in functions of values: text, numbers, time, JSON, arrays. Those about the catalogue and the session are in `system.ts`. */
import { DatabaseError } from '../../errors.ts';
import type { Run } from '../execute/run.ts';
import {
  addInterval,
  civilFromDays,
  dateToTimestamp,
  daysFromCivil,
  daysInMonth,
  type Interval,
  intervalMicros,
  isFinite64,
  localToUtc,
  MICROS_PER_DAY,
  timestampToDate,
  timestampToTime,
  toPosixMicros,
  utcToLocal,
} from '../types/datetime.ts';
import {
  canonicalJson,
  type Json,
  jsonAsText,
  jsonPath,
  parseJson,
  printJson,
  quoteJson,
  toJsonb,
} from '../types/json.ts';
import {
  floorNumeric,
  fromBigint,
  fromNumber,
  Numeric,
  negateNumeric,
  parseNumeric,
  roundNumeric,
  truncateNumeric,
} from '../types/numeric.ts';
import { OID } from '../types/oids.ts';
import { zoneByName } from '../types/time-zones.ts';
import { codePointLength, typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import { checkInt, checkInt8, divisionByZero, power, powerNumeric } from './arithmetic.ts';
import { roundHalfEven } from './casts.ts';
import type { FunctionDefinition, Implementation } from './implementation.ts';
import { jsonOf } from './json-values.ts';
import { compileRegex } from './patterns.ts';

const {
  bool,
  bytea,
  int4,
  int8,
  text,
  float8,
  numeric,
  date,
  time,
  timestamp,
  timestamptz,
  interval,
  json,
  jsonb,
  uuid,
  any,
  anyelement,
  anyarray,
} = OID;
const textArray = 1009;

type Options = Partial<Pick<FunctionDefinition, 'strict' | 'variadic' | 'volatility' | 'set'>>;

/** OIDs of functions are our own, from 10,000: no client knows PostgreSQL's by heart. */
const numbering = { next: 10_000 };

export function define(
  name: string,
  args: readonly number[],
  result: number,
  implementation: Implementation,
  options: Options = {},
): FunctionDefinition {
  return {
    oid: numbering.next++,
    name,
    args,
    result,
    implementation,
    strict: true,
    variadic: false,
    volatility: 'immutable',
    ...options,
  };
}

const STABLE: Options = { volatility: 'stable' };
const VOLATILE: Options = { volatility: 'volatile' };

const characters = (value: string): string[] => [...value];

function substring(value: string, from: number, length?: number): string {
  if (length !== undefined && length < 0)
    throw new DatabaseError('22011', 'negative substring length not allowed');
  const start = from - 1;
  const end = length === undefined ? undefined : Math.max(start + length, 0);
  return characters(value).slice(Math.max(start, 0), end).join('');
}

function trimSet(value: string, set: string, left: boolean, right: boolean): string {
  const all = characters(value);
  const drop = new Set(characters(set));
  let from = 0;
  let to = all.length;
  if (left) while (from < to && drop.has(all[from]!)) from++;
  if (right) while (to > from && drop.has(all[to - 1]!)) to--;
  return all.slice(from, to).join('');
}

function pad(value: string, length: number, fill: string, left: boolean): string {
  if (length > 10_000_000) throw new DatabaseError('54000', 'requested length too large');
  const all = characters(value);
  const fillers = characters(fill);
  if (all.length >= length || fillers.length === 0) return all.slice(0, Math.max(length, 0)).join('');
  const padding = Array.from({ length: length - all.length }, (_, i) => fillers[i % fillers.length]).join('');
  return left ? padding + value : value + padding;
}

function repeat(value: string, times: number): string {
  if (times > 0 && value.length * times > 100_000_000)
    throw new DatabaseError('54000', 'requested length too large');
  return value.repeat(Math.max(times, 0));
}

function splitPart(value: string, separator: string, field: number): string {
  if (field === 0) throw new DatabaseError('22023', 'field position must not be zero');
  const parts = separator === '' ? [value] : value.split(separator);
  return parts.at(field > 0 ? field - 1 : field) ?? '';
}

function asText(value: Value, run: Run): string {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (Buffer.isBuffer(value)) return typeOf(bytea).print(value, run.conversion);
  if (Array.isArray(value))
    return typeOf(textArray).print(
      value.map((item) => (item === null ? null : asText(item, run))),
      run.conversion,
    );
  return String(value);
}

function quoteIdentifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function quoteLiteral(value: string): string {
  const quoted = `'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return value.includes('\\') ? `E${quoted}` : quoted;
}

/** %s %I %L and %%, in order or by position. */
function format(args: (Value | Run)[]): string | null {
  const run = args.at(-1) as Run;
  const [pattern, ...values] = args.slice(0, -1) as Value[];
  if (pattern === null) return null;
  let next = 0;
  return (pattern as string).replace(
    /%(?:(\d+)\$)?([sIL%])/g,
    (_, position: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      const index = position === undefined ? next++ : Number(position) - 1;
      if (index >= values.length) throw new DatabaseError('22023', 'too few arguments for format()');
      const value = values[index]!;
      if (kind === 'L') return value === null ? 'NULL' : quoteLiteral(asText(value, run));
      return kind === 'I' ? quoteIdentifier(asText(value, run)) : asText(value, run);
    },
  );
}

function regexpReplace(value: string, pattern: string, replacement: string, flags: string): string {
  const global = flags.includes('g');
  const compiled = compileRegex(pattern, `s${flags.includes('i') ? 'i' : ''}${global ? 'g' : ''}`);
  const template = replacement
    .replace(/\$/g, '$$$$')
    .replace(/\\([0-9&\\])/g, (_, c: string) => (c === '&' ? '$&' : c === '\\' ? '\\' : `$${c}`));
  return value.replace(compiled, template);
}

/** One character for one: ß stays as it is. */
function upperCase(value: string): string {
  const upper = value.toUpperCase();
  if (upper.length === value.length) return upper;
  return characters(value)
    .map((c) => (c.toUpperCase().length === c.length ? c.toUpperCase() : c))
    .join('');
}

function initcap(value: string): string {
  return value
    .toLowerCase()
    .replace(
      /(^|[^\p{L}\p{N}])(\p{L})/gu,
      (_, before: string, letter: string) => before + letter.toUpperCase(),
    );
}

const strings: FunctionDefinition[] = [
  define('lower', [text], text, (v: string) => v.toLowerCase()),
  define('upper', [text], text, upperCase),
  define('initcap', [text], text, initcap),
  ...['length', 'char_length', 'character_length'].map((name) => define(name, [text], int4, codePointLength)),
  define('length', [bytea], int4, (v: Buffer) => v.length),
  define('octet_length', [text], int4, (v: string) => Buffer.byteLength(v)),
  define('octet_length', [bytea], int4, (v: Buffer) => v.length),
  define('bit_length', [text], int4, (v: string) => Buffer.byteLength(v) * 8),
  ...['substring', 'substr'].flatMap((name) => [
    define(name, [text, int4], text, (v: string, from: number) => substring(v, from)),
    define(name, [text, int4, int4], text, (v: string, from: number, length: number) =>
      substring(v, from, length),
    ),
  ]),
  define('substring', [text, text], text, (v: string, pattern: string) => {
    const found = compileRegex(pattern, 's').exec(v);
    return found === null ? null : (found[1] ?? found[0]);
  }),
  define('left', [text, int4], text, (v: string, n: number) => characters(v).slice(0, n).join('')),
  define('right', [text, int4], text, (v: string, n: number) =>
    n === 0
      ? ''
      : characters(v)
          .slice(n < 0 ? -n : Math.max(characters(v).length - n, 0))
          .join(''),
  ),
  define('btrim', [text], text, (v: string) => trimSet(v, ' ', true, true)),
  define('btrim', [text, text], text, (v: string, set: string) => trimSet(v, set, true, true)),
  define('ltrim', [text], text, (v: string) => trimSet(v, ' ', true, false)),
  define('ltrim', [text, text], text, (v: string, set: string) => trimSet(v, set, true, false)),
  define('rtrim', [text], text, (v: string) => trimSet(v, ' ', false, true)),
  define('rtrim', [text, text], text, (v: string, set: string) => trimSet(v, set, false, true)),
  define('lpad', [text, int4], text, (v: string, n: number) => pad(v, n, ' ', true)),
  define('lpad', [text, int4, text], text, (v: string, n: number, fill: string) => pad(v, n, fill, true)),
  define('rpad', [text, int4], text, (v: string, n: number) => pad(v, n, ' ', false)),
  define('rpad', [text, int4, text], text, (v: string, n: number, fill: string) => pad(v, n, fill, false)),
  define('repeat', [text, int4], text, repeat),
  define('replace', [text, text, text], text, (v: string, from: string, to: string) =>
    from === '' ? v : v.replaceAll(from, () => to),
  ),
  define('translate', [text, text, text], text, (v: string, from: string, to: string) => {
    const source = characters(from);
    const target = characters(to);
    return characters(v)
      .map((c) => (source.includes(c) ? (target[source.indexOf(c)] ?? '') : c))
      .join('');
  }),
  define('reverse', [text], text, (v: string) => characters(v).reverse().join('')),
  define(
    'position',
    [text, text],
    int4,
    (v: string, part: string) =>
      codePointLength(v.slice(0, Math.max(v.indexOf(part), 0))) + (v.includes(part) ? 1 : 0),
  ),
  define(
    'strpos',
    [text, text],
    int4,
    (v: string, part: string) =>
      codePointLength(v.slice(0, Math.max(v.indexOf(part), 0))) + (v.includes(part) ? 1 : 0),
  ),
  define('starts_with', [text, text], bool, (v: string, prefix: string) => v.startsWith(prefix)),
  define('split_part', [text, text, int4], text, splitPart),
  define('ascii', [text], int4, (v: string) => v.codePointAt(0) ?? 0),
  define('chr', [int4], text, (n: number) => {
    if (n <= 0 || n > 0x10ffff)
      throw new DatabaseError(
        '54000',
        n === 0 ? 'null character not permitted' : `requested character too large for encoding: ${n}`,
      );
    return String.fromCodePoint(n);
  }),
  define(
    'concat',
    [any],
    text,
    (...args: (Value | Run)[]) =>
      args
        .slice(0, -1)
        .map((v) => asText(v as Value, args.at(-1) as Run))
        .join(''),
    { strict: false, variadic: true, ...STABLE },
  ),
  define(
    'concat_ws',
    [text, any],
    text,
    (...args: (Value | Run)[]) => {
      const [separator, ...values] = args.slice(0, -1) as Value[];
      if (separator === null) return null;
      return values
        .filter((v) => v !== null)
        .map((v) => asText(v, args.at(-1) as Run))
        .join(separator as string);
    },
    { strict: false, variadic: true, ...STABLE },
  ),
  define('format', [text], text, (...args: (Value | Run)[]) => format(args), { strict: false, ...STABLE }),
  define('format', [text, any], text, (...args: (Value | Run)[]) => format(args), {
    strict: false,
    variadic: true,
    ...STABLE,
  }),
  define('quote_ident', [text], text, quoteIdentifier),
  define('quote_literal', [text], text, quoteLiteral),
  define('quote_nullable', [text], text, (v: string | null) => (v === null ? 'NULL' : quoteLiteral(v)), {
    strict: false,
  }),
  define('regexp_replace', [text, text, text], text, (v: string, p: string, r: string) =>
    regexpReplace(v, p, r, ''),
  ),
  define('regexp_replace', [text, text, text, text], text, regexpReplace),
  define('regexp_match', [text, text], textArray, (v: string, p: string) => {
    const found = compileRegex(p, 's').exec(v);
    return found === null ? null : found.length > 1 ? found.slice(1).map((item) => item ?? null) : [found[0]];
  }),
  define('to_hex', [int4], text, (v: number) => (v >>> 0).toString(16)),
  define('to_hex', [int8], text, (v: bigint) => BigInt.asUintN(64, v).toString(16)),
  define('encode', [bytea, text], text, (v: Buffer, f: string) => {
    if (f !== 'hex' && f !== 'base64') throw new DatabaseError('22023', `unrecognized encoding: "${f}"`);
    return v.toString(f);
  }),
  define('decode', [text, text], bytea, (v: string, f: string) => {
    if (f !== 'hex' && f !== 'base64') throw new DatabaseError('22023', `unrecognized encoding: "${f}"`);
    return Buffer.from(v, f);
  }),
  define('string_to_array', [text, text], textArray, (v: string, s: string | null) =>
    v === '' ? [] : s === null ? characters(v) : v.split(s || v),
  ),
];

function roundFloat(value: number): number {
  return roundHalfEven(value);
}

function logarithm(value: number): number {
  if (value <= 0)
    throw new DatabaseError(
      '2201E',
      `cannot take logarithm of ${value === 0 ? 'zero' : 'a negative number'}`,
    );
  return value;
}

const numbers: FunctionDefinition[] = [
  define('abs', [int4], int4, (v: number) => checkInt(Math.abs(v), 'integer')),
  define('abs', [int8], int8, (v: bigint) => checkInt8(v < 0n ? -v : v)),
  define('abs', [float8], float8, (v: number) => Math.abs(v)),
  define('abs', [numeric], numeric, (v: Numeric) =>
    v.coefficient < 0n || v.special === '-Infinity' ? negateNumeric(v) : v,
  ),
  define('ceil', [float8], float8, (v: number) => Math.ceil(v)),
  define('ceil', [numeric], numeric, (v: Numeric) => negateNumeric(floorNumeric(negateNumeric(v)))),
  define('ceiling', [float8], float8, (v: number) => Math.ceil(v)),
  define('ceiling', [numeric], numeric, (v: Numeric) => negateNumeric(floorNumeric(negateNumeric(v)))),
  define('floor', [float8], float8, (v: number) => Math.floor(v)),
  define('floor', [numeric], numeric, floorNumeric),
  define('round', [float8], float8, roundFloat),
  define('round', [numeric], numeric, (v: Numeric) => roundNumeric(v, 0)),
  define('round', [numeric, int4], numeric, roundNumeric),
  define('trunc', [float8], float8, (v: number) => Math.trunc(v)),
  define('trunc', [numeric], numeric, (v: Numeric) => truncateNumeric(v, 0)),
  define('trunc', [numeric, int4], numeric, truncateNumeric),
  define('sign', [float8], float8, (v: number) => Math.sign(v)),
  define('sign', [numeric], numeric, (v: Numeric) => fromNumber(Math.sign(v.toNumber()))),
  define('mod', [int4, int4], int4, (a: number, b: number) => {
    if (b === 0) throw divisionByZero();
    return (a % b) + 0;
  }),
  define('mod', [int8, int8], int8, (a: bigint, b: bigint) => {
    if (b === 0n) throw divisionByZero();
    return a % b;
  }),
  define('div', [numeric, numeric], numeric, (a: Numeric, b: Numeric) => {
    if (b.coefficient === 0n) throw divisionByZero();
    const scale = Math.max(a.scale, b.scale);
    return fromBigint(roundNumeric(a, scale).coefficient / roundNumeric(b, scale).coefficient);
  }),
  define('power', [float8, float8], float8, power),
  define('pow', [float8, float8], float8, power),
  define('power', [numeric, numeric], numeric, powerNumeric),
  define('sqrt', [float8], float8, (v: number) => {
    if (v < 0) throw new DatabaseError('2201F', 'cannot take square root of a negative number');
    return Math.sqrt(v);
  }),
  define('exp', [float8], float8, (v: number) => Math.exp(v)),
  define('ln', [float8], float8, (v: number) => Math.log(logarithm(v))),
  define('log', [float8], float8, (v: number) => Math.log10(logarithm(v))),
  define('log10', [float8], float8, (v: number) => Math.log10(logarithm(v))),
  define('pi', [], float8, () => Math.PI),
  ...(['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'cbrt'] as const).map((name) =>
    define(name, [float8], float8, (v: number) => Math[name](v)),
  ),
  define('atan2', [float8, float8], float8, (a: number, b: number) => Math.atan2(a, b)),
  define('degrees', [float8], float8, (v: number) => (v * 180) / Math.PI),
  define('radians', [float8], float8, (v: number) => (v * Math.PI) / 180),
  define('random', [], float8, (run: Run) => run.randomFraction(), VOLATILE),
];

/** A moment taken apart, for extract and date_trunc. */
function extractField(field: string, local: bigint, posix: bigint): Numeric {
  if (!isFinite64(local)) return parseNumeric(local > 0n ? 'Infinity' : '-Infinity')!;
  const days = timestampToDate(local);
  const micros = timestampToTime(local);
  const { year, month, day } = civilFromDays(days);
  const whole = (n: number): Numeric => fromBigint(BigInt(n));
  switch (field) {
    case 'year':
      return whole(year > 0 ? year : year - 1);
    case 'month':
      return whole(month);
    case 'day':
      return whole(day);
    case 'hour':
      return whole(Math.floor(micros / 3.6e9));
    case 'minute':
      return whole(Math.floor(micros / 6e7) % 60);
    case 'second':
      return new Numeric(BigInt(micros % 6e7), 6);
    case 'milliseconds':
      return new Numeric(BigInt(micros % 6e7), 3);
    case 'microseconds':
      return whole(micros % 6e7);
    case 'dow':
      return whole((((days + 6) % 7) + 7) % 7);
    case 'isodow':
      return whole(((((days + 5) % 7) + 7) % 7) + 1);
    case 'doy':
      return whole(days - daysFromCivil(year, 1, 1) + 1);
    case 'week':
      return whole(isoWeek(days).week);
    case 'isoyear':
      return whole(isoWeek(days).year);
    case 'quarter':
      return whole(Math.floor((month - 1) / 3) + 1);
    case 'decade':
      return whole(Math.floor(year / 10));
    case 'century':
      return whole(Math.ceil(year / 100));
    case 'millennium':
      return whole(Math.ceil(year / 1000));
    case 'epoch':
      return new Numeric(posix, 6);
    default:
      throw new DatabaseError('22023', `unit "${field}" not recognized for type timestamp with time zone`);
  }
}

function isoWeek(days: number): { year: number; week: number } {
  const thursday = days + 3 - ((((days + 5) % 7) + 7) % 7);
  const { year } = civilFromDays(thursday);
  return { year, week: Math.floor((thursday - daysFromCivil(year, 1, 1)) / 7) + 1 };
}

function extractInterval(field: string, v: Interval): Numeric {
  const whole = (n: number): Numeric => fromBigint(BigInt(Math.trunc(n)));
  const micros = Number(v.micros);
  switch (field) {
    case 'year':
      return whole(v.months / 12);
    case 'month':
      return whole(v.months % 12);
    case 'day':
      return whole(v.days);
    case 'hour':
      return whole(micros / 3.6e9);
    case 'minute':
      return whole((micros / 6e7) % 60);
    case 'second':
      return new Numeric(v.micros % 60_000_000n, 6);
    case 'epoch': {
      const years = Math.trunc(v.months / 12);
      const rest = intervalMicros({ months: v.months % 12, days: v.days, micros: v.micros });
      return new Numeric(BigInt(years) * 31_557_600_000_000n + rest, 6);
    }
    default:
      throw new DatabaseError('22023', `unit "${field}" not recognized for type interval`);
  }
}

const TRUNCATIONS: Readonly<Record<string, (y: number, m: number, d: number, days: number) => number>> = {
  year: (y) => daysFromCivil(y, 1, 1),
  quarter: (y, m) => daysFromCivil(y, Math.floor((m - 1) / 3) * 3 + 1, 1),
  month: (y, m) => daysFromCivil(y, m, 1),
  week: (_y, _m, _d, days) => days - ((((days + 5) % 7) + 7) % 7),
  day: (_y, _m, _d, days) => days,
  decade: (y) => daysFromCivil(Math.floor(y / 10) * 10, 1, 1),
  century: (y) => daysFromCivil(Math.floor((y - 1) / 100) * 100 + 1, 1, 1),
};

const TIME_UNITS: Readonly<Record<string, bigint>> = {
  hour: 3_600_000_000n,
  minute: 60_000_000n,
  second: 1_000_000n,
  milliseconds: 1_000n,
  microseconds: 1n,
};

function truncateMoment(unit: string, local: bigint): bigint {
  if (!isFinite64(local)) return local;
  const field = unit.toLowerCase();
  const step = TIME_UNITS[field];
  if (step !== undefined) return local - (((local % step) + step) % step);
  const truncate = TRUNCATIONS[field];
  if (truncate === undefined)
    throw new DatabaseError('22023', `unit "${unit}" not recognized for type timestamp with time zone`);
  const days = timestampToDate(local);
  const { year, month, day } = civilFromDays(days);
  return dateToTimestamp(truncate(year, month, day, days));
}

function zoned(name: string): (posixSeconds: number) => number {
  const zone = zoneByName(name);
  if (zone === undefined) throw new DatabaseError('22023', `time zone "${name}" not recognized`);
  return zone.offset;
}

const MONTH_NAMES = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY_NAMES = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** The templates of to_char that applications use; others are refused rather than copied through. */
function toChar(local: bigint, template: string): string {
  const days = timestampToDate(local);
  const { year, month, day } = civilFromDays(days);
  const micros = timestampToTime(local);
  const hour = Math.floor(micros / 3.6e9);
  const two = (n: number): string => String(n).padStart(2, '0');
  const weekday = (((days + 6) % 7) + 7) % 7;
  const parts: Readonly<Record<string, () => string>> = {
    YYYY: () => String(year).padStart(4, '0'),
    YY: () => two(year % 100),
    MM: () => two(month),
    DD: () => two(day),
    HH24: () => two(hour),
    HH12: () => two(hour % 12 || 12),
    HH: () => two(hour % 12 || 12),
    MI: () => two(Math.floor(micros / 6e7) % 60),
    SS: () => two(Math.floor(micros / 1e6) % 60),
    MS: () => String(Math.floor(micros / 1000) % 1000).padStart(3, '0'),
    US: () => String(micros % 1e6).padStart(6, '0'),
    AM: () => (hour < 12 ? 'AM' : 'PM'),
    PM: () => (hour < 12 ? 'AM' : 'PM'),
    Month: () => MONTH_NAMES[month - 1]!.padEnd(9),
    Mon: () => MONTH_NAMES[month - 1]!.slice(0, 3),
    MON: () => MONTH_NAMES[month - 1]!.slice(0, 3).toUpperCase(),
    Day: () => DAY_NAMES[weekday]!.padEnd(9),
    Dy: () => DAY_NAMES[weekday]!.slice(0, 3),
    DDD: () => String(days - daysFromCivil(year, 1, 1) + 1).padStart(3, '0'),
    D: () => String(weekday + 1),
    IW: () => two(isoWeek(days).week),
    IYYY: () => String(isoWeek(days).year),
    Q: () => String(Math.floor((month - 1) / 3) + 1),
  };
  return template.replace(
    /"([^"]*)"|IYYY|YYYY|YY|MM|Month|Mon|MON|MI|MS|DDD|DD|Day|Dy|D|HH24|HH12|HH|SS|US|AM|PM|IW|Q|[A-Za-z]+/g,
    (token, quoted: string | undefined) => {
      if (quoted !== undefined) return quoted;
      if (token === 'T') return 'T';
      const part = parts[token];
      if (part === undefined)
        throw new DatabaseError('0A000', `to_char template "${token}" is not supported`);
      return part();
    },
  );
}

const atZone = (v: bigint, run: Run): bigint => utcToLocal(v, run.conversion.zone);

function makeTimes(): FunctionDefinition[] {
  const extractors = [
    ['extract', numeric, (n: Numeric): Value => n],
    ['date_part', float8, (n: Numeric): Value => n.toNumber()],
  ] as const;
  const fields = extractors.flatMap(([name, result, finish]) => [
    define(
      name,
      [text, timestamptz],
      result,
      (f: string, v: bigint, run: Run) =>
        finish(extractField(f.toLowerCase(), atZone(v, run), toPosixMicros(v))),
      STABLE,
    ),
    define(name, [text, timestamp], result, (f: string, v: bigint) =>
      finish(extractField(f.toLowerCase(), v, toPosixMicros(v))),
    ),
    define(name, [text, date], result, (f: string, v: number) =>
      finish(extractField(f.toLowerCase(), dateToTimestamp(v), toPosixMicros(dateToTimestamp(v)))),
    ),
    define(name, [text, time], result, (f: string, v: number) =>
      finish(
        f.toLowerCase() === 'epoch'
          ? new Numeric(BigInt(v), 6)
          : extractField(f.toLowerCase(), BigInt(v), 0n),
      ),
    ),
    define(name, [text, interval], result, (f: string, v: Interval) =>
      finish(extractInterval(f.toLowerCase(), v)),
    ),
  ]);
  return [
    ...fields,
    ...['now', 'transaction_timestamp', 'current_timestamp'].map((name) =>
      define(name, [], timestamptz, (run: Run) => run.transactionStart, STABLE),
    ),
    define('statement_timestamp', [], timestamptz, (run: Run) => run.statementStart, STABLE),
    define('clock_timestamp', [], timestamptz, (run: Run) => run.clock(), VOLATILE),
    define('localtimestamp', [], timestamp, (run: Run) => atZone(run.transactionStart, run), STABLE),
    define(
      'current_date',
      [],
      date,
      (run: Run) => timestampToDate(atZone(run.transactionStart, run)),
      STABLE,
    ),
    define('localtime', [], time, (run: Run) => timestampToTime(atZone(run.transactionStart, run)), STABLE),
    define(
      'date_trunc',
      [text, timestamptz],
      timestamptz,
      (u: string, v: bigint, run: Run) => localToUtc(truncateMoment(u, atZone(v, run)), run.conversion.zone),
      STABLE,
    ),
    define('date_trunc', [text, timestamp], timestamp, truncateMoment),
    define('timezone', [text, timestamptz], timestamp, (zone: string, v: bigint) =>
      utcToLocal(v, zoned(zone)),
    ),
    define('timezone', [text, timestamp], timestamptz, (zone: string, v: bigint) =>
      localToUtc(v, zoned(zone)),
    ),
    define(
      'to_timestamp',
      [float8],
      timestamptz,
      (v: number) => BigInt(Math.round(v * 1e6)) - 946_684_800_000_000n,
    ),
    define('make_date', [int4, int4, int4], date, daysFromCivil),
    define('age', [timestamptz, timestamptz], interval, (a: bigint, b: bigint) => age(a, b)),
    define('age', [timestamp, timestamp], interval, age),
    define(
      'to_char',
      [timestamptz, text],
      text,
      (v: bigint, template: string, run: Run) => toChar(atZone(v, run), template),
      STABLE,
    ),
    define('to_char', [timestamp, text], text, toChar),
    define('make_interval', [], interval, () => ({ months: 0, days: 0, micros: 0n })),
  ];
}

/** Field by field, borrowing days from the month of the earlier date. */
function age(later: bigint, earlier: bigint): Interval {
  if (later < earlier) {
    const { months, days, micros } = age(earlier, later);
    return { months: -months + 0, days: -days + 0, micros: -micros };
  }
  const a = civilFromDays(timestampToDate(later));
  const b = civilFromDays(timestampToDate(earlier));
  let months = a.year * 12 + a.month - (b.year * 12 + b.month);
  let days = a.day - b.day;
  let micros = BigInt(timestampToTime(later) - timestampToTime(earlier));
  if (micros < 0n) {
    micros += MICROS_PER_DAY;
    days--;
  }
  if (days < 0) {
    days += daysInMonth(b.year, b.month);
    months--;
  }
  return { months, days, micros };
}

function jsonSet(document: Json, path: readonly string[], value: Json, create: boolean): Json {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (document.kind === 'object') {
    const old = document.members.find(([key]) => key === step)?.[1];
    if (old === undefined && (!create || rest.length > 0)) return document;
    const replaced = old === undefined ? value : jsonSet(old, rest, value, create);
    return {
      kind: 'object',
      members: [...document.members.filter(([key]) => key !== step), [step, replaced]],
    };
  }
  if (document.kind !== 'array' || !/^-?\d+$/.test(step)) return document;
  const index = Number(step) < 0 ? document.items.length + Number(step) : Number(step);
  const items = [...document.items];
  if (index >= 0 && index < items.length) items[index] = jsonSet(items[index]!, rest, value, create);
  else if (create && rest.length === 0) index < 0 ? items.unshift(value) : items.push(value);
  return { kind: 'array', items };
}

function typeName(document: Json): string {
  return document.kind;
}

function expectKind<K extends Json['kind']>(
  document: Json,
  kind: K,
  what: string,
): Extract<Json, { kind: K }> {
  if (document.kind !== kind) throw new DatabaseError('22023', what);
  return document as Extract<Json, { kind: K }>;
}

function makeJson(): FunctionDefinition[] {
  const both = (['json', 'jsonb'] as const).flatMap((prefix) => {
    const type = prefix === 'json' ? json : jsonb;
    return [
      define(
        `${prefix}_array_length`,
        [type],
        int4,
        (v: string) =>
          expectKind(parseJson(v), 'array', 'cannot get array length of a non-array').items.length,
      ),
      define(`${prefix}_typeof`, [type], text, (v: string) => typeName(parseJson(v))),
      define(
        `${prefix}_extract_path_text`,
        [type, text],
        text,
        (...args: (Value | Run)[]) =>
          jsonAsText(jsonPath(parseJson(args[0] as string), args.slice(1, -1) as string[])),
        { variadic: true },
      ),
      define(
        `${prefix}_array_elements`,
        [type],
        type,
        (v: string) =>
          expectKind(parseJson(v), 'array', 'cannot extract elements from a scalar').items.map((item) => [
            printJson(item),
          ]),
        { set: { columns: [{ name: 'value', type }] } },
      ),
      define(
        `${prefix}_array_elements_text`,
        [type],
        text,
        (v: string) =>
          expectKind(parseJson(v), 'array', 'cannot extract elements from a scalar').items.map((item) => [
            jsonAsText(item),
          ]),
        { set: { columns: [{ name: 'value', type: text }] } },
      ),
      define(
        `${prefix}_object_keys`,
        [type],
        text,
        (v: string) =>
          expectKind(parseJson(v), 'object', 'cannot call jsonb_object_keys on a non-object').members.map(
            ([key]) => [key],
          ),
        { set: { columns: [{ name: `${prefix}_object_keys`, type: text }] } },
      ),
      define(
        `${prefix}_each`,
        [type],
        OID.record,
        (v: string) =>
          expectKind(parseJson(v), 'object', 'cannot call jsonb_each on a non-object').members.map(
            ([key, item]) => [key, printJson(item)],
          ),
        {
          set: {
            columns: [
              { name: 'key', type: text },
              { name: 'value', type },
            ],
          },
        },
      ),
      define(
        `${prefix}_each_text`,
        [type],
        OID.record,
        (v: string) =>
          expectKind(parseJson(v), 'object', 'cannot call jsonb_each_text on a non-object').members.map(
            ([key, item]) => [key, jsonAsText(item)],
          ),
        {
          set: {
            columns: [
              { name: 'key', type: text },
              { name: 'value', type: text },
            ],
          },
        },
      ),
    ];
  });
  return [
    ...both,
    define('jsonb_set', [jsonb, textArray, jsonb], jsonb, (v: string, path: string[], value: string) =>
      printJson(canonicalJson(jsonSet(parseJson(v), path, parseJson(value), true))),
    ),
    define(
      'jsonb_set',
      [jsonb, textArray, jsonb, bool],
      jsonb,
      (v: string, path: string[], value: string, create: boolean) =>
        printJson(canonicalJson(jsonSet(parseJson(v), path, parseJson(value), create))),
    ),
    define('jsonb_pretty', [jsonb], text, (v: string) => pretty(parseJson(v), 0)),
    define('jsonb_strip_nulls', [jsonb], jsonb, (v: string) => printJson(stripNulls(parseJson(v)))),
  ];
}

function stripNulls(document: Json): Json {
  if (document.kind === 'array') return { kind: 'array', items: document.items.map(stripNulls) };
  if (document.kind !== 'object') return document;
  return {
    kind: 'object',
    members: document.members
      .filter(([, v]) => v.kind !== 'null')
      .map(([k, v]) => [k, stripNulls(v)] as const),
  };
}

function pretty(document: Json, depth: number): string {
  const inner = '    '.repeat(depth + 1);
  const outer = '    '.repeat(depth);
  if (document.kind === 'array')
    return `[\n${document.items.map((item) => inner + pretty(item, depth + 1)).join(',\n')}\n${outer}]`;
  if (document.kind === 'object')
    return `{\n${document.members.map(([key, item]) => `${inner}${quoteJson(key)}: ${pretty(item, depth + 1)}`).join(',\n')}\n${outer}}`;
  return printJson(document);
}

/** Rows are made as they are asked for: a long series costs no memory. */
function* series(from: bigint, to: bigint, step: bigint, make: (n: bigint) => Value): Generator<Value[]> {
  for (let n = from; step > 0n ? n <= to : n >= to; n += step) yield [make(n)];
}

function* timeSeries(from: bigint, to: bigint, step: Interval): Generator<Value[]> {
  const ascending = intervalMicros(step) > 0n;
  for (let at = from; ascending ? at <= to : at >= to; at = addInterval(at, step)) yield [at];
}

function countUp(from: bigint, to: bigint, step: bigint, make: (n: bigint) => Value): Value {
  if (step === 0n) throw new DatabaseError('22023', 'step size cannot equal zero');
  return asValue(series(from, to, step, make));
}

function countTime(from: bigint, to: bigint, step: Interval): Value {
  if (intervalMicros(step) === 0n) throw new DatabaseError('22023', 'step size cannot equal zero');
  return asValue(timeSeries(from, to, step));
}

/** A set is an iterable of rows: the executor knows by the definition that it is no value. */
function asValue(rows: Iterable<Value[]>): Value {
  return rows as unknown as Value;
}

function makeSets(): FunctionDefinition[] {
  const one = (name: string, type: number): FunctionDefinition['set'] => ({ columns: [{ name, type }] });
  const asInt = (n: bigint): number => Number(n);
  const name = 'generate_series';
  return [
    define(name, [int4, int4], int4, (a: number, b: number) => countUp(BigInt(a), BigInt(b), 1n, asInt), {
      set: one(name, int4)!,
    }),
    define(
      name,
      [int4, int4, int4],
      int4,
      (a: number, b: number, s: number) => countUp(BigInt(a), BigInt(b), BigInt(s), asInt),
      { set: one(name, int4)! },
    ),
    define(name, [int8, int8], int8, (a: bigint, b: bigint) => countUp(a, b, 1n, (n) => n), {
      set: one(name, int8)!,
    }),
    define(name, [int8, int8, int8], int8, (a: bigint, b: bigint, s: bigint) => countUp(a, b, s, (n) => n), {
      set: one(name, int8)!,
    }),
    define(name, [timestamp, timestamp, interval], timestamp, countTime, { set: one(name, timestamp)! }),
    define(name, [timestamptz, timestamptz, interval], timestamptz, countTime, {
      set: one(name, timestamptz)!,
    }),
    define('unnest', [anyarray], anyelement, (items: Value[]) => items.map((item) => [item]), {
      set: one('unnest', anyelement)!,
    }),
    define(
      'generate_subscripts',
      [anyarray, int4],
      int4,
      (items: Value[], dimension: number) => (dimension === 1 ? items.map((_, i) => [i + 1]) : []),
      { set: one('generate_subscripts', int4)! },
    ),
    define(
      'regexp_split_to_table',
      [text, text],
      text,
      (v: string, p: string) => v.split(compileRegex(p, 's')).map((part) => [part]),
      { set: one('regexp_split_to_table', text)! },
    ),
    define(
      'string_to_table',
      [text, text],
      text,
      (v: string, s: string) => v.split(s).map((part) => [part]),
      { set: one('string_to_table', text)! },
    ),
  ];
}

const arrays: FunctionDefinition[] = [
  define('array_length', [anyarray, int4], int4, (v: Value[], dimension: number) =>
    dimension === 1 && v.length > 0 ? v.length : null,
  ),
  define('cardinality', [anyarray], int4, (v: Value[]) => v.length),
  define('array_lower', [anyarray, int4], int4, (v: Value[], dimension: number) =>
    dimension === 1 && v.length > 0 ? 1 : null,
  ),
  define('array_upper', [anyarray, int4], int4, (v: Value[], dimension: number) =>
    dimension === 1 && v.length > 0 ? v.length : null,
  ),
  define('array_ndims', [anyarray], int4, (v: Value[]) => (v.length > 0 ? 1 : null)),
  define(
    'array_to_string',
    [anyarray, text],
    text,
    (v: Value[], separator: string, run: Run) =>
      v
        .filter((item) => item !== null)
        .map((item) => asText(item, run))
        .join(separator),
    STABLE,
  ),
  define(
    'array_to_string',
    [anyarray, text, text],
    text,
    (v: Value[], separator: string, empty: string, run: Run) =>
      v.map((item) => (item === null ? empty : asText(item, run))).join(separator),
    STABLE,
  ),
  define(
    'array_append',
    [anyarray, anyelement],
    anyarray,
    (v: Value[] | null, item: Value) => [...(v ?? []), item],
    { strict: false },
  ),
  define(
    'array_prepend',
    [anyelement, anyarray],
    anyarray,
    (item: Value, v: Value[] | null) => [item, ...(v ?? [])],
    { strict: false },
  ),
  define(
    'array_cat',
    [anyarray, anyarray],
    anyarray,
    (a: Value[] | null, b: Value[] | null) => (a === null ? b : b === null ? a : [...a, ...b]),
    { strict: false },
  ),
  define(
    'array_position',
    [anyarray, anyelement],
    int4,
    (v: Value[], item: Value) => v.indexOf(item) + 1 || null,
  ),
  define('array_remove', [anyarray, anyelement], anyarray, (v: Value[], item: Value) =>
    v.filter((each) => each !== item),
  ),
];

const others: FunctionDefinition[] = [
  define('gen_random_uuid', [], uuid, (run: Run) => run.uuid(), VOLATILE),
  define(
    'num_nonnulls',
    [any],
    int4,
    (...args: (Value | Run)[]) => args.slice(0, -1).filter((v) => v !== null).length,
    { strict: false, variadic: true },
  ),
  define(
    'num_nulls',
    [any],
    int4,
    (...args: (Value | Run)[]) => args.slice(0, -1).filter((v) => v === null).length,
    { strict: false, variadic: true },
  ),
];

export const SCALAR_FUNCTIONS: readonly FunctionDefinition[] = [
  ...strings,
  ...numbers,
  ...makeTimes(),
  ...makeJson(),
  ...makeSets(),
  ...arrays,
  ...others,
];

/** Functions whose implementation must know its arguments' types; the binder calls `bind` with them. */
export const TYPED_FUNCTIONS: ReadonlyMap<
  string,
  { readonly result: number; readonly minimum: number; bind(types: readonly number[]): Implementation }
> = new Map([
  [
    'to_json',
    {
      result: json,
      minimum: 1,
      bind:
        ([type]: readonly number[]) =>
        (v: Value, run: Run) =>
          jsonOf(v, type!, run),
    },
  ],
  [
    'to_jsonb',
    {
      result: jsonb,
      minimum: 1,
      bind:
        ([type]: readonly number[]) =>
        (v: Value, run: Run) =>
          toJsonb(jsonOf(v, type!, run)),
    },
  ],
  [
    'json_build_object',
    { result: json, minimum: 0, bind: (types: readonly number[]) => objectBuilder(types) },
  ],
  [
    'jsonb_build_object',
    { result: jsonb, minimum: 0, bind: (types: readonly number[]) => canonically(objectBuilder(types)) },
  ],
  ['json_build_array', { result: json, minimum: 0, bind: (types: readonly number[]) => arrayBuilder(types) }],
  [
    'jsonb_build_array',
    { result: jsonb, minimum: 0, bind: (types: readonly number[]) => canonically(arrayBuilder(types)) },
  ],
  [
    'pg_typeof',
    {
      result: OID.regtype,
      minimum: 1,
      bind:
        ([type]: readonly number[]) =>
        () =>
          type!,
    },
  ],
]);

function canonically(build: (...args: (Value | Run)[]) => string): Implementation {
  return (...args: (Value | Run)[]) => toJsonb(build(...args));
}

function objectBuilder(types: readonly number[]): (...args: (Value | Run)[]) => string {
  if (types.length % 2 !== 0)
    throw new DatabaseError('22023', 'argument list must have even number of elements');
  return (...args) => {
    const run = args.at(-1) as Run;
    const members: string[] = [];
    for (let i = 0; i < types.length; i += 2) {
      if (args[i] === null) throw new DatabaseError('22023', `argument ${i + 1} cannot be null`);
      members.push(
        `${quoteJson(asText(args[i] as Value, run))} : ${jsonOf(args[i + 1] as Value, types[i + 1]!, run)}`,
      );
    }
    return `{${members.join(', ')}}`;
  };
}

function arrayBuilder(types: readonly number[]): (...args: (Value | Run)[]) => string {
  return (...args) =>
    `[${types.map((type, i) => jsonOf(args[i] as Value, type, args.at(-1) as Run)).join(', ')}]`;
}
