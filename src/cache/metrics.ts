/** What the cache counts for scrapers; everything is read from the engine when somebody asks. */
import type { Metrics } from '../core/observe/types.ts';

/** What is read from the engine. */
export interface Observed {
  readonly stats: {
    readonly commands: number;
    readonly errors: number;
    readonly authFailures: number;
    readonly connections: number;
  };
  readonly clients: { readonly size: number };
  readonly blocking: { readonly count: number };
  readonly keyspace: {
    readonly databases: readonly { readonly size: number }[];
    readonly stats: {
      readonly hits: number;
      readonly misses: number;
      readonly expired: number;
      readonly evicted: number;
    };
  };
  usedBytes(): number;
}

export interface TrafficCounters {
  inputBytes: number;
  outputBytes: number;
}

export function exposeMetrics(metrics: Metrics, engine: Observed, traffic: TrafficCounters): void {
  const { keyspace, stats } = engine;
  const show = (name: string, help: string, read: () => number): void => {
    metrics.gauge(`octet_cache_${name}`, help, undefined, read);
  };
  show('commands_total', 'Commands carried out.', () => stats.commands);
  show('errors_total', 'Error replies.', () => stats.errors);
  show('auth_failures_total', 'Logins refused.', () => stats.authFailures);
  show('connections_total', 'Connections accepted.', () => stats.connections);
  show('clients', 'Open connections.', () => engine.clients.size);
  show('blocked_clients', 'Connections that wait in a blocking command.', () => engine.blocking.count);
  show('keys', 'Keys in all databases.', () => keyspace.databases.reduce((sum, { size }) => sum + size, 0));
  show('hits_total', 'Reads that found their key.', () => keyspace.stats.hits);
  show('misses_total', 'Reads that found no key.', () => keyspace.stats.misses);
  show('expired_total', 'Keys removed because their time was over.', () => keyspace.stats.expired);
  show('evicted_total', 'Keys removed to make room.', () => keyspace.stats.evicted);
  show('memory_bytes', 'Memory counted for keys and connections.', () => engine.usedBytes());
  show('input_bytes_total', 'Bytes received.', () => traffic.inputBytes);
  show('output_bytes_total', 'Bytes sent.', () => traffic.outputBytes);
}
