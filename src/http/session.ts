/**
 * One HTTP/1.1 connection as a pure state machine, for the server's end and the client's.
 *
 *   bytes in ──▶ receive() ──▶ next(): one event at a time
 *   send…() ──▶ takeOutput() ──▶ bytes out, one write for all that one read caused
 *   now ──▶ deadline() / expire(now): what the session waits for, as a value
 *
 * It knows no socket and no clock. Requests that are pipelined are read one after the other: while one is
 * being answered the next stays in the input (`paused`), so replies are in order by construction, and what
 * may be held back is bounded by whoever feeds the session.
 *
 * RFC 9112 sections 6, 7, 9; states in session-states.ts.
 */
import { assert } from '../core/assert.ts';
import type { HttpLimits } from './limits.ts';
import { after, type Half, type HalfState, type Step } from './session-states.ts';
import type { HeaderList } from './types.ts';
import {
  type BodyDecoder,
  type BodyPart,
  ChunkedDecoder,
  LengthDecoder,
  NEED_DATA,
  UntilCloseDecoder,
} from './wire/chunked.ts';
import {
  encodeField,
  encodeFields,
  encodeRequestLine,
  encodeStatusLine,
  UnsendableError,
} from './wire/encode-head.ts';
import { type Fields, NO_FIELDS } from './wire/fields.ts';
import type { Framing } from './wire/framing.ts';
import { decimal, equalsIgnoreCase, listElements } from './wire/grammar.ts';
import { HeadEnd } from './wire/head-end.ts';
import { Input } from './wire/input.ts';
import { type Malformed, malformed } from './wire/malformed.ts';
import { parseRequestHead, type RequestHead } from './wire/request-head.ts';
import { parseResponseHead, type ResponseHead } from './wire/response-head.ts';

export type Role = 'client' | 'server';

export type SessionEvent =
  | RequestHead
  | ResponseHead
  /** 1xx but 101; more follows. */
  | { readonly kind: 'informational'; readonly head: ResponseHead }
  /** 101: the rest of the connection belongs to another protocol. */
  | { readonly kind: 'switched'; readonly head: ResponseHead }
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'end'; readonly trailers: Fields }
  | { readonly kind: 'need-data' }
  /** The next message is here, but the present exchange has to end first. */
  | { readonly kind: 'paused' }
  /** The peer closed where a connection may end. */
  | { readonly kind: 'closed' }
  | Malformed;

export type DeadlinePhase = 'first-byte' | 'head' | 'body' | 'idle' | 'write' | 'response' | 'response-body';

export interface Deadline {
  readonly phase: DeadlinePhase;
  /** On the monotonic clock, milliseconds. */
  readonly atMs: number;
}

export interface OutgoingRequest {
  readonly method: string;
  readonly target: string;
  /** With Host; without Content-Length, Transfer-Encoding and Connection, which are the session's. */
  readonly headers: HeaderList;
  /** Content bytes, `none` for a request without content, undefined when unknown: then chunked. */
  readonly size: number | 'none' | undefined;
  /** Protocol to ask for with Upgrade. */
  readonly upgrade?: string | undefined;
  readonly expectContinue?: boolean | undefined;
  /** Tells the server that this is the last request on the connection. */
  readonly close?: boolean | undefined;
  /** Time for the head of the response. */
  readonly timeoutMs: number;
}

export interface OutgoingResponse {
  readonly status: number;
  /** Content-Length here counts as `size`; Connection only for `close` and, with 101, Upgrade. */
  readonly headers: HeaderList;
  /** Content bytes; undefined when unknown: then chunked, or until the close for HTTP/1.0. */
  readonly size: number | undefined;
  /** The Date field, already encoded; left out when `headers` have one. */
  readonly stamp?: string;
}

/** How content goes out; `none` swallows what is sent (HEAD, 204, 304). */
type Outgoing =
  | { readonly kind: 'none' | 'chunked' | 'until-close' }
  | { readonly kind: 'length'; remaining: number };

const PAUSED = { kind: 'paused' } as const;
const CLOSED = { kind: 'closed' } as const;
const NOTHING: Outgoing = { kind: 'none' };
/** Parts at least this long are written by themselves instead of being copied together. */
const COALESCE_BYTES = 16_384;

export class HttpSession {
  readonly role: Role;
  readonly #limits: HttpLimits;
  readonly #input = new Input();
  readonly #headEnd = new HeadEnd();
  #request: HalfState = 'idle';
  #response: HalfState = 'idle';
  #keepAlive = true;
  #ended = false;
  #decoder: BodyDecoder | undefined;
  #outgoing: Outgoing = NOTHING;
  #output: (string | Uint8Array)[] = [];
  #outputBytes = 0;

  #method = '';
  #peerVersion: '1.0' | '1.1' = '1.1';
  #upgradeAsked: string | undefined;
  #awaitingContinue = false;
  #informationalCount = 0;
  #emptyLineSkipped = false;

  /** When the present wait began, on the monotonic clock. */
  #since: number;
  #everReceived = false;
  #headSince: number | undefined;
  #bodyBytes = 0;
  #pausedSince: number | undefined;
  #blockedSince: number | undefined;
  #responseTimeoutMs = 0;

  /** @param now monotonic milliseconds, as in every method that takes it */
  constructor(role: Role, limits: HttpLimits, now: number) {
    this.role = role;
    this.#limits = limits;
    this.#since = now;
  }

  get requestState(): HalfState {
    return this.#request;
  }

  get responseState(): HalfState {
    return this.#response;
  }

  /** False once either end said that the connection closes after this exchange. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** Nothing is under way and a new exchange may begin. */
  get idle(): boolean {
    return this.#request === 'idle' && this.#response === 'idle' && this.#keepAlive && !this.#ended;
  }

  /** Nothing more will be exchanged: the driver ends the connection once the output is written. */
  get finished(): boolean {
    return isFinal(this.#ours === 'request' ? this.#request : this.#response);
  }

  /** True while the client waits for a 100 that has not been sent. */
  get awaitingContinue(): boolean {
    return this.#awaitingContinue;
  }

  /** Bytes received and not yet taken by `next`. */
  get pendingBytes(): number {
    return this.#input.length;
  }

  /** Bytes that `takeOutput` would give. */
  get outputBytes(): number {
    return this.#outputBytes;
  }

  get #ours(): Half {
    return this.role === 'client' ? 'request' : 'response';
  }

  // ── In ────────────────────────────────────────────────────────────────────────────────────────────────

  receive(bytes: Buffer, now: number): void {
    if (this.#theirState() === 'error') return;
    this.#everReceived = true;
    if (this.#input.length === 0) this.#headSince = now;
    if (this.role === 'client') this.#since = now;
    this.#input.append(bytes);
  }

  /** The peer will send no more. */
  receiveEnd(): void {
    this.#ended = true;
  }

  /** The next event; call until `need-data`, `paused`, `closed` or a malformed message. */
  next(now: number): SessionEvent {
    const event = this.role === 'server' ? this.#nextOfRequest(now) : this.#nextOfResponse(now);
    if (event.kind === 'malformed') this.#failReading();
    return event;
  }

  /** Bytes that came behind a switch of protocols. */
  takeRest(): Buffer {
    return this.#input.take(this.#input.length);
  }

  #nextOfRequest(now: number): SessionEvent {
    switch (this.#request) {
      case 'idle':
        if (this.#response !== 'idle') return NEED_DATA;
        return this.#requestHead(now);
      case 'body':
        return this.#content(now);
      case 'done':
        if (this.#input.length > 0) return PAUSED;
        return NEED_DATA;
      case 'must-close':
      case 'closed':
      case 'error':
        this.#input.clear();
        return this.#ended ? CLOSED : NEED_DATA;
      default:
        return NEED_DATA;
    }
  }

  #nextOfResponse(now: number): SessionEvent {
    switch (this.#response) {
      case 'awaiting':
        return this.#responseHead(now);
      case 'body':
        return this.#content(now);
      case 'idle':
      case 'done':
      case 'must-close':
        if (this.#input.length > 0)
          return malformed('unsolicited', 'bytes behind the end of the response', 502);
        return this.#ended ? CLOSED : NEED_DATA;
      case 'switched':
        return NEED_DATA;
      default:
        this.#input.clear();
        return this.#ended ? CLOSED : NEED_DATA;
    }
  }

  #requestHead(now: number): SessionEvent {
    if (!this.#skipEmptyLine()) return this.#headIncomplete();
    const text = this.#takeHead();
    if (typeof text !== 'string') return text ?? this.#headIncomplete();
    const head = parseRequestHead(text, this.#limits);
    if (head.kind === 'malformed') return head;
    this.#step('request', 'head');
    this.#step('response', 'request');
    this.#method = head.method;
    this.#peerVersion = head.version;
    this.#upgradeAsked = head.upgrade;
    this.#awaitingContinue = head.expectContinue;
    if (!head.keepAlive) this.#keepAlive = false;
    this.#emptyLineSkipped = false;
    this.#beginContent(head.framing, now);
    return head;
  }

  #responseHead(now: number): SessionEvent {
    const text = this.#takeHead();
    if (typeof text !== 'string') return text ?? this.#headIncomplete();
    const head = parseResponseHead(text, this.#method, this.#limits);
    if (head.kind === 'malformed') return head;
    if (head.status === 101) return this.#switchProtocols(head);
    if (head.status < 200) return this.#informational(head);
    this.#step('response', 'head');
    this.#peerVersion = head.version;
    this.#awaitingContinue = false;
    if (!head.keepAlive) this.#keepAlive = false;
    this.#beginContent(head.framing, now);
    return head;
  }

  #informational(head: ResponseHead): SessionEvent {
    if (++this.#informationalCount > this.#limits.informationalCount) {
      return malformed('too-many-informational', 'too many informational responses', 502);
    }
    this.#step('response', 'informational');
    if (head.status === 100) this.#awaitingContinue = false;
    return { kind: 'informational', head };
  }

  /** 101 counts only when it was asked for and the request is complete. RFC 9110 section 15.2.2. */
  #switchProtocols(head: ResponseHead): SessionEvent {
    if (this.#upgradeAsked === undefined || head.upgrade === undefined || this.#request !== 'done') {
      return malformed('unsolicited', 'a switch of protocols that was not asked for', 502);
    }
    this.#step('request', 'switch');
    this.#step('response', 'switch');
    return { kind: 'switched', head };
  }

  /** RFC 9112 section 2.2: one empty line before a request is ignored. @returns false when more is needed */
  #skipEmptyLine(): boolean {
    const input = this.#input;
    if (this.#emptyLineSkipped || input.length === 0 || input.byte(0) !== 0x0d) return true;
    if (input.length === 1) return false;
    if (input.byte(1) === 0x0a) {
      input.skip(2);
      this.#emptyLineSkipped = true;
    }
    return true;
  }

  /** The head's text without its empty line; undefined when it is not complete. */
  #takeHead(): string | Malformed | undefined {
    const length = this.#headEnd.find(this.#input);
    if (typeof length === 'object') return length;
    const refusal = this.#headTooLarge(length);
    if (refusal !== undefined || length === undefined) return refusal;
    this.#headEnd.reset();
    if (length === 2) {
      return this.role === 'server'
        ? malformed('bad-request-line', 'the request line is empty')
        : malformed('bad-status-line', 'the status line is empty', 502);
    }
    const text = this.#input.takeText(length - 2);
    this.#input.skip(2);
    this.#headSince = undefined;
    return text;
  }

  #headTooLarge(length: number | undefined): Malformed | undefined {
    const size = length ?? this.#input.length;
    const lineStart = this.#headEnd.lineStart;
    if (length === undefined && lineStart === 0 && this.role === 'server') {
      if (size > this.#limits.requestLineBytes)
        return malformed('target-too-long', 'the request line is too long', 414);
    }
    if (size > this.#limits.headBytes) return malformed('head-too-large', 'the head is too large', 431);
    return undefined;
  }

  #headIncomplete(): SessionEvent {
    if (!this.#ended) return NEED_DATA;
    if (this.#input.length > 0) return malformed('truncated', 'the connection ended inside a head');
    this.#step(this.#ours === 'request' ? 'response' : 'request', 'close');
    return CLOSED;
  }

  #beginContent(framing: Framing, now: number): void {
    this.#since = now;
    this.#bodyBytes = 0;
    switch (framing.kind) {
      case 'none':
        this.#decoder = new LengthDecoder(0);
        break;
      case 'length':
        this.#decoder = new LengthDecoder(framing.sizeBytes);
        break;
      case 'chunked':
        this.#decoder = new ChunkedDecoder(this.#limits);
        break;
      case 'until-close':
        this.#decoder = new UntilCloseDecoder(this.#limits.bodyBytes);
        break;
    }
  }

  #content(now: number): SessionEvent {
    const decoder = this.#decoder;
    assert(decoder !== undefined, 'content has a decoder');
    const part = decoder.next(this.#input);
    if (part.kind === 'data') this.#bodyBytes += part.bytes.length;
    if (part.kind === 'end') return this.#contentEnded(part, now);
    if (part.kind === 'need-data' && this.#ended) return this.#contentCut(decoder, now);
    return part;
  }

  #contentCut(decoder: BodyDecoder, now: number): SessionEvent {
    if (decoder instanceof UntilCloseDecoder)
      return this.#contentEnded({ kind: 'end', trailers: NO_FIELDS }, now);
    return malformed('truncated', 'the connection ended inside the content');
  }

  #contentEnded(end: BodyPart & { kind: 'end' }, now: number): SessionEvent {
    this.#decoder = undefined;
    if (this.role === 'server') this.#awaitingContinue = false;
    this.#step(this.role === 'server' ? 'request' : 'response', 'end');
    this.#settle(now);
    return end;
  }

  #theirState(): HalfState {
    return this.role === 'server' ? this.#request : this.#response;
  }

  /** Reads no more of a peer that ran out of time; a refusal may still be sent. */
  abandon(): void {
    if (this.#theirState() !== 'error') this.#failReading();
  }

  #failReading(): void {
    this.#keepAlive = false;
    this.#step(this.role === 'server' ? 'request' : 'response', 'fail');
    this.#input.clear();
  }

  // ── Out ───────────────────────────────────────────────────────────────────────────────────────────────

  /** The connection closes after the present exchange, or now if there is none. */
  closeAfter(now: number): void {
    this.#keepAlive = false;
    this.#settle(now);
  }

  /** @throws UnsendableError when a part is no HTTP; nothing was sent then */
  sendRequest(request: OutgoingRequest, now: number): void {
    assert(this.role === 'client' && this.idle, 'a request begins on an idle client session');
    const framing = requestFraming(request);
    let head = encodeRequestLine(request.method, request.target) + encodeFields(request.headers) + framing;
    if (request.upgrade !== undefined)
      head += `Connection: upgrade\r\n${encodeField('Upgrade', request.upgrade)}`;
    if (request.close === true) head += 'Connection: close\r\n';
    if (request.expectContinue === true) head += 'Expect: 100-continue\r\n';
    this.#step('request', 'head');
    this.#step('response', 'request');
    this.#write(`${head}\r\n`);
    this.#method = request.method;
    this.#upgradeAsked = request.upgrade;
    this.#awaitingContinue = request.expectContinue === true;
    if (request.close === true) this.#keepAlive = false;
    this.#informationalCount = 0;
    this.#responseTimeoutMs = request.timeoutMs;
    this.#since = now;
    this.#outgoing = outgoingOf(request.size);
  }

  /** 100, 103 and their like. An HTTP/1.0 client gets none. RFC 9110 section 15.2. */
  sendInformational(status: number, headers: HeaderList = []): void {
    if (this.#peerVersion === '1.0') return;
    assert(status >= 100 && status < 200 && status !== 101, 'an informational status');
    const text = `${encodeStatusLine(status)}${encodeFields(headers)}\r\n`;
    this.#step('response', 'informational');
    if (status === 100) this.#awaitingContinue = false;
    this.#write(text);
  }

  /**
   * Sends the head of the final response (or of a 101, which switches the connection).
   * @returns false when no content may follow: HEAD, 204, 304
   * @throws UnsendableError when a part is no HTTP; nothing was sent then
   */
  sendResponse(response: OutgoingResponse): boolean {
    assert(this.role === 'server', 'only a server responds');
    if (response.status === 101) return this.#sendSwitch(response);
    // A client that still waits for 100 may or may not send its content: the connection cannot go on.
    if (this.#awaitingContinue) this.#keepAlive = false;
    const head = this.#responseHeadText(response);
    this.#step('response', 'head');
    this.#write(head);
    return this.#outgoing.kind !== 'none';
  }

  #responseHeadText(response: OutgoingResponse): string {
    let fields = '';
    let stamp = response.stamp ?? '';
    let declared: number | undefined;
    for (const [name, value] of response.headers) {
      switch (framingField(name)) {
        case 'connection':
          this.#noteConnection(value);
          break;
        case 'transfer-encoding':
          throw new UnsendableError('Transfer-Encoding is not the sender’s to set');
        case 'content-length':
          declared = declaredLength(declared, value);
          break;
        default:
          fields += encodeField(name, value);
          // A Date from a server behind us is the one that counts. RFC 9110 section 6.6.1.
          if (name.length === 4 && equalsIgnoreCase(name, 'date')) stamp = '';
      }
    }
    let head = encodeStatusLine(response.status) + stamp + fields;
    if (
      response.size !== undefined &&
      declared !== undefined &&
      declared !== response.size &&
      response.size > 0
    ) {
      throw new UnsendableError('Content-Length differs from the content');
    }
    const size = declared ?? response.size;
    this.#outgoing = this.#responseFraming(response.status, size);
    if (size !== undefined && mayDeclareLength(response.status)) head += `Content-Length: ${size}\r\n`;
    else if (this.#outgoing.kind === 'chunked') head += 'Transfer-Encoding: chunked\r\n';
    return `${head}${this.#connectionField()}\r\n`;
  }

  #connectionField(): string {
    if (!this.#keepAlive) return 'Connection: close\r\n';
    return this.#peerVersion === '1.0' ? 'Connection: keep-alive\r\n' : '';
  }

  #noteConnection(value: string): void {
    if (listElements(value).some((option) => equalsIgnoreCase(option, 'close'))) this.#keepAlive = false;
  }

  #responseFraming(status: number, size: number | undefined): Outgoing {
    if (this.#method === 'HEAD' || status === 204 || status === 304) return NOTHING;
    if (size !== undefined) return { kind: 'length', remaining: size };
    if (this.#peerVersion === '1.1') return { kind: 'chunked' };
    this.#keepAlive = false;
    return { kind: 'until-close' };
  }

  #sendSwitch(response: OutgoingResponse): boolean {
    assert(
      this.#upgradeAsked !== undefined && this.#request === 'done',
      'a switch answers a complete request for it',
    );
    const others = response.headers.filter(([name]) => framingField(name) === undefined);
    const text = `${encodeStatusLine(101)}${response.stamp ?? ''}Connection: upgrade\r\n${encodeFields(others)}\r\n`;
    this.#step('response', 'switch');
    this.#step('request', 'switch');
    this.#write(text);
    return false;
  }

  /** Content of our message. @throws UnsendableError when it is longer than declared */
  sendData(bytes: string | Uint8Array): void {
    if (bytes.length === 0) return;
    this.#step(this.#ours, 'data');
    switch (this.#outgoing.kind) {
      case 'none':
        return;
      case 'length':
        if (bytes.length > this.#outgoing.remaining)
          throw new UnsendableError('the content is longer than declared');
        this.#outgoing.remaining -= bytes.length;
        this.#write(bytes);
        return;
      case 'chunked':
        this.#write(`${bytes.length.toString(16)}\r\n`, bytes, '\r\n');
        return;
      case 'until-close':
        this.#write(bytes);
        return;
    }
  }

  /** The end of our message. @throws UnsendableError when the content was shorter than declared */
  sendEnd(now: number, trailers: HeaderList = []): void {
    const outgoing = this.#outgoing;
    if (outgoing.kind === 'length' && outgoing.remaining > 0) {
      throw new UnsendableError('the content is shorter than declared');
    }
    if (outgoing.kind === 'chunked') this.#write(`0\r\n${encodeFields(trailers)}\r\n`);
    this.#outgoing = NOTHING;
    this.#step(this.#ours, 'end');
    this.#settle(now);
  }

  #write(...parts: readonly (string | Uint8Array)[]): void {
    for (const part of parts) {
      this.#output.push(part);
      this.#outputBytes += part.length;
    }
  }

  /** What there is to write, small parts joined; strings are latin1. Empty when there is nothing. */
  takeOutput(): (string | Uint8Array)[] {
    this.#outputBytes = 0;
    if (this.#output.length < 2) {
      const parts = this.#output;
      if (parts.length > 0) this.#output = [];
      return parts;
    }
    const parts = coalesce(this.#output);
    this.#output = [];
    return parts;
  }

  /** After both halves are done: a fresh exchange, or the way to the close. */
  #settle(now: number): void {
    if (this.#request === 'done' && this.#response === 'done' && this.#keepAlive) {
      this.#step('request', 'reuse');
      this.#step('response', 'reuse');
      this.#since = now;
      if (this.#input.length > 0) this.#headSince = now;
      return;
    }
    if (this.#keepAlive) return;
    // A head of which a part is here is still answered.
    const idle = this.#request === 'idle' && this.#response === 'idle' && this.#input.length === 0;
    if (idle || (this.#request === 'done' && this.#response === 'done')) {
      this.#step('request', 'retire');
      this.#step('response', 'retire');
    } else if (this.#request === 'error' && this.#response === 'done') {
      this.#step('response', 'retire');
    }
  }

  #step(half: Half, step: Step): void {
    const from = half === 'request' ? this.#request : this.#response;
    const to = after(half, from, step);
    assert(to !== undefined, `${half} cannot ${step} while ${from}`);
    if (half === 'request') this.#request = to;
    else this.#response = to;
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Tells whether the driver reads: time in which it does not is not held against the peer. */
  setReading(reading: boolean, now: number): void {
    if (!reading) {
      this.#pausedSince ??= now;
    } else if (this.#pausedSince !== undefined) {
      this.#since += now - this.#pausedSince;
      this.#pausedSince = undefined;
    }
  }

  /** Tells that our own message moves on: a long upload is no late answer. */
  setSending(now: number): void {
    this.#since = now;
  }

  /** Tells whether written bytes are stuck at the peer. */
  setBlocked(blocked: boolean, now: number): void {
    this.#blockedSince = blocked ? (this.#blockedSince ?? now) : undefined;
  }

  /** The earliest thing waited for, or undefined. */
  deadline(): Deadline | undefined {
    const reading = this.#pausedSince === undefined ? this.#readDeadline() : undefined;
    if (this.#blockedSince === undefined) return reading;
    const atMs = this.#blockedSince + this.#limits.writeStallTimeoutMs;
    return reading === undefined || atMs <= reading.atMs ? { phase: 'write', atMs } : reading;
  }

  /** What `now` has run out, or undefined. */
  expired(now: number): DeadlinePhase | undefined {
    const deadline = this.deadline();
    return deadline !== undefined && deadline.atMs <= now ? deadline.phase : undefined;
  }

  #readDeadline(): Deadline | undefined {
    return this.role === 'server' ? this.#requestDeadline() : this.#responseDeadline();
  }

  #requestDeadline(): Deadline | undefined {
    const limits = this.#limits;
    if (this.#request === 'body' && !this.#awaitingContinue) {
      const earned = (this.#bodyBytes / limits.bodyBytesPerSecond) * 1_000;
      return { phase: 'body', atMs: this.#since + limits.bodyGraceMs + earned };
    }
    if (this.#request !== 'idle' || this.#response !== 'idle') return undefined;
    if (this.#input.length > 0 && this.#headSince !== undefined) {
      return { phase: 'head', atMs: this.#headSince + limits.headTimeoutMs };
    }
    if (!this.#everReceived) return { phase: 'first-byte', atMs: this.#since + limits.firstByteTimeoutMs };
    return { phase: 'idle', atMs: this.#since + limits.keepAliveTimeoutMs };
  }

  #responseDeadline(): Deadline | undefined {
    switch (this.#response) {
      case 'awaiting':
        return { phase: 'response', atMs: this.#since + this.#responseTimeoutMs };
      case 'body':
        return { phase: 'response-body', atMs: this.#since + this.#limits.responseIdleTimeoutMs };
      case 'idle':
        return { phase: 'idle', atMs: this.#since + this.#limits.keepAliveTimeoutMs };
      default:
        return undefined;
    }
  }
}

function isFinal(state: HalfState): boolean {
  return state === 'must-close' || state === 'closed' || state === 'error';
}

function outgoingOf(size: number | 'none' | undefined): Outgoing {
  if (size === undefined) return { kind: 'chunked' };
  return { kind: 'length', remaining: size === 'none' ? 0 : size };
}

function requestFraming(request: OutgoingRequest): string {
  if (request.headers.some(([name]) => framingField(name) !== undefined)) {
    throw new UnsendableError('Content-Length, Transfer-Encoding and Connection are the session’s to set');
  }
  if (request.size === undefined) return 'Transfer-Encoding: chunked\r\n';
  return request.size === 'none' ? '' : `Content-Length: ${request.size}\r\n`;
}

type FramingField = 'connection' | 'content-length' | 'transfer-encoding';

/** The fields that belong to the connection rather than to the caller. */
function framingField(name: string): FramingField | undefined {
  if (name.length === 10 && equalsIgnoreCase(name, 'connection')) return 'connection';
  if (name.length === 14 && equalsIgnoreCase(name, 'content-length')) return 'content-length';
  if (name.length === 17 && equalsIgnoreCase(name, 'transfer-encoding')) return 'transfer-encoding';
  return undefined;
}

function declaredLength(before: number | undefined, value: string): number {
  const length = decimal(value);
  if (length < 0 || before !== undefined)
    throw new UnsendableError('Content-Length is not one decimal number');
  return length;
}

/** RFC 9110 section 8.6: no Content-Length with 1xx and 204. */
function mayDeclareLength(status: number): boolean {
  return status !== 204;
}

function coalesce(parts: readonly (string | Uint8Array)[]): (string | Uint8Array)[] {
  const joined: (string | Uint8Array)[] = [];
  let run: (string | Uint8Array)[] = [];
  for (const part of parts) {
    if (part.length < COALESCE_BYTES) {
      run.push(part);
      continue;
    }
    if (run.length > 0) joined.push(join(run));
    run = [];
    joined.push(part);
  }
  if (run.length > 0) joined.push(join(run));
  return joined;
}

function join(parts: readonly (string | Uint8Array)[]): string | Uint8Array {
  if (parts.length === 1) return parts[0]!;
  if (parts.every((part) => typeof part === 'string')) return parts.join('');
  let size = 0;
  for (const part of parts) size += part.length;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') bytes.write(part, at, 'latin1');
    else bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
