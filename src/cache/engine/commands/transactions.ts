/**
 * MULTI, EXEC, DISCARD, WATCH. Commands between MULTI and EXEC are queued and then carried out in one go, at
 * one moment of time. A command that cannot be queued makes EXEC refuse all; one that fails when carried out
 * changes nothing about the others. WATCH makes EXEC do nothing when a watched key has changed since.
 */
import { execAborted, failure } from '../../errors.ts';
import type { Call, Command } from '../command.ts';

function multi({ client, reply }: Call): void {
  if (client.transaction !== undefined) throw failure('MULTI calls can not be nested');
  client.transaction = { queue: [], failed: false };
  reply.ok();
}

function exec({ engine, client, reply, now }: Call): void {
  const { transaction } = client;
  if (transaction === undefined) throw failure('EXEC without MULTI');
  client.transaction = undefined;
  // A watched key whose time is over has changed, though nobody has looked yet.
  for (const [database, keys] of client.watched) for (const key of keys) database.peek(key);
  const changed = client.watchedKeyChanged;
  engine.unwatch(client);
  if (transaction.failed) throw execAborted();
  if (changed) reply.nilArray();
  else engine.runQueued(client, transaction.queue, now);
}

function discard({ engine, client, reply }: Call): void {
  if (client.transaction === undefined) throw failure('DISCARD without MULTI');
  client.transaction = undefined;
  engine.unwatch(client);
  reply.ok();
}

function watch({ client, db, args, reply }: Call): void {
  if (client.transaction !== undefined) throw failure('WATCH inside MULTI is not allowed');
  const keys = client.watched.get(db) ?? new Set<string>();
  client.watched.set(db, keys);
  for (let i = 1; i < args.length; i++) {
    const key = args[i]!;
    if (keys.has(key)) continue;
    db.peek(key);
    keys.add(key);
    const watchers = db.watchers.get(key);
    if (watchers === undefined) db.watchers.set(key, new Set([client]));
    else watchers.add(client);
  }
  reply.ok();
}

function unwatch({ engine, client, reply }: Call): void {
  engine.unwatch(client);
  reply.ok();
}

export const TRANSACTION_COMMANDS: readonly Command[] = [
  {
    name: 'multi',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    group: 'transactions',
    since: '1.2.0',
    summary: 'Begins a transaction: what follows is queued.',
    run: multi,
  },
  {
    name: 'exec',
    arity: 1,
    flags: ['noscript', 'loading', 'stale'],
    group: 'transactions',
    since: '1.2.0',
    summary: 'Carries out the queued commands.',
    run: exec,
  },
  {
    name: 'discard',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    group: 'transactions',
    since: '2.0.0',
    summary: 'Forgets the queued commands.',
    run: discard,
  },
  {
    name: 'watch',
    arity: -2,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    group: 'transactions',
    since: '2.2.0',
    keys: [1, -1, 1],
    summary: 'Makes the next EXEC depend on keys that do not change until then.',
    run: watch,
  },
  {
    name: 'unwatch',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    group: 'transactions',
    since: '2.2.0',
    summary: 'Forgets all watched keys.',
    run: unwatch,
  },
];
