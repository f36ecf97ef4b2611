/**
 * The frame around every message of the PostgreSQL protocol, version 3 (manual, section 55.2):
 *
 *     ┌──────┬──────────────┬─────────────┐      the first packet of a client has no type byte:
 *     │ type │ length int32 │ body        │      ┌──────────────┬─────────────┐
 *     │ 1 B  │ 4 B, with    │ length - 4  │      │ length int32 │ body        │
 *     └──────┴─ itself ─────┴─────────────┘      └──────────────┴─────────────┘
 */

export type FrameDecode =
  | { readonly kind: 'frame'; readonly type: number; readonly body: Buffer; readonly consumed: number }
  | { readonly kind: 'need-more' }
  | { readonly kind: 'malformed'; readonly reason: string };

/** @param maxBytes of one message, checked as soon as its length is known */
export function decodeFrame(bytes: Buffer, maxBytes: number): FrameDecode {
  if (bytes.length < 5) return { kind: 'need-more' };
  return decodeBody(bytes, 1, bytes[0] as number, maxBytes);
}

/** The first packet: StartupMessage, SSLRequest, GSSENCRequest or CancelRequest. */
export function decodeStartupFrame(bytes: Buffer, maxBytes: number): FrameDecode {
  if (bytes.length < 4) return { kind: 'need-more' };
  return decodeBody(bytes, 0, 0, maxBytes);
}

function decodeBody(bytes: Buffer, lengthAt: number, type: number, maxBytes: number): FrameDecode {
  const length = bytes.readInt32BE(lengthAt);
  if (length < 4) return { kind: 'malformed', reason: `invalid message length ${length}` };
  if (length > maxBytes)
    return { kind: 'malformed', reason: `message of ${length} bytes exceeds ${maxBytes}` };
  const consumed = lengthAt + length;
  if (bytes.length < consumed) return { kind: 'need-more' };
  return { kind: 'frame', type, body: bytes.subarray(lengthAt + 4, consumed), consumed };
}
