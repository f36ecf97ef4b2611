/** What the engine knows about one connection. The session owns it; commands read and change it. */
import type { ReplyWriter } from '../wire/reply-writer.ts';
import type { Waiter } from './blocking.ts';
import type { Command } from './command.ts';
import type { Database } from './keyspace.ts';

/** What the engine asks of the connection. Calls may come at any time, also within `execute`. */
export interface ClientLink {
  /** `host:port` of the peer and of our side. */
  readonly remote: string;
  readonly local: string;
  /** The peer's address alone, for throttling. */
  readonly address: string;
  /** Replies were written outside of the client's own command: send them soon. */
  outputWritten(): void;
  /** The client is not blocked any more: go on with what it has sent meanwhile. */
  unblocked(): void;
  /** Close, after what was written has been sent (`true`) or at once. */
  close(afterReplies: boolean, reason: string): void;
  /** Bytes that wait to be sent, and bytes received and not yet parsed. */
  pendingOutputBytes(): number;
  pendingInputBytes(): number;
  /** From now on the client may send requests of full size. */
  authenticated(): void;
}

export interface QueuedCommand {
  readonly command: Command;
  readonly args: string[];
}

/** Between MULTI and EXEC. */
export interface Transaction {
  readonly queue: QueuedCommand[];
  /** A command could not be queued: EXEC will be refused. */
  failed: boolean;
}

/** `skip` leaves out the reply to the next command. */
export type ReplyMode = 'on' | 'off' | 'skip';

export class Client {
  readonly id: number;
  readonly reply: ReplyWriter;
  readonly link: ClientLink;
  readonly createdMs: number;
  database: Database;
  name = '';
  libraryName = '';
  libraryVersion = '';
  /** The user it has authenticated as; undefined while it must still do so. */
  user: string | undefined;
  transaction: Transaction | undefined;
  /** Keys under WATCH. */
  readonly watched = new Map<Database, Set<string>>();
  watchedKeyChanged = false;
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  readonly shardChannels = new Set<string>();
  blocked: Waiter | undefined;
  replyMode: ReplyMode = 'on';
  noEvict = false;
  noTouch = false;
  monitoring = false;
  closed = false;
  lastCommand = 'NULL';
  lastActiveMs: number;
  commandCount = 0;
  /** Messages caused by its own command, which follow the reply. */
  readonly deferredPushes: string[] = [];

  constructor(id: number, reply: ReplyWriter, link: ClientLink, database: Database, now: number) {
    this.id = id;
    this.reply = reply;
    this.link = link;
    this.database = database;
    this.createdMs = now;
    this.lastActiveMs = now;
  }

  get subscriptionCount(): number {
    return this.channels.size + this.patterns.size;
  }

  /** In RESP2 a subscriber may say only what changes or ends its subscriptions. */
  get subscriberMode(): boolean {
    return this.reply.protocol === 2 && this.subscriptionCount + this.shardChannels.size > 0;
  }
}
