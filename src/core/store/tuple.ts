/**
 * Keys of several parts whose byte order is the order of the parts, left to right.
 *
 *   encodeKey(['orders', 17, 'paid'])
 *
 *   60 6f 72 64 65 72 73 00   29 11   60 70 61 69 64 00
 *   ▲  o  r  d  e  r  s  end  ▲  17   ▲  p  a  i  d  end
 *   tag: string               tag: positive integer of one byte
 *
 *   tag      part                       payload
 *   0x10     null                       none
 *   0x18     false                      none
 *   0x19     true                       none
 *   0x1f     integer < -(2^64 - 1)      one byte 255 - n, then n bytes of the magnitude, inverted
 *   0x20..27 negative integer           8 to 1 bytes of the magnitude, inverted, big-endian
 *   0x28     zero                       none
 *   0x29..30 positive integer           1 to 8 bytes of the magnitude, big-endian
 *   0x31     integer > 2^64 - 1         one byte n, then n bytes of the magnitude
 *   0x40     float64                    8 bytes, IEEE 754, sign bit flipped (all bits when negative)
 *   0x60     string                     UTF-8, 0x00 as 0x00 0xff, ended by 0x00
 *   0x70     bytes                      the bytes, 0x00 as 0x00 0xff, ended by 0x00
 *
 * No tag is 0x00 or 0xff. So a part that ends sorts before one that goes on, and everything that begins
 * with the parts `p` lies from encodeKey(p) up to, not including, encodeKey(p) followed by 0xff.
 * Parts of different kinds sort by their tags: null, booleans, integers, floats, strings, bytes.
 */
import { AssertionFailed, assert } from '../assert.ts';

/** A number that is to be ordered among floats. Integers and floats never compare with one another. */
export class Float64 {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** Marks a part as a float. NaN sorts after every number; -0 becomes 0. */
export function float64(value: number): Float64 {
  return new Float64(value);
}

/** A plain number must be a safe integer: mixing 1 and 1.5 in one column would lose its order. */
export type KeyPart = null | boolean | number | bigint | Float64 | string | Uint8Array;

export interface KeyRange {
  readonly from: Buffer;
  readonly to: Buffer;
}

const NULL = 0x10;
const FALSE = 0x18;
const TRUE = 0x19;
const NEGATIVE_LONG = 0x1f;
const ZERO = 0x28;
const POSITIVE_LONG = 0x31;
const FLOAT64 = 0x40;
const STRING = 0x60;
const BYTES = 0x70;

const END = 0x00;
const ESCAPED = 0xff;
const MAGNITUDE_BYTES_MAX = 255;
const SIGN_BIT = 1n << 63n;
const ALL_BITS = (1n << 64n) - 1n;

/**
 * One key of `parts`.
 * @throws AssertionFailed for a plain number that is no safe integer, and for an integer over 255 bytes
 */
export function encodeKey(parts: readonly KeyPart[]): Buffer {
  let size = 0;
  for (const part of parts) size += sizeBound(part);
  const into = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) at = writePart(into, at, part);
  return at === size ? into : into.subarray(0, at);
}

/** The bounds of all keys whose first parts are `parts`, the key of exactly these parts included. */
export function prefixRange(parts: readonly KeyPart[]): KeyRange {
  const from = encodeKey(parts);
  const to = Buffer.allocUnsafe(from.length + 1);
  to.set(from);
  to[from.length] = ESCAPED;
  return { from, to };
}

/** The most bytes that `part` can take. */
function sizeBound(part: KeyPart): number {
  if (typeof part === 'string') return 2 + Buffer.byteLength(part) + zerosIn(part);
  if (typeof part === 'number') return 9;
  if (part === null || typeof part === 'boolean') return 1;
  if (typeof part === 'bigint') return 2 + Math.ceil(part.toString(16).length / 2);
  if (part instanceof Float64) return 9;
  let zeros = 0;
  for (const byte of part) if (byte === 0) zeros += 1;
  return 2 + part.length + zeros;
}

function zerosIn(text: string): number {
  let zeros = 0;
  for (let at = text.indexOf('\0'); at !== -1; at = text.indexOf('\0', at + 1)) zeros += 1;
  return zeros;
}

function writePart(into: Buffer, at: number, part: KeyPart): number {
  if (typeof part === 'string') return writeString(into, at, part);
  if (typeof part === 'number') return writeNumber(into, at, part);
  if (typeof part === 'bigint') return writeBigint(into, at, part);
  if (part === null) return into.writeUInt8(NULL, at);
  if (typeof part === 'boolean') return into.writeUInt8(part ? TRUE : FALSE, at);
  if (part instanceof Float64) return writeFloat(into, at, part.value);
  into[at] = BYTES;
  return writeEscaped(into, at + 1, part);
}

function writeString(into: Buffer, at: number, text: string): number {
  into[at] = STRING;
  if (text.includes('\0')) return writeEscaped(into, at + 1, Buffer.from(text));
  const end = at + 1 + into.write(text, at + 1);
  into[end] = END;
  return end + 1;
}

function writeEscaped(into: Buffer, start: number, bytes: Uint8Array): number {
  let at = start;
  for (const byte of bytes) {
    into[at++] = byte;
    if (byte === 0) into[at++] = ESCAPED;
  }
  into[at] = END;
  return at + 1;
}

function writeNumber(into: Buffer, at: number, value: number): number {
  assert(Number.isSafeInteger(value), 'a key part that is a number must be a safe integer, or use float64()');
  if (value === 0) return into.writeUInt8(ZERO, at);
  const magnitude = Math.abs(value);
  const length = magnitudeBytes(magnitude);
  into[at] = value > 0 ? ZERO + length : ZERO - length;
  writeMagnitude(into, at + 1, magnitude, length, value < 0);
  return at + 1 + length;
}

/** Bytes that a positive safe integer takes: 1 to 7. */
function magnitudeBytes(magnitude: number): number {
  let length = 1;
  for (let bound = 0x100; magnitude >= bound; bound *= 0x100) length += 1;
  return length;
}

function writeMagnitude(into: Buffer, at: number, magnitude: number, length: number, invert: boolean): void {
  let rest = magnitude;
  for (let index = at + length - 1; index >= at; index -= 1) {
    const byte = rest % 0x100;
    into[index] = invert ? 0xff - byte : byte;
    rest = (rest - byte) / 0x100;
  }
}

function writeBigint(into: Buffer, at: number, value: bigint): number {
  if (value === 0n) return into.writeUInt8(ZERO, at);
  const negative = value < 0n;
  const hex = (negative ? -value : value).toString(16);
  const magnitude = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  assert(magnitude.length <= MAGNITUDE_BYTES_MAX, 'an integer in a key takes at most 255 bytes');
  const start = writeIntegerHead(into, at, magnitude.length, negative);
  for (const [index, byte] of magnitude.entries()) into[start + index] = negative ? 0xff - byte : byte;
  return start + magnitude.length;
}

/** The tag, and the length where the tag does not tell it. @returns where the magnitude begins */
function writeIntegerHead(into: Buffer, at: number, length: number, negative: boolean): number {
  if (length <= 8) return into.writeUInt8(negative ? ZERO - length : ZERO + length, at);
  into[at] = negative ? NEGATIVE_LONG : POSITIVE_LONG;
  into[at + 1] = negative ? 0xff - length : length;
  return at + 2;
}

function writeFloat(into: Buffer, at: number, value: number): number {
  into[at] = FLOAT64;
  // Adding 0 turns -0 into 0; writing the constant NaN leaves one bit pattern of the many.
  into.writeDoubleBE(Number.isNaN(value) ? Number.NaN : value + 0, at + 1);
  const bits = into.readBigUInt64BE(at + 1);
  into.writeBigUInt64BE(bits & SIGN_BIT ? bits ^ ALL_BITS : bits | SIGN_BIT, at + 1);
  return at + 9;
}

/**
 * The parts of a key made by `encodeKey`. An integer comes back as a number when it is a safe one, else as
 * a bigint; a float as `Float64`; bytes as a copy.
 * @throws AssertionFailed when `key` was not made by `encodeKey`
 */
export function decodeKey(key: Uint8Array): KeyPart[] {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  const parts: KeyPart[] = [];
  for (let at = 0; at < bytes.length; ) at = readPart(bytes, at, parts);
  return parts;
}

function readPart(bytes: Buffer, at: number, parts: KeyPart[]): number {
  const tag = bytes[at]!;
  if (tag === STRING || tag === BYTES) return readEscaped(bytes, at + 1, tag, parts);
  if (tag >= NEGATIVE_LONG && tag <= POSITIVE_LONG) return readInteger(bytes, at, tag, parts);
  if (tag === FLOAT64) return readFloat(bytes, at + 1, parts);
  if (tag === NULL) parts.push(null);
  else if (tag === FALSE || tag === TRUE) parts.push(tag === TRUE);
  else throw new AssertionFailed(`no key part begins with byte ${tag}, at ${at}`);
  return at + 1;
}

function readEscaped(bytes: Buffer, start: number, tag: number, parts: KeyPart[]): number {
  const chunks: Buffer[] = [];
  let from = start;
  let end = bytes.indexOf(END, from);
  for (; end !== -1 && bytes[end + 1] === ESCAPED; end = bytes.indexOf(END, from)) {
    chunks.push(bytes.subarray(from, end + 1));
    from = end + 2;
  }
  assert(end !== -1, `the key part at ${start - 1} has no end`);
  chunks.push(bytes.subarray(from, end));
  const payload = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  parts.push(tag === STRING ? payload.toString('utf8') : Buffer.from(payload));
  return end + 1;
}

function readInteger(bytes: Buffer, at: number, tag: number, parts: KeyPart[]): number {
  const negative = tag < ZERO;
  const long = tag === NEGATIVE_LONG || tag === POSITIVE_LONG;
  const start = long ? at + 2 : at + 1;
  const length = long ? longLength(bytes, at + 1, negative) : Math.abs(tag - ZERO);
  assert(start + length <= bytes.length, `the integer at ${at} is cut short`);
  let magnitude = 0n;
  for (let index = start; index < start + length; index += 1) {
    magnitude = magnitude * 256n + BigInt(negative ? 0xff - bytes[index]! : bytes[index]!);
  }
  const value = negative ? -magnitude : magnitude;
  parts.push(magnitude <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value);
  return start + length;
}

function longLength(bytes: Buffer, at: number, negative: boolean): number {
  const byte = bytes[at];
  assert(byte !== undefined, `the integer at ${at - 1} is cut short`);
  return negative ? 0xff - byte : byte;
}

function readFloat(bytes: Buffer, at: number, parts: KeyPart[]): number {
  assert(at + 8 <= bytes.length, `the float at ${at - 1} is cut short`);
  const stored = bytes.readBigUInt64BE(at);
  const plain = Buffer.allocUnsafe(8);
  plain.writeBigUInt64BE(stored & SIGN_BIT ? stored ^ SIGN_BIT : stored ^ ALL_BITS);
  parts.push(new Float64(plain.readDoubleBE()));
  return at + 8;
}
