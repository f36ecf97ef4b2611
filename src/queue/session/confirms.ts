/**
 * Publisher confirms of one channel: every publish gets the next number, and is acknowledged once every
 * queue that must keep it has it durably. Answers go out in order, so one frame with `multiple` can answer
 * for as many as have become durable together. A nack says that the message was not kept; one that a failed disk
 * may have kept gets no answer.
 */
import type { Ticket } from '../engine/ticket.ts';

export interface Answer {
  readonly kind: 'ack' | 'nack';
  readonly deliveryTag: number;
  readonly multiple: boolean;
}

interface Waiting {
  readonly ticket: Ticket | undefined;
  readonly rejected: boolean;
}

export class Confirms {
  /** Unanswered publishes; the first has the number `#answered + 1`. */
  #line: Waiting[] = [];
  #start = 0;
  #answered = 0;
  readonly #onSettled: () => void;
  #lastTicket: Ticket | undefined;

  /** @param onSettled called, perhaps more than once, when `answers` has become worth calling */
  constructor(onSettled: () => void) {
    this.#onSettled = onSettled;
  }

  get unanswered(): number {
    return this.#line.length - this.#start;
  }

  /** One publish: settled when `ticket` is, at once without one; `rejected` is answered with a nack. */
  add(ticket: Ticket | undefined, rejected: boolean): void {
    this.#line.push({ ticket, rejected });
    if (ticket !== undefined && ticket !== this.#lastTicket) {
      this.#lastTicket = ticket;
      ticket.whenSettled(this.#onSettled);
    }
  }

  /** The answers that can be given now, in order. */
  answers(): Answer[] {
    const answers: Answer[] = [];
    while (this.unanswered > 0) {
      const kind = kindOf(this.#line[this.#start] as Waiting);
      if (kind === undefined) break;
      let count = 0;
      while (this.unanswered > 0 && kindOf(this.#line[this.#start] as Waiting) === kind) {
        this.#start += 1;
        count += 1;
      }
      this.#answered += count;
      answers.push({ kind, deliveryTag: this.#answered, multiple: count > 1 });
    }
    if (this.#start > 256 && this.#start * 2 > this.#line.length) this.#compact();
    return answers;
  }

  #compact(): void {
    this.#line = this.#line.slice(this.#start);
    this.#start = 0;
  }
}

/** Undefined while it is not decided, and for ever when nobody can know: the end of the connection says so. */
function kindOf({ ticket, rejected }: Waiting): Answer['kind'] | undefined {
  if (ticket?.state === 'pending' || ticket?.isUnknown === true) return undefined;
  return rejected || ticket?.state === 'failed' ? 'nack' : 'ack';
}
