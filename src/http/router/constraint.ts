/**
 * What a parameter may hold: `:id<int>`. A function and no regular expression, so that its cost is what it says.
 */
import { hexDigit } from '../wire/grammar.ts';

/** Tells whether a decoded value fits. Must be fast and without effect: it runs while a path is being matched. */
export type Constraint = (value: string) => boolean;

const DASHES = [8, 13, 18, 23];

/** Exact in a JavaScript number, and with one spelling each, so that one resource has one URL. */
function isInt(value: string): boolean {
  const from = value.startsWith('-') ? 1 : 0;
  const digits = value.length - from;
  if (digits < 1 || digits > 16) return false;
  if (value[from] === '0' && value !== '0') return false;
  for (let at = from; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code < 0x30 || code > 0x39) return false;
  }
  return Number.isSafeInteger(Number(value));
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
