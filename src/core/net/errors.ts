import { OctetError } from '../errors.ts';

export type NetCode =
  | 'address-in-use'
  | 'listen-failed'
  | 'connect-failed'
  | 'connect-timeout'
  | 'tls-failed'
  /** A certificate or key is no PEM, or they are not of each other. */
  | 'bad-identity'
  | 'first-byte-timeout'
  | 'idle-timeout'
  | 'peer-not-reading'
  | 'connection-lost';

/** What can go wrong between two sockets. `port` is set for `address-in-use`. */
export class NetError extends OctetError<NetCode> {
  readonly port: number | undefined;

  constructor(code: NetCode, message: string, details: { cause?: unknown; port?: number } = {}) {
    super(code, message, {
      cause: details.cause,
      fault: code === 'bad-identity' ? 'local' : 'remote',
      retryable: code !== 'tls-failed' && code !== 'bad-identity',
    });
    this.port = details.port;
  }
}
