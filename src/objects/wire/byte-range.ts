/**
 * `Range: bytes=…` with one range. Several ranges, another unit or nonsense mean the whole object, as S3 has
 * it and RFC 9110 section 14.2 allows.
 */

export type ByteRange =
  | { readonly kind: 'from'; readonly first: number; readonly last: number | undefined }
  | { readonly kind: 'suffix'; readonly length: number };

const MAX_DIGITS = 15;

/** @returns undefined when the field is to be ignored */
export function parseByteRange(text: string | undefined): ByteRange | undefined {
  if (text === undefined || !text.startsWith('bytes=')) return undefined;
  const spec = text.slice('bytes='.length).trim();
  const dash = spec.indexOf('-');
  if (dash < 0) return undefined;
  const left = spec.slice(0, dash);
  const right = spec.slice(dash + 1);
  if (left === '') {
    const length = parsePosition(right);
    return length === undefined ? undefined : { kind: 'suffix', length };
  }
  const first = parsePosition(left);
  const last = right === '' ? undefined : parsePosition(right);
  if (first === undefined || (right !== '' && last === undefined)) return undefined;
  return last !== undefined && last < first ? undefined : { kind: 'from', first, last };
}

function parsePosition(text: string): number | undefined {
  const digits = text !== '' && [...text].every((char) => char >= '0' && char <= '9');
  return digits && text.length <= MAX_DIGITS ? Number(text) : undefined;
}

/** A half-open span of bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** @returns undefined when no byte of an object of `sizeBytes` is in the range (416) */
export function resolveRange(range: ByteRange, sizeBytes: number): Span | undefined {
  if (range.kind === 'suffix') {
    if (range.length === 0 || sizeBytes === 0) return undefined;
    return { start: Math.max(0, sizeBytes - range.length), end: sizeBytes };
  }
  if (range.first >= sizeBytes) return undefined;
  const end = range.last === undefined ? sizeBytes : Math.min(range.last + 1, sizeBytes);
  return { start: range.first, end };
}
