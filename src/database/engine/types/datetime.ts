/**
 * Dates and times, without a clock or a host's time zone.
 *
 *   timestamp, timestamptz   bigint, microseconds since 2000-01-01 00:00 (UTC); the two ends are infinities
 *   date                     number, days since 2000-01-01; ±Infinity
 *   time                     number, microseconds since midnight
 *   interval                 months, days and microseconds, kept apart as SQL has them
 *
 * The calendar is the proleptic Gregorian one. Output is DateStyle ISO.
 */
import { DatabaseError } from '../../errors.ts';

export const MICROS_PER_DAY = 86_400_000_000n;
const POSIX_EPOCH_MICROS = 946_684_800_000_000n;
export const TIMESTAMP_INFINITY = 2n ** 63n - 1n;
export const TIMESTAMP_MINUS_INFINITY = -(2n ** 63n);
/** 4714-11-24 BC and 294277-01-01, the ends of PostgreSQL's range. */
const TIMESTAMP_MINIMUM = -211_813_488_000_000_000n;
const TIMESTAMP_END = 9_223_371_331_200_000_000n;

export interface Interval {
  readonly months: number;
  readonly days: number;
  readonly micros: bigint;
}

/** Offset of a zone east of UTC, in seconds, at a moment. */
export type ZoneOffset = (posixSeconds: number) => number;

export const UTC: ZoneOffset = () => 0;

/** Days since 2000-01-01 of a civil date. Howard Hinnant's `days_from_civil`, shifted. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468 - 10_957;
}

export function civilFromDays(days: number): { year: number; month: number; day: number } {
  const z = days + 10_957 + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

export function fromPosixMillis(millis: number): bigint {
  const whole = Math.floor(millis);
  return BigInt(whole) * 1000n + BigInt(Math.floor((millis - whole) * 1000)) - POSIX_EPOCH_MICROS;
}

export function toPosixSeconds(micros: bigint): number {
  return Number((micros + POSIX_EPOCH_MICROS) / 1_000_000n);
}

export function toPosixMicros(micros: bigint): bigint {
  return micros + POSIX_EPOCH_MICROS;
}

export function isFinite64(micros: bigint): boolean {
  return micros !== TIMESTAMP_INFINITY && micros !== TIMESTAMP_MINUS_INFINITY;
}

/** Local microseconds → UTC, by the zone's offset at that moment. */
export function localToUtc(local: bigint, zone: ZoneOffset): bigint {
  if (!isFinite64(local)) return local;
  const guess = BigInt(zone(toPosixSeconds(local)));
  const offset = BigInt(zone(toPosixSeconds(local - guess * 1_000_000n)));
  return local - offset * 1_000_000n;
}

export function utcToLocal(utc: bigint, zone: ZoneOffset): bigint {
  return isFinite64(utc) ? utc + BigInt(zone(toPosixSeconds(utc))) * 1_000_000n : utc;
}

const two = (n: number): string => String(n).padStart(2, '0');

export function formatDate(days: number): string {
  if (!Number.isFinite(days)) return days > 0 ? 'infinity' : '-infinity';
  const { year, month, day } = civilFromDays(days);
  const shown = year > 0 ? year : 1 - year;
  return `${String(shown).padStart(4, '0')}-${two(month)}-${two(day)}${year > 0 ? '' : ' BC'}`;
}

export function formatTime(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = micros - seconds * 1_000_000;
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return fraction === 0 ? clock : `${clock}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
}

function splitDay(micros: bigint): { days: number; time: number } {
  let days = micros / MICROS_PER_DAY;
  if (micros % MICROS_PER_DAY < 0n) days -= 1n;
  return { days: Number(days), time: Number(micros - days * MICROS_PER_DAY) };
}

/** `separator` is a space in SQL and T in JSON. */
export function formatTimestamp(micros: bigint, zoneSuffix = '', separator = ' '): string {
  if (micros === TIMESTAMP_INFINITY) return 'infinity';
  if (micros === TIMESTAMP_MINUS_INFINITY) return '-infinity';
  const { days, time } = splitDay(micros);
  const date = formatDate(days);
  const clock = `${separator}${formatTime(time)}${zoneSuffix}`;
  return date.endsWith(' BC') ? `${date.slice(0, -3)}${clock} BC` : date + clock;
}

export function formatTimestampTz(micros: bigint, zone: ZoneOffset, separator = ' '): string {
  if (!isFinite64(micros)) return formatTimestamp(micros);
  const offset = zone(toPosixSeconds(micros));
  return formatTimestamp(utcToLocal(micros, zone), formatOffset(offset, separator === 'T'), separator);
}

function formatOffset(seconds: number, long: boolean): string {
  const absolute = Math.abs(seconds);
  const minutes = Math.floor(absolute / 60) % 60;
  const rest = absolute % 60;
  const tail = rest !== 0 ? `:${two(minutes)}:${two(rest)}` : minutes !== 0 || long ? `:${two(minutes)}` : '';
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(absolute / 3600))}${tail}`;
}

interface Parsed {
  readonly days: number;
  readonly time: bigint;
  /** Seconds east of UTC, or the name of a zone. */
  readonly zone?: number | string;
  readonly special?: 'infinity' | '-infinity' | 'now';
  readonly hasTime: boolean;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** The forms that clients send: ISO 8601, `YYYY-MM-DD HH:MM:SS.ffffff+TZ`, `Mon D YYYY`, infinity, epoch. */
function parseDateTime(text: string, type: string, today: number): Parsed {
  const trimmed = text.trim().toLowerCase();
  const named = namedMoment(trimmed, today);
  if (named !== undefined) return named;
  const match =
    /^([+-]?\d{4,6})-(\d{1,2})-(\d{1,2})(.*)$/.exec(trimmed) ??
    monthNameFirst(trimmed) ??
    compactDate(trimmed);
  if (match === undefined || match === null) throw invalid(type, text);
  const bc = / bc$/.test(trimmed);
  const rest = match[4]!.replace(/ bc$/, '').trim();
  const year = bc ? 1 - Number(match[1]) : Number(match[1]);
  const days = checkedDate(year, Number(match[2]), Number(match[3]), text);
  if (rest === '') return { days, time: 0n, hasTime: false };
  return { days, ...parseClock(rest.replace(/^t/, ''), type, text), hasTime: true };
}

function namedMoment(text: string, today: number): Parsed | undefined {
  const at = (days: number): Parsed => ({ days, time: 0n, hasTime: false });
  switch (text) {
    case 'infinity':
    case '+infinity':
      return { ...at(0), special: 'infinity' };
    case '-infinity':
      return { ...at(0), special: '-infinity' };
    case 'now':
      return { ...at(0), special: 'now' };
    case 'epoch':
      return { ...at(-10_957), zone: 0 };
    case 'today':
      return at(today);
    case 'tomorrow':
      return at(today + 1);
    case 'yesterday':
      return at(today - 1);
    default:
      return undefined;
  }
}

/** `Jan 2, 2024 03:04` and `2 Jan 2024`. */
function monthNameFirst(text: string): string[] | undefined {
  const first = /^([a-z]{3,9})\.? (\d{1,2}),? (\d{4,6})(.*)$/.exec(text);
  const second = first ?? /^(\d{1,2})[ -]([a-z]{3,9})[ -](\d{4,6})(.*)$/.exec(text);
  if (second === null) return undefined;
  const [monthText, day] = first === null ? [second[2]!, second[1]!] : [second[1]!, second[2]!];
  const month = MONTHS.indexOf(monthText.slice(0, 3)) + 1;
  return month === 0 ? undefined : ['', second[3]!, String(month), day, second[4]!];
}

/** `20240102` and `20240102T030405`. */
function compactDate(text: string): string[] | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})((?:t| ).*)?$/.exec(text);
  return match === null ? undefined : ['', match[1]!, match[2]!, match[3]!, match[4] ?? ''];
}

function checkedDate(year: number, month: number, day: number, text: string): number {
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month))
    throw new DatabaseError('22008', `date/time field value out of range: "${text}"`);
  return daysFromCivil(year, month, day);
}

function parseClock(rest: string, type: string, text: string): { time: bigint; zone?: number | string } {
  const match = /^(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?\s*(am|pm)?\s*(.*)$/.exec(rest);
  if (match === null) throw invalid(type, text);
  const [, h, m, s = '0', fraction = '', meridiem, zone = ''] = match;
  let hour = Number(h);
  if (meridiem === 'pm' && hour < 12) hour += 12;
  if (meridiem === 'am' && hour === 12) hour = 0;
  if (hour > 24 || Number(m) > 59 || Number(s) > 60 || (hour === 24 && (Number(m) > 0 || Number(s) > 0)))
    throw new DatabaseError('22008', `date/time field value out of range: "${text}"`);
  const micros = fraction === '' ? 0 : Math.round(Number(`0.${fraction}`) * 1e6);
  const time = BigInt(hour * 3600 + Number(m) * 60 + Number(s)) * 1_000_000n + BigInt(micros);
  return zone === '' ? { time } : { time, zone: parseZone(zone, type, text) };
}

function parseZone(zone: string, type: string, text: string): number | string {
  if (zone === 'z' || zone === 'utc' || zone === 'gmt' || zone === 'zulu') return 0;
  const match = /^([+-])(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?$/.exec(zone);
  if (match === null) {
    if (/^[a-z_]+(\/[a-z_+-]+)*$/.test(zone)) return zone;
    throw invalid(type, text);
  }
  const seconds = Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0);
  if (seconds >= 16 * 3600)
    throw new DatabaseError('22009', `time zone displacement out of range: "${text}"`);
  return match[1] === '-' ? -seconds : seconds;
}

function invalid(type: string, text: string): DatabaseError {
  return new DatabaseError('22007', `invalid input syntax for type ${type}: "${text}"`);
}

/** What parsing a moment depends on besides its text. */
export interface TimeContext {
  readonly zone: ZoneOffset;
  readonly namedZone: (name: string) => ZoneOffset | undefined;
  /** The transaction's start, microseconds since 2000-01-01 UTC. */
  readonly now: bigint;
}

export function parseTimestampTz(text: string, context: TimeContext): bigint {
  const type = 'timestamp with time zone';
  const parsed = parseDateTime(text, type, todayIn(context));
  if (parsed.special !== undefined) return specialTimestamp(parsed.special, context.now);
  const local = BigInt(parsed.days) * MICROS_PER_DAY + parsed.time;
  return inRange(localToUtc(local, zoneOf(parsed.zone, context)), text);
}

function zoneOf(zone: number | string | undefined, context: TimeContext): ZoneOffset {
  if (zone === undefined) return context.zone;
  if (typeof zone === 'number') return () => zone;
  const found = context.namedZone(zone);
  if (found === undefined) throw new DatabaseError('22023', `time zone "${zone}" not recognized`);
  return found;
}

/** A zone in the text is ignored, as SQL wants it. */
export function parseTimestamp(text: string, context: TimeContext): bigint {
  const parsed = parseDateTime(text, 'timestamp', todayIn(context));
  if (parsed.special !== undefined)
    return specialTimestamp(parsed.special, utcToLocal(context.now, context.zone));
  return inRange(BigInt(parsed.days) * MICROS_PER_DAY + parsed.time, text);
}

export function parseDate(text: string, context: TimeContext): number {
  const parsed = parseDateTime(text, 'date', todayIn(context));
  if (parsed.special === 'now') return todayIn(context);
  if (parsed.special !== undefined) return parsed.special === 'infinity' ? Infinity : -Infinity;
  return parsed.days;
}

export function parseTime(text: string): number {
  const trimmed = text.trim().toLowerCase().replace(/^t/, '');
  const { time } = parseClock(trimmed, 'time', text);
  return Number(time);
}

function todayIn(context: TimeContext): number {
  return splitDay(utcToLocal(context.now, context.zone)).days;
}

function specialTimestamp(name: 'infinity' | '-infinity' | 'now', now: bigint): bigint {
  if (name === 'now') return now;
  return name === 'infinity' ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
}

function inRange(micros: bigint, text: string): bigint {
  if (micros < TIMESTAMP_MINIMUM || micros >= TIMESTAMP_END)
    throw new DatabaseError('22008', `timestamp out of range: "${text}"`);
  return micros;
}

export function checkTimestamp(micros: bigint): bigint {
  if (isFinite64(micros) && (micros < TIMESTAMP_MINIMUM || micros >= TIMESTAMP_END))
    throw new DatabaseError('22008', 'timestamp out of range');
  return micros;
}

export function timestampToDate(micros: bigint): number {
  if (micros === TIMESTAMP_INFINITY) return Infinity;
  return micros === TIMESTAMP_MINUS_INFINITY ? -Infinity : splitDay(micros).days;
}

export function timestampToTime(micros: bigint): number {
  return splitDay(micros).time;
}

export function dateToTimestamp(days: number): bigint {
  if (!Number.isFinite(days)) return days > 0 ? TIMESTAMP_INFINITY : TIMESTAMP_MINUS_INFINITY;
  return BigInt(days) * MICROS_PER_DAY;
}

const UNITS: Readonly<Record<string, { months?: number; days?: number; micros?: number }>> = {
  microsecond: { micros: 1 },
  us: { micros: 1 },
  usec: { micros: 1 },
  millisecond: { micros: 1e3 },
  ms: { micros: 1e3 },
  msec: { micros: 1e3 },
  second: { micros: 1e6 },
  sec: { micros: 1e6 },
  s: { micros: 1e6 },
  minute: { micros: 6e7 },
  min: { micros: 6e7 },
  m: { micros: 6e7 },
  hour: { micros: 3.6e9 },
  hr: { micros: 3.6e9 },
  h: { micros: 3.6e9 },
  day: { days: 1 },
  d: { days: 1 },
  week: { days: 7 },
  w: { days: 7 },
  month: { months: 1 },
  mon: { months: 1 },
  year: { months: 12 },
  yr: { months: 12 },
  y: { months: 12 },
  decade: { months: 120 },
  century: { months: 1200 },
  centurie: { months: 1200 },
  millennium: { months: 12_000 },
};

/** `1 year 2 mons -3 days 04:05:06.7`, `2 hours ago`, ISO 8601 `P1Y2M3DT4H5M6S`. */
export function parseInterval(text: string): Interval {
  const fail = (): never => {
    throw invalid('interval', text);
  };
  const source = text.trim().toLowerCase();
  if (/^-?p/.test(source)) return parseIsoInterval(source) ?? fail();
  const ago = / ago$/.test(source);
  const tokens =
    source
      .replace(/ ago$/, '')
      .replace(/^@\s*/, '')
      .match(/[+-]?\d+:\d+(:\d+(\.\d+)?)?|[+-]?\d*\.?\d+(e[+-]?\d+)?|[a-z]+/g) ?? [];
  if (
    tokens.join('') !==
      source
        .replace(/ ago$/, '')
        .replace(/^@\s*/, '')
        .replace(/[\s,]+/g, '') ||
    tokens.length === 0
  )
    return fail();
  const sum = { months: 0, days: 0, micros: 0 };
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.includes(':')) sum.micros += clockMicros(token);
    else {
      const value = Number(token);
      if (Number.isNaN(value)) return fail();
      const next = tokens[i + 1];
      const hasUnit = next !== undefined && /^[a-z]+$/.test(next);
      const unit = hasUnit ? (UNITS[next] ?? UNITS[next.replace(/s$/, '')]) : UNITS['second'];
      if (unit === undefined) return fail();
      if (hasUnit) i++;
      addUnit(sum, unit, value);
    }
  }
  return finishInterval(sum, ago ? -1 : 1);
}

function clockMicros(token: string): number {
  const negative = token.startsWith('-');
  const [h = 0, m = 0, s = 0] = token.replace(/^[+-]/, '').split(':').map(Number);
  const micros = Math.round((h * 3600 + m * 60 + s) * 1e6);
  return negative ? -micros : micros;
}

type Sum = { months: number; days: number; micros: number };

/** A fraction of a month goes to days (30), a fraction of a day to microseconds. */
function addUnit(sum: Sum, unit: { months?: number; days?: number; micros?: number }, value: number): void {
  if (unit.micros !== undefined) sum.micros += value * unit.micros;
  let days = unit.days === undefined ? 0 : value * unit.days;
  if (unit.months !== undefined) {
    const months = value * unit.months;
    sum.months += Math.trunc(months);
    days += Number(((months - Math.trunc(months)) * 30).toFixed(6));
  }
  sum.days += Math.trunc(days);
  sum.micros += (days - Math.trunc(days)) * 86_400e6;
}

function finishInterval(sum: Sum, sign: number): Interval {
  return {
    months: sign * sum.months + 0,
    days: sign * sum.days + 0,
    micros: BigInt(Math.round(sign * sum.micros)),
  };
}

function parseIsoInterval(text: string): Interval | undefined {
  const match =
    /^(-?)p(?:(-?[\d.]+)y)?(?:(-?[\d.]+)m)?(?:(-?[\d.]+)w)?(?:(-?[\d.]+)d)?(?:t(?:(-?[\d.]+)h)?(?:(-?[\d.]+)m)?(?:(-?[\d.]+)s)?)?$/.exec(
      text,
    );
  if (match === null) return undefined;
  const sum: Sum = { months: 0, days: 0, micros: 0 };
  const units = ['year', 'month', 'week', 'day', 'hour', 'minute', 'second'];
  units.forEach((unit, i) => {
    const part = match[i + 2];
    if (part !== undefined) addUnit(sum, UNITS[unit]!, Number(part));
  });
  return finishInterval(sum, match[1] === '-' ? -1 : 1);
}

/** IntervalStyle postgres: `1 year 2 mons -3 days +04:05:06.7`. */
export function formatInterval({ months, days, micros }: Interval): string {
  const parts: string[] = [];
  let negativeBefore = false;
  const part = (value: number, unit: string): void => {
    if (value === 0) return;
    parts.push(`${negativeBefore && value > 0 ? '+' : ''}${value} ${unit}${value === 1 ? '' : 's'}`);
    negativeBefore = value < 0;
  };
  part(Math.trunc(months / 12), 'year');
  part(months % 12, 'mon');
  part(days, 'day');
  if (micros !== 0n || parts.length === 0) {
    const absolute = micros < 0n ? -micros : micros;
    parts.push(`${micros < 0n ? '-' : negativeBefore ? '+' : ''}${formatTime(Number(absolute))}`);
  }
  return parts.join(' ');
}

/** Months first (clipped to the month's end), then days, then time. */
export function addInterval(micros: bigint, interval: Interval, sign = 1): bigint {
  if (!isFinite64(micros)) return micros;
  const { days, time } = splitDay(micros);
  let day = days;
  if (interval.months !== 0) {
    const civil = civilFromDays(days);
    const index = civil.year * 12 + civil.month - 1 + sign * interval.months;
    const year = Math.floor(index / 12);
    const month = index - year * 12 + 1;
    day = daysFromCivil(year, month, Math.min(civil.day, daysInMonth(year, month)));
  }
  const moved = BigInt(day + sign * interval.days) * MICROS_PER_DAY + BigInt(time);
  return checkTimestamp(moved + BigInt(sign) * interval.micros);
}

/** The length that comparisons use: 30 days to a month, 24 hours to a day. */
export function intervalMicros({ months, days, micros }: Interval): bigint {
  return BigInt(months * 30 + days) * MICROS_PER_DAY + micros;
}

/** A difference of timestamps: whole days and the rest. */
export function intervalBetween(later: bigint, earlier: bigint): Interval {
  const difference = later - earlier;
  return { months: 0, days: Number(difference / MICROS_PER_DAY), micros: difference % MICROS_PER_DAY };
}
