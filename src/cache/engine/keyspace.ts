/**
 * The keys: numbered databases, each a map from key to entry.
 *
 *   byKey    'user:1' -> Entry { value, deadline, accessed, ... }      lookup
 *   entries  [ Entry, Entry, ... ]                                     one at random; SCAN (see dense-set.ts)
 *   volatile heap of the entries with a deadline                       expiry in order of time
 *
 * A key past its deadline is gone for everybody from that millisecond on: every lookup checks (lazily), and
 * `expireDue` removes what nobody asks for. Time is what the engine says it is; within one command, and
 * within one transaction, it stands still.
 *
 * Every change of a value is reported by `changed` or `put`, in one place for everything that hangs on a
 * change: memory accounting, vanishing of empty containers, watched keys, blocked readers, notifications.
 */
import { wrongType } from '../errors.ts';
import { accessedNow, type EvictionClock } from './access.ts';
import type { Waiter } from './blocking.ts';
import type { Client } from './client.ts';
import { DeadlineHeap, type Expiring } from './deadline-heap.ts';
import { ENTRY_BYTES, stringBytes } from './memory.ts';
import { ByteString } from './values/byte-string.ts';
import { DEFAULT_ENCODING_LIMITS, type EncodingLimits } from './values/encoding-limits.ts';
import { type Container, type ContainerKind, isContainer, type Value, valueBytes } from './values/value.ts';

export class Entry<V extends Value = Value> implements Expiring {
  readonly key: string;
  value: V;
  /** Wall-clock milliseconds after which the key is gone. */
  deadline: number | undefined = undefined;
  heapPosition = -1;
  /** Place in the database's array. */
  position: number;
  /** When, or how often, it was used: see access.ts. */
  accessed: number;
  /** Bytes counted for it. */
  bytes = 0;

  constructor(key: string, value: V, position: number, accessed: number) {
    this.key = key;
    this.value = value;
    this.position = position;
    this.accessed = accessed;
  }
}

/** Classes of keyspace events, in the letters of `notify-keyspace-events`. */
export type EventClass = 'g' | '$' | 'l' | 's' | 'h' | 'z' | 'x' | 'e' | 'm' | 'n';

export interface KeyspaceStats {
  hits: number;
  misses: number;
  expired: number;
  evicted: number;
}

/** What all databases share. */
export class Keyspace {
  readonly databases: Database[] = [];
  readonly encodings: EncodingLimits = { ...DEFAULT_ENCODING_LIMITS };
  readonly stats: KeyspaceStats = { hits: 0, misses: 0, expired: 0, evicted: 0 };
  readonly clock: EvictionClock;
  /** The time of the command at work, milliseconds since 1970. */
  now = 0;
  /** Bytes of all entries. */
  usedBytes = 0;
  /** Changes since the start, as INFO's `rdb_changes_since_last_save` counts them. */
  changes = 0;
  /** Set while a client asked that its reads leave no trace in eviction order. */
  noTouch = false;
  /** Keys that changed while somebody waits for them, in order. */
  readonly ready: { readonly database: Database; readonly key: string }[] = [];
  /** Told every event while somebody listens. */
  notify: ((kind: EventClass, event: string, database: Database, key: string) => void) | undefined;

  constructor(databases: number, clock: EvictionClock) {
    this.clock = clock;
    for (let i = 0; i < databases; i++) this.databases.push(new Database(i, this));
  }

  /** The earliest deadline of any key. */
  nextDeadline(): number | undefined {
    let earliest: number | undefined;
    for (const database of this.databases) {
      const deadline = database.volatile.first()?.deadline;
      if (deadline !== undefined && (earliest === undefined || deadline < earliest)) earliest = deadline;
    }
    return earliest;
  }

  /** Removes up to `limit` keys whose time is over. @returns how many */
  expireDue(limit: number): number {
    let removed = 0;
    for (const database of this.databases) {
      while (removed < limit) {
        const entry = database.volatile.first();
        if (entry === undefined || entry.deadline! > this.now) break;
        database.expire(entry);
        removed++;
      }
    }
    return removed;
  }
}

export class Database {
  readonly index: number;
  readonly keyspace: Keyspace;
  /** Clients that watch a key, by key. */
  readonly watchers = new Map<string, Set<Client>>();
  /** Blocked commands that wait for a key, in order of arrival. */
  readonly waiting = new Map<string, Set<Waiter>>();
  #byKey = new Map<string, Entry>();
  #entries: Entry[] = [];
  #volatile = new DeadlineHeap<Entry>();

  constructor(index: number, keyspace: Keyspace) {
    this.index = index;
    this.keyspace = keyspace;
  }

  get size(): number {
    return this.#entries.length;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** The entries that have a deadline. */
  get volatile(): DeadlineHeap<Entry> {
    return this.#volatile;
  }

  /** The entry, without any sign that somebody looked. */
  peek(key: string): Entry | undefined {
    const entry = this.#byKey.get(key);
    if (entry === undefined || entry.deadline === undefined || entry.deadline > this.keyspace.now)
      return entry;
    this.expire(entry);
    return undefined;
  }

  /** The entry for a command that writes: marks it as used, counts no hit or miss. */
  find(key: string): Entry | undefined {
    const entry = this.peek(key);
    if (entry !== undefined) this.touch(entry);
    return entry;
  }

  /** The entry for a command that reads. */
  read(key: string): Entry | undefined {
    const entry = this.find(key);
    if (entry === undefined) this.keyspace.stats.misses++;
    else this.keyspace.stats.hits++;
    return entry;
  }

  touch(entry: Entry): void {
    if (!this.keyspace.noTouch) entry.accessed = accessedNow(this.keyspace.clock, entry.accessed);
  }

  /** A string for reading. @throws WRONGTYPE */
  readString(key: string): string | undefined {
    const entry = this.read(key);
    if (entry === undefined) return undefined;
    const value = entry.value;
    if (typeof value === 'string') return value;
    if (value instanceof ByteString) return value.text();
    throw wrongType();
  }

  /** A string's entry for writing. @throws WRONGTYPE */
  findString(key: string): Entry<string | ByteString> | undefined {
    const entry = this.find(key);
    if (entry === undefined) return undefined;
    if (isContainer(entry.value)) throw wrongType();
    return entry as Entry<string | ByteString>;
  }

  /** A container for reading. @throws WRONGTYPE */
  readAs<C extends Container>(key: string, kind: ContainerKind<C>): C | undefined {
    const entry = this.read(key);
    if (entry === undefined) return undefined;
    if (!(entry.value instanceof kind)) throw wrongType();
    return entry.value;
  }

  /** A container's entry for writing. @throws WRONGTYPE */
  findAs<C extends Container>(key: string, kind: ContainerKind<C>): Entry<C> | undefined {
    const entry = this.find(key);
    if (entry === undefined) return undefined;
    if (!(entry.value instanceof kind)) throw wrongType();
    return entry as Entry<C>;
  }

  /** The same, made empty if it is not there. The caller fills it and calls `changed`. @throws WRONGTYPE */
  openAs<C extends Container>(key: string, kind: ContainerKind<C>): Entry<C> {
    return this.findAs(key, kind) ?? (this.#insert(key, new kind(this.keyspace.encodings)) as Entry<C>);
  }

  /** Stores a value under a key, new or in place of what was there. The deadline goes unless it is kept. */
  put(key: string, value: Value, keepDeadline = false): Entry {
    let entry = this.peek(key);
    if (entry === undefined) entry = this.#insert(key, value);
    else {
      entry.value = value;
      if (!keepDeadline && entry.deadline !== undefined) this.#volatile.remove(entry);
      this.touch(entry);
    }
    this.#account(entry);
    this.#signal(key);
    return entry;
  }

  /** Reports that an entry's value was changed in place. An empty container is removed. */
  changed(entry: Entry, kind: EventClass, event: string): void {
    this.#account(entry);
    this.#signal(entry.key);
    this.event(kind, event, entry.key);
    if (isContainer(entry.value) && entry.value.size === 0) this.delete(entry.key, 'del');
  }

  /** Removes a key; an empty `event` tells nobody. @returns false when there was none */
  delete(key: string, event = 'del'): boolean {
    const entry = this.peek(key);
    if (entry === undefined) return false;
    this.#remove(entry);
    this.#signal(key);
    if (event !== '') this.event('g', event, key);
    return true;
  }

  /** Removes an entry whose time is over. */
  expire(entry: Entry): void {
    this.#remove(entry);
    this.keyspace.stats.expired++;
    this.#signal(entry.key);
    this.event('e', 'expired', entry.key);
  }

  /** Removes an entry to make room. */
  evict(entry: Entry): void {
    this.#remove(entry);
    this.keyspace.stats.evicted++;
    this.#signal(entry.key);
    this.event('m', 'evicted', entry.key);
  }

  setDeadline(entry: Entry, deadline: number): void {
    this.#volatile.update(entry, deadline);
  }

  /** @returns false when it had none */
  clearDeadline(entry: Entry): boolean {
    if (entry.deadline === undefined) return false;
    this.#volatile.remove(entry);
    return true;
  }

  /** Reports a change that is not of the value: a deadline set or taken away. */
  deadlineChanged(entry: Entry, event: string): void {
    this.#signal(entry.key);
    this.event('g', event, entry.key);
  }

  event(kind: EventClass, event: string, key: string): void {
    this.keyspace.notify?.(kind, event, this, key);
  }

  clear(): void {
    const watched = [...this.watchers.keys()].filter((key) => this.#byKey.has(key));
    for (const entry of this.#entries) this.keyspace.usedBytes -= entry.bytes;
    this.keyspace.changes += this.#entries.length;
    this.#byKey = new Map();
    this.#entries = [];
    this.#volatile = new DeadlineHeap();
    for (const key of watched) this.#signal(key);
  }

  /** Exchanges all keys with another database. Watchers and waiting clients stay with the number. */
  swap(other: Database): void {
    [this.#byKey, other.#byKey] = [other.#byKey, this.#byKey];
    [this.#entries, other.#entries] = [other.#entries, this.#entries];
    [this.#volatile, other.#volatile] = [other.#volatile, this.#volatile];
    for (const database of [this, other]) {
      for (const key of database.watchers.keys()) {
        if (this.#byKey.has(key) || other.#byKey.has(key)) database.#signal(key);
      }
      for (const key of database.waiting.keys()) if (database.#byKey.has(key)) database.#signal(key);
    }
  }

  #insert(key: string, value: Value): Entry {
    const entry = new Entry(key, value, this.#entries.length, accessedNow(this.keyspace.clock, undefined));
    this.#byKey.set(key, entry);
    this.#entries.push(entry);
    if (this.keyspace.notify !== undefined) this.event('n', 'new', key);
    return entry;
  }

  #remove(entry: Entry): void {
    this.#byKey.delete(entry.key);
    this.#volatile.remove(entry);
    const last = this.#entries.pop()!;
    if (last !== entry) {
      this.#entries[entry.position] = last;
      last.position = entry.position;
    }
    this.keyspace.usedBytes -= entry.bytes;
    entry.bytes = 0;
  }

  #account(entry: Entry): void {
    const bytes = ENTRY_BYTES + stringBytes(entry.key.length) + valueBytes(entry.value);
    this.keyspace.usedBytes += bytes - entry.bytes;
    entry.bytes = bytes;
  }

  /** Tells those who watch the key or wait for it. */
  #signal(key: string): void {
    this.keyspace.changes++;
    if (this.watchers.size > 0) {
      for (const client of this.watchers.get(key) ?? []) client.watchedKeyChanged = true;
    }
    if (this.waiting.size > 0 && this.waiting.has(key)) this.keyspace.ready.push({ database: this, key });
  }
}
