/**
 * One TCP connection: its session, and the rules of when to read and when to write.
 *
 * Answers are gathered and written as one piece per read. While the peer does not take them, or has as many
 * questions open as it may, nothing more is read; a message begun and not finished in its time ends it all.
 */

import type { Connection } from '../../core/net/network.ts';
import type { Clock, Timer } from '../../core/time/clock.ts';
import type { DnsLimits } from '../limits.ts';
import { StreamSession } from '../session/stream.ts';

/** Answers one message, now or later; without octets there is no answer. */
export type AnswerMessage = (bytes: Buffer, done: (reply: Buffer | undefined) => void) => void;

export class Stream {
  readonly #connection: Connection;
  readonly #session: StreamSession;
  readonly #clock: Clock;
  readonly #answer: AnswerMessage;
  #reading = false;
  #congested = false;
  #finishing = false;
  #deadline: Timer | undefined;

  constructor(connection: Connection, limits: DnsLimits, clock: Clock, answer: AnswerMessage) {
    this.#connection = connection;
    this.#session = new StreamSession(limits);
    this.#clock = clock;
    this.#answer = answer;
  }

  start(closed: () => void): void {
    this.#connection.attach({
      data: (chunk) => {
        this.#session.received(chunk);
        this.#work();
      },
      end: () => this.finish(),
      drain: () => {
        this.#congested = false;
        this.#work();
      },
      close: () => {
        this.#deadline?.cancel();
        closed();
      },
    });
  }

  /** Closes when the questions already read are answered. */
  finish(): void {
    this.#finishing = true;
    if (this.#session.unanswered === 0 && !this.#congested) this.#connection.end();
  }

  /** Answers what can be answered now, a bounded piece at a time, and decides whether to read on. */
  #work(): void {
    if (this.#reading || this.#connection.destroyed) return;
    this.#reading = true;
    do {
      for (let next = this.#session.next(); next !== undefined; next = this.#session.next()) {
        this.#answer(next, (reply) => this.#answered(reply));
      }
    } while (this.#flush());
    this.#reading = false;
    if (this.#finishing) this.finish();
    else if (this.#congested || this.#session.saturated) this.#connection.pause();
    else this.#connection.resume();
    this.#watchPartial();
  }

  #answered(reply: Buffer | undefined): void {
    this.#session.answered(reply);
    // During a read the answers are gathered; one that comes later may also make room for further questions.
    if (!this.#reading) this.#work();
  }

  /** Writes what is gathered. @returns true when it made room for more */
  #flush(): boolean {
    if (this.#congested) return false;
    const output = this.#session.takeOutput();
    if (output === undefined || this.#connection.destroyed) return false;
    this.#congested = !this.#connection.write(output);
    return !this.#congested;
  }

  #watchPartial(): void {
    this.#deadline?.cancel();
    this.#deadline = undefined;
    const now = this.#clock.monotonic();
    const deadlineMs = this.#congested ? undefined : this.#session.deadlineMs(now);
    if (deadlineMs === undefined || this.#connection.destroyed) return;
    this.#deadline = this.#clock.schedule(deadlineMs - now, () => this.#connection.destroy());
  }
}
