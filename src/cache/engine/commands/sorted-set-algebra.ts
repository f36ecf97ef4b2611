/** Union, intersection and difference of sorted sets (plain sets count with score 1), returned or stored. */
import { failure, syntaxError, wrongType } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import type { Database } from '../keyspace.ts';
import { notNegative, parseFloatStrict, parseInteger } from '../numbers.ts';
import { SetValue, SortedSetValue } from '../values/value.ts';
import { countedKeys } from './lists-moving.ts';
import { storePairs, writePairs } from './sorted-set-ranges.ts';

type Aggregate = 'sum' | 'min' | 'max';

interface AlgebraOptions {
  readonly keys: readonly string[];
  readonly weights: readonly number[];
  readonly aggregate: Aggregate;
  readonly withScores: boolean;
}

interface Allowed {
  readonly weights: boolean;
  readonly withScores: boolean;
}

/** `numkeys key [key ...] [WEIGHTS w ...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`. @throws ERR */
function parse({ args, command }: Call, numkeysAt: number, allowed: Allowed): AlgebraOptions {
  const numkeys = parseInteger(args[numkeysAt]!);
  if (numkeys === undefined) throw failure('value is not an integer or out of range');
  if (numkeys <= 0) throw failure(`at least 1 input key is needed for '${command.name}' command`);
  if (numkeys > args.length - numkeysAt - 1) throw syntaxError();
  const keys = args.slice(numkeysAt + 1, numkeysAt + 1 + Number(numkeys));
  let weights = keys.map(() => 1);
  let aggregate: Aggregate = 'sum';
  let withScores = false;
  for (let i = numkeysAt + 1 + keys.length; i < args.length; i++) {
    const word = args[i]!.toLowerCase();
    if (word === 'weights' && allowed.weights && i + keys.length < args.length) {
      weights = args.slice(i + 1, i + 1 + keys.length).map(weightOf);
      i += keys.length;
    } else if (word === 'aggregate' && allowed.weights && i + 1 < args.length)
      aggregate = aggregateOf(args[++i]!);
    else if (word === 'withscores' && allowed.withScores) withScores = true;
    else throw syntaxError();
  }
  return { keys, weights, aggregate, withScores };
}

function weightOf(text: string): number {
  const weight = parseFloatStrict(text);
  if (weight === undefined) throw failure('weight value is not a float');
  return weight;
}

function aggregateOf(text: string): Aggregate {
  const word = text.toLowerCase();
  if (word !== 'sum' && word !== 'min' && word !== 'max') throw syntaxError();
  return word;
}

type Source = SetValue | SortedSetValue | undefined;

function readSources(db: Database, keys: readonly string[]): Source[] {
  return keys.map((key) => {
    const value = db.read(key)?.value;
    if (value === undefined || value instanceof SetValue || value instanceof SortedSetValue) return value;
    throw wrongType();
  });
}

function* membersOf(source: Source): Generator<[member: string, score: number]> {
  if (source instanceof SetValue) for (const member of source.members.keys) yield [member, 1];
  else if (source !== undefined) {
    const { keys, values } = source.scores;
    for (let i = 0; i < keys.length; i++) yield [keys[i]!, values[i]!];
  }
}

function scoreIn(source: Source, member: string): number | undefined {
  if (source instanceof SetValue) return source.has(member) ? 1 : undefined;
  return source?.score(member);
}

/** Infinity times zero, and infinities of both signs together, count as 0. */
function combine(aggregate: Aggregate, a: number, b: number): number {
  if (aggregate === 'min') return Math.min(a, b);
  if (aggregate === 'max') return Math.max(a, b);
  return orZero(a + b);
}

function orZero(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}

type Algebra = (sources: readonly Source[], options: AlgebraOptions) => Map<string, number>;

function union(sources: readonly Source[], { weights, aggregate }: AlgebraOptions): Map<string, number> {
  const result = new Map<string, number>();
  sources.forEach((source, i) => {
    for (const [member, score] of membersOf(source)) {
      const weighted = orZero(score * weights[i]!);
      const before = result.get(member);
      result.set(member, before === undefined ? weighted : combine(aggregate, before, weighted));
    }
  });
  return result;
}

function intersection(
  sources: readonly Source[],
  { weights, aggregate }: AlgebraOptions,
): Map<string, number> {
  const result = new Map<string, number>();
  for (const [member] of membersOf(smallestOf(sources))) {
    let total: number | undefined;
    for (let i = 0; i < sources.length; i++) {
      const score = scoreIn(sources[i], member);
      if (score === undefined) {
        total = undefined;
        break;
      }
      const weighted = orZero(score * weights[i]!);
      total = total === undefined ? weighted : combine(aggregate, total, weighted);
    }
    if (total !== undefined) result.set(member, total);
  }
  return result;
}

/** The source to walk; undefined, which is empty, when one is missing. */
function smallestOf(sources: readonly Source[]): Source {
  let smallest: Source = sources[0];
  for (const source of sources) {
    if (source === undefined) return undefined;
    if (smallest === undefined || source.size < smallest.size) smallest = source;
  }
  return smallest;
}

function difference([first, ...others]: readonly Source[]): Map<string, number> {
  const result = new Map<string, number>();
  for (const [member, score] of membersOf(first)) {
    if (!others.some((other) => scoreIn(other, member) !== undefined)) result.set(member, score);
  }
  return result;
}

function inOrder(result: Map<string, number>): [string, number][] {
  return [...result].sort(([a, x], [b, y]) => (x !== y ? (x < y ? -1 : 1) : a < b ? -1 : 1));
}

function reading(algebra: Algebra, weights: boolean): (call: Call) => void {
  return (call) => {
    const options = parse(call, 1, { weights, withScores: true });
    const result = algebra(readSources(call.db, options.keys), options);
    writePairs(call.reply, inOrder(result), options.withScores);
  };
}

function storing(algebra: Algebra, weights: boolean, event: string): (call: Call) => void {
  return (call) => {
    const options = parse(call, 2, { weights, withScores: false });
    const result = algebra(readSources(call.db, options.keys), options);
    storePairs(call.db, call.args[1]!, [...result], event);
    call.reply.integer(result.size);
  };
}

function zintercard({ db, args, reply }: Call): void {
  const numkeys = parseInteger(args[1]!);
  if (typeof numkeys !== 'number' || numkeys <= 0) throw failure('numkeys should be greater than 0');
  if (numkeys > args.length - 2) throw syntaxError();
  const rest = args.slice(2 + numkeys);
  if (rest.length !== 0 && (rest.length !== 2 || rest[0]!.toLowerCase() !== 'limit')) throw syntaxError();
  const limit = rest.length === 0 ? 0 : notNegative(rest[1]!, "LIMIT can't be negative");
  const sources = readSources(db, args.slice(2, 2 + numkeys));
  let found = 0;
  for (const [member] of membersOf(smallestOf(sources))) {
    if (limit > 0 && found >= limit) break;
    if (sources.every((source) => scoreIn(source, member) !== undefined)) found++;
  }
  reply.integer(found);
}

function storeRow(name: string, since: string, summary: string, run: Command['run']): Command {
  const findKeys = (args: readonly string[]): string[] => [args[1]!, ...countedKeys(2)(args)];
  const flags = ['write', 'denyoom', 'movablekeys'] as const;
  return { name, arity: -4, flags, group: 'sorted-set', since, keys: [1, 1, 1], findKeys, summary, run };
}

function readRow(name: string, since: string, summary: string, run: Command['run']): Command {
  const flags = ['readonly', 'movablekeys'] as const;
  return { name, arity: -3, flags, group: 'sorted-set', since, findKeys: countedKeys(1), summary, run };
}

export const SORTED_SET_ALGEBRA_COMMANDS: readonly Command[] = [
  readRow('zunion', '6.2.0', 'Returns the union of sorted sets.', reading(union, true)),
  readRow('zinter', '6.2.0', 'Returns the intersection of sorted sets.', reading(intersection, true)),
  readRow('zdiff', '6.2.0', 'Returns the difference of sorted sets.', reading(difference, false)),
  readRow('zintercard', '7.0.0', 'Counts the members of all sorted sets, up to a limit.', zintercard),
  storeRow('zunionstore', '2.0.0', 'Stores the union of sorted sets.', storing(union, true, 'zunionstore')),
  storeRow(
    'zinterstore',
    '2.0.0',
    'Stores the intersection of sorted sets.',
    storing(intersection, true, 'zinterstore'),
  ),
  storeRow(
    'zdiffstore',
    '6.2.0',
    'Stores the difference of sorted sets.',
    storing(difference, false, 'zdiffstore'),
  ),
];
