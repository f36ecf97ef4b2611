/** What a command is: one row of the table that dispatch, COMMAND, access categories and docs are read from. */

import type { ReplyWriter } from '../wire/reply-writer.ts';
import type { Client } from './client.ts';
import type { Engine } from './engine.ts';
import type { Database } from './keyspace.ts';

/**
 * `write`, `readonly`  changes keys, or reads them
 * `denyoom`            refused when memory is full and nothing can be evicted
 * `fast`               takes constant or logarithmic time
 * `blocking`           may wait
 * `pubsub`, `admin`    as the categories
 * `noscript`, `loading`, `stale`  reported to clients, without effect here
 * `no_auth`            allowed before AUTH
 * `no_multi`           refused inside a transaction
 * `movablekeys`        its keys are not at fixed places
 * `dangerous`, `connection`, `keyspace`  categories that do not follow from the group
 */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'fast'
  | 'blocking'
  | 'pubsub'
  | 'admin'
  | 'noscript'
  | 'loading'
  | 'stale'
  | 'no_auth'
  | 'no_multi'
  | 'movablekeys'
  | 'dangerous'
  | 'connection'
  | 'keyspace';

export type CommandGroup =
  | 'string'
  | 'bitmap'
  | 'generic'
  | 'hash'
  | 'list'
  | 'set'
  | 'sorted-set'
  | 'geo'
  | 'hyperloglog'
  | 'pubsub'
  | 'transactions'
  | 'connection'
  | 'server';

/** First key, last key (negative: from the end), step. `undefined`: no keys at fixed places. */
export type KeyPositions = readonly [first: number, last: number, step: number];

/** Where the keys are when they are not at fixed places. */
export type KeyFinder = (args: readonly string[]) => string[];

export interface Command {
  /** Lower case; a subcommand as `client|setname`. */
  readonly name: string;
  /** Number of arguments with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  readonly group: CommandGroup;
  readonly since: string;
  readonly summary: string;
  readonly keys?: KeyPositions;
  readonly findKeys?: KeyFinder;
  readonly subcommands?: readonly Command[];
  /** Validates first and writes its reply last. @throws CacheError, whose line becomes the reply */
  readonly run: (call: Call) => void;
}

/** One command being carried out. */
export interface Call {
  readonly engine: Engine;
  readonly client: Client;
  readonly command: Command;
  /** The name, then the arguments. */
  readonly args: readonly string[];
  readonly db: Database;
  readonly reply: ReplyWriter;
  /** Milliseconds since 1970; the same for a whole transaction. */
  readonly now: number;
  /** False inside a transaction: a command that would wait answers as if its time were up. */
  readonly mayBlock: boolean;
  /** True when a blocked command is tried again. If it writes nothing it goes on waiting. */
  readonly retry: boolean;
}
