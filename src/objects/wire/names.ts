/**
 * Names of buckets and objects. A key is any UTF-8 of 1 to 1,024 bytes, opaque: `..`, `//` and `%2e` mean
 * nothing. Source: "Bucket naming rules" and "Naming Amazon S3 objects", Amazon S3 User Guide.
 */
import { S3Error } from '../errors.ts';
import { PROTOCOL_LIMITS } from '../limits.ts';

const MIN_BUCKET_LENGTH = 3;
const MAX_BUCKET_LENGTH = 63;
const RESERVED_PREFIXES = ['xn--', 'sthree-', 'amzn-s3-demo-'];
const RESERVED_SUFFIXES = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3'];

/** True for a name that CreateBucket takes. */
export function isBucketName(name: string): boolean {
  if (name.length < MIN_BUCKET_LENGTH || name.length > MAX_BUCKET_LENGTH) return false;
  const labels = name.split('.');
  return (
    labels.every(isLabel) &&
    !looksLikeAddress(labels) &&
    !RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix)) &&
    !RESERVED_SUFFIXES.some((suffix) => name.endsWith(suffix))
  );
}

function isLabel(label: string): boolean {
  if (label === '' || label.startsWith('-') || label.endsWith('-')) return false;
  return [...label].every((char) => (char >= 'a' && char <= 'z') || isDigit(char) || char === '-');
}

function looksLikeAddress(labels: readonly string[]): boolean {
  return labels.length === 4 && labels.every((label) => [...label].every(isDigit));
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9';
}

/** @throws S3Error KeyTooLongError */
export function requireKey(key: string): void {
  const bytes = Buffer.byteLength(key, 'utf8');
  if (bytes > PROTOCOL_LIMITS.keyBytes) {
    throw new S3Error('KeyTooLongError', undefined, {
      elements: { Size: String(bytes), MaxSizeAllowed: String(PROTOCOL_LIMITS.keyBytes) },
    });
  }
}
