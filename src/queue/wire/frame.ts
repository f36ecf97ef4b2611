/**
 * Frames: everything after the protocol header travels in them.
 *
 *      0      1         3             7                  size+7    size+8
 *     ┌──────┬─────────┬─────────────┬──────────────────┬────────┐
 *     │ type │ channel │    size     │ payload          │  0xCE  │
 *     │  u8  │   u16   │     u32     │ size octets      │        │
 *     └──────┴─────────┴─────────────┴──────────────────┴────────┘
 *
 * A message is three kinds of frames on one channel: the method (`basic.publish`), the content header, and
 * as many body frames as its size needs. Section 4.2.3.
 */
import { ByteWriter } from '../../core/bytes/writer.ts';
import { encodeMethod, type MethodArguments } from './method.ts';
import {
  BASIC_CLASS_ID,
  FRAME_END,
  FRAME_OVERHEAD_BYTES,
  FRAME_TYPE,
  type MethodName,
} from './specification.ts';

export interface Frame {
  readonly kind: 'frame';
  readonly type: 'method' | 'header' | 'body' | 'heartbeat';
  readonly channel: number;
  /** A view into what was decoded: copy what is kept. */
  readonly payload: Buffer;
  /** Where the next frame begins. */
  readonly end: number;
}

/** Three ways: a frame, a wish for more bytes, or something that can never become a frame. */
export type FrameResult =
  | Frame
  | { readonly kind: 'need-more' }
  | { readonly kind: 'malformed'; readonly reason: string };

const NEED_MORE: FrameResult = { kind: 'need-more' };
const TYPE_NAMES: ReadonlyMap<number, Frame['type']> = new Map(
  Object.entries(FRAME_TYPE).map(([name, octet]) => [octet, name as Frame['type']]),
);

/**
 * Decodes one frame of `bytes` from `start` on. A frame of more than `maxBytes`, with its overhead, is
 * malformed as soon as its size has been seen.
 */
export function decodeFrame(bytes: Buffer, start: number, maxBytes: number): FrameResult {
  const available = bytes.length - start;
  if (available < 1) return NEED_MORE;
  const type = TYPE_NAMES.get(bytes[start] as number);
  if (type === undefined) return malformed(`frame type ${bytes[start]}`);
  if (available < 7) return NEED_MORE;
  const size = bytes.readUInt32BE(start + 3);
  if (size + FRAME_OVERHEAD_BYTES > maxBytes) return malformed(`frame of ${size} octets, ${maxBytes} agreed`);
  if (type === 'heartbeat' && size > 0) return malformed('heartbeat with a payload');
  const end = start + size + FRAME_OVERHEAD_BYTES;
  if (bytes.length < end) return NEED_MORE;
  if (bytes[end - 1] !== FRAME_END) return malformed(`frame ends with ${bytes[end - 1]}, not 206`);
  const channel = bytes.readUInt16BE(start + 1);
  return { kind: 'frame', type, channel, payload: bytes.subarray(start + 7, end - 1), end };
}

function malformed(reason: string): FrameResult {
  return { kind: 'malformed', reason };
}

/** Builds frames one behind the other, so that all replies of one read leave in one write. */
export class FrameWriter {
  readonly #writer: ByteWriter;

  constructor(capacity = 512) {
    this.#writer = new ByteWriter(capacity);
  }

  get length(): number {
    return this.#writer.length;
  }

  method<Name extends MethodName>(channel: number, name: Name, values: MethodArguments<Name>): this {
    const at = this.#begin(FRAME_TYPE.method, channel);
    encodeMethod(this.#writer, name, values);
    return this.#end(at);
  }

  /** Header and bodies of a message, split so that no frame is longer than `frameMax` octets. */
  content(channel: number, raw: Uint8Array, body: Uint8Array, frameMax: number): this {
    const at = this.#begin(FRAME_TYPE.header, channel);
    this.#writer.uint16(BASIC_CLASS_ID).uint16(0).uint32(0).uint32(body.length).bytes(raw);
    this.#end(at);
    const step = frameMax - FRAME_OVERHEAD_BYTES;
    for (let start = 0; start < body.length; start += step) {
      const bodyAt = this.#begin(FRAME_TYPE.body, channel);
      this.#writer.bytes(body.subarray(start, start + step));
      this.#end(bodyAt);
    }
    return this;
  }

  heartbeat(): this {
    return this.#end(this.#begin(FRAME_TYPE.heartbeat, 0));
  }

  raw(bytes: Uint8Array): this {
    this.#writer.bytes(bytes);
    return this;
  }

  /** What was written, which is the caller's now; the writer begins anew. */
  take(): Buffer {
    return this.#writer.take();
  }

  #begin(type: number, channel: number): number {
    this.#writer.uint8(type).uint16(channel);
    return this.#writer.reserve(4);
  }

  #end(sizeAt: number): this {
    this.#writer.patchUint32(sizeAt, this.#writer.length - sizeAt - 4);
    this.#writer.uint8(FRAME_END);
    return this;
  }
}
