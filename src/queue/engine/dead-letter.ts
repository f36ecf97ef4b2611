/**
 * What happens to the headers of a message on its way to a dead-letter exchange: the array `x-death` gets an
 * entry per queue and reason, newest first, counted; the first and the last death stand beside it; the
 * expiration is taken off, or the message would die again on arrival.
 */
import {
  EMPTY_TABLE,
  type FieldTable,
  type FieldValue,
  fieldValue,
  integerOf,
  textOf,
} from '../wire/field-table.ts';
import { decodeProperties, replaceProperties } from '../wire/properties.ts';
import type { Message } from './message.ts';

export type DeathReason = 'rejected' | 'expired' | 'maxlen';

export interface Death {
  readonly queue: string;
  readonly reason: DeathReason;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Where it goes now. */
  readonly exchange: string;
  /** The queue's x-dead-letter-routing-key; undefined keeps the message's own keys. */
  readonly routingKey: string | undefined;
}

/** The message as it is published to the dead-letter exchange. */
export function deadLettered(message: Message, death: Death): Message {
  const { headers = EMPTY_TABLE, expiration } = decodeProperties(message.properties);
  const changed = new Map(headers);
  changed.set('x-death', { type: 'A', value: deathsAfter(headers, message, death, expiration) });
  for (const prefix of ['x-first-death', 'x-last-death']) {
    if (prefix === 'x-first-death' && headers.has('x-first-death-queue')) continue;
    changed.set(`${prefix}-queue`, fieldValue(death.queue));
    changed.set(`${prefix}-reason`, fieldValue(death.reason));
    changed.set(`${prefix}-exchange`, fieldValue(message.exchange));
  }
  // A message sent on by a key of the queue's own is no longer addressed to its carbon copies.
  if (death.routingKey !== undefined) changed.delete('CC');
  const dead: Message = {
    exchange: death.exchange,
    routingKey: death.routingKey ?? message.routingKey,
    properties: replaceProperties(message.properties, { headers: changed, expiration: undefined }),
    bodySize: message.bodySize,
    body: message.body,
    persistent: message.persistent,
    priority: message.priority,
    publishedAtMs: death.atMs,
    expirationMs: undefined,
  };
  if (message.blobId !== undefined) dead.blobId = message.blobId;
  return dead;
}

function deathsAfter(
  headers: FieldTable,
  message: Message,
  death: Death,
  expiration: string | undefined,
): FieldValue[] {
  const earlier = deathsOf(headers);
  const same = earlier.find((one) => isDeath(one, death.queue, death.reason));
  const others = earlier.filter((one) => one !== same).map((value): FieldValue => ({ type: 'F', value }));
  const now = same === undefined ? firstDeath(message, death, expiration, headers) : countedAgain(same);
  return [{ type: 'F', value: now }, ...others];
}

function isDeath(entry: FieldTable, queue: string, reason: string): boolean {
  return textOf(entry.get('queue')) === queue && textOf(entry.get('reason')) === reason;
}

function countedAgain(entry: FieldTable): FieldTable {
  const count = integerOf(entry.get('count')) ?? 0;
  return new Map(entry).set('count', { type: 'l', value: BigInt(count) + 1n });
}

function firstDeath(
  message: Message,
  death: Death,
  expiration: string | undefined,
  headers: FieldTable,
): FieldTable {
  const table = new Map<string, FieldValue>([
    ['count', { type: 'l', value: 1n }],
    ['reason', fieldValue(death.reason)],
    ['queue', fieldValue(death.queue)],
    ['time', { type: 'T', value: BigInt(Math.floor(death.atMs / 1000)) }],
    ['exchange', fieldValue(message.exchange)],
    ['routing-keys', { type: 'A', value: [fieldValue(message.routingKey), ...carbonCopies(headers)] }],
  ]);
  if (expiration !== undefined) table.set('original-expiration', fieldValue(expiration));
  return table;
}

function carbonCopies(headers: FieldTable): readonly FieldValue[] {
  const copies = headers.get('CC');
  return copies?.type === 'A' ? copies.value : [];
}

function deathsOf(headers: FieldTable): FieldTable[] {
  const deaths = headers.get('x-death');
  if (deaths?.type !== 'A') return [];
  return deaths.value.flatMap((entry) => (entry.type === 'F' ? [entry.value] : []));
}

/**
 * True when a message dead-lettered into `queue` has been there before and nobody rejected it since: it
 * would go round forever, so it is dropped instead.
 */
export function isCycle(headers: FieldTable, queue: string): boolean {
  const deaths = deathsOf(headers);
  const before = deaths.findIndex((entry) => textOf(entry.get('queue')) === queue);
  if (before < 0) return false;
  return deaths.slice(0, before + 1).every((entry) => textOf(entry.get('reason')) !== 'rejected');
}
