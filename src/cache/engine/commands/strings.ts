/** Strings as a whole: GET, SET and their relatives. */
import { failure, stringTooLong, syntaxError, wrongArity } from '../../errors.ts';
import { MAX_STRING_BYTES } from '../../limits.ts';
import type { Call, Command } from '../command.ts';
import { count } from '../numbers.ts';
import { ByteString } from '../values/byte-string.ts';
import { textOf } from '../values/value.ts';
import { deadlineFrom, type ExpiryUnit, expiryUnit } from './deadlines.ts';

function get({ db, args, reply }: Call): void {
  reply.bulkOrNil(db.readString(args[1]!));
}

interface SetOptions {
  readonly condition: 'nx' | 'xx' | undefined;
  readonly returnOld: boolean;
  readonly keepDeadline: boolean;
  /** The time as given, and in which unit. */
  readonly expiry: { readonly unit: ExpiryUnit; readonly text: string } | undefined;
}

const NO_OPTIONS: SetOptions = {
  condition: undefined,
  returnOld: false,
  keepDeadline: false,
  expiry: undefined,
};

function parseSetOptions(args: readonly string[]): SetOptions {
  let condition: SetOptions['condition'];
  let returnOld = false;
  let keepDeadline = false;
  let expiry: SetOptions['expiry'];
  for (let i = 3; i < args.length; i++) {
    const word = args[i]!.toLowerCase();
    const unit = expiryUnit(word);
    if ((word === 'nx' || word === 'xx') && (condition === undefined || condition === word)) condition = word;
    else if (word === 'get') returnOld = true;
    else if (word === 'keepttl' && expiry === undefined) keepDeadline = true;
    else if (unit !== undefined && !keepDeadline && expiry === undefined && i + 1 < args.length) {
      expiry = { unit, text: args[++i]! };
    } else throw syntaxError();
  }
  return { condition, returnOld, keepDeadline, expiry };
}

function set(call: Call): void {
  const { db, args, reply, now } = call;
  const key = args[1]!;
  const options = args.length === 3 ? NO_OPTIONS : parseSetOptions(args);
  const { condition, returnOld, expiry } = options;
  const deadline = expiry === undefined ? undefined : deadlineFrom(expiry.unit, expiry.text, now, 'set');
  const old = returnOld ? db.readString(key) : undefined;
  const blocked = condition !== undefined && (db.peek(key) === undefined) !== (condition === 'nx');
  if (!blocked) {
    const entry = db.put(key, args[2]!, options.keepDeadline);
    db.event('$', 'set', key);
    if (deadline !== undefined) {
      db.setDeadline(entry, deadline);
      db.event('g', 'expire', key);
    }
  }
  if (returnOld) reply.bulkOrNil(old);
  else if (blocked) reply.nil();
  else reply.ok();
}

function setnx({ db, args, reply }: Call): void {
  const isNew = db.peek(args[1]!) === undefined;
  if (isNew) {
    db.put(args[1]!, args[2]!);
    db.event('$', 'set', args[1]!);
  }
  reply.integer(isNew ? 1 : 0);
}

function setWithDeadline(unit: ExpiryUnit, name: string): (call: Call) => void {
  return ({ db, args, reply, now }) => {
    const deadline = deadlineFrom(unit, args[2]!, now, name);
    db.setDeadline(db.put(args[1]!, args[3]!), deadline);
    db.event('$', 'set', args[1]!);
    db.event('g', 'expire', args[1]!);
    reply.ok();
  };
}

function getset({ db, args, reply }: Call): void {
  const old = db.readString(args[1]!);
  db.put(args[1]!, args[2]!);
  db.event('$', 'set', args[1]!);
  reply.bulkOrNil(old);
}

function getdel({ db, args, reply }: Call): void {
  const old = db.readString(args[1]!);
  if (old !== undefined) db.delete(args[1]!);
  reply.bulkOrNil(old);
}

function getex({ db, args, reply, now }: Call): void {
  const word = args[2]?.toLowerCase();
  const unit = word === undefined ? undefined : expiryUnit(word);
  const persist = word === 'persist';
  const expected = word === undefined ? 2 : persist ? 3 : 4;
  if (args.length !== expected || (word !== undefined && !persist && unit === undefined)) throw syntaxError();
  const deadline = unit === undefined ? undefined : deadlineFrom(unit, args[3]!, now, 'getex');
  const text = db.readString(args[1]!);
  if (text !== undefined) {
    const entry = db.peek(args[1]!)!;
    if (persist && db.clearDeadline(entry)) db.deadlineChanged(entry, 'persist');
    if (deadline !== undefined && deadline <= now) db.delete(args[1]!);
    else if (deadline !== undefined) {
      db.setDeadline(entry, deadline);
      db.deadlineChanged(entry, 'expire');
    }
  }
  reply.bulkOrNil(text);
}

function mget({ db, args, reply }: Call): void {
  reply.array(args.length - 1);
  for (let i = 1; i < args.length; i++) {
    const value = db.read(args[i]!)?.value;
    const isString = typeof value === 'string' || value instanceof ByteString;
    reply.bulkOrNil(isString ? textOf(value) : undefined);
  }
}

function putPairs({ db, args }: Call): void {
  for (let i = 1; i < args.length; i += 2) {
    db.put(args[i]!, args[i + 1]!);
    db.event('$', 'set', args[i]!);
  }
}

function mset(call: Call): void {
  if (call.args.length % 2 === 0) throw wrongArity('mset');
  putPairs(call);
  call.reply.ok();
}

function msetnx(call: Call): void {
  const { db, args, reply } = call;
  if (args.length % 2 === 0) throw wrongArity('msetnx');
  let free = true;
  for (let i = 1; i < args.length; i += 2) if (db.peek(args[i]!) !== undefined) free = false;
  if (free) putPairs(call);
  reply.integer(free ? 1 : 0);
}

/** Above this a value that is appended to is kept in a block with room to grow. */
const APPEND_IN_PLACE_BYTES = 512;

function append({ db, args, reply }: Call): void {
  const key = args[1]!;
  const more = args[2]!;
  const entry = db.findString(key);
  if (entry === undefined) {
    db.put(key, more);
    db.event('$', 'append', key);
    reply.integer(more.length);
    return;
  }
  const length = entry.value.length + more.length;
  if (length > MAX_STRING_BYTES) throw stringTooLong();
  if (typeof entry.value === 'string' && length > APPEND_IN_PLACE_BYTES)
    entry.value = new ByteString(entry.value);
  if (typeof entry.value === 'string') entry.value += more;
  else entry.value.write(entry.value.length, more);
  db.changed(entry, '$', 'append');
  reply.integer(length);
}

function strlen({ db, args, reply }: Call): void {
  reply.integer(db.readString(args[1]!)?.length ?? 0);
}

function getrange({ db, args, reply }: Call): void {
  const first = count(args[2]!);
  const last = count(args[3]!);
  const text = db.readString(args[1]!) ?? '';
  const { start, end } = stringRange(text.length, first, last);
  reply.bulk(text.slice(start, end));
}

/**
 * Bounds of a part of a string, as a half-open range. Unlike those of a list, an end in front of the first
 * place means the first place.
 */
export function stringRange(length: number, first: number, last: number): { start: number; end: number } {
  if (first < 0 && last < 0 && first > last) return { start: 0, end: 0 };
  const start = Math.max(0, first < 0 ? length + first : first);
  const end = Math.min(length, Math.max(0, last < 0 ? length + last : last) + 1);
  return { start, end: Math.max(start, end) };
}

function setrange({ db, args, reply }: Call): void {
  const key = args[1]!;
  const offset = count(args[2]!);
  const text = args[3]!;
  if (offset < 0) throw failure('offset is out of range');
  const entry = db.findString(key);
  if (text === '') {
    reply.integer(entry?.value.length ?? 0);
    return;
  }
  if (offset + text.length > MAX_STRING_BYTES) throw stringTooLong();
  const value = entry === undefined ? new ByteString('') : inPlace(entry.value);
  value.write(offset, text);
  if (entry === undefined) {
    db.put(key, value);
    db.event('$', 'setrange', key);
  } else {
    entry.value = value;
    db.changed(entry, '$', 'setrange');
  }
  reply.integer(value.length);
}

/** A value as one that can be changed in place. */
export function inPlace(value: string | ByteString): ByteString {
  return typeof value === 'string' ? new ByteString(value) : value;
}

export const STRING_COMMANDS: readonly Command[] = [
  {
    name: 'get',
    arity: 2,
    flags: ['readonly', 'fast'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Returns the string value of a key.',
    run: get,
  },
  {
    name: 'set',
    arity: -3,
    flags: ['write', 'denyoom'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Sets the string value of a key, ignoring its type.',
    run: set,
  },
  {
    name: 'setnx',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Sets the string value of a key only when it does not exist.',
    run: setnx,
  },
  {
    name: 'setex',
    arity: 4,
    flags: ['write', 'denyoom'],
    group: 'string',
    since: '2.0.0',
    keys: [1, 1, 1],
    summary: 'Sets the string value and expiry, in seconds, of a key.',
    run: setWithDeadline('ex', 'setex'),
  },
  {
    name: 'psetex',
    arity: 4,
    flags: ['write', 'denyoom'],
    group: 'string',
    since: '2.6.0',
    keys: [1, 1, 1],
    summary: 'Sets the string value and expiry, in milliseconds, of a key.',
    run: setWithDeadline('px', 'psetex'),
  },
  {
    name: 'getset',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Sets a key to a new value and returns the previous one.',
    run: getset,
  },
  {
    name: 'getdel',
    arity: 2,
    flags: ['write', 'fast'],
    group: 'string',
    since: '6.2.0',
    keys: [1, 1, 1],
    summary: 'Returns the string value of a key and deletes the key.',
    run: getdel,
  },
  {
    name: 'getex',
    arity: -2,
    flags: ['write', 'fast'],
    group: 'string',
    since: '6.2.0',
    keys: [1, 1, 1],
    summary: 'Returns the string value of a key and sets or clears its expiry.',
    run: getex,
  },
  {
    name: 'mget',
    arity: -2,
    flags: ['readonly', 'fast'],
    group: 'string',
    since: '1.0.0',
    keys: [1, -1, 1],
    summary: 'Returns the string values of several keys.',
    run: mget,
  },
  {
    name: 'mset',
    arity: -3,
    flags: ['write', 'denyoom'],
    group: 'string',
    since: '1.0.1',
    keys: [1, -1, 2],
    summary: 'Sets the string values of several keys.',
    run: mset,
  },
  {
    name: 'msetnx',
    arity: -3,
    flags: ['write', 'denyoom'],
    group: 'string',
    since: '1.0.1',
    keys: [1, -1, 2],
    summary: 'Sets the string values of several keys only when none of them exists.',
    run: msetnx,
  },
  {
    name: 'append',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'string',
    since: '2.0.0',
    keys: [1, 1, 1],
    summary: 'Appends to the string value of a key.',
    run: append,
  },
  {
    name: 'strlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    group: 'string',
    since: '2.2.0',
    keys: [1, 1, 1],
    summary: 'Returns the length of a string value.',
    run: strlen,
  },
  {
    name: 'getrange',
    arity: 4,
    flags: ['readonly'],
    group: 'string',
    since: '2.4.0',
    keys: [1, 1, 1],
    summary: 'Returns a part of a string value.',
    run: getrange,
  },
  {
    name: 'substr',
    arity: 4,
    flags: ['readonly'],
    group: 'string',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Returns a part of a string value. The old name of GETRANGE.',
    run: getrange,
  },
  {
    name: 'setrange',
    arity: 4,
    flags: ['write', 'denyoom'],
    group: 'string',
    since: '2.2.0',
    keys: [1, 1, 1],
    summary: 'Overwrites a part of a string value, from an offset on.',
    run: setrange,
  },
];
