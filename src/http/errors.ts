/**
 * What can go wrong in HTTP. `HttpError` is a refusal with a status: handlers throw it and the server turns it
 * into a problem (RFC 9457). `HttpClientError` is the client's: no usable answer came.
 */
import { type ErrorDetails, OctetError } from '../core/errors.ts';
import type { HeaderList } from './types.ts';

export class HttpError extends OctetError<`http-${number}`> {
  readonly status: number;
  /** Fields that the response needs beside the problem, such as Allow or Retry-After. */
  readonly headers: HeaderList;

  /** @param status from 400 to 599; `message` becomes the problem's detail and is seen by the client */
  constructor(status: number, message: string, details: ErrorDetails & { headers?: HeaderList } = {}) {
    super(`http-${status}`, message, { fault: status < 500 ? 'remote' : 'local', ...details });
    this.status = status;
    this.headers = details.headers ?? [];
  }
}

export type HttpClientErrorCode =
  /** The request cannot be expressed in HTTP: bad URL, method, field. */
  | 'invalid-request'
  /** No connection; see `cause`. */
  | 'connect-failed'
  | 'connect-timeout'
  | 'tls-failed'
  /** No free connection to this origin within the time. */
  | 'pool-timeout'
  /** No response head, or no further body byte, within the time. */
  | 'response-timeout'
  /** The peer closed or reset the connection before the response was complete. */
  | 'connection-lost'
  /** What came is not valid HTTP, or its framing is in doubt. */
  | 'malformed-response'
  /** The body of the request failed while it was being read. */
  | 'request-body-failed'
  /** The caller's signal, or the client was closed. */
  | 'aborted';

export class HttpClientError extends OctetError<HttpClientErrorCode> {
  /** True when not one byte of the request left: it is safe to send again, whatever its method. */
  readonly unsent: boolean;

  constructor(code: HttpClientErrorCode, message: string, details: ErrorDetails & { unsent?: boolean } = {}) {
    super(code, message, { fault: 'remote', ...details });
    this.unsent = details.unsent ?? false;
  }
}
