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
  /** From a request, or from when its content waits to be read, to the head of the answer, milliseconds; then 503.
   * 0 is without end, as in Node and nginx: only the service knows how long its work may take. */
  readonly handlerTimeoutMs: number;
  /** How long an idle connection still takes a request when the server stops, milliseconds: one that was sent
   * before the close arrived is answered instead of lost. A round trip, no more, for all of stopping waits. */
  readonly drainGraceMs: number;
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
  /** Open streams of one HTTP/2 connection, and its handlers at work; more are refused. nginx 128, Apache and h2o 100. */
  readonly http2Streams: number;
  /** HPACK table for what we send, bytes; the standard's default, which is also what we offer. RFC 7541 section 4.2. */
  readonly http2HeaderTableBytes: number;
  /** CONTINUATION frames of one header block; more end the connection. nghttp2 8, HAProxy and Go bound the bytes. */
  readonly http2Continuations: number;
  /** Frames that bring nothing (http2/flood-guard.ts) that a connection may have at once; more end it. Envoy 10,000 of a
   * kind, nghttp2 1,000 resets, nginx a share of all bytes. A browser that closes a page of images cancels some 100. */
  readonly http2UselessFrames: number;
  /** How many of them are forgotten each second. nghttp2 33 resets. */
  readonly http2UselessFramesPerSecond: number;
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
  handlerTimeoutMs: 0,
  drainGraceMs: 250,
  responseIdleTimeoutMs: 120_000,
  writeStallTimeoutMs: 30_000,
  keepAliveTimeoutMs: 75_000,
  maxConnections: 16_384,
  maxConnectionsPerAddress: 4_096,
  closeTimeoutMs: 2_000,
  http2Streams: 100,
  http2HeaderTableBytes: 4_096,
  http2Continuations: 8,
  http2UselessFrames: 500,
  http2UselessFramesPerSecond: 100,
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
