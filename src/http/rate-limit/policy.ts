/**
 * A quota and its arithmetic: the generic cell rate algorithm (GCRA; ITU-T I.371 section 5.4), a leaky bucket that
 * needs one number for each key.
 *
 *   100 in 60 s: a unit costs 600 ms. Each unit taken moves the moment at which the key is out of debt by 600 ms.
 *
 *        now                 debt-free
 *   ──────┼───────────────────────┼───────────┼────▶ time
 *         └──── debt: 40 units ───┘           │
 *         └──── burst: 100 units ─────────────┘    room for 60 more
 *
 * Units come back one by one, not all at the end of a window, so no moment is worth waiting for and none brings
 * everybody at once. With the burst at the quota a key that was silent gets its whole quota at once; over any window
 * it gets at most burst + quota.
 */
import { OctetError } from '../../core/errors.ts';
import { RATE_LIMIT_BOUNDS } from '../limits.ts';

export interface RateLimitPolicy {
  /** Told to clients; printable ASCII. */
  readonly name: string;
  /** Units in one window, a whole number. */
  readonly quota: number;
  /** Whole seconds. */
  readonly windowSeconds: number;
  /** Units that may be taken at once after a silence, 1 to `quota`. Default `quota`. */
  readonly burst?: number;
}

/** A policy that cannot be kept. */
export class RateLimitPolicyError extends OctetError<'bad-rate-limit-policy'> {
  constructor(message: string) {
    super('bad-rate-limit-policy', message);
  }
}

/** A policy in milliseconds. */
export interface Rate {
  readonly unitMs: number;
  readonly burstMs: number;
}

/** Sums of fractions miss by less; a unit is never shorter than ten times this. */
const ROUNDING_MS = 0.001;

/** @throws RateLimitPolicyError */
export function rateOf({ name, quota, windowSeconds, burst = quota }: RateLimitPolicy): Rate {
  if (!/^[\x20-\x7e]+$/.test(name)) throw new RateLimitPolicyError('the name of a policy is printable ASCII');
  for (const number of [quota, windowSeconds, burst]) {
    if (!Number.isInteger(number) || number < 1)
      throw new RateLimitPolicyError(`${name}: quota, window and burst are whole numbers from 1`);
  }
  if (burst > quota) throw new RateLimitPolicyError(`${name}: the burst is more than the quota`);
  if (
    windowSeconds > RATE_LIMIT_BOUNDS.windowSeconds ||
    quota / windowSeconds > RATE_LIMIT_BOUNDS.unitsPerSecond
  )
    throw new RateLimitPolicyError(`${name}: the window or the rate is beyond what can be counted`);
  const unitMs = (windowSeconds * 1_000) / quota;
  return { unitMs, burstMs: burst * unitMs };
}

/**
 * How long to wait until `cost` units may be taken, milliseconds; 0 is now, Infinity is never.
 * @param debtMs how far ahead of now the key is out of debt
 */
export function waitMs(rate: Rate, debtMs: number, cost: number): number {
  const costMs = cost * rate.unitMs;
  if (costMs > rate.burstMs + ROUNDING_MS) return Number.POSITIVE_INFINITY;
  const wait = debtMs + costMs - rate.burstMs;
  return wait > ROUNDING_MS ? wait : 0;
}

/** Whole units that may be taken now. */
export function remainingUnits(rate: Rate, debtMs: number): number {
  return Math.max(0, Math.floor((rate.burstMs - debtMs + ROUNDING_MS) / rate.unitMs));
}
