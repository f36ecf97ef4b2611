/**
 * What a parameter may hold: `:id<int>`. A function and no regular expression, so that its cost is what it says.
 */
import { hexDigit } from '../wire/grammar.ts';

/** Tells whether a decoded value fits. Must be fast and without effect: it runs while a path is being matched. */
export type Constraint = (value: string) => boolean;

const DASHES = [8, 13, 18, 23];

const MINUS = 0x2d;
const ZERO = 0x30;
/** Of the largest number that is exact. */
const INT_DIGITS = String(Number.MAX_SAFE_INTEGER).length;

/** Exact in a JavaScript number, and with one spelling each, so that one resource has one URL. */
function isInt(value: string): boolean {
  const from = value.charCodeAt(0) === MINUS ? 1 : 0;
  const digits = value.length - from;
  if (digits < 1 || digits > INT_DIGITS) return false;
  if (value.charCodeAt(from) === ZERO && value.length > 1) return false;
  for (let at = from; at < value.length; at++) {
    const digit = value.charCodeAt(at) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return false;
  }
  return digits < INT_DIGITS || Number.isSafeInteger(Number(value));
}

/** RFC 9562 section 4, any version, either case. */
function isUuid(value: string): boolean {
  if (value.length !== 36) return false;
  for (let at = 0; at < 36; at++) {
    const code = value.charCodeAt(at);
    if (DASHES.includes(at) ? code !== 0x2d : hexDigit(code) < 0) return false;
  }
  return true;
}

export const BUILT_IN_CONSTRAINTS: ReadonlyMap<string, Constraint> = new Map([
  ['int', isInt],
  ['uuid', isUuid],
]);
