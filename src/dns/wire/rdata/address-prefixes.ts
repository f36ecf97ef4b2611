/**
 * APL: a list of address ranges. RFC 3123.
 *
 *   1:192.0.2.0/24 !2:2001:db8::/32
 *
 *   ┌ family 2 ┬ prefix length 1 ┬ not 1 bit, octets 7 bits ┬ address without its zeros at the end ┐ …
 */
import { DnsError } from '../../errors.ts';
import { addressToText, ipv4FromText, ipv6FromText } from '../address.ts';
import type { Field } from './field.ts';
import { decimal } from './text.ts';

export interface AddressPrefix {
  readonly negated: boolean;
  /** 1 is IPv4, 2 is IPv6. */
  readonly family: number;
  readonly bits: number;
  /** The whole address. */
  readonly address: Buffer;
}

const ADDRESS_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 16 };

export const addressPrefixes: Field<AddressPrefix[]> = {
  read(reader) {
    const prefixes: AddressPrefix[] = [];
    while (reader.remaining > 0) {
      const family = reader.u16();
      const bits = reader.u8();
      const lengths = reader.u8();
      const part = reader.take(lengths & 0x7f);
      const size = ADDRESS_BYTES[family] ?? 0;
      const right = part.length <= size && bits <= size * 8 && part.at(-1) !== 0;
      if (!right) reader.fail('an address prefix is malformed');
      const address = Buffer.alloc(size);
      part.copy(address);
      prefixes.push({ negated: (lengths & 0x80) !== 0, family, bits, address });
    }
    return prefixes;
  },
  write(value, writer) {
    for (const { negated, family, bits, address } of value) {
      const length = significantOctets(address);
      writer.u16(family);
      writer.u8(bits);
      writer.u8((negated ? 0x80 : 0) | length);
      writer.put(address.subarray(0, length));
    }
  },
  format: (value) =>
    value
      .map(
        ({ negated, family, bits, address }) =>
          `${negated ? '!' : ''}${family}:${addressToText(address)}/${bits}`,
      )
      .join(' '),
  parse(text, what) {
    const prefixes: AddressPrefix[] = [];
    while (!text.done) prefixes.push(prefixFromText(text.plain(what)));
    return prefixes;
  },
};

function prefixFromText(word: string): AddressPrefix {
  const negated = word.startsWith('!');
  const rest = negated ? word.slice(1) : word;
  const colon = rest.indexOf(':');
  const slash = rest.lastIndexOf('/');
  const family = rest.slice(0, Math.max(0, colon));
  const text = rest.slice(colon + 1, Math.max(colon + 1, slash));
  const address = family === '1' ? ipv4FromText(text) : family === '2' ? ipv6FromText(text) : undefined;
  if (address === undefined) throw new DnsError('bad-text', `not an address prefix: ${word}`);
  const bits = decimal(rest.slice(slash + 1), address.length * 8, 'a prefix length');
  return { negated, family: Number(family), bits, address };
}

function significantOctets(address: Buffer): number {
  let length = address.length;
  while (length > 0 && address[length - 1] === 0) length -= 1;
  return length;
}
