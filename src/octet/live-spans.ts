/**
 * The operations of this process as server-sent events, each as it ends. The hub exists while somebody listens: a
 * process that nobody watches writes no event for anybody.
 */
import type { Observatory } from '../core/observe/observer.ts';
import type { Span } from '../core/observe/types.ts';
import type { Random } from '../core/random/random.ts';
import type { Clock } from '../core/time/clock.ts';
import { EventHub, eventStream } from '../http/events/index.ts';
import type { HttpRequest, HttpResponse } from '../http/index.ts';

/** Spans that a new listener hears of at once: a page that is opened is not empty. */
const SPANS_AT_FIRST = 100;
/** How long events are kept for a listener that left and may come back, milliseconds; browsers do after some 3 s. */
const LINGER_MS = 30_000;
/** One text of a span as it is told, characters: an event has room for all of them, however they are escaped. */
const TEXT_CHARACTERS = 2_000;

const LIMITS = {
  /** Listeners; a browser tab is one. */
  streams: 64,
  /** As many spans as the observatory keeps. */
  replayEvents: 4_096,
  replayBytes: 2 * 1024 * 1024,
  /** A stream without a byte for longer is taken for dead by what lies between. */
  heartbeatMs: 10_000,
} as const;

export interface LiveSpansOptions {
  readonly observatory: Observatory;
  readonly clock: Clock;
  readonly random: Random;
}

export class LiveSpans {
  readonly #options: LiveSpansOptions;
  #hub: EventHub | undefined;
  #unwatch = (): void => undefined;
  /** Since when nobody has listened, monotonic. */
  #desertedAtMs: number | undefined;

  constructor(options: LiveSpansOptions) {
    this.#options = options;
  }

  /** @throws HttpError 503 when there are as many listeners as there may be */
  stream(request: Pick<HttpRequest, 'headers' | 'signal'>): HttpResponse {
    this.#hub ??= this.#begin();
    this.#desertedAtMs = undefined;
    return eventStream({
      request,
      clock: this.#options.clock,
      events: this.#hub,
      newest: SPANS_AT_FIRST,
    });
  }

  #begin(): EventHub {
    const { observatory, random } = this.#options;
    const hub = new EventHub({ epoch: random.uuid(), limits: LIMITS });
    for (const span of observatory.spans(SPANS_AT_FIRST)) publish(hub, span);
    this.#unwatch = observatory.watch((span) => {
      if (this.#isDeserted(hub)) this.#end();
      else publish(hub, span);
    });
    return hub;
  }

  #isDeserted(hub: EventHub): boolean {
    if (hub.streams > 0) {
      this.#desertedAtMs = undefined;
      return false;
    }
    const now = this.#options.clock.monotonic();
    this.#desertedAtMs ??= now;
    return now - this.#desertedAtMs > LINGER_MS;
  }

  /** Who comes back later hears of a gap: the next hub has another epoch. */
  #end(): void {
    this.#unwatch();
    this.#hub = undefined;
    this.#desertedAtMs = undefined;
  }
}

function publish(hub: EventHub, span: Span): void {
  if (isShown(span)) hub.publish({ data: JSON.stringify(span, cutTexts) });
}

/** The page that watches is itself served over HTTP; telling of that would never end. */
function isShown(span: Span): boolean {
  return span.service !== 'admin' && span.service !== 'console';
}

function cutTexts(_: string, value: unknown): unknown {
  return typeof value === 'string' && value.length > TEXT_CHARACTERS
    ? `${value.slice(0, TEXT_CHARACTERS)}…`
    : value;
}
