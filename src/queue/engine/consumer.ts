import type { Entry, Message } from './message.ts';
import type { Queue } from './queue.ts';

/** A message on its way to one consumer. */
export interface Delivery {
  readonly queue: Queue;
  readonly entry: Entry;
  /** With its body. */
  readonly message: Message & { readonly body: Buffer };
  readonly redelivered: boolean;
}

/** Who takes messages; a channel makes one per `basic.consume`. */
export interface Consumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  /** Higher first. */
  readonly priority: number;
  /** True when it may be given one more message now. */
  hasCredit(): boolean;
  /** Takes a message; without `noAck` it comes back as ack, requeue or reject of this very object. */
  deliver(delivery: Delivery): void;
  /** The queue is gone. */
  cancelled(): void;
}

/** The consumers of one queue in the order in which they are served. */
export class Consumers {
  #all: Consumer[] = [];

  get size(): number {
    return this.#all.length;
  }

  get all(): readonly Consumer[] {
    return this.#all;
  }

  get hasExclusive(): boolean {
    return this.#all.some((consumer) => consumer.exclusive);
  }

  /** Behind the others of its priority. */
  add(consumer: Consumer): void {
    const at = this.#all.findIndex((other) => other.priority < consumer.priority);
    if (at < 0) this.#all.push(consumer);
    else this.#all.splice(at, 0, consumer);
  }

  /** @returns false when it was not there */
  remove(consumer: Consumer): boolean {
    const at = this.#all.indexOf(consumer);
    if (at < 0) return false;
    this.#all.splice(at, 1);
    return true;
  }

  /** Removes and returns all. */
  clear(): Consumer[] {
    const all = this.#all;
    this.#all = [];
    return all;
  }

  /** The next in turn that can take a message, moved behind its equals. */
  next(): Consumer | undefined {
    for (const consumer of this.#all) {
      if (!consumer.hasCredit()) continue;
      if (this.#all.length > 1 && this.remove(consumer)) this.add(consumer);
      return consumer;
    }
    return undefined;
  }

  /** The only one that is served when the queue asks for a single active consumer: the first in order. */
  active(): Consumer | undefined {
    const first = this.#all[0];
    return first?.hasCredit() === true ? first : undefined;
  }
}
