/** COMMAND: the table of commands, told to clients. */
import { failure } from '../../errors.ts';
import type { ReplyWriter } from '../../wire/reply-writer.ts';
import type { Call, Command } from '../command.ts';
import { arityFits, type Engine } from '../engine.ts';
import { globMatches } from '../glob.ts';
import { container } from './containers.ts';

/** Flags that clients are shown, and categories that follow from flags and group. */
const SHOWN_FLAGS = new Set([
  'write',
  'readonly',
  'denyoom',
  'fast',
  'blocking',
  'pubsub',
  'admin',
  'noscript',
  'loading',
  'stale',
  'no_auth',
  'no_multi',
  'movablekeys',
]);

const GROUP_CATEGORIES: Readonly<Record<Command['group'], string | undefined>> = {
  string: '@string',
  bitmap: '@bitmap',
  generic: '@keyspace',
  hash: '@hash',
  list: '@list',
  set: '@set',
  'sorted-set': '@sortedset',
  geo: '@geo',
  hyperloglog: '@hyperloglog',
  pubsub: '@pubsub',
  transactions: '@transaction',
  connection: '@connection',
  server: undefined,
};

/** Access categories, by the rules that servers with access lists apply to flags. */
export function categoriesOf({ flags, group }: Command): string[] {
  const categories = new Set<string>();
  const has = (flag: Command['flags'][number]): boolean => flags.includes(flag);
  if (has('write')) categories.add('@write');
  if (has('readonly')) categories.add('@read');
  const own = GROUP_CATEGORIES[group];
  if (own !== undefined) categories.add(own);
  if (has('admin')) categories.add('@admin');
  if (has('admin') || has('dangerous')) categories.add('@dangerous');
  if (has('pubsub')) categories.add('@pubsub');
  if (has('keyspace')) categories.add('@keyspace');
  if (has('connection')) categories.add('@connection');
  if (has('blocking')) categories.add('@blocking');
  categories.add(has('fast') ? '@fast' : '@slow');
  return [...categories];
}

function writeInfo(reply: ReplyWriter, command: Command): void {
  const [first, last, step] = command.keys ?? [0, 0, 0];
  reply.array(10);
  reply.bulk(command.name);
  reply.integer(command.arity);
  const flags = command.flags.filter((flag) => SHOWN_FLAGS.has(flag));
  reply.set(flags.length);
  for (const flag of flags) reply.simple(flag);
  reply.integer(first);
  reply.integer(last);
  reply.integer(step);
  const categories = categoriesOf(command);
  reply.set(categories.length);
  for (const category of categories) reply.simple(category);
  reply.array(0);
  writeKeySpecs(reply, command);
  const subcommands = command.subcommands ?? [];
  reply.array(subcommands.length);
  for (const subcommand of subcommands) writeInfo(reply, subcommand);
}

function writeKeySpecs(reply: ReplyWriter, { keys, flags }: Command): void {
  if (keys === undefined) {
    reply.array(0);
    return;
  }
  const [first, last, step] = keys;
  reply.array(1);
  reply.map(3);
  reply.bulk('flags');
  reply.set(1);
  reply.simple(flags.includes('write') ? 'RW' : 'RO');
  reply.bulk('begin_search');
  reply.map(2);
  reply.bulk('type');
  reply.bulk('index');
  reply.bulk('spec');
  reply.map(1);
  reply.bulk('index');
  reply.integer(first);
  reply.bulk('find_keys');
  reply.map(2);
  reply.bulk('type');
  reply.bulk('range');
  reply.bulk('spec');
  reply.map(3);
  reply.bulk('lastkey');
  reply.integer(last < 0 ? last : last - first);
  reply.bulk('keystep');
  reply.integer(step);
  reply.bulk('limit');
  reply.integer(0);
}

function all({ engine, reply }: Call): void {
  const { commands } = engine.options;
  reply.array(commands.length);
  for (const command of commands) writeInfo(reply, command);
}

function info(call: Call): void {
  const { engine, args, reply } = call;
  if (args.length === 2) {
    all(call);
    return;
  }
  reply.array(args.length - 2);
  for (const name of args.slice(2)) {
    const command = engine.findCommand(name);
    if (command === undefined) reply.nilArray();
    else writeInfo(reply, command);
  }
}

function docs({ engine, args, reply }: Call): void {
  const { commands } = engine.options;
  const wanted =
    args.length === 2
      ? commands
      : args.slice(2).flatMap((name) => {
          const command = engine.findCommand(name);
          return command === undefined ? [] : [command];
        });
  writeDocs(reply, wanted);
}

function writeDocs(reply: ReplyWriter, commands: readonly Command[]): void {
  reply.map(commands.length);
  for (const { name, summary, since, group, subcommands } of commands) {
    reply.bulk(name);
    reply.map(subcommands === undefined ? 3 : 4);
    reply.bulk('summary');
    reply.bulk(summary);
    reply.bulk('since');
    reply.bulk(since);
    reply.bulk('group');
    reply.bulk(group);
    if (subcommands === undefined) continue;
    reply.bulk('subcommands');
    writeDocs(reply, subcommands);
  }
}

function list({ engine, args, reply }: Call): void {
  const keep = listFilter(engine, args);
  const names: string[] = [];
  for (const { command } of engine.commandCalls()) if (keep(command)) names.push(command.name);
  reply.bulks(names);
}

function listFilter(_engine: Engine, args: readonly string[]): (command: Command) => boolean {
  if (args.length === 2) return () => true;
  const [, , filterBy, kind, operand] = args;
  if (args.length !== 5 || filterBy!.toLowerCase() !== 'filterby') throw failure('syntax error');
  const folded = operand!.toLowerCase();
  switch (kind!.toLowerCase()) {
    case 'aclcat':
      return (command) => categoriesOf(command).includes(`@${folded}`);
    case 'pattern':
      return (command) => globMatches(operand!, command.name, true);
    case 'module':
      return () => false;
    default:
      throw failure('syntax error');
  }
}

/** The keys that a request names, by the table. */
export function keysOf(command: Command, args: readonly string[]): string[] {
  if (command.findKeys !== undefined) return command.findKeys(args);
  if (command.keys === undefined) return [];
  const [first, last, step] = command.keys;
  const end = last < 0 ? args.length + last : last;
  const keys: string[] = [];
  for (let i = first; i <= end && i < args.length; i += step) keys.push(args[i]!);
  return keys;
}

function getkeys({ engine, args, reply }: Call): void {
  const request = args.slice(2);
  const command = engine.findCommand(request[0]!) === undefined ? undefined : engine.commandFor(request);
  if (command === undefined) throw failure('Invalid command specified');
  if (!arityFits(command, request.length)) throw failure('Invalid number of arguments specified for command');
  const keys = keysOf(command, request);
  if (keys.length === 0) throw failure('The command has no key arguments');
  reply.bulks(keys);
}

function row(name: string, arity: number, since: string, summary: string, run: Command['run']): Command {
  return {
    name: `command|${name}`,
    arity,
    flags: ['loading', 'stale'],
    group: 'server',
    since,
    summary,
    run,
  };
}

const COMMAND = container({
  name: 'command',
  arity: -1,
  flags: ['loading', 'stale', 'connection'],
  group: 'server',
  since: '2.8.13',
  summary: 'Describes all commands.',
  subcommands: [
    row('count', 2, '2.8.13', 'Counts the commands.', ({ engine, reply }) => {
      reply.integer(engine.options.commands.length);
    }),
    row('info', -2, '2.8.13', 'Describes commands.', info),
    row('docs', -2, '7.0.0', 'Returns documentation of commands.', docs),
    row('list', -2, '7.0.0', 'Returns the names of commands.', list),
    row('getkeys', -3, '2.8.13', 'Returns the keys in a full command.', getkeys),
  ],
});

/** Unlike other containers COMMAND means something alone. */
export const INTROSPECTION_COMMANDS: readonly Command[] = [{ ...COMMAND, run: all }];
