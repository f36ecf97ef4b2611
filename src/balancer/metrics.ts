/** What the balancer counts. */
import type { Counter, Histogram, Observer } from '../core/observe/types.ts';

export class BalancerMetrics {
  readonly #observer: Observer;
  readonly retries: Counter;
  readonly tunnels: Counter;
  readonly seconds: Histogram;

  constructor(observer: Observer) {
    this.#observer = observer;
    const { metrics } = observer;
    this.retries = metrics.counter('octet_balancer_retries_total', 'Requests tried on another server');
    this.tunnels = metrics.counter(
      'octet_balancer_tunnels_total',
      'Connections switched to another protocol',
    );
    this.seconds = metrics.histogram(
      'octet_balancer_request_seconds',
      'From the request’s head to the end of its response',
    );
  }

  /** A response, by pool and class of its status (`2xx`). */
  answered(pool: string, status: number): void {
    const labels = { pool, status: `${Math.floor(status / 100)}xx` };
    this.#observer.metrics.counter('octet_balancer_responses_total', 'Responses', labels).value++;
  }

  /** A response made here because no server gave one. */
  refused(reason: string): void {
    this.#observer.metrics.counter('octet_balancer_refused_total', 'Requests without a server’s answer', {
      reason,
    }).value++;
  }
}
