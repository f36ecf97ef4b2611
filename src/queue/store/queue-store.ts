/**
 * The broker's durable state on `core/store`: definitions, messages, and a few numbers per queue.
 *
 *     tree           key                                        value
 *     definitions    ('exchange'|'queue', name)                 record of `definition-record.ts`
 *                    ('binding', number)                        record
 *     messages       uint32 queue │ uint8 level │ uint64 position    record of `message-record.ts`
 *     states         uint32 queue                               next position; per level counts, delivered
 *     scratch        uint32 queue                               of queues that do not survive a restart
 *     blob-of        as in messages                             16 octets: the blob with the body
 *     blob-users     blob │ as in messages                      empty
 *
 * A queue's state is written in the commit that changes its messages, so after a restart the counts are
 * right without reading a million records. All changes between two flushes are one commit.
 *
 * Bodies over `inlineBodyBytes` are written to a blob first; only then does a commit name it. Until then the
 * message is served from memory, in its place among those that the store has.
 */

import type { Blobs } from '../../core/blobs/types.ts';
import { codeOf, messageOf } from '../../core/errors.ts';
import { decodeKey, encodeKey, prefixRange } from '../../core/store/tuple.ts';
import type { Change, RangeOptions, Reader, Store } from '../../core/store/types.ts';
import type { Entry, Message } from '../engine/message.ts';
import type {
  BindingDefinition,
  Definitions,
  ExchangeDefinition,
  LevelState,
  QueueDefinition,
  QueueLog,
  QueueState,
  Storage,
  StoredMessage,
} from '../engine/storage.ts';
import { Ticket } from '../engine/ticket.ts';
import type { QueueLimits } from '../limits.ts';
import {
  decodeBinding,
  decodeExchange,
  decodeQueue,
  encodeBinding,
  encodeExchange,
  encodeQueue,
} from './definition-record.ts';
import { decodeMessage, encodeMessage } from './message-record.ts';

const TREE = {
  definitions: 'definitions',
  messages: 'messages',
  states: 'states',
  scratch: 'scratch',
  blobOf: 'blob-of',
  blobUsers: 'blob-users',
} as const;

/** Bodies up to here are never in blobs, whatever the limit says, so removing them needs no look. */
const INLINE_LEAST_BYTES = 4096;

const NOTHING = Buffer.alloc(0);

/** A message whose body is still on its way into a blob. */
interface Unwritten {
  readonly log: StoredQueueLog;
  readonly level: number;
  readonly position: number;
  readonly message: Message;
  readonly ticket: Ticket;
  cancelled: boolean;
}

export class QueueStore implements Storage {
  readonly #store: Store;
  readonly #blobs: Blobs;
  readonly #inlineBytes: number;
  readonly #onFailure: (reason: string) => void;
  #changes: Change[] = [];
  #changedBytes = 0;
  /** Of the changes not flushed yet. */
  #ticket: Ticket | undefined;
  /** Of the last commit under way. */
  #flying: Ticket | undefined;
  #uncommittedBytes = 0;
  readonly #touched = new Set<StoredQueueLog>();
  readonly #blobWrites = new Map<Message, Unwritten[]>();
  #nextQueueId = 1;
  #nextBinding = 1;
  readonly #bindingNumbers = new Map<string, number>();
  /** Of the changes not flushed yet: message keys, as latin1, with the blob that they name. */
  readonly #freshBlobs = new Map<string, Buffer>();
  #failure: string | undefined;
  /** Blobs being removed. */
  #removals = 0;
  #whenQuiet: (() => void) | undefined;

  /** @param onFailure called once when the disk has failed: nothing is durable from there on */
  constructor(store: Store, blobs: Blobs, limits: QueueLimits, onFailure: (reason: string) => void) {
    this.#store = store;
    this.#blobs = blobs;
    this.#inlineBytes = Math.max(limits.inlineBodyBytes, INLINE_LEAST_BYTES);
    this.#onFailure = onFailure;
  }

  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Why nothing can become durable any more; undefined while it can. */
  get failure(): string | undefined {
    return this.#failure;
  }

  // Definitions

  recover(): Definitions {
    this.#clearScratch();
    const exchanges = this.#definitions('exchange').map(({ value }) => decodeExchange(value));
    const queues = this.#definitions('queue').map(({ value }) => decodeQueue(value));
    const bindings = this.#definitions('binding').map(({ key, value }) => {
      const [, number] = decodeKey(key);
      this.#bindingNumbers.set(identityOf(value), number as number);
      this.#nextBinding = Math.max(this.#nextBinding, (number as number) + 1);
      return decodeBinding(value);
    });
    for (const { id } of queues) this.#nextQueueId = Math.max(this.#nextQueueId, id + 1);
    return { exchanges, queues, bindings };
  }

  /** Removes blobs that no record names: those of a crash between their writing and the commit. */
  async sweep(): Promise<void> {
    await this.#blobs.sweep((id) => this.#hasUsers(Buffer.from(id, 'hex')));
  }

  putExchange(definition: ExchangeDefinition): void {
    this.#put(TREE.definitions, encodeKey(['exchange', definition.name]), encodeExchange(definition));
  }

  removeExchange(name: string): void {
    this.#delete(TREE.definitions, encodeKey(['exchange', name]));
  }

  putQueue(definition: QueueDefinition): void {
    this.#put(TREE.definitions, encodeKey(['queue', definition.name]), encodeQueue(definition));
  }

  removeQueue(name: string): void {
    this.#delete(TREE.definitions, encodeKey(['queue', name]));
  }

  putBinding(definition: BindingDefinition): void {
    const record = encodeBinding(definition);
    const identity = identityOf(record);
    if (this.#bindingNumbers.has(identity)) return;
    const number = this.#nextBinding++;
    this.#bindingNumbers.set(identity, number);
    this.#put(TREE.definitions, encodeKey(['binding', number]), record);
  }

  removeBinding(definition: BindingDefinition): void {
    const identity = identityOf(encodeBinding(definition));
    const number = this.#bindingNumbers.get(identity);
    if (number === undefined) return;
    this.#bindingNumbers.delete(identity);
    this.#delete(TREE.definitions, encodeKey(['binding', number]));
  }

  newQueueId(): number {
    return this.#nextQueueId++;
  }

  log(queueId: number, durable: boolean): QueueLog {
    return new StoredQueueLog(this, queueId, durable);
  }

  #definitions(kind: string): { readonly key: Buffer; readonly value: Buffer }[] {
    const entries: { readonly key: Buffer; readonly value: Buffer }[] = [];
    for (const { key, value } of this.#store.range(TREE.definitions, prefixRange([kind]))) {
      entries.push({ key: Buffer.from(key), value: Buffer.from(value) });
    }
    return entries;
  }

  /** Queues that were not durable may have left what did not fit into memory. */
  #clearScratch(): void {
    for (const key of this.#keys(TREE.scratch, {})) {
      this.dropQueue(key.readUInt32BE(0));
      this.#delete(TREE.scratch, key);
    }
    this.flush();
  }

  #keys(tree: string, range: RangeOptions): Buffer[] {
    const keys: Buffer[] = [];
    for (const { key } of this.#store.range(tree, range)) keys.push(Buffer.from(key));
    return keys;
  }

  // Commits

  pending(): Ticket | undefined {
    if (this.#ticket !== undefined) return this.#ticket;
    return this.#flying?.state === 'pending' ? this.#flying : undefined;
  }

  flush(): void {
    for (const log of this.#touched) {
      this.#changes.push({ kind: 'put', tree: TREE.states, key: log.stateKey, value: log.encodeState() });
    }
    this.#touched.clear();
    if (this.#changes.length === 0) return;
    const changes = this.#changes;
    const bytes = this.#changedBytes;
    const ticket = this.#batch();
    this.#changes = [];
    this.#changedBytes = 0;
    this.#freshBlobs.clear();
    this.#ticket = undefined;
    this.#flying = ticket;
    this.#commit(changes).then(
      () => this.#committed(bytes, ticket),
      (thrown: unknown) => this.#failed(thrown, bytes, ticket),
    );
  }

  /** So that what throws and what rejects end alike. */
  async #commit(changes: readonly Change[]): Promise<void> {
    await this.#store.commit(changes);
  }

  #committed(bytes: number, ticket: Ticket): void {
    this.#uncommittedBytes -= bytes;
    ticket.settle();
  }

  #failed(thrown: unknown, bytes: number, ticket: Ticket): void {
    const reason = messageOf(thrown);
    this.#uncommittedBytes -= bytes;
    const first = this.#failure === undefined;
    this.#failure ??= reason;
    ticket.fail(reason, codeOf(thrown) === 'outcome-unknown');
    if (first) this.#onFailure(reason);
  }

  #batch(): Ticket {
    this.#ticket ??= new Ticket();
    return this.#ticket;
  }

  #put(tree: string, key: Uint8Array, value: Buffer): void {
    this.#batch();
    this.#changes.push({ kind: 'put', tree, key, value });
    this.#changedBytes += value.length;
    this.#uncommittedBytes += value.length;
  }

  #delete(tree: string, key: Uint8Array): void {
    this.#batch();
    this.#changes.push({ kind: 'delete', tree, key });
  }

  #deleteRange(tree: string, from: Buffer, to: Buffer): void {
    this.#batch();
    this.#changes.push({ kind: 'delete-range', tree, from, to });
  }

  // For the logs

  touch(log: StoredQueueLog): void {
    this.#touched.add(log);
    this.#batch();
  }

  /** What is committed; changes that are only collected are not seen. */
  get committed(): Reader {
    return this.#store;
  }

  /** The same with what was collected so far, which is committed for it. */
  get current(): Reader {
    this.flush();
    return this.#store;
  }

  putMessage(key: Buffer, message: Message): Ticket {
    if (message.blobId !== undefined) {
      const blob = Buffer.from(message.blobId, 'hex');
      this.#put(TREE.blobOf, key, blob);
      this.#freshBlobs.set(key.toString('latin1'), blob);
      this.#put(TREE.blobUsers, Buffer.concat([blob, key]), NOTHING);
    }
    this.#put(TREE.messages, key, encodeMessage(message));
    return this.#batch();
  }

  mustBeBlob(message: Message): boolean {
    return message.blobId === undefined && message.bodySize > this.#inlineBytes;
  }

  /** Writes the body to a blob, once for however many queues, and then commits their records. */
  putWithBlob(unwritten: Unwritten): void {
    this.#uncommittedBytes += unwritten.message.bodySize;
    const waiting = this.#blobWrites.get(unwritten.message);
    if (waiting !== undefined) return void waiting.push(unwritten);
    const all = [unwritten];
    const { message } = unwritten;
    this.#blobWrites.set(message, all);
    this.#writeBlob(message.body as Buffer).then(
      (id) => this.#blobWritten(message, id, all),
      (thrown: unknown) => {
        this.#blobWrites.delete(message);
        for (const { ticket } of all) this.#failed(thrown, message.bodySize, ticket);
        this.#tellIfQuiet();
      },
    );
  }

  deleteMessage(key: Buffer, bodySize: number): void {
    this.#delete(TREE.messages, key);
    if (bodySize > INLINE_LEAST_BYTES) this.#deleteBlob(key);
  }

  /** Deletes the messages of a queue from one key to another. */
  deleteMessages(from: Buffer, to: Buffer): void {
    this.#deleteRange(TREE.messages, from, to);
    this.flush();
    for (const key of this.#keys(TREE.blobOf, { from, to })) this.#deleteBlob(key);
  }

  dropQueue(queueId: number): void {
    this.deleteMessages(messageKey(queueId, 0, 0), messageKey(queueId + 1, 0, 0));
    this.#delete(TREE.states, queueKey(queueId));
  }

  noteScratch(queueId: number): void {
    this.#put(TREE.scratch, queueKey(queueId), NOTHING);
  }

  forgetScratch(queueId: number): void {
    this.#delete(TREE.scratch, queueKey(queueId));
  }

  forgetState(log: StoredQueueLog): void {
    this.#touched.delete(log);
  }

  async loadBody(message: Message): Promise<Buffer> {
    const body = Buffer.allocUnsafe(message.bodySize);
    let at = 0;
    for await (const chunk of this.#blobs.read(message.blobId as string)) {
      chunk.copy(body, at);
      at += chunk.length;
    }
    return body;
  }

  #deleteBlob(key: Buffer): void {
    const blob = this.#freshBlobs.get(key.toString('latin1')) ?? this.#store.get(TREE.blobOf, key);
    if (blob === undefined) return;
    const id = Buffer.from(blob);
    this.#delete(TREE.blobOf, key);
    this.#delete(TREE.blobUsers, Buffer.concat([id, key]));
    this.#batch().whenSettled(() => this.#removeUnused(id));
  }

  #removeUnused(id: Buffer): void {
    if (this.#failure !== undefined || this.#hasUsers(id)) return;
    this.#removals += 1;
    this.#blobs
      .remove(id.toString('hex'))
      // One that stays for a failing disk is swept at the next start.
      .catch(() => undefined)
      .finally(() => {
        this.#removals -= 1;
        this.#tellIfQuiet();
      });
  }

  #hasUsers(id: Buffer): boolean {
    const to = Buffer.concat([id, Buffer.alloc(32, 0xff)]);
    for (const _ of this.#store.range(TREE.blobUsers, { from: id, to, limit: 1 })) return true;
    return false;
  }

  async #writeBlob(body: Buffer): Promise<string> {
    const writer = await this.#blobs.create();
    await writer.write(body);
    return (await writer.finish()).id;
  }

  #blobWritten(message: Message, id: string, all: readonly Unwritten[]): void {
    this.#blobWrites.delete(message);
    message.blobId = id;
    const wanted = all.filter(({ cancelled }) => !cancelled);
    for (const unwritten of wanted) unwritten.log.blobWritten(unwritten);
    this.#uncommittedBytes -= message.bodySize * all.length;
    if (wanted.length === 0) this.#removeUnused(Buffer.from(id, 'hex'));
    else this.flush();
    this.#tellIfQuiet();
  }

  /** Commits what is left, and resolves when nothing is under way any more: store and blobs may be closed. */
  async close(): Promise<void> {
    this.flush();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#whenQuiet = resolve;
    this.#tellIfQuiet();
    await promise;
  }

  #tellIfQuiet(): void {
    if (this.#whenQuiet === undefined || this.#blobWrites.size > 0 || this.#removals > 0) return;
    const pending = this.pending();
    // What a commit sets free is removed when it has settled: one more look after that.
    if (pending === undefined) this.#whenQuiet();
    else pending.whenSettled(() => queueMicrotask(() => this.#tellIfQuiet()));
  }
}

interface LevelNumbers {
  count: number;
  bytes: number;
  deliveredUpTo: number;
  /** Of `count`, those that do not survive a restart. */
  transient: number;
}

class StoredQueueLog implements QueueLog {
  readonly stateKey: Buffer;
  readonly #store: QueueStore;
  readonly #queueId: number;
  readonly #durable: boolean;
  #levels: LevelNumbers[] = [];
  #nextPosition = 0;
  #found: QueueState | undefined;
  #isNoted = false;
  /** By level: messages on their way into a blob, in order of position. */
  readonly #unwritten = new Map<number, Unwritten[]>();

  constructor(store: QueueStore, queueId: number, durable: boolean) {
    this.#store = store;
    this.#queueId = queueId;
    this.#durable = durable;
    this.stateKey = queueKey(queueId);
    if (durable) this.#recover();
  }

  state(): QueueState | undefined {
    return this.#found;
  }

  append(level: number, position: number, message: Message): Ticket {
    if (!this.#durable && !this.#isNoted) this.#store.noteScratch(this.#queueId);
    this.#isNoted = true;
    this.#nextPosition = Math.max(this.#nextPosition, position + 1);
    if (!this.#store.mustBeBlob(message)) return this.#put(level, position, message);
    const unwritten = { log: this, level, position, message, ticket: new Ticket(), cancelled: false };
    this.#unwrittenOf(level).push(unwritten);
    this.#store.putWithBlob(unwritten);
    return unwritten.ticket;
  }

  remove(entry: Entry): void {
    const { level, position, bodySize } = entry;
    if (this.#cancel(level, (one) => one.position === position) > 0) return;
    this.#store.deleteMessage(messageKey(this.#queueId, level, position), bodySize);
    const numbers = this.#numbers(level);
    numbers.count -= 1;
    numbers.bytes -= bodySize;
    if (!entry.persistent) numbers.transient -= 1;
    this.#store.touch(this);
  }

  removeAfter(level: number, position: number, count: number, bytes: number): void {
    let left = count;
    let leftBytes = bytes;
    this.#cancel(level, (one) => {
      if (one.position <= position) return false;
      left -= 1;
      leftBytes -= one.message.bodySize;
      return true;
    });
    const from = messageKey(this.#queueId, level, position + 1);
    this.#store.deleteMessages(from, messageKey(this.#queueId, level + 1, 0));
    const numbers = this.#numbers(level);
    numbers.count -= left;
    numbers.bytes -= leftBytes;
    this.#store.touch(this);
  }

  load(level: number, position: number, messages: number, bytes: number): StoredMessage[] {
    const loaded: StoredMessage[] = [];
    let size = 0;
    const from = messageKey(this.#queueId, level, position + 1);
    const to = messageKey(this.#queueId, level + 1, 0);
    for (const { key, value } of this.#store.current.range(TREE.messages, { from, to, limit: messages })) {
      loaded.push({ position: positionIn(key), message: decodeMessage(Buffer.from(value)) });
      size += value.length;
      if (size >= bytes) break;
    }
    const isAll = loaded.length < messages && size < bytes;
    return this.#withUnwritten(level, position, loaded, isAll);
  }

  read(level: number, position: number): Message | undefined {
    const unwritten = this.#unwritten.get(level)?.find((one) => one.position === position);
    if (unwritten !== undefined) return unwritten.message;
    const key = messageKey(this.#queueId, level, position);
    // Only a message of this very moment is not committed: looking first spares the batch from being cut.
    const value =
      this.#store.committed.get(TREE.messages, key) ?? this.#store.current.get(TREE.messages, key);
    return value === undefined ? undefined : decodeMessage(Buffer.from(value));
  }

  loadBody(message: Message): Promise<Buffer> {
    return this.#store.loadBody(message);
  }

  delivered(level: number, position: number): void {
    this.#numbers(level).deliveredUpTo = position;
    this.#store.touch(this);
  }

  drop(): void {
    for (const level of this.#unwritten.keys()) this.#cancel(level, () => true);
    this.#store.forgetState(this);
    if (!this.#durable && !this.#isNoted) return;
    this.#store.dropQueue(this.#queueId);
    if (!this.#durable) this.#store.forgetScratch(this.#queueId);
  }

  /** The blob of a message is there: its record may name it. */
  blobWritten(unwritten: Unwritten): void {
    const { level, position, message, ticket } = unwritten;
    const line = this.#unwrittenOf(level);
    line.splice(line.indexOf(unwritten), 1);
    const committed = this.#put(level, position, message);
    committed.whenSettled(() => {
      if (committed.state === 'failed') ticket.fail(committed.reason, committed.isUnknown);
      else ticket.settle();
    });
  }

  /**
   *     uint64 next position │ per level: uint64 count, bytes, delivered + 1, transient
   */
  encodeState(): Buffer {
    const state = Buffer.alloc(8 + this.#levels.length * 32);
    writeNumber(state, 0, this.#nextPosition);
    for (const [index, level] of this.#levels.entries()) {
      writeNumber(state, 8 + index * 32, level.count);
      writeNumber(state, 16 + index * 32, level.bytes);
      writeNumber(state, 24 + index * 32, level.deliveredUpTo + 1);
      writeNumber(state, 32 + index * 32, level.transient);
    }
    return state;
  }

  #recover(): void {
    const state = this.#store.committed.get(TREE.states, this.stateKey);
    if (state === undefined) return;
    this.#nextPosition = readNumber(state, 0);
    for (let at = 8; at < state.length; at += 32) {
      this.#levels.push({
        count: readNumber(state, at),
        bytes: readNumber(state, at + 8),
        deliveredUpTo: readNumber(state, at + 16) - 1,
        transient: readNumber(state, at + 24),
      });
    }
    for (const [level, numbers] of this.#levels.entries()) {
      if (numbers.transient > 0) this.#removeTransient(level, numbers);
    }
    const levels = this.#levels.map(({ count, bytes, deliveredUpTo }): LevelState => {
      return { count, bytes, deliveredUpTo };
    });
    this.#found = { nextPosition: this.#nextPosition, levels };
  }

  /** What overflowed from memory to disk does not outlive the process that published it. */
  #removeTransient(level: number, numbers: LevelNumbers): void {
    const from = messageKey(this.#queueId, level, 0);
    const to = messageKey(this.#queueId, level + 1, 0);
    const gone: { readonly key: Buffer; readonly bodySize: number }[] = [];
    for (const { key, value } of this.#store.committed.range(TREE.messages, { from, to })) {
      const { persistent, bodySize } = decodeMessage(value);
      if (!persistent) gone.push({ key: Buffer.from(key), bodySize });
    }
    for (const { key, bodySize } of gone) {
      this.#store.deleteMessage(key, bodySize);
      numbers.count -= 1;
      numbers.bytes -= bodySize;
    }
    numbers.transient = 0;
    this.#store.touch(this);
  }

  #put(level: number, position: number, message: Message): Ticket {
    const numbers = this.#numbers(level);
    numbers.count += 1;
    numbers.bytes += message.bodySize;
    if (!message.persistent) numbers.transient += 1;
    this.#store.touch(this);
    return this.#store.putMessage(messageKey(this.#queueId, level, position), message);
  }

  #numbers(level: number): LevelNumbers {
    while (this.#levels.length <= level) {
      this.#levels.push({ count: 0, bytes: 0, deliveredUpTo: -1, transient: 0 });
    }
    return this.#levels[level] as LevelNumbers;
  }

  #unwrittenOf(level: number): Unwritten[] {
    let line = this.#unwritten.get(level);
    if (line === undefined) this.#unwritten.set(level, (line = []));
    return line;
  }

  /** @returns how many were cancelled */
  #cancel(level: number, isGone: (one: Unwritten) => boolean): number {
    const line = this.#unwritten.get(level);
    if (line === undefined || line.length === 0) return 0;
    const kept: Unwritten[] = [];
    for (const one of line) {
      if (isGone(one)) {
        one.cancelled = true;
        one.ticket.settle();
      } else kept.push(one);
    }
    this.#unwritten.set(level, kept);
    return line.length - kept.length;
  }

  /** Messages on their way into a blob, put into their places among the `loaded`. */
  #withUnwritten(level: number, after: number, loaded: StoredMessage[], isAll: boolean): StoredMessage[] {
    const line = this.#unwritten.get(level);
    if (line === undefined || line.length === 0) return loaded;
    const last = isAll ? Number.POSITIVE_INFINITY : (loaded.at(-1)?.position ?? after);
    const here = line.filter(({ position }) => position > after && position <= last);
    return [...loaded, ...here].toSorted((left, right) => left.position - right.position);
  }
}

/** What makes a binding itself: everything it says. */
function identityOf(record: Buffer): string {
  return record.toString('latin1');
}

const MESSAGE_KEY_BYTES = 13;

function messageKey(queueId: number, level: number, position: number): Buffer {
  const key = Buffer.allocUnsafe(MESSAGE_KEY_BYTES);
  // The level after the last is the next queue's first.
  key.writeUInt32BE(queueId + (level >> 8), 0);
  key[4] = level & 0xff;
  writeNumber(key, 5, position);
  return key;
}

function positionIn(key: Buffer): number {
  return readNumber(key, 5);
}

function queueKey(queueId: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(queueId, 0);
  return key;
}

function writeNumber(into: Buffer, at: number, value: number): void {
  into.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
  into.writeUInt32BE(value % 0x1_0000_0000, at + 4);
}

function readNumber(from: Buffer, at: number): number {
  return from.readUInt32BE(at) * 0x1_0000_0000 + from.readUInt32BE(at + 4);
}
