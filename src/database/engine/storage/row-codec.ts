/**
 * A row as bytes.
 *
 *   ┌─────────┬────────────┬─────────────┬────────┬────────┬───
 *   │ version │ columns    │ null bitmap │ value  │ value  │ …
 *   │ 1 byte  │ varint     │ 1 bit each  │        │        │
 *   └─────────┴────────────┴─────────────┴────────┴────────┴───
 *
 * Values stand in column order: bool 1 byte; int2 2, int4/oid/date 4, int8/timestamps/float8/time 8 bytes;
 * float4 4; uuid 16; all else a varint length and that many bytes. Numbers are big-endian. A row with fewer columns than the
 * table is from before they were added. Dropped columns are NULL in new rows.
 */
import { ByteReader } from '../../../core/bytes/reader.ts';
import { ByteWriter } from '../../../core/bytes/writer.ts';
import { DatabaseError } from '../../errors.ts';
import { fromBinary, toBinary } from '../types/binary.ts';
import { OID } from '../types/oids.ts';
import type { Value } from '../types/values.ts';

const VERSION = 1;

export function encodeRow(values: readonly Value[], types: readonly number[]): Buffer {
  const w = new ByteWriter(64);
  w.uint8(VERSION);
  writeVarint(w, types.length);
  const bitmap = w.reserve((types.length + 7) >> 3);
  for (let byte = 0; byte < (types.length + 7) >> 3; byte++)
    w.patchUint8(bitmap + byte, nullBits(values, byte, types.length));
  for (let i = 0; i < types.length; i++) {
    const value = values[i] ?? null;
    if (value !== null) encodeValue(w, value, types[i]!);
  }
  return w.take();
}

function nullBits(values: readonly Value[], byte: number, count: number): number {
  let bits = 0;
  for (let i = byte * 8; i < Math.min(byte * 8 + 8, count); i++)
    if ((values[i] ?? null) === null) bits |= 1 << (i & 7);
  return bits;
}

function writeVarint(w: ByteWriter, value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    w.uint8((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  w.uint8(rest);
}

function readVarint(r: ByteReader): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = r.uint8();
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
}

function encodeValue(w: ByteWriter, value: NonNullable<Value>, oid: number): void {
  switch (oid) {
    case OID.int4:
      w.int32(value as number);
      return;
    case OID.int8:
    case OID.timestamp:
    case OID.timestamptz:
      w.int64(value as bigint);
      return;
    case OID.bool:
      w.uint8(value ? 1 : 0);
      return;
    case OID.int2:
      w.int16(value as number);
      return;
    case OID.float8:
      w.float64(value as number);
      return;
    case OID.text:
    case OID.varchar:
    case OID.bpchar:
    case OID.jsonb:
    case OID.json:
    case OID.name: {
      const text = value as string;
      writeVarint(w, Buffer.byteLength(text));
      w.utf8(text);
      return;
    }
    default: {
      const bytes = toBinary(value, oid);
      if (!isFixed(oid)) writeVarint(w, bytes.length);
      w.bytes(bytes);
    }
  }
}

const FIXED: ReadonlyMap<number, number> = new Map([
  [OID.oid, 4],
  [OID.date, 4],
  [OID.float4, 4],
  [OID.time, 8],
  [OID.uuid, 16],
  [OID.interval, 16],
  [OID.regclass, 4],
  [OID.regtype, 4],
  [OID.regproc, 4],
]);

function isFixed(oid: number): boolean {
  return FIXED.has(oid);
}

/**
 * Fills `into[base …]` with the row's columns; those the row does not have are left to the caller.
 * @returns how many columns the row holds
 */
export function decodeRow(bytes: Buffer, types: readonly number[], into: Value[], base: number): number {
  const r = new ByteReader(bytes);
  const version = r.uint8();
  if (version !== VERSION)
    throw new DatabaseError('XX001', `row format ${version} is not known`, { fault: 'local' });
  const count = readVarint(r);
  const bitmap = r.skip((count + 7) >> 3);
  for (let i = 0; i < count; i++) {
    const isNull = ((bytes[bitmap + (i >> 3)]! >> (i & 7)) & 1) === 1;
    into[base + i] = isNull ? null : decodeValue(r, types[i]!);
  }
  return count;
}

function decodeValue(r: ByteReader, oid: number): Value {
  switch (oid) {
    case OID.int4:
      return r.int32();
    case OID.int8:
    case OID.timestamp:
    case OID.timestamptz:
      return r.int64();
    case OID.bool:
      return r.uint8() === 1;
    case OID.int2:
      return r.int16();
    case OID.float8:
      return r.float64();
    case OID.text:
    case OID.varchar:
    case OID.bpchar:
    case OID.jsonb:
    case OID.json:
    case OID.name:
      return r.utf8(readVarint(r));
    default:
      return fromBinary(r.take(FIXED.get(oid) ?? readVarint(r)), oid);
  }
}
