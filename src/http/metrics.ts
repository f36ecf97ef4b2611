/** What the HTTP library counts, under the name of the service that uses it. */
import type { Counter, Observer } from '../core/observe/types.ts';

export class HttpMetrics {
  readonly requests: Counter;
  readonly #observer: Observer;
  readonly #listener: string;
  /** The service may be one of several, `api-1`; Prometheus takes no hyphen in a name. */
  readonly #prefix: string;

  /** @param connections the number open now */
  constructor(observer: Observer, listener: string, connections: () => number) {
    this.#observer = observer;
    this.#listener = listener;
    this.#prefix = `octet_${observer.service.replaceAll('-', '_')}_http`;
    this.requests = observer.metrics.counter(
      `${this.#prefix}_requests_total`,
      'Requests whose head was read',
      {
        listener,
      },
    );
    observer.metrics.gauge(`${this.#prefix}_connections`, 'Open connections', { listener }, connections);
  }

  /** A request refused by the protocol: malformed, oversize or late. */
  refused(reason: string): void {
    this.#observer.metrics
      .counter(`${this.#prefix}_refused_total`, 'Requests refused before a handler saw them', {
        listener: this.#listener,
        reason,
      })
      .add();
  }
}
