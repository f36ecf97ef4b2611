/**
 * Keyspace notifications: events published on `__keyspace@0__:<key>` (K) and `__keyevent@0__:<event>` (E) for
 * the classes that `notify-keyspace-events` names.
 *
 *   g generic  $ string  l list  s set  h hash  z sorted set  x expired  e evicted  t stream  d module
 *   m key miss  n new key                        A  all of g$lshzxetd
 */
import { failure } from '../errors.ts';
import type { Database, EventClass } from './keyspace.ts';
import type { PubSub } from './pubsub.ts';

const ALL = 'g$lshzxetd';
const KNOWN = `${ALL}mnKE`;

/** Our classes name expiry and eviction by the first letter of what happens; the setting has x and e. */
const LETTERS: Readonly<Record<EventClass, string>> = {
  g: 'g',
  $: '$',
  l: 'l',
  s: 's',
  h: 'h',
  z: 'z',
  x: 't',
  e: 'x',
  m: 'e',
  n: 'n',
};

/** The flags in the order in which CONFIG GET shows them. @throws ERR for a letter that is no class */
export function parseEventFlags(text: string): string {
  const wanted = new Set<string>();
  for (const letter of text) {
    if (letter === 'A') for (const each of ALL) wanted.add(each);
    else if (KNOWN.includes(letter)) wanted.add(letter);
    else throw failure("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
  }
  const all = [...ALL].every((letter) => wanted.has(letter));
  const classes = all ? 'A' : [...ALL].filter((letter) => wanted.has(letter)).join('');
  return classes + [...'KEmn'].filter((letter) => wanted.has(letter)).join('');
}

/** The function that publishes events, or undefined when nobody wants any. */
export function notifierFor(
  flags: string,
  pubsub: PubSub,
): ((kind: EventClass, event: string, database: Database, key: string) => void) | undefined {
  const toKey = flags.includes('K');
  const toEvent = flags.includes('E');
  if (!toKey && !toEvent) return undefined;
  const classes = flags.includes('A') ? `${ALL}${flags}` : flags;
  return (kind, event, database, key) => {
    if (!classes.includes(LETTERS[kind])) return;
    if (toKey) pubsub.publish(`__keyspace@${database.index}__:${key}`, event);
    if (toEvent) pubsub.publish(`__keyevent@${database.index}__:${event}`, key);
  };
}
