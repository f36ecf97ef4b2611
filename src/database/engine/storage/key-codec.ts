/**
 * Values as bytes whose order is the order of the values: the keys of rows and indexes.
 *
 *   per value:  01 <bytes>  a value        02  NULL (NULLS LAST)       00  NULL (NULLS FIRST)
 *
 * Integers are big-endian with the sign bit turned; floats likewise, negatives complemented; texts end in
 * 00 00 with inner 00 escaped as 00 FF; numeric as sign, exponent, digits. A descending column complements
 * every byte after its marker.
 */
import { ByteWriter } from '../../../core/bytes/writer.ts';
import { DatabaseError } from '../../errors.ts';
import { MAX_INDEX_KEY_BYTES } from '../../limits.ts';
import { type Interval, intervalMicros } from '../types/datetime.ts';
import type { Numeric } from '../types/numeric.ts';
import { OID } from '../types/oids.ts';
import { trimBlanks, typeOf } from '../types/types.ts';
import type { Value } from '../types/values.ts';

export interface KeyPart {
  readonly type: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export class KeyWriter {
  readonly #w = new ByteWriter(48);

  part(value: Value, { type, descending, nullsFirst }: KeyPart): this {
    if (value === null) {
      this.#w.uint8(nullsFirst ? 0 : 2);
      return this;
    }
    this.#w.uint8(1);
    const start = this.#w.length;
    writeOrdered(this.#w, value, type);
    if (descending) complement(this.#w.view(), start);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#w.bytes(bytes);
    return this;
  }

  byte(value: number): this {
    this.#w.uint8(value);
    return this;
  }

  /** @throws DatabaseError 54000 when the key is longer than an index allows */
  take(): Buffer {
    if (this.#w.length > MAX_INDEX_KEY_BYTES)
      throw new DatabaseError(
        '54000',
        `index row size ${this.#w.length} exceeds maximum ${MAX_INDEX_KEY_BYTES}`,
        {
          hint: 'Consider an index on a shorter value, such as a hash of it.',
        },
      );
    return this.#w.take();
  }
}

function complement(bytes: Buffer, start: number): void {
  for (let i = start; i < bytes.length; i++) bytes[i] = bytes[i]! ^ 0xff;
}

/** The first key after every key that begins with `prefix`; undefined when there is none. */
export function afterPrefix(prefix: Uint8Array): Buffer | undefined {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return undefined;
  const next = Buffer.from(prefix.subarray(0, end));
  next[end - 1] = next[end - 1]! + 1;
  return next;
}

/** True for the types that an index can be made of. */
export function isIndexable(oid: number): boolean {
  return INDEXABLE.has(oid);
}

const INDEXABLE: ReadonlySet<number> = new Set([
  OID.bool,
  OID.bytea,
  OID.char,
  OID.name,
  OID.int8,
  OID.int2,
  OID.int4,
  OID.text,
  OID.oid,
  OID.float4,
  OID.float8,
  OID.bpchar,
  OID.varchar,
  OID.date,
  OID.time,
  OID.timestamp,
  OID.timestamptz,
  OID.interval,
  OID.numeric,
  OID.uuid,
]);

function writeOrdered(w: ByteWriter, value: NonNullable<Value>, oid: number): void {
  switch (oid) {
    case OID.int2:
    case OID.int4:
      w.uint32(((value as number) ^ 0x80000000) >>> 0);
      return;
    case OID.oid:
      w.uint32(value as number);
      return;
    case OID.int8:
    case OID.timestamp:
    case OID.timestamptz:
      w.uint64(BigInt.asUintN(64, (value as bigint) ^ (1n << 63n)));
      return;
    case OID.bool:
      w.uint8(value ? 1 : 0);
      return;
    case OID.float4:
    case OID.float8:
    case OID.date:
    case OID.time:
      writeFloat(w, value as number);
      return;
    case OID.interval:
      w.uint64(BigInt.asUintN(64, intervalMicros(value as Interval) ^ (1n << 63n)));
      return;
    case OID.uuid:
      w.bytes(Buffer.from((value as string).replaceAll('-', ''), 'hex'));
      return;
    case OID.numeric:
      writeNumeric(w, value as Numeric);
      return;
    case OID.bpchar:
      writeBytes(w, Buffer.from(trimBlanks(value as string)));
      return;
    case OID.bytea:
      writeBytes(w, value as Buffer);
      return;
    default:
      if (typeof value !== 'string')
        throw new DatabaseError('0A000', `an index on type ${typeOf(oid).sqlName} is not supported`);
      writeBytes(w, Buffer.from(value));
  }
}

/** -0 is 0, and every NaN is the greatest. */
function writeFloat(w: ByteWriter, value: number): void {
  if (Number.isNaN(value)) {
    w.uint64(0xffff_ffff_ffff_ffffn);
    return;
  }
  const at = w.reserve(8);
  const view = w.view();
  view.writeDoubleBE(value === 0 ? 0 : value, at);
  if ((view[at]! & 0x80) !== 0) for (let i = at; i < at + 8; i++) view[i] = view[i]! ^ 0xff;
  else view[at] = view[at]! | 0x80;
}

function writeBytes(w: ByteWriter, bytes: Buffer): void {
  let from = 0;
  for (;;) {
    const zero = bytes.indexOf(0, from);
    if (zero < 0) break;
    w.bytes(bytes.subarray(from, zero + 1)).uint8(0xff);
    from = zero + 1;
  }
  w.bytes(bytes.subarray(from)).uint8(0).uint8(0);
}

/** 00 -Infinity | 01 negative, complemented | 02 zero | 03 exponent, digits | 04 Infinity | 05 NaN */
function writeNumeric(w: ByteWriter, value: Numeric): void {
  if (value.special !== undefined) {
    w.uint8({ '-Infinity': 0, Infinity: 4, NaN: 5 }[value.special]);
    return;
  }
  if (value.coefficient === 0n) {
    w.uint8(2);
    return;
  }
  const negative = value.coefficient < 0n;
  const digits = (negative ? -value.coefficient : value.coefficient).toString();
  w.uint8(negative ? 1 : 3);
  const start = w.length;
  w.uint32(digits.length - value.scale + 0x40000000);
  w.latin1(digits.replace(/0+$/, '')).uint8(0);
  if (negative) complement(w.view(), start);
}
