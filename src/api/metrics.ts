import type { Counter, Histogram, Observer } from '../core/observe/types.ts';

export interface ApiMetrics {
  readonly cacheHits: Counter;
  readonly cacheMisses: Counter;
  readonly cacheFailures: Counter;
  readonly events: Counter;
  readonly eventFailures: Counter;
  /** @param route its name in the route table, `none`, or `foreign-host` when it was refused for that */
  answered(route: string, status: number, seconds: number): void;
}

export function createApiMetrics(observer: Observer, instance: string): ApiMetrics {
  const { metrics } = observer;
  const labels = { instance };
  const requests = (route: string, status: number): Counter =>
    metrics.counter('octet_api_requests_total', 'Requests by route and status.', {
      instance,
      route,
      status: String(status),
    });
  const duration = (route: string): Histogram =>
    metrics.histogram('octet_api_request_seconds', 'From head to head of the answer.', { instance, route });
  return {
    cacheHits: metrics.counter('octet_api_cache_hits_total', 'Rows served from the cache.', labels),
    cacheMisses: metrics.counter('octet_api_cache_misses_total', 'Rows read from the database.', labels),
    cacheFailures: metrics.counter(
      'octet_api_cache_failures_total',
      'Cache calls that failed; the database answered.',
      labels,
    ),
    events: metrics.counter('octet_api_events_total', 'Events confirmed by the queue.', labels),
    eventFailures: metrics.counter(
      'octet_api_event_failures_total',
      'Events the queue did not confirm at once; they are told again.',
      labels,
    ),
    answered(route, status, seconds) {
      requests(route, status).value++;
      duration(route).observe(seconds);
    },
  };
}
