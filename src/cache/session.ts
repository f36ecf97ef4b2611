/**
 * One connection, without its socket: bytes in, replies out.
 *
 *                 receive(bytes)
 *                      |
 *      +---------------v---------------+   command that waits    +-----------+
 *      |  open: decode, execute, reply  | ---------------------> |  blocked  |
 *      |                               | <---------------------- |           |
 *      +---+-----------------------+---+   reply or timeout      +-----------+
 *          | replies pile up       | QUIT, CLIENT KILL, protocol error
 *      +---v-----------+       +---v-----------+
 *      |    choked     |       |    closing    |  nothing more is read
 *      +---------------+       +---------------+
 *
 * While blocked or choked what arrives is kept unparsed, and the driver should stop reading. The driver calls
 * `run` again when the blocked command is over or the peer has read its replies.
 */
import { OUTPUT_PAUSE_BYTES, REQUEST_LIMITS, type RequestLimits, STALLED_INPUT_BYTES } from './limits.ts';
import type { ReplyWriter } from './wire/reply-writer.ts';
import { RequestParser } from './wire/request-parser.ts';

/** What the session needs of its client, and what carries out commands. */
export interface Executor {
  readonly reply: ReplyWriter;
  readonly isBlocked: () => boolean;
  execute(args: string[], now: number): void;
}

export type Closing =
  | { readonly how: 'after-replies'; readonly reason: string }
  | { readonly how: 'at-once'; readonly reason: string };

export class Session {
  readonly #parser: RequestParser;
  readonly #executor: Executor;
  #closing: Closing | undefined;
  #running = false;
  /** When the first byte of an unfinished request came. */
  #requestSince: number | undefined;

  constructor(executor: Executor, limits: RequestLimits) {
    this.#executor = executor;
    this.#parser = new RequestParser(limits);
  }

  /** Set when the connection is to be closed. */
  get closing(): Closing | undefined {
    return this.#closing;
  }

  /** True when no command may be carried out now. */
  get #stalled(): boolean {
    return this.#executor.isBlocked() || this.#choked || this.#closing !== undefined;
  }

  /**
   * True when nothing more should be read. A blocked client is read on for a while: only so is it noticed
   * that it has gone.
   */
  get wantsPause(): boolean {
    return this.#stalled && (this.#parser.bufferedBytes > STALLED_INPUT_BYTES || !this.#executor.isBlocked());
  }

  get bufferedBytes(): number {
    return this.#parser.bufferedBytes;
  }

  /** Since when a request is unfinished, or undefined. */
  get requestSince(): number | undefined {
    return this.#requestSince;
  }

  /** Bytes arrived at `now`: carries out every whole command in them. */
  receive(chunk: Buffer, now: number): void {
    if (this.#closing !== undefined) return;
    this.#parser.feed(chunk);
    this.run(now);
  }

  /** Goes on with what was received earlier. */
  run(now: number): void {
    if (this.#running) return;
    this.#running = true;
    while (!this.#stalled) {
      const step = this.#parser.next();
      if (step === undefined) break;
      if ('malformed' in step) this.#refuse(step.malformed, step.message);
      else this.#executor.execute(step, now);
    }
    this.#running = false;
    this.#requestSince = this.#parser.midRequest && !this.#stalled ? (this.#requestSince ?? now) : undefined;
  }

  /** The client has authenticated: full-size requests from now on. */
  admit(): void {
    this.#parser.limits = REQUEST_LIMITS;
  }

  /** The first request to close wins, unless a later one is more urgent. */
  close(how: Closing['how'], reason: string): void {
    if (this.#closing === undefined || how === 'at-once') this.#closing = { how, reason };
  }

  get #choked(): boolean {
    return this.#executor.reply.byteLength > OUTPUT_PAUSE_BYTES;
  }

  #refuse(kind: 'protocol-error' | 'cross-protocol', message: string): void {
    if (kind === 'cross-protocol') {
      this.close('at-once', `possible cross-protocol attack: a line that begins with ${message}`);
      return;
    }
    this.#executor.reply.error(`ERR ${message}`);
    this.close('after-replies', message);
  }
}
