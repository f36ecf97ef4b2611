/**
 * Every bound of the cache: unit, default, reason, and what the peers use. Those that a running server may
 * change (`CONFIG SET`) are only the defaults of `engine/config.ts`.
 */

/** What one connection may send. */
export interface RequestLimits {
  /** Longest inline command and longest length line, bytes. Redis: 64 KiB. */
  readonly maxInlineBytes: number;
  /** Longest single argument, bytes. Redis: 512 MiB (`proto-max-bulk-len`). */
  readonly maxBulkBytes: number;
  /** Most arguments of one command. Redis: 2^31 - 1; ours is what one array of V8 holds comfortably. */
  readonly maxArguments: number;
  /** Bytes of all arguments of one unfinished command. Redis: 1 GiB (`client-query-buffer-limit`). */
  readonly maxRequestBytes: number;
}

/** V8's longest string is 2^29 - 24 characters, and a value is one latin1 string or one block of that size. */
export const MAX_STRING_BYTES = 536_870_880;

export const REQUEST_LIMITS: RequestLimits = {
  maxInlineBytes: 65_536,
  maxBulkBytes: MAX_STRING_BYTES,
  maxArguments: 16_777_216,
  maxRequestBytes: 1_073_741_824,
};

/** Before a password was given, nobody needs more than `HELLO 3 AUTH user password SETNAME name`. As Redis. */
export const UNAUTHENTICATED_REQUEST_LIMITS: RequestLimits = {
  maxInlineBytes: 16_384,
  maxBulkBytes: 16_384,
  maxArguments: 10,
  maxRequestBytes: 163_840,
};

/** What a client accepts from a server. */
export interface ReplyLimits {
  readonly maxLineBytes: number;
  readonly maxBulkBytes: number;
  readonly maxElements: number;
  /** Arrays within arrays; COMMAND needs 7. hiredis: 9 in the past, unbounded now. */
  readonly maxDepth: number;
}

export const REPLY_LIMITS: ReplyLimits = {
  maxLineBytes: 65_536,
  maxBulkBytes: MAX_STRING_BYTES,
  maxElements: 16_777_216,
  maxDepth: 32,
};

/** Replies waiting for a slow reader, beyond which its further commands wait too. Redis has no such mark. */
export const OUTPUT_PAUSE_BYTES = 1_048_576;

/** Input of a blocked client that is kept until it can be carried out; then reading stops. */
export const STALLED_INPUT_BYTES = 65_536;

/** A reply longer than this is cut into pieces, so that no reply needs one string longer than V8 allows. */
export const REPLY_PIECE_BYTES = 65_536;

/** Unread bytes at which a subscriber is cut, at once or when it stays above for a while. Redis: the same. */
export const PUBSUB_OUTPUT_HARD_BYTES = 33_554_432;
export const PUBSUB_OUTPUT_SOFT_BYTES = 8_388_608;
export const PUBSUB_OUTPUT_SOFT_MS = 60_000;

/** Unread bytes at which any connection is cut. Redis: unlimited; one client must not take all memory. */
export const NORMAL_OUTPUT_HARD_BYTES = 1_073_741_824;

/** Open connections. Redis: 10,000. */
export const MAX_CLIENTS = 10_000;

/** A connection that never says anything is a port scan or a fault. Redis: never closed. */
export const FIRST_BYTE_TIMEOUT_MS = 60_000;

/** How long an ended connection waits for its peer's close. */
export const CLOSE_TIMEOUT_MS = 1_000;

/** A request that has begun must be whole after this; slow senders hold memory. Redis: never. */
export const REQUEST_TIMEOUT_MS = 60_000;

/** Keys that one expiry cycle removes before it lets the loop serve others. */
export const EXPIRY_BATCH = 2_000;

/** Rest between two expiry cycles, milliseconds. Redis: 100 (`hz 10`), with fast cycles between. */
export const EXPIRY_INTERVAL_MS = 50;

/** Keys that one command may evict to make room before the client is served. Redis: by time, 500 us. */
export const EVICTION_BATCH = 2_000;

/** Candidates kept between eviction samples. Redis: 16. */
export const EVICTION_POOL = 16;

/** A failed AUTH is answered this much later, doubled for each further one from the same address. */
export const AUTH_DELAY_MS = 50;
export const AUTH_DELAY_MAX_MS = 2_000;
/** Addresses whose failures are remembered; the oldest is forgotten first. */
export const AUTH_ADDRESSES = 1_024;
/** Failures are forgotten after this long without another. */
export const AUTH_FORGET_MS = 60_000;

/** Commands that are shown to whoever watches; the others are only counted. */
export const SPANS_PER_SECOND = 100;

/** Longest part of an argument that SLOWLOG keeps, bytes, and most arguments. Redis: 128 and 32. */
export const SLOWLOG_ARGUMENT_BYTES = 128;
export const SLOWLOG_ARGUMENTS = 32;

/** Longest argument that an error message repeats, bytes. Redis: 128. */
export const ERROR_ARGUMENT_BYTES = 128;

/** Client library: time to connect and to answer one command, milliseconds. */
export const CLIENT_CONNECT_TIMEOUT_MS = 5_000;
export const CLIENT_COMMAND_TIMEOUT_MS = 10_000;
/** Client library: first and longest wait between two attempts to connect again, milliseconds. */
export const CLIENT_RECONNECT_MIN_MS = 50;
export const CLIENT_RECONNECT_MAX_MS = 2_000;
/** Client library: commands sent and not yet answered, plus those that wait for a connection. */
export const CLIENT_MAX_PENDING = 100_000;
