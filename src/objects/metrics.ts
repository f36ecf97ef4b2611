/** What the object store counts. */
import type { Counter, Histogram, Metrics } from '../core/observe/types.ts';

export class ObjectsMetrics {
  readonly #metrics: Metrics;
  /** Bytes of bodies, without framing. */
  readonly receivedBytes: Counter;
  readonly sentBytes: Counter;
  readonly openRequests: { value: number };

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.receivedBytes = metrics.counter('octet_objects_received_bytes_total', 'Bytes of request bodies.');
    this.sentBytes = metrics.counter('octet_objects_sent_bytes_total', 'Bytes of object bodies sent.');
    this.openRequests = metrics.gauge('octet_objects_requests_open', 'Requests being answered.');
  }

  /** @param operation the S3 name, or `none` when the request was refused before it had one */
  answered(operation: string, status: number, seconds: number): void {
    const labels = { operation };
    this.#requests(operation, status).value++;
    this.#seconds(labels).observe(seconds);
  }

  /** @param code the S3 error code */
  refused(code: string): void {
    this.#metrics.counter('octet_objects_errors_total', 'Error answers by S3 code.', { code }).value++;
  }

  #requests(operation: string, status: number): Counter {
    const labels = { operation, status: String(status) };
    return this.#metrics.counter('octet_objects_requests_total', 'Requests by operation and status.', labels);
  }

  #seconds(labels: { operation: string }): Histogram {
    return this.#metrics.histogram(
      'octet_objects_request_seconds',
      'From head to head of the answer.',
      labels,
    );
  }
}
