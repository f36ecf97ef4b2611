import type { Counter, Observer } from '../core/observe/types.ts';

export interface ApiMetrics {
  readonly cacheHits: Counter;
  readonly cacheMisses: Counter;
  readonly cacheFailures: Counter;
  readonly events: Counter;
  readonly eventFailures: Counter;
}

export function createApiMetrics(observer: Observer, instance: string): ApiMetrics {
  const { metrics } = observer;
  const labels = { instance };
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
  };
}
