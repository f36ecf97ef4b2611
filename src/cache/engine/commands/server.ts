/** The server itself: settings, time, memory, slow commands; and what it refuses by name. */
import { failure, notSupported, syntaxError } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import { globMatches } from '../glob.ts';
import { count, notNegative } from '../numbers.ts';
import { container } from './containers.ts';
import { categoriesOf } from './introspection.ts';

function configGet({ engine, args, reply }: Call): void {
  const patterns = args.slice(2);
  const found = [...engine.parameters].filter(([name]) =>
    patterns.some((pattern) => globMatches(pattern, name, true)),
  );
  reply.map(found.length);
  for (const [name, parameter] of found) {
    reply.bulk(name);
    reply.bulk(parameter.read());
  }
}

/** All or nothing: what was set before a refused parameter is set back. */
function configSet({ engine, args, reply }: Call): void {
  if (args.length % 2 !== 0) throw failure("wrong number of arguments for 'config|set' command");
  const undo: (() => void)[] = [];
  for (let i = 2; i < args.length; i += 2) {
    const name = args[i]!.toLowerCase();
    const parameter = engine.parameters.get(name);
    try {
      if (parameter === undefined)
        throw failure(`Unknown option or number of arguments for CONFIG SET - '${args[i]}'`);
      const before = parameter.read();
      if (parameter.write !== undefined) {
        const { write } = parameter;
        write(args[i + 1]!);
        if (name !== 'client-output-buffer-limit') undo.push(() => write(before));
      } else if (before !== args[i + 1]) throw failure(`${name} cannot be changed on this server`);
    } catch (thrown) {
      for (const step of undo.reverse()) step();
      if (parameter === undefined) throw thrown;
      throw failure(
        `CONFIG SET failed (possibly related to argument '${name}') - ${(thrown as Error).message}`,
      );
    }
  }
  engine.settingsChanged();
  reply.ok();
}

function configResetstat({ engine, reply }: Call): void {
  engine.resetCalls();
  Object.assign(engine.stats, {
    commands: 0,
    connections: 0,
    rejectedConnections: 0,
    errors: 0,
    authFailures: 0,
  });
  Object.assign(engine.keyspace.stats, { hits: 0, misses: 0, expired: 0, evicted: 0 });
  reply.ok();
}

function time({ reply, now }: Call): void {
  reply.bulks([String(Math.floor(now / 1_000)), String((now % 1_000) * 1_000)]);
}

function memoryUsage({ db, args, reply }: Call): void {
  if (args.length > 3 && (args.length !== 5 || args[3]!.toLowerCase() !== 'samples')) throw syntaxError();
  if (args.length === 5) notNegative(args[4]!);
  const entry = db.peek(args[2]!);
  if (entry === undefined) reply.nil();
  else reply.integer(entry.bytes);
}

function memoryStats({ engine, reply }: Call): void {
  const keys = engine.keyspace.databases.reduce((sum, { size }) => sum + size, 0);
  const fields: Record<string, number> = {
    'peak.allocated': engine.peakBytes,
    'total.allocated': engine.usedBytes(),
    'clients.normal': engine.usedBytes() - engine.keyspace.usedBytes,
    'keys.count': keys,
    'keys.bytes-per-key': keys === 0 ? 0 : Math.round(engine.keyspace.usedBytes / keys),
    'dataset.bytes': engine.keyspace.usedBytes,
  };
  reply.map(Object.keys(fields).length);
  for (const [name, value] of Object.entries(fields)) {
    reply.bulk(name);
    reply.integer(value);
  }
}

function slowlogGet({ engine, args, reply }: Call): void {
  if (args.length > 3) throw syntaxError();
  const wanted = args.length === 3 ? count(args[2]!) : 10;
  if (wanted < -1) throw failure('count should be greater than or equal to -1');
  const entries = engine.slowlog.newest(wanted === -1 ? engine.slowlog.length : wanted);
  reply.array(entries.length);
  for (const entry of entries) {
    reply.array(6);
    reply.integer(entry.id);
    reply.integer(entry.at);
    reply.integer(entry.durationUs);
    reply.bulks(entry.args);
    reply.bulk(entry.peer);
    reply.bulk(entry.clientName);
  }
}

function monitor({ engine, client, reply }: Call): void {
  client.monitoring = true;
  engine.monitors.add(client);
  reply.ok();
}

function role({ reply }: Call): void {
  reply.array(3);
  reply.bulk('master');
  reply.integer(0);
  reply.array(0);
}

function aclCat({ engine, args, reply }: Call): void {
  const { commands } = engine.options;
  if (args.length === 2) {
    reply.bulks([...new Set(commands.flatMap(categoriesOf))].map((category) => category.slice(1)));
    return;
  }
  const wanted = `@${args[2]!.toLowerCase()}`;
  const names = commands.filter((command) => categoriesOf(command).includes(wanted)).map(({ name }) => name);
  if (names.length === 0) throw failure(`Unknown category '${args[2]}'`);
  reply.bulks(names);
}

function row(
  name: string,
  arity: number,
  since: string,
  flags: Command['flags'],
  summary: string,
  run: Command['run'],
): Command {
  return { name, arity, flags, group: 'server', since, summary, run };
}

/** A command that exists elsewhere and would do harm if it seemed to work here. */
function refused(name: string, since: string, what: string): Command {
  return row(name, -1, since, ['admin', 'noscript', 'dangerous'], `Not supported: ${what}.`, () => {
    throw notSupported(what);
  });
}

const ADMIN = ['admin', 'noscript', 'loading', 'stale', 'dangerous'] as const;
const QUERY = ['loading', 'stale'] as const;

export const SERVER_COMMANDS: readonly Command[] = [
  container({
    name: 'config',
    arity: -2,
    flags: [],
    group: 'server',
    since: '2.0.0',
    summary: 'Reads and changes settings.',
    subcommands: [
      row('config|get', -3, '2.0.0', ADMIN, 'Returns settings whose names match patterns.', configGet),
      row('config|set', -4, '2.0.0', ADMIN, 'Changes settings while the server runs.', configSet),
      row('config|resetstat', 2, '2.0.0', ADMIN, 'Sets the counters of INFO to zero.', configResetstat),
      row('config|rewrite', 2, '2.8.0', ADMIN, 'Not supported: there is no configuration file.', () => {
        throw failure('The server is running without a config file');
      }),
    ],
  }),
  row('time', 1, '2.6.0', ['loading', 'stale', 'fast'], 'Returns the time of the server.', time),
  row(
    'role',
    1,
    '2.8.12',
    ['noscript', 'loading', 'stale', 'fast', 'admin', 'dangerous'],
    'Returns its role.',
    role,
  ),
  row('monitor', 1, '1.0.0', ADMIN, 'Shows every command as it is carried out.', monitor),
  row(
    'lastsave',
    1,
    '1.0.0',
    ['loading', 'stale', 'fast', 'admin', 'dangerous'],
    'Returns the start time.',
    (call) => {
      call.reply.integer(Math.floor(call.engine.options.startMs / 1_000));
    },
  ),
  row(
    'wait',
    3,
    '3.0.0',
    ['blocking'],
    'Returns the number of replicas that have all writes: none.',
    ({ args, reply }) => {
      notNegative(args[1]!);
      notNegative(args[2]!, 'timeout is negative');
      reply.integer(0);
    },
  ),
  container({
    name: 'memory',
    arity: -2,
    flags: [],
    group: 'server',
    since: '4.0.0',
    summary: 'Tells about the use of memory.',
    subcommands: [
      {
        ...row(
          'memory|usage',
          -3,
          '4.0.0',
          ['readonly'],
          'Returns the bytes counted for a key.',
          memoryUsage,
        ),
        keys: [2, 2, 1],
      },
      row('memory|stats', 2, '4.0.0', [], 'Returns how memory is used.', memoryStats),
      row('memory|doctor', 2, '4.0.0', [], 'Returns advice, of which there is none.', ({ reply }) => {
        reply.verbatim('txt', 'Memory is counted by formula; see used_memory and used_memory_rss in INFO.\n');
      }),
      row('memory|purge', 2, '4.0.0', [], 'Does nothing: memory is collected by itself.', ({ reply }) =>
        reply.ok(),
      ),
    ],
  }),
  container({
    name: 'slowlog',
    arity: -2,
    flags: [],
    group: 'server',
    since: '2.2.12',
    summary: 'Tells about commands that took long.',
    subcommands: [
      row('slowlog|get', -2, '2.2.12', ADMIN, 'Returns the newest slow commands.', slowlogGet),
      row(
        'slowlog|len',
        2,
        '2.2.12',
        ADMIN,
        'Counts the slow commands that are kept.',
        ({ engine, reply }) => {
          reply.integer(engine.slowlog.length);
        },
      ),
      row('slowlog|reset', 2, '2.2.12', ADMIN, 'Forgets the slow commands.', ({ engine, reply }) => {
        engine.slowlog.clear();
        reply.ok();
      }),
    ],
  }),
  container({
    name: 'latency',
    arity: -2,
    flags: [],
    group: 'server',
    since: '2.8.13',
    summary: 'Tells about latency events, which are not recorded here.',
    subcommands: [
      row('latency|latest', 2, '2.8.13', ADMIN, 'Returns the newest events.', ({ reply }) => reply.array(0)),
      row('latency|history', 3, '2.8.13', ADMIN, 'Returns the events of one kind.', ({ reply }) =>
        reply.array(0),
      ),
      row('latency|reset', -2, '2.8.13', ADMIN, 'Forgets the events.', ({ reply }) => reply.integer(0)),
    ],
  }),
  container({
    name: 'acl',
    arity: -2,
    flags: [],
    group: 'server',
    since: '6.0.0',
    summary: 'Tells about access: there is one user, with all rights.',
    subcommands: [
      row('acl|whoami', 2, '6.0.0', QUERY, 'Returns the user of the connection.', ({ client, reply }) => {
        reply.bulk(client.user ?? 'default');
      }),
      row('acl|cat', -2, '6.0.0', QUERY, 'Returns categories, or the commands of one.', aclCat),
    ],
  }),
  refused('debug', '1.0.0', 'DEBUG'),
  refused('save', '1.0.0', 'SAVE, because keys live in memory only,'),
  refused('bgsave', '1.0.0', 'BGSAVE, because keys live in memory only,'),
  refused('bgrewriteaof', '1.0.0', 'BGREWRITEAOF, because keys live in memory only,'),
  refused('shutdown', '1.0.0', 'SHUTDOWN'),
  refused('replicaof', '5.0.0', 'replication'),
  refused('slaveof', '1.0.0', 'replication'),
  refused('cluster', '3.0.0', 'cluster mode'),
];
