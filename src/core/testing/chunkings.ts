/**
 * The ways in which a stream of bytes may arrive. A codec must give the same result for each of them.
 */

/** Whole, byte by byte, and in two parts split at every offset. */
export function* chunkings(bytes: Uint8Array): Generator<Buffer[]> {
  const whole = Buffer.from(bytes);
  yield [whole];
  yield Array.from(whole, (_, index) => whole.subarray(index, index + 1));
  for (let at = 1; at < whole.length; at++) yield [whole.subarray(0, at), whole.subarray(at)];
}
