/** Lists: moving between two, popping from the first of several, and the forms of both that wait. */
import { failure, syntaxError } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import type { Entry } from '../keyspace.ts';
import { parseInteger } from '../numbers.ts';
import { ListValue } from '../values/value.ts';
import { timeoutMs } from './blocking-arguments.ts';

/** A list for a command that waits: when it is tried again, a key of another type is one to go on waiting for. */
function listAt({ db, retry }: Call, key: string): Entry<ListValue> | undefined {
  if (retry && !(db.peek(key)?.value instanceof ListValue)) return undefined;
  return db.findAs(key, ListValue);
}

function blockingPop(atHead: boolean): (call: Call) => void {
  const event = atHead ? 'lpop' : 'rpop';
  return (call) => {
    const { engine, db, args, reply } = call;
    const timeout = timeoutMs(args.at(-1)!);
    const keys = args.slice(1, -1);
    for (const key of keys) {
      const entry = listAt(call, key);
      if (entry === undefined) continue;
      const item = entry.value.pop(atHead)!;
      db.changed(entry, 'l', event);
      reply.bulks([key, item]);
      return;
    }
    engine.blocking.block(call, { keys, timeoutMs: timeout, whenOver: (later) => later.nilArray() });
  };
}

interface Move {
  readonly from: string;
  readonly to: string;
  readonly fromHead: boolean;
  readonly toHead: boolean;
}

function endOf(word: string): boolean {
  const folded = word.toLowerCase();
  if (folded !== 'left' && folded !== 'right') throw syntaxError();
  return folded === 'left';
}

/** Moves one item. @returns false when there is none */
function moveItem(call: Call, { from, to, fromHead, toHead }: Move): boolean {
  const { db, reply } = call;
  const source = listAt(call, from);
  if (source === undefined) return false;
  // Checked before anything moves: a destination of another type changes nothing.
  db.findAs(to, ListValue);
  const item = source.value.pop(fromHead)!;
  // Opened while the source, now perhaps empty, still exists: both may be the same key.
  const target = from === to ? source : db.openAs(to, ListValue);
  target.value.push(item, toHead);
  db.changed(target, 'l', toHead ? 'lpush' : 'rpush');
  if (source !== target) db.changed(source, 'l', fromHead ? 'lpop' : 'rpop');
  reply.bulk(item);
  return true;
}

function lmove(call: Call): void {
  const [, from, to, whence, whither] = call.args as [string, string, string, string, string];
  const move = { from, to, fromHead: endOf(whence), toHead: endOf(whither) };
  if (!moveItem(call, move)) call.reply.nil();
}

function rpoplpush(call: Call): void {
  const [, from, to] = call.args as [string, string, string];
  if (!moveItem(call, { from, to, fromHead: false, toHead: true })) call.reply.nil();
}

function blockingMove(call: Call, move: Move, timeout: number): void {
  if (moveItem(call, move)) return;
  const request = { keys: [move.from], timeoutMs: timeout, whenOver: (reply: Call['reply']) => reply.nil() };
  call.engine.blocking.block(call, request);
}

function blmove(call: Call): void {
  const [, from, to, whence, whither, timeout] = call.args as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const move = { from, to, fromHead: endOf(whence), toHead: endOf(whither) };
  blockingMove(call, move, timeoutMs(timeout));
}

function brpoplpush(call: Call): void {
  const [, from, to, timeout] = call.args as [string, string, string, string];
  blockingMove(call, { from, to, fromHead: false, toHead: true }, timeoutMs(timeout));
}

interface MultiPop {
  readonly keys: readonly string[];
  readonly where: string;
  readonly wanted: number;
}

/** `numkeys key [key ...] <where> [COUNT n]`, of LMPOP and ZMPOP. @throws ERR */
export function parseMultiPop(
  args: readonly string[],
  numkeysAt: number,
  words: readonly [string, string],
): MultiPop {
  const numkeys = parseInteger(args[numkeysAt]!);
  if (typeof numkeys !== 'number' || numkeys <= 0) throw failure('numkeys should be greater than 0');
  const keys = args.slice(numkeysAt + 1, numkeysAt + 1 + numkeys);
  const rest = args.slice(numkeysAt + 1 + numkeys);
  const where = rest[0]?.toLowerCase();
  if (where === undefined || !words.includes(where)) throw syntaxError();
  if (rest.length !== 1 && (rest.length !== 3 || rest[1]!.toLowerCase() !== 'count')) throw syntaxError();
  const wanted = rest.length === 3 ? parseInteger(rest[2]!) : 1;
  if (typeof wanted !== 'number' || wanted <= 0) throw failure('count should be greater than 0');
  return { keys, where, wanted };
}

const ENDS = ['left', 'right'] as const;

/** Pops from the first list that has something. @returns false when none has */
function popFirst(call: Call, { keys, where, wanted }: MultiPop): boolean {
  const { db, reply } = call;
  const atHead = where === 'left';
  for (const key of keys) {
    const entry = listAt(call, key);
    if (entry === undefined) continue;
    const items: string[] = [];
    while (items.length < wanted && entry.value.size > 0) items.push(entry.value.pop(atHead)!);
    db.changed(entry, 'l', atHead ? 'lpop' : 'rpop');
    reply.array(2);
    reply.bulk(key);
    reply.bulks(items);
    return true;
  }
  return false;
}

function lmpop(call: Call): void {
  if (!popFirst(call, parseMultiPop(call.args, 1, ENDS))) call.reply.nilArray();
}

function blmpop(call: Call): void {
  const timeout = timeoutMs(call.args[1]!);
  const options = parseMultiPop(call.args, 2, ENDS);
  if (popFirst(call, options)) return;
  const whenOver = (reply: Call['reply']): void => reply.nilArray();
  call.engine.blocking.block(call, { keys: options.keys, timeoutMs: timeout, whenOver });
}

/** The keys of a command that gives their number. */
export function countedKeys(at: number): (args: readonly string[]) => string[] {
  return (args) => {
    const numkeys = parseInteger(args[at] ?? '');
    return typeof numkeys === 'number' && numkeys > 0 ? args.slice(at + 1, at + 1 + numkeys) : [];
  };
}

export const LIST_MOVING_COMMANDS: readonly Command[] = [
  {
    name: 'lmove',
    arity: 5,
    flags: ['write', 'denyoom'],
    group: 'list',
    since: '6.2.0',
    keys: [1, 2, 1],
    summary: 'Moves an item from one end of a list to one end of another.',
    run: lmove,
  },
  {
    name: 'rpoplpush',
    arity: 3,
    flags: ['write', 'denyoom'],
    group: 'list',
    since: '1.2.0',
    keys: [1, 2, 1],
    summary: 'Moves an item from the tail of a list to the head of another.',
    run: rpoplpush,
  },
  {
    name: 'lmpop',
    arity: -4,
    flags: ['write', 'movablekeys'],
    group: 'list',
    since: '7.0.0',
    findKeys: countedKeys(1),
    summary: 'Takes items from the first list that has some.',
    run: lmpop,
  },
  {
    name: 'blpop',
    arity: -3,
    flags: ['write', 'noscript', 'blocking'],
    group: 'list',
    since: '2.0.0',
    keys: [1, -2, 1],
    summary: 'Takes an item from the head of the first list that has one, or waits.',
    run: blockingPop(true),
  },
  {
    name: 'brpop',
    arity: -3,
    flags: ['write', 'noscript', 'blocking'],
    group: 'list',
    since: '2.0.0',
    keys: [1, -2, 1],
    summary: 'Takes an item from the tail of the first list that has one, or waits.',
    run: blockingPop(false),
  },
  {
    name: 'blmove',
    arity: 6,
    flags: ['write', 'denyoom', 'noscript', 'blocking'],
    group: 'list',
    since: '6.2.0',
    keys: [1, 2, 1],
    summary: 'Moves an item between two lists, or waits for one.',
    run: blmove,
  },
  {
    name: 'brpoplpush',
    arity: 4,
    flags: ['write', 'denyoom', 'noscript', 'blocking'],
    group: 'list',
    since: '2.2.0',
    keys: [1, 2, 1],
    summary: 'Moves an item from the tail of a list to the head of another, or waits for one.',
    run: brpoplpush,
  },
  {
    name: 'blmpop',
    arity: -5,
    flags: ['write', 'blocking', 'movablekeys'],
    group: 'list',
    since: '7.0.0',
    findKeys: countedKeys(2),
    summary: 'Takes items from the first list that has some, or waits.',
    run: blmpop,
  },
];
