/** A rate limit around a handler. */
import { hash } from 'node:crypto';
import type { Clock } from '../../core/time/clock.ts';
import { decorated } from '../decorated.ts';
import { RATE_LIMIT_BOUNDS } from '../limits.ts';
import type { Handler, HeaderList, HttpRequest } from '../types.ts';
import { policyField, refusal, standingField } from './fields.ts';
import { addressKey } from './key.ts';
import type { RateLimiter } from './limiter.ts';

export interface RateLimitedOptions {
  /** May be shared by several handlers, which then draw on the same quotas. */
  readonly limiter: RateLimiter;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Whom to count for: an API key that was checked, a user; undefined for whom nothing is counted. Default the
   * client's address. Behind a proxy that is the proxy's: give what it tells. What was not checked is no key, or a
   * client is a new one each time. */
  readonly key?: (request: HttpRequest) => string | undefined;
  /** Units of a request, a whole number. Default 1. */
  readonly cost?: (request: HttpRequest) => number;
}

/**
 * Answers 429 with Retry-After to what the limiter does not admit, without calling the handler; all else is told how
 * it stands, in its answer and in the refusals that the handler throws.
 */
export function rateLimited(options: RateLimitedOptions, handler: Handler): Handler {
  const { limiter, clock, key = keyOfClient, cost = one } = options;
  const policies = ['RateLimit-Policy', policyField(limiter.policies)] as const;
  return (request) => {
    const whose = key(request);
    if (whose === undefined) return handler(request);
    const outcomes = limiter.take(bounded(whose), cost(request), clock.monotonic());
    const fields: HeaderList = [policies, ['RateLimit', standingField(outcomes)]];
    if (outcomes.some(({ retryAfterMs }) => retryAfterMs > 0)) return refusal(outcomes, fields);
    return decorated(handler, request, (headers) => [...headers, ...fields]);
  };
}

function keyOfClient(request: HttpRequest): string {
  return addressKey(request.remote.address);
}

function one(): number {
  return 1;
}

/** Long keys are counted by their hash, so that a table of them has a size. */
function bounded(key: string): string {
  return key.length <= RATE_LIMIT_BOUNDS.keyLength ? key : hash('sha256', key, 'base64url');
}
