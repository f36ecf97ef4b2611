/**
 * Frames. RFC 6455 section 5.2.
 *
 *    0               1               2               3
 *    0 1 2 3 4 5 6 7 8 9 A B C D E F 0 1 2 3 4 5 6 7 8 9 A B C D E F
 *   +-+-+-+-+-------+-+-------------+-------------------------------+
 *   |F|R|R|R|opcode |M| length      | extended length: 2 bytes when |
 *   |I|S|S|S|       |A| 0-125, 126, | length is 126, 8 when it is   |
 *   |N|V|V|V|       |S| 127         | 127, else none                |
 *   | |1|2|3|       |K|             |                               |
 *   +-+-+-+-+-------+-+-------------+-------------------------------+
 *   | masking key, 4 bytes, when MASK is set | payload …            |
 *   +----------------------------------------+----------------------+
 *
 * A length has one form only, the shortest. A client masks every frame and a server none (section 5.1). RSV1
 * belongs to permessage-deflate and stands on the first frame of a message alone (RFC 7692 section 6).
 * Control frames (opcode 8 and above) are whole and have at most 125 bytes (section 5.5).
 */
import type { Input } from '../../wire/input.ts';
import { type Violation, violation } from './violation.ts';

export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;
export type Opcode = (typeof OPCODE)[keyof typeof OPCODE];

export const FIN = 0x80;
export const RSV1 = 0x40;
const RSV2_AND_RSV3 = 0x30;
const MASK = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
export const MAX_CONTROL_BYTES = 125;
const CONTROL = 0x8;
/** Bit n is set where n is an opcode that the standard defines. */
const DEFINED_OPCODES = 0b0000_0111_0000_0111;

/** Two bytes, eight of extended length, four of key. */
export const MAX_HEADER_BYTES = 14;

export interface FrameHeader {
  readonly kind: 'frame';
  readonly fin: boolean;
  readonly compressed: boolean;
  readonly opcode: Opcode;
  readonly payloadBytes: number;
  /** The key as a little-endian number, its first byte lowest; 0 changes nothing, so no mask is 0. */
  readonly maskKey: number;
}

export const NEED_DATA = { kind: 'need-data' } as const;
export type NeedData = typeof NEED_DATA;

/** What both ends agreed on, and who is heard. */
export interface FrameRules {
  readonly from: 'client' | 'server';
  /** permessage-deflate was negotiated. */
  readonly compression: boolean;
}

/**
 * Takes a frame's header from the input once it is complete; whatever is wrong with its first two bytes is
 * told as soon as they are there.
 */
export function decodeFrameHeader(input: Input, rules: FrameRules): FrameHeader | NeedData | Violation {
  if (input.length < 2) return NEED_DATA;
  const first = input.byte(0);
  const second = input.byte(1);
  const refusal = firstBytesRefusal(first, second, rules);
  if (refusal !== undefined) return refusal;
  const short = second & 0x7f;
  const lengthEnd = short < LENGTH_16 ? 2 : short === LENGTH_16 ? 4 : 10;
  const isMasked = second >= MASK;
  const headerBytes = isMasked ? lengthEnd + 4 : lengthEnd;
  if (input.length < lengthEnd) return NEED_DATA;
  const payloadBytes = short < LENGTH_16 ? short : extendedLength(input, short);
  if (typeof payloadBytes === 'object') return payloadBytes;
  if (input.length < headerBytes) return NEED_DATA;
  const maskKey = isMasked ? littleEndian32(input, lengthEnd) : 0;
  input.skip(headerBytes);
  return {
    kind: 'frame',
    fin: first >= FIN,
    compressed: (first & RSV1) !== 0,
    opcode: (first & 0x0f) as Opcode,
    payloadBytes,
    maskKey,
  };
}

function firstBytesRefusal(first: number, second: number, rules: FrameRules): Violation | undefined {
  const opcode = first & 0x0f;
  if ((first & RSV2_AND_RSV3) !== 0) return violation('reserved-bits', 'RSV2 or RSV3 is set');
  if (((DEFINED_OPCODES >> opcode) & 1) === 0) return violation('reserved-opcode', 'the opcode is reserved');
  if ((first & RSV1) !== 0) {
    if (!rules.compression) return violation('reserved-bits', 'RSV1 is set but no extension was agreed on');
    if (opcode !== OPCODE.text && opcode !== OPCODE.binary)
      return violation('reserved-bits', 'RSV1 is set on a frame that does not begin a message');
  }
  if (opcode >= CONTROL) {
    if (first < FIN) return violation('control-fragmented', 'a control frame is fragmented');
    if ((second & 0x7f) > MAX_CONTROL_BYTES)
      return violation('control-too-long', 'a control frame is longer than 125 bytes');
  }
  const isMasked = second >= MASK;
  if (isMasked === (rules.from === 'client')) return undefined;
  return isMasked
    ? violation('masked', 'a frame of the server is masked')
    : violation('not-masked', 'a frame of the client is not masked');
}

function extendedLength(input: Input, short: number): number | Violation {
  if (short === LENGTH_16) {
    const length = (input.byte(2) << 8) | input.byte(3);
    return length < LENGTH_16 ? notMinimal() : length;
  }
  const high = bigEndian32(input, 2);
  const low = bigEndian32(input, 6);
  if (high === 0 && low <= 0xffff) return notMinimal();
  if (high > 0x7fff_ffff) return violation('length-too-large', 'the highest bit of a length is set');
  if (high > 0x1f_ffff) return violation('length-too-large', 'a frame is longer than 2^53 bytes', 1009);
  return high * 0x1_0000_0000 + low;
}

function notMinimal(): Violation {
  return violation('length-not-minimal', 'a length is not in its shortest form');
}

function bigEndian32(input: Input, at: number): number {
  return (
    ((input.byte(at) << 24) | (input.byte(at + 1) << 16) | (input.byte(at + 2) << 8) | input.byte(at + 3)) >>>
    0
  );
}

function littleEndian32(input: Input, at: number): number {
  return (input.byte(at + 3) << 24) | (input.byte(at + 2) << 16) | (input.byte(at + 1) << 8) | input.byte(at);
}

/** Bytes of the header of a frame with so much payload. */
export function headerBytesOf(payloadBytes: number, isMasked: boolean): number {
  const length = payloadBytes < LENGTH_16 ? 2 : payloadBytes <= 0xffff ? 4 : 10;
  return isMasked ? length + 4 : length;
}

/**
 * Writes a frame's header at the start of `target`.
 * @param first FIN, RSV1 and the opcode
 * @param maskKey a client's; undefined for a server
 * @returns its length, `headerBytesOf`
 */
export function encodeFrameHeader(
  target: Buffer,
  first: number,
  payloadBytes: number,
  maskKey: number | undefined,
): number {
  const mask = maskKey === undefined ? 0 : MASK;
  let at = 2;
  target[0] = first;
  if (payloadBytes < LENGTH_16) {
    target[1] = mask | payloadBytes;
  } else if (payloadBytes <= 0xffff) {
    target[1] = mask | LENGTH_16;
    at = target.writeUInt16BE(payloadBytes, at);
  } else {
    target[1] = mask | LENGTH_64;
    at = target.writeUInt32BE(Math.floor(payloadBytes / 0x1_0000_0000), at);
    at = target.writeUInt32BE(payloadBytes % 0x1_0000_0000, at);
  }
  return maskKey === undefined ? at : target.writeInt32LE(maskKey | 0, at);
}
