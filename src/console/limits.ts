/** An admin address that has not answered by then is shown as away, milliseconds. */
export const SOURCE_TIMEOUT_MS = 2_000;
/** Bytes of one answer of an admin address. */
export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
