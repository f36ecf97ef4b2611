/**
 * Reading a stream of events. WHATWG HTML section 9.2.6.
 *
 *   stream = [ BOM ] *event
 *   event  = *( comment / field ) end-of-line
 *   field  = name [ ":" [ space ] value ] end-of-line        end-of-line = CR LF / CR / LF
 *
 * Lines are cut as bytes and decoded one by one, which gives what decoding the whole stream would: no part of a
 * longer UTF-8 sequence is CR or LF. A line is done at its CR; should an LF follow, at once or in the next chunk,
 * it belongs to it. Anything is a valid stream, so the one refusal is that of an event past its bound.
 */
import { DEFAULT_EVENT_LIMITS, type EventLimits } from '../limits.ts';
import { Input } from '../wire/input.ts';

const CR = 0x0d;
const LF = 0x0a;
const BOM = [0xef, 0xbb, 0xbf];

export interface ReceivedEvent {
  readonly kind: 'event';
  /** `message` when the stream named none. */
  readonly type: string;
  readonly data: string;
  /** The last id seen, which is not always this event's own. */
  readonly lastEventId: string;
}

export type ParsedEvent = ReceivedEvent | { readonly kind: 'need-data' } | { readonly kind: 'too-large' };

const NEED_DATA = { kind: 'need-data' } as const;
const TOO_LARGE = { kind: 'too-large' } as const;

export class EventStreamParser {
  readonly #limitBytes: number;
  readonly #input = new Input();
  #scanned = 0;
  /** Bytes of the byte order mark met so far; undefined once the first line may begin. */
  #mark: number | undefined = 0;
  #afterCr = false;
  #failed = false;
  #type = '';
  #data: string[] = [];
  #eventBytes = 0;
  #idField = '';
  #lastEventId = '';
  #retryMs: number | undefined;

  constructor(limits: Pick<EventLimits, 'eventBytes'> = DEFAULT_EVENT_LIMITS) {
    this.#limitBytes = limits.eventBytes;
  }

  /** What to send as Last-Event-ID when the connection is lost; '' for none. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** The wait before reconnecting that the stream asked for last, milliseconds. */
  get retryMs(): number | undefined {
    return this.#retryMs;
  }

  receive(chunk: Buffer): void {
    if (!this.#failed && chunk.length > 0) this.#input.append(chunk);
  }

  /** The next event. After `too-large` nothing more is read. An event that the end of the stream cuts is none. */
  next(): ParsedEvent {
    if (this.#failed) return TOO_LARGE;
    if (this.#mark !== undefined && !this.#skipMark()) return NEED_DATA;
    for (;;) {
      const line = this.#line();
      if (this.#eventBytes > this.#limitBytes) return this.#fail();
      if (line === undefined) return NEED_DATA;
      const event = line === '' ? this.#dispatch() : this.#field(line);
      if (event !== undefined) return event;
    }
  }

  #fail(): ParsedEvent {
    this.#failed = true;
    this.#input.clear();
    this.#data = [];
    return TOO_LARGE;
  }

  /** One mark at the very start is dropped; three bytes are compared, wherever the stream is cut. */
  #skipMark(): boolean {
    let met = this.#mark ?? 0;
    while (met < BOM.length && met < this.#input.length && this.#input.byte(met) === BOM[met]) met++;
    this.#mark = met;
    if (met < BOM.length && met === this.#input.length) return false;
    if (met === BOM.length) this.#input.skip(BOM.length);
    this.#mark = undefined;
    return true;
  }

  /** A line without its end, or undefined when it has not come whole. Counts what the event has cost. */
  #line(): string | undefined {
    const input = this.#input;
    if (this.#afterCr && input.length > 0) {
      this.#afterCr = false;
      if (input.byte(0) === LF) input.skip(1);
    }
    for (let at = this.#scanned; at < input.length; at++) {
      const code = input.byte(at);
      if (code !== CR && code !== LF) continue;
      this.#eventBytes += at + 1 - this.#scanned;
      this.#scanned = 0;
      this.#afterCr = code === CR;
      const line = input.take(at).toString('utf8');
      input.skip(1);
      return line;
    }
    this.#eventBytes += input.length - this.#scanned;
    this.#scanned = input.length;
    return undefined;
  }

  #field(line: string): undefined {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const valueAt = line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1;
    const value = colon < 0 ? '' : line.slice(valueAt);
    switch (name) {
      case 'data':
        this.#data.push(value);
        break;
      case 'event':
        this.#type = value;
        break;
      case 'id':
        if (!value.includes('\0')) this.#idField = value;
        break;
      case 'retry':
        this.#retry(value);
        break;
      default:
        // A comment, whose name is empty, or a field of a later standard.
        this.#forgetSkipped();
    }
  }

  /** Heartbeats between events are no part of one: a silent stream may go on for years. */
  #forgetSkipped(): void {
    if (this.#data.length === 0 && this.#type === '') this.#eventBytes = 0;
  }

  #retry(value: string): void {
    let retryMs = 0;
    for (let at = 0; at < value.length; at++) {
      const digit = value.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) return;
      retryMs = retryMs * 10 + digit;
    }
    if (value !== '') this.#retryMs = Math.min(retryMs, Number.MAX_SAFE_INTEGER);
  }

  #dispatch(): ReceivedEvent | undefined {
    const lines = this.#data;
    const type = this.#type === '' ? 'message' : this.#type;
    this.#lastEventId = this.#idField;
    this.#data = [];
    this.#type = '';
    this.#eventBytes = 0;
    if (lines.length === 0) return undefined;
    return { kind: 'event', type, data: lines.join('\n'), lastEventId: this.#lastEventId };
  }
}
