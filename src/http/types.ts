/**
 * The public shapes of the HTTP library: what a handler gets and gives, and what a client sends and gets.
 * A handler is a function from request to response; bodies stream both ways with backpressure.
 */
import type { Connection, Endpoint, PeerIdentity } from '../core/net/network.ts';
import type { RouteInfo } from './router/route.ts';

/** Fields in the order and spelling received; lookups ignore case. RFC 9110 section 5. */
export interface HeaderFields extends Iterable<readonly [name: string, value: string]> {
  /** The value; several fields of one name joined with `, `. Undefined when absent. */
  get(name: string): string | undefined;
  getAll(name: string): string[];
  has(name: string): boolean;
}

export type HeaderList = readonly (readonly [name: string, value: string])[];

/** A message body. Reading it twice is an error; not reading it is fine (the rest is skipped or the
 * connection closed, whichever is cheaper). */
export interface Body extends AsyncIterable<Buffer> {
  /** From Content-Length; undefined when chunked; 0 when there is no body. */
  readonly sizeBytes: number | undefined;
  /** All of it. @throws HttpError 413 when longer than `limitBytes` */
  bytes(limitBytes: number): Promise<Buffer>;
  /** All of it as UTF-8 text. @throws HttpError 413; 400 when it is not UTF-8 */
  text(limitBytes: number): Promise<string>;
  /** Skips what is left unread; the connection is kept only when that is little. */
  discard(): void;
  /** Trailer fields, once the body has been read to its end. */
  trailers(): HeaderFields;
}

export interface HttpRequest {
  readonly method: string;
  /** As received: path and query, undecoded. S3 keys and proxies need it so. */
  readonly target: string;
  /** `target` up to `?`, undecoded. */
  readonly path: string;
  /** What follows `?`, undecoded; '' when there is none. */
  readonly query: string;
  readonly version: '1.0' | '1.1' | '2';
  readonly headers: HeaderFields;
  readonly body: Body;
  readonly remote: Endpoint;
  readonly secure: boolean;
  /** Who the client is by its certificate, when the server asks for one (`tls.clients`) and it has shown it. */
  readonly peerIdentity: PeerIdentity | undefined;
  /** From X-Request-Id when it is a plain token, else generated. */
  readonly id: string;
  /** Aborted when the client is gone before the response was sent. */
  readonly signal: AbortSignal;
  /** Protocols the client would switch to (`websocket`); undefined when it did not ask with `Connection: upgrade`. */
  readonly upgrade: string | undefined;
  /** The client waits for 100 before it sends the body; reading the body sends it. */
  readonly expectContinue: boolean;
  /** Path parameters, percent-decoded, when a router dispatched. */
  readonly params: Readonly<Record<string, string>>;
  /** What a router dispatched to: for metrics and logs, which must not tell as many things apart as there are paths. */
  readonly route: RouteInfo | undefined;
  /**
   * Sends an informational response ahead of the final one: 103 with Link fields, or 100 before the body is read.
   * Does nothing for an HTTP/1.0 client, and once the response has begun. RFC 9110 section 15.2, RFC 8297.
   * @throws UnsendableError when `status` is not informational, or a field is no HTTP
   */
  inform(status: number, headers?: HeaderList): void;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: HeaderList;
  /** A string is sent as UTF-8. An iterable of unknown length is sent chunked, unless Content-Length is given. One that is
   * not wanted (HEAD, a client that left) is ended without being begun, and a generator runs no `finally` then: it should
   * open what it needs itself. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Fields sent behind the content, asked for once it has gone out. The content is then chunked, unless the
   * headers give its length: then there must be none. Announce their names in a Trailer field. HTTP/1.0 clients and
   * HEAD get none. RFC 9110 section 6.5. */
  readonly trailers?: () => HeaderList;
  /** With status 101: takes the connection over after the head was sent; `early` are bytes already received. */
  readonly upgrade?: (connection: Connection, early: Buffer) => void;
}

export type Handler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

export interface ClientRequest {
  readonly method?: string;
  /** Absolute, http or https. */
  readonly url: string;
  readonly headers?: HeaderList;
  /** A string is sent as UTF-8, an iterable chunked unless Content-Length is given; it is read as fast as the server
   * takes it, and left when an answer of 300 or above comes before its end. */
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Fields sent behind the content, asked for once it has gone out; the content is then chunked. */
  readonly trailers?: () => HeaderList;
  /** Cancels the request in any phase, also while the body of the answer is read. */
  readonly signal?: AbortSignal;
  /** From the last byte sent to the whole head of the answer, milliseconds; bounds the wait for a connection too.
   * Default 30,000. */
  readonly timeoutMs?: number;
  /** From the call to the last byte of the answer, with waits, redirections and repetitions. Default: no bound. */
  readonly totalTimeoutMs?: number;
  /** Asks for this protocol with `Connection: upgrade`; a 101 brings `ClientResponse.upgraded`. */
  readonly upgrade?: string;
  /** Sends the body only after the server's 100 (or after a short wait). RFC 9110 section 10.1.1. */
  readonly expectContinue?: boolean;
  /** Told of 100, 103 and their like. RFC 9110 section 15.2. */
  readonly onInformational?: (status: number, headers: HeaderFields) => void;
  /** Default: a redirection is an answer like any other. */
  readonly redirect?: RedirectPolicy;
  /** Default: 429 and 503 are answers like any other. */
  readonly retryAfter?: RetryAfterPolicy;
  /** Asks for coded content and decodes it. Default: content is as the server sends it. */
  readonly decoding?: ContentDecoding;
}

export interface RedirectPolicy {
  /** At most so many, one after another; 0 to 50. */
  readonly follow: number;
  /** Follows from https to http too, where anybody on the way may read along. */
  readonly allowDowngrade?: boolean;
}

/** Sends an idempotent request again when 429 or 503 come with Retry-After. */
export interface RetryAfterPolicy {
  /** At most so often. */
  readonly count: number;
  /** A server that asks for more is not waited for, milliseconds. */
  readonly maxWaitMs: number;
}

/** How coded content is asked for and undone: `{ acceptEncoding: 'gzip', decode: decodedBody }`. */
export interface ContentDecoding {
  /** Sent as Accept-Encoding, unless the request has its own. */
  readonly acceptEncoding: string;
  /** The content without its Content-Encoding; what it throws ends the request as `malformed-response`. */
  readonly decode: (response: Pick<ClientResponse, 'headers' | 'body'>) => Body;
}

export interface ClientResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderFields;
  readonly body: Body;
  /** Where it came from: the request's URL, or that of the last redirection. */
  readonly url: string;
  /** With status 101: the connection, now the caller's, and the bytes already received on it. */
  readonly upgraded?: { readonly connection: Connection; readonly early: Buffer };
}
