/**
 * Compression of messages: the only file that knows zlib. RFC 7692 section 7.2.
 *
 *   message ──DEFLATE, flushed──▶ … 00 00 FF FF      an empty stored block; its last four bytes are not sent
 *   payload + 00 00 FF FF + 01 00 00 FF FF ──▶ message
 *
 * The second of the two blocks appended to a payload is ours: it is the final one, so that a payload that was
 * cut anywhere is an error rather than a shorter message.
 *
 * No zlib stream lives from message to message. What a context would carry over is the last 2^n bytes of plain
 * text, and DEFLATE takes those as a dictionary; so a connection holds at most 64 KiB for compression and
 * nothing outside of JavaScript's memory, and each message is free to be done at once, or, when it is long, on
 * zlib's threads beside the event loop.
 */
import zlib from 'node:zlib';
import type { WebSocketLimits } from './limits.ts';
import type { DirectionTerms } from './wire/deflate-terms.ts';
import { type Violation, violation } from './wire/violation.ts';

const FLUSHED_BLOCK = Buffer.of(0x00, 0x00, 0xff, 0xff);
const END = Buffer.concat([FLUSHED_BLOCK, Buffer.of(0x01), FLUSHED_BLOCK]);
/** What may follow a payload's own final block: the byte that makes `FLUSHED_BLOCK` a block. Section 7.2.3.4. */
const PADDING = 0x00;
/** zlib cannot deflate with a window of 256 bytes. With one of 512 it refers back 250 bytes at most. */
const ZLIB_MIN_WINDOW_BITS = 9;
/** A fast level: the messages of a conversation are short, and the ratio is made by the kept window. */
const LEVEL = 3;
const NO_WINDOW = Buffer.alloc(0);

/** The last bytes of what went one way, where the terms let the next message refer to them. */
class Window {
  readonly #sizeBytes: number;
  #bytes: Buffer = NO_WINDOW;

  constructor(terms: DirectionTerms) {
    this.#sizeBytes = terms.contextTakeover ? 2 ** terms.windowBits : 0;
  }

  get dictionary(): { readonly dictionary: Buffer } | undefined {
    return this.#bytes.length === 0 ? undefined : { dictionary: this.#bytes };
  }

  add(message: Uint8Array): void {
    if (this.#sizeBytes === 0) return;
    const kept = Math.max(0, Math.min(this.#bytes.length, this.#sizeBytes - message.length));
    const added = Math.min(message.length, this.#sizeBytes);
    const next = Buffer.allocUnsafeSlow(kept + added);
    this.#bytes.copy(next, 0, this.#bytes.length - kept);
    next.set(message.subarray(message.length - added), kept);
    this.#bytes = next;
  }
}

export class Deflater {
  readonly #window: Window;
  readonly #inlineBytes: number;
  readonly #windowBits: number;

  constructor(terms: DirectionTerms, limits: WebSocketLimits) {
    this.#window = new Window(terms);
    this.#inlineBytes = limits.deflateInlineBytes;
    this.#windowBits = Math.max(ZLIB_MIN_WINDOW_BITS, terms.windowBits);
  }

  /** The payload of one message. The next may be given only when this one is done. */
  deflate(message: Uint8Array): Buffer | Promise<Buffer> {
    const options = {
      level: LEVEL,
      windowBits: this.#windowBits,
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
      ...this.#window.dictionary,
    };
    this.#window.add(message);
    if (message.length <= this.#inlineBytes) return withoutEnd(zlib.deflateRawSync(message, options));
    return new Promise((resolve, reject) => {
      zlib.deflateRaw(message, options, (error, bytes) => {
        if (error === null) resolve(withoutEnd(bytes));
        else reject(error);
      });
    });
  }
}

function withoutEnd(deflated: Buffer): Buffer {
  return deflated.subarray(0, deflated.length - FLUSHED_BLOCK.length);
}

/** zlib's answer when asked for `info`, which its types do not know. */
interface Inflation {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

export class Inflater {
  readonly #window: Window;
  readonly #limits: WebSocketLimits;
  readonly #windowBits: number;

  constructor(terms: DirectionTerms, limits: WebSocketLimits) {
    this.#window = new Window(terms);
    this.#limits = limits;
    this.#windowBits = terms.windowBits;
  }

  /** The message of one payload, or why it is none. The next may be given only when this one is done. */
  inflate(payload: Buffer): Buffer | Violation | Promise<Buffer | Violation> {
    const whole = Buffer.concat([payload, END]);
    const options = {
      windowBits: this.#windowBits,
      maxOutputLength: Math.max(1, this.#mayInflateTo(payload.length)),
      info: true,
      ...this.#window.dictionary,
    };
    if (payload.length > this.#limits.deflateInlineBytes) return this.#inflateBeside(whole, options);
    try {
      return this.#done(zlib.inflateRawSync(whole, options) as unknown as Inflation, whole);
    } catch (thrown) {
      return this.#refusal(thrown, payload.length);
    }
  }

  #inflateBeside(whole: Buffer, options: zlib.ZlibOptions): Promise<Buffer | Violation> {
    return new Promise((resolve) => {
      zlib.inflateRaw(whole, options, (error, result) => {
        if (error !== null) resolve(this.#refusal(error, whole.length - END.length));
        else resolve(this.#done(result as unknown as Inflation, whole));
      });
    });
  }

  #done({ buffer, engine }: Inflation, whole: Buffer): Buffer | Violation {
    if (!endsProperly(whole, engine.bytesWritten)) return badDeflate();
    this.#window.add(buffer);
    return buffer;
  }

  #mayInflateTo(payloadBytes: number): number {
    const { messageBytes, inflateFreeBytes, inflateRatio } = this.#limits;
    return Math.min(messageBytes, Math.max(inflateFreeBytes, payloadBytes * inflateRatio));
  }

  #refusal(thrown: unknown, payloadBytes: number): Violation {
    const isTooMuch =
      thrown instanceof RangeError && 'code' in thrown && thrown.code === 'ERR_BUFFER_TOO_LARGE';
    if (!isTooMuch) return badDeflate();
    return this.#mayInflateTo(payloadBytes) < this.#limits.messageBytes
      ? violation('inflate-ratio', 'the message inflates to too many times its size', 1009)
      : violation('message-too-big', 'the message is too big', 1009);
  }
}

/** All was read; or the payload had a final block of its own and nothing but padding behind it. */
function endsProperly(whole: Buffer, readBytes: number): boolean {
  if (readBytes === whole.length) return true;
  return readBytes === whole.length - END.length - 1 && whole[readBytes] === PADDING;
}

function badDeflate(): Violation {
  return violation('bad-deflate', 'the message is not DEFLATE', 1007);
}
