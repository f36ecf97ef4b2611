/**
 * Conversions between types. Where the two lists below say nothing, text goes through the type's own input
 * and output: any type to text by assignment, text to any type by explicit cast (PostgreSQL's I/O casts).
 *
 * Contexts, as pg_cast has them: implicit (anywhere), assignment (storing into a column), explicit (::).
 */
import { DatabaseError } from '../../errors.ts';
import type { Run } from '../execute/run.ts';
import {
  dateToTimestamp,
  localToUtc,
  timestampToDate,
  timestampToTime,
  utcToLocal,
} from '../types/datetime.ts';
import { toJsonb } from '../types/json.ts';
import { fromBigint, fromNumber, type Numeric, toBigint } from '../types/numeric.ts';
import { OID } from '../types/oids.ts';
import { TYPES, trimBlanks, typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';
import { checkInt, checkInt8 } from './arithmetic.ts';
import type { Callable, Implementation } from './implementation.ts';

export type CastContext = 'implicit' | 'assignment' | 'explicit';

export interface CastDefinition {
  readonly from: number;
  readonly to: number;
  readonly context: CastContext;
  /** Undefined: the value is the same in both types. */
  readonly convert: Callable | undefined;
}

const RANK: Readonly<Record<CastContext, number>> = { implicit: 0, assignment: 1, explicit: 2 };

const {
  bool,
  bytea,
  char,
  name,
  int8,
  int2,
  int4,
  regproc,
  text,
  oid,
  json,
  float4,
  float8,
  bpchar,
  varchar,
  date,
  time,
  timestamp,
  timestamptz,
  interval,
  numeric,
  regclass,
  regtype,
  jsonb,
  regrole,
  regnamespace,
  int2vector,
  oidvector,
} = OID;

type Row = readonly [from: number, to: number, context: CastContext, convert?: Implementation];

function fractionless(value: number, type: 'smallint' | 'integer'): number {
  if (Number.isNaN(value)) throw new DatabaseError('22003', `${type} out of range`);
  return checkInt(roundHalfEven(value), type);
}

/** float8 to integer rounds halves to even, unlike numeric. */
export function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return (Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded) + 0;
}

function floatToInt8(value: number): bigint {
  if (!Number.isFinite(value)) throw new DatabaseError('22003', 'bigint out of range');
  return checkInt8(BigInt(roundHalfEven(value)));
}

function numericToInt(value: Numeric, type: 'smallint' | 'integer' | 'bigint'): bigint {
  const whole = toBigint(value);
  if (whole === undefined)
    throw new DatabaseError(
      '0A000',
      `cannot convert ${value.special === 'NaN' ? 'NaN' : 'infinity'} to ${type}`,
    );
  return whole;
}

function numericToFloat(value: Numeric): number {
  const result = value.toNumber();
  if (!Number.isFinite(result) && value.special === undefined)
    throw new DatabaseError('22003', `"${value}" is out of range for type double precision`);
  return result;
}

function toSingle(value: number): number {
  const single = Math.fround(value);
  if (!Number.isFinite(single) && Number.isFinite(value))
    throw new DatabaseError('22003', 'value out of range: overflow');
  return single;
}

function checkOid(value: bigint): number {
  if (value < 0n || value > 0xffffffffn) throw new DatabaseError('22003', 'OID out of range');
  return Number(value);
}

const NUMBERS: readonly Row[] = [
  [int2, int4, 'implicit'],
  [int2, int8, 'implicit', (v: number) => BigInt(v)],
  [int2, float4, 'implicit'],
  [int2, float8, 'implicit'],
  [int2, numeric, 'implicit', (v: number) => fromBigint(BigInt(v))],
  [int4, int2, 'assignment', (v: number) => checkInt(v, 'smallint')],
  [int4, int8, 'implicit', (v: number) => BigInt(v)],
  [int4, float4, 'implicit', (v: number) => Math.fround(v)],
  [int4, float8, 'implicit'],
  [int4, numeric, 'implicit', (v: number) => fromBigint(BigInt(v))],
  [int4, bool, 'explicit', (v: number) => v !== 0],
  [int8, int2, 'assignment', (v: bigint) => checkInt(Number(v), 'smallint')],
  [int8, int4, 'assignment', (v: bigint) => checkInt(Number(v), 'integer')],
  [int8, float4, 'implicit', (v: bigint) => Math.fround(Number(v))],
  [int8, float8, 'implicit', (v: bigint) => Number(v)],
  [int8, numeric, 'implicit', (v: bigint) => fromBigint(v)],
  [float4, int2, 'assignment', (v: number) => fractionless(v, 'smallint')],
  [float4, int4, 'assignment', (v: number) => fractionless(v, 'integer')],
  [float4, int8, 'assignment', floatToInt8],
  [float4, float8, 'implicit'],
  [float4, numeric, 'assignment', (v: number) => fromNumber(Number(v.toPrecision(6)))],
  [float8, int2, 'assignment', (v: number) => fractionless(v, 'smallint')],
  [float8, int4, 'assignment', (v: number) => fractionless(v, 'integer')],
  [float8, int8, 'assignment', floatToInt8],
  [float8, float4, 'assignment', toSingle],
  [float8, numeric, 'assignment', fromNumber],
  [numeric, int2, 'assignment', (v: Numeric) => checkInt(Number(numericToInt(v, 'smallint')), 'smallint')],
  [numeric, int4, 'assignment', (v: Numeric) => checkInt(Number(numericToInt(v, 'integer')), 'integer')],
  [numeric, int8, 'assignment', (v: Numeric) => checkInt8(numericToInt(v, 'bigint'))],
  [numeric, float4, 'implicit', (v: Numeric) => toSingle(numericToFloat(v))],
  [numeric, float8, 'implicit', numericToFloat],
  [bool, int4, 'explicit', (v: boolean) => Number(v)],
];

const OIDS: readonly Row[] = [
  [int2, oid, 'implicit'],
  [int4, oid, 'implicit', (v: number) => v >>> 0],
  [int8, oid, 'implicit', checkOid],
  [oid, int4, 'assignment', (v: number) => v | 0],
  [oid, int8, 'assignment', (v: number) => BigInt(v)],
  ...[regclass, regtype, regproc, regrole, regnamespace].flatMap((type): Row[] => [
    [oid, type, 'implicit'],
    [type, oid, 'implicit'],
    [type, int4, 'assignment', (v: number) => v | 0],
    [type, int8, 'assignment', (v: number) => BigInt(v)],
    [int2, type, 'implicit'],
    [int4, type, 'implicit', (v: number) => v >>> 0],
    [int8, type, 'implicit', checkOid],
  ]),
  [text, regclass, 'implicit', (v: string, run: Run) => typeOf(regclass).parse(v, run.conversion)],
  [varchar, regclass, 'implicit', (v: string, run: Run) => typeOf(regclass).parse(v, run.conversion)],
];

const TEXTS: readonly Row[] = [
  [text, varchar, 'implicit'],
  [text, bpchar, 'implicit'],
  [varchar, text, 'implicit'],
  [varchar, bpchar, 'implicit'],
  [bpchar, text, 'implicit', trimBlanks],
  [bpchar, varchar, 'implicit', trimBlanks],
  [name, text, 'implicit'],
  [name, varchar, 'assignment'],
  [name, bpchar, 'assignment'],
  [text, name, 'implicit'],
  [varchar, name, 'implicit'],
  [bpchar, name, 'implicit', trimBlanks],
  [char, text, 'implicit'],
  [text, char, 'assignment', (v: string) => v.slice(0, 1)],
  [char, int4, 'explicit', (v: string) => v.charCodeAt(0) || 0],
  [json, jsonb, 'assignment', toJsonb],
  [jsonb, json, 'assignment'],
  [bytea, text, 'explicit', (v: Buffer) => `\\x${v.toString('hex')}`],
];

const TIMES: readonly Row[] = [
  [date, timestamp, 'implicit', dateToTimestamp],
  [
    date,
    timestamptz,
    'implicit',
    (v: number, run: Run) => localToUtc(dateToTimestamp(v), run.conversion.zone),
  ],
  [timestamp, timestamptz, 'implicit', (v: bigint, run: Run) => localToUtc(v, run.conversion.zone)],
  [timestamp, date, 'assignment', timestampToDate],
  [timestamp, time, 'assignment', timestampToTime],
  [timestamptz, timestamp, 'assignment', (v: bigint, run: Run) => utcToLocal(v, run.conversion.zone)],
  [
    timestamptz,
    date,
    'assignment',
    (v: bigint, run: Run) => timestampToDate(utcToLocal(v, run.conversion.zone)),
  ],
  [
    timestamptz,
    time,
    'assignment',
    (v: bigint, run: Run) => timestampToTime(utcToLocal(v, run.conversion.zone)),
  ],
  [time, interval, 'implicit', (v: number) => ({ months: 0, days: 0, micros: BigInt(v) })],
];

const VECTORS: readonly Row[] = [
  [int2vector, 1005, 'implicit'],
  [oidvector, 1028, 'implicit'],
];

function buildCasts(): Map<string, CastDefinition> {
  const casts = new Map<string, CastDefinition>();
  for (const [from, to, context, convert] of [...NUMBERS, ...OIDS, ...TEXTS, ...TIMES, ...VECTORS])
    casts.set(`${from}:${to}`, { from, to, context, convert: convert as Callable | undefined });
  return casts;
}

const CASTS = buildCasts();

export const CAST_LIST: readonly CastDefinition[] = [...CASTS.values()];

const TEXT_TYPES: ReadonlySet<number> = new Set([text, varchar, bpchar, name]);

/** The way from one type to another, or undefined when there is none in this context. */
export function findCast(from: number, to: number, context: CastContext): CastDefinition | undefined {
  if (from === to) return { from, to, context: 'implicit', convert: undefined };
  const direct = CASTS.get(`${from}:${to}`);
  if (direct !== undefined) return RANK[direct.context] <= RANK[context] ? direct : undefined;
  return elementCast(from, to, context) ?? textCast(from, to, context);
}

/** Arrays convert item by item. */
function elementCast(from: number, to: number, context: CastContext): CastDefinition | undefined {
  const source = TYPES.get(from)?.elementOid ?? 0;
  const target = TYPES.get(to)?.elementOid ?? 0;
  if (source === 0 || target === 0) return undefined;
  const cast = findCast(source, target, context);
  if (cast === undefined) return undefined;
  const { convert } = cast;
  const items: Callable = (value, run) =>
    (value as readonly Value[]).map((item) =>
      item === null || convert === undefined ? item : convert(item, run!),
    );
  return { from, to, context: cast.context, convert: items };
}

function textCast(from: number, to: number, context: CastContext): CastDefinition | undefined {
  const source = TYPES.get(from);
  const target = TYPES.get(to);
  if (source === undefined || target === undefined || source.category === 'P' || target.category === 'P')
    return undefined;
  if (TEXT_TYPES.has(to) && RANK[context] >= RANK.assignment) {
    const convert: Callable = (value, run) => print(value as NonNullable<Value>, from, run as Run);
    return { from, to, context: 'assignment', convert };
  }
  if ((TEXT_TYPES.has(from) || from === OID.unknown || from === char) && context === 'explicit') {
    const convert: Callable = (value, run) => target.parse(value as string, (run as Run).conversion);
    return { from, to, context: 'explicit', convert };
  }
  return undefined;
}

/** A boolean is `true` as text, but `t` on the wire. */
function print(value: NonNullable<Value>, from: number, run: Run): string {
  return from === bool ? String(value) : typeOf(from).print(value, run.conversion);
}

export function canCast(from: number, to: number, context: CastContext): boolean {
  return findCast(from, to, context) !== undefined;
}
