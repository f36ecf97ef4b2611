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
import { AssertionFailed, assert } from '../core/assert.ts';
import type { HttpLimits } from './limits.ts';
import {
  type Half,
  type HalfState,
  STATES,
  STEP,
  type State,
  type StepIndex,
  stepName,
} from './session-states.ts';
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
  framingField,
  UnsendableError,
} from './wire/encode-head.ts';
import { badLineEnding, type Fields, NO_FIELDS } from './wire/fields.ts';
import { FieldsMemo } from './wire/fields-memo.ts';
import type { Framing } from './wire/framing.ts';
import { equalsIgnoreCase } from './wire/grammar.ts';
import { HeadEnd, type SectionFault } from './wire/head-end.ts';
import { Input } from './wire/input.ts';
import { type Malformed, malformed } from './wire/malformed.ts';
import { Output } from './wire/output.ts';
import { parseRequestHead, type RequestHead } from './wire/request-head.ts';
import { ResponseFieldsMemo } from './wire/response-fields.ts';
import { parseResponseHead, type ResponseHead } from './wire/response-head.ts';
import { encodeTrailers } from './wire/trailers.ts';

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

export type DeadlinePhase =
  | 'first-byte'
  | 'head'
  | 'body'
  | 'handler'
  | 'idle'
  | 'half-closed'
  | 'write'
  | 'response'
  | 'response-body';

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

/** How content goes out; `none` swallows what is sent (HEAD, 204, 205, 304). */
type Outgoing = 'none' | 'length' | 'chunked' | 'until-close';

const PAUSED = { kind: 'paused' } as const;
const CLOSED = { kind: 'closed' } as const;
const HEAD_END = '\r\n\r\n';
const HEAD_FAULTS: Readonly<Record<SectionFault, Malformed>> = {
  'bad-line-ending': badLineEnding(),
  'first-line-too-long': malformed('target-too-long', 'the request line is too long', 414),
  'too-large': malformed('head-too-large', 'the head is too large', 431),
};
/** It has nothing to remember, so all messages without content share it. */
const NO_CONTENT_DECODER = new LengthDecoder(0);

export class HttpSession {
  readonly role: Role;
  /** The half that this end sends. */
  readonly #ours: Half;
  readonly #limits: HttpLimits;
  readonly #input = new Input();
  readonly #headEnd = new HeadEnd();
  readonly #fieldsMemo = new FieldsMemo();
  readonly #responseFields = new ResponseFieldsMemo();
  #request: State = STATES.request.idle;
  #response: State = STATES.response.idle;
  #keepAlive = true;
  #ended = false;
  #decoder: BodyDecoder | undefined;
  #outgoing: Outgoing = 'none';
  /** Content bytes still to be sent, of a message with a length. */
  #outgoingLeft = 0;
  readonly #output = new Output();

  #method = '';
  #peerVersion: '1.0' | '1.1' = '1.1';
  #upgradeAsked: string | undefined;
  #awaitingContinue = false;
  #keepAliveAsked = false;
  #informationalCount = 0;
  #emptyLineSkipped = false;

  /** When the present wait began, on the monotonic clock. */
  #since: number;
  #everReceived = false;
  #headSince: number | undefined;
  #bodyBytes = 0;
  /** Since when it has been the handler's turn. */
  #handlerSince = 0;
  /** Until when an idle connection that is to close still takes a request. */
  #graceUntil: number | undefined;
  /** Since when nothing has been sent to a peer that sends no more. */
  #halfClosedSince: number | undefined;
  #pausedSince: number | undefined;
  #blockedSince: number | undefined;
  #responseTimeoutMs = 0;

  /** @param now monotonic milliseconds, as in every method that takes it */
  constructor(role: Role, limits: HttpLimits, now: number) {
    this.role = role;
    this.#ours = role === 'client' ? 'request' : 'response';
    this.#limits = limits;
    this.#since = now;
  }

  get requestState(): HalfState {
    return this.#request.name;
  }

  get responseState(): HalfState {
    return this.#response.name;
  }

  /** False once either end said that the connection closes after this exchange. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** Nothing is under way and a new exchange may begin. */
  get idle(): boolean {
    return this.#request.name === 'idle' && this.#response.name === 'idle' && this.#keepAlive && !this.#ended;
  }

  /** Nothing is under way at all: what is waited for is a request, for as long as the connection is kept, from now on. */
  get isResting(): boolean {
    return this.idle && this.#input.length === 0 && this.#blockedSince === undefined;
  }

  /** Nothing more will be exchanged: the driver ends the connection once the output is written. */
  get finished(): boolean {
    return isFinal(this.#ours === 'request' ? this.requestState : this.responseState);
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
    return this.#output.length;
  }

  // ── In ────────────────────────────────────────────────────────────────────────────────────────────────

  receive(bytes: Buffer, now: number): void {
    if (this.#hears(now)) this.#input.append(bytes);
  }

  /** As `receive`, of the first `length` bytes of memory that is lent until `keep` is called. */
  lend(memory: Buffer, length: number, now: number): void {
    if (this.#hears(now)) this.#input.lend(memory, length);
  }

  /** Gives back what was lent; what is not yet taken of it is copied. */
  keep(): void {
    this.#input.keep();
  }

  /** @returns false when nothing more of the peer matters */
  #hears(now: number): boolean {
    if (this.#theirState() === 'error') return false;
    this.#everReceived = true;
    if (this.#input.length === 0) this.#headSince = now;
    if (this.role === 'client') this.#since = now;
    return true;
  }

  /** The peer will send no more. */
  receiveEnd(now: number): void {
    this.#ended = true;
    this.#halfClosedSince = now;
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
    switch (this.#request.name) {
      case 'idle':
        if (this.#response.name !== 'idle') return NEED_DATA;
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
    switch (this.#response.name) {
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
    if (this.#input.length === 0 || !this.#skipEmptyLine()) return this.#headIncomplete();
    const head = this.#takeHead();
    if (head === undefined) return this.#headIncomplete();
    if (head.kind !== 'request') return head;
    this.#step('request', STEP.head);
    this.#step('response', STEP.request);
    this.#method = head.method;
    this.#peerVersion = head.version;
    this.#upgradeAsked = head.upgrade;
    this.#awaitingContinue = head.expectContinue;
    this.#keepAliveAsked = head.keepAliveAsked;
    if (!head.keepAlive) this.#keepAlive = false;
    this.#emptyLineSkipped = false;
    this.#graceUntil = undefined;
    this.#handlerSince = now;
    this.#beginContent(head.framing, now);
    return head;
  }

  #responseHead(now: number): SessionEvent {
    const head = this.#input.length === 0 ? undefined : this.#takeHead();
    if (head === undefined) return this.#headIncomplete();
    if (head.kind !== 'response') return head;
    if (head.status === 101) return this.#switchProtocols(head);
    if (head.status < 200) return this.#informational(head);
    this.#step('response', STEP.head);
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
    this.#step('response', STEP.informational);
    if (head.status === 100) this.#awaitingContinue = false;
    return { kind: 'informational', head };
  }

  /** 101 counts only when it was asked for and the request is complete. RFC 9110 section 15.2.2. */
  #switchProtocols(head: ResponseHead): SessionEvent {
    if (this.#upgradeAsked === undefined || head.upgrade === undefined || this.#request.name !== 'done') {
      return malformed('unsolicited', 'a switch of protocols that was not asked for', 502);
    }
    this.#step('request', STEP.switch);
    this.#step('response', STEP.switch);
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

  /** The next head; undefined when it is not complete. */
  #takeHead(): RequestHead | ResponseHead | Malformed | undefined {
    return (this.#headEnd.isFresh ? this.#takeWholeHead() : undefined) ?? this.#takeHeadWithCare();
  }

  /**
   * The usual case: all of a head is here, and it is good. Otherwise undefined, and nothing is taken: which fault
   * is named must not depend on how the bytes were cut, so a bad head is looked at once more in their order.
   */
  #takeWholeHead(): RequestHead | ResponseHead | undefined {
    const input = this.#input;
    const { headBytes } = this.#limits;
    const text = input.text(headBytes);
    const from = input.textOffset;
    const to = text.indexOf(HEAD_END, from);
    const length = to + HEAD_END.length - from;
    if (to < 0 || length > headBytes) return undefined;
    const head = this.#parseHead(text, from, to + 2);
    if (head.kind === 'malformed') return undefined;
    input.skip(length);
    this.#headSince = undefined;
    return head;
  }

  #takeHeadWithCare(): RequestHead | ResponseHead | Malformed | undefined {
    const { headBytes, requestLineBytes } = this.#limits;
    const firstLineBytes = this.role === 'server' ? requestLineBytes + 2 : headBytes;
    const length = this.#headEnd.find(this.#input, headBytes, firstLineBytes);
    if (length === undefined) return undefined;
    if (typeof length === 'string') return HEAD_FAULTS[length];
    this.#headEnd.reset();
    const text = this.#input.takeText(length);
    this.#headSince = undefined;
    return this.#parseHead(text, 0, length - 2);
  }

  #parseHead(text: string, from: number, to: number): RequestHead | ResponseHead | Malformed {
    if (this.role === 'server') return parseRequestHead(text, from, to, this.#limits, this.#fieldsMemo);
    return parseResponseHead(text, from, to, this.#method, this.#limits);
  }

  #headIncomplete(): SessionEvent {
    if (!this.#ended) return NEED_DATA;
    if (this.#input.length > 0) return malformed('truncated', 'the connection ended inside a head');
    this.#step(this.#ours === 'request' ? 'response' : 'request', STEP.close);
    return CLOSED;
  }

  #beginContent(framing: Framing, now: number): void {
    this.#since = now;
    this.#bodyBytes = 0;
    switch (framing.kind) {
      case 'none':
        this.#decoder = NO_CONTENT_DECODER;
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
    this.#handlerSince = now;
    this.#step(this.role === 'server' ? 'request' : 'response', STEP.end);
    this.#settle(now);
    return end;
  }

  #theirState(): HalfState {
    return this.role === 'server' ? this.requestState : this.responseState;
  }

  /** Reads no more of a peer that ran out of time; a refusal may still be sent. */
  abandon(): void {
    if (this.#theirState() !== 'error') this.#failReading();
  }

  #failReading(): void {
    this.#keepAlive = false;
    this.#step(this.role === 'server' ? 'request' : 'response', STEP.fail);
    this.#input.clear();
  }

  // ── Out ───────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * The connection closes after the present exchange.
   * @param graceMs how long it still takes one if there is none: a request may be on its way
   */
  closeAfter(now: number, graceMs = 0): void {
    this.#keepAlive = false;
    if (graceMs > 0) this.#graceUntil = now + graceMs;
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
    this.#step('request', STEP.head);
    this.#step('response', STEP.request);
    this.#output.text(`${head}\r\n`);
    this.#method = request.method;
    this.#upgradeAsked = request.upgrade;
    this.#awaitingContinue = request.expectContinue === true;
    if (request.close === true) this.#keepAlive = false;
    this.#informationalCount = 0;
    this.#responseTimeoutMs = request.timeoutMs;
    this.#since = now;
    this.#outgoing = request.size === undefined ? 'chunked' : 'length';
    this.#outgoingLeft = typeof request.size === 'number' ? request.size : 0;
  }

  /**
   * 100, 103 and their like. An HTTP/1.0 client gets none. RFC 9110 section 15.2.
   * @throws UnsendableError when a part is no HTTP, or the status is not informational; nothing was sent then
   */
  sendInformational(status: number, headers: HeaderList = []): void {
    if (status < 100 || status > 199 || status === 101)
      throw new UnsendableError('the status is not informational');
    if (headers.some(([name]) => framingField(name) !== undefined))
      throw new UnsendableError('an informational response has no content');
    const text = `${encodeStatusLine(status)}${encodeFields(headers)}\r\n`;
    if (this.#peerVersion === '1.0') return;
    this.#step('response', STEP.informational);
    if (status === 100) this.#awaitingContinue = false;
    this.#output.text(text);
  }

  /**
   * Sends the head of the final response (or of a 101, which switches the connection).
   * @returns false when no content may follow: HEAD, 204, 205, 304
   * @throws UnsendableError when a part is no HTTP; nothing was sent then
   */
  sendResponse(response: OutgoingResponse): boolean {
    assert(this.role === 'server', 'only a server responds');
    if (response.status === 101) return this.#sendSwitch(response);
    if (response.status < 200) throw new UnsendableError('an informational status is no final one');
    // A client that still waits for 100 may or may not send its content: the connection cannot go on.
    if (this.#awaitingContinue) this.#keepAlive = false;
    const head = this.#responseHeadText(response);
    this.#step('response', STEP.head);
    this.#output.text(head);
    return this.#outgoing !== 'none';
  }

  #responseHeadText(response: OutgoingResponse): string {
    const { status, headers } = response;
    const fields = this.#responseFields.encode(status, response.stamp ?? '', headers);
    const size = contentSize(response, fields.declaredBytes);
    if (fields.closes) this.#keepAlive = false;
    this.#outgoing = this.#responseFraming(status, size);
    this.#outgoingLeft = size ?? 0;
    // Without content only a response to HEAD, and 304, may declare what there would be.
    if (this.#outgoing === 'length' && response.size !== undefined && response.size !== size)
      throw new UnsendableError('Content-Length differs from the content');
    return `${fields.text}${this.#lengthField(status, size)}${this.#connectionField(fields.offersUpgrade)}\r\n`;
  }

  /** RFC 9110 section 8.6: no Content-Length with 204; section 15.3.6: 205 says that it has none. */
  #lengthField(status: number, size: number | undefined): string {
    if (status === 204) return '';
    if (status === 205) return 'Content-Length: 0\r\n';
    if (size !== undefined) return `Content-Length: ${size}\r\n`;
    return this.#outgoing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '';
  }

  /** Who asked to keep the connection is told for how long; others know that it is kept. RFC 9112 section 9.3. */
  #connectionField(upgradeOffered: boolean): string {
    const also = upgradeOffered ? ', upgrade' : '';
    if (!this.#keepAlive) return `Connection: close${also}\r\n`;
    if (this.#keepAliveAsked) {
      const seconds = Math.floor(this.#limits.keepAliveTimeoutMs / 1_000);
      return `Connection: keep-alive${also}\r\nKeep-Alive: timeout=${seconds}\r\n`;
    }
    return upgradeOffered ? 'Connection: upgrade\r\n' : '';
  }

  #responseFraming(status: number, size: number | undefined): Outgoing {
    if (this.#method === 'HEAD' || status === 204 || status === 205 || status === 304) return 'none';
    if (size !== undefined) return 'length';
    if (this.#peerVersion === '1.1') return 'chunked';
    this.#keepAlive = false;
    return 'until-close';
  }

  /** RFC 9110 section 7.8: only to a protocol that was asked for, and after the whole request. */
  #sendSwitch(response: OutgoingResponse): boolean {
    if (this.#upgradeAsked === undefined) throw new UnsendableError('a switch that was not asked for');
    if (this.#request.name !== 'done') throw new UnsendableError('a switch before the end of the request');
    const others = response.headers.filter(([name]) => framingField(name) === undefined);
    if (!others.some(([name]) => equalsIgnoreCase(name, 'upgrade')))
      throw new UnsendableError('a switch that does not name its protocol');
    const text = `${encodeStatusLine(101)}${response.stamp ?? ''}Connection: upgrade\r\n${encodeFields(others)}\r\n`;
    this.#step('response', STEP.switch);
    this.#step('request', STEP.switch);
    this.#output.text(text);
    return false;
  }

  /** Content of our message; text has one byte per character. @throws UnsendableError when it is longer than declared */
  sendData(bytes: string | Uint8Array): void {
    if (bytes.length === 0) return;
    this.#step(this.#ours, STEP.data);
    switch (this.#outgoing) {
      case 'none':
        return;
      case 'length':
        if (bytes.length > this.#outgoingLeft)
          throw new UnsendableError('the content is longer than declared');
        this.#outgoingLeft -= bytes.length;
        this.#output.content(bytes);
        return;
      case 'chunked':
        this.#output.text(`${bytes.length.toString(16)}\r\n`);
        this.#output.content(bytes);
        this.#output.text('\r\n');
        return;
      case 'until-close':
        this.#output.content(bytes);
        return;
    }
  }

  /** The end of our message. @throws UnsendableError when the content was shorter than declared */
  sendEnd(now: number, trailers: HeaderList = []): void {
    if (this.#outgoing === 'length' && this.#outgoingLeft > 0) {
      throw new UnsendableError('the content is shorter than declared');
    }
    if (this.#outgoing === 'length' && trailers.length > 0 && this.#peerVersion === '1.1')
      throw new UnsendableError('Content-Length and trailers exclude each other');
    if (this.#outgoing === 'chunked') this.#output.text(`0\r\n${encodeTrailers(trailers)}\r\n`);
    this.#outgoing = 'none';
    this.#step(this.#ours, STEP.end);
    this.#settle(now);
  }

  /** Something of the output was given to the peer, which will tell if it is gone. */
  wrote(now: number): void {
    if (this.#halfClosedSince !== undefined) this.#halfClosedSince = now;
  }

  /** What there is to write, small parts joined; strings are latin1. Empty when there is nothing. */
  takeOutput(): readonly (string | Uint8Array)[] {
    return this.#output.take();
  }

  /** After both halves are done: a fresh exchange, or the way to the close. */
  #settle(now: number): void {
    if (this.#request.name === 'done' && this.#response.name === 'done' && this.#keepAlive) {
      this.#step('request', STEP.reuse);
      this.#step('response', STEP.reuse);
      this.#since = now;
      if (this.#input.length > 0) this.#headSince = now;
      return;
    }
    if (this.#keepAlive) return;
    // A head of which a part is here is still answered.
    const idle = this.#request.name === 'idle' && this.#response.name === 'idle' && this.#input.length === 0;
    if (
      (idle && this.#graceUntil === undefined) ||
      (this.#request.name === 'done' && this.#response.name === 'done')
    ) {
      this.#step('request', STEP.retire);
      this.#step('response', STEP.retire);
    } else if (this.#request.name === 'error' && this.#response.name === 'done') {
      this.#step('response', STEP.retire);
    }
  }

  #step(half: Half, step: StepIndex): void {
    const from = half === 'request' ? this.#request : this.#response;
    const to = from.after[step];
    // Not an assert: its words would be put together at every step.
    if (to === undefined) throw new AssertionFailed(`${half} cannot ${stepName(step)} while ${from.name}`);
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
    const waiting = earlier(this.#handlerDeadline(), this.#halfClosedDeadline());
    return earlier(earlier(reading, waiting), this.#writeDeadline());
  }

  /** What `now` has run out, or undefined. */
  expired(now: number): DeadlinePhase | undefined {
    const deadline = this.deadline();
    return deadline !== undefined && deadline.atMs <= now ? deadline.phase : undefined;
  }

  #readDeadline(): Deadline | undefined {
    return this.role === 'server' ? this.#requestDeadline() : this.#responseDeadline();
  }

  #writeDeadline(): Deadline | undefined {
    if (this.#blockedSince === undefined) return undefined;
    return { phase: 'write', atMs: this.#blockedSince + this.#limits.writeStallTimeoutMs };
  }

  /**
   * A client that has closed its half may wait for the answer, or be gone: the end that arrives is the same. One that
   * is gone answers the next bytes with a reset, so only silence has to be bounded.
   */
  #halfClosedDeadline(): Deadline | undefined {
    if (this.#halfClosedSince === undefined || this.role === 'client') return undefined;
    if (this.#response.name !== 'awaiting' && this.#response.name !== 'body') return undefined;
    return { phase: 'half-closed', atMs: this.#halfClosedSince + this.#limits.halfClosedTimeoutMs };
  }

  /** Runs while nothing is waited for but the handler: not while content arrives as it reads. */
  #handlerDeadline(): Deadline | undefined {
    const { handlerTimeoutMs } = this.#limits;
    if (handlerTimeoutMs === 0 || this.role === 'client' || this.#response.name !== 'awaiting')
      return undefined;
    if (this.#request.name !== 'body' || this.#awaitingContinue)
      return { phase: 'handler', atMs: this.#handlerSince + handlerTimeoutMs };
    if (this.#pausedSince === undefined) return undefined;
    return { phase: 'handler', atMs: this.#pausedSince + handlerTimeoutMs };
  }

  #requestDeadline(): Deadline | undefined {
    const limits = this.#limits;
    if (this.#request.name === 'body' && !this.#awaitingContinue) {
      const earned = (this.#bodyBytes / limits.bodyBytesPerSecond) * 1_000;
      return { phase: 'body', atMs: this.#since + limits.bodyGraceMs + earned };
    }
    if (this.#request.name !== 'idle' || this.#response.name !== 'idle') return undefined;
    if (this.#input.length > 0 && this.#headSince !== undefined) {
      return { phase: 'head', atMs: this.#headSince + limits.headTimeoutMs };
    }
    if (this.#graceUntil !== undefined) return { phase: 'idle', atMs: this.#graceUntil };
    if (!this.#everReceived) return { phase: 'first-byte', atMs: this.#since + limits.firstByteTimeoutMs };
    return { phase: 'idle', atMs: this.#since + limits.keepAliveTimeoutMs };
  }

  #responseDeadline(): Deadline | undefined {
    switch (this.#response.name) {
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

function earlier(one: Deadline | undefined, other: Deadline | undefined): Deadline | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return other.atMs <= one.atMs ? other : one;
}

function requestFraming(request: OutgoingRequest): string {
  if (request.headers.some(([name]) => framingField(name) !== undefined)) {
    throw new UnsendableError('Content-Length, Transfer-Encoding and Connection are the session’s to set');
  }
  if (request.size === undefined) return 'Transfer-Encoding: chunked\r\n';
  return request.size === 'none' ? '' : `Content-Length: ${request.size}\r\n`;
}

/** The content's size, as it is or as the sender declares it. */
function contentSize({ size }: OutgoingResponse, declared: number | undefined): number | undefined {
  if (size !== undefined && size > 0 && declared !== undefined && declared !== size)
    throw new UnsendableError('Content-Length differs from the content');
  return declared ?? size;
}
