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
  /** As many requests wait for a connection as may. */
  | 'queue-full'
  /** No free connection within the time. */
  | 'pool-timeout'
  /** The name has no address; see `cause`. */
  | 'resolve-failed'
  | 'resolve-timeout'
  /** The name leads only to addresses that `allowAddress` refuses. */
  | 'address-refused'
  /** No connection; see `cause`. */
  | 'connect-failed'
  | 'connect-timeout'
  /** The proxy did not open the tunnel. */
  | 'proxy-failed'
  | 'proxy-timeout'
  | 'tls-failed'
  | 'tls-timeout'
  /** The server's certificate is not one to trust: unknown authority, other name, out of date. */
  | 'certificate-refused'
  /** The server does not take the request: no progress within the time. */
  | 'send-timeout'
  /** No response head within the time. */
  | 'response-timeout'
  /** No further byte of the content within the time. */
  | 'body-timeout'
  /** The whole request took longer than `totalTimeoutMs`. */
  | 'total-timeout'
  /** The peer closed or reset the connection before the response was complete. */
  | 'connection-lost'
  /** What came is not valid HTTP, or its framing or coding is in doubt. */
  | 'malformed-response'
  /** A redirection that must not be followed; see the message. */
  | 'redirect-refused'
  | 'too-many-redirects'
  /** The body of the request failed while it was being read. */
  | 'request-body-failed'
  /** The caller's signal, or the client was closed. */
  | 'aborted';

export interface HttpClientErrorDetails extends ErrorDetails {
  readonly unsent?: boolean;
  readonly answerBegun?: boolean;
}

export class HttpClientError extends OctetError<HttpClientErrorCode> {
  /** True when not one byte of the request left: it is safe to send again, whatever its method. */
  readonly unsent: boolean;
  /** True when a byte of an answer had arrived: the server has seen the request. */
  readonly answerBegun: boolean;

  constructor(code: HttpClientErrorCode, message: string, details: HttpClientErrorDetails = {}) {
    super(code, message, { fault: 'remote', ...details });
    this.unsent = details.unsent ?? false;
    this.answerBegun = details.answerBegun ?? false;
  }
}
