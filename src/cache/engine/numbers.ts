/**
 * Numbers in arguments and values. Integers are 64 bits, signed, in strict text: no plus sign, no blanks, no
 * leading zeros, no `-0`. Within 2^53 they are JS numbers, beyond they are BigInts: nothing is rounded.
 */
import { failure, notAFloat, notAnInteger } from '../errors.ts';

export const MAX_INT64 = 9_223_372_036_854_775_807n;
export const MIN_INT64 = -9_223_372_036_854_775_808n;

/** Digits that always fit 2^53. */
const SAFE_DIGITS = 15;

/** The integer that `text` spells, or undefined. A BigInt only where a number would not be exact. */
export function parseInteger(text: string): number | bigint | undefined {
  const length = text.length;
  if (length === 0 || length > 20) return undefined;
  const negative = text.charCodeAt(0) === 45;
  const first = negative ? 1 : 0;
  if (first === length) return undefined;
  if (text.charCodeAt(first) === 48) return length === 1 ? 0 : undefined;
  let value = 0;
  for (let i = first; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (length - first <= SAFE_DIGITS) return negative ? -value : value;
  const exact = BigInt(text);
  if (exact > MAX_INT64 || exact < MIN_INT64) return undefined;
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}

/** @throws ERR value is not an integer or out of range */
export function integer(text: string): number | bigint {
  const value = parseInteger(text);
  if (value === undefined) throw notAnInteger();
  return value;
}

/**
 * An integer used as an index, a count or a length. Those beyond 2^53 cannot mean anything but "beyond all",
 * and are brought to that bound.
 * @throws ERR value is not an integer or out of range
 */
export function count(text: string): number {
  const value = integer(text);
  if (typeof value === 'number') return value;
  return value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
}

/** @throws ERR value is out of range, must be positive */
export function notNegative(text: string, message = 'value is out of range, must be positive'): number {
  const value = parseInteger(text);
  if (typeof value !== 'number' || value < 0) throw failure(message);
  return value;
}

/** `a + b` in 64 bits. @throws ERR increment or decrement would overflow */
export function addIntegers(a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b;
    if (Number.isSafeInteger(sum)) return sum;
  }
  const sum = BigInt(a) + BigInt(b);
  if (sum > MAX_INT64 || sum < MIN_INT64) throw failure('increment or decrement would overflow');
  return Number.isSafeInteger(Number(sum)) ? Number(sum) : sum;
}

/** True for text that an integer encoding can hold without change. */
export function isInteger(text: string): boolean {
  return text.length <= 20 && parseInteger(text) !== undefined;
}

/** The floating-point number that `text` spells (`3.0e3`, `inf`, `-Infinity`), or undefined; never NaN. */
export function parseFloatStrict(text: string): number | undefined {
  const folded = text.toLowerCase();
  if (folded === 'inf' || folded === '+inf' || folded === 'infinity' || folded === '+infinity')
    return Infinity;
  if (folded === '-inf' || folded === '-infinity') return -Infinity;
  if (!isDecimal(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** @throws ERR value is not a valid float, or `message` */
export function float(text: string, message?: string): number {
  const value = parseFloatStrict(text);
  if (value === undefined) throw message === undefined ? notAFloat() : failure(message);
  return value;
}

/** Sign, digits with at most one point, and an exponent: all that is finite, without blanks or hex. */
function isDecimal(text: string): boolean {
  return text.length <= 400 && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text);
}

/** A decimal number `units` / 10^`scale`. */
interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

/**
 * `a + b` as INCRBYFLOAT prints it: decimal arithmetic with up to 17 places, so that 0.1 + 0.2 is 0.3, without
 * an exponent and without trailing zeros. (The field computes in 80-bit floats and rounds to the same places.)
 * @throws ERR value is not a valid float; ERR increment would produce NaN or Infinity
 */
export function addFloats(a: string, b: string): string {
  const left = float(a);
  const right = float(b);
  if (!Number.isFinite(left + right)) throw failure('increment would produce NaN or Infinity');
  const x = toDecimal(a);
  const y = toDecimal(b);
  const scale = Math.max(x.scale, y.scale);
  const sum = x.units * 10n ** BigInt(scale - x.scale) + y.units * 10n ** BigInt(scale - y.scale);
  return formatDecimal(sum, scale);
}

const PLACES = 17;

function toDecimal(text: string): Decimal {
  const [mantissa, exponentText] = text.toLowerCase().split('e') as [string, string | undefined];
  const point = mantissa.indexOf('.');
  const fraction = point < 0 ? '' : mantissa.slice(point + 1);
  const whole = point < 0 ? mantissa : mantissa.slice(0, point);
  const signed = `${whole === '' || whole === '+' || whole === '-' ? `${whole}0` : whole}${fraction}`;
  const units = BigInt(signed.startsWith('+') ? signed.slice(1) : signed);
  const scale = fraction.length - Number(exponentText ?? '0');
  return scale >= 0 ? { units, scale } : { units: units * 10n ** BigInt(-scale), scale: 0 };
}

function formatDecimal(units: bigint, scale: number): string {
  const rounded = scale > PLACES ? roundedQuotient(units, 10n ** BigInt(scale - PLACES)) : units;
  const places = Math.min(scale, PLACES);
  const negative = rounded < 0n;
  const digits = (negative ? -rounded : rounded).toString().padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  const fraction = digits.slice(digits.length - places).replace(/0+$/, '');
  if (whole === '0' && fraction === '') return '0';
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

function roundedQuotient(units: bigint, divisor: bigint): bigint {
  const half = divisor / 2n;
  return units < 0n ? (units - half) / divisor : (units + half) / divisor;
}
