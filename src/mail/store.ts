/**
 * Mailboxes and messages on disk: the bytes of large messages in `core/blobs`, everything else in `core/store`.
 *
 *   tree        key                        value
 *   mailboxes   (address)                  { uidValidity, uidNext, modSeq, count }
 *   messages    (address, uid)             MessageSummary
 *   ids         (id)                       (address, uid)
 *   recent      (receivedAtMs, id)         (address, uid)
 *   blobs       (body)                     how many entries of `messages` name this body
 *   bodies      (body)                     the bytes of a message of up to 64 KiB
 *
 * A body is the id of a blob, or `inline-` and the id of the message it came with. Small ones share the sync of
 * their commit with all others under way; a blob costs two syncs and a rename of its own.
 *
 * One message to three of our mailboxes is one body and three entries, made by one commit: after a crash all
 * of them are there, or none and the sender was never told 250.
 */
import { assert } from '../core/assert.ts';
import type { BlobInfo, Blobs, BlobWriter } from '../core/blobs/types.ts';
import { codeOf } from '../core/errors.ts';
import { encodeKey, type KeyPart, prefixRange } from '../core/store/tuple.ts';
import type { Change, Store } from '../core/store/types.ts';
import { type HeaderSummary, type MessageFilter, type MessageSummary, matches } from './engine/message.ts';
import { INLINE_MAX_BYTES } from './limits.ts';

export interface MailboxInfo {
  readonly address: string;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly modSeq: number;
  readonly count: number;
}

/** What a commit needs to know beside the blob. */
export interface NewMessage extends HeaderSummary {
  readonly receivedAtMs: number;
  readonly envelopeFrom: string;
  /** One entry for each mailbox. */
  readonly deliveries: readonly {
    readonly id: string;
    readonly mailbox: string;
    readonly envelopeTo: string;
  }[];
}

export interface ListOptions extends MessageFilter {
  readonly limit: number;
  /** Entries older than the message with this id. */
  readonly before?: string;
}

/** Entries looked at for one page, so that a filter that matches nothing does not read a whole archive at once. */
const SCAN_MAX = 10_000;

export class MailStore {
  readonly #store: Store;
  readonly #blobs: Blobs;
  readonly #watchers = new Set<(message: MessageSummary) => void>();

  constructor(store: Store, blobs: Blobs) {
    this.#store = store;
    this.#blobs = blobs;
  }

  /** Removes the bytes of messages that were never committed. */
  async sweep(): Promise<number> {
    return this.#blobs.sweep((id) => this.#store.has('blobs', encodeKey([id])));
  }

  /** Takes the bytes of one message. */
  create(): MessageWriter {
    return new MessageWriter(this.#blobs);
  }

  /** Tells of every message once it is durable. @returns a function that ends it */
  watch(tell: (message: MessageSummary) => void): () => void {
    this.#watchers.add(tell);
    return () => void this.#watchers.delete(tell);
  }

  /** Resolves when the message is durable in all its mailboxes. @throws StoreError, BlobError */
  async deliver(writer: MessageWriter, message: NewMessage): Promise<void> {
    const inline = writer.inlineBytes;
    const blobId = inline === undefined ? (await writer.finishBlob()).id : inlineBody(message);
    const changes: Change[] = [];
    const entries: MessageSummary[] = [];
    const { deliveries, ...shared } = message;
    for (const { id, mailbox, envelopeTo } of deliveries) {
      const info = this.#mailbox(mailbox) ?? freshMailbox(mailbox, message.receivedAtMs);
      const entry: MessageSummary = {
        ...shared,
        id,
        mailbox,
        uid: info.uidNext,
        modSeq: info.modSeq + 1,
        sizeBytes: writer.sizeBytes,
        envelopeTo,
        seen: false,
        blobId,
      };
      entries.push(entry);
      changes.push(
        ...additions(entry),
        putMailbox({ ...info, uidNext: info.uidNext + 1, modSeq: info.modSeq + 1, count: info.count + 1 }),
      );
    }
    changes.push(put('blobs', [blobId], entries.length));
    if (inline !== undefined)
      changes.push({ kind: 'put', tree: 'bodies', key: encodeKey([blobId]), value: inline });
    try {
      await this.#store.commit(changes);
    } catch (error) {
      // Of an unknown outcome the next start may find the entries: their bytes stay, or are swept then.
      const isSure = codeOf(error) !== 'outcome-unknown';
      if (inline === undefined && isSure) await this.#blobs.remove(blobId).catch(() => undefined);
      throw error;
    }
    for (const entry of entries) for (const tell of this.#watchers) tell(entry);
  }

  mailboxes(): MailboxInfo[] {
    return [...this.#store.range('mailboxes')].map((entry) => parse<MailboxInfo>(entry.value));
  }

  message(id: string): MessageSummary | undefined {
    const where = this.#store.get('ids', encodeKey([id]));
    const value = where === undefined ? undefined : this.#store.get('messages', where);
    return value === undefined ? undefined : parse<MessageSummary>(value);
  }

  /** Newest first. */
  list(options: ListOptions): MessageSummary[] {
    const found: MessageSummary[] = [];
    let scanned = 0;
    for (const message of this.#newest(options)) {
      if (matches(message, options)) found.push(message);
      if (found.length >= options.limit || ++scanned >= SCAN_MAX) break;
    }
    return found;
  }

  /** The message as stored, trace fields included. */
  async *bytes(message: MessageSummary): AsyncGenerator<Buffer> {
    if (!isInline(message.blobId)) return yield* this.#blobs.read(message.blobId);
    const bytes = this.#store.get('bodies', encodeKey([message.blobId]));
    if (bytes !== undefined) yield bytes;
  }

  async markSeen(id: string): Promise<MessageSummary | undefined> {
    const message = this.message(id);
    if (message === undefined || message.seen) return message;
    const info = this.#mailbox(message.mailbox) ?? freshMailbox(message.mailbox, message.receivedAtMs);
    const changed = { ...message, seen: true, modSeq: info.modSeq + 1 };
    await this.#store.commit([
      put('messages', [message.mailbox, message.uid], changed),
      putMailbox({ ...info, modSeq: info.modSeq + 1 }),
    ]);
    return changed;
  }

  /** @returns false when there is no such message */
  async remove(id: string): Promise<boolean> {
    const message = this.message(id);
    if (message === undefined) return false;
    await this.#remove([message]);
    return true;
  }

  /** Removes every message of a mailbox, or of all. @returns how many */
  async clear(mailbox?: string): Promise<number> {
    let removed = 0;
    for (;;) {
      const batch: MessageSummary[] = [];
      const range = mailbox === undefined ? {} : prefixRange([mailbox]);
      for (const entry of this.#store.range('messages', { ...range, limit: 1_000 }))
        batch.push(parse(entry.value));
      if (batch.length === 0) return removed;
      await this.#remove(batch);
      removed += batch.length;
    }
  }

  async #remove(messages: readonly MessageSummary[]): Promise<void> {
    const changes: Change[] = [];
    const mailboxes = new Map<string, MailboxInfo>();
    const names = new Map<string, number>();
    for (const message of messages) {
      const { mailbox, blobId } = message;
      const info = mailboxes.get(mailbox) ?? this.#mailbox(mailbox);
      if (info !== undefined)
        mailboxes.set(mailbox, { ...info, modSeq: info.modSeq + 1, count: info.count - 1 });
      const value = this.#store.get('blobs', encodeKey([blobId]));
      names.set(blobId, (names.get(blobId) ?? (value === undefined ? 1 : parse<number>(value))) - 1);
      changes.push(remove('messages', [mailbox, message.uid]), remove('ids', [message.id]));
      changes.push(remove('recent', [message.receivedAtMs, message.id]));
    }
    for (const info of mailboxes.values()) changes.push(putMailbox(info));
    for (const [blobId, count] of names) {
      changes.push(count > 0 ? put('blobs', [blobId], count) : remove('blobs', [blobId]));
      if (count <= 0 && isInline(blobId)) changes.push(remove('bodies', [blobId]));
    }
    await this.#store.commit(changes);
    for (const [blobId, count] of names)
      if (count <= 0 && !isInline(blobId)) await this.#blobs.remove(blobId);
  }

  *#newest(options: ListOptions): Generator<MessageSummary> {
    const last = options.before === undefined ? undefined : this.message(options.before);
    if (options.before !== undefined && last === undefined) return;
    if (options.mailbox !== undefined) {
      const range = prefixRange([options.mailbox.toLowerCase()]);
      const to = last === undefined ? range.to : encodeKey([last.mailbox, last.uid]);
      for (const entry of this.#store.range('messages', { from: range.from, to, reverse: true }))
        yield parse(entry.value);
      return;
    }
    const to = last === undefined ? {} : { to: encodeKey([last.receivedAtMs, last.id]) };
    for (const entry of this.#store.range('recent', { ...to, reverse: true })) {
      const value = this.#store.get('messages', entry.value);
      if (value !== undefined) yield parse(value);
    }
  }

  #mailbox(address: string): MailboxInfo | undefined {
    const value = this.#store.get('mailboxes', encodeKey([address]));
    return value === undefined ? undefined : parse(value);
  }
}

const INLINE_PREFIX = 'inline-';

function inlineBody(message: NewMessage): string {
  return `${INLINE_PREFIX}${message.deliveries[0]?.id ?? ''}`;
}

function isInline(body: string): boolean {
  return body.startsWith(INLINE_PREFIX);
}

/** Gathers a message in memory while it is small, and goes on in a blob when it is not. */
export class MessageWriter {
  readonly #blobs: Blobs;
  #chunks: Uint8Array[] | undefined = [];
  #sizeBytes = 0;
  #blob: BlobWriter | undefined;

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** All of a small message; undefined once it went on in a blob. */
  get inlineBytes(): Buffer | undefined {
    return this.#chunks === undefined ? undefined : Buffer.concat(this.#chunks);
  }

  /** To be awaited before the next call. @throws BlobError */
  async write(bytes: Uint8Array): Promise<void> {
    this.#sizeBytes += bytes.length;
    if (this.#chunks !== undefined) {
      this.#chunks.push(bytes);
      if (this.#sizeBytes > INLINE_MAX_BYTES) await this.#goOnInBlob(this.#chunks);
      return;
    }
    await this.#blob?.write(bytes);
  }

  /** @throws BlobError; AssertionFailed for a message that is still in memory */
  finishBlob(): Promise<BlobInfo> {
    assert(this.#blob !== undefined, 'a message without a blob has its bytes in line');
    return this.#blob.finish();
  }

  async abort(): Promise<void> {
    this.#chunks = [];
    await this.#blob?.abort();
  }

  async #goOnInBlob(chunks: readonly Uint8Array[]): Promise<void> {
    this.#chunks = undefined;
    this.#blob = await this.#blobs.create();
    for (const chunk of chunks) await this.#blob.write(chunk);
  }
}

/** UIDVALIDITY must differ from that of an earlier mailbox of the same name: seconds do. RFC 9051 section 2.3.1.1. */
function freshMailbox(address: string, nowMs: number): MailboxInfo {
  return { address, uidValidity: Math.floor(nowMs / 1_000), uidNext: 1, modSeq: 0, count: 0 };
}

function additions(entry: MessageSummary): Change[] {
  const where = encodeKey([entry.mailbox, entry.uid]);
  return [
    put('messages', [entry.mailbox, entry.uid], entry),
    { kind: 'put', tree: 'ids', key: encodeKey([entry.id]), value: where },
    { kind: 'put', tree: 'recent', key: encodeKey([entry.receivedAtMs, entry.id]), value: where },
  ];
}

function putMailbox(info: MailboxInfo): Change {
  return put('mailboxes', [info.address], info);
}

function put(tree: string, key: readonly KeyPart[], value: unknown): Change {
  return { kind: 'put', tree, key: encodeKey(key), value: Buffer.from(JSON.stringify(value)) };
}

function remove(tree: string, key: readonly KeyPart[]): Change {
  return { kind: 'delete', tree, key: encodeKey(key) };
}

/** Values are written by this file only. */
function parse<Value>(bytes: Buffer): Value {
  return JSON.parse(bytes.toString('utf8')) as Value;
}
