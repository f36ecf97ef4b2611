import type { Counter, Metrics } from '../core/observe/types.ts';

/** What the queue service counts. */
export interface QueueMetrics {
  readonly connectionsOpened: Counter;
  readonly loginsRefused: Counter;
  readonly published: Counter;
  readonly unroutable: Counter;
  readonly rejected: Counter;
  readonly delivered: Counter;
  readonly redelivered: Counter;
  /** Channels and connections that were closed with an error. */
  readonly errors: Counter;
  readonly bytesReceived: Counter;
  readonly bytesSent: Counter;
}

/** What is read when somebody scrapes. */
export interface QueueReadings {
  connections(): number;
  queues(): number;
  readyMessages(): number;
  unackedMessages(): number;
  memoryBytes(): number;
  /** 1 while publishers are stopped. */
  alarm(): number;
  uncommittedBytes(): number;
}

export function queueMetrics(metrics: Metrics, readings: QueueReadings): QueueMetrics {
  const gauge = (what: string, help: string, read: () => number): void => {
    metrics.gauge(`octet_queue_${what}`, help, {}, read);
  };
  gauge('connections', 'Open AMQP connections', readings.connections);
  gauge('queues', 'Declared queues', readings.queues);
  gauge('messages_ready', 'Messages waiting for a consumer', readings.readyMessages);
  gauge('messages_unacknowledged', 'Messages delivered and not settled', readings.unackedMessages);
  gauge('memory_bytes', 'Message bytes held in memory', readings.memoryBytes);
  gauge('alarm', '1 while publishers are stopped for want of memory', readings.alarm);
  gauge('uncommitted_bytes', 'Bytes handed to the store and not durable yet', readings.uncommittedBytes);
  const counter = (what: string, help: string): Counter => metrics.counter(`octet_queue_${what}_total`, help);
  return {
    connectionsOpened: counter('connections_opened', 'AMQP connections accepted'),
    loginsRefused: counter('logins_refused', 'Logins with wrong credentials'),
    published: counter('messages_published', 'Messages published'),
    unroutable: counter('messages_unroutable', 'Messages that matched no queue'),
    rejected: counter('messages_rejected', 'Messages refused by a full queue'),
    delivered: counter('messages_delivered', 'Messages handed to consumers'),
    redelivered: counter('messages_redelivered', 'Of those, delivered before'),
    errors: counter('errors', 'Channels and connections closed with an error'),
    bytesReceived: counter('received_bytes', 'Bytes received from clients'),
    bytesSent: counter('sent_bytes', 'Bytes sent to clients'),
  };
}
