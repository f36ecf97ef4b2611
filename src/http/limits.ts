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

/** Structured fields. RFC 9651 section 3 asks every parser for at least 1,024 members, 256 items, 256 parameters. */
export const STRUCTURED_FIELD_LIMITS = {
  /** One field value, its lines joined, characters: twice what a head of the default bound can bring. */
  fieldLength: 131_072,
  /** Members of a list or dictionary. */
  members: 1_024,
  /** Items of one inner list. */
  innerListItems: 256,
  /** Parameters of one item or inner list. */
  parameters: 256,
} as const;

/** Cookies: what browsers keep, so that nothing is sent that they drop, and nothing read that none of them sent. */
export const COOKIE_LIMITS = {
  /** Pairs in one request; more are 431. Chrome and Firefox keep 180 for one site. */
  cookies: 200,
  /** Name and value together, bytes; RFC 6265bis section 5.6 has browsers drop longer ones. */
  pairBytes: 4_096,
  /** Value of one attribute, bytes; browsers ignore longer ones. RFC 6265bis section 5.6. */
  attributeBytes: 1_024,
  /** Lifetime, seconds: 400 days, to which browsers cut longer ones. RFC 6265bis section 5.5. */
  maxAgeSeconds: 400 * 86_400,
  /** Keys that sign and verify; each costs a hash for a cookie with a bad signature. */
  keys: 8,
  /** Shortest key, bytes: as long as the hash. RFC 2104 section 3. */
  keyBytes: 32,
} as const;

/** CORS. */
export const CORS_LIMITS = {
  /** How long a leave is kept, seconds. Firefox keeps a day at most, Chrome two hours. */
  maxAgeSeconds: 86_400,
  /** Fields asked for by one preflight; pages set a handful. */
  requestFields: 64,
} as const;

/** Rate limits. */
export const RATE_LIMIT_BOUNDS = {
  /** Keys in debt at once, for each policy: some 12 MiB. nginx holds 16,000 in each MiB of its zones. */
  keys: 65_536,
  /** Length of a key, characters; longer ones are counted by their hash. */
  keyLength: 256,
  /** Policies of one limiter, each a table and an element of two fields. */
  policies: 8,
  /** Window, seconds: a year. */
  windowSeconds: 366 * 86_400,
  /** Units per second; a unit is then ten times what sums of fractions may miss by. */
  unitsPerSecond: 100_000,
} as const;
