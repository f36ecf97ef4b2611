/**
 * Field tables: the typed dictionaries of arguments, headers and peer properties.
 *
 *     table   uint32 length │ { name: uint8 length + UTF-8 │ type octet │ value } …
 *     array   uint32 length │ { type octet │ value } …
 *
 * The standard's table of type octets (4.2.1) and what brokers do differ; these are RabbitMQ's, which all
 * clients in use follow. Note `s`: a 16-bit integer, never a short string.
 *
 * A decoded value keeps its type octet, so that encoding it again gives the same bytes.
 */
import { ByteReader, ShortRead } from '../../core/bytes/reader.ts';
import type { ByteWriter } from '../../core/bytes/writer.ts';
import { AmqpError } from '../errors.ts';
import { NAME_MAX_BYTES, TABLE_MAX_DEPTH, TABLE_MAX_ENTRIES } from '../limits.ts';

export type FieldValue =
  | { readonly type: 't'; readonly value: boolean }
  /** int8, uint8, int16, uint16, int32, uint32. */
  | { readonly type: 'b' | 'B' | 's' | 'u' | 'I' | 'i'; readonly value: number }
  /** int64; timestamp in seconds since 1970. */
  | { readonly type: 'l' | 'T'; readonly value: bigint }
  | { readonly type: 'f' | 'd'; readonly value: number }
  /** `value` / 10^`scale`. */
  | { readonly type: 'D'; readonly scale: number; readonly value: number }
  /** Text; bytes when they are not UTF-8, which clients do send. */
  | { readonly type: 'S'; readonly value: string | Buffer }
  | { readonly type: 'x'; readonly value: Buffer }
  | { readonly type: 'A'; readonly value: readonly FieldValue[] }
  | { readonly type: 'F'; readonly value: FieldTable }
  | { readonly type: 'V' };

export type FieldTable = ReadonlyMap<string, FieldValue>;

export const EMPTY_TABLE: FieldTable = new Map();

/** What `fieldValue` takes: the plain JavaScript value that reads best. */
export type PlainValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Buffer
  | Date
  | readonly PlainValue[]
  | { readonly [name: string]: PlainValue };

/** The entries still allowed, shared by everything nested in one table. */
interface Budget {
  entries: number;
}

/** Reads a table with its length. @throws AmqpError `syntax-error` naming what is wrong */
export function readTable(reader: ByteReader): FieldTable {
  return strictly('a field table', () => tableOf(nested(reader, 0), { entries: TABLE_MAX_ENTRIES }, 0));
}

function tableOf(reader: ByteReader, budget: Budget, depth: number): FieldTable {
  if (reader.remaining === 0) return EMPTY_TABLE;
  const table = new Map<string, FieldValue>();
  while (reader.remaining > 0) {
    const name = readShortString(reader);
    if (table.has(name)) throw malformed(`field '${name}' occurs twice in one table`);
    table.set(name, readValue(reader, budget, depth));
  }
  return table;
}

function arrayOf(reader: ByteReader, budget: Budget, depth: number): FieldValue[] {
  const values: FieldValue[] = [];
  while (reader.remaining > 0) values.push(readValue(reader, budget, depth));
  return values;
}

/** A reader over the slice that a uint32 length announces. */
function nested(reader: ByteReader, depth: number): ByteReader {
  if (depth > TABLE_MAX_DEPTH) throw malformed(`tables nested deeper than ${TABLE_MAX_DEPTH}`);
  const length = reader.uint32();
  const start = reader.skip(length);
  return new ByteReader(reader.bytes, start, start + length);
}

function readValue(reader: ByteReader, budget: Budget, depth: number): FieldValue {
  budget.entries -= 1;
  if (budget.entries < 0) throw malformed(`a table of more than ${TABLE_MAX_ENTRIES} entries`);
  const type = String.fromCharCode(reader.uint8());
  switch (type) {
    case 't':
      return { type, value: reader.uint8() !== 0 };
    case 'b':
      return { type, value: (reader.uint8() << 24) >> 24 };
    case 'B':
      return { type, value: reader.uint8() };
    case 's':
      return { type, value: reader.int16() };
    case 'u':
      return { type, value: reader.uint16() };
    case 'I':
      return { type, value: reader.int32() };
    case 'i':
      return { type, value: reader.uint32() };
    case 'l':
      return { type, value: reader.int64() };
    case 'T':
      return { type, value: reader.uint64() };
    case 'f':
      return { type, value: reader.float32() };
    case 'd':
      return { type, value: reader.float64() };
    case 'D':
      return { type, scale: reader.uint8(), value: reader.int32() };
    case 'S':
      return { type, value: textOrBytes(reader.take(reader.uint32())) };
    case 'x':
      return { type, value: Buffer.from(reader.take(reader.uint32())) };
    case 'A':
      return { type, value: arrayOf(nested(reader, depth + 1), budget, depth + 1) };
    case 'F':
      return { type, value: tableOf(nested(reader, depth + 1), budget, depth + 1) };
    case 'V':
      return { type };
    default:
      throw malformed(`unknown field type 0x${type.charCodeAt(0).toString(16)}`);
  }
}

function textOrBytes(bytes: Buffer): string | Buffer {
  const text = bytes.toString('utf8');
  return isExactly(text, bytes) ? text : Buffer.from(bytes);
}

/** True when `bytes` were valid UTF-8: only then does the replacement character come from the bytes. */
function isExactly(text: string, bytes: Buffer): boolean {
  return !text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(bytes);
}

/** Reads a short string. @throws AmqpError `syntax-error` when it is not UTF-8 */
export function readShortString(reader: ByteReader): string {
  const bytes = reader.take(reader.uint8());
  const text = bytes.toString('utf8');
  if (!isExactly(text, bytes)) throw malformed('a short string that is not UTF-8');
  return text;
}

/** @throws AmqpError `syntax-error` when `text` is longer than 255 bytes */
export function writeShortString(writer: ByteWriter, text: string): void {
  const length = Buffer.byteLength(text);
  if (length > NAME_MAX_BYTES) {
    throw new AmqpError('syntax-error', `'${text.slice(0, 40)}…' is longer than 255 bytes`, {
      fault: 'local',
    });
  }
  writer.uint8(length).utf8(text);
}

/** Writes a table with its length. */
export function writeTable(writer: ByteWriter, table: FieldTable): void {
  const lengthAt = writer.reserve(4);
  for (const [name, value] of table) {
    writeShortString(writer, name);
    writeValue(writer, value);
  }
  writer.patchUint32(lengthAt, writer.length - lengthAt - 4);
}

function writeValue(writer: ByteWriter, field: FieldValue): void {
  writer.uint8(field.type.charCodeAt(0));
  switch (field.type) {
    case 't':
      return void writer.uint8(field.value ? 1 : 0);
    case 'b':
    case 'B':
      return void writer.uint8(field.value & 0xff);
    case 's':
      return void writer.int16(field.value);
    case 'u':
      return void writer.uint16(field.value);
    case 'I':
      return void writer.int32(field.value);
    case 'i':
      return void writer.uint32(field.value);
    case 'l':
      return void writer.int64(field.value);
    case 'T':
      return void writer.uint64(field.value);
    case 'f':
      return void writer.float32(field.value);
    case 'd':
      return void writer.float64(field.value);
    case 'D':
      return void writer.uint8(field.scale).int32(field.value);
    case 'S':
    case 'x':
      return writeLongString(writer, field.value);
    case 'A':
      return writeArray(writer, field.value);
    case 'F':
      return writeTable(writer, field.value);
    case 'V':
      return;
  }
}

function writeLongString(writer: ByteWriter, value: string | Buffer): void {
  if (typeof value === 'string') writer.uint32(Buffer.byteLength(value)).utf8(value);
  else writer.uint32(value.length).bytes(value);
}

function writeArray(writer: ByteWriter, values: readonly FieldValue[]): void {
  const lengthAt = writer.reserve(4);
  for (const value of values) writeValue(writer, value);
  writer.patchUint32(lengthAt, writer.length - lengthAt - 4);
}

/** The table that a plain object describes; whole numbers become int32 or int64, others doubles. */
export function fieldTable(plain: Readonly<Record<string, PlainValue | undefined>>): FieldTable {
  const table = new Map<string, FieldValue>();
  for (const [name, value] of Object.entries(plain)) {
    if (value !== undefined) table.set(name, fieldValue(value));
  }
  return table;
}

export function fieldValue(plain: PlainValue): FieldValue {
  if (plain === null) return { type: 'V' };
  if (typeof plain === 'string') return { type: 'S', value: plain };
  if (typeof plain === 'boolean') return { type: 't', value: plain };
  if (typeof plain === 'bigint') return { type: 'l', value: plain };
  if (typeof plain === 'number') return numberValue(plain);
  if (Buffer.isBuffer(plain)) return { type: 'x', value: plain };
  if (plain instanceof Date) return { type: 'T', value: BigInt(Math.floor(plain.getTime() / 1000)) };
  if (isArray(plain)) return { type: 'A', value: plain.map(fieldValue) };
  return { type: 'F', value: fieldTable(plain) };
}

function isArray(plain: PlainValue): plain is readonly PlainValue[] {
  return Array.isArray(plain);
}

function numberValue(value: number): FieldValue {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return { type: 'd', value };
  if (value >= -0x8000_0000 && value <= 0x7fff_ffff) return { type: 'I', value };
  return { type: 'l', value: BigInt(value) };
}

/** The plain value of a field: a 64-bit integer becomes a number when it is a safe one. */
export function plainValue(field: FieldValue): PlainValue {
  switch (field.type) {
    case 'V':
      return null;
    case 'A':
      return field.value.map(plainValue);
    case 'F':
      return plainTable(field.value);
    case 'l':
      return plainInteger(field.value);
    case 'T':
      return new Date(Number(field.value) * 1000);
    case 'D':
      return field.value / 10 ** field.scale;
    default:
      return field.value;
  }
}

function plainInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The same for a whole table; the object has no prototype, so that no name is special. */
export function plainTable(table: FieldTable): Record<string, PlainValue> {
  const plain: Record<string, PlainValue> = Object.create(null);
  for (const [name, value] of table) plain[name] = plainValue(value);
  return plain;
}

/** A field as a whole number, whatever integer type it came in; undefined for anything else. */
export function integerOf(field: FieldValue | undefined): number | undefined {
  switch (field?.type) {
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
      return field.value;
    case 'l':
      return Number(field.value);
    default:
      return undefined;
  }
}

/** A field as text; undefined for anything else. */
export function textOf(field: FieldValue | undefined): string | undefined {
  return field?.type === 'S' && typeof field.value === 'string' ? field.value : undefined;
}

/** Equality by value: integers of different width are equal when their numbers are, as RabbitMQ has it. */
export function equalFields(left: FieldValue | undefined, right: FieldValue | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  const number = integerOf(left);
  if (number !== undefined) return exactInteger(left) === exactInteger(right);
  if (isFloat(left) && isFloat(right)) return Object.is(left.value, right.value);
  if (left.type === 'A' && right.type === 'A') {
    return (
      left.value.length === right.value.length && left.value.every((v, i) => equalFields(v, right.value[i]))
    );
  }
  if (left.type === 'F' && right.type === 'F') return equalTables(left.value, right.value);
  if (left.type === 'V' || right.type === 'V') return left.type === right.type;
  if (left.type === 'D' && right.type === 'D') {
    return left.value * 10 ** right.scale === right.value * 10 ** left.scale;
  }
  if (Buffer.isBuffer(left.value) && Buffer.isBuffer(right.value)) {
    return left.type === right.type && left.value.equals(right.value);
  }
  return left.type === right.type && left.value === right.value;
}

function isFloat(field: FieldValue): field is Extract<FieldValue, { type: 'f' | 'd' }> {
  return field.type === 'f' || field.type === 'd';
}

function exactInteger(field: FieldValue): bigint | undefined {
  if (field.type === 'l') return field.value;
  const number = integerOf(field);
  return number === undefined ? undefined : BigInt(number);
}

export function equalTables(left: FieldTable, right: FieldTable): boolean {
  if (left.size !== right.size) return false;
  for (const [name, value] of left) {
    if (!right.has(name) || !equalFields(value, right.get(name))) return false;
  }
  return true;
}

function malformed(message: string): AmqpError {
  return new AmqpError('syntax-error', message);
}

/** Runs a decoder over one whole payload; running past its end is the peer's syntax error. */
export function strictly<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (thrown) {
    if (thrown instanceof ShortRead) throw malformed(`${what} is shorter than it claims`);
    throw thrown;
  }
}
