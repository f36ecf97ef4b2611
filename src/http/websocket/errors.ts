/** What can go wrong before a WebSocket is open. Once it is, `closed` tells how it ended. */
import { type ErrorDetails, OctetError } from '../../core/errors.ts';

export type WebSocketErrorCode =
  /** The caller's wish cannot be expressed: a close code, a reason, a protocol, a URL. */
  | 'invalid-argument'
  /** The server answered the handshake with another status than 101; see `status`. */
  | 'refused'
  /** The server's 101 is no valid answer to our handshake. RFC 6455 section 4.1. */
  | 'bad-handshake';

export class WebSocketError extends OctetError<WebSocketErrorCode> {
  /** Of the server's answer, with `refused`. */
  readonly status: number | undefined;

  constructor(code: WebSocketErrorCode, message: string, details: ErrorDetails & { status?: number } = {}) {
    super(code, message, { fault: code === 'invalid-argument' ? 'local' : 'remote', ...details });
    this.status = details.status;
  }
}
