/** What the DNS service counts. Names follow Prometheus; each is made once and added to directly. */
import type { Counter, Histogram, Metrics } from '../core/observe/types.ts';

export class DnsMetrics {
  readonly dropped: Counter;
  readonly truncated: Counter;
  readonly authoritative: Counter;
  readonly cacheHits: Counter;
  readonly cacheMisses: Counter;
  readonly coalesced: Counter;
  readonly upstreamQueries: Counter;
  readonly upstreamTimeouts: Counter;
  readonly upstreamFailures: Counter;
  readonly upstreamMismatches: Counter;
  readonly seconds: Histogram;
  readonly #queries: Readonly<Record<'udp' | 'tcp', Counter>>;
  readonly #responses = new Map<string, Counter>();
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    const counter = (name: string, help: string): Counter => metrics.counter(`octet_dns_${name}_total`, help);
    this.#metrics = metrics;
    this.#queries = {
      udp: metrics.counter('octet_dns_queries_total', 'Messages received', { transport: 'udp' }),
      tcp: metrics.counter('octet_dns_queries_total', 'Messages received', { transport: 'tcp' }),
    };
    this.dropped = counter('dropped', 'Messages that were not answered');
    this.truncated = counter('truncated', 'Answers sent with TC set');
    this.authoritative = counter('authoritative', 'Questions answered from a zone');
    this.cacheHits = counter('cache_hits', 'Resolutions answered from the cache');
    this.cacheMisses = counter('cache_misses', 'Resolutions that asked other servers');
    this.coalesced = counter('coalesced', 'Questions that joined a resolution under way');
    this.upstreamQueries = counter('upstream_queries', 'Questions sent to other servers');
    this.upstreamTimeouts = counter(
      'upstream_timeouts',
      'Questions that other servers did not answer in time',
    );
    this.upstreamFailures = counter('upstream_failures', 'Questions that failed otherwise');
    this.upstreamMismatches = counter('upstream_mismatches', 'Datagrams that answered no question of ours');
    this.seconds = metrics.histogram('octet_dns_query_seconds', 'Time from question to answer');
  }

  query(transport: 'udp' | 'tcp'): void {
    this.#queries[transport].value += 1;
  }

  /** `rcode` by name. */
  response(rcode: string): void {
    let counter = this.#responses.get(rcode);
    if (counter === undefined) {
      counter = this.#metrics.counter('octet_dns_responses_total', 'Answers sent', {
        rcode,
      });
      this.#responses.set(rcode, counter);
    }
    counter.value += 1;
  }

  /** Numbers that are read when somebody looks. */
  watch(read: {
    cacheEntries(): number;
    cacheBytes(): number;
    resolutions(): number;
    connections(): number;
  }): void {
    this.#metrics.gauge('octet_dns_cache_entries', 'Entries in the answer cache', {}, read.cacheEntries);
    this.#metrics.gauge('octet_dns_cache_bytes', 'Octets in the answer cache', {}, read.cacheBytes);
    this.#metrics.gauge('octet_dns_resolutions', 'Resolutions under way', {}, read.resolutions);
    this.#metrics.gauge('octet_dns_connections', 'Open TCP connections', {}, read.connections);
  }
}
