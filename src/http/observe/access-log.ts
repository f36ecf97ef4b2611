/**
 * One record per request, when its response has been handed on to the end.
 *
 *   handler ──▶ accessLog(handler, …) ──▶ server
 *                     │
 *                     └─ record: time, client, request line, status, bytes, duration
 *
 * A response with whole content is recorded when the handler gives it; a streamed one when its last piece has been
 * taken, or as `cut` when the client left or the content failed. Queries are left out unless asked for: they carry
 * signatures and tokens, and logs are read by more people than requests are.
 *
 * Whatever came from the client is text in the record, and is written so that it cannot leave its place: controls,
 * which end lines and drive terminals, C1 among them, are escaped in both formats.
 */
import type { Observer } from '../../core/observe/types.ts';
import type { Clock } from '../../core/time/clock.ts';
import { HttpError } from '../errors.ts';
import { LOG_VALUE_CHARACTERS } from '../limits.ts';
import type { Handler, HttpRequest, HttpResponse } from '../types.ts';
import { parseTraceparent } from './trace-context.ts';

export interface AccessRecord {
  /** When the handler was called, milliseconds since 1970. */
  readonly startMs: number;
  /** Until the response was handed on, milliseconds. */
  readonly durationMs: number;
  readonly remote: string;
  readonly method: string;
  /** The path, and the query where it was asked for. */
  readonly target: string;
  /** Name of the route that a router dispatched to, or its pattern. */
  readonly route?: string;
  readonly version: HttpRequest['version'];
  readonly status: number;
  /** Content without its framing, bytes. */
  readonly sentBytes: number;
  readonly outcome: 'whole' | 'cut';
  readonly requestId: string;
  readonly traceId?: string;
  readonly referer?: string;
  readonly userAgent?: string;
}

export interface AccessLogOptions {
  readonly clock: Clock;
  readonly record: (record: AccessRecord) => void;
  /** Default false. */
  readonly withQuery?: boolean;
}

/** The handler, with a record of each of its responses; what it throws is recorded and thrown on. */
export function accessLog(handler: Handler, options: AccessLogOptions): Handler {
  return (request) => {
    const entry = new Entry(request, options);
    let result: HttpResponse | Promise<HttpResponse>;
    try {
      result = handler(request);
    } catch (thrown) {
      throw entry.failed(thrown);
    }
    if (!(result instanceof Promise)) return entry.answered(result);
    return result.then(
      (response) => entry.answered(response),
      (thrown) => {
        throw entry.failed(thrown);
      },
    );
  };
}

/** A request that has not been recorded yet. */
class Entry {
  readonly #request: HttpRequest;
  readonly #options: AccessLogOptions;
  readonly #startMs: number;
  readonly #startedMonotonicMs: number;

  constructor(request: HttpRequest, options: AccessLogOptions) {
    this.#request = request;
    this.#options = options;
    this.#startMs = options.clock.now();
    this.#startedMonotonicMs = options.clock.monotonic();
  }

  failed(thrown: unknown): unknown {
    this.done(thrown instanceof HttpError ? thrown.status : 500, 0, 'whole');
    return thrown;
  }

  answered(response: HttpResponse): HttpResponse {
    const { status, body } = response;
    const withoutContent = this.#request.method === 'HEAD' || body === undefined || status < 200;
    if (withoutContent || status === 204 || status === 304) {
      this.done(status, 0, 'whole');
      return response;
    }
    if (typeof body === 'string' || body instanceof Uint8Array) {
      this.done(status, typeof body === 'string' ? Buffer.byteLength(body) : body.length, 'whole');
      return response;
    }
    const done = (sentBytes: number, outcome: 'whole' | 'cut'): void => this.done(status, sentBytes, outcome);
    return { ...response, body: new CountedBody(body, done) };
  }

  done(status: number, sentBytes: number, outcome: 'whole' | 'cut'): void {
    const { method, path, query, version, headers, remote, id, route } = this.#request;
    const trace = parseTraceparent(headers.get('traceparent') ?? '');
    const referer = headers.get('referer');
    const userAgent = headers.get('user-agent');
    this.#options.record({
      startMs: this.#startMs,
      durationMs: this.#options.clock.monotonic() - this.#startedMonotonicMs,
      remote: remote.address,
      method,
      target: this.#options.withQuery === true && query !== '' ? `${path}?${query}` : path,
      ...(route === undefined ? {} : { route: route.name ?? route.pattern }),
      version,
      status,
      sentBytes,
      outcome,
      requestId: id,
      ...(trace === undefined ? {} : { traceId: trace.traceId }),
      ...(referer === undefined ? {} : { referer }),
      ...(userAgent === undefined ? {} : { userAgent }),
    });
  }
}

/** Content on its way through, counted; tells once how it went. */
class CountedBody implements AsyncIterableIterator<Uint8Array> {
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #tell: (sentBytes: number, outcome: 'whole' | 'cut') => void;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #sentBytes = 0;
  #told = false;

  constructor(body: AsyncIterable<Uint8Array>, tell: (sentBytes: number, outcome: 'whole' | 'cut') => void) {
    this.#body = body;
    this.#tell = tell;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#iterator ??= this.#body[Symbol.asyncIterator]();
    try {
      const { done, value } = await this.#iterator.next();
      if (done !== true) {
        this.#sentBytes += value.length;
        return { done: false, value };
      }
    } catch (thrown) {
      this.#done('cut');
      throw thrown;
    }
    this.#done('whole');
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#done('cut');
    if (this.#iterator === undefined && this.#letGo()) return { done: true, value: undefined };
    this.#iterator ??= this.#body[Symbol.asyncIterator]();
    await this.#iterator.return?.();
    return { done: true, value: undefined };
  }

  /** A body received, which a proxy hands on, is let go by its own word when nobody began to read it. */
  #letGo(): boolean {
    if (!('discard' in this.#body) || typeof this.#body.discard !== 'function') return false;
    this.#body.discard();
    return true;
  }

  #done(outcome: 'whole' | 'cut'): void {
    if (this.#told) return;
    this.#told = true;
    this.#tell(this.#sentBytes, outcome);
  }
}

/** Records as lines of the service's log, in JSON. */
export function recordsTo(observer: Pick<Observer, 'log'>): (record: AccessRecord) => void {
  return (record) => {
    const fields: Record<string, unknown> = Object.create(null);
    for (const [name, value] of Object.entries(record)) {
      fields[name] = typeof value === 'string' ? withoutControls(value) : value;
    }
    observer.log.info('request', { ...fields });
  };
}

/** JSON itself quotes what ends strings and lines; C1 controls and the separators it would let through. */
function withoutControls(text: string): string {
  return escaped(text, (code) => isControl(code) || code === 0x2028 || code === 0x2029);
}

function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

/**
 * The record as a line of the Combined Log Format, without its line end. Apache httpd, mod_log_config:
 *
 *   127.0.0.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 2326 "referer" "user agent"
 *
 * As Apache does, `"` and `\` are escaped with `\`, and what is not printable ASCII as `\xhh`. Times are in UTC.
 */
export function formatCombined(record: AccessRecord): string {
  const { remote, method, target, version, status, sentBytes, referer, userAgent, startMs } = record;
  const client = escaped(remote, (code) => isUnprintable(code) || code === 0x20);
  const line = `${inQuotes(method)} ${inQuotes(target)} HTTP/${version}`;
  const sent = sentBytes === 0 ? '-' : String(sentBytes);
  const origin = `"${inQuotes(referer ?? '-')}" "${inQuotes(userAgent ?? '-')}"`;
  return `${client} - - [${logTime(startMs)}] "${line}" ${status} ${sent} ${origin}`;
}

function inQuotes(text: string): string {
  return escaped(text, (code) => isUnprintable(code) || code === 0x22 || code === 0x5c);
}

function isUnprintable(code: number): boolean {
  return code < 0x20 || code > 0x7e;
}

/** At most so many characters of the text, those that `unsafe` names in the form of an escape. */
function escaped(text: string, unsafe: (code: number) => boolean): string {
  const cut = text.length > LOG_VALUE_CHARACTERS ? `${text.slice(0, LOG_VALUE_CHARACTERS)}...` : text;
  let out = '';
  for (let at = 0; at < cut.length; at++) {
    const code = cut.charCodeAt(at);
    out += unsafe(code) ? escapeOf(code) : cut[at];
  }
  return out;
}

function escapeOf(code: number): string {
  if (code === 0x22 || code === 0x5c) return `\\${String.fromCharCode(code)}`;
  const digits = code.toString(16);
  return code > 0xff ? `\\u${digits.padStart(4, '0')}` : `\\x${digits.padStart(2, '0')}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function logTime(ms: number): string {
  const date = new Date(ms);
  const day = String(date.getUTCDate()).padStart(2, '0');
  const time = date.toISOString().slice(11, 19);
  return `${day}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${time} +0000`;
}
