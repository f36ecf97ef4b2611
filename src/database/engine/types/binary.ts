/**
 * The binary forms of values on the wire (format code 1), all big-endian.
 *
 * PostgreSQL source, the `*send` and `*recv` functions of each type; numeric is
 *   int16 ndigits | int16 weight | int16 sign | int16 dscale | int16 digits in base 10,000 …
 */
import { ByteReader, ShortRead } from '../../../core/bytes/reader.ts';
import { ByteWriter } from '../../../core/bytes/writer.ts';
import { DatabaseError } from '../../errors.ts';
import type { Interval } from './datetime.ts';
import { toJsonb } from './json.ts';
import { Numeric, powerOfTen, special } from './numeric.ts';
import { OID } from './oids.ts';
import { type TypeInfo, typeOf } from './types.ts';
import type { Value } from './values.ts';

const DATE_INFINITY = 2_147_483_647;
const DATE_MINUS_INFINITY = -2_147_483_648;

/** @throws DatabaseError 0A000 for a type without a binary form here */
export function toBinary(value: NonNullable<Value>, oid: number): Buffer {
  const w = new ByteWriter(32);
  writeBinary(w, value, oid);
  return w.take();
}

function writeBinary(w: ByteWriter, value: NonNullable<Value>, oid: number): void {
  switch (oid) {
    case OID.bool:
      w.uint8(value ? 1 : 0);
      return;
    case OID.int2:
      w.int16(value as number);
      return;
    case OID.int4:
      w.int32(value as number);
      return;
    case OID.date:
      w.int32(
        value === Infinity ? DATE_INFINITY : value === -Infinity ? DATE_MINUS_INFINITY : (value as number),
      );
      return;
    case OID.oid:
    case OID.xid:
    case OID.regclass:
    case OID.regtype:
    case OID.regproc:
    case OID.regrole:
    case OID.regnamespace:
      w.uint32(value as number);
      return;
    case OID.int8:
    case OID.timestamp:
    case OID.timestamptz:
      w.int64(value as bigint);
      return;
    case OID.time:
      w.int64(BigInt(value as number));
      return;
    case OID.float4:
      w.float32(value as number);
      return;
    case OID.float8:
      w.float64(value as number);
      return;
    case OID.uuid:
      w.bytes(Buffer.from((value as string).replaceAll('-', ''), 'hex'));
      return;
    case OID.bytea:
      w.bytes(value as Buffer);
      return;
    case OID.jsonb:
      w.uint8(1).utf8(value as string);
      return;
    case OID.interval: {
      const { months, days, micros } = value as Interval;
      w.int64(micros).int32(days).int32(months);
      return;
    }
    case OID.numeric:
      writeNumeric(w, value as Numeric);
      return;
    default:
      writeOther(w, value, typeOf(oid));
  }
}

function writeOther(w: ByteWriter, value: NonNullable<Value>, type: TypeInfo): void {
  if (type.elementOid !== 0) writeArray(w, value as readonly Value[], type);
  else if (typeof value === 'string') w.utf8(value);
  else throw new DatabaseError('0A000', `binary output of type ${type.sqlName} is not supported`);
}

/** int32 dimensions | int32 has nulls | oid element | per dimension: int32 length, int32 lower bound | items */
function writeArray(w: ByteWriter, items: readonly Value[], type: TypeInfo): void {
  w.int32(items.length === 0 ? 0 : 1)
    .int32(items.includes(null) ? 1 : 0)
    .uint32(type.elementOid);
  if (items.length === 0) return;
  w.int32(items.length).int32(type.name.startsWith('_') ? 1 : 0);
  for (const item of items) {
    const at = w.reserve(4);
    if (item === null) w.patchInt32(at, -1);
    else {
      writeBinary(w, item, type.elementOid);
      w.patchInt32(at, w.length - at - 4);
    }
  }
}

function writeNumeric(w: ByteWriter, value: Numeric): void {
  if (value.special !== undefined) {
    w.int16(0)
      .int16(0)
      .uint16({ NaN: 0xc000, Infinity: 0xd000, '-Infinity': 0xf000 }[value.special])
      .int16(0);
    return;
  }
  const pad = (4 - (value.scale % 4)) % 4;
  const negative = value.coefficient < 0n;
  const digits = ((negative ? -value.coefficient : value.coefficient) * powerOfTen(pad)).toString();
  const padded = digits.padStart(Math.ceil(digits.length / 4) * 4, '0');
  const groups: number[] = [];
  for (let i = 0; i < padded.length; i += 4) groups.push(Number(padded.slice(i, i + 4)));
  let weight = groups.length - (value.scale + pad) / 4 - 1;
  while (groups.length > 0 && groups[0] === 0) {
    groups.shift();
    weight--;
  }
  while (groups.length > 0 && groups.at(-1) === 0) groups.pop();
  if (groups.length === 0) weight = 0;
  w.int16(groups.length)
    .int16(weight)
    .uint16(negative ? 0x4000 : 0)
    .int16(value.scale);
  for (const group of groups) w.int16(group);
}

/** @throws DatabaseError 22P03 when the bytes are not a value of the type, 0A000 for a type without a binary form here */
export function fromBinary(bytes: Buffer, oid: number): Value {
  try {
    const r = new ByteReader(bytes);
    const value = readBinary(r, oid);
    if (r.remaining > 0) throw badBinary(oid);
    return value;
  } catch (thrown) {
    throw thrown instanceof ShortRead ? badBinary(oid) : thrown;
  }
}

function badBinary(oid: number): DatabaseError {
  return new DatabaseError('22P03', `incorrect binary data format for type ${typeOf(oid).sqlName}`);
}

function readBinary(r: ByteReader, oid: number): Value {
  switch (oid) {
    case OID.bool:
      return r.uint8() !== 0;
    case OID.int2:
      return r.int16();
    case OID.int4:
      return r.int32();
    case OID.date:
      return readDate(r.int32());
    case OID.oid:
    case OID.xid:
    case OID.regclass:
    case OID.regtype:
    case OID.regproc:
    case OID.regrole:
    case OID.regnamespace:
      return r.uint32();
    case OID.int8:
    case OID.timestamp:
    case OID.timestamptz:
      return r.int64();
    case OID.time:
      return Number(r.int64());
    case OID.float4:
      return r.float32();
    case OID.float8:
      return r.float64();
    case OID.uuid:
      return readUuid(r.take(16).toString('hex'));
    case OID.bytea:
      return Buffer.from(r.take(r.remaining));
    case OID.jsonb:
      return readJsonb(r);
    case OID.json:
      return typeOf(oid).parse(readText(r), undefined as never);
    case OID.interval:
      return readInterval(r);
    case OID.numeric:
      return readNumeric(r);
    case OID.text:
    case OID.varchar:
    case OID.bpchar:
    case OID.name:
    case OID.char:
    case OID.unknown:
      return readText(r);
    default:
      return readOther(r, oid);
  }
}

function readOther(r: ByteReader, oid: number): Value {
  const type = typeOf(oid);
  if (type.elementOid === 0)
    throw new DatabaseError('0A000', `binary input of type ${type.sqlName} is not supported`);
  return readArray(r, type);
}

/** Text parameters of either format pass here: UTF-8, and no zero byte. @throws DatabaseError 22021 */
export function decodeText(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const replaced = text.includes('\ufffd') && !Buffer.from(text).equals(bytes);
  if (replaced || bytes.includes(0)) {
    const shown = replaced ? '' : ': 0x00';
    throw new DatabaseError('22021', `invalid byte sequence for encoding "UTF8"${shown}`);
  }
  return text;
}

function readText(r: ByteReader): string {
  return decodeText(r.take(r.remaining));
}

function readDate(days: number): number {
  if (days === DATE_INFINITY) return Infinity;
  return days === DATE_MINUS_INFINITY ? -Infinity : days;
}

function readUuid(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function readJsonb(r: ByteReader): string {
  const version = r.uint8();
  if (version !== 1) throw new DatabaseError('22P03', `unsupported jsonb version number ${version}`);
  return toJsonb(readText(r));
}

function readInterval(r: ByteReader): Interval {
  const micros = r.int64();
  const days = r.int32();
  return { micros, days, months: r.int32() };
}

function readNumeric(r: ByteReader): Numeric {
  const count = r.uint16();
  const weight = r.int16();
  const sign = r.uint16();
  const scale = r.uint16();
  if (sign === 0xc000) return special('NaN');
  if (sign === 0xd000) return special('Infinity');
  if (sign === 0xf000) return special('-Infinity');
  let coefficient = 0n;
  for (let i = 0; i < count; i++) coefficient = coefficient * 10_000n + BigInt(r.uint16());
  const exponent = (weight - count + 1) * 4 + scale;
  const scaled = exponent >= 0 ? coefficient * powerOfTen(exponent) : coefficient / powerOfTen(-exponent);
  return new Numeric(sign === 0x4000 ? -scaled : scaled, scale);
}

function readArray(r: ByteReader, type: TypeInfo): Value[] {
  const dimensions = r.int32();
  r.int32();
  const element = r.uint32();
  if (element !== type.elementOid) throw new DatabaseError('42804', 'wrong element type');
  if (dimensions === 0) return [];
  if (dimensions !== 1) throw new DatabaseError('0A000', 'multidimensional arrays are not supported');
  const count = r.int32();
  r.int32();
  if (count < 0 || count > r.remaining / 4) throw badBinary(type.oid);
  return Array.from({ length: count }, () => {
    const length = r.int32();
    return length < 0 ? null : fromBinary(r.take(length), element);
  });
}
