/**
 * The kinds of field that record data is made of.
 *
 * A kind knows four things: how its octets are read and written, and how its text is formatted and parsed.
 * Decoding, compression, zone files and dig's output all derive from these, so a record type is one line in
 * `layouts.ts`.
 */
import { DnsError } from '../../errors.ts';
import { MAX_MESSAGE_BYTES } from '../../limits.ts';
import { addressToText, ipv4FromText, ipv6FromText } from '../address.ts';
import { typeName, typeNumber } from '../codes.ts';
import { type Name, nameToText } from '../name.ts';
import type { WireReader } from '../reader.ts';
import type { WireWriter } from '../writer.ts';
import {
  base32HexFromText,
  base32HexToText,
  base64FromText,
  decimal,
  hexFromText,
  octetsFromText,
  quote,
  type RdataText,
  secondsFromText,
} from './text.ts';

export interface Field<Value> {
  /** Takes the field from the reader, whose `end` is the end of the record's data. */
  read(reader: WireReader): Value;
  write(value: Value, writer: WireWriter): void;
  format(value: Value): string;
  /** @throws DnsError `bad-text` */
  parse(text: RdataText, what: string): Value;
}

// ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────

function number(bits: 8 | 16 | 32): Field<number> {
  const max = 2 ** bits - 1;
  return {
    ...numberOctets(bits),
    format: String,
    parse: (text, what) => decimal(text.plain(what), max, what),
  };
}

function numberOctets(bits: 8 | 16 | 32): Pick<Field<number>, 'read' | 'write'> {
  if (bits === 8) return { read: (reader) => reader.u8(), write: (value, writer) => writer.u8(value) };
  if (bits === 16) return { read: (reader) => reader.u16(), write: (value, writer) => writer.u16(value) };
  return { read: (reader) => reader.u32(), write: (value, writer) => writer.u32(value) };
}

/** A number that has names too, either of which may be written. */
function mnemonic(bits: 8 | 16, names: Readonly<Record<string, number>>): Field<number> {
  const plain = number(bits);
  return {
    ...plain,
    parse(text, what) {
      const known = names[text.peek()?.text.toUpperCase() ?? ''];
      if (known === undefined) return plain.parse(text, what);
      text.plain(what);
      return known;
    },
  };
}

export const u8: Field<number> = number(8);
export const u16: Field<number> = number(16);
export const u32: Field<number> = number(32);

/** Seconds, written as a number or with BIND's units. */
export const seconds: Field<number> = {
  ...u32,
  parse(text, what) {
    const word = text.plain(what);
    const value = secondsFromText(word);
    if (value === undefined) throw new DnsError('bad-text', `${what} is not a time: ${word}`);
    return value;
  },
};

/** DNSSEC algorithm numbers, RFC 8624 section 3.1 and the registry. */
export const algorithm: Field<number> = mnemonic(8, {
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  'DSA-NSEC3-SHA1': 6,
  'RSASHA1-NSEC3-SHA1': 7,
  RSASHA256: 8,
  RSASHA512: 10,
  'ECC-GOST': 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
});

/** Certificate types, RFC 4398 section 2.1. */
export const certificateType: Field<number> = mnemonic(16, {
  PKIX: 1,
  SPKI: 2,
  PGP: 3,
  IPKIX: 4,
  ISPKI: 5,
  IPGP: 6,
  ACPKIX: 7,
  IACPKIX: 8,
  URI: 253,
  OID: 254,
});

/** Schemes of a DSYNC record, RFC 9859 section 2.1. */
export const dsyncScheme: Field<number> = mnemonic(8, { NOTIFY: 1 });

/** A record type by name. */
export const recordType: Field<number> = {
  ...u16,
  format: typeName,
  parse: (text, what) => typeFromText(text.plain(what), what),
};

function typeFromText(text: string, what: string): number {
  const type = typeNumber(text);
  if (type === undefined) throw new DnsError('bad-text', `${what} is not a record type: ${text}`);
  return type;
}

/** Seconds since 1970 modulo 2^32, shown as YYYYMMDDHHmmSS. RFC 4034 section 3.2. */
export const timestamp: Field<number> = {
  ...u32,
  format(value) {
    return new Date(value * 1000).toISOString().replace(/[-:T]|\.000Z/g, '');
  },
  parse(text, what) {
    const word = text.plain(what);
    if (word.length !== 14) return decimal(word, 0xffff_ffff, what);
    decimal(word, Number.MAX_SAFE_INTEGER, what);
    const part = (from: number, to: number): number => Number(word.slice(from, to));
    const date = Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14));
    if (part(0, 4) < 1970 || date >= LATEST_TIMESTAMP)
      throw new DnsError('bad-text', `${what} is out of range: ${word}`);
    return (date / 1000) % 2 ** 32;
  },
};
/** Two turns of the 32-bit circle are plenty; a later date is a typing error. */
const LATEST_TIMESTAMP = Date.UTC(2226, 0, 1);

// ── names ───────────────────────────────────────────────────────────────────────────────────────────────

const nameText: Pick<Field<Name>, 'read' | 'format' | 'parse'> = {
  read: (reader) => reader.name(),
  format: nameToText,
  parse: (text, what) => text.name(what),
};

/** A name that may be compressed on the wire: only those of RFC 1035 may. RFC 3597 section 4. */
export const compressibleName: Field<Name> = {
  ...nameText,
  write: (value, writer) => writer.compressedName(value),
};

/** A name sent in full. Decompressed on receipt all the same, for older senders. */
export const name: Field<Name> = { ...nameText, write: (value, writer) => writer.plainName(value) };

// ── text ────────────────────────────────────────────────────────────────────────────────────────────────

/** One character-string: at most 255 octets. */
export const characterString: Field<string> = {
  read: (reader) => reader.characterString().toString('latin1'),
  write: (value, writer) => writer.characterString(value),
  format: quote,
  parse(text, what) {
    const octets = octetsFromText(text.next(what).text);
    if (octets.length > 255) throw new DnsError('bad-text', `${what} is longer than 255 octets`);
    return octets;
  },
};

/** One or more character-strings. A longer text is divided, since a key of 2048 bits does not fit in one. */
export const characterStrings: Field<string[]> = {
  read(reader) {
    const strings: string[] = [];
    do strings.push(reader.characterString().toString('latin1'));
    while (reader.remaining > 0);
    return strings;
  },
  write(value, writer) {
    for (const string of value) writer.characterString(string);
  },
  format: (value) => value.map(quote).join(' '),
  parse(text, what) {
    const strings: string[] = [];
    do strings.push(...divide(octetsFromText(text.next(what).text)));
    while (!text.done);
    return strings;
  },
};

function divide(octets: string): string[] {
  const parts = [octets.slice(0, 255)];
  for (let at = 255; at < octets.length; at += 255) parts.push(octets.slice(at, at + 255));
  return parts;
}

/** Text up to the end of the data, without a length. */
export const remainingText: Field<string> = {
  read: (reader) => reader.rest().toString('latin1'),
  write: (value, writer) => writer.octets(value),
  format: quote,
  parse: (text, what) => octetsFromText(text.next(what).text),
};

/** The property of a CAA record, RFC 8659 section 4.1: letters and digits. */
export const propertyTag: Field<string> = {
  ...characterString,
  format: (value) => (value === '' ? quote(value) : value),
  parse(text, what) {
    const tag = characterString.parse(text, what);
    if (/[^A-Za-z0-9]/.test(tag))
      throw new DnsError('bad-text', `${what} has other characters than letters and digits`);
    return tag;
  },
};

// ── octets ──────────────────────────────────────────────────────────────────────────────────────────────

const remainingOctets: Pick<Field<Buffer>, 'read' | 'write'> = {
  read: (reader) => reader.rest(),
  write: (value, writer) => writer.put(value),
};

const hexText: Pick<Field<Buffer>, 'format' | 'parse'> = {
  format: (value) => value.toString('hex').toUpperCase(),
  parse: (text, what) => hexFromText(text.joined(what), what),
};

/** Octets up to the end, in hexadecimal. */
export const hex: Field<Buffer> = { ...remainingOctets, ...hexText };

/** Octets up to the end, in hexadecimal, at least one. */
export const someHex: Field<Buffer> = { ...hex, read: (reader) => atLeastOne(reader).rest() };

/** Octets up to the end, in base64. */
export const base64: Field<Buffer> = {
  ...remainingOctets,
  format: (value) => value.toString('base64'),
  parse: (text, what) => base64FromText(text.joined(what), what),
};

/** Octets up to the end, in base64, at least one. */
export const someBase64: Field<Buffer> = { ...base64, read: (reader) => atLeastOne(reader).rest() };

function atLeastOne(reader: WireReader): WireReader {
  if (reader.remaining === 0) reader.fail('record data ends early');
  return reader;
}

/** The salt of NSEC3: a length octet and hexadecimal in one word, `-` when empty. RFC 5155 section 3.3. */
export const salt: Field<Buffer> = {
  read: (reader) => reader.characterString(),
  write: (value, writer) => writer.characterString(value.toString('latin1')),
  format: (value) => (value.length === 0 ? '-' : hexText.format(value)),
  parse(text, what) {
    const word = text.plain(what);
    return word === '-' ? Buffer.alloc(0) : shortOctets(hexFromText(word, what), what);
  },
};

/** The hashed owner of NSEC3: a length octet and base32hex. */
export const hashedName: Field<Buffer> = {
  read: (reader) => reader.characterString(),
  write: (value, writer) => writer.characterString(value.toString('latin1')),
  format: base32HexToText,
  parse: (text, what) => shortOctets(base32HexFromText(text.plain(what), what), what),
};

function shortOctets(octets: Buffer, what: string): Buffer {
  if (octets.length > 255) throw new DnsError('bad-text', `${what} is longer than 255 octets`);
  return octets;
}

// ── addresses ───────────────────────────────────────────────────────────────────────────────────────────

function address(length: 4 | 16, fromText: (text: string) => Buffer | undefined): Field<Buffer> {
  return {
    read: (reader) => reader.take(length),
    write: (value, writer) => writer.put(value),
    format: addressToText,
    parse(text, what) {
      const word = text.plain(what);
      const octets = fromText(word);
      if (octets === undefined)
        throw new DnsError('bad-text', `not an IPv${length === 4 ? 4 : 6} address: ${word}`);
      return octets;
    },
  };
}

export const ipv4: Field<Buffer> = address(4, ipv4FromText);
export const ipv6: Field<Buffer> = address(16, ipv6FromText);

/** Octets as groups of hexadecimal digits: `00-00-5e-00-53-2a` of RFC 7043, `0014:4fff:ff20:ee64` of RFC 6742. */
function hexGroups(groups: number, octetsPerGroup: number, separator: string): Field<Buffer> {
  return {
    read: (reader) => reader.take(groups * octetsPerGroup),
    write: (value, writer) => writer.put(value),
    format(value) {
      const part = (at: number): string =>
        value.subarray(at * octetsPerGroup, (at + 1) * octetsPerGroup).toString('hex');
      return Array.from({ length: groups }, (_, at) => part(at)).join(separator);
    },
    parse(text, what) {
      const parts = text.plain(what).split(separator);
      const right = parts.length === groups && parts.every((part) => part.length === octetsPerGroup * 2);
      if (!right)
        throw new DnsError('bad-text', `${what} is not ${groups} groups separated by "${separator}"`);
      return hexFromText(parts.join(''), what);
    },
  };
}

export const eui48: Field<Buffer> = hexGroups(6, 1, '-');
export const eui64: Field<Buffer> = hexGroups(8, 1, '-');
export const locator64: Field<Buffer> = hexGroups(4, 2, ':');

// ── the list of types in NSEC, NSEC3 and CSYNC ──────────────────────────────────────────────────────────

/**
 * Record types as windows of bits. RFC 4034 section 4.1.2.
 *
 *   ┌──────────┬──────────┬───────────────────────┐
 *   │ window   │ length   │ bit n of octet m:     │   … next window, in ascending order
 *   │ (type>>8)│ (1-32)   │ type window·256+8m+n  │
 *   └──────────┴──────────┴───────────────────────┘
 */
export const typeBitmap: Field<number[]> = {
  read(reader) {
    const types: number[] = [];
    let previous = -1;
    while (reader.remaining > 0) {
      const window = reader.u8();
      const length = reader.u8();
      if (length === 0 || length > 32 || window <= previous) reader.fail('a type bitmap is malformed');
      previous = window;
      for (const [index, octet] of reader.take(length).entries()) {
        for (let bit = 0; bit < 8; bit += 1)
          if (octet & (0x80 >> bit)) types.push((window << 8) | (index << 3) | bit);
      }
    }
    return types;
  },
  write(value, writer) {
    const windows = new Map<number, number[]>();
    for (const type of [...new Set(value)].sort((a, b) => a - b)) {
      const window = windows.get(type >> 8) ?? [];
      windows.set(type >> 8, window);
      const index = (type & 0xff) >> 3;
      while (window.length <= index) window.push(0);
      window[index] = (window[index] ?? 0) | (0x80 >> (type & 7));
    }
    for (const [number, octets] of windows) {
      writer.u8(number);
      writer.u8(octets.length);
      writer.put(Uint8Array.from(octets));
    }
  },
  format: (value) => value.map(typeName).join(' '),
  parse(text, what) {
    const types: number[] = [];
    while (!text.done) types.push(typeFromText(text.plain(what), what));
    return types;
  },
};

/** Bound of one record's data; the length field has two octets. */
export const MAX_RDATA_BYTES: number = MAX_MESSAGE_BYTES;
