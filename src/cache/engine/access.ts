/**
 * When a key was used, in one small integer per key, read in one of two ways depending on the policy.
 *
 *   LRU   ticks of 1/16 s since the start of the engine
 *   LFU   minutes since the start << 8 | counter 0..255
 *
 * The LFU counter is logarithmic: at a count of c a use raises it with probability 1 / ((c - 5) * factor + 1),
 * and it falls by one for every `decayMinutes` without use. New keys begin at 5, so that they are not the
 * first to go. (Morris, "Counting large numbers of events in small registers", 1978.)
 *
 * Changing the policy of a running server changes the meaning of what was recorded; it is right again once
 * keys have been used.
 */
import type { Random } from '../../core/random/random.ts';

const TICKS_PER_SECOND = 16;
const LFU_START = 5;
const LFU_MAX = 255;

export interface EvictionClock {
  readonly random: Random;
  /** Milliseconds since 1970 at which the engine began. */
  readonly startMs: number;
  /** LRU ticks, or LFU minutes, of now. */
  current: number;
  frequency: boolean;
  logFactor: number;
  decayMinutes: number;
}

export function setClock(clock: EvictionClock, now: number): void {
  const elapsed = Math.max(0, now - clock.startMs);
  clock.current = clock.frequency ? (elapsed / 60_000) | 0 : (elapsed / (1_000 / TICKS_PER_SECOND)) | 0;
}

/** What to record for a key used now; `before` is undefined for a new key. */
export function accessedNow(clock: EvictionClock, before: number | undefined): number {
  if (!clock.frequency) return clock.current;
  const count = before === undefined ? LFU_START : raised(clock, frequencyOf(clock, before));
  return (clock.current << 8) | count;
}

/** Seconds since the key was used. */
export function idleSeconds(clock: EvictionClock, accessed: number): number {
  if (clock.frequency) return Math.max(0, clock.current - (accessed >>> 8)) * 60;
  return Math.floor(Math.max(0, clock.current - accessed) / TICKS_PER_SECOND);
}

/** The decayed counter of a key. */
export function frequencyOf(clock: EvictionClock, accessed: number): number {
  const periods =
    clock.decayMinutes > 0
      ? Math.floor(Math.max(0, clock.current - (accessed >>> 8)) / clock.decayMinutes)
      : 0;
  return Math.max(0, (accessed & LFU_MAX) - periods);
}

/** The more, the sooner it may go. */
export function evictionScore(clock: EvictionClock, accessed: number): number {
  return clock.frequency ? LFU_MAX - frequencyOf(clock, accessed) : clock.current - accessed;
}

function raised(clock: EvictionClock, count: number): number {
  if (count >= LFU_MAX) return LFU_MAX;
  const odds = Math.max(0, count - LFU_START) * clock.logFactor + 1;
  return clock.random.below(Math.max(1, Math.round(odds))) === 0 ? count + 1 : count;
}
