/**
 * SORT: the items of a list, set or sorted set in another order, perhaps by values under other keys.
 *
 *   SORT ids BY weight_* GET # GET user_*->name LIMIT 0 10
 *
 * In a pattern the first `*` stands for the item; `key->field` reads a field of a hash, `#` is the item itself.
 */
import { failure, syntaxError, wrongType } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import type { Database } from '../keyspace.ts';
import { count, parseFloatStrict } from '../numbers.ts';
import { HashValue, isContainer, ListValue, SetValue, SortedSetValue, textOf } from '../values/value.ts';

interface SortOptions {
  readonly by: string | undefined;
  readonly limit: { readonly offset: number; readonly count: number } | undefined;
  readonly get: readonly string[];
  readonly descending: boolean;
  readonly alpha: boolean;
  readonly store: string | undefined;
}

function parse(args: readonly string[], mayStore: boolean): SortOptions {
  let by: string | undefined;
  let limit: SortOptions['limit'];
  let descending = false;
  let alpha = false;
  let store: string | undefined;
  const get: string[] = [];
  for (let i = 2; i < args.length; i++) {
    const word = args[i]!.toLowerCase();
    const left = args.length - i - 1;
    if (word === 'asc' || word === 'desc') descending = word === 'desc';
    else if (word === 'alpha') alpha = true;
    else if (word === 'limit' && left >= 2) limit = { offset: count(args[++i]!), count: count(args[++i]!) };
    else if (word === 'by' && left >= 1) by = args[++i]!;
    else if (word === 'get' && left >= 1) get.push(args[++i]!);
    else if (word === 'store' && left >= 1 && mayStore) store = args[++i]!;
    else throw syntaxError();
  }
  return { by, limit, get, descending, alpha, store };
}

/** The items as they stand; a sorted set by rank. */
function itemsOf(
  db: Database,
  key: string,
): { readonly items: string[]; readonly isSet: boolean; readonly isZset: boolean } {
  const value = db.read(key)?.value;
  if (value === undefined) return { items: [], isSet: false, isZset: false };
  if (value instanceof ListValue)
    return { items: value.items.slice(0, value.size), isSet: false, isZset: false };
  if (value instanceof SetValue) return { items: [...value.list()], isSet: true, isZset: false };
  if (!(value instanceof SortedSetValue)) throw wrongType();
  const items: string[] = [];
  value.order.walk(0, value.size, false, (member) => {
    items.push(member);
    return true;
  });
  return { items, isSet: false, isZset: true };
}

/** What a pattern names for an item, or undefined. */
function lookUp(db: Database, pattern: string, item: string): string | undefined {
  if (pattern === '#') return item;
  const star = pattern.indexOf('*');
  if (star < 0) return undefined;
  const arrow = pattern.indexOf('->', star);
  const isField = arrow >= 0 && arrow + 2 < pattern.length;
  const keyPattern = isField ? pattern.slice(0, arrow) : pattern;
  const value = db.read(keyPattern.slice(0, star) + item + keyPattern.slice(star + 1))?.value;
  if (isField) return value instanceof HashValue ? value.get(pattern.slice(arrow + 2)) : undefined;
  return value === undefined || isContainer(value) ? undefined : textOf(value);
}

interface Weighted {
  readonly item: string;
  readonly text: string | undefined;
  readonly weight: number;
}

function weigh(db: Database, item: string, { by, alpha }: SortOptions): Weighted {
  const text = by === undefined ? item : lookUp(db, by, item);
  if (alpha) return { item, text, weight: 0 };
  const weight = text === undefined ? 0 : parseFloatStrict(text);
  if (weight === undefined) throw failure("One or more scores can't be converted into double");
  return { item, text, weight };
}

function compare(a: Weighted, b: Weighted, { alpha, by }: SortOptions): number {
  if (!alpha) {
    if (a.weight !== b.weight) return a.weight < b.weight ? -1 : 1;
  } else if (a.text !== b.text) {
    if (a.text === undefined) return -1;
    if (b.text === undefined) return 1;
    return a.text < b.text ? -1 : 1;
  }
  // Equal weights: by the bytes of the items, so that the result is always the same.
  if (by !== undefined && alpha) return 0;
  return a.item < b.item ? -1 : a.item > b.item ? 1 : 0;
}

function sorted(db: Database, key: string, options: SortOptions): string[] {
  const { items, isSet, isZset } = itemsOf(db, key);
  const keepOrder = options.by !== undefined && !options.by.includes('*');
  if (keepOrder && !(isSet && options.store !== undefined)) {
    return isZset && options.descending ? items.reverse() : items;
  }
  const effective = keepOrder ? { ...options, by: undefined, alpha: true } : options;
  const weighted = items.map((item) => weigh(db, item, effective));
  weighted.sort((a, b) => (options.descending ? compare(b, a, effective) : compare(a, b, effective)));
  return weighted.map(({ item }) => item);
}

function sort(call: Call, mayStore: boolean): void {
  const { db, args, reply } = call;
  const options = parse(args, mayStore);
  const { limit, get, store } = options;
  const all = sorted(db, args[1]!, options);
  const start = limit === undefined ? 0 : Math.max(0, limit.offset);
  const items =
    limit === undefined ? all : all.slice(start, limit.count < 0 ? undefined : start + limit.count);
  const result =
    get.length === 0 ? items : items.flatMap((item) => get.map((pattern) => lookUp(db, pattern, item)));
  if (store !== undefined) {
    storeList(db, store, result);
    reply.integer(result.length);
    return;
  }
  reply.array(result.length);
  for (const text of result) reply.bulkOrNil(text);
}

function storeList(db: Database, key: string, items: readonly (string | undefined)[]): void {
  if (items.length === 0) {
    db.delete(key);
    return;
  }
  const list = new ListValue(db.keyspace.encodings);
  for (const item of items) list.push(item ?? '', false);
  db.put(key, list);
  db.event('l', 'sortstore', key);
}

/** The key and the destination; those that patterns name cannot be known. */
function findKeys(args: readonly string[]): string[] {
  const keys = [args[1]!];
  for (let i = 2; i + 1 < args.length; i++) if (args[i]!.toLowerCase() === 'store') keys.push(args[i + 1]!);
  return keys;
}

export const SORT_COMMANDS: readonly Command[] = [
  {
    name: 'sort',
    arity: -2,
    flags: ['write', 'denyoom', 'movablekeys', 'dangerous'],
    group: 'generic',
    since: '1.0.0',
    keys: [1, 1, 1],
    findKeys,
    summary: 'Sorts a list, set or sorted set, and may store the result.',
    run: (call) => sort(call, true),
  },
  {
    name: 'sort_ro',
    arity: -2,
    flags: ['readonly', 'movablekeys', 'dangerous'],
    group: 'generic',
    since: '7.0.0',
    keys: [1, 1, 1],
    summary: 'Sorts a list, set or sorted set.',
    run: (call) => sort(call, false),
  },
];
