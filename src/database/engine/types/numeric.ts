/**
 * numeric: exact decimals, as a coefficient and a number of digits after the point (the display scale).
 *
 *   123.450  =  coefficient 123450n, scale 3
 *
 * PostgreSQL's rules for the scale of results are kept: + and - take the greater scale, * the sum, / enough
 * digits for 16 significant ones (`select_div_scale` of its numeric.c). NaN and the infinities are values.
 */
import { DatabaseError } from '../../errors.ts';

export type NumericSpecial = 'NaN' | 'Infinity' | '-Infinity';

export class Numeric {
  readonly coefficient: bigint;
  readonly scale: number;
  readonly special: NumericSpecial | undefined;

  constructor(coefficient: bigint, scale: number, special?: NumericSpecial) {
    this.coefficient = coefficient;
    this.scale = scale;
    this.special = special;
  }

  toString(): string {
    if (this.special !== undefined) return this.special;
    if (this.scale === 0) return this.coefficient.toString();
    const negative = this.coefficient < 0n;
    const digits = (negative ? -this.coefficient : this.coefficient).toString().padStart(this.scale + 1, '0');
    const point = digits.length - this.scale;
    return `${negative ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`;
  }

  toNumber(): number {
    return Number(this.toString());
  }
}

export const NUMERIC_ZERO = new Numeric(0n, 0);
const NOT_A_NUMBER = new Numeric(0n, 0, 'NaN');
/** Digits before the point that PostgreSQL stores at most. */
const MAX_INTEGER_DIGITS = 131_072;
const MAX_SCALE = 16_383;
const MAX_DIVISION_SCALE = 1_000;
const MIN_SIGNIFICANT_DIGITS = 16;

export function special(name: NumericSpecial): Numeric {
  return new Numeric(0n, 0, name);
}

/** @returns undefined when `text` is not a number */
export function parseNumeric(text: string): Numeric | undefined {
  const trimmed = text.trim();
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,6}))?$/.exec(trimmed);
  if (match === null || (match[2] === '' && (match[3] ?? '') === '')) return parseSpecial(trimmed);
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const shift = Number(exponent);
  const digits = BigInt(`${whole}${fraction}` || '0');
  const scale = fraction.length - shift;
  if (scale > MAX_SCALE || whole.length + shift > MAX_INTEGER_DIGITS) throw overflow();
  const coefficient = scale < 0 ? digits * powerOfTen(-scale) : digits;
  return new Numeric(sign === '-' ? -coefficient : coefficient, Math.max(scale, 0));
}

function parseSpecial(text: string): Numeric | undefined {
  const lower = text.toLowerCase();
  if (lower === 'nan') return NOT_A_NUMBER;
  if (['infinity', '+infinity', 'inf', '+inf'].includes(lower)) return special('Infinity');
  if (['-infinity', '-inf'].includes(lower)) return special('-Infinity');
  return undefined;
}

export function fromNumber(value: number): Numeric {
  if (Number.isNaN(value)) return NOT_A_NUMBER;
  if (!Number.isFinite(value)) return special(value > 0 ? 'Infinity' : '-Infinity');
  // 15 significant digits, as PostgreSQL converts a float8.
  return parseNumeric(String(Number(value.toPrecision(15))))!;
}

export function fromBigint(value: bigint): Numeric {
  return new Numeric(value, 0);
}

export function powerOfTen(exponent: number): bigint {
  return 10n ** BigInt(exponent);
}

function rescaled(value: Numeric, scale: number): bigint {
  return value.coefficient * powerOfTen(scale - value.scale);
}

/** NaN is equal to itself and greater than everything. @returns -1, 0 or 1 */
export function compareNumeric(a: Numeric, b: Numeric): number {
  if (a.special !== undefined || b.special !== undefined) return rank(a) - rank(b);
  const scale = Math.max(a.scale, b.scale);
  const left = rescaled(a, scale);
  const right = rescaled(b, scale);
  return left < right ? -1 : left > right ? 1 : 0;
}

function rank(value: Numeric): number {
  return { none: 0, NaN: 2, Infinity: 1, '-Infinity': -1 }[value.special ?? 'none'];
}

/** Specials as floating point has them: the same table. */
function bySpecials(a: Numeric, b: Numeric, compute: (a: number, b: number) => number): Numeric {
  const result = compute(asFloat(a), asFloat(b));
  if (Number.isNaN(result)) return NOT_A_NUMBER;
  return Number.isFinite(result) ? NUMERIC_ZERO : special(result > 0 ? 'Infinity' : '-Infinity');
}

function asFloat(value: Numeric): number {
  if (value.special !== undefined) return Number(value.special);
  return value.coefficient > 0n ? 1 : value.coefficient < 0n ? -1 : 0;
}

function isSpecial(a: Numeric, b: Numeric): boolean {
  return a.special !== undefined || b.special !== undefined;
}

export function addNumeric(a: Numeric, b: Numeric): Numeric {
  if (isSpecial(a, b)) return bySpecials(a, b, (x, y) => x + y);
  const scale = Math.max(a.scale, b.scale);
  return new Numeric(rescaled(a, scale) + rescaled(b, scale), scale);
}

export function negateNumeric(a: Numeric): Numeric {
  if (a.special === undefined) return new Numeric(-a.coefficient, a.scale);
  return a.special === 'NaN' ? a : special(a.special === 'Infinity' ? '-Infinity' : 'Infinity');
}

export function subtractNumeric(a: Numeric, b: Numeric): Numeric {
  return addNumeric(a, negateNumeric(b));
}

export function multiplyNumeric(a: Numeric, b: Numeric): Numeric {
  if (isSpecial(a, b)) return bySpecials(a, b, (x, y) => x * y);
  return roundNumeric(
    new Numeric(a.coefficient * b.coefficient, a.scale + b.scale),
    Math.min(a.scale + b.scale, MAX_SCALE),
  );
}

export function divideNumeric(a: Numeric, b: Numeric): Numeric {
  if (isSpecial(a, b)) {
    if (b.special === undefined && b.coefficient === 0n && a.special !== 'NaN') throw divisionByZero();
    return bySpecials(a, b, (x, y) => x / y);
  }
  if (b.coefficient === 0n) throw divisionByZero();
  const scale = divisionScale(a, b);
  const shift = scale + b.scale - a.scale;
  const numerator = shift >= 0 ? a.coefficient * powerOfTen(shift) : a.coefficient;
  const denominator = shift >= 0 ? b.coefficient : b.coefficient * powerOfTen(-shift);
  return new Numeric(divideRounded(numerator, denominator), scale);
}

function divisionScale(a: Numeric, b: Numeric): number {
  const [weightA, firstA] = firstDigit(a);
  const [weightB, firstB] = firstDigit(b);
  const quotientWeight = weightA - weightB - (firstA <= firstB ? 1 : 0);
  const wanted = MIN_SIGNIFICANT_DIGITS - quotientWeight * 4;
  return Math.min(Math.max(wanted, a.scale, b.scale, 0), MAX_DIVISION_SCALE);
}

/** Weight and value of the first non-zero digit in base 10,000, which is how PostgreSQL stores them. */
function firstDigit(value: Numeric): [weight: number, digit: number] {
  const digits = (value.coefficient < 0n ? -value.coefficient : value.coefficient).toString();
  if (digits === '0') return [0, 0];
  const exponent = digits.length - 1 - value.scale;
  const weight = Math.floor(exponent / 4);
  const length = exponent - weight * 4 + 1;
  return [weight, Number(digits.slice(0, length).padEnd(length, '0'))];
}

/** Half away from zero. */
function divideRounded(numerator: bigint, denominator: bigint): bigint {
  const negative = numerator < 0n !== denominator < 0n;
  const n = numerator < 0n ? -numerator : numerator;
  const d = denominator < 0n ? -denominator : denominator;
  const rounded = (2n * n + d) / (2n * d);
  return negative ? -rounded : rounded;
}

/** The sign is the dividend's. */
export function remainderNumeric(a: Numeric, b: Numeric): Numeric {
  if (b.special === undefined && b.coefficient === 0n && a.special !== 'NaN') throw divisionByZero();
  if (isSpecial(a, b)) return b.special === 'NaN' || a.special !== undefined ? NOT_A_NUMBER : a;
  const scale = Math.max(a.scale, b.scale);
  return new Numeric(rescaled(a, scale) % rescaled(b, scale), scale);
}

/** Half away from zero; a negative scale rounds before the point. */
export function roundNumeric(value: Numeric, scale: number): Numeric {
  if (value.special !== undefined) return value;
  if (scale >= value.scale) return new Numeric(rescaled(value, scale), scale);
  const rounded = divideRounded(value.coefficient, powerOfTen(value.scale - scale));
  return scale >= 0 ? new Numeric(rounded, scale) : new Numeric(rounded * powerOfTen(-scale), 0);
}

export function truncateNumeric(value: Numeric, scale: number): Numeric {
  if (value.special !== undefined) return value;
  if (scale >= value.scale) return new Numeric(rescaled(value, scale), scale);
  const cut = value.coefficient / powerOfTen(value.scale - scale);
  return scale >= 0 ? new Numeric(cut, scale) : new Numeric(cut * powerOfTen(-scale), 0);
}

export function floorNumeric(value: Numeric): Numeric {
  const cut = truncateNumeric(value, 0);
  return compareNumeric(cut, value) > 0 ? new Numeric(cut.coefficient - 1n, 0) : cut;
}

/** Applies `numeric(precision, scale)`. @throws DatabaseError 22003 */
export function applyPrecision(value: Numeric, precision: number, scale: number): Numeric {
  if (value.special === 'NaN') return value;
  const rounded = value.special === undefined ? roundNumeric(value, scale) : value;
  const limit = powerOfTen(precision);
  if (value.special !== undefined || rounded.coefficient >= limit || rounded.coefficient <= -limit)
    throw new DatabaseError('22003', 'numeric field overflow', {
      detail: `A field with precision ${precision}, scale ${scale} must round to an absolute value less than ${precision - scale === 0 ? '1' : `10^${precision - scale}`}.`,
    });
  return rounded;
}

/** A key that is equal for equal values whatever their scale. */
export function numericKey(value: Numeric): string {
  const text = value.toString();
  return value.scale === 0 || value.special !== undefined ? text : text.replace(/\.?0+$/, '') || '0';
}

export function toBigint(value: Numeric): bigint | undefined {
  return value.special === undefined ? roundNumeric(value, 0).coefficient : undefined;
}

function overflow(): DatabaseError {
  return new DatabaseError('22003', 'value overflows numeric format');
}

function divisionByZero(): DatabaseError {
  return new DatabaseError('22012', 'division by zero');
}

/** To the value's own scale, rounded. */
export function sqrtNumeric(value: Numeric): Numeric {
  const scale = Math.max(value.scale, MIN_SIGNIFICANT_DIGITS);
  const target = value.coefficient * powerOfTen(2 * (scale + 1) - value.scale);
  if (target === 0n) return new Numeric(0n, scale);
  let root = 10n ** BigInt(Math.ceil(target.toString().length / 2));
  for (;;) {
    const next = (root + target / root) / 2n;
    if (next >= root) break;
    root = next;
  }
  return roundNumeric(new Numeric(root, scale + 1), scale);
}
