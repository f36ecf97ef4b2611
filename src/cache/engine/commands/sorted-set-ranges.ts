/**
 * Ranges of sorted sets: by rank, by score, by member (`BYLEX`, meant for equal scores), in either direction.
 * Each is first turned into ranks, so returning, counting, removing and storing share everything else.
 */
import { failure, syntaxError } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import type { Database } from '../keyspace.ts';
import { count as parseCount, parseFloatStrict } from '../numbers.ts';
import { SortedSetValue } from '../values/value.ts';
import { rangeWithin } from './lists.ts';

/** Ranks from `start` up to and without `end`. */
interface Ranks {
  readonly start: number;
  readonly end: number;
}

type Selector = (zset: SortedSetValue) => Ranks;

function byRank(first: string, last: string, reverse: boolean): Selector {
  const from = parseCount(first);
  const to = parseCount(last);
  return ({ size }) => {
    const { start, end } = rangeWithin(size, from, to);
    const clipped = { start: Math.min(start, size), end };
    return reverse ? { start: size - clipped.end, end: size - clipped.start } : clipped;
  };
}

interface ScoreBound {
  readonly score: number;
  readonly exclusive: boolean;
}

function scoreBound(text: string): ScoreBound {
  const exclusive = text.startsWith('(');
  const score = parseFloatStrict(exclusive ? text.slice(1) : text);
  if (score === undefined) throw failure('min or max is not a float');
  return { score, exclusive };
}

function byScore(min: string, max: string): Selector {
  const low = scoreBound(min);
  const high = scoreBound(max);
  return ({ order }) => ({
    start: order.countBefore((score) => (low.exclusive ? score <= low.score : score < low.score)),
    end: order.countBefore((score) => (high.exclusive ? score < high.score : score <= high.score)),
  });
}

/** `-`, `+`, `[member` or `(member`. */
type LexBound = { readonly at: 'first' | 'last' } | { readonly member: string; readonly exclusive: boolean };

function lexBound(text: string): LexBound {
  if (text === '-') return { at: 'first' };
  if (text === '+') return { at: 'last' };
  if (text[0] === '[' || text[0] === '(') return { member: text.slice(1), exclusive: text[0] === '(' };
  throw failure('min or max not valid string range item');
}

function byLex(min: string, max: string): Selector {
  const low = lexBound(min);
  const high = lexBound(max);
  return (zset) => ({ start: lexRank(zset, low, false), end: lexRank(zset, high, true) });
}

/** The rank of a bound; `above` counts an inclusive member itself too. */
function lexRank({ order, size }: SortedSetValue, bound: LexBound, above: boolean): number {
  if ('at' in bound) return bound.at === 'first' ? 0 : size;
  const withSelf = bound.exclusive !== above;
  return order.countBefore((_, member) => (withSelf ? member <= bound.member : member < bound.member));
}

interface RangeRequest {
  readonly select: Selector;
  readonly reverse: boolean;
  readonly offset: number;
  /** Negative: all. */
  readonly limit: number;
  readonly withScores: boolean;
}

type Pair = readonly [member: string, score: number];

function pairsOf(zset: SortedSetValue | undefined, request: RangeRequest): Pair[] {
  if (zset === undefined || request.offset < 0) return [];
  const { start, end } = request.select(zset);
  const { reverse, offset, limit } = request;
  const length = Math.max(0, end - start - offset);
  const wanted = limit < 0 ? length : Math.min(limit, length);
  const pairs: Pair[] = [];
  zset.order.walk(reverse ? end - 1 - offset : start + offset, wanted, reverse, (member, score) => {
    pairs.push([member, score]);
    return true;
  });
  return pairs;
}

/** Members, or members with scores: flat in RESP2, pairs in RESP3. */
export function writePairs(reply: Call['reply'], pairs: readonly Pair[], withScores: boolean): void {
  const nested = withScores && reply.protocol === 3;
  reply.array(withScores && !nested ? pairs.length * 2 : pairs.length);
  for (const [member, score] of pairs) {
    if (nested) reply.array(2);
    reply.bulk(member);
    if (withScores) reply.double(score);
  }
}

/** Stores pairs as a sorted set; none deletes the key. */
export function storePairs(db: Database, key: string, pairs: readonly Pair[], event: string): void {
  if (pairs.length === 0) {
    db.delete(key);
    return;
  }
  const zset = new SortedSetValue(db.keyspace.encodings);
  for (const [member, score] of pairs) zset.set(member, score);
  db.put(key, zset);
  db.event('z', event, key);
}

function respond(call: Call, key: string, request: RangeRequest): void {
  writePairs(call.reply, pairsOf(call.db.readAs(key, SortedSetValue), request), request.withScores);
}

type By = 'rank' | 'score' | 'lex';

interface RangeOptions {
  readonly by: By;
  readonly reverse: boolean;
  readonly limit: { readonly offset: number; readonly count: number } | undefined;
  readonly withScores: boolean;
}

/** The words after the bounds. Each old command knows only some of them. */
function parseOptions(words: readonly string[], allowed: ReadonlySet<string>): RangeOptions {
  let by: By = 'rank';
  let reverse = false;
  let limit: RangeOptions['limit'];
  let withScores = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!.toLowerCase();
    if (!allowed.has(word)) throw syntaxError();
    if (word === 'byscore') by = 'score';
    else if (word === 'bylex') by = 'lex';
    else if (word === 'rev') reverse = true;
    else if (word === 'withscores') withScores = true;
    else if (i + 2 >= words.length) throw syntaxError();
    else limit = { offset: parseCount(words[++i]!), count: parseCount(words[++i]!) };
  }
  return { by, reverse, limit, withScores };
}

function selectorFor(by: By, first: string, last: string, reverse: boolean): Selector {
  // In reverse the higher bound is given first.
  const [min, max] = reverse ? [last, first] : [first, last];
  if (by === 'score') return byScore(min, max);
  return by === 'lex' ? byLex(min, max) : byRank(first, last, reverse);
}

const ZRANGE_WORDS = new Set(['byscore', 'bylex', 'rev', 'limit', 'withscores']);
const ZRANGESTORE_WORDS = new Set(['byscore', 'bylex', 'rev', 'limit']);

function unified(args: readonly string[], keyAt: number, allowed: ReadonlySet<string>): RangeRequest {
  const { by, reverse, limit, withScores } = parseOptions(args.slice(keyAt + 3), allowed);
  if (limit !== undefined && by === 'rank') {
    throw failure('syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX');
  }
  if (withScores && by === 'lex') {
    throw failure('syntax error, WITHSCORES not supported in combination with BYLEX');
  }
  const select = selectorFor(by, args[keyAt + 1]!, args[keyAt + 2]!, reverse);
  return { select, reverse, offset: limit?.offset ?? 0, limit: limit?.count ?? -1, withScores };
}

function zrange(call: Call): void {
  respond(call, call.args[1]!, unified(call.args, 1, ZRANGE_WORDS));
}

function zrangestore({ db, args, reply }: Call): void {
  const request = unified(args, 2, ZRANGESTORE_WORDS);
  const pairs = pairsOf(db.readAs(args[2]!, SortedSetValue), request);
  storePairs(db, args[1]!, pairs, 'zrangestore');
  reply.integer(pairs.length);
}

const OLD_WORDS: Readonly<Record<By, ReadonlySet<string>>> = {
  rank: new Set(['withscores']),
  score: new Set(['withscores', 'limit']),
  lex: new Set(['limit']),
};

/** ZREVRANGE, Z[REV]RANGEBYSCORE, Z[REV]RANGEBYLEX. */
function oldRange(by: By, reverse: boolean): (call: Call) => void {
  return (call) => {
    const { args } = call;
    const { limit, withScores } = parseOptions(args.slice(4), OLD_WORDS[by]);
    const select = selectorFor(by, args[2]!, args[3]!, reverse);
    const request = { select, reverse, offset: limit?.offset ?? 0, limit: limit?.count ?? -1, withScores };
    respond(call, args[1]!, request);
  };
}

function counting(by: By): (call: Call) => void {
  return ({ db, args, reply }) => {
    const select = selectorFor(by, args[2]!, args[3]!, false);
    const zset = db.readAs(args[1]!, SortedSetValue);
    const { start, end } = zset === undefined ? { start: 0, end: 0 } : select(zset);
    reply.integer(Math.max(0, end - start));
  };
}

function removing(by: By): (call: Call) => void {
  const event = `zremrangeby${by}`;
  return ({ db, args, reply }) => {
    const select = selectorFor(by, args[2]!, args[3]!, false);
    const entry = db.findAs(args[1]!, SortedSetValue);
    const request = { select, reverse: false, offset: 0, limit: -1, withScores: false };
    const pairs = pairsOf(entry?.value, request);
    for (const [member] of pairs) entry!.value.delete(member);
    if (entry !== undefined && pairs.length > 0) db.changed(entry, 'z', event);
    reply.integer(pairs.length);
  };
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

const READ = ['readonly'] as const;
const FAST = ['readonly', 'fast'] as const;

export const SORTED_SET_RANGE_COMMANDS: readonly Command[] = [
  row('zrange', -4, '1.2.0', READ, 'Returns a range by rank, score or member.', zrange),
  row(
    'zrevrange',
    -4,
    '1.2.0',
    READ,
    'Returns a range by rank, highest score first.',
    oldRange('rank', true),
  ),
  row('zrangebyscore', -4, '1.0.5', READ, 'Returns a range by score.', oldRange('score', false)),
  row(
    'zrevrangebyscore',
    -4,
    '2.2.0',
    READ,
    'Returns a range by score, highest first.',
    oldRange('score', true),
  ),
  row('zrangebylex', -4, '2.8.9', READ, 'Returns a range by member.', oldRange('lex', false)),
  row('zrevrangebylex', -4, '2.8.9', READ, 'Returns a range by member, last first.', oldRange('lex', true)),
  row('zcount', 4, '2.0.0', FAST, 'Counts the members in a range of scores.', counting('score')),
  row('zlexcount', 4, '2.8.9', FAST, 'Counts the members in a range of members.', counting('lex')),
  row('zremrangebyrank', 4, '2.0.0', ['write'], 'Removes a range by rank.', removing('rank')),
  row('zremrangebyscore', 4, '1.2.0', ['write'], 'Removes a range by score.', removing('score')),
  row('zremrangebylex', 4, '2.8.9', ['write'], 'Removes a range by member.', removing('lex')),
  {
    name: 'zrangestore',
    arity: -5,
    flags: ['write', 'denyoom'],
    group: 'sorted-set',
    since: '6.2.0',
    keys: [1, 2, 1],
    summary: 'Stores a range of a sorted set under another key.',
    run: zrangestore,
  },
];
