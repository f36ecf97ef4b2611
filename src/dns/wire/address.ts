/** IPv4 and IPv6 addresses: octets ⇄ text, and address ranges for access lists. Pure, strict, no shorthand. */

/** `192.0.2.1` as four octets; undefined for anything else, `1.2.3` and `01.2.3.4` included. */
export function ipv4FromText(text: string): Buffer | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const octets = Buffer.alloc(4);
  for (const [index, part] of parts.entries()) {
    const value = decimalOctet(part);
    if (value === undefined) return undefined;
    octets[index] = value;
  }
  return octets;
}

function decimalOctet(text: string): number | undefined {
  if (text.length === 0 || text.length > 3 || (text.length > 1 && text[0] === '0')) return undefined;
  for (const digit of text) if (digit < '0' || digit > '9') return undefined;
  const value = Number(text);
  return value <= 255 ? value : undefined;
}

/** `2001:db8::1`, `::ffff:192.0.2.1` as sixteen octets; undefined for anything else. RFC 4291 section 2.2. */
export function ipv6FromText(text: string): Buffer | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0] ?? '', halves.length === 1);
  const tail = groups(halves[1] ?? '', true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const octets = Buffer.alloc(16);
  for (const [index, group] of head.entries()) octets.writeUInt16BE(group, index * 2);
  for (const [index, group] of tail.entries()) octets.writeUInt16BE(group, (8 - tail.length + index) * 2);
  return octets;
}

/** The 16-bit groups of `2001:db8`; the last may be a dotted quad when `last`. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const values: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (last && index === parts.length - 1 && part.includes('.')) {
      const quad = ipv4FromText(part);
      if (quad === undefined) return undefined;
      values.push(quad.readUInt16BE(0), quad.readUInt16BE(2));
    } else {
      const value = hexGroup(part);
      if (value === undefined) return undefined;
      values.push(value);
    }
  }
  return values;
}

function hexGroup(text: string): number | undefined {
  if (text.length === 0 || text.length > 4) return undefined;
  for (const digit of text.toLowerCase()) if (!'0123456789abcdef'.includes(digit)) return undefined;
  return Number.parseInt(text, 16);
}

/** The octets of either family, or undefined. */
export function addressFromText(text: string): Buffer | undefined {
  return text.includes(':') ? ipv6FromText(text) : ipv4FromText(text);
}

/** Four or sixteen octets as text; IPv6 in the form of RFC 5952 section 4. */
export function addressToText(octets: Uint8Array): string {
  return octets.length === 4 ? octets.join('.') : ipv6ToText(octets);
}

function ipv6ToText(octets: Uint8Array): string {
  const values = Array.from(
    { length: 8 },
    (_, at) => ((octets[at * 2] ?? 0) << 8) | (octets[at * 2 + 1] ?? 0),
  );
  if (isMappedIpv4(octets)) return `::ffff:${octets.subarray(12).join('.')}`;
  const [start, length] = longestZeroRun(values);
  const text = (part: number[]): string => part.map((value) => value.toString(16)).join(':');
  if (length < 2) return text(values);
  return `${text(values.slice(0, start))}::${text(values.slice(start + length))}`;
}

function longestZeroRun(values: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < values.length; start += 1) {
    let length = 0;
    while (values[start + length] === 0) length += 1;
    if (length > best[1]) best = [start, length];
  }
  return best;
}

function isMappedIpv4(octets: Uint8Array): boolean {
  return octets.subarray(0, 10).every((octet) => octet === 0) && octets[10] === 0xff && octets[11] === 0xff;
}

/** The address without an interface (`fe80::1%eth0`), an IPv4 address mapped into IPv6 as the plain IPv4 one. */
export function plainAddress(text: string): Buffer | undefined {
  const octets = addressFromText(text.split('%')[0] ?? '');
  return octets?.length === 16 && isMappedIpv4(octets) ? octets.subarray(12) : octets;
}

/** A set of addresses: all whose first `bits` bits are those of `octets`. */
export interface AddressRange {
  readonly octets: Buffer;
  readonly bits: number;
}

/** `192.0.2.0/24`, `2001:db8::/32`, or one address; undefined for anything else. */
export function rangeFromText(text: string): AddressRange | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  const octets = addressFromText(address);
  if (octets === undefined || more.length > 0) return undefined;
  if (prefix === undefined) return { octets, bits: octets.length * 8 };
  const bits = decimalOctet(prefix);
  return bits === undefined || bits > octets.length * 8 ? undefined : { octets, bits };
}

/** Whether `address` (octets of either family) lies in one of the ranges. */
export function inRanges(address: Buffer, ranges: readonly AddressRange[]): boolean {
  return ranges.some((range) => range.octets.length === address.length && samePrefix(address, range));
}

function samePrefix(address: Buffer, { octets, bits }: AddressRange): boolean {
  const whole = bits >> 3;
  if (address.compare(octets, 0, whole, 0, whole) !== 0) return false;
  const mask = (0xff00 >> (bits & 7)) & 0xff;
  return ((address[whole] ?? 0) & mask) === ((octets[whole] ?? 0) & mask);
}
