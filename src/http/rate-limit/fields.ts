/**
 * What a client is told. draft-ietf-httpapi-ratelimit-headers (version 10).
 *
 *   RateLimit-Policy: "burst";q=100;w=60, "daily";q=5000;w=86400     what holds: quota and window in seconds
 *   RateLimit: "burst";r=57;t=26, "daily";r=4957;t=743               how it stands: remaining, reset in seconds
 *
 * A refusal is a 429 with Retry-After, and for the policy that refuses `t` is the same moment.
 */
import { problem } from '../problem.ts';
import { type BareItem, item, serialiseList } from '../structured-fields/index.ts';
import type { HeaderList, HttpResponse } from '../types.ts';
import type { Outcome } from './limiter.ts';
import type { RateLimitPolicy } from './policy.ts';

const QUOTA_EXCEEDED = {
  type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
  title: 'Request cannot be satisfied as assigned quota has been exceeded',
} as const;

const integer = (value: number): BareItem => ({ type: 'integer', value });
const string = (value: string): BareItem => ({ type: 'string', value });
/** Rounded up, for a client that comes a moment early is refused again. */
const seconds = (ms: number): number => Math.ceil(ms / 1_000);

/** The value of RateLimit-Policy. */
export function policyField(policies: readonly RateLimitPolicy[]): string {
  return serialiseList(
    policies.map(({ name, quota, windowSeconds }) =>
      item(string(name), { q: integer(quota), w: integer(windowSeconds) }),
    ),
  );
}

/** The value of RateLimit. */
export function standingField(outcomes: readonly Outcome[]): string {
  return serialiseList(outcomes.map(standing));
}

function standing({ policy, remaining, retryAfterMs, resetMs }: Outcome): ReturnType<typeof item> {
  const isNever = retryAfterMs === Number.POSITIVE_INFINITY;
  const t = retryAfterMs > 0 && !isNever ? retryAfterMs : resetMs;
  return item(string(policy.name), { r: integer(remaining), t: integer(seconds(t)) });
}

/** The refusal of what one or more policies do not admit. */
export function refusal(outcomes: readonly Outcome[], fields: HeaderList): HttpResponse {
  const violated = outcomes.filter(({ retryAfterMs }) => retryAfterMs > 0);
  const waitMs = Math.max(...violated.map(({ retryAfterMs }) => retryAfterMs));
  // What costs more than may ever be taken at once has no time at which it is worth trying again.
  const retry: HeaderList = Number.isFinite(waitMs) ? [['Retry-After', String(seconds(waitMs))]] : [];
  return problem(429, {
    ...QUOTA_EXCEEDED,
    extensions: { 'violated-policies': violated.map(({ policy }) => policy.name) },
    headers: [...retry, ...fields],
  });
}
