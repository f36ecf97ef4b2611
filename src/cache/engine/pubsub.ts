/** Publish and subscribe: who listens to which channel, pattern and shard channel. */
import { ReplyWriter } from '../wire/reply-writer.ts';
import type { Client } from './client.ts';
import { globMatches } from './glob.ts';

/** A message encoded at most once per protocol version, however many receive it. */
class Message {
  readonly #parts: readonly string[];
  readonly #encoded: [string | undefined, string | undefined] = [undefined, undefined];

  constructor(parts: readonly string[]) {
    this.#parts = parts;
  }

  bytes(protocol: 2 | 3): string {
    return (this.#encoded[protocol - 2] ??= this.#encode(protocol));
  }

  #encode(protocol: 2 | 3): string {
    const writer = new ReplyWriter();
    writer.protocol = protocol;
    writer.push(this.#parts.length);
    for (const part of this.#parts) writer.bulk(part);
    return writer.take().join('');
  }
}

export type Deliver = (client: Client, bytes: string) => void;

export class PubSub {
  readonly channels = new Map<string, Set<Client>>();
  readonly patterns = new Map<string, Set<Client>>();
  readonly shardChannels = new Map<string, Set<Client>>();
  readonly #deliver: Deliver;

  constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  /** @returns how many received it */
  publish(channel: string, message: string): number {
    let receivers = this.#send(this.channels.get(channel), ['message', channel, message]);
    for (const [pattern, clients] of this.patterns) {
      if (!globMatches(pattern, channel)) continue;
      receivers += this.#send(clients, ['pmessage', pattern, channel, message]);
    }
    return receivers;
  }

  publishToShard(channel: string, message: string): number {
    return this.#send(this.shardChannels.get(channel), ['smessage', channel, message]);
  }

  #send(clients: Set<Client> | undefined, parts: readonly string[]): number {
    if (clients === undefined) return 0;
    const message = new Message(parts);
    for (const client of clients) this.#deliver(client, message.bytes(client.reply.protocol));
    return clients.size;
  }

  /** Ends all subscriptions of a client without a word to it. */
  drop(client: Client): void {
    removeAll(this.channels, client.channels, client);
    removeAll(this.patterns, client.patterns, client);
    removeAll(this.shardChannels, client.shardChannels, client);
  }
}

/** @returns false when it was subscribed already */
export function subscribe(
  all: Map<string, Set<Client>>,
  own: Set<string>,
  name: string,
  client: Client,
): boolean {
  if (own.has(name)) return false;
  own.add(name);
  const clients = all.get(name);
  if (clients === undefined) all.set(name, new Set([client]));
  else clients.add(client);
  return true;
}

export function unsubscribe(
  all: Map<string, Set<Client>>,
  own: Set<string>,
  name: string,
  client: Client,
): void {
  if (!own.delete(name)) return;
  const clients = all.get(name);
  clients?.delete(client);
  if (clients?.size === 0) all.delete(name);
}

function removeAll(all: Map<string, Set<Client>>, own: Set<string>, client: Client): void {
  for (const name of [...own]) unsubscribe(all, own, name, client);
}
