/**
 * Commands that wait: BLPOP and its relatives.
 *
 * A handler that finds nothing calls `block`. The command is remembered under each of its keys, in order of
 * arrival. When a key changes and the command (or transaction) that changed it is done, the waiting commands
 * of that key are simply tried again, oldest first; one that now writes a reply is no longer blocked. So the
 * rules of each command, also about wrong types, stand in its handler alone.
 */
import type { ReplyWriter } from '../wire/reply-writer.ts';
import type { Client } from './client.ts';
import type { Call, Command } from './command.ts';
import { DeadlineHeap, type Expiring } from './deadline-heap.ts';
import type { Database, Keyspace } from './keyspace.ts';

export interface Waiter extends Expiring {
  readonly client: Client;
  readonly command: Command;
  readonly args: readonly string[];
  readonly database: Database;
  readonly keys: readonly string[];
  readonly whenOver: (reply: ReplyWriter) => void;
}

export interface BlockRequest {
  readonly keys: readonly string[];
  /** Milliseconds; 0 waits for ever. */
  readonly timeoutMs: number;
  /** The reply when the time is over. */
  readonly whenOver: (reply: ReplyWriter) => void;
}

export class Blocking {
  readonly #keyspace: Keyspace;
  readonly #retry: (waiter: Waiter) => boolean;
  readonly #deadlines = new DeadlineHeap<Waiter>();
  #count = 0;

  /** `retry` carries the command out again and returns true when it replied. */
  constructor(keyspace: Keyspace, retry: (waiter: Waiter) => boolean) {
    this.#keyspace = keyspace;
    this.#retry = retry;
  }

  /** Blocked clients. */
  get count(): number {
    return this.#count;
  }

  nextDeadline(): number | undefined {
    return this.#deadlines.first()?.deadline;
  }

  /** Lets the command wait, or answers it at once where waiting is not allowed. */
  block(call: Call, request: BlockRequest): void {
    if (call.retry) return;
    if (!call.mayBlock) {
      request.whenOver(call.reply);
      return;
    }
    const { client, command, args, db: database } = call;
    const { keys, whenOver } = request;
    const waiter: Waiter = {
      client,
      command,
      args,
      database,
      keys,
      whenOver,
      deadline: undefined,
      heapPosition: -1,
    };
    for (const key of keys) {
      const queue = database.waiting.get(key);
      if (queue === undefined) database.waiting.set(key, new Set([waiter]));
      else queue.add(waiter);
    }
    if (request.timeoutMs > 0) this.#deadlines.update(waiter, call.now + request.timeoutMs);
    client.blocked = waiter;
    this.#count++;
  }

  /** Tries the commands that wait for keys which have changed, until none changes any more. */
  serveReady(): void {
    const { ready } = this.#keyspace;
    for (let i = 0; i < ready.length; i++) {
      const { database, key } = ready[i]!;
      for (const waiter of database.waiting.get(key) ?? []) {
        if (database.peek(key) === undefined) break;
        if (this.#retry(waiter)) this.#release(waiter);
      }
    }
    ready.length = 0;
  }

  /** Answers those whose time is over. */
  expire(now: number): void {
    for (;;) {
      const waiter = this.#deadlines.first();
      if (waiter === undefined || waiter.deadline! > now) return;
      this.unblock(waiter.client, waiter.whenOver);
    }
  }

  /** Ends a client's waiting with a reply. @returns false when it was not waiting */
  unblock(client: Client, answer: (reply: ReplyWriter) => void): boolean {
    const waiter = client.blocked;
    if (waiter === undefined) return false;
    answer(client.reply);
    this.#release(waiter);
    return true;
  }

  /** Forgets a client that is gone. */
  drop(client: Client): void {
    if (client.blocked !== undefined) this.#forget(client.blocked);
  }

  #release(waiter: Waiter): void {
    this.#forget(waiter);
    waiter.client.link.outputWritten();
    waiter.client.link.unblocked();
  }

  #forget(waiter: Waiter): void {
    this.#deadlines.remove(waiter);
    for (const key of waiter.keys) {
      const queue = waiter.database.waiting.get(key);
      queue?.delete(waiter);
      if (queue?.size === 0) waiter.database.waiting.delete(key);
    }
    waiter.client.blocked = undefined;
    this.#count--;
  }
}
