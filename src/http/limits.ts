/**
 * Every bound of the HTTP library: unit, default, reason, and what peers use.
 */
import type { ConnectionLimits } from '../core/net/network.ts';

export interface HttpLimits {
  /** Request line, bytes without CRLF; longer is 414. nginx 8 KiB, RFC 9112 section 3 asks for at least 8,000. */
  readonly requestLineBytes: number;
  /** Method, bytes; longer is 501. RFC 9112 section 3. */
  readonly methodBytes: number;
  /** Start line and fields together, bytes; more is 431. Node 16 KiB, nginx 4 × 8 KiB, HAProxy 16 KiB. */
  readonly headBytes: number;
  /** Fields in one head or trailer section; more is 431. h2o 100, HAProxy 101. */
  readonly fieldCount: number;
  /** One field line, bytes; longer is 431. nginx and Apache 8 KiB. */
  readonly fieldBytes: number;
  /** Digits of one chunk size; 8 hexadecimal digits are 4 GiB, more than any peer sends in one chunk. */
  readonly chunkSizeDigits: number;
  /** Chunk extensions of one message together, bytes. Node 16 KiB since CVE-2024-22019. */
  readonly chunkExtensionBytes: number;
  /** Trailer section, bytes. */
  readonly trailerBytes: number;
  /** Content of one message, bytes; more is 413. Unbounded by default, because bodies stream with
   * backpressure and every reader that collects one names its own bound. */
  readonly bodyBytes: number;
  /** Received and not yet read by the handler, bytes; beyond it the connection is not read from. */
  readonly bodyBufferBytes: number;
  /** Pipelined bytes held while a request is being answered; beyond it the connection is not read from. */
  readonly pipelineBytes: number;
  /** Replies gathered for one write, bytes; with more the write happens at once, so that a flood of small
   * requests for large answers fills no memory. */
  readonly gatherBytes: number;
  /** Unread content that is skipped to keep a connection, bytes; with more the connection closes. */
  readonly drainBytes: number;
  /** Informational responses before a final one, for the client. Browsers and curl bound it likewise. */
  readonly informationalCount: number;
  /** From accept to the first byte, milliseconds. */
  readonly firstByteTimeoutMs: number;
  /** From the first byte of a head to its end, milliseconds; then 408. Apache 20 s, Node 60 s. */
  readonly headTimeoutMs: number;
  /** Time before the rate of a body counts, milliseconds. Apache mod_reqtimeout 20 s. */
  readonly bodyGraceMs: number;
  /** Slowest body that is waited for, bytes per second, after the grace; slower is 408. Apache 500. */
  readonly bodyBytesPerSecond: number;
  /** Pause between two pieces of a response's content that the client waits for, milliseconds. */
  readonly responseIdleTimeoutMs: number;
  /** A write that the peer does not take for this long ends the connection, milliseconds. */
  readonly writeStallTimeoutMs: number;
  /** Idle persistent connection, milliseconds. Longer than the 60 s of common balancers, so that they close first. */
  readonly keepAliveTimeoutMs: number;
  /** Open connections of one listener; more get 503 and are closed. */
  readonly maxConnections: number;
  /** Open connections from one address; more get 503 and are closed. Balancers open many from one address. */
  readonly maxConnectionsPerAddress: number;
  /** How long a closed connection waits for its peer to close too, milliseconds. */
  readonly closeTimeoutMs: number;
  /** Bytes one connection may hold for a peer that does not read; then it is destroyed. */
  readonly maxBufferedBytes: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  requestLineBytes: 8_192,
  methodBytes: 32,
  headBytes: 32_768,
  fieldCount: 100,
  fieldBytes: 8_192,
  chunkSizeDigits: 8,
  chunkExtensionBytes: 16_384,
  trailerBytes: 8_192,
  bodyBytes: Number.MAX_SAFE_INTEGER,
  bodyBufferBytes: 65_536,
  pipelineBytes: 65_536,
  gatherBytes: 65_536,
  drainBytes: 65_536,
  informationalCount: 16,
  firstByteTimeoutMs: 30_000,
  headTimeoutMs: 10_000,
  bodyGraceMs: 10_000,
  bodyBytesPerSecond: 512,
  responseIdleTimeoutMs: 120_000,
  writeStallTimeoutMs: 30_000,
  keepAliveTimeoutMs: 75_000,
  maxConnections: 16_384,
  maxConnectionsPerAddress: 4_096,
  closeTimeoutMs: 2_000,
  maxBufferedBytes: 64 * 1024 * 1024,
};

/** What the network enforces itself. First byte, idle and stall are the session's: it knows their reply. */
export function connectionLimits(limits: HttpLimits): ConnectionLimits {
  return {
    maxConnections: limits.maxConnections,
    firstByteTimeoutMs: 0,
    idleTimeoutMs: 0,
    maxBufferedBytes: limits.maxBufferedBytes,
    closeTimeoutMs: limits.closeTimeoutMs,
  };
}

/** Server-sent events: what a hub of streams holds, and what a reader of a stream takes. */
export interface EventLimits {
  /** Events held for streams that resume or lag. More push the oldest out. */
  readonly replayEvents: number;
  /** The same in bytes as sent. All streams of a hub share these; a stream itself holds nothing. */
  readonly replayBytes: number;
  /** One event as sent, bytes; a longer one is not published, and not read by the parser. */
  readonly eventBytes: number;
  /** Events gathered for one write to one stream, bytes. */
  readonly gatherBytes: number;
  /** Open streams of one hub; more are refused with 503. Browsers keep one per tab. */
  readonly streams: number;
  /** Silence before a comment is sent, milliseconds. WHATWG HTML section 9.2.7 advises about 15 s, because
   * proxies cut what is silent for 30 to 60 s. */
  readonly heartbeatMs: number;
}

export const DEFAULT_EVENT_LIMITS: EventLimits = {
  replayEvents: 1_024,
  replayBytes: 1_048_576,
  eventBytes: 65_536,
  gatherBytes: 16_384,
  streams: 1_024,
  heartbeatMs: 15_000,
};

/** Forms: `application/x-www-form-urlencoded` and `multipart/form-data`. What is over a bound is 413. */
export interface FormLimits {
  /** Name-value pairs of one urlencoded form or query. Node's querystring 1,000, PHP 1,000. */
  readonly parameters: number;
  /** One urlencoded form, bytes. Express 100 KiB, Fastify 1 MiB. */
  readonly urlencodedBytes: number;
  /** Parts of one multipart form. Go 1,000, PHP 1,500 since CVE-2023-0662. */
  readonly parts: number;
  /** The head of one part with its empty line, bytes. multer and busboy 80 KiB, Go 10 MiB in all. */
  readonly partHeadBytes: number;
  /** Fields in the head of one part; browsers send two. */
  readonly partFields: number;
  /** The content of one part without a file name, bytes. busboy 1 MiB. */
  readonly fieldBytes: number;
  /** The content of all parts without a file name, bytes: what a handler that collects them holds. Go 10 MiB. */
  readonly fieldsBytes: number;
  /** The content of one part with a file name, bytes. Unbounded by default, because files stream with
   * backpressure: the route knows what it takes. */
  readonly fileBytes: number;
  /** Before the first delimiter and behind the last, together, bytes. Clients of forms send none, or an empty line. */
  readonly marginBytes: number;
  /** Blanks behind a boundary that gateways may add, bytes. RFC 2046 section 5.1.1. */
  readonly paddingBytes: number;
}

export const DEFAULT_FORM_LIMITS: FormLimits = {
  parameters: 1_000,
  urlencodedBytes: 1_048_576,
  parts: 1_000,
  partHeadBytes: 8_192,
  partFields: 16,
  fieldBytes: 1_048_576,
  fieldsBytes: 10_485_760,
  fileBytes: Number.MAX_SAFE_INTEGER,
  marginBytes: 1_024,
  paddingBytes: 64,
};

/** Boundary characters at most. RFC 2046 section 5.1.1, a rule and no choice. */
export const BOUNDARY_CHARACTERS = 70;

/** One value from a request in an access log, characters; longer ones are cut, so that a line stays a line to read. */
export const LOG_VALUE_CHARACTERS = 1_024;

/** Members of a tracestate; more are none. W3C Trace Context level 2, section 3.3, a rule and no choice. */
export const TRACE_STATE_MEMBERS = 32;
/** A tracestate as sent, characters; entries are left out beyond it. Section 3.3, limits, asks to carry at least 512. */
export const TRACE_STATE_CHARACTERS = 512;
/** Entries longer than this are the first to be left out, characters. Section 3.3, limits. */
export const TRACE_STATE_ENTRY_CHARACTERS = 128;
