/**
 * What things weigh. JavaScript does not tell the size of an object, so memory is counted by formula: the
 * figures below were fitted to heap sizes measured with many equal entries, and a test holds the sum for
 * each type to what the process really used, within a fifth.
 */

/** Header of a one-byte string in V8, bytes; its characters are padded to 8. */
const STRING_HEADER = 16;

/** A key: its entry object, its place in the map, and in the array for sampling. */
export const ENTRY_BYTES = 120;
/** What one more element costs beside its strings. */
export const LIST_ITEM_BYTES = 10;
export const SET_MEMBER_BYTES = 46;
export const HASH_FIELD_BYTES = 62;
export const ZSET_MEMBER_BYTES = 100;
/** An empty container: object, map, arrays. */
export const LIST_BYTES = 500;
export const SET_BYTES = 380;
export const HASH_BYTES = 500;
export const ZSET_BYTES = 880;
export const BLOCK_BYTES = 200;
/** A connection: socket, session, parser, writer. */
export const CLIENT_BYTES = 6_000;

export function stringBytes(length: number): number {
  return STRING_HEADER + ((length + 7) & ~7);
}
