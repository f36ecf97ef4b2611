/** Lists: pushing, popping, and places in them. The commands that may wait are in lists-moving.ts. */
import { failure, noSuchKey, outOfRange, syntaxError } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import { count, notNegative, parseInteger } from '../numbers.ts';
import { ListValue } from '../values/value.ts';

function push(atHead: boolean, mustExist: boolean): (call: Call) => void {
  const event = atHead ? 'lpush' : 'rpush';
  return ({ db, args, reply }) => {
    const entry = mustExist ? db.findAs(args[1]!, ListValue) : db.openAs(args[1]!, ListValue);
    if (entry === undefined) {
      reply.integer(0);
      return;
    }
    for (let i = 2; i < args.length; i++) entry.value.push(args[i]!, atHead);
    db.changed(entry, 'l', event);
    reply.integer(entry.value.size);
  };
}

function pop(atHead: boolean): (call: Call) => void {
  const event = atHead ? 'lpop' : 'rpop';
  return ({ db, args, reply }) => {
    if (args.length > 3) throw failure(`wrong number of arguments for '${event}' command`);
    const wanted = args.length === 3 ? notNegative(args[2]!) : undefined;
    const entry = db.findAs(args[1]!, ListValue);
    if (entry === undefined) {
      if (wanted === undefined) reply.nil();
      else reply.nilArray();
      return;
    }
    const popped: string[] = [];
    const limit = Math.min(wanted ?? 1, entry.value.size);
    while (popped.length < limit) popped.push(entry.value.pop(atHead)!);
    if (popped.length > 0) db.changed(entry, 'l', event);
    if (wanted === undefined) reply.bulk(popped[0]!);
    else reply.bulks(popped);
  };
}

function llen({ db, args, reply }: Call): void {
  reply.integer(db.readAs(args[1]!, ListValue)?.size ?? 0);
}

/** Bounds that may count from the end, as a half-open range within `size`. */
export function rangeWithin(size: number, first: number, last: number): { start: number; end: number } {
  const start = Math.max(0, first < 0 ? size + first : first);
  const end = Math.min(size, (last < 0 ? size + last : last) + 1);
  return { start, end: Math.max(start, end) };
}

function lrange({ db, args, reply }: Call): void {
  const first = count(args[2]!);
  const last = count(args[3]!);
  const list = db.readAs(args[1]!, ListValue);
  if (list === undefined) {
    reply.array(0);
    return;
  }
  const { start, end } = rangeWithin(list.size, first, last);
  reply.bulks(start >= list.size ? [] : list.items.slice(start, end));
}

function ltrim({ db, args, reply }: Call): void {
  const first = count(args[2]!);
  const last = count(args[3]!);
  const entry = db.findAs(args[1]!, ListValue);
  if (entry !== undefined) {
    const list = entry.value;
    const { start, end } = rangeWithin(list.size, first, last);
    const behind = Math.max(0, list.size - Math.max(start, end));
    for (let i = 0; i < behind; i++) list.pop(false);
    for (let i = Math.min(start, list.size); i > 0; i--) list.pop(true);
    db.changed(entry, 'l', 'ltrim');
  }
  reply.ok();
}

function lindex({ db, args, reply }: Call): void {
  const index = count(args[2]!);
  const list = db.readAs(args[1]!, ListValue);
  const place = list === undefined ? -1 : index < 0 ? list.size + index : index;
  reply.bulkOrNil(list !== undefined && place >= 0 && place < list.size ? list.items.at(place) : undefined);
}

function lset({ db, args, reply }: Call): void {
  const entry = db.findAs(args[1]!, ListValue);
  if (entry === undefined) throw noSuchKey();
  const index = count(args[2]!);
  const place = index < 0 ? entry.value.size + index : index;
  if (place < 0 || place >= entry.value.size) throw outOfRange();
  entry.value.set(place, args[3]!);
  db.changed(entry, 'l', 'lset');
  reply.ok();
}

function linsert({ db, args, reply }: Call): void {
  const where = args[2]!.toLowerCase();
  if (where !== 'before' && where !== 'after') throw syntaxError();
  const entry = db.findAs(args[1]!, ListValue);
  if (entry === undefined) {
    reply.integer(0);
    return;
  }
  const place = placesOf(entry.value, args[3]!, false).next().value;
  if (place === undefined) {
    reply.integer(-1);
    return;
  }
  entry.value.insert(where === 'before' ? place : place + 1, args[4]!);
  db.changed(entry, 'l', 'linsert');
  reply.integer(entry.value.size);
}

/** Where an item stands, from the head, or from the tail. */
function* placesOf(list: ListValue, item: string, fromTail: boolean): Generator<number, undefined> {
  let place = fromTail ? list.size - 1 : 0;
  const items = fromTail ? list.items.backFrom(list.size - 1) : list.items.from(0);
  for (const other of items) {
    if (other === item) yield place;
    place += fromTail ? -1 : 1;
  }
  return undefined;
}

function lrem({ db, args, reply }: Call): void {
  const wanted = count(args[2]!);
  const entry = db.findAs(args[1]!, ListValue);
  if (entry === undefined) {
    reply.integer(0);
    return;
  }
  const limit = wanted === 0 ? Number.POSITIVE_INFINITY : Math.abs(wanted);
  const places: number[] = [];
  for (const place of placesOf(entry.value, args[3]!, wanted < 0)) {
    if (places.length >= limit) break;
    places.push(place);
  }
  places.sort((a, b) => b - a);
  for (const place of places) entry.value.removeAt(place);
  if (places.length > 0) db.changed(entry, 'l', 'lrem');
  reply.integer(places.length);
}

interface PositionOptions {
  readonly rank: number;
  /** How many places are wanted (0 all); undefined: the first, as a single integer. */
  readonly wanted: number | undefined;
  readonly maxCompared: number;
}

function positionOptions(args: readonly string[]): PositionOptions {
  let rank = 1;
  let wanted: number | undefined;
  let maxCompared = 0;
  for (let i = 3; i < args.length; i += 2) {
    const word = args[i]!.toLowerCase();
    const operand = args[i + 1];
    if (operand === undefined) throw syntaxError();
    if (word === 'rank') rank = rankOf(operand);
    else if (word === 'count') wanted = notNegative(operand, "COUNT can't be negative");
    else if (word === 'maxlen') maxCompared = notNegative(operand, "MAXLEN can't be negative");
    else throw syntaxError();
  }
  return { rank, wanted, maxCompared: maxCompared === 0 ? Number.POSITIVE_INFINITY : maxCompared };
}

function rankOf(text: string): number {
  const rank = parseInteger(text);
  if (typeof rank === 'bigint')
    throw failure('value is out of range, value must between -9223372036854775807 and 9223372036854775807');
  if (rank === undefined) throw failure('value is not an integer or out of range');
  if (rank !== 0) return rank;
  throw failure(
    "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
  );
}

function lpos({ db, args, reply }: Call): void {
  const options = positionOptions(args);
  const list = db.readAs(args[1]!, ListValue);
  const places = list === undefined ? [] : matchingPlaces(list, args[2]!, options);
  if (options.wanted === undefined) {
    if (places.length > 0) reply.integer(places[0]!);
    else reply.nil();
    return;
  }
  reply.array(places.length);
  for (const place of places) reply.integer(place);
}

function matchingPlaces(list: ListValue, item: string, options: PositionOptions): number[] {
  const { rank, wanted, maxCompared } = options;
  const fromTail = rank < 0;
  const limit = wanted === undefined ? 1 : wanted === 0 ? Number.POSITIVE_INFINITY : wanted;
  const places: number[] = [];
  let skip = Math.abs(rank) - 1;
  for (const place of placesOf(list, item, fromTail)) {
    const compared = fromTail ? list.size - place : place + 1;
    if (compared > maxCompared || places.length >= limit) break;
    if (skip > 0) skip--;
    else places.push(place);
  }
  return places;
}

export const LIST_COMMANDS: readonly Command[] = [
  {
    name: 'lpush',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Puts items at the head of a list.',
    run: push(true, false),
  },
  {
    name: 'rpush',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Puts items at the tail of a list.',
    run: push(false, false),
  },
  {
    name: 'lpushx',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'list',
    since: '2.2.0',
    keys: [1, 1, 1],
    summary: 'Puts items at the head of a list that exists.',
    run: push(true, true),
  },
  {
    name: 'rpushx',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    group: 'list',
    since: '2.2.0',
    keys: [1, 1, 1],
    summary: 'Puts items at the tail of a list that exists.',
    run: push(false, true),
  },
  {
    name: 'lpop',
    arity: -2,
    flags: ['write', 'fast'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Takes items from the head of a list.',
    run: pop(true),
  },
  {
    name: 'rpop',
    arity: -2,
    flags: ['write', 'fast'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Takes items from the tail of a list.',
    run: pop(false),
  },
  {
    name: 'llen',
    arity: 2,
    flags: ['readonly', 'fast'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Returns the length of a list.',
    run: llen,
  },
  {
    name: 'lrange',
    arity: 4,
    flags: ['readonly'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Returns a range of a list.',
    run: lrange,
  },
  {
    name: 'ltrim',
    arity: 4,
    flags: ['write'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Keeps only a range of a list.',
    run: ltrim,
  },
  {
    name: 'lindex',
    arity: 3,
    flags: ['readonly'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Returns the item at a place of a list.',
    run: lindex,
  },
  {
    name: 'lset',
    arity: 4,
    flags: ['write', 'denyoom'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Changes the item at a place of a list.',
    run: lset,
  },
  {
    name: 'linsert',
    arity: 5,
    flags: ['write', 'denyoom'],
    group: 'list',
    since: '2.2.0',
    keys: [1, 1, 1],
    summary: 'Puts an item before or after another one.',
    run: linsert,
  },
  {
    name: 'lrem',
    arity: 4,
    flags: ['write'],
    group: 'list',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Removes items that are equal to the argument.',
    run: lrem,
  },
  {
    name: 'lpos',
    arity: -3,
    flags: ['readonly'],
    group: 'list',
    since: '6.0.6',
    keys: [1, 1, 1],
    summary: 'Returns where an item stands in a list.',
    run: lpos,
  },
];
