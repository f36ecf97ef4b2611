/**
 * Several policies over the same keys. A request is admitted by all or charged to none, so that what one refuses does
 * not use up another. Time is a value: milliseconds of any clock that never goes back.
 */
import { assert } from '../../core/assert.ts';
import { RATE_LIMIT_BOUNDS } from '../limits.ts';
import { Debts } from './debts.ts';
import {
  type Rate,
  type RateLimitPolicy,
  RateLimitPolicyError,
  rateOf,
  remainingUnits,
  waitMs,
} from './policy.ts';

/** How a key stands with one policy after a request. */
export interface Outcome {
  readonly policy: RateLimitPolicy;
  /** Until this policy would admit the request, milliseconds; 0 when it does, Infinity when it never will. */
  readonly retryAfterMs: number;
  /** Whole units left. */
  readonly remaining: number;
  /** Until the key has its whole burst again, milliseconds. */
  readonly resetMs: number;
}

export interface RateLimiter {
  readonly policies: readonly RateLimitPolicy[];
  /**
   * Asks for `cost` units and takes them if every policy admits it: if no outcome has a `retryAfterMs`.
   * @param key at most 256 characters
   * @param cost a whole number; 0 only looks
   */
  take(key: string, cost: number, nowMs: number): Outcome[];
}

/**
 * @param capacity keys that may be in debt at once; more share the least debt among them
 * @throws RateLimitPolicyError
 */
export function createRateLimiter(
  policies: readonly RateLimitPolicy[],
  capacity: number = RATE_LIMIT_BOUNDS.keys,
): RateLimiter {
  if (policies.length === 0 || policies.length > RATE_LIMIT_BOUNDS.policies)
    throw new RateLimitPolicyError(`a limiter has 1 to ${RATE_LIMIT_BOUNDS.policies} policies`);
  if (new Set(policies.map(({ name }) => name)).size < policies.length)
    throw new RateLimitPolicyError('two policies have the same name');
  if (!Number.isInteger(capacity) || capacity < 1)
    throw new RateLimitPolicyError('the capacity is a whole number from 1');
  return new GcraLimiter(policies, capacity);
}

interface Account {
  readonly policy: RateLimitPolicy;
  readonly rate: Rate;
  readonly debts: Debts;
}

class GcraLimiter implements RateLimiter {
  readonly policies: readonly RateLimitPolicy[];
  readonly #accounts: readonly Account[];

  constructor(policies: readonly RateLimitPolicy[], capacity: number) {
    this.policies = policies;
    this.#accounts = policies.map((policy) => ({ policy, rate: rateOf(policy), debts: new Debts(capacity) }));
  }

  take(key: string, cost: number, nowMs: number): Outcome[] {
    assert(key.length <= RATE_LIMIT_BOUNDS.keyLength, 'the key of a rate limit is too long');
    assert(Number.isSafeInteger(cost) && cost >= 0, 'the cost of a request is no whole number');
    const debts = this.#accounts.map((account) => account.debts.debtMs(key, nowMs));
    const waits = this.#accounts.map(({ rate }, at) => waitMs(rate, debts[at]!, cost));
    const isAdmitted = waits.every((wait) => wait === 0);
    return this.#accounts.map(({ policy, rate, debts: table }, at) => {
      const debtMs = debts[at]! + (isAdmitted ? cost * rate.unitMs : 0);
      if (isAdmitted && cost > 0) table.owe(key, nowMs + debtMs);
      return { policy, retryAfterMs: waits[at]!, remaining: remainingUnits(rate, debtMs), resetMs: debtMs };
    });
  }
}
