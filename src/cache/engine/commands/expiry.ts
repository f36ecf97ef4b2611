/** How long keys live: EXPIRE, TTL, PERSIST and their relatives. */
import { failure } from '../../errors.ts';
import type { Call, Command } from '../command.ts';
import { anyDeadlineFrom, type ExpiryUnit } from './deadlines.ts';

type Conditions = ReadonlySet<string>;

function conditionsOf(args: readonly string[]): Conditions {
  const conditions = new Set<string>();
  for (let i = 3; i < args.length; i++) {
    const word = args[i]!.toLowerCase();
    if (word !== 'nx' && word !== 'xx' && word !== 'gt' && word !== 'lt') {
      throw failure(`Unsupported option ${args[i]}`);
    }
    conditions.add(word);
  }
  if (conditions.has('nx') && conditions.size > 1) {
    throw failure('NX and XX, GT or LT options at the same time are not compatible');
  }
  if (conditions.has('gt') && conditions.has('lt')) {
    throw failure('GT and LT options at the same time are not compatible');
  }
  return conditions;
}

/** A key without a deadline lives for ever: later than any deadline. */
function mayChange(conditions: Conditions, before: number | undefined, after: number): boolean {
  if (conditions.has('nx') && before !== undefined) return false;
  if (conditions.has('xx') && before === undefined) return false;
  if (conditions.has('gt') && (before === undefined || after <= before)) return false;
  return !(conditions.has('lt') && before !== undefined && after >= before);
}

function expire(unit: ExpiryUnit, name: string): (call: Call) => void {
  return ({ db, args, reply, now }) => {
    const conditions = conditionsOf(args);
    const deadline = anyDeadlineFrom(unit, args[2]!, now, name);
    const entry = db.find(args[1]!);
    if (entry === undefined || !mayChange(conditions, entry.deadline, deadline)) {
      reply.integer(0);
      return;
    }
    if (deadline <= now) db.delete(entry.key);
    else {
      db.setDeadline(entry, deadline);
      db.deadlineChanged(entry, 'expire');
    }
    reply.integer(1);
  };
}

/** What is left, or the deadline itself, in a unit; -1 for a key that lives for ever, -2 for none. */
function lifetime(relative: boolean, unitMs: number): (call: Call) => void {
  return ({ db, args, reply, now }) => {
    const entry = db.peek(args[1]!);
    if (entry === undefined) reply.integer(-2);
    else if (entry.deadline === undefined) reply.integer(-1);
    else if (relative) reply.integer(Math.floor((entry.deadline - now + unitMs / 2) / unitMs));
    else reply.integer(Math.floor((entry.deadline + (unitMs > 1 ? unitMs / 2 : 0)) / unitMs));
  };
}

function persist({ db, args, reply }: Call): void {
  const entry = db.find(args[1]!);
  const changed = entry !== undefined && db.clearDeadline(entry);
  if (changed) db.deadlineChanged(entry, 'persist');
  reply.integer(changed ? 1 : 0);
}

function setting(name: string, since: string, unit: ExpiryUnit, summary: string): Command {
  const run = expire(unit, name);
  return {
    name,
    arity: -3,
    flags: ['write', 'fast'],
    group: 'generic',
    since,
    keys: [1, 1, 1],
    summary,
    run,
  };
}

function asking(name: string, since: string, relative: boolean, unitMs: number, summary: string): Command {
  const run = lifetime(relative, unitMs);
  return {
    name,
    arity: 2,
    flags: ['readonly', 'fast'],
    group: 'generic',
    since,
    keys: [1, 1, 1],
    summary,
    run,
  };
}

export const EXPIRY_COMMANDS: readonly Command[] = [
  setting('expire', '1.0.0', 'ex', 'Sets the time to live of a key, in seconds.'),
  setting('pexpire', '2.6.0', 'px', 'Sets the time to live of a key, in milliseconds.'),
  setting('expireat', '1.2.0', 'exat', 'Sets when a key expires, in seconds since 1970.'),
  setting('pexpireat', '2.6.0', 'pxat', 'Sets when a key expires, in milliseconds since 1970.'),
  asking('ttl', '1.0.0', true, 1_000, 'Returns the time to live of a key, in seconds.'),
  asking('pttl', '2.6.0', true, 1, 'Returns the time to live of a key, in milliseconds.'),
  asking('expiretime', '7.0.0', false, 1_000, 'Returns when a key expires, in seconds since 1970.'),
  asking('pexpiretime', '7.0.0', false, 1, 'Returns when a key expires, in milliseconds since 1970.'),
  {
    name: 'persist',
    arity: 2,
    flags: ['write', 'fast'],
    group: 'generic',
    since: '2.2.0',
    keys: [1, 1, 1],
    summary: 'Lets a key live for ever.',
    run: persist,
  },
];
