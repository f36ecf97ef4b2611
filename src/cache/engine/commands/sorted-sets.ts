/** Sorted sets: members and their scores. Ranges are in sorted-set-ranges.ts, algebra in sorted-set-algebra.ts. */
import { failure, notAFloat, syntaxError } from '../../errors.ts';
import { formatDouble } from '../../wire/double.ts';
import type { Call, Command } from '../command.ts';
import type { Entry } from '../keyspace.ts';
import { notNegative, parseFloatStrict } from '../numbers.ts';
import { scanPlaces } from '../values/dense-set.ts';
import { SortedSetValue } from '../values/value.ts';
import { timeoutMs } from './blocking-arguments.ts';
import { countedKeys, parseMultiPop } from './lists-moving.ts';
import { parseDraw } from './random-draw.ts';
import { parseScan } from './scan-arguments.ts';

interface AddOptions {
  readonly nx: boolean;
  readonly xx: boolean;
  readonly gt: boolean;
  readonly lt: boolean;
  readonly countChanged: boolean;
  readonly increment: boolean;
  readonly pairs: readonly { readonly score: number; readonly member: string }[];
}

const ADD_WORDS = new Set(['nx', 'xx', 'gt', 'lt', 'ch', 'incr']);

function parseAdd(args: readonly string[]): AddOptions {
  const words = new Set<string>();
  let at = 2;
  while (at < args.length && ADD_WORDS.has(args[at]!.toLowerCase())) words.add(args[at++]!.toLowerCase());
  if (at === args.length || (args.length - at) % 2 !== 0) throw syntaxError();
  const [nx, xx, gt, lt] = ['nx', 'xx', 'gt', 'lt'].map((word) => words.has(word)) as [
    boolean,
    boolean,
    boolean,
    boolean,
  ];
  if (nx && xx) throw failure('XX and NX options at the same time are not compatible');
  if ((gt && (nx || lt)) || (lt && nx))
    throw failure('GT, LT, and/or NX options at the same time are not compatible');
  const increment = words.has('incr');
  if (increment && args.length - at > 2)
    throw failure('INCR option supports a single increment-element pair');
  const pairs: { score: number; member: string }[] = [];
  for (; at < args.length; at += 2) pairs.push({ score: scoreOf(args[at]!), member: args[at + 1]! });
  return { nx, xx, gt, lt, countChanged: words.has('ch'), increment, pairs };
}

/** @throws ERR value is not a valid float */
export function scoreOf(text: string): number {
  const score = parseFloatStrict(text);
  if (score === undefined) throw notAFloat();
  return score;
}

type Outcome = 'added' | 'updated' | 'unchanged' | 'not-allowed';

function addOne(zset: SortedSetValue, member: string, given: number, options: AddOptions): Outcome {
  const before = zset.score(member);
  if (before === undefined) {
    if (options.xx) return 'not-allowed';
    zset.set(member, given);
    return 'added';
  }
  if (options.nx) return 'not-allowed';
  const score = options.increment ? before + given : given;
  if (Number.isNaN(score)) throw failure('resulting score is not a number (NaN)');
  if ((options.gt && score <= before) || (options.lt && score >= before)) return 'not-allowed';
  if (score === before) return 'unchanged';
  zset.set(member, score);
  return 'updated';
}

function add(call: Call, options: AddOptions): void {
  const { db, args, reply } = call;
  const found = db.findAs(args[1]!, SortedSetValue);
  if (found === undefined && options.xx) {
    if (options.increment) reply.nil();
    else reply.integer(0);
    return;
  }
  const entry = found ?? db.openAs(args[1]!, SortedSetValue);
  const outcomes = options.pairs.map(({ score, member }) => addOne(entry.value, member, score, options));
  const added = outcomes.filter((outcome) => outcome === 'added').length;
  const updated = outcomes.filter((outcome) => outcome === 'updated').length;
  if (added + updated > 0) db.changed(entry, 'z', options.increment ? 'zincr' : 'zadd');
  if (!options.increment) reply.integer(options.countChanged ? added + updated : added);
  else if (outcomes[0] === 'not-allowed') reply.nil();
  else reply.double(entry.value.score(options.pairs[0]!.member)!);
}

function zadd(call: Call): void {
  add(call, parseAdd(call.args));
}

function zincrby(call: Call): void {
  const [, , by, member] = call.args as [string, string, string, string];
  const pairs = [{ score: scoreOf(by), member }];
  add(call, { nx: false, xx: false, gt: false, lt: false, countChanged: false, increment: true, pairs });
}

function zrem({ db, args, reply }: Call): void {
  const entry = db.findAs(args[1]!, SortedSetValue);
  let removed = 0;
  if (entry !== undefined) {
    for (let i = 2; i < args.length; i++) if (entry.value.delete(args[i]!)) removed++;
    if (removed > 0) db.changed(entry, 'z', 'zrem');
  }
  reply.integer(removed);
}

function zcard({ db, args, reply }: Call): void {
  reply.integer(db.readAs(args[1]!, SortedSetValue)?.size ?? 0);
}

function zscore({ db, args, reply }: Call): void {
  const score = db.readAs(args[1]!, SortedSetValue)?.score(args[2]!);
  if (score === undefined) reply.nil();
  else reply.double(score);
}

function zmscore({ db, args, reply }: Call): void {
  const zset = db.readAs(args[1]!, SortedSetValue);
  reply.array(args.length - 2);
  for (let i = 2; i < args.length; i++) {
    const score = zset?.score(args[i]!);
    if (score === undefined) reply.nil();
    else reply.double(score);
  }
}

function zrank(reverse: boolean): (call: Call) => void {
  return ({ db, args, reply }) => {
    const withScore = args.length === 4 && args[3]!.toLowerCase() === 'withscore';
    if (args.length > 3 && !withScore) throw syntaxError();
    const zset = db.readAs(args[1]!, SortedSetValue);
    const rank = zset?.rank(args[2]!);
    if (zset === undefined || rank === undefined) {
      if (withScore) reply.nilArray();
      else reply.nil();
      return;
    }
    const shown = reverse ? zset.size - 1 - rank : rank;
    if (withScore) reply.array(2);
    reply.integer(shown);
    if (withScore) reply.double(zset.score(args[2]!)!);
  };
}

/** Takes up to `count` members from one end. */
function takeFrom(zset: SortedSetValue, count: number, fromTop: boolean): [member: string, score: number][] {
  const taken: [string, number][] = [];
  zset.order.walk(fromTop ? zset.size - 1 : 0, count, fromTop, (member, score) => {
    taken.push([member, score]);
    return true;
  });
  for (const [member] of taken) zset.delete(member);
  return taken;
}

function zpop(fromTop: boolean): (call: Call) => void {
  return ({ db, args, reply }) => {
    if (args.length > 3) throw syntaxError();
    const wanted = args.length === 3 ? notNegative(args[2]!) : undefined;
    const entry = db.findAs(args[1]!, SortedSetValue);
    const taken = entry === undefined ? [] : takeFrom(entry.value, wanted ?? 1, fromTop);
    if (entry !== undefined && taken.length > 0) db.changed(entry, 'z', fromTop ? 'zpopmax' : 'zpopmin');
    const nested = wanted !== undefined && reply.protocol === 3;
    reply.array(nested ? taken.length : taken.length * 2);
    for (const [member, score] of taken) {
      if (nested) reply.array(2);
      reply.bulk(member);
      reply.double(score);
    }
  };
}

/** As in lists-moving.ts: tried again, a command goes on waiting for keys of another type. */
function zsetAt({ db, retry }: Call, key: string): Entry<SortedSetValue> | undefined {
  if (retry && !(db.peek(key)?.value instanceof SortedSetValue)) return undefined;
  return db.findAs(key, SortedSetValue);
}

function bzpop(fromTop: boolean): (call: Call) => void {
  return (call) => {
    const { engine, db, args, reply } = call;
    const timeout = timeoutMs(args.at(-1)!);
    const keys = args.slice(1, -1);
    for (const key of keys) {
      const entry = zsetAt(call, key);
      if (entry === undefined) continue;
      const [member, score] = takeFrom(entry.value, 1, fromTop)[0]!;
      db.changed(entry, 'z', fromTop ? 'zpopmax' : 'zpopmin');
      reply.array(3);
      reply.bulk(key);
      reply.bulk(member);
      reply.double(score);
      return;
    }
    engine.blocking.block(call, { keys, timeoutMs: timeout, whenOver: (later) => later.nilArray() });
  };
}

const ENDS = ['min', 'max'] as const;

function popFirst(call: Call, { keys, where, wanted }: ReturnType<typeof parseMultiPop>): boolean {
  const { db, reply } = call;
  for (const key of keys) {
    const entry = zsetAt(call, key);
    if (entry === undefined) continue;
    const taken = takeFrom(entry.value, wanted, where === 'max');
    db.changed(entry, 'z', `zpop${where}`);
    reply.array(2);
    reply.bulk(key);
    reply.array(taken.length);
    for (const [member, score] of taken) {
      reply.array(2);
      reply.bulk(member);
      reply.double(score);
    }
    return true;
  }
  return false;
}

function zmpop(call: Call): void {
  if (!popFirst(call, parseMultiPop(call.args, 1, ENDS))) call.reply.nilArray();
}

function bzmpop(call: Call): void {
  const timeout = timeoutMs(call.args[1]!);
  const options = parseMultiPop(call.args, 2, ENDS);
  if (popFirst(call, options)) return;
  const whenOver = (reply: Call['reply']): void => reply.nilArray();
  call.engine.blocking.block(call, { keys: options.keys, timeoutMs: timeout, whenOver });
}

function zrandmember({ db, args, reply, engine }: Call): void {
  const draw = parseDraw(args, 2, 'withscores');
  const zset = db.readAs(args[1]!, SortedSetValue);
  const { random } = engine.options;
  if (draw === undefined) {
    reply.bulkOrNil(zset?.scores.keys[random.below(Math.max(1, zset.size))]);
    return;
  }
  const places = zset === undefined ? [] : draw.places(zset.size, random);
  const nested = draw.withMore && reply.protocol === 3;
  reply.array(draw.withMore && !nested ? places.length * 2 : places.length);
  for (const place of places) {
    if (nested) reply.array(2);
    reply.bulk(zset!.scores.keys[place]!);
    if (draw.withMore) reply.double(zset!.scores.values[place]!);
  }
}

function zscan({ db, args, reply }: Call): void {
  const { cursor, count, matches } = parseScan(args, 2);
  const zset = db.readAs(args[1]!, SortedSetValue);
  const found: string[] = [];
  const note = (member: string, score: number): boolean => {
    if (matches(member)) found.push(member, formatDouble(score));
    return true;
  };
  let next = 0;
  if (zset?.encoding === 'listpack') zset.order.walk(0, zset.size, false, note);
  else if (zset !== undefined) {
    const step = scanPlaces(zset.size, cursor, count);
    for (const place of step.visited) note(zset.scores.keys[place]!, zset.scores.values[place]!);
    next = step.cursor;
  }
  reply.array(2);
  reply.bulk(String(next));
  reply.bulks(found);
}

function row(
  name: string,
  arity: number,
  since: string,
  flags: Command['flags'],
  summary: string,
  run: Command['run'],
): Command {
  return { name, arity, flags, group: 'sorted-set', since, keys: [1, 1, 1], summary, run };
}

const READ = ['readonly', 'fast'] as const;
const WRITE = ['write', 'denyoom', 'fast'] as const;
const TAKE = ['write', 'fast'] as const;

export const SORTED_SET_COMMANDS: readonly Command[] = [
  row('zadd', -4, '1.2.0', WRITE, 'Adds members to a sorted set, or changes their scores.', zadd),
  row('zincrby', 4, '1.2.0', WRITE, 'Adds to the score of a member.', zincrby),
  row('zrem', -3, '1.2.0', TAKE, 'Removes members from a sorted set.', zrem),
  row('zcard', 2, '1.2.0', READ, 'Returns the number of members.', zcard),
  row('zscore', 3, '1.2.0', READ, 'Returns the score of a member.', zscore),
  row('zmscore', -3, '6.2.0', READ, 'Returns the scores of several members.', zmscore),
  row('zrank', -3, '2.0.0', READ, 'Returns the place of a member, from the lowest score.', zrank(false)),
  row('zrevrank', -3, '2.0.0', READ, 'Returns the place of a member, from the highest score.', zrank(true)),
  row('zpopmin', -2, '5.0.0', TAKE, 'Takes the members with the lowest scores.', zpop(false)),
  row('zpopmax', -2, '5.0.0', TAKE, 'Takes the members with the highest scores.', zpop(true)),
  row('zrandmember', -2, '6.2.0', ['readonly'], 'Returns members at random.', zrandmember),
  row('zscan', -3, '2.8.0', ['readonly'], 'Walks over the members of a sorted set.', zscan),
  {
    name: 'zmpop',
    arity: -4,
    flags: ['write', 'movablekeys'],
    group: 'sorted-set',
    since: '7.0.0',
    findKeys: countedKeys(1),
    summary: 'Takes members from the first sorted set that has some.',
    run: zmpop,
  },
  {
    name: 'bzpopmin',
    arity: -3,
    flags: ['write', 'fast', 'noscript', 'blocking'],
    group: 'sorted-set',
    since: '5.0.0',
    keys: [1, -2, 1],
    summary: 'Takes the member with the lowest score, or waits for one.',
    run: bzpop(false),
  },
  {
    name: 'bzpopmax',
    arity: -3,
    flags: ['write', 'fast', 'noscript', 'blocking'],
    group: 'sorted-set',
    since: '5.0.0',
    keys: [1, -2, 1],
    summary: 'Takes the member with the highest score, or waits for one.',
    run: bzpop(true),
  },
  {
    name: 'bzmpop',
    arity: -5,
    flags: ['write', 'blocking', 'movablekeys'],
    group: 'sorted-set',
    since: '7.0.0',
    findKeys: countedKeys(2),
    summary: 'Takes members from the first sorted set that has some, or waits.',
    run: bzmpop,
  },
];
