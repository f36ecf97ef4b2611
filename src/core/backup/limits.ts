/** Bounds of backups. */

/** A part is about so large: a damaged one costs a new backup little, and a gigabyte makes a thousand files. */
export const PART_BYTES_TARGET = 1_024 * 1_024;

/** No part ends before it has so much, unless nothing follows. */
export const PART_BYTES_MIN = 128 * 1_024;

/** A part that has so much takes no more records. A single value of the store may be larger, up to 64 MiB. */
export const PART_BYTES_MAX = 4 * 1_024 * 1_024;

/** What is hashed, read or written in one turn of the event loop: well under a millisecond. */
export const SLICE_BYTES = 128 * 1_024;

/** The longest manifest: some 600,000 parts, which are half a terabyte. */
export const MANIFEST_BYTES_MAX = 64 * 1_024 * 1_024;

/** Entries that a restore puts into the trees in one turn of the event loop. */
export const ENTRIES_PER_TURN = 256;
