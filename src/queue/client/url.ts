import { AmqpError } from '../errors.ts';

/** Where to connect and as whom. */
export interface QueueAddress {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
  /** Seconds, from the query parameter `heartbeat`. */
  readonly heartbeat: number | undefined;
}

/**
 * Reads `amqp://user:password@host:port/vhost?heartbeat=30` (or `amqps`). An absent or empty virtual host
 * is `/`; parts are percent-decoded. RabbitMQ's URI specification.
 * @throws AmqpError `connect-failed`, never repeating the password
 */
export function parseQueueUrl(text: string): QueueAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const secure = url?.protocol === 'amqps:';
  if (url === undefined || (!secure && url.protocol !== 'amqp:')) {
    throw new AmqpError('connect-failed', 'the URL of a queue is amqp://user:password@host:port/vhost', {
      fault: 'local',
    });
  }
  const heartbeat = Number(url.searchParams.get('heartbeat') ?? Number.NaN);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1',
    port: url.port === '' ? (secure ? 5671 : 5672) : Number(url.port),
    secure,
    user: decodeURIComponent(url.username) || 'guest',
    password: decodeURIComponent(url.password) || 'guest',
    virtualHost: decodeURIComponent(url.pathname.slice(1)) || '/',
    heartbeat: Number.isInteger(heartbeat) && heartbeat >= 0 ? heartbeat : undefined,
  };
}
