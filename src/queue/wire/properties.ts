/**
 * The content header: what a message says about itself.
 *
 *     header payload   uint16 class │ uint16 weight (0) │ uint64 body size │ uint16 flags │ properties …
 *
 * A property is present when its flag is set, from bit 15 down in the order of `PROPERTIES`. The flags and
 * the properties (called `raw` here) travel through the broker untouched: a message is delivered with the
 * bytes it was published with. Section 4.2.6.1.
 */
import { ByteReader } from '../../core/bytes/reader.ts';
import { ByteWriter } from '../../core/bytes/writer.ts';
import { AmqpError } from '../errors.ts';
import { type FieldTable, readTable, strictly, writeShortString, writeTable } from './field-table.ts';
import { BASIC_CLASS_ID, PROPERTIES, type PropertyName } from './specification.ts';

type PropertyValue<Name extends PropertyName> = (typeof PROPERTIES)[Name] extends 'table'
  ? FieldTable
  : (typeof PROPERTIES)[Name] extends 'shortstr'
    ? string
    : number;

/** The properties of a message; `timestamp` in seconds since 1970. */
export type Properties = { readonly [Name in PropertyName]?: PropertyValue<Name> };

export interface ContentHeader {
  /** Octets; up to 2^64 - 1 can be announced, so compare before trusting it. */
  readonly bodySize: number;
  /** Flags and properties as received. */
  readonly raw: Buffer;
}

const ORDER = Object.keys(PROPERTIES) as PropertyName[];
/** Class, weight and body size. */
const RAW_OFFSET = 12;

/** @throws AmqpError `frame-error` when the header is not one of class basic */
export function decodeContentHeader(payload: Buffer): ContentHeader {
  return strictly('a content header', () => {
    const reader = new ByteReader(payload);
    const classId = reader.uint16();
    if (classId !== BASIC_CLASS_ID) throw new AmqpError('frame-error', `content header of class ${classId}`);
    const weight = reader.uint16();
    if (weight !== 0) throw new AmqpError('frame-error', `content header of weight ${weight}`);
    const bodySize = reader.uint32() * 0x1_0000_0000 + reader.uint32();
    reader.skip(2);
    return { bodySize, raw: payload.subarray(RAW_OFFSET) };
  });
}

/** Where each present property lies in `raw`. */
function* walk(raw: Buffer): Generator<readonly [name: PropertyName, reader: ByteReader]> {
  const reader = new ByteReader(raw);
  const flags = reader.uint16();
  if ((flags & 0b11) !== 0)
    throw new AmqpError('syntax-error', 'property flags that class basic does not have');
  for (const [index, name] of ORDER.entries()) {
    if ((flags & (0x8000 >> index)) !== 0) yield [name, reader];
  }
  if (reader.remaining > 0)
    throw new AmqpError('syntax-error', `${reader.remaining} bytes after the properties`);
}

/** @throws AmqpError `syntax-error` */
export function decodeProperties(raw: Buffer): Properties {
  return strictly('the properties of a message', () => {
    const properties: Record<string, unknown> = {};
    for (const [name, reader] of walk(raw)) properties[name] = readProperty(name, reader);
    return properties as Properties;
  });
}

function readProperty(name: PropertyName, reader: ByteReader): unknown {
  switch (PROPERTIES[name]) {
    case 'table':
      return readTable(reader);
    case 'octet':
      return reader.uint8();
    case 'timestamp':
      return reader.uint32() * 0x1_0000_0000 + reader.uint32();
    case 'shortstr':
      // Clients put bytes of their own into correlation ids; what is not text is replaced here, never on the wire.
      return reader.utf8(reader.uint8());
  }
}

/** Flags and properties as bytes. */
export function encodeProperties(properties: Properties): Buffer {
  const writer = new ByteWriter(64);
  writer.uint16(0);
  let flags = 0;
  for (const [index, name] of ORDER.entries()) {
    const value = properties[name];
    if (value === undefined) continue;
    flags |= 0x8000 >> index;
    writeProperty(writer, name, value);
  }
  writer.patchUint16(0, flags);
  return writer.take();
}

function writeProperty(writer: ByteWriter, name: PropertyName, value: unknown): void {
  switch (PROPERTIES[name]) {
    case 'table':
      return writeTable(writer, value as FieldTable);
    case 'octet':
      return void writer.uint8(value as number);
    case 'timestamp': {
      const seconds = value as number;
      return void writer.uint32(Math.floor(seconds / 0x1_0000_0000)).uint32(seconds % 0x1_0000_0000);
    }
    case 'shortstr':
      return writeShortString(writer, value as string);
  }
}

/**
 * `raw` with some properties replaced or (as undefined) removed; all others keep their exact bytes.
 * @throws AmqpError `syntax-error`
 */
export function replaceProperties(raw: Buffer, changes: { [Name in PropertyName]?: unknown }): Buffer {
  return strictly('the properties of a message', () => {
    const kept = new Map<PropertyName, Buffer>();
    for (const [name, reader] of walk(raw)) {
      const start = reader.position;
      readProperty(name, reader);
      kept.set(name, raw.subarray(start, reader.position));
    }
    const writer = new ByteWriter(raw.length + 64);
    writer.uint16(0);
    let flags = 0;
    for (const [index, name] of ORDER.entries()) {
      const value = Object.hasOwn(changes, name) ? changes[name] : kept.get(name);
      if (value === undefined) continue;
      flags |= 0x8000 >> index;
      if (Buffer.isBuffer(value)) writer.bytes(value);
      else writeProperty(writer, name, value);
    }
    writer.patchUint16(0, flags);
    return writer.take();
  });
}
