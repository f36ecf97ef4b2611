/**
 * A promise of durability that synchronous code can look at.
 *
 * All changes of one batch share one ticket, so a thousand publishes cost one promise of the store, and a
 * channel asks "is it durable yet?" of the ticket at the head of its line.
 */
export class Ticket {
  #state: 'pending' | 'durable' | 'failed' = 'pending';
  #reason = '';
  #isUnknown = false;
  #waiting: (() => void)[] = [];

  get state(): 'pending' | 'durable' | 'failed' {
    return this.#state;
  }

  /** Why it failed; empty otherwise. */
  get reason(): string {
    return this.#reason;
  }

  /** Failed, but the next start may find it stored: nobody may be told that it was refused. */
  get isUnknown(): boolean {
    return this.#isUnknown;
  }

  /** Calls `settled` once this is durable or failed; at once when it already is. */
  whenSettled(settled: () => void): void {
    if (this.#state === 'pending') this.#waiting.push(settled);
    else settled();
  }

  settle(): void {
    this.#end('durable');
  }

  fail(reason: string, isUnknown = false): void {
    if (this.#state !== 'pending') return;
    this.#reason = reason;
    this.#isUnknown = isUnknown;
    this.#end('failed');
  }

  #end(state: 'durable' | 'failed'): void {
    if (this.#state !== 'pending') return;
    this.#state = state;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const settled of waiting) settled();
  }
}

/** One that is settled when all of `tickets` are; undefined when there is nothing to wait for. */
export function allOf(tickets: readonly (Ticket | undefined)[]): Ticket | undefined {
  const pending = new Set<Ticket>();
  for (const ticket of tickets) {
    if (ticket !== undefined && ticket.state !== 'durable') pending.add(ticket);
  }
  if (pending.size === 0) return undefined;
  const [first] = pending;
  if (pending.size === 1) return first;
  const all = new Ticket();
  let left = pending.size;
  for (const ticket of pending) {
    ticket.whenSettled(() => {
      left -= 1;
      if (ticket.state === 'failed') all.fail(ticket.reason, ticket.isUnknown);
      else if (left === 0) all.settle();
    });
  }
  return all;
}
