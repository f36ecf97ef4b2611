import type { Counter, Observer } from '../core/observe/types.ts';

export interface MailMetrics {
  readonly connections: Counter;
  readonly messages: Counter;
  readonly refused: Counter;
  readonly bytes: Counter;
  readonly authFailures: Counter;
}

export function createMailMetrics(observer: Observer, open: () => number): MailMetrics {
  const { metrics } = observer;
  metrics.gauge('octet_mail_connections', 'Open SMTP connections.', {}, open);
  return {
    connections: metrics.counter('octet_mail_connections_total', 'SMTP connections accepted.'),
    messages: metrics.counter('octet_mail_messages_total', 'Messages stored and answered with 250.'),
    refused: metrics.counter('octet_mail_messages_refused_total', 'Messages refused after DATA.'),
    bytes: metrics.counter('octet_mail_bytes_total', 'Octets of messages stored.'),
    authFailures: metrics.counter('octet_mail_auth_failures_total', 'Failed AUTH attempts.'),
  };
}
