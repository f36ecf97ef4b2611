/**
 * Sockets ⇄ sessions, for both ends: one open WebSocket.
 *
 * All that one read caused leaves in one write, and so does all that is sent in one turn of the event loop.
 * Reading stops while a handler's promise is pending and while a message is inflated. A peer that does not take
 * what was written is read from only as long as that does not make us write more: so it cannot make anything
 * grow, and two ends that send at once do not wait for each other.
 *
 * Messages leave in the order in which they were sent. Those that need time (long ones to compress, ones that
 * come in parts) make the later ones wait in `#jobs`.
 */
import { messageOf } from '../../core/errors.ts';
import type { Connection, Endpoint } from '../../core/net/network.ts';
import type { Clock, Timer } from '../../core/time/clock.ts';
import { Deflater, Inflater } from './deflate.ts';
import { WebSocketError } from './errors.ts';
import type { WebSocketLimits } from './limits.ts';
import type { MessageKind } from './message.ts';
import { messagesOf } from './messages.ts';
import { type Ending, type SessionEvent, WebSocketSession } from './session.ts';
import type { WebSocketState } from './session-states.ts';
import { CLOSE_CODE, isWireCloseCode, MAX_REASON_BYTES } from './wire/close.ts';
import type { DeflateTerms } from './wire/deflate-terms.ts';

/** How a WebSocket ended, and the error of ours that ended it, if one did. */
export interface WebSocketClosed extends Ending {
  readonly cause?: unknown;
}

export interface WebSocketHandler {
  /**
   * A whole message: text as a string, binary as a buffer that is the handler's to keep. When it returns a
   * promise, the next message waits for that, and with it the peer. What it throws closes with 1011.
   */
  message?(message: string | Buffer): void | Promise<void>;
  /** Instead of `message`: pieces as they arrive, so that long messages need no memory. Of a text, a piece may
   * end inside a character. A compressed message comes in one piece. */
  part?(part: WebSocketPart): void | Promise<void>;
  /** The peer has taken what was written, after `send` returned false. */
  drain?(): void;
  /** The connection is gone; called once, last. */
  close?(closed: WebSocketClosed): void;
}

export interface WebSocketPart {
  readonly of: 'text' | 'binary';
  readonly bytes: Buffer;
  /** The message ends with it. */
  readonly last: boolean;
}

/** One open WebSocket. Iterating takes its messages one by one, and closes it when left early. */
export interface WebSocketConnection extends AsyncIterable<string | Buffer> {
  /** The subprotocol agreed on; '' when there is none. */
  readonly protocol: string;
  /** The parameters of permessage-deflate agreed on; undefined when messages are not compressed. */
  readonly deflate: DeflateTerms | undefined;
  readonly remote: Endpoint;
  readonly state: WebSocketState;
  /** Sent, and not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** Resolves when the connection is gone, however it went; never rejects. */
  readonly closed: Promise<WebSocketClosed>;
  /** Sets who receives. Nothing is read before, not even the peer's end; a later call replaces the handler. */
  attach(handler: WebSocketHandler): void;
  /**
   * Sends one message: a string as text, bytes as binary. The bytes must not change until they have left.
   * @returns false when the peer is behind (wait for `drain`) or the WebSocket is closing or closed
   */
  send(message: string | Uint8Array): boolean;
  /**
   * Sends one message in as many frames as `parts` gives, as fast as the peer takes them. Not compressed. What
   * `parts` throws ends the connection, for a message begun cannot be taken back.
   * @param of `text` when the parts together are UTF-8
   */
  sendParts(of: 'text' | 'binary', parts: AsyncIterable<Uint8Array>): Promise<void>;
  /** Resolves when the peer has taken what was sent, or is gone. */
  drain(): Promise<void>;
  /**
   * Begins the close handshake behind what was sent before; a second call only waits. Parts that have not ended
   * within `closeTimeoutMs` are cut.
   * @param code 1000 to 1003, 1007 to 1014, 3000 to 4999. Default 1000
   * @param reason up to 123 bytes of UTF-8
   * @throws WebSocketError `invalid-argument`
   */
  close(code?: number, reason?: string): Promise<WebSocketClosed>;
  /** Ends the connection at once, without a close handshake. */
  destroy(): void;
}

export interface OpenOptions {
  readonly role: 'client' | 'server';
  readonly connection: Connection;
  /** Received behind the handshake. */
  readonly early: Buffer;
  readonly clock: Clock;
  readonly limits: WebSocketLimits;
  readonly protocol: string;
  readonly deflate: DeflateTerms | undefined;
  readonly maskKey?: () => number;
}

/** Work on one message to be sent. */
interface Job {
  readonly bytes: number;
  run(): void | Promise<void>;
}

export class OpenWebSocket implements WebSocketConnection {
  readonly protocol: string;
  readonly deflate: DeflateTerms | undefined;
  readonly closed: Promise<WebSocketClosed>;
  readonly #connection: Connection;
  readonly #role: 'client' | 'server';
  readonly #clock: Clock;
  readonly #limits: WebSocketLimits;
  readonly #session: WebSocketSession;
  readonly #deflater: Deflater | undefined;
  readonly #inflater: Inflater | undefined;
  readonly #settleClosed: (closed: WebSocketClosed) => void;
  #handler: WebSocketHandler | undefined;
  #ending: Ending | undefined;
  #cause: unknown;
  #pumping = false;
  /** Promises that the next message waits for: a handler's, an inflation. */
  #pending = 0;
  #reading = false;
  #blocked = false;
  #flushScheduled = false;
  #closeAsked = false;
  /** We have ended, or destroyed, the connection. */
  #ended = false;
  /** While blocked: with more to write than this, reading stops. */
  #pauseAboveBytes = 0;
  #writtenBytes = 0;
  /** What of it the peer had taken when that was last looked at. */
  #takenBytes = 0;
  readonly #jobs: Job[] = [];
  #jobBytes = 0;
  #working = false;
  readonly #drainWaiters: (() => void)[] = [];
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined;
  #closeTimer: Timer | undefined;

  constructor(options: OpenOptions) {
    const { role, connection, limits, deflate } = options;
    this.protocol = options.protocol;
    this.deflate = deflate;
    this.#role = role;
    this.#connection = connection;
    this.#clock = options.clock;
    this.#limits = limits;
    if (deflate !== undefined) {
      this.#deflater = new Deflater(deflate[role], limits);
      this.#inflater = new Inflater(deflate[role === 'client' ? 'server' : 'client'], limits);
    }
    const { promise, resolve } = Promise.withResolvers<WebSocketClosed>();
    this.closed = promise;
    this.#settleClosed = resolve;
    const now = this.#now();
    const maskKey = options.maskKey === undefined ? {} : { maskKey: options.maskKey };
    this.#session = new WebSocketSession(
      { role, limits, compression: deflate !== undefined, ...maskKey },
      now,
    );
    this.#session.setReading(false, now);
    if (options.early.length > 0) this.#session.receive(options.early, now);
    connection.pause();
    connection.attach({
      data: (chunk) => this.#receive(chunk),
      end: () => this.#receiveEnd(),
      drain: () => this.#drained(),
      close: (cause) => this.#gone(cause),
    });
  }

  get remote(): Endpoint {
    return this.#connection.remote;
  }

  get state(): WebSocketState {
    return this.#session.state;
  }

  get bufferedBytes(): number {
    return this.#jobBytes + this.#session.outputBytes + this.#connection.bufferedBytes;
  }

  #now(): number {
    return this.#clock.monotonic();
  }

  attach(handler: WebSocketHandler): void {
    this.#handler = handler;
    this.#session.streaming = handler.part !== undefined;
    // After the caller's own turn: it may not be ready for a message before `attach` has returned.
    queueMicrotask(() => this.#pump(this.#now()));
  }

  [Symbol.asyncIterator](): AsyncGenerator<string | Buffer, void, void> {
    return messagesOf(this, this.#limits.receiveQueueBytes);
  }

  // ── From the socket ───────────────────────────────────────────────────────────────────────────────────

  #receive(chunk: Buffer): void {
    const now = this.#now();
    this.#session.receive(chunk, now);
    this.#pump(now);
  }

  #receiveEnd(): void {
    this.#session.receiveEnd();
    this.#pump(this.#now());
    if (this.#ending !== undefined) this.#endConnection();
  }

  #drained(): void {
    const now = this.#now();
    this.#blocked = false;
    this.#session.setBlocked(false, now);
    this.#tellDrained();
    this.#pump(now);
  }

  #gone(cause: Error | undefined): void {
    this.#ended = true;
    this.#timer?.timer.cancel();
    this.#closeTimer?.cancel();
    this.#session.lose(cause === undefined ? 'the connection was closed' : messageOf(cause));
    this.#takeEnding();
    for (const { bytes } of this.#jobs.splice(0)) this.#jobBytes -= bytes;
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
    const closed = this.#cause === undefined ? this.#ending! : { ...this.#ending!, cause: this.#cause };
    this.#settleClosed(closed);
    this.#handler?.close?.(closed);
  }

  // ── Events ────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes events until there are none or somebody has to catch up first. */
  #pump(now: number): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#mustWait() && this.#take(this.#session.next(now))) {
      if (this.#session.outputBytes > this.#limits.gatherBytes) this.#flush();
    }
    this.#pumping = false;
    this.#finishTurn();
  }

  #mustWait(): boolean {
    // While closing nothing is handed out, and only what the peer still sends leads on to the end.
    if (this.#session.state !== 'open') return false;
    if (this.#pending > 0 || this.#handler === undefined) return true;
    if (this.#jobBytes > this.#limits.gatherBytes) return true;
    return this.#blocked && this.bufferedBytes > this.#pauseAboveBytes;
  }

  /** @returns false when there is nothing more to take for now */
  #take(event: SessionEvent): boolean {
    switch (event.kind) {
      case 'text':
        this.#deliver(event.text);
        return true;
      case 'binary':
        this.#deliver(event.bytes);
        return true;
      case 'part':
        this.#handle(() => this.#handler?.part?.(event));
        return true;
      case 'compressed':
        this.#inflate(event.of, event.bytes);
        return true;
      case 'ended':
        this.#ending = event.ending;
        return false;
      case 'need-data':
        return false;
    }
  }

  #deliver(message: string | Buffer): void {
    this.#handle(() => this.#handler?.message?.(message));
  }

  /** Runs the handler; what it does badly is our fault and ends the connection, not the process. */
  #handle(run: () => void | Promise<void> | undefined): void {
    try {
      const result = run();
      if (result instanceof Promise) this.#await(result);
    } catch (thrown) {
      this.#failHere(thrown);
    }
  }

  /** Takes nothing further before `work` is done. */
  #await(work: Promise<void>): void {
    this.#pending++;
    const goOn = (): void => {
      this.#pending--;
      this.#pump(this.#now());
    };
    void work.catch((thrown: unknown) => this.#failHere(thrown)).then(goOn);
  }

  #failHere(thrown: unknown): void {
    this.#cause ??= thrown;
    if (this.#session.state === 'open') this.#beginClose(CLOSE_CODE.internalError, '');
  }

  #inflate(of: MessageKind, payload: Buffer): void {
    const result = this.#inflater!.inflate(payload);
    if (result instanceof Promise) {
      this.#await(result.then((inflated) => this.#inflated(of, inflated)));
    } else {
      this.#inflated(of, result);
    }
  }

  #inflated(of: MessageKind, result: Parameters<WebSocketSession['inflated']>[1]): void {
    const event = this.#session.inflated(of, result);
    if (event !== undefined) this.#take(event);
  }

  /** Writes what the turn produced, then decides whether to read on, wait or end. */
  #finishTurn(): void {
    this.#flush();
    if (this.#ended) return;
    if (this.#ending !== undefined) this.#finish();
    this.#setReading(!this.#mustWait());
    this.#arm();
  }

  /** The WebSocket has ended, and now the connection does: by the server, where both agreed. Section 7.1.1. */
  #finish(): void {
    if (this.#session.state === 'closed' && this.#role === 'client') return;
    this.#endConnection();
  }

  #takeEnding(): void {
    const event = this.#session.next(this.#now());
    if (event.kind === 'ended') this.#ending = event.ending;
  }

  #endConnection(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#timer?.timer.cancel();
    this.#flush();
    this.#connection.end();
  }

  #setReading(reading: boolean): void {
    if (reading === this.#reading || this.#ended) return;
    this.#reading = reading;
    this.#session.setReading(reading, this.#now());
    if (reading) this.#connection.resume();
    else this.#connection.pause();
  }

  // ── Out ───────────────────────────────────────────────────────────────────────────────────────────────

  send(message: string | Uint8Array): boolean {
    if (this.#session.state !== 'open' || this.#closeAsked) return false;
    const of = typeof message === 'string' ? 'text' : 'binary';
    if (this.#isSentPlain(message)) this.#session.send(of, message);
    else this.#enqueue({ bytes: sizeOf(message), run: () => this.#sendDeflated(of, message) });
    this.#scheduleFlush();
    if (!this.#isBehind) return true;
    if (this.bufferedBytes > this.#limits.sendBufferBytes) this.#giveUp('the peer does not read');
    return false;
  }

  /** Nothing stands before the message, and nothing is to be done with it. */
  #isSentPlain(message: string | Uint8Array): boolean {
    if (this.#working) return false;
    return this.#deflater === undefined || sizeOf(message) < this.#limits.deflateThresholdBytes;
  }

  #sendDeflated(of: MessageKind, message: string | Uint8Array): void | Promise<void> {
    if (this.#session.state !== 'open') return;
    if (this.#deflater === undefined || sizeOf(message) < this.#limits.deflateThresholdBytes) {
      this.#session.send(of, message);
      return;
    }
    const deflated = this.#deflater.deflate(typeof message === 'string' ? Buffer.from(message) : message);
    const send = (payload: Buffer): void => {
      if (this.#session.state === 'open') this.#session.send(of, payload, true);
    };
    if (deflated instanceof Promise) return deflated.then(send);
    send(deflated);
  }

  sendParts(of: MessageKind, parts: AsyncIterable<Uint8Array>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#session.state !== 'open' || this.#closeAsked) resolve();
    else this.#enqueue({ bytes: 0, run: () => this.#streamParts(of, parts).then(resolve, reject) });
    return promise;
  }

  async #streamParts(of: MessageKind, parts: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const part of parts) {
        if (this.#session.state !== 'open') return;
        if (part.length === 0) continue;
        this.#session.sendPart(of, part, false);
        this.#flush();
        if (this.#blocked) await this.#unblocked();
      }
      if (this.#session.state === 'open') this.#session.sendPart(of, EMPTY, true);
    } catch (thrown) {
      this.#failHere(thrown);
      throw thrown;
    } finally {
      this.#flush();
    }
  }

  #enqueue(job: Job): void {
    this.#jobs.push(job);
    this.#jobBytes += job.bytes;
    if (!this.#working) this.#work();
  }

  /** Does the jobs in order, as far as none needs time. */
  #work(): void {
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      const { bytes } = job;
      const done = job.run();
      if (!(done instanceof Promise)) {
        this.#jobBytes -= bytes;
        continue;
      }
      this.#working = true;
      const goOn = (): void => {
        this.#jobBytes -= bytes;
        this.#working = false;
        this.#work();
        this.#tellDrained();
        this.#pump(this.#now());
      };
      void done.catch((thrown: unknown) => this.#failHere(thrown)).then(goOn);
      return;
    }
  }

  get #isBehind(): boolean {
    return !this.#ended && (this.#blocked || this.#working);
  }

  drain(): Promise<void> {
    return this.#isBehind ? this.#unblocked() : Promise.resolve();
  }

  #unblocked(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drainWaiters.push(resolve);
    return promise;
  }

  #tellDrained(): void {
    if (this.#blocked) return;
    for (const resolve of this.#drainWaiters.splice(0)) resolve();
    if (!this.#isBehind) this.#handle(() => this.#handler?.drain?.());
  }

  close(code: number = CLOSE_CODE.normal, reason = ''): Promise<WebSocketClosed> {
    if (!isWireCloseCode(code)) throw invalid('the close code may not be sent');
    if (Buffer.byteLength(reason) > MAX_REASON_BYTES) throw invalid('the close reason is too long');
    if (this.#session.state !== 'open' || this.#closeAsked) return this.closed;
    this.#closeAsked = true;
    if (this.#working) this.#closeLater(code, reason);
    else this.#beginClose(code, reason);
    this.#scheduleFlush();
    return this.closed;
  }

  /** Behind what is being sent; but a message whose parts do not end is cut, for a close must end. */
  #closeLater(code: number, reason: string): void {
    const begin = (): void => this.#beginClose(code, reason);
    this.#enqueue({ bytes: 0, run: begin });
    this.#closeTimer = this.#clock.schedule(this.#limits.closeTimeoutMs, () => {
      begin();
      this.#pump(this.#now());
    });
  }

  #beginClose(code: number, reason: string): void {
    if (this.#session.state === 'open') this.#session.close(code, reason, this.#now());
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /** One write for all that is sent in this turn; at once when it is much. */
  #scheduleFlush(): void {
    if (this.#pumping) return;
    if (this.#session.outputBytes > this.#limits.gatherBytes) this.#flush();
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      // Not only a flush: a close changes what is read, and what is waited for.
      this.#pump(this.#now());
    });
  }

  #flush(): void {
    const wasBlocked = this.#blocked;
    for (const part of this.#session.takeOutput()) {
      this.#writtenBytes += part.length;
      if (!this.#connection.write(part)) this.#blocked = true;
    }
    if (!this.#blocked || wasBlocked) return;
    this.#pauseAboveBytes = this.bufferedBytes + this.#limits.gatherBytes;
    this.#takenBytes = this.#writtenBytes - this.#connection.bufferedBytes;
    this.#session.setBlocked(true, this.#now());
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────

  /** One timer per connection; it is moved only when something is due earlier. */
  #arm(): void {
    if (this.#ended) return;
    const deadline = this.#session.deadline();
    if (deadline === undefined || (this.#timer !== undefined && this.#timer.atMs <= deadline.atMs)) return;
    this.#timer?.timer.cancel();
    const delayMs = Math.max(0, deadline.atMs - this.#now());
    this.#timer = { atMs: deadline.atMs, timer: this.#clock.schedule(delayMs, () => this.#tick()) };
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#ended) return;
    switch (this.#session.expire(this.#now())) {
      case 'ping':
        this.#flush();
        break;
      case 'pong':
      case 'close':
        this.#takeEnding();
        this.#connection.destroy();
        return;
      case 'write':
        this.#checkStall();
        break;
      case undefined:
        break;
    }
    this.#arm();
  }

  /** A peer that takes bytes slowly has time; one that takes none has not. */
  #checkStall(): void {
    const taken = this.#writtenBytes - this.#connection.bufferedBytes;
    if (taken <= this.#takenBytes) {
      this.#giveUp('the peer does not read');
      return;
    }
    this.#takenBytes = taken;
    const now = this.#now();
    this.#session.setBlocked(false, now);
    this.#session.setBlocked(true, now);
  }

  #giveUp(reason: string): void {
    this.#session.lose(reason);
    this.#connection.destroy();
  }
}

const EMPTY = Buffer.alloc(0);

function sizeOf(message: string | Uint8Array): number {
  return typeof message === 'string' ? Buffer.byteLength(message) : message.length;
}

function invalid(message: string): WebSocketError {
  return new WebSocketError('invalid-argument', message);
}
