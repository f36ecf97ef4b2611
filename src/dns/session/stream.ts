/**
 * One TCP connection's conversation, without the connection: octets in, messages out, answers in any order.
 * RFC 7766: clients may send many questions without waiting, and take the answers as they come.
 *
 *   octets ──received──▶ stream ──next──▶ message ──▶ (answered now or later) ──answered──▶ takeOutput ──▶ octets
 */
import { ReceiveBuffer } from '../../core/bytes/receive-buffer.ts';
import type { DnsLimits } from '../limits.ts';
import { frame, takeFrame } from '../wire/framing.ts';

type StreamLimits = Pick<DnsLimits, 'maxPipelined' | 'messageTimeoutMs' | 'maxGatheredBytes'>;

export class StreamSession {
  readonly #limits: StreamLimits;
  readonly #incoming = new ReceiveBuffer();
  #outgoing: Buffer[] = [];
  #outgoingBytes = 0;
  #unanswered = 0;
  #partialSinceMs: number | undefined;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  received(chunk: Buffer): void {
    this.#incoming.append(chunk);
  }

  /** The next question, to be followed by one `answered`. Undefined when there is none, when too many are being
   * answered, or when enough answers are gathered to be written first. */
  next(): Buffer | undefined {
    if (this.saturated || this.#outgoingBytes >= this.#limits.maxGatheredBytes) return undefined;
    const message = takeFrame(this.#incoming);
    if (message !== undefined) {
      this.#unanswered += 1;
      this.#partialSinceMs = undefined;
    }
    return message;
  }

  /** The answer to one question; nothing when the question deserves none. */
  answered(bytes: Buffer | undefined): void {
    this.#unanswered -= 1;
    if (bytes === undefined) return;
    this.#outgoing.push(bytes);
    this.#outgoingBytes += bytes.length;
  }

  /** All answers given since the last call as one piece to write; undefined when there are none. */
  takeOutput(): Buffer | undefined {
    if (this.#outgoing.length === 0) return undefined;
    const bytes = frame(this.#outgoing);
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    return bytes;
  }

  /** True when nothing should be read until answers have left. */
  get saturated(): boolean {
    return this.#unanswered >= this.#limits.maxPipelined;
  }

  /** Questions taken and not answered yet. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** When an unfinished message must have come whole, by the clock of `nowMs`; undefined when none has begun. */
  deadlineMs(nowMs: number): number | undefined {
    if (this.#incoming.length === 0 || this.saturated) {
      this.#partialSinceMs = undefined;
      return undefined;
    }
    this.#partialSinceMs ??= nowMs;
    return this.#partialSinceMs + this.#limits.messageTimeoutMs;
  }
}
