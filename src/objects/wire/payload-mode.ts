/**
 * How the body of a request is protected, from `x-amz-content-sha256`. Parsed once; a value that is not in
 * this list is refused, so no code can treat an unknown mode as "nothing to check".
 */
import { S3Error } from '../errors.ts';

export type PayloadMode =
  /** The body hashes to `sha256`, lower-case hexadecimal. */
  | { readonly kind: 'signed'; readonly sha256: string }
  /** The signature says nothing about the body. */
  | { readonly kind: 'unsigned' }
  /** aws-chunked framing; signed chunks, or a trailer, or both. */
  | { readonly kind: 'chunked'; readonly signedChunks: boolean; readonly trailer: boolean };

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
const STREAMING: Readonly<Record<string, PayloadMode>> = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { kind: 'chunked', signedChunks: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { kind: 'chunked', signedChunks: true, trailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { kind: 'chunked', signedChunks: false, trailer: true },
};

/** @throws S3Error InvalidArgument; NotImplemented for the SigV4A modes */
export function parsePayloadMode(text: string): PayloadMode {
  if (text === UNSIGNED_PAYLOAD) return { kind: 'unsigned' };
  const streaming = Object.hasOwn(STREAMING, text) ? STREAMING[text] : undefined;
  if (streaming !== undefined) return streaming;
  if (text.startsWith('STREAMING-AWS4-ECDSA-')) {
    throw new S3Error('NotImplemented', 'Signature Version 4A (ECDSA) is not implemented.');
  }
  const lower = text.toLowerCase();
  if (lower.length !== 64 || !isHex(lower)) {
    throw new S3Error(
      'InvalidArgument',
      `x-amz-content-sha256 must be ${UNSIGNED_PAYLOAD}, ${Object.keys(STREAMING).join(', ')}, or a valid ` +
        'sha256 value.',
      { elements: { ArgumentName: 'x-amz-content-sha256' } },
    );
  }
  return { kind: 'signed', sha256: lower };
}

function isHex(text: string): boolean {
  return [...text].every((char) => (char >= '0' && char <= '9') || (char >= 'a' && char <= 'f'));
}
