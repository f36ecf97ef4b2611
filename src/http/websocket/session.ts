/**
 * One WebSocket as a pure state machine, for the server's end and the client's. RFC 6455 sections 5 to 7.
 *
 *   bytes in ──▶ receive() ──▶ next(): one event at a time
 *   send…() ──▶ takeOutput() ──▶ bytes out, one write for all that one read caused
 *   now ──▶ deadline() / expire(now): what the session waits for, as a value
 *
 * It knows no socket, no clock and no zlib: a compressed message is an event, and who inflates it says what
 * came of it by `inflated`. Pings are answered and the peer's close frame is echoed here, so a driver cannot
 * forget either. States in session-states.ts.
 */
import { isUtf8 } from 'node:buffer';
import { assert } from '../../core/assert.ts';
import { Input } from '../wire/input.ts';
import type { WebSocketLimits } from './limits.ts';
import { IncomingMessage, type MessageKind } from './message.ts';
import { after, type Step, type WebSocketState } from './session-states.ts';
import { CLOSE_CODE, decodeClose, encodeClose } from './wire/close.ts';
import {
  decodeFrameHeader,
  encodeFrameHeader,
  FIN,
  type FrameHeader,
  type FrameRules,
  headerBytesOf,
  NEED_DATA,
  type NeedData,
  OPCODE,
  RSV1,
} from './wire/frame.ts';
import { applyMask } from './wire/mask.ts';
import { type Violation, violation } from './wire/violation.ts';

export interface SessionOptions {
  readonly role: 'client' | 'server';
  readonly limits: WebSocketLimits;
  /** permessage-deflate was negotiated. */
  readonly compression: boolean;
  /** 32 unforeseeable bits for each frame, for a client. RFC 6455 section 10.3. */
  readonly maskKey?: () => number;
}

/** How a WebSocket ended. */
export interface Ending {
  /** The peer's code, or ours where the peer broke a rule. 1005: it gave none. 1006: the connection was lost. */
  readonly code: number;
  readonly reason: string;
  /** Both ends said that they close. */
  readonly clean: boolean;
}

export type SessionEvent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'binary'; readonly bytes: Buffer }
  /** While `streaming`: a piece of a message. Of a text it may end inside a character. */
  | { readonly kind: 'part'; readonly of: MessageKind; readonly bytes: Buffer; readonly last: boolean }
  /** To be inflated; nothing further comes before `inflated`. */
  | { readonly kind: 'compressed'; readonly of: MessageKind; readonly bytes: Buffer }
  | { readonly kind: 'ended'; readonly ending: Ending }
  | NeedData;

export type DeadlinePhase = 'ping' | 'pong' | 'close' | 'write';

export interface Deadline {
  readonly phase: DeadlinePhase;
  /** On the monotonic clock, milliseconds. */
  readonly atMs: number;
}

/** Payloads at least this long are written by themselves instead of being copied behind their header. */
const COALESCE_BYTES = 16_384;
const EMPTY = Buffer.alloc(0);

export class WebSocketSession {
  /** Messages come in parts as they arrive, rather than whole. */
  streaming = false;
  readonly #limits: WebSocketLimits;
  readonly #rules: FrameRules;
  readonly #maskKey: (() => number) | undefined;
  readonly #input = new Input();
  #state: WebSocketState = 'open';
  #ending: Ending | undefined;
  #ended = false;
  /** The frame under way and what of its payload has not been taken. */
  #header: FrameHeader | undefined;
  #leftBytes = 0;
  #message: IncomingMessage | undefined;
  #inflating = false;
  #sendingParts = false;
  #output: Buffer[] = [];
  #outputBytes = 0;

  #lastReceivedMs: number;
  #pingSentMs: number | undefined;
  #pausedMs: number | undefined;
  #blockedMs: number | undefined;
  #closingMs = 0;
  /** Control frames that may come at once; they grow back with time. */
  #controlCredit: number;
  #controlCreditMs: number;

  /** @param now monotonic milliseconds, as in every method that takes it */
  constructor(options: SessionOptions, now: number) {
    assert(
      (options.role === 'client') === (options.maskKey !== undefined),
      'clients mask and servers do not',
    );
    this.#limits = options.limits;
    this.#rules = {
      from: options.role === 'server' ? 'client' : 'server',
      compression: options.compression,
    };
    this.#maskKey = options.maskKey;
    this.#lastReceivedMs = now;
    this.#controlCredit = options.limits.controlFramesPerSecond;
    this.#controlCreditMs = now;
  }

  get state(): WebSocketState {
    return this.#state;
  }

  /** Bytes that `takeOutput` would give. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  get #isReading(): boolean {
    return this.#state === 'open' || this.#state === 'closing';
  }

  // ── In ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes `bytes`, which are unmasked where they are: the caller must not use them again. */
  receive(bytes: Buffer, now: number): void {
    if (!this.#isReading) return;
    this.#lastReceivedMs = now;
    this.#pingSentMs = undefined;
    this.#input.append(bytes);
  }

  /** The peer will send no more. */
  receiveEnd(): void {
    this.#ended = true;
  }

  /** The next event; call until `need-data`. `ended` comes once and last. */
  next(now: number): SessionEvent {
    while (this.#isReading && !this.#inflating) {
      const header = this.#header ?? this.#begin(now);
      if (header === undefined) break;
      if (this.#isStarved(header)) {
        if (this.#ended) this.lose();
        break;
      }
      const event = header.opcode < OPCODE.close ? this.#data(header) : this.#control(header, now);
      if (event !== undefined) return event;
    }
    const ending = this.#ending;
    if (ending === undefined) return NEED_DATA;
    this.#ending = undefined;
    return { kind: 'ended', ending };
  }

  /** The next frame's header, once it is here and fits what came before. */
  #begin(now: number): FrameHeader | undefined {
    const header = decodeFrameHeader(this.#input, this.#rules);
    if (header.kind === 'need-data') {
      if (this.#ended) this.lose();
      return undefined;
    }
    const refusal = header.kind === 'violation' ? header : this.#misplaced(header, now);
    if (header.kind === 'violation' || refusal !== undefined) {
      this.#fail(refusal as Violation);
      return undefined;
    }
    this.#header = header;
    this.#leftBytes = header.payloadBytes;
    return header;
  }

  /** What is wrong with a frame here, after those before it; a continuation is counted in. */
  #misplaced(header: FrameHeader, now: number): Violation | undefined {
    if (header.opcode >= OPCODE.close) return this.#controlFlood(now);
    const message = this.#message;
    if (header.opcode !== OPCODE.continuation) {
      if (message !== undefined)
        return violation('unfinished-message', 'a message begins before the last one has ended');
      return header.payloadBytes > this.#limits.messageBytes ? tooBig() : undefined;
    }
    if (message === undefined)
      return violation('unexpected-continuation', 'a continuation without a message to continue');
    message.announcedBytes += header.payloadBytes;
    message.fragmentCount++;
    if (message.announcedBytes > this.#limits.messageBytes) return tooBig();
    if (message.fragmentCount > this.#limits.fragmentCount)
      return violation('too-many-fragments', 'a message has too many fragments', 1008);
    return undefined;
  }

  #controlFlood(now: number): Violation | undefined {
    const perSecond = this.#limits.controlFramesPerSecond;
    const grown = this.#controlCredit + ((now - this.#controlCreditMs) / 1_000) * perSecond;
    this.#controlCredit = Math.min(perSecond, grown) - 1;
    this.#controlCreditMs = now;
    if (this.#controlCredit >= 0) return undefined;
    return violation('too-many-control-frames', 'too many control frames', 1008);
  }

  /** Nothing can be done with the frame before more arrives. A control frame is short, and waits to be whole. */
  #isStarved({ opcode }: FrameHeader): boolean {
    const here = this.#input.length;
    return opcode < OPCODE.close ? here === 0 && this.#leftBytes > 0 : here < this.#leftBytes;
  }

  /** Takes what is here of a data frame. @returns undefined when there is nothing to tell */
  #data(header: FrameHeader): SessionEvent | undefined {
    const isFirst = this.#message === undefined;
    if (isFirst && header.fin && this.#input.length >= header.payloadBytes) return this.#wholeMessage(header);
    this.#message ??= new IncomingMessage(kindOf(header), header.compressed, header.payloadBytes);
    return this.#piece(header, this.#message);
  }

  /** One frame, one message, all here: the usual case, which needs no copy. */
  #wholeMessage(header: FrameHeader): SessionEvent | undefined {
    this.#header = undefined;
    const bytes = this.#input.take(header.payloadBytes);
    const isAscii = header.maskKey !== 0 && applyMask(bytes, header.maskKey);
    if (header.compressed) return this.#compressed(kindOf(header), bytes);
    return this.#complete(kindOf(header), bytes, isAscii);
  }

  #piece(header: FrameHeader, message: IncomingMessage): SessionEvent | undefined {
    const phase = header.payloadBytes - this.#leftBytes;
    const bytes = this.#input.take(this.#leftBytes);
    this.#leftBytes -= bytes.length;
    if (header.maskKey !== 0) applyMask(bytes, header.maskKey, phase);
    const frameEnds = this.#leftBytes === 0;
    const last = frameEnds && header.fin;
    if (frameEnds) this.#header = undefined;
    if (last) this.#message = undefined;
    if (message.compressed) {
      message.append(bytes);
      return last ? this.#compressed(message.of, message.take()) : undefined;
    }
    // Told before the message is whole: section 8.1 lets us, and it saves us the rest.
    if (message.of === 'text' && !(message.utf8.push(bytes) && (!last || message.utf8.isComplete)))
      return this.#fail(notUtf8());
    return this.#plainPiece(message, bytes, last);
  }

  #plainPiece(message: IncomingMessage, bytes: Buffer, last: boolean): SessionEvent | undefined {
    if (this.#state !== 'open') return undefined;
    if (this.streaming) {
      // What came before streaming was asked for goes first.
      const held = message.take();
      const all = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      return all.length === 0 && !last ? undefined : { kind: 'part', of: message.of, bytes: all, last };
    }
    message.append(bytes);
    return last ? messageEvent(message.of, message.take(), 'utf8') : undefined;
  }

  #compressed(of: MessageKind, bytes: Buffer): SessionEvent | undefined {
    if (this.#state !== 'open') return undefined;
    this.#inflating = true;
    return { kind: 'compressed', of, bytes };
  }

  /** A whole message whose text has not been checked yet. */
  #complete(of: MessageKind, bytes: Buffer, isAscii: boolean): SessionEvent | undefined {
    if (of === 'text' && !isAscii && !isUtf8(bytes)) return this.#fail(notUtf8());
    if (this.#state !== 'open') return undefined;
    if (this.streaming) return { kind: 'part', of, bytes, last: true };
    return messageEvent(of, bytes, isAscii ? 'latin1' : 'utf8');
  }

  /** What came of a compressed message. @returns it as an event; undefined when it goes no further */
  inflated(of: MessageKind, result: Buffer | Violation): SessionEvent | undefined {
    assert(this.#inflating, 'only what was compressed is inflated');
    this.#inflating = false;
    if (!this.#isReading) return undefined;
    if (!(result instanceof Uint8Array)) return this.#fail(result);
    return this.#complete(of, result, false);
  }

  #control(header: FrameHeader, now: number): undefined {
    this.#header = undefined;
    const payload = this.#input.take(header.payloadBytes);
    if (header.maskKey !== 0) applyMask(payload, header.maskKey);
    if (header.opcode === OPCODE.close) this.#peerCloses(payload, now);
    // After our close frame nothing may be sent. Section 5.5.1.
    else if (header.opcode === OPCODE.ping && this.#state === 'open') this.#frame(FIN | OPCODE.pong, payload);
    return undefined;
  }

  #peerCloses(payload: Buffer, now: number): void {
    const close = decodeClose(payload);
    if (close.kind === 'violation') {
      this.#fail(close);
      return;
    }
    if (this.#state === 'open') {
      this.#frame(FIN | OPCODE.close, encodeClose(close.code, ''));
      this.#closingMs = now;
    }
    this.#step('peer-close');
    this.#end({ code: close.code, reason: close.reason, clean: true });
  }

  /** The peer broke a rule: it is told which, unless our close frame is out already. Section 7.1.7. */
  #fail({ closeCode, message }: Violation): undefined {
    if (this.#state === 'open') this.#frame(FIN | OPCODE.close, encodeClose(closeCode, message));
    this.#step('fail');
    this.#end({ code: closeCode, reason: message, clean: false });
    return undefined;
  }

  /** The connection is gone, or not worth waiting for. */
  lose(reason = ''): void {
    if (!this.#isReading) return;
    this.#step('lose');
    this.#end({ code: CLOSE_CODE.abnormal, reason, clean: false });
  }

  #end(ending: Ending): void {
    this.#ending = ending;
    this.#message = undefined;
    this.#header = undefined;
    this.#input.clear();
  }

  #step(step: Step): void {
    const to = after(this.#state, step);
    assert(to !== undefined, `a WebSocket cannot ${step} while ${this.#state}`);
    this.#state = to;
  }

  // ── Out ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends a message in one frame. Text given as bytes is UTF-8 by the caller's word. */
  send(of: MessageKind, payload: string | Uint8Array, compressed = false): void {
    assert(!this.#sendingParts, 'a message goes out whole before the next one begins');
    assert(!compressed || this.#rules.compression, 'nothing is compressed that was not agreed on');
    this.#step('send');
    this.#frame(FIN | (compressed ? RSV1 : 0) | OPCODE[of], payload);
  }

  /** Sends a piece of a message as a frame of its own. Section 5.4. */
  sendPart(of: MessageKind, piece: Uint8Array, last: boolean): void {
    this.#step('send');
    this.#frame((last ? FIN : 0) | (this.#sendingParts ? OPCODE.continuation : OPCODE[of]), piece);
    this.#sendingParts = !last;
  }

  /** Begins the close handshake. @param code one that may be sent, or 1005 for none */
  close(code: number, reason: string, now: number): void {
    this.#step('close');
    this.#frame(FIN | OPCODE.close, encodeClose(code, reason));
    this.#closingMs = now;
  }

  #frame(first: number, payload: string | Uint8Array): void {
    const size = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
    const maskKey = this.#maskKey?.();
    const headerBytes = headerBytesOf(size, maskKey !== undefined);
    if (typeof payload !== 'string' && maskKey === undefined && size >= COALESCE_BYTES) {
      const header = Buffer.allocUnsafe(headerBytes);
      encodeFrameHeader(header, first, size, undefined);
      this.#write(header);
      this.#write(asBuffer(payload));
      return;
    }
    const frame = Buffer.allocUnsafe(headerBytes + size);
    encodeFrameHeader(frame, first, size, maskKey);
    if (typeof payload === 'string') frame.write(payload, headerBytes, 'utf8');
    else frame.set(payload, headerBytes);
    if (maskKey !== undefined) applyMask(frame.subarray(headerBytes), maskKey);
    this.#write(frame);
  }

  #write(bytes: Buffer): void {
    this.#output.push(bytes);
    this.#outputBytes += bytes.length;
  }

  /** What there is to write, small frames joined. Empty when there is nothing. */
  takeOutput(): Buffer[] {
    const frames = this.#output;
    if (frames.length === 0) return frames;
    this.#output = [];
    this.#outputBytes = 0;
    return frames.length === 1 ? frames : coalesce(frames);
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Tells whether the driver reads: time in which it does not is not held against the peer. */
  setReading(reading: boolean, now: number): void {
    if (!reading) {
      this.#pausedMs ??= now;
    } else if (this.#pausedMs !== undefined) {
      this.#lastReceivedMs += now - this.#pausedMs;
      if (this.#pingSentMs !== undefined) this.#pingSentMs += now - this.#pausedMs;
      this.#pausedMs = undefined;
    }
  }

  /** Tells whether written bytes are stuck at the peer. */
  setBlocked(blocked: boolean, now: number): void {
    this.#blockedMs = blocked ? (this.#blockedMs ?? now) : undefined;
  }

  /** The earliest thing waited for, or undefined. */
  deadline(): Deadline | undefined {
    const waiting = this.#peerDeadline();
    if (this.#blockedMs === undefined) return waiting;
    const atMs = this.#blockedMs + this.#limits.writeStallTimeoutMs;
    return waiting === undefined || atMs <= waiting.atMs ? { phase: 'write', atMs } : waiting;
  }

  #peerDeadline(): Deadline | undefined {
    const limits = this.#limits;
    switch (this.#state) {
      case 'open':
        if (this.#pausedMs !== undefined) return undefined;
        if (this.#pingSentMs !== undefined)
          return { phase: 'pong', atMs: this.#pingSentMs + limits.pongTimeoutMs };
        return { phase: 'ping', atMs: this.#lastReceivedMs + limits.pingIntervalMs };
      case 'closing':
      case 'closed':
        return { phase: 'close', atMs: this.#closingMs + limits.closeTimeoutMs };
      default:
        return undefined;
    }
  }

  /**
   * Does what `now` makes due: asks a silent peer by a ping, gives up one that stays silent or does not close.
   * @returns what it was; `write` is left to the driver, who sees whether the peer takes bytes
   */
  expire(now: number): DeadlinePhase | undefined {
    const deadline = this.deadline();
    if (deadline === undefined || deadline.atMs > now) return undefined;
    switch (deadline.phase) {
      case 'ping':
        this.#frame(FIN | OPCODE.ping, EMPTY);
        this.#pingSentMs = now;
        break;
      case 'pong':
        this.lose('the peer did not answer a ping');
        break;
      case 'close':
        this.lose('the peer did not answer the close frame');
        break;
    }
    return deadline.phase;
  }
}

function kindOf({ opcode }: FrameHeader): MessageKind {
  return opcode === OPCODE.text ? 'text' : 'binary';
}

function messageEvent(of: MessageKind, bytes: Buffer, encoding: 'latin1' | 'utf8'): SessionEvent {
  return of === 'text' ? { kind: 'text', text: bytes.toString(encoding) } : { kind: 'binary', bytes };
}

function tooBig(): Violation {
  return violation('message-too-big', 'the message is too big', 1009);
}

function notUtf8(): Violation {
  return violation('not-utf8', 'the text is not UTF-8', 1007);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Joins runs of small buffers; long ones stay as they are. */
function coalesce(frames: readonly Buffer[]): Buffer[] {
  const joined: Buffer[] = [];
  let run: Buffer[] = [];
  for (const frame of frames) {
    if (frame.length < COALESCE_BYTES) {
      run.push(frame);
      continue;
    }
    if (run.length > 0) joined.push(Buffer.concat(run));
    run = [];
    joined.push(frame);
  }
  if (run.length > 0) joined.push(Buffer.concat(run));
  return joined;
}
