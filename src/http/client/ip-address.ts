/**
 * IP addresses as bytes, and which of them are public.
 *
 *   192.0.2.1              four decimal octets, no leading zero, nothing else: what inet_aton reads besides
 *                          (0x7f.1, 2130706433, 0177.0.0.1) is no address here
 *   2001:db8::1            eight groups, one `::`, the last two groups perhaps as IPv4   RFC 4291 section 2.2
 *
 * A name that strangers choose may lead to the machine itself, to its network, or to a cloud's metadata at
 * 169.254.169.254. Whether an address is public is told by the registries of special addresses (RFC 6890); of IPv6
 * only what is handed out for the public is let through, and what holds an IPv4 address is judged by that.
 */
import { decimal, hexDigit } from '../wire/grammar.ts';

/** The 4 or 16 bytes of an address as text, or undefined. Zones (`%eth0`) are refused. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseV6(text) : parseV4(text);
}

function parseV4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [at, part] of parts.entries()) {
    const value = decimal(part);
    if (value < 0 || value > 255 || part.length > 3 || (part.length > 1 && part[0] === '0')) return undefined;
    bytes[at] = value;
  }
  return bytes;
}

const V6_BYTES = 16;

function parseV6(text: string): Uint8Array | undefined {
  const gap = text.indexOf('::');
  if (gap < 0) {
    const whole = groups(text, true);
    return whole?.length === V6_BYTES ? Uint8Array.from(whole) : undefined;
  }
  const left = gap === 0 ? [] : groups(text.slice(0, gap), false);
  const right = gap + 2 === text.length ? [] : groups(text.slice(gap + 2), true);
  // The gap stands for one group at the least. RFC 5952 section 4.2.2 would have it stand for two.
  if (left === undefined || right === undefined || left.length + right.length > V6_BYTES - 2)
    return undefined;
  const bytes = new Uint8Array(V6_BYTES);
  bytes.set(left);
  bytes.set(right, V6_BYTES - right.length);
  return bytes;
}

function groups(text: string, mayEndInV4: boolean): number[] | undefined {
  const parts = text.split(':');
  if (parts.length > V6_BYTES / 2) return undefined;
  const bytes: number[] = [];
  for (const [at, part] of parts.entries()) {
    if (mayEndInV4 && at === parts.length - 1 && part.includes('.')) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      bytes.push(...v4);
      continue;
    }
    const value = group(part);
    if (value < 0) return undefined;
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes;
}

/** 1*4HEXDIG, or -1. */
function group(text: string): number {
  if (text.length === 0 || text.length > 4) return -1;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = hexDigit(text.charCodeAt(at));
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** A range of addresses, `192.0.2.0/24`. */
export interface AddressRange {
  readonly bytes: Uint8Array;
  readonly prefixBits: number;
}

/** An address or a range in CIDR notation; undefined when it is neither. */
export function parseRange(text: string): AddressRange | undefined {
  const slash = text.indexOf('/');
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (bytes === undefined) return undefined;
  const prefixBits = slash < 0 ? bytes.length * 8 : decimal(text.slice(slash + 1));
  return prefixBits < 0 || prefixBits > bytes.length * 8 ? undefined : { bytes, prefixBits };
}

export function isWithin(address: Uint8Array, { bytes, prefixBits }: AddressRange): boolean {
  if (address.length !== bytes.length) return false;
  const whole = prefixBits >> 3;
  for (let at = 0; at < whole; at++) if (address[at] !== bytes[at]) return false;
  const rest = prefixBits & 7;
  return rest === 0 || (address[whole]! ^ bytes[whole]!) >> (8 - rest) === 0;
}

function ranges(...texts: readonly string[]): readonly AddressRange[] {
  return texts.map((text) => parseRange(text)!);
}

/** IPv4 that is not public: the registry of RFC 6890 with its later entries, multicast, and class E. */
const SPECIAL_V4 = ranges(
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
);

/** All that has been handed out for the public. RFC 4291 section 2.4. */
const PUBLIC_V6 = ranges('2000::/3');
/** Protocols and tunnels (Teredo, ORCHID), examples, and 6to4, which holds any IPv4 address. */
const SPECIAL_V6 = ranges('2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20');
/** An IPv4 address in its last four bytes: IPv4-mapped (RFC 4291) and NAT64 (RFC 6052). */
const HOLDS_V4 = ranges('::ffff:0:0/96', '64:ff9b::/96');

/**
 * For `allowAddress` where strangers choose the URL: true only for an IP address that anybody on the internet could
 * reach. Not loopback, private, link-local, shared, reserved, multicast, nor IPv6 around one of these.
 */
export function isPublicAddress(address: string): boolean {
  const bytes = parseAddress(address);
  if (bytes === undefined) return false;
  if (bytes.length === 4) return !isInAny(bytes, SPECIAL_V4);
  if (isInAny(bytes, HOLDS_V4)) return !isInAny(bytes.subarray(12), SPECIAL_V4);
  return isInAny(bytes, PUBLIC_V6) && !isInAny(bytes, SPECIAL_V6);
}

function isInAny(address: Uint8Array, among: readonly AddressRange[]): boolean {
  return among.some((range) => isWithin(address, range));
}
