/**
 * LOC: a place on earth. RFC 1876.
 *
 *   42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10.00m 10.00m
 *   latitude       longitude     altitude size  precision, horizontal and vertical
 *
 *   ┌ version 0 ┬ size 1 ┬ horizontal 1 ┬ vertical 1 ┬ latitude 4 ┬ longitude 4 ┬ altitude 4 ┐
 *
 * Angles are thousandths of a second of arc above 2^31, the altitude centimetres above 100 km below the ground.
 * Sizes are centimetres as a digit and a power of ten, four bits each.
 */
import { DnsError } from '../../errors.ts';
import type { Field } from './field.ts';
import { isDecimal, type RdataText } from './text.ts';

export interface Location {
  readonly sizeCm: number;
  readonly horizontalCm: number;
  readonly verticalCm: number;
  /** North is positive. */
  readonly latitudeMs: number;
  /** East is positive. */
  readonly longitudeMs: number;
  readonly altitudeCm: number;
}

const EQUATOR = 2 ** 31;
const GROUND_CM = 10_000_000;
const MAX_ALTITUDE_CM = 0xffff_ffff - GROUND_CM;
const MAX_SIZE_CM = 9e9;
const MS_PER_DEGREE = 3_600_000;
const MS_PER_MINUTE = 60_000;
const DEFAULTS = { sizeCm: 100, horizontalCm: 1_000_000, verticalCm: 1_000 };

export const location: Field<Location> = {
  read(reader) {
    if (reader.u8() !== 0) reader.fail('an unknown version of LOC');
    return {
      sizeCm: sizeFrom(reader.u8()),
      horizontalCm: sizeFrom(reader.u8()),
      verticalCm: sizeFrom(reader.u8()),
      latitudeMs: reader.u32() - EQUATOR,
      longitudeMs: reader.u32() - EQUATOR,
      altitudeCm: reader.u32() - GROUND_CM,
    };
  },
  write(value, writer) {
    writer.u8(0);
    for (const size of [value.sizeCm, value.horizontalCm, value.verticalCm]) writer.u8(sizeOctet(size));
    writer.u32(value.latitudeMs + EQUATOR);
    writer.u32(value.longitudeMs + EQUATOR);
    writer.u32(value.altitudeCm + GROUND_CM);
  },
  format(value) {
    const lengths = [value.altitudeCm, value.sizeCm, value.horizontalCm, value.verticalCm];
    const metres = lengths.map((cm) => `${(cm / 100).toFixed(2)}m`).join(' ');
    return `${angleText(value.latitudeMs, 'N', 'S')} ${angleText(value.longitudeMs, 'E', 'W')} ${metres}`;
  },
  parse(text) {
    const latitudeMs = angle(text, 'latitude', 90, 'N', 'S');
    const longitudeMs = angle(text, 'longitude', 180, 'E', 'W');
    const altitudeCm = metres(text, 'altitude', -GROUND_CM, MAX_ALTITUDE_CM);
    const size = (what: string, otherwise: number): number =>
      text.done ? otherwise : metres(text, what, 0, MAX_SIZE_CM);
    return {
      sizeCm: size('size', DEFAULTS.sizeCm),
      horizontalCm: size('horizontal precision', DEFAULTS.horizontalCm),
      verticalCm: size('vertical precision', DEFAULTS.verticalCm),
      latitudeMs,
      longitudeMs,
      altitudeCm,
    };
  },
};

/** `42 21 54.5 N`: minutes and seconds may be missing. */
function angle(
  text: RdataText,
  what: string,
  maxDegrees: number,
  positive: string,
  negative: string,
): number {
  const parts: string[] = [];
  let word = text.plain(what);
  while (parts.length < 3 && word !== positive && word !== negative) {
    parts.push(word);
    word = text.plain(what);
  }
  if (parts.length === 0 || (word !== positive && word !== negative)) {
    throw new DnsError(
      'bad-text',
      `${what} must be degrees, minutes and seconds, and ${positive} or ${negative}`,
    );
  }
  const [degrees = '0', minutes = '0', seconds = '0'] = parts;
  const ms =
    fixed(degrees, 0, 0, maxDegrees, `degrees of ${what}`) * MS_PER_DEGREE +
    fixed(minutes, 0, 0, 59, `minutes of ${what}`) * MS_PER_MINUTE +
    fixed(seconds, 3, 0, 59_999, `seconds of ${what}`);
  return word === positive ? ms : -ms;
}

function metres(text: RdataText, what: string, minCm: number, maxCm: number): number {
  const word = text.plain(what);
  return fixed(word.endsWith('m') ? word.slice(0, -1) : word, 2, minCm, maxCm, what);
}

/** A number with up to `digits` decimals, as a whole number of its last decimal. */
function fixed(text: string, digits: number, min: number, max: number, what: string): number {
  const negative = text.startsWith('-');
  const [whole = '', fraction, ...more] = (negative ? text.slice(1) : text).split('.');
  const wellFormed = isDecimal(whole) && more.length === 0 && (fraction === undefined || isDecimal(fraction));
  if (!wellFormed || (fraction?.length ?? 0) > digits)
    throw new DnsError('bad-text', `${what} is not a number: ${text}`);
  const size = Number(whole) * 10 ** digits + Number((fraction ?? '').padEnd(digits, '0'));
  const value = negative ? -size : size;
  if (value < min || value > max) throw new DnsError('bad-text', `${what} is out of range: ${text}`);
  return value;
}

function sizeOctet(cm: number): number {
  let digit = cm;
  let power = 0;
  for (; digit >= 10; power += 1) digit = Math.floor(digit / 10);
  return (digit << 4) | power;
}

function sizeFrom(octet: number): number {
  return (octet >> 4) * 10 ** (octet & 15);
}

function angleText(ms: number, positive: string, negative: string): string {
  const size = Math.abs(ms);
  const degrees = Math.floor(size / MS_PER_DEGREE);
  const minutes = Math.floor((size % MS_PER_DEGREE) / MS_PER_MINUTE);
  const seconds = ((size % MS_PER_MINUTE) / 1000).toFixed(3);
  return `${degrees} ${minutes} ${seconds} ${ms < 0 ? negative : positive}`;
}
