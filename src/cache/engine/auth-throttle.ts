/**
 * Slows down the guessing of passwords, per address.
 *
 * After a failure each further attempt from that address waits for its turn before it is even looked at, the
 * right password too: otherwise the speed of the answer would tell. Turns are `delay` apart, doubled with
 * each failure up to a bound, so many connections at once gain nothing. When the queue of turns is full,
 * attempts are refused unread.
 */
import { AUTH_ADDRESSES, AUTH_DELAY_MAX_MS, AUTH_DELAY_MS, AUTH_FORGET_MS } from '../limits.ts';

interface Record {
  failures: number;
  /** When the next turn is free. */
  free: number;
  lastFailure: number;
}

/** Turns that may be taken ahead, as a multiple of the longest delay. */
const QUEUE = 8;

export class AuthThrottle {
  readonly #records = new Map<string, Record>();

  /** Takes a turn. @returns milliseconds to wait for it, or undefined when there are none left */
  turn(address: string, now: number): number | undefined {
    const record = this.#records.get(address);
    if (record === undefined) return 0;
    if (now - record.lastFailure > AUTH_FORGET_MS) {
      this.#records.delete(address);
      return 0;
    }
    const start = Math.max(now, record.free);
    if (start - now > AUTH_DELAY_MAX_MS * QUEUE) return undefined;
    record.free = start + delayAfter(record.failures);
    return start - now;
  }

  failed(address: string, now: number): void {
    const record = this.#records.get(address) ?? { failures: 0, free: now, lastFailure: now };
    record.failures++;
    record.lastFailure = now;
    record.free = Math.max(record.free, now + delayAfter(record.failures));
    this.#records.delete(address);
    this.#records.set(address, record);
    if (this.#records.size > AUTH_ADDRESSES) this.#records.delete(this.#records.keys().next().value!);
  }

  succeeded(address: string): void {
    this.#records.delete(address);
  }
}

function delayAfter(failures: number): number {
  return Math.min(AUTH_DELAY_MAX_MS, AUTH_DELAY_MS * 2 ** Math.min(failures - 1, 10));
}
