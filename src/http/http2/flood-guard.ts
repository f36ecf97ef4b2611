/**
 * Tells a busy client from one that only makes work. RFC 9113 section 10.5.
 *
 * A connection has a budget of frames that bring nothing. It is filled up again with time, and by each response that
 * was sent to its end.
 *
 *   SETTINGS, PING, PRIORITY, unknown frames                  CVE-2019-9512, -9515
 *   DATA and header fragments with nothing in them            CVE-2019-9518
 *   RST_STREAM: a request that is not wanted after all        CVE-2023-44487, rapid reset
 *   our RST_STREAM, for what the client should not have sent  CVE-2025-8671, made-you-reset
 *   WINDOW_UPDATE by a few bytes, or more of them than there was DATA to answer
 *
 * A header block has a bound of bytes and of CONTINUATION frames, counted before anything is decoded: HPACK makes
 * much of little, and a block holds up the whole connection until its end (CVE-2024-27316).
 */
import type { HttpLimits } from '../limits.ts';
import { FLAG, FRAME, type Frame, FrameReader, PREFACE } from './frame-reader.ts';

export type Flood = 'http2-useless-frames' | 'http2-header-block' | 'http2-continuations';

export type FloodLimits = Pick<
  HttpLimits,
  'headBytes' | 'http2UselessFrames' | 'http2UselessFramesPerSecond' | 'http2Continuations'
>;

/** A window that is opened by less makes frames that are mostly head. */
const TINY_INCREMENT_BYTES = 1_024;
/** A client may answer one DATA frame by opening the window of its stream and that of the connection. */
const UPDATES_PER_DATA_FRAME = 2;
/** Windows may be opened in advance: once for the connection, once for each of some streams. */
const FREE_UPDATES = 256;
/** NO_ERROR, INTERNAL_ERROR and CANCEL are our own doing. RFC 9113 section 7. */
const OWN_RESET_CODES: readonly number[] = [0, 2, 8];

/** Told of what the guard sees of single streams. */
export interface StreamWatcher {
  dataSent(streamId: number, bytes: number): void;
  resetReceived(streamId: number): void;
}

export class FloodGuard {
  /** The highest stream that the client has opened. */
  lastStreamId = 0;
  /** When the header block that is being received began; undefined between blocks. */
  blockSinceMs: number | undefined;
  readonly #limits: FloodLimits;
  readonly #received = new FrameReader((frame) => this.#onReceived(frame), PREFACE.length);
  readonly #sent = new FrameReader((frame) => this.#onSent(frame));
  readonly #watcher: StreamWatcher;
  #budget: number;
  #updates = FREE_UPDATES;
  #blockBytes = 0;
  #continuations = 0;
  #nowMs: number;
  #flood: Flood | undefined;

  constructor(limits: FloodLimits, nowMs: number, watcher: StreamWatcher) {
    this.#limits = limits;
    this.#budget = limits.http2UselessFrames;
    this.#nowMs = nowMs;
    this.#watcher = watcher;
  }

  /** Looks at bytes from the client. @returns why the connection must end before anything is made of them */
  receive(bytes: Uint8Array, nowMs: number): Flood | undefined {
    const { http2UselessFrames, http2UselessFramesPerSecond } = this.#limits;
    const earned = ((nowMs - this.#nowMs) / 1_000) * http2UselessFramesPerSecond;
    this.#budget = Math.min(http2UselessFrames, this.#budget + earned);
    this.#nowMs = nowMs;
    this.#received.read(bytes);
    return this.#flood;
  }

  /** Looks at bytes for the client. */
  send(bytes: Uint8Array): void {
    this.#sent.read(bytes);
  }

  /** Whether a frame of our own could be put in now. */
  get sentWholeFrames(): boolean {
    return this.#sent.betweenFrames;
  }

  #onReceived(frame: Frame): void {
    switch (frame.type) {
      case FRAME.DATA:
        if (isEmptyData(frame)) this.#charge();
        return;
      case FRAME.HEADERS:
        this.lastStreamId = Math.max(this.lastStreamId, frame.streamId);
        this.#blockBytes = 0;
        this.#continuations = 0;
        this.blockSinceMs = this.#nowMs;
        this.#fragment(frame);
        return;
      case FRAME.CONTINUATION:
        this.#continuations += 1;
        if (this.#continuations > this.#limits.http2Continuations) this.#flood ??= 'http2-continuations';
        this.#fragment(frame);
        return;
      case FRAME.WINDOW_UPDATE:
        this.#updates -= 1;
        if (this.#updates < 0 || frame.value < TINY_INCREMENT_BYTES) this.#charge();
        return;
      case FRAME.RST_STREAM:
        this.#watcher.resetReceived(frame.streamId);
        this.#charge();
        return;
      default:
        // Acknowledgements too: nobody has asked for more than a few.
        this.#charge();
    }
  }

  #fragment({ length, flags }: Frame): void {
    if (length === 0) this.#charge();
    this.#blockBytes += length;
    if (this.#blockBytes > this.#limits.headBytes) this.#flood ??= 'http2-header-block';
    if ((flags & FLAG.END_HEADERS) !== 0) this.blockSinceMs = undefined;
  }

  #charge(): void {
    this.#budget -= 1;
    if (this.#budget < 0) this.#flood ??= 'http2-useless-frames';
  }

  #onSent({ type, flags, streamId, length, value }: Frame): void {
    if (type === FRAME.RST_STREAM && !OWN_RESET_CODES.includes(value)) this.#charge();
    if (type !== FRAME.DATA && type !== FRAME.HEADERS) return;
    if ((flags & FLAG.END_STREAM) !== 0) {
      this.#budget = Math.min(this.#limits.http2UselessFrames, this.#budget + 1);
    }
    if (type !== FRAME.DATA) return;
    this.#updates = Math.min(FREE_UPDATES, this.#updates + UPDATES_PER_DATA_FRAME);
    this.#watcher.dataSent(streamId, length);
  }
}

/** Also when there is padding around nothing. */
function isEmptyData({ flags, length, value }: Frame): boolean {
  if ((flags & FLAG.END_STREAM) !== 0) return false;
  return length - ((flags & FLAG.PADDED) !== 0 ? value + 1 : 0) <= 0;
}
