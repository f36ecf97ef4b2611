/** What the service counts. */
import type { Counter, Gauge, Histogram, Metrics } from '../core/observe/types.ts';

export interface DatabaseMetrics {
  readonly connections: Counter;
  readonly authenticationFailures: Counter;
  readonly statements: Counter;
  readonly errors: Counter;
  readonly seconds: Histogram;
  readonly bytesReceived: Counter;
  readonly bytesSent: Counter;
}

export interface GaugeSources {
  sessions(): number;
  lockWaits(): number;
  snapshots(): number;
}

export function databaseMetrics(
  metrics: Metrics,
  sources: GaugeSources,
): DatabaseMetrics & { readonly sessions: Gauge; readonly lockWaits: Gauge; readonly snapshots: Gauge } {
  return {
    connections: metrics.counter('octet_database_connections_total', 'Connections accepted.'),
    authenticationFailures: metrics.counter(
      'octet_database_authentication_failures_total',
      'Connections refused for their credentials.',
    ),
    statements: metrics.counter('octet_database_statements_total', 'Statements run.'),
    errors: metrics.counter('octet_database_errors_total', 'Statements that ended in an error.'),
    seconds: metrics.histogram('octet_database_statement_seconds', 'Time from a statement to its result.'),
    bytesReceived: metrics.counter('octet_database_received_bytes_total', 'Bytes received from clients.'),
    bytesSent: metrics.counter('octet_database_sent_bytes_total', 'Bytes sent to clients.'),
    sessions: metrics.gauge('octet_database_sessions', 'Open sessions.', {}, sources.sessions),
    lockWaits: metrics.gauge(
      'octet_database_lock_waits',
      'Sessions that wait for a lock.',
      {},
      sources.lockWaits,
    ),
    snapshots: metrics.gauge(
      'octet_database_snapshots',
      'Snapshots held by statements and transactions; old ones keep deleted rows in the file.',
      {},
      sources.snapshots,
    ),
  };
}
