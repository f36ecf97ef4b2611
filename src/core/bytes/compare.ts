/** From this length on the native comparison is faster than a loop. */
const NATIVE_FROM_BYTES = 90;

/** Unsigned byte order, the shorter first on a common prefix. @returns -1, 0 or 1 */
export function compareBytes(left: Uint8Array, right: Uint8Array): -1 | 0 | 1 {
  const shared = Math.min(left.length, right.length);
  if (shared >= NATIVE_FROM_BYTES) return Buffer.compare(left, right);
  for (let index = 0; index < shared; index++) {
    const difference = (left[index] as number) - (right[index] as number);
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return left.length === right.length ? 0 : left.length < right.length ? -1 : 1;
}

/** True when both hold the same bytes. Not for secrets: it stops at the first difference. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && compareBytes(left, right) === 0;
}
