/**
 * What one connection of a client waits for, and until when; time is a value.
 *
 *   idle ──begin──▶ sending ──sent──▶ head ──answered──▶ body ──over──▶ idle
 *
 *   idle      until the next request; then the connection is closed
 *   send      the server takes nothing of what was written: `writeStallTimeoutMs` without progress, in any phase
 *   head      from the last byte sent to the whole head of the final response. What arrives meanwhile buys no time:
 *             a server that sends one byte now and then has not answered
 *   body      between two pieces of content, while somebody reads
 *   rest      the end of a body that nobody reads, however it arrives; then the connection is closed
 */

export type WaitingFor = 'idle' | 'send' | 'head' | 'body';

export interface ExchangeTimes {
  readonly writeStallTimeoutMs: number;
  readonly responseIdleTimeoutMs: number;
  readonly discardTimeoutMs: number;
}

type Phase =
  | { readonly kind: 'idle'; readonly untilMs: number }
  | { readonly kind: 'head'; readonly timeoutMs: number; sinceMs: number }
  | { readonly kind: 'body'; sinceMs: number }
  | { readonly kind: 'rest'; readonly untilMs: number }
  | { readonly kind: 'over' };

export interface ExchangeDeadline {
  readonly waitingFor: WaitingFor;
  /** On the monotonic clock, milliseconds. */
  readonly atMs: number;
}

export class ExchangeDeadlines {
  readonly #times: ExchangeTimes;
  #phase: Phase = { kind: 'over' };
  #blockedSinceMs: number | undefined;
  #pausedSinceMs: number | undefined;

  constructor(times: ExchangeTimes) {
    this.#times = times;
  }

  /** Nothing is under way. */
  idleUntil(atMs: number): void {
    this.#phase = { kind: 'idle', untilMs: atMs };
    this.#blockedSinceMs = undefined;
    this.#pausedSinceMs = undefined;
  }

  begin(timeoutMs: number, now: number): void {
    this.#phase = { kind: 'head', timeoutMs, sinceMs: now };
  }

  /** A part of the request has gone out: a long upload is no late answer. */
  sent(now: number): void {
    if (this.#phase.kind === 'head') this.#phase.sinceMs = now;
  }

  /** The head of the final response is here. */
  answered(now: number): void {
    this.#phase = { kind: 'body', sinceMs: now };
  }

  /** Nobody reads the content. */
  discarded(now: number): void {
    if (this.#phase.kind === 'body')
      this.#phase = { kind: 'rest', untilMs: now + this.#times.discardTimeoutMs };
  }

  received(now: number): void {
    if (this.#phase.kind === 'body') this.#phase.sinceMs = now;
  }

  /** Time in which we do not read is not held against the server. */
  setReading(reading: boolean, now: number): void {
    if (!reading) this.#pausedSinceMs ??= now;
    else if (this.#pausedSinceMs !== undefined) {
      if (this.#phase.kind === 'body') this.#phase.sinceMs += now - this.#pausedSinceMs;
      this.#pausedSinceMs = undefined;
    }
  }

  /** The server takes nothing more for now, or again after it took some. */
  setBlocked(blocked: boolean, now: number): void {
    this.#blockedSinceMs = blocked ? now : undefined;
  }

  next(): ExchangeDeadline | undefined {
    const phase = this.#inPhase();
    if (this.#blockedSinceMs === undefined) return phase;
    const atMs = this.#blockedSinceMs + this.#times.writeStallTimeoutMs;
    // While the request is stuck its answer is not late yet.
    return phase === undefined || phase.waitingFor === 'head' || atMs <= phase.atMs
      ? { waitingFor: 'send', atMs }
      : phase;
  }

  #inPhase(): ExchangeDeadline | undefined {
    const phase = this.#phase;
    switch (phase.kind) {
      case 'idle':
      case 'rest':
        return { waitingFor: 'idle', atMs: phase.untilMs };
      case 'head':
        return { waitingFor: 'head', atMs: phase.sinceMs + phase.timeoutMs };
      case 'body':
        if (this.#pausedSinceMs !== undefined) return undefined;
        return { waitingFor: 'body', atMs: phase.sinceMs + this.#times.responseIdleTimeoutMs };
      case 'over':
        return undefined;
    }
  }
}
