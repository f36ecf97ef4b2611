/** What the HTTP library counts, under the name of the service that uses it. */
import type { Counter, Observer } from '../core/observe/types.ts';

export class HttpMetrics {
  readonly requests: Counter;
  readonly #observer: Observer;
  readonly #listener: string;

  /** @param connections the number open now */
  constructor(observer: Observer, listener: string, connections: () => number) {
    this.#observer = observer;
    this.#listener = listener;
    const prefix = `octet_${observer.service}_http`;
    this.requests = observer.metrics.counter(`${prefix}_requests_total`, 'Requests whose head was read', {
      listener,
    });
    observer.metrics.gauge(`${prefix}_connections`, 'Open connections', { listener }, connections);
  }

  /** A request refused by the protocol: malformed, oversize or late. */
  refused(reason: string): void {
    const name = `octet_${this.#observer.service}_http_refused_total`;
    this.#observer.metrics
      .counter(name, 'Requests refused before a handler saw them', { listener: this.#listener, reason })
      .add();
  }
}
