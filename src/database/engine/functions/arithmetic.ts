/** Arithmetic with PostgreSQL's overflow and division errors. */
import { DatabaseError } from '../../errors.ts';
import {
  addInterval,
  checkTimestamp,
  dateToTimestamp,
  type Interval,
  intervalBetween,
  MICROS_PER_DAY,
} from '../types/datetime.ts';
import {
  addNumeric,
  divideNumeric,
  fromNumber,
  multiplyNumeric,
  Numeric,
  negateNumeric,
  parseNumeric,
  remainderNumeric,
  subtractNumeric,
} from '../types/numeric.ts';
import { OID } from '../types/oids.ts';
import { typeOf } from '../types/types.ts';
import type { Implementation, OperatorDefinition } from './implementation.ts';

const { int2, int4, int8, float4, float8, numeric, date, time, timestamp, timestamptz, interval } = OID;

export function checkInt(value: number, type: 'smallint' | 'integer'): number {
  const limit = type === 'smallint' ? 32_768 : 2_147_483_648;
  if (value >= limit || value < -limit) throw new DatabaseError('22003', `${type} out of range`);
  return value;
}

export function checkInt8(value: bigint): bigint {
  if (value >= 2n ** 63n || value < -(2n ** 63n)) throw new DatabaseError('22003', 'bigint out of range');
  return value;
}

export function divisionByZero(): DatabaseError {
  return new DatabaseError('22012', 'division by zero');
}

/** A result that became infinite or lost all digits is an error unless an operand was infinite or zero. */
function checkFloat(result: number, a: number, b: number): number {
  if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b) && !Number.isNaN(result))
    throw new DatabaseError('22003', 'value out of range: overflow');
  return result;
}

function underflow(result: number, zeroAllowed: boolean): number {
  if (result === 0 && !zeroAllowed) throw new DatabaseError('22003', 'value out of range: underflow');
  return result;
}

function define(
  name: string,
  left: number,
  right: number,
  result: number,
  implementation: Implementation,
): OperatorDefinition {
  return { name, left, right, result, implementation, volatility: 'immutable' };
}

function integerOperators(): OperatorDefinition[] {
  const made: OperatorDefinition[] = [];
  for (const left of [int2, int4, int8])
    for (const right of [int2, int4, int8]) {
      const result = left === int8 || right === int8 ? int8 : left === int4 || right === int4 ? int4 : int2;
      made.push(...(result === int8 ? bigintOperators(left, right) : smallOperators(left, right, result)));
    }
  return made;
}

function smallOperators(left: number, right: number, result: number): OperatorDefinition[] {
  const type = result === int2 ? 'smallint' : 'integer';
  const op = (name: string, f: (a: number, b: number) => number): OperatorDefinition =>
    define(name, left, right, result, (a: number, b: number) => checkInt(f(a, b), type));
  return [
    op('+', (a, b) => a + b),
    op('-', (a, b) => a - b),
    // Past 2^53 the product is inexact, but then it is out of range anyway.
    op('*', (a, b) => a * b + 0),
    op('/', (a, b) => Math.trunc(a / nonZero(b)) + 0),
    op('%', (a, b) => (a % nonZero(b)) + 0),
    ...(left === right ? bitOperators(left) : []),
  ];
}

function bitOperators(type: number): OperatorDefinition[] {
  const width = type === int2 ? (n: number) => (n << 16) >> 16 : (n: number) => n | 0;
  return [
    define('&', type, type, type, (a: number, b: number) => a & b),
    define('|', type, type, type, (a: number, b: number) => a | b),
    define('#', type, type, type, (a: number, b: number) => a ^ b),
    define('~', 0, type, type, (a: number) => ~a),
    define('<<', type, int4, type, (a: number, b: number) => width(a << b)),
    define('>>', type, int4, type, (a: number, b: number) => a >> b),
  ];
}

function nonZero(value: number): number {
  if (value === 0) throw divisionByZero();
  return value;
}

function bigintOperators(left: number, right: number): OperatorDefinition[] {
  const op = (name: string, f: (a: bigint, b: bigint) => bigint): OperatorDefinition =>
    define(name, left, right, int8, (a: bigint | number, b: bigint | number) =>
      checkInt8(f(BigInt(a), BigInt(b))),
    );
  const divisor = (b: bigint): bigint => {
    if (b === 0n) throw divisionByZero();
    return b;
  };
  const made = [
    op('+', (a, b) => a + b),
    op('-', (a, b) => a - b),
    op('*', (a, b) => a * b),
    op('/', (a, b) => a / divisor(b)),
    op('%', (a, b) => a % divisor(b)),
  ];
  if (left !== int8 || right !== int8) return made;
  return [
    ...made,
    op('&', (a, b) => a & b),
    op('|', (a, b) => a | b),
    op('#', (a, b) => a ^ b),
    define('~', 0, int8, int8, (a: bigint) => ~a),
    define('<<', int8, int4, int8, (a: bigint, b: number) => BigInt.asIntN(64, a << BigInt(b & 63))),
    define('>>', int8, int4, int8, (a: bigint, b: number) => a >> BigInt(b & 63)),
  ];
}

function floatOperators(): OperatorDefinition[] {
  const made: OperatorDefinition[] = [];
  for (const left of [float4, float8])
    for (const right of [float4, float8]) {
      const result = left === float4 && right === float4 ? float4 : float8;
      const fit = result === float4 ? Math.fround : (n: number): number => n;
      const op = (name: string, f: (a: number, b: number) => number): OperatorDefinition =>
        define(name, left, right, result, (a: number, b: number) => checkFloat(fit(f(a, b)), a, b));
      made.push(
        op('+', (a, b) => a + b),
        op('-', (a, b) => a - b),
        op('*', (a, b) => underflow(a * b, a === 0 || b === 0)),
        op('/', (a, b) =>
          underflow(a / (Number.isNaN(a) ? b || 1 : nonZero(b)), a === 0 || !Number.isFinite(b)),
        ),
      );
    }
  made.push(define('^', float8, float8, float8, power));
  return made;
}

export function power(a: number, b: number): number {
  if (a === 0 && b < 0) throw new DatabaseError('2201F', 'zero raised to a negative power is undefined');
  if (a < 0 && Number.isFinite(b) && !Number.isInteger(b))
    throw new DatabaseError(
      '2201F',
      'a negative number raised to a non-integer power yields a complex result',
    );
  if (a === 1 || b === 0) return 1;
  return checkFloat(a ** b, a, b);
}

/** Whole exponents are exact; others go through float8, to its 15 digits. */
export function powerNumeric(a: Numeric, b: Numeric): Numeric {
  const exponent = b.toNumber();
  if (a.special === undefined && Number.isInteger(exponent) && exponent >= 0 && exponent <= 10_000) {
    const exact = new Numeric(a.coefficient ** BigInt(exponent), a.scale * exponent);
    const shown = parseNumeric(exact.toString())!;
    return shown.scale >= 16 ? shown : new Numeric(shown.coefficient * 10n ** BigInt(16 - shown.scale), 16);
  }
  return fromNumber(power(a.toNumber(), exponent));
}

function numericOperators(): OperatorDefinition[] {
  const op = (name: string, f: (a: Numeric, b: Numeric) => Numeric): OperatorDefinition =>
    define(name, numeric, numeric, numeric, f);
  return [
    op('+', addNumeric),
    op('-', subtractNumeric),
    op('*', multiplyNumeric),
    op('/', divideNumeric),
    op('%', remainderNumeric),
    op('^', powerNumeric),
  ];
}

function signOperators(): OperatorDefinition[] {
  return [
    define('-', 0, int2, int2, (a: number) => checkInt(-a + 0, 'smallint')),
    define('-', 0, int4, int4, (a: number) => checkInt(-a + 0, 'integer')),
    define('-', 0, int8, int8, (a: bigint) => checkInt8(-a)),
    define('-', 0, float4, float4, (a: number) => -a),
    define('-', 0, float8, float8, (a: number) => -a),
    define('-', 0, numeric, numeric, negateNumeric),
    define('-', 0, interval, interval, (a: Interval) => scaleInterval(a, -1)),
    ...[int2, int4, int8, float4, float8, numeric].map((type) =>
      define('+', 0, type, type, (a: number) => a),
    ),
    define('@', 0, int4, int4, (a: number) => checkInt(Math.abs(a), 'integer')),
    define('@', 0, int8, int8, (a: bigint) => checkInt8(a < 0n ? -a : a)),
    define('@', 0, float8, float8, (a: number) => Math.abs(a)),
    define('@', 0, numeric, numeric, (a: Numeric) => (a.coefficient < 0n ? negateNumeric(a) : a)),
    define('|/', 0, float8, float8, (a: number) => {
      if (a < 0) throw new DatabaseError('2201F', 'cannot take square root of a negative number');
      return Math.sqrt(a);
    }),
  ];
}

function sumInterval(a: Interval, b: Interval): Interval {
  return { months: a.months + b.months, days: a.days + b.days, micros: a.micros + b.micros };
}

/** Fractions of months go to days, fractions of days to time. */
export function scaleInterval(a: Interval, factor: number): Interval {
  const months = a.months * factor;
  const days = a.days * factor + (months - Math.trunc(months)) * 30;
  const micros = Number(a.micros) * factor + (days - Math.trunc(days)) * 86_400e6;
  return { months: Math.trunc(months) + 0, days: Math.trunc(days) + 0, micros: BigInt(Math.round(micros)) };
}

function timeOperators(): OperatorDefinition[] {
  const made: OperatorDefinition[] = [
    define('+', date, int4, date, (a: number, b: number) => a + b),
    define('+', int4, date, date, (a: number, b: number) => a + b),
    define('-', date, int4, date, (a: number, b: number) => a - b),
    define('-', date, date, int4, (a: number, b: number) => a - b),
    define('+', date, interval, timestamp, (a: number, b: Interval) => addInterval(dateToTimestamp(a), b)),
    define('-', date, interval, timestamp, (a: number, b: Interval) =>
      addInterval(dateToTimestamp(a), b, -1),
    ),
    define('+', date, time, timestamp, (a: number, b: number) =>
      checkTimestamp(dateToTimestamp(a) + BigInt(b)),
    ),
    define('+', interval, interval, interval, sumInterval),
    define('-', interval, interval, interval, (a: Interval, b: Interval) =>
      sumInterval(a, scaleInterval(b, -1)),
    ),
    define('*', interval, float8, interval, scaleInterval),
    define('*', float8, interval, interval, (a: number, b: Interval) => scaleInterval(b, a)),
    define('/', interval, float8, interval, (a: Interval, b: number) => scaleInterval(a, 1 / nonZero(b))),
    define('-', time, time, interval, (a: number, b: number) => ({
      months: 0,
      days: 0,
      micros: BigInt(a - b),
    })),
    define('+', time, interval, time, (a: number, b: Interval) => wrapDay(BigInt(a) + b.micros)),
    define('-', time, interval, time, (a: number, b: Interval) => wrapDay(BigInt(a) - b.micros)),
  ];
  for (const type of [timestamp, timestamptz])
    made.push(
      define('+', type, interval, type, (a: bigint, b: Interval) => addInterval(a, b)),
      define('-', type, interval, type, (a: bigint, b: Interval) => addInterval(a, b, -1)),
      define('+', interval, type, type, (a: Interval, b: bigint) => addInterval(b, a)),
      define('-', type, type, interval, intervalBetween),
    );
  return made;
}

function wrapDay(micros: bigint): number {
  return Number(((micros % MICROS_PER_DAY) + MICROS_PER_DAY) % MICROS_PER_DAY);
}

/** = <> < <= > >= of every type that has an order, and across the integers and floats. */
function comparisonOperators(): OperatorDefinition[] {
  const pairs: [number, number][] = COMPARABLE.map((type) => [type, type]);
  for (const group of [
    [int2, int4, int8],
    [float4, float8],
  ])
    for (const left of group) for (const right of group) if (left !== right) pairs.push([left, right]);
  return pairs.flatMap(([left, right]) => comparisons(left, right));
}

const COMPARABLE = [
  OID.bool,
  OID.bytea,
  OID.char,
  OID.name,
  int2,
  int4,
  int8,
  OID.text,
  OID.oid,
  OID.xid,
  float4,
  float8,
  OID.bpchar,
  date,
  time,
  timestamp,
  timestamptz,
  interval,
  numeric,
  OID.uuid,
  OID.jsonb,
  OID.anyarray,
];

function comparisons(left: number, right: number): OperatorDefinition[] {
  const mixed = (a: number | bigint, b: number | bigint): number => (a < b ? -1 : a > b ? 1 : 0);
  const compare =
    (left === right ? typeOf(left).compare : undefined) ?? (mixed as (a: never, b: never) => number);
  const op = (name: string, test: (order: number) => boolean): OperatorDefinition =>
    define(name, left, right, OID.bool, (a: never, b: never) => test(compare(a, b)));
  return [
    op('=', (order) => order === 0),
    op('<>', (order) => order !== 0),
    op('<', (order) => order < 0),
    op('<=', (order) => order <= 0),
    op('>', (order) => order > 0),
    op('>=', (order) => order >= 0),
  ];
}

export function arithmeticOperators(): OperatorDefinition[] {
  return [
    ...integerOperators(),
    ...floatOperators(),
    ...numericOperators(),
    ...signOperators(),
    ...timeOperators(),
    ...comparisonOperators(),
  ];
}
