import { OctetError } from '../../core/errors.ts';
import { isLoopback } from '../../core/net/loopback.ts';
import type { TlsIdentity } from '../../core/net/network.ts';
import type { HttpLimits } from '../../http/index.ts';
import { DEFAULT_LIMITS, type QueueLimits } from '../limits.ts';

export interface QueueOptions {
  /** Address to listen on. Anything but loopback needs a password of its own. */
  readonly host: string;
  /** AMQP port; 0 lets the operating system choose. */
  readonly port: number;
  /** Port of the management HTTP API; 0 lets the operating system choose. Undefined: no such API. */
  readonly managementPort: number | undefined;
  readonly user: string;
  readonly password: string;
  /** Interval proposed to clients, seconds; 0 proposes none. RabbitMQ: 60. */
  readonly heartbeat: number;
  /** Largest frame, octets with its overhead; from 4,096. RabbitMQ: 131,072. */
  readonly frameMax: number;
  /** Channels per connection; from 1 to 65,535. RabbitMQ: 2,047. */
  readonly channelMax: number;
  /** TLS from the first byte (`amqps`). */
  readonly tls: TlsIdentity | undefined;
  /** Whether passwords may travel unencrypted from other machines; loopback and TLS are always fine. */
  readonly plainLogin: 'loopback' | 'anywhere';
  readonly limits: Partial<QueueLimits>;
  /** Bounds of the management API as an HTTP server; those of src/http/limits.ts where absent. */
  readonly httpLimits?: Partial<HttpLimits>;
}

export const DEFAULT_QUEUE_OPTIONS: QueueOptions = {
  host: '127.0.0.1',
  port: 5672,
  managementPort: 15672,
  user: 'guest',
  password: 'guest',
  heartbeat: 60,
  frameMax: 131_072,
  channelMax: 2047,
  tls: undefined,
  plainLogin: 'loopback',
  limits: {},
};

/** Options that cannot be served. */
export class QueueOptionsError extends OctetError<'bad-options'> {
  constructor(message: string) {
    super('bad-options', message);
  }
}

/** Defaults filled in. @throws QueueOptionsError */
export function completeOptions(given: Partial<QueueOptions>): QueueOptions & { limits: QueueLimits } {
  const options = { ...DEFAULT_QUEUE_OPTIONS, ...given };
  if (!isLoopback(options.host) && options.password === DEFAULT_QUEUE_OPTIONS.password) {
    throw new QueueOptionsError(
      `the queue would listen on ${options.host} with the development password: set a password`,
    );
  }
  checkRange('heartbeat', options.heartbeat, 0, 65_535);
  checkRange('frameMax', options.frameMax, 4096, 0x7fff_ffff);
  checkRange('channelMax', options.channelMax, 1, 65_535);
  return { ...options, limits: { ...DEFAULT_LIMITS, ...options.limits } };
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new QueueOptionsError(`queue option ${name} is ${value}; allowed: ${least} to ${most}`);
}
