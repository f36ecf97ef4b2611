/**
 * Frames as they pass by: what each is, without its payload. RFC 9113 section 4.1.
 *
 *   ┌──────────────┬──────┬───────┬─────────────────┬─────────────┐
 *   │ length (24)  │ type │ flags │ R, stream (31)  │ payload …   │
 *   └──────────────┴──────┴───────┴─────────────────┴─────────────┘
 *
 * It checks nothing: node:http2 parses the same bytes behind it, and refuses what is malformed.
 */

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FLAG = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8 } as const;

/** What a client sends first. RFC 9113 section 3.4. */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

const HEADER_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** Payload, bytes. */
  readonly length: number;
  /** The first four bytes of RST_STREAM (its code) and WINDOW_UPDATE (its increment), the first one of padded DATA. */
  readonly value: number;
}

export class FrameReader {
  readonly #told: (frame: Frame) => void;
  readonly #head = Buffer.alloc(HEADER_BYTES + 4);
  #have = 0;
  #skipBytes: number;

  /** @param skipBytes what comes before the first frame: the preface */
  constructor(told: (frame: Frame) => void, skipBytes = 0) {
    this.#told = told;
    this.#skipBytes = skipBytes;
  }

  /** Whether the next byte begins a frame. */
  get betweenFrames(): boolean {
    return this.#have === 0 && this.#skipBytes === 0;
  }

  read(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#skipBytes > 0) {
        const skipped = Math.min(this.#skipBytes, bytes.length - at);
        this.#skipBytes -= skipped;
        at += skipped;
        continue;
      }
      this.#head[this.#have++] = bytes[at++]!;
      if (this.#have >= HEADER_BYTES) this.#headGrew();
    }
  }

  #headGrew(): void {
    const head = this.#head;
    const length = head.readUIntBE(0, 3);
    const type = head[3]!;
    const flags = head[4]!;
    const wanted = Math.min(length, valueBytes(type, flags));
    if (this.#have < HEADER_BYTES + wanted) return;
    this.#have = 0;
    this.#skipBytes = length - wanted;
    const value = wanted === 0 ? 0 : head.readUIntBE(HEADER_BYTES, wanted);
    this.#told({ type, flags, streamId: head.readUInt32BE(5) & 0x7fff_ffff, length, value });
  }
}

function valueBytes(type: number, flags: number): number {
  if (type === FRAME.RST_STREAM || type === FRAME.WINDOW_UPDATE) return 4;
  return type === FRAME.DATA && (flags & FLAG.PADDED) !== 0 ? 1 : 0;
}

/** GOAWAY without further words. RFC 9113 section 6.8. */
export function encodeGoaway(lastStreamId: number, code: number): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + 8);
  frame.writeUIntBE(8, 0, 3);
  frame[3] = FRAME.GOAWAY;
  frame.writeUInt32BE(lastStreamId, HEADER_BYTES);
  frame.writeUInt32BE(code, HEADER_BYTES + 4);
  return frame;
}
