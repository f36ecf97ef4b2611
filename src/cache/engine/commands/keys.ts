/** Keys of any type: existence, names, types, and walking over all of them. */
import { failure, noSuchKey, syntaxError } from '../../errors.ts';
import { accessedNow, frequencyOf, idleSeconds } from '../access.ts';
import type { Call, Command } from '../command.ts';
import { globMatches, isLiteral } from '../glob.ts';
import type { Database, Entry } from '../keyspace.ts';
import { parseInteger } from '../numbers.ts';
import { scanPlaces } from '../values/dense-set.ts';
import { copyOf, encodingOf, typeName } from '../values/value.ts';
import { container } from './containers.ts';
import { parseScan } from './scan-arguments.ts';

function del({ db, args, reply }: Call): void {
  let deleted = 0;
  for (let i = 1; i < args.length; i++) if (db.delete(args[i]!)) deleted++;
  reply.integer(deleted);
}

function exists({ db, args, reply }: Call): void {
  let found = 0;
  for (let i = 1; i < args.length; i++) if (db.peek(args[i]!) !== undefined) found++;
  reply.integer(found);
}

function touch({ db, args, reply }: Call): void {
  let found = 0;
  for (let i = 1; i < args.length; i++) {
    const entry = db.peek(args[i]!);
    if (entry === undefined) continue;
    entry.accessed = accessedNow(db.keyspace.clock, entry.accessed);
    found++;
  }
  reply.integer(found);
}

function type({ db, args, reply }: Call): void {
  const entry = db.peek(args[1]!);
  reply.simple(entry === undefined ? 'none' : typeName(entry.value));
}

/** Moves a key with its deadline; what was at the destination goes. */
function move(entry: Entry, from: Database, to: Database, key: string): void {
  const { value, deadline } = entry;
  from.delete(entry.key, '');
  const moved = to.put(key, value);
  if (deadline !== undefined) to.setDeadline(moved, deadline);
}

function rename(call: Call, onlyIfNew: boolean): void {
  const { db, args, reply } = call;
  const from = args[1]!;
  const to = args[2]!;
  const entry = db.find(from);
  if (entry === undefined) throw noSuchKey();
  const taken = onlyIfNew && db.peek(to) !== undefined;
  if (!taken && from !== to) {
    move(entry, db, db, to);
    db.event('g', 'rename_from', from);
    db.event('g', 'rename_to', to);
  }
  if (onlyIfNew) reply.integer(taken ? 0 : 1);
  else reply.ok();
}

/** @throws ERR DB index is out of range */
function databaseAt(call: Call, text: string): Database {
  const index = parseInteger(text);
  if (index === undefined) throw failure('value is not an integer or out of range');
  const database = call.engine.keyspace.databases[Number(index)];
  if (database === undefined) throw failure('DB index is out of range');
  return database;
}

interface CopyOptions {
  readonly to: Database;
  readonly replace: boolean;
}

function copyOptions(call: Call): CopyOptions {
  const { args } = call;
  let to = call.db;
  let replace = false;
  for (let i = 3; i < args.length; i++) {
    const word = args[i]!.toLowerCase();
    if (word === 'replace') replace = true;
    else if (word === 'db' && i + 1 < args.length) to = databaseAt(call, args[++i]!);
    else throw syntaxError();
  }
  return { to, replace };
}

function copy(call: Call): void {
  const { db, args, reply } = call;
  const { to, replace } = copyOptions(call);
  if (to === db && args[1] === args[2]) throw failure('source and destination objects are the same');
  const entry = db.find(args[1]!);
  if (entry === undefined || (!replace && to.peek(args[2]!) !== undefined)) {
    reply.integer(0);
    return;
  }
  const copied = to.put(args[2]!, copyOf(entry.value, db.keyspace.encodings));
  if (entry.deadline !== undefined) to.setDeadline(copied, entry.deadline);
  to.event('g', 'copy_to', args[2]!);
  reply.integer(1);
}

function moveCommand(call: Call): void {
  const { db, args, reply } = call;
  const to = databaseAt(call, args[2]!);
  if (to === db) throw failure('source and destination objects are the same');
  const entry = db.find(args[1]!);
  const moves = entry !== undefined && to.peek(args[1]!) === undefined;
  if (moves) {
    move(entry, db, to, args[1]!);
    db.event('g', 'move_from', args[1]!);
    to.event('g', 'move_to', args[1]!);
  }
  reply.integer(moves ? 1 : 0);
}

function randomkey({ db, reply, engine }: Call): void {
  while (db.size > 0) {
    const { key } = db.entries[engine.options.random.below(db.size)]!;
    if (db.peek(key) === undefined) continue;
    reply.bulk(key);
    return;
  }
  reply.nil();
}

function keys({ db, args, reply, now }: Call): void {
  const pattern = args[1]!;
  if (isLiteral(pattern)) {
    reply.bulks(db.peek(pattern) === undefined ? [] : [pattern]);
    return;
  }
  const found: string[] = [];
  for (const { key, deadline } of db.entries) {
    if ((deadline === undefined || deadline > now) && globMatches(pattern, key)) found.push(key);
  }
  reply.bulks(found);
}

function scan({ db, args, reply, now }: Call): void {
  const { cursor, count, type: wantedType, matches } = parseScan(args, 1, true);
  const step = scanPlaces(db.size, cursor, count);
  const found: string[] = [];
  for (const place of step.visited) {
    const { key, value, deadline } = db.entries[place]!;
    if (deadline !== undefined && deadline <= now) continue;
    if (wantedType !== undefined && typeName(value) !== wantedType) continue;
    if (matches(key)) found.push(key);
  }
  reply.array(2);
  reply.bulk(String(step.cursor));
  reply.bulks(found);
}

function dbsize({ db, reply }: Call): void {
  reply.integer(db.size);
}

function swapdb(call: Call): void {
  const { engine, args, reply } = call;
  const [first, second] = [args[1]!, args[2]!].map((text, i) => {
    const index = parseInteger(text);
    if (index === undefined) throw failure(`invalid ${i === 0 ? 'first' : 'second'} DB index`);
    return engine.keyspace.databases[Number(index)];
  });
  if (first === undefined || second === undefined) throw failure('DB index is out of range');
  if (first !== second) first.swap(second);
  reply.ok();
}

function flush(all: boolean): (call: Call) => void {
  return ({ engine, db, args, reply }) => {
    const word = args[1]?.toLowerCase();
    if (args.length > 2 || (word !== undefined && word !== 'sync' && word !== 'async')) throw syntaxError();
    for (const database of all ? engine.keyspace.databases : [db]) database.clear();
    reply.ok();
  };
}

/** The entry for OBJECT, which leaves no trace. */
function inspected({ db, args }: Call): Entry | undefined {
  return db.peek(args[2]!);
}

function objectField(read: (entry: Entry, call: Call) => string | number): (call: Call) => void {
  return (call) => {
    const entry = inspected(call);
    if (entry === undefined) {
      call.reply.nil();
      return;
    }
    const field = read(entry, call);
    if (typeof field === 'number') call.reply.integer(field);
    else call.reply.bulk(field);
  };
}

function freq(entry: Entry, { engine }: Call): number {
  const { clock } = engine.keyspace;
  if (clock.frequency) return frequencyOf(clock, entry.accessed);
  throw failure(
    'An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
  );
}

function idletime(entry: Entry, { engine }: Call): number {
  const { clock } = engine.keyspace;
  if (!clock.frequency) return idleSeconds(clock, entry.accessed);
  throw failure(
    'An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
  );
}

function objectCommand(
  name: string,
  summary: string,
  read: (entry: Entry, call: Call) => string | number,
): Command {
  return {
    name: `object|${name}`,
    arity: 3,
    flags: ['readonly'],
    group: 'generic',
    since: '2.2.3',
    keys: [2, 2, 1],
    summary,
    run: objectField(read),
  };
}

export const KEY_COMMANDS: readonly Command[] = [
  {
    name: 'del',
    arity: -2,
    flags: ['write'],
    group: 'generic',
    since: '1.0.0',
    keys: [1, -1, 1],
    summary: 'Deletes keys.',
    run: del,
  },
  {
    name: 'unlink',
    arity: -2,
    flags: ['write', 'fast'],
    group: 'generic',
    since: '4.0.0',
    keys: [1, -1, 1],
    summary: 'Deletes keys; their memory is collected later.',
    run: del,
  },
  {
    name: 'exists',
    arity: -2,
    flags: ['readonly', 'fast'],
    group: 'generic',
    since: '1.0.0',
    keys: [1, -1, 1],
    summary: 'Counts how many of the given keys exist.',
    run: exists,
  },
  {
    name: 'touch',
    arity: -2,
    flags: ['readonly', 'fast'],
    group: 'generic',
    since: '3.2.1',
    keys: [1, -1, 1],
    summary: 'Marks keys as used now and counts those that exist.',
    run: touch,
  },
  {
    name: 'type',
    arity: 2,
    flags: ['readonly', 'fast'],
    group: 'generic',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Returns the type of a value.',
    run: type,
  },
  {
    name: 'rename',
    arity: 3,
    flags: ['write'],
    group: 'generic',
    since: '1.0.0',
    keys: [1, 2, 1],
    summary: 'Renames a key, overwriting the destination.',
    run: (call) => rename(call, false),
  },
  {
    name: 'renamenx',
    arity: 3,
    flags: ['write', 'fast'],
    group: 'generic',
    since: '1.0.0',
    keys: [1, 2, 1],
    summary: 'Renames a key only when the destination does not exist.',
    run: (call) => rename(call, true),
  },
  {
    name: 'copy',
    arity: -3,
    flags: ['write', 'denyoom'],
    group: 'generic',
    since: '6.2.0',
    keys: [1, 2, 1],
    summary: 'Copies a value and its expiry to another key.',
    run: copy,
  },
  {
    name: 'move',
    arity: 3,
    flags: ['write', 'fast'],
    group: 'generic',
    since: '1.0.0',
    keys: [1, 1, 1],
    summary: 'Moves a key to another database.',
    run: moveCommand,
  },
  {
    name: 'randomkey',
    arity: 1,
    flags: ['readonly'],
    group: 'generic',
    since: '1.0.0',
    summary: 'Returns a key at random.',
    run: randomkey,
  },
  {
    name: 'keys',
    arity: 2,
    flags: ['readonly', 'dangerous'],
    group: 'generic',
    since: '1.0.0',
    summary: 'Returns all keys that match a pattern.',
    run: keys,
  },
  {
    name: 'scan',
    arity: -2,
    flags: ['readonly'],
    group: 'generic',
    since: '2.8.0',
    summary: 'Walks over all keys, a few with each call.',
    run: scan,
  },
  {
    name: 'dbsize',
    arity: 1,
    flags: ['readonly', 'fast', 'keyspace'],
    group: 'server',
    since: '1.0.0',
    summary: 'Returns the number of keys.',
    run: dbsize,
  },
  {
    name: 'swapdb',
    arity: 3,
    flags: ['write', 'fast', 'keyspace', 'dangerous'],
    group: 'server',
    since: '4.0.0',
    summary: 'Exchanges two databases.',
    run: swapdb,
  },
  {
    name: 'flushdb',
    arity: -1,
    flags: ['write', 'keyspace', 'dangerous'],
    group: 'server',
    since: '1.0.0',
    summary: 'Deletes all keys of the current database.',
    run: flush(false),
  },
  {
    name: 'flushall',
    arity: -1,
    flags: ['write', 'keyspace', 'dangerous'],
    group: 'server',
    since: '1.0.0',
    summary: 'Deletes all keys of all databases.',
    run: flush(true),
  },
  container({
    name: 'object',
    arity: -2,
    flags: ['readonly'],
    group: 'generic',
    since: '2.2.3',
    summary: 'Looks into the representation of a value.',
    subcommands: [
      objectCommand('encoding', 'Returns the internal encoding of a value.', (entry) =>
        encodingOf(entry.value),
      ),
      objectCommand('freq', 'Returns how often a key is used, as a logarithmic counter.', freq),
      objectCommand('idletime', 'Returns the seconds since a key was used.', idletime),
      objectCommand('refcount', 'Returns the references to a value, which is always one here.', () => 1),
    ],
  }),
];
