/** What the broker keeps of a published message; one object, however many queues it went to. */
export interface Message {
  /** Where it was published, and how: also after dead-lettering these are the latest. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Property flags and properties as on the wire. */
  readonly properties: Buffer;
  readonly bodySize: number;
  /** Undefined while it lies in a blob only. */
  body: Buffer | undefined;
  /** Set by the storage when the body lies in a blob. */
  blobId?: string;
  readonly persistent: boolean;
  readonly priority: number;
  /** Milliseconds since 1970. */
  readonly publishedAtMs: number;
  /** From the `expiration` property. */
  readonly expirationMs: number | undefined;
}

/** What one message costs beside its bytes: the objects that point to it. */
export const MESSAGE_OVERHEAD_BYTES = 200;

/** A message in one queue. */
export class Entry {
  /** Its place: positions of a queue only grow, and a requeued message keeps its own. */
  readonly position: number;
  /** Index of its priority level. */
  readonly level: number;
  /** Undefined when it must be read from the storage again; never undefined unless `stored`. */
  message: Message | undefined;
  readonly bodySize: number;
  readonly persistent: boolean;
  /** Milliseconds since 1970; Infinity when it never expires. */
  readonly expiresAtMs: number;
  /** The storage has it (though perhaps not yet durably). */
  stored: boolean;
  redelivered: boolean;
  /** What the memory account was charged for `message`. */
  heldBytes: number;

  constructor(position: number, level: number, message: Message, expiresAtMs: number, stored: boolean) {
    this.position = position;
    this.level = level;
    this.message = message;
    this.bodySize = message.bodySize;
    this.persistent = message.persistent;
    this.expiresAtMs = expiresAtMs;
    this.stored = stored;
    this.redelivered = false;
    this.heldBytes = 0;
  }
}

/** The account of message bytes in memory, over all queues of one broker. */
export class Memory {
  bytes = 0;

  /** Charges what the entry's message holds now. */
  hold(entry: Entry): void {
    const { message } = entry;
    const held =
      message === undefined
        ? 0
        : MESSAGE_OVERHEAD_BYTES + message.properties.length + (message.body?.length ?? 0);
    this.bytes += held - entry.heldBytes;
    entry.heldBytes = held;
  }

  /** Lets go of the entry's message; the storage has it, or nobody wants it any more. */
  release(entry: Entry): void {
    entry.message = undefined;
    this.hold(entry);
  }
}
