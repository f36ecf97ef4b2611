/**
 * A record's data in its four forms.
 *
 *   message octets ──decodeRdata──▶ plain octets ──encodeRdata──▶ message octets
 *                                     ▲      │
 *                       rdataFromText │      │ rdataToText, rdataFields
 *                                     │      ▼
 *                                    text, named fields
 *
 * Plain octets are the data with every name in full. That is what zones and caches hold: it compares with
 * `equals`, needs no objects, and is ready to send for all types but those of RFC 1035.
 */
import { DnsError } from '../../errors.ts';
import { typeName } from '../codes.ts';
import type { Name } from '../name.ts';
import { WireReader } from '../reader.ts';
import { WireWriter } from '../writer.ts';
import {
  compressibleName,
  eui48,
  eui64,
  type Field,
  ipv4,
  ipv6,
  locator64,
  MAX_RDATA_BYTES,
  name,
} from './field.ts';
import { isCompressible, layoutOf } from './layouts.ts';
import { decimal, hexFromText, type RdataText } from './text.ts';

export type FieldValue = number | string | Name | Buffer | readonly number[] | readonly string[];

/**
 * Takes the data of one record, whose length field was just read, from a message. Fails the reader when the
 * data does not have the form of its type or does not fill `length` exactly.
 */
export function decodeRdata(type: number, reader: WireReader, length: number): Buffer {
  const messageEnd = reader.end;
  if (length > reader.remaining) {
    reader.fail('record data is cut off');
    return Buffer.alloc(0);
  }
  const dataEnd = reader.at + length;
  reader.end = dataEnd;
  const plain = decodePlain(type, reader);
  reader.end = messageEnd;
  if (reader.problem !== undefined) reader.fail(reader.problem);
  return plain;
}

function decodePlain(type: number, reader: WireReader): Buffer {
  const layout = layoutOf(type);
  if (layout === undefined) return Buffer.from(reader.rest());
  const writer = new WireWriter(MAX_RDATA_BYTES, 'plain');
  for (const field of Object.values(layout)) field.write(field.read(reader), writer);
  if (reader.remaining > 0) reader.fail(`${typeName(type)} data goes on after its last field`);
  return writer.copyFrom(0);
}

/** Writes plain data into a message, its names compressed where the type allows. */
export function encodeRdata(type: number, plain: Buffer, writer: WireWriter): void {
  const layout = isCompressible(type) ? layoutOf(type) : undefined;
  if (layout === undefined) {
    writer.put(plain);
    return;
  }
  const reader = new WireReader(plain);
  for (const field of Object.values(layout)) field.write(field.read(reader), writer);
}

/** The data as it stands in a zone file, names absolute. */
export function rdataToText(type: number, plain: Buffer): string {
  const layout = layoutOf(type);
  if (layout === undefined) return genericText(plain);
  const reader = new WireReader(plain);
  const words = Object.values(layout).map((field) => field.format(field.read(reader)));
  return words.filter((word) => word !== '').join(' ');
}

/** The data by field name: `{ preference: 10, exchange: <Name> }`; `{ data }` for a type without a layout. */
export function rdataFields(type: number, plain: Buffer): Record<string, FieldValue> {
  const layout = layoutOf(type);
  if (layout === undefined) return { data: plain };
  const reader = new WireReader(plain);
  return Object.fromEntries(Object.entries(layout).map(([key, field]) => [key, field.read(reader)]));
}

/** The data by field name in the form that programs want: names and addresses as text, names absolute. */
export function rdataValues(type: number, plain: Buffer): Record<string, unknown> {
  const layout = layoutOf(type);
  if (layout === undefined) return { data: plain };
  const reader = new WireReader(plain);
  const entries = Object.entries(layout).map(([key, field]) => {
    const value: unknown = field.read(reader);
    return [key, TEXTUAL.has(field) ? field.format(value) : value] as const;
  });
  return Object.fromEntries(entries);
}

/** Kinds whose text is what everybody works with. */
// biome-ignore lint/suspicious/noExplicitAny: a set of field kinds of different values.
const TEXTUAL: ReadonlySet<Field<any>> = new Set<Field<any>>([
  name,
  compressibleName,
  ipv4,
  ipv6,
  eui48,
  eui64,
  locator64,
]);

/**
 * The plain data that words of a zone file stand for; any type may also be given as `\# length hex`.
 *
 * @throws DnsError `bad-text`; `text.taken` then tells how many words were used
 */
export function rdataFromText(type: number, text: RdataText): Buffer {
  const first = text.peek();
  if (first !== undefined && !first.quoted && first.text === '\\#') return genericFromText(type, text);
  const layout = layoutOf(type);
  if (layout === undefined) {
    throw new DnsError('bad-text', `data of ${typeName(type)} must be written as \\# length hexadecimal`);
  }
  const writer = new WireWriter(MAX_RDATA_BYTES, 'plain');
  for (const [key, field] of Object.entries(layout)) field.write(field.parse(text, wordsOf(key)), writer);
  if (!text.done)
    throw new DnsError('bad-text', `unexpected after the data of ${typeName(type)}: ${text.next('').text}`);
  if (writer.full) throw new DnsError('bad-text', `data of ${typeName(type)} is longer than 65535 octets`);
  return writer.copyFrom(0);
}

function genericText(plain: Buffer): string {
  return plain.length === 0 ? '\\# 0' : `\\# ${plain.length} ${plain.toString('hex').toUpperCase()}`;
}

/** `\# 4 C0000201`: RFC 3597 section 5. Data of a known type must still have that type's form. */
function genericFromText(type: number, text: RdataText): Buffer {
  text.next('');
  const length = decimal(text.plain('the length of the data'), MAX_RDATA_BYTES, 'the length of the data');
  const octets = text.done ? Buffer.alloc(0) : hexFromText(text.joined('the data'), 'the data');
  if (octets.length !== length) {
    throw new DnsError('bad-text', `the data has ${octets.length} octets and not ${length} as it says`);
  }
  const reader = new WireReader(octets);
  const plain = decodeRdata(type, reader, length);
  if (reader.problem !== undefined || !plain.equals(octets)) {
    throw new DnsError(
      'bad-text',
      `not the data of ${typeName(type)}: ${reader.problem ?? 'a name is compressed'}`,
    );
  }
  return plain;
}

/** `nameServer` as people say it: "name server". */
function wordsOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
