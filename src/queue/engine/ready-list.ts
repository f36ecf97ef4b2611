/**
 * The messages of one queue and one priority that are ready to be delivered, in order of position.
 *
 *       delivered          window, in memory            only in the log
 *     ─ unacked ──┤ first … requeued … last ┤ ── paged ──────────────────▶ new messages
 *                                      loadedUpTo
 *
 * A short list lives in the window alone. Once the window is full, new messages only go to the log (those
 * that need not be durable too), and are read back a page at a time when the window has run empty; so a
 * queue of a million messages costs no more memory than its window.
 *
 * Deliveries are taken from the front, so everything after `loadedUpTo` has never been delivered: what comes
 * back from consumers always belongs into the window.
 */
import { PositionDeque } from './deque.ts';
import { Entry, type Memory, type Message } from './message.ts';
import type { LevelState, QueueLog } from './storage.ts';

export interface WindowLimits {
  readonly windowMessages: number;
  readonly windowBytes: number;
}

export class ReadyList {
  readonly #level: number;
  readonly #log: QueueLog;
  readonly #limits: WindowLimits;
  readonly #memory: Memory;
  readonly #expiresAt: (message: Message) => number;
  readonly #window = new PositionDeque<Entry>();
  #windowBytes = 0;
  #paged = { count: 0, bytes: 0 };
  #loadedUpTo = -1;
  /** Of all ready messages, in the window and paged. */
  #bytes = 0;
  #deliveredUpTo = -1;

  constructor(
    level: number,
    log: QueueLog,
    limits: WindowLimits,
    memory: Memory,
    expiresAt: (message: Message) => number,
    found: LevelState | undefined,
  ) {
    this.#level = level;
    this.#log = log;
    this.#limits = limits;
    this.#memory = memory;
    this.#expiresAt = expiresAt;
    if (found === undefined) return;
    this.#paged = { count: found.count, bytes: found.bytes };
    this.#bytes = found.bytes;
    this.#deliveredUpTo = found.deliveredUpTo;
  }

  get count(): number {
    return this.#window.length + this.#paged.count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The next message, brought into the window when it was paged; its body may still lie in a blob. */
  get first(): Entry | undefined {
    if (this.#window.length === 0 && this.#paged.count > 0) this.#loadPage();
    return this.#window.first;
  }

  /** The first of the window, without reading the log. */
  get firstResident(): Entry | undefined {
    return this.#window.first;
  }

  push(entry: Entry): void {
    this.#bytes += entry.bodySize;
    if (this.#paged.count === 0 && !this.#isFull()) {
      this.#window.push(entry);
      this.#charge(entry);
      this.#loadedUpTo = entry.position;
      return;
    }
    if (!entry.stored) this.#log.append(this.#level, entry.position, entry.message as Message);
    this.#paged.count += 1;
    this.#paged.bytes += entry.bodySize;
  }

  /** Takes the first message out; the caller answers for its memory from here on. */
  take(): Entry {
    const entry = this.#window.shift() as Entry;
    this.#windowBytes -= entry.heldBytes;
    this.#bytes -= entry.bodySize;
    return entry;
  }

  /** Remembers that this entry, just taken, was given to somebody. */
  markDelivered(entry: Entry): void {
    if (entry.position <= this.#deliveredUpTo) return;
    this.#deliveredUpTo = entry.position;
    if (entry.stored) this.#log.delivered(this.#level, entry.position);
  }

  /** Puts a message back into its place. */
  requeue(entry: Entry): void {
    this.#bytes += entry.bodySize;
    this.#windowBytes += entry.heldBytes;
    this.#window.insert(entry);
  }

  /** Tells the accounts that the entry, still in the window, holds more or less than before. */
  recharge(entry: Entry): void {
    this.#windowBytes -= entry.heldBytes;
    this.#charge(entry);
  }

  /** Removes all ready messages. @returns how many there were */
  purge(): number {
    const { count } = this;
    for (const entry of this.#window) {
      this.#memory.release(entry);
      if (entry.stored) this.#log.remove(entry);
    }
    if (this.#paged.count > 0) {
      this.#log.removeAfter(this.#level, this.#loadedUpTo, this.#paged.count, this.#paged.bytes);
    }
    this.#window.clear();
    this.#paged = { count: 0, bytes: 0 };
    this.#windowBytes = 0;
    this.#bytes = 0;
    return count;
  }

  /** Gives the window's memory back without touching the log; for a queue that is going away. */
  forget(): void {
    for (const entry of this.#window) this.#memory.release(entry);
    this.#window.clear();
  }

  /** Moves the end of the window back to the log until it holds at most `bytes`. */
  shrink(bytes: number): void {
    while (this.#windowBytes > bytes) {
      const { last } = this.#window;
      if (last === undefined || last.position <= this.#deliveredUpTo) return;
      this.#window.pop();
      this.#windowBytes -= last.heldBytes;
      if (!last.stored) this.#log.append(this.#level, last.position, last.message as Message);
      this.#memory.release(last);
      this.#paged.count += 1;
      this.#paged.bytes += last.bodySize;
      this.#loadedUpTo = last.position - 1;
    }
  }

  #isFull(): boolean {
    return (
      this.#window.length >= this.#limits.windowMessages || this.#windowBytes >= this.#limits.windowBytes
    );
  }

  #loadPage(): void {
    const { windowMessages, windowBytes } = this.#limits;
    const messages = Math.max(1, windowMessages >> 1);
    for (const { position, message } of this.#log.load(
      this.#level,
      this.#loadedUpTo,
      messages,
      windowBytes >> 1,
    )) {
      const entry = new Entry(position, this.#level, message, this.#expiresAt(message), true);
      entry.redelivered = position <= this.#deliveredUpTo;
      this.#window.push(entry);
      this.#charge(entry);
      this.#paged.count -= 1;
      this.#paged.bytes -= entry.bodySize;
      this.#loadedUpTo = position;
    }
    if (this.#window.length === 0) this.#nothingLeft();
  }

  /** The log has fewer messages than the counts said: believe the log. */
  #nothingLeft(): void {
    this.#bytes -= this.#paged.bytes;
    this.#paged = { count: 0, bytes: 0 };
  }

  #charge(entry: Entry): void {
    this.#memory.hold(entry);
    this.#windowBytes += entry.heldBytes;
  }
}
