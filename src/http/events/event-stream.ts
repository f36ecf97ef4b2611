/**
 * A response that tells of events as they happen. WHATWG HTML section 9.2.
 *
 * The server pulls: it asks for the next bytes once the client has taken the last ones. What a stream sends is a
 * hub's events from a position on, or the caller's own iterable; in both cases nothing is held here for a client
 * that reads slowly.
 *
 *   silence for `heartbeatMs` ──▶ an empty comment, so that proxies and the client see a living connection
 *   no Last-Event-ID          ──▶ the newest events, as many as `newest`, then what comes
 *   Last-Event-ID held        ──▶ what came after it, then what comes
 *   Last-Event-ID not held    ──▶ one event of type `gap`, then as without
 *   too slow                  ──▶ the stream ends; the client reconnects and resumes
 */
import type { Clock, Timer } from '../../core/time/clock.ts';
import { HttpError } from '../errors.ts';
import { DEFAULT_EVENT_LIMITS } from '../limits.ts';
import type { HeaderList, HttpRequest, HttpResponse } from '../types.ts';
import { formatComment, formatEvent, formatRetry, type ServerEvent } from './event-format.ts';
import type { EventHub } from './event-hub.ts';

export interface EventStreamOptions {
  readonly request: Pick<HttpRequest, 'headers' | 'signal'>;
  readonly clock: Clock;
  /** A hub, or events of the caller's own making; those resume as the caller reads Last-Event-ID. */
  readonly events: EventHub | AsyncIterable<ServerEvent>;
  /** Which of a hub's events this client hears of. Default all. */
  readonly accept?: (event: ServerEvent) => boolean;
  /** How many of a hub's newest events a client hears at once that does not resume, so that a page is not empty at
   * first. Default 0. */
  readonly newest?: number;
  /** Told to the client at once: its wait before it reconnects, milliseconds. */
  readonly retryMs?: number;
  /** Default that of the limits. */
  readonly heartbeatMs?: number;
  readonly headers?: HeaderList;
}

/** `no-transform` keeps proxies from compressing, and so from holding back, the stream; the last is nginx's word. */
const FIXED_FIELDS: HeaderList = [
  ['Content-Type', 'text/event-stream'],
  ['Cache-Control', 'no-store, no-transform'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Accel-Buffering', 'no'],
];

const GAP = formatEvent({ event: 'gap', data: '' });
const HEARTBEAT = Buffer.from(formatComment(''));

/** Where bytes for one client come from. `next` may resolve with no bytes, which says nothing. */
interface Source {
  next(): Promise<Buffer | undefined>;
  close(): void;
}

/**
 * The stream as a response.
 * @throws HttpError 503 when the hub is closed or has as many streams as it may; an EventSource then gives up
 */
export function eventStream(options: EventStreamOptions): HttpResponse {
  const { request, clock, events } = options;
  const opening = options.retryMs === undefined ? formatComment('') : formatRetry(options.retryMs);
  const heartbeatMs = options.heartbeatMs ?? limitsOf(events).heartbeatMs;
  const source = 'publish' in events ? openHub(events, options) : ofIterable(events);
  return {
    status: 200,
    headers: [...FIXED_FIELDS, ...(options.headers ?? [])],
    body: new StreamBody(source, Buffer.from(opening), clock, heartbeatMs, request.signal),
  };
}

function limitsOf(events: EventStreamOptions['events']): { readonly heartbeatMs: number } {
  return 'publish' in events ? events.limits : DEFAULT_EVENT_LIMITS;
}

/** The pieces of the response: what the source gives, and a comment where it gives nothing for long. */
class StreamBody implements AsyncIterableIterator<Buffer> {
  readonly #source: Source;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  readonly #signal: AbortSignal;
  #opening: Buffer | undefined;
  /** What the source was asked for and has not given: a heartbeat does not ask again. */
  #asked: Promise<Buffer | undefined> | undefined;
  #wakeAborted: (() => void) | undefined;
  #done = false;

  constructor(source: Source, opening: Buffer, clock: Clock, heartbeatMs: number, signal: AbortSignal) {
    this.#source = source;
    this.#opening = opening;
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
    this.#signal = signal;
    if (signal.aborted) this.#close();
    else signal.addEventListener('abort', this.#aborted, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    const opening = this.#opening;
    this.#opening = undefined;
    if (this.#done) return { done: true, value: undefined };
    if (opening !== undefined) return { done: false, value: opening };
    try {
      const bytes = await this.#bytesOrHeartbeat();
      if (bytes !== undefined && !this.#done) return { done: false, value: bytes };
    } catch (thrown) {
      this.#close();
      throw thrown;
    }
    this.#close();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#close();
    return { done: true, value: undefined };
  }

  async #bytesOrHeartbeat(): Promise<Buffer | undefined> {
    this.#asked ??= this.#source.next();
    let timer: Timer | undefined;
    const silence = new Promise<Buffer | undefined>((resolve) => {
      timer = this.#clock.schedule(this.#heartbeatMs, () => resolve(HEARTBEAT));
      this.#wakeAborted = () => resolve(undefined);
    });
    try {
      const bytes = await Promise.race([this.#asked, silence]);
      if (bytes !== HEARTBEAT) this.#asked = undefined;
      return bytes;
    } finally {
      timer?.cancel();
      this.#wakeAborted = undefined;
    }
  }

  readonly #aborted = (): void => {
    this.#close();
    this.#wakeAborted?.();
  };

  #close(): void {
    if (this.#done) return;
    this.#done = true;
    this.#signal.removeEventListener('abort', this.#aborted);
    this.#asked?.catch(() => undefined);
    this.#source.close();
  }
}

function openHub(hub: EventHub, options: EventStreamOptions): Source {
  if (hub.isClosed) throw new HttpError(503, 'these events have ended', { retryable: true });
  const resumeId = options.request.headers.get('last-event-id') ?? '';
  const resumed = resumeId === '' ? undefined : hub.positionAfter(resumeId);
  if (!hub.enter()) throw new HttpError(503, 'too many streams of these events', { retryable: true });
  const missed = resumeId !== '' && resumed === undefined;
  const position = resumed ?? hub.beginningOfNewest(options.newest ?? 0);
  return new HubSource(hub, { position, missed }, options.accept ?? (() => true));
}

/** A position in a hub. */
class HubSource implements Source {
  readonly #hub: EventHub;
  readonly #accept: (event: ServerEvent) => boolean;
  #position: number;
  #missed: boolean;
  #tooSlow = false;
  #closed = false;
  #withdraw: (() => void) | undefined;

  /** @param at where to begin, and whether that is not where the client had come to */
  constructor(
    hub: EventHub,
    at: { readonly position: number; readonly missed: boolean },
    accept: (event: ServerEvent) => boolean,
  ) {
    this.#hub = hub;
    this.#position = at.position;
    this.#missed = at.missed;
    this.#accept = accept;
  }

  async next(): Promise<Buffer | undefined> {
    if (this.#missed) {
      this.#missed = false;
      return Buffer.from(GAP);
    }
    for (;;) {
      const parts = this.#gather();
      if (parts.length > 0) return parts.length === 1 ? parts[0] : Buffer.concat(parts);
      if (this.#closed || this.#hub.at(this.#position).kind !== 'wait') return undefined;
      await new Promise<void>((resolve) => {
        this.#withdraw = this.#hub.whenNext(resolve);
      });
    }
  }

  /** What is there now and meant for this client, up to the bytes of one write. */
  #gather(): Buffer[] {
    const parts: Buffer[] = [];
    let bytes = 0;
    while (bytes < this.#hub.limits.gatherBytes) {
      const there = this.#hub.at(this.#position);
      if (there.kind === 'gone') this.#tooSlow = true;
      if (there.kind !== 'held') break;
      this.#position++;
      if (!this.#accept(there.held.event)) continue;
      parts.push(there.held.bytes);
      bytes += there.held.bytes.length;
    }
    return parts;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#withdraw?.();
    this.#hub.leave(this.#tooSlow ? 'too-slow' : 'done');
  }
}

function ofIterable(events: AsyncIterable<ServerEvent>): Source {
  const iterator = events[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await iterator.next();
      return done === true ? undefined : Buffer.from(formatEvent(value), 'utf8');
    },
    close() {
      iterator.return?.()?.then(undefined, () => undefined);
    },
  };
}
