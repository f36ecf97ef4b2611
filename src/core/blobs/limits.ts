/** Bounds of the blobs. */

/** What one checksum covers, and the most a reader is handed at once. The format: do not change. */
export const CHUNK_BYTES = 64 * 1024;

/**
 * A writer makes its bytes durable after so many, not only at the end: a sync of gigabytes at once would hold
 * up every other sync of the disk.
 */
export const SYNC_EVERY_BYTES = 32 * 1024 * 1024;

/**
 * Removals that are remembered while somebody holds them: some 10 MB of ids. What is removed beyond that stays
 * as an orphan until the next start sweeps it.
 */
export const HELD_REMOVALS_MAX = 100_000;
