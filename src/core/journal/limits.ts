/** Bounds of the journal. */

/** One record: a store commit of 64 MiB with its framing, and some room. */
export const MAX_RECORD_BYTES = 72 * 1024 * 1024;

/** One batch of the file engine, framing included: one record of the largest size must fit. */
export const MAX_BATCH_BYTES = MAX_RECORD_BYTES + 1024;

/**
 * A batch that has so much takes no more records; the next begins. Large enough that the cost of a sync
 * disappears beside the bytes, small enough that the first of a burst does not wait for the last.
 */
export const BATCH_TARGET_BYTES = 1024 * 1024;

/** Proposed and not yet durable, of one writer: what a stalled disk may cost in memory. */
export const MAX_WAITING_BYTES = 256 * 1024 * 1024;

/** A segment that has so much is closed and the next begun (PostgreSQL's is 16 MiB, etcd's 64 MiB). */
export const SEGMENT_BYTES = 16 * 1024 * 1024;

/**
 * A file that does not grow is synced without its metadata, at four fifths of the cost. So the file engine writes so
 * many zeros ahead of small batches (PostgreSQL and etcd prepare whole segments), and grows once in a thousand.
 */
export const RESERVE_BYTES = 256 * 1024;

/** A batch up to this size goes to the operating system's cache at once; a larger copy would hold others up. */
export const WRITE_AT_ONCE_BYTES = 32 * 1024;

/** A reader takes so much of a segment at a time. */
export const READ_WINDOW_BYTES = 1024 * 1024;

/**
 * A writer asks so long what became of an append before it gives up leading. Longer than a replicated log takes
 * to elect a new leader of its own (NATS JetStream: 4 to 9 s), so that such an election costs a pause only.
 */
export const OUTCOME_DEADLINE_MS = 30_000;

/** The pause before an append of unknown outcome is sent again, and what doubling it ends at. */
export const RETRY_FIRST_MS = 10;
export const RETRY_MAX_MS = 1_000;

/** How often a follower that has seen everything asks for more: what a follower's reads may lag behind. */
export const FOLLOW_POLL_MS = 50;
