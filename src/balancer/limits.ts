/** Bounds of the balancer beyond those of the HTTP library, which hold on both of its sides. */

/** Content of a health check's answer that is read, bytes; a longer one is a failure. HAProxy reads one buffer. */
export const MAX_HEALTH_BODY_BYTES = 16_384;
/** Servers tried for one request. nginx has no bound but time, Envoy 2. */
export const MAX_TRIES = 3;
/** Retries under way at once, as a share of requests under way. Envoy's retry budget: 20 %. */
export const RETRY_BUDGET_SHARE = 0.2;
/** Retries under way that are always allowed. Envoy: 3. */
export const RETRY_BUDGET_MINIMUM = 3;
/** Share by which check intervals vary, so that servers are not asked in step. */
export const HEALTH_JITTER_SHARE = 0.1;
/** State changes remembered for the status page. */
export const MAX_TRANSITIONS = 100;
