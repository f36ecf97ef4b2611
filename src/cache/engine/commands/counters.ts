/** Strings as numbers: INCR and its relatives. */
import { failure, notAFloat, notAnInteger } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import { addFloats, addIntegers, integer, MIN_INT64, parseFloatStrict, parseInteger } from '../numbers.ts';
import { textOf } from '../values/value.ts';

function add(call: Call, by: number | bigint, event: string): void {
  const { db, args, reply } = call;
  const key = args[1]!;
  const entry = db.findString(key);
  const before = entry === undefined ? 0 : parseInteger(textOf(entry.value));
  if (before === undefined) throw notAnInteger();
  const sum = addIntegers(before, by);
  if (entry === undefined) {
    db.put(key, String(sum));
    db.event('$', event, key);
  } else {
    entry.value = String(sum);
    db.changed(entry, '$', event);
  }
  reply.integer(sum);
}

function decrby(call: Call): void {
  const by = integer(call.args[2]!);
  if (by === MIN_INT64) throw failure('decrement would overflow');
  add(call, -by, 'decrby');
}

function incrbyfloat({ db, args, reply }: Call): void {
  const key = args[1]!;
  const entry = db.findString(key);
  const before = entry === undefined ? '0' : textOf(entry.value);
  if (parseFloatStrict(before) === undefined || parseFloatStrict(args[2]!) === undefined) throw notAFloat();
  const sum = addFloats(before, args[2]!);
  db.put(key, sum, true);
  db.event('$', 'incrbyfloat', key);
  reply.bulk(sum);
}

export const COUNTER_COMMANDS: readonly Command[] = [
  {
    name: 'incr',
    arity: 2,
    flags: ['write', 'denyoom', 'fast'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Adds one to the integer value of a key, from 0 when it does not exist.',
    run: (call) => add(call, 1, 'incrby'),
  },
  {
    name: 'decr',
    arity: 2,
    flags: ['write', 'denyoom', 'fast'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Takes one from the integer value of a key, from 0 when it does not exist.',
    run: (call) => add(call, -1, 'decrby'),
  },
  {
    name: 'incrby',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Adds to the integer value of a key.',
    run: (call) => add(call, integer(call.args[2]!), 'incrby'),
  },
  {
    name: 'decrby',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Takes from the integer value of a key.',
    run: decrby,
  },
  {
    name: 'incrbyfloat',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'string',
    since: '2.6.0',
    keys: [1, 1, 1],
    summary: 'Adds to the decimal value of a key.',
    run: incrbyfloat,
  },
];
