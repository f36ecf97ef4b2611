/** Strings as rows of bits: the first bit is the highest of the first byte. BITFIELD is in bit-fields.ts. */
import { failure, stringTooLong, syntaxError } from '../../errors.ts';
import { MAX_STRING_BYTES } from '../../limits.ts';
import type { Call, Command } from '../command.ts';
import type { Database, Entry } from '../keyspace.ts';
import { count, parseInteger } from '../numbers.ts';
import { ByteString } from '../values/byte-string.ts';
import { inPlace, stringRange } from './strings.ts';

/** @throws ERR bit offset is not an integer or out of range */
export function bitOffset(text: string): number {
  const offset = parseInteger(text);
  if (typeof offset !== 'number' || offset < 0 || offset / 8 >= MAX_STRING_BYTES) {
    throw failure('bit offset is not an integer or out of range');
  }
  return offset;
}

/** The string under a key, made if needed, in a form that can be changed in place; report with `bitsChanged`. */
export function openBits(db: Database, key: string): Entry<ByteString> {
  const entry = db.findString(key);
  if (entry === undefined) return db.put(key, new ByteString('')) as Entry<ByteString>;
  entry.value = inPlace(entry.value);
  return entry as Entry<ByteString>;
}

function setbit({ db, args, reply }: Call): void {
  const offset = bitOffset(args[2]!);
  if (args[3] !== '0' && args[3] !== '1') throw failure('bit is not an integer or out of range');
  const entry = openBits(db, args[1]!);
  const mask = 128 >> (offset % 8);
  const place = Math.floor(offset / 8);
  const before = entry.value.byteAt(place);
  entry.value.setByte(place, args[3] === '1' ? before | mask : before & ~mask);
  db.changed(entry, '$', 'setbit');
  reply.integer((before & mask) === 0 ? 0 : 1);
}

function getbit({ db, args, reply }: Call): void {
  const offset = bitOffset(args[2]!);
  const text = db.readString(args[1]!) ?? '';
  const place = Math.floor(offset / 8);
  const byte = place < text.length ? text.charCodeAt(place) : 0;
  reply.integer((byte >> (7 - (offset % 8))) & 1);
}

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

/** BYTE or BIT. */
function countsBits(word: string | undefined): boolean {
  const folded = word?.toLowerCase();
  if (folded === undefined || folded === 'byte') return false;
  if (folded === 'bit') return true;
  throw syntaxError();
}

/** Ones in the bits `start` up to and without `end`. */
function onesIn(text: string, start: number, end: number): number {
  let ones = 0;
  let bit = start;
  for (; bit < end && bit % 8 !== 0; bit++) ones += bitOf(text, bit);
  for (; bit + 8 <= end; bit += 8) ones += ONES[text.charCodeAt(bit / 8)]!;
  for (; bit < end; bit++) ones += bitOf(text, bit);
  return ones;
}

function bitOf(text: string, bit: number): number {
  return (text.charCodeAt(Math.floor(bit / 8)) >> (7 - (bit % 8))) & 1;
}

function bitcount({ db, args, reply }: Call): void {
  if (args.length === 3 || args.length > 5) throw syntaxError();
  const first = args.length > 3 ? count(args[2]!) : 0;
  const last = args.length > 3 ? count(args[3]!) : -1;
  const inBits = countsBits(args[4]);
  const text = db.readString(args[1]!) ?? '';
  const unit = inBits ? 1 : 8;
  const { start, end } = stringRange((text.length * 8) / unit, first, last);
  reply.integer(onesIn(text, start * unit, end * unit));
}

function bitpos({ db, args, reply }: Call): void {
  const [, key, bitText, firstText, lastText, unitText] = args;
  if (args.length > 6) throw syntaxError();
  const bit = count(bitText!);
  if (bit !== 0 && bit !== 1) throw failure('The bit argument must be 1 or 0.');
  const first = firstText === undefined ? 0 : count(firstText);
  const last = lastText === undefined ? -1 : count(lastText);
  const unit = countsBits(unitText) ? 1 : 8;
  const text = db.readString(key!);
  if (text === undefined) {
    reply.integer(bit === 1 ? -1 : 0);
    return;
  }
  const { start, end } = stringRange((text.length * 8) / unit, first, last);
  const place = firstBit(text, bit, start * unit, end * unit);
  // Without an end the string goes on with zeros for ever; with one it does not.
  const endless = bit === 0 && lastText === undefined && start < end;
  reply.integer(place < 0 && endless ? text.length * 8 : place);
}

function firstBit(text: string, bit: number, start: number, end: number): number {
  const passed = bit === 1 ? 0 : 255;
  for (let at = start; at < end; at++) {
    if (at % 8 === 0 && at + 8 <= end && text.charCodeAt(at / 8) === passed) {
      at += 7;
      continue;
    }
    if (bitOf(text, at) === bit) return at;
  }
  return -1;
}

type ByteOperation = (a: number, b: number) => number;

const OPERATIONS: Readonly<Record<string, ByteOperation>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

function bitop({ db, args, reply }: Call): void {
  const name = args[1]!.toLowerCase();
  const operation = OPERATIONS[name];
  if (operation === undefined && name !== 'not') throw syntaxError();
  if (name === 'not' && args.length !== 4)
    throw failure('BITOP NOT must be called with a single source key.');
  const sources = args.slice(3).map((key) => Buffer.from(db.readString(key) ?? '', 'latin1'));
  const length = Math.max(...sources.map((source) => source.length));
  if (length > MAX_STRING_BYTES) throw stringTooLong();
  if (length === 0) db.delete(args[2]!);
  else {
    const result = operation === undefined ? inverted(sources[0]!) : combined(sources, length, operation);
    db.put(args[2]!, result.toString('latin1'));
    db.event('$', 'set', args[2]!);
  }
  reply.integer(length);
}

function inverted(source: Buffer): Buffer {
  return source.map((byte) => ~byte) as Buffer;
}

function combined([first, ...others]: readonly Buffer[], length: number, operation: ByteOperation): Buffer {
  const result = Buffer.alloc(length);
  result.set(first!);
  for (const other of others) {
    for (let i = 0; i < length; i++) result[i] = operation(result[i]!, i < other.length ? other[i]! : 0);
  }
  return result;
}

export const BIT_COMMANDS: readonly Command[] = [
  {
    name: 'setbit',
    arity: 4,
    flags: ['write', 'denyoom'],
    group: 'bitmap',
    since: '2.2.0',
    keys: [1, 1, 1],
    summary: 'Sets or clears a bit and returns what it was.',
    run: setbit,
  },
  {
    name: 'getbit',
    arity: 3,
    flags: ['readonly', 'fast'],
    group: 'bitmap',
    since: '2.2.0',
    keys: [1, 1, 1],
    summary: 'Returns a bit.',
    run: getbit,
  },
  {
    name: 'bitcount',
    arity: -2,
    flags: ['readonly'],
    group: 'bitmap',
    since: '2.6.0',
    keys: [1, 1, 1],
    summary: 'Counts the bits that are set.',
    run: bitcount,
  },
  {
    name: 'bitpos',
    arity: -3,
    flags: ['readonly'],
    group: 'bitmap',
    since: '2.8.7',
    keys: [1, 1, 1],
    summary: 'Finds the first bit that is set, or clear.',
    run: bitpos,
  },
  {
    name: 'bitop',
    arity: -4,
    flags: ['write', 'denyoom'],
    group: 'bitmap',
    since: '2.6.0',
    keys: [2, -1, 1],
    summary: 'Stores the result of a bitwise operation between strings.',
    run: bitop,
  },
];
