/**
 * The three forms of a time in S3:
 *   20130524T000000Z               SigV4 (x-amz-date, X-Amz-Date)
 *   2013-05-24T00:00:00.000Z       XML documents
 *   Fri, 24 May 2013 00:00:00 GMT  HTTP fields (RFC 9110 section 5.6.7)
 * All are milliseconds since 1970 inside.
 */
import { parseDate } from '../../http/conditional/index.ts';

const AMZ_LENGTH = 16;
/** `1994-11-06T08:49:37Z`, and no longer than with a fraction and an offset. */
const ISO_LENGTHS = { least: 20, most: 35 } as const;

/** `YYYYMMDDTHHMMSSZ`. @returns undefined when it is anything else */
export function parseAmzDate(text: string): number | undefined {
  if (text.length !== AMZ_LENGTH || text[8] !== 'T' || text[15] !== 'Z') return undefined;
  const digits = text.slice(0, 8) + text.slice(9, 15);
  if (!allDigits(digits)) return undefined;
  const iso =
    `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6, 8)}T` +
    `${digits.slice(8, 10)}:${digits.slice(10, 12)}:${digits.slice(12, 14)}.000Z`;
  const time = Date.parse(iso);
  return Number.isNaN(time) || formatIsoDate(time) !== iso ? undefined : time;
}

export function formatAmzDate(timeMs: number): string {
  const iso = formatIsoDate(timeMs);
  return `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`;
}

export function formatIsoDate(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/**
 * An HTTP date, or ISO 8601, which S3 takes too.
 * @returns undefined when it is neither: such a condition is ignored (RFC 9110 section 13.1.3)
 */
export function parseHttpDate(text: string): number | undefined {
  return parseDate(text) ?? parseIsoDate(text);
}

function parseIsoDate(text: string): number | undefined {
  const { least, most } = ISO_LENGTHS;
  if (text.length < least || text.length > most || !allDigits(text.slice(0, 4))) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

function allDigits(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return false;
  }
  return text.length > 0;
}
