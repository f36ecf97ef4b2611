/**
 * Every bound of the store, with its unit and its reason.
 */

/** One page of the file. 8 KiB is PostgreSQL's size, twice SQLite's and LMDB's: fewer levels, more per read. */
export const PAGE_BYTES = 8_192;

/** The longest key and the longest tree name. A branch page holds at least seven of them. LMDB: 511 bytes. */
export const KEY_BYTES_MAX = 1_024;

/** The most one commit may hold, keys and values together: it must fit in one record of the journal. */
export const COMMIT_BYTES_MAX = 64 * 1_024 * 1_024;

/** A record of the journal that has so much takes no more commits: each further record costs copies of pages. */
export const GROUP_BYTES = 8 * 1_024 * 1_024;

/** A commit of more changes is taken back by a version: it shares the copies of pages among its changes. */
export const UNDO_CHANGES_MAX = 16;

/** Default for clean pages kept in memory. SQLite: 2 MB; PostgreSQL: 128 MB. */
export const CACHE_BYTES_DEFAULT = 16 * 1_024 * 1_024;

/**
 * Changed pages in memory from which on a checkpoint begins: half of the cache, and at least so much. The more, the
 * more commits share the writing of a page.
 */
export const DIRTY_BYTES_MIN = 16 * 1_024 * 1_024;

/** So many times the dirty limit, and commits wait for the checkpoint, or are refused if it cannot be written. */
export const DIRTY_OVERRUN = 4;

/** Default for the journal since the last checkpoint: bounds the time a start takes. PostgreSQL: 1 GB. */
export const JOURNAL_BYTES_DEFAULT = 64 * 1_024 * 1_024;

/** Default for the age of the oldest commit that is in the journal only. PostgreSQL: 5 minutes. */
export const CHECKPOINT_AFTER_MS_DEFAULT = 300_000;

/** Committed and not yet durable: what a stalled disk may cost in memory. The journal's own bound is the same. */
export const WAITING_BYTES_MAX = 256 * 1_024 * 1_024;

/** Neighbouring pages of a checkpoint are written together up to this size: well under a millisecond of work. */
export const WRITE_BYTES = 128 * 1_024;

/** A free end of the file is cut off from this size on, if it is also a fifth of the file. */
export const SHRINK_BYTES_MIN = 1_024 * 1_024;

/** Freed page buffers kept for the next copies. */
export const SPARE_BUFFERS_MAX = 512;

/** What a check or a salvage lists of one kind; more is only counted. */
export const FINDINGS_MAX = 1_000;

/** A salvage commits what it has read whenever it has so much: few syncs, and memory for one commit. */
export const SALVAGE_COMMIT_BYTES = 2 * 1_024 * 1_024;

/** Pages that a compaction reads or moves in one turn of the event loop: well under a millisecond of work. */
export const COMPACTION_PAGES_PER_TURN = 32;

/** A compaction that goes on for more passes than this runs after commits that undo it as fast. */
export const COMPACTION_PASSES_MAX = 8;

/** A copy reads about so much of a snapshot in one turn of the event loop, but at least one entry. */
export const PORTION_BYTES = 32 * 1_024;

/** Entries of a portion at most: small ones cost more than their bytes. */
export const PORTION_ENTRIES_MAX = 128;

/**
 * Default for how much of the journal a replay brings into the order of the keys at once. The more, the more changes
 * each page gets together; PostgreSQL, which replays in the order of its log, has its buffers (128 MB) for that.
 */
export const REPLAY_BYTES_DEFAULT = 128 * 1_024 * 1_024;

/**
 * After so many times that a replay takes a checkpoint, from which a start that is itself interrupted goes on. Each
 * costs the file the places of all pages changed since, which two roots then hold.
 */
export const REPLAYS_PER_ROOT = 2;

/**
 * A replay takes so much of the journal, but at least one batch, between two turns of the event loop: of the smallest
 * batches well under a millisecond of work, and few enough that the garbage collector finds most of them gone (groups of
 * 1 MiB cost a sixteenth more CPU time).
 */
export const REPLAY_GROUP_BYTES = 64 * 1_024;
