/**
 * The payload of a close frame. RFC 6455 sections 5.5.1 and 7.4.
 *
 *   +----------------+----------------------------------+
 *   | code, 2 bytes  | reason, UTF-8, up to 123 bytes   |     or nothing at all
 *   +----------------+----------------------------------+
 *
 * 1005, 1006 and 1015 stand for what was not on the wire, and so are never on it; 1004 has no meaning, and
 * 1016 to 2999 are reserved.
 */
import { isUtf8 } from 'node:buffer';
import { MAX_CONTROL_BYTES } from './frame.ts';
import { type Violation, violation } from './violation.ts';

export const CLOSE_CODE = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  /** The close frame was empty. */
  noStatus: 1005,
  /** The connection ended without a close frame. */
  abnormal: 1006,
  internalError: 1011,
} as const;

export interface ClosePayload {
  readonly kind: 'close';
  /** 1005 when the frame was empty. */
  readonly code: number;
  readonly reason: string;
}

export const MAX_REASON_BYTES = MAX_CONTROL_BYTES - 2;

/** True for the codes that may be on the wire. */
export function isWireCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

export function decodeClose(payload: Buffer): ClosePayload | Violation {
  if (payload.length === 0) return { kind: 'close', code: CLOSE_CODE.noStatus, reason: '' };
  if (payload.length === 1) return violation('close-payload', 'a close frame has half a code');
  const code = payload.readUInt16BE(0);
  if (!isWireCloseCode(code)) return violation('close-code', 'the close code may not be sent');
  const reason = payload.subarray(2);
  if (!isUtf8(reason)) return violation('close-reason', 'the close reason is not UTF-8', 1007);
  return { kind: 'close', code, reason: reason.toString('utf8') };
}

/** @param code one of the wire's, or 1005 for an empty payload; the reason is at most `MAX_REASON_BYTES` */
export function encodeClose(code: number, reason: string): Buffer {
  if (code === CLOSE_CODE.noStatus) return Buffer.alloc(0);
  const payload = Buffer.allocUnsafe(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2, 'utf8');
  return payload;
}
