/**
 * BITFIELD: integers of any width within a string. `i8` is signed with 8 bits (up to i64), `u5` unsigned with 5
 * (up to u63); an offset is in bits, or in fields when it begins with `#`.
 */
import { failure, syntaxError } from '../../errors.ts';
import { MAX_STRING_BYTES } from '../../limits.ts';
import type { Call, Command } from '../command.ts';
import { integer, parseInteger } from '../numbers.ts';
import { ByteString } from '../values/byte-string.ts';
import { openBits } from './bits.ts';

type Overflow = 'wrap' | 'sat' | 'fail';

interface Field {
  readonly signed: boolean;
  readonly width: number;
  readonly offset: number;
}

type Operation =
  | { readonly what: 'get'; readonly field: Field }
  | {
      readonly what: 'set' | 'incrby';
      readonly field: Field;
      readonly operand: bigint;
      readonly overflow: Overflow;
    };

function parseOperations(args: readonly string[]): Operation[] {
  const operations: Operation[] = [];
  let overflow: Overflow = 'wrap';
  for (let i = 2; i < args.length; ) {
    const word = args[i]!.toLowerCase();
    if (word === 'overflow' && i + 1 < args.length) {
      overflow = overflowOf(args[i + 1]!);
      i += 2;
    } else if (word === 'get' && i + 2 < args.length) {
      operations.push({ what: 'get', field: fieldOf(args[i + 1]!, args[i + 2]!) });
      i += 3;
    } else if ((word === 'set' || word === 'incrby') && i + 3 < args.length) {
      const field = fieldOf(args[i + 1]!, args[i + 2]!);
      operations.push({ what: word, field, operand: BigInt(integer(args[i + 3]!)), overflow });
      i += 4;
    } else throw syntaxError();
  }
  return operations;
}

function overflowOf(text: string): Overflow {
  const word = text.toLowerCase();
  if (word === 'wrap' || word === 'sat' || word === 'fail') return word;
  throw failure('Invalid OVERFLOW type specified');
}

function fieldOf(type: string, offsetText: string): Field {
  const signed = type[0] === 'i';
  const width = parseInteger(type.slice(1));
  if ((!signed && type[0] !== 'u') || typeof width !== 'number' || width < 1 || width > (signed ? 64 : 63)) {
    throw failure(
      'Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
    );
  }
  const inFields = offsetText.startsWith('#');
  const given = parseInteger(inFields ? offsetText.slice(1) : offsetText);
  const offset = typeof given === 'number' ? given * (inFields ? width : 1) : -1;
  if (offset < 0 || (offset + width) / 8 > MAX_STRING_BYTES)
    throw failure('bit offset is not an integer or out of range');
  return { signed, width, offset };
}

function readField(value: ByteString, { signed, width, offset }: Field): bigint {
  let bits = 0n;
  for (let bit = offset; bit < offset + width; bit++) {
    bits = (bits << 1n) | BigInt((value.byteAt(Math.floor(bit / 8)) >> (7 - (bit % 8))) & 1);
  }
  return signed ? BigInt.asIntN(width, bits) : bits;
}

function writeField(value: ByteString, { width, offset }: Field, content: bigint): void {
  const bits = BigInt.asUintN(width, content);
  for (let i = 0; i < width; i++) {
    const bit = offset + i;
    const place = Math.floor(bit / 8);
    const mask = 128 >> (bit % 8);
    const one = (bits >> BigInt(width - 1 - i)) & 1n;
    value.setByte(place, one === 1n ? value.byteAt(place) | mask : value.byteAt(place) & ~mask);
  }
}

/** What fits the field, or undefined when the operation is not to be done. */
function fitted(wanted: bigint, { signed, width }: Field, overflow: Overflow): bigint | undefined {
  const min = signed ? -(1n << BigInt(width - 1)) : 0n;
  const max = signed ? (1n << BigInt(width - 1)) - 1n : (1n << BigInt(width)) - 1n;
  if (wanted >= min && wanted <= max) return wanted;
  if (overflow === 'fail') return undefined;
  if (overflow === 'sat') return wanted < min ? min : max;
  return signed ? BigInt.asIntN(width, wanted) : BigInt.asUintN(width, wanted);
}

/** Carries out one write. @returns what is replied */
function change(value: ByteString, operation: Exclude<Operation, { what: 'get' }>): bigint | undefined {
  const { field, operand, overflow, what } = operation;
  const before = readField(value, field);
  const after = fitted(what === 'set' ? operand : before + operand, field, overflow);
  if (after === undefined) return undefined;
  writeField(value, field, after);
  return what === 'set' ? before : after;
}

function bitfield({ db, args, reply }: Call): void {
  const operations = parseOperations(args);
  const results = operations.every(({ what }) => what === 'get') ? readOnly() : writing();
  reply.array(results.length);
  for (const result of results) {
    if (result === undefined) reply.nil();
    else reply.integer(result);
  }

  function readOnly(): (bigint | undefined)[] {
    const value = new ByteString(db.readString(args[1]!) ?? '');
    return operations.map(({ field }) => readField(value, field));
  }

  function writing(): (bigint | undefined)[] {
    const entry = openBits(db, args[1]!);
    const outcome = operations.map((operation) =>
      operation.what === 'get' ? readField(entry.value, operation.field) : change(entry.value, operation),
    );
    db.changed(entry, '$', 'setbit');
    return outcome;
  }
}

function bitfieldReadOnly(call: Call): void {
  if (parseOperations(call.args).some(({ what }) => what !== 'get')) {
    throw failure('BITFIELD_RO only supports the GET subcommand');
  }
  bitfield(call);
}

export const BIT_FIELD_COMMANDS: readonly Command[] = [
  {
    name: 'bitfield',
    arity: -2,
    flags: ['write', 'denyoom'],
    group: 'bitmap',
    since: '3.2.0',
    keys: [1, 1, 1],
    summary: 'Reads and changes integers of any width within a string.',
    run: bitfield,
  },
  {
    name: 'bitfield_ro',
    arity: -2,
    flags: ['readonly', 'fast'],
    group: 'bitmap',
    since: '6.0.0',
    keys: [1, 1, 1],
    summary: 'Reads integers of any width within a string.',
    run: bitfieldReadOnly,
  },
];
