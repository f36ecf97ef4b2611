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
  /** Slowest body that is waited for, bytes per second, after the grace; slower is 408. At least 1. Apache 500. */
  readonly bodyBytesPerSecond: number;
  /** From a request, or from when its content waits to be read, to the head of the answer, milliseconds; then 503.
   * 0 is without end, as in Node and nginx: only the service knows how long its work may take. */
  readonly handlerTimeoutMs: number;
  /** How long an idle connection still takes a request when the server stops, milliseconds: one that was sent
   * before the close arrived is answered instead of lost. A round trip, no more, for all of stopping waits. */
  readonly drainGraceMs: number;
  /** How long a client that has closed its half is sent nothing before it is taken for gone, milliseconds: it looks the
   * same to us, and a stream of events to nobody would go on for ever. nginx and Node give up at once. */
  readonly halfClosedTimeoutMs: number;
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
  halfClosedTimeoutMs: 10_000,
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

/** Bounds of the client's pool and of the phases before an exchange; an option of the client by the same name. */
export interface HttpClientLimits {
  /** Open and opening connections of one client, all origins together. */
  readonly maxConnections: number;
  /** Of these to one origin. Browsers 6, undici unbounded, nginx's upstream keepalive unbounded. */
  readonly maxConnectionsPerOrigin: number;
  /** Requests that wait for a connection, all origins together; more fail at once with `queue-full`. */
  readonly maxWaiting: number;
  /** Wait for a free connection, milliseconds. undici waits for ever. */
  readonly queueTimeoutMs: number;
  /** Wait for the addresses of a name, milliseconds. resolv.conf(5) 5 s a try. */
  readonly resolveTimeoutMs: number;
  /** From the first attempt to a connection, over all addresses, milliseconds. undici 10 s, curl 300 s. */
  readonly connectTimeoutMs: number;
  /** The TLS handshake, milliseconds; the network itself gives it 10 s at most. */
  readonly tlsTimeoutMs: number;
  /** A proxy's answer to CONNECT, milliseconds: it connects meanwhile, and has its own time-out for that. */
  readonly tunnelTimeoutMs: number;
  /** Before the next address is tried beside the one that has not answered, milliseconds. RFC 8305 section 5: 250. */
  readonly attemptDelayMs: number;
  /** Addresses of one name that are tried; a name may have thousands. */
  readonly maxAddresses: number;
  /** How long an address that failed is tried after the others, milliseconds. */
  readonly addressFailureMs: number;
  /** Addresses whose failure is remembered. */
  readonly maxFailedAddresses: number;
  /** An unused connection is kept so long, milliseconds: less than the 5 s of Node's servers. undici 4 s. */
  readonly idleTimeoutMs: number;
  /** How long before the end that `Keep-Alive: timeout` announces a connection is given up, milliseconds: a request
   * takes a while to arrive. undici 1 s to 2 s. */
  readonly keepAliveMarginMs: number;
  /** A connection older than this serves no further request, milliseconds: names move to other addresses. */
  readonly maxConnectionAgeMs: number;
  /** Requests on one connection. nginx ends one after 1,000 itself. */
  readonly maxRequestsPerConnection: number;
  /** How long the rest of an answer that nobody reads is waited for, so that its connection can be used again,
   * milliseconds: a stream of events has no end, and `drainBytes` of it may take for ever. */
  readonly discardTimeoutMs: number;
  /** Wait for a 100 before the content is sent without it, milliseconds. RFC 9110 section 10.1.1; curl 1 s. */
  readonly continueTimeoutMs: number;
}

export const DEFAULT_HTTP_CLIENT_LIMITS: HttpClientLimits = {
  maxConnections: 4_096,
  maxConnectionsPerOrigin: 128,
  maxWaiting: 16_384,
  queueTimeoutMs: 30_000,
  resolveTimeoutMs: 10_000,
  connectTimeoutMs: 5_000,
  tlsTimeoutMs: 5_000,
  tunnelTimeoutMs: 10_000,
  attemptDelayMs: 250,
  maxAddresses: 8,
  addressFailureMs: 30_000,
  maxFailedAddresses: 1_024,
  idleTimeoutMs: 4_000,
  keepAliveMarginMs: 1_000,
  maxConnectionAgeMs: 600_000,
  maxRequestsPerConnection: 100_000,
  discardTimeoutMs: 1_000,
  continueTimeoutMs: 1_000,
};

/** The largest `redirect.follow`; curl and browsers stop at 50 and 20. */
export const MAX_REDIRECTS = 50;

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

/** What a connection remembers of its last messages, to compare the next ones with (wire/fields-memo.ts,
 * wire/response-fields.ts). */
export const MEMO_LIMITS = {
  /** Longer ones are read or written each time: what is kept here is kept by every idle connection. */
  keptBytes: 2_048,
  /** After so many in a row that were not the same, a connection is not asked again. */
  misses: 4,
} as const;

/** Bounds of `content/`: of what a message says about its representation, and of what is done to one. */
export const CONTENT_LIMITS = {
  /** Elements of one Accept, Accept-Encoding or Accept-Language, empty ones counted; a longer list counts as absent.
   * Browsers send at most a dozen. */
  listElements: 64,
  /** Parameters of one element or media type. */
  parameters: 16,
  /** Ranges of one request; more are an attack on the sender (CVE-2011-3192) and are answered with the whole.
   * Apache sends at most 200, Go as many as asked, as long as they are not longer than the whole. */
  ranges: 16,
  /** Bytes between two ranges that are sent along rather than starting another part, whose head costs as much.
   * RFC 9110 section 15.3.7.2 names 80. */
  rangeGapBytes: 80,
  /** Content shorter than this is not coded, bytes: it fits into one packet either way. nginx 20, Express 1,024. */
  codedFromBytes: 1_024,
  /** Content up to this is coded at once, bytes: 32 KiB of text take 0.2 to 0.5 ms, and on another thread twice that. */
  codedAtOnceBytes: 32_768,
  /** Bodies being coded at the same time in one `compressed`, but for those coded at once; more are sent as they are.
   * An encoder holds 0.25 MiB (gzip) to 0.8 MiB (zstd). */
  encoders: 64,
  /** A decoded body may be this many times longer than what came, once it is longer than `decodedFreeBytes`. Text
   * reaches 20, and 1,032 is the most that deflate can do. */
  decodedRatio: 100,
  /** Decoded bytes to which no ratio applies: a short body of blanks is no attack. */
  decodedFreeBytes: 65_536,
  /** Decoded content, bytes, whatever came; a caller that streams may set its own. */
  decodedBytes: 16 * 1_024 * 1_024,
  /** The window a zstd frame may ask for, as a power of two: 8 MiB, as RFC 9659 has it for HTTP. The library's own
   * bound is 128 MiB for each decoder. */
  zstdWindowLog: 23,
  /** A file is read in pieces of this many bytes; up to one piece goes out in one write with its head. */
  filePieceBytes: 262_144,
  /** A file up to this is kept in memory, bytes. Of 1 MiB that takes a third of the CPU time of reading it again, of
   * 100 KiB also a third (`npm run bench -- http-static`). */
  keptFileBytes: 1_048_576,
  /** Content of files kept in memory by one `createStaticFiles`, bytes. */
  keptBytes: 32 * 1_024 * 1_024,
  /** Files kept open or in memory, each with up to three coded siblings. nginx `open_file_cache` none by itself. */
  keptFiles: 256,
  /** Bytes of one segment of a path to a file; no file system has longer names. */
  pathSegmentBytes: 255,
} as const;

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
