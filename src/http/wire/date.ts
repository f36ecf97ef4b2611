/**
 * HTTP dates: IMF-fixdate out, all three forms in. RFC 9110 section 5.6.7.
 *
 *   Sun, 06 Nov 1994 08:49:37 GMT       IMF-fixdate, the only one generated
 *   Sunday, 06-Nov-94 08:49:37 GMT      RFC 850, obsolete
 *   Sun Nov  6 08:49:37 1994            asctime, obsolete
 */
import { decimal } from './grammar.ts';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

const two = (value: number) => String(value).padStart(2, '0');

/** @param ms milliseconds since 1970 */
export function formatDate(ms: number): string {
  const date = new Date(ms);
  const day = `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]}`;
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return `${day} ${String(date.getUTCFullYear()).padStart(4, '0')} ${time} GMT`;
}

/** Milliseconds since 1970, or undefined when it is no HTTP date. */
export function parseDate(text: string): number | undefined {
  const comma = text.indexOf(',');
  if (comma < 0) return asctime(text);
  return comma === 3 ? imfFixdate(text) : rfc850(text, comma);
}

function imfFixdate(text: string): number | undefined {
  if (text.length !== 29 || !text.endsWith(' GMT') || !(DAYS as readonly string[]).includes(text.slice(0, 3)))
    return;
  return instant(text.slice(12, 16), text.slice(8, 11), text.slice(5, 7), text.slice(17, 25));
}

function rfc850(text: string, comma: number): number | undefined {
  const rest = text.slice(comma + 2);
  if (rest.length !== 22 || !rest.endsWith(' GMT')) return undefined;
  const year = decimal(rest.slice(7, 9));
  // RFC 9110 asks for a sliding window of 50 years; a fixed one needs no clock and differs only far away.
  const century = year < 70 ? '20' : '19';
  return instant(century + rest.slice(7, 9), rest.slice(3, 6), rest.slice(0, 2), rest.slice(10, 18));
}

function asctime(text: string): number | undefined {
  if (text.length !== 24) return undefined;
  const day = text[8] === ' ' ? `0${text[9]}` : text.slice(8, 10);
  return instant(text.slice(20, 24), text.slice(4, 7), day, text.slice(11, 19));
}

function instant(year: string, month: string, day: string, time: string): number | undefined {
  const monthIndex = (MONTHS as readonly string[]).indexOf(month);
  const [hour, minute, second] = [time.slice(0, 2), time.slice(3, 5), time.slice(6, 8)].map(decimal);
  const dayNumber = decimal(day);
  const yearNumber = decimal(year);
  if (time.length !== 8 || time[2] !== ':' || time[5] !== ':' || monthIndex < 0 || yearNumber < 0)
    return undefined;
  if (hour! < 0 || hour! > 23 || minute! < 0 || minute! > 59 || second! < 0 || second! > 60) return undefined;
  const ms = Date.UTC(yearNumber, monthIndex, dayNumber, hour, minute, Math.min(second!, 59));
  return dayNumber >= 1 && new Date(ms).getUTCDate() === dayNumber ? ms : undefined;
}
