/** Sets: members, and the algebra of several sets. */
import { failure, syntaxError } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import type { Database } from '../keyspace.ts';
import { notNegative, parseInteger } from '../numbers.ts';
import { scanPlaces } from '../values/dense-set.ts';
import { SetValue } from '../values/value.ts';
import { countedKeys } from './lists-moving.ts';
import { drawDistinct, parseDraw } from './random-draw.ts';
import { parseScan } from './scan-arguments.ts';

function sadd({ db, args, reply }: Call): void {
  const entry = db.openAs(args[1]!, SetValue);
  let added = 0;
  for (let i = 2; i < args.length; i++) if (entry.value.add(args[i]!)) added++;
  if (added > 0) db.changed(entry, 's', 'sadd');
  reply.integer(added);
}

function srem({ db, args, reply }: Call): void {
  const entry = db.findAs(args[1]!, SetValue);
  let removed = 0;
  if (entry !== undefined) {
    for (let i = 2; i < args.length; i++) if (entry.value.delete(args[i]!)) removed++;
    if (removed > 0) db.changed(entry, 's', 'srem');
  }
  reply.integer(removed);
}

function scard({ db, args, reply }: Call): void {
  reply.integer(db.readAs(args[1]!, SetValue)?.size ?? 0);
}

function sismember({ db, args, reply }: Call): void {
  reply.integer(db.readAs(args[1]!, SetValue)?.has(args[2]!) ? 1 : 0);
}

function smismember({ db, args, reply }: Call): void {
  const set = db.readAs(args[1]!, SetValue);
  reply.array(args.length - 2);
  for (let i = 2; i < args.length; i++) reply.integer(set?.has(args[i]!) ? 1 : 0);
}

function smembers({ db, args, reply }: Call): void {
  reply.bulkSet(db.readAs(args[1]!, SetValue)?.list() ?? []);
}

function smove({ db, args, reply }: Call): void {
  const [, from, to, member] = args as [string, string, string, string];
  const source = db.findAs(from, SetValue);
  if (source !== undefined) db.findAs(to, SetValue);
  if (source === undefined || !source.value.has(member)) {
    reply.integer(0);
    return;
  }
  if (from !== to) {
    const target = db.openAs(to, SetValue);
    source.value.delete(member);
    target.value.add(member);
    db.changed(source, 's', 'srem');
    db.changed(target, 's', 'sadd');
  }
  reply.integer(1);
}

function spop({ db, args, reply, engine }: Call): void {
  if (args.length > 3) throw syntaxError();
  const wanted = args.length === 3 ? notNegative(args[2]!) : undefined;
  const entry = db.findAs(args[1]!, SetValue);
  if (entry === undefined) {
    if (wanted === undefined) reply.nil();
    else reply.set(0);
    return;
  }
  const { keys } = entry.value.members;
  const places = drawDistinct(keys.length, wanted ?? 1, engine.options.random);
  const popped = places.map((place) => keys[place]!);
  for (const member of popped) entry.value.delete(member);
  if (popped.length > 0) db.changed(entry, 's', 'spop');
  if (wanted === undefined) reply.bulk(popped[0]!);
  else reply.bulkSet(popped);
}

function srandmember({ db, args, reply, engine }: Call): void {
  if (args.length > 3) throw syntaxError();
  const draw = parseDraw(args, 2, '');
  const keys = db.readAs(args[1]!, SetValue)?.members.keys ?? [];
  const { random } = engine.options;
  if (draw === undefined) reply.bulkOrNil(keys[random.below(Math.max(1, keys.length))]);
  else reply.bulks(draw.places(keys.length, random).map((place) => keys[place]!));
}

function sscan({ db, args, reply }: Call): void {
  const { cursor, count, matches } = parseScan(args, 2);
  const set = db.readAs(args[1]!, SetValue);
  const whole = set === undefined || set.encoding !== 'hashtable';
  const step = scanPlaces(set?.size ?? 0, cursor, whole ? Number.POSITIVE_INFINITY : count);
  const names = step.visited.map((place) => set!.members.keys[place]!);
  reply.array(2);
  reply.bulk(String(step.cursor));
  reply.bulks((whole ? names.reverse() : names).filter(matches));
}

// ---- several sets

type Algebra = (sets: readonly (SetValue | undefined)[]) => string[];

function readSets(db: Database, keys: readonly string[]): (SetValue | undefined)[] {
  return keys.map((key) => db.readAs(key, SetValue));
}

/** Members of all: the smallest set is walked, the others are asked. */
function intersection(sets: readonly (SetValue | undefined)[], limit = Number.POSITIVE_INFINITY): string[] {
  const all: SetValue[] = [];
  for (const set of sets) {
    if (set === undefined) return [];
    all.push(set);
  }
  const [smallest, ...others] = all.sort((a, b) => a.size - b.size);
  const found: string[] = [];
  for (const member of smallest!.list()) {
    if (found.length >= limit) break;
    if (others.every((other) => other.has(member))) found.push(member);
  }
  return found;
}

function union(sets: readonly (SetValue | undefined)[]): string[] {
  const all = new Set<string>();
  for (const set of sets) for (const member of set?.list() ?? []) all.add(member);
  return [...all];
}

function difference([first, ...others]: readonly (SetValue | undefined)[]): string[] {
  return (first?.list() ?? []).filter((member) => !others.some((other) => other?.has(member)));
}

function reading(algebra: Algebra): (call: Call) => void {
  return ({ db, args, reply }) => {
    reply.bulkSet(algebra(readSets(db, args.slice(1))));
  };
}

function storing(algebra: Algebra, event: string): (call: Call) => void {
  return ({ db, args, reply }) => {
    const members = algebra(readSets(db, args.slice(2)));
    storeSet(db, args[1]!, members, event);
    reply.integer(members.length);
  };
}

function storeSet(db: Database, key: string, members: readonly string[], event: string): void {
  if (members.length === 0) {
    db.delete(key);
    return;
  }
  const set = new SetValue(db.keyspace.encodings);
  for (const member of members) set.add(member);
  db.put(key, set);
  db.event('s', event, key);
}

function sintercard({ db, args, reply }: Call): void {
  const numkeys = parseInteger(args[1]!);
  if (typeof numkeys !== 'number' || numkeys <= 0) throw failure('numkeys should be greater than 0');
  if (numkeys > args.length - 2) throw failure("Number of keys can't be greater than number of args");
  const rest = args.slice(2 + numkeys);
  let limit = 0;
  for (let i = 0; i < rest.length; i += 2) {
    if (rest[i]!.toLowerCase() !== 'limit' || i + 1 >= rest.length) throw syntaxError();
    limit = notNegative(rest[i + 1]!, "LIMIT can't be negative");
  }
  const sets = readSets(db, args.slice(2, 2 + numkeys));
  reply.integer(intersection(sets, limit === 0 ? Number.POSITIVE_INFINITY : limit).length);
}

function row(
  name: string,
  arity: number,
  since: string,
  flags: Command['flags'],
  keys: readonly [number, number, number],
  summary: string,
  run: Command['run'],
): Command {
  return { name, arity, flags, group: 'set', since, keys, summary, run };
}

const READ = ['readonly', 'fast'] as const;
const WRITE = ['write', 'denyoom', 'fast'] as const;
const STORE = ['write', 'denyoom'] as const;

export const SET_COMMANDS: readonly Command[] = [
  row('sadd', -3, '1.0.0', WRITE, [1, 1, 1], 'Adds members to a set.', sadd),
  row('srem', -3, '1.0.0', ['write', 'fast'], [1, 1, 1], 'Removes members from a set.', srem),
  row('scard', 2, '1.0.0', READ, [1, 1, 1], 'Returns the number of members.', scard),
  row('sismember', 3, '1.0.0', READ, [1, 1, 1], 'Tells whether something is a member.', sismember),
  row('smismember', -3, '6.2.0', READ, [1, 1, 1], 'Tells for several whether they are members.', smismember),
  row('smembers', 2, '1.0.0', ['readonly'], [1, 1, 1], 'Returns all members.', smembers),
  row('smove', 4, '1.0.0', ['write', 'fast'], [1, 2, 1], 'Moves a member from one set to another.', smove),
  row('spop', -2, '1.0.0', ['write', 'fast'], [1, 1, 1], 'Removes members at random and returns them.', spop),
  row('srandmember', -2, '1.0.0', ['readonly'], [1, 1, 1], 'Returns members at random.', srandmember),
  row('sscan', -3, '2.8.0', ['readonly'], [1, 1, 1], 'Walks over the members of a set.', sscan),
  row(
    'sinter',
    -2,
    '1.0.0',
    ['readonly'],
    [1, -1, 1],
    'Returns the members of all sets.',
    reading((sets) => intersection(sets)),
  ),
  row('sunion', -2, '1.0.0', ['readonly'], [1, -1, 1], 'Returns the members of any set.', reading(union)),
  row(
    'sdiff',
    -2,
    '1.0.0',
    ['readonly'],
    [1, -1, 1],
    'Returns the members of the first set only.',
    reading(difference),
  ),
  row(
    'sinterstore',
    -3,
    '1.0.0',
    STORE,
    [1, -1, 1],
    'Stores the result of SINTER.',
    storing((sets) => intersection(sets), 'sinterstore'),
  ),
  row(
    'sunionstore',
    -3,
    '1.0.0',
    STORE,
    [1, -1, 1],
    'Stores the result of SUNION.',
    storing(union, 'sunionstore'),
  ),
  row(
    'sdiffstore',
    -3,
    '1.0.0',
    STORE,
    [1, -1, 1],
    'Stores the result of SDIFF.',
    storing(difference, 'sdiffstore'),
  ),
  {
    name: 'sintercard',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    group: 'set',
    since: '7.0.0',
    findKeys: countedKeys(1),
    summary: 'Counts the members of all sets, up to a limit.',
    run: sintercard,
  },
];
