/**
 * The character classes of RFC 9110 section 5.6 and RFC 3986, as lookup tables over one byte.
 */

function table(accept: (code: number) => boolean): Uint8Array {
  const classes = new Uint8Array(256);
  for (let code = 0; code < 256; code++) classes[code] = accept(code) ? 1 : 0;
  return classes;
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

const oneOf = (characters: string) => (code: number) =>
  isAlphanumeric(code) || characters.includes(String.fromCharCode(code));

/** tchar. RFC 9110 section 5.6.2. */
export const TOKEN = table(oneOf("!#$%&'*+-.^_`|~"));
/** field-vchar, SP and HTAB; obs-text is let through as opaque bytes. RFC 9110 section 5.5. */
export const FIELD_VALUE = table((code) => code === 0x09 || (code >= 0x20 && code !== 0x7f));
/** VCHAR without `#`: what a request target may hold on the wire, before its form is checked. */
export const TARGET = table((code) => code > 0x20 && code < 0x7f && code !== 0x23);
/** reg-name of RFC 3986 section 3.2.2 without the comma, which proxies read as a list. */
const REG_NAME = table(oneOf("-._~!$&'()*+;=%"));
/** What follows the `v1.` of an address form yet to be invented. RFC 3986 section 3.2.2. */
const FUTURE_ADDRESS = table(oneOf("-._~!$&'()*+;=:"));
/** qdtext. RFC 9110 section 5.6.4. */
export const QUOTED_TEXT = table(
  (code) => code === 0x09 || (code >= 0x20 && code !== 0x22 && code !== 0x5c && code !== 0x7f),
);

/** Whether every character of `text` from `from` up to `to` is of the class. */
export function allOf(classes: Uint8Array, text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code > 0xff || classes[code] === 0) return false;
  }
  return true;
}

export function isToken(text: string): boolean {
  return text.length > 0 && allOf(TOKEN, text, 0, text.length);
}

export function isFieldValue(text: string): boolean {
  return allOf(FIELD_VALUE, text, 0, text.length);
}

export function isTarget(text: string): boolean {
  return text.length > 0 && allOf(TARGET, text, 0, text.length);
}

/** 1*DIGIT up to 2^53 - 1, or -1. RFC 9110 section 8.6: no sign, no space, no other base. */
export function decimal(text: string): number {
  if (text.length === 0 || text.length > 16) return -1;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** `uri-host [ ":" port ]` without userinfo, path or comma, and not empty. RFC 9110 section 7.2. */
export function isHostAndPort(text: string): boolean {
  const hostEnd = text.charCodeAt(0) === 0x5b ? text.indexOf(']') + 1 : endOfName(text);
  if (hostEnd <= 0 || !isHost(text, hostEnd)) return false;
  if (hostEnd === text.length) return true;
  if (text.charCodeAt(hostEnd) !== 0x3a) return false;
  if (hostEnd + 1 === text.length) return true;
  const port = text.length - hostEnd <= 6 ? decimal(text.slice(hostEnd + 1)) : -1;
  return port >= 0 && port <= 65_535;
}

function endOfName(text: string): number {
  const colon = text.indexOf(':');
  return colon < 0 ? text.length : colon;
}

function isHost(text: string, end: number): boolean {
  if (text.charCodeAt(0) === 0x5b) return isIpLiteral(text.slice(1, end - 1));
  return allOf(REG_NAME, text, 0, end) && percentPairsAreWhole(text, end);
}

/** IPv6address or IPvFuture, as between the brackets. RFC 3986 section 3.2.2. */
function isIpLiteral(text: string): boolean {
  if ((text.charCodeAt(0) | 0x20) === 0x76) {
    const dot = text.indexOf('.');
    if (dot < 2 || dot === text.length - 1 || !allOf(FUTURE_ADDRESS, text, dot + 1, text.length))
      return false;
    return isHex(text.slice(1, dot), dot - 1);
  }
  const gap = text.indexOf('::');
  if (gap < 0) return groupsOf(text, true) === 8;
  const before = groupsOf(text.slice(0, gap), false);
  const behind = groupsOf(text.slice(gap + 2), true);
  return before >= 0 && behind >= 0 && before + behind <= 7;
}

/** How many 16-bit groups `text` has, 0 for none, or -1; an IPv4 address at the end is two. */
function groupsOf(text: string, mayEndInIpv4: boolean): number {
  if (text === '') return 0;
  const groups = text.split(':');
  const last = groups.at(-1)!;
  const ipv4 = mayEndInIpv4 && last.includes('.');
  if (ipv4 && !isIpv4(last)) return -1;
  const hex = ipv4 ? groups.slice(0, -1) : groups;
  return hex.every((group) => isHex(group, 4)) ? groups.length + (ipv4 ? 1 : 0) : -1;
}

/** IPv4address: four octets, plain and decimal. RFC 3986 section 3.2.2. */
export function isIpv4(text: string): boolean {
  const octets = text.split('.');
  return octets.length === 4 && octets.every(isOctet);
}

function isOctet(text: string): boolean {
  const value = decimal(text);
  return value >= 0 && value <= 255 && String(value) === text;
}

function isHex(text: string, maxDigits: number): boolean {
  if (text.length === 0 || text.length > maxDigits) return false;
  for (let at = 0; at < text.length; at++) if (hexDigit(text.charCodeAt(at)) < 0) return false;
  return true;
}

function percentPairsAreWhole(text: string, end: number): boolean {
  for (let at = text.indexOf('%'); at >= 0 && at < end; at = text.indexOf('%', at + 1)) {
    if (at + 2 >= end) return false;
    if (hexDigit(text.charCodeAt(at + 1)) < 0 || hexDigit(text.charCodeAt(at + 2)) < 0) return false;
  }
  return true;
}

/** ASCII case-insensitive equality without making a new string. */
export function equalsIgnoreCase(left: string, right: string): boolean {
  if (left === right) return true;
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a === b) continue;
    const lower = a | 0x20;
    if (lower !== (b | 0x20) || lower < 0x61 || lower > 0x7a) return false;
  }
  return true;
}

/** The elements of a comma-separated list, trimmed, empty ones left out. RFC 9110 section 5.6.1. */
export function listElements(value: string): string[] {
  const elements: string[] = [];
  for (const part of value.split(',')) {
    const element = trimWhitespace(part);
    if (element !== '') elements.push(element);
  }
  return elements;
}

/** Without SP and HTAB at both ends; other white space is not white space in HTTP. */
export function trimWhitespace(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return from === 0 && to === text.length ? text : text.slice(from, to);
}

export function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
