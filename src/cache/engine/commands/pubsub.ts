/** SUBSCRIBE, PUBLISH and their relatives. Every channel named in one command gets its own reply. */
import type { ReplyWriter } from '../../wire/reply-writer.ts';
import type { Client } from '../client.ts';
import type { Call, Command } from '../command.ts';
import type { Engine } from '../engine.ts';
import { globMatches } from '../glob.ts';
import { subscribe, unsubscribe } from '../pubsub.ts';
import { container } from './containers.ts';

type Kind = '' | 'p' | 's';

interface Subscriptions {
  readonly all: Map<string, Set<Client>>;
  readonly own: Set<string>;
}

function subscriptionsOf(kind: Kind, engine: Engine, client: Client): Subscriptions {
  const { pubsub } = engine;
  if (kind === 'p') return { all: pubsub.patterns, own: client.patterns };
  if (kind === 's') return { all: pubsub.shardChannels, own: client.shardChannels };
  return { all: pubsub.channels, own: client.channels };
}

function countOf(kind: Kind, client: Client): number {
  return kind === 's' ? client.shardChannels.size : client.subscriptionCount;
}

function confirm(reply: ReplyWriter, what: string, name: string | undefined, count: number): void {
  reply.push(3);
  reply.bulk(what);
  reply.bulkOrNil(name);
  reply.integer(count);
}

function subscribeTo(kind: Kind): (call: Call) => void {
  return ({ engine, client, args, reply }) => {
    const { all, own } = subscriptionsOf(kind, engine, client);
    for (let i = 1; i < args.length; i++) {
      subscribe(all, own, args[i]!, client);
      confirm(reply, `${kind}subscribe`, args[i], countOf(kind, client));
    }
  };
}

function unsubscribeFrom(kind: Kind): (call: Call) => void {
  return ({ engine, client, args, reply }) => {
    const { all, own } = subscriptionsOf(kind, engine, client);
    const names = args.length > 1 ? args.slice(1) : [...own];
    for (const name of names) {
      unsubscribe(all, own, name, client);
      confirm(reply, `${kind}unsubscribe`, name, countOf(kind, client));
    }
    if (names.length === 0) confirm(reply, `${kind}unsubscribe`, undefined, countOf(kind, client));
  };
}

/** Ends all subscriptions without replies. */
export function dropSubscriptions(engine: Engine, client: Client): void {
  engine.pubsub.drop(client);
}

function pubsubChannels(kind: Kind): (call: Call) => void {
  return ({ engine, args, reply }) => {
    const all = kind === 's' ? engine.pubsub.shardChannels : engine.pubsub.channels;
    const pattern = args[2];
    reply.bulks([...all.keys()].filter((name) => pattern === undefined || globMatches(pattern, name)));
  };
}

function pubsubNumsub(kind: Kind): (call: Call) => void {
  return ({ engine, args, reply }) => {
    const all = kind === 's' ? engine.pubsub.shardChannels : engine.pubsub.channels;
    reply.map(args.length - 2);
    for (const name of args.slice(2)) {
      reply.bulk(name);
      reply.integer(all.get(name)?.size ?? 0);
    }
  };
}

function subscription(
  name: string,
  since: string,
  arity: number,
  summary: string,
  run: (call: Call) => void,
): Command {
  const flags = ['pubsub', 'noscript', 'loading', 'stale'] as const;
  return { name, arity, flags, group: 'pubsub', since, summary, run };
}

function publishing(name: string, since: string, summary: string, run: (call: Call) => void): Command {
  return {
    name,
    arity: 3,
    flags: ['pubsub', 'loading', 'stale', 'fast'],
    group: 'pubsub',
    since,
    summary,
    run,
  };
}

export const PUBSUB_COMMANDS: readonly Command[] = [
  subscription('subscribe', '2.0.0', -2, 'Listens to channels.', subscribeTo('')),
  subscription('psubscribe', '2.0.0', -2, 'Listens to channels that match patterns.', subscribeTo('p')),
  subscription('ssubscribe', '7.0.0', -2, 'Listens to shard channels.', subscribeTo('s')),
  subscription('unsubscribe', '2.0.0', -1, 'Stops listening to channels.', unsubscribeFrom('')),
  subscription('punsubscribe', '2.0.0', -1, 'Stops listening to patterns.', unsubscribeFrom('p')),
  subscription('sunsubscribe', '7.0.0', -1, 'Stops listening to shard channels.', unsubscribeFrom('s')),
  publishing('publish', '2.0.0', 'Sends a message to a channel.', ({ engine, args, reply }) => {
    reply.integer(engine.pubsub.publish(args[1]!, args[2]!));
  }),
  publishing('spublish', '7.0.0', 'Sends a message to a shard channel.', ({ engine, args, reply }) => {
    reply.integer(engine.pubsub.publishToShard(args[1]!, args[2]!));
  }),
  container({
    name: 'pubsub',
    arity: -2,
    flags: [],
    group: 'pubsub',
    since: '2.8.0',
    summary: 'Looks into the subscriptions.',
    subcommands: [
      subscription(
        'pubsub|channels',
        '2.8.0',
        -2,
        'Returns channels somebody listens to.',
        pubsubChannels(''),
      ),
      subscription(
        'pubsub|shardchannels',
        '7.0.0',
        -2,
        'Returns shard channels in use.',
        pubsubChannels('s'),
      ),
      subscription('pubsub|numsub', '2.8.0', -2, 'Counts the listeners of channels.', pubsubNumsub('')),
      subscription(
        'pubsub|shardnumsub',
        '7.0.0',
        -2,
        'Counts the listeners of shard channels.',
        pubsubNumsub('s'),
      ),
      subscription('pubsub|numpat', '2.8.0', 2, 'Counts the patterns listened to.', ({ engine, reply }) => {
        reply.integer(engine.pubsub.patterns.size);
      }),
    ],
  }),
];
