/** Rate limits: so many requests in so much time for each client, and the fields that tell it how it stands. */
export { type RateLimitedOptions, rateLimited } from './handler.ts';
export { addressKey } from './key.ts';
export { createRateLimiter, type Outcome, type RateLimiter } from './limiter.ts';
export { type RateLimitPolicy, RateLimitPolicyError } from './policy.ts';
