/** The connection itself: who it is, which protocol, which database. */
import { failure, noAuthHello, noProtocol, syntaxError, wrongPassword } from '../../errors.ts';
import type { ReplyWriter } from '../../wire/reply-writer.ts';
import type { Client } from '../client.ts';
import type { Call, Command } from '../command.ts';
import type { Engine } from '../engine.ts';
import { parseInteger } from '../numbers.ts';
import { dropSubscriptions } from './pubsub.ts';

function ping({ client, args, reply }: Call): void {
  if (args.length > 2) throw failure("wrong number of arguments for 'ping' command");
  if (client.subscriberMode) reply.bulks(['pong', args[1] ?? '']);
  else if (args.length === 2) reply.bulk(args[1]!);
  else reply.simple('PONG');
}

function echo({ args, reply }: Call): void {
  reply.bulk(args[1]!);
}

function select({ engine, client, args, reply }: Call): void {
  const index = parseInteger(args[1]!);
  if (index === undefined) throw failure('value is not an integer or out of range');
  const database = engine.keyspace.databases[Number(index)];
  if (database === undefined) throw failure('DB index is out of range');
  client.database = database;
  reply.ok();
}

function quit({ client, reply }: Call): void {
  reply.ok();
  client.link.close(true, 'QUIT');
}

/** Back to how a connection begins. */
function reset({ engine, client, reply }: Call): void {
  client.transaction = undefined;
  engine.unwatch(client);
  engine.monitors.delete(client);
  dropSubscriptions(engine, client);
  client.database = engine.keyspace.databases[0]!;
  client.name = '';
  client.noEvict = false;
  client.noTouch = false;
  client.replyMode = 'on';
  client.user = engine.options.credentials.required ? undefined : 'default';
  client.reply.protocol = 2;
  reply.simple('RESET');
}

interface Login {
  readonly username: string;
  readonly password: string;
}

/**
 * Checks a login, at once or when it is this address's turn (see auth-throttle.ts), then goes on with
 * `whenRight`.
 */
function logIn(call: Call, login: Login, whenRight: (reply: ReplyWriter) => void): void {
  const { engine, client, now } = call;
  const turn = engine.throttle.turn(client.link.address, now);
  if (turn === undefined)
    throw failure('too many failed authentication attempts from this address, try again later');
  if (turn === 0) {
    if (!verify(engine, client, login, now)) throw wrongPassword();
    whenRight(call.reply);
    return;
  }
  const whenOver = (reply: ReplyWriter): void => {
    if (verify(engine, client, login, now + turn)) whenRight(reply);
    else reply.error(`WRONGPASS ${wrongPassword().message}`);
  };
  engine.blocking.block(call, { keys: [], timeoutMs: turn, whenOver });
}

function verify(engine: Engine, client: Client, { username, password }: Login, now: number): boolean {
  const { credentials } = engine.options;
  if (credentials.required && !credentials.verify(username, password)) {
    engine.throttle.failed(client.link.address, now);
    engine.stats.authFailures++;
    return false;
  }
  if (!credentials.required && username !== 'default') return false;
  engine.throttle.succeeded(client.link.address);
  client.user = username;
  client.link.authenticated();
  return true;
}

function auth(call: Call): void {
  const { engine, args } = call;
  if (args.length > 3) throw syntaxError();
  if (args.length === 2 && !engine.options.credentials.required) {
    throw failure(
      'AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    );
  }
  const login =
    args.length === 2
      ? { username: 'default', password: args[1]! }
      : { username: args[1]!, password: args[2]! };
  logIn(call, login, (reply) => reply.ok());
}

interface HelloOptions {
  readonly login: Login | undefined;
  readonly name: string | undefined;
}

function helloOptions(args: readonly string[]): HelloOptions {
  let login: Login | undefined;
  let name: string | undefined;
  for (let i = 2; i < args.length; ) {
    const word = args[i]!.toLowerCase();
    if (word === 'auth' && i + 2 < args.length) {
      login = { username: args[i + 1]!, password: args[i + 2]! };
      i += 3;
    } else if (word === 'setname' && i + 1 < args.length) {
      name = checkedName(args[i + 1]!, 'Client names cannot contain spaces, newlines or special characters.');
      i += 2;
    } else throw failure(`Syntax error in HELLO option '${args[i]}'`);
  }
  return { login, name };
}

function hello(call: Call): void {
  const { client, args } = call;
  if (args.length > 1) {
    const version = parseInteger(args[1]!);
    if (version === undefined) throw failure('Protocol version is not an integer or out of range');
    if (version !== 2 && version !== 3) throw noProtocol();
  }
  const { login, name } = helloOptions(args);
  const greet = (reply: ReplyWriter): void => {
    if (name !== undefined) client.name = name;
    if (args.length > 1) reply.protocol = args[1] === '3' ? 3 : 2;
    writeGreeting(call, reply);
  };
  if (login !== undefined) logIn(call, login, greet);
  else if (client.user === undefined) throw noAuthHello();
  else greet(call.reply);
}

function writeGreeting({ engine, client }: Call, reply: ReplyWriter): void {
  reply.map(7);
  reply.bulk('server');
  reply.bulk('redis');
  reply.bulk('version');
  reply.bulk(engine.options.version);
  reply.bulk('proto');
  reply.integer(reply.protocol);
  reply.bulk('id');
  reply.integer(client.id);
  reply.bulk('mode');
  reply.bulk('standalone');
  reply.bulk('role');
  reply.bulk('master');
  reply.bulk('modules');
  reply.array(0);
}

/** @throws ERR with `message` for a name that would break the lines of CLIENT LIST */
export function checkedName(name: string, message: string): string {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code < 33 || code > 126) throw failure(message);
  }
  return name;
}

export const CONNECTION_COMMANDS: readonly Command[] = [
  {
    name: 'ping',
    arity: -1,
    flags: ['fast', 'connection'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Returns PONG, or its argument.',
    run: ping,
  },
  {
    name: 'echo',
    arity: 2,
    flags: ['fast', 'loading', 'stale', 'connection'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Returns its argument.',
    run: echo,
  },
  {
    name: 'select',
    arity: 2,
    flags: ['fast', 'loading', 'stale', 'connection'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Changes the current database.',
    run: select,
  },
  {
    name: 'quit',
    arity: -1,
    flags: ['no_auth', 'fast', 'noscript', 'loading', 'stale', 'connection'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Closes the connection.',
    run: quit,
  },
  {
    name: 'reset',
    arity: 1,
    flags: ['no_auth', 'fast', 'noscript', 'loading', 'stale', 'connection'],
    group: 'connection',
    since: '6.2.0',
    summary: 'Brings the connection back to how it began.',
    run: reset,
  },
  {
    name: 'auth',
    arity: -2,
    flags: ['no_auth', 'fast', 'noscript', 'loading', 'stale', 'connection'],
    group: 'connection',
    since: '1.0.0',
    summary: 'Authenticates the connection.',
    run: auth,
  },
  {
    name: 'hello',
    arity: -1,
    flags: ['no_auth', 'fast', 'noscript', 'loading', 'stale', 'connection'],
    group: 'connection',
    since: '6.0.0',
    summary: 'Chooses the protocol version, and may authenticate and name the connection.',
    run: hello,
  },
];
