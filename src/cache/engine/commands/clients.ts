/** CLIENT: connections seen and handled by others. */
import { failure, syntaxError } from '../../errors.ts';
import type { Client } from '../client.ts';
import type { Call, Command } from '../command.ts';
import { parseInteger } from '../numbers.ts';
import { checkedName } from './connection.ts';
import { container } from './containers.ts';

/** Kind of a client as TYPE names it. There are no replicas and no masters here. */
function kindOf(client: Client): 'normal' | 'pubsub' {
  return client.subscriptionCount + client.shardChannels.size > 0 ? 'pubsub' : 'normal';
}

function flagsOf(client: Client): string {
  let flags = '';
  if (client.monitoring) flags += 'O';
  if (kindOf(client) === 'pubsub') flags += 'P';
  if (client.transaction !== undefined) flags += 'x';
  if (client.blocked !== undefined) flags += 'b';
  if (client.watchedKeyChanged) flags += 'd';
  if (client.noEvict) flags += 'e';
  if (client.noTouch) flags += 'T';
  return flags === '' ? 'N' : flags;
}

/** One line of CLIENT LIST. */
function describe(client: Client, now: number): string {
  const { link } = client;
  const input = link.pendingInputBytes();
  const output = link.pendingOutputBytes();
  const fields: Record<string, string | number> = {
    id: client.id,
    addr: link.remote,
    laddr: link.local,
    fd: client.id,
    name: client.name,
    age: Math.floor((now - client.createdMs) / 1_000),
    idle: Math.floor((now - client.lastActiveMs) / 1_000),
    flags: flagsOf(client),
    db: client.database.index,
    sub: client.channels.size,
    psub: client.patterns.size,
    ssub: client.shardChannels.size,
    multi: client.transaction?.queue.length ?? -1,
    watch: [...client.watched.values()].reduce((sum, { size }) => sum + size, 0),
    qbuf: input,
    'qbuf-free': 0,
    'argv-mem': 0,
    'multi-mem': 0,
    rbs: 0,
    rbp: 0,
    obl: 0,
    oll: output > 0 ? 1 : 0,
    omem: output,
    'tot-mem': input + output,
    events: 'r',
    cmd: client.lastCommand,
    user: client.user ?? '(superuser)',
    redir: -1,
    resp: client.reply.protocol,
    'lib-name': client.libraryName,
    'lib-ver': client.libraryVersion,
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

function setname({ client, args, reply }: Call): void {
  client.name = checkedName(args[2]!, 'Client names cannot contain spaces, newlines or special characters.');
  reply.ok();
}

function getname({ client, reply }: Call): void {
  if (client.name === '') reply.nil();
  else reply.bulk(client.name);
}

function setinfo({ client, args, reply }: Call): void {
  const field = args[2]!.toLowerCase();
  if (field !== 'lib-name' && field !== 'lib-ver') throw failure(`Unrecognized option '${args[2]}'`);
  const text = checkedName(args[3]!, `${field} cannot contain spaces, newlines or special characters.`);
  if (field === 'lib-name') client.libraryName = text;
  else client.libraryVersion = text;
  reply.ok();
}

function info({ client, reply, now }: Call): void {
  reply.verbatim('txt', `${describe(client, now)}\n`);
}

function list({ engine, args, reply, now }: Call): void {
  let chosen = [...engine.clients.values()];
  if (args.length > 2) {
    const word = args[2]!.toLowerCase();
    if (word === 'type' && args.length === 4) chosen = chosen.filter(ofKind(args[3]!));
    else if (word === 'id' && args.length > 3) {
      const ids = args.slice(3).map(clientId);
      chosen = chosen.filter(({ id }) => ids.includes(id));
    } else throw syntaxError();
  }
  reply.verbatim('txt', chosen.map((client) => `${describe(client, now)}\n`).join(''));
}

function ofKind(text: string): (client: Client) => boolean {
  const kind = text.toLowerCase();
  if (kind !== 'normal' && kind !== 'pubsub' && kind !== 'master' && kind !== 'replica' && kind !== 'slave') {
    throw failure(`Unknown client type '${text}'`);
  }
  return (client) => kindOf(client) === kind;
}

function clientId(text: string): number {
  const id = parseInteger(text);
  if (typeof id !== 'number' || id < 1) throw failure('Invalid client ID');
  return id;
}

function yesOrNo(text: string): boolean {
  const word = text.toLowerCase();
  if (word !== 'yes' && word !== 'no') throw syntaxError();
  return word === 'yes';
}

/** The filters of CLIENT KILL; all must agree. */
function killFilter(call: Call): (client: Client) => boolean {
  const { args, client: self, now } = call;
  const filters: ((client: Client) => boolean)[] = [];
  let skipSelf = true;
  for (let i = 2; i < args.length; i += 2) {
    const word = args[i]!.toLowerCase();
    const operand = args[i + 1];
    if (operand === undefined) throw syntaxError();
    if (word === 'id') {
      const id = parseInteger(operand);
      if (typeof id !== 'number' || id < 1) throw failure('client-id should be greater than 0');
      filters.push((client) => client.id === id);
    } else if (word === 'addr') filters.push(({ link }) => link.remote === operand);
    else if (word === 'laddr') filters.push(({ link }) => link.local === operand);
    else if (word === 'type') filters.push(ofKind(operand));
    else if (word === 'user') filters.push(({ user }) => user === operand);
    else if (word === 'maxage') filters.push(olderThan(operand, now));
    else if (word === 'skipme') skipSelf = yesOrNo(operand);
    else throw syntaxError();
  }
  return (client) => filters.every((filter) => filter(client)) && !(skipSelf && client === self);
}

function olderThan(text: string, now: number): (client: Client) => boolean {
  const seconds = parseInteger(text);
  if (typeof seconds !== 'number') throw failure('maxage is not an integer or out of range');
  return ({ createdMs }) => (now - createdMs) / 1_000 >= seconds;
}

function kill(call: Call): void {
  const { engine, client: self, args, reply } = call;
  const byAddress = args.length === 3;
  const wanted = byAddress ? (client: Client) => client.link.remote === args[2] : killFilter(call);
  const victims = [...engine.clients.values()].filter(wanted);
  if (byAddress && victims.length === 0) throw failure('No such client');
  for (const victim of victims) victim.link.close(victim === self, 'CLIENT KILL');
  if (byAddress) reply.ok();
  else reply.integer(victims.length);
}

function unblock({ engine, args, reply }: Call): void {
  const id = parseInteger(args[2]!);
  if (typeof id !== 'number') throw failure('value is not an integer or out of range');
  const how = args[3]?.toLowerCase() ?? 'timeout';
  if (args.length > 4 || (how !== 'timeout' && how !== 'error')) {
    throw failure('CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  }
  const target = engine.clients.get(id);
  const waiter = target?.blocked;
  // One that waits for its turn to log in is not unblocked: that would be a way around the wait.
  if (target === undefined || waiter === undefined || waiter.keys.length === 0) {
    reply.integer(0);
    return;
  }
  const byError = (other: Call['reply']): void => {
    other.error('UNBLOCKED client unblocked via CLIENT UNBLOCK');
  };
  engine.blocking.unblock(target, how === 'error' ? byError : waiter.whenOver);
  reply.integer(1);
}

function replyMode({ client, args, reply }: Call): void {
  const mode = args[2]!.toLowerCase();
  if (mode === 'on') {
    client.replyMode = 'on';
    reply.ok();
  } else if (mode === 'off') client.replyMode = 'off';
  else if (mode === 'skip') client.replyMode = client.replyMode === 'off' ? 'off' : 'skip';
  else throw syntaxError();
}

function onOrOff(text: string): boolean {
  const word = text.toLowerCase();
  if (word !== 'on' && word !== 'off') throw syntaxError();
  return word === 'on';
}

function row(name: string, arity: number, since: string, summary: string, run: Command['run']): Command {
  const flags = ['noscript', 'loading', 'stale', 'connection'] as const;
  return { name: `client|${name}`, arity, flags, group: 'connection', since, summary, run };
}

function adminRow(name: string, arity: number, since: string, summary: string, run: Command['run']): Command {
  const flags = ['admin', 'noscript', 'loading', 'stale', 'connection', 'dangerous'] as const;
  return { name: `client|${name}`, arity, flags, group: 'connection', since, summary, run };
}

export const CLIENT_COMMANDS: readonly Command[] = [
  container({
    name: 'client',
    arity: -2,
    flags: [],
    group: 'connection',
    since: '2.4.0',
    summary: 'Looks at and handles connections.',
    subcommands: [
      row('id', 2, '5.0.0', 'Returns the id of the connection.', ({ client, reply }) =>
        reply.integer(client.id),
      ),
      row('setname', 3, '2.6.9', 'Names the connection.', setname),
      row('getname', 2, '2.6.9', 'Returns the name of the connection.', getname),
      row('setinfo', 4, '7.2.0', 'Tells which library the client uses.', setinfo),
      row('info', 2, '6.2.0', 'Describes the connection.', info),
      adminRow('list', -2, '2.4.0', 'Describes all connections.', list),
      adminRow('kill', -3, '2.4.0', 'Closes connections.', kill),
      adminRow('unblock', -3, '5.0.0', 'Ends the waiting of a blocked connection.', unblock),
      row('reply', 3, '3.2.0', 'Turns replies on and off.', replyMode),
      adminRow(
        'no-evict',
        3,
        '7.0.0',
        'Protects the connection from eviction.',
        ({ client, args, reply }) => {
          client.noEvict = onOrOff(args[2]!);
          reply.ok();
        },
      ),
      row(
        'no-touch',
        3,
        '7.2.0',
        'Lets reads leave the order of eviction alone.',
        ({ client, args, reply, engine }) => {
          client.noTouch = onOrOff(args[2]!);
          engine.keyspace.noTouch = client.noTouch;
          reply.ok();
        },
      ),
      row('getredir', 2, '6.0.0', 'Returns where invalidation messages go: nowhere.', ({ reply }) =>
        reply.integer(-1),
      ),
    ],
  }),
];
